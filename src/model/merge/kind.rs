//! When two texts are the same value, and which text HubSpot takes for a value.

use std::borrow::Cow;
use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDateTime, Utc};

use crate::model::Property;
use crate::model::value::{YEARS, date_time};

/// What the values of a property mean. A text that is no value of its kind means itself, byte for byte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ValueKind {
    /// The text itself.
    #[default]
    Text,
    /// A contact's address: HubSpot keeps it in lower case. Source: live runs.
    Email,
    /// A decimal number of any length.
    Number,
    /// `true` or `false`.
    Bool,
    /// A calendar date; an instant stands for its day in UTC.
    Date,
    /// An instant, to the millisecond.
    DateTime,
    /// Any number of options with `;` between them, in no order.
    Options,
}

impl ValueKind {
    /// The kind of a property's values. Source: HubSpot, "Properties", list of types.
    pub fn of(property: &Property) -> Self {
        match (property.data_type.as_str(), property.field_type.as_str()) {
            ("bool", _) | ("enumeration", "booleancheckbox") => Self::Bool,
            ("enumeration", "checkbox") => Self::Options,
            ("number", _) => Self::Number,
            ("date", _) => Self::Date,
            ("datetime", _) => Self::DateTime,
            ("string", _) if property.name == "email" && property.hubspot_defined => Self::Email,
            _ => Self::Text,
        }
    }

    /// Whether two values mean the same. `None` and the empty text are "not set".
    pub fn same(self, left: Option<&str>, right: Option<&str>) -> bool {
        let (left, right) = (left.unwrap_or_default(), right.unwrap_or_default());
        left == right || self.canonical(left) == self.canonical(right)
    }

    /// The one text of all that mean the same as `value`. Empty for "not set".
    pub fn canonical(self, value: &str) -> Cow<'_, str> {
        match self {
            Self::Text => Cow::Borrowed(value),
            Self::Email => lower_case(value.trim()),
            Self::Number => {
                let value = value.trim();
                number(value).map_or(Cow::Borrowed(value), Cow::Owned)
            }
            Self::Bool => lower_case_of(value.trim(), &["true", "false"]),
            Self::Date => {
                let value = value.trim();
                instant(value).map_or(Cow::Borrowed(value), |at| at.format("%Y-%m-%d").to_string().into())
            }
            Self::DateTime => {
                // Digits behind the millisecond are cut off: HubSpot does not keep them.
                let value = value.trim();
                instant(value)
                    .map_or(Cow::Borrowed(value), |at| at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string().into())
            }
            Self::Options => options(value),
        }
    }

    /// The text to send for a value, in the form every version of HubSpot's API takes. Empty to clear it.
    ///
    /// Older versions refuse a date that is not midnight UTC, and take options that begin with `;` for some to be added.
    /// Source: HubSpot, "Properties".
    pub fn outgoing(self, value: Option<&str>) -> Cow<'_, str> {
        let value = value.unwrap_or_default();
        match self {
            Self::Text => Cow::Borrowed(value),
            Self::Email | Self::Number => Cow::Borrowed(value.trim()),
            Self::Bool | Self::Date | Self::DateTime => self.canonical(value),
            Self::Options => Cow::Borrowed(value.trim_matches(';')),
        }
    }
}

/// The text in lower case.
fn lower_case(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_uppercase) { Cow::Owned(text.to_lowercase()) } else { Cow::Borrowed(text) }
}

/// The one of `words` that `text` is in any case, else `text`.
fn lower_case_of<'a>(text: &'a str, words: &[&'static str]) -> Cow<'a, str> {
    let word = words.iter().copied().find(|word| word.eq_ignore_ascii_case(text));
    Cow::Borrowed(word.unwrap_or(text))
}

/// A number as its sign, its digits without zeros at either end, and the power of ten of the last digit, so that
/// nothing is rounded however long it is. `None` for what is no number.
fn number(text: &str) -> Option<String> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        None => (text, 0),
        Some((mantissa, exponent)) => (mantissa, i64::from(exponent.parse::<i32>().ok()?)),
    };
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_end_matches('0');
    let power = exponent - fraction.len() as i64 + (digits.len() - significant.len()) as i64;
    match significant.trim_start_matches('0') {
        "" => Some("0".to_owned()),
        significant => Some(format!("{sign}{significant}E{power}")),
    }
}

/// An instant in any form HubSpot takes or gives (Source: HubSpot, "Properties") or SQL writes.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let iso = || date_time(text).ok().map(|at| at.and_utc());
    // An offset may come without a colon or without minutes.
    let loose = || text.parse::<DateTime<FixedOffset>>().ok().map(|at| at.to_utc());
    let sql = || NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok().map(|at| at.and_utc());
    let at = iso().or_else(loose).or_else(sql)?;
    YEARS.contains(&at.year()).then_some(at)
}

/// The options once each, in order.
fn options(text: &str) -> Cow<'_, str> {
    let options: BTreeSet<&str> = text.split(';').filter(|option| !option.is_empty()).collect();
    match options.len() {
        0 | 1 => Cow::Borrowed(options.first().copied().unwrap_or_default()),
        _ => Cow::Owned(options.into_iter().collect::<Vec<_>>().join(";")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [ValueKind; 7] = [
        ValueKind::Text,
        ValueKind::Email,
        ValueKind::Number,
        ValueKind::Bool,
        ValueKind::Date,
        ValueKind::DateTime,
        ValueKind::Options,
    ];

    #[test]
    fn the_catalogue_tells_the_kind() {
        let kind = |name: &str, data_type: &str, field_type: &str, hubspot_defined| {
            ValueKind::of(&Property {
                field_type: field_type.to_owned(),
                hubspot_defined,
                ..Property::named(name, data_type)
            })
        };
        for (data_type, field_type, expected) in [
            ("string", "text", ValueKind::Text),
            ("phone_number", "phonenumber", ValueKind::Text),
            ("enumeration", "select", ValueKind::Text),
            ("enumeration", "checkbox", ValueKind::Options),
            ("enumeration", "booleancheckbox", ValueKind::Bool),
            ("bool", "booleancheckbox", ValueKind::Bool),
            ("number", "calculation_equation", ValueKind::Number),
            ("date", "date", ValueKind::Date),
            ("datetime", "date", ValueKind::DateTime),
            ("json", "text", ValueKind::Text),
        ] {
            assert_eq!(kind("x", data_type, field_type, true), expected, "{data_type} {field_type}");
        }
        assert_eq!(kind("email", "string", "text", true), ValueKind::Email);
        assert_eq!(kind("email", "string", "text", false), ValueKind::Text, "somebody's own property");
    }

    #[test]
    fn texts_of_one_value_are_the_same() {
        let long = "123456789012345678901234567890.000000000000000000000000000001";
        for (kind, left, right) in [
            (ValueKind::Number, "5.0", "5"),
            (ValueKind::Number, "+005.50", "5.5"),
            (ValueKind::Number, "1.5E3", "1500"),
            (ValueKind::Number, "5e-3", ".005"),
            (ValueKind::Number, "-0.0", "0"),
            (ValueKind::Number, "0E99", "0"),
            (ValueKind::Number, " 7 ", "7"),
            (ValueKind::Number, long, &format!("{long}000")),
            (ValueKind::Number, "1E2147483647", "10E2147483646"),
            (ValueKind::Bool, "TRUE", "true"),
            (ValueKind::Date, "2026-02-28", "1772236800000"),
            (ValueKind::Date, "2026-02-28T15:00:00Z", "2026-02-28"),
            (ValueKind::DateTime, "2024-02-08T22:37:05Z", "2024-02-08T22:37:05.000Z"),
            (ValueKind::DateTime, "2024-02-08T22:37:05.1+02:00", "2024-02-08T20:37:05.100Z"),
            (ValueKind::DateTime, "2024-02-08T22:37:05+0200", "2024-02-08T20:37:05Z"),
            (ValueKind::DateTime, "2024-02-08 22:37:05", "1707431825000"),
            (ValueKind::DateTime, "2024-02-08", "2024-02-08T00:00:00Z"),
            (ValueKind::DateTime, "2024-02-08T22:37:05.1239Z", "1707431825123"),
            (ValueKind::Options, "b;a;b", "a;b"),
            (ValueKind::Options, ";a;", "a"),
            (ValueKind::Options, ";", ""),
            (ValueKind::Email, " Ada@Example.TEST ", "ada@example.test"),
            (ValueKind::Number, " ", ""),
        ] {
            assert!(kind.same(Some(left), Some(right)), "{kind:?}: {left} and {right}");
        }
        assert!(ValueKind::Text.same(Some(""), None));
    }

    #[test]
    fn texts_of_different_values_are_not_the_same() {
        for (kind, left, right) in [
            (ValueKind::Text, "5.0", "5"),
            (ValueKind::Text, "Ada", "ada"),
            (ValueKind::Text, " ada", "ada"),
            (ValueKind::Text, " ", ""),
            (ValueKind::Number, "12345678901234567890.1", "12345678901234567890.2"),
            (ValueKind::Number, "-5", "5"),
            (ValueKind::Number, "5", "50"),
            (ValueKind::Number, "0", ""),
            (ValueKind::Number, "five", "Five"),
            (ValueKind::Number, "1E99999999999", "1E99999999998"),
            (ValueKind::Bool, "false", ""),
            (ValueKind::Bool, "1", "true"),
            (ValueKind::Date, "2026-02-28", "2026-03-01"),
            (ValueKind::DateTime, "2024-02-08T22:37:05Z", "2024-02-08T22:37:05.001Z"),
            (ValueKind::DateTime, "soon", "Soon"),
            (ValueKind::Options, "a;b", "a"),
            (ValueKind::Options, "A", "a"),
        ] {
            assert!(!kind.same(Some(left), Some(right)), "{kind:?}: {left} and {right}");
        }
    }

    #[test]
    fn what_is_sent_is_in_the_form_hubspot_takes() {
        for (kind, value, sent) in [
            (ValueKind::Text, " as it is ", " as it is "),
            (ValueKind::Email, " Ada@example.test", "Ada@example.test"),
            (ValueKind::Number, "1.50 ", "1.50"),
            (ValueKind::Number, "many", "many"),
            (ValueKind::Bool, "True", "true"),
            (ValueKind::Date, "2026-02-28T15:00:00Z", "2026-02-28"),
            (ValueKind::Date, "soon", "soon"),
            (ValueKind::DateTime, "2024-02-08 22:37:05", "2024-02-08T22:37:05.000Z"),
            (ValueKind::Options, ";b;a", "b;a"),
            (ValueKind::Options, ";", ""),
        ] {
            assert_eq!(kind.outgoing(Some(value)), sent, "{kind:?} {value}");
        }
        assert_eq!(ValueKind::Number.outgoing(None), "");
    }

    proptest! {
        #[test]
        fn the_canonical_text_stands_for_the_value(text in "[-+0-9eE.;T:Z aA@]{0,12}|[0-9]{4}-[01][0-9]-[0-3][0-9]|\\PC*") {
            for kind in ALL {
                let canonical = kind.canonical(&text);
                prop_assert_eq!(kind.canonical(&canonical), canonical.clone(), "{:?}", kind);
                prop_assert!(kind.same(Some(&text), Some(&canonical)), "{:?}", kind);
                prop_assert!(kind.same(Some(&text), Some(&kind.outgoing(Some(&text)))), "{:?}", kind);
            }
        }

        #[test]
        fn numbers_are_equal_however_they_are_written(
            digits in "[0-9]{1,40}", zeros in 0_usize..5, point in 0_usize..40, shift in -30_i32..30,
        ) {
            let point = point.min(digits.len());
            let plain = format!("{}.{}{}", &digits[..point], &digits[point..], "0".repeat(zeros));
            let whole = format!("{}{digits}E{}", "0".repeat(zeros), point as i64 - digits.len() as i64);
            prop_assert!(ValueKind::Number.same(Some(&plain), Some(&whole)), "{} {}", plain, whole);
            let shifted = format!("{plain}E{shift}");
            let zero = digits.bytes().all(|digit| digit == b'0');
            prop_assert_eq!(ValueKind::Number.same(Some(&plain), Some(&shifted)), shift == 0 || zero);
        }
    }
}
