//! The page of a record.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::history::{Step, history};
use super::lexicon::Lexicon;
use super::links::{Links, links};
use super::value::Shown;
use super::{Pill, list_path, record_path, section, status_pill};
use crate::clock;
use crate::model::{Account, ObjectType};
use crate::storage::{
    ConflictRecord, RowName, RowStatus, RowView, load_account, load_mirror_table, load_row, open_conflict_of,
};
use crate::web::App;
use crate::web::api::query::{About, Named, Parameters};
use crate::web::dashboard::frame::{Frame, page};
use crate::web::dashboard::moment::Moment;
use crate::web::dashboard::naming::{in_words, name_of};
use crate::web::error::ApiError;

/// What somebody did before the page is shown.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShowParameters {
    /// `made`, `saved`, `same` or `deleted`.
    done: Option<String>,
}

/// The page.
#[derive(Template)]
#[template(path = "records_show.html")]
struct ShowPage {
    frame: Frame,
    name: String,
    path: String,
    list: String,
    plural: String,
    /// What was done just before.
    done: Option<&'static str>,
    state: Standing,
    /// Whether it can be edited and deleted here.
    is_editable: bool,
    /// Its page in HubSpot.
    in_hubspot: Option<String>,
    groups: Vec<Group>,
    unset: Vec<Group>,
    /// How many properties are not set.
    unset_count: usize,
    links: Links,
    history: Vec<Step>,
}

/// How the record stands.
struct Standing {
    pill: Pill,
    /// What that means.
    words: &'static str,
    /// Why it is so, as far as is known.
    why: Option<String>,
    /// The open conflict.
    conflict: Option<i64>,
    is_deleted: bool,
    deleted_at: Option<Moment>,
    id: i64,
    hubspot_id: Option<String>,
    version: i64,
    created: Option<Moment>,
    changed: Option<Moment>,
    edited: Option<Moment>,
    synced: Option<Moment>,
}

/// Properties of a group.
#[derive(Debug, PartialEq, Eq)]
struct Group {
    title: String,
    facts: Vec<Fact>,
}

/// A property.
#[derive(Debug, PartialEq, Eq)]
struct Fact {
    label: String,
    name: String,
    /// Its value; nothing where it is not set.
    shown: Shown,
}

/// The row of that name.
///
/// # Errors
/// 404 when there is none.
pub(super) async fn row_named(
    app: &App,
    object_type: &'static ObjectType,
    name: RowName,
) -> Result<RowView, ApiError> {
    let table = load_mirror_table(&app.database, object_type).await?;
    let row = load_row(&app.database, &table, name).await?;
    row.ok_or_else(|| ApiError::not_found("There is no such record"))
}

/// Shows a record.
pub(super) async fn show(
    State(app): State<App>,
    About(object_type): About,
    Named(name): Named,
    Parameters(parameters): Parameters<ShowParameters>,
) -> Result<Response, ApiError> {
    let row = row_named(&app, object_type, name).await?;
    let lexicon = Lexicon::load(&app, object_type).await?;
    let account = load_account(&app.database).await?;
    let now = clock::now();
    let history = history(&app, &lexicon, &row, now).await?;
    let record = ConflictRecord {
        object_type: object_type.name.to_owned(),
        row_id: Some(row.key),
        hubspot_id: row.hubspot_id,
    };
    let conflict = open_conflict_of(&app.database, &record).await?;
    let (groups, unset) = (groups(&lexicon, &row), unset(&lexicon, &row));
    Ok(page(&ShowPage {
        frame: Frame::new(&app, section(object_type)).await?,
        name: name_of(object_type, &row),
        path: record_path(object_type, row.key),
        list: list_path(object_type),
        plural: in_words(object_type.name),
        done: parameters.done.as_deref().and_then(done),
        state: state(&row, conflict, &history, now),
        is_editable: app.config.sync.push.is_writable(object_type) && !row.archived,
        in_hubspot: account.and_then(|account| page_in_hubspot(&account, object_type, &row)),
        unset_count: unset.iter().map(|group| group.facts.len()).sum(),
        groups,
        unset,
        links: links(&app, object_type, &row).await?,
        history,
    }))
}

/// What was done, in words.
fn done(word: &str) -> Option<&'static str> {
    match word {
        "made" => Some("Made here. The daemon makes it in HubSpot now."),
        "saved" => Some("Saved here. The daemon sends it to HubSpot now."),
        "same" => Some("Nothing was changed: the values are those it had."),
        "deleted" => Some("Deleted here. The daemon deletes it in HubSpot now."),
        _ => None,
    }
}

/// How the record stands.
fn state(row: &RowView, conflict: Option<i64>, history: &[Step], now: DateTime<Utc>) -> Standing {
    let at = |at: Option<DateTime<Utc>>| at.map(|at| Moment::new(at, now));
    let waits_for = || history.first().filter(|step| step.is_open).and_then(|step| step.message.clone());
    let (words, why) = match row.status {
        RowStatus::Synced if row.hubspot_id.is_none() => ("It is not in HubSpot.", None),
        RowStatus::Synced => ("Both sides are the same.", None),
        RowStatus::Pending if row.hubspot_id.is_none() => ("It is to be made in HubSpot.", waits_for()),
        RowStatus::Pending if row.archived => ("It is to be deleted in HubSpot.", waits_for()),
        RowStatus::Pending => ("Edits made here are on their way to HubSpot.", waits_for()),
        RowStatus::Conflict => ("Both sides were changed. Somebody has to say what counts.", None),
        RowStatus::Error => (
            "HubSpot does not take what was edited here. Correct it, and it is sent again.",
            row.error.clone(),
        ),
    };
    Standing {
        pill: status_pill(row.status),
        words,
        why,
        conflict,
        is_deleted: row.archived,
        deleted_at: at(row.archived_at),
        id: row.key,
        hubspot_id: row.hubspot_id.map(|id| id.to_string()),
        version: row.version,
        created: at(row.hubspot_created_at),
        changed: at(row.hubspot_updated_at),
        edited: at(row.edited_at),
        synced: at(row.synced_at),
    }
}

/// Its page in HubSpot; `None` where there is none.
fn page_in_hubspot(account: &Account, object_type: &ObjectType, row: &RowView) -> Option<String> {
    let id = row.hubspot_id.filter(|_| !row.archived)?;
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    let domain = account.ui_domain.as_str();
    let domain = if !domain.is_empty() && domain.bytes().all(is_host) { domain } else { "app.hubspot.com" };
    Some(format!("https://{domain}/contacts/{}/record/{}/{id}", account.portal_id, object_type.type_id))
}

/// The set properties by group: the main ones first, then the group of the type's own.
fn groups(lexicon: &Lexicon, row: &RowView) -> Vec<Group> {
    let mut groups: BTreeMap<_, Vec<Fact>> = BTreeMap::new();
    let main = main_properties(lexicon.object_type);
    let fact = |name: &str, value: &str| Fact {
        label: lexicon.label(name),
        name: name.to_owned(),
        shown: lexicon.shown(name, value),
    };
    for (name, value) in row.properties.iter().filter(|(name, _)| !main.contains(&name.as_ref())) {
        groups.entry(place_of_group(lexicon, &name)).or_default().push(fact(&name, &value));
    }
    let set = main.iter().filter_map(|name| Some(fact(name, &row.properties.get(name)?)));
    let first = Group { title: "Main properties".to_owned(), facts: set.collect() };
    [first].into_iter().filter(|group| !group.facts.is_empty()).chain(sorted(groups)).collect()
}

/// The properties people know a record by, in the order they are shown: those every installation has a column of, without
/// the times HubSpot keeps.
pub(super) fn main_properties(object_type: &ObjectType) -> Vec<&'static str> {
    let created = object_type.created_properties();
    let names = object_type.columns.iter().map(|column| column.name);
    let kept = names.filter(|name| !created.contains(name) && *name != object_type.last_modified_property);
    let (mut first, others): (Vec<_>, Vec<_>) =
        kept.partition(|name| ["firstname", "lastname"].contains(name));
    first.extend(others);
    first
}

/// The properties that are not set, by group.
fn unset(lexicon: &Lexicon, row: &RowView) -> Vec<Group> {
    let mut groups: BTreeMap<_, Vec<Fact>> = BTreeMap::new();
    for property in lexicon.catalogue.iter().filter(|property| row.properties.get(&property.name).is_none()) {
        let name = property.name.clone();
        let fact = Fact { label: lexicon.label(&name), name, shown: Shown::default() };
        groups.entry(place_of_group(lexicon, &property.name)).or_default().push(fact);
    }
    sorted(groups)
}

/// Groups with their properties by label.
fn sorted(groups: BTreeMap<(u8, String), Vec<Fact>>) -> Vec<Group> {
    let group = |((_, title), mut facts): (_, Vec<Fact>)| {
        facts.sort_by_key(|fact| fact.label.to_lowercase());
        Group { title, facts }
    };
    groups.into_iter().map(group).collect()
}

/// Where the group of a property stands, and what it is called.
pub(super) fn place_of_group(lexicon: &Lexicon, name: &str) -> (u8, String) {
    let Some(property) = lexicon.property(name) else {
        return (3, "No longer in HubSpot's catalogue".to_owned());
    };
    let group = property.group_name.as_str();
    let singular = lexicon.object_type.singular;
    let is_own = group.strip_suffix("information").is_some_and(|stem| stem.trim_end_matches('_') == singular);
    (1 + u8::from(!is_own), group_title(group))
}

/// What people call a group of properties. The catalogue has nothing but its name.
fn group_title(name: &str) -> String {
    /// Ends of names HubSpot writes without a gap.
    const ENDS: [&str; 3] = ["information", "management", "properties"];
    if name.is_empty() {
        return "Others".to_owned();
    }
    let stem = ENDS.iter().find_map(|end| Some((name.strip_suffix(end)?.trim_end_matches('_'), *end)));
    match stem {
        Some((stem, end)) if !stem.is_empty() => in_words(&format!("{stem}_{end}")),
        _ => in_words(name),
    }
}

#[cfg(test)]
mod tests {
    use super::super::lexicon::tests::{lexicon, property};
    use super::*;
    use crate::model::ObjectId;

    #[test]
    fn a_group_has_a_title_in_words() {
        for (name, title) in [
            ("contactinformation", "Contact information"),
            ("sales_properties", "Sales properties"),
            ("contact_activity", "Contact activity"),
            ("multiaccountmanagement", "Multiaccount management"),
            ("information", "Information"),
            ("", "Others"),
        ] {
            assert_eq!(group_title(name), title);
        }
    }

    #[test]
    fn set_properties_stand_in_their_groups_and_the_others_apart() {
        let catalogue = vec![
            crate::model::Property {
                group_name: "analytics".into(),
                ..property("b_source", ("string", "text"), &[])
            },
            property("dealname", ("string", "text"), &[]),
            property("amount", ("number", "number"), &[]),
        ];
        let lexicon = lexicon(catalogue);
        let row = RowView::holding(&[("dealname", "Ship"), ("b_source", "x"), ("gone", "y")]);
        let titles = |groups: &[Group]| -> Vec<_> {
            let facts = |group: &Group| group.facts.iter().map(|fact| fact.label.clone()).collect::<Vec<_>>();
            groups.iter().map(|group| (group.title.clone(), facts(group))).collect()
        };
        let expected = [("Main properties", "Dealname"), ("Analytics", "B source")]
            .map(|(title, label)| (title.to_owned(), vec![label.to_owned()]));
        let gone = ("No longer in HubSpot's catalogue".to_owned(), vec!["gone".to_owned()]);
        assert_eq!(titles(&groups(&lexicon, &row)), [&expected[..], &[gone]].concat());
        let unset = titles(&unset(&lexicon, &row));
        assert_eq!(unset, [("Deal information".to_owned(), vec!["Amount".to_owned()])]);
    }

    #[test]
    fn a_live_record_has_a_page_in_hubspot() {
        let account = |ui_domain: &str| Account {
            portal_id: 12,
            time_zone: "UTC".into(),
            account_type: "STANDARD".into(),
            ui_domain: ui_domain.into(),
            currency: None,
        };
        let deals = ObjectType::named("deals").unwrap();
        let live = RowView { hubspot_id: Some(ObjectId(512)), ..RowView::holding(&[]) };
        let page = |domain: &str, row: &RowView| page_in_hubspot(&account(domain), deals, row);
        let expected = "https://app-eu1.hubspot.com/contacts/12/record/0-3/512";
        assert_eq!(page("app-eu1.hubspot.com", &live).as_deref(), Some(expected));
        assert!(page("evil/\"", &live).unwrap().starts_with("https://app.hubspot.com/"));
        assert_eq!(page("app.hubspot.com", &RowView::holding(&[])), None);
        assert_eq!(page("app.hubspot.com", &RowView { archived: true, ..live }), None);
    }
}
