//! Signing in and out.

mod doorman;

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::{Extension, Form, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use secrecy::SecretString;
use serde::Deserialize;
use tracing::{info, warn};

use self::doorman::Doorman;
use super::frame::{Frame, page};
use super::session::Sessions;
use crate::web::App;
use crate::web::client::Client;
use crate::web::error::ApiError;
use crate::web::guard;

/// How long a wrong password waits for its answer.
const DELAY: Duration = Duration::from_secs(1);
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
    let doorman = Doorman::default();
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
    match Sessions::of(&app) {
        Some(sessions) if !sessions.is_begun(&app.database, &headers).await? => {
            Ok(page(&LoginPage { frame: Frame::bare(), next, problem: None }))
        }
        _ => Ok(Redirect::to(&next).into_response()),
    }
}

/// Checks the password.
async fn sign_in(
    State(app): State<App>,
    Extension(doorman): Extension<Arc<Doorman>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    Form(credentials): Form<Credentials>,
) -> Result<Response, ApiError> {
    let next = place(&credentials.next).to_owned();
    let (Some(sessions), Some(hash)) = (Sessions::of(&app), app.password_hash()) else {
        return Ok(Redirect::to(&next).into_response());
    };
    let refuse = |status: StatusCode, problem| {
        let refusal = LoginPage { frame: Frame::bare(), next: next.clone(), problem: Some(problem) };
        Ok((status, page(&refusal)).into_response())
    };
    if !doorman.is_patient(client) {
        warn!("A password for the dashboard was not looked at: too many were tried");
        return refuse(StatusCode::TOO_MANY_REQUESTS, "Too many attempts; wait a minute and try again");
    }
    if !doorman.is_right(credentials.password, hash.clone()).await? {
        warn!("Somebody tried to sign in to the dashboard with a wrong password");
        tokio::time::sleep(DELAY).await;
        return refuse(StatusCode::UNAUTHORIZED, "This is not the password");
    }
    info!("Somebody signed in to the dashboard");
    doorman.remember(client);
    let cookies = sessions.begin(&app.database, &headers).await?;
    Ok((cookies, Redirect::to(&next)).into_response())
}

/// Ends the session.
async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Result<Response, ApiError> {
    let Some(sessions) = Sessions::of(&app) else { return Ok(Redirect::to("/").into_response()) };
    let cookies = sessions.end(&app.database, &headers).await?;
    Ok((cookies, Redirect::to("/login")).into_response())
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
