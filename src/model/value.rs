//! From HubSpot's text to a value that fits a typed column.
//!
//! HubSpot sends every value as text. A typed column receives text too, in the one form MariaDB reads without
//! loss; what does not fit is named, never bent until it does.

use std::borrow::Cow;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Utc};

use super::ColumnType;

/// Longest value of [`ColumnType::Text`], characters.
const TEXT_CHARS: usize = 255;
/// Longest value of [`ColumnType::LongText`], bytes of UTF-8.
const LONG_TEXT_BYTES: usize = 65_535;
/// Digits before and after the point of [`ColumnType::Number`].
const NUMBER_DIGITS: (usize, usize) = (26, 12);
/// Years MariaDB stores in `DATE` and `DATETIME`.
pub(super) const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;

/// The value cannot be held by its column. The words name the rule, never the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// Longer than the column.
    #[error("the text is longer than its column")]
    TooLong,
    /// Not a number, or with more digits than the column.
    #[error("not a number with at most 26 digits before the point")]
    NotANumber,
    /// Not a whole number of up to 18 digits.
    #[error("not an id (a whole number)")]
    NotAnId,
    /// Neither `true` nor `false`.
    #[error("neither true nor false")]
    NotABool,
    /// Not a date the column can hold.
    #[error("not a date between the years 1 and 9999")]
    NotADate,
}

impl ColumnType {
    /// The column type for a property of HubSpot's `data_type` and `field_type`.
    ///
    /// Free text becomes [`ColumnType::LongText`], because HubSpot allows 65,536 characters in any of it;
    /// enumerations of one choice stay short enough to be indexed.
    /// Source: HubSpot, "Properties", list of types.
    pub fn of_property(data_type: &str, field_type: &str) -> Self {
        match data_type {
            "bool" => Self::Bool,
            "number" => Self::Number,
            "date" => Self::Date,
            "datetime" => Self::DateTime,
            "enumeration" if field_type == "booleancheckbox" => Self::Bool,
            "enumeration" if field_type != "checkbox" => Self::Text,
            "phone_number" => Self::Text,
            _ => Self::LongText,
        }
    }

    /// `value` as the text the column takes. `None` for an empty value.
    ///
    /// # Errors
    /// The rule the value breaks.
    pub fn convert(self, value: &str) -> Result<Option<Cow<'_, str>>, Misfit> {
        if value.is_empty() {
            return Ok(None);
        }
        let text = match self {
            Self::Text if value.len() > TEXT_CHARS && value.chars().count() > TEXT_CHARS => {
                return Err(Misfit::TooLong);
            }
            Self::LongText if value.len() > LONG_TEXT_BYTES => return Err(Misfit::TooLong),
            Self::Text | Self::LongText => Cow::Borrowed(value),
            Self::Id => Cow::Borrowed(id(value)?),
            Self::Number => number(value)?,
            Self::Bool => Cow::Borrowed(bool(value)?),
            Self::Date => date(value)?,
            Self::DateTime => Cow::Owned(date_time(value)?.format("%Y-%m-%d %H:%M:%S%.3f").to_string()),
        };
        Ok(Some(text))
    }
}

/// A whole number that surely fits `BIGINT`.
fn id(value: &str) -> Result<&str, Misfit> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let fits = (1..=18).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if fits { Ok(value) } else { Err(Misfit::NotAnId) }
}

/// `0` or `1`.
fn bool(value: &str) -> Result<&'static str, Misfit> {
    match value {
        "true" | "TRUE" | "True" => Ok("1"),
        "false" | "FALSE" | "False" => Ok("0"),
        _ => Err(Misfit::NotABool),
    }
}

/// A decimal number without exponent. Digits beyond the column's scale are left to MariaDB to round.
fn number(value: &str) -> Result<Cow<'_, str>, Misfit> {
    let (mantissa, exponent) = match value.split_once(['e', 'E']) {
        None => (value, 0),
        // Large numbers come in scientific form.
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| Misfit::NotANumber)?),
    };
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
        return Err(Misfit::NotANumber);
    }
    if exponent == 0 {
        let fits = whole.trim_start_matches('0').len() <= NUMBER_DIGITS.0;
        return if fits { Ok(Cow::Borrowed(mantissa)) } else { Err(Misfit::NotANumber) };
    }
    shift_point(sign, whole, fraction, exponent).map(Cow::Owned)
}

/// Writes `whole.fraction × 10^exponent` without an exponent.
fn shift_point(sign: &str, whole: &str, fraction: &str, exponent: i32) -> Result<String, Misfit> {
    let digits = format!("{whole}{fraction}");
    let point = i64::from(exponent) + whole.len() as i64;
    let significant = digits.trim_start_matches('0').len() as i64;
    let leading_zeros = digits.len() as i64 - significant;
    if significant == 0 {
        return Ok("0".to_owned());
    }
    if point - leading_zeros > NUMBER_DIGITS.0 as i64 {
        return Err(Misfit::NotANumber);
    }
    // Smaller than half a unit of the last decimal in any case.
    if point - leading_zeros < -(NUMBER_DIGITS.1 as i64) {
        return Ok("0".to_owned());
    }
    Ok(match usize::try_from(point) {
        Ok(point) if point >= digits.len() => format!("{sign}{digits:0<point$}"),
        Ok(point) if point > 0 => format!("{sign}{}.{}", &digits[..point], &digits[point..]),
        _ => format!("{sign}0.{}{digits}", "0".repeat(point.unsigned_abs() as usize)),
    })
}

/// A calendar date, from `YYYY-MM-DD` or from an instant in any form HubSpot uses.
fn date(value: &str) -> Result<Cow<'_, str>, Misfit> {
    match NaiveDate::parse_from_str(value, "%Y-%m-%d") {
        Ok(date) if value.len() == 10 && YEARS.contains(&date.year()) => Ok(Cow::Borrowed(value)),
        _ => Ok(Cow::Owned(date_time(value)?.format("%Y-%m-%d").to_string())),
    }
}

/// An instant from ISO 8601 (any offset; none means UTC), a date, or epoch milliseconds.
pub(super) fn date_time(value: &str) -> Result<NaiveDateTime, Misfit> {
    let parsed = DateTime::parse_from_rfc3339(value)
        .map(|at| at.naive_utc())
        .or_else(|_| value.parse::<NaiveDateTime>())
        .or_else(|_| value.parse::<NaiveDate>().map(NaiveDateTime::from))
        .ok()
        .or_else(|| {
            value.parse().ok().and_then(DateTime::<Utc>::from_timestamp_millis).map(|at| at.naive_utc())
        });
    parsed.filter(|at| YEARS.contains(&at.year())).ok_or(Misfit::NotADate)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn converted(column: ColumnType, value: &str) -> Result<Option<String>, Misfit> {
        column.convert(value).map(|text| text.map(Cow::into_owned))
    }

    #[test]
    fn values_take_the_form_of_their_column() {
        let cases = [
            (ColumnType::Text, "Ünïcode", "Ünïcode"),
            (ColumnType::Id, "512", "512"),
            (ColumnType::Number, "12.50", "12.50"),
            (ColumnType::Number, "-0.5", "-0.5"),
            (ColumnType::Number, "1.5E3", "1500"),
            (ColumnType::Number, "1.23456E2", "123.456"),
            (ColumnType::Number, "5e-3", "0.005"),
            (ColumnType::Number, "1E-30", "0"),
            (ColumnType::Number, "0E99", "0"),
            (ColumnType::Bool, "true", "1"),
            (ColumnType::Bool, "false", "0"),
            (ColumnType::Date, "2026-02-28", "2026-02-28"),
            (ColumnType::Date, "1772236800000", "2026-02-28"),
            (ColumnType::DateTime, "2024-02-08T22:37:05Z", "2024-02-08 22:37:05.000"),
            (ColumnType::DateTime, "2024-02-08T22:37:05.123Z", "2024-02-08 22:37:05.123"),
            (ColumnType::DateTime, "2024-02-08T22:37:05+02:00", "2024-02-08 20:37:05.000"),
            (ColumnType::DateTime, "1707431825123", "2024-02-08 22:37:05.123"),
            (ColumnType::DateTime, "2024-02-08", "2024-02-08 00:00:00.000"),
        ];
        for (column, value, expected) in cases {
            assert_eq!(converted(column, value), Ok(Some(expected.to_owned())), "{column:?} of {value}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_rule() {
        let long = "ü".repeat(256);
        let very_long = "x".repeat(65_536);
        let cases = [
            (ColumnType::Text, long.as_str(), Misfit::TooLong),
            (ColumnType::LongText, very_long.as_str(), Misfit::TooLong),
            (ColumnType::Id, "12x", Misfit::NotAnId),
            (ColumnType::Id, "9999999999999999999", Misfit::NotAnId),
            (ColumnType::Number, "abc", Misfit::NotANumber),
            (ColumnType::Number, "1.2.3", Misfit::NotANumber),
            (ColumnType::Number, "NaN", Misfit::NotANumber),
            (ColumnType::Number, ".", Misfit::NotANumber),
            (ColumnType::Number, "1E27", Misfit::NotANumber),
            (ColumnType::Number, "123456789012345678901234567", Misfit::NotANumber),
            (ColumnType::Bool, "yes", Misfit::NotABool),
            (ColumnType::Date, "2026-02-30", Misfit::NotADate),
            (ColumnType::DateTime, "+12026-01-01T00:00:00Z", Misfit::NotADate),
            (ColumnType::DateTime, "soon", Misfit::NotADate),
        ];
        for (column, value, misfit) in cases {
            assert_eq!(converted(column, value), Err(misfit), "{column:?} of {value}");
        }
    }

    #[test]
    fn exactly_255_characters_fit_whatever_their_bytes() {
        assert!(ColumnType::Text.convert(&"ü".repeat(255)).is_ok());
    }

    proptest! {
        #[test]
        fn no_text_makes_a_conversion_panic(value in any::<String>()) {
            use ColumnType::{Bool, Date, DateTime, Id, LongText, Number, Text};
            for column in [Text, LongText, Id, Number, Bool, Date, DateTime] {
                let _ = column.convert(&value);
            }
        }

        #[test]
        fn scientific_form_keeps_the_value(mantissa in -1_000_000_000_i64..1_000_000_000, exponent in -6_i32..10) {
            let text = format!("{mantissa}E{exponent}");
            let plain = converted(ColumnType::Number, &text).expect("in range").expect("not empty");
            let expected = mantissa as f64 * 10_f64.powi(exponent);
            let actual: f64 = plain.parse().expect("a plain decimal");
            prop_assert!((actual - expected).abs() <= expected.abs() * 1e-12, "{text} became {plain}");
        }
    }
}
