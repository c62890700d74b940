//! Records by id, up to a hundred at once.
//!
//! Source: HubSpot, "Using object APIs" and "Handling errors"; message texts as met by users.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::account::{Account, View};
use crate::generate::text::moment_text;
use crate::http::body;
use crate::http::objects::{find_by_property, push_record};
use crate::http::query::Query;
use crate::http::reply::{ApiError, Reply};
use crate::object_type::ObjectType;
use crate::random::Draws;
use crate::simulator::Simulator;

/// Most inputs of one call.
pub const MOST_INPUTS: usize = 100;

/// Most inputs of one call that asks for histories.
const MOST_INPUTS_WITH_HISTORY: usize = 50;

/// The body of a batch read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchRead {
    /// Properties to show.
    #[serde(default)]
    properties: Option<Vec<String>>,
    /// Properties to show with their earlier values.
    #[serde(default)]
    properties_with_history: Option<Vec<String>>,
    /// Unique property the inputs are values of; the id when absent.
    #[serde(default)]
    id_property: Option<String>,
    /// What to read.
    #[serde(default)]
    inputs: Option<Vec<Input>>,
}

/// One thing to read.
#[derive(Debug, Deserialize)]
struct Input {
    /// Its id, as text or number.
    id: Option<Value>,
}

/// `POST /crm/objects/{version}/{type}/batch/read`: 200 with all, or 207 with those that exist.
pub fn read(
    simulator: &Simulator,
    object_type: &ObjectType,
    query: &Query<'_>,
    body: &[u8],
    halve: bool,
) -> Result<Reply, ApiError> {
    let request: BatchRead = body::parse(body)?;
    let ids = checked_inputs(&request)?;
    let started_at = moment_text(simulator.clock.now());
    let account = simulator.account();
    let [list, history_list] = [request.properties, request.properties_with_history]
        .map(|names| names.unwrap_or_default().join(","));
    let selection = simulator.selection(&account, object_type, &list, &history_list);
    let (mut views, missing) =
        find_all(&account, object_type, &ids, request.id_property.as_deref(), query.flag("archived"));
    if simulator.settings().shuffle_batches {
        Draws::new(simulator.order_nonce()).shuffle(&mut views);
    }
    if halve {
        views.truncate(views.len() / 2);
    }
    let mut out = br#"{"status":"COMPLETE","results":["#.to_vec();
    for (position, view) in views.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        push_record(&account, object_type, &selection, view, &mut out);
    }
    out.push(b']');
    let completed_at = moment_text(simulator.clock.now());
    push_tail(object_type, &missing, [&started_at, &completed_at], &mut out);
    Ok(Reply::json_text(if missing.is_empty() { 200 } else { 207 }, out))
}

/// Appends what follows the results: the ids that were not found, and when the work was done.
fn push_tail(
    object_type: &ObjectType,
    missing: &[String],
    [started_at, completed_at]: [&str; 2],
    out: &mut Vec<u8>,
) {
    if !missing.is_empty() {
        let error = not_found_part(object_type, missing);
        out.extend_from_slice(format!(",\"numErrors\":1,\"errors\":[{error}]").as_bytes());
    }
    let times = format!(",\"startedAt\":\"{started_at}\",\"completedAt\":\"{completed_at}\"}}");
    out.extend_from_slice(times.as_bytes());
}

/// The error about ids nobody has: one for all of them.
pub fn not_found_part(object_type: &ObjectType, missing: &[String]) -> Value {
    json!({
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "message": format!(
            "Could not get some {} objects, they may be deleted or not exist. Check that ids are valid.",
            object_type.error_name
        ),
        "context": { "ids": missing },
    })
}

/// The ids of a call, which must be given, distinct and not too many.
fn checked_inputs(request: &BatchRead) -> Result<Vec<String>, ApiError> {
    let inputs = request.inputs.as_deref().ok_or_else(|| body::missing("inputs"))?;
    let has_history = request.properties_with_history.as_ref().is_some_and(|names| !names.is_empty());
    if has_history && inputs.len() > MOST_INPUTS_WITH_HISTORY {
        return Err(ApiError::validation(format!(
            "The maximum number of inputs supported in a batch request for property histories is \
             {MOST_INPUTS_WITH_HISTORY}. Please reduce the number of items and try again"
        )));
    }
    check_size(inputs.len())?;
    let ids = inputs.iter().map(|input| input.id.as_ref().and_then(body::scalar_text));
    let ids: Vec<String> = ids.collect::<Option<_>>().ok_or_else(|| body::missing("id"))?;
    check_distinct(&ids)?;
    Ok(ids)
}

/// Refuses more inputs than a call takes.
pub fn check_size(count: usize) -> Result<(), ApiError> {
    if count <= MOST_INPUTS {
        return Ok(());
    }
    Err(ApiError::validation(format!(
        "The maximum number of inputs supported in a batch is {MOST_INPUTS}. Please reduce the number of items and try \
         again"
    )))
}

/// Refuses ids that come twice.
pub fn check_distinct(ids: &[String]) -> Result<(), ApiError> {
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<&str> =
        ids.iter().filter(|id| !seen.insert(id.as_str())).map(String::as_str).collect();
    if twice.is_empty() {
        return Ok(());
    }
    let list: Vec<&str> = twice.into_iter().collect();
    let message = format!("Duplicate IDs found in batch input: [{}]. IDs must be unique", list.join(", "));
    Err(ApiError::validation(message).field("context", json!({ "ids": list })))
}

/// The records that exist in the asked state, each once, and the inputs that name none.
fn find_all<'a>(
    account: &'a Account,
    object_type: &ObjectType,
    ids: &[String],
    by: Option<&str>,
    archived: bool,
) -> (Vec<View<'a>>, Vec<String>) {
    let store = account.store(object_type.kind);
    let mut seen = BTreeSet::new();
    let mut views = Vec::with_capacity(ids.len());
    let mut missing = Vec::new();
    for text in ids {
        let id = match by {
            None | Some("hs_object_id") => text.parse().ok().map(|id| store.survivor(id)),
            Some(name) => find_by_property(account, object_type, name, text).ok(),
        };
        let view = id.and_then(|id| store.get(&account.world, id));
        match view.filter(|view| view.archived_at().is_some() == archived) {
            None => missing.push(text.clone()),
            Some(view) if seen.insert(view.record.id) => views.push(view),
            Some(_) => {}
        }
    }
    (views, missing)
}
