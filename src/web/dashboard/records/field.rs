//! The inputs of a form: which properties have one, of which kind, and what stands in it.

use std::collections::BTreeMap;

use url::form_urlencoded::Serializer;

use super::form::{Sent, as_input, mark};
use super::lexicon::{Choice, Lexicon};
use super::show::{main_properties, place_of_group};
use super::value::{day, time};
use crate::model::Property;
use crate::storage::RowView;
use crate::web::error::FieldError;

/// Options beyond which a property has its input only where somebody looks for it: a page stays small.
const MANY: usize = 160;
/// Options beyond which none are listed.
const TOO_MANY: usize = 600;
/// Characters beyond which a text gets more than a line.
const LINE: usize = 120;

/// An input with its label.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// The property.
    pub(super) name: String,
    /// What people call it.
    pub(super) label: String,
    /// How something is entered.
    pub(super) hint: Option<String>,
    /// Of which kind it is.
    pub(super) input: Input,
    /// What stands in it.
    pub(super) value: String,
    /// The mark of what the record has.
    pub(super) mark: String,
    /// What is wrong with what stands in it.
    pub(super) problem: Option<String>,
}

/// Kinds of inputs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// A line, by the type of the input.
    Line(&'static str),
    /// Several lines.
    Area,
    /// One of several.
    Choice(Vec<Choosable>),
    /// Some of several.
    Choices(Vec<Choosable>),
}

/// A value one may choose, and whether it is chosen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choosable {
    pub(super) choice: Choice,
    pub(super) is_chosen: bool,
}

/// Inputs that stand together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FieldGroup {
    pub(super) title: String,
    /// Whether it is shown at once.
    pub(super) is_open: bool,
    pub(super) fields: Vec<Field>,
}

/// A property whose input is on a page of its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Apart {
    pub(super) label: String,
    /// What the record has, in words.
    pub(super) value: String,
    /// What the address of the form with its input ends in.
    pub(super) query: String,
}

/// What a form shows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    /// The common ones.
    pub(super) main: Vec<Field>,
    /// The others.
    pub(super) groups: Vec<FieldGroup>,
    /// Those with very many options.
    pub(super) apart: Vec<Apart>,
}

/// What a form is made from.
pub(super) struct Draft<'d> {
    pub(super) lexicon: &'d Lexicon,
    /// The record, if there is one.
    pub(super) current: Option<&'d RowView>,
    /// What was sent, where the form is shown again.
    pub(super) sent: Option<&'d Sent>,
    /// What is wrong with it.
    pub(super) wrong: &'d [FieldError],
    /// What somebody looks for.
    pub(super) find: Option<&'d str>,
}

impl Draft<'_> {
    /// The inputs: those that were sent, those that were looked for, or the usual ones.
    pub(super) fn fields(&self) -> Fields {
        let (mut fields, mut groups) = (Fields::default(), BTreeMap::<_, Vec<_>>::new());
        let common = main_properties(self.lexicon.object_type);
        for property in self.lexicon.catalogue.iter().filter(|property| self.is_wanted(property)) {
            if self.is_apart(property) {
                fields.apart.push(self.apart(property));
            } else if common.contains(&property.name.as_str()) {
                fields.main.push(self.field(property));
            } else {
                let place = place_of_group(self.lexicon, &property.name);
                groups.entry(place).or_default().push(self.field(property));
            }
        }
        fields.main.sort_by_key(|field| common.iter().position(|name| *name == field.name));
        let group = |((_, title), mut fields): (_, Vec<Field>)| {
            fields.sort_by_key(|field| field.label.to_lowercase());
            let has_problem = fields.iter().any(|field| field.problem.is_some());
            FieldGroup { title, is_open: has_problem || self.find.is_some(), fields }
        };
        fields.groups = groups.into_iter().map(group).collect();
        fields
    }

    /// Whether the property has an input.
    fn is_wanted(&self, property: &Property) -> bool {
        let finds = |find: &str| {
            let find = find.to_lowercase();
            property.label.to_lowercase().contains(&find) || property.name.contains(&find)
        };
        match (self.sent, self.find) {
            _ if property.read_only => false,
            (Some(sent), _) => sent.texts.contains_key(&property.name),
            (None, Some(find)) => finds(find),
            (None, None) => !property.hidden,
        }
    }

    /// Whether its input would make the page a long one.
    fn is_apart(&self, property: &Property) -> bool {
        let is_usual = self.sent.is_none() && self.find.is_none();
        is_usual && (MANY..TOO_MANY).contains(&self.lexicon.choices(property).len())
    }

    /// The way to its input.
    fn apart(&self, property: &Property) -> Apart {
        let value = self.held(property);
        Apart {
            label: self.lexicon.label(&property.name),
            value: if value.is_empty() {
                String::new()
            } else {
                self.lexicon.shown(&property.name, &value).text
            },
            query: Serializer::new(String::new()).append_pair("find", &property.name).finish(),
        }
    }

    /// What the record has; empty for nothing.
    fn held(&self, property: &Property) -> String {
        let held = self.current.and_then(|row| row.properties.get(&property.name));
        held.map(std::borrow::Cow::into_owned).unwrap_or_default()
    }

    /// The input of a property.
    fn field(&self, property: &Property) -> Field {
        let held = self.held(property);
        let typed = self.sent.filter(|sent| self.current.is_none() || sent.is_edited(property));
        let typed = typed.and_then(|sent| sent.texts.get(&property.name)).cloned();
        let value = typed.unwrap_or_else(|| as_input(property, &held));
        let (input, hint) = input(property, self.lexicon.choices(property), &value);
        let problem = self.wrong.iter().find(|wrong| wrong.field == property.name);
        Field {
            label: self.lexicon.label(&property.name),
            name: property.name.clone(),
            hint,
            input,
            mark: mark(property, &held),
            value,
            problem: problem.map(|wrong| wrong.message.clone()),
        }
    }
}

/// The kind of input a property gets for a value, and what is said about it.
fn input(property: &Property, choices: Vec<Choice>, value: &str) -> (Input, Option<String>) {
    let hint = |words: &str| Some(words.to_owned());
    match property.data_type.as_str() {
        "bool" => {
            let pairs = [("true", "Yes"), ("false", "No")];
            let choice = |(value, label): (&str, &str)| Choice { value: value.into(), label: label.into() };
            (one_of(pairs.map(choice).into(), value), None)
        }
        "date" if value.is_empty() || day(value).is_some() => (Input::Line("date"), None),
        "date" => (Input::Line("text"), hint("as 2026-01-31")),
        "datetime" if value.is_empty() || time(value).is_some() => {
            (Input::Line("datetime-local"), hint("UTC"))
        }
        "datetime" => (Input::Line("text"), hint("as 2026-01-31T08:00:00Z")),
        // An input for numbers loses what it does not understand, such as `+2e3`.
        "number" => (Input::Line("number"), None),
        "enumeration" if choices.len() > TOO_MANY => {
            (Input::Line("text"), Some(format!("the internal value of one of {} options", choices.len())))
        }
        _ if choices.is_empty() => (text_input(property, value), None),
        _ if property.field_type == "checkbox" => (some_of(choices, value), None),
        _ => (one_of(choices, value), None),
    }
}

/// The input of a text.
fn text_input(property: &Property, value: &str) -> Input {
    let name = property.name.as_str();
    let is_long = value.contains('\n') || value.chars().count() > LINE;
    match property.field_type.as_str() {
        "textarea" | "html" => Input::Area,
        // A line loses where lines end.
        _ if is_long => Input::Area,
        _ if name == "email" || name.ends_with("_email") => Input::Line("email"),
        "phonenumber" => Input::Line("tel"),
        _ if name.contains("phone") || name == "fax" => Input::Line("tel"),
        _ if name == "website" || name.ends_with("_url") => Input::Line("url"),
        _ => Input::Line("text"),
    }
}

/// A choice of one, or none.
fn one_of(choices: Vec<Choice>, value: &str) -> Input {
    let none = Choice { value: String::new(), label: "–".to_owned() };
    let mut options: Vec<_> = [none].into_iter().chain(choices).collect();
    keep(&mut options, value);
    let option = |choice: Choice| Choosable { is_chosen: choice.value == value, choice };
    Input::Choice(options.into_iter().map(option).collect())
}

/// A choice of some.
fn some_of(mut choices: Vec<Choice>, value: &str) -> Input {
    let chosen: Vec<_> = value.split(';').filter(|part| !part.is_empty()).collect();
    for part in &chosen {
        keep(&mut choices, part);
    }
    let option = |choice: Choice| Choosable { is_chosen: chosen.contains(&choice.value.as_str()), choice };
    Input::Choices(choices.into_iter().map(option).collect())
}

/// Keeps a value that is no option, or is none any more: it would be lost without anybody choosing that.
fn keep(choices: &mut Vec<Choice>, value: &str) {
    if choices.iter().all(|choice| choice.value != value) {
        choices.push(Choice { value: value.to_owned(), label: format!("{value} (no option)") });
    }
}

#[cfg(test)]
mod tests {
    use super::super::lexicon::tests::{lexicon, property};
    use super::*;

    #[test]
    fn each_type_has_its_input() {
        let line = |kind| Input::Line(kind);
        for (name, kind, value, expected) in [
            ("email", ("string", "text"), "", line("email")),
            ("work_email", ("string", "text"), "", line("email")),
            ("mobilephone", ("string", "phonenumber"), "", line("tel")),
            ("website", ("string", "text"), "", line("url")),
            ("city", ("string", "text"), "", line("text")),
            ("city", ("string", "text"), "a\nb", Input::Area),
            ("notes", ("string", "textarea"), "", Input::Area),
            ("amount", ("number", "number"), "1", line("number")),
            ("day", ("date", "date"), "2026-01-31", line("date")),
            ("day", ("date", "date"), "soon", line("text")),
            ("at", ("datetime", "date"), "", line("datetime-local")),
            ("at", ("datetime", "date"), "soon", line("text")),
        ] {
            assert_eq!(input(&property(name, kind, &[]), Vec::new(), value).0, expected, "{name} {value}");
        }
    }

    #[test]
    fn a_value_that_is_no_option_stays_unless_somebody_chooses_another() {
        let choices = || vec![Choice { value: "a".into(), label: "A".into() }];
        let shown = |options: &[Choosable]| -> Vec<_> {
            options.iter().map(|option| (option.choice.value.clone(), option.is_chosen)).collect()
        };
        let texts = |pairs: &[(&str, bool)]| -> Vec<_> {
            pairs.iter().map(|(value, is_chosen)| ((*value).to_owned(), *is_chosen)).collect()
        };
        let Input::Choice(one) = one_of(choices(), "x") else { unreachable!() };
        assert_eq!(shown(&one), texts(&[("", false), ("a", false), ("x", true)]));
        let Input::Choices(some) = some_of(choices(), "x;a") else { unreachable!() };
        assert_eq!(shown(&some), texts(&[("a", true), ("x", true)]));
    }

    #[test]
    fn a_form_shows_what_was_typed_or_else_what_is_there() {
        let lexicon = lexicon(vec![
            property("dealname", ("string", "text"), &[]),
            property("amount", ("number", "number"), &[]),
            property("extra", ("string", "text"), &[]),
            Property { read_only: true, ..property("closed", ("string", "text"), &[]) },
        ]);
        let current = RowView::holding(&[("dealname", "Ship"), ("amount", "5")]);
        let usual = Draft { lexicon: &lexicon, current: Some(&current), sent: None, wrong: &[], find: None };
        let values = |fields: &[Field]| -> Vec<_> {
            fields.iter().map(|field| (field.name.clone(), field.value.clone())).collect()
        };
        let pairs = |pairs: &[(&str, &str)]| -> Vec<_> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let fields = usual.fields();
        assert_eq!(values(&fields.main), pairs(&[("dealname", "Ship"), ("amount", "5")]));
        assert_eq!(values(&fields.groups[0].fields), pairs(&[("extra", "")]));
        let mark = fields.main[0].mark.clone();
        let form = [("value.dealname", "Ship"), ("mark.dealname", &mark), ("value.amount", "x")];
        let sent = Sent::read(pairs(&form));
        let newer = RowView::holding(&[("dealname", "Raft"), ("amount", "5")]);
        let wrong = [FieldError { field: "amount".into(), message: "has to be a number".into() }];
        let again = Draft { current: Some(&newer), sent: Some(&sent), wrong: &wrong, ..usual };
        let fields = again.fields();
        assert_eq!(values(&fields.main), pairs(&[("dealname", "Raft"), ("amount", "x")]));
        assert_eq!(fields.main[1].problem.as_deref(), Some("has to be a number"));
        assert!(fields.groups.is_empty());
    }

    #[test]
    fn a_property_with_very_many_options_is_found_by_its_name() {
        let options: Vec<_> = (0..300).map(|number| number.to_string()).collect();
        let options: Vec<_> = options.iter().map(|option| (option.as_str(), option.as_str())).collect();
        let lexicon = lexicon(vec![property("time_zone", ("enumeration", "select"), &options)]);
        let usual = Draft { lexicon: &lexicon, current: None, sent: None, wrong: &[], find: None };
        assert_eq!(usual.fields().apart[0].query, "find=time_zone");
        let found = Draft { find: Some("ZONE"), ..usual }.fields();
        assert_eq!((found.apart.len(), found.groups[0].fields.len()), (0, 1));
        assert!(found.groups[0].is_open);
    }
}
