//! The client of the HubSpot API: asks in the words of [`crate::model`], inside HubSpot's limits, and tries again
//! what is worth it.
//!
//! | Part | Does |
//! | --- | --- |
//! | `records`, `lookup`, `associations`, `reference` | one method per question, each a path, a body and a parser |
//! | `writes`, `company_link` | one method per change of a record, and what became of it |
//! | `transport` | sends one call: permit, deadline, status, retry, log line |
//! | [`limiter`](LimiterSnapshot) | never lets a request out that could break a limit |
//! | `wire` | HubSpot's JSON |
//!
//! It knows nothing of the database. Nothing it logs or returns in an error holds the token or a record's contents.

mod associations;
mod company_link;
mod error;
mod failure;
mod limiter;
mod lookup;
mod path;
mod records;
mod reference;
mod refusal;
mod server_clock;
mod transport;
mod wire;
mod writes;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

pub use self::associations::{ASSOCIATION_INPUTS, AssociationPage};
pub use self::error::{ErrorKind, HubSpotError};
pub use self::limiter::{DailySnapshot, LimiterSnapshot, Pause, PauseReason, QuotaSnapshot};
use self::path::Paths;
pub use self::records::{HISTORY_PAGE, RECORD_PAGE, SEARCH_PAGE};
pub use self::refusal::{Refusal, RefusalKind, RefusedProperty};
use self::transport::{Call, Transport};
use self::wire::Malformed;
pub use self::writes::{Created, NewRecord, RecordUpdate, Updated, WRITE_BATCH};
use crate::config::HubSpotConfig;
use crate::model::{Cursor, ObjectId, ObjectType, Record, RejectedRecord};
use crate::retry::RetryPolicy;

/// Who waits for a request, in order of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// A person; the only one the daily reserve is for.
    Interactive,
    /// A change HubSpot told us of.
    Webhook,
    /// A scheduled run.
    Incremental,
    /// A local edit on its way to HubSpot.
    Push,
    /// A comparison of both sides.
    Audit,
    /// A first or full listing.
    Backfill,
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPage {
    /// The readable records, in ascending id order.
    pub records: Vec<Record>,
    /// The unreadable ones.
    pub rejected: Vec<RejectedRecord>,
    /// Where the next page starts; `None` after the last one.
    pub next: Option<Cursor>,
}

/// The records behind a set of ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRead {
    /// The readable records, in any order, each once. Asking for a merged-away id yields its survivor, under the
    /// survivor's id.
    pub records: Vec<Record>,
    /// The unreadable ones, and those HubSpot itself could not read this time: they exist, so another try may bring
    /// them.
    pub rejected: Vec<RejectedRecord>,
    /// The ids asked for under which there is no record: deleted, never there, or merged away.
    pub missing: Vec<ObjectId>,
}

/// A value a property has or had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Since when; the only time HubSpot tells of a single value.
    pub at: DateTime<Utc>,
    /// The value, `None` when it was cleared.
    pub value: Option<String>,
    /// `CRM_UI`, `INTEGRATION`, `IMPORT`, `CALCULATED`, …
    pub source_type: Option<String>,
    /// Which one: `userId:123`, or of an integration the app's id.
    pub source_id: Option<String>,
    /// What people call the source.
    pub source_label: Option<String>,
}

/// The records behind a set of ids, with what some of their properties were before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryRead {
    /// As in [`BatchRead::records`].
    pub records: Vec<Record>,
    /// The histories of the properties asked for, by the id and the name, each newest first. HubSpot keeps a limited
    /// number of values.
    pub histories: BTreeMap<ObjectId, BTreeMap<String, Vec<HistoryEntry>>>,
    /// As in [`BatchRead::rejected`].
    pub rejected: Vec<RejectedRecord>,
    /// As in [`BatchRead::missing`].
    pub missing: Vec<ObjectId>,
}

/// A record that matches a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// Its id.
    pub id: ObjectId,
    /// When it was modified. May lie after the window: the index lags behind the store it is taken from.
    pub updated_at: DateTime<Utc>,
}

/// A page of search results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchPage {
    /// Matches altogether as the index sees it; may disagree with `hits`.
    pub total: u64,
    /// In ascending id order, at most 200. Fewer than 200 prove no end; none do.
    pub hits: Vec<Hit>,
}

/// What the access token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// The user who made it, where HubSpot says so.
    pub user_id: Option<i64>,
    /// The account it belongs to.
    pub hub_id: i64,
    /// The app's id, which shows as the source of our own writes.
    pub app_id: Option<i64>,
    /// Granted scopes.
    pub scopes: Vec<String>,
}

impl TokenInfo {
    /// Whether it may write records of a type; `None` when HubSpot names no scopes.
    pub fn may_write(&self, object_type: &ObjectType) -> Option<bool> {
        let is_granted = |scope: &String| self.scopes.contains(scope);
        (!self.scopes.is_empty()).then(|| object_type.write_scopes().iter().any(is_granted))
    }
}

/// The client. Cheap to clone; clones share connections, limits and HubSpot's clock.
#[derive(Clone)]
pub struct HubSpotClient {
    /// What all clones share.
    shared: Arc<Shared>,
    /// Counts the requests of one run; `None` when only the total is counted.
    run: Option<Arc<AtomicU64>>,
}

/// What all clones of a client share.
struct Shared {
    /// Sends calls.
    transport: Transport,
    /// Where they go.
    paths: Paths,
    /// The token, as the body that asks what it is.
    token_question: wire::reference::TokenQuestion,
    /// Longest URL known to be accepted, in bytes; shrinks when HubSpot refuses a shorter one.
    url_budget: AtomicUsize,
}

/// Longest URL tried at first, in bytes. HubSpot publishes no limit; lists of 400 and more property names were seen
/// to fail.
const INITIAL_URL_BUDGET: usize = 16_000;

impl fmt::Debug for HubSpotClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubSpotClient").field("requests_sent", &self.requests_sent()).finish_non_exhaustive()
    }
}

impl HubSpotClient {
    /// A client for the configured account. Every wait inside it, for a permit or for an answer, ends with `shutdown`.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when the base URL or the token cannot be used.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn new(config: &HubSpotConfig, shutdown: CancellationToken) -> Result<Self, HubSpotError> {
        Self::with_policy(config, shutdown, RetryPolicy::API_CALL)
    }

    /// A client that repeats failed calls by `policy`.
    fn with_policy(
        config: &HubSpotConfig,
        shutdown: CancellationToken,
        policy: RetryPolicy,
    ) -> Result<Self, HubSpotError> {
        let shared = Shared {
            transport: Transport::new(config, policy, shutdown)?,
            paths: Paths::new(&config.api_version),
            token_question: wire::reference::TokenQuestion(config.access_token.clone()),
            url_budget: AtomicUsize::new(INITIAL_URL_BUDGET),
        };
        Ok(Self { shared: Arc::new(shared), run: None })
    }

    /// A clone whose [`requests_sent`](Self::requests_sent) starts at 0 and counts only its own requests and those of
    /// its clones.
    #[must_use]
    pub fn counted(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), run: Some(Arc::default()) }
    }

    /// Requests sent, tries again included: by this [`counted`](Self::counted) client, else by all since the start.
    pub fn requests_sent(&self) -> u64 {
        match &self.run {
            Some(run) => run.load(Ordering::Relaxed),
            None => self.limits().requests,
        }
    }

    /// The time on HubSpot's clock: never later than it and usually less than a second behind. Our own clock until
    /// the first answer.
    pub fn server_now(&self) -> DateTime<Utc> {
        self.shared.transport.server_clock.now()
    }

    /// How far HubSpot's clock is ahead of ours, to about a second; `None` before the first answer.
    pub fn clock_skew(&self) -> Option<TimeDelta> {
        self.shared.transport.server_clock.skew()
    }

    /// The state of all limits.
    pub fn limits(&self) -> LimiterSnapshot {
        self.shared.transport.limiter.snapshot()
    }

    /// Tells in which time zone the daily limit's midnight is: the account's. UTC until then.
    ///
    /// Returns whether the IANA name is known; an unknown one changes nothing.
    pub fn set_time_zone(&self, name: &str) -> bool {
        name.parse().map(|zone| self.shared.transport.limiter.set_zone(zone)).is_ok()
    }

    /// Sends a call and counts its requests.
    async fn send<T>(
        &self,
        call: &Call,
        decode: impl Fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<T, HubSpotError> {
        self.shared.transport.send(call, self.run.as_deref(), decode).await
    }
}

#[cfg(test)]
mod tests;
