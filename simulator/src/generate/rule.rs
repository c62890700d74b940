//! How generated records fill one property.
//!
//! A rule is written in the last column of a property table as `name`, `name(arguments)` or either followed by the
//! share of records that have a value, as in `city 70%`. Rules that show one fact (a telephone number, its digits)
//! share the draw that decides whether the record has it.

mod company;
mod owner;
mod party;
mod sale;

use std::sync::Arc;

use anyhow::{Context, Result};

use crate::catalogue::{Property, ValueType};
use crate::clock::{DAY_MS, Millis};
use crate::generate::funnel::{Path, stage_position};
use crate::generate::text::{
    push_choices, push_date, push_filler, push_flag, push_hundredths, push_moment, push_number,
};
use crate::generate::{Record, links, words};
use crate::object_type::{Kind, STANDARD};
use crate::random::{below, chance, mix, mix_text, pick};
use company::CompanyFact;
use owner::OwnerFact;
use party::PartyFact;
use sale::SaleFact;

/// What to write.
#[derive(Debug, Clone)]
enum Rule {
    /// The record's id.
    Id,
    /// When it was created.
    Created,
    /// When it last changed.
    Modified,
    /// The same text for all.
    Constant(Box<str>),
    /// `true` in this share of records, else `false`.
    Flag(u64),
    /// A whole number in an inclusive range.
    Integer(u64, u64),
    /// A number with up to two decimals in a range of whole numbers.
    Decimal(u64, u64),
    /// One of the property's options.
    Choice(Arc<[Box<str>]>),
    /// Up to this many of the property's options.
    Choices(Arc<[Box<str>]>, u64),
    /// A moment between two shares (percent) of the record's life.
    Moment(u64, u64),
    /// A day this many days after the record's creation.
    Day(u64, u64),
    /// One of a list of texts.
    Text(&'static [&'static str]),
    /// Invented sentences of about this many bytes.
    Filler(usize),
    /// A fact about the owner.
    Owner(OwnerFact),
    /// A fact about a person or organisation.
    Party(PartyFact),
    /// A fact about the company the record is or belongs to.
    Company(CompanyFact),
    /// How many records of a type are linked.
    Linked(Kind),
    /// A fact about a record in a pipeline.
    Sale(SaleFact),
    /// When the record entered the stage at a position of its path.
    StageEntered(usize),
    /// When the record left the stage at a position of its path.
    StageExited(usize),
    /// Milliseconds spent in the stage at a position of its path, until it left.
    StageTime(usize),
    /// When the record entered the stage it is in.
    StageSince,
    /// Milliseconds spent in the stage at a position of its path until it left or, if it has not, until today.
    StageTimeSoFar(usize),
    /// Days from the record's creation to today.
    Age,
    /// `true` in this share (percent) of records from a day on within this many days after the end of the story.
    FlagFrom(u64, u64),
}

/// A rule with the share of records it fills.
#[derive(Debug, Clone)]
pub struct Fill {
    /// What to write.
    rule: Rule,
    /// Share of records with a value, in percent.
    percent: u64,
    /// Decides whether a record has a value.
    presence_salt: u64,
    /// Decides which.
    value_salt: u64,
}

impl Fill {
    /// Reads a rule; `None` for `-`.
    ///
    /// # Errors
    /// Says what is not understood.
    pub fn parse(text: &str, property: &Property) -> Result<Option<Self>> {
        if text == "-" {
            return Ok(None);
        }
        let (call, percent) = match text.split_once(' ') {
            Some((call, share)) => (call, share.trim_end_matches('%').parse().context("the share")?),
            None => (text, 100),
        };
        let (name, arguments) =
            call.split_once('(').map_or((call, ""), |(name, rest)| (name, rest.trim_end_matches(')')));
        let rule = Rule::parse(name, arguments, property)?;
        let fact = rule.fact().unwrap_or(&property.name);
        Ok(Some(Self {
            presence_salt: mix_text(fact),
            value_salt: mix_text(&property.name) ^ 0xF1_11,
            rule,
            percent,
        }))
    }

    /// The rule padding gives a property that natural records leave empty.
    pub fn padding(property: &Property) -> Self {
        let rule = match property.value_type {
            ValueType::Bool => Rule::Flag(50),
            ValueType::Date => Rule::Day(1, 900),
            ValueType::DateTime => Rule::Moment(0, 99),
            ValueType::Number => Rule::Integer(0, 99_999),
            ValueType::Enumeration => Rule::Choice(property.option_values()),
            ValueType::PhoneNumber => Rule::Party(PartyFact::Phone(3)),
            ValueType::String | ValueType::ObjectCoordinates | ValueType::Json => Rule::Filler(24),
        };
        Self::always(rule, property)
    }

    /// The rule for a property somebody defined without saying how records fill it.
    pub fn invented(property: &Property) -> Self {
        if property.flags.has_unique_value && property.value_type == ValueType::String {
            return Self::always(Rule::Party(PartyFact::CustomerNumber), property);
        }
        Self::padding(property)
    }

    /// Invented text of about `bytes` bytes.
    pub fn long_text(property: &Property, bytes: usize) -> Self {
        Self::always(Rule::Filler(bytes), property)
    }

    /// A rule that fills every record.
    fn always(rule: Rule, property: &Property) -> Self {
        Self { rule, percent: 100, presence_salt: 0, value_salt: mix_text(&property.name) ^ 0xF1_11 }
    }

    /// About how many bytes a padded value adds to a record's JSON besides the property's name.
    pub const fn padding_bytes(&self) -> usize {
        const QUOTES_COLON_COMMA: usize = 6;
        QUOTES_COLON_COMMA
            + match &self.rule {
                Rule::Filler(bytes) => *bytes,
                Rule::Moment(..) => 24,
                Rule::Party(_) => 16,
                Rule::Day(..) => 10,
                _ => 5,
            }
    }

    /// Whether the rule shows what every record has, however it was made.
    pub const fn is_system(&self) -> bool {
        matches!(self.rule, Rule::Id | Rule::Created | Rule::Modified)
    }

    /// Appends the record's value and says whether it has one. What is appended needs no escaping in JSON.
    pub fn write(&self, record: &Record<'_>, out: &mut Vec<u8>) -> bool {
        if self.percent < 100 && !chance(mix(record.seed, self.presence_salt), self.percent) {
            return false;
        }
        self.rule.write(record, self.value_salt, out)
    }
}

impl Rule {
    /// Reads a rule's name and arguments.
    fn parse(name: &str, arguments: &str, property: &Property) -> Result<Self> {
        let number = |position: usize| -> Result<u64> {
            let text =
                arguments.split(',').nth(position).with_context(|| format!("{name} needs more arguments"))?;
            text.parse().with_context(|| format!("argument {text} of {name}"))
        };
        let stage = || stage_position(arguments).with_context(|| format!("no stage {arguments}"));
        Ok(match name {
            "id" => Self::Id,
            "created" => Self::Created,
            "modified" => Self::Modified,
            "const" => Self::Constant(arguments.into()),
            "flag" => Self::Flag(number(0)?),
            "int" => Self::Integer(number(0)?, number(1)?),
            "decimal" | "money" => Self::Decimal(number(0)?, number(1)?),
            "option" => Self::Choice(property.option_values()),
            "options" => Self::Choices(property.option_values(), number(0)?),
            "moment" => Self::Moment(number(0)?, number(1)?),
            "day" => Self::Day(number(0)?, number(1)?),
            "text" => Self::Text(words::theme(arguments).with_context(|| format!("no theme {arguments}"))?),
            "url" => Self::Text(words::theme("page").context("no theme page")?),
            "phone" => Self::Party(PartyFact::Phone(number(0)?)),
            "phone_digits" => Self::Party(PartyFact::PhoneDigits(number(0)?)),
            "linked" => Self::Linked(
                STANDARD.find(arguments).with_context(|| format!("no object type {arguments}"))?.kind,
            ),
            "stage_entered" => Self::StageEntered(stage()?),
            "stage_exited" => Self::StageExited(stage()?),
            "stage_time" => Self::StageTime(stage()?),
            "stage_since" => Self::StageSince,
            "stage_time_so_far" => Self::StageTimeSoFar(stage()?),
            "age" => Self::Age,
            "flag_from" => Self::FlagFrom(number(0)?, number(1)?),
            _ => {
                let fact = OwnerFact::named(name).map(Self::Owner);
                let fact = fact.or_else(|| PartyFact::named(name).map(Self::Party));
                match fact.or_else(|| CompanyFact::named(name).map(Self::Company)) {
                    Some(fact) => fact,
                    None => Self::Sale(SaleFact::parse(name, arguments)?),
                }
            }
        })
    }

    /// The fact several rules show, so that they agree on who has it; `None` when the property stands alone.
    const fn fact(&self) -> Option<&'static str> {
        match self {
            Self::Party(PartyFact::Phone(1) | PartyFact::PhoneDigits(1)) => Some("phone"),
            Self::Party(PartyFact::Phone(2) | PartyFact::PhoneDigits(2)) => Some("mobilephone"),
            Self::Party(PartyFact::Email | PartyFact::EmailDomain) => Some("email"),
            Self::Sale(SaleFact::Amount | SaleFact::Projected | SaleFact::ClosedAmount) => Some("amount"),
            _ => None,
        }
    }

    /// Appends the value; false when the record has none.
    fn write(&self, record: &Record<'_>, salt: u64, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Id => push_number(out, record.id),
            Self::Created => push_moment(out, record.created_at),
            Self::Modified => push_moment(out, record.updated_at),
            Self::Constant(text) => out.extend_from_slice(text.as_bytes()),
            Self::Flag(percent) => push_flag(out, chance(record.word(salt), *percent)),
            Self::Integer(least, most) => {
                push_number(out, least + below(record.word(salt), most - least + 1));
            }
            Self::Decimal(least, most) => {
                push_hundredths(out, least * 100 + below(record.word(salt), (most - least) * 100 + 1));
            }
            Self::Choice(options) => out.extend_from_slice(pick(record.word(salt), options).as_bytes()),
            Self::Choices(options, most) => push_choices(out, record.word(salt), options, *most),
            Self::Moment(from, until) => {
                push_moment(out, drawn_moment(record, record.word(salt), *from, *until));
            }
            Self::Day(from, until) => {
                let days = from + below(record.word(salt), until - from + 1);
                push_date(out, record.created_at + days as Millis * DAY_MS);
            }
            Self::Text(texts) => out.extend_from_slice(pick(record.word(salt), texts).as_bytes()),
            Self::Filler(bytes) => push_filler(out, record.word(salt), *bytes),
            Self::Owner(fact) => return fact.write(record, out),
            Self::Party(fact) => return fact.write(record, out),
            Self::Company(fact) => return fact.write(record, out),
            Self::Sale(fact) => return fact.write(record, out),
            Self::Linked(kind) => {
                push_number(out, links::count(record.world, record.kind, record.index, *kind));
            }
            Self::StageEntered(position) => {
                return push_some(out, Path::of(record).entered_at(record, *position));
            }
            Self::StageExited(position) => {
                return push_some(out, Path::of(record).exited_at(record, *position));
            }
            Self::StageTime(position) => {
                let path = Path::of(record);
                let times = path.entered_at(record, *position).zip(path.exited_at(record, *position));
                let Some((entered_at, exited_at)) = times else { return false };
                push_number(out, (exited_at - entered_at) as u64);
            }
            Self::StageTimeSoFar(position) => {
                let path = Path::of(record);
                let Some(entered_at) = path.entered_at(record, *position) else { return false };
                let until =
                    path.exited_at(record, *position).unwrap_or_else(|| record.world.today().max(entered_at));
                push_number(out, (until - entered_at) as u64);
            }
            Self::Age => {
                push_number(out, ((record.world.today() - record.created_at).max(0) / DAY_MS) as u64);
            }
            Self::FlagFrom(percent, days) => {
                let word = record.word(salt);
                let from = record.story_end() + (1 + below(word << 8, *days)) as Millis * DAY_MS;
                push_flag(out, chance(word, *percent) && record.world.today() >= from);
            }
            Self::StageSince => {
                let path = Path::of(record);
                return push_some(out, path.entered_at(record, path.position()));
            }
        }
        true
    }
}

/// A moment between two shares of the record's life.
fn drawn_moment(record: &Record<'_>, word: u64, from: u64, until: u64) -> Millis {
    let (start, end) = (record.moment(from), record.moment(until));
    start + below(word, (end - start).max(1) as u64) as Millis
}

/// Appends a moment, if there is one.
fn push_some(out: &mut Vec<u8>, moment: Option<Millis>) -> bool {
    if let Some(moment) = moment {
        push_moment(out, moment);
    }
    moment.is_some()
}
