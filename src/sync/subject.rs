//! What a run is about.

use std::fmt;

use crate::model::{CustomName, ObjectType, Selected};

/// What a run brings up to date; each has a row in `sync_state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The records of a type.
    Records(&'static ObjectType),
    /// The pipelines and stages of a type.
    Pipelines(&'static ObjectType),
    /// What a custom object is, until that is known.
    Schema(CustomName),
    /// The owners.
    Owners,
}

impl Subject {
    /// Everything there is to do for the given types: reference data first, because records refer to it.
    pub fn all(objects: &[Selected]) -> Vec<Self> {
        let known = Selected::known(objects);
        let with_pipelines = known.iter().filter(|object_type| object_type.has_pipelines);
        let pipelines = with_pipelines.map(|object_type| Self::Pipelines(object_type));
        let records = objects.iter().map(|object| match *object {
            Selected::Known(object_type) => Self::Records(object_type),
            Selected::Unread(name) => Self::Schema(name),
        });
        std::iter::once(Self::Owners).chain(pipelines).chain(records).collect()
    }

    /// Whether it is about the records or the pipelines of a type that is called `name`.
    pub fn belongs_to(&self, name: &str) -> bool {
        match self {
            Self::Records(object_type) | Self::Pipelines(object_type) => object_type.is_called(name),
            Self::Schema(_) | Self::Owners => false,
        }
    }

    /// Whether it is called `name` in `sync_state`, on the command line or in the configuration.
    pub fn is_called(&self, name: &str) -> bool {
        match self {
            Self::Records(object_type) => object_type.is_called(name),
            _ => self.to_string() == name,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Records(object_type) => f.write_str(object_type.name),
            Self::Pipelines(object_type) => write!(f, "{}_pipelines", object_type.singular),
            Self::Schema(name) => name.fmt(f),
            Self::Owners => f.write_str("owners"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OBJECT_TYPES;

    #[test]
    fn every_subject_has_a_name_of_its_own() {
        let subjects = Subject::all(&OBJECT_TYPES.iter().map(Selected::Known).collect::<Vec<_>>());
        for subject in &subjects {
            let called: Vec<_> =
                subjects.iter().filter(|other| other.is_called(&subject.to_string())).collect();
            assert_eq!(called, [subject]);
        }
    }

    #[test]
    fn pipelines_come_with_the_types_that_have_them() {
        let names = |types: &[&str]| -> Vec<String> {
            let types: Vec<_> = types.iter().filter_map(|name| Selected::named(name)).collect();
            Subject::all(&types).iter().map(ToString::to_string).collect()
        };
        assert_eq!(names(&["contacts"]), ["owners", "contacts"]);
        assert_eq!(names(&["contacts", "deals"]), ["owners", "deal_pipelines", "contacts", "deals"]);
        assert_eq!(names(&["p1_cars", "deals"]), ["owners", "deal_pipelines", "p1_cars", "deals"]);
    }
}
