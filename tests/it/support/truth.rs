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
pub(super) async fn remote(
    simulator: &Simulator,
    object_type: &str,
    archived: bool,
) -> BTreeMap<i64, Content> {
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
pub(super) fn other_names(ours: &Content, theirs: &Content) -> Vec<String> {
    let names: BTreeSet<_> = ours.properties.keys().chain(theirs.properties.keys()).collect();
    let differ = |name: &&String| ours.properties.get(*name) != theirs.properties.get(*name);
    names.into_iter().filter(differ).cloned().collect()
}

/// The values that differ, ours and HubSpot's.
pub(super) fn other_values(ours: &Content, theirs: &Content) -> String {
    let both =
        |name: String| format!("{name} {:?} {:?}", ours.properties.get(&name), theirs.properties.get(&name));
    other_names(ours, theirs).into_iter().map(both).collect::<Vec<_>>().join(", ")
}

/// The first differences between live records and their rows, in words. A record in the recycle bin may still be live in
/// the mirror: the regular runs do not see deletes. [`exact_differences`](super::exact::exact_differences)
/// leaves nothing out.
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
