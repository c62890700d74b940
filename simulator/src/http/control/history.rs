//! What was written: every value with who set it and when, and what was created.
//!
//! | Path | What |
//! | --- | --- |
//! | `GET history/{type}` | records somebody wrote to, one JSON object a line |
//! | `GET history/{type}/{id}` | one of them |
//! | `GET creates/{type}` | records made through the API since the start, one JSON object a line |
//! | `GET creates/{type}?by=email` | how many were made with each value of a property |

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::{Map, Value, json};

use super::{Done, Refusal, kind_of};
use crate::account::{Account, Change, change};
use crate::generate::text::moment_text;
use crate::http::query::Query;
use crate::http::reply::Reply;
use crate::object_type::Kind;
use crate::simulator::Simulator;

/// Finds what a request about what was written asks for.
pub fn dispatch(simulator: &Simulator, method: &str, path: &[&str], query: &Query<'_>) -> Done {
    match (method, path) {
        ("GET", ["history", name]) => Ok(all(simulator, kind_of(simulator, name)?)),
        ("GET", ["history", name, id]) => one(simulator, kind_of(simulator, name)?, id),
        ("GET", ["creates", name]) => {
            let kind = kind_of(simulator, name)?;
            Ok(query.get("by").map_or_else(|| creates(simulator, kind), |by| counts(simulator, kind, by)))
        }
        _ => Err(Refusal::unknown(format!("no control call {method} {}", path.join("/")))),
    }
}

/// `GET history/{type}`: in order of id, also of records in the bin and merged away.
fn all(simulator: &Simulator, kind: Kind) -> Reply {
    let account = simulator.account();
    let changes = account.store(kind).changes();
    lines(changes.map(|(id, change)| to_json(&account, kind, id, change)))
}

/// `GET history/{type}/{id}`: a record nobody wrote to has no values here.
fn one(simulator: &Simulator, kind: Kind, id: &str) -> Done {
    let account = simulator.account();
    let id: u64 = id.parse().map_err(|_| Refusal::bad(format!("{id} is not an id")))?;
    let view = account.store(kind).get(&account.world, id);
    let view = view.ok_or_else(|| Refusal::unknown(format!("no record {id}")))?;
    let untouched = Change::default();
    Ok(Reply::json(200, &to_json(&account, kind, id, view.change.unwrap_or(&untouched))))
}

/// A record with the values somebody set, newest first, by property.
fn to_json(account: &Account, kind: Kind, id: u64, change: &Change) -> Value {
    let catalogue = account.catalogue(kind);
    let indexes = change.values.keys().filter(|&&index| !catalogue.is_purged(index));
    let properties: Map<String, Value> = indexes
        .map(|&index| {
            let entries: Value = change.history(index).map(entry).collect();
            (catalogue.get(index).name.clone(), entries)
        })
        .collect();
    json!({ "id": id.to_string(), "properties": properties })
}

/// One value of a history.
fn entry(value: &change::Value) -> Value {
    json!({
        "value": value.text,
        "timestamp": moment_text(value.set_at),
        "sourceType": value.source.kind(),
        "sourceId": value.source.id(),
    })
}

/// `GET creates/{type}`: in the order they were made.
fn creates(simulator: &Simulator, kind: Kind) -> Reply {
    let account = simulator.account();
    lines(account.created(kind).map(|created| {
        json!({
            "id": created.id.to_string(),
            "createdAt": moment_text(created.at),
            "properties": created.values,
        })
    }))
}

/// `GET creates/{type}?by=...`: records made without a value of the property are not counted.
fn counts(simulator: &Simulator, kind: Kind, by: &str) -> Reply {
    let account = simulator.account();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for created in account.created(kind) {
        if let Some(text) = created.values.get(by).and_then(Option::as_deref) {
            *counts.entry(text).or_default() += 1;
        }
    }
    Reply::json(200, &json!({ "counts": counts }))
}

/// Documents, one a line.
fn lines(documents: impl Iterator<Item = Value>) -> Reply {
    let pieces: Vec<Bytes> = documents.map(|document| Bytes::from(format!("{document}\n"))).collect();
    Reply::lines(stream::iter(pieces).boxed())
}
