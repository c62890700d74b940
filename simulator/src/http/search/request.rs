//! What a search asks for, and the rules its body must keep.

use serde::Deserialize;
use serde_json::Value;

use crate::http::body;
use crate::http::query::page_size;
use crate::http::reply::ApiError;
use crate::http::search::REACHABLE;

/// Longest body, in characters. Source: HubSpot, "Search the CRM".
const LONGEST_BODY: usize = 3_000;

/// Results per page when none are asked for.
const USUAL_PAGE: usize = 10;

/// Most results per page.
const LARGEST_PAGE: usize = 200;

/// Most groups of filters, most filters in one and in all of them.
const MOST_GROUPS: usize = 5;
/// See [`MOST_GROUPS`].
const MOST_FILTERS_PER_GROUP: usize = 6;
/// See [`MOST_GROUPS`].
const MOST_FILTERS: usize = 18;

/// The body as sent. Unknown keys are ignored, as HubSpot does: a misspelt `filterGroups` searches everything.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Wire {
    /// Groups, of which one must match.
    filter_groups: Option<Vec<WireGroup>>,
    /// The filters of a single group.
    filters: Option<Vec<WireFilter>>,
    /// How to order results.
    sorts: Option<Vec<WireSort>>,
    /// Properties to show.
    properties: Option<Vec<String>>,
    /// Free text.
    query: Option<String>,
    /// Results per page.
    limit: Option<Value>,
    /// How many results come before the page.
    after: Option<Value>,
}

/// A group of filters, which all must match.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireGroup {
    /// The filters.
    filters: Option<Vec<WireFilter>>,
}

/// One filter as sent.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireFilter {
    /// What to look at.
    property_name: Option<String>,
    /// How to compare.
    operator: Option<String>,
    /// With what.
    value: Option<Value>,
    /// Upper end of a range.
    high_value: Option<Value>,
    /// With which ones.
    values: Option<Vec<Value>>,
}

/// A sort as sent.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum WireSort {
    /// `"name"` or `"-name"`.
    Short(String),
    /// In full.
    #[serde(rename_all = "camelCase")]
    Full {
        /// What to order by.
        property_name: Option<String>,
        /// `ASCENDING` or `DESCENDING`.
        direction: Option<String>,
    },
}

/// How to compare. Source: HubSpot, "Search the CRM".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// Equal.
    Eq,
    /// Not equal; a record without value matches.
    Neq,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// In a range, both ends included.
    Between,
    /// One of several.
    In,
    /// None of several.
    NotIn,
    /// Has a value.
    HasProperty,
    /// Has none.
    NotHasProperty,
    /// Has a word.
    ContainsToken,
    /// Does not have a word.
    NotContainsToken,
}

impl Operator {
    /// The operator with a name.
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "EQ" => Self::Eq,
            "NEQ" => Self::Neq,
            "LT" => Self::Lt,
            "LTE" => Self::Lte,
            "GT" => Self::Gt,
            "GTE" => Self::Gte,
            "BETWEEN" => Self::Between,
            "IN" => Self::In,
            "NOT_IN" => Self::NotIn,
            "HAS_PROPERTY" => Self::HasProperty,
            "NOT_HAS_PROPERTY" => Self::NotHasProperty,
            "CONTAINS_TOKEN" => Self::ContainsToken,
            "NOT_CONTAINS_TOKEN" => Self::NotContainsToken,
            _ => return None,
        })
    }
}

/// One filter.
#[derive(Debug)]
pub struct FilterRequest {
    /// What to look at.
    pub property: String,
    /// How to compare.
    pub operator: Operator,
    /// With what: one value, the two ends of a range, several, or nothing.
    pub operands: Vec<String>,
}

/// How to order results.
#[derive(Debug)]
pub struct SortRequest {
    /// What to order by.
    pub property: String,
    /// Greatest first.
    pub descending: bool,
}

/// A search that keeps the rules.
#[derive(Debug)]
pub struct SearchRequest {
    /// Groups, of which one must match; none matches everything.
    pub groups: Vec<Vec<FilterRequest>>,
    /// How to order results.
    pub sort: Option<SortRequest>,
    /// Properties to show.
    pub properties: Vec<String>,
    /// Free text.
    pub text: Option<String>,
    /// Results per page.
    pub limit: usize,
    /// How many results come before the page.
    pub after: usize,
}

impl SearchRequest {
    /// Reads and checks a body.
    pub fn read(body: &[u8], clamp: bool) -> Result<Self, ApiError> {
        if String::from_utf8_lossy(body).chars().count() > LONGEST_BODY {
            return Err(ApiError::validation(format!(
                "The request body is too long: at most {LONGEST_BODY} characters are allowed"
            )));
        }
        let wire: Wire = body::parse(body)?;
        let mut groups: Vec<Vec<WireFilter>> = wire
            .filter_groups
            .unwrap_or_default()
            .into_iter()
            .map(|group| group.filters.unwrap_or_default())
            .collect();
        groups.extend(wire.filters.filter(|filters| !filters.is_empty()));
        check_counts(&groups)?;
        let limit = number(wire.limit.as_ref())?.unwrap_or(USUAL_PAGE);
        let limit = page_size(limit, LARGEST_PAGE, clamp)?;
        let after = number(wire.after.as_ref())?.unwrap_or(0);
        if after.saturating_add(limit) > REACHABLE {
            return Err(ApiError::problem());
        }
        Ok(Self {
            groups: groups
                .into_iter()
                .map(|group| group.into_iter().map(read_filter).collect())
                .collect::<Result<_, _>>()?,
            sort: read_sort(wire.sorts.unwrap_or_default())?,
            properties: wire.properties.unwrap_or_default(),
            text: wire.query.filter(|text| !text.trim().is_empty()),
            limit,
            after,
        })
    }
}

/// A number sent as number or text.
fn number(value: Option<&Value>) -> Result<Option<usize>, ApiError> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(None) };
    let text = body::scalar_text(value).unwrap_or_default();
    // An empty text is how some clients ask for the first page.
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| ApiError::problem())
}

/// Checks how many groups and filters there are. Source: HubSpot developer Slack, for the wording.
fn check_counts(groups: &[Vec<WireFilter>]) -> Result<(), ApiError> {
    if groups.len() > MOST_GROUPS {
        let count = groups.len();
        return Err(ApiError::validation(format!(
            "too many filterGroups (count: {count}, max allowed: {MOST_GROUPS})"
        )));
    }
    if let Some(group) = groups.iter().find(|group| group.len() > MOST_FILTERS_PER_GROUP) {
        let count = group.len();
        let reason = format!(
            "Cannot construct instance of `FilterGroup`, problem: too many filters per filterGroup (count: {count}, \
             max allowed: {MOST_FILTERS_PER_GROUP})"
        );
        return Err(body::invalid(1, 1, &reason).category("VALIDATION_ERROR"));
    }
    let count: usize = groups.iter().map(Vec::len).sum();
    if count > MOST_FILTERS {
        return Err(ApiError::validation(format!(
            "too many filters (count: {count}, max allowed: {MOST_FILTERS})"
        )));
    }
    Ok(())
}

/// Checks one filter: a known operator with the operands it needs.
fn read_filter(wire: WireFilter) -> Result<FilterRequest, ApiError> {
    let property = wire.property_name.ok_or_else(|| body::missing("propertyName"))?;
    let name = wire.operator.ok_or_else(|| body::missing("operator"))?;
    let operator = Operator::parse(&name).ok_or_else(|| {
        body::invalid(1, 1, &format!("Cannot deserialize value of type `Operator` from String \"{name}\""))
    })?;
    let value = wire.value.as_ref().and_then(body::scalar_text);
    let needs = |what: &str| body::invalid(1, 1, &format!("operator {name} requires {what}"));
    let operands = match operator {
        Operator::HasProperty | Operator::NotHasProperty => Vec::new(),
        Operator::In | Operator::NotIn => {
            let values = wire.values.filter(|values| !values.is_empty()).ok_or_else(|| needs("values"))?;
            values.iter().filter_map(body::scalar_text).collect()
        }
        Operator::Between => {
            let high =
                wire.high_value.as_ref().and_then(body::scalar_text).ok_or_else(|| needs("a highValue"))?;
            vec![value.ok_or_else(|| needs("a value"))?, high]
        }
        _ => vec![value.ok_or_else(|| needs("a value"))?],
    };
    Ok(FilterRequest { property, operator, operands })
}

/// Checks the order: at most one sort.
fn read_sort(mut sorts: Vec<WireSort>) -> Result<Option<SortRequest>, ApiError> {
    if sorts.len() > 1 {
        return Err(ApiError::validation(format!("too many sorts (count: {}, max allowed: 1)", sorts.len())));
    }
    Ok(match sorts.pop() {
        None => None,
        Some(WireSort::Short(text)) => {
            let (descending, property) =
                text.strip_prefix('-').map_or((false, text.as_str()), |name| (true, name));
            Some(SortRequest { property: property.to_owned(), descending })
        }
        Some(WireSort::Full { property_name, direction }) => {
            let property = property_name.ok_or_else(|| body::missing("propertyName"))?;
            let descending = direction.is_some_and(|direction| direction.eq_ignore_ascii_case("DESCENDING"));
            Some(SortRequest { property, descending })
        }
    })
}
