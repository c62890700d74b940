//! Bringing over a few changes, as every run after the first does.

use anyhow::ensure;

use super::daemon::Daemon;
use super::report::{Figure, Goal, median};
use super::simulator::{LATENCY_MS, LIMIT, Simulator, Size, Temper, stat};
use super::surroundings::Surroundings;

/// Contacts of the account.
const CONTACTS: u64 = 10_000;
/// How many of them change between two runs.
const CHANGED: u64 = 100;
/// Rounds; together less than an hour of HubSpot's time, so that no delayed pass joins in.
const ROUNDS: u64 = 5;
/// Between two rounds, in minutes: more than the overlap, so that no run sees the changes of the last one.
const INTERVAL_MINUTES: u64 = 8;
/// Between the changes and the run, in minutes: more than the time search is given to see them.
const SETTLE_MINUTES: u64 = 1;

/// Syncs everything once, then measures runs that find changes.
pub async fn measure(surroundings: &Surroundings) -> anyhow::Result<Vec<Figure>> {
    let simulator = Simulator::start(Size::contacts(CONTACTS), Temper::Limited { latency_ms: LATENCY_MS })?;
    let database = surroundings.fresh_database("incremental").await?;
    let sync: &[&str] = &["sync", "contacts"];
    Daemon::run(surroundings, &database, &simulator, sync).await?;
    let (mut seconds, mut requests) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        simulator.pass_minutes(INTERVAL_MINUTES).await?;
        simulator.change_contacts(CHANGED, round).await?;
        simulator.pass_minutes(SETTLE_MINUTES).await?;
        simulator.reset_stats().await?;
        let elapsed = Daemon::run(surroundings, &database, &simulator, sync).await?;
        let updated = database
            .count("SELECT CAST(updated AS SIGNED) FROM sync_runs ORDER BY run_id DESC LIMIT 1")
            .await?;
        ensure!(updated == CHANGED as i64, "the run found {updated} of {CHANGED} changes");
        seconds.push(elapsed.as_secs_f64());
        requests.push(stat(&simulator.stats().await?, "requests") as f64);
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
