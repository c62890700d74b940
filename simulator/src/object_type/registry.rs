//! The types of one account.

use std::sync::Arc;

use crate::object_type::{Kind, ObjectType};

/// The types of an account by [`Kind`]: HubSpot's own, then those the portal defined in the order it did.
#[derive(Debug, Clone)]
pub struct Registry {
    /// Each at the position of its kind. Shared, so that a request can hold one while the account changes.
    types: Vec<Arc<ObjectType>>,
}

impl Registry {
    /// A registry of these types, each at the position of its kind.
    pub fn new(types: Vec<ObjectType>) -> Self {
        Self { types: types.into_iter().map(Arc::new).collect() }
    }

    /// The type in use that a path segment names.
    pub fn find(&self, name: &str) -> Option<&Arc<ObjectType>> {
        self.find_any(name).filter(|object_type| !object_type.is_archived)
    }

    /// The type a path segment names, also one taken out of use.
    pub fn find_any(&self, name: &str) -> Option<&Arc<ObjectType>> {
        self.types.iter().find(|object_type| object_type.is_called(name))
    }

    /// The type of a kind. Kinds come from this registry, so there is one.
    pub fn of(&self, kind: Kind) -> &Arc<ObjectType> {
        &self.types[kind.index()]
    }

    /// Every type in the order of kinds.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ObjectType>> {
        self.types.iter()
    }

    /// Every kind.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> + use<> {
        (0..self.types.len()).map(Kind::at)
    }

    /// Adds a type, or replaces the one of its kind.
    pub fn put(&mut self, object_type: ObjectType) {
        let position = object_type.kind.index();
        match self.types.get_mut(position) {
            Some(known) => *known = Arc::new(object_type),
            None => self.types.push(Arc::new(object_type)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::object_type::{Kind, STANDARD};

    #[test]
    fn a_type_answers_to_plural_singular_any_case_and_type_id() {
        for name in ["contacts", "contact", "CONTACTS", "Contact", "0-1"] {
            assert_eq!(STANDARD.find(name).map(|found| found.kind), Some(Kind::CONTACT), "{name}");
        }
        assert!(STANDARD.find("0-99").is_none());
    }

    #[test]
    fn each_descriptor_sits_at_the_position_of_its_kind() {
        for (position, object_type) in STANDARD.iter().enumerate() {
            assert_eq!(object_type.kind.index(), position, "{}", object_type.plural);
        }
    }
}
