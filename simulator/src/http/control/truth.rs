//! What the records really are, for exact comparison.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::json;

use crate::http::reply::Reply;
use crate::object_type::{Kind, ObjectType};
use crate::render::Truth;
use crate::simulator::Simulator;

/// Records written while the account is held; others can change it in between.
const RECORDS_PER_PIECE: usize = 256;

/// `GET count/{type}`.
pub fn count(simulator: &Simulator, kind: Kind) -> Reply {
    let account = simulator.account();
    let store = account.store(kind);
    Reply::json(200, &json!({ "live": store.live(), "archived": store.bin().len() }))
}

/// `GET truth/{type}`: one line per record in order of id, written while it is sent.
pub fn stream(simulator: &Arc<Simulator>, object_type: Arc<ObjectType>, archived: bool) -> Reply {
    let simulator = Arc::clone(simulator);
    let pieces = stream::unfold(Some(0), move |from| {
        let piece = from.map(|from| piece(&simulator, &object_type, archived, from));
        std::future::ready(piece)
    });
    Reply::lines(pieces.boxed())
}

/// The lines of the records from an id on, and the id to go on from.
fn piece(simulator: &Simulator, object_type: &ObjectType, archived: bool, from: u64) -> (Bytes, Option<u64>) {
    let account = simulator.account();
    let catalogue = account.catalogue(object_type.kind);
    let store = account.store(object_type.kind);
    let truth = Truth::new(catalogue);
    let mut out = Vec::new();
    let mut next = None;
    let mut write = |view: crate::account::View<'_>| {
        truth.push(catalogue, &view, &mut out);
        out.push(b'\n');
        next = Some(view.record.id + 1);
    };
    if archived {
        let ids = store.bin().range(from..).take(RECORDS_PER_PIECE);
        ids.filter_map(|&id| store.get(&account.world, id)).for_each(&mut write);
    } else {
        store.live_from(&account.world, from).take(RECORDS_PER_PIECE).for_each(&mut write);
    }
    (Bytes::from(out), next)
}
