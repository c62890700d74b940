//! The typed columns of a mirror table: which there should be, which there are, and the way from one to the other.
//!
//! Two steps, because the right to change tables may be another user's:
//!
//! | Step | Needs | Does |
//! | --- | --- | --- |
//! | [`TypedColumns::define`] | the right to change tables | adds columns and changes types, each marked as incomplete first |
//! | [`TypedColumns::complete`] | the lease | fills what is marked, from the stored JSON |
//!
//! The table in the database says which typed columns there are: those whose comment begins with
//! [`COLUMN_COMMENT`]. A column once added is kept up to date from then on, whether or not the configuration still
//! names it, and columns a person added for other ends are never touched. Default columns have the type of their
//! descriptor; all others follow HubSpot's catalogue.
//!
//! A column that cannot be had is named in the log once and left out; the mirror goes on without it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use sqlx::Row;
use sqlx::mysql::MySqlRow;
use tracing::{info, warn};

use super::column_fill::{ColumnFill, mark, marked, unmark};
use super::database::LONGEST_CHANGE;
use super::error::LOCK_WAIT;
use super::mirror::MirrorTable;
use super::mirror_schema::{
    COLUMN_COMMENT, ColumnIndex, TypedColumn, definition, index_name, index_part, is_reserved,
};
use super::{Database, Lease, StorageError, StorageErrorKind, database};
use crate::model::{ColumnType, ObjectType, Property};

/// MariaDB's number for a row that would be too large. Source: MariaDB, "MariaDB Error Codes".
const ROW_TOO_LARGE: u16 = 1118;
/// MariaDB's numbers for a right that is missing, on the database, the table or a column.
const DENIED: [u16; 3] = [1044, 1142, 1143];
/// What may be done to a table.
#[derive(Debug, Clone, Copy)]
pub enum TableChanges<'l> {
    /// Nothing: the user may not change tables. What is missing is said.
    Nothing,
    /// Columns are added; types stay, because a run under way would write values of the old type.
    Additions,
    /// Everything: who holds the lease and no run knows that nobody writes the table.
    All(&'l Lease),
}

/// The typed columns a mirror table should have.
#[derive(Debug, Clone, Copy)]
pub struct TypedColumns<'a> {
    database: &'a Database,
    object_type: &'static ObjectType,
    /// Properties the configuration names.
    wanted: &'a [String],
    /// HubSpot's properties; empty before the first sync.
    catalogue: &'a [Property],
}

impl<'a> TypedColumns<'a> {
    /// The default columns of `object_type` and the `wanted` properties of its `catalogue`.
    pub fn new(
        database: &'a Database,
        object_type: &'static ObjectType,
        wanted: &'a [String],
        catalogue: &'a [Property],
    ) -> Self {
        Self { database, object_type, wanted, catalogue }
    }

    /// Makes the columns that are wanted and missing, and gives those their type that have another one, as far as
    /// `changes` allows. The values come with [`complete`](Self::complete). Idempotent.
    ///
    /// # Errors
    /// When the database cannot be reached, there is no such table, or another process has the lease.
    pub async fn define(&self, changes: TableChanges<'_>) -> Result<(), StorageError> {
        let present = read_columns(self.database, self.object_type).await?;
        let (object_type, table) = (self.object_type, self.object_type.table);
        for step in plan(object_type, self.wanted, self.catalogue, &present) {
            match (step, changes) {
                (Step::LeaveOut { name, reason }, _) => {
                    warn_once(format!("No column for {object_type} property `{name}`: {reason}"));
                }
                (Step::Add(target), TableChanges::Nothing) => warn_once(format!(
                    "No column for {object_type} property `{}` yet: run `hubspot-connector migrate`",
                    target.name
                )),
                (Step::Add(target), _) => self.add(&target).await?,
                (Step::Retype(target), TableChanges::All(lease)) => self.retype(&target, lease).await?,
                (Step::Retype(target), _) => warn_once(format!(
                    "Column `{}` of {table} keeps its type, which is not that of the property any more: stop the \
                     daemon and run `hubspot-connector migrate`",
                    target.name
                )),
            }
        }
        Ok(())
    }

    /// Fills the columns that are not complete, goes on where an earlier fill was stopped, and returns the table for
    /// writing pages. `go_on` is asked before each batch. Only for the start of a run.
    ///
    /// # Errors
    /// What `go_on` answers; and when the database cannot be reached, there is no such table, or another process has
    /// the lease.
    pub async fn complete<E: From<StorageError>>(
        &self,
        lease: &Lease,
        go_on: impl Fn() -> Result<(), E>,
    ) -> Result<MirrorTable, E> {
        // In this order: a mark is written before its column, so a column that is seen is seen with its mark.
        let present = read_columns(self.database, self.object_type).await?;
        let marks = marked(self.database, self.object_type).await?;
        let mut usable = Vec::with_capacity(present.len());
        for column in present.into_iter().filter(|column| column.is_ours) {
            let Some(column_type) = column.column_type else {
                let (name, table) = (column.name, self.object_type.table);
                warn_once(format!("Column `{name}` of {table} is left out: somebody has changed its type"));
                continue;
            };
            let typed = TypedColumn { name: column.name, column_type };
            match marks.get(&typed.name) {
                Some(filled_to) if !self.fill(&typed, *filled_to, lease, &go_on).await? => {}
                _ => usable.push(typed),
            }
        }
        let indexes = read_indexes(self.database, self.object_type).await?;
        Ok(MirrorTable::new(self.object_type, usable, indexes))
    }

    /// The columns that are there and not complete, in table order.
    ///
    /// # Errors
    /// When the database cannot be read, or there is no such table.
    pub async fn incomplete(&self) -> Result<Vec<String>, StorageError> {
        let present = read_columns(self.database, self.object_type).await?;
        let marks = marked(self.database, self.object_type).await?;
        let names = present.into_iter().filter(|column| column.is_ours).map(|column| column.name);
        Ok(names.filter(|name| marks.contains_key(name)).collect())
    }

    /// Adds a column.
    async fn add(&self, target: &Target<'_>) -> Result<(), StorageError> {
        let Target { name, column_type, .. } = target;
        info!("Adding column `{name}` ({}) to {}", column_type.sql(), self.object_type.table);
        self.database
            .on_own_connection(async |connection| mark(connection, self.object_type, name).await)
            .await?;
        if let Some(reason) = self.alter(&target.addition()).await? {
            warn_once(format!("No column for {} property `{name}`: {reason}", self.object_type));
        }
        Ok(())
    }

    /// Replaces a column by one of the right type: values need not survive, because the JSON has them, and a change
    /// in place could fail on one of them.
    async fn retype(&self, target: &Target<'_>, lease: &Lease) -> Result<(), StorageError> {
        let (name, table) = (target.name, self.object_type.table);
        info!("Changing the type of column `{name}` of {table} to {}", target.column_type.sql());
        let was_marked = marked(self.database, self.object_type).await?.contains_key(name);
        let mut transaction = lease.begin(self.database).await?;
        mark(&mut transaction, self.object_type, name).await?;
        transaction.commit().await?;
        if let Some(reason) = self.alter(&target.replacement()).await? {
            warn_once(format!("Column `{name}` of {table} keeps its type: {reason}"));
            if !was_marked {
                // It is as complete as before; filling it at each attempt would be in vain.
                let mut transaction = lease.begin(self.database).await?;
                unmark(&mut transaction, self.object_type, name).await?;
                transaction.commit().await?;
            }
        }
        Ok(())
    }

    /// Changes the table, online where MariaDB can. Returns why this change is refused; `None`: it is done. On a
    /// dedicated connection, because the statement limit of the pool's sessions would cut a long rebuild short.
    async fn alter(&self, change: &str) -> Result<Option<String>, StorageError> {
        let table = self.object_type.table;
        let sql = format!("SET STATEMENT max_statement_time = 0 FOR ALTER TABLE {table} {change}");
        let _call = self.database.call(LONGEST_CHANGE);
        let mut connection = self.database.dedicated().await?;
        let result = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await;
        database::close(connection).await;
        match result.map_err(StorageError::query(format!("change the columns of {table}"))) {
            Ok(_) => Ok(None),
            Err(error) => refusal(&error).map(Some).ok_or(error),
        }
    }

    /// Fills one column; returns whether it is complete. One that cannot be filled begins anew with the next run.
    async fn fill<E: From<StorageError>>(
        &self,
        column: &TypedColumn,
        filled_to: i64,
        lease: &Lease,
        go_on: &impl Fn() -> Result<(), E>,
    ) -> Result<bool, E> {
        let (name, table) = (&column.name, self.object_type.table);
        let mut fill = ColumnFill::resume(self.object_type, column, filled_to);
        loop {
            go_on()?;
            match fill.next_batch(self.database, lease).await {
                Ok(true) => {}
                Ok(false) => {
                    info!("Filled column `{name}` of {table} from stored JSON: {} row(s)", fill.filled());
                    return Ok(true);
                }
                Err(error) if error.kind() == StorageErrorKind::Transient => return Err(error.into()),
                Err(error) => {
                    let reason = refusal(&error).ok_or(error)?;
                    warn_once(format!(
                        "Column `{name}` of {table} is left out, it cannot be filled: {reason}"
                    ));
                    let mut transaction = lease.begin(self.database).await?;
                    mark(&mut transaction, self.object_type, name).await?;
                    transaction.commit().await?;
                    return Ok(false);
                }
            }
        }
    }
}

/// Reads which typed columns the mirror table has.
///
/// # Errors
/// [`StorageError::SchemaOutdated`] when there is no such table.
pub async fn load_mirror_table(
    database: &Database,
    object_type: &'static ObjectType,
) -> Result<MirrorTable, StorageError> {
    let columns = read_columns(database, object_type).await?.into_iter().filter(|column| column.is_ours);
    let typed = |column: PresentColumn| {
        column.column_type.map(|column_type| TypedColumn { name: column.name, column_type })
    };
    let indexes = read_indexes(database, object_type).await?;
    Ok(MirrorTable::new(object_type, columns.filter_map(typed).collect(), indexes))
}

/// A column the table has.
#[derive(Debug, Clone)]
struct PresentColumn {
    name: String,
    /// Whether it is a typed column; the others belong to every mirror table or to a person.
    is_ours: bool,
    /// `None` for a type we never make.
    column_type: Option<ColumnType>,
}

/// The columns the table has, in table order.
async fn read_columns(
    database: &Database,
    object_type: &ObjectType,
) -> Result<Vec<PresentColumn>, StorageError> {
    let rows = sqlx::query(
        "SELECT column_name AS name, data_type AS data_type, column_comment AS comment \
         FROM information_schema.columns \
         WHERE table_schema = DATABASE() AND table_name = ? \
         ORDER BY ordinal_position",
    )
    .bind(object_type.table)
    .fetch_all(database.pool())
    .await;
    let to_column = |row: &MySqlRow| {
        Ok(PresentColumn {
            name: row.try_get("name")?,
            is_ours: row.try_get::<String, _>("comment")?.starts_with(COLUMN_COMMENT),
            column_type: ColumnType::from_sql(&row.try_get::<String, _>("data_type")?),
        })
    };
    let columns: Vec<_> = rows
        .and_then(|rows| rows.iter().map(to_column).collect())
        .map_err(StorageError::query(format!("read the columns of {}", object_type.table)))?;
    if columns.is_empty() {
        return Err(StorageError::SchemaOutdated(format!("there is no table {}", object_type.table)));
    }
    Ok(columns)
}

/// The indexes that hold one column alone, by column; of two the one that holds it whole.
async fn read_indexes(
    database: &Database,
    object_type: &ObjectType,
) -> Result<BTreeMap<String, ColumnIndex>, StorageError> {
    let rows: Result<Vec<(String, String, bool)>, _> = sqlx::query_as(
        "SELECT MAX(column_name), index_name, MAX(sub_part) IS NULL AS is_whole \
         FROM information_schema.statistics \
         WHERE table_schema = DATABASE() AND table_name = ? AND index_type = 'BTREE' AND ignored = 'NO' \
         GROUP BY index_name HAVING COUNT(*) = 1 ORDER BY is_whole, index_name",
    )
    .bind(object_type.table)
    .fetch_all(database.pool())
    .await;
    let rows = rows.map_err(StorageError::query(format!("read the indexes of {}", object_type.table)))?;
    let index = |(column, name, is_whole)| (column, ColumnIndex { name, is_whole });
    Ok(rows.into_iter().map(index).collect())
}

/// A typed column as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target<'a> {
    /// Name of the property and of the column.
    name: &'a str,
    column_type: ColumnType,
    /// Whether it has an index of its own.
    indexed: bool,
}

impl Target<'_> {
    /// The change that adds the column; nothing where it is already.
    fn addition(&self) -> String {
        let index = self.index("ADD KEY IF NOT EXISTS");
        format!("ADD COLUMN IF NOT EXISTS {}{index}", definition(self.name, self.column_type))
    }

    /// The change that replaces the column by an empty one of its type, in one step.
    fn replacement(&self) -> String {
        let (name, index) = (self.name, self.index("ADD KEY"));
        let definition = definition(name, self.column_type);
        let old_index = index_name(name);
        format!("DROP KEY IF EXISTS {old_index}, DROP COLUMN `{name}`, ADD COLUMN {definition}{index}")
    }

    /// The part of a change that adds the index; empty for a column without one.
    fn index(&self, add: &str) -> String {
        let name = self.name;
        let part = index_part(name, self.column_type);
        if self.indexed { format!(", {add} {} {part}", index_name(name)) } else { String::new() }
    }
}

/// What is to be done about one column.
#[derive(Debug, PartialEq, Eq)]
enum Step<'a> {
    /// It is missing.
    Add(Target<'a>),
    /// It has another type.
    Retype(Target<'a>),
    /// It cannot be had.
    LeaveOut {
        /// The property.
        name: &'a str,
        /// Why not.
        reason: &'static str,
    },
}

/// Compares the columns there should be with those there are.
fn plan<'a>(
    object_type: &'a ObjectType,
    wanted: &'a [String],
    catalogue: &'a [Property],
    present: &'a [PresentColumn],
) -> Vec<Step<'a>> {
    let properties: BTreeMap<&str, &Property> =
        catalogue.iter().map(|property| (property.name.as_str(), property)).collect();
    let defaults = object_type.columns.iter().map(|column| Target {
        name: column.name,
        column_type: column.column_type,
        indexed: column.indexed,
    });
    let mut targets: Vec<_> = defaults.collect();
    let mut steps = Vec::new();
    let ours = present.iter().filter(|column| column.is_ours).map(|column| column.name.as_str());
    let named: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
    for name in ours.chain(named.iter().copied()) {
        if targets.iter().any(|target| target.name == name) {
            continue;
        }
        if let Some(property) = properties.get(name) {
            let column_type = ColumnType::of_property(&property.data_type, &property.field_type);
            targets.push(Target { name, column_type, indexed: false });
        } else if named.contains(name) && !catalogue.is_empty() {
            steps.push(Step::LeaveOut { name, reason: "HubSpot has no such property" });
        }
    }
    steps.extend(targets.into_iter().filter_map(|target| step(target, present)));
    steps
}

/// What is to be done to get `target`, `None` when it is there.
fn step<'a>(target: Target<'a>, present: &[PresentColumn]) -> Option<Step<'a>> {
    let name = target.name;
    // MariaDB takes names that differ in case only for the same.
    match present.iter().find(|column| column.name.eq_ignore_ascii_case(name)) {
        None => Some(Step::Add(target)),
        Some(column) if column.is_ours => {
            (column.column_type != Some(target.column_type)).then_some(Step::Retype(target))
        }
        Some(_) if is_reserved(name) => {
            Some(Step::LeaveOut { name, reason: "every mirror table has another column of that name" })
        }
        Some(_) => Some(Step::LeaveOut {
            name,
            reason: "the table has a column of that name that somebody else made; rename or drop that one",
        }),
    }
}

/// Why MariaDB refuses what was tried with one column, `None` for an error that is not about the column. Not in
/// MariaDB's own words, which may quote a value.
fn refusal(error: &StorageError) -> Option<String> {
    let StorageError::Query { source, .. } = error else { return None };
    let reason = match source.number() {
        0 => return None,
        ROW_TOO_LARGE => "the table has no room for another column of its type",
        LOCK_WAIT => "the table is in use, the next run tries again",
        number if DENIED.contains(&number) => "the database user may not do that, see deploy/grants.sql",
        _ if error.kind() == StorageErrorKind::Transient => return None,
        _ => "the database refuses it",
    };
    Some(format!("{reason} (MariaDB error {})", source.number()))
}

/// Warns, unless this process has said the same before: what an operator has to mend is met again by every run.
fn warn_once(message: String) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if !said.contains(&message) {
        warn!("{message}");
        said.insert(message);
    }
}

#[cfg(test)]
mod tests;
