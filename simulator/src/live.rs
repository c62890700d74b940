//! Everyday life: changes the simulator makes by itself.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::random::{Draws, mix};
use crate::simulator::Simulator;

/// How often it is looked whether a change is due.
const TICK: Duration = Duration::from_millis(50);

/// How often the bin is looked through, in simulated time.
const EMPTY_BIN_EVERY_MS: i64 = 3_600_000;

/// Empties the bin of what is due and makes changes at the set rate, until the simulator stops. The sequence of changes
/// follows from the seed, their times do not.
pub async fn run(simulator: Arc<Simulator>, stop: CancellationToken) {
    let mut draws = Draws::new(mix(simulator.config.seed, 0x11FE));
    let mut due = 0.0;
    let mut next_emptying = 0;
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let moment = simulator.moment();
        if simulator.clock.now() >= next_emptying {
            next_emptying = simulator.clock.now() + EMPTY_BIN_EVERY_MS;
            simulator.account_mut().empty_bin(moment);
        }
        due += simulator.settings().live_changes_per_second * TICK.as_secs_f64();
        while due >= 1.0 {
            due -= 1.0;
            if let Err(error) = simulator.account_mut().live_step(&mut draws, moment) {
                tracing::warn!(?error, "A live change could not be made");
            }
        }
    }
}
