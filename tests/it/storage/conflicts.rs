//! `conflicts`: one open one a record, every change noted.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use hubspot_mariadb_connector::model::{Choice, ObjectId, ObjectType, Record};
use hubspot_mariadb_connector::storage::{
    ConflictChange, ConflictFilter, ConflictKind, ConflictRecord, ConflictStatus, DeleteReason, Disagreement,
    FieldSource, LogAction, LogDirection, LogEntry, LogStatus, PendingDelete, Resolution, UpkeepLane,
    apply_deletes, close_conflict_by_itself, conflict_policies, conflict_steps, list_conflicts,
    load_conflict, load_mirror_table, lock_conflict, open_conflicts, open_or_update_conflict,
    resolve_conflict, settle_conflict, stage_deletes, store_records, write_log,
};
use serde_json::json;

use crate::support::database::TestDatabase;

/// The time the tests count from.
fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000 + seconds, 0).unwrap()
}

/// A contact that is in HubSpot under the tenfold number of its row.
fn contact(row_id: i64) -> ConflictRecord {
    ConflictRecord {
        object_type: "contacts".to_owned(),
        row_id: Some(row_id),
        hubspot_id: Some(ObjectId(row_id * 10)),
    }
}

/// A disagreement about a city, which is not set in the base.
fn about_city(hubspot: &str) -> Disagreement {
    let city = |value: Option<&str>| BTreeMap::from([("city".to_owned(), value.map(str::to_owned))]);
    let source =
        FieldSource { at: Some(at(-5)), source_type: Some("CRM_UI".to_owned()), ..FieldSource::default() };
    Disagreement {
        kind: ConflictKind::Fields,
        fields: vec!["city".to_owned()],
        base: city(None),
        local: city(Some("Köln")),
        hubspot: city(Some(hubspot)),
        sources: BTreeMap::from([("city".to_owned(), source)]),
    }
}

/// Opens or updates in a transaction of its own.
async fn open(
    test: &TestDatabase,
    record: &ConflictRecord,
    about: &Disagreement,
    second: i64,
) -> (i64, ConflictChange) {
    let mut transaction = test.sql.begin().await.unwrap();
    let opened =
        open_or_update_conflict(&mut transaction, record, about, "daemon", at(second)).await.unwrap();
    transaction.commit().await.unwrap();
    opened
}

#[tokio::test]
async fn a_record_has_one_open_conflict_which_follows_both_sides() {
    let test = TestDatabase::migrated().await;
    let (id, change) = open(&test, &contact(1), &about_city("Bonn"), 0).await;
    assert_eq!(change, ConflictChange::Opened);
    assert_eq!(open(&test, &contact(1), &about_city("Bonn"), 1).await, (id, ConflictChange::Unchanged));
    assert_eq!(open(&test, &contact(1), &about_city("Aachen"), 2).await, (id, ConflictChange::Updated));
    let (other, change) = open(&test, &contact(2), &about_city("Bonn"), 3).await;
    assert_eq!((other != id, change), (true, ConflictChange::Opened));

    let conflict = load_conflict(&test.database, id).await.unwrap().unwrap();
    assert_eq!((&conflict.record, &conflict.disagreement), (&contact(1), &about_city("Aachen")));
    assert_eq!((conflict.created_at, conflict.updated_at, conflict.resolved_at), (at(0), at(2), None));
    let steps = conflict_steps(&test.database, id).await.unwrap();
    let told: Vec<_> = steps.iter().map(|step| (step.at, step.actor.as_str(), step.step.as_str())).collect();
    assert_eq!(told, [(at(0), "daemon", "opened"), (at(2), "daemon", "updated")]);
    assert_eq!(steps[0].detail.as_ref().unwrap()["hubspot"], json!({"city": "Bonn"}));
    assert_eq!(steps[0].detail.as_ref().unwrap()["base"], json!({"city": null}));
    assert_eq!(load_conflict(&test.database, other + 1).await.unwrap(), None);
}

#[tokio::test]
async fn a_record_whose_row_is_gone_is_told_by_its_id_in_hubspot() {
    let test = TestDatabase::migrated().await;
    let gone = ConflictRecord { row_id: None, ..contact(1) };
    let about = Disagreement { kind: ConflictKind::DeletedHere, ..about_city("Bonn") };
    let (id, _) = open(&test, &gone, &about, 0).await;
    assert_eq!(open(&test, &gone, &about, 1).await, (id, ConflictChange::Unchanged));
    // Row 10 is not the record 10 of HubSpot.
    assert_eq!(open(&test, &contact(10), &about, 2).await.1, ConflictChange::Opened);
}

#[tokio::test]
async fn a_second_open_conflict_of_a_record_is_refused_by_the_table() {
    let test = TestDatabase::migrated().await;
    open(&test, &contact(1), &about_city("Bonn"), 0).await;
    let copy = "INSERT INTO conflicts (object_type, row_id, kind, fields, base_json, local_json, hubspot_json, sources, \
                status, created_at, updated_at) SELECT object_type, row_id, kind, fields, base_json, local_json, \
                hubspot_json, sources, ?, created_at, updated_at FROM conflicts LIMIT 1";
    assert!(sqlx::query(copy).bind("pending").execute(&test.sql).await.is_err());
    sqlx::query(copy).bind("merged").execute(&test.sql).await.unwrap();
    sqlx::query(copy).bind("merged").execute(&test.sql).await.unwrap();
}

#[tokio::test]
async fn a_settled_conflict_stays_as_it_was_and_makes_room_for_the_next() {
    let test = TestDatabase::migrated().await;
    let (id, _) = open(&test, &contact(1), &about_city("Bonn"), 0).await;
    let resolution = json!({"city": "local"});
    let settle = async |who: &str, second| {
        let mut transaction = test.sql.begin().await.unwrap();
        let seen = lock_conflict(&mut transaction, id).await.unwrap().unwrap();
        let settled =
            settle_conflict(&mut transaction, id, ConflictStatus::KeepLocal, &resolution, who, at(second));
        let settled = settled.await.unwrap();
        transaction.commit().await.unwrap();
        (seen.status, settled)
    };
    assert_eq!(settle("ann", 5).await, (ConflictStatus::Pending, true));
    assert_eq!(settle("bob", 6).await, (ConflictStatus::KeepLocal, false), "somebody was faster");

    let conflict = load_conflict(&test.database, id).await.unwrap().unwrap();
    assert_eq!((conflict.status, conflict.resolved_at), (ConflictStatus::KeepLocal, Some(at(5))));
    assert_eq!(
        (conflict.resolved_by.as_deref(), conflict.resolution),
        (Some("ann"), Some(resolution.clone()))
    );
    let steps = conflict_steps(&test.database, id).await.unwrap();
    assert_eq!(steps.len(), 2);
    assert_eq!((steps[1].actor.as_str(), steps[1].step.as_str()), ("ann", "keep_local"));
    assert_eq!(steps[1].detail, Some(resolution.clone()));
    let (next, change) = open(&test, &contact(1), &about_city("Bonn"), 9).await;
    assert_eq!((next != id, change), (true, ConflictChange::Opened));
}

#[tokio::test]
async fn a_conflict_closes_by_itself_once() {
    let test = TestDatabase::migrated().await;
    let (id, _) = open(&test, &contact(1), &about_city("Bonn"), 0).await;
    let close = async |record: &ConflictRecord| {
        let mut transaction = test.sql.begin().await.unwrap();
        let closed = close_conflict_by_itself(&mut transaction, record, "daemon", at(1)).await.unwrap();
        transaction.commit().await.unwrap();
        closed
    };
    assert_eq!(close(&contact(2)).await, None);
    assert_eq!(close(&contact(1)).await, Some(id));
    assert_eq!(close(&contact(1)).await, None);
    let conflict = load_conflict(&test.database, id).await.unwrap().unwrap();
    assert_eq!((conflict.status, conflict.resolution), (ConflictStatus::Superseded, None));
    let steps = conflict_steps(&test.database, id).await.unwrap();
    assert_eq!((steps.len(), steps[1].step.as_str(), &steps[1].detail), (2, "superseded", &None));
}

#[tokio::test]
async fn conflicts_are_listed_by_status_and_type_and_counted_while_open() {
    let test = TestDatabase::migrated().await;
    let company = ConflictRecord { object_type: "companies".to_owned(), ..contact(1) };
    let mut ids = Vec::new();
    for record in [contact(1), contact(2), company, contact(3)] {
        ids.push(open(&test, &record, &about_city("Bonn"), 0).await.0);
    }
    let mut transaction = test.sql.begin().await.unwrap();
    close_conflict_by_itself(&mut transaction, &contact(2), "daemon", at(1)).await.unwrap();
    transaction.commit().await.unwrap();

    let list = async |status, object_type: Option<&str>, before, limit| {
        let filter = ConflictFilter { status, object_type: object_type.map(str::to_owned) };
        let found = list_conflicts(&test.database, &filter, before, limit).await.unwrap();
        found.iter().map(|conflict| conflict.id).collect::<Vec<_>>()
    };
    assert_eq!(list(None, None, None, 10).await, [ids[3], ids[2], ids[1], ids[0]]);
    assert_eq!(list(Some(ConflictStatus::Pending), Some("contacts"), None, 10).await, [ids[3], ids[0]]);
    assert_eq!(list(None, None, Some(ids[3]), 2).await, [ids[2], ids[1]]);
    assert_eq!(list(Some(ConflictStatus::Superseded), None, None, 10).await, [ids[1]]);
    let open = open_conflicts(&test.database).await.unwrap();
    assert_eq!(open, [("companies".to_owned(), 1), ("contacts".to_owned(), 2)]);
}

#[tokio::test]
async fn policies_are_read_as_people_wrote_them_and_others_cannot_be_written() {
    let test = TestDatabase::migrated().await;
    test.execute("INSERT INTO conflict_policies VALUES ('contacts', 'email', 'hubspot'), ('contacts', 'city', 'newest'), ('deals', 'amount', 'ask')").await;
    let policies = conflict_policies(&test.database, "contacts").await.unwrap();
    let expected =
        [("city", "newest"), ("email", "hubspot")].map(|(name, policy)| (name.to_owned(), policy.to_owned()));
    assert_eq!(policies, BTreeMap::from(expected));
    let wrong =
        sqlx::query("INSERT INTO conflict_policies VALUES ('contacts', 'phone', 'mine')").execute(&test.sql);
    assert!(wrong.await.is_err());
}

#[tokio::test]
async fn of_an_erased_contact_neither_conflicts_nor_words_stay() {
    let test = TestDatabase::migrated().await;
    let contacts = ObjectType::named("contacts").unwrap();
    let (table, lease) = (load_mirror_table(&test.database, contacts).await.unwrap(), test.lease().await);
    let record = |id| Record {
        id: ObjectId(id),
        properties: [("city", "Bonn")].into_iter().collect(),
        created_at: at(0),
        updated_at: at(0),
        archived: false,
        archived_at: None,
        read_at: at(0),
    };
    let entry = |row_id: i64| LogEntry {
        row_id: Some(row_id),
        hubspot_id: Some(ObjectId(row_id * 10)),
        job_id: None,
        action: LogAction::Update,
        direction: LogDirection::Push,
        status: LogStatus::Failed,
        message: Some("Köln is no city".to_owned()),
        changed_fields: vec!["city".to_owned()],
    };
    let mut page = lease.begin(&test.database).await.unwrap();
    store_records(&mut page, &table, &[record(10), record(20)], &[]).await.unwrap();
    // From before the record was made.
    let earlier = LogEntry { hubspot_id: None, ..entry(1) };
    write_log(&mut page, "contacts", &[earlier, entry(1), entry(2)], at(0)).await.unwrap();
    page.commit().await.unwrap();
    let (erased, _) = open(&test, &contact(1), &about_city("Bonn"), 0).await;
    let (kept, _) = open(&test, &contact(2), &about_city("Bonn"), 0).await;
    test.execute("UPDATE conflicts SET hubspot_id = NULL WHERE row_id = 1 AND status = 'pending'").await;

    let purged = PendingDelete {
        id: ObjectId(10),
        reason: DeleteReason::Purged,
        archived_at: None,
        found_at: at(100),
    };
    let mut page = lease.begin(&test.database).await.unwrap();
    stage_deletes(&mut page, contacts, UpkeepLane::Archive, &[purged]).await.unwrap();
    test.execute("UPDATE hubspot_contacts SET last_synced_at = NULL").await;
    assert_eq!(apply_deletes(&mut page, &table, Some(UpkeepLane::Archive), at(100)).await.unwrap(), Some(1));
    page.commit().await.unwrap();

    assert_eq!(load_conflict(&test.database, erased).await.unwrap(), None);
    assert_eq!(conflict_steps(&test.database, erased).await.unwrap(), []);
    assert!(load_conflict(&test.database, kept).await.unwrap().is_some());
    assert_eq!(conflict_steps(&test.database, kept).await.unwrap().len(), 1);
    let log = test.rows("sync_log", &["hubspot_id", "message"], "ORDER BY hubspot_id").await;
    assert_eq!(log, ["-|-", "10|-", "20|Köln is no city"]);
}

/// The row 1 with a city in conflict, as a person was asked about it.
async fn in_conflict(test: &TestDatabase, about: &Disagreement) -> i64 {
    test.execute(
        "INSERT INTO hubspot_contacts (hubspot_id, sync_status, properties_json, base_properties_json, \
         remote_properties_json, archived, archived_at) VALUES (10, 'conflict', \
         '{\"city\":\"Köln\",\"phone\":\"1\"}', '{}', '{\"city\":\"Unseen\"}', 1, '2026-01-01')",
    )
    .await;
    open(test, &contact(1), about, 0).await.0
}

#[tokio::test]
async fn what_is_decided_is_decided_about_the_values_that_were_shown() {
    let contacts = [ObjectType::named("contacts").unwrap()];
    let columns = ["properties_json", "base_properties_json", "archived", "sync_status"];
    let local_wins = [r#"{"city":"Köln","phone":"1"}|{"city":"Bonn"}|1|pending"#];
    let hubspot_wins = [r#"{"city":"Bonn","phone":"1"}|{"city":"Bonn"}|1|pending"#];
    let restored = [r#"{"city":"Bonn","phone":"1"}|{"city":"Bonn"}|0|pending"#];
    for (kind, resolution, expected) in [
        (ConflictKind::Fields, Resolution::KeepLocal, local_wins),
        (ConflictKind::Fields, Resolution::KeepHubSpot, hubspot_wins),
        (ConflictKind::DeletedHere, Resolution::KeepLocal, local_wins),
        (ConflictKind::DeletedHere, Resolution::KeepHubSpot, restored),
    ] {
        let test = TestDatabase::migrated().await;
        let id = in_conflict(&test, &Disagreement { kind, ..about_city("Bonn") }).await;
        resolve_conflict(&test.database, &contacts, id, &resolution, "eve").await.unwrap();
        assert_eq!(test.rows("hubspot_contacts", &columns, "").await, expected, "{kind} {resolution:?}");
    }
}

#[tokio::test]
async fn nothing_is_decided_about_a_row_that_was_edited_meanwhile() {
    let contacts = [ObjectType::named("contacts").unwrap()];
    for (kind, edit) in [
        (ConflictKind::Fields, "properties_json = '{\"city\":\"Ulm\"}'"),
        (ConflictKind::DeletedHere, "archived = 0, archived_at = NULL"),
    ] {
        let test = TestDatabase::migrated().await;
        let id = in_conflict(&test, &Disagreement { kind, ..about_city("Bonn") }).await;
        test.execute(&format!("UPDATE hubspot_contacts SET {edit}")).await;
        let refused =
            resolve_conflict(&test.database, &contacts, id, &Resolution::KeepLocal, "eve").await.unwrap_err();
        assert!(refused.to_string().ends_with("changed meanwhile; look at it again"), "{refused}");
        assert_eq!(test.rows("conflicts", &["status"], "").await, ["pending"]);
    }
}

/// Row 1, whose record 10 was merged into 20, the one of row 2, with a conflict over the city in both rows.
async fn merged(test: &TestDatabase) -> i64 {
    test.execute(
        "INSERT INTO hubspot_contacts (hubspot_id, sync_status, properties_json, base_properties_json) VALUES \
         (10, 'conflict', '{\"city\":\"Köln\",\"phone\":\"1\"}', '{\"phone\":\"1\"}'), \
         (20, 'synced', '{\"city\":\"Bonn\",\"zip\":\"2\"}', NULL)",
    )
    .await;
    test.execute("INSERT INTO hubspot_merges (object_type, old_id, survivor_id) VALUES ('contacts', 10, 20)")
        .await;
    open(test, &contact(1), &Disagreement { kind: ConflictKind::Merged, ..about_city("Bonn") }, 0).await.0
}

/// Of both rows what they hold, what it is an edit of, and how they stand.
async fn both_rows(test: &TestDatabase) -> Vec<String> {
    let columns = ["properties_json", "base_properties_json", "archived", "sync_status"];
    test.rows("hubspot_contacts", &columns, "ORDER BY id").await
}

#[tokio::test]
async fn what_is_kept_of_a_merged_record_is_an_edit_of_its_survivor() {
    let contacts = [ObjectType::named("contacts").unwrap()];
    let field = |choice| Resolution::Fields(BTreeMap::from([("city".to_owned(), choice)]));
    // What HubSpot has by now is for the push to find out: the edit is one of what was shown.
    for (resolution, before, after) in [
        (Resolution::KeepLocal, "", r#"{"city":"Köln","zip":"2"}|{"city":"Bonn","zip":"2"}|0|pending"#),
        (Resolution::KeepHubSpot, "", r#"{"city":"Bonn","zip":"2"}|-|0|synced"#),
        (
            field(Choice::Value("Ulm".to_owned())),
            "",
            r#"{"city":"Ulm","zip":"2"}|{"city":"Bonn","zip":"2"}|0|pending"#,
        ),
        (field(Choice::Value(String::new())), "", r#"{"zip":"2"}|{"city":"Bonn","zip":"2"}|0|pending"#),
        (
            Resolution::KeepLocal,
            "properties_json = '{\"city\":\"Trier\"}'",
            r#"{"city":"Köln"}|{"city":"Bonn"}|0|pending"#,
        ),
        (
            Resolution::KeepLocal,
            "base_properties_json = '{\"city\":\"Hof\"}', sync_status = 'pending'",
            r#"{"city":"Köln","zip":"2"}|{"city":"Hof"}|0|pending"#,
        ),
    ] {
        let test = TestDatabase::migrated().await;
        let id = merged(&test).await;
        if !before.is_empty() {
            test.execute(&format!("UPDATE hubspot_contacts SET {before} WHERE hubspot_id = 20")).await;
        }
        resolve_conflict(&test.database, &contacts, id, &resolution, "eve").await.unwrap();
        let archived = r#"{"phone":"1"}|-|1|synced"#;
        assert_eq!(both_rows(&test).await, [archived, after], "{resolution:?} {before}");
        let jobs = test.number("SELECT COUNT(*) FROM jobs WHERE record_id = 2").await;
        assert_eq!(jobs, i64::from(after.ends_with("pending")), "{resolution:?}");
    }
}

#[tokio::test]
async fn nothing_is_kept_of_a_merged_record_where_there_is_no_place_for_it() {
    let contacts = [ObjectType::named("contacts").unwrap()];
    for (change, reason) in [
        ("DELETE FROM hubspot_contacts WHERE hubspot_id = 20", "has no live row here: keep hubspot"),
        ("UPDATE hubspot_contacts SET archived = 1 WHERE hubspot_id = 20", "keep hubspot"),
        ("DELETE FROM hubspot_merges", "keep hubspot"),
        (
            "UPDATE hubspot_contacts SET properties_json = '{\"city\":\"Kiel\"}', \
             base_properties_json = '{\"city\":\"Hof\"}', sync_status = 'pending' WHERE hubspot_id = 20",
            "changed meanwhile; look at it again",
        ),
    ] {
        let test = TestDatabase::migrated().await;
        let id = merged(&test).await;
        test.execute(change).await;
        let before = both_rows(&test).await;
        let keep =
            async |resolution| resolve_conflict(&test.database, &contacts, id, &resolution, "eve").await;
        let refused = keep(Resolution::KeepLocal).await.unwrap_err();
        assert!(refused.to_string().ends_with(reason), "{refused}");
        assert_eq!(both_rows(&test).await, before, "{change}");
        assert_eq!(keep(Resolution::KeepHubSpot).await.unwrap(), ConflictStatus::KeepHubSpot);
        assert_eq!(both_rows(&test).await[0], r#"{"phone":"1"}|-|1|synced"#, "{change}");
        assert_eq!(both_rows(&test).await[1..], before[1..], "{change}");
    }
}
