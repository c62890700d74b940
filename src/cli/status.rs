//! `status`: how far each type is, as a table or as JSON; or whether any process syncs at all.

use std::process::ExitCode;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::print;
use super::table;
use crate::app::{ACCOUNT_LEASE, advise};
use crate::clock;
use crate::config::{Config, Environment};
use crate::storage::{
    Database, LEASE_TTL, QueueFigures, SyncState, SyncStatus, lease_holder, load_states, open_conflicts,
    queue_figures, recall_types,
};
use crate::sync::Subject;

/// Arguments of `status`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Arguments {
    /// Print the rows of sync_state as a JSON list, with the queue and the open conflicts of a type where there are any.
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
    let two_way = TwoWay::load(&database).await?;
    if arguments.json {
        let rows: Vec<_> = states.iter().map(|state| two_way.added_to(state)).collect();
        print(serde_json::to_string_pretty(&rows)?);
    } else {
        print(table(&states, clock::now()));
        for state in &states {
            let words = [&state.last_error, &state.notice, &state.waiting].into_iter().flatten();
            for line in words.flat_map(|text| text.lines()) {
                print(format_args!("{}: {line}", state.object_type));
            }
        }
        two_way.lines().for_each(print);
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

/// What is on its way to HubSpot, and what a person has to settle.
struct TwoWay {
    queues: Vec<QueueFigures>,
    conflicts: Vec<(String, u64)>,
}

impl TwoWay {
    /// Counts.
    async fn load(database: &Database) -> anyhow::Result<Self> {
        let queues = queue_figures(database).await.map_err(advise)?;
        let conflicts = open_conflicts(database).await.map_err(advise)?;
        Ok(Self { queues, conflicts })
    }

    /// The row of a type with the figures of that type.
    fn added_to(&self, state: &SyncState) -> Value {
        let mut row = json!(state);
        if let Some(queue) = self.queues.iter().find(|queue| queue.object_type == state.object_type) {
            let QueueFigures { ready, running, waiting, dead, oldest_seconds, .. } = queue;
            row["queue"] = json!({
                "ready": ready, "running": running, "waiting": waiting, "dead": dead, "oldest_seconds": oldest_seconds,
            });
        }
        if let Some((_, count)) = self.conflicts.iter().find(|(name, _)| *name == state.object_type) {
            row["open_conflicts"] = json!(count);
        }
        row
    }

    /// One line for what is there.
    fn lines(&self) -> impl Iterator<Item = String> {
        let queues = self.queues.iter().map(queue_line);
        queues.chain(self.conflicts.iter().map(|(object_type, count)| {
            format!("{object_type}: {count} conflict(s) wait for a person; see `hubspot-connector conflicts`")
        }))
    }
}

/// A queue in words.
fn queue_line(queue: &QueueFigures) -> String {
    let parts = [
        (queue.ready, "to be sent"),
        (queue.running, "being sent"),
        (queue.waiting, "put off"),
        (queue.dead, "failed"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let words: Vec<_> = parts.map(|(count, what)| format!("{count} {what}")).collect();
    let oldest = queue.oldest_seconds.map(|age| TimeDelta::seconds(age as i64));
    let oldest = oldest.map_or_else(String::new, |age| format!(", the oldest for {}", span(age)));
    let see = if queue.waiting + queue.dead > 0 { "; see `hubspot-connector jobs`" } else { "" };
    format!("{}: edits made here: {}{oldest}{see}", queue.object_type, words.join(", "))
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
    let mut table = table::table(["type", "status", "last sync", "records", "next run"]);
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
pub(super) fn ago(since: TimeDelta) -> String {
    match since.num_seconds() {
        ..=0 => "just now".to_owned(),
        _ => format!("{} ago", span(since)),
    }
}

/// A future time in words.
pub(super) fn ahead(until: TimeDelta) -> String {
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
    fn a_queue_is_told_by_what_is_in_it() {
        let queue = |ready, running, waiting, dead, oldest_seconds| {
            let object_type = "contacts".to_owned();
            queue_line(&QueueFigures { object_type, ready, running, waiting, dead, oldest_seconds })
        };
        assert_eq!(
            queue(3, 1, 0, 0, Some(5)),
            "contacts: edits made here: 3 to be sent, 1 being sent, the oldest for 5 s"
        );
        let stuck = "contacts: edits made here: 2 put off, 4 failed, the oldest for 2 h; see `hubspot-connector jobs`";
        assert_eq!(queue(0, 0, 2, 4, Some(7_300)), stuck);
        assert_eq!(
            queue(0, 0, 0, 4, None),
            "contacts: edits made here: 4 failed; see `hubspot-connector jobs`"
        );
    }

    #[test]
    fn spans_are_told_in_their_largest_sensible_unit() {
        let told = [0, 1, 119, 120, 7_199, 7_200, 172_800].map(|seconds| ago(TimeDelta::seconds(seconds)));
        let words = ["just now", "1 s ago", "119 s ago", "2 min ago", "119 min ago", "2 h ago", "2 days ago"];
        assert_eq!(told, words);
        assert_eq!(ahead(TimeDelta::seconds(-5)), "now");
        assert_eq!(ahead(TimeDelta::seconds(300)), "in 5 min");
    }
}
