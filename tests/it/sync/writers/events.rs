//! What both sides do.

use hubspot_mariadb_connector::clock;
use rand::Rng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};
use sqlx::{MySql, Row, Transaction};

use super::ledger::{Deletion, HubSpotEdit, LocalDelete, LocalEdit, Who};
use super::{KINDS, Kind, Writers};

/// What a statement fails with that came at a bad moment; a person tries again. Source: MariaDB, "Error Codes".
const BAD_MOMENT: [u16; 3] = [1020, 1205, 1213];

impl Writers {
    /// Something happens.
    pub(super) async fn happen(&mut self) {
        let events: &[&'static str] = &[
            "edit here",
            "edit here",
            "edit here",
            "edit here",
            "edit here",
            "edit here",
            "edit there",
            "edit there",
            "edit there",
            "edit there",
            "edit both",
            "edit both",
            "edit both",
            "make here",
            "make here",
            "make there",
            "twins",
            "delete here",
            "sql delete",
            "delete there",
            "restore there",
            "merge",
            "merge",
            "trouble",
        ];
        let event = events.choose(&mut self.random).unwrap();
        *self.events.entry(event).or_default() += 1;
        let kind = usize::from(self.random.random_bool(0.4));
        match *event {
            "edit here" => {
                self.edit_here(kind, None).await;
            }
            "edit there" => {
                self.edit_there(kind, None).await;
            }
            "edit both" => self.edit_both(kind).await,
            "make here" => {
                let email = self.random.random_bool(0.5).then(|| self.email());
                self.make_here(kind, email.filter(|_| kind == 0)).await;
            }
            "make there" => {
                let value = format!("H{}", self.ledger.next());
                self.simulator.create_with(KINDS[kind].name, json!({KINDS[kind].fields[1]: value})).await;
                self.note_there(kind, KINDS[kind].fields[1], value);
            }
            "twins" => self.make_twins().await,
            "delete here" => self.delete_here(kind, Deletion::Soft).await,
            "sql delete" => self.delete_here(kind, Deletion::Sql).await,
            "delete there" => {
                let Some(id) = self.some_record(kind).await else { return };
                self.simulator.try_delete(KINDS[kind].name, &id).await;
            }
            "restore there" => self.restore_there(kind).await,
            "merge" => self.merge(kind).await,
            _ => self.make_trouble().await,
        }
    }

    /// An address nobody has.
    fn email(&mut self) -> String {
        format!("person{}@example.test", self.ledger.next())
    }

    /// The id of a record HubSpot may still have.
    async fn some_record(&mut self, kind: usize) -> Option<String> {
        let live = "WHERE hubspot_id IS NOT NULL AND NOT archived ORDER BY hubspot_id";
        let ids = self.test.rows(KINDS[kind].table, &["hubspot_id"], live).await;
        ids.choose(&mut self.random).cloned()
    }

    /// One of a few values is changed on both sides at about the same time.
    async fn edit_both(&mut self, kind: usize) {
        let Some(id) = self.some_record(kind).await else { return };
        let id: i64 = id.parse().unwrap();
        if self.random.random_bool(0.5) {
            self.edit_here(kind, Some(id)).await;
            self.edit_there(kind, Some(id)).await;
        } else {
            self.edit_there(kind, Some(id)).await;
            self.edit_here(kind, Some(id)).await;
        }
    }

    /// Somebody changes one or two values with SQL: of this record, or of any row.
    async fn edit_here(&mut self, kind: usize, id: Option<i64>) {
        let Kind { table, fields, .. } = KINDS[kind];
        let count = self.random.random_range(1..=2);
        let chosen: Vec<&'static str> = fields.choose_multiple(&mut self.random, count).copied().collect();
        let at = clock::now();
        let Some((mut transaction, key, who, known)) = self.open_row(kind, id).await else { return };
        let mut sets = Vec::new();
        let mut values = Vec::new();
        for field in &chosen {
            let value = if self.random.random_bool(0.1) {
                String::new()
            } else {
                format!("L{}", self.ledger.number + 1 + values.len() as u32)
            };
            let has_column = self.columns[table].iter().any(|column| column == field);
            let text = if value.is_empty() { "NULL".to_owned() } else { format!("'{value}'") };
            sets.push(if has_column && self.random.random_bool(0.5) {
                format!("{field} = {text}")
            } else if value.is_empty() {
                format!("properties_json = JSON_REMOVE(properties_json, '$.{field}')")
            } else {
                format!("properties_json = JSON_SET(properties_json, '$.{field}', {text})")
            });
            values.push(value);
        }
        let sql = format!("UPDATE {table} SET {} WHERE id = {key}", sets.join(", "));
        if !execute(&mut transaction, &sql).await || transaction.commit().await.is_err() {
            return;
        }
        for (field, value) in chosen.into_iter().zip(values) {
            let (number, known) = (self.ledger.next(), known[field].as_str().unwrap_or_default().to_owned());
            if known != value {
                self.ledger.edits.push(LocalEdit { number, kind, who: who.clone(), field, value, known, at });
            }
        }
    }

    /// A live row, locked: its key, who it is and what it holds. The row of `id` where one is given.
    async fn open_row(
        &mut self,
        kind: usize,
        id: Option<i64>,
    ) -> Option<(Transaction<'static, MySql>, i64, Who, Value)> {
        let Kind { table, mark, .. } = KINDS[kind];
        let condition = match id {
            Some(id) => format!("WHERE NOT archived AND hubspot_id = {id}"),
            None => "WHERE NOT archived ORDER BY id".to_owned(),
        };
        let keys = self.test.rows(table, &["id"], &condition).await;
        let key: i64 = keys.choose(&mut self.random)?.parse().unwrap();
        let mut transaction = self.test.sql.begin().await.unwrap();
        let sql = format!(
            "SELECT hubspot_id, properties_json FROM {table} WHERE id = {key} AND NOT archived FOR UPDATE"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_optional(&mut *transaction).await;
        let row = row.map_err(|error| assert!(is_bad_moment(&error), "{error}")).ok()??;
        let known: Value = serde_json::from_str(row.get::<&str, _>(1)).unwrap();
        let made = || Who::Made(known[mark].as_str().unwrap().to_owned());
        let who = row.get::<Option<i64>, _>(0).map_or_else(made, Who::Record);
        Some((transaction, key, who, known))
    }

    /// Somebody changes a value in HubSpot.
    async fn edit_there(&mut self, kind: usize, id: Option<i64>) {
        let id = match id {
            Some(id) => id.to_string(),
            None => match self.some_record(kind).await {
                Some(id) => id,
                None => return,
            },
        };
        let field = *KINDS[kind].fields.choose(&mut self.random).unwrap();
        let value =
            if self.random.random_bool(0.1) { String::new() } else { format!("H{}", self.ledger.next()) };
        if self.simulator.try_edit(KINDS[kind].name, &id, json!({field: value})).await {
            self.note_there(kind, field, value);
        }
    }

    /// Notes a value that was set in HubSpot.
    fn note_there(&mut self, kind: usize, field: &'static str, value: String) {
        self.ledger.there.push(HubSpotEdit { kind, field, value });
    }

    /// Somebody inserts a row.
    async fn make_here(&mut self, kind: usize, email: Option<String>) {
        let Kind { table, fields, mark, .. } = KINDS[kind];
        let (mark_text, at) = (format!("M{}", self.ledger.next()), clock::now());
        let field = *fields.choose(&mut self.random).unwrap();
        let value = format!("L{}", self.ledger.next());
        let document = match email {
            Some(email) => json!({mark: mark_text, field: value, "email": email}),
            None => json!({mark: mark_text, field: value}),
        };
        let sql = format!("INSERT INTO {table} (properties_json) VALUES ('{document}')");
        let mut transaction = self.test.sql.begin().await.unwrap();
        if !execute(&mut transaction, &sql).await || transaction.commit().await.is_err() {
            return;
        }
        self.ledger.made.push((kind, mark_text.clone()));
        let (number, who) = (self.ledger.number, Who::Made(mark_text));
        self.ledger.edits.push(LocalEdit { number, kind, who, field, value, known: String::new(), at });
    }

    /// The same person is entered on both sides at about the same time.
    async fn make_twins(&mut self) {
        let (email, value) = (self.email(), format!("H{}", self.ledger.next()));
        let field = KINDS[0].fields[0];
        self.simulator.create_with("contacts", json!({"email": email, field: value})).await;
        self.note_there(0, field, value);
        self.make_here(0, Some(email)).await;
    }

    /// Somebody deletes a row.
    async fn delete_here(&mut self, kind: usize, how: Deletion) {
        let Some((mut transaction, key, who, _)) = self.open_row(kind, None).await else { return };
        let table = KINDS[kind].table;
        let sql = match how {
            Deletion::Soft => format!("UPDATE {table} SET archived = 1 WHERE id = {key}"),
            Deletion::Sql => format!("DELETE FROM {table} WHERE id = {key}"),
        };
        if execute(&mut transaction, &sql).await && transaction.commit().await.is_ok() {
            let number = self.ledger.next();
            self.ledger.deletes.push(LocalDelete { number, kind, who, how });
        }
    }

    /// A record comes out of the recycle bin.
    async fn restore_there(&mut self, kind: usize) {
        let bin = self.simulator.truth(KINDS[kind].name, true).await;
        let lines: Vec<Value> = bin.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let Some(record) = lines.choose(&mut self.random) else { return };
        let id = record["id"].as_str().unwrap();
        if self.simulator.try_restore(KINDS[kind].name, id).await {
            self.ledger.restored.insert((kind, id.parse().unwrap()));
        }
    }

    /// Two records become one in HubSpot.
    async fn merge(&mut self, kind: usize) {
        let (Some(primary), Some(other)) = (self.some_record(kind).await, self.some_record(kind).await)
        else {
            return;
        };
        let Some(survivor) = self.simulator.try_merge(KINDS[kind].name, &primary, &other).await else {
            return;
        };
        let (survivor, at) = (survivor.parse().unwrap(), clock::now());
        for id in [primary, other] {
            let id = self.ledger.survivor(kind, id.parse().unwrap());
            if id != survivor {
                self.ledger.merged.insert((kind, id), (survivor, at));
            }
        }
    }

    /// The next writes go wrong in a way of their own.
    async fn make_trouble(&mut self) {
        let ms = self.random.random_range(200..1_500);
        let actions = [
            json!({"kind": "delay", "ms": ms}),
            json!({"kind": "loseAnswer", "ms": ms}),
            json!({"kind": "loseAnswer", "status": 504}),
            json!({"kind": "status", "status": 503}),
            json!({"kind": "rateLimit", "policy": "TEN_SECONDLY_ROLLING"}),
            json!({"kind": "reset"}),
        ];
        let action = actions.choose(&mut self.random).unwrap();
        let times = self.random.random_range(1..=3);
        let writes = self.random.random_bool(0.7);
        self.simulator.fault(json!({"match": {"writes": writes}, "times": times, "action": action})).await;
    }
}

/// Runs a statement; false when it came at a bad moment.
async fn execute(transaction: &mut Transaction<'_, MySql>, sql: &str) -> bool {
    match sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut **transaction).await {
        Ok(_) => true,
        Err(error) => {
            assert!(is_bad_moment(&error), "{sql}: {error}");
            false
        }
    }
}

/// Whether a statement failed only because somebody else was at the same row.
fn is_bad_moment(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    let error = error.and_then(|error| error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>());
    error.is_some_and(|error| BAD_MOMENT.contains(&error.number()))
}
