//! Webhooks: what happens in the account is told to an app's target URL.
//!
//! A task looks for news, makes events of them, lets them wait, mixes them up as it is told to, and posts them in batches
//! until they are taken or given up. Source: HubSpot, "Webhooks" and "Validating requests"; captures of deliveries.

mod delivery;
mod event;
mod plan;
mod target;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::Value;

pub use delivery::run;
use event::subscribed;
pub use plan::Plan;
pub use target::Target;

use crate::account::News;
use crate::account::{Source, What};
use crate::clock::Millis;
use crate::object_type::Kind;
use crate::simulator::Simulator;

/// The app's webhooks.
#[derive(Debug, Default)]
pub struct Webhooks(Mutex<Inner>);

/// What is shared of them.
#[derive(Debug, Default)]
struct Inner {
    /// Where events go; `None` while there is no target.
    target: Option<Arc<Target>>,
    /// Events that wait.
    plan: Plan,
    /// What was done.
    figures: Figures,
}

/// What was done since the target was set.
#[derive(Debug, Default, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Events made, copies not counted.
    pub events: u64,
    /// Copies sent on purpose.
    pub duplicates: u64,
    /// Batches sent, every attempt counted.
    pub attempts: u64,
    /// Attempts that were not answered with a status below 300 in time.
    pub failures: u64,
    /// Batches that were taken.
    pub delivered: u64,
    /// Batches given up after their last attempt.
    pub given_up: u64,
    /// Events that wait to be sent, or are on their way.
    pub waiting: u64,
    /// Longest time an attempt that was taken took, in milliseconds.
    pub slowest_ms: u64,
}

impl Webhooks {
    /// The shared part. A panic elsewhere does not end the simulator.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where events go.
    fn target(&self) -> Option<Arc<Target>> {
        self.lock().target.clone()
    }

    /// What was done.
    pub fn figures(&self) -> Figures {
        self.lock().figures
    }

    /// Puts events among those that wait.
    fn enqueue(&self, events: Vec<Value>, now: Millis) {
        let mut inner = self.lock();
        let Some(target) = inner.target.clone() else { return };
        inner.figures.events += events.len() as u64;
        let added = inner.plan.add(&target, events, now);
        inner.figures.waiting += added.waiting;
        inner.figures.duplicates += added.duplicates;
    }
}

/// Sets the target, or takes it away; events that wait are dropped.
pub fn set_target(simulator: &Simulator, target: Option<Target>) {
    simulator.account_mut().listen(target.is_some());
    let mut inner = simulator.webhooks.lock();
    let plan = Plan::new(target.as_ref().map_or(0, |target| target.seed));
    *inner = Inner { target: target.map(Arc::new), plan, figures: Figures::default() };
}

/// Makes events of the news and lets them wait.
fn gather(simulator: &Simulator) {
    if !simulator.account().has_news() {
        return;
    }
    let news = simulator.account_mut().take_news();
    tell(simulator, &news);
}

/// Makes events of some news, as far as somebody subscribes to them.
fn tell(simulator: &Simulator, news: &[News]) {
    let Some(target) = simulator.webhooks.target() else { return };
    let account = simulator.account();
    let events: Vec<Value> =
        news.iter().flat_map(|news| subscribed(&target, account.registry(), news)).collect();
    drop(account);
    simulator.webhooks.enqueue(events, simulator.clock.now());
}

/// Tells of the last change of records again and again: `count` events spread over `records` live records of a type.
pub fn storm(simulator: &Simulator, kind: Kind, count: u64, records: usize) -> usize {
    let account = simulator.account();
    let live = account.store(kind).live_from(&account.world, 0).take(records);
    let told: Vec<(u64, Millis)> = live.map(|view| (view.record.id, view.record.updated_at)).collect();
    drop(account);
    let source = Source::User(crate::account::source::USER_ID);
    let news: Vec<News> = (0..count as usize)
        .zip(told.iter().cycle())
        .map(|(number, &(id, at))| News {
            record: (kind, id),
            at,
            source,
            what: What::Changed { name: "hs_lead_status".to_owned(), value: number.to_string() },
        })
        .collect();
    tell(simulator, &news);
    told.len()
}
