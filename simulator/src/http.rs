//! The HTTP surface: who is let in, which handler answers, and what the answers look like.
//!
//! `server` owns sockets, `gate` the order in which a request is judged, `route` the table of paths; the other
//! modules answer one family each. The journal is a further family: one more arm in `route`, one more module here.

pub mod account_info;
pub mod associations;
pub mod batch;
pub mod body;
pub mod control;
pub mod definitions;
pub mod gate;
pub mod lifecycle;
pub mod objects;
pub mod owners;
pub mod pipelines;
pub mod properties;
pub mod query;
pub mod reply;
pub mod route;
pub mod schemas;
pub mod search;
pub mod server;
pub mod writes;

pub use server::Server;
