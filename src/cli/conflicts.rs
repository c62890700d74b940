//! `conflicts`: what both sides changed and only a person can settle.
//!
//! Values are shown to who asks for them, and to nobody else: they never stand in the log.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use serde_json::json;

use super::print;
use super::table::{cell, table};
use crate::app::advise;
use crate::config::{Config, Environment};
use crate::storage::{
    Conflict, ConflictFilter, ConflictKind, ConflictStatus, ConflictStep, Database, FieldSource, FieldValues,
    conflict_steps, list_conflicts, load_conflict,
};

/// Arguments of `conflicts`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
}

/// What to do; without an action the open ones are listed.
#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// List the conflicts that wait for a person, newest first (the default).
    List(Listing),
    /// Show what each side has, who set it, and what happened since.
    Show {
        /// Number of the conflict.
        id: i64,
        /// Print it as JSON, with whole values.
        #[arg(long)]
        json: bool,
    },
}

/// What is listed, and how.
#[derive(Debug, Clone, clap::Args)]
struct Listing {
    /// List settled conflicts too.
    #[arg(long)]
    all: bool,
    /// Print them as a JSON list, with their values.
    #[arg(long)]
    json: bool,
    /// Of this type only.
    #[arg(long = "type", value_name = "TYPE")]
    object_type: Option<String>,
    /// Those before the conflict of this number only.
    #[arg(long, value_name = "ID")]
    before: Option<i64>,
    /// How many to show at most.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_LIMIT, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

/// Conflicts shown unless told otherwise.
const DEFAULT_LIMIT: u32 = 100;

impl Default for Listing {
    fn default() -> Self {
        Self { all: false, json: false, object_type: None, before: None, limit: DEFAULT_LIMIT }
    }
}

/// Lists or shows.
pub(super) async fn main(environment: Environment, arguments: Arguments) -> anyhow::Result<ExitCode> {
    let (database, _) = Config::read_without_hubspot(environment)?;
    let database = Database::new(&database)?;
    match arguments.action.unwrap_or_else(|| Action::List(Listing::default())) {
        Action::List(listing) => list(&database, listing).await?,
        Action::Show { id, json } => show(&database, id, json).await?,
    }
    database.close().await;
    Ok(ExitCode::SUCCESS)
}

/// One line a conflict.
async fn list(database: &Database, listing: Listing) -> anyhow::Result<()> {
    let status = if listing.all { None } else { Some(ConflictStatus::Pending) };
    let filter = ConflictFilter { status, object_type: listing.object_type };
    let found = list_conflicts(database, &filter, listing.before, listing.limit).await;
    let conflicts = found.map_err(advise)?;
    if listing.json {
        print(serde_json::to_string_pretty(&conflicts)?);
        return Ok(());
    }
    let Some(last) = conflicts.last() else {
        print(if listing.all { "There is no conflict." } else { "No conflict waits for a person." });
        return Ok(());
    };
    print(lines(&conflicts));
    if conflicts.len() == listing.limit as usize {
        print(format_args!("For older ones: --before {}.", last.id));
    }
    Ok(())
}

/// The table of `list`.
fn lines(conflicts: &[Conflict]) -> String {
    let mut lines = table(["id", "type", "row", "HubSpot id", "about", "status", "last change"]);
    for conflict in conflicts {
        let record = &conflict.record;
        lines.add_row([
            conflict.id.to_string(),
            record.object_type.clone(),
            or_none(record.row_id),
            or_none(record.hubspot_id),
            about(conflict),
            conflict.status.to_string(),
            conflict.updated_at.format(TIME).to_string(),
        ]);
    }
    lines.to_string()
}

/// How a time is shown; all are UTC.
const TIME: &str = "%F %T UTC";

/// What a conflict is about, in a few words.
fn about(conflict: &Conflict) -> String {
    let fields = conflict.disagreement.fields.join(", ");
    cell(&match conflict.disagreement.kind {
        ConflictKind::Fields => fields,
        ConflictKind::DeletedHere => format!("deleted here, changed in HubSpot: {fields}"),
        ConflictKind::DeletedInHubSpot => format!("deleted in HubSpot, changed here: {fields}"),
    })
}

/// A number that may be missing.
fn or_none(number: Option<impl ToString>) -> String {
    number.map_or_else(|| "none".to_owned(), |number| number.to_string())
}

/// Prints one conflict with everything that is known of it.
async fn show(database: &Database, id: i64, as_json: bool) -> anyhow::Result<()> {
    let Some(conflict) = load_conflict(database, id).await.map_err(advise)? else {
        bail!("there is no conflict {id}; `hubspot-connector conflicts list --all` shows which there are");
    };
    let steps = conflict_steps(database, id).await.map_err(advise)?;
    if as_json {
        let mut whole = json!(conflict);
        whole.as_object_mut().context("a conflict is an object")?.insert("steps".to_owned(), json!(steps));
        print(serde_json::to_string_pretty(&whole)?);
        return Ok(());
    }
    print(format_args!(
        "Conflict {id}, {}: {}, row {}, HubSpot id {}\n{}",
        conflict.status,
        conflict.record.object_type,
        or_none(conflict.record.row_id),
        or_none(conflict.record.hubspot_id),
        about(&conflict),
    ));
    print(sides(&conflict));
    if let Some(resolution) = &conflict.resolution {
        print(format_args!("decided: {}", cell(&resolution.to_string())));
    }
    print(history(&steps));
    Ok(())
}

/// What each side has, one line a property.
fn sides(conflict: &Conflict) -> String {
    let about = &conflict.disagreement;
    let mut sides = table(["property", "agreed last", "MariaDB", "HubSpot", "set in HubSpot"]);
    for field in &about.fields {
        let of = |values: &FieldValues| match values.get(field) {
            Some(Some(value)) => cell(value),
            Some(None) | None => "(not set)".to_owned(),
        };
        let source = about.sources.get(field).map_or_else(String::new, set_by);
        sides.add_row([cell(field), of(&about.base), of(&about.local), of(&about.hubspot), source]);
    }
    sides.to_string()
}

/// Who set a value in HubSpot and when.
fn set_by(source: &FieldSource) -> String {
    let at = source.at.map(|at| at.format(TIME).to_string());
    let who = source.source_label.clone().or_else(|| source.source_id.clone());
    let words: Vec<_> = [at, source.source_type.clone(), who].into_iter().flatten().collect();
    cell(&words.join(", "))
}

/// What happened, one line a step.
fn history(steps: &[ConflictStep]) -> String {
    let mut history = table(["when", "who", "what"]);
    for step in steps {
        history.add_row([step.at.format(TIME).to_string(), cell(&step.actor), step.step.clone()]);
    }
    history.to_string()
}
