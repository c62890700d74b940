//! Writing records as strictly as HubSpot's API does, unlike `edit`, which does what the control API says.
//!
//! A write is planned first, without changing anything: every value checked and brought into stored form, conflicts
//! with other records found. A plan that was made can be carried out and does not fail, which is how a batch writes all
//! of its rows or none.

mod conflicts;
mod links;
mod normalise;
mod required;
mod rules;
mod stages;
mod validate;

pub use conflicts::Claims;
pub use links::SentLink;
pub use rules::{Condition, LifecycleBack, Rules};

use crate::account::associations::edit::NamedLabel;
use crate::account::edit::GivenValues;
use crate::account::{Account, End, LinkEdit, Moment, View};
use crate::clock::Millis;
use crate::object_type::Kind;

/// What a write is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A record that does not exist yet.
    New,
    /// A live record, by id.
    Existing(u64),
}

/// A write as it was asked for.
#[derive(Debug)]
pub struct Draft {
    /// The record.
    pub target: Target,
    /// Values by property name, as sent; `None` and the empty text clear.
    pub values: GivenValues,
    /// Links to make.
    pub links: Vec<SentLink>,
}

/// What is wrong with one property of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The property.
    pub property: String,
    /// HubSpot's code. Source: HubSpot, "Handling errors".
    pub code: &'static str,
    /// For people.
    pub message: String,
}

impl Problem {
    /// A problem with a property.
    fn new(property: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self { property: property.to_owned(), code, message: message.into() }
    }
}

/// Why a write was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Values that are none, all of them.
    Invalid(Vec<Problem>),
    /// Values that must be there and are not, all of them.
    Missing(Vec<Problem>),
    /// Another contact has the address.
    EmailTaken {
        /// The address.
        email: String,
        /// Who has it; `None` for another row of the same batch.
        holder: Option<u64>,
    },
    /// Another record has the value of a unique property.
    ValueTaken {
        /// The property.
        property: String,
        /// The value.
        value: String,
        /// The record that was to have it; `None` for a new one.
        record: Option<u64>,
        /// Who has it; `None` for another row of the same batch.
        holder: Option<u64>,
    },
    /// Links to records that are not there.
    NoSuchEnds(Vec<End>),
    /// A link type that leads to the type from another one.
    WrongDirection(Kind),
    /// A link type nobody defined.
    NoSuchLinkType(u64),
    /// No live record has the id.
    NoSuchRecord,
}

/// A value that was taken in another form than it was sent. Source: HubSpot changelog, "CRM API Write Validation
/// Enforcement".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normalized {
    /// The property.
    pub property: String,
    /// As sent.
    pub raw: String,
    /// As stored.
    pub stored: String,
}

/// A write that will succeed.
#[derive(Debug)]
pub struct Plan {
    /// The record.
    target: Target,
    /// Values in stored form; of an existing record only those it does not have yet.
    values: GivenValues,
    /// Names that were sent, for the answer.
    pub names: Vec<String>,
    /// What was taken in another form.
    pub normalized: Vec<Normalized>,
    /// Links to make, each with its labels.
    links: Vec<(End, Vec<NamedLabel>)>,
    /// Whether a write that changes nothing moves last-modified.
    touches: bool,
}

/// A record made through the API.
#[derive(Debug)]
pub struct Created {
    /// What it is.
    pub kind: Kind,
    /// Its id.
    pub id: u64,
    /// When it was made.
    pub at: Millis,
    /// The values it was made with, in stored form.
    pub values: GivenValues,
}

impl Plan {
    /// Whether the record does not exist yet.
    pub fn is_new(&self) -> bool {
        self.target == Target::New
    }
}

impl Account {
    /// Plans a write. `claims` are the unique values earlier rows of the same batch will take.
    pub fn plan(
        &self,
        kind: Kind,
        draft: Draft,
        rules: &Rules,
        claims: &mut Claims,
    ) -> Result<Plan, Refused> {
        let view = match draft.target {
            Target::New => None,
            Target::Existing(id) => Some(self.live(kind, id).ok_or(Refused::NoSuchRecord)?),
        };
        let (mut values, normalized) = self.checked(kind, view.as_ref(), &draft.values, rules)?;
        self.assume_pipeline(kind, view.as_ref(), &mut values);
        let missing = self.missing(kind, view.as_ref(), &values, rules);
        if !missing.is_empty() {
            return Err(Refused::Missing(missing));
        }
        self.keep_lifecycle(kind, view.as_ref(), &mut values, rules)?;
        self.check_unique(kind, draft.target, &values, claims)?;
        let links = self.resolve_links(kind, &draft.links)?;
        if let Some(view) = &view {
            self.drop_identical(kind, view, &mut values);
            self.keep_old_email(kind, view, &mut values, rules);
        }
        self.follow_stage(kind, &mut values);
        let names = draft.values.into_keys().collect();
        let touches = rules.identical_writes_touch;
        Ok(Plan { target: draft.target, values, names, normalized, links, touches })
    }

    /// Every value in stored form, with what was taken in another form than sent.
    fn checked(
        &self,
        kind: Kind,
        view: Option<&View<'_>>,
        sent: &GivenValues,
        rules: &Rules,
    ) -> Result<(GivenValues, Vec<Normalized>), Refused> {
        let (mut values, mut normalized, mut problems) = (GivenValues::new(), Vec::new(), Vec::new());
        for (name, text) in sent {
            match self.check_value(kind, view, name, text.as_deref().unwrap_or_default(), rules) {
                Err(problem) => problems.push(problem),
                Ok(taken) => {
                    if taken.is_normalized {
                        let (property, stored) = (name.clone(), taken.stored.clone());
                        let raw = text.clone().unwrap_or_default();
                        normalized.push(Normalized { property, raw, stored });
                    }
                    values.insert(name.clone(), Some(taken.stored).filter(|text| !text.is_empty()));
                }
            }
        }
        problems.extend(self.check_stage(kind, view, &values));
        if problems.is_empty() { Ok((values, normalized)) } else { Err(Refused::Invalid(problems)) }
    }

    /// Leaves out what the record has already, so that histories only show changes.
    fn drop_identical(&self, kind: Kind, view: &View<'_>, values: &mut GivenValues) {
        let catalogue = self.catalogue(kind);
        let shown = |name: &str| view.named(catalogue, name).filter(|text| !text.is_empty());
        values.retain(|name, text| shown(name) != *text);
    }

    /// Does what a plan says; returns the id of the record.
    pub fn carry_out(&mut self, kind: Kind, plan: &Plan, moment: Moment) -> u64 {
        const TAKEN: &str = "a plan only holds values the account takes, for a record that is live";
        let id = match plan.target {
            Target::New => {
                let values = self.with_origin(kind, plan.values.clone(), moment);
                let id = self.create(kind, Some(&values), moment).expect(TAKEN);
                self.created.push(Created { kind, id, at: moment.now, values: plan.values.clone() });
                id
            }
            Target::Existing(id) => {
                if !plan.values.is_empty() || plan.touches {
                    self.update(kind, id, &plan.values, moment).expect(TAKEN);
                }
                id
            }
        };
        for (end, labels) in &plan.links {
            // An end can only have gone since planning when an earlier row of the batch is the end itself.
            let _ = self.edit_link((kind, id), *end, &LinkEdit::Replace(labels.clone()), moment);
        }
        id
    }

    /// Records of a type made through the API since the start, in order.
    pub fn created(&self, kind: Kind) -> impl Iterator<Item = &Created> {
        self.created.iter().filter(move |created| created.kind == kind)
    }

    /// The values of a new record with who made it.
    fn with_origin(&self, kind: Kind, mut values: GivenValues, moment: Moment) -> GivenValues {
        let source = moment.source;
        let origin = [
            ("hs_object_source", source.kind().to_owned()),
            ("hs_object_source_id", source.id()),
            ("hs_object_source_label", source.kind().to_owned()),
        ];
        for (name, text) in origin {
            if self.catalogue(kind).active(name).is_some() {
                values.insert(name.to_owned(), Some(text));
            }
        }
        values
    }
}
