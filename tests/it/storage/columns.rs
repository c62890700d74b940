//! Typed columns: made, filled, changed, and left out where they cannot be had.

use hubspot_mariadb_connector::clock;
use hubspot_mariadb_connector::model::{ObjectId, ObjectType, Property, Record};
use hubspot_mariadb_connector::storage::{
    Lease, LeaseKeeper, MirrorTable, StorageError, TableChanges, TypedColumns, migrate, store_catalogue,
    store_records,
};
use serde_json::json;

use crate::support::database::TestDatabase;

/// A property definition.
fn property(name: &str, data_type: &str, field_type: &str) -> Property {
    Property {
        name: name.into(),
        label: name.into(),
        data_type: data_type.into(),
        field_type: field_type.into(),
        group_name: "group".into(),
        description: String::new(),
        calculated: false,
        read_only: false,
        has_unique_value: false,
        hidden: false,
        hubspot_defined: false,
        options: json!([]),
        updated_at: None,
    }
}

/// Contacts whose JSON holds values no column shows yet, and the right to change them.
struct Fixture {
    test: TestDatabase,
    contacts: &'static ObjectType,
    lease: Lease,
}

impl Fixture {
    /// `count` contacts with the HubSpot ids from 1 on.
    async fn with_contacts(count: usize) -> Self {
        let test = TestDatabase::migrated().await;
        test.execute(&format!(
            "INSERT INTO hubspot_contacts (hubspot_id, properties_json) \
             SELECT seq, CONCAT('{{\"score\":\"', seq, '.5\",\"note\":\"n', seq, '\",\"when\":\"soon\"}}') \
             FROM seq_1_to_{count}"
        ))
        .await;
        let keeper = LeaseKeeper::new(test.database.clone(), "test".into());
        let lease = keeper.acquire("account").await.unwrap().unwrap();
        Self { test, contacts: ObjectType::named("contacts").unwrap(), lease }
    }

    /// What the start of a run does that may change tables.
    async fn prepare(&self, wanted: &[&str], catalogue: &[Property]) -> MirrorTable {
        let wanted = names(wanted);
        let columns = TypedColumns::new(&self.test.database, self.contacts, &wanted, catalogue);
        columns.define(TableChanges::All(&self.lease)).await.unwrap();
        columns.complete(&self.lease, go_on).await.unwrap()
    }

    /// What `migrate` does beside a daemon.
    async fn add_beside_a_run(&self, wanted: &[&str], catalogue: &[Property]) -> Vec<String> {
        let wanted = names(wanted);
        let columns = TypedColumns::new(&self.test.database, self.contacts, &wanted, catalogue);
        columns.define(TableChanges::Additions).await.unwrap();
        columns.incomplete().await.unwrap()
    }

    /// What the start of a run does that may not change tables.
    async fn complete(&self) -> MirrorTable {
        let columns = TypedColumns::new(&self.test.database, self.contacts, &[], &[]);
        columns.define(TableChanges::Nothing).await.unwrap();
        columns.complete(&self.lease, go_on).await.unwrap()
    }

    /// Stores contacts with the given note, as a page of a run that knows `table`.
    async fn store(&self, table: &MirrorTable, notes: &[(i64, &str)]) {
        let record = |(id, note): &(i64, &str)| {
            let email = format!("c{id}@example.test");
            let (created_at, updated_at) = (clock::now(), clock::now());
            Record {
                id: ObjectId(*id),
                properties: [("note", *note), ("email", &email)].into_iter().collect(),
                created_at,
                updated_at,
                archived: false,
                archived_at: None,
                read_at: chrono::DateTime::default(),
            }
        };
        let mut transaction = self.lease.begin(&self.test.database).await.unwrap();
        let records: Vec<_> = notes.iter().map(record).collect();
        store_records(&mut transaction, table, &records, &[]).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// The contacts whose column is not what their JSON says.
    async fn wrong(&self, column: &str) -> Vec<String> {
        let condition = format!("WHERE NOT {column} <=> JSON_VALUE(properties_json, '$.{column}')");
        self.test.rows("hubspot_contacts", &["hubspot_id", column], &condition).await
    }

    /// The columns that are not complete, as a person sees them.
    async fn marks(&self) -> Vec<String> {
        self.test
            .rows("column_fills", &["object_type", "column_name", "filled_to"], "ORDER BY column_name")
            .await
    }

    /// The SQL type of a column of the contacts, `-` when there is none.
    async fn sql_type(&self, column: &str) -> String {
        let sql = format!(
            "SELECT MAX(column_type) FROM information_schema.columns WHERE table_schema = DATABASE() \
             AND table_name = 'hubspot_contacts' AND column_name = '{column}'"
        );
        self.test.value(&sql).await
    }
}

/// Nothing stops the fill.
#[expect(clippy::unnecessary_wraps, reason = "the shape of the question a run is asked")]
fn go_on() -> Result<(), StorageError> {
    Ok(())
}

/// The three properties the contacts hold.
fn catalogue() -> Vec<Property> {
    vec![
        property("score", "number", "number"),
        property("note", "string", "text"),
        property("when", "date", "date"),
    ]
}

/// Shorthand for owned names.
fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn a_new_column_is_filled_from_stored_json() {
    let fixture = Fixture::with_contacts(1203).await;
    fixture.prepare(&["score", "note"], &catalogue()).await;
    assert!(fixture.wrong("score").await.is_empty());
    assert!(fixture.wrong("note").await.is_empty());
    assert_eq!(fixture.sql_type("score").await, "decimal(38,12)");
    assert_eq!(fixture.sql_type("note").await, "text");
    assert!(fixture.marks().await.is_empty());
}

#[tokio::test]
async fn values_that_do_not_fit_a_new_column_are_recorded() {
    let fixture = Fixture::with_contacts(2).await;
    fixture.prepare(&["when"], &catalogue()).await;
    assert_eq!(fixture.test.rows("hubspot_contacts", &["`when`"], "").await, ["-", "-"]);
    let recorded = fixture.test.rows("quarantine", &["record_key", "property", "raw"], "ORDER BY 1").await;
    assert_eq!(recorded, ["1|when|soon", "2|when|soon"]);
}

#[tokio::test]
async fn long_texts_are_filled_whatever_they_weigh_together() {
    let fixture = Fixture::with_contacts(1).await;
    // 30 MB; a statement takes 16.
    fixture
        .test
        .execute(
            "INSERT INTO hubspot_contacts (hubspot_id, properties_json) \
             SELECT seq, JSON_OBJECT('note', REPEAT('x', 60000)) FROM seq_1001_to_1500",
        )
        .await;
    fixture.prepare(&["note"], &catalogue()).await;
    let filled = "SELECT COUNT(*) FROM hubspot_contacts WHERE LENGTH(note) = 60000";
    assert_eq!(fixture.test.value(filled).await, "500");
}

#[tokio::test]
async fn a_column_added_beside_a_run_is_filled_by_the_next_run() {
    let fixture = Fixture::with_contacts(700).await;
    let table_of_the_run = fixture.complete().await;
    let incomplete = fixture.add_beside_a_run(&["note"], &catalogue()).await;
    assert_eq!(incomplete, ["note"]);
    // The run goes on: it rewrites rows and adds others, and knows nothing of the column.
    fixture.store(&table_of_the_run, &[(3, "rewritten"), (9001, "new")]).await;

    let table = fixture.complete().await;

    assert!(fixture.wrong("note").await.is_empty());
    assert!(fixture.marks().await.is_empty());
    fixture.store(&table, &[(4, "with the column"), (9002, "too")]).await;
    assert!(fixture.wrong("note").await.is_empty());
}

#[tokio::test]
async fn a_fill_that_was_stopped_goes_on_where_it_was() {
    let fixture = Fixture::with_contacts(160).await;
    let batches = std::cell::Cell::new(0);
    let stop_after_two = || {
        batches.set(batches.get() + 1);
        if batches.get() > 2 { Err(StorageError::LeaseLost("stopped".into())) } else { Ok(()) }
    };
    let wanted = names(&["note"]);
    let known = catalogue();
    let columns = TypedColumns::new(&fixture.test.database, fixture.contacts, &wanted, &known);
    columns.define(TableChanges::All(&fixture.lease)).await.unwrap();
    columns.complete(&fixture.lease, stop_after_two).await.unwrap_err();
    let filled = fixture.test.number("SELECT COUNT(*) FROM hubspot_contacts WHERE note IS NOT NULL").await;
    assert!((1..160).contains(&filled), "{filled}");
    let marks = fixture.marks().await;
    assert_eq!(marks.len(), 1, "{marks:?}");

    // What lies behind the mark is not looked at again.
    fixture.test.execute("UPDATE hubspot_contacts SET note = 'kept' WHERE hubspot_id = 1").await;
    fixture.complete().await;
    assert_eq!(fixture.wrong("note").await, ["1|kept"]);
    assert!(fixture.marks().await.is_empty());
}

#[tokio::test]
async fn a_fill_changes_rows_and_never_the_table() {
    let fixture = Fixture::with_contacts(10).await;
    fixture.add_beside_a_run(&["note"], &catalogue()).await;
    // Whoever reads in a transaction holds off every change of the table.
    let mut reader = fixture.test.sql.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM hubspot_contacts LIMIT 1").fetch_one(&mut *reader).await.unwrap();
    fixture.complete().await;
    reader.rollback().await.unwrap();
    assert!(fixture.wrong("note").await.is_empty());
    assert!(fixture.marks().await.is_empty());
}

#[tokio::test]
async fn who_has_lost_the_lease_fills_nothing() {
    let fixture = Fixture::with_contacts(10).await;
    fixture.add_beside_a_run(&["note"], &catalogue()).await;
    fixture.test.execute("UPDATE leases SET holder = 'another'").await;
    let columns = TypedColumns::new(&fixture.test.database, fixture.contacts, &[], &[]);
    let refused = columns.complete(&fixture.lease, go_on).await;
    assert!(matches!(refused, Err(StorageError::LeaseLost(_))), "{refused:?}");
    assert_eq!(fixture.marks().await, ["contacts|note|0"]);
}

#[tokio::test]
async fn unknown_reserved_and_forbidden_columns_do_not_stop_the_mirror() {
    let fixture = Fixture::with_contacts(1).await;
    let mut known = catalogue();
    known.push(property("version", "number", "number"));
    fixture.prepare(&["no_such_property", "version", "email"], &known).await;
    let wanted = names(&["score"]);
    let columns = TypedColumns::new(&fixture.test.database, fixture.contacts, &wanted, &known);
    columns.define(TableChanges::Nothing).await.unwrap();
    assert_eq!(fixture.sql_type("no_such_property").await, "-");
    assert_eq!(fixture.sql_type("score").await, "-");
}

#[tokio::test]
async fn a_column_somebody_else_made_is_left_alone() {
    let fixture = Fixture::with_contacts(3).await;
    fixture.test.execute("ALTER TABLE hubspot_contacts ADD COLUMN note INT NULL COMMENT 'ours'").await;
    fixture.test.execute("UPDATE hubspot_contacts SET note = 7").await;
    let table = fixture.prepare(&["note", "score"], &catalogue()).await;
    fixture.store(&table, &[(1, "a text"), (4, "another")]).await;
    let stored = fixture.test.rows("hubspot_contacts", &["hubspot_id", "note"], "ORDER BY 1").await;
    assert_eq!(stored, ["1|7", "2|7", "3|7", "4|-"]);
    assert!(fixture.wrong("score").await.is_empty());
}

#[tokio::test]
async fn a_table_without_room_keeps_the_columns_it_has() {
    let fixture = Fixture::with_contacts(3).await;
    // A row takes 65,535 bytes; this leaves room for one or two short texts of 1,022.
    fixture.test.execute("ALTER TABLE hubspot_contacts ADD COLUMN filler VARCHAR(13000) NULL").await;
    let kinds = ["kind_a", "kind_b", "kind_c", "kind_d"];
    let mut known = catalogue();
    known.extend(kinds.map(|name| property(name, "enumeration", "select")));
    let table = fixture.prepare(&[&kinds[..], &["score"]].concat(), &known).await;
    assert_eq!(fixture.sql_type("kind_d").await, "-", "the test leaves too much room");
    assert!(fixture.wrong("score").await.is_empty());
    fixture.store(&table, &[(1, "still written")]).await;
    assert_eq!(
        fixture.test.value("SELECT email FROM hubspot_contacts WHERE hubspot_id = 1").await,
        "c1@example.test"
    );
}

#[tokio::test]
async fn a_column_that_cannot_be_filled_is_left_out_until_it_can() {
    let fixture = Fixture::with_contacts(5).await;
    fixture.add_beside_a_run(&["note"], &catalogue()).await;
    fixture
        .test
        .execute(
            "CREATE TRIGGER no_update BEFORE UPDATE ON hubspot_contacts FOR EACH ROW \
             IF NEW.note = 'n4' THEN SIGNAL SQLSTATE '45000'; END IF",
        )
        .await;
    let table = fixture.prepare(&["note", "score"], &catalogue()).await;
    fixture.store(&table, &[(9001, "new")]).await;
    assert!(fixture.wrong("score").await.is_empty());
    assert_eq!(fixture.marks().await, ["contacts|note|0"]);

    fixture.test.execute("DROP TRIGGER no_update").await;
    // Left out, the column also missed that a value was cleared.
    fixture
        .test
        .execute("UPDATE hubspot_contacts SET note = 'stale', properties_json = '{}' WHERE hubspot_id = 2")
        .await;
    fixture.complete().await;
    assert!(fixture.wrong("note").await.is_empty());
    assert!(fixture.marks().await.is_empty());
}

#[tokio::test]
async fn a_column_follows_the_type_of_its_property() {
    let fixture = Fixture::with_contacts(30).await;
    let as_text = [property("score", "string", "text")];
    fixture.prepare(&["score"], &as_text).await;
    fixture
        .test
        .execute("UPDATE hubspot_contacts SET properties_json = '{\"score\":\"high\"}' WHERE id = 7")
        .await;
    fixture.test.execute("UPDATE hubspot_contacts SET score = 'high' WHERE id = 7").await;

    fixture.prepare(&["score"], &[property("score", "number", "number")]).await;

    assert_eq!(fixture.sql_type("score").await, "decimal(38,12)");
    let wrong = fixture.test.rows("hubspot_contacts", &["id"], "WHERE NOT score <=> hubspot_id + 0.5").await;
    assert_eq!(wrong, ["7"]);
    let misfits = fixture.test.rows("quarantine", &["record_key", "property", "raw"], "").await;
    assert_eq!(misfits, ["7|score|high"]);

    // And back, without being named any more.
    fixture.prepare(&[], &as_text).await;
    assert_eq!(fixture.sql_type("score").await, "text");
    assert!(fixture.wrong("score").await.is_empty());
    assert_eq!(fixture.test.value("SELECT COUNT(*) FROM quarantine").await, "0");
}

#[tokio::test]
async fn types_do_not_change_beside_a_run() {
    let fixture = Fixture::with_contacts(5).await;
    fixture.prepare(&["score"], &[property("score", "string", "text")]).await;
    let incomplete = fixture.add_beside_a_run(&["score"], &[property("score", "number", "number")]).await;
    assert!(incomplete.is_empty(), "{incomplete:?}");
    assert_eq!(fixture.sql_type("score").await, "text");
}

#[tokio::test]
async fn a_type_that_cannot_change_stays_and_goes_on() {
    let fixture = Fixture::with_contacts(5).await;
    fixture.prepare(&["score"], &[property("score", "string", "text")]).await;
    fixture.test.execute("ALTER TABLE hubspot_contacts ADD CONSTRAINT mine CHECK (score <> note_of_mine OR TRUE), ADD COLUMN note_of_mine TEXT").await;
    let known = [property("score", "number", "number")];
    let columns = TypedColumns::new(&fixture.test.database, fixture.contacts, &[], &known);
    columns.define(TableChanges::All(&fixture.lease)).await.unwrap();
    assert_eq!(fixture.sql_type("score").await, "text");
    assert!(fixture.marks().await.is_empty(), "nothing is to be filled: the column is as it was");
    let table = columns.complete(&fixture.lease, go_on).await.unwrap();
    assert!(fixture.wrong("score").await.is_empty());
    fixture.store(&table, &[(1, "x")]).await;
}

#[tokio::test]
async fn a_default_column_reaches_tables_that_are_older_than_it() {
    let fixture = Fixture::with_contacts(1).await;
    fixture.test.execute("ALTER TABLE hubspot_contacts DROP COLUMN email, DROP COLUMN jobtitle").await;
    let json = r#"{"email":"a@example.test","jobtitle":"Pilot"}"#;
    fixture.test.execute(&format!("UPDATE hubspot_contacts SET properties_json = '{json}'")).await;
    // As at the first start of a newer version: the tables are there, the catalogue is that of the last run.
    migrate(&fixture.test.database, &[fixture.contacts]).await.unwrap();
    fixture.prepare(&[], &[]).await;
    assert_eq!(
        fixture.test.rows("hubspot_contacts", &["email", "jobtitle"], "").await,
        ["a@example.test|Pilot"]
    );
    let indexes = "SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = DATABASE() \
                   AND table_name = 'hubspot_contacts' AND column_name = 'email' AND index_name = 'by_email'";
    assert_eq!(fixture.test.value(indexes).await, "1");
}

#[tokio::test]
async fn an_index_survives_a_change_of_type() {
    let fixture = Fixture::with_contacts(5).await;
    fixture
        .test
        .execute("ALTER TABLE hubspot_contacts MODIFY email CHAR(3) NULL COMMENT 'HubSpot property email'")
        .await;
    fixture.prepare(&[], &[]).await;
    assert_eq!(fixture.sql_type("email").await, "varchar(255)");
    let indexes = "SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = DATABASE() \
                   AND table_name = 'hubspot_contacts' AND column_name = 'email'";
    assert_eq!(fixture.test.value(indexes).await, "1");
}

#[tokio::test]
async fn the_catalogue_follows_hubspot() {
    let test = TestDatabase::migrated().await;
    let contacts = ObjectType::named("contacts").unwrap();
    store_catalogue(&test.database, &test.lease().await, contacts, &catalogue()).await.unwrap();
    let mut later = catalogue();
    later.remove(0);
    later[0].label = "Renamed".into();
    later.push(property("fresh", "bool", "booleancheckbox"));
    store_catalogue(&test.database, &test.lease().await, contacts, &later).await.unwrap();
    let stored = || test.rows("hubspot_properties", &["name", "label", "archived"], "ORDER BY name");
    assert_eq!(stored().await, ["fresh|fresh|0", "note|Renamed|0", "score|score|1", "when|when|0"]);

    store_catalogue(&test.database, &test.lease().await, contacts, &catalogue()).await.unwrap();
    assert_eq!(stored().await, ["fresh|fresh|1", "note|note|0", "score|score|0", "when|when|0"]);
}
