//! End to end: the daemon, the simulator over HTTP, a real database.

mod associations;
mod audit;
mod blind;
mod columns;
mod conflicts;
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
mod outages;
mod partial_reads;
mod processes;
mod push;
mod refusals;
mod refused_links;
mod scopes;
mod stopping;
mod types;
