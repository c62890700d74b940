//! The list of a type.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::columns::{Cell, cell, columns, naming_order};
use super::heads::{Head, ROWS, USUAL, Ways, sorting_head, ways};
use super::lexicon::{Choice, Lexicon};
use super::{Pill, home, list_path, record_path, section, status_pill};
use crate::clock;
use crate::model::ObjectType;
use crate::storage::{MirrorTable, RowView, load_mirror_table, ordering_columns};
use crate::web::App;
use crate::web::api::list::{LONGEST_SEARCH, ListParameters, Listing, Pagination, listing};
use crate::web::api::query::{About, Parameters};
use crate::web::dashboard::frame::{Frame, page_with};
use crate::web::dashboard::moment::Moment;
use crate::web::dashboard::naming::{in_words, name_of};
use crate::web::dashboard::number::grouped;
use crate::web::error::ApiError;

/// The page.
#[derive(Template)]
#[template(path = "records.html")]
struct ListPage {
    frame: Frame,
    title: String,
    path: String,
    /// Where a new record is made; `None` where records are read-only.
    new: Option<String>,
    singular: String,
    /// Where the board is.
    board: Option<&'static str>,
    filters: Filters,
    /// What is wrong with what was asked for.
    problem: Option<String>,
    heads: Vec<Head>,
    rows: Vec<ListRow>,
    /// How many rows there are, in words.
    summary: String,
    ways: Ways,
    /// Whether fewer records are shown than there are.
    is_narrowed: bool,
}

/// What the list is narrowed to.
struct Filters {
    search: String,
    longest_search: usize,
    statuses: Vec<Chosen>,
    archived: Vec<Chosen>,
    /// The stages; empty for a type without pipelines.
    stages: Vec<Chosen>,
    pipeline: Option<String>,
    sort: Option<String>,
}

/// A choice, and whether it is made.
struct Chosen {
    choice: Choice,
    is_chosen: bool,
}

/// A row of the list.
struct ListRow {
    link: String,
    name: String,
    /// What narrow screens show below the name.
    below: Option<String>,
    cells: Vec<Cell>,
    pill: Pill,
    is_deleted: bool,
    changed: Option<Moment>,
}

/// Shows a page of the list.
pub(super) async fn show(
    State(app): State<App>,
    About(object_type): About,
    Parameters(parameters): Parameters<ListParameters>,
) -> Result<Response, ApiError> {
    let wanted = told(parameters);
    let table = load_mirror_table(&app.database, object_type).await?;
    let lexicon = Lexicon::load(&app, object_type).await?;
    let sort = wanted.sort.clone().or_else(|| Some(USUAL.to_owned()));
    let asked = ListParameters { sort, limit: Some(ROWS), ..wanted.clone() };
    let (listing, problem) = match listing(&app, &table, &asked).await {
        Ok(listing) => (listing, None),
        Err(error) if is_about_the_list(error.status()) => {
            (nothing(), Some((error.status(), error.message().to_owned())))
        }
        Err(error) => return Err(error),
    };
    let (status, problem) = problem.map_or((StatusCode::OK, None), |(status, text)| (status, Some(text)));
    let frame = Frame::new(&app, section(object_type)).await?;
    let is_writable = app.config.sync.push.is_writable(object_type);
    Ok(page_with(
        status,
        &ListPage {
            frame,
            title: in_words(object_type.name),
            path: list_path(object_type),
            new: is_writable.then(|| format!("{}/new", home(object_type))),
            singular: in_words(object_type.singular).to_lowercase(),
            board: (object_type.name == "deals").then_some("/deals"),
            filters: filters(&lexicon, &wanted),
            problem,
            heads: heads(&lexicon, &table, &wanted),
            rows: listing.rows.iter().map(|row| list_row(&lexicon, row)).collect(),
            summary: summary(object_type, &listing.pagination, listing.rows.len()),
            ways: ways(&list_path(object_type), &wanted, &listing.pagination, listing.rows.len()),
            is_narrowed: is_narrowed(&wanted),
        },
    ))
}

/// Whether an error is for the page of the list to tell.
fn is_about_the_list(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY)
}

/// What was asked for: a form sends what is left empty, too.
fn told(parameters: ListParameters) -> ListParameters {
    let told = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    ListParameters {
        page: parameters.page,
        limit: None,
        cursor: told(parameters.cursor),
        search: told(parameters.search),
        sync_status: told(parameters.sync_status),
        archived: told(parameters.archived),
        pipeline: told(parameters.pipeline),
        stage: told(parameters.stage),
        sort: told(parameters.sort),
    }
}

/// Whether fewer records are asked for than there are.
fn is_narrowed(wanted: &ListParameters) -> bool {
    let ListParameters { search, sync_status, archived, pipeline, stage, .. } = wanted;
    [search, sync_status, archived, pipeline, stage].into_iter().any(Option::is_some)
}

/// A list of nothing, for what cannot be asked.
fn nothing() -> Listing {
    let pagination = Pagination {
        page: Some(1),
        limit: ROWS,
        total: Some(0),
        total_is_lower_bound: false,
        next_cursor: None,
    };
    Listing { rows: Vec::new(), pagination }
}

/// The filters as they stand.
fn filters(lexicon: &Lexicon, wanted: &ListParameters) -> Filters {
    let chosen = |choices: Vec<Choice>, current: Option<&str>| {
        let is_chosen = |choice: &Choice| choice.value == current.unwrap_or_default();
        choices.into_iter().map(|choice| Chosen { is_chosen: is_chosen(&choice), choice }).collect()
    };
    let choices = |pairs: &[(&str, &str)]| {
        let choice =
            |(value, label): &(&str, &str)| Choice { value: (*value).into(), label: (*label).into() };
        pairs.iter().map(choice).collect::<Vec<_>>()
    };
    let words = ["synced", "pending", "conflict", "error"].map(|word| (word, word));
    let statuses = choices(&[&[("", "any")][..], &words].concat());
    let archived = choices(&[("", "not deleted"), ("true", "deleted"), ("all", "all")]);
    let mut stages = if lexicon.pipelines.is_empty() { Vec::new() } else { choices(&[("", "any")]) };
    stages.extend(lexicon.stages());
    let stage = wanted.stage.as_deref();
    if let Some(stage) = stage.filter(|stage| stages.iter().all(|choice| choice.value != **stage)) {
        stages.push(Choice { value: stage.to_owned(), label: stage.to_owned() });
    }
    Filters {
        search: wanted.search.clone().unwrap_or_default(),
        longest_search: LONGEST_SEARCH,
        statuses: chosen(statuses, wanted.sync_status.as_deref()),
        archived: chosen(archived, wanted.archived.as_deref().filter(|archived| *archived != "false")),
        stages: chosen(stages, stage),
        pipeline: wanted.pipeline.clone(),
        sort: wanted.sort.clone(),
    }
}

/// The heads of the columns.
fn heads(lexicon: &Lexicon, table: &MirrorTable, wanted: &ListParameters) -> Vec<Head> {
    let (path, orders) = (list_path(lexicon.object_type), ordering_columns(table));
    let plain = |title: &str| Head {
        title: title.to_owned(),
        link: None,
        order: None,
        is_number: false,
        is_wide: false,
    };
    let head = |title: &str, property: &str| {
        if orders.contains(&property) {
            sorting_head(&path, wanted, title, property, false)
        } else {
            plain(title)
        }
    };
    let name = naming_order(lexicon).map_or_else(|| plain("Name"), |property| head("Name", property));
    let middle = columns(lexicon).into_iter().map(|column| Head {
        is_number: column.is_number,
        is_wide: true,
        ..head(&column.title, &column.property)
    });
    let changed = sorting_head(&path, wanted, "Changed in HubSpot", "lastModifiedHubspot", true);
    let tail = [plain("Status"), Head { is_wide: true, ..changed }];
    [name].into_iter().chain(middle).chain(tail).collect()
}

/// A row as it is shown.
fn list_row(lexicon: &Lexicon, row: &RowView) -> ListRow {
    let cells: Vec<_> = columns(lexicon).iter().map(|column| cell(lexicon, column, row)).collect();
    let texts = cells.iter().filter_map(|cell| cell.shown.as_ref().map(|shown| shown.text.as_str()));
    let below = texts.take(2).collect::<Vec<_>>().join(" · ");
    ListRow {
        link: record_path(lexicon.object_type, row.key),
        name: name_of(lexicon.object_type, row),
        below: Some(below).filter(|below| !below.is_empty()),
        cells,
        pill: status_pill(row.status),
        is_deleted: row.archived,
        changed: row.hubspot_updated_at.map(|at| Moment::new(at, clock::now())),
    }
}

/// How many rows there are, and which of them are shown.
fn summary(object_type: &ObjectType, pagination: &Pagination, shown: usize) -> String {
    let (Some(page), Some(total)) = (pagination.page, pagination.total) else {
        return format!("{shown} {} further on", in_words(object_type.name).to_lowercase());
    };
    let first = u64::from(page - 1) * u64::from(pagination.limit) + 1;
    let last = first + (shown as u64).max(1) - 1;
    let more = if pagination.total_is_lower_bound { "more than " } else { "" };
    match shown {
        0 => format!("none of {more}{}", grouped(total)),
        _ => format!("{}–{} of {more}{}", grouped(first), grouped(last), grouped(total)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::heads::address;
    use super::*;

    #[test]
    fn a_summary_says_which_rows_of_how_many_are_shown() {
        let contacts = ObjectType::named("contacts").unwrap();
        let summary = |page, total, total_is_lower_bound, shown| {
            let pagination = Pagination { page, limit: 50, total, total_is_lower_bound, next_cursor: None };
            summary(contacts, &pagination, shown)
        };
        assert_eq!(summary(Some(1), Some(3), false, 3), "1–3 of 3");
        assert_eq!(summary(Some(21), Some(1_234), false, 50), "1,001–1,050 of 1,234");
        assert_eq!(summary(Some(1), Some(10_000), true, 50), "1–50 of more than 10,000");
        assert_eq!(summary(None, None, false, 50), "50 contacts further on");
    }

    #[test]
    fn what_a_form_leaves_empty_is_not_asked_for() {
        let empty = Some(String::new());
        let form = ListParameters { search: empty.clone(), sync_status: empty, ..ListParameters::default() };
        assert_eq!(address("/contacts", &told(form)), "/contacts");
    }
}
