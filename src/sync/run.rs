//! One lane of one run: its row in `sync_runs`, its figures, its events.

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::engine::Engine;
use super::error::{NextTry, SyncError};
use super::patience::Patience;
use super::{Event, Events, Subject};
use crate::clock;
use crate::hubspot::HubSpotClient;
use crate::metrics::{ROWS, RUNS};
use crate::model::Window;
use crate::storage::{
    Database, Lane, NewRun, Outcome, PageOutcome, RunCounts, StorageError, StorageErrorKind, Trigger,
    finish_run, start_run,
};

/// Time between two progress lines in the log: a listing within HubSpot's limits stores some 10,000 records meanwhile.
const LINE_EVERY: TimeDelta = TimeDelta::seconds(10);

/// A lane under way.
pub(super) struct Run {
    pub(super) subject: Subject,
    pub(super) lane: Lane,
    pub(super) id: u64,
    pub(super) counts: RunCounts,
    /// The client whose requests are this run's.
    pub(super) hubspot: HubSpotClient,
    database: Database,
    events: Events,
    stop: CancellationToken,
    started_at: DateTime<Utc>,
    /// When the log last told of progress.
    told_at: DateTime<Utc>,
    /// What has become of rows, as far as figures tell of it.
    shown: PageOutcome,
}

impl Run {
    /// Records and announces the beginning of a lane.
    pub(super) async fn start(
        engine: &Engine,
        subject: Subject,
        lane: Lane,
        trigger: Trigger,
        window: Option<Window>,
    ) -> Result<Self, StorageError> {
        let started_at = clock::now();
        let name = subject.to_string();
        let id =
            start_run(&engine.database, &NewRun { object_type: &name, lane, trigger, started_at, window })
                .await?;
        engine.events.send(Event::Started { subject, lane });
        Ok(Self {
            subject,
            lane,
            id,
            counts: RunCounts::default(),
            hubspot: engine.hubspot.counted(),
            database: engine.database.clone(),
            events: engine.events.clone(),
            stop: engine.stop.clone(),
            started_at,
            told_at: started_at,
            shown: PageOutcome::default(),
        })
    }

    /// The figures with the requests up to now.
    pub(super) fn counts_now(&self) -> RunCounts {
        RunCounts { requests: self.hubspot.requests_sent(), ..self.counts }
    }

    /// Tells watchers and, now and then, the log that something is stored.
    pub(super) fn progress(&mut self, done: u64, total: Option<u64>) {
        self.events.send(Event::Progress { subject: self.subject, done, total });
        self.show_rows();
        let now = clock::now();
        if now - self.told_at >= LINE_EVERY {
            self.told_at = now;
            let elapsed = (now - self.started_at).as_seconds_f64();
            let rate = (self.counts.fetched as f64 / elapsed.max(0.001)).round();
            let (subject, lane) = (self.subject, self.lane);
            if let Some(total) = total {
                info!(%subject, %lane, done, total, "Syncing {subject} ({lane}): {done} of {total}, {rate} a second");
            } else {
                info!(%subject, %lane, done, "Syncing {subject} ({lane}): {done}, {rate} a second");
            }
        }
    }

    /// Records and announces the end of the lane, and hands the result on. Says in the log what a lane did that went
    /// well; why one did not is said once, where the run ends.
    pub(super) async fn finish(mut self, result: Result<(), SyncError>) -> Result<(), SyncError> {
        let counts = self.counts_now();
        let report = result.as_ref().err().map(SyncError::report);
        let outcome = match &result {
            Ok(()) => Outcome::Succeeded,
            Err(error) if error.next_try() == NextTry::Elsewhere => Outcome::Interrupted,
            Err(_) => Outcome::Failed,
        };
        self.show_rows();
        let (object_type, lane) = (self.subject.to_string(), self.lane.to_string());
        RUNS.add(1, [("object_type", object_type), ("lane", lane), ("outcome", outcome.to_string())]);
        if outcome == Outcome::Succeeded {
            self.log_success(&counts);
        }
        let finished_at = clock::now();
        // A run the database has failed is closed with the next one, if its end cannot be recorded at once.
        let database_is_away =
            matches!(&result, Err(SyncError::Storage(error)) if error.kind() == StorageErrorKind::Transient);
        let mut patience = Patience::new(&self.stop, format!("Recording a run of {}", self.subject));
        let recorded = loop {
            match finish_run(&self.database, self.id, outcome, &counts, report.as_deref(), finished_at).await
            {
                Ok(()) => break Ok(()),
                Err(error) if database_is_away => break Err(error.into()),
                Err(error) => match patience.wait(error).await {
                    Ok(()) => {}
                    Err(error) => break Err(error),
                },
            }
        };
        self.events.send(Event::Finished { subject: self.subject, lane: self.lane, counts, error: report });
        // The first failure is the one to report: a database that is gone fails both.
        result.and(recorded)
    }

    /// Adds what has become of rows since the last time to the figures.
    fn show_rows(&mut self) {
        let (now, shown) = (self.counts.outcome, self.shown);
        for (outcome, count) in [
            ("inserted", now.inserted - shown.inserted),
            ("updated", now.updated - shown.updated),
            ("unchanged", now.unchanged - shown.unchanged),
            ("deleted", now.deleted - shown.deleted),
            ("quarantined", now.quarantined - shown.quarantined),
        ] {
            let (object_type, lane) = (self.subject.to_string(), self.lane.to_string());
            ROWS.add(count, [("object_type", object_type), ("lane", lane), ("outcome", outcome.to_owned())]);
        }
        self.shown = now;
    }

    /// One line that says what it did.
    fn log_success(&self, counts: &RunCounts) {
        let (subject, lane, rows, requests) = (self.subject, self.lane, counts.outcome, counts.requests);
        let duration_ms = (clock::now() - self.started_at).num_milliseconds();
        info!(
            %subject, %lane, duration_ms,
            "Synced {subject} ({lane}): {} new, {} changed, {} unchanged, {} quarantined, {requests} request(s), {duration_ms} ms",
            rows.inserted, rows.updated, rows.unchanged, rows.quarantined
        );
    }
}
