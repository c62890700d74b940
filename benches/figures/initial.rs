//! The first sync of a small account at HubSpot's usual limits and distance.

use anyhow::ensure;

use super::daemon::Daemon;
use super::report::{Figure, Goal, median};
use super::simulator::{LATENCY_MS, LIMIT, Simulator, Size, Temper, stat};
use super::surroundings::Surroundings;

/// The account.
const SIZE: Size = Size { contacts: 10_000, companies: 2_000, deals: 5_000 };
/// Records HubSpot puts on a page at most.
const PAGE: u64 = 100;
/// Requests without which nothing can be mirrored: the account, the properties of three types, pipelines, owners.
const REFERENCE_READS: u64 = 6;
/// Rounds, each with a new account and an empty database.
const ROUNDS: usize = 3;

/// Syncs everything.
pub async fn measure(surroundings: &Surroundings) -> anyhow::Result<Vec<Figure>> {
    let least = (SIZE.contacts + SIZE.companies + SIZE.deals).div_ceil(PAGE) + REFERENCE_READS;
    let (mut seconds, mut requests) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let simulator = Simulator::start(SIZE, Temper::Limited { latency_ms: LATENCY_MS })?;
        let database = surroundings.fresh_database("initial").await?;
        let elapsed = Daemon::run(surroundings, &database, &simulator, &["sync"]).await?;
        let stored = database
            .count(
                "SELECT (SELECT COUNT(*) FROM hubspot_contacts) + (SELECT COUNT(*) FROM hubspot_companies) \
                      + (SELECT COUNT(*) FROM hubspot_deals)",
            )
            .await?;
        ensure!(stored == (SIZE.contacts + SIZE.companies + SIZE.deals) as i64, "{stored} records arrived");
        seconds.push(elapsed.as_secs_f64());
        requests.push(stat(&simulator.stats().await?, "requests") as f64);
    }
    let how = format!(
        "`sync` of {} contacts, {} companies, {} deals from start to exit, {LIMIT} requests/10 s, {LATENCY_MS} ms \
         latency, median of {ROUNDS}",
        SIZE.contacts, SIZE.companies, SIZE.deals
    );
    let requests = median(requests);
    let counted = format!("{requests} requests; pages and one of each reference read are {least}");
    Ok(vec![
        Figure { what: "Initial sync", measured: median(seconds), goal: Goal::AtMost(25.0), unit: "s", how },
        Figure {
            what: "Initial sync, requests by minimum",
            measured: requests / least as f64,
            goal: Goal::AtMost(1.1),
            unit: "",
            how: counted,
        },
    ])
}
