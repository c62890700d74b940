//! A page of records: which, in which order, and where it begins.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::family::Family;
use super::query::page_size;
use super::record::Record;
use crate::model::ObjectId;
use crate::storage::{
    GATHERED, MirrorTable, RowFilter, RowOrder, RowPlace, RowStart, RowView, count_rows, list_rows,
    ordering_columns, searched_columns,
};
use crate::web::App;
use crate::web::error::ApiError;

/// Rows up to which pages are numbered and counted. Further ones are reached by `cursor`, which costs the same wherever it
/// stands.
pub(in crate::web) const NUMBERED: u32 = GATHERED;
/// Orders by what every record has, and their columns.
const SORTS: &[(&str, &str)] =
    &[("id", "id"), ("hubspotId", "hubspot_id"), ("lastModifiedHubspot", "hubspot_updated_at")];
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
    /// What one of the searched fields begins with, or for each of several words some of them; or the id in HubSpot. Case
    /// and accents do not count. Searched are, where the type has them: e-mail address, first and last name, company, name,
    /// domain, phone, title or subject, number. Finding more than 10,000 records is an error: search for more of it.
    pub(in crate::web) search: Option<String>,
    /// `synced`, `pending`, `conflict` or `error`.
    pub(in crate::web) sync_status: Option<String>,
    /// `false` (the default): records that are not deleted; `true`: deleted ones; `all`.
    pub(in crate::web) archived: Option<String>,
    /// Id of a pipeline: records in it. For types with pipelines.
    pub(in crate::web) pipeline: Option<String>,
    /// Id of a stage: records in it. For types with pipelines.
    pub(in crate::web) stage: Option<String>,
    /// What the records are ordered by, `-` in front for the largest first: `id`, `hubspotId`, `lastModifiedHubspot`, or a
    /// field or property whose column has an index. The answer to any other names them all. `hubspotId` does not go with
    /// `archived=all`.
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
    /// Records altogether, counted among 10,000 at most; null where the page was asked for by a cursor.
    pub(in crate::web) total: Option<u64>,
    /// Whether there may be more than `total`.
    pub(in crate::web) total_is_lower_bound: bool,
    /// Where the next page begins; null when there is none. A page may hold fewer records than `limit` and have a next
    /// one: where many records in a row do not meet the conditions, it stops and the next one goes on.
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

/// What stands in a cursor. Values are as long as an index holds them at most, 255 characters each.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// The order it belongs to.
    sort: String,
    /// What the last record has in the columns of the order.
    values: Vec<Option<String>>,
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
/// 400 when a parameter is wrong, 422 when the list cannot be searched or ordered so.
pub(in crate::web) async fn listing(
    app: &App,
    table: &MirrorTable,
    parameters: &ListParameters,
) -> Result<Listing, ApiError> {
    let filter = filter(table, parameters)?;
    let sort = parameters.sort.as_deref().unwrap_or("id");
    let order = order(table, sort)?;
    if order.needs_archived() && filter.archived.is_none() {
        let message =
            "`sort=hubspotId` needs `archived` to be true or false: there is no such order of all records";
        return Err(unprocessable("sort", message.to_owned()));
    }
    let limit = page_size(parameters.limit)?;
    let start = start(parameters, sort, &order, limit)?;
    let page = list_rows(&app.database, table, &filter, &order, (&start, limit)).await?;
    let page = page.ok_or_else(too_many)?;
    let total = match start {
        RowStart::Offset(_) => Some(count_rows(&app.database, table, &filter).await?.ok_or_else(too_many)?),
        RowStart::After(_) => None,
    };
    let cursor = |RowPlace(values)| Place { sort: sort.to_owned(), values }.cursor();
    let pagination = Pagination {
        page: total.map(|_| parameters.page.unwrap_or(1)),
        limit,
        total: total.map(|total| u64::from(total.count)),
        total_is_lower_bound: total.is_some_and(|total| total.is_lower_bound),
        next_cursor: page.next.map(cursor),
    };
    Ok(Listing { rows: page.rows, pagination })
}

/// The answer to a search that finds too much.
fn too_many() -> ApiError {
    let message = format!("More than {GATHERED} records begin so: search for more of it");
    unprocessable("search", message)
}

/// Which records are asked for.
fn filter(table: &MirrorTable, parameters: &ListParameters) -> Result<RowFilter, ApiError> {
    let object_type = table.object_type();
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
    let search = search.map(|text| search_for(table, text)).transpose()?;
    let ListParameters { pipeline, stage, .. } = parameters.clone();
    if object_type.stage_properties().is_none() && (pipeline.is_some() || stage.is_some()) {
        let message =
            format!("{object_type} have no pipelines: neither `pipeline` nor `stage` means anything");
        return Err(ApiError::bad_request(message));
    }
    Ok(RowFilter { status: status.transpose()?, archived, search, pipeline, stage })
}

/// What is searched for.
fn search_for(table: &MirrorTable, text: &str) -> Result<String, ApiError> {
    if text.chars().count() > LONGEST_SEARCH {
        return Err(ApiError::bad_request(format!("`search` has to be at most {LONGEST_SEARCH} characters")));
    }
    if searched_columns(table).is_empty() && text.parse::<ObjectId>().is_err() {
        let message = format!("{} can be searched by their id in HubSpot only", table.object_type());
        return Err(unprocessable("search", message));
    }
    Ok(text.to_owned())
}

/// The order the records are asked for in.
fn order(table: &MirrorTable, sort: &str) -> Result<RowOrder, ApiError> {
    let (name, descending) = match sort.strip_prefix('-') {
        Some(name) => (name, true),
        None => (sort, false),
    };
    let column = SORTS.iter().find(|(sort, _)| *sort == name).map(|(_, column)| *column);
    let field = || Family::of(table.object_type()).field(name).map(|field| field.property);
    let column = column.or_else(field).unwrap_or(name);
    RowOrder::new(table, column, descending).ok_or_else(|| {
        let names = sorts(table).join(", ");
        let message = format!("`sort` has to be one of these, `-` in front for the largest first: {names}");
        unprocessable("sort", message)
    })
}

/// What a list can be ordered by: names in JSON, and those of properties.
pub(in crate::web) fn sorts(table: &MirrorTable) -> Vec<&str> {
    let family = Family::of(table.object_type());
    let name = |column| {
        let fixed = SORTS.iter().find(|(_, fixed)| *fixed == column).map(|(sort, _)| *sort);
        fixed.unwrap_or_else(|| family.name_of(column))
    };
    ordering_columns(table).into_iter().map(name).collect()
}

/// A list that cannot be searched or ordered as it was asked for.
fn unprocessable(parameter: &str, message: String) -> ApiError {
    ApiError::field(parameter, message.clone()).saying(message)
}

/// Where the page begins.
fn start(
    parameters: &ListParameters,
    sort: &str,
    order: &RowOrder,
    limit: u32,
) -> Result<RowStart, ApiError> {
    match (&parameters.cursor, parameters.page) {
        (Some(_), Some(_)) => Err(ApiError::bad_request("Either `page` or `cursor`, not both")),
        (Some(cursor), None) => {
            let place = Place::read(cursor).filter(|place| place.sort == sort);
            let place = place.map(|place| RowPlace(place.values)).filter(|place| order.has(place));
            let wrong = || ApiError::bad_request("`cursor` is none that was given for this list and `sort`");
            place.map(RowStart::After).ok_or_else(wrong)
        }
        (None, page) => {
            let before = page.unwrap_or(1).checked_sub(1).and_then(|pages| pages.checked_mul(limit));
            let offset = before.filter(|before| *before < NUMBERED);
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
            let place = Place { sort: "-email".to_owned(), values: vec![value, Some("7".to_owned())] };
            assert_eq!(Place::read(&place.cursor()), Some(place));
        }
        for cursor in ["", "x", "e30", "' OR 1=1"] {
            assert_eq!(Place::read(cursor), None, "{cursor}");
        }
    }

    #[test]
    fn pages_are_numbered_from_one_on_and_end() {
        let order = RowOrder::by_key(false);
        let page = |page| ListParameters { page: Some(page), ..ListParameters::default() };
        let at = |number| start(&page(number), "id", &order, 50);
        assert_eq!(at(1).unwrap(), RowStart::Offset(0));
        assert_eq!(at(3).unwrap(), RowStart::Offset(100));
        assert_eq!(at(200).unwrap(), RowStart::Offset(9_950));
        assert!(at(0).is_err() && at(201).is_err() && at(u32::MAX).is_err());
    }
}
