//! Errors as pages: what is happening, and what to do.

use std::sync::Arc;

use askama::Template;
use axum::extract::Request;
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::Response;

use super::frame::{Frame, page_with};
use crate::web::error::ApiError;
use crate::web::guard::HTML;

/// What to look at while the daemon starts.
const STARTING: &[&str] = &[
    "The daemon waits for MariaDB if it has to: its log says what for, and `systemctl status mariadb` whether it runs.",
    "`hubspot-connector check` says what is wrong with the connection.",
];
/// What becomes of a form that could not be worked on.
const TYPED: &str = "What you typed is kept by your browser: go back in a moment, see whether it was saved, and send \
                     it again if it was not.";

/// The page of an error.
#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage {
    frame: Frame,
    title: &'static str,
    message: String,
    steps: Vec<&'static str>,
    /// Whether there is anything to go back to.
    has_way_back: bool,
}

/// Makes a page of the error an answer is, if it is one: also of those that handlers never see, such as a form that lacks
/// a field.
pub(super) async fn show(request: Request, next: Next) -> Response {
    let is_form = request.method() == Method::POST;
    let response = next.run(request).await;
    let (status, headers) = (response.status(), response.headers());
    let is_page = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == HTML);
    let is_bare = !is_page && (status.is_client_error() || status.is_server_error());
    let error = response.extensions().get::<Arc<ApiError>>().cloned();
    let Some(error) = error.or_else(|| is_bare.then(|| Arc::new(ApiError::of_status(status)))) else {
        return response;
    };
    let mut shown = page_of(&error, is_form);
    if let Some(after) = headers.get(header::RETRY_AFTER) {
        shown.headers_mut().insert(header::RETRY_AFTER, after.clone());
    }
    // The log says how it ended.
    shown.extensions_mut().insert(error);
    shown
}

/// The page of an error, as an answer.
pub(super) fn page_of(error: &ApiError, is_form: bool) -> Response {
    page_with(error.status(), &FailurePage::of(error, is_form))
}

impl FailurePage {
    /// The page of that error; of a form that was sent it says how nothing of it is lost. Such a page does not come back by
    /// itself: it would ask for another, without what was typed.
    fn of(error: &ApiError, is_form: bool) -> Self {
        let (title, steps): (_, &[&str]) = match error.code() {
            "starting" => ("Starting", STARTING),
            "database_unavailable" => (
                "The database does not answer",
                &[
                    "Nothing is lost: syncing goes on where it was, as soon as the database is back.",
                    "Look whether MariaDB runs and has room on its disk: `systemctl status mariadb`, `df -h`.",
                    "`hubspot-connector check` says what is wrong with the connection.",
                ],
            ),
            "busy" | "too_slow" => ("Busy", &[]),
            "not_found" => ("Not here", &[]),
            "signed_out" => ("Signed out", &[]),
            "password_not_configured" => ("The dashboard is closed", &[]),
            _ => ("This did not work", &[]),
        };
        let is_passing = matches!(error.code(), "starting" | "database_unavailable" | "busy" | "too_slow");
        let how = match (is_passing, is_form) {
            (true, false) => Some("This page comes back by itself."),
            (true, true) => Some(TYPED),
            (false, _) => None,
        };
        Self {
            frame: if is_passing && !is_form { Frame::waiting() } else { Frame::bare() },
            title,
            message: error.message().to_owned(),
            steps: steps.iter().copied().chain(how).collect(),
            has_way_back: !is_passing && error.code() != "password_not_configured",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_comes_back_by_itself_and_a_form_does_not() {
        let page = |code, is_form| FailurePage::of(&ApiError::unavailable(code, "away"), is_form);
        for code in ["starting", "database_unavailable", "busy"] {
            let (asked, sent) = (page(code, false), page(code, true));
            assert!(asked.frame.refresh.is_some() && sent.frame.refresh.is_none(), "{code}");
            assert!(sent.steps.contains(&TYPED) && !asked.steps.contains(&TYPED), "{code}");
        }
        assert!(page("other", false).frame.refresh.is_none());
    }
}
