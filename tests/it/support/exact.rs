//! Whether the mirror equals HubSpot to the last row: also what lies in the recycle bin, what is gone, and merges.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sqlx::MySqlPool;

use super::database::TestDatabase;
use super::simulator::Simulator;
use super::truth::{Content, other_names, other_values, remote};

/// A record and its row that are not what they should be.
#[derive(Debug)]
pub struct Difference {
    /// HubSpot's id; of a merge that of the survivor.
    pub id: i64,
    /// What HubSpot holds.
    pub place: Place,
    /// The properties whose values differ, where nothing else does; else none.
    pub names: Vec<String>,
    /// All of it, in words.
    pub words: String,
}

/// Where HubSpot holds a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Among the live ones.
    Live,
    /// In the recycle bin.
    Bin,
    /// Nowhere.
    Nowhere,
}

/// A row, whether it is live or not.
#[derive(Debug)]
struct AnyRow {
    archived: bool,
    archived_at: Option<DateTime<Utc>>,
    is_purged: bool,
    /// `None` where it was erased.
    content: Option<Content>,
}

/// Every row of a mirror table.
async fn all_rows(sql: &MySqlPool, object_type: &str) -> BTreeMap<i64, AnyRow> {
    type Columns =
        (i64, bool, Option<DateTime<Utc>>, bool, Option<DateTime<Utc>>, Option<DateTime<Utc>>, String);
    let query = format!(
        "SELECT hubspot_id, archived, archived_at, purged_at IS NOT NULL, hubspot_created_at, hubspot_updated_at, \
         properties_json FROM hubspot_{object_type}"
    );
    let rows: Vec<Columns> = sqlx::query_as(sqlx::AssertSqlSafe(query)).fetch_all(sql).await.unwrap();
    let row = |(id, archived, archived_at, is_purged, created_at, updated_at, json): Columns| {
        let properties = serde_json::from_str(&json).unwrap();
        let content = created_at.zip(updated_at);
        let content = content.map(|(created_at, updated_at)| Content { created_at, updated_at, properties });
        (id, AnyRow { archived, archived_at, is_purged, content })
    };
    rows.into_iter().map(row).collect()
}

/// Everything HubSpot holds of a type.
struct Held {
    live: BTreeMap<i64, Content>,
    bin: BTreeMap<i64, Content>,
    /// When each record in the recycle bin went there.
    deleted_at: BTreeMap<i64, DateTime<Utc>>,
}

impl Held {
    async fn by(simulator: &Simulator, object_type: &str) -> Self {
        Self {
            live: remote(simulator, object_type, false).await,
            bin: remote(simulator, object_type, true).await,
            deleted_at: times_of_deletion(simulator, object_type).await,
        }
    }

    /// Where a record is.
    fn place(&self, id: i64) -> Place {
        if self.live.contains_key(&id) {
            Place::Live
        } else if self.bin.contains_key(&id) {
            Place::Bin
        } else {
            Place::Nowhere
        }
    }

    /// What a row should not be, in words, and the properties that differ where nothing else does.
    fn compare(&self, id: i64, row: &AnyRow) -> Option<(Vec<String>, String)> {
        let AnyRow { archived, archived_at, is_purged, content } = row;
        let is_marked = match self.place(id) {
            Place::Live => !archived && archived_at.is_none() && !is_purged,
            Place::Bin => *archived && *archived_at == self.deleted_at.get(&id).copied() && !is_purged,
            Place::Nowhere => *archived && archived_at.is_some(),
        };
        if !is_marked {
            let words = format!("is archived {archived} at {archived_at:?}, purged {is_purged}");
            return Some((Vec::new(), words));
        }
        let theirs = self.live.get(&id).or_else(|| self.bin.get(&id))?;
        let Some(ours) = content else { return Some((Vec::new(), "has no content".to_owned())) };
        let is_same_version = (ours.created_at, ours.updated_at) == (theirs.created_at, theirs.updated_at);
        let names = if is_same_version { other_names(ours, theirs) } else { Vec::new() };
        let (ours_at, theirs_at) = (ours.updated_at, theirs.updated_at);
        let words = format!("is at {ours_at}, HubSpot at {theirs_at}: {}", other_values(ours, theirs));
        (ours != theirs).then_some((names, words))
    }
}

/// Every difference between all there is on either side: live records, those in the recycle bin with their content and
/// the time they went there, rows HubSpot has nothing of, and merges.
pub async fn exact_differences(
    simulator: &Simulator,
    test: &TestDatabase,
    object_type: &str,
) -> Vec<Difference> {
    let held = Held::by(simulator, object_type).await;
    let rows = all_rows(&test.sql, object_type).await;
    let ids: BTreeSet<_> = held.live.keys().chain(held.bin.keys()).chain(rows.keys()).copied().collect();
    let difference = |id: i64| {
        let (place, row) = (held.place(id), rows.get(&id));
        let missing = || Some((Vec::new(), "is missing".to_owned()));
        let (names, words) = row.map_or_else(missing, |row| held.compare(id, row))?;
        let words = format!("{object_type} {id}, in HubSpot {place:?}, {words}");
        Some(Difference { id, place, names, words })
    };
    let mut found: Vec<_> = ids.into_iter().filter_map(difference).collect();
    found.extend(merge_differences(test, object_type, &held, &rows).await);
    found
}

/// When each record in the recycle bin went there.
async fn times_of_deletion(simulator: &Simulator, object_type: &str) -> BTreeMap<i64, DateTime<Utc>> {
    let lines = simulator.truth(object_type, true).await;
    let time = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let at = line["archivedAt"].as_str().unwrap().parse().unwrap();
        (line["id"].as_str().unwrap().parse().unwrap(), at)
    };
    lines.lines().map(time).collect()
}

/// The merges that are not known, lead elsewhere, or never were: an id may lead to a record HubSpot says took it in, or to
/// one that has gone since.
async fn merge_differences(
    test: &TestDatabase,
    object_type: &str,
    held: &Held,
    rows: &BTreeMap<i64, AnyRow>,
) -> Vec<Difference> {
    let condition = format!("WHERE object_type = '{object_type}'");
    let stored = test.rows("hubspot_merges", &["old_id", "survivor_id"], &condition).await;
    let parse = |row: &String| {
        let (old, survivor) = row.split_once('|').unwrap();
        (old.parse::<i64>().unwrap(), survivor.parse::<i64>().unwrap())
    };
    let mut stored: BTreeMap<_, _> = stored.iter().map(parse).collect();
    let difference = |old: i64, survivor: i64, words: String| {
        let words = format!("{object_type} {old} {words}");
        Difference { id: survivor, place: held.place(survivor), names: Vec::new(), words }
    };
    let mut found = Vec::new();
    for (survivor, content) in held.live.iter().chain(&held.bin) {
        let earlier = content.properties.get("hs_merged_object_ids").map_or("", String::as_str);
        for old in earlier.split(';').filter(|old| !old.is_empty()).map(|old| old.parse::<i64>().unwrap()) {
            let leads = stored.remove(&old);
            if old != *survivor && leads != Some(*survivor) {
                found.push(difference(old, *survivor, format!("leads to {leads:?} instead of {survivor}")));
            }
        }
    }
    for (old, survivor) in stored {
        if held.place(survivor) != Place::Nowhere {
            found.push(difference(old, survivor, format!("leads to {survivor}, which has not taken it in")));
        } else if rows.get(&survivor).is_some_and(|row| !row.archived) {
            let words = format!("leads to {survivor}, which is gone and live in the mirror");
            found.push(difference(old, survivor, words));
        }
    }
    found
}
