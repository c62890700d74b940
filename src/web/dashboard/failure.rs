//! Errors as pages: what is happening, and what to do.

use std::sync::Arc;

use askama::Template;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;

use super::frame::{Frame, page_with};
use crate::web::error::ApiError;

/// The page of an error.
#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage {
    frame: Frame,
    title: &'static str,
    message: String,
    steps: &'static [&'static str],
    /// Whether there is anything to go back to.
    has_way_back: bool,
}

/// Makes a page of the error an answer is, if it is one.
pub(super) async fn show(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let Some(error) = response.extensions().get::<Arc<ApiError>>().cloned() else { return response };
    let (status, old_headers) = (response.status(), response.headers().clone());
    let mut shown = page_with(status, &FailurePage::of(&error));
    if let Some(after) = old_headers.get(header::RETRY_AFTER) {
        let after: &HeaderValue = after;
        shown.headers_mut().insert(header::RETRY_AFTER, after.clone());
    }
    // The log says how it ended.
    shown.extensions_mut().insert(error);
    shown
}

impl FailurePage {
    /// The page of that error.
    fn of(error: &ApiError) -> Self {
        let (title, steps): (_, &[&str]) = match error.code() {
            "starting" => ("Starting", &["This page comes back by itself as soon as the tables are ready."]),
            "database_unavailable" => (
                "The database does not answer",
                &[
                    "Nothing is lost: syncing goes on where it was, as soon as the database is back.",
                    "Look whether MariaDB runs and has room on its disk: `systemctl status mariadb`, `df -h`.",
                    "`hubspot-connector check` says what is wrong with the connection.",
                    "This page comes back by itself.",
                ],
            ),
            "busy" | "too_slow" => ("Busy", &["This page comes back by itself."]),
            "not_found" => ("Not here", &[]),
            "signed_out" => ("Signed out", &[]),
            "password_not_configured" => ("The dashboard is closed", &[]),
            _ => ("This did not work", &[]),
        };
        let comes_back = matches!(error.code(), "starting" | "database_unavailable" | "busy" | "too_slow");
        Self {
            frame: if comes_back { Frame::waiting() } else { Frame::bare() },
            title,
            message: error.message().to_owned(),
            steps,
            has_way_back: !comes_back && error.code() != "password_not_configured",
        }
    }
}
