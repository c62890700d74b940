//! `GET /ws`: what happens, told as it happens.
//!
//! | Part | Does |
//! | --- | --- |
//! | `message` | what is told, as JSON |
//! | `feed` | hears what the process does and numbers it, once for everybody |
//! | `socket` | one client: tells it, notices when it is gone, and holds up nobody else for it |
//!
//! A message says that something has happened and of what; values are read over the API, or by loading the page again.
//! Who missed something is told to look again (`resync`), so a client that follows two rules is never wrong for long: look
//! when connected, and look when told.

mod feed;
mod message;
mod socket;

use std::sync::Arc;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use tokio::sync::Semaphore;
use tracing::debug;
use url::Url;

use self::feed::Feed;
use self::message::Numbered;
use super::App;
use super::access::{Access, expect_local};
use super::dashboard::is_signed_in;
use super::endpoint::Endpoint;
use super::error::ApiError;
use super::guard;

/// Most clients at a time.
const CLIENTS: usize = 1000;
/// Most bytes a client may say at once: it has nothing to say.
const HEARD_BYTES: usize = 1024;
/// Bytes that are read at once from a client.
const READ_BYTES: usize = 4 * 1024;
/// Most bytes that wait for one client, besides those in the kernel.
const WAITING_BYTES: usize = 64 * 1024;

/// What the route works with. Cheap to clone.
#[derive(Clone)]
struct Live {
    app: App,
    feed: Arc<Feed>,
    places: Arc<Semaphore>,
}

/// The route, with the feed it serves running.
pub(super) fn router(app: &App) -> Router {
    let feed = Arc::new(Feed::default());
    app.lifecycle.spawn(feed.clone().run(app.clone()));
    let places = Arc::new(Semaphore::new(CLIENTS));
    let entry = middleware::from_fn_with_state(app.clone(), enter);
    Router::new().route("/ws", get(connect).route_layer(entry)).with_state(Live {
        app: app.clone(),
        feed,
        places,
    })
}

/// What the OpenAPI document says of the route. It is served by [`router`].
pub(super) fn described() -> Endpoint {
    let what = "Listen to what happens, as it happens, over a WebSocket";
    Endpoint::new((Method::GET, "/ws"), Access::Read, MethodRouter::new(), what)
        .explained(
            "A handshake of RFC 6455, without parameters and without a subprotocol. Who listens shows a token that may \
             read in the header `Authorization`, or has signed in to the dashboard: then the cookie of the session does. \
             A page of another origin may not listen. Each message is a text with a `LiveMessage` as JSON; the first \
             one is `hello`. Who hears `hello` or `resync` reads what it shows anew. Nothing is to be said by the client.",
        )
        .with_schema_of::<Numbered<'_>>()
        .answering_nothing(101, "The connection is a WebSocket from here on; `LiveMessage` is what is told")
        .failing_with(403, "The request comes from a page of another origin")
        .failing_with(426, "The request is no handshake")
        .failing_with(503, "Too many clients are connected")
}

/// Lets a request in that may be answered.
async fn enter(State(app): State<App>, request: Request, next: Next) -> Response {
    guard::admit(&app, request, next).await
}

/// Takes a client on.
async fn connect(
    State(live): State<Live>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    admit(&live.app, &headers).await?;
    let upgrade = upgrade.map_err(|_| {
        let message = "This route is for WebSockets: connect with a client for them";
        ApiError::new(StatusCode::UPGRADE_REQUIRED, "websocket_only", message)
    })?;
    let full =
        |_| ApiError::unavailable("too_many_clients", "Too many clients are connected; try again later");
    let place = live.places.clone().try_acquire_owned().map_err(full)?;
    let upgrade = upgrade
        .max_message_size(HEARD_BYTES)
        .max_frame_size(HEARD_BYTES)
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WAITING_BYTES)
        .on_failed_upgrade(|error| debug!("A WebSocket did not come about: {error}"));
    Ok(upgrade.on_upgrade(async move |socket| {
        let (app, feed) = (live.app, live.feed);
        app.lifecycle.clone().spawn(socket::serve(socket, app, feed, headers)).await.ok();
        drop(place);
    }))
}

/// Lets in who may read, by a token as at the API or by a session as at the pages. A page of another origin is kept out
/// whatever it shows, and where nothing is configured as well: browsers let any page open a WebSocket to anywhere.
async fn admit(app: &App, headers: &HeaderMap) -> Result<(), ApiError> {
    if !is_own_origin(headers, app.config.webhooks.public_url.as_deref()) {
        let message = "A page of another origin may not listen";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "cross_origin", message));
    }
    if app.is_open() {
        return expect_local(headers);
    }
    if app.password_hash().is_none() || headers.contains_key(header::AUTHORIZATION) {
        return app.authorise(headers, Access::Read).map(|_| ());
    }
    if is_signed_in(app, headers).await? {
        return Ok(());
    }
    let message = "Show a bearer token, or sign in to the dashboard";
    Err(ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message))
}

/// Whether a request comes from no page, or from one of ours: of the host that is asked, or of the public address.
fn is_own_origin(headers: &HeaderMap, public_url: Option<&str>) -> bool {
    if headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin") {
        return false;
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let is_asked = origin
        .split_once("://")
        .is_some_and(|(_, place)| host.is_some_and(|host| host.eq_ignore_ascii_case(place)));
    let public =
        public_url.and_then(|url| Url::parse(url).ok()).map(|url| url.origin().ascii_serialization());
    is_asked || public.is_some_and(|public| public.eq_ignore_ascii_case(origin))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    /// Whether a request with these headers, to 127.0.0.1:3001, is taken for one of ours.
    fn is_ours(pairs: &[(&str, &str)], public_url: Option<&str>) -> bool {
        let pairs = [("host", "127.0.0.1:3001")].iter().chain(pairs);
        let headers =
            pairs.map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()));
        is_own_origin(&headers.collect(), public_url)
    }

    #[test]
    fn only_pages_of_this_server_and_of_its_public_address_are_ours() {
        assert!(is_ours(&[], None), "a program sends no origin");
        assert!(is_ours(&[("origin", "http://127.0.0.1:3001")], None));
        assert!(is_ours(&[("origin", "https://127.0.0.1:3001")], None), "behind a proxy that speaks TLS");
        assert!(is_ours(&[("origin", "https://sync.example")], Some("https://sync.example/crm")));
        for other in [
            "http://127.0.0.1:3002",
            "http://127.0.0.1",
            "https://evil.example",
            "null",
            "",
            "127.0.0.1:3001",
        ] {
            assert!(!is_ours(&[("origin", other)], Some("https://sync.example")), "{other}");
        }
    }

    #[test]
    fn what_a_browser_says_of_the_site_counts_too() {
        let own = ("origin", "http://127.0.0.1:3001");
        assert!(is_ours(&[own, ("sec-fetch-site", "same-origin")], None));
        assert!(!is_ours(&[own, ("sec-fetch-site", "same-site")], None));
        assert!(!is_ours(&[own, ("sec-fetch-site", "cross-site")], None));
    }
}
