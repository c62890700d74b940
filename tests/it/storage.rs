//! Storage against a real MariaDB.

mod associations;
mod capture;
mod columns;
mod conflicts;
mod edited;
mod hand_edit;
mod jobs;
mod leases;
mod listing;
mod mirror;
mod reference;
mod schema;
mod schemas;
mod silence;
mod state;
mod sync_log;
mod webhooks;
