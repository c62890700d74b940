//! From the start of the process on an empty database to the first row anybody can read.

use std::time::Duration;

use super::daemon::Daemon;
use super::report::{Figure, Goal, median};
use super::simulator::{LATENCY_MS, Simulator, Size, Temper};
use super::surroundings::{Surroundings, wait_for};

/// The account.
const SIZE: Size = Size { contacts: 10_000, companies: 2_000, deals: 5_000 };
/// Starts, each with an empty database.
const ROUNDS: usize = 5;
/// How often the table is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// Starts the daemon with HubSpot nearby and at its usual distance.
pub async fn measure(surroundings: &Surroundings) -> anyhow::Result<Vec<Figure>> {
    let near = first_row(surroundings, 0).await?;
    let far = first_row(surroundings, LATENCY_MS).await?;
    let how = |latency: u64| {
        format!(
            "`run` on an empty database, tables made, until a contact can be read, {latency} ms latency, median of {ROUNDS}"
        )
    };
    Ok(vec![
        Figure {
            what: "Start to first row",
            measured: near,
            goal: Goal::AtMost(1.0),
            unit: "s",
            how: how(0),
        },
        Figure {
            what: "Start to first row, distant HubSpot",
            measured: far,
            goal: Goal::AtMost(1.0),
            unit: "s",
            how: how(LATENCY_MS),
        },
    ])
}

/// Seconds from start to first row, the median.
async fn first_row(surroundings: &Surroundings, latency_ms: u64) -> anyhow::Result<f64> {
    let mut seconds = Vec::new();
    for _ in 0..ROUNDS {
        let simulator = Simulator::start(SIZE, Temper::Limited { latency_ms })?;
        let database = surroundings.fresh_database("start").await?;
        let daemon = Daemon::start(surroundings, &database, &simulator, &["run"])?;
        let elapsed = wait_for("the first row", LOOK, async || {
            let query = sqlx::query_scalar::<_, i32>("SELECT 1 FROM hubspot_contacts LIMIT 1");
            // Until the daemon has made its tables the query fails.
            let row = query.fetch_optional(&database.sql).await.ok().flatten();
            Ok(row.map(|_| daemon.age()))
        })
        .await?;
        seconds.push(elapsed.as_secs_f64());
    }
    Ok(median(seconds))
}
