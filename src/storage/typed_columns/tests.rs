//! What is done about each column.

use super::*;
use crate::model::ColumnDef;

/// A type with one indexed and one plain default column.
static THINGS: ObjectType = ObjectType {
    name: "things",
    singular: "thing",
    type_id: "0-0",
    qualified_name: "things",
    path: "things",
    table: "hubspot_things",
    last_modified_property: "changed",
    has_pipelines: false,
    scopes: &["crm.objects.things.read"],
    columns: &[
        ColumnDef { name: "email", column_type: ColumnType::Text, indexed: true, searched: true },
        ColumnDef { name: "changed", column_type: ColumnType::DateTime, indexed: false, searched: false },
    ],
};

/// A typed column.
fn ours(name: &str, column_type: ColumnType) -> PresentColumn {
    PresentColumn { name: name.to_owned(), is_ours: true, column_type: Some(column_type) }
}

/// The default columns, as they should be.
fn defaults() -> Vec<PresentColumn> {
    vec![ours("email", ColumnType::Text), ours("changed", ColumnType::DateTime)]
}

/// A column of a person or of every mirror table.
fn foreign(name: &str) -> PresentColumn {
    PresentColumn { name: name.to_owned(), is_ours: false, column_type: Some(ColumnType::Text) }
}

/// The plan in words.
fn planned(wanted: &[&str], catalogue: &[Property], present: &[PresentColumn]) -> Vec<String> {
    let wanted: Vec<_> = wanted.iter().map(|name| (*name).to_owned()).collect();
    let words = |step: &Step<'_>| match step {
        Step::Add(target) => format!("add {} {:?}", target.name, target.column_type),
        Step::Retype(target) => format!("retype {} {:?}", target.name, target.column_type),
        Step::LeaveOut { name, .. } => format!("leave out {name}"),
    };
    plan(&THINGS, &wanted, catalogue, present).iter().map(words).collect()
}

#[test]
fn a_table_as_it_should_be_needs_nothing() {
    let present = [defaults(), vec![ours("score", ColumnType::Number), foreign("remark")]].concat();
    assert!(planned(&["score", "email"], &[Property::named("score", "number")], &present).is_empty());
}

#[test]
fn missing_columns_are_added_each_once_and_default_ones_unasked() {
    let catalogue = [Property::named("score", "number"), Property::named("email", "number")];
    let steps = planned(&["score", "score", "email"], &catalogue, &[foreign("id")]);
    assert_eq!(steps, ["add email Text", "add changed DateTime", "add score Number"]);
}

#[test]
fn default_columns_keep_their_declared_type_and_all_others_follow_hubspot() {
    let present = vec![
        ours("email", ColumnType::Text),
        ours("changed", ColumnType::Text),
        ours("score", ColumnType::LongText),
        ours("no_longer_named", ColumnType::Number),
        ours("gone_from_hubspot", ColumnType::Number),
    ];
    let catalogue = [
        Property::named("email", "number"),
        Property::named("score", "number"),
        Property::named("no_longer_named", "bool"),
    ];
    let steps = planned(&["score"], &catalogue, &present);
    assert_eq!(steps, ["retype changed DateTime", "retype score Number", "retype no_longer_named Bool"]);
}

#[test]
fn a_type_somebody_else_gave_a_column_is_set_right() {
    let mut present = defaults();
    present[0].column_type = None;
    assert_eq!(planned(&[], &[], &present), ["retype email Text"]);
}

#[test]
fn what_cannot_be_had_is_left_out() {
    let present = [defaults(), vec![foreign("version"), foreign("Remark")]].concat();
    let catalogue = [Property::named("version", "string"), Property::named("remark", "string")];
    let steps = planned(&["unknown", "version", "remark"], &catalogue, &present);
    assert_eq!(steps, ["leave out unknown", "leave out remark", "leave out version"]);
}

#[test]
fn before_the_first_sync_nothing_is_said_of_properties() {
    assert!(planned(&["score"], &[], &defaults()).is_empty());
}

#[test]
fn an_index_goes_and_comes_with_its_column() {
    let target = Target { name: "email", column_type: ColumnType::Text, indexed: true };
    let column = "`email` VARCHAR(255) NULL COMMENT 'HubSpot property email'";
    let index = "`by_email` (`email`)";
    assert_eq!(
        target.addition(),
        format!("ADD COLUMN IF NOT EXISTS {column}, ADD KEY IF NOT EXISTS {index}")
    );
    assert_eq!(
        target.replacement(),
        format!("DROP KEY IF EXISTS `by_email`, DROP COLUMN `email`, ADD COLUMN {column}, ADD KEY {index}")
    );
}
