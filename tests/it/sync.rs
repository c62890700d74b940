//! End to end: the daemon, the simulator over HTTP, a real database.

mod associations;
mod audit;
mod blind;
mod columns;
mod crash;
mod database_trouble;
mod deletes;
mod encryption;
mod faults;
mod fill;
mod first_sync;
mod incremental;
mod life;
mod limits;
mod log;
mod merges;
mod push;
mod outages;
mod partial_reads;
mod processes;
mod refusals;
mod scopes;
mod stopping;
mod types;
