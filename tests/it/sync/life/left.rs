//! What differs between the mirror and HubSpot, and who should have seen it.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::{Life, TYPES};
use crate::support::exact::{Difference, Place, exact_differences};
use crate::support::links;

/// What HubSpot changes in silence besides what its catalogue marks: the primary company and the parent follow the links.
const FOLLOWING_LINKS: &str = "'associatedcompanyid', 'hs_parent_company_id'";

/// What differs before the audit.
#[derive(Default)]
pub(super) struct Left {
    /// What another lane should have brought in, in words.
    pub(super) unexplained: Vec<String>,
    /// How many records of each type the audit has to repair; some may be mended before it comes to them.
    pub(super) repairs: Vec<(&'static str, RangeInclusive<usize>)>,
}

impl Life {
    /// What differs when every lane but the audit has had its turn.
    pub(super) async fn left(&self) -> Left {
        let mut left = Left::default();
        for (herd, object_type) in TYPES.into_iter().enumerate() {
            let silent = self.silent(object_type).await;
            let (mut surely, mut perhaps) = (BTreeSet::new(), BTreeSet::new());
            for found in exact_differences(&self.simulator, &self.test, object_type).await {
                if !self.is_for_the_audit(herd, &found, &silent) {
                    left.unexplained.push(found.words);
                } else if self.may_come_otherwise(herd, &found) {
                    perhaps.insert(found.id);
                } else if found.place != Place::Bin && !is_silent(&found, &silent) {
                    surely.insert(found.id);
                }
            }
            left.repairs.push((object_type, surely.len()..=surely.len() + perhaps.len()));
        }
        let is_seen = |link: &links::Difference| !link.ends.iter().any(|end| self.is_unseen(*end));
        let links = links::exact_differences(&self.simulator, &self.test).await;
        left.unexplained.extend(links.into_iter().filter(is_seen).map(|link| link.text));
        left.unexplained.extend(self.other_stages().await);
        left
    }

    /// Whether what differs may be mended before the audit comes to it: a record that was merged with its survivor, one
    /// that was restored by the delayed pass.
    fn may_come_otherwise(&self, herd: usize, found: &Difference) -> bool {
        let known = (herd, found.id);
        match found.place {
            Place::Live => self.quietly_restored.contains(&known),
            Place::Bin => false,
            Place::Nowhere => !self.vanished.contains(&known),
        }
    }

    /// Whether only the audit can see what differs.
    fn is_for_the_audit(&self, herd: usize, found: &Difference, silent: &BTreeSet<String>) -> bool {
        let known = (herd, found.id);
        match found.place {
            Place::Live if self.quietly_restored.contains(&known) => true,
            Place::Live | Place::Bin => is_silent(found, silent) || self.quietly_merged.contains(&known),
            Place::Nowhere => self.vanished.contains(&known) || self.quietly_merged.contains(&known),
        }
    }

    /// Whether a record may be in the mirror as it is not in HubSpot, until the audit.
    fn is_unseen(&self, (object_type, id): (&str, i64)) -> bool {
        let herd = TYPES.iter().position(|known| *known == object_type).unwrap();
        [&self.vanished, &self.quietly_merged, &self.quietly_restored]
            .iter()
            .any(|known| known.contains(&(herd, id)))
    }

    /// The properties whose values HubSpot changes without a new version. What was merged is none of them.
    async fn silent(&self, object_type: &str) -> BTreeSet<String> {
        let condition = format!(
            "WHERE object_type = '{object_type}' AND name <> 'hs_merged_object_ids' AND \
             (calculated OR read_only OR field_type LIKE 'calculation%' OR name IN ({FOLLOWING_LINKS}))"
        );
        self.test.rows("hubspot_properties", &["name"], &condition).await.into_iter().collect()
    }

    /// Whatever differs when the audit has been here as well, in words. Rows of deleted records are not audited: their
    /// values stay as they were last read.
    pub(super) async fn differences(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (herd, object_type) in TYPES.into_iter().enumerate() {
            let silent = self.silent(object_type).await;
            let differences = exact_differences(&self.simulator, &self.test, object_type).await;
            let counts = |found: &Difference| {
                found.place != Place::Bin || !self.is_for_the_audit(herd, found, &silent)
            };
            found.extend(differences.into_iter().filter(counts).map(|difference| difference.words));
        }
        found.extend(links::differences(&self.simulator, &self.test).await);
        found.extend(self.other_stages().await);
        let left = self.test.rows("hubspot_contacts", &["hubspot_id"], "WHERE properties_json <> '{}'").await;
        let left = left.iter().map(|id| id.parse::<i64>().unwrap());
        let left = left.filter(|id| self.vanished.contains(&(0, *id)));
        found.extend(left.map(|id| format!("contact {id} was erased and its content is there")));
        found
    }

    /// The stages of deals that differ.
    async fn other_stages(&self) -> Vec<String> {
        let columns = ["pipeline_id", "stage_id", "label", "display_order"];
        let stored = self.test.rows("hubspot_deal_stages", &columns, "WHERE NOT archived ORDER BY 1").await;
        let stored: BTreeSet<_> = stored.into_iter().collect();
        let pipelines = self.simulator.get("/pipelines/deals").await;
        let held: BTreeSet<_> =
            pipelines["pipelines"].as_array().unwrap().iter().flat_map(stages_of).collect();
        held.symmetric_difference(&stored).map(|stage| format!("stage {stage}")).collect()
    }
}

/// Whether only values differ that HubSpot changes without a new version.
fn is_silent(found: &Difference, silent: &BTreeSet<String>) -> bool {
    !found.names.is_empty() && found.names.iter().all(|name| silent.contains(name))
}

/// The stages of a pipeline, each as a row.
fn stages_of(pipeline: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let stages = pipeline["stages"].as_array().unwrap().iter();
    stages
        .map(|stage| {
            [&pipeline["id"], &stage["id"], &stage["label"], &stage["displayOrder"]].map(text).join("|")
        })
        .collect()
}
