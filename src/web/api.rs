//! The routes below `/api`.

mod conflict;
mod conflicts;
mod entity;
mod family;
mod idempotent;
mod input;
mod list;
mod logs;
mod pipelines;
mod query;
mod record;
mod records;
mod runs;
mod status;
mod sync;
mod writes;

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
