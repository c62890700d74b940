//! What may be entered for a property: what HubSpot would refuse is refused where somebody can still correct it.
//!
//! The triggers that capture edits by SQL know the same rules; a test keeps the two alike.

use chrono::{Datelike, NaiveDate};

use super::Property;

/// Longest text, in characters. Source: HubSpot, "Properties".
const LONGEST: usize = 65_536;

/// Why a value cannot be entered. The words tell the rule and never the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Nobody can write the property.
    #[error("is read-only in HubSpot")]
    ReadOnly,
    /// Not a number.
    #[error("has to be a number")]
    NotANumber,
    /// Neither `true` nor `false`.
    #[error("has to be true or false")]
    NotABool,
    /// Not a day.
    #[error("has to be a date as 2026-01-31")]
    NotADay,
    /// Not a time.
    #[error("has to be a time as 2026-01-31T08:00:00Z")]
    NotATime,
    /// Not one of the options.
    #[error("has to be one of its options")]
    NotAnOption,
    /// Not an e-mail address.
    #[error("has to be an e-mail address")]
    NotAnEmail,
    /// More than HubSpot keeps.
    #[error("has to be at most 65536 characters")]
    TooLong,
}

impl Property {
    /// Whether the value may be entered; the empty one clears the property.
    ///
    /// # Errors
    /// Why not.
    pub fn check_entry(&self, value: &str) -> Result<(), EntryError> {
        if self.read_only {
            return Err(EntryError::ReadOnly);
        }
        if value.is_empty() {
            return Ok(());
        }
        match self.data_type.as_str() {
            "number" => is_number(value).then_some(()).ok_or(EntryError::NotANumber),
            "bool" => ["true", "false"].contains(&value).then_some(()).ok_or(EntryError::NotABool),
            "date" => (is_day(value) || is_milliseconds(value)).then_some(()).ok_or(EntryError::NotADay),
            "datetime" => {
                (is_time(value) || is_milliseconds(value)).then_some(()).ok_or(EntryError::NotATime)
            }
            "enumeration" => self.has_options(value).then_some(()).ok_or(EntryError::NotAnOption),
            _ if value.chars().count() > LONGEST => Err(EntryError::TooLong),
            _ if self.is_email() && !is_email(value) => Err(EntryError::NotAnEmail),
            _ => Ok(()),
        }
    }

    /// Whether it is the address of a contact.
    fn is_email(&self) -> bool {
        self.name == "email" && self.hubspot_defined && self.data_type == "string"
    }

    /// Whether each part of the value is an option; so is everything where HubSpot names none, as for owners.
    fn has_options(&self, value: &str) -> bool {
        let options = self.options.as_array().map(Vec::as_slice).unwrap_or_default();
        let is_option = |part: &str| options.iter().any(|option| option["value"].as_str() == Some(part));
        match self.field_type.as_str() {
            _ if options.is_empty() => true,
            "checkbox" => value.split(';').filter(|part| !part.is_empty()).all(is_option),
            _ => is_option(value),
        }
    }
}

/// A number as HubSpot takes it.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = |text| str::strip_prefix(text, ['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let is_mantissa = match unsigned(mantissa).split_once('.') {
        Some((whole, "")) => digits(whole),
        Some((whole, fraction)) => (whole.is_empty() || digits(whole)) && digits(fraction),
        None => digits(unsigned(mantissa)),
    };
    is_mantissa && exponent.is_none_or(|exponent| digits(unsigned(exponent)))
}

/// Milliseconds since 1970.
fn is_milliseconds(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    (1..=16).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A day of the calendar from the year 1 on.
fn is_day(text: &str) -> bool {
    let has_shape = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    has_shape && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok_and(|day| day.year() >= 1)
}

/// A day, or a time of it with a zone or without one.
fn is_time(text: &str) -> bool {
    let Some((day, time)) = text.split_once('T') else { return is_day(text) };
    let (time, zone) = match time.find(['Z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, "Z"),
    };
    is_day(day) && is_time_of_day(time) && is_zone(zone)
}

/// `HH:MM`, `HH:MM:SS`, or with up to nine digits behind the second.
fn is_time_of_day(text: &str) -> bool {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let parts: Vec<_> = whole.split(':').collect();
    let within = |text: &str, limit: u8| two_digits(text).is_some_and(|number| number < limit);
    let is_fraction =
        |text: &str| (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    match parts[..] {
        [hour, minute] => within(hour, 24) && within(minute, 60) && fraction.is_none(),
        [hour, minute, second] => {
            within(hour, 24) && within(minute, 60) && within(second, 60) && fraction.is_none_or(is_fraction)
        }
        _ => false,
    }
}

/// `Z`, `+HHMM` or `+HH:MM`.
fn is_zone(text: &str) -> bool {
    if text == "Z" {
        return true;
    }
    let Some(offset) = text.strip_prefix(['+', '-']) else { return false };
    let (hours, minutes) = match offset.split_once(':') {
        Some(parts) => parts,
        None if offset.len() == 4 && offset.is_ascii() => offset.split_at(2),
        None => return false,
    };
    two_digits(hours).is_some() && two_digits(minutes).is_some()
}

/// The number behind exactly two digits.
fn two_digits(text: &str) -> Option<u8> {
    let is_shaped = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_shaped.then(|| text.parse().ok()).flatten()
}

/// What may be an address: one part, an `@` and a domain with a point, without spaces. The rest HubSpot says.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.trim().split_once('@') else { return false };
    let is_plain = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c == '@');
    is_plain(local) && is_plain(domain) && domain.trim_matches('.').contains('.')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// A property of that kind.
    fn property(data_type: &str, field_type: &str, options: &[&str]) -> Property {
        Property {
            field_type: field_type.into(),
            options: options.iter().map(|value| json!({ "value": value, "label": value })).collect(),
            ..Property::named("email", data_type)
        }
    }

    /// The two types of a property, values it takes, values it does not, and why.
    type Case<'c> = (&'c str, &'c str, &'c [&'c str], &'c [&'c str], EntryError);

    #[test]
    fn each_kind_of_value_has_its_rule() {
        use EntryError::{NotABool, NotADay, NotANumber, NotATime, NotAnEmail, NotAnOption, TooLong};
        let long = "x".repeat(LONGEST + 1);
        let choices = ["a", "b"];
        let cases: [Case<'_>; 8] = [
            (
                "number",
                "number",
                &["1", "-1.5", ".5", "1.", "+2e3", "1E-5"],
                &["", "a", "1,5", "1e", ".", "0x1", " 1"],
                NotANumber,
            ),
            ("bool", "booleancheckbox", &["true", "false"], &["TRUE", "1", "yes"], NotABool),
            (
                "date",
                "date",
                &["2024-02-29", "0001-01-01", "1772236800000", "-1"],
                &["2026-02-29", "2026-2-1", "0000-01-01", "01.02.2026", "2026-01-01T00:00:00Z"],
                NotADay,
            ),
            (
                "datetime",
                "date",
                &[
                    "2026-01-31T08:00:00Z",
                    "2026-01-31T08:00",
                    "2026-01-31",
                    "2026-01-31T08:00:00.123456789+02:00",
                    "2026-01-31T08:00:00-0230",
                    "0",
                ],
                &[
                    "2026-01-31 08:00:00",
                    "2026-01-31T24:00",
                    "2026-01-31T08:00:60Z",
                    "2026-01-31T08:00+2",
                    "2026-01-31T08:00.5Z",
                    "soon",
                ],
                NotATime,
            ),
            ("enumeration", "select", &choices, &["c", "a;b", "A"], NotAnOption),
            ("enumeration", "checkbox", &["a", "b;a", ";a"], &["c", "a;c"], NotAnOption),
            (
                "string",
                "text",
                &["a@b.example"],
                &["a", "a@b", "a b@c.example", "@b.example", "a@@b.example"],
                NotAnEmail,
            ),
            ("string", "text", &["a@b.example"], &[&long], TooLong),
        ];
        for (data_type, field_type, good, bad, error) in cases {
            let options: &[&str] = if data_type == "enumeration" { &choices } else { &[] };
            let property = property(data_type, field_type, options);
            for value in good.iter().chain(&[""]) {
                assert_eq!(property.check_entry(value), Ok(()), "{data_type} {value}");
            }
            for value in bad.iter().filter(|value| !value.is_empty()) {
                assert_eq!(property.check_entry(value), Err(error), "{data_type} {value}");
            }
        }
    }

    #[test]
    fn what_is_read_only_cannot_even_be_cleared() {
        let property = Property { read_only: true, ..property("string", "text", &[]) };
        assert_eq!(property.check_entry(""), Err(EntryError::ReadOnly));
    }

    #[test]
    fn an_enumeration_without_options_takes_anything() {
        assert_eq!(property("enumeration", "select", &[]).check_entry("77"), Ok(()));
    }

    proptest! {
        #[test]
        fn no_text_makes_a_check_panic(value in any::<String>()) {
            for data_type in ["number", "bool", "date", "datetime", "enumeration", "string"] {
                let _ = property(data_type, "text", &["a"]).check_entry(&value);
            }
        }
    }
}
