//! A page of records: which, in which order, and where it begins.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::family::Family;
use super::query::page_size;
use super::record::Record;
use crate::model::ObjectType;
use crate::storage::{
    MirrorTable, RowFilter, RowOrder, RowSearch, RowStart, RowView, can_order_by, count_rows, list_rows,
};
use crate::web::App;
use crate::web::error::ApiError;

/// Rows up to which pages are numbered and counted. Further ones are reached by `cursor`, which costs the same wherever it
/// stands.
pub(in crate::web) const NUMBERED: u32 = 10_000;
/// Longest text that is searched for, in characters.
pub(in crate::web) const LONGEST_SEARCH: usize = 200;

/// Parameters of a list of records.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::web) struct ListParameters {
    /// Number of the page, from 1 on; within the first 10,000 records.
    pub(in crate::web) page: Option<u32>,
    /// Records of a page, 1 to 200; 50 unless told otherwise.
    pub(in crate::web) limit: Option<u32>,
    /// Where the page begins: `nextCursor` of the page before, with the same other parameters. In place of `page`.
    pub(in crate::web) cursor: Option<String>,
    /// A text a record begins with in one of its main fields, or all words of it in some of them; with `*` in front
    /// anywhere in them, which is slow in large tables. Case and accents do not count.
    pub(in crate::web) search: Option<String>,
    /// `synced`, `pending`, `conflict` or `error`.
    pub(in crate::web) sync_status: Option<String>,
    /// `false` (the default): records that are not deleted; `true`: deleted ones; `all`.
    pub(in crate::web) archived: Option<String>,
    /// Id of a pipeline: records in it. For types with pipelines.
    pub(in crate::web) pipeline: Option<String>,
    /// Id of a stage: records in it. For types with pipelines.
    pub(in crate::web) stage: Option<String>,
    /// What the records are ordered by, `-` in front for the largest first: `id`, `hubspotId`, `lastModifiedLocal`,
    /// `lastModifiedHubspot`, `lastSyncedAt`, a field, or a property that has a column.
    pub(in crate::web) sort: Option<String>,
}

/// What a list of records says besides them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::web) struct Pagination {
    /// Number of the page, where it was asked for by its number.
    pub(in crate::web) page: Option<u32>,
    /// Most records of the page.
    pub(in crate::web) limit: u32,
    /// Records altogether, counted up to 10,000; null where the page was asked for by a cursor.
    pub(in crate::web) total: Option<u64>,
    /// Whether there are more than `total`.
    pub(in crate::web) total_is_lower_bound: bool,
    /// Where the next page begins; null when there is none.
    pub(in crate::web) next_cursor: Option<String>,
}

/// A page.
#[derive(Serialize)]
pub(super) struct Page {
    data: Vec<Box<RawValue>>,
    pagination: Pagination,
}

/// The same as it was read.
pub(in crate::web) struct Listing {
    pub(in crate::web) rows: Vec<RowView>,
    pub(in crate::web) pagination: Pagination,
}

/// What stands in a cursor.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// The order it belongs to.
    sort: String,
    /// Value of the last record in the column of the order.
    value: Option<String>,
    /// Its local key.
    key: i64,
}

/// The page the parameters ask for.
pub(super) async fn page(
    app: &App,
    table: &MirrorTable,
    parameters: &ListParameters,
) -> Result<Page, ApiError> {
    let object_type = table.object_type();
    let Listing { rows, pagination } = listing(app, table, parameters).await?;
    let data = rows.iter().map(|row| Record { object_type, row }.to_json()).collect();
    Ok(Page { data, pagination })
}

/// The rows the parameters ask for.
///
/// # Errors
/// 400 when a parameter is wrong.
pub(in crate::web) async fn listing(
    app: &App,
    table: &MirrorTable,
    parameters: &ListParameters,
) -> Result<Listing, ApiError> {
    let filter = filter(table.object_type(), parameters)?;
    let sort = parameters.sort.as_deref().unwrap_or("id");
    let order = order(table, sort)?;
    let limit = page_size(parameters.limit)?;
    let start = start(parameters, sort, limit)?;
    let page = list_rows(&app.database, table, &filter, &order, (&start, limit)).await?;
    let total = match start {
        RowStart::Offset(_) => Some(count_rows(&app.database, table, &filter, NUMBERED + 1).await?),
        RowStart::After(..) => None,
    };
    let cursor = |(value, key)| Place { sort: sort.to_owned(), value, key }.cursor();
    let pagination = Pagination {
        page: total.map(|_| parameters.page.unwrap_or(1)),
        limit,
        total: total.map(|total| total.min(u64::from(NUMBERED))),
        total_is_lower_bound: total.is_some_and(|total| total > u64::from(NUMBERED)),
        next_cursor: page.next.map(cursor),
    };
    Ok(Listing { rows: page.rows, pagination })
}

/// Which records are asked for.
fn filter(object_type: &ObjectType, parameters: &ListParameters) -> Result<RowFilter, ApiError> {
    let status = parameters.sync_status.as_deref().map(|word| {
        let message = "`syncStatus` has to be synced, pending, conflict or error";
        word.parse().map_err(|()| ApiError::bad_request(message))
    });
    let archived = match parameters.archived.as_deref() {
        None | Some("false") => Some(false),
        Some("true") => Some(true),
        Some("all") => None,
        Some(_) => return Err(ApiError::bad_request("`archived` has to be false, true or all")),
    };
    let search = parameters.search.as_deref().map(str::trim).filter(|text| !text.is_empty());
    let search = search.map(|text| search_for(object_type, text)).transpose()?;
    let ListParameters { pipeline, stage, .. } = parameters.clone();
    if object_type.stage_properties().is_none() && (pipeline.is_some() || stage.is_some()) {
        let message =
            format!("{object_type} have no pipelines: neither `pipeline` nor `stage` means anything");
        return Err(ApiError::bad_request(message));
    }
    Ok(RowFilter { status: status.transpose()?, archived, search, pipeline, stage })
}

/// What is searched for.
fn search_for(object_type: &ObjectType, text: &str) -> Result<RowSearch, ApiError> {
    if text.chars().count() > LONGEST_SEARCH {
        return Err(ApiError::bad_request(format!("`search` has to be at most {LONGEST_SEARCH} characters")));
    }
    let columns = Family::of(object_type).searched(object_type);
    let (text, anywhere) = match text.strip_prefix('*') {
        Some(rest) => (rest.trim(), true),
        None => (text, false),
    };
    if text.is_empty() {
        return Err(ApiError::bad_request("`search` needs a text behind the `*`"));
    }
    Ok(RowSearch { text: text.to_owned(), anywhere, columns })
}

/// The order the records are asked for in.
fn order(table: &MirrorTable, sort: &str) -> Result<RowOrder, ApiError> {
    let (name, descending) = match sort.strip_prefix('-') {
        Some(name) => (name, true),
        None => (sort, false),
    };
    let column = match name {
        "hubspotId" => "hubspot_id",
        "lastModifiedLocal" => "last_modified_local",
        "lastModifiedHubspot" => "hubspot_updated_at",
        "lastSyncedAt" => "last_synced_at",
        name => Family::of(table.object_type()).field(name).map_or(name, |field| field.property),
    };
    if !can_order_by(table, column) {
        let message = "`sort` has to be id, hubspotId, lastModifiedLocal, lastModifiedHubspot, lastSyncedAt, a field, \
                       or a property that has a column";
        return Err(ApiError::bad_request(message));
    }
    Ok(RowOrder { column: column.to_owned(), descending })
}

/// Where the page begins.
fn start(parameters: &ListParameters, sort: &str, limit: u32) -> Result<RowStart, ApiError> {
    match (&parameters.cursor, parameters.page) {
        (Some(_), Some(_)) => Err(ApiError::bad_request("Either `page` or `cursor`, not both")),
        (Some(cursor), None) => {
            let place = Place::read(cursor).filter(|place| place.sort == sort);
            let wrong = || ApiError::bad_request("`cursor` is none that was given for this list and `sort`");
            place.map(|place| RowStart::After(place.value, place.key)).ok_or_else(wrong)
        }
        (None, page) => {
            let before = page.unwrap_or(1).checked_sub(1).map(|pages| u64::from(pages) * u64::from(limit));
            let offset = before.filter(|before| *before < u64::from(NUMBERED));
            let wrong = "`page` counts from 1 on, within the first 10000 records; `cursor` goes further";
            offset.map(RowStart::Offset).ok_or_else(|| ApiError::bad_request(wrong))
        }
    }
}

impl Place {
    /// As it is given to the client.
    fn cursor(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).expect("a place can be written as JSON"))
    }

    /// As it comes back; `None` when it was not given by us.
    fn read(cursor: &str) -> Option<Self> {
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was_given() {
        for value in [None, Some("Ünïcode \" '".to_owned())] {
            let place = Place { sort: "-email".to_owned(), value, key: 7 };
            assert_eq!(Place::read(&place.cursor()), Some(place));
        }
        for cursor in ["", "x", "e30", "' OR 1=1"] {
            assert_eq!(Place::read(cursor), None, "{cursor}");
        }
    }

    #[test]
    fn pages_are_numbered_from_one_on_and_end() {
        let at = |page| start(&ListParameters { page: Some(page), ..ListParameters::default() }, "id", 50);
        assert_eq!(at(1).unwrap(), RowStart::Offset(0));
        assert_eq!(at(3).unwrap(), RowStart::Offset(100));
        assert_eq!(at(200).unwrap(), RowStart::Offset(9_950));
        assert!(at(0).is_err() && at(201).is_err() && at(u32::MAX).is_err());
    }
}
