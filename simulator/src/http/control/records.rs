//! Changes to records.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Done, Refusal, done, kind_of, read};
use crate::account::{EditError, Moment, MutateRequest, Source};
use crate::generate::text::MOMENTS;
use crate::http::body::scalar_text;
use crate::http::reply::Reply;
use crate::simulator::Simulator;

/// Most records one call makes; each is kept in memory.
const MOST_CREATED: u64 = 1_000_000;

/// Values as sent: text, numbers and booleans are taken, null clears.
type SentValues = BTreeMap<String, Value>;

impl From<EditError> for Refusal {
    fn from(error: EditError) -> Self {
        match error {
            EditError::NoSuchRecord(id) => Self::unknown(format!("no record {id} in the needed state")),
            EditError::NoSuchProperty(name) => {
                Self::bad(format!("property {name} does not exist or cannot be set"))
            }
            EditError::BadValue { property, value } => {
                Self::bad(format!("{value:?} is no value of {property}"))
            }
        }
    }
}

/// Finds what a request about records asks for.
pub fn dispatch(simulator: &Simulator, method: &str, path: &[&str], body: &[u8]) -> Done {
    match (method, path) {
        ("POST", ["objects", name]) => create(simulator, name, body),
        ("POST", ["objects", name, "merge"]) => merge(simulator, name, body),
        ("PATCH", ["objects", name, id]) => update(simulator, name, id, body),
        ("DELETE", ["objects", name, id]) => {
            let (kind, moment) = (kind_of(simulator, name)?, simulator.moment());
            simulator.account_mut().archive(kind, id_of(id)?, moment)?;
            Ok(done())
        }
        ("POST", ["objects", name, id, "purge"]) => {
            let (kind, moment) = (kind_of(simulator, name)?, simulator.moment());
            simulator.account_mut().purge(kind, id_of(id)?, moment)?;
            Ok(done())
        }
        ("POST", ["objects", name, id, "restore"]) => {
            let (kind, moment) = (kind_of(simulator, name)?, simulator.moment());
            simulator.account_mut().restore(kind, id_of(id)?, moment)?;
            Ok(done())
        }
        ("POST", ["mutate"]) => mutate(simulator, body),
        ("POST", ["touch"]) => touch(simulator, body),
        ("POST", ["recalculate"]) => recalculate(simulator, body),
        ("POST", ["silent"]) => silent(simulator, body),
        ("POST", ["raw", name, id]) => {
            let Raw { json } = read(body)?;
            let kind = kind_of(simulator, name)?;
            simulator.account_mut().store_mut(kind).set_raw(id_of(id)?, Some(json.into_boxed_str()));
            Ok(done())
        }
        ("DELETE", ["raw", name, id]) => {
            let kind = kind_of(simulator, name)?;
            simulator.account_mut().store_mut(kind).set_raw(id_of(id)?, None);
            Ok(done())
        }
        _ => Err(Refusal::unknown(format!("no control call {method} {}", path.join("/")))),
    }
}

/// Reads an id.
fn id_of(text: &str) -> Result<u64, Refusal> {
    text.parse().map_err(|_| Refusal::bad(format!("{text} is not an id")))
}

/// Ids as the API shows them.
fn ids_reply(ids: &[u64]) -> Reply {
    let texts: Vec<String> = ids.iter().map(u64::to_string).collect();
    Reply::json(200, &json!({ "ids": texts }))
}

/// Values as the account takes them.
fn given(values: &SentValues) -> BTreeMap<String, Option<String>> {
    values.iter().map(|(name, value)| (name.clone(), scalar_text(value))).collect()
}

/// The body of `POST objects/{type}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    /// Values of the new records; generated when absent.
    properties: Option<SentValues>,
    /// How many records.
    #[serde(default = "one")]
    count: u64,
    /// The app that makes them; a person when absent.
    app: Option<u32>,
}

/// One record unless the request says otherwise.
const fn one() -> u64 {
    1
}

/// Refuses to make more records than fit.
pub fn check_count(count: u64) -> Result<(), Refusal> {
    if count <= MOST_CREATED {
        return Ok(());
    }
    Err(Refusal::bad(format!("at most {MOST_CREATED} records at once")))
}

/// `POST objects/{type}`.
fn create(simulator: &Simulator, name: &str, body: &[u8]) -> Done {
    let request: Create = read(body)?;
    check_count(request.count)?;
    let kind = kind_of(simulator, name)?;
    let values = request.properties.as_ref().map(given);
    let moment = moment_of(simulator, request.app);
    let mut account = simulator.account_mut();
    let created: Result<Vec<u64>, EditError> =
        (0..request.count).map(|_| account.create(kind, values.as_ref(), moment)).collect();
    Ok(ids_reply(&created?))
}

/// The body of `PATCH objects/{type}/{id}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Update {
    /// New values.
    properties: SentValues,
    /// The app that sets them; a person when absent.
    app: Option<u32>,
}

/// The moment of a change made now by an app, or by a person.
fn moment_of(simulator: &Simulator, app: Option<u32>) -> Moment {
    let moment = simulator.moment();
    Moment { source: app.map_or(moment.source, Source::Integration), ..moment }
}

/// `PATCH objects/{type}/{id}`.
fn update(simulator: &Simulator, name: &str, id: &str, body: &[u8]) -> Done {
    let request: Update = read(body)?;
    let (kind, moment) = (kind_of(simulator, name)?, moment_of(simulator, request.app));
    simulator.account_mut().update(kind, id_of(id)?, &given(&request.properties), moment)?;
    Ok(done())
}

/// The body of `POST objects/{type}/merge`; the same as HubSpot's.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Merge {
    /// Whose current values win.
    primary_object_id: String,
    /// Which record goes into it.
    object_id_to_merge: String,
}

/// `POST objects/{type}/merge`.
fn merge(simulator: &Simulator, name: &str, body: &[u8]) -> Done {
    let request: Merge = read(body)?;
    let (primary, other) = (id_of(&request.primary_object_id)?, id_of(&request.object_id_to_merge)?);
    let (kind, moment) = (kind_of(simulator, name)?, simulator.moment());
    let survivor = simulator.account_mut().merge(kind, primary, other, moment)?;
    Ok(Reply::json(200, &json!({ "id": survivor.to_string() })))
}

/// The body of `POST mutate`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Mutate {
    /// Plural name of the type.
    #[serde(rename = "type")]
    object_type: String,
    /// How many records.
    count: u64,
    /// Which ones, and to what.
    #[serde(default)]
    seed: u64,
    /// All get one last-modified.
    #[serde(default)]
    same_millisecond: bool,
    /// The last-modified all get.
    last_modified: Option<i64>,
}

/// `POST mutate`.
fn mutate(simulator: &Simulator, body: &[u8]) -> Done {
    let request: Mutate = read(body)?;
    if request.last_modified.is_some_and(|moment| !MOMENTS.contains(&moment)) {
        return Err(Refusal::bad("lastModified is not a moment in epoch milliseconds"));
    }
    let request = MutateRequest {
        kind: kind_of(simulator, &request.object_type)?,
        count: request.count,
        seed: request.seed,
        same_millisecond: request.same_millisecond,
        last_modified: request.last_modified,
    };
    let moment = simulator.moment();
    let ids = simulator.account_mut().mutate(request, moment);
    Ok(ids_reply(&ids))
}

/// The body of `POST touch`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Touch {
    /// Plural name of the type.
    #[serde(rename = "type")]
    object_type: String,
    /// How many records.
    count: u64,
    /// Which ones.
    #[serde(default)]
    seed: u64,
}

/// `POST touch`.
fn touch(simulator: &Simulator, body: &[u8]) -> Done {
    let request: Touch = read(body)?;
    let kind = kind_of(simulator, &request.object_type)?;
    let moment = simulator.moment();
    let ids = simulator.account_mut().touch_many(kind, request.count, request.seed, moment);
    Ok(ids_reply(&ids))
}

/// `POST recalculate`; the body is that of `POST touch`.
fn recalculate(simulator: &Simulator, body: &[u8]) -> Done {
    let request: Touch = read(body)?;
    let kind = kind_of(simulator, &request.object_type)?;
    let moment = simulator.moment();
    let ids = simulator.account_mut().recalculate(kind, request.count, request.seed, moment);
    Ok(ids_reply(&ids))
}

/// The body of `POST silent`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Silent {
    /// Plural name of the type.
    #[serde(rename = "type")]
    object_type: String,
    /// The record.
    id: String,
    /// New values.
    properties: SentValues,
}

/// `POST silent`.
fn silent(simulator: &Simulator, body: &[u8]) -> Done {
    let request: Silent = read(body)?;
    let kind = kind_of(simulator, &request.object_type)?;
    let moment = simulator.moment();
    simulator.account_mut().update_silently(
        kind,
        id_of(&request.id)?,
        &given(&request.properties),
        moment,
    )?;
    Ok(done())
}

/// The body of `POST raw/{type}/{id}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    /// What is served in place of the record.
    json: String,
}
