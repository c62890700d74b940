//! Whether anything was lost.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::ledger::{Deletion, LocalDelete, LocalEdit, Who};
use super::traces::Traces;
use super::{KINDS, Writers};

/// A row as it is in the end.
struct Row {
    key: i64,
    id: Option<i64>,
    archived: bool,
    status: String,
    error: String,
    properties: BTreeMap<String, String>,
}

impl Writers {
    /// Whatever is wrong, in words.
    pub(super) async fn wrong(&self) -> Vec<String> {
        let traces = Traces::of(self).await;
        let mut wrong = self.waiting().await;
        for kind in 0..KINDS.len() {
            wrong.extend(self.different(kind).await);
            for (words, edit) in self.overwritten(&traces, kind) {
                wrong.push(words);
                if let Some(edit) = edit {
                    wrong.extend(self.what_happened(&traces, edit).await);
                }
            }
        }
        for edit in &self.ledger.edits {
            if let Some(words) = self.lost(&traces, edit) {
                wrong.push(words);
                wrong.extend(self.what_happened(&traces, edit).await);
            }
        }
        wrong.extend(self.made_wrongly(&traces));
        wrong.extend(self.not_deleted(&traces).await);
        wrong
    }

    /// The records a name stands for: those of its mark, and all they became.
    fn ids(&self, traces: &Traces, kind: usize, who: &Who) -> BTreeSet<i64> {
        let mut ids: BTreeSet<i64> = match who {
            Who::Record(id) => [*id].into(),
            Who::Made(mark) => traces.marked(kind, mark).collect(),
        };
        let mut reached: Vec<i64> = ids.iter().copied().collect();
        while let Some(id) = reached.pop() {
            let into = self.ledger.merged.get(&(kind, id)).map(|(into, _)| *into);
            reached.extend(into.filter(|into| ids.insert(*into)));
        }
        ids
    }

    /// Whether two names may stand for one record in the end.
    fn meet(&self, traces: &Traces, kind: usize, one: &Who, other: &Who) -> bool {
        one == other || !self.ids(traces, kind, one).is_disjoint(&self.ids(traces, kind, other))
    }

    /// An edit made here that is nowhere to be found.
    fn lost(&self, traces: &Traces, edit: &LocalEdit) -> Option<String> {
        let LocalEdit { number, kind, who, field, value, known, at } = edit;
        let ids = self.ids(traces, *kind, who);
        let has_arrived = ids.iter().any(|id| {
            let mut history = traces.history(*kind, *id, field).iter();
            history.any(|entry| entry.text() == value && (!value.is_empty() || entry.timestamp >= *at))
        });
        // A mark may be in question itself; the text is enough to find it by.
        let has_arrived = has_arrived || (!value.is_empty() && traces.has(*kind, field, value));
        let later =
            |other: &&LocalEdit| other.number > *number && other.kind == *kind && other.field == *field;
        let is_superseded =
            self.ledger.edits.iter().filter(later).any(|other| self.meet(traces, *kind, who, &other.who));
        let mut deletes =
            self.ledger.deletes.iter().filter(|delete| delete.number > *number && delete.kind == *kind);
        let is_deleted = deletes.any(|delete| self.meet(traces, *kind, who, &delete.who));
        let is_named = traces.names(*kind, field, value);
        // What was cleared before it ever left has nothing to be cleared there.
        let never_left = matches!(who, Who::Made(_)) && !traces.has(*kind, field, known);
        let is_nothing = value.is_empty() && never_left;
        (!has_arrived && !is_superseded && !is_deleted && !is_named && !is_nothing)
            .then(|| format!("{}: {edit:?} is lost; records {ids:?}", KINDS[*kind].name))
    }

    /// What there is about the records of an edit.
    async fn what_happened(&self, traces: &Traces, edit: &LocalEdit) -> Vec<String> {
        let ids = self.ids(traces, edit.kind, &edit.who);
        let listed = ids.iter().chain([&0]).map(i64::to_string).collect::<Vec<_>>().join(", ");
        let of = &KINDS[edit.kind];
        let value = format!("JSON_VALUE(properties_json, '$.{}')", edit.field);
        let columns = [
            "'row'",
            "id",
            "hubspot_id",
            "archived",
            "sync_status",
            "version",
            "last_modified_local",
            &value,
        ];
        let mut found = self.test.rows(of.table, &columns, &format!("WHERE hubspot_id IN ({listed})")).await;
        let columns = [
            "'log'",
            "row_id",
            "hubspot_id",
            "action",
            "direction",
            "status",
            "message",
            "changed_fields",
            "updated_at",
        ];
        let rows = format!(
            "WHERE object_type = '{}' AND (hubspot_id IN ({listed}) OR row_id IN (SELECT id FROM {} WHERE hubspot_id IN \
             ({listed}))) ORDER BY id",
            of.name, of.table
        );
        found.extend(self.test.rows("sync_log", &columns, &rows).await);
        let touching = |number: u32, kind: usize, who: &Who| {
            kind == edit.kind && number + 60 > edit.number && self.meet(traces, kind, who, &edit.who)
        };
        let edits = self.ledger.edits.iter().filter(|other| other.field == edit.field);
        found.extend(
            edits
                .filter(|other| touching(other.number, other.kind, &other.who))
                .map(|other| format!("{other:?}")),
        );
        let deletes = self.ledger.deletes.iter();
        found.extend(
            deletes
                .filter(|other| touching(other.number, other.kind, &other.who))
                .map(|other| format!("{other:?}")),
        );
        let merges =
            self.ledger.merged.iter().filter(|((kind, id), _)| *kind == edit.kind && ids.contains(id));
        found.extend(merges.map(|merge| format!("merge {merge:?}")));
        found
    }

    /// Values set in HubSpot that were overwritten from here by somebody who had not seen them, and edits that went back to
    /// an earlier one.
    fn overwritten(&self, traces: &Traces, kind: usize) -> Vec<(String, Option<&LocalEdit>)> {
        let mut wrong = Vec::new();
        for ((_, id), fields) in traces.histories.range((kind, i64::MIN)..=(kind, i64::MAX)) {
            let became = self.ledger.merged.iter().filter(|((of, _), (into, _))| *of == kind && into == id);
            let merged_at = became.map(|(_, (_, at))| *at).max();
            for (field, entries) in fields {
                let since = |entry: &&super::traces::Entry| merged_at.is_none_or(|at| entry.timestamp > at);
                let entries: Vec<_> = entries.iter().take_while(since).collect();
                let numbers = entries.iter().rev().filter(|entry| entry.is_ours());
                let numbers: Vec<u32> =
                    numbers.filter_map(|entry| entry.text().strip_prefix('L')?.parse().ok()).collect();
                if !numbers.is_sorted() {
                    wrong.push((format!("{} {id} {field} went back: {entries:?}", KINDS[kind].name), None));
                }
                for pair in entries.windows(2) {
                    let [newer, older] = [pair[0], pair[1]];
                    let is_theirs = !older.is_ours() && self.is_set_there(kind, field, older.text());
                    if newer.is_ours()
                        && is_theirs
                        && newer.text() != older.text()
                        && !self.had_seen(kind, newer.text(), older.text())
                        && !traces.names(kind, field, older.text())
                    {
                        let name = KINDS[kind].name;
                        let words =
                            format!("{name} {id} {field}: {older:?} was overwritten unseen: {entries:?}");
                        wrong.push((words, self.edit_to(kind, newer.text())));
                    }
                }
            }
        }
        wrong
    }

    /// Whether this text, of which there is only one, was set in HubSpot.
    fn is_set_there(&self, kind: usize, field: &str, value: &str) -> bool {
        let mut there = self.ledger.there.iter();
        !value.is_empty() && there.any(|edit| edit.kind == kind && edit.field == field && edit.value == value)
    }

    /// The edit made here that wrote this text.
    fn edit_to(&self, kind: usize, text: &str) -> Option<&LocalEdit> {
        self.ledger.edits.iter().find(|edit| edit.kind == kind && edit.value == text)
    }

    /// Whether whoever wrote a text here had seen the other one, or built on somebody who had. What is cleared has no text
    /// to tell it by.
    fn had_seen(&self, kind: usize, text: &str, other: &str) -> bool {
        let mut text = text;
        loop {
            let Some(edit) = self.edit_to(kind, text) else { return text == other };
            if edit.value.is_empty() || edit.known == other {
                return true;
            }
            text = &edit.known;
        }
    }

    /// Rows that were made here and are no record, or more than one.
    fn made_wrongly(&self, traces: &Traces) -> Vec<String> {
        let mut wrong = Vec::new();
        for (kind, mark) in &self.ledger.made {
            let who = Who::Made(mark.clone());
            let made = traces.made.get(&(*kind, mark.clone())).copied().unwrap_or_default();
            let records: BTreeSet<_> =
                traces.marked(*kind, mark).map(|id| self.ledger.survivor(*kind, id)).collect();
            let mut deletes = self.ledger.deletes.iter();
            let is_deleted = deletes.any(|delete| delete.kind == *kind && delete.who == who);
            let is_named = traces.names(*kind, KINDS[*kind].mark, mark);
            if made > 1 || records.len() > 1 || (records.is_empty() && !is_deleted && !is_named) {
                wrong.push(format!("{} {mark} was made {made} times: {records:?}", KINDS[*kind].name));
            }
        }
        wrong
    }

    /// Rows that were deleted here and are live in HubSpot.
    async fn not_deleted(&self, traces: &Traces) -> Vec<String> {
        let mut wrong = Vec::new();
        for LocalDelete { kind, who, how, number } in &self.ledger.deletes {
            if *how == Deletion::Sql {
                continue;
            }
            let of = &KINDS[*kind];
            for id in self.ids(traces, *kind, who) {
                // What was merged meanwhile is more than what was to be deleted; what came back has a row again.
                if self.ledger.merged.values().any(|(into, _)| *into == id) {
                    continue;
                }
                let sql =
                    format!("SELECT CONCAT(archived, sync_status) FROM {} WHERE hubspot_id = {id}", of.table);
                let row = self.test.value(&sql).await;
                let truth = self.simulator.truth(of.name, false).await;
                let is_live = truth.contains(&format!("\"id\":\"{id}\""));
                let is_back = self.ledger.restored.contains(&(*kind, id));
                let is_sql_deleted_later =
                    self.ledger.deletes.iter().any(|later| {
                        later.number > *number && later.how == Deletion::Sql && later.who == *who
                    });
                if is_live && row != "1conflict" && !is_back && !is_sql_deleted_later {
                    wrong.push(format!("{} {id} was deleted here and is live; its row is {row}", of.name));
                }
            }
        }
        wrong
    }

    /// Records and rows that are not the same, outside of open conflicts.
    async fn different(&self, kind: usize) -> Vec<String> {
        let name = KINDS[kind].name;
        let (live, bin) = (self.held(kind, false).await, self.held(kind, true).await);
        let silent = self.silent(kind).await;
        let open = self.open_conflicts(kind).await;
        let (mut wrong, mut seen) = (Vec::new(), BTreeMap::new());
        for row in self.rows(kind).await {
            let Row { key, id, archived, status, error, .. } = &row;
            let words = format!("{name} row {key} of {id:?}: archived {archived}, {status}, {error}");
            if let Some(id) = id
                && let Some(other) = seen.insert(*id, *key)
            {
                wrong.push(format!("{words}, and row {other} as well"));
            }
            let conflict = open.get(key);
            if (*status == "conflict") != conflict.is_some() {
                wrong.push(format!("{words}; its conflict: {conflict:?}"));
            }
            let kind_of_conflict = conflict.map_or("", |(kind, _)| kind);
            let fields = conflict.map_or(&[][..], |(_, fields)| fields);
            let record = id.and_then(|id| live.get(&id));
            let is_right = match (id, record) {
                (_, Some(_)) => !archived || kind_of_conflict == "deleted_here",
                (Some(_), None) => {
                    *archived || ["deleted_in_hubspot", "merged_in_hubspot"].contains(&kind_of_conflict)
                }
                (None, None) => *archived,
            };
            if !is_right || !["synced", "conflict"].contains(&status.as_str()) {
                let (is_live, is_deleted) = (record.is_some(), id.is_some_and(|id| bin.contains_key(&id)));
                wrong.push(format!("{words}; in HubSpot live {is_live}, deleted {is_deleted}; {conflict:?}"));
            }
            let Some(record) = record.filter(|_| kind_of_conflict != "deleted_here") else { continue };
            let names: BTreeSet<_> = record.keys().chain(row.properties.keys()).collect();
            for name in names {
                let (ours, theirs) = (row.properties.get(name), record.get(name));
                if ours != theirs && !silent.contains(name) && !fields.contains(name) {
                    wrong.push(format!("{words}; {name} is {ours:?}, in HubSpot {theirs:?}"));
                }
            }
        }
        let rows: BTreeSet<_> = seen.values().collect();
        let orphans = open.iter().filter(|(key, _)| !rows.contains(key));
        wrong.extend(orphans.map(|orphan| format!("{name}: no row has the conflict {orphan:?}")));
        let missing = live.keys().filter(|id| !seen.contains_key(id));
        wrong.extend(missing.map(|id| format!("{name} {id} has no row")));
        wrong
    }

    /// The records HubSpot has, live or in the recycle bin.
    async fn held(&self, kind: usize, archived: bool) -> BTreeMap<i64, BTreeMap<String, String>> {
        let truth = self.simulator.truth(KINDS[kind].name, archived).await;
        let parse = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            let properties = serde_json::from_value(line["properties"].clone()).unwrap();
            (line["id"].as_str().unwrap().parse().unwrap(), properties)
        };
        truth.lines().map(parse).collect()
    }

    /// The rows there are.
    async fn rows(&self, kind: usize) -> Vec<Row> {
        type Columns = (i64, Option<i64>, bool, String, Option<String>, String);
        let sql = "SELECT id, hubspot_id, archived, sync_status, sync_error, properties_json FROM ";
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(format!("{sql}{}", KINDS[kind].table)));
        let rows: Vec<Columns> = rows.fetch_all(&self.test.sql).await.unwrap();
        let row = |(key, id, archived, status, error, json): Columns| Row {
            key,
            id,
            archived,
            status,
            error: error.unwrap_or_default(),
            properties: serde_json::from_str(&json).unwrap(),
        };
        rows.into_iter().map(row).collect()
    }

    /// The open conflicts by row: what they are about, and which fields.
    async fn open_conflicts(&self, kind: usize) -> BTreeMap<i64, (String, Vec<String>)> {
        let of_type = format!("WHERE object_type = '{}' AND status = 'pending'", KINDS[kind].name);
        let columns = ["COALESCE(row_id, 0)", "kind", "fields"];
        let rows = self.test.rows("conflicts", &columns, &of_type).await;
        let parse = |row: &String| {
            let mut parts = row.splitn(3, '|');
            let mut next = || parts.next().unwrap();
            (next().parse().unwrap(), (next().to_owned(), serde_json::from_str(next()).unwrap()))
        };
        rows.iter().map(parse).collect()
    }

    /// The properties whose values HubSpot changes without a new version.
    async fn silent(&self, kind: usize) -> BTreeSet<String> {
        let condition = format!(
            "WHERE object_type = '{}' AND name <> 'hs_merged_object_ids' AND \
             (calculated OR read_only OR field_type LIKE 'calculation%' OR name IN ('associatedcompanyid', 'hs_parent_company_id'))",
            KINDS[kind].name
        );
        self.test.rows("hubspot_properties", &["name"], &condition).await.into_iter().collect()
    }
}
