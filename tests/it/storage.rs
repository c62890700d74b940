//! Storage against a real MariaDB.

mod columns;
mod leases;
mod mirror;
mod reference;
mod schema;
mod silence;
mod state;
