//! The board of deals: each stage of a pipeline with what is in it. The list and the deals themselves are pages of
//! [`records`](super::records).

use std::collections::BTreeMap;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use super::frame::{Frame, Section, page};
use super::naming::name_of;
use super::number::grouped;
use super::records::{Lexicon, Pill, home, money, record_path, status_pill};
use crate::model::{Pipeline, Stage};
use crate::storage::{
    MirrorTable, RowFilter, RowOrder, RowStart, RowStatus, RowView, StageTotal, deal_totals, list_rows,
    load_account, load_mirror_table,
};
use crate::web::App;
use crate::web::api::query::{Parameters, type_called};
use crate::web::error::ApiError;

/// Deals a stage shows.
const CARDS: u32 = 6;

/// Which board is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BoardParameters {
    /// Id of a pipeline; the first one unless told otherwise.
    pipeline: Option<String>,
}

/// The page.
#[derive(Template)]
#[template(path = "deals.html")]
struct BoardPage {
    frame: Frame,
    /// Where a new deal is made; `None` where deals are read-only.
    new: Option<String>,
    pipelines: Vec<Tab>,
    columns: Vec<Column>,
    /// All deals of the pipeline.
    count: String,
}

/// A pipeline one may look at.
#[derive(Debug)]
struct Tab {
    label: String,
    link: String,
    is_current: bool,
}

/// A stage.
#[derive(Debug)]
struct Column {
    /// Its name.
    label: String,
    /// What is said of it: that it is over, say.
    note: Option<String>,
    count: String,
    /// The amounts together, one for each currency.
    totals: Vec<String>,
    cards: Vec<Card>,
    /// Where all of its deals are.
    all: String,
    has_more: bool,
}

/// A deal.
#[derive(Debug)]
struct Card {
    link: String,
    name: String,
    amount: Option<String>,
    closes: Option<String>,
    owner: Option<String>,
    /// How it stands, where it is not in step.
    pill: Option<Pill>,
}

/// A stage and what is said of it, before its deals are read.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    id: String,
    label: String,
    note: Option<String>,
}

/// The route.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/deals", get(show))
}

/// Shows a board.
async fn show(
    State(app): State<App>,
    Parameters(parameters): Parameters<BoardParameters>,
) -> Result<Response, ApiError> {
    let object_type = type_called(&app, "deals").await?;
    let lexicon = Lexicon::load(&app, object_type).await?;
    let table = load_mirror_table(&app.database, object_type).await?;
    let wanted = parameters.pipeline.filter(|pipeline| !pipeline.is_empty());
    let pipelines = visible(&lexicon.pipelines, wanted.as_deref());
    let current = match &wanted {
        Some(wanted) => Some(
            pipelines
                .iter()
                .copied()
                .find(|pipeline| pipeline.id == *wanted)
                .ok_or_else(|| ApiError::not_found("There is no such pipeline"))?,
        ),
        None => pipelines.first().copied(),
    };
    let currency = load_account(&app.database).await?.and_then(|account| account.currency);
    let board = Board { app: &app, table: &table, lexicon: &lexicon, currency };
    let columns = match current {
        Some(pipeline) => board.columns(pipeline).await?,
        None => Vec::new(),
    };
    let count: u64 = columns.iter().map(|(_, count)| count).sum();
    let is_writable = app.config.sync.push.is_writable(object_type);
    Ok(page(&BoardPage {
        frame: Frame::new(&app, Section::Deals).await?,
        new: is_writable.then(|| format!("{}/new", home(object_type))),
        pipelines: pipelines.iter().map(|pipeline| tab(pipeline, current)).collect(),
        columns: columns.into_iter().map(|(column, _)| column).collect(),
        count: grouped(count),
    }))
}

/// The pipelines one may look at: those that are there, and the one that is wanted.
fn visible<'p>(pipelines: &'p [Pipeline], wanted: Option<&str>) -> Vec<&'p Pipeline> {
    pipelines.iter().filter(|pipeline| !pipeline.archived || Some(pipeline.id.as_str()) == wanted).collect()
}

/// The way to a pipeline.
fn tab(pipeline: &Pipeline, current: Option<&Pipeline>) -> Tab {
    let query = Serializer::new(String::new()).append_pair("pipeline", &pipeline.id).finish();
    Tab {
        label: pipeline.label.clone(),
        link: format!("/deals?{query}"),
        is_current: current.is_some_and(|current| current.id == pipeline.id),
    }
}

/// The stages of a pipeline that are shown, in order: those that are there, then whatever else deals are in.
fn places(pipeline: &Pipeline, totals: &BTreeMap<String, Vec<StageTotal>>) -> Vec<Place> {
    let has_deals = |stage: &&Stage| !stage.archived || totals.contains_key(&stage.id);
    let place = |stage: &Stage| Place { id: stage.id.clone(), label: stage.label.clone(), note: note(stage) };
    let mut places: Vec<_> = pipeline.stages.iter().filter(has_deals).map(place).collect();
    let unknown = totals.keys().filter(|id| pipeline.stages.iter().all(|stage| stage.id != **id));
    let unknown = unknown.map(|id| match id.as_str() {
        "" => Place {
            id: String::new(),
            label: "No stage".to_owned(),
            note: Some("dealstage IS NULL".to_owned()),
        },
        id => Place {
            id: id.to_owned(),
            label: id.to_owned(),
            note: Some("no stage of this pipeline".to_owned()),
        },
    });
    places.extend(unknown);
    places
}

/// What is said of a stage.
fn note(stage: &Stage) -> Option<String> {
    if stage.archived {
        return Some("gone from HubSpot".to_owned());
    }
    let chance: f64 = stage.probability.as_deref()?.parse().ok()?;
    let is_closed = stage.is_closed == Some(true);
    match () {
        () if is_closed && chance >= 1.0 => Some("won".to_owned()),
        () if is_closed => Some("lost".to_owned()),
        () if (0.0..=1.0).contains(&chance) => Some(format!("{:.0} %", chance * 100.0)),
        () => None,
    }
}

/// What a board is read from.
struct Board<'b> {
    app: &'b App,
    table: &'b MirrorTable,
    lexicon: &'b Lexicon,
    /// Currency of the account.
    currency: Option<String>,
}

impl Board<'_> {
    /// The stages with what is in them, and how many deals that is.
    async fn columns(&self, pipeline: &Pipeline) -> Result<Vec<(Column, u64)>, ApiError> {
        let mut totals: BTreeMap<String, Vec<StageTotal>> = BTreeMap::new();
        let currency = self.currency.as_deref();
        for total in deal_totals(&self.app.database, self.table, &pipeline.id, currency).await? {
            totals.entry(total.stage.clone().unwrap_or_default()).or_default().push(total);
        }
        let mut columns = Vec::new();
        for place in places(pipeline, &totals) {
            let totals = totals.get(&place.id).map(Vec::as_slice).unwrap_or_default();
            columns.push(self.column(pipeline, place, totals).await?);
        }
        Ok(columns)
    }

    /// A stage with what is in it.
    async fn column(
        &self,
        pipeline: &Pipeline,
        place: Place,
        totals: &[StageTotal],
    ) -> Result<(Column, u64), ApiError> {
        let count: u64 = totals.iter().map(|total| total.count).sum();
        let filter = RowFilter {
            archived: Some(false),
            pipeline: Some(pipeline.id.clone()),
            stage: Some(place.id.clone()),
            ..RowFilter::default()
        };
        let order = RowOrder::by_key(true);
        // Lists name a stage, so there is none of those without.
        let is_listed = !place.id.is_empty();
        let rows = if count == 0 || !is_listed {
            Vec::new()
        } else {
            let start = (&RowStart::Offset(0), CARDS);
            let page = list_rows(&self.app.database, self.table, &filter, &order, start).await?;
            page.map(|page| page.rows).unwrap_or_default()
        };
        let query = Serializer::new(String::new())
            .append_pair("pipeline", &pipeline.id)
            .append_pair("stage", &place.id)
            .finish();
        let totals = totals
            .iter()
            .filter_map(|total| Some(money(total.amount.as_deref()?, total.currency.as_deref())));
        let column = Column {
            label: place.label,
            note: place.note,
            count: grouped(count),
            totals: totals.collect(),
            has_more: is_listed && count > rows.len() as u64,
            cards: rows.iter().map(|row| self.card(row)).collect(),
            all: format!("/deals/list?{query}"),
        };
        Ok((column, count))
    }

    /// A deal.
    fn card(&self, row: &RowView) -> Card {
        let value = |name: &str| row.properties.get(name);
        let currency =
            value("deal_currency_code").map(std::borrow::Cow::into_owned).or_else(|| self.currency.clone());
        let closes = value("closedate").map(|value| self.lexicon.shown("closedate", &value).text);
        Card {
            link: record_path(self.lexicon.object_type, row.key),
            name: name_of(self.lexicon.object_type, row),
            amount: value("amount").map(|amount| money(&amount, currency.as_deref())),
            // The day is enough here.
            closes: closes.map(|closes| closes.split(' ').next().unwrap_or_default().to_owned()),
            owner: value("hubspot_owner_id").map(|owner| self.lexicon.shown("hubspot_owner_id", &owner).text),
            pill: (row.status != RowStatus::Synced).then(|| status_pill(row.status)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A stage.
    fn stage(id: &str, probability: &str, archived: bool) -> Stage {
        Stage {
            id: id.into(),
            label: id.to_uppercase(),
            display_order: 0,
            probability: Some(probability.into()),
            is_closed: Some(["0.0", "1.0"].contains(&probability)),
            metadata: json!({}),
            archived,
            created_at: None,
            updated_at: None,
        }
    }

    /// A pipeline with those stages.
    fn pipeline(stages: Vec<Stage>, archived: bool) -> Pipeline {
        Pipeline {
            id: "p".into(),
            label: "Sales".into(),
            display_order: 0,
            stages,
            archived,
            created_at: None,
            updated_at: None,
        }
    }

    #[test]
    fn no_deal_is_left_out_of_a_board() {
        let pipeline = pipeline(
            vec![stage("new", "0.2", false), stage("old", "0.4", true), stage("won", "1.0", false)],
            false,
        );
        let labels = |with_deals: &[&str]| -> Vec<_> {
            let totals = with_deals.iter().map(|id| ((*id).to_owned(), Vec::new())).collect();
            places(&pipeline, &totals).into_iter().map(|place| place.label).collect()
        };
        assert_eq!(labels(&[]), ["NEW", "WON"]);
        assert_eq!(labels(&["old", "elsewhere"]), ["NEW", "OLD", "WON", "elsewhere"]);
        assert_eq!(labels(&[""]), ["NEW", "WON", "No stage"]);
    }

    #[test]
    fn a_stage_says_how_likely_it_is() {
        let said = |probability: &str, archived| note(&stage("a", probability, archived));
        assert_eq!(said("0.4", false).as_deref(), Some("40 %"));
        assert_eq!(said("1.0", false).as_deref(), Some("won"));
        assert_eq!(said("0.0", false).as_deref(), Some("lost"));
        assert_eq!(said("0.4", true).as_deref(), Some("gone from HubSpot"));
        assert_eq!(said("soon", false), None);
    }

    #[test]
    fn a_pipeline_that_is_gone_is_shown_to_whoever_asks_for_it() {
        let pipelines = [pipeline(Vec::new(), true)];
        assert!(visible(&pipelines, None).is_empty());
        assert_eq!(visible(&pipelines, Some("p")).len(), 1);
    }
}
