//! What every request goes through, from the outside in:
//!
//! 1. it gets its id, and every error its form;
//! 2. security headers;
//! 3. it must not come from a page of another origin, unless it shows whose it is by itself (`webhooks`);
//! 4. of a route: the right, then the body within its time and size, then a place among those that work, then the
//!    handler in a task of its own.
//!
//! The task is not dropped when the client goes away or the time is up: a query in mid-flight must not be.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tower_http::csrf::CsrfLayer;
use tracing::{debug, error, warn};
use uuid::Uuid;

use super::access::Access;
use super::error::ApiError;
use super::{App, dashboard};
use crate::metrics::WEB_REQUESTS;

/// The header with the id of a request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id a client may choose.
const REQUEST_ID_LENGTH: usize = 64;
/// Most bytes of a body.
const BODY_BYTES: usize = 1024 * 1024;
/// Longest a client may take for a body.
const BODY: Duration = Duration::from_secs(10);
/// Longest a request waits for a place.
const QUEUE: Duration = Duration::from_secs(10);
/// Longest a request may take from then on.
const ANSWER: Duration = Duration::from_secs(30);

/// Puts the layers around the routes that all of them share. Requests to those that are `signed` show whose they are, so
/// it does not matter where they come from.
pub(super) fn around(routes: Router, signed: Router) -> Router {
    routes
        .fallback(dashboard::nothing)
        .layer(CsrfLayer::new())
        .merge(signed)
        .layer(middleware::map_response(add_security_headers))
        .layer(middleware::from_fn(name_and_shape))
}

/// Gives a request its id, and its error, if it ends in one, the form all errors have. Says in the log how it ended.
async fn name_and_shape(request: Request, next: Next) -> Response {
    let (id, method, began) = (request_id(&request), request.method().clone(), Instant::now());
    // The path may hold what belongs to a person; the route does not.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "an unknown path".to_owned());
    let mut response = next.run(request).await;
    let (status, took) = (response.status(), began.elapsed().as_millis());
    count(&method, &route, status);
    let id_text = id.to_str().unwrap_or_default();
    let line =
        format!("{method} {route} was answered with {} after {took} ms, request {id_text}", status.as_u16());
    match response.extensions().get::<Arc<ApiError>>().and_then(|error| error.cause()) {
        Some(cause) => error!(error = cause, "{line}"),
        None if status == StatusCode::GATEWAY_TIMEOUT => warn!("{line}"),
        None => debug!("{line}"),
    }
    if status.is_client_error() || status.is_server_error() {
        response = shaped(response, id_text);
    }
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// Counts an answer. Methods that are nobody's own count as one: whoever asks may invent more.
fn count(method: &Method, route: &str, status: StatusCode) {
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let method = if known.contains(method) { method.as_str() } else { "other" };
    let labels =
        [("method", method.to_owned()), ("route", route.to_owned()), ("status", status.as_str().to_owned())];
    WEB_REQUESTS.add(1, labels);
}

/// The id the client has chosen, if it is one, or a new one.
fn request_id(request: &Request) -> HeaderValue {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let is_id = |value: &&HeaderValue| {
        (1..=REQUEST_ID_LENGTH).contains(&value.len()) && value.as_bytes().iter().all(is_plain)
    };
    let given = request.headers().get(&REQUEST_ID).filter(is_id).cloned();
    given.unwrap_or_else(|| {
        HeaderValue::from_str(&Uuid::new_v4().to_string()).expect("an id has plain characters only")
    })
}

/// The response with the body of its error; one that has a body of its own, or is a page, keeps it.
fn shaped(response: Response, request_id: &str) -> Response {
    let (mut parts, body) = response.into_parts();
    let is =
        |wanted: &HeaderValue| parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == wanted);
    let error = parts.extensions.remove::<Arc<ApiError>>();
    let error = match error {
        _ if is(&HTML) => return Response::from_parts(parts, body),
        None if is(&JSON) => return Response::from_parts(parts, body),
        error => error.unwrap_or_else(|| Arc::new(ApiError::of_status(parts.status))),
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, JSON);
    Response::from_parts(parts, Body::from(error.body(request_id)))
}

/// The type of every answer that is no page.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The type of a page.
pub(super) const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// Adds what keeps browsers from doing more with an answer than show it.
async fn add_security_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ] {
        // A page may have a policy of its own.
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Lets a request in to its handler.
pub(super) async fn enter(
    State((app, access, asks_database)): State<(App, Access, bool)>,
    mut request: Request,
    next: Next,
) -> Response {
    match app.authorise(request.headers(), access) {
        Ok(caller) => request.extensions_mut().insert(caller),
        Err(error) => return error.into_response(),
    };
    if !asks_database {
        return run(&app, None, request, next).await.unwrap_or_else(IntoResponse::into_response);
    }
    admit(&app, request, next).await
}

/// Lets a request in that may be answered: with its whole body, to a place of its own.
pub(super) async fn admit(app: &App, request: Request, next: Next) -> Response {
    let admitted = async {
        let request = receive(app, request).await?;
        let place = place(app).await?;
        run(app, Some(place), request, next).await
    };
    admitted.await.unwrap_or_else(IntoResponse::into_response)
}

/// The same for one that takes its time without the database, and must not keep others from it meanwhile.
pub(super) async fn admit_without_place(app: &App, request: Request, next: Next) -> Response {
    let admitted = async { run(app, None, receive(app, request).await?, next).await };
    admitted.await.unwrap_or_else(IntoResponse::into_response)
}

/// The request with its whole body, once there is something to answer with.
async fn receive(app: &App, request: Request) -> Result<Request, ApiError> {
    expect_ready(app)?;
    with_whole_body(request).await
}

/// Refuses everything while there is nothing to answer with.
pub(super) fn expect_ready(app: &App) -> Result<(), ApiError> {
    let message = "The daemon is starting; its tables are not ready yet";
    if app.situation.is_ready() { Ok(()) } else { Err(ApiError::unavailable("starting", message)) }
}

/// The request with a body that is there already: whoever works on it waits for no client.
async fn with_whole_body(request: Request) -> Result<Request, ApiError> {
    let (parts, body) = request.into_parts();
    let collected = tokio::time::timeout(BODY, Limited::new(body, BODY_BYTES).collect()).await;
    let body: Bytes = match collected {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            let message = format!("A body has at most {BODY_BYTES} bytes");
            return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message));
        }
        Ok(Err(_)) => return Err(ApiError::bad_request("The body broke off")),
        Err(_) => {
            let message = format!("The body did not arrive within {} s", BODY.as_secs());
            return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", message));
        }
    };
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// A place among the requests that work with the database.
async fn place(app: &App) -> Result<OwnedSemaphorePermit, ApiError> {
    let place = tokio::time::timeout(QUEUE, app.work.clone().acquire_owned()).await;
    let busy = || ApiError::unavailable("busy", "Too much is being asked at the moment; try again");
    place.map_err(|_| busy())?.map_err(|_| busy())
}

/// Runs the handler in a task of its own, in its place, and waits for it for a limited time.
async fn run(
    app: &App,
    place: Option<OwnedSemaphorePermit>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let task = app.lifecycle.spawn(async move {
        let response = next.run(request).await;
        drop(place);
        response
    });
    match tokio::time::timeout(ANSWER, task).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(panic)) => Err(ApiError::internal(format!("it panicked: {panic}"))),
        Err(_) => {
            let message =
                format!("The answer took longer than {} s; what was begun goes on", ANSWER.as_secs());
            Err(ApiError::new(StatusCode::GATEWAY_TIMEOUT, "too_slow", message))
        }
    }
}
