//! What a run is about.

use std::fmt;

use crate::model::{OBJECT_TYPES, ObjectType};

/// What a run brings up to date; each has a row in `sync_state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The records of a type.
    Records(&'static ObjectType),
    /// The pipelines and stages of a type.
    Pipelines(&'static ObjectType),
    /// The owners.
    Owners,
}

impl Subject {
    /// Everything there is to do for the given types: reference data first, because records refer to it.
    pub fn all(objects: &[&'static ObjectType]) -> Vec<Self> {
        let pipelines =
            objects.iter().filter(|object| object.has_pipelines).map(|object| Self::Pipelines(object));
        let records = objects.iter().map(|object| Self::Records(object));
        std::iter::once(Self::Owners).chain(pipelines).chain(records).collect()
    }

    /// The subject called `name` in `sync_state` and on the command line.
    pub fn named(name: &str) -> Option<Self> {
        Self::all(&OBJECT_TYPES.iter().collect::<Vec<_>>())
            .into_iter()
            .find(|subject| subject.to_string() == name)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Records(object_type) => f.write_str(object_type.name),
            Self::Pipelines(object_type) => write!(f, "{}_pipelines", object_type.singular),
            Self::Owners => f.write_str("owners"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_is_found_by_its_name() {
        for subject in Subject::all(&OBJECT_TYPES.iter().collect::<Vec<_>>()) {
            assert_eq!(Subject::named(&subject.to_string()), Some(subject));
        }
        assert_eq!(Subject::named("unicorns"), None);
    }

    #[test]
    fn pipelines_come_with_the_types_that_have_them() {
        let names = |types: &[&str]| -> Vec<String> {
            let types: Vec<_> = types.iter().filter_map(|name| ObjectType::named(name)).collect();
            Subject::all(&types).iter().map(ToString::to_string).collect()
        };
        assert_eq!(names(&["contacts"]), ["owners", "contacts"]);
        assert_eq!(names(&["contacts", "deals"]), ["owners", "deal_pipelines", "contacts", "deals"]);
    }
}
