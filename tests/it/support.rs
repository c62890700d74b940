//! What the tests share: a fresh database each, a simulator, a daemon, and the comparison of the two ends.

pub mod daemon;
pub mod database;
pub mod edits;
pub mod exact;
pub mod lanes;
pub mod links;
pub mod mailbox;
pub mod simulator;
pub mod truth;
pub mod webhooks;

use std::time::{Duration, Instant};

/// Longest wait for a condition; far more than any takes, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_mins(2);
/// Pause between two looks at a condition.
const LOOK: Duration = Duration::from_millis(50);

/// Waits until `look` answers `Ok`, and fails with its last `Err` when it does not within [`PATIENCE`].
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        match look().await {
            Ok(value) => return value,
            Err(state) if started.elapsed() > PATIENCE => panic!("waited in vain until {what}: {state}"),
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

/// A number from the environment, or the default.
pub fn soak_setting(name: &str, default: u32) -> u32 {
    let value = std::env::vars().find(|(variable, _)| variable == name);
    value.map_or(default, |(_, value)| value.parse().unwrap())
}

/// `Ok` when `condition` holds, else what is the case instead.
pub fn holds(condition: bool, state: impl std::fmt::Debug) -> Result<(), String> {
    if condition { Ok(()) } else { Err(format!("{state:?}")) }
}
