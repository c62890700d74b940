//! The routes below `/api`.

mod conflict;
pub(super) mod conflicts;
mod entity;
mod family;
mod idempotent;
pub(super) mod input;
pub(super) mod list;
pub(super) mod logs;
mod pipelines;
pub(super) mod query;
mod record;
mod records;
mod runs;
mod status;
mod sync;
pub(super) mod writes;

use super::endpoint::Endpoint;

/// All of them.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let groups = [
        records::endpoints(),
        pipelines::endpoints(),
        status::endpoints(),
        sync::endpoints(),
        entity::endpoints(),
        runs::endpoints(),
        logs::endpoints(),
        conflicts::endpoints(),
    ];
    groups.into_iter().flatten().collect()
}
