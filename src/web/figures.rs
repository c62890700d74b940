//! Figures for Prometheus.

use axum::http::{Method, header};
use axum::response::IntoResponse;
use axum::routing::get;

use super::access::Access;
use super::endpoint::Endpoint;
use crate::metrics;

/// The route that shows them.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let what = "Figures of this process and, if it syncs, of the database, for Prometheus";
    let show = Endpoint::new((Method::GET, "/metrics"), Access::Read, get(show), what);
    vec![show.without_database().explained("DEPLOYMENT.md lists them.").answering_text(200, "The figures")]
}

/// Shows them, and asks nobody for it.
async fn show() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::render())
}
