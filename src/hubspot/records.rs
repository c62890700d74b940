//! Questions about records: listing, reading, searching, counting.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use serde::Serialize;
use serde_json::json;

use super::limiter::Quota;
use super::transport::Call;
use super::wire::Malformed;
use super::wire::history::parse_histories;
use super::wire::page::{parse_batch, parse_list, parse_search, parse_total};
use super::{BatchRead, HistoryRead, HubSpotClient, HubSpotError, Priority, RecordPage, SearchPage};
use crate::clock;
use crate::model::{Cursor, ObjectId, ObjectType, Window};

/// Records per page of a listing and per batch read, the most HubSpot allows. Source: HubSpot, "Using object APIs".
pub const RECORD_PAGE: usize = 100;

/// Records per batch read with history, the most HubSpot allows. Source: HubSpot, "Contacts".
pub const HISTORY_PAGE: usize = 50;

/// Hits per page of a search, the most HubSpot allows. Source: HubSpot, "Search the CRM".
pub const SEARCH_PAGE: usize = 200;

/// The property every record has. Asking for it alone keeps an answer small; asking for none brings the default ones.
pub(super) const ID: &str = "hs_object_id";

/// Which records of a type are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bin {
    /// Those that are not deleted.
    Live,
    /// Those in the recycle bin.
    Archived,
}

impl Bin {
    /// The end of the query string.
    const fn parameter(self) -> &'static str {
        match self {
            Self::Live => "",
            Self::Archived => "&archived=true",
        }
    }

    /// How sentences call such records.
    const fn adjective(self) -> &'static str {
        match self {
            Self::Live => "",
            Self::Archived => "archived ",
        }
    }
}

/// HTTP status of a URL that is too long.
const URI_TOO_LONG: u16 = 414;

impl HubSpotClient {
    /// A page of at most 100 records in ascending id order with the named properties, from the first record or from
    /// where `after` says. Archived records are not listed.
    ///
    /// When the properties do not fit into a URL the page takes two requests: one lists the ids, one reads them.
    /// Reading the page several times with a part of the properties each would take more requests and could join
    /// parts of two versions of a record.
    pub async fn list_records(
        &self,
        object_type: &ObjectType,
        properties: &[String],
        after: Option<&Cursor>,
        priority: Priority,
    ) -> Result<RecordPage, HubSpotError> {
        let call = self.list_call(object_type, properties, after, Bin::Live, priority);
        let length = self.shared.transport.url(&call.path, &call.query).len();
        if length <= self.shared.url_budget.load(Ordering::Relaxed) {
            match self.list_page(&call, after).await {
                Err(error) if error.status() == Some(URI_TOO_LONG) => {
                    self.shared.url_budget.fetch_min(length - 1, Ordering::Relaxed);
                }
                result => return result,
            }
        }
        self.list_then_read(object_type, properties, after, priority).await
    }

    /// A page in two requests. Records that vanish in between are left out.
    async fn list_then_read(
        &self,
        object_type: &ObjectType,
        properties: &[String],
        after: Option<&Cursor>,
        priority: Priority,
    ) -> Result<RecordPage, HubSpotError> {
        let call = self.list_call(object_type, &[ID.to_owned()], after, Bin::Live, priority);
        let mut page = self.list_page(&call, after).await?;
        let ids: Vec<ObjectId> = page.records.iter().map(|record| record.id).collect();
        let mut batch = self.read_records(object_type, properties, &ids, priority).await?;
        // A record merged away in between comes back as its survivor, which has its own place in the listing.
        batch.records.retain(|record| ids.contains(&record.id));
        batch.records.sort_unstable_by_key(|record| record.id);
        page.records = batch.records;
        page.rejected.append(&mut batch.rejected);
        Ok(page)
    }

    /// A page of at most 100 records in the recycle bin, in ascending id order, with the named properties: what was
    /// deleted within the last 90 days, and when. Where merged-away ids appear in it is not documented.
    pub async fn list_archived(
        &self,
        object_type: &ObjectType,
        properties: &[String],
        after: Option<&Cursor>,
        priority: Priority,
    ) -> Result<RecordPage, HubSpotError> {
        let call = self.list_call(object_type, properties, after, Bin::Archived, priority);
        self.list_page(&call, after).await
    }

    /// The call for a page of a listing.
    fn list_call(
        &self,
        object_type: &ObjectType,
        properties: &[String],
        after: Option<&Cursor>,
        bin: Bin,
        priority: Priority,
    ) -> Call {
        let mut query = format!("limit={RECORD_PAGE}{}", bin.parameter());
        if let Some(Cursor(after)) = after {
            query += "&after=";
            percent_encode(after, &mut query);
        }
        for (index, name) in properties.iter().enumerate() {
            query += if index == 0 { "&properties=" } else { "," };
            percent_encode(name, &mut query);
        }
        Call::get(
            format!("list {}{object_type}", bin.adjective()),
            self.shared.paths.records(object_type),
            query,
            priority,
        )
    }

    /// Sends the call for a page. A cursor that stays where it is would never end, so it is an error.
    async fn list_page(&self, call: &Call, after: Option<&Cursor>) -> Result<RecordPage, HubSpotError> {
        let read_at = clock::now();
        let decode = |body: &[u8]| {
            let page = parse_list(body, read_at)?;
            advances(after, page.next.as_ref())?;
            Ok(page)
        };
        self.send(call, decode).await
    }

    /// The records behind at most 100 ids, with the named properties. Ids given twice count once.
    pub async fn read_records(
        &self,
        object_type: &ObjectType,
        properties: &[String],
        ids: &[ObjectId],
        priority: Priority,
    ) -> Result<BatchRead, HubSpotError> {
        self.read_batch(object_type, properties, ids, Bin::Live, priority).await
    }

    /// The records in the recycle bin behind at most 100 ids, with the named properties. Live ones are missing.
    pub async fn read_archived(
        &self,
        object_type: &ObjectType,
        properties: &[String],
        ids: &[ObjectId],
        priority: Priority,
    ) -> Result<BatchRead, HubSpotError> {
        self.read_batch(object_type, properties, ids, Bin::Archived, priority).await
    }

    /// A batch read.
    async fn read_batch(
        &self,
        object_type: &ObjectType,
        properties: &[String],
        ids: &[ObjectId],
        bin: Bin,
        priority: Priority,
    ) -> Result<BatchRead, HubSpotError> {
        let asked = distinct(ids);
        if asked.is_empty() {
            return Ok(BatchRead { records: Vec::new(), rejected: Vec::new(), missing: Vec::new() });
        }
        let question = BatchQuestion::new(properties, &[], &asked);
        let call = self.batch_call(object_type, &question, bin, priority);
        let read_at = clock::now();
        self.send(&call, |body| parse_batch(body, &asked, read_at)).await
    }

    /// The records behind at most 50 ids, with the named properties and what those in `history` were before. Ids given
    /// twice count once.
    pub async fn read_with_history(
        &self,
        object_type: &ObjectType,
        properties: &[String],
        history: &[String],
        ids: &[ObjectId],
        priority: Priority,
    ) -> Result<HistoryRead, HubSpotError> {
        let asked = distinct(ids);
        if asked.is_empty() {
            return Ok(HistoryRead::default());
        }
        let question = BatchQuestion::new(properties, history, &asked);
        let call = self.batch_call(object_type, &question, Bin::Live, priority);
        let read_at = clock::now();
        let decode = |body: &[u8]| {
            let BatchRead { records, rejected, missing } = parse_batch(body, &asked, read_at)?;
            Ok(HistoryRead { records, histories: parse_histories(body)?, rejected, missing })
        };
        self.send(&call, decode).await
    }

    /// The call for a batch read.
    fn batch_call(
        &self,
        object_type: &ObjectType,
        question: &BatchQuestion<'_>,
        bin: Bin,
        priority: Priority,
    ) -> Call {
        let path = self.shared.paths.batch(object_type, "read");
        let operation = format!("read {}{object_type}", bin.adjective());
        let call = Call::read_by_post(operation, path, to_body(question), priority);
        Call { query: bin.parameter().trim_start_matches('&').to_owned(), ..call }
    }

    /// The next records after `after` in ascending id order whose last modification lies in `window`, or whose id is
    /// above `newest`: the survivor of a merge is a new record that may come with an old modification time.
    ///
    /// Walking by id instead of by time or offset has no upper limit, no ties, and does not stumble over records that
    /// are modified meanwhile.
    pub async fn search_modified(
        &self,
        object_type: &ObjectType,
        window: Window,
        after: ObjectId,
        newest: Option<ObjectId>,
        priority: Priority,
    ) -> Result<SearchPage, HubSpotError> {
        // A lower bound of 0 is answered with 500.
        let since = window.start.timestamp_millis().max(1);
        let until = window.end.timestamp_millis().max(since);
        let property = object_type.last_modified_property;
        let behind = |id: ObjectId| json!({"propertyName": ID, "operator": "GT", "value": id.to_string()});
        let modified = json!({"propertyName": property, "operator": "BETWEEN",
                              "value": since.to_string(), "highValue": until.to_string()});
        // What meets one group is a match.
        let mut groups = vec![json!({"filters": [modified, behind(after)]})];
        groups.extend(newest.map(|newest| json!({"filters": [behind(newest.max(after))]})));
        let question = json!({
            "filterGroups": groups,
            "sorts": [{"propertyName": ID, "direction": "ASCENDING"}],
            "properties": [property],
            "limit": SEARCH_PAGE,
        });
        let call =
            self.search_call(format!("search changed {object_type}"), object_type, &question, priority);
        self.send(&call, |body| parse_search(body, window)).await
    }

    /// How many records there are, archived ones aside, as the search index sees it.
    pub async fn count_records(
        &self,
        object_type: &ObjectType,
        priority: Priority,
    ) -> Result<u64, HubSpotError> {
        let question = json!({
            "filterGroups": [{"filters": [{"propertyName": ID, "operator": "GT", "value": "0"}]}],
            "properties": [ID],
            "limit": 1,
        });
        let call = self.search_call(format!("count {object_type}"), object_type, &question, priority);
        self.send(&call, parse_total).await
    }

    /// The call for a search.
    pub(super) fn search_call(
        &self,
        operation: String,
        object_type: &ObjectType,
        question: &impl Serialize,
        priority: Priority,
    ) -> Call {
        let path = self.shared.paths.search(object_type);
        let call = Call::read_by_post(operation, path, to_body(question), priority);
        Call { quota: Quota::Search, ..call }
    }
}

/// The body of a batch read.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchQuestion<'a> {
    /// Names.
    properties: &'a [String],
    /// Names of properties whose earlier values are told too.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    properties_with_history: &'a [String],
    /// Who.
    inputs: Vec<BatchInput>,
}

/// One record asked for.
#[derive(Serialize)]
struct BatchInput {
    /// Its id, as text.
    id: String,
}

impl<'a> BatchQuestion<'a> {
    /// The question for `ids`.
    fn new(properties: &'a [String], properties_with_history: &'a [String], ids: &[ObjectId]) -> Self {
        let inputs = ids.iter().map(|id| BatchInput { id: id.to_string() }).collect();
        Self { properties, properties_with_history, inputs }
    }
}

/// The ids, each once: HubSpot refuses a batch that names an id twice.
pub(super) fn distinct(ids: &[ObjectId]) -> Vec<ObjectId> {
    let mut seen = HashSet::with_capacity(ids.len());
    ids.iter().copied().filter(|id| seen.insert(*id)).collect()
}

/// JSON of a request body.
pub(super) fn to_body(question: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(question).expect("strings and numbers are always JSON")
}

/// Refuses a `next` cursor that is the one just used.
pub(super) fn advances(after: Option<&Cursor>, next: Option<&Cursor>) -> Result<(), Malformed> {
    if after.is_some() && after == next {
        return Err(Malformed("the next page is this page again".to_owned()));
    }
    Ok(())
}

/// Appends `text` to `query` with everything but unreserved characters encoded.
pub(super) fn percent_encode(text: &str, query: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            query.push(char::from(byte));
        } else {
            write!(query, "%{byte:02X}").expect("writing to a string does not fail");
        }
    }
}
