//! Whether the links in the mirror equal those in HubSpot.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::database::TestDatabase;
use super::simulator::Simulator;
use super::{eventually, holds};

/// The pairs of the default types in the direction they are stored in.
const PAIRS: [(&str, &str); 6] = [
    ("contacts", "contacts"),
    ("contacts", "companies"),
    ("contacts", "deals"),
    ("companies", "companies"),
    ("companies", "deals"),
    ("deals", "deals"),
];

/// A line of the simulator's truth: everything between two records.
#[derive(Deserialize)]
struct Line {
    from: String,
    to: String,
    types: Vec<Kind>,
}

/// One kind of link.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    category: String,
    type_id: u64,
    label: Option<String>,
}

/// What HubSpot holds between two types, one text a link.
async fn remote(simulator: &Simulator, from: &str, to: &str) -> BTreeSet<String> {
    let lines = simulator.links(from, to).await;
    let lines = lines.lines().map(|line| serde_json::from_str::<Line>(line).unwrap());
    let found = lines.flat_map(|Line { from, to, types }| {
        let link = move |Kind { category, type_id, label }| {
            format!("{from}|{to}|{category}|{type_id}|{}", label.unwrap_or_else(|| "-".to_owned()))
        };
        types.into_iter().map(link)
    });
    found.collect()
}

/// What the mirror holds between two types, one text a link.
async fn mirrored(test: &TestDatabase, from: &str, to: &str) -> BTreeSet<String> {
    let columns = ["from_id", "to_id", "category", "type_id", "label"];
    let condition = format!("WHERE from_type = '{from}' AND to_type = '{to}' AND removed_at IS NULL");
    test.rows("hubspot_associations", &columns, &condition).await.into_iter().collect()
}

/// A link one side has and the other has not.
#[derive(Debug)]
pub struct Difference {
    /// The two records: name of the type, and id.
    pub ends: [(&'static str, i64); 2],
    /// What is wrong, in words.
    pub text: String,
}

/// Every difference between the two.
pub async fn exact_differences(simulator: &Simulator, test: &TestDatabase) -> Vec<Difference> {
    let mut found = Vec::new();
    for (from, to) in PAIRS {
        let (theirs, ours) = (remote(simulator, from, to).await, mirrored(test, from, to).await);
        let difference = |what, link: &String| {
            let mut ids = link.split('|').map(|id| id.parse().unwrap_or_default());
            let ends = [from, to].map(|object_type| (object_type, ids.next().unwrap()));
            Difference { ends, text: format!("{from} to {to} {what} {link}") }
        };
        found.extend(theirs.difference(&ours).map(|link| difference("lacks", link)));
        found.extend(ours.difference(&theirs).map(|link| difference("still has", link)));
    }
    found
}

/// The first differences between the two, in words.
pub async fn differences(simulator: &Simulator, test: &TestDatabase) -> Vec<String> {
    let found = exact_differences(simulator, test).await;
    found.into_iter().map(|difference| difference.text).take(10).collect()
}

/// How many links HubSpot holds.
pub async fn count(simulator: &Simulator) -> usize {
    let mut count = 0;
    for (from, to) in PAIRS {
        count += remote(simulator, from, to).await.len();
    }
    count
}

/// Asserts that the links in the mirror equal those in HubSpot now.
pub async fn assert_linked(simulator: &Simulator, test: &TestDatabase) {
    let differences = differences(simulator, test).await;
    assert!(differences.is_empty(), "{differences:#?}");
}

/// Waits until a running daemon has made the links in the mirror equal to those in HubSpot.
pub async fn links_in_step(simulator: &Simulator, test: &TestDatabase) {
    eventually("the links in the mirror equal those in HubSpot", async || {
        let differences = differences(simulator, test).await;
        holds(differences.is_empty(), differences)
    })
    .await;
}
