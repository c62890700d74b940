//! What went between the two sides for a record.

use chrono::{DateTime, Utc};

use super::lexicon::Lexicon;
use crate::storage::{LogAction, LogDirection, LogFilter, LogRow, LogStatus, RowView, recent_log};
use crate::web::App;
use crate::web::dashboard::moment::Moment;
use crate::web::error::ApiError;

/// Steps that are shown.
const STEPS: u32 = 20;

/// A row of `sync_log` as a page shows it.
#[derive(Debug)]
pub(super) struct Step {
    /// What was done, and which way.
    pub(super) words: String,
    /// `success`, `failed`, `pending` or `retrying`.
    pub(super) status: &'static str,
    /// Its colour.
    pub(super) tone: &'static str,
    /// What happened, in words.
    pub(super) message: Option<String>,
    /// Names of the properties it was about.
    pub(super) fields: String,
    /// Tries after the first.
    pub(super) retries: u32,
    /// When.
    pub(super) at: Moment,
    /// Whether it waits, or has failed: why is what people want to know first.
    pub(super) is_open: bool,
}

/// What went between the two sides for the row, the latest first.
pub(super) async fn history(
    app: &App,
    lexicon: &Lexicon,
    row: &RowView,
    now: DateTime<Utc>,
) -> Result<Vec<Step>, ApiError> {
    let object_type = Some(lexicon.object_type.name.to_owned());
    let filter = LogFilter { object_type, row_id: Some(row.key), ..LogFilter::default() };
    let rows = recent_log(&app.database, &filter, None, STEPS).await?;
    Ok(rows.iter().map(|row| step(lexicon, row, now)).collect())
}

/// A step.
fn step(lexicon: &Lexicon, row: &LogRow, now: DateTime<Utc>) -> Step {
    let entry = &row.entry;
    let what = match (entry.action, entry.direction) {
        (LogAction::Create, LogDirection::Push) => "Made in HubSpot",
        (LogAction::Update, LogDirection::Push) => "Changes sent to HubSpot",
        (LogAction::Delete, LogDirection::Push) => "Deleted in HubSpot",
        (LogAction::Create, LogDirection::Pull) => "Made here, as in HubSpot",
        (LogAction::Update, LogDirection::Pull) => "Changes taken from HubSpot",
        (LogAction::Delete, LogDirection::Pull) => "Deleted here, as in HubSpot",
    };
    let (tone, is_open) = match entry.status {
        LogStatus::Success => ("good", false),
        LogStatus::Failed => ("bad", true),
        LogStatus::Pending => ("warn", true),
        LogStatus::Retrying => ("busy", true),
    };
    let labels: Vec<_> = entry.changed_fields.iter().map(|name| lexicon.label(name)).collect();
    Step {
        words: what.to_owned(),
        status: entry.status.word(),
        tone,
        message: entry.message.clone(),
        fields: labels.join(", "),
        retries: row.retry_count,
        at: Moment::new(row.updated_at, now),
        is_open,
    }
}
