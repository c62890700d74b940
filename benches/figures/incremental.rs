//! Bringing over a few changes, as every run after the first does.

use anyhow::ensure;

use super::daemon::Daemon;
use super::report::{Figure, Goal, median};
use super::simulator::{LATENCY_MS, LIMIT, Simulator, Size, Temper, stat};
use super::surroundings::{Surroundings, now};

/// Contacts of the account.
const CONTACTS: u64 = 10_000;
/// How many of them change between the first run and the measured one.
const CHANGED: u64 = 100;
/// How long ago they did, in milliseconds: searches leave out the last half minute.
const CHANGED_AGO_MS: i64 = 60_000;
/// How long ago the one changed that comes before: with it, what is asked once a day has been asked.
const CHANGED_BEFORE_MS: i64 = 120_000;
/// Rounds, each with an empty database.
const ROUNDS: usize = 5;

/// Syncs everything from a simulator nearby, then measures a run against the same account far away.
pub async fn measure(surroundings: &Surroundings) -> anyhow::Result<Vec<Figure>> {
    let near = Simulator::start(Size::contacts(CONTACTS), Temper::Unlimited { record_bytes: None })?;
    let sync: &[&str] = &["sync", "contacts"];
    let (mut seconds, mut requests) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let database = surroundings.fresh_database("incremental").await?;
        Daemon::run(surroundings, &database, &near, sync).await?;
        let far = Simulator::start(Size::contacts(CONTACTS), Temper::Limited { latency_ms: LATENCY_MS })?;
        far.change_contacts(1, now().timestamp_millis() - CHANGED_BEFORE_MS).await?;
        Daemon::run(surroundings, &database, &far, sync).await?;
        let before = stat(&far.stats().await?, "requests");
        far.change_contacts(CHANGED, now().timestamp_millis() - CHANGED_AGO_MS).await?;
        let elapsed = Daemon::run(surroundings, &database, &far, sync).await?;
        let updated = database
            .count("SELECT CAST(updated AS SIGNED) FROM sync_runs ORDER BY run_id DESC LIMIT 1")
            .await?;
        ensure!(updated == CHANGED as i64, "the run found {updated} of {CHANGED} changes");
        seconds.push(elapsed.as_secs_f64());
        requests.push((stat(&far.stats().await?, "requests") - before) as f64);
    }
    let how = format!(
        "`sync contacts` from start to exit, {LIMIT} requests/10 s, {LATENCY_MS} ms latency, median of {ROUNDS}"
    );
    let figure = |what, measured, goal, unit| Figure { what, measured, goal, unit, how: how.clone() };
    Ok(vec![
        figure("100 changes among 10,000 contacts", median(seconds), Goal::AtMost(2.0), "s"),
        figure("100 changes, requests", median(requests), Goal::AtMost(8.0), ""),
    ])
}
