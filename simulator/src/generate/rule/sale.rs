//! Facts about records that go through a pipeline: deals, and what tickets share with them.

use anyhow::{Result, bail};

use crate::clock::DAY_MS;
use crate::generate::funnel::{self, Standing};
use crate::generate::text::{push_flag, push_hundredths, push_moment, push_number};
use crate::generate::{Record, people, words};
use crate::random::pick;

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

/// A fact about a record in a pipeline.
#[derive(Debug, Clone, Copy)]
pub enum SaleFact {
    /// What a deal is called.
    Name,
    /// What a ticket is about.
    Subject,
    /// What a deal is worth.
    Amount,
    /// The pipeline's id.
    Pipeline,
    /// The stage's id.
    Stage,
    /// When it closed or is expected to.
    CloseDate,
    /// The stage's chance of winning.
    Probability,
    /// Whether it ended like this.
    Closed(Outcome),
    /// 1 when it ended like this, else 0.
    ClosedCount(Outcome),
    /// What it is worth if it was won, else 0.
    ClosedAmount,
    /// When it ended like this.
    ClosedDate(Outcome),
    /// What it is worth times the chance of winning.
    Projected,
    /// Days from creation to end.
    DaysToClose,
    /// Why it was lost.
    LossReason,
    /// Why it was won.
    WinReason,
}

impl SaleFact {
    /// The fact a rule names.
    ///
    /// # Errors
    /// No rule has this name, or no outcome is called so.
    pub fn parse(name: &str, arguments: &str) -> Result<Self> {
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
            "subject" => Self::Subject,
            "loss_reason" => Self::LossReason,
            "win_reason" => Self::WinReason,
            _ => bail!("no rule {name}"),
        })
    }

    /// Appends the value; false when the deal has none.
    pub fn write(self, record: &Record<'_>, out: &mut Vec<u8>) -> bool {
        let Some(standing) = Standing::of(record) else { return false };
        match self {
            Self::Name => push_deal_name(out, record),
            Self::Subject => {
                out.extend_from_slice(pick(record.word(0x0F), words::TICKET_SUBJECTS).as_bytes());
            }
            Self::Amount => push_hundredths(out, funnel::amount(record)),
            Self::Pipeline => out.extend_from_slice(standing.pipeline.id.as_bytes()),
            Self::Stage => out.extend_from_slice(standing.stage().id.as_bytes()),
            Self::ClosedDate(outcome) if !outcome.is(standing) => return false,
            Self::CloseDate | Self::ClosedDate(_) => push_moment(out, funnel::close_date(record, standing)),
            Self::Probability => out.extend_from_slice(standing.stage().state.as_bytes()),
            Self::Closed(outcome) => push_flag(out, outcome.is(standing)),
            Self::ClosedCount(outcome) => push_number(out, u64::from(outcome.is(standing))),
            Self::ClosedAmount => {
                push_hundredths(out, if standing.is_won() { funnel::amount(record) } else { 0 });
            }
            Self::Projected => push_hundredths(out, projected(record, standing)),
            Self::DaysToClose if standing.is_open() => return false,
            Self::DaysToClose => {
                let days = (funnel::close_date(record, standing) - record.created_at) / DAY_MS;
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
    let probability: f64 = standing.stage().state.parse().unwrap_or(0.0);
    (funnel::amount(record) as f64 * probability).round() as u64
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
