//! What the properties of a record were before, and who set them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Malformed, Scalar, parse};
use crate::hubspot::HistoryEntry;
use crate::model::ObjectId;

/// The histories in a batch read.
#[derive(Deserialize)]
struct HistoryAnswer<'a> {
    /// The records found, in any order.
    #[serde(borrow)]
    results: Vec<WireHistory<'a>>,
}

/// The histories of one record.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireHistory<'a> {
    /// Decimal id.
    #[serde(borrow, default)]
    id: Scalar<'a>,
    /// By property.
    #[serde(borrow, default)]
    properties_with_history: Option<BTreeMap<String, Vec<WireEntry<'a>>>>,
}

/// One value of a property.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireEntry<'a> {
    /// Empty or null when it was cleared.
    #[serde(borrow, default)]
    value: Scalar<'a>,
    /// ISO 8601.
    #[serde(borrow, default)]
    timestamp: Scalar<'a>,
    /// The kind of source.
    #[serde(borrow, default)]
    source_type: Scalar<'a>,
    /// Which of its kind.
    #[serde(borrow, default)]
    source_id: Scalar<'a>,
    /// What people call it.
    #[serde(borrow, default)]
    source_label: Scalar<'a>,
}

impl WireEntry<'_> {
    /// The entry; `None` when it does not say its time, which is all it is good for.
    fn into_entry(self) -> Option<HistoryEntry> {
        Some(HistoryEntry {
            at: self.timestamp.instant()?,
            value: self.value.into_set(),
            source_type: self.source_type.into_set(),
            source_id: self.source_id.into_set(),
            source_label: self.source_label.into_set(),
        })
    }
}

/// The histories of the properties of a record, by name, each newest first.
pub(in crate::hubspot) type Histories = BTreeMap<String, Vec<HistoryEntry>>;

/// Parses the histories of the readable records of a batch read, by id.
pub(in crate::hubspot) fn parse_histories(body: &[u8]) -> Result<BTreeMap<ObjectId, Histories>, Malformed> {
    let answer: HistoryAnswer<'_> = parse(body)?;
    let of_record = |wire: WireHistory<'_>| {
        let id = wire.id.text()?.parse().ok()?;
        let histories = wire.properties_with_history.unwrap_or_default().into_iter();
        Some((id, histories.map(|(name, entries)| (name, newest_first(entries))).collect()))
    };
    Ok(answer.results.into_iter().filter_map(of_record).collect())
}

/// The entries, newest first; HubSpot's order where times are equal.
fn newest_first(entries: Vec<WireEntry<'_>>) -> Vec<HistoryEntry> {
    let mut entries: Vec<_> = entries.into_iter().filter_map(WireEntry::into_entry).collect();
    entries.sort_by_key(|entry| Reverse(entry.at));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_sorted_and_a_cleared_value_is_none() {
        let body = br#"{"results": [{"id": "7", "propertiesWithHistory": {"city": [
            {"value": "Bonn", "timestamp": "2026-01-01T00:00:00Z", "sourceType": "CRM_UI", "sourceId": "userId:1"},
            {"value": "", "timestamp": "2026-01-02T00:00:00.5Z", "sourceType": "INTEGRATION", "sourceId": 77,
             "sourceLabel": "Our app", "updatedByUserId": 3},
            {"value": "lost", "timestamp": "then"}]}}, {"id": "8"}]}"#;
        let histories = parse_histories(body).unwrap();
        let city = &histories[&ObjectId(7)]["city"];
        let values: Vec<_> = city.iter().map(|entry| entry.value.as_deref()).collect();
        assert_eq!(values, [None, Some("Bonn")]);
        assert_eq!(
            (city[0].source_type.as_deref(), city[0].source_id.as_deref()),
            (Some("INTEGRATION"), Some("77"))
        );
        assert_eq!(city[0].source_label.as_deref(), Some("Our app"));
        assert!(histories[&ObjectId(8)].is_empty());
    }
}
