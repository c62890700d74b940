//! How generated records fill one property.
//!
//! A rule is written in the last column of a property table as `name`, `name(arguments)` or either followed by the
//! share of records that have a value, as in `city 70%`. Rules that show one fact (a telephone number, its digits)
//! share the draw that decides whether the record has it.

use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::catalogue::{Property, ValueType};
use crate::clock::{DAY_MS, Millis};
use crate::generate::deals::{self, LIFECYCLE, Standing};
use crate::generate::text::{push_date, push_hundredths, push_moment, push_number};
use crate::generate::{Record, people, words};
use crate::object_type::Kind;
use crate::random::{below, chance, mix, mix_text, pick};

/// Which closed deals a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Not ended.
    Open,
    /// Ended either way.
    Any,
    /// Ended with a sale.
    Won,
    /// Ended without one.
    Lost,
}

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
    /// A fact about the sale.
    Deal(DealFact),
    /// When the record entered the stage at a position of its path.
    StageEntered(usize),
    /// When the record left the stage at a position of its path.
    StageExited(usize),
    /// Milliseconds spent in the stage at a position of its path, until it left.
    StageTime(usize),
    /// When the record entered the stage it is in.
    StageSince,
    /// How the record came into the portal.
    Source,
    /// The user behind the way it came.
    SourceId,
}

/// Facts about the owner.
#[derive(Debug, Clone, Copy)]
enum OwnerFact {
    Id,
    User,
    Assigned,
    Creator,
}

/// Facts about a person or organisation.
#[derive(Debug, Clone, Copy)]
enum PartyFact {
    FirstName,
    LastName,
    FullName,
    Email,
    EmailDomain,
    Phone(u64),
    PhoneDigits(u64),
    JobTitle,
    Street,
    City,
    Region,
    Zip,
    Country,
    CountryCode,
    Profile,
    Handle,
    Lifecycle,
    Imported,
    CustomerNumber,
}

/// Facts about a company.
#[derive(Debug, Clone, Copy)]
enum CompanyFact {
    Id,
    Name,
    Domain,
    Site,
    Industry,
    Profile,
    Staff,
    Revenue,
    Year,
    Contacts,
    Deals,
}

/// Facts about a sale.
#[derive(Debug, Clone, Copy)]
enum DealFact {
    Name,
    Amount,
    Pipeline,
    Stage,
    CloseDate,
    Probability,
    Closed(Outcome),
    ClosedCount(Outcome),
    ClosedAmount,
    ClosedDate(Outcome),
    Projected,
    DaysToClose,
    LossReason,
    WinReason,
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

    /// Whether the rule shows the record's id, for reads that need no text.
    pub const fn is_id(&self) -> bool {
        matches!(self.rule, Rule::Id)
    }

    /// Whether the rule shows the creation time.
    pub const fn is_created(&self) -> bool {
        matches!(self.rule, Rule::Created)
    }

    /// Whether the rule shows the last modification.
    pub const fn is_modified(&self) -> bool {
        matches!(self.rule, Rule::Modified)
    }

    /// Whether the rule shows what every record has, however it was made.
    pub const fn is_system(&self) -> bool {
        self.is_id() || self.is_created() || self.is_modified()
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
            "stage_entered" => Self::StageEntered(stage_position(arguments)?),
            "stage_exited" => Self::StageExited(stage_position(arguments)?),
            "stage_time" => Self::StageTime(stage_position(arguments)?),
            "stage_since" => Self::StageSince,
            "record_source" => Self::Source,
            "record_source_id" => Self::SourceId,
            _ => Self::fact_named(name, arguments)?,
        })
    }

    /// Reads the rules that show a fact.
    fn fact_named(name: &str, arguments: &str) -> Result<Self> {
        Ok(match name {
            "owner" => Self::Owner(OwnerFact::Id),
            "owner_user" => Self::Owner(OwnerFact::User),
            "owner_assigned" => Self::Owner(OwnerFact::Assigned),
            "creator" => Self::Owner(OwnerFact::Creator),
            "first_name" => Self::Party(PartyFact::FirstName),
            "last_name" => Self::Party(PartyFact::LastName),
            "full_name" => Self::Party(PartyFact::FullName),
            "email" => Self::Party(PartyFact::Email),
            "email_domain" => Self::Party(PartyFact::EmailDomain),
            "job_title" => Self::Party(PartyFact::JobTitle),
            "street" => Self::Party(PartyFact::Street),
            "city" => Self::Party(PartyFact::City),
            "region" => Self::Party(PartyFact::Region),
            "zip" => Self::Party(PartyFact::Zip),
            "country" => Self::Party(PartyFact::Country),
            "country_code" => Self::Party(PartyFact::CountryCode),
            "profile_url" => Self::Party(PartyFact::Profile),
            "handle" => Self::Party(PartyFact::Handle),
            "lifecycle" => Self::Party(PartyFact::Lifecycle),
            "imported" => Self::Party(PartyFact::Imported),
            "customer_number" => Self::Party(PartyFact::CustomerNumber),
            "company_id" => Self::Company(CompanyFact::Id),
            "company_name" => Self::Company(CompanyFact::Name),
            "company_domain" => Self::Company(CompanyFact::Domain),
            "company_site" => Self::Company(CompanyFact::Site),
            "company_industry" => Self::Company(CompanyFact::Industry),
            "company_profile" => Self::Company(CompanyFact::Profile),
            "staff" => Self::Company(CompanyFact::Staff),
            "revenue" => Self::Company(CompanyFact::Revenue),
            "year" => Self::Company(CompanyFact::Year),
            "contact_count" => Self::Company(CompanyFact::Contacts),
            "deal_count" => Self::Company(CompanyFact::Deals),
            _ => Self::Deal(DealFact::parse(name, arguments)?),
        })
    }

    /// The fact several rules show, so that they agree on who has it; `None` when the property stands alone.
    const fn fact(&self) -> Option<&'static str> {
        match self {
            Self::Party(PartyFact::Phone(1) | PartyFact::PhoneDigits(1)) => Some("phone"),
            Self::Party(PartyFact::Phone(2) | PartyFact::PhoneDigits(2)) => Some("mobilephone"),
            Self::Party(PartyFact::Email | PartyFact::EmailDomain) => Some("email"),
            Self::Deal(DealFact::Amount | DealFact::Projected | DealFact::ClosedAmount) => Some("amount"),
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
            Self::Deal(fact) => return fact.write(record, out),
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
            Self::StageSince => {
                let path = Path::of(record);
                return push_some(out, path.entered_at(record, path.position()));
            }
            Self::Source => out.extend_from_slice(source_of(record).0.as_bytes()),
            Self::SourceId => out.extend_from_slice(source_of(record).1.as_bytes()),
        }
        true
    }
}

/// Where a record stands on the way its type goes.
enum Path {
    /// Through the lifecycle stages.
    Lifecycle(usize),
    /// Through a pipeline.
    Pipeline(Standing),
}

impl Path {
    /// Where a record stands.
    fn of(record: &Record<'_>) -> Self {
        match record.kind {
            Kind::Contact | Kind::Company => Self::Lifecycle(deals::lifecycle_position(record)),
            Kind::Deal => Self::Pipeline(Standing::of(record)),
        }
    }

    /// Position of the present stage.
    const fn position(&self) -> usize {
        match self {
            Self::Lifecycle(position) => *position,
            Self::Pipeline(standing) => standing.position,
        }
    }

    /// When the record entered a stage; the tables know positions of the default pipeline only.
    fn entered_at(&self, record: &Record<'_>, position: usize) -> Option<Millis> {
        match self {
            Self::Lifecycle(present) => {
                (position <= *present).then(|| record.moment(position as u64 * 90 / LIFECYCLE.len() as u64))
            }
            Self::Pipeline(standing) => standing.entered_at(record, position),
        }
    }

    /// When the record left a stage.
    fn exited_at(&self, record: &Record<'_>, position: usize) -> Option<Millis> {
        match self {
            Self::Lifecycle(present) => {
                if position < *present {
                    self.entered_at(record, position + 1)
                } else {
                    None
                }
            }
            Self::Pipeline(standing) => {
                if position >= standing.steps() {
                    return None;
                }
                let next = if position + 1 == standing.steps() { standing.position } else { position + 1 };
                standing.entered_at(record, next)
            }
        }
    }
}

/// Position of a lifecycle stage or of a stage of the default pipeline.
fn stage_position(id: &str) -> Result<usize> {
    let lifecycle = LIFECYCLE.iter().position(|&(stage, ..)| stage == id);
    let pipeline = deals::PIPELINES[0].stages.iter().position(|stage| stage.id == id);
    lifecycle.or(pipeline).with_context(|| format!("no stage {id}"))
}

/// How a record came into the portal, and which user or integration brought it.
fn source_of(record: &Record<'_>) -> (&'static str, &'static str) {
    const SOURCES: [(&str, &str); 5] = [
        ("CRM_UI", "userId:9584300"),
        ("IMPORT", "58213370"),
        ("INTEGRATION", "1845122"),
        ("FORM", "71c6ab2e-5b2b-4a27-9b51-8a9b1f0c4e77"),
        ("CONTACTS", "CRM_UI"),
    ];
    *pick(record.word(super::record::salt::SOURCE), &SOURCES)
}

/// A moment between two shares of the record's life.
fn drawn_moment(record: &Record<'_>, word: u64, from: u64, until: u64) -> Millis {
    let (start, end) = (record.moment(from), record.moment(until));
    start + below(word, (end - start).max(1) as u64) as Millis
}

/// Appends `true` or `false`.
fn push_flag(out: &mut Vec<u8>, flag: bool) {
    out.extend_from_slice(if flag { b"true" } else { b"false" });
}

/// Appends a moment, if there is one.
fn push_some(out: &mut Vec<u8>, moment: Option<Millis>) -> bool {
    if let Some(moment) = moment {
        push_moment(out, moment);
    }
    moment.is_some()
}

/// Appends one to `most` options in table order, split by `;`.
fn push_choices(out: &mut Vec<u8>, word: u64, options: &[Box<str>], most: u64) {
    let wanted = 1 + below(word, most) as usize;
    let first = below(word << 13, options.len() as u64) as usize;
    let from = first.min(options.len() - wanted.min(options.len()));
    for (position, option) in options[from..].iter().take(wanted).enumerate() {
        if position > 0 {
            out.push(b';');
        }
        out.extend_from_slice(option.as_bytes());
    }
}

/// Appends invented words until there are at least `bytes` bytes.
fn push_filler(out: &mut Vec<u8>, word: u64, bytes: usize) {
    let end = out.len() + bytes;
    let mut state = word;
    while out.len() < end {
        state = mix(state, 1);
        out.extend_from_slice(pick(state, words::FILLER).as_bytes());
        out.push(b' ');
    }
    out.truncate(end);
    // HubSpot trims what people type.
    if out.last() == Some(&b' ') {
        out.pop();
    }
}

impl OwnerFact {
    /// Appends the value; false for a record without owner.
    fn write(self, record: &Record<'_>, out: &mut Vec<u8>) -> bool {
        if matches!(self, Self::Creator) {
            push_number(out, people::owner_user_id(below(record.word(0x0C), people::OWNERS)));
            return true;
        }
        let Some(position) = people::owner_of(record) else { return false };
        match self {
            Self::Id | Self::Creator => push_number(out, people::owner_id(position)),
            Self::User => push_number(out, people::owner_user_id(position)),
            Self::Assigned => push_moment(out, record.moment(3)),
        }
        true
    }
}

impl PartyFact {
    /// Appends the value; false when the record has none.
    fn write(self, record: &Record<'_>, out: &mut Vec<u8>) -> bool {
        match self {
            Self::FirstName => out.extend_from_slice(record.first_name().0.as_bytes()),
            Self::LastName => out.extend_from_slice(record.last_name().0.as_bytes()),
            Self::FullName => {
                for part in [record.first_name().0, " ", record.last_name().0] {
                    out.extend_from_slice(part.as_bytes());
                }
            }
            Self::Email => people::push_email(out, record),
            Self::EmailDomain => people::push_mail_domain(out, record),
            Self::Phone(line) => people::push_phone(out, record, line, false),
            Self::PhoneDigits(line) => people::push_phone(out, record, line, true),
            Self::JobTitle => out.extend_from_slice(pick(record.word(0x0B), words::JOB_TITLES).as_bytes()),
            Self::Street => people::push_street(out, record),
            Self::City => out.extend_from_slice(record.place().city.as_bytes()),
            Self::Region if record.place().region.is_empty() => return false,
            Self::Region => out.extend_from_slice(record.place().region.as_bytes()),
            Self::Zip => people::push_zip(out, record),
            Self::Country => out.extend_from_slice(record.place().country.as_bytes()),
            Self::CountryCode => out.extend_from_slice(record.place().code.as_bytes()),
            Self::Profile => people::push_profile(out, record),
            Self::Handle => {
                out.push(b'@');
                out.extend_from_slice(record.first_name().1.as_bytes());
                push_number(out, record.index);
            }
            Self::Lifecycle => {
                out.extend_from_slice(LIFECYCLE[deals::lifecycle_position(record)].0.as_bytes());
            }
            Self::Imported if source_of(record).0 != "IMPORT" => return false,
            Self::Imported => push_flag(out, true),
            Self::CustomerNumber => {
                out.extend_from_slice(b"C-");
                push_number(out, 100_000 + record.index);
            }
        }
        true
    }
}

impl CompanyFact {
    /// Appends the value; false for a record without company.
    fn write(self, record: &Record<'_>, out: &mut Vec<u8>) -> bool {
        let Some(company) = record.company() else { return false };
        match self {
            Self::Id => push_number(out, company.id),
            Self::Name => people::push_company_name(out, &company),
            Self::Domain => people::push_company_domain(out, &company),
            Self::Site => {
                out.extend_from_slice(b"https://www.");
                people::push_company_domain(out, &company);
            }
            Self::Industry => out.extend_from_slice(company.company_parts().1.0.as_bytes()),
            Self::Profile => people::push_profile(out, &company),
            Self::Staff => push_number(out, company.staff()),
            Self::Revenue => push_number(out, company.staff() * (60_000 + below(company.word(0x2E), 90_000))),
            Self::Year => push_number(out, 1890 + below(company.word(0x2F), 133)),
            Self::Contacts => push_number(out, record.world.members_of(Kind::Contact, company.index)),
            Self::Deals => push_number(out, record.world.members_of(Kind::Deal, company.index)),
        }
        true
    }
}

impl DealFact {
    /// Reads the rules about a sale.
    fn parse(name: &str, arguments: &str) -> Result<Self> {
        let outcome = || {
            Ok(match arguments {
                "open" => Outcome::Open,
                "any" => Outcome::Any,
                "won" => Outcome::Won,
                "lost" => Outcome::Lost,
                _ => bail!("no outcome {arguments}"),
            })
        };
        Ok(match name {
            "deal_name" => Self::Name,
            "amount" => Self::Amount,
            "pipeline" => Self::Pipeline,
            "stage" => Self::Stage,
            "close_date" => Self::CloseDate,
            "probability" => Self::Probability,
            "closed" => Self::Closed(outcome()?),
            "closed_count" => Self::ClosedCount(outcome()?),
            "closed_amount" => Self::ClosedAmount,
            "closed_date" => Self::ClosedDate(outcome()?),
            "projected" => Self::Projected,
            "days_to_close" => Self::DaysToClose,
            "loss_reason" => Self::LossReason,
            "win_reason" => Self::WinReason,
            _ => bail!("no rule {name}"),
        })
    }

    /// Appends the value; false when the deal has none.
    fn write(self, record: &Record<'_>, out: &mut Vec<u8>) -> bool {
        let standing = Standing::of(record);
        match self {
            Self::Name => push_deal_name(out, record),
            Self::Amount => push_hundredths(out, deals::amount(record)),
            Self::Pipeline => out.extend_from_slice(standing.pipeline.id.as_bytes()),
            Self::Stage => out.extend_from_slice(standing.stage().id.as_bytes()),
            Self::ClosedDate(outcome) if !outcome.is(standing) => return false,
            Self::CloseDate | Self::ClosedDate(_) => push_moment(out, deals::close_date(record, standing)),
            Self::Probability => out.extend_from_slice(standing.stage().probability.as_bytes()),
            Self::Closed(outcome) => push_flag(out, outcome.is(standing)),
            Self::ClosedCount(outcome) => push_number(out, u64::from(outcome.is(standing))),
            Self::ClosedAmount => {
                push_hundredths(out, if standing.is_won() { deals::amount(record) } else { 0 });
            }
            Self::Projected => push_hundredths(out, projected(record, standing)),
            Self::DaysToClose if standing.is_open() => return false,
            Self::DaysToClose => {
                let days = (deals::close_date(record, standing) - record.created_at) / DAY_MS;
                push_number(out, days as u64);
            }
            Self::LossReason if !standing.is_lost() => return false,
            Self::LossReason => push_reason(out, record, "loss"),
            Self::WinReason if !standing.is_won() => return false,
            Self::WinReason => push_reason(out, record, "win"),
        }
        true
    }
}

impl Outcome {
    /// Whether a deal came out like this.
    const fn is(self, standing: Standing) -> bool {
        match self {
            Self::Open => standing.is_open(),
            Self::Any => !standing.is_open(),
            Self::Won => standing.is_won(),
            Self::Lost => standing.is_lost(),
        }
    }
}

/// Amount times the stage's probability, in hundredths.
fn projected(record: &Record<'_>, standing: Standing) -> u64 {
    let probability: f64 = standing.stage().probability.parse().unwrap_or(0.0);
    (deals::amount(record) as f64 * probability).round() as u64
}

/// Appends what the deal is called: its company and its subject.
fn push_deal_name(out: &mut Vec<u8>, record: &Record<'_>) {
    if let Some(company) = record.company() {
        people::push_company_name(out, &company);
        out.extend_from_slice(" – ".as_bytes());
    }
    out.extend_from_slice(pick(record.word(0x0D), words::DEAL_SUBJECTS).as_bytes());
    out.extend_from_slice(b" #");
    push_number(out, 1_000 + record.index);
}

/// Appends a reason of a theme.
fn push_reason(out: &mut Vec<u8>, record: &Record<'_>, theme: &str) {
    if let Some(texts) = words::theme(theme) {
        out.extend_from_slice(pick(record.word(0x0E), texts).as_bytes());
    }
}
