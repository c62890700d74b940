//! Field by field, what becomes of a record that was edited here while HubSpot may have changed it too.
//!
//! Three documents go in: what both sides last agreed on (base), ours (local), HubSpot's (remote). What comes out is what
//! to send, what the row holds from now on, and what a person has to settle. Nothing here reads a clock or does I/O.
//!
//! | | What is done |
//! | --- | --- |
//! | local = remote | nothing, both agree |
//! | local = base | HubSpot's value is taken |
//! | remote = base | ours is sent |
//! | all three differ | as the field's [`Policy`] says |
//!
//! Values are compared by what they mean, see [`ValueKind`]; "not set" is a value like any other. The new base is
//! HubSpot's document, except where a field is left to a person: then the old base stays, as nothing was agreed on.
//! So a merge can be done again on its own result, and gives the same.

mod decision;
mod kind;
mod resolution;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

pub use self::decision::{Decision, Policy, Sides, UnknownPolicy};
pub use self::kind::ValueKind;
pub use self::resolution::{Choice, Ours, Resolved, rebase, rebase_row};
use super::{Properties, Property};

/// The three versions of a record's properties.
#[derive(Debug, Clone, Copy)]
pub struct Documents<'a> {
    /// What both sides last agreed on; empty for a record that was made here.
    pub base: &'a Properties,
    /// Ours, with the edits that were made here.
    pub local: &'a Properties,
    /// HubSpot's, with every property; empty for a record that is not there yet.
    pub remote: &'a Properties,
}

/// How one property is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldRule {
    /// What its values mean.
    pub kind: ValueKind,
    /// Who wins when both sides have changed it.
    pub policy: Policy,
    /// Whether HubSpot takes a value for it.
    pub writable: bool,
}

impl FieldRule {
    /// The rule of a property of the catalogue.
    pub fn of(property: &Property, policy: Policy) -> Self {
        Self { kind: ValueKind::of(property), policy, writable: !property.read_only }
    }

    /// The rule of a property that is in no catalogue: HubSpot would refuse it.
    const UNKNOWN: Self = Self { kind: ValueKind::Text, policy: Policy::Ask, writable: false };
}

/// How the properties of an object type are merged, by name. What is not in it cannot be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules(pub BTreeMap<String, FieldRule>);

impl Rules {
    /// The rules of the properties of a catalogue, under the type's `policy`.
    pub fn of_catalogue(catalogue: &[Property], policy: Policy) -> Self {
        let rule = |property: &Property| (property.name.clone(), FieldRule::of(property, policy));
        Self(catalogue.iter().map(rule).collect())
    }

    /// Gives single properties policies of their own, by name. What is no policy, or of no property, changes nothing.
    pub fn set_policies(&mut self, policies: &BTreeMap<String, String>) {
        for (property, policy) in policies {
            if let (Some(rule), Ok(policy)) = (self.0.get_mut(property), policy.parse()) {
                rule.policy = policy;
            }
        }
    }

    /// The rule of a property.
    pub fn of(&self, name: &str) -> FieldRule {
        self.0.get(name).copied().unwrap_or(FieldRule::UNKNOWN)
    }
}

/// When the sides were changed, as far as it is known; only [`Policy::Newest`] asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EditTimes {
    /// When the record was last edited here: no field has a time of its own.
    pub local: Option<DateTime<Utc>>,
    /// When HubSpot's values were set, by name: the newest entries of their histories.
    pub remote: BTreeMap<String, DateTime<Utc>>,
}

/// The outcome of a merge. All names are in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// What to send to HubSpot: name and value, empty to clear it.
    pub push: Vec<(String, String)>,
    /// What the row holds from now on.
    pub content: Properties,
    /// What counts as agreed from now on.
    pub base: Properties,
    /// The fields that wait for a person.
    pub conflicts: Vec<String>,
    /// Those among the conflicts that [`Policy::Newest`] settles as soon as both times are known.
    pub undated: Vec<String>,
    /// The fields that have another value than before, because HubSpot's was taken.
    pub taken: Vec<String>,
    /// The fields that were edited here although HubSpot takes no value for them. The edits stay, unsent.
    pub unwritable: Vec<String>,
}

impl Merged {
    /// Whether the row is in step with HubSpot: nothing to send, to settle or to complain of.
    pub fn is_synced(&self) -> bool {
        self.push.is_empty() && self.conflicts.is_empty() && self.unwritable.is_empty()
    }

    /// The merge after HubSpot has confirmed what was to be pushed, with `remote` as read back. What HubSpot stored
    /// counts, also where it is not quite what was sent, such as an e-mail address in lower case.
    ///
    /// Something is to be pushed again only when a field in conflict has meanwhile returned to its base in HubSpot.
    #[must_use]
    pub fn confirmed(&self, remote: &Properties, rules: &Rules, times: &EditTimes) -> Self {
        let sent: BTreeSet<&str> = self.push.iter().map(|(name, _)| name.as_str()).collect();
        // What was sent is agreed on: from there on only HubSpot can have moved.
        let is_sent = |(name, _): &(Cow<'_, str>, Cow<'_, str>)| sent.contains(&**name);
        let kept = self.base.iter().filter(|pair| !is_sent(pair));
        let base: Properties = kept.chain(self.content.iter().filter(is_sent)).collect();
        Documents { base: &base, local: &self.content, remote }.merge(rules, times)
    }
}

impl Documents<'_> {
    /// Merges the documents.
    pub fn merge(&self, rules: &Rules, times: &EditTimes) -> Merged {
        let mut outcome = Outcome::default();
        for name in self.names() {
            let sides = self.sides(&name);
            let rule = rules.of(&name);
            let sides = sides.as_sides();
            let decision = sides.decide(rule, times.local, times.remote.get(&*name).copied());
            outcome.add(&name, sides, rule, decision);
        }
        outcome.finish()
    }

    /// Every name that is set on any side, once and in order.
    fn names(&self) -> BTreeSet<Cow<'_, str>> {
        let sides = [self.base, self.local, self.remote].into_iter();
        sides.flat_map(Properties::iter).map(|(name, _)| name).collect()
    }

    /// The three values of a field.
    fn sides(&self, name: &str) -> Values<'_> {
        Values { base: self.base.get(name), local: self.local.get(name), remote: self.remote.get(name) }
    }
}

/// The values of one field, unescaped.
struct Values<'a> {
    /// Last agreed on.
    base: Option<Cow<'a, str>>,
    /// Ours.
    local: Option<Cow<'a, str>>,
    /// HubSpot's.
    remote: Option<Cow<'a, str>>,
}

impl Values<'_> {
    /// The same, borrowed.
    fn as_sides(&self) -> Sides<'_> {
        Sides { base: self.base.as_deref(), local: self.local.as_deref(), remote: self.remote.as_deref() }
    }
}

/// Collects a [`Merged`] field by field.
#[derive(Default)]
struct Outcome {
    push: Vec<(String, String)>,
    content: Vec<(String, String)>,
    base: Vec<(String, String)>,
    conflicts: Vec<String>,
    undated: Vec<String>,
    taken: Vec<String>,
    unwritable: Vec<String>,
}

impl Outcome {
    /// Adds what was decided of a field.
    fn add(&mut self, name: &str, sides: Sides<'_>, rule: FieldRule, decision: Decision) {
        let (content, base) = match decision {
            Decision::Agree => (sides.remote, sides.remote),
            Decision::Take => {
                self.taken.push(name.to_owned());
                (sides.remote, sides.remote)
            }
            Decision::Push | Decision::Ask | Decision::AskForTime if !rule.writable => {
                self.unwritable.push(name.to_owned());
                (sides.local, sides.base)
            }
            Decision::Push => {
                self.push.push((name.to_owned(), rule.kind.outgoing(sides.local).into_owned()));
                (sides.local, sides.remote)
            }
            Decision::Ask | Decision::AskForTime => {
                self.conflicts.push(name.to_owned());
                if decision == Decision::AskForTime {
                    self.undated.push(name.to_owned());
                }
                (sides.local, sides.base)
            }
        };
        self.content.extend(content.map(|value| (name.to_owned(), value.to_owned())));
        self.base.extend(base.map(|value| (name.to_owned(), value.to_owned())));
    }

    /// The outcome as a whole.
    fn finish(self) -> Merged {
        Merged {
            push: self.push,
            content: self.content.into_iter().collect(),
            base: self.base.into_iter().collect(),
            conflicts: self.conflicts,
            undated: self.undated,
            taken: self.taken,
            unwritable: self.unwritable,
        }
    }
}

#[cfg(test)]
mod tests;
