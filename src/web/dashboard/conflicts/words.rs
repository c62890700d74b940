//! Conflicts in words: the kinds there are, what can be decided about each, and who set a value.

use crate::storage::{ConflictKind, ConflictStatus, FieldSource};

/// A side of a conflict as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// MariaDB.
    Local,
    /// HubSpot.
    HubSpot,
}

/// What a page says of a kind of conflict.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct KindWords {
    /// In a few words.
    pub(super) title: &'static str,
    /// What happened, and what is to be decided.
    pub(super) explanation: &'static str,
    /// The side that is here.
    pub(super) local: &'static str,
    /// The other side.
    pub(super) hubspot: &'static str,
    /// The decision for all that is here.
    pub(super) keep_local: &'static str,
    /// The decision for the other side.
    pub(super) keep_hubspot: &'static str,
    /// Whether it can be decided field by field.
    pub(super) is_by_field: bool,
}

/// Both have changed the same properties.
static FIELDS: KindWords = KindWords {
    title: "changed on both sides",
    explanation: "Both sides changed the same fields since they last agreed. Choose for each field what counts; both \
                  sides get it.",
    local: "MariaDB",
    hubspot: "HubSpot",
    keep_local: "Keep all of ours",
    keep_hubspot: "Keep all of HubSpot's",
    is_by_field: true,
};

/// It was deleted here and changed in HubSpot.
static DELETED_HERE: KindWords = KindWords {
    title: "deleted here, changed in HubSpot",
    explanation: "The row was deleted here, and somebody changed the record in HubSpot meanwhile. Either it is deleted \
                  in HubSpot too, or the row comes back.",
    local: "MariaDB",
    hubspot: "HubSpot",
    keep_local: "Delete it in HubSpot too",
    keep_hubspot: "Bring the row back",
    is_by_field: false,
};

/// It was deleted in HubSpot and changed here.
static DELETED_IN_HUBSPOT: KindWords = KindWords {
    title: "deleted in HubSpot, changed here",
    explanation: "The record was deleted in HubSpot, and somebody changed its row here meanwhile. Either it is made \
                  anew in HubSpot, with a new id, or it is deleted here too.",
    local: "MariaDB",
    hubspot: "HubSpot",
    keep_local: "Make it anew in HubSpot",
    keep_hubspot: "Delete it here too",
    is_by_field: false,
};

/// It was merged into another record, and both rows were changed here.
static MERGED: KindWords = KindWords {
    title: "merged in HubSpot, changed here in both rows",
    explanation: "In HubSpot this record was merged into another one, and both rows had edits that were not sent yet. \
                  What you keep of this row becomes an edit of the other one; this row then counts as deleted.",
    local: "This row",
    hubspot: "Row it was merged into",
    keep_local: "Keep all of this row's",
    keep_hubspot: "Keep all of the other row's",
    is_by_field: true,
};

/// The words of a kind.
pub(super) fn kind(kind: ConflictKind) -> &'static KindWords {
    match kind {
        ConflictKind::Fields => &FIELDS,
        ConflictKind::DeletedHere => &DELETED_HERE,
        ConflictKind::DeletedInHubSpot => &DELETED_IN_HUBSPOT,
        ConflictKind::Merged => &MERGED,
    }
}

/// What follows when one side of a conflict is kept as a whole.
pub(super) fn consequence(kind: ConflictKind, side: Side) -> &'static str {
    match (kind, side) {
        (ConflictKind::Fields, Side::Local) => "HubSpot gets every value MariaDB has.",
        (ConflictKind::Fields, Side::HubSpot) => "MariaDB gets every value HubSpot has.",
        (ConflictKind::DeletedHere, Side::Local) => "The record goes to HubSpot's recycle bin.",
        (ConflictKind::DeletedHere, Side::HubSpot) => {
            "The row is no longer deleted and gets the values HubSpot has."
        }
        (ConflictKind::DeletedInHubSpot, Side::Local) => {
            "HubSpot gets a new record with every value of this row; the row stays and gets the new id."
        }
        (ConflictKind::DeletedInHubSpot, Side::HubSpot) => {
            "The row counts as deleted, and the edits made here are dropped."
        }
        (ConflictKind::Merged, Side::Local) => "The row it was merged into gets every value of this row.",
        (ConflictKind::Merged, Side::HubSpot) => "The edits of this row are dropped.",
    }
}

/// A status in words, with its tone.
pub(super) fn status(status: ConflictStatus) -> (&'static str, &'static str) {
    match status {
        ConflictStatus::Pending => ("open", "warn"),
        ConflictStatus::KeepLocal => ("ours kept", "good"),
        ConflictStatus::KeepHubSpot => ("HubSpot's kept", "good"),
        ConflictStatus::Merged => ("merged", "good"),
        ConflictStatus::Superseded => ("closed by itself", "idle"),
    }
}

/// A step in words: those of statuses, and two more.
pub(super) fn step(step: &str) -> String {
    match step {
        "opened" => "Opened".to_owned(),
        "updated" => "A side changed again".to_owned(),
        "superseded" => "Closed by itself: nothing was left to settle".to_owned(),
        "keep_local" => "Settled: ours kept".to_owned(),
        "keep_hubspot" => "Settled: HubSpot's kept".to_owned(),
        "merged" => "Settled: field by field".to_owned(),
        other => other.to_owned(),
    }
}

/// Who set a value in HubSpot; `None` where its history does not tell. Source of the words HubSpot has for it: HubSpot,
/// "Property history", and observed.
pub(super) fn who(source: &FieldSource) -> Option<String> {
    let way = source.source_type.as_deref().map(|way| match way {
        "CRM_UI" | "CONTACTS_WEB" | "COMPANIES_WEB" | "DEALS_WEB" => "by hand".to_owned(),
        "MOBILE_IOS" | "MOBILE_ANDROID" => "in the mobile app".to_owned(),
        "INTEGRATION" | "API" | "INTEGRATIONS_PLATFORM" => "by an app".to_owned(),
        "FORM" | "FORMS" => "through a form".to_owned(),
        "IMPORT" => "by an import".to_owned(),
        "AUTOMATION_PLATFORM" | "WORKFLOWS" => "by a workflow".to_owned(),
        "MERGE_OBJECTS" => "by a merge".to_owned(),
        other => format!("through {other}"),
    });
    let name = source.source_label.clone().or_else(|| source.source_id.clone());
    match (way, name) {
        (Some(way), Some(name)) => Some(format!("{way} ({name})")),
        (way, name) => way.or(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_deleted_is_not_decided_field_by_field() {
        let by_field: Vec<_> = ConflictKind::ALL.iter().map(|&known| kind(known).is_by_field).collect();
        assert_eq!(by_field, [true, false, false, true]);
    }

    #[test]
    fn each_decision_of_each_kind_has_a_consequence_of_its_own() {
        let both = |&known: &ConflictKind| [Side::Local, Side::HubSpot].map(|side| consequence(known, side));
        let all: Vec<_> = ConflictKind::ALL.iter().flat_map(both).collect();
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!((all.len(), different.len()), (8, 8));
    }

    #[test]
    fn who_set_a_value_is_told_as_far_as_it_is_known() {
        let source = |way: Option<&str>, label: Option<&str>, id: Option<&str>| FieldSource {
            at: None,
            source_type: way.map(str::to_owned),
            source_id: id.map(str::to_owned),
            source_label: label.map(str::to_owned),
        };
        assert_eq!(who(&source(None, None, None)), None);
        assert_eq!(who(&source(Some("CRM_UI"), Some("Ada"), Some("userId:1"))).unwrap(), "by hand (Ada)");
        assert_eq!(who(&source(Some("FORM"), None, Some("7"))).unwrap(), "through a form (7)");
        assert_eq!(who(&source(Some("SEQUENCES"), None, None)).unwrap(), "through SEQUENCES");
        assert_eq!(who(&source(None, None, Some("7"))).unwrap(), "7");
    }
}
