//! The shapes of HubSpot's answers: tolerant of fields we do not know and of scalars in another guise, strict about
//! the fields we use. Nothing outside `hubspot` sees these types.

pub(super) mod association;
pub(super) mod failure;
pub(super) mod history;
pub(super) mod page;
pub(super) mod record;
pub(super) mod reference;
pub(super) mod schema;
pub(super) mod write;

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use crate::clock;

/// A body that is not what it should be. The text names the flaw and the place, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(pub String);

impl From<serde_json::Error> for Malformed {
    fn from(error: serde_json::Error) -> Self {
        let text = error.to_string();
        // Texts about a wrong type quote the value, which may be personal data.
        if error.classify() == Category::Data && !text.starts_with("missing field") {
            Self(format!("unexpected type of value at line {} column {}", error.line(), error.column()))
        } else {
            Self(text)
        }
    }
}

/// Parses a whole body.
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed("the body is not UTF-8".to_owned()))?;
    Ok(serde_json::from_str(text)?)
}

/// Parses an ISO 8601 instant and cuts it to milliseconds; the fraction is missing when it is zero.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let parsed = DateTime::parse_from_rfc3339(text).ok()?;
    Some(clock::to_millis(parsed.to_utc()))
}

/// A value that should be text. HubSpot sends strings or null; numbers and booleans are taken as their text, so one
/// careless field does not cost a record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Scalar<'a> {
    /// Missing or null.
    #[default]
    Nothing,
    /// The text, borrowed from the body unless it holds escapes.
    Text(Cow<'a, str>),
    /// A list or an object: nothing we can use.
    Compound,
}

impl Scalar<'_> {
    /// The text; `None` for nothing, for lists and for objects.
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Nothing | Self::Compound => None,
        }
    }

    /// The text as an owned string; `None` for nothing, for empty text, for lists and for objects.
    fn into_set(self) -> Option<String> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text.into_owned()),
            Self::Text(_) | Self::Nothing | Self::Compound => None,
        }
    }

    /// The instant it spells; `None` when it spells none.
    fn instant(&self) -> Option<DateTime<Utc>> {
        self.text().and_then(instant)
    }

    /// Text that is not borrowed.
    fn owned(text: &(impl ToString + ?Sized)) -> Self {
        Self::Text(Cow::Owned(text.to_string()))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

/// Builds a [`Scalar`].
struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::owned(text))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar::owned(&value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Scalar::owned(&value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Scalar::owned(&value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Scalar::owned(&value))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Compound)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Compound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_in_any_guise_become_text() {
        let scalars: Vec<Scalar<'_>> =
            parse(br#"["a", "\u00e9", 12, -3, 0.5, true, null, "", [1], {"b": [2]}]"#).unwrap();
        let texts: Vec<_> = scalars.into_iter().map(Scalar::into_set).collect();
        let expected = [Some("a"), Some("é"), Some("12"), Some("-3"), Some("0.5"), Some("true")];
        assert_eq!(texts[..6], expected.map(|text| text.map(str::to_owned)));
        assert_eq!(texts[6..], [None, None, None, None]);
    }

    #[test]
    fn instants_are_cut_to_milliseconds_and_may_lack_a_fraction() {
        let millis = |text| instant(text).map(|at| at.timestamp_millis());
        assert_eq!(millis("2024-02-08T22:37:05Z"), Some(1_707_431_825_000));
        assert_eq!(millis("2024-02-08T22:37:05.1239Z"), Some(1_707_431_825_123));
        assert_eq!(millis("2024-02-08T23:37:05.1+01:00"), Some(1_707_431_825_100));
        assert_eq!(millis("1969-12-31T23:59:59.9999Z"), Some(-1));
        assert_eq!(millis("yesterday"), None);
    }

    #[test]
    fn a_flaw_is_described_without_the_value() {
        let flaw = parse::<Vec<u64>>(br#"[1, "ada@example.test"]"#).unwrap_err();
        assert_eq!(flaw.to_string(), "unexpected type of value at line 1 column 22");
    }
}
