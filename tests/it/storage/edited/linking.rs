//! Rows that get a record, and edits that follow one.

use hubspot_mariadb_connector::model::{ObjectId, Properties, Record};
use hubspot_mariadb_connector::storage::{follow_merge, link_row};

use super::super::capture::{Fixture, at, contact};
use super::{as_daemon, edited_row, key_of};

/// The columns of every row that counts.
const COLUMNS: [&str; 8] = [
    "id",
    "hubspot_id",
    "sync_status",
    "archived",
    "JSON_COMPACT(properties_json)",
    "JSON_COMPACT(base_properties_json)",
    "city",
    "(SELECT COUNT(*) FROM jobs WHERE record_id = hubspot_contacts.id AND kind = 'push')",
];

/// All rows but that of record 1.
async fn rows(fixture: &Fixture) -> Vec<String> {
    let condition = "WHERE NOT hubspot_id <=> 1 ORDER BY id";
    fixture.test.rows("hubspot_contacts", &COLUMNS, condition).await
}

/// Makes a row, and returns its key.
async fn make(fixture: &Fixture, set: &str) -> i64 {
    fixture.test.execute(&format!("INSERT INTO hubspot_contacts SET {set}")).await;
    fixture.test.number("SELECT MAX(id) FROM hubspot_contacts").await
}

/// Gives a row its record.
async fn link(fixture: &Fixture, key: i64, id: i64, agreed: &[(&str, &str)]) {
    let row = edited_row(fixture, key).await;
    let agreed: Properties = agreed.iter().copied().collect();
    let mut page = fixture.lease.begin(&fixture.test.database).await.unwrap();
    link_row(&mut page, &fixture.table, &row, (ObjectId(id), &agreed), at(50)).await.unwrap();
    page.commit().await.unwrap();
}

const EMAIL: &str = "a@example.test";

#[tokio::test]
async fn a_row_whose_record_has_none_gets_it() {
    let fixture = Fixture::new().await;
    let key = make(&fixture, "email = 'a@example.test', city = 'Bonn'").await;
    link(&fixture, key, 7, &[("email", EMAIL)]).await;
    let expected =
        format!(r#"{key}|7|pending|0|{{"city":"Bonn","email":"{EMAIL}"}}|{{"email":"{EMAIL}"}}|Bonn|1"#);
    assert_eq!(rows(&fixture).await, [expected]);
}

#[tokio::test]
async fn an_older_row_of_the_record_takes_the_edit_over() {
    let fixture = Fixture::new().await;
    fixture.store(&[contact(7, 10, &[("city", "Ulm"), ("email", EMAIL), ("phone", "12")])]).await;
    let twin = key_of(&fixture, 7).await;
    let key = make(&fixture, "email = 'a@example.test', city = 'Bonn'").await;
    link(&fixture, key, 7, &[]).await;
    // Both cities stand against each other: nobody agreed on one.
    let expected = format!(
        r#"{twin}|7|pending|0|{{"city":"Bonn","email":"{EMAIL}","phone":"12"}}|{{"email":"{EMAIL}","phone":"12"}}|Bonn|1"#
    );
    assert_eq!(rows(&fixture).await, [expected]);
}

#[tokio::test]
async fn an_older_row_that_says_the_same_stays_as_it_is() {
    let fixture = Fixture::new().await;
    fixture.store(&[contact(7, 10, &[("city", "Ulm"), ("email", EMAIL), ("phone", "12")])]).await;
    let twin = key_of(&fixture, 7).await;
    let key = make(&fixture, "email = 'a@example.test', city = 'Ulm'").await;
    link(&fixture, key, 7, &[("email", EMAIL), ("city", "Ulm")]).await;
    let document = format!(r#"{{"city":"Ulm","email":"{EMAIL}","phone":"12"}}"#);
    assert_eq!(rows(&fixture).await, [format!("{twin}|7|synced|0|{document}|-|Ulm|0")]);
}

#[tokio::test]
async fn an_older_row_that_was_edited_keeps_its_edits_beside_the_new_ones() {
    let fixture = Fixture::new().await;
    fixture.store(&[contact(7, 10, &[("city", "Ulm"), ("email", EMAIL)])]).await;
    let twin = key_of(&fixture, 7).await;
    fixture.test.execute("UPDATE hubspot_contacts SET phone = '12' WHERE hubspot_id = 7").await;
    let key = make(&fixture, "email = 'a@example.test', country = 'DE'").await;
    link(&fixture, key, 7, &[]).await;
    let expected = format!(
        r#"{twin}|7|pending|0|{{"city":"Ulm","country":"DE","email":"{EMAIL}","phone":"12"}}|{{"city":"Ulm","email":"{EMAIL}"}}|Ulm|1"#
    );
    assert_eq!(rows(&fixture).await, [expected]);
}

#[tokio::test]
async fn a_younger_row_of_the_record_goes() {
    let fixture = Fixture::new().await;
    let key = make(&fixture, "email = 'a@example.test', city = 'Bonn'").await;
    // The record has come by another way before its answer did.
    fixture.store(&[contact(7, 10, &[("city", "Bonn"), ("email", EMAIL), ("phone", "12")])]).await;
    fixture.test.execute(&format!("UPDATE hubspot_contacts SET country = 'DE' WHERE id = {key}")).await;
    link(&fixture, key, 7, &[("email", EMAIL), ("city", "Bonn")]).await;
    let expected = format!(
        r#"{key}|7|pending|0|{{"city":"Bonn","country":"DE","email":"{EMAIL}"}}|{{"city":"Bonn","email":"{EMAIL}"}}|Bonn|1"#
    );
    assert_eq!(rows(&fixture).await, [expected]);
}

#[tokio::test]
async fn of_a_younger_row_that_was_edited_the_edits_stay() {
    let fixture = Fixture::new().await;
    let key = make(&fixture, "email = 'a@example.test', city = 'Bonn'").await;
    fixture.store(&[contact(7, 10, &[("city", "Bonn"), ("email", EMAIL)])]).await;
    fixture.test.execute("UPDATE hubspot_contacts SET city = NULL, phone = '12' WHERE hubspot_id = 7").await;
    link(&fixture, key, 7, &[("email", EMAIL), ("city", "Bonn")]).await;
    let expected = format!(
        r#"{key}|7|pending|0|{{"email":"{EMAIL}","phone":"12"}}|{{"city":"Bonn","email":"{EMAIL}"}}|-|1"#
    );
    assert_eq!(rows(&fixture).await, [expected]);
}

/// Lets the edits of a row follow its record.
async fn follow(fixture: &Fixture, key: i64, survivor: &Record) {
    let row = edited_row(fixture, key).await;
    let mut page = fixture.lease.begin(&fixture.test.database).await.unwrap();
    follow_merge(&mut page, &fixture.table, &row, survivor, at(50)).await.unwrap();
    page.commit().await.unwrap();
}

/// The record 8, into which 7 was merged.
fn survivor() -> Record {
    contact(8, 20, &[("city", "Kiel"), ("email", EMAIL), ("hs_merged_object_ids", "7")])
}

/// Row 7 with an edit of its city and of its phone. Returns its key.
async fn merged(fixture: &Fixture) -> i64 {
    fixture.store(&[contact(7, 10, &[("city", "Ulm"), ("email", EMAIL)])]).await;
    let edit = "UPDATE hubspot_contacts SET city = 'Bonn', phone = '12' WHERE hubspot_id = 7";
    fixture.test.execute(edit).await;
    key_of(fixture, 7).await
}

const MERGED: &str = r#"{"city":"Bonn","email":"a@example.test","hs_merged_object_ids":"7","phone":"12"}"#;
const BASE: &str = r#"{"city":"Kiel","email":"a@example.test","hs_merged_object_ids":"7"}"#;
const BEFORE: &str = r#"{"city":"Ulm","email":"a@example.test"}"#;

#[tokio::test]
async fn the_edits_of_a_merged_record_are_edits_of_its_survivor() {
    let fixture = Fixture::new().await;
    let key = merged(&fixture).await;
    follow(&fixture, key, &survivor()).await;
    let into = key_of(&fixture, 8).await;
    // The base goes with the edit: what the survivor has instead is a disagreement.
    let base = BASE.replace("Kiel", "Ulm");
    let expected =
        [format!("{key}|7|synced|1|{BEFORE}|-|Ulm|1"), format!("{into}|8|pending|0|{MERGED}|{base}|Bonn|1")];
    assert_eq!(rows(&fixture).await, expected);
}

#[tokio::test]
async fn a_survivor_that_was_edited_too_has_both() {
    let fixture = Fixture::new().await;
    let key = merged(&fixture).await;
    fixture.store(&[contact(8, 10, &[("city", "Kiel"), ("email", EMAIL)])]).await;
    fixture.test.execute("UPDATE hubspot_contacts SET country = 'DE' WHERE hubspot_id = 8").await;
    follow(&fixture, key, &survivor()).await;
    let into = key_of(&fixture, 8).await;
    let expected = [
        format!("{key}|7|synced|1|{BEFORE}|-|Ulm|1"),
        format!(
            r#"{into}|8|pending|0|{{"city":"Bonn","country":"DE","email":"{EMAIL}","phone":"12"}}|{{"city":"Ulm","email":"{EMAIL}"}}|Bonn|1"#
        ),
    ];
    assert_eq!(rows(&fixture).await, expected);
}

#[tokio::test]
async fn a_merged_row_that_was_to_be_deleted_deletes_nothing_of_the_survivor() {
    let fixture = Fixture::new().await;
    let key = merged(&fixture).await;
    fixture.test.execute("UPDATE hubspot_contacts SET archived = 1 WHERE hubspot_id = 7").await;
    as_daemon(&fixture, "DELETE FROM jobs").await;
    follow(&fixture, key, &survivor()).await;
    let into = key_of(&fixture, 8).await;
    let expected =
        [format!("{key}|7|synced|1|{BEFORE}|-|Ulm|0"), format!("{into}|8|synced|0|{BASE}|-|Kiel|0")];
    // The merge itself has woken the row once more, which finds nothing left to do.
    let expected: Vec<_> = expected.into_iter().map(|row| row.replace("Ulm|0", "Ulm|1")).collect();
    assert_eq!(rows(&fixture).await, expected);
}
