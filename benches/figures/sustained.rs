//! How much of the account's limit a long listing uses, and that it never exceeds its share.

use std::time::Duration;

use chrono::DateTime;

use super::daemon::Daemon;
use super::report::{Figure, Goal};
use super::simulator::{LIMIT, Simulator, Size, Temper, stat};
use super::surroundings::{Surroundings, now, wait_for};

/// Contacts of the account: 600 pages, so more than a minute.
const CONTACTS: u64 = 60_000;
/// The share of the limit the daemon allows itself, `RATE_LIMIT_THRESHOLD`.
const THRESHOLD: f64 = 0.9;
/// The span HubSpot's limit is about, in milliseconds.
const SPAN_MS: i64 = 10_000;

/// Lists everything and looks at the simulator's counters every ten seconds.
pub async fn measure(surroundings: &Surroundings) -> anyhow::Result<Vec<Figure>> {
    let simulator = Simulator::start(Size::contacts(CONTACTS), Temper::Limited { latency_ms: 0 })?;
    let database = surroundings.fresh_database("sustained").await?;
    let sync: &[&str] = &["sync", "contacts"];
    let (elapsed, used) =
        tokio::join!(Daemon::run(surroundings, &database, &simulator, sync), use_by_span(&simulator));
    let (elapsed, used) = (elapsed?, used?);
    let stats = simulator.stats().await?;
    let spans = used.len();
    let share = used.iter().sum::<u64>() as f64 / (spans as u64 * LIMIT) as f64;
    let how = format!(
        "`sync contacts` of {CONTACTS}, {LIMIT} requests/10 s, {:.1} s; requests in the {spans} full spans of 10 s",
        elapsed.as_secs_f64()
    );
    let counted = "counted by the simulator over the whole run".to_owned();
    let threshold = LIMIT as f64 * THRESHOLD;
    Ok(vec![
        Figure {
            what: "Sustained backfill, share of the limit",
            measured: 100.0 * share,
            goal: Goal::AtLeast(85.0),
            unit: "%",
            how,
        },
        Figure {
            what: "Most requests in any 10 s",
            measured: stat(&stats, "maxInWindow") as f64,
            goal: Goal::AtMost(threshold),
            unit: "",
            how: counted.clone(),
        },
        Figure {
            what: "Answers with status 429",
            measured: stat(&stats, "rateLimited") as f64,
            goal: Goal::AtMost(0.0),
            unit: "",
            how: counted,
        },
    ])
}

/// Requests in each full span of ten seconds from the first request on, until the listing is complete.
async fn use_by_span(simulator: &Simulator) -> anyhow::Result<Vec<u64>> {
    let first = wait_for("the first request", Duration::from_millis(5), async || {
        Ok(simulator.stats().await?["firstRequestAt"].as_i64())
    })
    .await?;
    let (mut used, mut before) = (Vec::new(), 0);
    loop {
        let end = DateTime::from_timestamp_millis(first + SPAN_MS * (used.len() as i64 + 1));
        let left = end.expect("the present is in range") - now();
        tokio::time::sleep(left.to_std().unwrap_or_default()).await;
        let stats = simulator.stats().await?;
        let requests = stat(&stats, "requests");
        let pages = stat(&stats["byFamily"], "list");
        if pages >= CONTACTS / 100 {
            return Ok(used);
        }
        used.push(requests - before);
        before = requests;
    }
}
