//! Health: what is wrong, what the checks say that need the database and the settings only, deletes that wait for a person,
//! webhooks; beside it all checks, the quarantine and the settings.

mod check;
mod configuration;
mod deletes;
mod quarantine;
mod report;

use askama::Template;
use axum::Router;
use axum::extract::{Extension, State};
use axum::response::Response;
use axum::routing::{get, post};

use self::report::{AlertView, FindingView, SourceView};
use super::frame::{Frame, Section, page};
use crate::clock;
use crate::storage::{load_alerts, pending_deletes, webhook_counts, webhook_sources};
use crate::web::App;
use crate::web::error::ApiError;
use crate::web::webhooks;

/// The page.
#[derive(Template)]
#[template(path = "health.html")]
struct HealthPage {
    frame: Frame,
    /// Problems that last.
    alerts: Vec<AlertView>,
    /// Problems that ended a short while ago.
    ended: Vec<AlertView>,
    findings: Vec<FindingView>,
    /// Deletes that wait for a person, by type.
    deletes: Vec<(String, u64)>,
    /// Where HubSpot sends webhooks to; `None`: they are not used.
    webhooks: Option<String>,
    sources: Vec<SourceView>,
    /// What became of webhooks, by name.
    counts: Vec<(String, u64)>,
}

/// The routes. Those for supervisors, `/health/live` and `/health/ready`, are the API's.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/health", get(show))
        .route("/health/configuration", get(configuration::show))
        .route("/health/quarantine", get(quarantine::show))
        .route("/health/quarantine/read", post(quarantine::read))
        .route("/health/quarantine/release", get(quarantine::ask).post(quarantine::release))
        .route("/health/deletes/{type}", get(deletes::show).post(deletes::confirm))
        .route("/health/check", get(check::show).post(check::begin))
        .layer(Extension(check::Examination::default()))
}

/// Shows it.
async fn show(State(app): State<App>) -> Result<Response, ApiError> {
    let now = clock::now();
    let (ended, alerts): (Vec<_>, Vec<_>) = load_alerts(&app.database)
        .await?
        .into_iter()
        .map(|alert| AlertView::new(alert, now))
        .partition(|alert| alert.ended.is_some());
    let sources = webhook_sources(&app.database).await?;
    Ok(page(&HealthPage {
        frame: Frame::new(&app, Section::Health).await?,
        alerts,
        ended,
        findings: report::findings(&app).await?,
        deletes: pending_deletes(&app.database).await?,
        webhooks: webhook_address(&app),
        sources: sources.into_iter().map(|source| SourceView::new(source, now)).collect(),
        counts: webhook_counts(&app.database).await?.into_iter().collect(),
    }))
}

/// Where HubSpot sends webhooks to; `None`: they are not used.
fn webhook_address(app: &App) -> Option<String> {
    let config = &app.config.webhooks;
    config.signing_key.as_ref()?;
    let base = config.public_url.as_deref().unwrap_or("https://<this server>");
    Some(format!("{base}{}", webhooks::PATH))
}
