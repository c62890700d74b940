//! The quarantine: records and values that could not be stored as they should. They are asked for again, or let go.

use askama::Template;
use axum::extract::{Form, State};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::clock;
use crate::model::{ObjectId, ObjectType};
use crate::storage::{
    QuarantineName, Quarantined, ask_for_record, let_go, list_quarantined, quarantine_figures,
    quarantined_ids,
};
use crate::web::App;
use crate::web::api::query::{Parameters, type_name};
use crate::web::dashboard::frame::{Frame, Section, page};
use crate::web::dashboard::listing::{SelectOption, address, given, options};
use crate::web::dashboard::mention::{Mention, Mentions, RecordName};
use crate::web::dashboard::moment::Moment;
use crate::web::error::ApiError;

/// Entries of a page.
const PAGE: u32 = 50;
/// Most records that are asked for at once, of a type: what is asked for is read before what HubSpot tells of later.
const AT_ONCE: u32 = 500;

/// What is wanted, as it is written in an address.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    #[serde(rename = "type")]
    object_type: Option<String>,
    /// The entry before the first, as [`cursor`] writes it.
    after: Option<String>,
    /// How many records were asked for by what led here.
    asked: Option<u64>,
    /// How many entries were let go.
    released: Option<u64>,
}

/// The page.
#[derive(Template)]
#[template(path = "health_quarantine.html")]
struct QuarantinePage {
    frame: Frame,
    types: Vec<SelectOption>,
    is_filtered: bool,
    asked: Option<u64>,
    released: Option<u64>,
    records: u64,
    values: u64,
    rows: Vec<EntryRow>,
    next: Option<String>,
    first: Option<String>,
}

/// An entry.
struct EntryRow {
    entry: QuarantineName,
    record: Mention,
    is_record: bool,
    reason: String,
    /// The beginning of what HubSpot sent.
    raw: String,
    attempts: i32,
    since: Moment,
    last: Moment,
    can_be_read: bool,
}

/// The page that asks whether all are to be let go.
#[derive(Template)]
#[template(path = "health_release.html")]
struct ReleasePage {
    frame: Frame,
    records: u64,
    values: u64,
}

/// Which entry is meant; none is named: all of them.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Chosen {
    #[serde(rename = "type")]
    object_type: Option<String>,
    record: Option<String>,
    /// Empty: the record as a whole.
    #[serde(default)]
    property: String,
}

impl Chosen {
    /// The entry; `None`: all of them.
    ///
    /// # Errors
    /// When only half of a name is given: it must not become everything.
    fn name(self) -> Result<Option<QuarantineName>, ApiError> {
        match (given(self.object_type), given(self.record)) {
            (Some(object_type), Some(record)) => Ok(Some((object_type, record, self.property))),
            (None, None) => Ok(None),
            _ => Err(ApiError::bad_request("An entry has a type and a record; give both, or none for all")),
        }
    }
}

/// Shows it.
pub(super) async fn show(
    State(app): State<App>,
    Parameters(wanted): Parameters<Wanted>,
) -> Result<Response, ApiError> {
    let (object_type, after) = (type_name(given(wanted.object_type))?, given(wanted.after));
    let place = after.as_deref().and_then(place);
    type_name(place.as_ref().map(|place| place.0.clone()))?;
    let found = list_quarantined(&app.database, object_type.as_deref(), place.as_ref(), PAGE).await?;
    let (mentions, types) = (Mentions::of(&app, &names(&found)).await?, app.types().await?);
    let at = |after: Option<String>| {
        address("/health/quarantine", [("type", object_type.clone()), ("after", after)])
    };
    let last = found.last().filter(|_| found.len() == PAGE as usize);
    let (records, values) = totals(&app).await?;
    let now = clock::now();
    let rows = found.iter().map(|entry| EntryRow::new(entry, &mentions, &types, now)).collect();
    Ok(page(&QuarantinePage {
        frame: Frame::new(&app, Section::Health).await?,
        types: options(types.iter().map(|known| known.name), object_type.as_deref()),
        is_filtered: object_type.is_some() || after.is_some(),
        asked: wanted.asked,
        released: wanted.released,
        records,
        values,
        next: last.map(|last| at(Some(cursor(last)))),
        first: after.as_ref().map(|_| at(None)),
        rows,
    }))
}

/// Asks for a record to be read again, or for all of them.
pub(super) async fn read(State(app): State<App>, Form(chosen): Form<Chosen>) -> Result<Response, ApiError> {
    let types = app.types().await?;
    let mut wanted: Vec<(&ObjectType, ObjectId)> = Vec::new();
    match chosen.name()? {
        Some((object_type, record, _)) => {
            let object_type = types.iter().find(|known| known.name == object_type);
            wanted.extend(object_type.copied().zip(record.parse().ok()));
        }
        None => {
            for object_type in types {
                let ids = quarantined_ids(&app.database, object_type, AT_ONCE).await?;
                wanted.extend(ids.into_iter().map(|id| (object_type, id)));
            }
        }
    }
    let now = clock::now();
    for (object_type, id) in &wanted {
        ask_for_record(&app.database, object_type, *id, now).await?;
    }
    Ok(Redirect::to(&format!("/health/quarantine?asked={}", wanted.len())).into_response())
}

/// Asks whether all are to be let go.
pub(super) async fn ask(State(app): State<App>) -> Result<Response, ApiError> {
    let (records, values) = totals(&app).await?;
    let frame = Frame::new(&app, Section::Health).await?;
    Ok(page(&ReleasePage { frame, records, values }))
}

/// Lets an entry go, or all of them.
pub(super) async fn release(
    State(app): State<App>,
    Form(chosen): Form<Chosen>,
) -> Result<Response, ApiError> {
    let entry = chosen.name()?;
    type_name(entry.as_ref().map(|entry| entry.0.clone()))?;
    let released = let_go(&app.database, entry.as_ref()).await?;
    Ok(Redirect::to(&format!("/health/quarantine?released={released}")).into_response())
}

/// How many whole records, and how many values lie there.
async fn totals(app: &App) -> Result<(u64, u64), ApiError> {
    let figures = quarantine_figures(&app.database).await?;
    Ok(figures.iter().fold((0, 0), |sum, (_, records, values)| (sum.0 + records, sum.1 + values)))
}

/// The records of entries.
fn names(found: &[Quarantined]) -> Vec<RecordName> {
    found.iter().map(name).collect()
}

/// The record of an entry.
fn name(entry: &Quarantined) -> RecordName {
    let hubspot_id = entry.record_key.parse().ok();
    RecordName { object_type: entry.object_type.clone(), row_id: None, hubspot_id }
}

/// An entry in an address: neither types nor keys have a slash.
fn cursor(entry: &Quarantined) -> String {
    format!("{}/{}/{}", entry.object_type, entry.record_key, entry.property)
}

/// The entry an address names.
fn place(cursor: &str) -> Option<QuarantineName> {
    let mut parts = cursor.splitn(3, '/').map(str::to_owned);
    Some((parts.next()?, parts.next()?, parts.next()?))
}

impl EntryRow {
    /// What is shown of an entry.
    fn new(entry: &Quarantined, mentions: &Mentions, types: &[&ObjectType], now: DateTime<Utc>) -> Self {
        let record = name(entry);
        let is_known = types.iter().any(|known| known.name == entry.object_type);
        let mention = if record.hubspot_id.is_some() {
            mentions.mention(&record)
        } else {
            let name = format!("{}, without an id", entry.object_type);
            Mention { name, ids: entry.record_key.clone(), path: None }
        };
        Self {
            entry: (entry.object_type.clone(), entry.record_key.clone(), entry.property.clone()),
            record: mention,
            is_record: entry.property.is_empty(),
            reason: entry.reason.clone(),
            raw: entry.raw.clone(),
            attempts: entry.attempts,
            since: Moment::new(entry.first_seen_at, now),
            last: Moment::new(entry.last_seen_at, now),
            can_be_read: is_known && record.hubspot_id.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_the_address_it_is_written_in() {
        let now = clock::now();
        let entry = Quarantined {
            object_type: "contacts".into(),
            record_key: "512".into(),
            property: "a/b".into(),
            reason: String::new(),
            raw: String::new(),
            attempts: 1,
            first_seen_at: now,
            last_seen_at: now,
        };
        let expected = ("contacts".to_owned(), "512".to_owned(), "a/b".to_owned());
        assert_eq!(place(&cursor(&entry)), Some(expected));
        assert_eq!(place("contacts/512"), None);
    }

    #[test]
    fn a_form_without_a_record_means_all_of_them() {
        let text = |text: &str| Some(text.to_owned());
        let chosen = |object_type, record| Chosen { object_type, record, property: String::new() };
        assert_eq!(chosen(None, None).name().unwrap(), None);
        assert_eq!(
            chosen(text("contacts"), text("7")).name().unwrap(),
            Some(("contacts".into(), "7".into(), String::new()))
        );
        assert!(chosen(text("contacts"), None).name().is_err() && chosen(None, text("7")).name().is_err());
    }
}
