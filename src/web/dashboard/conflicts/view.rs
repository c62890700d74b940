//! What the page of a conflict shows: values side by side, what comes out of a decision, and what happened so far.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::draft::{Draft, Pick, Problems};
use super::words::{self, KindWords};
use crate::model::{Choice, Property};
use crate::storage::{ConflictStep, Disagreement, Resolution};
use crate::web::dashboard::listing::shortened;
use crate::web::dashboard::moment::Moment;

/// Characters of all values of a page together, so that it stays a page.
const CHARACTERS: usize = 10_000;
/// Least characters of a value.
const LEAST: usize = 60;
/// Characters of who set a value.
const WHO: usize = 80;
/// Characters of a value in the trail.
const TRAIL_CHARACTERS: usize = 60;
/// Fields of a step of the trail.
const TRAIL_FIELDS: usize = 10;

/// A value as a page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// The value, cut where it is too long; `None`: not set.
    pub(super) text: Option<String>,
    /// What people call it, where it is an option of a list and is called otherwise.
    pub(super) label: Option<String>,
    /// Characters that are left out.
    pub(super) left_out: usize,
}

/// A field of the form.
#[derive(Debug)]
pub(super) struct FieldView {
    /// Rises from 0: for ids.
    pub(super) index: usize,
    /// Name of the property.
    pub(super) name: String,
    /// What people call it.
    pub(super) label: String,
    pub(super) base: Shown,
    pub(super) local: Shown,
    pub(super) hubspot: Shown,
    /// Who set the value in HubSpot.
    pub(super) who: Option<String>,
    /// When.
    pub(super) when: Option<Moment>,
    /// What was chosen, as the form says it; empty: nothing.
    pub(super) pick: &'static str,
    /// What was typed.
    pub(super) own: String,
    /// Whether a value may have several lines.
    pub(super) has_lines: bool,
    /// Values that are suggested: of a list, with what people call them.
    pub(super) suggestions: Vec<(String, String)>,
    /// What is wrong with the choice.
    pub(super) problem: Option<String>,
}

/// What becomes of a field.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OutcomeView {
    pub(super) name: String,
    pub(super) label: String,
    /// What counts.
    pub(super) value: Shown,
    /// Whose value that is.
    pub(super) from: &'static str,
    /// Where it is written.
    pub(super) effect: &'static str,
}

/// A step of the trail.
#[derive(Debug)]
pub(super) struct StepView {
    pub(super) at: Moment,
    pub(super) actor: String,
    /// What happened.
    pub(super) what: String,
    /// What it was about, one line a field.
    pub(super) lines: Vec<String>,
}

/// The property of that name.
fn find<'p>(catalogue: &'p [Property], name: &str) -> Option<&'p Property> {
    catalogue.iter().find(|property| property.name == name)
}

/// What people call a property.
fn label(property: Option<&Property>, name: &str) -> String {
    property.map(|known| known.label.trim()).filter(|label| !label.is_empty()).unwrap_or(name).to_owned()
}

/// The options of a list: value and label.
fn options(property: Option<&Property>) -> Vec<(String, String)> {
    let listed = property.and_then(|property| property.options.as_array());
    let text = |option: &Value, key| option[key].as_str().unwrap_or_default().to_owned();
    listed.into_iter().flatten().map(|option| (text(option, "value"), text(option, "label"))).collect()
}

/// A value of a property in at most so many characters.
fn shown(value: Option<&str>, property: Option<&Property>, characters: usize) -> Shown {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Shown { text: None, label: None, left_out: 0 };
    };
    let options = options(property);
    let called = |part: &str| {
        let option = options.iter().find(|(value, _)| value == part);
        option.map_or_else(|| part.to_owned(), |(_, label)| label.clone())
    };
    let label = value.split(';').map(called).collect::<Vec<_>>().join(", ");
    let is_other = !options.is_empty() && label != value;
    let length = value.chars().count();
    Shown {
        text: Some(shortened(value, characters)),
        label: is_other.then(|| shortened(&label, characters)),
        left_out: length.saturating_sub(characters),
    }
}

/// The characters each value of a disagreement about so many fields may have.
fn room(fields: usize) -> usize {
    (CHARACTERS / (3 * fields).max(1)).max(LEAST)
}

/// The fields of the form, with what was chosen so far and what is wrong with it.
pub(super) fn fields(
    about: &Disagreement,
    catalogue: &[Property],
    draft: &Draft,
    problems: &Problems,
    now: DateTime<Utc>,
) -> Vec<FieldView> {
    let room = room(about.fields.len());
    let field = |(index, name): (usize, &String)| {
        let property = find(catalogue, name);
        let values = [&about.base, &about.local, &about.hubspot].map(|side| side.get(name)?.as_deref());
        let [base, local, hubspot] = values.map(|value| shown(value, property, room));
        let own = draft.typed(name).to_owned();
        let is_long = property.is_some_and(|property| property.field_type == "textarea");
        let has_lines = |text: &str| text.contains('\n');
        let source = about.sources.get(name);
        FieldView {
            index,
            name: name.clone(),
            label: label(property, name),
            base,
            local,
            hubspot,
            who: source.and_then(words::who).map(|who| shortened(&who, WHO)),
            when: source.and_then(|source| source.at).map(|at| Moment::new(at, now)),
            pick: draft.pick(name).map_or("", Pick::word),
            has_lines: is_long || has_lines(&own) || values.into_iter().flatten().any(has_lines),
            own,
            suggestions: options(property),
            problem: problems.get(name).cloned(),
        }
    };
    about.fields.iter().enumerate().map(field).collect()
}

/// What becomes of each field when that is decided.
pub(super) fn outcome(
    about: &Disagreement,
    catalogue: &[Property],
    kind: &KindWords,
    resolution: &Resolution,
) -> Vec<OutcomeView> {
    let room = room(about.fields.len());
    let of_field = |name: &String| {
        let choice = match resolution {
            Resolution::KeepLocal => &Choice::Local,
            Resolution::KeepHubSpot => &Choice::HubSpot,
            Resolution::Fields(choices) => choices.get(name)?,
        };
        let value = |side: &BTreeMap<String, Option<String>>| {
            side.get(name).cloned().flatten().filter(|value| !value.is_empty())
        };
        let (local, hubspot) = (value(&about.local), value(&about.hubspot));
        let (value, from) = match choice {
            Choice::Local => (local.clone(), kind.local),
            Choice::HubSpot => (hubspot.clone(), kind.hubspot),
            Choice::Value(text) => (Some(text.clone()).filter(|text| !text.is_empty()), "own value"),
        };
        let property = find(catalogue, name);
        Some(OutcomeView {
            name: name.clone(),
            label: label(property, name),
            effect: effect(value == local, value == hubspot),
            value: shown(value.as_deref(), property, room),
            from,
        })
    };
    about.fields.iter().filter_map(of_field).collect()
}

/// Where a value is written that each side has already, or has not.
fn effect(is_local: bool, is_hubspot: bool) -> &'static str {
    match (is_local, is_hubspot) {
        (true, true) => "nowhere, both have it",
        (true, false) => "HubSpot",
        (false, true) => "MariaDB",
        (false, false) => "MariaDB and HubSpot",
    }
}

/// What was decided, as it is stored.
pub(super) fn decided(resolution: &Value) -> Resolution {
    let choice = |word: &Value| match word {
        Value::String(side) if side == "hubspot" => Choice::HubSpot,
        Value::Object(own) => {
            Choice::Value(own.get("value").and_then(Value::as_str).unwrap_or_default().to_owned())
        }
        _ => Choice::Local,
    };
    let choices = resolution.as_object().into_iter().flatten();
    Resolution::Fields(choices.map(|(name, word)| (name.clone(), choice(word))).collect())
}

/// The trail.
pub(super) fn steps(steps: Vec<ConflictStep>, kind: &KindWords, now: DateTime<Utc>) -> Vec<StepView> {
    let step = |step: ConflictStep| StepView {
        at: Moment::new(step.at, now),
        what: words::step(&step.step),
        lines: step.detail.as_ref().map(|detail| lines(detail, kind)).unwrap_or_default(),
        actor: step.actor,
    };
    steps.into_iter().map(step).collect()
}

/// What a step was about: a disagreement, or what was decided of each field.
fn lines(detail: &Value, kind: &KindWords) -> Vec<String> {
    let value = |value: &Value| match value.as_str() {
        Some(text) => format!("“{}”", shortened(text, TRAIL_CHARACTERS)),
        None => "not set".to_owned(),
    };
    let lines: Vec<_> = if let Some(fields) = detail["fields"].as_array() {
        let names = fields.iter().filter_map(Value::as_str);
        let line = |name: &str| {
            let (local, hubspot) = (value(&detail["local"][name]), value(&detail["hubspot"][name]));
            format!("{name}: {} {local}, {} {hubspot}", kind.local, kind.hubspot)
        };
        names.map(line).collect()
    } else {
        let decided = detail.as_object().into_iter().flatten();
        let line = |(name, word): (&String, &Value)| match word.as_str() {
            Some("local") => format!("{name}: {}", kind.local),
            Some("hubspot") => format!("{name}: {}", kind.hubspot),
            _ => format!("{name}: own value {}", value(&word["value"])),
        };
        decided.map(line).collect()
    };
    let more = lines.len().saturating_sub(TRAIL_FIELDS);
    let rest = (more > 0).then(|| format!("and {more} more"));
    lines.into_iter().take(TRAIL_FIELDS).chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::storage::{ConflictKind, FieldValues};

    /// A disagreement about the city.
    fn about(local: Option<&str>, hubspot: Option<&str>) -> Disagreement {
        let side = |value: Option<&str>| FieldValues::from([("city".to_owned(), value.map(str::to_owned))]);
        Disagreement {
            kind: ConflictKind::Fields,
            fields: vec!["city".into()],
            base: side(None),
            local: side(local),
            hubspot: side(hubspot),
            sources: BTreeMap::new(),
        }
    }

    /// What becomes of the city.
    fn becomes(choice: Choice) -> (Option<String>, &'static str, &'static str) {
        let resolution = Resolution::Fields([("city".to_owned(), choice)].into());
        let kind = words::kind(ConflictKind::Fields);
        let outcome = outcome(&about(Some("Kiel"), Some("Bonn")), &[], kind, &resolution).remove(0);
        (outcome.value.text, outcome.from, outcome.effect)
    }

    #[test]
    fn an_outcome_says_what_counts_and_who_gets_it() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(becomes(Choice::Local), (text("Kiel"), "MariaDB", "HubSpot"));
        assert_eq!(becomes(Choice::HubSpot), (text("Bonn"), "HubSpot", "MariaDB"));
        assert_eq!(becomes(Choice::Value("Hof".into())), (text("Hof"), "own value", "MariaDB and HubSpot"));
        assert_eq!(becomes(Choice::Value(String::new())), (None, "own value", "MariaDB and HubSpot"));
        assert_eq!(becomes(Choice::Value("Bonn".into())).2, "MariaDB");
    }

    #[test]
    fn what_is_stored_of_a_decision_is_understood() {
        let stored = json!({"a": "local", "b": "hubspot", "c": {"value": "x"}});
        let expected = [("a", Choice::Local), ("b", Choice::HubSpot), ("c", Choice::Value("x".into()))];
        let expected = expected.map(|(name, choice)| (name.to_owned(), choice));
        assert_eq!(decided(&stored), Resolution::Fields(expected.into()));
    }

    #[test]
    fn a_long_value_is_cut_and_says_so() {
        let long = "ä".repeat(70_000);
        let shown = shown(Some(&long), None, room(1));
        assert_eq!((shown.text.unwrap().chars().count(), shown.left_out), (3_334, 66_667));
        assert_eq!(room(1_000), LEAST);
        assert_eq!(super::shown(Some(""), None, 10).text, None);
    }

    #[test]
    fn the_trail_tells_values_and_decisions() {
        let kind = words::kind(ConflictKind::Fields);
        let opened = json!(about(Some("Kiel"), None));
        assert_eq!(lines(&opened, kind), ["city: MariaDB “Kiel”, HubSpot not set"]);
        let decided = json!({"city": {"value": "Hof"}, "zip": "local"});
        assert_eq!(lines(&decided, kind), ["city: own value “Hof”", "zip: MariaDB"]);
        let many: serde_json::Map<_, _> = (0..12).map(|n| (format!("f{n:02}"), json!("local"))).collect();
        let many = lines(&Value::Object(many), kind);
        assert_eq!((many.len(), many[10].as_str()), (11, "and 2 more"));
    }
}
