//! What somebody has chosen in the form of a conflict, before it counts. It goes from step to step in the form itself, so
//! nothing typed is lost, whatever becomes of the conflict meanwhile.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::words::{self, Side};
use crate::model::{Choice, Property};
use crate::storage::{Disagreement, Resolution};
use crate::web::api::conflicts::own_value;

/// How the name of an input begins that says which side counts for a property.
const SIDE: &str = "side.";
/// How the name of an input begins that holds a value of one's own for a property.
const OWN: &str = "own.";
/// The word for a value of one's own.
const OWN_WORD: &str = "own";

/// What counts for a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pick {
    /// What one side has.
    Side(Side),
    /// What was typed.
    Own,
}

/// What is wrong, by property.
pub(super) type Problems = BTreeMap<String, String>;

/// What is chosen so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Draft {
    /// The side that is kept as a whole.
    pub(super) keep: Option<Side>,
    /// What counts, by property.
    pub(super) picks: BTreeMap<String, Pick>,
    /// What was typed, by property; also where something else counts.
    pub(super) own: BTreeMap<String, String>,
    /// When the conflict had last changed that was shown.
    pub(super) seen: Option<DateTime<Utc>>,
    /// Who decides; empty: nobody said.
    pub(super) by: String,
}

impl Side {
    /// The word for it in forms.
    fn word(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::HubSpot => "hubspot",
        }
    }

    /// The side of that word.
    fn from_word(word: &str) -> Option<Self> {
        [Self::Local, Self::HubSpot].into_iter().find(|side| side.word() == word)
    }
}

impl Pick {
    /// The word for it in forms.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Side(side) => side.word(),
            Self::Own => OWN_WORD,
        }
    }
}

impl Draft {
    /// Reads a form. What it does not know it passes over.
    pub(super) fn read(form: Vec<(String, String)>) -> Self {
        let mut draft = Self::default();
        for (name, value) in form {
            if let Some(property) = name.strip_prefix(SIDE) {
                let pick = if value == OWN_WORD { Some(Pick::Own) } else { None };
                let pick = pick.or_else(|| Side::from_word(&value).map(Pick::Side));
                draft.picks.extend(pick.map(|pick| (property.to_owned(), pick)));
            } else if let Some(property) = name.strip_prefix(OWN) {
                // Browsers send lines with both of their ends.
                draft.own.insert(property.to_owned(), value.replace("\r\n", "\n"));
            } else {
                match name.as_str() {
                    "keep" => draft.keep = Side::from_word(&value),
                    "seen" => draft.seen = value.parse().ok().and_then(DateTime::from_timestamp_millis),
                    "by" => value.trim().clone_into(&mut draft.by),
                    _ => {}
                }
            }
        }
        draft
    }

    /// The inputs of a form that holds the choices.
    pub(super) fn inputs(&self) -> Vec<(String, String)> {
        let keep = self.keep.map(|side| ("keep".to_owned(), side.word().to_owned()));
        let picks = self.picks.iter().map(|(name, pick)| (format!("{SIDE}{name}"), pick.word().to_owned()));
        let own = self.own.iter().filter(|(_, text)| !text.is_empty());
        let own = own.map(|(name, text)| (format!("{OWN}{name}"), text.clone()));
        let seen = self.seen.map(|seen| ("seen".to_owned(), seen.timestamp_millis().to_string()));
        seen.into_iter().chain(keep).chain(picks).chain(own).collect()
    }

    /// What counts for a property. What was typed counts also without a mark beside it.
    pub(super) fn pick(&self, property: &str) -> Option<Pick> {
        let is_typed = self.own.get(property).is_some_and(|text| !text.is_empty());
        self.picks.get(property).copied().or_else(|| is_typed.then_some(Pick::Own))
    }

    /// What was typed for a property; empty: nothing.
    pub(super) fn typed(&self, property: &str) -> &str {
        self.own.get(property).map_or("", String::as_str)
    }

    /// What is decided about the disagreement.
    ///
    /// # Errors
    /// What is missing or wrong, by property; under an empty name what concerns the whole.
    pub(super) fn decide(
        &self,
        about: &Disagreement,
        catalogue: &[Property],
    ) -> Result<Resolution, Problems> {
        match self.keep {
            Some(Side::Local) => return Ok(Resolution::KeepLocal),
            Some(Side::HubSpot) => return Ok(Resolution::KeepHubSpot),
            None if !words::kind(about.kind).is_by_field => {
                return Err(Problems::from([(String::new(), "Choose one of the two".to_owned())]));
            }
            None => {}
        }
        let (mut choices, mut problems) = (BTreeMap::new(), Problems::new());
        for name in &about.fields {
            let property = catalogue.iter().find(|property| property.name == *name);
            let choice = match self.pick(name) {
                None => Err("Choose what counts".to_owned()),
                Some(Pick::Side(Side::Local)) => Ok(Choice::Local),
                Some(Pick::Side(Side::HubSpot)) => Ok(Choice::HubSpot),
                Some(Pick::Own) => own_value(self.typed(name).to_owned(), property),
            };
            match choice {
                Ok(choice) => drop(choices.insert(name.clone(), choice)),
                Err(problem) => drop(problems.insert(name.clone(), problem)),
            }
        }
        if problems.is_empty() { Ok(Resolution::Fields(choices)) } else { Err(problems) }
    }

    /// The choices in words, one line a property, for where they cannot be used any more.
    pub(super) fn in_words(&self, kind: &words::KindWords) -> Vec<String> {
        let keep = self.keep.map(|side| match side {
            Side::Local => kind.keep_local.to_owned(),
            Side::HubSpot => kind.keep_hubspot.to_owned(),
        });
        let mut names: Vec<_> = self.picks.keys().chain(self.own.keys()).collect();
        names.sort();
        names.dedup();
        let of_property = |name: &String| {
            let what = match self.pick(name)? {
                Pick::Side(Side::Local) => kind.local.to_owned(),
                Pick::Side(Side::HubSpot) => kind.hubspot.to_owned(),
                Pick::Own => format!("own value “{}”", self.typed(name)),
            };
            Some(format!("{name}: {what}"))
        };
        keep.into_iter().chain(names.into_iter().filter_map(of_property)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{ConflictKind, FieldValues};

    /// A form.
    fn form(pairs: &[(&str, &str)]) -> Draft {
        Draft::read(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    /// A disagreement about two fields.
    fn about(kind: ConflictKind) -> Disagreement {
        let values = |value: &str| -> FieldValues {
            ["city", "height"].map(|name| (name.to_owned(), Some(value.to_owned()))).into()
        };
        Disagreement {
            kind,
            fields: vec!["city".into(), "height".into()],
            base: values("1"),
            local: values("2"),
            hubspot: values("3"),
            sources: BTreeMap::new(),
        }
    }

    #[test]
    fn a_form_becomes_a_decision_field_by_field() {
        let draft =
            form(&[("side.city", "hubspot"), ("own.city", ""), ("side.height", "own"), ("own.height", "7")]);
        let expected = BTreeMap::from([
            ("city".to_owned(), Choice::HubSpot),
            ("height".to_owned(), Choice::Value("7".to_owned())),
        ]);
        let decided =
            draft.decide(&about(ConflictKind::Fields), &[Property::named("height", "number")]).unwrap();
        assert_eq!(decided, Resolution::Fields(expected));
    }

    #[test]
    fn what_is_missing_or_wrong_is_told_at_its_field() {
        let draft = form(&[("side.height", "own"), ("own.height", "tall")]);
        let catalogue = [Property::named("city", "string"), Property::named("height", "number")];
        let problems = draft.decide(&about(ConflictKind::Merged), &catalogue).unwrap_err();
        assert_eq!(problems.keys().collect::<Vec<_>>(), ["city", "height"]);
        assert_eq!(problems["city"], "Choose what counts");
        let problems = form(&[]).decide(&about(ConflictKind::DeletedHere), &[]).unwrap_err();
        assert_eq!(problems[""], "Choose one of the two");
    }

    #[test]
    fn a_side_is_kept_as_a_whole_whatever_was_chosen_before() {
        let draft = form(&[("side.city", "hubspot"), ("keep", "local")]);
        assert_eq!(draft.decide(&about(ConflictKind::Fields), &[]).unwrap(), Resolution::KeepLocal);
        let draft = form(&[("keep", "hubspot")]);
        assert_eq!(draft.decide(&about(ConflictKind::DeletedHere), &[]).unwrap(), Resolution::KeepHubSpot);
    }

    #[test]
    fn what_is_typed_counts_unless_a_side_was_chosen() {
        let own = |pairs: &[(&str, &str)]| form(pairs).pick("city");
        assert_eq!(own(&[("own.city", "Hof")]), Some(Pick::Own));
        assert_eq!(own(&[("own.city", "Hof"), ("side.city", "local")]), Some(Pick::Side(Side::Local)));
        assert_eq!(own(&[("own.city", "")]), None);
        assert_eq!(own(&[("own.city", ""), ("side.city", "own")]), Some(Pick::Own), "that clears it");
        assert_eq!(own(&[("side.city", "both")]), None);
    }

    #[test]
    fn a_draft_survives_the_form_it_is_carried_in() {
        let pairs =
            [("seen", "1700000000123"), ("keep", "local"), ("side.city", "own"), ("own.city", "a\r\nb<")];
        let draft = form(&pairs);
        assert_eq!(draft.typed("city"), "a\nb<");
        assert_eq!(draft.seen.unwrap().timestamp_millis(), 1_700_000_000_123);
        assert_eq!(Draft::read(draft.inputs()), draft);
    }

    #[test]
    fn choices_that_cannot_be_used_are_told_in_words() {
        let draft = form(&[("side.city", "local"), ("own.height", "7"), ("keep", "hubspot")]);
        let said = draft.in_words(words::kind(ConflictKind::Fields));
        assert_eq!(said, ["Keep all of HubSpot's", "city: MariaDB", "height: own value “7”"]);
    }
}
