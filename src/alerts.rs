//! Alerts: people are told when something is wrong and when it is over, once each.
//!
//! | Part | Does |
//! | --- | --- |
//! | `judge` | what is wrong, from the facts in the database and nothing else |
//! | `ledger` | which of it is news: what began, what is over, what only flickers |
//! | `message` | the words |
//! | `courier` | carries a message to its channel, again and again until it arrives |
//! | `webhook`, `mail` | the channels |
//!
//! The process that leads judges. What is news is noted in the transaction that puts the message, so a restart neither
//! loses nor repeats it; messages are carried by tasks of their own, so a channel that hangs holds nothing up. The words
//! are this program's own and name types, counts and times: never a value, an address or what HubSpot said.

mod courier;
mod judge;
mod ledger;
mod mail;
mod message;
#[cfg(test)]
mod tests;
mod webhook;

use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

pub use self::courier::{Courier, DeliveryError};
pub use self::judge::{Facts, Problem, judge};
use self::ledger::{MEMORY, settle};
pub use self::message::test_message;
use crate::config::AlertConfig;
use crate::storage::{AlertChannel, AlertRow, Database, Lease, StorageError, load_alerts, store_alerts};

/// Shortest time between two messages: what begins together is told together.
const PAUSE: Duration = Duration::from_secs(30);

/// Turns facts into news, in the process that leads.
#[derive(Debug)]
pub struct Watcher {
    database: Database,
    lease: Lease,
    config: AlertConfig,
    /// Machine this process runs on.
    host: String,
    /// When people were last told something; `None`: not by this process.
    told_at: Option<Instant>,
}

impl Watcher {
    /// A watcher that works under `lease`, on the machine `host`.
    pub fn new(database: Database, lease: Lease, config: AlertConfig, host: String) -> Self {
        Self { database, lease, config, host, told_at: None }
    }

    /// Judges the facts and tells what is news. Returns what is wrong.
    ///
    /// # Errors
    /// When the database cannot be read or written, or the lease is lost. Nothing is told then, and nothing is lost.
    pub async fn look(&mut self, facts: &Facts) -> Result<Vec<Problem>, StorageError> {
        let found = judge(facts, &self.config);
        if self.told_at.is_some_and(|told_at| told_at.elapsed() < PAUSE) {
            return Ok(found.problems);
        }
        let known = load_alerts(&self.database).await?;
        let news = settle(&known, &found, facts.now, self.config.quiet);
        if news.rows.is_empty() {
            return Ok(found.problems);
        }
        let origin = message::Origin { host: &self.host, portal_id: facts.portal_id };
        let text = message::compose(&news.begun, &news.ended, &origin, facts.now);
        let channels = channels(&self.config);
        let message = text.as_ref().map(|text| (text, channels.as_slice()));
        let forget = facts.now - MEMORY;
        store_alerts(&self.database, &self.lease, &news.rows, forget, message, facts.now).await?;
        if text.is_some() {
            self.told_at = Some(Instant::now());
        }
        log(&news.begun, &news.ended);
        Ok(found.problems)
    }
}

/// The channels that are switched on.
pub fn channels(config: &AlertConfig) -> Vec<AlertChannel> {
    let webhook = config.webhook.as_ref().map(|_| AlertChannel::Webhook);
    webhook.into_iter().chain(config.mail.as_ref().map(|_| AlertChannel::Mail)).collect()
}

/// Says in the log what is news, whoever else is told.
fn log(begun: &[AlertRow], ended: &[AlertRow]) {
    for AlertRow { problem, text, .. } in begun {
        warn!(alert.problem = %problem, "Problem: {text}");
    }
    for AlertRow { problem, text, .. } in ended {
        info!(alert.problem = %problem, "Over: {text}");
    }
}
