//! The receiver of HubSpot's webhooks: check, store, answer.
//!
//! Nothing is read from HubSpot here and no record is changed: an event only says which record to read again, which the
//! process that leads does (`sync::webhooks`). So any process may receive, and an answer takes one transaction.
//! The route stands open to the world. What it costs to be refused is kept small: without a signature that could be one no
//! body is read, bodies are limited in size, time and what they take up together, and refusals are counted in memory and
//! written now and then. Such a signature can be made up, so strangers may send bodies, and stall: HubSpot's have room all
//! the same ([`space`]), and a place among those that are stored is for what is HubSpot's.

mod event;
mod probe;
mod refusal;
mod signature;
mod space;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::StreamExt;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};
use tracing::{error, warn};
use utoipa::ToSchema;

use self::event::{Delivered, Unusable};
use self::refusal::Refusal;
use self::signature::{Presented, Signed};
use self::space::{Room, Space};
use super::Situation;
use super::access::Access;
use super::client::Client;
use super::endpoint::{self, Endpoint};
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
/// Bodies from this size on, in bytes, are checked and read on a thread of their own: of 32 MiB that takes a tenth of a
/// second and more, while other requests would wait; of this size about a millisecond.
const LARGE_BODY: usize = 256 * 1024;
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
    space: Arc<Space>,
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
    room: Room,
}

/// A body that is HubSpot's.
struct Checked {
    events: Vec<Value>,
    place: OwnedSemaphorePermit,
    room: Room,
}

/// What was begun on another thread did not end.
#[derive(Debug, thiserror::Error)]
#[error("the process stops, or a defect of ours")]
struct Unfinished;

/// Why a delivery could not be stored.
#[derive(Debug, thiserror::Error)]
enum Unstored {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Unfinished(#[from] Unfinished),
}

impl From<Unfinished> for Refusal {
    fn from(_: Unfinished) -> Self {
        Self::NotStored
    }
}

/// Whether webhooks can be received.
#[derive(Debug, Serialize, ToSchema)]
struct Readiness {
    /// `ready` or `not configured`.
    webhooks: &'static str,
}

/// The routes, for the document too; they bring their own limits and need none of the server's. Cross-site and login
/// checks must not stand in front of them.
pub(super) fn endpoints() -> Vec<Endpoint<Arc<Receiver>>> {
    let show = Endpoint::new((Method::GET, PATH), Access::Open, get(show), "Whether webhooks are received");
    let receive =
        Endpoint::new((Method::POST, PATH), Access::Open, post(receive), "Takes HubSpot's webhooks");
    vec![
        show.explained("For whoever tries the address.").answering::<Readiness>(200, "Whether they are"),
        receive
            .explained("Needs no token but HubSpot's signature: v3, or an older one where there is no v3.")
            .with_header("X-HubSpot-Signature-v3", "Signs method, URL, body and time")
            .with_header("X-HubSpot-Request-Timestamp", "The time, in milliseconds since the epoch")
            .with_header("X-HubSpot-Signature", "Signs the body, or method, URL and body")
            .with_header("X-HubSpot-Signature-Version", "`v1` or `v2`: which of these")
            .with_body_of(endpoint::list_of_objects(), true)
            .answering_nothing(204, "They are stored; the records are read again")
            .failing_with(400, "The body is no list of events")
            .failing_with(401, "It is not signed by HubSpot, or not within the last 5 minutes")
            .failing_with(408, "The body did not arrive within 5 s")
            .failing_with(413, "The body is larger than 32 MiB")
            .failing_with(
                503,
                "Webhooks are not configured, too many arrive, or the database does not answer",
            ),
    ]
}

/// The routes by themselves.
pub fn router(receiver: Arc<Receiver>) -> Router {
    endpoint::unguarded(endpoints()).with_state(receiver)
}

/// Says whether webhooks can be received, to whoever tries the address.
async fn show(State(receiver): State<Arc<Receiver>>) -> Json<Readiness> {
    let is_ready = receiver.config.signing_key.is_some();
    Json(Readiness { webhooks: if is_ready { "ready" } else { "not configured" } })
}

/// Takes a delivery.
async fn receive(
    State(receiver): State<Arc<Receiver>>,
    client: Option<Extension<Client>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Refusal> {
    let client = client.map_or_else(|| Client::beside(&headers), |Extension(client)| client);
    let taken = receiver.take(client, (&method, &uri, &headers), body).await;
    taken.inspect_err(|refusal| receiver.refuse(*refusal)).map(|()| StatusCode::NO_CONTENT)
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
        let (space, places) = (Arc::default(), Arc::new(Semaphore::new(MOST_DELIVERIES)));
        Self { config, database, lifecycle, objects, space, places, refused: Mutex::default(), situation }
    }

    /// Checks a delivery and stores it.
    async fn take(
        self: &Arc<Self>,
        client: Client,
        (method, uri, headers): (&Method, &Uri, &HeaderMap),
        body: Body,
    ) -> Result<(), Refusal> {
        if self.config.signing_key.is_none() {
            return Err(Refusal::Unconfigured);
        }
        presented(headers).precheck(clock::now()).map_err(Refusal::Distrusted)?;
        let arrived = self.read(client, headers, body).await?;
        let is_large = arrived.bytes.len() >= LARGE_BODY;
        let url = self.public_url(uri, headers);
        let (receiver, method, headers) = (self.clone(), method.clone(), headers.clone());
        // With what it holds: who hangs up does not free the room of a body that is still being checked.
        let check = move || receiver.check((&method, &url, &headers), arrived);
        let Checked { events, place, room } = off_the_loop(is_large, check).await??;
        // On a task of its own: HubSpot may hang up, and a query must not be dropped halfway.
        let receiver = self.clone();
        let storing = self.lifecycle.spawn(async move {
            let stored = receiver.store(events, is_large).await;
            drop((place, room));
            stored
        });
        match timeout(SLOWEST_STORE, storing).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => {
                error!(error = %error, "Webhooks could not be stored; HubSpot sends them again");
                Err(Refusal::NotStored)
            }
            // It goes on; what is sent again is found to be a duplicate, if this succeeds.
            Ok(Err(_)) | Err(_) => Err(Refusal::NotStored),
        }
    }

    /// Whether a body is HubSpot's, and what it lists. Takes as long as the body is large.
    fn check(
        &self,
        (method, url, headers): (&Method, &str, &HeaderMap),
        Arrived { bytes, room }: Arrived,
    ) -> Result<Checked, Refusal> {
        let secret = self.config.signing_key.as_ref().ok_or(Refusal::Unconfigured)?.expose_secret();
        let signed = Signed { method: method.as_str(), url, body: &bytes };
        presented(headers).verify(secret, signed, clock::now()).map_err(Refusal::Distrusted)?;
        room.trust();
        let place = self.places.clone().try_acquire_owned().map_err(|_| Refusal::Busy)?;
        let events = serde_json::from_slice(&bytes).map_err(|_| Refusal::Malformed)?;
        Ok(Checked { events, place, room })
    }

    /// Reads a body that is neither too large nor too slow. It takes up room as it arrives: who announces much and sends
    /// nothing holds nothing.
    async fn read(&self, client: Client, headers: &HeaderMap, body: Body) -> Result<Arrived, Refusal> {
        let announced = text(headers, header::CONTENT_LENGTH.as_str()).and_then(|length| length.parse().ok());
        if announced.is_some_and(|length: usize| length > LARGEST_BODY) {
            return Err(Refusal::TooLarge);
        }
        let room = self.space.enter(client);
        timeout(SLOWEST_BODY, gather(body, room)).await.unwrap_or(Err(Refusal::Broken))
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
    async fn store(self: &Arc<Self>, events: Vec<Value>, is_large: bool) -> Result<(), Unstored> {
        let portal = bound_account(&self.database).await?;
        let receiver = self.clone();
        let sorting = move || sort(events, portal, &receiver.objects);
        let (kept, mut counts) = off_the_loop(is_large, sorting).await?;
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

/// Puts the pieces of a body together, until it has to give way to another.
async fn gather(body: Body, mut room: Room) -> Result<Arrived, Refusal> {
    let (mut bytes, mut pieces) = (Vec::new(), body.into_data_stream());
    loop {
        let piece = tokio::select! {
            biased;
            () = room.given_up() => return Err(Refusal::Busy),
            piece = pieces.next() => piece,
        };
        let Some(piece) = piece else { return Ok(Arrived { bytes, room }) };
        let piece = piece.map_err(|_| Refusal::Broken)?;
        if bytes.len() + piece.len() > LARGEST_BODY {
            return Err(Refusal::TooLarge);
        }
        if !room.grow(piece.len()) {
            return Err(Refusal::Busy);
        }
        bytes.extend_from_slice(&piece);
    }
}

/// Does what takes time: on a thread of its own where that is worth it, which lets other requests go on.
///
/// # Errors
/// When it panicked there, or the process stops.
async fn off_the_loop<T: Send + 'static>(
    is_long: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Unfinished> {
    if is_long { spawn_blocking(work).await.map_err(|_| Unfinished) } else { Ok(work()) }
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

#[cfg(test)]
mod tests;
