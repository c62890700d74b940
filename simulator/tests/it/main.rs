//! One test per rule the simulator copies from HubSpot, over real HTTP. Each module names where its rules are from.

mod account;
mod associations;
mod batch;
mod control;
mod definitions;
mod determinism;
mod errors;
mod family;
mod faults;
mod harness;
mod history;
mod limits;
mod list;
mod merge;
mod official_client;
mod program;
mod read_time;
mod rollups;
mod schemas;
mod scopes;
mod search;
mod state;
mod types;
mod write;
mod write_batch;
mod write_rules;
