//! `push --dry-run`: what would be sent to HubSpot now.
//!
//! It decides from what the database knows: HubSpot is not asked, so whatever has changed there since the last sync may
//! still turn an edit into a conflict. Nothing is sent and nothing is written; sending is the daemon's.

use std::fmt;
use std::process::ExitCode;

use anyhow::bail;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::print;
use crate::app::advise;
use crate::config::{Config, Environment, SqlDelete, SyncConfig};
use crate::model::{Documents, EditTimes, ObjectId, ObjectType, Properties, Rules, Selected};
use crate::storage::{
    Database, EditedRow, MirrorTable, conflict_policies, deleted_records, load_catalogue, load_mirror_table,
    pending_rows, recall_types,
};

/// Rows looked at in one go.
const PAGE: usize = 100;

/// Arguments of `push`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Arguments {
    /// Print what would be sent and send nothing: the daemon sends by itself.
    #[arg(long, required = true)]
    dry_run: bool,
    /// Of these types only.
    #[arg(value_name = "TYPE")]
    types: Vec<String>,
    /// Print one JSON object a line, with the values.
    #[arg(long)]
    json: bool,
}

/// What would become of an edit.
#[derive(Debug, Serialize)]
struct Planned {
    object_type: &'static str,
    /// `None` of a row that was deleted by SQL.
    row_id: Option<i64>,
    hubspot_id: Option<ObjectId>,
    /// `create`, `update`, `delete` or `nothing`.
    action: &'static str,
    /// What would be sent, by property; empty clears it.
    properties: Map<String, Value>,
    /// What a person would have to settle first.
    conflicts: Vec<String>,
}

/// Prints what would be sent.
pub(super) async fn main(environment: Environment, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (database, mut sync) = Config::read_without_hubspot(environment)?;
    let database = Database::new(&database)?;
    sync.objects = recall_types(&database, &sync.objects).await.map_err(advise)?;
    let mut planned = 0_u64;
    for object_type in choose(&sync, &arguments.types)? {
        let table = load_mirror_table(&database, object_type).await.map_err(advise)?;
        let rules = rules(&database, &sync, object_type).await?;
        planned += print_type(&database, &table, &rules, arguments.json).await?;
        if sync.push.sql_delete == SqlDelete::Archive {
            planned += print_deleted(&database, object_type, arguments.json).await?;
        }
    }
    if planned == 0 && !arguments.json {
        print("Nothing waits to be sent.");
    }
    database.close().await;
    Ok(ExitCode::SUCCESS)
}

/// The writable types that are asked for.
fn choose(sync: &SyncConfig, names: &[String]) -> anyhow::Result<Vec<&'static ObjectType>> {
    let mut writable = Selected::known(&sync.objects);
    writable.retain(|object_type| sync.push.is_writable(object_type));
    if let Some(unknown) = names.iter().find(|name| writable.iter().all(|one| !one.is_called(name))) {
        let names: Vec<_> = writable.iter().map(|object_type| object_type.name).collect();
        let writable = if names.is_empty() { "nothing is".to_owned() } else { names.join(", ") };
        bail!("`{unknown}` cannot be edited here; writable: {writable}");
    }
    if !names.is_empty() {
        writable.retain(|object_type| names.iter().any(|name| object_type.is_called(name)));
    }
    Ok(writable)
}

/// How edits of a type are merged.
async fn rules(
    database: &Database,
    sync: &SyncConfig,
    object_type: &'static ObjectType,
) -> anyhow::Result<Rules> {
    let catalogue = load_catalogue(database, object_type).await.map_err(advise)?;
    let policy = sync.push.conflict_policy(object_type);
    let mut rules = Rules::of_catalogue(&catalogue, policy);
    rules.set_policies(&conflict_policies(database, object_type.name).await.map_err(advise)?);
    Ok(rules)
}

/// Prints every edit of a type that waits; returns how many.
async fn print_type(
    database: &Database,
    table: &MirrorTable,
    rules: &Rules,
    as_json: bool,
) -> anyhow::Result<u64> {
    let (mut after, mut count) = (0, 0);
    loop {
        let rows = pending_rows(database, table, after, PAGE).await.map_err(advise)?;
        let Some(last) = rows.last() else { return Ok(count) };
        after = last.key;
        for row in &rows {
            plan(table.object_type(), row, rules).print(as_json);
            count += 1;
        }
    }
}

/// Prints every record of a type that is to be deleted because its row was deleted by SQL; returns how many. One that was
/// edited in HubSpot since comes back instead.
async fn print_deleted(
    database: &Database,
    object_type: &'static ObjectType,
    as_json: bool,
) -> anyhow::Result<u64> {
    let (mut after, mut count) = (ObjectId::START, 0);
    loop {
        let records = deleted_records(database, object_type, after, PAGE).await.map_err(advise)?;
        let Some(last) = records.last() else { return Ok(count) };
        after = *last;
        for id in records {
            let planned = Planned {
                object_type: object_type.name,
                row_id: None,
                hubspot_id: Some(id),
                action: "delete",
                properties: Map::new(),
                conflicts: Vec::new(),
            };
            planned.print(as_json);
            count += 1;
        }
    }
}

/// What would become of an edit.
fn plan(object_type: &'static ObjectType, row: &EditedRow, rules: &Rules) -> Planned {
    let local = row.local.clone().unwrap_or_default();
    let nothing = Properties::default();
    let remote = match row.hubspot_id {
        Some(_) => row.remote.as_ref().unwrap_or(&row.base),
        None => &nothing,
    };
    let merged = Documents { base: &row.base, local: &local, remote }.merge(rules, &EditTimes::default());
    let properties: Map<_, _> =
        merged.push.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
    let action = match (row.hubspot_id, row.archived_at) {
        (None, Some(_)) => "nothing",
        (None, None) => "create",
        (Some(_), Some(_)) => "delete",
        (Some(_), None) if properties.is_empty() => "nothing",
        (Some(_), None) => "update",
    };
    let properties = if action == "delete" { Map::new() } else { properties };
    Planned {
        object_type: object_type.name,
        row_id: Some(row.key),
        hubspot_id: row.hubspot_id,
        action,
        properties,
        conflicts: merged.conflicts,
    }
}

impl Planned {
    /// Prints it.
    fn print(self, as_json: bool) {
        if as_json {
            print(json!(self));
        } else {
            print(self);
        }
    }
}

/// One line, without values.
impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row_id {
            Some(row_id) => write!(f, "{} row {row_id}", self.object_type)?,
            None => write!(f, "{} row deleted by SQL", self.object_type)?,
        }
        if let Some(id) = self.hubspot_id {
            write!(f, " (HubSpot {id})")?;
        }
        write!(f, ": {}", self.action)?;
        let names: Vec<_> = self.properties.keys().map(String::as_str).collect();
        if !names.is_empty() {
            write!(f, " {}", names.join(", "))?;
        }
        if !self.conflicts.is_empty() {
            write!(f, "; in conflict: {}", self.conflicts.join(", "))?;
        }
        Ok(())
    }
}
