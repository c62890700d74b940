//! The control API under `/_sim`: for tests and demonstrations, without token.
//!
//! | Path | What |
//! | --- | --- |
//! | `GET stats`, `POST stats/reset` | what was asked |
//! | `GET settings`, `PATCH settings` | what can be changed while running |
//! | `DELETE scopes/{type}`, `PUT scopes/{type}` | takes the scopes of a type away and gives them back; also one by its name |
//! | `POST clock/advance` | moves time forward |
//! | `GET faults`, `POST faults`, `DELETE faults` | misbehaviour |
//! | `GET truth/{type}`, `GET count/{type}` | what the records really are |
//! | `GET history/{type}`, `GET history/{type}/{id}` | every value somebody set, with who and when |
//! | `GET creates/{type}` | what was created through the API, and with `?by=email` how often, see `history` |
//! | `POST objects/{type}`, `PATCH`/`DELETE objects/{type}/{id}`, `POST .../restore`, `POST .../purge`, `POST objects/{type}/merge` | changes to single records, by a person or with `"app"` by another app |
//! | `POST mutate`, `POST touch`, `POST silent` | changes to many, of last-modified alone, without last-modified |
//! | `POST recalculate` | new values of calculated properties of many, without last-modified |
//! | `POST`/`DELETE raw/{type}/{id}` | literal JSON in place of a record |
//! | `associations/{from}/{to}`, `labels/{from}/{to}` | links and labels, see `associations` |
//! | `POST schemas` | an object type of the portal's own, with records, see `schemas` |
//! | `PATCH properties/{type}/{name}`, `DELETE` | definitions, archived and revived as well; gone for good at once |
//! | `GET`/`PUT pipelines/{type}` | pipelines and stages |
//! | `GET`/`POST owners`, `PATCH owners/{id}` | owners |
//! | `PUT`/`GET`/`DELETE webhooks`, `POST webhooks/storm` | the app's webhooks, see `webhooks` |

mod associations;
mod definitions;
mod history;
mod records;
mod schemas;
mod truth;
mod webhooks;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::faults::Fault;
use crate::http::query::Query;
use crate::http::reply::{ApiError, Reply};
use crate::object_type::{Kind, ObjectType};
use crate::simulator::Simulator;

/// A control request that cannot be done: a status and what is wrong.
pub struct Refusal {
    /// HTTP status.
    status: u16,
    /// What is wrong.
    message: String,
}

impl Refusal {
    /// Something the request says is wrong.
    fn bad(message: impl Into<String>) -> Self {
        Self { status: 400, message: message.into() }
    }

    /// Something the request names does not exist.
    fn unknown(what: impl Into<String>) -> Self {
        Self { status: 404, message: what.into() }
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self { status: error.status(), message: error.message().to_owned() }
    }
}

/// What a control request leads to.
type Done = Result<Reply, Refusal>;

/// Answers a control request; `path` is what follows `/_sim/`.
pub fn handle(
    simulator: &Arc<Simulator>,
    method: &str,
    path: &str,
    query: Option<&str>,
    body: &[u8],
) -> Reply {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let query = Query::parse(query.unwrap_or_default());
    let done = dispatch(simulator, method, &segments, &query, body);
    done.unwrap_or_else(|refusal| Reply::json(refusal.status, &json!({ "error": refusal.message })))
}

/// Finds what a control request asks for.
fn dispatch(simulator: &Arc<Simulator>, method: &str, path: &[&str], query: &Query<'_>, body: &[u8]) -> Done {
    match (method, path) {
        ("GET", ["stats"]) => {
            let document = simulator.stats().to_json(&simulator.limiter());
            Ok(Reply::json(200, &document))
        }
        ("POST", ["stats", "reset"]) => {
            *simulator.stats() = crate::stats::Stats::default();
            simulator.limiter().reset_extremes();
            Ok(done())
        }
        ("GET", ["settings"]) => Ok(Reply::json(200, &json!(*simulator.settings()))),
        ("PATCH", ["settings"]) => patch_settings(simulator, body),
        ("DELETE", ["scopes", name]) => change_scope(simulator, name, false),
        ("PUT", ["scopes", name]) => change_scope(simulator, name, true),
        ("POST", ["clock", "advance"]) => advance_clock(simulator, body),
        ("GET", ["faults"]) => Ok(Reply::json(200, &json!({ "faults": simulator.faults().waiting() }))),
        ("POST", ["faults"]) => add_faults(simulator, body),
        ("DELETE", ["faults"]) => {
            simulator.faults().clear();
            Ok(done())
        }
        ("GET", ["truth", name]) => {
            Ok(truth::stream(simulator, object_type(simulator, name)?, query.flag("archived")))
        }
        ("GET", ["count", name]) => Ok(truth::count(simulator, kind_of(simulator, name)?)),
        (_, ["objects" | "mutate" | "touch" | "recalculate" | "silent" | "raw", ..]) => {
            records::dispatch(simulator, method, path, body)
        }
        (_, ["history" | "creates", ..]) => history::dispatch(simulator, method, path, query),
        (_, ["associations" | "labels", ..]) => associations::dispatch(simulator, method, path, body),
        ("POST", ["schemas"]) => schemas::define(simulator, body),
        (_, ["properties" | "pipelines" | "owners", ..]) => {
            definitions::dispatch(simulator, method, path, body)
        }
        (_, ["webhooks", ..]) => webhooks::dispatch(simulator, method, path, body),
        _ => Err(Refusal::unknown(format!("no control call {method} {}", path.join("/")))),
    }
}

/// An answer that says nothing but yes.
fn done() -> Reply {
    Reply::json(200, &json!({ "ok": true }))
}

/// The type a path or body names.
fn object_type(simulator: &Simulator, name: &str) -> Result<Arc<ObjectType>, Refusal> {
    let found = simulator.account().registry().find(name).cloned();
    found.ok_or_else(|| Refusal::unknown(format!("no object type {name}")))
}

/// The kind of the type a path or body names. To be asked before the account is held to change it.
fn kind_of(simulator: &Simulator, name: &str) -> Result<Kind, Refusal> {
    object_type(simulator, name).map(|object_type| object_type.kind)
}

/// Reads a body; an empty one is an empty object.
fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Refusal> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| Refusal::bad(error.to_string()))
}

/// `PATCH settings`.
fn patch_settings(simulator: &Simulator, body: &[u8]) -> Done {
    let patched = simulator.settings().patched(read::<Value>(body)?);
    let settings = patched.map_err(|error| Refusal::bad(format!("{error:#}")))?;
    let document = json!(settings);
    simulator.set_settings(settings);
    Ok(Reply::json(200, &document))
}

/// `DELETE scopes/{name}` and `PUT scopes/{name}`: takes a scope, or all of a type, from the token or gives it back.
fn change_scope(simulator: &Simulator, name: &str, is_granted: bool) -> Done {
    let mut settings = crate::settings::Settings::clone(&simulator.settings());
    let is_scope = name.starts_with("crm.");
    let denied = if is_scope { &mut settings.denied_scopes } else { &mut settings.denied_types };
    if is_scope || name == "custom" {
        denied.retain(|known| known != name);
    } else {
        let object_type = object_type(simulator, name)?;
        denied.retain(|known| !object_type.is_called(known));
    }
    if !is_granted {
        denied.push(name.to_owned());
    }
    let document = json!({ "deniedTypes": settings.denied_types, "deniedScopes": settings.denied_scopes });
    simulator.set_settings(settings);
    Ok(Reply::json(200, &document))
}

/// The body of `POST clock/advance`.
#[derive(Debug, Deserialize)]
struct Advance {
    /// Milliseconds.
    ms: i64,
}

/// `POST clock/advance`. Records whose time in the bin ends on the way are gone when this answers.
fn advance_clock(simulator: &Simulator, body: &[u8]) -> Done {
    let Advance { ms } = read(body)?;
    simulator.clock.advance(ms);
    let moment = simulator.moment();
    simulator.account_mut().empty_bin(moment);
    Ok(Reply::json(200, &json!({ "now": simulator.clock.now() })))
}

/// `POST faults`: one fault or a list.
fn add_faults(simulator: &Simulator, body: &[u8]) -> Done {
    let document: Value = read(body)?;
    let list = if document.is_array() { document } else { json!([document]) };
    let faults: Vec<Fault> = serde_json::from_value(list).map_err(|error| Refusal::bad(error.to_string()))?;
    for fault in faults {
        simulator.faults().add(fault);
    }
    Ok(done())
}
