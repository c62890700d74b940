//! Which records match.

use crate::account::associations::edit::primary_property;
use crate::account::{Found, View};
use crate::catalogue::{Catalogue, PropertyIndex, ValueType};
use crate::clock::Millis;
use crate::generate::text::parse_moment;
use crate::http::reply::ApiError;
use crate::http::search::request::{FilterRequest, Operator, SearchRequest};
use crate::object_type::{Kind, ObjectType, STANDARD};

/// What a filter looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    /// The record's id, known without text.
    Id,
    /// Its creation, known without text.
    Created,
    /// Its last modification, known without text.
    Modified,
    /// Any other property.
    Text(PropertyIndex, ValueType),
}

/// What a filter compares with.
#[derive(Debug)]
enum Operands {
    /// Numbers, and times as epoch milliseconds.
    Numbers(Vec<f64>),
    /// Texts as they must appear.
    Exact(Vec<String>),
    /// Texts without regard to case, in lower case.
    Folded(Vec<String>),
}

/// One filter, ready.
#[derive(Debug)]
struct Filter {
    /// What it looks at.
    field: Field,
    /// How it compares.
    operator: Operator,
    /// With what.
    operands: Operands,
}

/// A search, ready.
#[derive(Debug)]
pub struct Query<'a> {
    /// Groups, of which one must match; none matches everything.
    groups: Vec<Vec<Filter>>,
    /// Words of the free text, in lower case.
    words: Vec<String>,
    /// What the free text looks into.
    searchable: &'a [String],
}

/// Limits that every match keeps, so that the rest need not be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Least id.
    pub id_from: u64,
    /// Greatest id.
    pub id_until: u64,
    /// Least last-modified.
    pub modified_from: Millis,
    /// Greatest last-modified.
    pub modified_until: Millis,
}

impl Bounds {
    /// Limits nothing.
    const NONE: Self =
        Self { id_from: 0, id_until: u64::MAX, modified_from: Millis::MIN, modified_until: Millis::MAX };
}

impl<'a> Query<'a> {
    /// Checks names and values against the catalogue.
    pub fn compile(
        request: &SearchRequest,
        object_type: &'a ObjectType,
        catalogue: &Catalogue,
    ) -> Result<Self, ApiError> {
        let compile_group = |group: &Vec<FilterRequest>| -> Result<Vec<Filter>, ApiError> {
            group.iter().map(|filter| Filter::compile(filter, object_type, catalogue)).collect()
        };
        let words = request.text.as_deref().unwrap_or_default();
        Ok(Self {
            groups: request.groups.iter().map(compile_group).collect::<Result<_, _>>()?,
            words: words.split_whitespace().map(str::to_lowercase).collect(),
            searchable: &object_type.searchable,
        })
    }

    /// Whether a record matches.
    pub fn matches(&self, catalogue: &Catalogue, view: &View<'_>) -> bool {
        let matches_group = |group: &Vec<Filter>| group.iter().all(|filter| filter.matches(catalogue, view));
        (self.groups.is_empty() || self.groups.iter().any(matches_group))
            && self.matches_text(catalogue, view)
    }

    /// Whether every word of the free text begins some word of a searchable property.
    fn matches_text(&self, catalogue: &Catalogue, view: &View<'_>) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let texts = self.searchable.iter().filter_map(|name| view.named(catalogue, name));
        let text = texts.collect::<Vec<_>>().join(" ").to_lowercase();
        self.words.iter().all(|wanted| {
            text.split(is_separator).any(|word| word.starts_with(wanted.as_str()))
                || text.contains(wanted.as_str())
        })
    }

    /// The limits of a search with one group.
    pub fn bounds(&self) -> Bounds {
        let mut bounds = Bounds::NONE;
        let [group] = &self.groups[..] else { return bounds };
        for filter in group {
            filter.narrow(&mut bounds);
        }
        bounds
    }

    /// The only ids that can match, ascending, when a filter of the one group names them.
    pub fn ids(&self) -> Option<Vec<u64>> {
        let [group] = &self.groups[..] else { return None };
        let named =
            group.iter().find_map(|filter| match (filter.field, filter.operator, &filter.operands) {
                (Field::Id, Operator::Eq | Operator::In, Operands::Numbers(numbers)) => Some(numbers),
                _ => None,
            })?;
        let mut ids: Vec<u64> = named.iter().map(|&number| number as u64).collect();
        ids.sort_unstable();
        ids.dedup();
        Some(ids)
    }
}

/// Splits words of free text.
fn is_separator(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '@' | '.' | '-' | '/' | ',' | ';')
}

impl Filter {
    /// Checks a filter against the catalogue. An unknown property or a value of the wrong type is answered with the
    /// bare text HubSpot gives.
    fn compile(
        request: &FilterRequest,
        object_type: &ObjectType,
        catalogue: &Catalogue,
    ) -> Result<Self, ApiError> {
        let name = association_property(object_type, &request.property).unwrap_or(&request.property);
        let index = catalogue.active(name).ok_or_else(ApiError::problem)?;
        let property = catalogue.get(index);
        let field = match name {
            "hs_object_id" => Field::Id,
            "createdate" => Field::Created,
            _ if name == object_type.last_modified => Field::Modified,
            _ => Field::Text(index, property.value_type),
        };
        let operands = Operands::compile(request, property.value_type)?;
        Ok(Self { field, operator: request.operator, operands })
    }

    /// Whether a record matches.
    fn matches(&self, catalogue: &Catalogue, view: &View<'_>) -> bool {
        match self.field {
            Field::Id => self.matches_number(Some(view.record.id as f64)),
            Field::Created => self.matches_number(Some(view.record.created_at as f64)),
            Field::Modified => self.matches_number(Some(view.record.updated_at as f64)),
            Field::Text(index, value_type) => {
                let mut buffer = Vec::new();
                let text = match view.find(catalogue, index, &mut buffer) {
                    Found::Set(text) => Some(text),
                    Found::Generated => std::str::from_utf8(&buffer).ok(),
                    Found::Nothing => None,
                };
                self.matches_text(text.filter(|text| !text.is_empty()), value_type)
            }
        }
    }

    /// Whether a number matches.
    fn matches_number(&self, number: Option<f64>) -> bool {
        let Operands::Numbers(operands) = &self.operands else {
            return match self.operator {
                Operator::HasProperty => number.is_some(),
                _ => number.is_none(),
            };
        };
        let Some(number) = number else {
            return matches!(self.operator, Operator::Neq | Operator::NotIn | Operator::NotHasProperty);
        };
        let first = operands.first().copied().unwrap_or(f64::NAN);
        let equals = |operand: &f64| (operand - number).abs() < f64::EPSILON;
        match self.operator {
            Operator::Eq | Operator::In | Operator::ContainsToken => operands.iter().any(equals),
            Operator::Neq | Operator::NotIn | Operator::NotContainsToken => !operands.iter().any(equals),
            Operator::Lt => number < first,
            Operator::Lte => number <= first,
            Operator::Gt => number > first,
            Operator::Gte => number >= first,
            Operator::Between => first <= number && operands.get(1).is_some_and(|high| number <= *high),
            Operator::HasProperty => true,
            Operator::NotHasProperty => false,
        }
    }

    /// Whether a text matches; `None` is a record without value.
    fn matches_text(&self, text: Option<&str>, value_type: ValueType) -> bool {
        match &self.operands {
            Operands::Numbers(operands) if !operands.is_empty() => {
                self.matches_number(text.and_then(|text| number_of(text, value_type)))
            }
            Operands::Numbers(_) => (self.operator == Operator::HasProperty) == text.is_some(),
            Operands::Exact(operands) => self.matches_words(text, operands),
            Operands::Folded(operands) => {
                self.matches_words(text.map(str::to_lowercase).as_deref(), operands)
            }
        }
    }

    /// Whether a text matches words in the same case.
    fn matches_words(&self, text: Option<&str>, operands: &[String]) -> bool {
        let Some(text) = text else {
            return matches!(
                self.operator,
                Operator::Neq | Operator::NotIn | Operator::NotHasProperty | Operator::NotContainsToken
            );
        };
        let first = operands.first().map_or("", String::as_str);
        // A multi-select holds several values; each counts.
        let equals_any =
            || operands.iter().any(|operand| operand == text || text.split(';').any(|part| part == operand));
        match self.operator {
            Operator::Eq | Operator::In => equals_any(),
            Operator::Neq | Operator::NotIn => !equals_any(),
            Operator::Lt => text < first,
            Operator::Lte => text <= first,
            Operator::Gt => text > first,
            Operator::Gte => text >= first,
            Operator::Between => first <= text && operands.get(1).is_some_and(|high| text <= high.as_str()),
            Operator::HasProperty => true,
            Operator::NotHasProperty => false,
            Operator::ContainsToken => contains_token(text, first),
            Operator::NotContainsToken => !contains_token(text, first),
        }
    }

    /// Narrows the limits to what this filter lets through.
    fn narrow(&self, bounds: &mut Bounds) {
        let Operands::Numbers(operands) = &self.operands else { return };
        let (Some(&first), last) = (operands.first(), operands.get(1)) else { return };
        let (from, until) = match self.operator {
            Operator::Eq => (Some(first), Some(first)),
            Operator::Gt | Operator::Gte => (Some(first), None),
            Operator::Lt | Operator::Lte => (None, Some(first)),
            Operator::Between => (Some(first), last.copied()),
            _ => return,
        };
        match self.field {
            Field::Id => {
                bounds.id_from = bounds.id_from.max(from.map_or(0, |from| from.max(0.0) as u64));
                bounds.id_until = bounds.id_until.min(until.map_or(u64::MAX, |until| until.max(0.0) as u64));
            }
            Field::Modified => {
                bounds.modified_from =
                    bounds.modified_from.max(from.map_or(Millis::MIN, |from| from.floor() as Millis));
                bounds.modified_until =
                    bounds.modified_until.min(until.map_or(Millis::MAX, |until| until.ceil() as Millis));
            }
            Field::Created | Field::Text(..) => {}
        }
    }
}

/// Whether a text has a token; `*` at an end stands for anything.
fn contains_token(text: &str, token: &str) -> bool {
    let bare = token.trim_matches('*');
    match (token.starts_with('*'), token.ends_with('*')) {
        (true, true) => text.contains(bare),
        (true, false) => text.split(is_separator).any(|word| word.ends_with(bare)) || text.ends_with(bare),
        (false, true) => {
            text.split(is_separator).any(|word| word.starts_with(bare)) || text.starts_with(bare)
        }
        (false, false) => text == bare || text.split(is_separator).any(|word| word == bare),
    }
}

/// The property that mirrors the primary association a pseudo-property names.
fn association_property(object_type: &ObjectType, name: &str) -> Option<&'static str> {
    let other = STANDARD.find(name.strip_prefix("associations.")?)?;
    (other.kind == Kind::COMPANY).then(|| primary_property(object_type.kind)).flatten()
}

/// A value as number: times in epoch milliseconds.
fn number_of(text: &str, value_type: ValueType) -> Option<f64> {
    match value_type {
        ValueType::Date | ValueType::DateTime => parse_moment(text).map(|moment| moment as f64),
        _ => text.parse().ok(),
    }
}

impl Operands {
    /// Reads operands in the form the property's type compares.
    fn compile(request: &FilterRequest, value_type: ValueType) -> Result<Self, ApiError> {
        let operands = &request.operands;
        match value_type {
            ValueType::Number | ValueType::Date | ValueType::DateTime => {
                let numbers =
                    operands.iter().map(|text| number_of(text, value_type).ok_or_else(ApiError::problem));
                let numbers: Vec<f64> = numbers.collect::<Result<_, _>>()?;
                let is_time = value_type != ValueType::Number;
                let is_lower_bound =
                    matches!(request.operator, Operator::Gt | Operator::Gte | Operator::Between);
                if is_time && is_lower_bound && numbers.first() == Some(&0.0) {
                    // Seen live: the epoch as a lower bound breaks the search.
                    return Err(ApiError::new(500, "internal error"));
                }
                Ok(Self::Numbers(numbers))
            }
            // Options are compared as they are.
            ValueType::Enumeration | ValueType::Bool => Ok(Self::Exact(operands.clone())),
            // Lists are compared with the lower-case form without being lowered themselves.
            _ if matches!(request.operator, Operator::In | Operator::NotIn) => {
                Ok(Self::Folded(operands.clone()))
            }
            _ => Ok(Self::Folded(operands.iter().map(|text| text.to_lowercase()).collect())),
        }
    }
}
