//! Carries messages to one channel, each until it arrives or is too old to matter.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::mail::Mailer;
use super::webhook::Webhook;
use crate::clock;
use crate::config::AlertConfig;
use crate::metrics::ALERT_MESSAGES;
use crate::storage::{
    AlertChannel, AlertMessage, AlertText, Database, StorageError, begin_message, explain_message,
    next_message, remove_message, remove_messages_of,
};

/// How often it is looked for messages.
const LOOK: Duration = Duration::from_secs(1);
/// Longest time one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(30);
/// Wait before the second attempt; each further wait is twice as long.
const FIRST_RETRY: TimeDelta = TimeDelta::seconds(5);
/// Longest wait.
const LONGEST_RETRY: TimeDelta = TimeDelta::minutes(10);
/// After this time a message is given up: nobody wants to read it any more.
const TOO_OLD: TimeDelta = TimeDelta::hours(24);

/// A message did not arrive. Says why without naming the address, which may hold a secret, and without what the other side
/// wrote, unless that is harmless.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DeliveryError(pub(super) String);

/// How a message is carried.
#[derive(Debug)]
enum Carrier {
    Webhook(Webhook),
    Mail(Box<Mailer>),
}

/// Carries the messages of one channel.
#[derive(Debug)]
pub struct Courier {
    channel: AlertChannel,
    /// `None` when the channel is switched off.
    carrier: Option<Carrier>,
}

impl Courier {
    /// A courier for the channel.
    ///
    /// # Errors
    /// When what it takes cannot be set up, such as the list of certificates.
    pub fn new(channel: AlertChannel, config: &AlertConfig) -> Result<Self, DeliveryError> {
        let carrier = match channel {
            AlertChannel::Webhook => {
                config.webhook.as_ref().map(Webhook::new).transpose()?.map(Carrier::Webhook)
            }
            AlertChannel::Mail => {
                let mailer = config.mail.as_ref().map(Mailer::new).transpose()?;
                mailer.map(|mailer| Carrier::Mail(Box::new(mailer)))
            }
        };
        Ok(Self { channel, carrier })
    }

    /// Delivers a message, in one attempt of at most half a minute. Nothing happens where the channel is switched off.
    ///
    /// # Errors
    /// Why it did not arrive, as far as can be told.
    pub async fn deliver(&self, text: &AlertText) -> Result<(), DeliveryError> {
        let attempt = async {
            match &self.carrier {
                None => Ok(()),
                Some(Carrier::Webhook(webhook)) => webhook.post(text).await,
                Some(Carrier::Mail(mailer)) => mailer.send(text).await,
            }
        };
        let done = tokio::time::timeout(ATTEMPT, attempt).await;
        done.unwrap_or_else(|_| Err(DeliveryError(format!("no answer within {} s", ATTEMPT.as_secs()))))
    }

    /// Delivers whatever there is, one message after the other, until `stop` is cancelled.
    pub async fn run(&self, database: &Database, stop: &CancellationToken) {
        // Said once; the messages stay where they are.
        let mut trouble = None;
        let mut is_tidy = false;
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            let result = match (&self.carrier, is_tidy) {
                (None, true) => return,
                (None, false) => remove_messages_of(database, self.channel).await.map(|()| is_tidy = true),
                (Some(_), _) => self.deliver_due(database, stop).await,
            };
            let report = result.err().map(|error| error.to_string());
            if report.is_some() && report != trouble {
                warn!(channel = %self.channel, error = report, "Alert messages wait");
            }
            trouble = report;
        }
    }

    /// Delivers the oldest message that is due. One that is refused again and again holds up no other.
    async fn deliver_due(&self, database: &Database, stop: &CancellationToken) -> Result<(), StorageError> {
        let now = clock::now();
        let Some(message) = next_message(database, self.channel, now).await? else { return Ok(()) };
        // Before it is sent: where the database can be read and not written, it would be sent again every second.
        begin_message(database, message.id, next_try(message.attempts, now)).await?;
        // Dropped at a stop, it is carried once more after the next start: rather twice than never.
        let Some(done) = stop.run_until_cancelled(self.deliver(&message.text)).await else { return Ok(()) };
        let outcome = if done.is_ok() { "delivered" } else { "failed" };
        ALERT_MESSAGES.add(1, [("channel", self.channel.to_string()), ("outcome", outcome.to_owned())]);
        let Err(error) = done else {
            info!(channel = %self.channel, alert.message = message.id, "Delivered an alert message");
            return remove_message(database, message.id).await;
        };
        if now - message.created_at > TOO_OLD {
            error!(channel = %self.channel, alert.message = message.id, %error, "Gave up an alert message");
            return remove_message(database, message.id).await;
        }
        self.log_failure(&message, &error);
        explain_message(database, message.id, &error.to_string()).await
    }

    /// One line for the first failure, and hardly any for what follows.
    fn log_failure(&self, message: &AlertMessage, error: &DeliveryError) {
        let (channel, attempt) = (self.channel, message.attempts + 1);
        if message.attempts == 0 {
            warn!(%channel, alert.message = message.id, %error, "Could not deliver an alert message; trying again");
        } else {
            debug!(%channel, alert.message = message.id, attempt, %error, "Could not deliver an alert message yet");
        }
    }
}

/// When a message is tried again that was tried `attempts` times before this one.
fn next_try(attempts: u32, now: DateTime<Utc>) -> DateTime<Utc> {
    let factor = 2_i32.saturating_pow(attempts.min(16));
    now + FIRST_RETRY.checked_mul(factor).unwrap_or(LONGEST_RETRY).min(LONGEST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_between_attempts_double_up_to_a_limit() {
        let now = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
        let waits =
            [0, 1, 2, 6, 7, 30, u32::MAX].map(|attempts| (next_try(attempts, now) - now).num_seconds());
        assert_eq!(waits, [5, 10, 20, 320, 600, 600, 600]);
    }
}
