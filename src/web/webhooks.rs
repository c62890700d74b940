//! The receiver of HubSpot's webhooks: check, store, answer.
//!
//! Nothing is read from HubSpot here and no record is changed: an event only says which record to read again, which the
//! process that leads does (`sync::webhooks`). So any process may receive, and an answer takes one transaction.
//! The route stands open to the world. What it costs to be refused is kept small: without a signature no body is read,
//! bodies are limited in size, time and what they take up together, and refusals are counted in memory and written now and
//! then. A place is for what is HubSpot's, so strangers cannot take them all.

mod event;
mod probe;
mod signature;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::StreamExt;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tracing::{error, warn};

use self::event::{Delivered, Unusable};
use self::signature::{Distrust, Presented, Signed};
use super::{Situation, guard};
use crate::clock;
use crate::config::WebhookConfig;
use crate::lifecycle::Lifecycle;
use crate::model::{ObjectType, Selected};
use crate::storage::{
    Database, NewWebhookEvent, StorageError, bound_account, count_refused_webhooks, store_webhook_events,
};

pub use probe::check_webhooks;

/// Where HubSpot sends events to, below `PUBLIC_URL`.
pub const PATH: &str = "/api/webhooks/hubspot";

/// Largest body that is read, in bytes: 100 events, each with a value of 65,536 characters, which HubSpot allows, of up to
/// 4 bytes. The sites in `deploy/` let as much through. Source: HubSpot, "Properties"; HubSpot, "Webhooks".
const LARGEST_BODY: usize = 32 * 1024 * 1024;
/// What all bodies may take up together, in bytes, as far as they have arrived.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// Longest time a body may take to arrive: HubSpot itself waits 5 s for an answer. Source: HubSpot, "Webhooks".
const SLOWEST_BODY: Duration = Duration::from_secs(5);
/// Deliveries stored at the same time. HubSpot sends 10 unless told otherwise. Source: HubSpot, "Webhooks".
const MOST_DELIVERIES: usize = 20;
/// Longest wait for the database before HubSpot is told to come again.
const SLOWEST_STORE: Duration = Duration::from_secs(3);
/// How often refusals are written and logged.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// The fates of events and requests, by the name under which they are counted.
type Counts = BTreeMap<&'static str, u64>;

/// Takes deliveries. Shared by all requests.
#[derive(Debug)]
pub struct Receiver {
    config: WebhookConfig,
    database: Database,
    lifecycle: Lifecycle,
    /// What is mirrored, as far as it was known at the start.
    objects: Vec<Selected>,
    /// A permit a byte of the bodies that have arrived.
    space: Arc<Semaphore>,
    /// A permit a delivery that is being stored.
    places: Arc<Semaphore>,
    refused: Mutex<Refused>,
    situation: Situation,
}

/// Requests that were refused and not told of yet.
#[derive(Debug, Default)]
struct Refused {
    counts: Counts,
    told: Option<Instant>,
}

/// A body that has arrived.
struct Arrived {
    bytes: Vec<u8>,
    /// As many permits as there are bytes.
    space: OwnedSemaphorePermit,
}

/// Why a delivery is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// There is no secret to check signatures with.
    Unconfigured,
    /// It is not HubSpot's.
    Distrusted(Distrust),
    /// The body is too large.
    TooLarge,
    /// The body did not arrive in time, or not whole.
    Broken,
    /// The body is no list.
    Malformed,
    /// Too many at a time.
    Busy,
    /// The database does not take it now.
    NotStored,
}

/// The routes; they bring their own limits and need none of the server's. Cross-site and login checks must not stand in
/// front of them.
pub fn router(receiver: Arc<Receiver>) -> Router {
    Router::new().route(PATH, get(show).post(receive)).with_state(receiver)
}

/// Says whether webhooks can be received, to whoever tries the address.
async fn show(State(receiver): State<Arc<Receiver>>) -> Json<Value> {
    Json(
        json!({ "webhooks": if receiver.config.signing_key.is_some() { "ready" } else { "not configured" } }),
    )
}

/// Takes a delivery.
async fn receive(
    State(receiver): State<Arc<Receiver>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let response = match receiver.take(&method, &uri, &headers, body).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => {
            receiver.refuse(refusal);
            refusal.into_response()
        }
    };
    guard::count(&method, PATH, response.status());
    response
}

impl Receiver {
    /// A receiver of events about `objects`.
    pub fn new(
        config: WebhookConfig,
        objects: Vec<Selected>,
        database: Database,
        lifecycle: Lifecycle,
        situation: Situation,
    ) -> Self {
        let [space, places] = [MOST_BYTES, MOST_DELIVERIES].map(|most| Arc::new(Semaphore::new(most)));
        Self { config, database, lifecycle, objects, space, places, refused: Mutex::default(), situation }
    }

    /// Checks a delivery and stores it.
    async fn take(
        self: &Arc<Self>,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<(), Refusal> {
        let secret = self.config.signing_key.as_ref().ok_or(Refusal::Unconfigured)?.expose_secret();
        let presented = presented(headers);
        presented.precheck(clock::now()).map_err(Refusal::Distrusted)?;
        let Arrived { bytes, space } = self.read(headers, body).await?;
        let url = self.public_url(uri, headers);
        let signed = Signed { method: method.as_str(), url: &url, body: &bytes };
        presented.verify(secret, signed, clock::now()).map_err(Refusal::Distrusted)?;
        let place = self.places.clone().try_acquire_owned().map_err(|_| Refusal::Busy)?;
        let events: Vec<Value> = serde_json::from_slice(&bytes).map_err(|_| Refusal::Malformed)?;
        drop(bytes);
        // On a task of its own: HubSpot may hang up, and a query must not be dropped halfway.
        let receiver = self.clone();
        let storing = self.lifecycle.spawn(async move {
            let stored = receiver.store(events).await;
            drop((place, space));
            stored
        });
        match timeout(SLOWEST_STORE, storing).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => {
                error!(error = %error, "Webhooks could not be stored; HubSpot sends them again");
                Err(Refusal::NotStored)
            }
            // It goes on; what is sent again meanwhile is found to be a duplicate.
            Ok(Err(_)) | Err(_) => Err(Refusal::NotStored),
        }
    }

    /// Reads a body that is neither too large nor too slow. It takes up space as it arrives: who announces much and sends
    /// nothing keeps nobody out.
    async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Arrived, Refusal> {
        let announced = text(headers, header::CONTENT_LENGTH.as_str()).and_then(|length| length.parse().ok());
        if announced.is_some_and(|length: usize| length > LARGEST_BODY) {
            return Err(Refusal::TooLarge);
        }
        timeout(SLOWEST_BODY, self.gather(body)).await.unwrap_or(Err(Refusal::Broken))
    }

    /// Puts the pieces of a body together.
    async fn gather(&self, body: Body) -> Result<Arrived, Refusal> {
        let mut arrived = Arrived { bytes: Vec::new(), space: self.reserve(0)? };
        let mut pieces = body.into_data_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|_| Refusal::Broken)?;
            if arrived.bytes.len() + piece.len() > LARGEST_BODY {
                return Err(Refusal::TooLarge);
            }
            arrived.space.merge(self.reserve(piece.len())?);
            arrived.bytes.extend_from_slice(&piece);
        }
        Ok(arrived)
    }

    /// Takes so many bytes of the space. Nobody waits for it: two halves of large bodies would wait for each other.
    fn reserve(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let bytes = u32::try_from(bytes).map_err(|_| Refusal::TooLarge)?;
        self.space.clone().try_acquire_many_owned(bytes).map_err(|_| Refusal::Busy)
    }

    /// The URL HubSpot called. Without `PUBLIC_URL` it is taken from what the request says, which does no harm: a URL that
    /// was not called has another signature.
    fn public_url(&self, uri: &Uri, headers: &HeaderMap) -> String {
        let path = uri.path_and_query().map_or(PATH, |path| path.as_str());
        match &self.config.public_url {
            Some(base) => format!("{base}{path}"),
            None => format!("https://{}{path}", text(headers, header::HOST.as_str()).unwrap_or_default()),
        }
    }

    /// Stores what concerns this mirror and counts the rest.
    async fn store(&self, events: Vec<Value>) -> Result<(), StorageError> {
        let portal = bound_account(&self.database).await?;
        let (kept, mut counts) = sort(events, portal, &self.objects);
        let refused = self.take_refused();
        add(&mut counts, &refused);
        let is_news = !kept.is_empty();
        let stored = store_webhook_events(&self.database, kept, counts, clock::now()).await;
        if stored.is_err() {
            add(&mut self.refused().counts, &refused);
        }
        stored?;
        if is_news {
            self.situation.webhooks_arrived();
        }
        Ok(())
    }

    /// Counts a refusal, and tells of those so far where it is time.
    fn refuse(self: &Arc<Self>, refusal: Refusal) {
        let Some(name) = refusal.counted_as() else { return };
        let mut refused = self.refused();
        *refused.counts.entry(name).or_default() += 1;
        if refused.told.is_some_and(|told| told.elapsed() < TELL_EVERY) {
            return;
        }
        refused.told = Some(Instant::now());
        let counts = std::mem::take(&mut refused.counts);
        drop(refused);
        let told: Vec<_> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
        warn!(
            "Refused webhook requests: {}. If they are HubSpot's, check HUBSPOT_WEBHOOK_SECRET and PUBLIC_URL",
            told.join(", ")
        );
        let receiver = self.clone();
        self.lifecycle.spawn(async move {
            // What cannot be counted now is lost; the log has it.
            count_refused_webhooks(&receiver.database, &counts, clock::now()).await.ok();
        });
    }

    /// Takes the refusals that were not told of yet, to be counted with a delivery.
    fn take_refused(&self) -> Counts {
        std::mem::take(&mut self.refused().counts)
    }

    /// The refusals. A panicked holder cannot have left them half-changed.
    fn refused(&self) -> MutexGuard<'_, Refused> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds figures to others.
fn add(counts: &mut Counts, more: &Counts) {
    for (name, count) in more {
        *counts.entry(*name).or_default() += count;
    }
}

/// The header as text.
fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// What the headers show.
fn presented(headers: &HeaderMap) -> Presented<'_> {
    Presented {
        v3: text(headers, "x-hubspot-signature-v3"),
        timestamp: text(headers, "x-hubspot-request-timestamp"),
        old: text(headers, "x-hubspot-signature"),
        old_version: text(headers, "x-hubspot-signature-version"),
    }
}

/// Tells the events of this account and of mirrored types from the others.
fn sort(events: Vec<Value>, portal: Option<i64>, objects: &[Selected]) -> (Vec<NewWebhookEvent>, Counts) {
    let (mut kept, mut counts) = (Vec::with_capacity(events.len()), Counts::new());
    for event in events {
        let fate = match judge(event, portal, objects) {
            Ok(event) => {
                kept.push(event);
                "received"
            }
            Err(fate) => fate,
        };
        *counts.entry(fate).or_default() += 1;
    }
    (kept, counts)
}

/// An event to keep, or the name of what is the matter with it.
fn judge(event: Value, portal: Option<i64>, objects: &[Selected]) -> Result<NewWebhookEvent, &'static str> {
    // A list would be taken for the fields in order.
    let fields = Some(event).filter(Value::is_object).ok_or("malformed")?;
    let delivered: Delivered = serde_json::from_value(fields).map_err(|_| "malformed")?;
    // Until the account is known there is no mirror either; its first listing shows everything.
    if portal.is_none() || delivered.portal_id != portal {
        return Err("other_account");
    }
    let event = delivered.into_event().map_err(|unusable| match unusable {
        Unusable::UnknownType => "unknown_type",
        Unusable::UntypedLink => "untyped_link",
        Unusable::Malformed => "malformed",
    })?;
    if may_be_mirrored(&event.object_type_id, objects) { Ok(event) } else { Err("not_mirrored") }
}

/// Whether records of the type may be mirrored: of a custom object whose schema has not been read this is not known here.
fn may_be_mirrored(type_id: &str, objects: &[Selected]) -> bool {
    let is_standard = ObjectType::named(type_id).is_some();
    objects.iter().any(|selected| match selected {
        Selected::Known(object_type) => object_type.type_id == type_id,
        Selected::Unread(_) => !is_standard,
    })
}

impl Refusal {
    /// The name under which it is counted; `None` for what says nothing about the request.
    fn counted_as(self) -> Option<&'static str> {
        match self {
            Self::Unconfigured | Self::NotStored => None,
            Self::Distrusted(Distrust::Unsigned) => Some("refused_unsigned"),
            Self::Distrusted(Distrust::Stale) => Some("refused_stale"),
            Self::Distrusted(Distrust::Forged) => Some("refused_forged"),
            Self::TooLarge => Some("refused_too_large"),
            Self::Broken => Some("refused_broken"),
            Self::Malformed => Some("refused_malformed"),
            Self::Busy => Some("refused_busy"),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, reason) = match self {
            Self::Unconfigured => (StatusCode::SERVICE_UNAVAILABLE, "webhooks are not configured"),
            // Not which of the three: that is the log's to say.
            Self::Distrusted(_) => (StatusCode::UNAUTHORIZED, "not signed by HubSpot"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too large"),
            Self::Broken => (StatusCode::REQUEST_TIMEOUT, "the body did not arrive"),
            Self::Malformed => (StatusCode::BAD_REQUEST, "not a list of events"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "too many at a time"),
            Self::NotStored => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer"),
        };
        (status, Json(json!({ "error": reason }))).into_response()
    }
}

#[cfg(test)]
mod tests;
