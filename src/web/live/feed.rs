//! The feed: hears what the process does, looks at what it does not do, and numbers what is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::debug;

use super::message::{Limits, Message};
use crate::storage::{Marks, load_marks};
use crate::sync::{Chain, Event};
use crate::web::App;

/// Messages kept for a client before it misses some.
const CAPACITY: usize = 256;
/// How often limits and the part the process plays are looked at, and a run may tell how far it is.
const LOOK: Duration = Duration::from_secs(1);
/// How often a process that stands by looks at the database.
const LOOK_ELSEWHERE: Duration = Duration::from_secs(2);

/// What is told to everybody who listens.
#[derive(Debug)]
pub(super) struct Feed {
    /// The number of the last message.
    sequence: Mutex<u64>,
    messages: broadcast::Sender<Utf8Bytes>,
}

impl Default for Feed {
    fn default() -> Self {
        Self { sequence: Mutex::default(), messages: broadcast::channel(CAPACITY).0 }
    }
}

/// What was seen at the last look; nothing while nobody listens.
#[derive(Default)]
struct Seen {
    role: Option<&'static str>,
    limits: Option<Limits>,
    elsewhere: Option<(Instant, Option<Marks>)>,
}

impl Feed {
    /// Listens from now on: the number of the last message before, and those that come.
    pub(super) fn join(&self) -> (u64, broadcast::Receiver<Utf8Bytes>) {
        let sequence = self.sequence.lock().unwrap_or_else(PoisonError::into_inner);
        (*sequence, self.messages.subscribe())
    }

    /// Tells everybody. Written once, whoever listens.
    pub(super) fn tell(&self, message: &Message) {
        let mut sequence = self.sequence.lock().unwrap_or_else(PoisonError::into_inner);
        *sequence += 1;
        if self.is_heard() {
            self.messages.send(message.text(*sequence)).ok();
        }
    }

    /// Whether anybody listens.
    fn is_heard(&self) -> bool {
        self.messages.receiver_count() > 0
    }

    /// Tells what happens until the process stops.
    pub(super) async fn run(self: Arc<Self>, app: App) {
        let mut events = app.events.watch();
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut seen, mut told) = (Seen::default(), HashMap::new());
        loop {
            tokio::select! {
                () = app.lifecycle.shutdown().cancelled() => return,
                event = events.recv() => match event {
                    Ok(event) if is_too_soon(&mut told, &event, Instant::now()) => {}
                    Ok(event) => Message::of(event).iter().for_each(|message| self.tell(message)),
                    Err(RecvError::Lagged(_)) => self.tell(&Message::Resync { reason: "missed" }),
                    Err(RecvError::Closed) => return,
                },
                _ = looks.tick() => self.look(&app, &mut seen).await,
            }
        }
    }

    /// Tells what nobody sends an event of.
    async fn look(&self, app: &App, seen: &mut Seen) {
        if !self.is_heard() {
            *seen = Seen::default();
            return;
        }
        let role = app.situation.word();
        if seen.role.replace(role).is_some_and(|before| before != role) {
            self.tell(&Message::RoleChanged { role });
        }
        let limits = app.situation.limits().map(Limits::from);
        if let Some(limits) = limits.filter(|limits| seen.limits.as_ref() != Some(limits)) {
            self.tell(&Message::Limiter(limits.clone()));
            seen.limits = Some(limits);
        }
        if app.situation.stands_by() {
            self.look_elsewhere(app, &mut seen.elsewhere).await;
        } else {
            seen.elsewhere = None;
        }
    }

    /// Tells that another process has done something, as far as the database shows. At the first look too, because nobody
    /// knows what happened before it.
    async fn look_elsewhere(&self, app: &App, seen: &mut Option<(Instant, Option<Marks>)>) {
        if seen.as_ref().is_some_and(|(at, _)| at.elapsed() < LOOK_ELSEWHERE) {
            return;
        }
        let before = seen.take().and_then(|(_, marks)| marks);
        let marks = match load_marks(&app.database).await {
            Ok(marks) => Some(marks),
            Err(error) => {
                debug!(error = %Chain(&error), "Cannot look what another process does");
                before.clone()
            }
        };
        if marks != before {
            self.tell(&Message::Resync { reason: "elsewhere" });
        }
        *seen = Some((Instant::now(), marks));
    }
}

/// Whether a run tells how far it is although it has just told. `told` says when each did.
fn is_too_soon(told: &mut HashMap<String, Instant>, event: &Event, now: Instant) -> bool {
    match event {
        Event::Progress { subject, .. } => {
            let subject = subject.to_string();
            if told.get(&subject).is_some_and(|at| now - *at < LOOK) {
                return true;
            }
            told.insert(subject, now);
            false
        }
        Event::Finished { subject, .. } => {
            told.remove(&subject.to_string());
            false
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Lane, RunCounts};
    use crate::sync::Subject;

    #[test]
    fn a_run_tells_once_a_second_how_far_it_is_and_at_once_that_it_ended() {
        let mut told = HashMap::new();
        let start = Instant::now();
        let progress = Event::Progress { subject: Subject::Owners, done: 1, total: None };
        let after = |seconds: f32| start + Duration::from_secs_f32(seconds);
        assert!(!is_too_soon(&mut told, &progress, start));
        assert!(is_too_soon(&mut told, &progress, after(0.9)));
        assert!(!is_too_soon(&mut told, &progress, after(1.0)));
        let (lane, counts) = (Lane::Reference, RunCounts::default());
        let finished = Event::Finished { subject: Subject::Owners, lane, counts, error: None };
        assert!(!is_too_soon(&mut told, &finished, after(1.1)));
        assert!(!is_too_soon(&mut told, &progress, after(1.2)), "of another run");
    }

    #[test]
    fn whoever_joins_knows_the_number_before_the_first_message() {
        let feed = Feed::default();
        feed.tell(&Message::Resync { reason: "missed" });
        let (sequence, mut messages) = feed.join();
        assert_eq!(sequence, 1, "messages nobody hears are numbered as well");
        feed.tell(&Message::Resync { reason: "missed" });
        assert!(messages.try_recv().unwrap().contains("\"sequence\":2"));
    }
}
