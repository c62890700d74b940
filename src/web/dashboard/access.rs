//! Who may see pages.
//!
//! | Configured | Pages are for |
//! | --- | --- |
//! | a password | those who signed in |
//! | nothing at all | whoever sits at this machine, as the API |
//! | tokens alone, or webhooks | nobody: others reach this server, and a token is no password |

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use tokio::time::timeout;
use url::form_urlencoded;

use super::session::Sessions;
use crate::web::App;
use crate::web::access::expect_local;
use crate::web::error::ApiError;
use crate::web::guard;

/// Longest the database may take to say that it is there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(3);

/// Asks the database for a sign of life before anything else: who waits for a page is soon told that it has none, where a
/// query would wait much longer for a connection.
pub(super) async fn expect_database(State(app): State<App>, request: Request, next: Next) -> Response {
    let database = app.database.clone();
    let is_there = app.pulse.is_there(&app.lifecycle, || async move { database.ping().await.is_ok() });
    if matches!(timeout(SIGN_OF_LIFE, is_there).await, Ok(true)) {
        return next.run(request).await;
    }
    let message = "The database gives no sign of life";
    ApiError::unavailable("database_unavailable", message).into_response()
}

/// Lets a request in to its page.
pub(super) async fn admit(State(app): State<App>, request: Request, next: Next) -> Response {
    match is_admitted(&app, request.headers()).await {
        Ok(true) => guard::admit(&app, request, next).await,
        Ok(false) if request.method() == Method::GET => {
            let wanted = request.uri().path_and_query().map_or("/", |wanted| wanted.as_str());
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", wanted).finish();
            Redirect::to(&format!("/login?{query}")).into_response()
        }
        Ok(false) => {
            let message = "Your session is over; sign in again, nothing was changed";
            ApiError::new(StatusCode::UNAUTHORIZED, "signed_out", message).into_response()
        }
        Err(error) => error.into_response(),
    }
}

/// Whether somebody may see pages; a session says so where there is a password.
async fn is_admitted(app: &App, headers: &HeaderMap) -> Result<bool, ApiError> {
    let Some(sessions) = Sessions::of(app) else {
        return expect_open(app, headers).map(|()| true);
    };
    // Before the tables are there nobody can be known.
    guard::expect_ready(app)?;
    Ok(sessions.is_begun(&app.database, headers).await?)
}

/// Whether a request comes from somebody who gave the password; nobody did where there is none.
///
/// # Errors
/// When the database fails.
pub(in crate::web) async fn is_signed_in(app: &App, headers: &HeaderMap) -> Result<bool, ApiError> {
    match Sessions::of(app) {
        Some(sessions) => Ok(sessions.is_begun(&app.database, headers).await?),
        None => Ok(false),
    }
}

/// Refuses whoever is not at this machine, or may not be.
fn expect_open(app: &App, headers: &HeaderMap) -> Result<(), ApiError> {
    if app.is_open() {
        return expect_local(headers);
    }
    let message = "The dashboard needs a password here, because others can reach this server: run \
                   `hubspot-connector password`, put the line it prints into the configuration, and restart";
    Err(ApiError::new(StatusCode::FORBIDDEN, "password_not_configured", message))
}
