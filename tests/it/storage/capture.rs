//! Edits by SQL, as a person with a client makes them: what is captured of them, and what is refused.

mod refusals;
mod rows;
mod sessions;
mod triggers;
mod values;

use chrono::{DateTime, Utc};
use hubspot_mariadb_connector::model::{ObjectId, ObjectType, Properties, Property, Record};
use hubspot_mariadb_connector::storage::{
    Lease, MirrorTable, PageOutcome, StorageError, TableChanges, TypedColumns, ensure_capture,
    store_catalogue, store_records,
};
use serde_json::{Value, json};
use sqlx::{Connection, Executor, MySqlConnection};

use crate::support::database::TestDatabase;

/// The time the tests count from.
pub(super) fn at(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_780_000_000_000 + millis).unwrap()
}

/// A property definition.
pub(super) fn property(name: &str, data_type: &str, field_type: &str) -> Property {
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

/// A choice between these values.
fn choice(name: &str, field_type: &str, values: &[&str]) -> Property {
    let option = |value: &&str| json!({"label": value, "value": value, "hidden": false, "displayOrder": -1});
    let options = values.iter().map(option).collect();
    Property { options, ..property(name, "enumeration", field_type) }
}

/// What the account of the tests knows of contacts. `nickname` and `level` have no column.
fn catalogue() -> Vec<Property> {
    let texts = ["email", "firstname", "lastname", "phone", "city", "state", "country", "nickname"];
    let mut all: Vec<_> = texts.into_iter().map(|name| property(name, "string", "text")).collect();
    all.extend([
        property("remark", "string", "textarea"),
        property("Score-2", "number", "number"),
        property("amount_due", "number", "number"),
        property("level", "number", "number"),
        property("born", "date", "date"),
        property("seen", "datetime", "date"),
        property("vip", "bool", "booleancheckbox"),
        property("hubspot_owner_id", "enumeration", "select"),
        choice("tier", "radio", &["gold", "Silver", "1/2 \"é\""]),
        choice("tags", "checkbox", &["a", "b"]),
        Property { read_only: true, ..property("hs_score", "number", "calculation_score") },
    ]);
    all
}

/// The columns beside those every contacts table has.
const COLUMNS: [&str; 8] = ["remark", "Score-2", "amount_due", "born", "seen", "vip", "tier", "hs_score"];

/// The contacts of a database with typed columns of every kind, whose edits are captured.
pub(super) struct Fixture {
    pub(super) test: TestDatabase,
    pub(super) table: MirrorTable,
    pub(super) lease: Lease,
}

impl Fixture {
    /// With the record 1, which has a value of every kind.
    pub(super) async fn new() -> Self {
        let fixture = Self::on(TestDatabase::migrated().await).await;
        ensure_capture(&fixture.test.database, &fixture.table, true).await.unwrap();
        fixture.store(&[contact(1, 10, &VALUES)]).await;
        fixture
    }

    /// In that database, without triggers and rows.
    async fn on(test: TestDatabase) -> Self {
        let lease = test.lease().await;
        let contacts = ObjectType::named("contacts").unwrap();
        store_catalogue(&test.database, &lease, contacts, &catalogue()).await.unwrap();
        let table = columns(&test, &lease, &COLUMNS, &catalogue()).await;
        Self { test, table, lease }
    }

    /// Stores what HubSpot sent.
    pub(super) async fn store(&self, records: &[Record]) -> PageOutcome {
        let mut transaction = self.lease.begin(&self.test.database).await.unwrap();
        let outcome = store_records(&mut transaction, &self.table, records, &[]).await.unwrap().outcome;
        transaction.commit().await.unwrap();
        outcome
    }

    /// Edits record 1: `set` as it stands behind SET.
    pub(super) async fn edit(&self, set: &str) {
        self.test.execute(&format!("UPDATE hubspot_contacts SET {set} WHERE hubspot_id = 1")).await;
    }

    /// Runs a statement that has to be refused; returns what the person reads.
    async fn refused(&self, sql: &str) -> String {
        let refused = self.test.sql.execute(sqlx::AssertSqlSafe(sql.to_owned())).await;
        refused.expect_err(sql).into_database_error().unwrap().message().to_owned()
    }

    /// An expression of record 1.
    pub(super) async fn of(&self, expression: &str) -> String {
        self.test.value(&format!("SELECT {expression} FROM hubspot_contacts WHERE hubspot_id = 1")).await
    }

    /// A document of record 1.
    async fn document(&self, column: &str) -> Value {
        serde_json::from_str(&self.of(column).await).unwrap_or(Value::Null)
    }

    /// The properties of record 1 that are other than in its base, each with its value here.
    pub(super) async fn edited(&self) -> Value {
        let (local, base) = (self.of("properties_json").await, self.of("base_properties_json").await);
        let local = Properties::from_document(&local).unwrap();
        let base = Properties::from_json(&base).unwrap_or_else(|| local.clone());
        let names: std::collections::BTreeSet<_> =
            local.iter().chain(base.iter()).map(|(name, _)| name.into_owned()).collect();
        let other = names.into_iter().filter(|name| local.get(name) != base.get(name));
        other.map(|name| (name.clone(), json!(local.get(&name)))).collect::<serde_json::Map<_, _>>().into()
    }

    /// How record 1 stands: its status, its version and its jobs with the edits each stands for.
    pub(super) async fn state(&self) -> String {
        let jobs = "(SELECT GROUP_CONCAT(CONCAT(kind, ' ', generation)) FROM jobs \
                    WHERE record_id = hubspot_contacts.id AND kind = 'push')";
        let columns = format!("CONCAT_WS('|', sync_status, version, COALESCE({jobs}, '-'))");
        self.of(&columns).await
    }
}

/// A connection as a person's client makes it.
async fn person(test: &TestDatabase) -> MySqlConnection {
    MySqlConnection::connect(&test.url).await.unwrap()
}

/// Makes and fills the columns.
async fn columns(test: &TestDatabase, lease: &Lease, wanted: &[&str], catalogue: &[Property]) -> MirrorTable {
    let contacts = ObjectType::named("contacts").unwrap();
    let wanted: Vec<_> = wanted.iter().map(|name| (*name).to_owned()).collect();
    let columns = TypedColumns::new(&test.database, contacts, &wanted, catalogue);
    columns.define(TableChanges::All(lease)).await.unwrap();
    columns.complete(lease, || Ok::<_, StorageError>(())).await.unwrap()
}

/// A contact as HubSpot would send it.
pub(super) fn contact(id: i64, version: i64, properties: &[(&str, &str)]) -> Record {
    Record {
        id: ObjectId(id),
        properties: properties.iter().copied().collect(),
        created_at: at(0),
        updated_at: at(version),
        archived: false,
        archived_at: None,
        read_at: at(version),
    }
}

/// The values of record 1, as HubSpot sends them.
pub(super) const VALUES: [(&str, &str); 12] = [
    ("email", "ada@example.test"),
    ("city", "Ulm"),
    ("remark", "old"),
    ("Score-2", "1.50"),
    ("amount_due", "1.5E7"),
    ("born", "1990-02-28"),
    ("seen", "2026-01-31T08:00:00Z"),
    ("vip", "true"),
    ("hubspot_owner_id", "77"),
    ("tier", "gold"),
    ("level", "5"),
    ("hs_score", "9"),
];
