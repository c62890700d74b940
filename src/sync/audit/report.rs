//! What an audit found, as it stands in `sync_runs.report` and as people read it.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::super::compare::Differences;
use crate::model::{ObjectId, TypePair};

/// Ids kept of each kind of difference.
const EXAMPLES: usize = 10;

/// How deep an audit compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// Ids and versions.
    Versions,
    /// Ids, versions, and the values HubSpot changes without a new version.
    Silent,
    /// Every value, and every link between records.
    Everything,
}

/// What an audit is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRequest {
    /// How deep it compares.
    pub depth: Depth,
    /// Whether it mends what it finds.
    pub repair: bool,
}

impl AuditRequest {
    /// What the schedule does: values that change silently are refreshed on the way.
    pub const SCHEDULED: Self = Self { depth: Depth::Silent, repair: true };
}

/// One kind of difference.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How many records.
    pub count: u64,
    /// The first of them.
    pub examples: Vec<ObjectId>,
}

impl Finding {
    /// Adds records.
    pub(super) fn add(&mut self, ids: &[ObjectId]) {
        self.count += ids.len() as u64;
        let room = EXAMPLES - self.examples.len();
        self.examples.extend(ids.iter().take(room));
    }
}

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditReport {
    /// What it set out to do.
    #[serde(flatten)]
    pub request: AuditRequest,
    /// Changes after this were left to the regular runs.
    pub as_of: DateTime<Utc>,
    /// Live records HubSpot listed.
    pub compared: u64,
    /// In HubSpot and not in the mirror, or there as deleted.
    pub missing: Finding,
    /// In the mirror in an older version.
    pub stale: Finding,
    /// In the mirror in the same version with other content, or in one HubSpot has not reached.
    pub different: Finding,
    /// In the mirror and deleted or merged in HubSpot.
    pub gone: Finding,
    /// In the mirror, and nothing of it in HubSpot.
    pub extra: Finding,
    /// Stored with other links than HubSpot has.
    #[serde(default)]
    pub links: Finding,
    /// The same, where the lane that reads all links has not been over the type once; no difference yet.
    #[serde(default)]
    pub pending_links: Finding,
    /// Types the links to which HubSpot did not let be read, so that they were not compared, or not all of them.
    #[serde(default)]
    pub links_not_read: Vec<String>,
    /// Changed in HubSpot so lately that no other lane need have seen it; no difference, and repaired all the same.
    #[serde(default)]
    pub recent: Finding,
    /// Refreshed values that HubSpot changes without a new version; no difference anybody should have caught.
    pub recalculated: u64,
}

impl AuditReport {
    /// Nothing found yet.
    pub(super) fn new(request: AuditRequest, as_of: DateTime<Utc>) -> Self {
        Self {
            request,
            as_of,
            compared: 0,
            missing: Finding::default(),
            stale: Finding::default(),
            different: Finding::default(),
            gone: Finding::default(),
            extra: Finding::default(),
            links: Finding::default(),
            pending_links: Finding::default(),
            links_not_read: Vec::new(),
            recent: Finding::default(),
            recalculated: 0,
        }
    }

    /// Adds what a part of the listing showed.
    pub(super) fn add(&mut self, compared: usize, differences: &Differences) {
        self.compared += compared as u64;
        self.missing.add(&differences.missing);
        self.stale.add(&differences.stale);
        self.different.add(&differences.different);
        self.recent.add(&differences.recent);
        self.recalculated += differences.recalculated.len() as u64;
    }

    /// Notes that the links of a pair are not compared.
    pub(super) fn leave_out(&mut self, pair: TypePair) {
        if !self.links_not_read.iter().any(|to| to == pair.to.name) {
            self.links_not_read.push(pair.to.name.to_owned());
        }
    }

    /// Every kind of difference: its name, what was found, and who should have caught it.
    pub fn kinds(&self) -> [(&'static str, &Finding, &'static str); 6] {
        [
            ("missing", &self.missing, "the incremental, delayed or archive lane should have caught it"),
            ("stale", &self.stale, "the incremental or delayed lane should have caught it"),
            (
                "different",
                &self.different,
                "no lane would: the table was edited, or HubSpot kept the version",
            ),
            ("gone", &self.gone, "the archive lane should have caught it"),
            ("extra", &self.extra, "the archive lane should have caught it"),
            ("linked differently", &self.links, "the associations lane should have caught it"),
        ]
    }

    /// Records that differ. Values that change silently count only where every value was to be compared and nothing to
    /// be refreshed.
    pub fn differences(&self) -> u64 {
        let AuditRequest { depth, repair } = self.request;
        let stay = if depth == Depth::Everything && !repair { self.recalculated } else { 0 };
        self.kinds().iter().map(|(_, finding, _)| finding.count).sum::<u64>() + stay
    }
}

impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} compared", self.compared)?;
        if self.differences() == 0 {
            write!(f, ", no difference")?;
        }
        let kinds = self.kinds().map(|(name, finding, _)| (name, finding));
        let others = [("recently changed", &self.recent), ("with links not read yet", &self.pending_links)];
        for (name, finding) in kinds.into_iter().chain(others) {
            if finding.count > 0 {
                let ids: Vec<_> = finding.examples.iter().map(ToString::to_string).collect();
                let more = if finding.count > finding.examples.len() as u64 { ", …" } else { "" };
                write!(f, ", {} {name} ({}{more})", finding.count, ids.join(", "))?;
            }
        }
        if self.recalculated > 0 {
            write!(f, ", {} with recalculated values", self.recalculated)?;
        }
        if !self.links_not_read.is_empty() {
            write!(f, ", links to {} not compared", self.links_not_read.join(" and "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ObjectType;

    #[test]
    fn a_report_names_the_first_records_of_each_kind_and_counts_the_others() {
        let mut report = AuditReport::new(AuditRequest::SCHEDULED, DateTime::UNIX_EPOCH);
        report.add(30, &Differences::default());
        assert_eq!(report.to_string(), "30 compared, no difference");
        let ids = |from: i64, to: i64| (from..to).map(ObjectId).collect::<Vec<_>>();
        let differences = Differences {
            missing: ids(1, 8),
            stale: ids(50, 51),
            recent: ids(90, 93),
            ..Differences::default()
        };
        report.add(10, &differences);
        report.recalculated = 3;
        report.add(10, &Differences { missing: ids(8, 15), ..Differences::default() });
        assert_eq!(
            report.to_string(),
            "50 compared, 14 missing (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …), 1 stale (50), \
             3 recently changed (90, 91, 92), 3 with recalculated values"
        );
        assert_eq!(report.differences(), 15);
        report.links.add(&ids(60, 62));
        report.pending_links.add(&ids(70, 71));
        let text = report.to_string();
        assert!(
            text.contains(", 2 linked differently (60, 61), 3 recently changed")
                && text.contains(", 1 with links not read yet (70), 3 with"),
            "{text}"
        );
        assert_eq!(report.differences(), 17, "what is not read yet is no difference");
        let [contacts, deals] = ["contacts", "deals"].map(|name| ObjectType::named(name).unwrap());
        report.leave_out(TypePair::of(contacts, deals));
        report.leave_out(TypePair::of(contacts, deals));
        assert!(
            report.to_string().ends_with(" with recalculated values, links to deals not compared"),
            "{report}"
        );
        let stored = serde_json::to_value(&report).unwrap();
        assert_eq!(serde_json::from_value::<AuditReport>(stored).unwrap(), report);
    }
}
