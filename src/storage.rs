//! MariaDB: the mirror and everything the daemon decides from.
//!
//! All SQL lives here. Functions take a connection where the caller decides the unit of work; no HTTP, no sleeping
//! and no channel waits happen inside a transaction.
//!
//! **No query future may be dropped in mid-flight**: with sqlx 0.9 that breaks the connection and loses its place
//! in the pool for good. Callers therefore never put a storage call into `select!` or `timeout`; limits on
//! statements are the server's, and a server that keeps none ends the process ([`Database::overdue`]).

mod account;
mod alerts;
mod associations;
mod calls;
mod capture;
mod catalogue;
mod column_fill;
mod conflicts;
mod dashboard_sessions;
mod database;
mod error;
mod failure;
mod hours;
mod idempotency;
mod jobs;
mod lease;
mod marks;
mod merges;
mod migrate;
mod mirror;
mod mirror_schema;
mod owners;
mod pending_deletes;
mod pipelines;
mod preflight;
mod quarantine;
mod reference;
mod schemas;
mod state_row;
mod sync_lane;
mod sync_log;
mod sync_run;
mod sync_state;
mod typed_columns;
mod webhook_events;
mod webhook_sources;
mod words;

pub use account::{account_time_zone, bind_account, bound_account, load_account};
pub use alerts::{
    AlertChannel, AlertKind, AlertMessage, AlertRow, AlertText, begin_message, braked_jobs, explain_message,
    load_alerts, next_message, remove_message, remove_messages_of, store_alerts,
};
pub use associations::{
    KnownPair, LinkedRecord, Links, PairState, differing_associations, linked_from, linked_records,
    live_or_linked_ids, load_pairs, remove_associations_of, remove_associations_of_archived,
    store_associations, store_pair,
};
pub use capture::ensure_capture;
pub use catalogue::{known_properties, load_catalogue, property_names, store_catalogue};
pub use conflicts::{
    Conflict, ConflictChange, ConflictFilter, ConflictKind, ConflictRecord, ConflictStatus, ConflictStep,
    Disagreement, FieldSource, FieldValues, NotResolved, Resolution, Settlement, close_conflict_by_itself,
    close_conflicts_without_row, closed_conflicts, conflict_policies, conflict_steps, list_conflicts,
    load_conflict, lock_conflict, open_conflict_of, open_conflicts, open_or_update_conflict,
    resolve_conflict, resolve_conflict_noted, settle_conflict,
};
pub use dashboard_sessions::{end_session, is_session, start_session};
pub use database::{Database, PoolUse};
pub use error::{StorageError, StorageErrorKind};
pub use failure::{FailureKind, RunFailure};
pub use hours::{Counted, RunHour, change_hours, count_changes, hour_of, purge_hours, run_hours};
pub use idempotency::{Remembered, recall, remember_afterwards};
pub use jobs::{
    Chosen, Job, JobEntry, JobKind, JobState, QueueFigures, Rescued, Settled, claim_jobs, count_dead,
    count_stuck, dead_jobs, deleted_records, enqueue_jobs, finish_job, give_back_jobs, held_jobs, next_due,
    note_sent, park_job, postpone_jobs, queue_figures, renew_jobs, repeat_job, rescue_jobs, retry_job,
    revive_job, revive_jobs, stuck_among,
};
pub use lease::{ACCOUNT_LEASE, LEASE_TTL, Lease, LeaseKeeper, LeasedTransaction, lease_holder};
pub use marks::{Marks, load_marks};
pub use merges::{MERGED_IDS, known_survivors, merged_ids, record_merges};
pub use migrate::{create_tables, migrate, pending_migrations};
pub use mirror::{
    Attention, Collision, ComparedRow, EditedRow, MirrorTable, PageOutcome, RowStatus, RowUpdate, StoredPage,
    StoredVersion, archived_rows, compared_rows, distrust_rows, edit_row, edited_records, edited_rows,
    follow_merge, has_edits, is_being_sent, is_row_locked, is_there, link_row, lock_edited, lock_free_edited,
    newest_id, note_creation, note_error, overlay_records, pending_rows, requeue_pending, rows_of_records,
    store_records, stored_versions, take_back_edits, wake_deleted_in_hubspot, write_row,
};
pub use mirror::{
    GATHERED, HandEdit, NotEdited, RowFilter, RowName, RowOrder, RowPage, RowPlace, RowStart, RowTotal,
    RowView, StageTotal, count_rows, create_by_hand, deal_totals, edit_by_hand, list_rows, load_row,
    load_rows, ordering_columns, searched_columns,
};
pub use mirror::{Glance, glance_at_rows};
pub use mirror_schema::{TypedColumn, ensure_table};
pub use owners::{load_owners, store_owners};
pub use pending_deletes::{
    DeleteReason, DeleteShare, PendingDelete, WaitingMark, apply_deletes, apply_deletes_at_once,
    confirm_deletes, confirm_deletes_as_seen, delete_share, forget_deletes, pending_deletes, stage_deletes,
    waiting_deletes, waiting_mark,
};
pub use pipelines::{load_pipelines, store_pipelines};
pub use preflight::{ServerFacts, probe_rights, server_facts};
pub use quarantine::{
    QuarantineName, Quarantined, count_quarantined, let_go, list_quarantined, quarantine_figures,
    quarantined_ids, quarantined_records, release as release_from_quarantine,
};
pub use schemas::{recall_types, store_schema};
pub use state_row::{StateRow, request_run};
pub use sync_lane::{LaneRow, LaneState, UpkeepLane, load_lanes, request_lane, show_notices};
pub use sync_log::{
    LogAction, LogDirection, LogEntry, LogFilter, LogRow, LogStatus, close_open_log, load_log, made_here,
    open_creates, purge_sync_log, pushed_since, recent_log, write_log,
};
pub use sync_run::{
    Lane, NewRun, Outcome, Run, RunCounts, RunFilter, Trigger, count_page, finish_run, interrupt_open_runs,
    last_run, latest_runs, list_runs, load_report, record_audit, start_run,
};
pub use sync_state::{
    Request, RequestedMode, RunMode, SyncState, SyncStatus, load_states, retire_others, show_waiting,
};
pub use typed_columns::{TableChanges, TypedColumns, load_mirror_table};
pub use webhook_events::{
    NewWebhookEvent, WebhookEvent, WebhookKind, WebhookOutcome, ask_for_record, count_refused_webhooks,
    count_webhook_outcomes, due_webhook_events, next_waiting_type, postpone_webhook_events,
    purge_webhook_events, settle_webhook_events, store_webhook_events, webhook_counts,
};
pub use webhook_sources::{
    SilentWebhooks, WebhookSource, count_unannounced, heard_of, judge_silence, retire_webhook_sources,
    silent_webhooks, webhook_sources,
};
