//! Edits made here on their way to HubSpot: how soon one arrives when nothing else happens, and how fast many do.

use std::time::{Duration, Instant};

use anyhow::ensure;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sqlx::Executor;

use super::daemon::Daemon;
use super::report::{Figure, Goal, quantile};
use super::simulator::{LATENCY_MS, LIMIT, Simulator, Size, Temper, stat};
use super::surroundings::{Database, Surroundings, wait_for};

/// Contacts of the account, all of which are edited at once.
const CONTACTS: u64 = 10_000;
/// Edits made one after the other.
const SINGLE: usize = 100;
/// Longest pause between two of them: they come at any time of a period in which the daemon looks for edits.
const PAUSE: Duration = Duration::from_secs(1);
/// The share of the limit the daemon allows itself, `RATE_LIMIT_THRESHOLD`.
const THRESHOLD: f64 = 0.9;
/// The span HubSpot's limit is about, in seconds.
const SPAN_SECONDS: f64 = 10.0;
/// Requests that bring a hundred records over: one reads them, one writes them, and two read them back with their
/// history, which HubSpot gives for 50 at a time. Source: HubSpot, "Contacts", batch read.
const REQUESTS_PER_HUNDRED: f64 = 4.0;
/// How often the database is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Syncs everything from a simulator nearby, then edits beside a daemon that talks to the same account far away.
pub async fn measure(surroundings: &Surroundings) -> anyhow::Result<Vec<Figure>> {
    let near = Simulator::start(Size::contacts(CONTACTS), Temper::Unlimited { record_bytes: None })?;
    let database = surroundings.fresh_database("push").await?;
    Daemon::run(surroundings, &database, &near, &["sync", "contacts"]).await?;
    drop(near);
    let far = Simulator::start(Size::contacts(CONTACTS), Temper::Limited { latency_ms: LATENCY_MS })?;
    let settings = [("WRITABLE_OBJECTS", "contacts"), ("SYNC_INTERVAL_MINUTES", "60")];
    let _daemon = Daemon::start_with(surroundings, &database, &far, &["run"], &settings)?;
    let first_run =
        "SELECT COUNT(*) FROM sync_runs WHERE object_type = 'contacts' AND finished_at IS NOT NULL";
    wait_for("the first run of the daemon", LOOK, async || {
        Ok((database.count(first_run).await? > 1).then_some(()))
    })
    .await?;
    let single = edit_singly(&database).await?;
    let (elapsed, requests) = edit_all(&database, &far).await?;
    let least = CONTACTS as f64 / 100.0 * REQUESTS_PER_HUNDRED;
    let bound = least / (LIMIT as f64 * THRESHOLD) * SPAN_SECONDS;
    let alone = format!(
        "an UPDATE of one row beside an idle daemon, {LATENCY_MS} ms latency, until HubSpot has it, {SINGLE} edits"
    );
    let many = format!(
        "an UPDATE of {CONTACTS} rows, {LIMIT} requests/10 s, {LATENCY_MS} ms latency, until none is pending; the bound \
         is {bound:.1} s"
    );
    let figure =
        |what, measured, goal, unit, how: &str| Figure { what, measured, goal, unit, how: how.to_owned() };
    let soon = Goal::AtMost(1.0 + LATENCY_MS as f64 / 1_000.0);
    Ok(vec![
        figure("One edit to HubSpot, median", quantile(&single, 0.5), Goal::None, "s", &alone),
        figure("One edit to HubSpot, 99 of 100", quantile(&single, 0.99), soon, "s", &alone),
        figure("10,000 edits to HubSpot", elapsed, Goal::None, "s", &many),
        figure("10,000 edits, multiple of the bound", elapsed / bound, Goal::AtMost(1.2), "", &many),
        figure("10,000 edits, requests", requests, Goal::None, "", &many),
    ])
}

/// Edits one row after the other; returns how many seconds each edit took to HubSpot, by the times both have noted: they
/// share a clock.
async fn edit_singly(database: &Database) -> anyhow::Result<Vec<f64>> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let keys: Vec<i64> = sqlx::query_scalar("SELECT id FROM hubspot_contacts ORDER BY id LIMIT ?")
        .bind(SINGLE as i64)
        .fetch_all(&database.sql)
        .await?;
    let mut seconds = Vec::with_capacity(SINGLE);
    for key in keys {
        tokio::time::sleep(PAUSE.mul_f64(random.random())).await;
        let edit = sqlx::query("UPDATE hubspot_contacts SET city = 'Singled Out' WHERE id = ?").bind(key);
        ensure!(edit.execute(&database.sql).await?.rows_affected() == 1, "row {key} is gone");
        let took = wait_for("an edit to arrive", LOOK, async || {
            let sql = "SELECT TIMESTAMPDIFF(MICROSECOND, last_modified_local, hubspot_updated_at) \
                       FROM hubspot_contacts WHERE id = ? AND sync_status = 'synced'";
            Ok(sqlx::query_scalar::<_, i64>(sql).bind(key).fetch_optional(&database.sql).await?)
        })
        .await?;
        seconds.push(took as f64 / 1e6);
    }
    Ok(seconds)
}

/// Edits every row at once; returns the seconds until none waits any more, and the requests it took.
async fn edit_all(database: &Database, simulator: &Simulator) -> anyhow::Result<(f64, f64)> {
    let before = stat(&simulator.stats().await?, "requests");
    database.sql.execute("UPDATE hubspot_contacts SET city = CONCAT('Place ', id)").await?;
    let started = Instant::now();
    // Not the rows themselves: looking at all of them again and again would be half of what the server does.
    let left = "SELECT COUNT(*) FROM jobs";
    ensure!(database.count(left).await? > 0, "nothing was captured");
    wait_for("all edits to arrive", LOOK, async || Ok((database.count(left).await? == 0).then_some(())))
        .await?;
    let elapsed = started.elapsed().as_secs_f64();
    let requests = stat(&simulator.stats().await?, "requests") - before;
    let sent = database
        .count("SELECT COUNT(*) FROM hubspot_contacts WHERE JSON_VALUE(properties_json, '$.city') = CONCAT('Place ', id)")
        .await?;
    ensure!(sent == CONTACTS as i64, "{sent} of {CONTACTS} edits are there");
    Ok((elapsed, requests as f64))
}
