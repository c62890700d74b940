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
use crate::model::{Choice, ObjectType, Selected};
use crate::storage::{
    Conflict, ConflictFilter, ConflictKind, ConflictStatus, ConflictStep, Database, FieldSource, FieldValues,
    Resolution, conflict_steps, list_conflicts, load_conflict, recall_types, resolve_conflict,
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
    /// Decide what counts; the push carries it out.
    Resolve(Decision),
}

/// What is decided.
#[derive(Debug, Clone, clap::Args)]
struct Decision {
    /// Number of the conflict.
    id: i64,
    /// Whose values count, but for those given with --field.
    #[arg(long, value_name = "SIDE", required_unless_present = "field")]
    keep: Option<Side>,
    /// What counts for one property: NAME=local, NAME=hubspot, or NAME==VALUE for a value of your own (empty clears it).
    #[arg(long, value_name = "NAME=…", value_parser = parse_field)]
    field: Vec<(String, Choice)>,
    /// Who decides, for the audit trail.
    #[arg(long, value_name = "NAME", default_value = "command line")]
    by: String,
}

/// A side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Side {
    /// MariaDB.
    Local,
    /// HubSpot.
    #[value(name = "hubspot")]
    HubSpot,
}

impl From<Side> for Choice {
    fn from(side: Side) -> Self {
        match side {
            Side::Local => Self::Local,
            Side::HubSpot => Self::HubSpot,
        }
    }
}

/// `name=local`, `name=hubspot` or `name==value`.
fn parse_field(text: &str) -> Result<(String, Choice), String> {
    let (name, what) = text.split_once('=').ok_or("has to be NAME=local, NAME=hubspot or NAME==VALUE")?;
    let choice = match what {
        "local" => Choice::Local,
        "hubspot" => Choice::HubSpot,
        _ => match what.strip_prefix('=') {
            Some(value) => Choice::Value(value.to_owned()),
            None => return Err("has to be NAME=local, NAME=hubspot or NAME==VALUE".to_owned()),
        },
    };
    Ok((name.to_owned(), choice))
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
    let (database, mut sync) = Config::read_without_hubspot(environment)?;
    let database = Database::new(&database)?;
    match arguments.action.unwrap_or_else(|| Action::List(Listing::default())) {
        Action::List(listing) => list(&database, listing).await?,
        Action::Show { id, json } => show(&database, id, json).await?,
        Action::Resolve(decision) => {
            sync.objects = recall_types(&database, &sync.objects).await.map_err(advise)?;
            resolve(&database, &Selected::known(&sync.objects), decision).await?;
        }
    }
    database.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Settles a conflict.
async fn resolve(
    database: &Database,
    objects: &[&'static ObjectType],
    Decision { id, keep, field, by }: Decision,
) -> anyhow::Result<()> {
    let conflict = load_conflict(database, id).await.map_err(advise)?;
    let conflict = conflict.with_context(|| format!("there is no conflict {id}"))?;
    let resolution = match (keep, field.is_empty()) {
        (Some(Side::Local), true) => Resolution::KeepLocal,
        (Some(Side::HubSpot), true) => Resolution::KeepHubSpot,
        (keep, _) => {
            let fields = conflict.disagreement.fields.iter().cloned();
            let kept = keep.into_iter().flat_map(|side| fields.clone().map(move |name| (name, side.into())));
            Resolution::Fields(kept.chain(field).collect())
        }
    };
    let status = resolve_conflict(database, objects, id, &resolution, &by).await?;
    let record = &conflict.record;
    if conflict.disagreement.kind == ConflictKind::Merged {
        print(format_args!(
            "Conflict {id} is settled ({status}) in the row of the record it was merged into."
        ));
        return Ok(());
    }
    print(format_args!(
        "Conflict {id} is settled ({status}); {} row {} is pushed next.",
        record.object_type,
        or_none(record.row_id)
    ));
    Ok(())
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
        ConflictKind::Merged => format!("merged in HubSpot, changed here in both rows: {fields}"),
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
    let there = if about.kind == ConflictKind::Merged { "row merged into" } else { "HubSpot" };
    let mut sides = table(["property", "agreed last", "MariaDB", there, "set in HubSpot"]);
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
