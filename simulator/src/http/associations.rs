//! Associations: reading them and their labels; `write` changes them.
//!
//! Source: HubSpot, "Associate records"; the errors for records without any as met by users.

pub mod call;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::account::Account;
use crate::account::associations::{Label, Labels, Pair};
use crate::generate::text::moment_text;
use crate::http::body;
use crate::http::objects::parse_id;
use crate::http::query::Query;
use crate::http::reply::{ApiError, Reply};
use crate::object_type::ObjectType;
use crate::simulator::Simulator;
use call::{Action, Call};

/// Most inputs of one batch read. Source: HubSpot changelog, "Batch Read Limit".
const MOST_INPUTS: usize = 1_000;

/// Linked records on a page of one record's, usually and at most.
const LARGEST_PAGE: usize = 500;

/// The two types of a call, from and to.
pub type Types<'a> = [&'a ObjectType; 2];

/// Answers a call. `answers_empty` is set for versions that answer removals in bulk without a body.
pub fn answer(
    simulator: &Simulator,
    call: &Call,
    types: Types<'_>,
    query: &Query<'_>,
    body: &[u8],
    answers_empty: bool,
) -> Result<Reply, ApiError> {
    match &call.action {
        Action::BatchRead => batch_read(simulator, types, body),
        Action::Read(id) => read(simulator, types, id, query),
        Action::Labels => Ok(labels(simulator, types)),
        change => write::answer(simulator, change, types, body, answers_empty),
    }
}

/// The labels of a pair as one direction shows them.
pub struct Names {
    /// The pair's labels, the plain one first.
    labels: Vec<Label>,
    /// Position of the direction.
    direction: usize,
}

impl Names {
    /// The labels between two types.
    pub fn new(account: &Account, [from, to]: Types<'_>) -> Self {
        let labels = account.associations().labels(Pair::of(from.kind, to.kind));
        Self { labels, direction: usize::from(from.kind > to.kind) }
    }

    /// Labels of a link, the plain one included. Between records of one type the ids decide on the direction.
    fn of_link(&self, from: u64, to: u64, types: Types<'_>, labels: &Labels) -> Vec<(&Label, usize)> {
        let direction = if types[0].kind == types[1].kind { usize::from(from > to) } else { self.direction };
        let shown = self.labels.iter().enumerate();
        let shown = shown.filter(|(position, label)| *position == 0 || labels.contains(&label.key()));
        shown.map(|(_, label)| (label, direction)).collect()
    }

    /// The types of a link as answers show them, labelled ones first.
    pub fn of(&self, from: u64, to: u64, types: Types<'_>, labels: &Labels) -> Value {
        let labels = self.of_link(from, to, types, labels);
        labels.iter().rev().map(|(label, direction)| label_json(label, *direction)).collect()
    }

    /// The names of a link's labels.
    pub fn texts(&self, from: u64, to: u64, types: Types<'_>, labels: &Labels) -> Vec<String> {
        let labels = self.of_link(from, to, types, labels);
        labels.iter().filter_map(|(label, direction)| label.names[*direction].clone()).collect()
    }
}

/// One label as answers show it.
fn label_json(label: &Label, direction: usize) -> Value {
    json!({
        "category": label.category,
        "typeId": label.type_ids[direction],
        "label": label.names[direction],
    })
}

/// A page of a record's links: the answer's entries, and where to go on.
fn page(
    account: &Account,
    types: Types<'_>,
    from: u64,
    links: &BTreeMap<u64, Labels>,
    after: u64,
    limit: usize,
) -> (Vec<Value>, Option<u64>) {
    let names = Names::new(account, types);
    let mut rest = links.range(after..);
    let shown = rest.by_ref().take(limit);
    let entries = shown
        .map(|(&to, labels)| {
            json!({ "toObjectId": to, "associationTypes": names.of(from, to, types, labels) })
        })
        .collect();
    (entries, rest.next().map(|(&id, _)| id))
}

/// Where the next page starts.
fn paging(next: u64) -> Value {
    json!({ "next": { "after": next.to_string() } })
}

/// Reads a cursor; absent and empty ones start at the beginning.
fn cursor(text: Option<&str>) -> Result<u64, ApiError> {
    match text {
        None | Some("") => Ok(0),
        Some(text) => text.parse().map_err(|_| {
            ApiError::validation(format!("Unable to parse value for query parameter: after. {text}"))
        }),
    }
}

/// The body of a batch read.
#[derive(Debug, Deserialize)]
struct BatchRead {
    /// What to read.
    inputs: Option<Vec<Input>>,
}

/// One record to read the links of.
#[derive(Debug, Deserialize)]
struct Input {
    /// Its id, as text or number.
    id: Option<Value>,
    /// Where to go on.
    after: Option<String>,
}

/// `POST /crm/associations/{version}/{from}/{to}/batch/read`: records without links are reported as errors.
fn batch_read(simulator: &Simulator, types: Types<'_>, body: &[u8]) -> Result<Reply, ApiError> {
    let request: BatchRead = body::parse(body)?;
    let inputs = request.inputs.ok_or_else(|| body::missing("inputs"))?;
    check_size(inputs.len(), MOST_INPUTS)?;
    let started_at = moment_text(simulator.clock.now());
    let limit = simulator.settings().association_page_size;
    let account = simulator.account();
    let (mut results, mut errors, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for input in &inputs {
        let text = input.id.as_ref().and_then(body::scalar_text).ok_or_else(|| body::missing("id"))?;
        let after = cursor(input.after.as_deref())?;
        if !seen.insert((text.clone(), after)) {
            continue;
        }
        // What is no id at all has no links either.
        let id = text.parse::<u64>().unwrap_or_default();
        let (to, next) =
            page(&account, types, id, &account.links((types[0].kind, id), types[1].kind), after, limit);
        if to.is_empty() {
            errors.push(nothing_found(types, &text));
            continue;
        }
        let mut result = json!({ "from": { "id": text }, "to": to });
        if let Some(next) = next {
            result["paging"] = paging(next);
        }
        results.push(result);
    }
    Ok(batch_reply(simulator, &started_at, &results, &errors, 200))
}

/// Refuses a batch that is too large.
fn check_size(inputs: usize, most: usize) -> Result<(), ApiError> {
    if inputs <= most {
        return Ok(());
    }
    Err(ApiError::validation(format!(
        "The maximum number of inputs supported in a batch is {most}. Please reduce the number of items and try again"
    )))
}

/// The envelope of a batch: 207 when anything went wrong.
fn batch_reply(
    simulator: &Simulator,
    started_at: &str,
    results: &[Value],
    errors: &[Value],
    status: u16,
) -> Reply {
    let mut document = json!({
        "status": "COMPLETE",
        "results": results,
        "startedAt": started_at,
        "completedAt": moment_text(simulator.clock.now()),
    });
    if errors.is_empty() {
        return Reply::json(status, &document);
    }
    document["numErrors"] = json!(errors.len());
    document["errors"] = json!(errors);
    Reply::json(207, &document)
}

/// What a batch read says about a record without links. Source: HubSpot developer Slack.
fn nothing_found([from, to]: Types<'_>, id: &str) -> Value {
    json!({
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": format!("No {} is associated with {} {id}.", to.singular, from.singular),
        "context": { "fromObjectId": [id], "fromObjectType": [from.singular], "toObjectType": [to.singular] },
    })
}

/// `GET /crm/objects/{version}/{from}/{id}/associations/{to}`: a page of one record's links.
fn read(simulator: &Simulator, types: Types<'_>, id: &str, query: &Query<'_>) -> Result<Reply, ApiError> {
    let limit = query.get("limit").map_or(Ok(LARGEST_PAGE), str::parse).unwrap_or_default();
    if limit > LARGEST_PAGE {
        let message = format!("You can only request at most {LARGEST_PAGE} associations at once.");
        return Err(ApiError::validation(message));
    }
    if limit == 0 {
        return Err(ApiError::validation("limit must be greater than 0"));
    }
    let account = simulator.account();
    let id = account.store(types[0].kind).survivor(parse_id(id)?);
    account.live(types[0].kind, id).ok_or_else(ApiError::not_found)?;
    let links = account.links((types[0].kind, id), types[1].kind);
    let (results, next) = page(&account, types, id, &links, cursor(query.get("after"))?, limit);
    let mut document = json!({ "results": results });
    if let Some(next) = next {
        document["paging"] = paging(next);
    }
    Ok(Reply::json(200, &document))
}

/// `GET /crm/associations/{version}/{from}/{to}/labels`: the plain link, the primary one and what people defined.
fn labels(simulator: &Simulator, types: Types<'_>) -> Reply {
    let names = Names::new(&simulator.account(), types);
    let results: Vec<Value> = names.labels.iter().map(|label| label_json(label, names.direction)).collect();
    Reply::json(200, &json!({ "results": results }))
}

/// The `associations` field of a record: per asked type an entry for every label of every link.
/// Source: HubSpot, "Using object APIs".
pub fn embedded(
    account: &Account,
    from: &ObjectType,
    id: u64,
    asked: &[(String, Arc<ObjectType>)],
) -> Option<Value> {
    /// Entries shown per type.
    const SHOWN: usize = 100;
    let mut fields = serde_json::Map::new();
    for (name, to) in asked {
        let types = [from, to];
        let names = Names::new(account, types);
        let mut entries = Vec::new();
        let mut next = None;
        for (&other, labels) in &account.links((from.kind, id), to.kind) {
            if entries.len() >= SHOWN {
                next = Some(other);
                break;
            }
            entries.extend(
                names.of_link(id, other, types, labels).into_iter().map(|(label, direction)| {
                    json!({ "id": other.to_string(), "type": type_name(types, label, direction) })
                }),
            );
        }
        if !entries.is_empty() {
            let mut field = json!({ "results": entries });
            if let Some(next) = next {
                field["paging"] = paging(next);
            }
            fields.insert(name.clone(), field);
        }
    }
    (!fields.is_empty()).then_some(Value::Object(fields))
}

/// How an embedded association names its type. Where there is a primary label, it has the short name.
fn type_name([from, to]: Types<'_>, label: &Label, direction: usize) -> String {
    let base = format!("{}_to_{}", from.singular, to.singular);
    let has_primary = crate::account::associations::primary_key(Pair::of(from.kind, to.kind));
    match &label.names[direction] {
        None if has_primary.is_some() => format!("{base}_unlabeled"),
        None => base,
        Some(_) if Some(label.key()) == has_primary => base,
        Some(name) => name.to_lowercase().replace(' ', "_"),
    }
}
