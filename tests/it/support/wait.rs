//! Waiting for something, with an end.

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

/// `Ok` when `condition` holds, else what is the case instead.
pub fn holds(condition: bool, state: impl std::fmt::Debug) -> Result<(), String> {
    if condition { Ok(()) } else { Err(format!("{state:?}")) }
}
