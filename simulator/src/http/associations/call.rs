//! Which path about associations means what.

use crate::http::route::NoRoute;

/// What a request does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Reads the links of many records.
    BatchRead,
    /// Reads the links of one record.
    Read(String),
    /// Reads the labels of the pair.
    Labels,
    /// Adds a label to the pair.
    DefineLabel,
    /// Links two records plainly.
    Associate(String, String),
    /// Links two records with the labels sent and no others.
    Label(String, String),
    /// Takes the link of two records away.
    Dissociate(String, String),
    /// Links many plainly.
    BatchAssociate,
    /// Links many with the labels sent.
    BatchCreate,
    /// Takes many links away.
    BatchArchive,
    /// Takes labels of many links away.
    BatchArchiveLabels,
}

/// A request about links between two types, named as sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What it does.
    pub action: Action,
    /// The type read or written from.
    pub from: String,
    /// The other type.
    pub to: String,
}

impl Call {
    /// Whether links change.
    pub const fn writes(&self) -> bool {
        !matches!(self.action, Action::BatchRead | Action::Read(_) | Action::Labels | Action::DefineLabel)
    }

    /// The call a path without version names; `None` for a path that is not about associations.
    pub fn find(method: &str, family: &str, rest: &[&str]) -> Option<Result<Self, NoRoute>> {
        let owned = |text: &str| text.to_owned();
        let (from, to, by_method): (_, _, Vec<(&str, Action)>) = match (family, rest) {
            ("associations", [from, to, tail @ ..]) => (from, to, bulk(tail)?),
            ("objects", [from, id, "associations", "default", to, to_id]) => {
                (from, to, vec![("PUT", Action::Associate(owned(id), owned(to_id)))])
            }
            ("objects", [from, id, "associations", to]) => (from, to, vec![("GET", Action::Read(owned(id)))]),
            ("objects", [from, id, "associations", to, to_id]) => (
                from,
                to,
                vec![
                    ("PUT", Action::Label(owned(id), owned(to_id))),
                    ("DELETE", Action::Dissociate(owned(id), owned(to_id))),
                ],
            ),
            _ => return None,
        };
        let meant = by_method.into_iter().find(|(wanted, _)| method.eq_ignore_ascii_case(wanted));
        let call = meant.map(|(_, action)| Self { action, from: owned(from), to: owned(to) });
        Some(call.ok_or(NoRoute::WrongMethod))
    }
}

/// What follows the two types in the paths that are about many records.
fn bulk(tail: &[&str]) -> Option<Vec<(&'static str, Action)>> {
    Some(match tail {
        ["labels"] => vec![("GET", Action::Labels), ("POST", Action::DefineLabel)],
        ["batch", "read"] => vec![("POST", Action::BatchRead)],
        ["batch", "associate", "default"] => vec![("POST", Action::BatchAssociate)],
        ["batch", "create"] => vec![("POST", Action::BatchCreate)],
        ["batch", "archive"] => vec![("POST", Action::BatchArchive)],
        ["batch", "labels", "archive"] => vec![("POST", Action::BatchArchiveLabels)],
        _ => return None,
    })
}
