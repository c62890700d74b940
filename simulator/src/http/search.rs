//! Search: filters over an index that lags behind the records.
//!
//! Source: HubSpot, "Search the CRM"; what the index does besides is reported by people who run connectors on it.
//! Matching looks at the records as the index knows them, answers show the records as they are, so a page may hold
//! records that no longer match, and a total may count records that are gone.

mod filter;
mod ranking;
mod request;

use crate::account::Account;
use crate::generate::text::push_number;
use crate::generate::world::GENERATED_END;
use crate::http::objects::push_record;
use crate::http::reply::{ApiError, Reply};
use crate::object_type::ObjectType;
use crate::random::{below, mix};
use crate::render::Selection;
use crate::settings::Settings;
use crate::simulator::Simulator;
use filter::Query;
use ranking::Ranking;
use request::SearchRequest;

/// Nothing beyond this many results can be reached.
pub const REACHABLE: usize = 10_000;

/// `POST /crm/objects/{version}/{type}/search`.
pub fn search(
    simulator: &Simulator,
    object_type: &ObjectType,
    body: &[u8],
    halve: bool,
) -> Result<Reply, ApiError> {
    let settings = simulator.settings();
    let request = SearchRequest::read(body, settings.clamp_page_size)?;
    let account = simulator.settled_account();
    let catalogue = account.catalogue(object_type.kind);
    let query = Query::compile(&request, object_type, catalogue)?;
    let ranking = Ranking::compile(request.sort.as_ref(), object_type, catalogue)?;
    let nonce = if settings.stable_ties { 0 } else { simulator.order_nonce() | 1 };
    let found = find(&account, object_type, &query, ranking, request.after + request.limit, nonce);
    let selection = simulator.selection(&account, object_type, &request.properties.join(","), "");
    let page = found.ids.get(request.after..).unwrap_or_default();
    let shown = if halve { &page[..page.len() / 2] } else { page };
    let body = write_answer(&account, object_type, &selection, shown, &found, &request, &settings);
    Ok(Reply::json_text(200, body))
}

/// What matched.
struct FoundRecords {
    /// The first of them in the order asked for.
    ids: Vec<u64>,
    /// How many there are in all.
    total: u64,
}

/// Finds what matches and keeps the first `wanted`.
fn find(
    account: &Account,
    object_type: &ObjectType,
    query: &Query<'_>,
    ranking: Ranking,
    wanted: usize,
    nonce: u64,
) -> FoundRecords {
    let catalogue = account.catalogue(object_type.kind);
    let store = account.store(object_type.kind);
    let mut best = ranking::Best::new(ranking, wanted, nonce);
    let bounds = query.bounds();
    if let Some(ids) = query.ids() {
        let known = ids.iter().filter_map(|&id| store.get_indexed(&account.world, id));
        let live = known.filter(|view| view.change.is_none_or(crate::account::Change::is_live));
        live.filter(|view| query.matches(catalogue, view)).for_each(|view| best.offer(catalogue, &view));
        return FoundRecords { total: best.total(), ids: best.into_ids() };
    }
    // A record is not modified before it is created, and records are generated in the order they were created.
    let end_index = if bounds.modified_from >= GENERATED_END {
        0
    } else {
        account.world.created_until(object_type.kind, bounds.modified_until)
    };
    for view in store.indexed_from(&account.world, bounds.id_from, end_index) {
        if view.record.id > bounds.id_until {
            break;
        }
        let updated_at = view.record.updated_at;
        if updated_at < bounds.modified_from || updated_at > bounds.modified_until {
            continue;
        }
        if query.matches(catalogue, &view) {
            best.offer(catalogue, &view);
        }
    }
    FoundRecords { total: best.total(), ids: best.into_ids() }
}

/// Writes the answer. Records that are no longer live are left out, the total is not told.
fn write_answer(
    account: &Account,
    object_type: &ObjectType,
    selection: &Selection,
    ids: &[u64],
    found: &FoundRecords,
    request: &SearchRequest,
    settings: &Settings,
) -> Vec<u8> {
    let drift = below(mix(found.total, request.after as u64), settings.total_drift + 1);
    let mut out = b"{\"total\":".to_vec();
    push_number(&mut out, found.total + drift);
    out.extend_from_slice(b",\"results\":[");
    let mut is_first = true;
    for view in ids.iter().filter_map(|&id| account.live(object_type.kind, id)) {
        if !is_first {
            out.push(b',');
        }
        is_first = false;
        push_record(account, object_type, selection, &view, &mut out);
    }
    out.push(b']');
    let next = request.after + request.limit;
    if (next as u64) < found.total {
        // Offered even where the next page is past the cap and will be refused.
        out.extend_from_slice(b",\"paging\":{\"next\":{\"after\":\"");
        push_number(&mut out, next as u64);
        out.extend_from_slice(b"\"}}");
    }
    out.push(b'}');
    out
}
