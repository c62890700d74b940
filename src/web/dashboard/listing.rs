//! What pages that list things share: the options of a filter, and addresses that keep it.

use std::str::FromStr;

use url::form_urlencoded;

use crate::web::error::ApiError;

/// An `<option>` of a `<select>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SelectOption {
    /// What is sent.
    pub(super) value: String,
    /// What people read.
    pub(super) text: String,
    /// Whether it is the one in force.
    pub(super) is_chosen: bool,
}

/// The options `values`, each read as it is sent; a chosen one that is not among them is added, so that a filter never
/// looks like another than it is.
pub(super) fn options<V: Into<String>>(
    values: impl IntoIterator<Item = V>,
    chosen: Option<&str>,
) -> Vec<SelectOption> {
    let mut values: Vec<String> = values.into_iter().map(Into::into).collect();
    if let Some(chosen) = chosen.filter(|chosen| !values.iter().any(|value| value == chosen)) {
        values.push(chosen.to_owned());
    }
    let option = |value: String| SelectOption {
        is_chosen: Some(value.as_str()) == chosen,
        text: value.clone(),
        value,
    };
    values.into_iter().map(option).collect()
}

/// The address of a page with those of the parameters that have a value.
pub(super) fn address<'p>(
    path: &str,
    parameters: impl IntoIterator<Item = (&'p str, Option<String>)>,
) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            query.append_pair(name, &value);
        }
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// What a parameter of a few words says.
///
/// # Errors
/// 400 for another word: the filter would look like one it is not.
pub(super) fn word<T: FromStr>(name: &str, text: Option<&str>) -> Result<Option<T>, ApiError> {
    let unknown = || ApiError::bad_request(format!("`{name}` has to be one of the words the page offers"));
    text.map(|text| text.parse().map_err(|_| unknown())).transpose()
}

/// A parameter of a form: one that is empty was not given.
pub(super) fn given(parameter: Option<String>) -> Option<String> {
    parameter.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The first characters of a text, with a mark where there are more.
pub(super) fn shortened(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_shows_what_it_filters_by_even_when_there_is_no_such_option() {
        let texts = |chosen| -> Vec<_> {
            options(["contacts", "deals"], chosen)
                .into_iter()
                .map(|option| (option.value, option.is_chosen))
                .collect()
        };
        let owned = |name: &str, is_chosen| (name.to_owned(), is_chosen);
        assert_eq!(texts(None), [owned("contacts", false), owned("deals", false)]);
        assert_eq!(texts(Some("deals")), [owned("contacts", false), owned("deals", true)]);
        assert_eq!(texts(Some("x")), [owned("contacts", false), owned("deals", false), owned("x", true)]);
    }

    #[test]
    fn an_address_has_the_parameters_that_are_given() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(address("/a", [("x", None), ("y", some(""))]), "/a");
        assert_eq!(address("/a", [("x", some("1")), ("y", some("a b&c"))]), "/a?x=1&y=a+b%26c");
        assert_eq!(given(some("  ")), None);
        assert_eq!(given(some(" a ")), some("a"));
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöüß", 3), "äöü…");
    }
}
