//! What these tests share with those of the daemon.

#[path = "../../../tests/it/support/daemon.rs"]
pub mod daemon;
#[path = "../../../tests/it/support/database.rs"]
pub mod database;
#[path = "../../../tests/it/support/edits.rs"]
pub mod edits;
#[path = "../../../tests/it/support/programs.rs"]
pub mod programs;
#[path = "../../../tests/it/support/simulator.rs"]
pub mod simulator;
#[path = "../../../tests/it/support/wait.rs"]
pub mod wait;

pub use wait::{PATIENCE, eventually, holds};
