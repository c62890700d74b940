//! Records: a page, or one.
//!
//! Source: HubSpot, "Using object APIs".

use std::sync::Arc;

use crate::account::{Account, View};
use crate::generate::text::push_number;
use crate::http::associations;
use crate::http::query::Query;
use crate::http::reply::{ApiError, Reply};
use crate::object_type::ObjectType;
use crate::render::Selection;
use crate::scopes::{self, Area};
use crate::simulator::Simulator;

/// Records per page when none are asked for.
const USUAL_PAGE: usize = 10;

/// Most records per page.
const LARGEST_PAGE: usize = 100;

/// Most records per page when earlier values are shown.
const LARGEST_PAGE_WITH_HISTORY: usize = 50;

/// Room for a page of records of a usual size, in bytes, so that writing one seldom moves it.
const PAGE_BYTES: usize = 512 * 1024;

/// `GET /crm/objects/{version}/{type}`: records in ascending order of id, live or from the bin.
pub fn list(
    simulator: &Simulator,
    object_type: &ObjectType,
    query: &Query<'_>,
    halve: bool,
) -> Result<Reply, ApiError> {
    let has_history = query.get("propertiesWithHistory").is_some_and(|names| !names.is_empty());
    let largest = if has_history { LARGEST_PAGE_WITH_HISTORY } else { LARGEST_PAGE };
    let limit = query.limit(USUAL_PAGE, largest, simulator.settings().clamp_page_size)?;
    let from = match query.get("after") {
        None | Some("") => 0,
        Some(text) => text.parse::<u64>().map_err(|_| {
            ApiError::validation(format!("Unable to parse value for query parameter: after. {text}"))
        })?,
    };
    let account = simulator.account();
    let selection = simulator.selection(
        &account,
        object_type,
        &query.list("properties"),
        &query.list("propertiesWithHistory"),
    );
    let page = Page {
        account: &account,
        object_type,
        selection: &selection,
        limit,
        shown: if halve { limit / 2 } else { limit },
        associations: asked_types(simulator, &account, query)?,
    };
    let body = if query.flag("archived") {
        let store = account.store(object_type.kind);
        // Reported of very large bins.
        if simulator.settings().bin_timeout_above.is_some_and(|most| store.bin().len() > most) {
            return Ok(Reply::html(504, "Gateway Time-out"));
        }
        let ids = store.archived_from(from, simulator.settings().merged_are_archived);
        page.write(ids.filter_map(|id| store.get(&account.world, id)))
    } else {
        page.write(account.store(object_type.kind).live_from(&account.world, from))
    };
    Ok(Reply::json_text(200, body))
}

/// A page about to be written.
struct Page<'a> {
    /// Where the records are.
    account: &'a Account,
    /// What they are.
    object_type: &'a ObjectType,
    /// What of them is shown.
    selection: &'a Selection,
    /// How many belong to the page.
    limit: usize,
    /// How many of these are shown; fewer only when a fault shortens the page.
    shown: usize,
    /// Types whose links are shown, by the names the request gave them.
    associations: AskedTypes,
}

impl Page<'_> {
    /// Writes the first records of a sequence, and where to go on when there are more.
    fn write<'v>(&self, records: impl Iterator<Item = View<'v>>) -> Vec<u8> {
        let mut out = Vec::with_capacity(PAGE_BYTES.min(self.limit * PAGE_BYTES / LARGEST_PAGE));
        out.extend_from_slice(b"{\"results\":[");
        let mut next = None;
        for (position, view) in records.enumerate() {
            if position == self.limit {
                next = Some(view.record.id);
                break;
            }
            if position >= self.shown {
                continue;
            }
            if position > 0 {
                out.push(b',');
            }
            push_record(self.account, self.object_type, self.selection, &view, &mut out);
            push_links(self.account, self.object_type, view.record.id, &self.associations, &mut out);
        }
        out.push(b']');
        if let Some(id) = next {
            self.push_paging(id, &mut out);
        }
        out.push(b'}');
        out
    }

    /// Writes where the next page starts. The link shows another path form than the call, as HubSpot's does: paths
    /// are to be built by the client.
    fn push_paging(&self, next: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"paging\":{\"next\":{\"after\":\"");
        push_number(out, next);
        out.extend_from_slice(b"\",\"link\":\"https://api.hubapi.com/crm/v3/objects/");
        out.extend_from_slice(self.object_type.plural.as_bytes());
        out.extend_from_slice(b"?after=");
        push_number(out, next);
        out.extend_from_slice(b"&limit=");
        push_number(out, self.limit as u64);
        out.extend_from_slice(b"\"}}");
    }
}

/// Types by the names a request gave them.
type AskedTypes = Vec<(String, Arc<ObjectType>)>;

/// The types whose links a request wants to see with the records.
fn asked_types(simulator: &Simulator, account: &Account, query: &Query<'_>) -> Result<AskedTypes, ApiError> {
    let list = query.list("associations");
    let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
    let settings = simulator.settings();
    names
        .map(|name| {
            let found = account.registry().find(name).cloned();
            let object_type = found.ok_or_else(|| ApiError::unknown_type(name))?;
            match scopes::missing(&settings, &object_type, Area::Records) {
                Some(scopes) => Err(ApiError::missing_scopes(&scopes)),
                None => Ok((name.to_owned(), object_type)),
            }
        })
        .collect()
}

/// Puts a record's links into the JSON object that was just appended.
fn push_links(account: &Account, object_type: &ObjectType, id: u64, asked: &AskedTypes, out: &mut Vec<u8>) {
    if let Some(links) = associations::embedded(account, object_type, id, asked)
        && out.pop_if(|last| *last == b'}').is_some()
    {
        out.extend_from_slice(format!(",\"associations\":{links}}}").as_bytes());
    }
}

/// Appends a record, or the literal text served in its place.
pub fn push_record(
    account: &Account,
    object_type: &ObjectType,
    selection: &Selection,
    view: &View<'_>,
    out: &mut Vec<u8>,
) {
    let store = account.store(object_type.kind);
    if store.has_raw()
        && let Some(raw) = store.raw(view.record.id)
    {
        out.extend_from_slice(raw.as_bytes());
        return;
    }
    selection.push_record(account.catalogue(object_type.kind), view, out);
}

/// `GET /crm/objects/{version}/{type}/{id}`: one record by id or by a unique property. A merged-away id answers with
/// the record that remains.
pub fn get(
    simulator: &Simulator,
    object_type: &ObjectType,
    id: &str,
    query: &Query<'_>,
) -> Result<Reply, ApiError> {
    let account = simulator.account();
    let id = find_id(&account, object_type, id, query.get("idProperty"))?;
    let store = account.store(object_type.kind);
    let view = store.get(&account.world, id).ok_or_else(ApiError::not_found)?;
    if view.archived_at().is_some() != query.flag("archived") {
        return Err(ApiError::not_found());
    }
    let selection = simulator.selection(
        &account,
        object_type,
        &query.list("properties"),
        &query.list("propertiesWithHistory"),
    );
    let mut out = Vec::new();
    push_record(&account, object_type, &selection, &view, &mut out);
    push_links(&account, object_type, id, &asked_types(simulator, &account, query)?, &mut out);
    Ok(Reply::json_text(200, out))
}

/// The id a path or batch input names, merges followed.
pub fn find_id(
    account: &Account,
    object_type: &ObjectType,
    text: &str,
    by: Option<&str>,
) -> Result<u64, ApiError> {
    match by {
        None | Some("hs_object_id") => {}
        Some(name) => return find_by_property(account, object_type, name, text),
    }
    let id = parse_id(text)?;
    Ok(account.store(object_type.kind).survivor(id))
}

/// Reads an id. Source: HubSpot developer Slack, for the wording.
pub fn parse_id(text: &str) -> Result<u64, ApiError> {
    match text.parse::<u64>() {
        Ok(0) => Err(ApiError::new(404, "Object not found. objectId is usually positive.")),
        Ok(id) => Ok(id),
        Err(_) => Err(ApiError::new(404, "Object not found.  objectId are usually numeric.")
            .field("context", serde_json::json!({ "id": [text] }))
            .category("OBJECT_NOT_FOUND")),
    }
}

/// The id of the record with a value of a unique property.
pub fn find_by_property(
    account: &Account,
    object_type: &ObjectType,
    name: &str,
    value: &str,
) -> Result<u64, ApiError> {
    let catalogue = account.catalogue(object_type.kind);
    let index = catalogue.active(name).filter(|&index| catalogue.get(index).flags.has_unique_value);
    let index = index.ok_or_else(|| ApiError::validation(format!("{name} is not a unique property")))?;
    account.holder(object_type.kind, index, value).ok_or_else(ApiError::not_found)
}
