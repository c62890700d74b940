//! Writing pages.

use chrono::{DateTime, TimeDelta, Utc};
use hubspot_mariadb_connector::model::{ObjectId, ObjectType, Record, RejectedRecord};
use hubspot_mariadb_connector::storage::{
    Lease, MirrorTable, PageOutcome, StoredVersion, load_mirror_table, store_records, stored_versions,
};

use crate::support::database::TestDatabase;

/// The time the tests count from.
fn at(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_780_000_000_000 + millis).unwrap()
}

/// A contact as HubSpot would send it.
fn contact(id: i64, version: i64, properties: &[(&str, &str)]) -> Record {
    Record {
        id: ObjectId(id),
        properties: properties
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        created_at: at(0),
        updated_at: at(version),
        archived: false,
        archived_at: None,
        read_at: DateTime::UNIX_EPOCH,
    }
}

/// A database, the contacts table, and the right to write.
struct Fixture {
    test: TestDatabase,
    table: MirrorTable,
    lease: Lease,
}

impl Fixture {
    async fn new() -> Self {
        let test = TestDatabase::migrated().await;
        let contacts = ObjectType::named("contacts").unwrap();
        let table = load_mirror_table(&test.database, contacts).await.unwrap();
        let lease = test.lease().await;
        Self { test, table, lease }
    }

    async fn store(&self, records: &[Record]) -> PageOutcome {
        self.store_with(records, &[]).await
    }

    async fn store_with(&self, records: &[Record], rejected: &[RejectedRecord]) -> PageOutcome {
        let mut transaction = self.lease.begin(&self.test.database).await.unwrap();
        let outcome = store_records(&mut transaction, &self.table, records, rejected).await.unwrap().outcome;
        transaction.commit().await.unwrap();
        outcome
    }

    async fn contacts(&self, columns: &[&str]) -> Vec<String> {
        self.test.rows("hubspot_contacts", columns, "ORDER BY hubspot_id").await
    }

    async fn quarantine(&self) -> Vec<String> {
        self.test.rows("quarantine", &["record_key", "property", "raw", "attempts"], "ORDER BY 1").await
    }
}

#[tokio::test]
async fn a_page_is_sorted_into_new_changed_unchanged_and_older() {
    let fixture = Fixture::new().await;
    let first = [1, 2, 3].map(|id| contact(id, 10, &[("email", "before@example.test")]));
    let outcome = fixture.store(&first).await;
    assert_eq!(outcome, PageOutcome { inserted: 3, ..PageOutcome::default() });

    let second = [
        contact(4, 20, &[("email", "new@example.test")]),
        contact(1, 20, &[("email", "after@example.test")]),
        contact(2, 10, &[("email", "before@example.test")]),
        contact(3, 5, &[("email", "older@example.test")]),
    ];
    let outcome = fixture.store(&second).await;
    assert_eq!(outcome, PageOutcome { inserted: 1, updated: 1, unchanged: 2, ..PageOutcome::default() });
    assert_eq!(
        fixture.contacts(&["hubspot_id", "email", "JSON_VALUE(properties_json, '$.email')"]).await,
        [
            "1|after@example.test|after@example.test",
            "2|before@example.test|before@example.test",
            "3|before@example.test|before@example.test",
            "4|new@example.test|new@example.test",
        ]
    );
}

#[tokio::test]
async fn an_unchanged_record_is_not_written() {
    let fixture = Fixture::new().await;
    let page: Vec<_> = (1..=250).map(|id| contact(id, 10, &[("lastname", "Same")])).collect();
    fixture.store(&page).await;
    fixture
        .test
        .execute("UPDATE hubspot_contacts SET last_synced_at = '2000-01-01', updated_at = '2000-01-01'")
        .await;

    let outcome = fixture.store(&page).await;

    assert_eq!(outcome, PageOutcome { unchanged: 250, ..PageOutcome::default() });
    let touched = "SELECT COUNT(*) FROM hubspot_contacts WHERE updated_at > '2000-01-01'";
    assert_eq!(fixture.test.value(touched).await, "0");
}

#[tokio::test]
async fn a_rewritten_row_keeps_its_local_key_and_burns_none() {
    let fixture = Fixture::new().await;
    fixture.store(&[contact(7, 1, &[]), contact(8, 1, &[])]).await;
    let keys = fixture.contacts(&["id"]).await;
    for version in 2..30 {
        fixture.store(&[contact(7, version, &[("city", "Bonn")]), contact(8, version, &[])]).await;
    }
    fixture.store(&[contact(9, 1, &[])]).await;
    let after = fixture.contacts(&["id"]).await;
    assert_eq!(after[..2], keys[..]);
    let next: i64 = keys[1].parse().unwrap();
    assert_eq!(after[2], (next + 1).to_string());
}

#[tokio::test]
async fn a_calculated_value_that_changes_without_a_new_version_is_written() {
    let fixture = Fixture::new().await;
    fixture.store(&[contact(1, 10, &[("city", "Bonn")])]).await;
    let outcome = fixture.store(&[contact(1, 10, &[("city", "Köln")])]).await;
    assert_eq!(outcome.updated, 1);
    assert_eq!(fixture.contacts(&["city"]).await, ["Köln"]);
}

#[tokio::test]
async fn of_two_copies_in_one_page_the_newer_one_counts() {
    let fixture = Fixture::new().await;
    let page = [contact(1, 20, &[("city", "new")]), contact(1, 10, &[("city", "old")])];
    assert_eq!(fixture.store(&page).await.inserted, 1);
    assert_eq!(fixture.contacts(&["city"]).await, ["new"]);
}

#[tokio::test]
async fn cleared_values_leave_the_json_and_the_column() {
    let fixture = Fixture::new().await;
    fixture.store(&[contact(1, 10, &[("city", "Bonn"), ("phone", "+49")])]).await;
    fixture.store(&[contact(1, 20, &[("phone", "+49")])]).await;
    assert_eq!(fixture.contacts(&["city", "properties_json"]).await, [r#"-|{"phone":"+49"}"#]);
}

#[tokio::test]
async fn text_survives_byte_for_byte() {
    let fixture = Fixture::new().await;
    let name = "Zoë 😀 O'Brien \"q\" \\ \n\t\u{0} \u{202e} ß";
    fixture.store(&[contact(1, 10, &[("lastname", name)])]).await;
    let (column, json): (String, String) = sqlx::query_as(
        "SELECT lastname, JSON_UNQUOTE(JSON_EXTRACT(properties_json, '$.lastname')) FROM hubspot_contacts",
    )
    .fetch_one(&fixture.test.sql)
    .await
    .unwrap();
    assert_eq!(column, name);
    assert_eq!(json, name);
}

#[tokio::test]
async fn a_value_that_does_not_fit_leaves_null_and_is_recorded_until_it_fits() {
    let fixture = Fixture::new().await;
    let long = "x".repeat(300);
    let page = [
        contact(1, 10, &[("lastname", &long), ("hubspot_owner_id", "nobody")]),
        contact(2, 10, &[("lastname", "fits")]),
    ];
    assert_eq!(fixture.store(&page).await, PageOutcome { inserted: 2, ..PageOutcome::default() });
    assert_eq!(fixture.contacts(&["lastname", "hubspot_owner_id"]).await, ["-|-", "fits|-"]);
    let raw = fixture.contacts(&["JSON_VALUE(properties_json, '$.lastname')"]).await;
    assert_eq!(raw[0], long, "the raw value stays in the JSON");
    assert_eq!(
        fixture.quarantine().await,
        ["1|hubspot_owner_id|nobody|1".to_owned(), format!("1|lastname|{long}|1")]
    );

    fixture.store(&[contact(1, 20, &[("lastname", "short"), ("hubspot_owner_id", "12")])]).await;
    assert_eq!(fixture.contacts(&["lastname", "hubspot_owner_id"]).await, ["short|12", "fits|-"]);
    assert!(fixture.quarantine().await.is_empty());
}

#[tokio::test]
async fn a_record_mariadb_refuses_is_quarantined_and_the_others_are_stored() {
    let fixture = Fixture::new().await;
    let mut poison = contact(50, 10, &[("city", "Bonn")]);
    poison.created_at = "+12026-01-01T00:00:00Z".parse().unwrap();
    let mut page: Vec<_> = (1..=100).filter(|id| *id != 50).map(|id| contact(id, 10, &[])).collect();
    page.push(poison);

    let outcome = fixture.store(&page).await;

    assert_eq!(outcome, PageOutcome { inserted: 99, quarantined: 1, ..PageOutcome::default() });
    assert_eq!(fixture.test.value("SELECT COUNT(*) FROM hubspot_contacts WHERE hubspot_id = 50").await, "0");
    assert_eq!(fixture.quarantine().await, [r#"50||{"city":"Bonn"}|1"#]);

    fixture.store(&page).await;
    assert_eq!(fixture.quarantine().await, [r#"50||{"city":"Bonn"}|2"#], "tried again, and counted");

    fixture.store(&[contact(50, 20, &[])]).await;
    assert!(fixture.quarantine().await.is_empty(), "a record that is well again leaves the quarantine");
}

#[tokio::test]
async fn a_record_too_large_for_a_row_is_quarantined_with_its_beginning() {
    let fixture = Fixture::new().await;
    let huge = "x".repeat(8 * 1024 * 1024);
    let page = [contact(1, 10, &[("city", "Bonn")]), contact(2, 10, &[("message", &huge)])];
    let outcome = fixture.store(&page).await;
    assert_eq!(outcome, PageOutcome { inserted: 1, quarantined: 1, ..PageOutcome::default() });
    let kept = fixture.test.rows("quarantine", &["record_key", "LENGTH(raw)"], "").await;
    assert_eq!(kept, [format!("2|{}", 1024 * 1024)]);
}

#[tokio::test]
async fn records_that_cannot_be_understood_are_kept_as_they_came() {
    let fixture = Fixture::new().await;
    let reject =
        |id: &str, raw: &str| RejectedRecord { id: id.into(), reason: "bad".into(), raw: raw.into() };
    let rejected = [reject("7", "{broken"), reject("", "no id at all")];
    for _ in 0..2 {
        let outcome = fixture.store_with(&[contact(1, 10, &[])], &rejected).await;
        assert_eq!(outcome.quarantined, 2);
    }
    let quarantine = fixture.quarantine().await;
    assert_eq!(quarantine[0], "7||{broken|2");
    assert!(
        quarantine[1].starts_with("sha256:") && quarantine[1].ends_with("||no id at all|2"),
        "{quarantine:?}"
    );
}

#[tokio::test]
async fn a_record_served_whole_again_in_the_same_version_leaves_the_quarantine() {
    let fixture = Fixture::new().await;
    let long = "x".repeat(300);
    let whole = [contact(7, 10, &[("lastname", &long)])];
    fixture.store(&whole).await;
    let garbled = RejectedRecord { id: "7".into(), reason: "garbled".into(), raw: "{".into() };
    fixture.store_with(&[], &[garbled]).await;
    assert_eq!(fixture.quarantine().await.len(), 2);

    assert_eq!(fixture.store(&whole).await.unchanged, 1);

    let left = fixture.quarantine().await;
    assert_eq!(left, [format!("7|lastname|{long}|1")], "the value still does not fit, the record is well");
}

#[tokio::test]
async fn stored_versions_name_what_is_held_and_nothing_else() {
    let fixture = Fixture::new().await;
    fixture.store(&(1..=150).map(|id| contact(id, id, &[])).collect::<Vec<_>>()).await;
    let asked: Vec<_> = (149..=400).map(ObjectId).collect();
    let mut held = stored_versions(&fixture.test.database, &fixture.table, &asked).await.unwrap();
    held.sort_by_key(|version| version.id);
    let version = |version: &StoredVersion| (version.id.0, version.updated_at, version.synced_at.is_some());
    let expected = |id| (id, Some(at(0) + TimeDelta::milliseconds(id)), true);
    assert_eq!(held.iter().map(version).collect::<Vec<_>>(), [expected(149), expected(150)]);
}

#[tokio::test]
async fn an_edit_by_hand_is_checked_although_pages_are_not() {
    let fixture = Fixture::new().await;
    let mut transaction = fixture.lease.begin(&fixture.test.database).await.unwrap();
    store_records(&mut transaction, &fixture.table, &[contact(1, 10, &[])], &[]).await.unwrap();
    for edit in ["properties_json = '{'", "sync_status = 'perhaps'"] {
        let sql = format!("UPDATE hubspot_contacts SET {edit}");
        let refused = sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *transaction).await.unwrap_err();
        // ER_CONSTRAINT_FAILED. Source: MariaDB, "MariaDB Error Codes".
        assert_eq!(
            refused.as_database_error().unwrap().code().as_deref(),
            Some("23000"),
            "{edit}: {refused}"
        );
        assert!(refused.to_string().contains("CONSTRAINT"), "{edit}: {refused}");
    }
}

#[tokio::test]
async fn a_value_another_row_has_in_an_index_of_somebody_elses_costs_neither_row() {
    let fixture = Fixture::new().await;
    fixture.test.execute("ALTER TABLE hubspot_contacts ADD UNIQUE INDEX theirs (email)").await;
    let taken = [("email", "taken@example.test")];
    let first = [contact(1, 10, &taken), contact(3, 10, &[("email", "free@example.test")])];
    fixture.store(&first).await;

    // A new record with the value, and one that changes to it; others beside each.
    let outcome = fixture.store(&[contact(2, 10, &taken), contact(4, 10, &[])]).await;
    assert_eq!(outcome, PageOutcome { inserted: 1, quarantined: 1, ..PageOutcome::default() });
    let outcome = fixture.store(&[contact(3, 20, &taken), contact(4, 20, &[("city", "Bonn")])]).await;
    assert_eq!(outcome, PageOutcome { updated: 1, quarantined: 1, ..PageOutcome::default() });

    let rows = fixture.contacts(&["hubspot_id", "email", "city", "properties_json LIKE '%taken%'"]).await;
    assert_eq!(rows, ["1|taken@example.test|-|1", "3|free@example.test|-|0", "4|-|Bonn|0"]);
    let refused = fixture.test.rows("quarantine", &["record_key", "reason"], "ORDER BY 1").await;
    assert_eq!(refused, ["2|MariaDB refused it: error 1062", "3|MariaDB refused it: error 1062"]);
}

#[tokio::test]
async fn a_foreign_key_of_somebody_elses_stops_only_its_rows() {
    let fixture = Fixture::new().await;
    let test = &fixture.test;
    test.execute("CREATE TABLE theirs (email VARCHAR(50) PRIMARY KEY, contact BIGINT UNIQUE)").await;
    test.execute("INSERT INTO theirs VALUES ('known@example.test', 5)").await;
    test.execute(
        "CREATE TRIGGER theirs BEFORE INSERT ON hubspot_contacts FOR EACH ROW \
         INSERT INTO theirs_too VALUES (NEW.email)",
    )
    .await;
    test.execute(
        "CREATE TABLE theirs_too (email VARCHAR(50), FOREIGN KEY (email) REFERENCES theirs (email))",
    )
    .await;
    let page = [
        contact(1, 10, &[("email", "known@example.test")]),
        contact(2, 10, &[("email", "unknown@example.test")]),
    ];
    let outcome = fixture.store(&page).await;
    assert_eq!(outcome, PageOutcome { inserted: 1, quarantined: 1, ..PageOutcome::default() });
    let refused = test.rows("quarantine", &["record_key", "reason"], "").await;
    assert_eq!(refused, ["2|MariaDB refused it: error 1452"]);
}

#[tokio::test]
async fn a_column_of_somebody_elses_without_a_default_blames_the_rows() {
    let fixture = Fixture::new().await;
    fixture.test.execute("ALTER TABLE hubspot_contacts ADD COLUMN theirs INT NOT NULL").await;
    let outcome = fixture.store(&[contact(1, 10, &[]), contact(2, 10, &[])]).await;
    assert_eq!(outcome, PageOutcome { quarantined: 2, ..PageOutcome::default() });
    let refused = fixture.test.rows("quarantine", &["reason"], "").await;
    assert_eq!(refused, ["MariaDB refused it: error 1364", "MariaDB refused it: error 1364"]);
}

#[tokio::test]
async fn chains_of_merges_lead_to_the_last_survivor_in_any_order_of_arrival() {
    let fixture = Fixture::new().await;
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let cases = [false, true].into_iter().flat_map(|names_all| orders.map(|order| (names_all, order)));
    for (case, (names_all, order)) in cases.enumerate() {
        // The first went into the second and the second into the last, which may name both or the second only.
        let [first, second, last] = [1, 2, 3].map(|record| 10 * case as i64 + record);
        let merged = if names_all { format!("{first};{second};{last}") } else { second.to_string() };
        let chain = [
            contact(first, 10, &[("email", "first@example.test")]),
            contact(second, 20, &[("hs_merged_object_ids", &first.to_string())]),
            contact(last, 30, &[("hs_merged_object_ids", &merged)]),
        ];
        for position in order {
            fixture.store(&chain[position..=position]).await;
        }
        fixture.store(&chain).await;
        let range = format!("BETWEEN {first} AND {last}");
        let links =
            fixture.test.rows("hubspot_merges", &["survivor_id"], &format!("WHERE old_id {range}")).await;
        assert_eq!(links, [last.to_string(), last.to_string()], "{merged}, arrived as {order:?}");
        let condition = format!("WHERE hubspot_id {range} ORDER BY hubspot_id");
        let rows =
            fixture.test.rows("hubspot_contacts", &["archived", "archived_at IS NULL"], &condition).await;
        assert_eq!(rows, ["1|0", "1|0", "0|1"], "{merged}, arrived as {order:?}");
    }
}

#[tokio::test]
async fn a_merged_record_that_arrives_late_is_marked_whoever_else_its_page_shows() {
    let fixture = Fixture::new().await;
    let known = contact(1, 10, &[("hs_merged_object_ids", "2;3")]);
    fixture.store(std::slice::from_ref(&known)).await;
    fixture.store(&[contact(2, 5, &[])]).await;
    fixture.store(&[known, contact(3, 5, &[]), contact(4, 5, &[])]).await;
    let rows =
        fixture.test.rows("hubspot_contacts", &["hubspot_id", "archived"], "ORDER BY hubspot_id").await;
    assert_eq!(rows, ["1|0", "2|1", "3|1", "4|0"]);
}
