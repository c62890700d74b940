//! Keeping the mirror equal to HubSpot.
//!
//! What to do is decided by pure functions ([`plan`]); thin async code carries it out. A run belongs to one
//! [`Subject`], does its work page by page, one transaction a page, and can be killed between any two instructions:
//! what is committed is true, and what is not is done again.

mod access;
mod account;
mod archive;
mod associations;
mod audit;
mod backfill;
mod catalogue;
mod compare;
mod engine;
mod error;
mod event;
mod fill;
mod page;
mod pages_ahead;
mod pass;
mod patience;
mod plan;
mod push;
mod records;
mod reference;
mod run;
mod schema;
mod search;
mod subject;
mod upkeep;
mod verdict;
mod walk;
mod webhooks;

pub use audit::{AuditReport, AuditRequest, Depth, Finding};
pub use engine::Engine;
pub(crate) use error::Chain;
pub use error::SyncError;
pub use event::{ConflictNews, Event, Events, RecordName};
pub use subject::Subject;
pub use upkeep::Upkeep;
