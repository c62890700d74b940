//! How large the daemon grows over a million contacts, and how small it is when it has nothing to do.

use std::time::Duration;

use sqlx::mysql::MySqlPool;

use super::daemon::{Daemon, Memory};
use super::report::{Figure, Goal};
use super::simulator::{Simulator, Size, Temper};
use super::surroundings::{Database, Surroundings, wait_for};

/// Contacts of the account.
const CONTACTS: u64 = 1_000_000;
/// Size of a record's JSON, in bytes.
const RECORD_BYTES: u64 = 4_000;
/// How long a daemon with nothing to do is left alone before it is looked at: connections nobody uses are closed after
/// a minute.
const SETTLE: Duration = Duration::from_secs(75);
/// How often its progress is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Runs the daemon over a large account, leaves it idle, and starts another one that finds nothing to do.
pub async fn measure(surroundings: &Surroundings) -> anyhow::Result<Vec<Figure>> {
    let temper = Temper::Unlimited { record_bytes: Some(RECORD_BYTES) };
    let simulator = Simulator::start(Size::contacts(CONTACTS), temper)?;
    let database = surroundings.fresh_database("memory").await?;
    let daemon = Daemon::start(surroundings, &database, &simulator, &["run"])?;
    let early = at_progress(&daemon, &database.sql, CONTACTS / 10).await?;
    let done = at_progress(&daemon, &database.sql, CONTACTS).await?;
    let minutes = daemon.age().as_secs_f64() / 60.0;
    tokio::time::sleep(SETTLE).await;
    let idle = daemon.memory()?;
    drop(daemon);
    let fresh = fresh_daemon(surroundings, &database, &simulator).await?;
    surroundings.fresh_database("memory").await?; // gives the disk space back
    let figure = |what, measured, most, how: String| {
        let goal = if most > 0.0 { Goal::AtMost(most) } else { Goal::None };
        Figure { what, measured, goal, unit: "MB", how }
    };
    let backfill =
        format!("VmHWM of `run` over {CONTACTS} contacts of {RECORD_BYTES} bytes, {minutes:.1} minutes");
    let idle_after = format!("VmRSS of it {} s later", SETTLE.as_secs());
    let idle_fresh = format!("VmRSS of `run` {} s after a start with nothing to do", SETTLE.as_secs());
    Ok(vec![
        figure("Peak memory, whole backfill", done.peak, 64.0, backfill),
        figure("Peak memory, first tenth", early.peak, 0.0, "the same daemon; equal means flat".to_owned()),
        figure("Idle after the backfill", idle.resident, 24.0, idle_after),
        figure("Idle after a fresh start", fresh.resident, 24.0, idle_fresh),
    ])
}

/// The daemon's memory once the listing has come so far.
async fn at_progress(daemon: &Daemon, sql: &MySqlPool, contacts: u64) -> anyhow::Result<Memory> {
    wait_for("the backfill", LOOK, async || {
        let memory = daemon.memory()?;
        let query =
            "SELECT CAST(COALESCE(MAX(fetched), 0) AS SIGNED) FROM sync_runs WHERE object_type = 'contacts'";
        // Until the daemon has made its tables the query fails.
        let fetched: i64 = sqlx::query_scalar(query).fetch_one(sql).await.unwrap_or(0);
        Ok((fetched >= contacts as i64).then_some(memory))
    })
    .await
}

/// The memory of a daemon started on a database that is up to date.
async fn fresh_daemon(
    surroundings: &Surroundings,
    database: &Database,
    simulator: &Simulator,
) -> anyhow::Result<Memory> {
    let daemon = Daemon::start(surroundings, database, simulator, &["run"])?;
    tokio::time::sleep(SETTLE).await;
    daemon.memory()
}
