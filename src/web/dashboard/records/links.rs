//! The records one is linked with, by name.

use std::collections::BTreeMap;

use super::record_path;
use crate::model::{ObjectId, ObjectType};
use crate::storage::{LinkedRecord, RowView, linked_records, load_mirror_table, load_rows};
use crate::web::App;
use crate::web::dashboard::naming::{in_words, name_of};
use crate::web::error::ApiError;

/// Most links that are shown.
const LINKS: u32 = 100;

/// Links to records of a type.
#[derive(Debug)]
pub(super) struct LinkGroup {
    /// The type, in words.
    pub(super) title: String,
    /// The records.
    pub(super) links: Vec<Link>,
}

/// A linked record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Its name; its number in HubSpot where there is no row of it.
    pub(super) name: String,
    /// Its page; `None` where there is no row of it.
    pub(super) path: Option<String>,
    /// What kind of link it is: `Primary`, or labels of the account.
    pub(super) labels: String,
    /// Whether it counts as deleted.
    pub(super) is_deleted: bool,
}

/// The links of a record.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// By type.
    pub(super) groups: Vec<LinkGroup>,
    /// How many are shown, where there are more.
    pub(super) shown_of_more: Option<u32>,
}

/// The records the one of the row is linked with.
pub(super) async fn links(
    app: &App,
    object_type: &'static ObjectType,
    row: &RowView,
) -> Result<Links, ApiError> {
    let Some(id) = row.hubspot_id else { return Ok(Links::default()) };
    let mut linked = linked_records(&app.database, object_type, id, LINKS + 1).await?;
    let has_more = linked.len() > LINKS as usize;
    linked.truncate(LINKS as usize);
    let types = app.types().await?;
    let mut groups = Vec::new();
    for (name, links) in by_type(linked) {
        let known = types.iter().copied().find(|object_type| object_type.name == name);
        let rows = match known {
            Some(known) => {
                let table = load_mirror_table(&app.database, known).await?;
                let ids: Vec<_> = links.keys().copied().collect();
                load_rows(&app.database, &table, &ids).await?
            }
            None => Vec::new(),
        };
        let mut links: Vec<_> =
            links.into_iter().map(|(id, labels)| link(known, id, &labels, &rows)).collect();
        links.sort_by_key(|link| link.name.to_lowercase());
        groups.push(LinkGroup { title: in_words(&name), links });
    }
    Ok(Links { groups, shown_of_more: has_more.then_some(LINKS) })
}

/// Labels of links by record, by type.
fn by_type(linked: Vec<LinkedRecord>) -> BTreeMap<String, BTreeMap<ObjectId, Vec<String>>> {
    let mut types: BTreeMap<_, BTreeMap<_, Vec<_>>> = BTreeMap::new();
    for LinkedRecord { object_type, id, label, is_primary } in linked {
        let labels = types.entry(object_type).or_default().entry(id).or_default();
        let primary = is_primary.then(|| "Primary".to_owned());
        for label in [primary, label].into_iter().flatten() {
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
    }
    types
}

/// A link as it is shown.
fn link(known: Option<&ObjectType>, id: ObjectId, labels: &[String], rows: &[RowView]) -> Link {
    let row = rows.iter().find(|row| row.hubspot_id == Some(id));
    let found = known.zip(row);
    Link {
        name: found.map_or_else(|| format!("{id} in HubSpot"), |(known, row)| name_of(known, row)),
        path: found.map(|(known, row)| record_path(known, row.key)),
        labels: labels.join(", "),
        is_deleted: row.is_some_and(|row| row.archived),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link to a company.
    fn linked(id: i64, label: Option<&str>, is_primary: bool) -> LinkedRecord {
        let label = label.map(str::to_owned);
        LinkedRecord { object_type: "companies".to_owned(), id: ObjectId(id), label, is_primary }
    }

    #[test]
    fn a_record_linked_in_several_ways_is_one_link_with_all_its_labels() {
        let types = by_type(vec![
            linked(1, None, false),
            linked(1, Some("Primary"), true),
            linked(1, Some("Employer"), false),
            linked(2, None, false),
        ]);
        let companies = &types["companies"];
        assert_eq!(companies[&ObjectId(1)], ["Primary", "Employer"]);
        assert!(companies[&ObjectId(2)].is_empty());
    }

    #[test]
    fn a_record_without_a_row_is_told_by_its_number() {
        let companies = ObjectType::named("companies").unwrap();
        let shown = link(Some(companies), ObjectId(9), &[], &[]);
        assert_eq!((shown.name.as_str(), shown.path), ("9 in HubSpot", None));
    }
}
