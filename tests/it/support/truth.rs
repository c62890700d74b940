//! Whether the mirror equals HubSpot: every record, every value, both times, nothing more and nothing less.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use sqlx::MySqlPool;

use super::daemon::{SEARCH_LAG, Setup};
use super::database::TestDatabase;
use super::simulator::Simulator;
use super::{eventually, holds};

/// The daemon knows HubSpot's time to a second, from below: from the `Date` header.
const CLOCK_RESOLUTION: Duration = Duration::from_secs(1);

/// A record, on either side.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// `createdAt`.
    pub created_at: DateTime<Utc>,
    /// `updatedAt`.
    pub updated_at: DateTime<Utc>,
    /// Set properties.
    pub properties: BTreeMap<String, String>,
}

/// A line of the simulator's truth.
#[derive(Deserialize)]
struct Line {
    id: String,
    #[serde(flatten)]
    content: Content,
}

/// A row of a mirror table: id, created, updated, properties.
type Row = (i64, DateTime<Utc>, DateTime<Utc>, String);

/// What the simulator holds, live or in the recycle bin.
async fn remote(simulator: &Simulator, object_type: &str, archived: bool) -> BTreeMap<i64, Content> {
    let lines = simulator.truth(object_type, archived).await;
    let parse = |line: &str| {
        let line: Line = serde_json::from_str(line).unwrap();
        (line.id.parse().unwrap(), line.content)
    };
    lines.lines().map(parse).collect()
}

/// The version of a live record.
pub async fn version(simulator: &Simulator, object_type: &str, id: i64) -> DateTime<Utc> {
    remote(simulator, object_type, false).await[&id].updated_at
}

/// What the mirror holds.
async fn mirrored(sql: &MySqlPool, object_type: &str) -> BTreeMap<i64, Content> {
    let query = format!(
        "SELECT hubspot_id, hubspot_created_at, hubspot_updated_at, properties_json FROM hubspot_{object_type} WHERE NOT archived"
    );
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(query)).fetch_all(sql).await.unwrap();
    let content = |(id, created_at, updated_at, json): Row| {
        (id, Content { created_at, updated_at, properties: serde_json::from_str(&json).unwrap() })
    };
    rows.into_iter().map(content).collect()
}

/// The properties whose values differ.
fn other_names(ours: &Content, theirs: &Content) -> Vec<String> {
    let names: BTreeSet<_> = ours.properties.keys().chain(theirs.properties.keys()).collect();
    let differ = |name: &&String| ours.properties.get(*name) != theirs.properties.get(*name);
    names.into_iter().filter(differ).cloned().collect()
}

/// The values that differ, ours and HubSpot's.
fn other_values(ours: &Content, theirs: &Content) -> String {
    let both =
        |name: String| format!("{name} {:?} {:?}", ours.properties.get(&name), theirs.properties.get(&name));
    other_names(ours, theirs).into_iter().map(both).collect::<Vec<_>>().join(", ")
}

/// The first differences between live records and their rows, in words. A record in the recycle bin may still be live in
/// the mirror: the regular runs do not see deletes. [`exact_differences`] leaves nothing out.
pub async fn differences(simulator: &Simulator, test: &TestDatabase, object_type: &str) -> Vec<String> {
    differences_of(simulator, test, object_type, object_type).await
}

/// The same for a type that has another name here than HubSpot's API takes.
pub async fn differences_of(
    simulator: &Simulator,
    test: &TestDatabase,
    object_type: &str,
    name_here: &str,
) -> Vec<String> {
    let remote_now = remote(simulator, object_type, false).await;
    let deleted = remote(simulator, object_type, true).await;
    let mirrored = mirrored(&test.sql, name_here).await;
    let missing = remote_now.keys().filter(|id| !mirrored.contains_key(id));
    let extra = mirrored.keys().filter(|id| !remote_now.contains_key(id) && !deleted.contains_key(id));
    let stale = remote_now.iter().filter_map(|(id, theirs)| {
        let ours = mirrored.get(id)?;
        let versions = format!("at {}, HubSpot at {}", ours.updated_at, theirs.updated_at);
        (ours != theirs).then(|| format!("{object_type} {id} is {versions}: {}", other_values(ours, theirs)))
    });
    let missing = missing.map(|id| format!("{object_type} {id} is missing"));
    let extra = extra.map(|id| format!("{object_type} {id} is extra"));
    missing.chain(extra).chain(stale).take(10).collect()
}

/// A record and its row that are not what they should be.
#[derive(Debug)]
pub struct Difference {
    /// HubSpot's id; of a merge that of the survivor.
    pub id: i64,
    /// What HubSpot holds.
    pub place: Place,
    /// Whether there is no row at all.
    pub is_missing: bool,
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

/// Every difference between all there is on either side: live records, those in the recycle bin with their content and
/// the time they went there, rows HubSpot has nothing of, and merges.
pub async fn exact_differences(
    simulator: &Simulator,
    test: &TestDatabase,
    object_type: &str,
) -> Vec<Difference> {
    let live = remote(simulator, object_type, false).await;
    let bin = remote(simulator, object_type, true).await;
    let archived_at = times_of_deletion(simulator, object_type).await;
    let rows = all_rows(&test.sql, object_type).await;
    let mut found = Vec::new();
    let ids: BTreeSet<_> = live.keys().chain(bin.keys()).chain(rows.keys()).copied().collect();
    for id in ids {
        let (place, theirs) = match (live.get(&id), bin.get(&id)) {
            (Some(theirs), _) => (Place::Live, Some(theirs)),
            (None, Some(theirs)) => (Place::Bin, Some(theirs)),
            (None, None) => (Place::Nowhere, None),
        };
        let difference = |names, words| {
            let words = format!("{object_type} {id}, in HubSpot {place:?}, {words}");
            Difference { id, place, is_missing: false, names, words }
        };
        let Some(row) = rows.get(&id) else {
            found.push(Difference { is_missing: true, ..difference(Vec::new(), "is missing".to_owned()) });
            continue;
        };
        let is_marked = match place {
            Place::Live => !row.archived && row.archived_at.is_none() && !row.is_purged,
            Place::Bin => row.archived && row.archived_at == archived_at.get(&id).copied() && !row.is_purged,
            Place::Nowhere => row.archived && row.archived_at.is_some(),
        };
        if !is_marked {
            let AnyRow { archived, archived_at, is_purged, .. } = row;
            let words = format!("is archived {archived} at {archived_at:?}, purged {is_purged}");
            found.push(difference(Vec::new(), words));
        } else if let Some(theirs) = theirs
            && row.content.as_ref() != Some(theirs)
        {
            found.push(match &row.content {
                None => difference(Vec::new(), "has no content".to_owned()),
                Some(ours) => {
                    let is_same_version =
                        (ours.created_at, ours.updated_at) == (theirs.created_at, theirs.updated_at);
                    let names = if is_same_version { other_names(ours, theirs) } else { Vec::new() };
                    let versions = format!("is at {}, HubSpot at {}", ours.updated_at, theirs.updated_at);
                    difference(names, format!("{versions}: {}", other_values(ours, theirs)))
                }
            });
        }
    }
    found.extend(merge_differences(test, object_type, &live, &bin, &rows).await);
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
    live: &BTreeMap<i64, Content>,
    bin: &BTreeMap<i64, Content>,
    rows: &BTreeMap<i64, AnyRow>,
) -> Vec<Difference> {
    let condition = format!("WHERE object_type = '{object_type}'");
    let stored = test.rows("hubspot_merges", &["old_id", "survivor_id"], &condition).await;
    let parse = |row: &String| {
        let (old, survivor) = row.split_once('|').unwrap();
        (old.parse::<i64>().unwrap(), survivor.parse::<i64>().unwrap())
    };
    let mut stored: BTreeMap<_, _> = stored.iter().map(parse).collect();
    let mut found = Vec::new();
    let difference = |old: i64, survivor: i64, words: String| {
        let place = match survivor {
            id if live.contains_key(&id) => Place::Live,
            id if bin.contains_key(&id) => Place::Bin,
            _ => Place::Nowhere,
        };
        let words = format!("{object_type} {old} {words}");
        Difference { id: survivor, place, is_missing: false, names: Vec::new(), words }
    };
    for (survivor, content) in live.iter().chain(bin) {
        let earlier = content.properties.get("hs_merged_object_ids").map_or("", String::as_str);
        for old in earlier.split(';').filter(|old| !old.is_empty()).map(|old| old.parse::<i64>().unwrap()) {
            let leads = stored.remove(&old);
            if old != *survivor && leads != Some(*survivor) {
                found.push(difference(old, *survivor, format!("leads to {leads:?} instead of {survivor}")));
            }
        }
    }
    for (old, survivor) in stored {
        if live.contains_key(&survivor) || bin.contains_key(&survivor) {
            found.push(difference(old, survivor, format!("leads to {survivor}, which has not taken it in")));
        } else if rows.get(&survivor).is_some_and(|row| !row.archived) {
            let words = format!("leads to {survivor}, which is gone and live in the mirror");
            found.push(difference(old, survivor, words));
        }
    }
    found
}

/// Differences of all three default types.
async fn all_differences(simulator: &Simulator, test: &TestDatabase) -> Vec<String> {
    let mut found = Vec::new();
    for object_type in ["contacts", "companies", "deals"] {
        found.extend(differences(simulator, test, object_type).await);
    }
    found
}

/// Asserts that the mirror equals the simulator now.
pub async fn assert_equal(simulator: &Simulator, test: &TestDatabase) {
    let differences = all_differences(simulator, test).await;
    assert!(differences.is_empty(), "{differences:#?}");
}

/// Waits until a running daemon has made the mirror equal to the simulator.
pub async fn in_step(simulator: &Simulator, test: &TestDatabase) {
    eventually("the mirror equals HubSpot", async || {
        let differences = all_differences(simulator, test).await;
        holds(differences.is_empty(), differences)
    })
    .await;
}

/// Syncs left to a mirror that has lost nothing: one goes on with a listing that was interrupted, one searches.
const LAST_SYNCS: usize = 2;

/// Asserts that the mirror equals the simulator once everything there is can be searched. No change may come meanwhile.
pub async fn settle(setup: &Setup, simulator: &Simulator, test: &TestDatabase) {
    everything_is_searchable(simulator).await;
    for _ in 0..LAST_SYNCS {
        setup.sync(&[]).await;
        if all_differences(simulator, test).await.is_empty() {
            return;
        }
    }
    assert_equal(simulator, test).await;
}

/// Waits until a search that ends [`SEARCH_LAG`] before HubSpot's time covers every change made up to now.
pub async fn everything_is_searchable(simulator: &Simulator) {
    let covered = simulator.now().await + (SEARCH_LAG + CLOCK_RESOLUTION).as_millis() as i64;
    eventually("HubSpot's time has passed the search lag", async || {
        let now = simulator.now().await;
        holds(now > covered, covered - now)
    })
    .await;
}

/// Waits until a running daemon has searched for every change of contacts made up to now.
pub async fn everything_is_searched(simulator: &Simulator, test: &TestDatabase) {
    let now = simulator.now().await;
    let sql = "SELECT ROUND(1000 * UNIX_TIMESTAMP(watermark)) FROM sync_state WHERE object_type = 'contacts'";
    eventually("the watermark has passed every change", async || {
        let watermark = test.number(sql).await;
        holds(watermark > now, now - watermark)
    })
    .await;
}
