//! What an audit of a million contacts takes: requests, time, and memory that does not grow with the account.

use std::time::Duration;

use super::daemon::{Daemon, Memory};
use super::report::{Figure, Goal};
use super::simulator::{Simulator, Size, Temper};
use super::surroundings::{Database, Surroundings, wait_for};

/// Contacts of the account.
const CONTACTS: u64 = 1_000_000;
/// How often the daemon's progress is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// What an audit compares: its word in a request, and how the figures call it.
const DEPTHS: [(&str, [&str; 4]); 2] = [
    (
        "versions",
        [
            "Audit of versions, requests",
            "Audit of versions, contacts a second",
            "Audit of versions, peak memory",
            "Audit of versions, peak in its first tenth",
        ],
    ),
    (
        "silent",
        [
            "Audit with silent values, requests",
            "Audit with silent values, contacts a second",
            "Audit with silent values, peak memory",
            "Audit with silent values, peak in its first tenth",
        ],
    ),
];

/// Mirrors a large account, then audits it at each depth, in a fresh daemon each.
pub async fn measure(surroundings: &Surroundings) -> anyhow::Result<Vec<Figure>> {
    let simulator = Simulator::start(Size::contacts(CONTACTS), Temper::Unlimited { record_bytes: None })?;
    let database = surroundings.fresh_database("audit").await?;
    Daemon::run(surroundings, &database, &simulator, &["sync"]).await?;
    let mut figures = Vec::new();
    for (depth, [requests, rate, peak, early]) in DEPTHS {
        let audit = Audit::measure(surroundings, &database, &simulator, depth).await?;
        let how =
            format!("`run` audits {CONTACTS} contacts with nothing else to do, no limits and no latency");
        let figure = |what, measured, goal, unit| Figure { what, measured, goal, unit, how: how.clone() };
        figures.extend([
            figure(requests, audit.requests, Goal::None, ""),
            figure(rate, CONTACTS as f64 / audit.seconds, Goal::None, "contacts/s"),
            figure(peak, audit.whole.peak, Goal::AtMost(64.0), "MB"),
            figure(early, audit.early.peak, Goal::None, "MB"),
        ]);
    }
    surroundings.fresh_database("audit").await?; // gives the disk space back
    Ok(figures)
}

/// One audit.
struct Audit {
    requests: f64,
    seconds: f64,
    /// Once a tenth is compared.
    early: Memory,
    /// Once everything is.
    whole: Memory,
}

impl Audit {
    /// Asks a fresh daemon for an audit and watches it.
    async fn measure(
        surroundings: &Surroundings,
        database: &Database,
        simulator: &Simulator,
        depth: &str,
    ) -> anyhow::Result<Self> {
        let before = database.count("SELECT CAST(MAX(run_id) AS SIGNED) FROM sync_runs").await?;
        let how = format!(r#"{{"depth": "{depth}", "repair": true}}"#);
        let request = "INSERT INTO sync_lanes (object_type, lane, requested, requested_at) \
                       VALUES ('contacts', 'audit', ?, UTC_TIMESTAMP(3)) ON DUPLICATE KEY UPDATE \
                       requested = VALUES(requested), requested_at = VALUES(requested_at)";
        sqlx::query(request).bind(how).execute(&database.sql).await?;
        // The sweep of links and the audit of a type take turns.
        let no_links = [("ASSOCIATION_MAX_AGE_HOURS", "0")];
        let daemon = Daemon::start_with(surroundings, database, simulator, &["run"], &no_links)?;
        let early = at_progress(&daemon, database, before, CONTACTS / 10).await?;
        let whole = at_progress(&daemon, database, before, CONTACTS).await?;
        let (requests, seconds) = wait_for("the end of the audit", LOOK, async || {
            let sql = "SELECT CAST(requests AS SIGNED), \
                       TIMESTAMPDIFF(MICROSECOND, started_at, finished_at) / 1000000.0E0 FROM sync_runs \
                       WHERE lane = 'audit' AND outcome = 'succeeded' AND run_id > ?";
            let ended: Option<(i64, f64)> =
                sqlx::query_as(sql).bind(before).fetch_optional(&database.sql).await?;
            Ok(ended)
        })
        .await?;
        Ok(Self { requests: requests as f64, seconds, early, whole })
    }
}

/// The daemon's memory once the audit that began behind the run `before` has come so far.
async fn at_progress(
    daemon: &Daemon,
    database: &Database,
    before: i64,
    contacts: u64,
) -> anyhow::Result<Memory> {
    wait_for("the audit", LOOK, async || {
        let memory = daemon.memory()?;
        let sql = "SELECT CAST(COALESCE(MAX(fetched), 0) AS SIGNED) FROM sync_runs WHERE lane = 'audit' AND run_id > ?";
        let fetched: i64 = sqlx::query_scalar(sql).bind(before).fetch_one(&database.sql).await?;
        Ok((fetched >= contacts as i64).then_some(memory))
    })
    .await
}
