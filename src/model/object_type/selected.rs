//! The types that are to be mirrored, as far as they are known.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::{CustomType, ObjectType};

/// Longest name of a custom type that is taken, in characters: it stands in `sync_state` until the schema is read.
const MAX_NAME: usize = 64;

/// The name by which a custom object is configured: its type id or its fully qualified name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CustomName(&'static str);

/// A type that is to be mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selected {
    /// Its descriptor is known.
    Known(&'static ObjectType),
    /// A custom object whose schema has not been read yet.
    Unread(CustomName),
}

impl CustomName {
    /// The name, if it looks like one: `2-` and a number, or `p`, a number, `_` and the rest.
    pub fn parse(name: &str) -> Option<Self> {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_type_id = name.strip_prefix("2-").is_some_and(is_number);
        let is_qualified = name
            .strip_prefix('p')
            .and_then(|rest| rest.split_once('_'))
            .is_some_and(|(portal, rest)| is_number(portal) && !rest.is_empty());
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        ((is_type_id || is_qualified) && is_plain && name.len() <= MAX_NAME).then(|| Self(intern(name)))
    }

    /// As it is configured.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// The name without the account's number; `None` for a type id, which says nothing of the name.
    pub fn short(self) -> Option<&'static str> {
        self.0.strip_prefix('p').and_then(|rest| rest.split_once('_')).map(|(_, short)| short)
    }
}

impl fmt::Display for CustomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Selected {
    /// What `name` selects, `None` when it is neither a standard type nor looks like a custom one.
    pub fn named(name: &str) -> Option<Self> {
        ObjectType::named(name).map(Self::Known).or_else(|| CustomName::parse(name).map(Self::Unread))
    }

    /// The type's name here, or the name a custom object is configured by.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Known(object_type) => object_type.name,
            Self::Unread(name) => name.as_str(),
        }
    }

    /// Whether people call it `name`.
    pub fn is_called(&self, name: &str) -> bool {
        match self {
            Self::Known(object_type) => object_type.is_called(name),
            Self::Unread(unread) => unread.as_str() == name || unread.short() == Some(name),
        }
    }

    /// The descriptors that are known, in the same order.
    pub fn known(selected: &[Self]) -> Vec<&'static ObjectType> {
        let known = |selected: &Self| match selected {
            Self::Known(object_type) => Some(*object_type),
            Self::Unread(_) => None,
        };
        selected.iter().filter_map(known).collect()
    }

    /// The same with descriptors for the custom types among `read`; each type once, however often it is named.
    #[must_use]
    pub fn resolve(selected: &[Self], read: &[CustomType]) -> Vec<Self> {
        let mut resolved = Vec::with_capacity(selected.len());
        for one in selected {
            let found = match one {
                Self::Known(_) => None,
                Self::Unread(name) => read.iter().find(|custom| custom.is_called(name.0)),
            };
            let one = found.map_or(*one, |custom| Self::Known(custom.descriptor()));
            if !resolved.contains(&one) {
                resolved.push(one);
            }
        }
        resolved
    }
}

impl fmt::Display for Selected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(object_type) => object_type.fmt(f),
            Self::Unread(name) => name.fmt(f),
        }
    }
}

/// `text` for as long as the process lives, each text once: names come from the configuration, which is read once.
fn intern(text: &str) -> &'static str {
    static KNOWN: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(same) = known.get(text) {
        return same;
    }
    let text = String::leak(text.to_owned());
    known.insert(text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custom_objects_are_named_by_type_id_or_fully_qualified_name() {
        for name in ["2-1234567", "p123_cars", "p123_Company-Cars"] {
            assert!(matches!(Selected::named(name), Some(Selected::Unread(_))), "{name}");
        }
        for name in ["cars", "2-", "2-x", "p_cars", "p123_", "0-999", "p12_a b", "2-12;drop"] {
            assert_eq!(Selected::named(name), None, "{name}");
        }
        assert!(matches!(Selected::named("tickets"), Some(Selected::Known(_))));
    }

    #[test]
    fn what_is_read_replaces_its_name_once() {
        let cars = CustomType {
            name: "cars".to_owned(),
            type_id: "2-77".to_owned(),
            fully_qualified_name: "p9_cars".to_owned(),
            singular_label: String::new(),
            plural_label: String::new(),
            columns: Vec::new(),
        };
        let selected = ["contacts", "2-77", "p9_Cars", "p9_boats"].map(|name| Selected::named(name).unwrap());
        let resolved = Selected::resolve(&selected, &[cars]);
        let names: Vec<_> = resolved.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["contacts", "cars", "p9_boats"]);
        assert_eq!(Selected::known(&resolved).len(), 2);
    }
}
