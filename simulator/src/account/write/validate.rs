//! Whether a value is one its property takes.
//!
//! Source: HubSpot, "Handling errors", for codes and most wordings. How `INVALID_OWNER_ID`, `MAX_LENGTH` and
//! `CONTAINS_URL` are worded is not known; those texts are ours.

use crate::account::write::normalise::{self, NoDay, Taken};
use crate::account::write::stages::is_stage_property;
use crate::account::write::{Problem, Rules};
use crate::account::{Account, View};
use crate::catalogue::{Property, ValueType};
use crate::clock::DAY_MS;
use crate::object_type::Kind;

/// Longest text, in characters. Source: HubSpot, "Properties".
const LONGEST_TEXT: usize = 65_536;

impl Account {
    /// The stored form of a value; the empty text clears.
    pub(super) fn check_value(
        &self,
        kind: Kind,
        view: Option<&View<'_>>,
        name: &str,
        text: &str,
        rules: &Rules,
    ) -> Result<Taken, Problem> {
        let catalogue = self.catalogue(kind);
        let index = catalogue.active(name).ok_or_else(|| {
            let message = format!("Property \"{name}\" does not exist");
            Problem::new(name, "PROPERTY_DOESNT_EXIST", message)
        })?;
        let property = catalogue.get(index);
        if property.flags.read_only_value {
            return Err(read_only(property));
        }
        let is_contact = kind == Kind::CONTACT;
        match name {
            _ if text.is_empty() => Ok(Taken::usual("")),
            _ if property.referenced_type.as_deref() == Some("OWNER") => self.check_owner(name, text.trim()),
            _ if is_stage_property(kind, name) => Ok(Taken::usual(text.trim())),
            "email" | "hs_additional_emails" if is_contact => check_addresses(name, text),
            "firstname" | "lastname" if is_contact && text.contains("://") => {
                Err(Problem::new(name, "CONTAINS_URL", format!("\"{name}\" cannot contain a URL")))
            }
            _ => {
                let before = || view.and_then(|view| view.text(catalogue, index)).unwrap_or_default();
                check_typed(property, text, before, rules.binds)
            }
        }
    }

    /// A value that names an owner.
    fn check_owner(&self, name: &str, text: &str) -> Result<Taken, Problem> {
        let id = text.parse::<u64>().ok();
        let is_owner = id.is_some_and(|id| self.owners().iter().any(|owner| owner.id == id));
        is_owner
            .then(|| Taken::usual(text))
            .ok_or_else(|| Problem::new(name, "INVALID_OWNER_ID", format!("{text} is not a valid owner ID.")))
    }
}

/// The problem of a property nobody can write to.
fn read_only(property: &Property) -> Problem {
    let is_calculated = property.flags.calculated || property.field_type.starts_with("calculation");
    let what = if is_calculated { "calculated" } else { "read only" };
    let message = format!("\"{}\" is a {what} property; its value cannot be set.", property.name);
    Problem::new(&property.name, "READ_ONLY_VALUE", message)
}

/// One address, or for further addresses several split by `;`, in lower case.
fn check_addresses(name: &str, text: &str) -> Result<Taken, Problem> {
    let addresses: Vec<&str> = text.split(';').map(str::trim).collect();
    match addresses.iter().find(|one| !is_address(one)) {
        None if name == "email" && addresses.len() > 1 => Err(invalid_address(name, text)),
        None => Ok(Taken::usual(addresses.join(";").to_lowercase())),
        Some(wrong) => Err(invalid_address(name, wrong)),
    }
}

/// The problem of a text that is no address.
fn invalid_address(name: &str, text: &str) -> Problem {
    Problem::new(name, "INVALID_EMAIL", format!("Email address {text} is invalid"))
}

/// Whether a text looks like an address: `a@b.c` does not, because no top domain has one letter.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let Some((rest, top)) = domain.rsplit_once('.') else { return false };
    let is_plain = |letter: char| !letter.is_whitespace() && !"@,;:<>()[]\"".contains(letter);
    !local.is_empty()
        && text.chars().filter(|&letter| letter != '@').all(is_plain)
        && !domain.contains('@')
        && rest.split('.').all(|label| !label.is_empty())
        && top.len() >= 2
        && top.chars().all(char::is_alphanumeric)
}

/// A value by the type of its property; `before` is what the record has.
fn check_typed(
    property: &Property,
    text: &str,
    before: impl Fn() -> String,
    tolerant: bool,
) -> Result<Taken, Problem> {
    let problem = |code, message: String| Problem::new(&property.name, code, message);
    let not_long = || problem("INVALID_LONG", format!("{text} was not a valid long."));
    let trimmed = text.trim();
    match property.value_type {
        ValueType::Number => normalise::number(trimmed)
            .map(Taken::usual)
            .ok_or_else(|| problem("INVALID_INTEGER", format!("{text} was not a valid number"))),
        ValueType::DateTime => normalise::moment(trimmed, tolerant).ok_or_else(not_long),
        ValueType::Date => normalise::day(trimmed, tolerant).map_err(|error| match error {
            NoDay::Unreadable => not_long(),
            NoDay::NotMidnight(moment) => {
                let of_day = moment.rem_euclid(DAY_MS);
                let (hours, minutes) = (of_day / 3_600_000, of_day / 60_000 % 60);
                let (seconds, millis) = (of_day / 1_000 % 60, of_day % 1_000);
                let time = format!("{hours}:{minutes}:{seconds}.{millis:03}");
                problem("INVALID_DATE", format!("{text} is at {time} UTC, not midnight!"))
            }
        }),
        ValueType::Bool if matches!(trimmed, "true" | "false") => Ok(Taken::usual(trimmed)),
        ValueType::Bool => Err(not_an_option(property, text)),
        ValueType::Enumeration => check_options(property, trimmed, before),
        ValueType::String | ValueType::PhoneNumber | ValueType::ObjectCoordinates | ValueType::Json => {
            let length = text.chars().count();
            let message =
                || format!("Property value is {length} characters long, the limit is {LONGEST_TEXT}");
            if length > LONGEST_TEXT { Err(problem("MAX_LENGTH", message())) } else { Ok(Taken::usual(text)) }
        }
    }
}

/// One option, or of a property that takes several, some split by `;`; a leading `;` adds to what there is.
fn check_options(property: &Property, text: &str, before: impl Fn() -> String) -> Result<Taken, Problem> {
    let is_option =
        |one: &str| property.options.is_empty() || property.options.iter().any(|option| option.value == one);
    if property.field_type != "checkbox" {
        return if is_option(text) { Ok(Taken::usual(text)) } else { Err(not_an_option(property, text)) };
    }
    let (added, before) = match text.strip_prefix(';') {
        Some(added) => (added, before()),
        None => (text, String::new()),
    };
    if let Some(wrong) = added.split(';').find(|one| !one.is_empty() && !is_option(one)) {
        return Err(not_an_option(property, wrong));
    }
    let mut chosen: Vec<&str> = Vec::new();
    for one in before.split(';').chain(added.split(';')).filter(|one| !one.is_empty()) {
        if !chosen.contains(&one) {
            chosen.push(one);
        }
    }
    Ok(Taken::usual(chosen.join(";")))
}

/// The problem of a value that is none of the options.
pub(super) fn not_an_option(property: &Property, text: &str) -> Problem {
    let option = |(order, option): (usize, &crate::catalogue::PropertyOption)| {
        format!(
            "label: \"{}\" value: \"{}\" display_order: {order} hidden: {} read_only: false",
            option.label, option.value, option.hidden
        )
    };
    let options: Vec<String> = property.options.iter().enumerate().map(option).collect();
    let message = format!("{text} was not one of the allowed options: [{}]", options.join(", "));
    Problem::new(&property.name, "INVALID_OPTION", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_one_at_sign_and_a_domain_with_a_top() {
        for right in ["a@b.test", "first.last+tag@sub.domain.example", "ö@bücher.example"] {
            assert!(is_address(right), "{right}");
        }
        for wrong in ["", "a", "a@b", "a@b.c", "@b.test", "a@@b.test", "a b@c.test", "a@.test", "a@b..test"] {
            assert!(!is_address(wrong), "{wrong}");
        }
    }
}
