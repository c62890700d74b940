//! Values of properties in words. HubSpot sends every value as a text; what it means depends on the type of its property.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

use crate::web::dashboard::number::{grouped, grouped_digits};

/// Most characters of a value a page shows.
const LONGEST: usize = 1_500;

/// A value as a page shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::web::dashboard) struct Shown {
    /// The words.
    pub(in crate::web::dashboard) text: String,
    /// Where a click leads.
    pub(in crate::web::dashboard) link: Option<String>,
    /// What is said beside it: that it is cut short, say.
    pub(in crate::web::dashboard) note: Option<String>,
}

impl Shown {
    /// Words, cut where they are very long.
    pub(in crate::web::dashboard) fn text(text: &str) -> Self {
        let Some((end, _)) = text.char_indices().nth(LONGEST) else {
            return Self { text: text.to_owned(), ..Self::default() };
        };
        let all = grouped(text.chars().count() as u64);
        let note = Some(format!("the first of {all} characters; the API has them all"));
        Self { text: format!("{}…", &text[..end]), note, ..Self::default() }
    }

    /// The same with a link.
    pub(in crate::web::dashboard) fn leading_to(self, link: impl Into<String>) -> Self {
        Self { link: Some(link.into()), ..self }
    }

    /// Whether the link leaves the dashboard for another site.
    pub(in crate::web::dashboard) fn is_outside(&self) -> bool {
        self.link.as_deref().is_some_and(|link| link.starts_with("http"))
    }
}

/// A value of a property that is no choice among options.
pub(super) fn plain(name: &str, data_type: &str, value: &str) -> Shown {
    match data_type {
        "bool" if value == "true" => Shown::text("Yes"),
        "bool" if value == "false" => Shown::text("No"),
        "date" => Shown::text(&day(value).map_or_else(|| value.to_owned(), |day| day.to_string())),
        "datetime" => Shown::text(&time(value).map_or_else(|| value.to_owned(), exact)),
        "number" if !is_numbered(name) => Shown::text(&number(value)),
        "number" => Shown::text(value),
        "phone_number" => with_link(value, telephone(value)),
        _ if name.contains("phone") => with_link(value, telephone(value)),
        _ => with_link(value, mail(value).or_else(|| site(value))),
    }
}

/// A text and where it leads, if it does.
fn with_link(value: &str, link: Option<String>) -> Shown {
    Shown { link, ..Shown::text(value) }
}

/// A time to the second.
fn exact(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Whether numbers of that property name something, so that nobody wants them grouped.
fn is_numbered(name: &str) -> bool {
    name.ends_with("id") || name.contains("_id_") || name.contains("year") || name.contains("zip")
}

/// A day, written as one or as milliseconds since 1970.
pub(super) fn day(value: &str) -> Option<NaiveDate> {
    let as_day = NaiveDate::parse_from_str(value, "%Y-%m-%d").ok();
    as_day.or_else(|| DateTime::from_timestamp_millis(value.parse().ok()?).map(|at| at.date_naive()))
}

/// A time, in the ways HubSpot and inputs of browsers write one. Without a zone it is UTC.
pub(super) fn time(value: &str) -> Option<DateTime<Utc>> {
    let milliseconds = || DateTime::from_timestamp_millis(value.parse().ok()?);
    let zoned = DateTime::parse_from_rfc3339(value).map(|at| at.with_timezone(&Utc)).ok();
    let bare = |form| NaiveDateTime::parse_from_str(value, form).ok().map(|at| at.and_utc());
    zoned
        .or_else(|| bare("%Y-%m-%dT%H:%M:%S%.f"))
        .or_else(|| bare("%Y-%m-%dT%H:%M"))
        .or_else(|| Some(NaiveDate::parse_from_str(value, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0)?.and_utc()))
        .or_else(milliseconds)
}

/// A number with its digits in groups: `1234567.5` is `1,234,567.5`. What is written in another way stays.
pub(super) fn number(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').map_or((digits, ""), |parts| parts);
    let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_plain(whole) || !is_plain(fraction) {
        return text.to_owned();
    }
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}", grouped_digits(whole))
}

/// An amount with its currency; a fraction has two digits at least.
pub(in crate::web::dashboard) fn money(amount: &str, currency: Option<&str>) -> String {
    let mut words = number(amount);
    if words.rsplit_once('.').is_some_and(|(_, fraction)| fraction.len() == 1) {
        words.push('0');
    }
    match currency {
        Some(currency) => format!("{words} {currency}"),
        None => words,
    }
}

/// Where a mail to the address begins. An address that could say more than whom it is for gets no link.
pub(super) fn mail(value: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-@".contains(&byte);
    let (local, domain) = value.split_once('@')?;
    let is_address = !local.is_empty() && domain.contains('.') && !domain.contains('@');
    (is_address && value.bytes().all(is_plain)).then(|| format!("mailto:{value}"))
}

/// Where a call of the number begins.
pub(super) fn telephone(value: &str) -> Option<String> {
    let digits: String = value.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
    let is_number = value.chars().all(|c| c.is_ascii_digit() || " +-./()".contains(c));
    (is_number && digits.len() >= 5).then(|| format!("tel:{digits}"))
}

/// Where a site is; nothing but sites has a link.
fn site(value: &str) -> Option<String> {
    let address = url::Url::parse(value).ok()?;
    (["http", "https"].contains(&address.scheme()) && address.has_host()).then(|| address.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_grouped_and_keeps_its_digits() {
        for (text, words) in [
            ("0", "0"),
            ("999", "999"),
            ("1000", "1,000"),
            ("-1234567.50", "-1,234,567.5"),
            ("12345678901234567890.10", "12,345,678,901,234,567,890.1"),
            ("1500.000000000000", "1,500"),
            ("1e5", "1e5"),
            (".5", ".5"),
            ("", ""),
            ("abc", "abc"),
        ] {
            assert_eq!(number(text), words, "{text}");
        }
        assert_eq!(money("1234.500000", Some("EUR")), "1,234.50 EUR");
        assert_eq!(money("1234.000", None), "1,234");
    }

    #[test]
    fn a_value_is_shown_as_its_type_says() {
        for (name, data_type, value, text, link) in [
            ("a", "bool", "true", "Yes", None),
            ("a", "bool", "maybe", "maybe", None),
            ("a", "date", "2026-01-31", "2026-01-31", None),
            ("a", "date", "1769817600000", "2026-01-31", None),
            ("a", "datetime", "2026-01-31T08:00:00.5Z", "2026-01-31 08:00:00 UTC", None),
            ("a", "datetime", "2026-01-31T08:00:00+02:00", "2026-01-31 06:00:00 UTC", None),
            ("a", "datetime", "soon", "soon", None),
            ("annualrevenue", "number", "1000000", "1,000,000", None),
            ("associatedcompanyid", "number", "1000000", "1000000", None),
            ("email", "string", "a@b.example", "a@b.example", Some("mailto:a@b.example")),
            ("email", "string", "a@b.example?bcc=c@d.example", "a@b.example?bcc=c@d.example", None),
            ("phone", "string", "+49 30 123456", "+49 30 123456", Some("tel:+4930123456")),
            ("phone", "string", "ask Ada", "ask Ada", None),
            ("website", "string", "https://b.example/x", "https://b.example/x", Some("https://b.example/x")),
            ("website", "string", "javascript:alert(1)", "javascript:alert(1)", None),
            ("website", "string", "b.example", "b.example", None),
        ] {
            let shown = plain(name, data_type, value);
            assert_eq!((shown.text.as_str(), shown.link.as_deref()), (text, link), "{name} {value}");
        }
    }

    #[test]
    fn a_very_long_value_is_cut_and_says_so() {
        let shown = Shown::text(&"é".repeat(65_536));
        assert_eq!(shown.text.chars().count(), LONGEST + 1);
        assert!(shown.note.unwrap().contains("65,536"));
        assert_eq!(Shown::text("short").note, None);
    }
}
