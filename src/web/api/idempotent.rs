//! `Idempotency-Key`: a request that is repeated with the key of an earlier one is not carried out again.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::clock;
use crate::storage::{Remembered, recall, remember_afterwards};
use crate::web::App;
use crate::web::access::Caller;
use crate::web::error::ApiError;

/// The header with the key.
pub(super) const KEY: &str = "Idempotency-Key";
/// What the document says of it.
pub(super) const KEY_DESCRIPTION: &str = "A word of the client's own, up to 255 characters: within 24 hours a repeated \
    request with the same key and body is answered as before, and nothing is done again";
/// The header of an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longest key.
const LONGEST: usize = 255;

/// What identifies a request that may be repeated: the note of it once it is carried out.
pub(super) fn note(
    headers: &HeaderMap,
    caller: Caller,
    (method, uri): (&Method, &Uri),
    body: &[u8],
) -> Result<Option<Remembered>, ApiError> {
    let Some(key) = headers.get(KEY) else { return Ok(None) };
    if !(1..=LONGEST).contains(&key.len()) {
        return Err(ApiError::bad_request(format!("{KEY} has to be 1 to {LONGEST} characters")));
    }
    let mut hash = Sha256::new();
    hash.update(caller.0);
    hash.update(method.as_str());
    hash.update([b' ']);
    hash.update(uri.path());
    hash.update([b' ']);
    hash.update(key.as_bytes());
    Ok(Some(Remembered {
        key_hash: hash.finalize().into(),
        request_hash: Sha256::digest(body).into(),
        status: StatusCode::OK.as_u16(),
        row_id: None,
        answer: None,
        at: clock::now(),
    }))
}

/// What was carried out under the key of the request before.
///
/// # Errors
/// 422 when that was another request.
pub(super) async fn earlier(app: &App, note: &Remembered) -> Result<Option<Remembered>, ApiError> {
    let found = recall(&app.database, &note.key_hash, note.at).await?;
    if found.as_ref().is_some_and(|found| found.request_hash != note.request_hash) {
        let message = format!("{KEY} was used for a request with another body");
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return Err(ApiError::new(status, "idempotency_key_reused", message));
    }
    Ok(found)
}

/// Marks an answer as given before.
pub(super) fn replayed(mut response: Response) -> Response {
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// Carries out what is harmless to repeat, unless it was carried out under this key before, and answers with `status`.
pub(super) async fn once(
    app: &App,
    note: Option<Remembered>,
    status: StatusCode,
    work: impl Future<Output = Result<Value, ApiError>>,
) -> Result<Response, ApiError> {
    let Some(note) = note else { return Ok((status, axum::Json(work.await?)).into_response()) };
    if let Some(response) = again(app, Some(&note), status).await? {
        return Ok(response);
    }
    let answer = work.await?;
    let done = Remembered { status: status.as_u16(), answer: Some(answer.clone()), ..note };
    remember_afterwards(&app.database, &done).await?;
    Ok((status, axum::Json(answer)).into_response())
}

/// Carries out what may be done once, unless it was carried out under this key before, and answers with `status`. `work`
/// is given the note of it, puts its answer into it, and keeps it in the transaction that does the work: a crash leaves
/// both or neither.
pub(super) async fn once_noted(
    app: &App,
    note: Option<Remembered>,
    status: StatusCode,
    work: impl AsyncFnOnce(Option<Remembered>) -> Result<Value, ApiError>,
) -> Result<Response, ApiError> {
    let note = note.map(|note| Remembered { status: status.as_u16(), ..note });
    if let Some(response) = again(app, note.as_ref(), status).await? {
        return Ok(response);
    }
    match work(note.clone()).await {
        Ok(answer) => Ok((status, axum::Json(answer)).into_response()),
        // It may be a request with the same key that was quicker.
        Err(error) => again(app, note.as_ref(), status).await?.ok_or(error),
    }
}

/// The answer that was given before.
async fn again(
    app: &App,
    note: Option<&Remembered>,
    status: StatusCode,
) -> Result<Option<Response>, ApiError> {
    let Some(note) = note else { return Ok(None) };
    let answer = earlier(app, note).await?.and_then(|found| found.answer);
    Ok(answer.map(|answer| replayed((status, axum::Json(answer)).into_response())))
}
