//! `status`: how far each type is, as a table or as JSON; or whether any process syncs at all.

use std::process::ExitCode;

use chrono::{DateTime, TimeDelta, Utc};
use comfy_table::{ContentArrangement, Table, presets};

use super::print;
use crate::app::{ACCOUNT_LEASE, advise};
use crate::clock;
use crate::config::{Config, Environment};
use crate::storage::{Database, LEASE_TTL, SyncState, SyncStatus, lease_holder, load_states, recall_types};
use crate::sync::Subject;

/// Arguments of `status`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Arguments {
    /// Print the rows of sync_state as a JSON list.
    #[arg(long)]
    json: bool,
    /// Tell only whether a process syncs this database: exit with 0 if one has said so within 30 s, else with 1.
    #[arg(long, conflicts_with = "json")]
    alive: bool,
}

/// Prints the state; exits 1 when a type that is to be synced is in error or one of its lanes is, or with `--alive` when
/// no process syncs. Of other types the rows may be there still.
pub(super) async fn main(environment: Environment, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (database, sync) = Config::read_without_hubspot(environment)?;
    let database = Database::new(&database)?;
    if arguments.alive {
        return alive(&database).await;
    }
    let states = load_states(&database).await.map_err(advise)?;
    if arguments.json {
        print(serde_json::to_string_pretty(&states)?);
    } else {
        print(table(&states, clock::now()));
        for state in &states {
            let words = [&state.last_error, &state.notice, &state.waiting].into_iter().flatten();
            for line in words.flat_map(|text| text.lines()) {
                print(format_args!("{}: {line}", state.object_type));
            }
        }
    }
    let objects = recall_types(&database, &sync.objects).await.map_err(advise)?;
    let synced: Vec<_> = Subject::all(&objects).iter().map(ToString::to_string).collect();
    let is_failing = |state: &SyncState| {
        let is_wrong = state.status == SyncStatus::Error || state.notice.is_some();
        is_wrong && synced.contains(&state.object_type)
    };
    let failing = states.iter().any(is_failing);
    Ok(if failing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Prints who syncs this database. Types in error make no difference: a restart would not mend them.
async fn alive(database: &Database) -> anyhow::Result<ExitCode> {
    let Some(holder) = lease_holder(database, ACCOUNT_LEASE).await.map_err(advise)? else {
        print(format_args!("No process has synced this database within {} s.", LEASE_TTL.as_secs()));
        return Ok(ExitCode::FAILURE);
    };
    print(format_args!("{holder} syncs this database."));
    Ok(ExitCode::SUCCESS)
}

/// One line a type.
fn table(states: &[SyncState], now: DateTime<Utc>) -> String {
    if states.is_empty() {
        return "Nothing has been synced yet. Start the daemon, or run `hubspot-connector sync`.".to_owned();
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["type", "status", "last sync", "records", "next run"]);
    for state in states {
        let last = state.last_sync_date.map_or_else(|| "never".to_owned(), |at| ago(now - at));
        let next = state.next_run_at.map_or_else(|| "now".to_owned(), |at| ahead(at - now));
        table.add_row([state.object_type.clone(), status(state), last, records(state), next]);
    }
    table.to_string()
}

/// The status in words.
fn status(state: &SyncState) -> String {
    match state.status {
        SyncStatus::Idle if state.backfill_cursor.is_some() => "full listing interrupted".to_owned(),
        SyncStatus::Idle if state.last_sync_date.is_some() => "in step".to_owned(),
        SyncStatus::Idle => "waiting".to_owned(),
        SyncStatus::Running => format!("running ({})", state.mode.map_or("", |mode| mode.word())),
        SyncStatus::Error => format!("error ({} in a row)", state.consecutive_failures),
    }
}

/// Records, and how many of how many during a full listing.
fn records(state: &SyncState) -> String {
    match state.records_total {
        Some(total) if state.backfill_cursor.is_some() => {
            let percent = 100 * state.records_synced / total.max(1);
            format!("{} of {total} ({percent} %)", state.records_synced)
        }
        _ => state.records_synced.to_string(),
    }
}

/// A past time in words.
fn ago(since: TimeDelta) -> String {
    match since.num_seconds() {
        ..=0 => "just now".to_owned(),
        _ => format!("{} ago", span(since)),
    }
}

/// A future time in words.
fn ahead(until: TimeDelta) -> String {
    match until.num_seconds() {
        ..=0 => "now".to_owned(),
        _ => format!("in {}", span(until)),
    }
}

/// A span in its largest sensible unit.
fn span(span: TimeDelta) -> String {
    match span.num_seconds() {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7_200 => format!("{} min", seconds / 60),
        seconds @ ..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_their_largest_sensible_unit() {
        let told = [0, 1, 119, 120, 7_199, 7_200, 172_800].map(|seconds| ago(TimeDelta::seconds(seconds)));
        let words = ["just now", "1 s ago", "119 s ago", "2 min ago", "119 min ago", "2 h ago", "2 days ago"];
        assert_eq!(told, words);
        assert_eq!(ahead(TimeDelta::seconds(-5)), "now");
        assert_eq!(ahead(TimeDelta::seconds(300)), "in 5 min");
    }
}
