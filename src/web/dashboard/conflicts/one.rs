//! One conflict: what each side has, a choice, what would come of it, and sending it.
//!
//! The steps are forms that carry the choices along, so the whole way works without JavaScript. Each of them looks first
//! whether the conflict is still what was shown; where it is not, the new state is shown with the choices made so far.

use askama::Template;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, Utc};

use super::draft::{Draft, Problems};
use super::view::{self, FieldView, OutcomeView, StepView};
use super::words::{self, KindWords, Side};
use crate::clock;
use crate::model::Property;
use crate::storage::{
    Conflict, ConflictFilter, ConflictKind, ConflictStatus, Resolution, Settlement, conflict_steps,
    known_survivors, list_conflicts,
};
use crate::web::App;
use crate::web::api::conflicts::{actor, catalogue, load, resolve};
use crate::web::api::query::Number;
use crate::web::dashboard::frame::{Frame, Section, page_with};
use crate::web::dashboard::mention::{Mention, Mentions, RecordName};
use crate::web::dashboard::moment::Moment;
use crate::web::error::ApiError;

/// Who decides where nobody gives a name.
const NOBODY: &str = "dashboard";
/// Steps of the trail that are shown: the newest.
const STEPS: usize = 30;

/// The page.
#[derive(Template)]
#[template(path = "conflict.html")]
struct ConflictPage {
    frame: Frame,
    id: i64,
    record: Mention,
    /// The record it was merged into.
    survivor: Option<Mention>,
    kind: &'static KindWords,
    status: &'static str,
    tone: &'static str,
    opened: Moment,
    changed: Moment,
    edited: Option<Moment>,
    /// What has to be read first.
    notice: Option<String>,
    /// Choices that were not used, one line each.
    unused: Vec<String>,
    body: Body,
    steps: Vec<StepView>,
    /// Steps before those.
    earlier: usize,
    /// The record's part of the log.
    log: String,
    /// An open conflict to go on with.
    next: Option<i64>,
}

/// What can be done.
enum Body {
    /// Choose.
    Choice(ChoiceForm),
    /// Look at what would come of it, and send it.
    Preview(Preview),
    /// Nothing: it is closed.
    Closed(Closed),
}

/// The form.
struct ChoiceForm {
    /// When the conflict last changed, ms.
    seen: i64,
    fields: Vec<FieldView>,
    /// What is wrong with the whole.
    problem: Option<String>,
}

/// What would come of the choices.
struct Preview {
    inputs: Vec<(String, String)>,
    outcome: Vec<OutcomeView>,
    /// What follows for the record as a whole.
    consequence: Option<&'static str>,
    by: String,
    /// What is wrong with the name of who decides.
    problem: Option<String>,
}

/// What became of it.
struct Closed {
    outcome: Vec<OutcomeView>,
    by: Option<String>,
    at: Option<Moment>,
    is_settled: bool,
    consequence: Option<&'static str>,
}

/// Where a conflict stands, with what is needed to show it.
struct Case<'a> {
    app: &'a App,
    conflict: Conflict,
    catalogue: Vec<Property>,
    kind: &'static KindWords,
    now: DateTime<Utc>,
}

/// Shows a conflict.
pub(super) async fn show(State(app): State<App>, Number(id): Number) -> Result<Response, ApiError> {
    let case = Case::load(&app, id).await?;
    let body = case.beginning();
    case.page(StatusCode::OK, body, None, Vec::new()).await
}

/// Leads from the address of a step, which a browser may come back to without its form, to the conflict.
pub(super) async fn back(Number(id): Number) -> Redirect {
    Redirect::to(&format!("/conflicts/{id}"))
}

/// Shows the form again, with the choices made so far.
pub(super) async fn choose(
    State(app): State<App>,
    Number(id): Number,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, ApiError> {
    let (case, draft) = (Case::load(&app, id).await?, Draft::read(form));
    if let Some(message) = case.outdated(&draft) {
        return case.show_changed(&draft, message).await;
    }
    // A side that was kept as a whole is what they came back from.
    let body = case.form(&Draft { keep: None, ..draft }, &Problems::new());
    case.page(StatusCode::OK, body, None, Vec::new()).await
}

/// Shows what would come of the choices.
pub(super) async fn preview(
    State(app): State<App>,
    Number(id): Number,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, ApiError> {
    let (case, draft) = (Case::load(&app, id).await?, Draft::read(form));
    match case.decide(&draft).await? {
        Ok(resolution) => {
            let body = case.preview(&draft, &resolution, None);
            case.page(StatusCode::OK, body, None, Vec::new()).await
        }
        Err(answer) => Ok(answer),
    }
}

/// Sends them.
pub(super) async fn send(
    State(app): State<App>,
    Number(id): Number,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, ApiError> {
    let (case, draft) = (Case::load(&app, id).await?, Draft::read(form));
    let resolution = match case.decide(&draft).await? {
        Ok(resolution) => resolution,
        Err(answer) => return Ok(answer),
    };
    let by = match actor(Some(&draft.by), NOBODY) {
        Ok(by) => by,
        Err(problem) => {
            let body = case.preview(&draft, &resolution, Some(problem));
            return case.page(StatusCode::UNPROCESSABLE_ENTITY, body, None, Vec::new()).await;
        }
    };
    let settlement = Settlement { resolution: &resolution, seen: draft.seen, note: None };
    match resolve(&app, &case.conflict, settlement, &by).await {
        Ok(()) => Ok(Redirect::to(&format!("/conflicts/{id}")).into_response()),
        Err(error) => match error.code() {
            "stale_conflict" | "already_settled" | "not_resolvable" | "invalid_fields" => {
                let case = Case::load(&app, id).await?;
                let message = case.outdated(&draft).unwrap_or_else(|| refusal(&error));
                case.show_changed(&draft, message).await
            }
            _ => Err(error),
        },
    }
}

/// Why a decision was not taken, for people.
fn refusal(error: &ApiError) -> String {
    match error.code() {
        "stale_conflict" => {
            "The record was edited here a moment ago. The conflict follows within seconds: load this \
                             page again, then decide. Nothing was sent."
                .to_owned()
        }
        _ => format!("This cannot be done: {}. Nothing was sent.", error.message()),
    }
}

impl<'a> Case<'a> {
    /// Reads a conflict.
    async fn load(app: &'a App, id: i64) -> Result<Self, ApiError> {
        let conflict = load(app, id).await?;
        let catalogue = catalogue(app, &conflict).await?;
        let kind = words::kind(conflict.disagreement.kind);
        Ok(Self { app, conflict, catalogue, kind, now: clock::now() })
    }

    /// Why choices cannot be used as they are; `None`: they can.
    fn outdated(&self, draft: &Draft) -> Option<String> {
        if self.conflict.status != ConflictStatus::Pending {
            let by = self.conflict.resolved_by.as_deref().unwrap_or("somebody");
            let how = words::status(self.conflict.status).0;
            return Some(format!(
                "This conflict was closed meanwhile by {by}: {how}. Your choices were not sent."
            ));
        }
        let changed = "This conflict has changed since you opened it. These are the values as they are now; look at \
                       your choices once more. Nothing was sent.";
        (draft.seen != Some(self.conflict.updated_at)).then(|| changed.to_owned())
    }

    /// What is decided; else the page that says why it cannot be.
    async fn decide(&self, draft: &Draft) -> Result<Result<Resolution, Response>, ApiError> {
        if let Some(message) = self.outdated(draft) {
            return Ok(Err(self.show_changed(draft, message).await?));
        }
        match draft.decide(&self.conflict.disagreement, &self.catalogue) {
            Ok(resolution) => Ok(Ok(resolution)),
            Err(problems) => {
                let body = self.form(draft, &problems);
                Ok(Err(self.page(StatusCode::UNPROCESSABLE_ENTITY, body, None, Vec::new()).await?))
            }
        }
    }

    /// The new state of a conflict that changed, with the choices made before.
    async fn show_changed(&self, draft: &Draft, message: String) -> Result<Response, ApiError> {
        let is_open = self.conflict.status == ConflictStatus::Pending;
        let in_form =
            |name: &str| is_open && self.conflict.disagreement.fields.iter().any(|field| field == name);
        let lost = Draft {
            picks: draft.picks.clone().into_iter().filter(|(name, _)| !in_form(name)).collect(),
            own: draft.own.clone().into_iter().filter(|(name, _)| !in_form(name)).collect(),
            ..draft.clone()
        };
        let unused = lost.in_words(self.kind);
        let body = if is_open { self.form(draft, &Problems::new()) } else { self.closed() };
        self.page(StatusCode::CONFLICT, body, Some(message), unused).await
    }

    /// What is shown first.
    fn beginning(&self) -> Body {
        match self.conflict.status {
            ConflictStatus::Pending => self.form(&Draft::default(), &Problems::new()),
            _ => self.closed(),
        }
    }

    /// The form, filled with a draft.
    fn form(&self, draft: &Draft, problems: &Problems) -> Body {
        let about = &self.conflict.disagreement;
        Body::Choice(ChoiceForm {
            seen: self.conflict.updated_at.timestamp_millis(),
            fields: view::fields(about, &self.catalogue, draft, problems, self.now),
            problem: problems.get("").cloned(),
        })
    }

    /// What would come of a decision.
    fn preview(&self, draft: &Draft, resolution: &Resolution, problem: Option<String>) -> Body {
        Body::Preview(Preview {
            inputs: draft.inputs(),
            outcome: self.outcome(resolution),
            consequence: draft.keep.map(|side| words::consequence(self.conflict.disagreement.kind, side)),
            by: draft.by.clone(),
            problem,
        })
    }

    /// What became of it.
    fn closed(&self) -> Body {
        let conflict = &self.conflict;
        let side = match conflict.status {
            ConflictStatus::KeepLocal => Some(Side::Local),
            ConflictStatus::KeepHubSpot => Some(Side::HubSpot),
            _ => None,
        };
        let decided = conflict.resolution.as_ref().map(view::decided);
        Body::Closed(Closed {
            outcome: decided.map(|resolution| self.outcome(&resolution)).unwrap_or_default(),
            by: conflict.resolved_by.clone(),
            at: conflict.resolved_at.map(|at| Moment::new(at, self.now)),
            is_settled: conflict.status != ConflictStatus::Superseded,
            consequence: side.map(|side| words::consequence(conflict.disagreement.kind, side)),
        })
    }

    /// What becomes of each field; nothing where only the record as a whole was decided about.
    fn outcome(&self, resolution: &Resolution) -> Vec<OutcomeView> {
        if !self.kind.is_by_field {
            return Vec::new();
        }
        view::outcome(&self.conflict.disagreement, &self.catalogue, self.kind, resolution)
    }

    /// The whole page.
    async fn page(
        &self,
        status: StatusCode,
        body: Body,
        notice: Option<String>,
        unused: Vec<String>,
    ) -> Result<Response, ApiError> {
        let (app, conflict) = (self.app, &self.conflict);
        let name = RecordName::from(&conflict.record);
        let survivor = self.survivor().await?;
        let names: Vec<_> = std::iter::once(name.clone()).chain(survivor.clone()).collect();
        let mentions = Mentions::of(app, &names).await?;
        let mut steps = conflict_steps(&app.database, conflict.id).await?;
        let earlier = steps.len().saturating_sub(STEPS);
        let steps = view::steps(steps.split_off(earlier), self.kind, self.now);
        let moment = |at| Moment::new(at, self.now);
        let (status_words, tone) = words::status(conflict.status);
        let page = ConflictPage {
            frame: Frame::new(app, Section::Conflicts).await?,
            id: conflict.id,
            record: mentions.mention(&name),
            survivor: survivor.map(|survivor| mentions.mention(&survivor)),
            kind: self.kind,
            status: status_words,
            tone,
            opened: moment(conflict.created_at),
            changed: moment(conflict.updated_at),
            edited: mentions.glance(&name).and_then(|glance| glance.edited_at).map(moment),
            notice,
            unused,
            body,
            steps,
            earlier,
            log: log_of(&name),
            next: self.next().await?,
        };
        Ok(page_with(status, &page))
    }

    /// The record it was merged into.
    async fn survivor(&self) -> Result<Option<RecordName>, ApiError> {
        let about = &self.conflict;
        let merged = about.record.hubspot_id.filter(|_| about.disagreement.kind == ConflictKind::Merged);
        let types = self.app.types().await?;
        let object_type = types.into_iter().find(|known| known.name == about.record.object_type);
        let (Some(merged), Some(object_type)) = (merged, object_type) else { return Ok(None) };
        let survivors = known_survivors(&self.app.database, object_type, &[merged]).await?;
        Ok(survivors.get(&merged).map(|survivor| RecordName {
            object_type: object_type.name.to_owned(),
            row_id: None,
            hubspot_id: Some(*survivor),
        }))
    }

    /// Another conflict that is open, once this one is closed.
    async fn next(&self) -> Result<Option<i64>, ApiError> {
        if self.conflict.status == ConflictStatus::Pending {
            return Ok(None);
        }
        let open = ConflictFilter { status: Some(ConflictStatus::Pending), object_type: None };
        let found = list_conflicts(&self.app.database, &open, None, 1).await?;
        Ok(found.first().map(|conflict| conflict.id))
    }
}

/// The address of what the log says of a record.
fn log_of(record: &RecordName) -> String {
    let hubspot = || record.hubspot_id.map(|id| format!("hs-{id}"));
    let id = record.row_id.map(|id| id.to_string()).or_else(hubspot).unwrap_or_default();
    format!("/activity?type={}&record={id}", record.object_type)
}
