//! Signing in and out.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use askama::Template;
use axum::Router;
use axum::extract::{Extension, Form, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tracing::{info, warn};

use super::frame::{Frame, page};
use super::session::SessionKey;
use crate::web::App;
use crate::web::error::ApiError;
use crate::web::guard;

/// Attempts at a password in a row from one address; later ones at the pace of [`PAUSE`].
const ATTEMPTS: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// Time between two attempts from one address when more are made.
const PAUSE: Duration = Duration::from_secs(6);
/// Attempts in a row from everywhere; later ones one a second. An address may be made up, so this is what bounds them.
const ATTEMPTS_OF_ALL: NonZeroU32 = NonZeroU32::new(100).unwrap();
/// Addresses that are remembered before those that have rested are forgotten.
const ADDRESSES: usize = 1_000;
/// How long a wrong password waits for its answer.
const DELAY: Duration = Duration::from_secs(1);
/// Passwords checked at a time: each takes 19 MiB and a processor.
const CHECKS: usize = 2;
/// Longest password that is looked at, in bytes.
const LONGEST: usize = 1024;

/// Who checks passwords.
struct Doorman {
    /// By address, as a proxy tells it; those who come without one count as one. So whoever tries passwords keeps nobody
    /// else from signing in.
    attempts: DefaultKeyedRateLimiter<String>,
    attempts_of_all: DefaultDirectRateLimiter,
    checks: Semaphore,
}

/// What somebody signs in with.
#[derive(Deserialize)]
struct Credentials {
    password: SecretString,
    #[serde(default)]
    next: String,
}

/// Where somebody wanted to go.
#[derive(Debug, Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    next: String,
}

/// The page that asks for the password.
#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    next: String,
    problem: Option<&'static str>,
}

/// The routes.
pub(super) fn routes(app: &App) -> Router<App> {
    let doorman = Doorman {
        attempts: RateLimiter::keyed(Quota::with_period(PAUSE).expect("a pause").allow_burst(ATTEMPTS)),
        attempts_of_all: RateLimiter::direct(Quota::per_second(NonZeroU32::MIN).allow_burst(ATTEMPTS_OF_ALL)),
        checks: Semaphore::new(CHECKS),
    };
    Router::new()
        .route("/login", get(ask).post(sign_in))
        .route("/logout", post(sign_out))
        .layer(Extension(Arc::new(doorman)))
        .layer(middleware::from_fn_with_state(app.clone(), admit_everybody))
}

/// Lets in whoever asks.
async fn admit_everybody(State(app): State<App>, request: Request, next: Next) -> Response {
    guard::admit_without_place(&app, request, next).await
}

/// Shows the form.
async fn ask(
    State(app): State<App>,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Result<Response, ApiError> {
    let next = place(&wanted.next).to_owned();
    match app.password_hash() {
        Some(hash) if !SessionKey::of(hash).is_begun(&app.database, &headers).await? => {
            Ok(page(&LoginPage { frame: Frame::bare(), next, problem: None }))
        }
        _ => Ok(Redirect::to(&next).into_response()),
    }
}

/// Checks the password.
async fn sign_in(
    State(app): State<App>,
    Extension(doorman): Extension<Arc<Doorman>>,
    headers: HeaderMap,
    Form(credentials): Form<Credentials>,
) -> Result<Response, ApiError> {
    let next = place(&credentials.next).to_owned();
    let Some(hash) = app.password_hash() else { return Ok(Redirect::to(&next).into_response()) };
    let refuse = |status: StatusCode, problem| {
        let refusal = LoginPage { frame: Frame::bare(), next: next.clone(), problem: Some(problem) };
        Ok((status, page(&refusal)).into_response())
    };
    if !doorman.is_patient(&headers) {
        warn!("A password for the dashboard was not looked at: too many were tried");
        return refuse(StatusCode::TOO_MANY_REQUESTS, "Too many attempts; wait a minute and try again");
    }
    if !doorman.is_right(credentials.password, hash.clone()).await? {
        warn!("Somebody tried to sign in to the dashboard with a wrong password");
        tokio::time::sleep(DELAY).await;
        return refuse(StatusCode::UNAUTHORIZED, "This is not the password");
    }
    info!("Somebody signed in to the dashboard");
    let cookies = SessionKey::of(hash).begin(&app.database, &headers).await?;
    Ok((cookies, Redirect::to(&next)).into_response())
}

/// Ends the session.
async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Result<Response, ApiError> {
    let Some(hash) = app.password_hash() else { return Ok(Redirect::to("/").into_response()) };
    let cookies = SessionKey::of(hash).end(&app.database, &headers).await?;
    Ok((cookies, Redirect::to("/login")).into_response())
}

impl Doorman {
    /// Whether another attempt may be made by whoever makes it.
    fn is_patient(&self, headers: &HeaderMap) -> bool {
        if self.attempts.len() > ADDRESSES {
            self.attempts.retain_recent();
        }
        // The nearest proxy adds the address it sees at the end; what stands before it came with the request.
        let told = headers.get("x-forwarded-for").and_then(|told| told.to_str().ok());
        let address = told.and_then(|told| told.rsplit(',').next()).unwrap_or_default().trim().to_owned();
        self.attempts.check_key(&address).is_ok() && self.attempts_of_all.check().is_ok()
    }

    /// Whether that is the password.
    async fn is_right(&self, password: SecretString, hash: SecretString) -> Result<bool, ApiError> {
        if password.expose_secret().len() > LONGEST {
            return Ok(false);
        }
        let _place = self.checks.acquire().await.map_err(|closed| ApiError::internal(closed.to_string()))?;
        let check = move || {
            let hash = PasswordHash::new(hash.expose_secret())?;
            Argon2::default().verify_password(password.expose_secret().as_bytes(), &hash)
        };
        let checked = tokio::task::spawn_blocking(check).await;
        Ok(checked.map_err(|panic| ApiError::internal(panic.to_string()))?.is_ok())
    }
}

/// Where to go: a path of ours, and never another site.
fn place(next: &str) -> &str {
    // Browsers leave out what is no character, and take a backslash for a slash.
    let is_ours = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains(|c: char| c.is_control() || c == '\\');
    if is_ours { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        assert_eq!(place("/contacts?page=2"), "/contacts?page=2");
        for next in [
            "",
            "contacts",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nb",
            "/\t/evil.example",
        ] {
            assert_eq!(place(next), "/", "{next}");
        }
    }
}
