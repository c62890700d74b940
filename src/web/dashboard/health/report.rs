//! What the checks and the alerts say, as it is shown. HubSpot is not asked: what it said last stands in the state of each
//! type.

use chrono::{DateTime, Utc};

use crate::checks::{Finding, Verdict, check_schema, check_server, check_settings};
use crate::storage::{
    ACCOUNT_LEASE, AlertKind, AlertRow, SyncState, WebhookSource, lease_holder, load_states, server_facts,
};
use crate::web::App;
use crate::web::dashboard::moment::Moment;
use crate::web::error::ApiError;

/// A finding.
pub(super) struct FindingView {
    /// The verdict in a word.
    pub(super) verdict: &'static str,
    pub(super) tone: &'static str,
    pub(super) subject: String,
    pub(super) text: String,
}

/// A problem somebody was told of.
pub(super) struct AlertView {
    /// Its word in table, log and messages.
    pub(super) kind: &'static str,
    /// The type it is about; empty: the whole account.
    pub(super) about: String,
    pub(super) text: String,
    pub(super) since: Moment,
    pub(super) ended: Option<Moment>,
    /// Where something can be done about it.
    pub(super) link: Option<(&'static str, &'static str)>,
}

/// The webhooks of a type.
pub(super) struct SourceView {
    pub(super) object_type: String,
    pub(super) state: &'static str,
    pub(super) tone: &'static str,
    pub(super) last: Option<Moment>,
    pub(super) unannounced: i64,
}

impl From<Finding> for FindingView {
    fn from(finding: Finding) -> Self {
        let (verdict, tone) = match finding.verdict {
            Verdict::Ok => ("ok", "good"),
            Verdict::Note => ("note", "idle"),
            Verdict::Warning => ("warning", "warn"),
            Verdict::Failed => ("failed", "bad"),
        };
        Self { verdict, tone, subject: finding.subject, text: finding.text }
    }
}

impl AlertView {
    /// What is shown of a problem.
    pub(super) fn new(alert: AlertRow, now: DateTime<Utc>) -> Self {
        Self {
            kind: alert.problem.word(),
            link: remedy(alert.problem),
            about: alert.about,
            text: alert.text,
            since: Moment::new(alert.since, now),
            ended: alert.ended_at.map(|at| Moment::new(at, now)),
        }
    }
}

/// Where something can be done about a problem: address and words.
fn remedy(problem: AlertKind) -> Option<(&'static str, &'static str)> {
    match problem {
        AlertKind::DeadJobs => Some(("/activity?status=failed", "See what failed")),
        AlertKind::Brake => Some(("/activity?status=pending", "See what waits")),
        AlertKind::Failing => Some(("/activity/runs?outcome=failed", "See the runs that failed")),
        AlertKind::Behind => Some(("/activity/runs", "See the runs")),
        AlertKind::TooManyDeletes => Some(("#deletes", "See the deletes")),
        AlertKind::WebhooksSilent => Some(("#webhooks", "See the webhooks")),
        AlertKind::TokenRejected | AlertKind::DailyLimit => None,
    }
}

impl SourceView {
    /// What is shown of a type.
    pub(super) fn new(source: WebhookSource, now: DateTime<Utc>) -> Self {
        let (state, tone) = match (source.silent_since, source.last_event_at) {
            (Some(_), _) => ("silent", "bad"),
            (None, Some(_)) => ("heard", "good"),
            (None, None) => ("never heard", "idle"),
        };
        Self {
            object_type: source.object_type,
            state,
            tone,
            last: source.last_event_at.map(|at| Moment::new(at, now)),
            unannounced: source.unannounced,
        }
    }
}

/// What the checks say, the worst first.
///
/// # Errors
/// When the database cannot be read.
pub(super) async fn findings(app: &App) -> Result<Vec<FindingView>, ApiError> {
    let facts = server_facts(&app.database).await?;
    let mut findings = check_server(&facts);
    findings.push(check_schema(&app.database, app.config.database.migrate_on_start).await);
    findings.push(leader(lease_holder(&app.database, ACCOUNT_LEASE).await?));
    let mut sync = app.config.sync.clone();
    sync.objects = app.objects().await?;
    findings.extend(check_settings(&sync));
    findings.extend(runs(load_states(&app.database).await?));
    findings.sort_by_key(|finding| match finding.verdict {
        Verdict::Failed => 0,
        Verdict::Warning => 1,
        Verdict::Note => 2,
        Verdict::Ok => 3,
    });
    Ok(findings.into_iter().map(FindingView::from).collect())
}

/// Whether somebody calls HubSpot.
fn leader(holder: Option<String>) -> Finding {
    if let Some(holder) = holder {
        return Finding::new(Verdict::Ok, "leader", format!("{holder} calls HubSpot"));
    }
    let text = "no process calls HubSpot; within half a minute one should, else look at the log";
    Finding::new(Verdict::Warning, "leader", text)
}

/// What HubSpot said in the last runs.
fn runs(states: Vec<SyncState>) -> Vec<Finding> {
    let total = states.len();
    let mut findings = Vec::new();
    for state in states {
        if let Some(error) = state.last_error {
            let tries = match state.consecutive_failures {
                count if count > 1 => format!(" ({count} runs in a row)"),
                _ => String::new(),
            };
            findings.push(Finding::new(
                Verdict::Failed,
                state.object_type.clone(),
                format!("{error}{tries}"),
            ));
        }
        if let Some(notice) = state.notice {
            findings.push(Finding::new(Verdict::Warning, state.object_type, notice));
        }
    }
    let failed = findings.iter().filter(|finding| finding.verdict == Verdict::Failed).count();
    if failed == 0 && total > 0 {
        let text = format!("none of the {total} types and tables had an error in its last run");
        findings.push(Finding::new(Verdict::Ok, "HubSpot", text));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_without_a_leader_is_worth_a_warning() {
        assert_eq!(leader(None).verdict, Verdict::Warning);
        let found = leader(Some("a:1".into()));
        assert_eq!((found.verdict, found.text.as_str()), (Verdict::Ok, "a:1 calls HubSpot"));
    }

    #[test]
    fn webhooks_are_silent_whatever_came_before() {
        let now: DateTime<Utc> = "2026-07-01T12:00:00Z".parse().unwrap();
        let state = |last: Option<DateTime<Utc>>, silent| {
            let source = WebhookSource {
                object_type: "contacts".into(),
                last_event_at: last,
                unannounced: 0,
                silent_since: silent,
            };
            SourceView::new(source, now).state
        };
        assert_eq!(state(None, None), "never heard");
        assert_eq!(state(Some(now), None), "heard");
        assert_eq!(state(Some(now), Some(now)), "silent");
    }

    #[test]
    fn what_a_person_can_mend_here_has_a_link() {
        let linked: Vec<_> = AlertKind::ALL.iter().filter(|&&kind| remedy(kind).is_some()).collect();
        assert_eq!(linked.len(), AlertKind::ALL.len() - 2);
    }
}
