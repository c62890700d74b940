//! Rows that were edited here: what comes from HubSpot leaves the edit alone and has it looked at again.

mod linking;

use hubspot_mariadb_connector::clock;
use hubspot_mariadb_connector::model::{ObjectId, ObjectType, Record};
use hubspot_mariadb_connector::storage::{
    ConflictKind, ConflictRecord, DeleteReason, Disagreement, EditedRow, PageOutcome, PendingDelete,
    RowStatus, RowUpdate, UpkeepLane, apply_deletes, lock_edited, open_or_update_conflict, stage_deletes,
    write_row,
};
use serde_json::json;

use super::capture::{Fixture, at, contact};

/// The row with this key.
async fn edited_row(fixture: &Fixture, key: i64) -> EditedRow {
    let mut transaction = fixture.test.sql.begin().await.unwrap();
    lock_edited(&mut transaction, &fixture.table, &[key]).await.unwrap().remove(0)
}

/// The key of the row of a record.
async fn key_of(fixture: &Fixture, id: i64) -> i64 {
    fixture.test.number(&format!("SELECT id FROM hubspot_contacts WHERE hubspot_id = {id}")).await
}

/// Runs a statement as the daemon does.
async fn as_daemon(fixture: &Fixture, sql: &str) {
    let mut transaction = fixture.lease.begin(&fixture.test.database).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
}

/// What of record 1 no copy from HubSpot may change.
const OURS: &str =
    "CONCAT_WS('|', city, properties_json, base_properties_json, version, last_modified_local, archived)";

/// Record 1 with an edit whose job is done, in this state.
async fn waiting(status: RowStatus) -> Fixture {
    let fixture = Fixture::new().await;
    fixture.edit("city = 'Bonn'").await;
    as_daemon(&fixture, &format!("UPDATE hubspot_contacts SET sync_status = '{status}'")).await;
    as_daemon(&fixture, "DELETE FROM jobs").await;
    fixture
}

const EDITED: [RowStatus; 3] = [RowStatus::Pending, RowStatus::Conflict, RowStatus::Error];

#[tokio::test]
async fn a_newer_copy_is_set_aside_and_wakes_the_row() {
    for status in EDITED {
        let fixture = waiting(status).await;
        let ours = fixture.of(OURS).await;
        let outcome = fixture.store(&[contact(1, 20, &[("city", "Kiel"), ("phone", "12")])]).await;
        assert_eq!(outcome, PageOutcome { updated: 1, ..PageOutcome::default() }, "{status}");
        assert_eq!(fixture.of(OURS).await, ours, "{status}");
        assert_eq!(fixture.state().await, "pending|2|push 1", "{status}");
        assert_eq!(fixture.of("remote_properties_json").await, r#"{"city":"Kiel","phone":"12"}"#);
        assert_eq!(fixture.of("hubspot_updated_at").await, "2026-05-28 20:26:40.020");
        let again = fixture.store(&[contact(1, 20, &[("city", "Kiel"), ("phone", "12")])]).await;
        assert_eq!(again, PageOutcome { unchanged: 1, ..PageOutcome::default() });
        assert_eq!(fixture.store(&[contact(1, 15, &[])]).await.unchanged, 1, "an older one is nothing new");
        assert_eq!(fixture.state().await, "pending|2|push 1", "{status}");
    }
}

#[tokio::test]
async fn a_copy_that_says_nothing_new_lets_the_row_wait() {
    for status in EDITED {
        let fixture = waiting(status).await;
        let known = contact(1, 10, &super::capture::VALUES);
        assert_eq!(fixture.store(&[known]).await, PageOutcome { unchanged: 1, ..PageOutcome::default() });
        assert_eq!(fixture.state().await, format!("{status}|2|-"));
        assert_eq!(fixture.of("remote_properties_json").await, "-");
    }
}

#[tokio::test]
async fn that_the_record_lies_in_the_recycle_bin_wakes_the_row() {
    for status in EDITED {
        let fixture = waiting(status).await;
        let ours = fixture.of(OURS).await;
        let read_at = clock::now() + chrono::TimeDelta::seconds(1);
        let deleted = Record { archived: true, archived_at: Some(at(30)), read_at, ..contact(1, 10, &[]) };
        fixture.store(&[deleted]).await;
        assert_eq!(fixture.of(OURS).await, ours, "{status}");
        assert_eq!(fixture.state().await, "pending|2|push 1", "{status}");
        assert_eq!(fixture.of("remote_properties_json").await, "-", "its content is no newer");
    }
}

/// Applies a delete the archive lane has found, of record 1.
async fn delete(fixture: &Fixture, reason: DeleteReason) -> Option<u64> {
    let contacts = ObjectType::named("contacts").unwrap();
    let found_at = clock::now() + chrono::TimeDelta::seconds(1);
    let delete = PendingDelete { id: ObjectId(1), reason, archived_at: Some(at(30)), found_at };
    let mut page = fixture.lease.begin(&fixture.test.database).await.unwrap();
    stage_deletes(&mut page, contacts, UpkeepLane::Archive, &[delete]).await.unwrap();
    let marked = apply_deletes(&mut page, &fixture.table, Some(UpkeepLane::Archive), at(100)).await.unwrap();
    page.commit().await.unwrap();
    marked
}

#[tokio::test]
async fn a_delete_in_hubspot_wakes_the_row_and_marks_nothing() {
    for status in EDITED {
        let fixture = waiting(status).await;
        let ours = fixture.of(OURS).await;
        assert_eq!(delete(&fixture, DeleteReason::Archived).await, Some(0), "{status}");
        assert_eq!(fixture.of(OURS).await, ours, "{status}");
        assert_eq!(fixture.state().await, "pending|2|push 1", "{status}");
        assert_eq!(fixture.test.number("SELECT COUNT(*) FROM pending_deletes").await, 0);
    }
}

#[tokio::test]
async fn a_merge_in_hubspot_wakes_the_row_and_marks_nothing() {
    for status in EDITED {
        let fixture = waiting(status).await;
        let ours = fixture.of(OURS).await;
        fixture.store(&[contact(2, 20, &[("hs_merged_object_ids", "1")])]).await;
        assert_eq!(fixture.of(OURS).await, ours, "{status}");
        assert_eq!(fixture.state().await, "pending|2|push 1", "{status}");
        let merges = fixture.test.rows("hubspot_merges", &["old_id", "survivor_id"], "").await;
        assert_eq!(merges, ["1|2"]);
    }
}

#[tokio::test]
async fn of_an_erased_contact_its_edits_do_not_stay_either() {
    for status in EDITED {
        let fixture = waiting(status).await;
        fixture.store(&[contact(1, 20, &[("city", "Kiel")])]).await;
        let key = key_of(&fixture, 1).await;
        let sql = format!(
            "UPDATE hubspot_contacts SET sync_status = '{status}', sync_error = 'Bonn is no city' WHERE id = {key}"
        );
        as_daemon(&fixture, &sql).await;
        as_daemon(&fixture, "UPDATE jobs SET state = 'dead', last_error = 'Bonn is no city'").await;
        let record = ConflictRecord {
            object_type: "contacts".to_owned(),
            row_id: Some(key),
            hubspot_id: Some(ObjectId(1)),
        };
        let city = |value: &str| [("city".to_owned(), Some(value.to_owned()))].into_iter().collect();
        let about = Disagreement {
            kind: ConflictKind::Fields,
            fields: vec!["city".to_owned()],
            base: city("Ulm"),
            local: city("Bonn"),
            hubspot: city("Kiel"),
            sources: std::collections::BTreeMap::new(),
        };
        let mut page = fixture.lease.begin(&fixture.test.database).await.unwrap();
        open_or_update_conflict(&mut page, &record, &about, "daemon", at(20)).await.unwrap();
        page.commit().await.unwrap();

        assert_eq!(delete(&fixture, DeleteReason::Purged).await, Some(1), "{status}");

        let left = "CONCAT_WS('|', sync_status, archived, purged_at IS NOT NULL, properties_json, \
                    COALESCE(base_properties_json, '-'), COALESCE(remote_properties_json, '-'), \
                    COALESCE(sync_error, '-'), COALESCE(email, '-'), COALESCE(city, '-'))";
        assert_eq!(fixture.of(left).await, "synced|1|1|{}|-|-|-|-|-", "{status}");
        for table in ["conflicts", "conflict_audit", "jobs", "pending_deletes"] {
            assert_eq!(fixture.test.number(&format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
        }
    }
}

#[tokio::test]
async fn what_became_of_an_edit_is_written_with_its_columns() {
    let fixture = Fixture::new().await;
    fixture.edit("city = 'Bonn'").await;
    let key = key_of(&fixture, 1).await;
    let write = async |update: RowUpdate<'_>| {
        let mut page = fixture.lease.begin(&fixture.test.database).await.unwrap();
        write_row(&mut page, &fixture.table, &update, at(50)).await.unwrap();
        page.commit().await.unwrap();
    };
    let copy =
        contact(1, 40, &[("city", "Bonn"), ("Score-2", "2.5"), ("vip", "false"), ("seen", "2026-01-01")]);
    let row = "CONCAT_WS('|', sync_status, version, city, `Score-2`, vip, seen, COALESCE(email, '-'), \
               COALESCE(JSON_COMPACT(base_properties_json), '-'), COALESCE(JSON_COMPACT(remote_properties_json), '-'), \
               hubspot_updated_at, COALESCE(archived_at, '-'), COALESCE(sync_error, '-'))";
    let update = RowUpdate {
        key,
        status: RowStatus::Error,
        content: &copy.properties,
        base: Some(&copy.properties),
        copy: Some(&copy),
        archived_at: Some(at(45)),
        error: Some("no"),
        has_news: false,
    };
    write(update).await;
    let document = r#"{"Score-2":"2.5","city":"Bonn","seen":"2026-01-01","vip":"false"}"#;
    let values = "2|Bonn|2.500000000000|0|2026-01-01 00:00:00.000|-";
    let times = "2026-05-28 20:26:40.040";
    let expected = format!("error|{values}|{document}|{document}|{times}|2026-05-28 20:26:40.045|no");
    assert_eq!(fixture.of(row).await, expected);

    write(RowUpdate { status: RowStatus::Synced, base: None, archived_at: None, error: None, ..update })
        .await;
    assert_eq!(fixture.of(row).await, format!("synced|{values}|-|-|{times}|-|-"));
    assert_eq!(fixture.edited().await, json!({}));
    assert_eq!(fixture.store(&[copy]).await.unchanged, 1, "it is known with its digest");
    assert_eq!(fixture.state().await, "synced|2|push 1", "the job is for its worker to settle");
}
