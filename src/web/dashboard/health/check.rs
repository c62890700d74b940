//! Every check, made when somebody asks for it: the same as `hubspot-connector check`.

use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, Utc};

use super::report::FindingView;
use crate::checks::{Finding, Report, check_database, check_hubspot};
use crate::clock;
use crate::web::App;
use crate::web::dashboard::frame::{Frame, Section, page};
use crate::web::dashboard::moment::Moment;
use crate::web::error::ApiError;
use crate::web::webhooks::check_webhooks;

/// Seconds until a page of checks under way asks again.
const REFRESH: u32 = 2;

/// The last checks of this process. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Examination(Arc<Mutex<Progress>>);

/// How far they are.
#[derive(Debug, Clone, Default)]
struct Progress {
    /// When they began; `None` before the first.
    began_at: Option<DateTime<Utc>>,
    is_under_way: bool,
    findings: Vec<Finding>,
}

/// The page.
#[derive(Template)]
#[template(path = "health_check.html")]
struct CheckPage {
    frame: Frame,
    began: Option<Moment>,
    is_under_way: bool,
    findings: Vec<FindingView>,
}

impl Examination {
    /// What is known now.
    fn progress(&self) -> Progress {
        self.change(|progress| progress.clone())
    }

    /// Changes what is known.
    fn change<R>(&self, change: impl FnOnce(&mut Progress) -> R) -> R {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins anew; `None` while the last ones are under way.
    fn begin(&self, now: DateTime<Utc>) -> Option<UnderWay> {
        self.change(|progress| {
            if progress.is_under_way {
                return None;
            }
            *progress = Progress { began_at: Some(now), is_under_way: true, findings: Vec::new() };
            Some(UnderWay(self.clone()))
        })
    }
}

/// Checks that were begun; they are over when it is dropped, however that comes.
struct UnderWay(Examination);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.change(|progress| progress.is_under_way = false);
    }
}

/// Shows what was found last.
pub(super) async fn show(
    State(app): State<App>,
    Extension(examination): Extension<Examination>,
) -> Result<Response, ApiError> {
    let Progress { began_at, is_under_way, findings } = examination.progress();
    let mut frame = Frame::new(&app, Section::Health).await?;
    frame.refresh = is_under_way.then_some(REFRESH);
    Ok(page(&CheckPage {
        frame,
        began: began_at.map(|at| Moment::new(at, clock::now())),
        is_under_way,
        findings: findings.into_iter().map(FindingView::from).collect(),
    }))
}

/// Makes the checks beside the request: where HubSpot does not answer they take minutes.
pub(super) async fn begin(
    State(app): State<App>,
    Extension(examination): Extension<Examination>,
) -> Response {
    if let Some(under_way) = examination.begin(clock::now()) {
        let lifecycle = app.lifecycle.clone();
        drop(lifecycle.spawn(async move {
            check_all(&app, &examination).await;
            drop(under_way);
        }));
    }
    Redirect::to("/health/check").into_response()
}

/// Every check, one after the other.
async fn check_all(app: &App, examination: &Examination) {
    let mut config = app.config.clone();
    let mut take = |finding| examination.change(|progress| progress.findings.push(finding));
    let report = &mut Report::to(&mut take);
    check_database(&mut config, &app.database, report).await;
    check_hubspot(&mut config, app.lifecycle.shutdown(), report).await;
    check_webhooks(&config.webhooks, report).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_made_once_at_a_time() {
        let (examination, now) = (Examination::default(), clock::now());
        let first = examination.begin(now).expect("nothing is under way");
        assert!(examination.progress().is_under_way && examination.begin(now).is_none());
        drop(first);
        assert!(examination.begin(now).is_some());
    }
}
