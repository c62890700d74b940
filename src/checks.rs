//! What can be found out about an installation, in words that say what to do: for `check` and for the page Health.

mod hubspot;

use std::fmt;

use chrono::TimeDelta;

use crate::config::{Config, SyncConfig};
use crate::storage::{
    Database, ServerFacts, StorageError, pending_migrations, probe_rights, recall_types, server_facts,
};
use crate::sync::Chain;

pub use hubspot::check_hubspot;

/// A larger difference between two clocks is worth a warning; the sync itself goes by HubSpot's clock.
pub const CLOCK_TOLERANCE: TimeDelta = TimeDelta::seconds(5);

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing has to be done.
    Note,
    /// Something should be done.
    Warning,
    /// Something has to be done.
    Failed,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Failed => "FAILED",
        })
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub verdict: Verdict,
    /// What was looked at, in a word.
    pub subject: String,
    /// What was found, and what to do about it.
    pub text: String,
}

impl Finding {
    /// A finding.
    pub fn new(verdict: Verdict, subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self { verdict, subject: subject.into(), text: text.into() }
    }

    /// The error of a check and what to do about it.
    pub fn failure(subject: impl Into<String>, error: &dyn std::error::Error, advice: &str) -> Self {
        Self::new(Verdict::Failed, subject, format!("{}. {advice}", Chain(error)))
    }

    /// The same of an error of the database.
    fn of_storage(subject: &str, error: &StorageError) -> Self {
        Self::failure(subject, error, error.advice())
    }
}

/// Where findings go as they are made.
pub struct Report<'r>(&'r mut (dyn FnMut(Finding) + Send));

impl<'r> Report<'r> {
    /// A report to whoever takes findings.
    pub fn to(take: &'r mut (dyn FnMut(Finding) + Send)) -> Self {
        Self(take)
    }

    /// Adds a finding.
    pub fn add(&mut self, finding: Finding) {
        (self.0)(finding);
    }

    /// Adds a line.
    fn line(&mut self, verdict: Verdict, subject: &str, text: impl Into<String>) {
        self.add(Finding::new(verdict, subject, text));
    }

    /// Adds the error of a check and what to do about it.
    fn failure(&mut self, subject: &str, error: &dyn std::error::Error, advice: &str) {
        self.add(Finding::failure(subject, error, advice));
    }
}

/// Reachability, version, settings, rights and schema. Recalls what the custom objects are, where that is stored.
pub async fn check_database(config: &mut Config, database: &Database, report: &mut Report<'_>) {
    let facts = match server_facts(database).await {
        Ok(facts) => facts,
        Err(error) => return report.failure("database", &error, error.advice()),
    };
    for finding in check_server(&facts) {
        report.add(finding);
    }
    // On another kind of server the rest would fail for the same reason, in worse words.
    if facts.shortcoming().is_some() {
        return;
    }
    let (migrates, captures) = (config.database.migrate_on_start, !config.sync.push.writable.is_empty());
    report.add(check_rights(database, migrates, captures).await);
    report.add(check_schema(database, migrates).await);
    match recall_types(database, &config.sync.objects).await {
        Ok(objects) => config.sync.objects = objects,
        Err(error) => report.failure("database", &error, error.advice()),
    }
}

/// Whether the server is one the daemon can work with, and its clock right.
pub fn check_server(facts: &ServerFacts) -> Vec<Finding> {
    let server = match facts.shortcoming() {
        None => Finding::new(Verdict::Ok, "database", format!("MariaDB {} at {}", facts.version, facts.host)),
        Some(shortcoming) => {
            let text = format!("cannot work with the server at {}: {shortcoming}", facts.host);
            Finding::new(Verdict::Failed, "database", text)
        }
    };
    let is_off = facts.clock_skew.abs() > CLOCK_TOLERANCE;
    let clock = is_off.then(|| {
        let seconds = facts.clock_skew.num_seconds();
        let text = format!("the database's clock is off by {seconds} s; run an NTP client on both");
        Finding::new(Verdict::Warning, "clock", text)
    });
    std::iter::once(server).chain(clock).collect()
}

/// Whether the database user may do what the daemon will do, with tables of its own where it `migrates`, and making
/// triggers where it `captures` edits. It is tried, see [`probe_rights`].
pub async fn check_rights(database: &Database, migrates: bool, captures: bool) -> Finding {
    match probe_rights(database, migrates, captures).await {
        Ok(missing) if missing.is_empty() => {
            Finding::new(Verdict::Ok, "rights", "the database user may do what is needed")
        }
        Ok(missing) => {
            let text = format!("the database user lacks {}; see deploy/grants.sql", missing.join(", "));
            Finding::new(Verdict::Failed, "rights", text)
        }
        Err(error) => Finding::of_storage("rights", &error),
    }
}

/// Whether the tables are those of this version.
pub async fn check_schema(database: &Database, migrates: bool) -> Finding {
    match pending_migrations(database).await {
        Ok(0) => Finding::new(Verdict::Ok, "schema", "up to date"),
        Ok(pending) if migrates => {
            Finding::new(Verdict::Ok, "schema", format!("{pending} migration(s) will run at the next start"))
        }
        Ok(pending) => Finding::new(
            Verdict::Failed,
            "schema",
            format!(
                "{pending} migration(s) have not run and MIGRATE_ON_START is off; run `hubspot-connector migrate`"
            ),
        ),
        Err(error) => Finding::of_storage("schema", &error),
    }
}

/// Settings of types that are not mirrored.
pub fn check_settings(sync: &SyncConfig) -> Vec<Finding> {
    let warning = |name: &str| {
        let name = name.to_uppercase();
        let text = format!("COLUMNS_{name} or SYNC_CRON_{name} is set, but no type of that name is mirrored");
        Finding::new(Verdict::Warning, "configuration", text)
    };
    sync.settings_of_no_type().into_iter().map(warning).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found of a server of that version and clock.
    fn found(version: &str, seconds: i64) -> Vec<(Verdict, String)> {
        let facts = ServerFacts {
            version: version.to_owned(),
            host: "db:3306".to_owned(),
            max_allowed_packet: 16 * 1024 * 1024,
            clock_skew: TimeDelta::seconds(seconds),
        };
        check_server(&facts).into_iter().map(|finding| (finding.verdict, finding.subject)).collect()
    }

    #[test]
    fn a_server_is_judged_by_its_version_and_its_clock() {
        let database = |verdict| (verdict, "database".to_owned());
        assert_eq!(found("11.8.6-MariaDB", 5), [database(Verdict::Ok)]);
        assert_eq!(found("8.4.3", 0), [database(Verdict::Failed)]);
        assert_eq!(
            found("11.8.6-MariaDB", -6),
            [database(Verdict::Ok), (Verdict::Warning, "clock".to_owned())]
        );
    }
}
