//! What the tests share: a fresh database each, a simulator, a daemon, and the comparison of the two ends.

pub mod daemon;
pub mod database;
pub mod edits;
pub mod exact;
pub mod lanes;
pub mod links;
pub mod mailbox;
pub mod programs;
pub mod simulator;
pub mod truth;
pub mod wait;
pub mod webhooks;

pub use wait::{PATIENCE, eventually, holds};

/// A number from the environment, or the default.
pub fn soak_setting(name: &str, default: u32) -> u32 {
    let value = std::env::vars().find(|(variable, _)| variable == name);
    value.map_or(default, |(_, value)| value.parse().unwrap())
}
