//! The dashboard: pages for people, rendered here, readable without JavaScript and without a network.
//!
//! | Part | Does |
//! | --- | --- |
//! | `access` | lets people in: those who signed in, or whoever sits at this machine |
//! | `login`, `session` | the password, and the cookie that stands for it |
//! | `frame` | what is around every page: navigation, counts, the place where a lost connection is said |
//! | `records`, `deals`, `objects` | contacts, companies, deals and all other records, and which types there are |
//! | `failure` | errors as pages that say what is happening and what to do |
//! | `assets` | style sheet and scripts |
//! | `moment`, `number` | times and numbers in words |
//! | `naming`, `mention` | what types and records are called, and mentions of them with links |
//! | `listing` | filters and addresses of lists |
//!
//! A page reads what the API reads, by the same functions, and changes what it changes the same way. Forms post and are
//! answered with a redirect (303), so a page can always be loaded again. A part of a page that has an `id` and the
//! attribute `data-live` is replaced by itself when something has happened (`assets/live.js`); it never holds what somebody
//! may be typing into.

mod access;
mod activity;
mod assets;
mod conflicts;
mod deals;
mod failure;
mod frame;
mod health;
mod listing;
mod login;
mod mention;
mod moment;
mod naming;
mod number;
mod objects;
mod overview;
mod records;
mod session;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};

pub(super) use access::is_signed_in;

use super::App;
use super::error::ApiError;

/// What a page may load and do: nothing of others, and no script or style that stands in the page itself.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);

/// Every page, and what belongs to them.
pub(super) fn router(app: &App) -> Router {
    let pages: Router<App> = overview::routes()
        .merge(objects::routes())
        .merge(records::routes())
        .merge(deals::routes())
        .merge(conflicts::routes())
        .merge(activity::routes())
        .merge(health::routes());
    let pages = pages.layer(middleware::from_fn_with_state(app.clone(), access::admit));
    pages
        .merge(login::routes(app))
        .with_state(app.clone())
        .layer(middleware::from_fn_with_state(app.clone(), access::expect_database))
        .layer(middleware::from_fn(failure::show))
        .merge(assets::router())
        .layer(middleware::map_response(add_policy))
}

/// Says that nothing is there: to people as a page, to programs as the API does.
pub(super) async fn nothing(headers: HeaderMap) -> Response {
    let accepted = headers.get(header::ACCEPT).and_then(|kinds| kinds.to_str().ok());
    if accepted.is_some_and(|kinds| kinds.contains("text/html")) {
        add_policy(failure::page_of(&ApiError::not_found("There is no such page"), false)).await
    } else {
        ApiError::of_status(StatusCode::NOT_FOUND).into_response()
    }
}

/// Says in every answer what a page may do.
async fn add_policy(mut response: Response) -> Response {
    response.headers_mut().entry(header::CONTENT_SECURITY_POLICY).or_insert(POLICY);
    response
}
