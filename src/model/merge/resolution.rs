//! What a person or a later edit makes of a merge: changes of the documents and nothing else, so that the ordinary
//! merge does the rest.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::Documents;
use crate::model::Properties;

/// How a person settles a field in conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Ours stays and is sent.
    Local,
    /// HubSpot's value is taken.
    HubSpot,
    /// Both sides get this value; empty clears the field.
    Value(String),
}

/// The two documents a resolution or a later edit changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// What counts as agreed: HubSpot's value, of every field chosen for. So only ours can differ from it.
    pub base: Properties,
    /// Ours.
    pub local: Properties,
}

impl Documents<'_> {
    /// Settles fields by name. The next merge sends what is ours; it asks again only of a field that HubSpot changes
    /// once more before that.
    pub fn resolve(&self, choices: &BTreeMap<String, Choice>) -> Resolved {
        let mut base = Fields::of(self.base);
        let mut local = Fields::of(self.local);
        for (name, choice) in choices {
            let remote = self.remote.get(name);
            base.set(name, remote.as_deref());
            match choice {
                Choice::Local => {}
                Choice::HubSpot => local.set(name, remote.as_deref()),
                Choice::Value(value) => local.set(name, Some(value)),
            }
        }
        Resolved { base: base.build(), local: local.build() }
    }
}

/// The content of a row that was edited while it was merged: what was edited since the merge began with `loaded`
/// stays as it is in `current`, everything else is as in `merged`.
///
/// Against the base of the merge, the edits are then changes like any other.
pub fn rebase(loaded: &Properties, merged: &Properties, current: &Properties) -> Properties {
    if loaded == current {
        return merged.clone();
    }
    let mut content = Fields::of(merged);
    let names: BTreeSet<_> = loaded.iter().chain(current.iter()).map(|(name, _)| name).collect();
    for name in names {
        let value = current.get(&name);
        if value != loaded.get(&name) {
            content.set(&name, value.as_deref());
        }
    }
    content.build()
}

/// What a row holds and what it is an edit of, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ours<'a> {
    /// What both sides had agreed on.
    pub base: &'a Properties,
    /// Ours.
    pub local: &'a Properties,
}

/// The documents of a row that was edited while it was merged: it was `loaded` so, `merged` is what came of it, and it is
/// `current` now.
///
/// Whoever has edited a field meanwhile has seen what was loaded, not what HubSpot had: where that was taken, the edit
/// stays one of the old base, and both stand against each other.
pub fn rebase_row(loaded: Ours<'_>, merged: Ours<'_>, current: Ours<'_>) -> Resolved {
    let edited = rebase(loaded.local, merged.local, current.local);
    if loaded == current {
        return Resolved { base: merged.base.clone(), local: edited };
    }
    let (mut base, mut local) = (Fields::of(merged.base), Fields::of(&edited));
    let documents = [loaded.base, loaded.local, current.base, current.local];
    let names = documents.into_iter().flat_map(Properties::iter).map(|(name, _)| name);
    for name in names.collect::<BTreeSet<_>>() {
        let is_edited = current.local.get(&name) != loaded.local.get(&name);
        // Settled by a person, or what came from a row of a record that was merged into this one.
        let has_other_base = current.base.get(&name) != loaded.base.get(&name);
        let was_taken = merged.local.get(&name) != loaded.local.get(&name);
        if has_other_base {
            local.set(&name, current.local.get(&name).as_deref());
        }
        if has_other_base || (is_edited && was_taken) {
            base.set(&name, current.base.get(&name).as_deref());
        }
    }
    Resolved { base: base.build(), local: local.build() }
}

/// Properties that are being changed.
struct Fields<'a>(BTreeMap<Cow<'a, str>, String>);

impl<'a> Fields<'a> {
    /// A copy of `properties`.
    fn of(properties: &'a Properties) -> Self {
        Self(properties.iter().map(|(name, value)| (name, value.into_owned())).collect())
    }

    /// Gives a field another value, `None` to unset it.
    fn set(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.0.insert(Cow::Owned(name.to_owned()), value.to_owned()),
            None => self.0.remove(name),
        };
    }

    /// The properties.
    fn build(self) -> Properties {
        self.0.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Properties with a city.
    fn city(name: &str) -> Properties {
        [("city", name), ("phone", "1")].into_iter().collect()
    }

    /// The base and the content of a row that was `loaded`, `merged` and is `current` so, of each the same two.
    fn rebased(loaded: [&str; 2], merged: [&str; 2], current: [&str; 2]) -> [String; 2] {
        let documents = [loaded, merged, current].map(|pair| pair.map(city));
        let [loaded, merged, current] = documents.each_ref().map(|[base, local]| Ours { base, local });
        let Resolved { base, local } = rebase_row(loaded, merged, current);
        [base, local].map(|side| side.get("city").unwrap().into_owned())
    }

    #[test]
    fn an_edit_of_what_was_sent_meanwhile_is_one_of_that() {
        assert_eq!(rebased(["O", "A"], ["A", "A"], ["O", "B"]), ["A", "B"]);
    }

    #[test]
    fn an_edit_made_while_hubspots_value_was_taken_stays_one_of_what_the_editor_had_seen() {
        assert_eq!(rebased(["O", "O"], ["H", "H"], ["O", "B"]), ["O", "B"]);
    }

    #[test]
    fn what_a_person_has_settled_meanwhile_counts() {
        assert_eq!(rebased(["O", "A"], ["O", "A"], ["H", "A"]), ["H", "A"]);
        assert_eq!(rebased(["O", "A"], ["O", "A"], ["H", "H"]), ["H", "H"]);
    }

    #[test]
    fn a_row_nobody_has_touched_is_as_merged() {
        assert_eq!(rebased(["O", "A"], ["H", "H"], ["O", "A"]), ["H", "H"]);
    }
}
