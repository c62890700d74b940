//! Query strings.

use std::borrow::Cow;

use crate::http::reply::ApiError;

/// A parsed query string.
#[derive(Debug, Default)]
pub struct Query<'a> {
    /// Names and values in the order they were sent.
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Query<'a> {
    /// Parses what follows the `?`.
    pub fn parse(text: &'a str) -> Self {
        Self { pairs: form_urlencoded::parse(text.as_bytes()).collect() }
    }

    /// The first value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
    }

    /// All values of a name as one comma-separated list; repeating the key works like commas.
    pub fn list(&self, name: &str) -> Cow<'_, str> {
        let mut values = self.pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_ref());
        let Some(first) = values.next() else { return Cow::Borrowed("") };
        values.fold(Cow::Borrowed(first), |list, value| Cow::Owned(format!("{list},{value}")))
    }

    /// A boolean; absent and unknown words are false.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// A page size between 1 and `most`, `usual` when absent. A larger one is refused, or cut when `clamp` is set:
    /// what HubSpot does is not documented.
    pub fn limit(&self, usual: usize, most: usize, clamp: bool) -> Result<usize, ApiError> {
        let Some(text) = self.get("limit") else { return Ok(usual) };
        let limit: usize = text.parse().map_err(|_| {
            ApiError::validation(format!(
                "Unable to parse value for query parameter: limit. {text} is not a number"
            ))
        })?;
        page_size(limit, most, clamp)
    }
}

/// Checks a page size; see [`Query::limit`].
pub fn page_size(limit: usize, most: usize, clamp: bool) -> Result<usize, ApiError> {
    match limit {
        0 => Err(ApiError::validation("limit must be greater than 0")),
        _ if limit <= most => Ok(limit),
        _ if clamp => Ok(most),
        _ => Err(ApiError::validation(format!(
            "The requested limit of {limit} is more than the maximum of {most}"
        ))),
    }
}
