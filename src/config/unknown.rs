//! Names that begin like ours but are none of ours: misspelt, or somebody else's.

use super::Environment;
use super::variables::{OWN_PREFIXES, VARIABLES, Variable};
use crate::model::Selected;

impl Environment {
    /// Names that begin like ours, yet belong to another program or another version, as far as can be told. In order.
    pub fn foreign(&self) -> Vec<&str> {
        self.unknown().filter(|name| suspicion(name).is_none()).collect()
    }

    /// Records every name that must be a misspelling: a setting that silently does nothing is worse than a refused
    /// start.
    pub(super) fn reject_misspellings(&mut self) {
        let suspicion = |name: &str| suspicion(name).map(|suspicion| (name.to_owned(), suspicion));
        let suspicions: Vec<_> = self.unknown().filter_map(suspicion).collect();
        for (name, suspicion) in suspicions {
            self.problem(&name, format!("is not a setting of hubspot-connector; {suspicion}"));
        }
    }

    /// The names of custom types in variables that begin with `family`, in lower case. What is close to a variable of
    /// a type that is mirrored is left to be refused as a misspelling, unless a custom object is called so.
    pub(super) fn names_of_custom_types(&mut self, family: &str, objects: &[Selected]) -> Vec<String> {
        let customs: Vec<_> = objects
            .iter()
            .filter_map(|selected| match selected {
                Selected::Unread(name) => Some(name.short()),
                Selected::Known(_) => None,
            })
            .collect();
        if customs.is_empty() {
            return Vec::new();
        }
        let is_named = |name: &str| customs.iter().flatten().any(|short| short.eq_ignore_ascii_case(name));
        let resembles = |name: &str| {
            let standard = Selected::known(objects).into_iter().map(|known| known.name);
            standard.into_iter().any(|known| strsim::osa_distance(name, known) <= MISSPELT_TYPE)
        };
        let unread: Vec<_> =
            self.unknown().filter_map(|name| Some((name, name.strip_prefix(family)?))).collect();
        let is_custom = |(_, name): &(&str, String)| is_named(name) || !resembles(name);
        let unread = unread.into_iter().map(|(variable, name)| (variable, name.to_lowercase()));
        let (variables, names): (Vec<_>, Vec<_>) =
            unread.filter(is_custom).map(|(variable, name)| (variable.to_owned(), name)).unzip();
        self.of_custom_types.extend(variables);
        names
    }

    /// Names that begin like ours and that we do not read.
    fn unknown(&self) -> impl Iterator<Item = &str> {
        let known: Vec<_> = VARIABLES.iter().flat_map(Variable::names).collect();
        let is_read =
            move |name: &str| known.iter().any(|known| known == name) || self.of_custom_types.contains(name);
        self.names().filter(move |name| own_prefix(name).is_some() && !is_read(name))
    }
}

/// How many letters may be wrong in the name of a type that still means one that is mirrored.
const MISSPELT_TYPE: usize = 2;

/// The prefix of ours a name begins with.
fn own_prefix(name: &str) -> Option<&'static str> {
    OWN_PREFIXES.iter().copied().find(|prefix| name.starts_with(prefix))
}

/// What was probably meant by an unknown name, as the end of a sentence; `None` when it resembles nothing of ours.
fn suspicion(name: &str) -> Option<String> {
    let known = VARIABLES
        .iter()
        .flat_map(|variable| variable.names().into_iter().map(move |known| (known, variable)));
    let distances = known.map(|(known, variable)| (strsim::osa_distance(name, &known), known, variable));
    let (distance, nearest, variable) =
        distances.min_by_key(|(distance, known, _)| (*distance, known.clone()))?;
    if distance <= tolerance(&nearest) {
        return Some(format!("did you mean {nearest}? It must be {}", variable.expectation(&nearest)));
    }
    let family =
        VARIABLES.iter().find(|variable| variable.family().is_some_and(|family| name.starts_with(family)))?;
    Some(format!("there is {} for each object type, such as {}", family.name, family.names()[0]))
}

/// How many letters may be wrong, missing, too many or swapped in a name that still means `known`. Two words of four
/// letters that differ in two are different words: `DB_POOL` is not a misspelt `DB_PORT`.
fn tolerance(known: &str) -> usize {
    let prefix = own_prefix(known).map_or(0, str::len);
    if known.len() - prefix <= 4 { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_refused_with_the_one_that_was_meant() {
        for (wrong, meant) in [
            ("SYNC_INTERVAL_MINUTE", "SYNC_INTERVAL_MINUTES"),
            ("HUBSPOT_ACESS_TOKNE", "HUBSPOT_ACCESS_TOKEN"),
            ("HUBSPOT_ACCESS_TOKEN_FIEL", "HUBSPOT_ACCESS_TOKEN_FILE"),
            ("DB_PASSWORT", "DB_PASSWORD"),
            ("DB_PROT", "DB_PORT"),
            ("COLUMNS_CONTACT", "COLUMNS_CONTACTS"),
            ("SYNC_CRON_DEAL", "SYNC_CRON_DEALS"),
        ] {
            let suspicion = suspicion(wrong).unwrap();
            assert!(suspicion.starts_with(&format!("did you mean {meant}?")), "{wrong}: {suspicion}");
            assert!(suspicion.contains(", for example `"), "{suspicion}");
        }
    }

    #[test]
    fn a_setting_of_an_unknown_type_is_refused_with_one_there_is() {
        for (wrong, there_is) in
            [("COLUMNS_UNICORNS", "COLUMNS_CONTACTS"), ("SYNC_CRON_UNICORNS", "SYNC_CRON_CONTACTS")]
        {
            let suspicion = suspicion(wrong).unwrap();
            assert!(suspicion.contains(there_is), "{suspicion}");
        }
    }

    /// The names of custom types in `COLUMNS_` variables called `set`, when `objects` are mirrored, and what is then
    /// refused.
    fn custom_types(objects: &str, set: &[&str]) -> (Vec<String>, String) {
        let pairs = set.iter().map(|name| (format!("COLUMNS_{name}"), "x".to_owned()));
        let mut environment = Environment::from_pairs(pairs);
        let objects: Vec<_> = objects.split(',').filter_map(Selected::named).collect();
        let names = environment.names_of_custom_types("COLUMNS_", &objects);
        (names, environment.finish(()).err().map(|error| error.to_string()).unwrap_or_default())
    }

    #[test]
    fn a_custom_object_has_settings_of_its_own() {
        // Close to `carts`, but called so.
        let (names, refused) = custom_types("contacts,p1_cars", &["CARS", "P1_CARS"]);
        assert_eq!((names.join(","), refused.as_str()), ("cars,p1_cars".to_owned(), ""));
        // Nobody knows what the type behind an id is called.
        let (names, refused) = custom_types("contacts,2-77", &["CARS", "BOATS", "CONTACT"]);
        assert_eq!(names, ["boats", "cars"]);
        assert!(refused.contains("COLUMNS_CONTACT: ") && refused.contains("1 problem(s)"), "{refused}");
        let (names, refused) = custom_types("contacts,deals", &["BOATS"]);
        assert!(names.is_empty() && refused.contains("COLUMNS_BOATS"), "{refused}");
    }

    #[test]
    fn what_resembles_nothing_of_ours_is_named_and_no_problem() {
        let foreign = ["DB_CONNECTION", "DB_POOL", "HUBSPOT_DEVELOPER_KEY"];
        let others = ["PATH", "DATABASE_URI", "DB_HOST", "DB_PASSWORD_FILE", "SYNC_INTERVAL_MINUTE"];
        let pairs = foreign.iter().chain(&others).map(|name| ((*name).to_owned(), "x".to_owned()));
        let environment = Environment::from_pairs(pairs);
        assert_eq!(environment.foreign(), foreign);
        let error = environment.finish(()).unwrap_err().to_string();
        assert!(error.contains("SYNC_INTERVAL_MINUTE:"), "{error}");
        assert!(foreign.iter().all(|name| !error.contains(name)), "{error}");
    }
}
