//! What is left of it all: the histories HubSpot keeps, and the conflicts.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::{KINDS, Writers};

/// A value a field had.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    /// `None` when it was cleared.
    value: Option<String>,
    /// When it was set.
    pub(super) timestamp: DateTime<Utc>,
    source_type: String,
}

impl Entry {
    /// The text; empty when it was cleared.
    pub(super) fn text(&self) -> &str {
        self.value.as_deref().unwrap_or_default()
    }

    /// Whether it came from here.
    pub(super) fn is_ours(&self) -> bool {
        self.source_type == "INTEGRATION"
    }
}

/// A record with the histories of its fields, newest first.
#[derive(Deserialize)]
struct Line {
    id: String,
    properties: BTreeMap<String, Vec<Entry>>,
}

/// A value a conflict names: where the type is in [`KINDS`], the field and the text.
type Named = (usize, String, String);

/// Everything that was left.
#[derive(Default)]
pub(super) struct Traces {
    /// The histories, newest first, by kind, record and field.
    pub(super) histories: BTreeMap<(usize, i64), BTreeMap<String, Vec<Entry>>>,
    /// What conflicts ever named.
    named: BTreeSet<Named>,
    /// The records that ever had each mark, by kind.
    marked: BTreeMap<(usize, String), BTreeSet<i64>>,
    /// How many records were made with each mark.
    pub(super) made: BTreeMap<(usize, String), u64>,
}

impl Traces {
    /// Reads everything.
    pub(super) async fn of(writers: &Writers) -> Self {
        let mut traces = Self::default();
        for (kind, of) in KINDS.iter().enumerate() {
            for line in writers.simulator.lines(&format!("/history/{}", of.name)).await.lines() {
                let Line { id, properties } = serde_json::from_str(line).unwrap();
                let id = id.parse().unwrap();
                for entry in properties.get(of.mark).into_iter().flatten() {
                    traces.marked.entry((kind, entry.text().to_owned())).or_default().insert(id);
                }
                traces.histories.insert((kind, id), properties);
            }
            let counts = writers.simulator.get(&format!("/creates/{}?by={}", of.name, of.mark)).await;
            for (mark, count) in counts["counts"].as_object().unwrap() {
                traces.made.insert((kind, mark.clone()), count.as_u64().unwrap());
            }
            let of_type = format!("WHERE object_type = '{}'", of.name);
            let now =
                writers.test.rows("conflicts", &["JSON_ARRAY(local_json, hubspot_json)"], &of_type).await;
            let steps = "WHERE conflict_id IN (SELECT id FROM conflicts WHERE object_type = '";
            let steps = format!("{steps}{}') AND detail IS NOT NULL", of.name);
            let sides = "JSON_ARRAY(JSON_EXTRACT(detail, '$.local'), JSON_EXTRACT(detail, '$.hubspot'))";
            let then = writers.test.rows("conflict_audit", &[sides], &steps).await;
            for document in now.iter().chain(&then) {
                let sides: Vec<BTreeMap<String, Value>> = serde_json::from_str(document).unwrap();
                for (field, value) in sides.into_iter().flatten() {
                    traces.named.insert((kind, field, value.as_str().unwrap_or_default().to_owned()));
                }
            }
        }
        traces
    }

    /// Whether a conflict names the value.
    pub(super) fn names(&self, kind: usize, field: &str, value: &str) -> bool {
        self.named.contains(&(kind, field.to_owned(), value.to_owned()))
    }

    /// Whether any record ever had the text.
    pub(super) fn has(&self, kind: usize, field: &str, text: &str) -> bool {
        let mut records = self.histories.range((kind, i64::MIN)..=(kind, i64::MAX));
        records.any(|(_, fields)| {
            fields.get(field).is_some_and(|had| had.iter().any(|entry| entry.text() == text))
        })
    }

    /// The history of a field, newest first.
    pub(super) fn history(&self, kind: usize, id: i64, field: &str) -> &[Entry] {
        self.histories.get(&(kind, id)).and_then(|fields| fields.get(field)).map_or(&[], Vec::as_slice)
    }

    /// The records that ever had a mark.
    pub(super) fn marked(&self, kind: usize, mark: &str) -> impl Iterator<Item = i64> {
        self.marked.get(&(kind, mark.to_owned())).into_iter().flatten().copied()
    }
}
