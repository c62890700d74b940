//! Searches: beginnings of columns, each found by the index of the column.

use sqlx::{MySql, QueryBuilder};

use super::{GATHERED, limited};
use crate::storage::mirror::MirrorTable;
use crate::storage::{Database, StorageError};

/// Words of a search that are tried for being the rarest; the others are compared.
const TRIED: usize = 5;

/// The columns a search looks in: those the type names, as far as the table has an index of them.
pub fn searched_columns(table: &MirrorTable) -> Vec<&'static str> {
    let columns = table.object_type.columns.iter().filter(|column| column.searched);
    let is_there =
        |name: &&str| table.indexes.contains_key(*name) && table.column_names().any(|column| column == *name);
    columns.map(|column| column.name).filter(is_there).collect()
}

/// A search.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Search<'f> {
    /// What is searched for.
    text: &'f str,
    columns: Vec<&'static str>,
}

/// Rows among which are all that a search finds.
#[derive(Debug)]
pub(super) struct Found<'f> {
    search: &'f Search<'f>,
    /// What some of the columns begin with.
    beginnings: Vec<&'f str>,
}

impl<'f> Search<'f> {
    /// A search of a table.
    pub(super) fn new(table: &MirrorTable, text: &'f str) -> Self {
        Self { text, columns: searched_columns(table) }
    }

    /// Its words, if there are several: a name and a first name stand in columns of their own.
    fn words(&self) -> Vec<&'f str> {
        let words: Vec<_> = self.text.split_whitespace().collect();
        if words.len() > 1 { words } else { Vec::new() }
    }

    /// The id in HubSpot it may be.
    fn id(&self) -> Option<i64> {
        self.text.parse().ok()
    }

    /// Adds the condition that it finds a row.
    pub(super) fn push(&self, query: &mut QueryBuilder<MySql>) {
        query.push("(");
        self.push_begins(query, self.text);
        if let Some(id) = self.id() {
            query.push(" OR hubspot_id = ").push_bind(id);
        }
        let words = self.words();
        for (index, word) in words.iter().enumerate() {
            query.push(if index == 0 { " OR (" } else { " AND " });
            self.push_begins(query, word);
        }
        query.push(if words.is_empty() { ")" } else { "))" });
    }

    /// Adds the condition that one of the columns begins so.
    fn push_begins(&self, query: &mut QueryBuilder<MySql>, text: &str) {
        query.push("(FALSE");
        for column in &self.columns {
            query.push(format!(" OR `{column}` LIKE ")).push_bind(beginning(text)).push(" ESCAPE '|'");
        }
        query.push(")");
    }

    /// The fewest rows the indexes can narrow it to; `None` when they are more than [`GATHERED`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(super) async fn narrowest(
        &'f self,
        database: &Database,
        table: &MirrorTable,
    ) -> Result<Option<Found<'f>>, StorageError> {
        let mut found = Found { search: self, beginnings: vec![self.text] };
        let mut count = self.count(database, table, self.text, GATHERED).await?;
        let mut rarest = None;
        for word in self.words().into_iter().take(TRIED) {
            // What is no fewer than another word need not be counted any further.
            let most = rarest.map_or(GATHERED, |(least, _)| least);
            let count = self.count(database, table, word, most).await?;
            if rarest.is_none_or(|(least, _)| count < least) {
                rarest = Some((count, word));
            }
        }
        if let Some((least, word)) = rarest {
            count += least;
            found.beginnings.push(word);
        }
        Ok((count <= GATHERED).then_some(found))
    }

    /// How many entries of indexes begin so, counted until they are more than `most`.
    async fn count(
        &self,
        database: &Database,
        table: &MirrorTable,
        text: &str,
        most: u32,
    ) -> Result<u32, StorageError> {
        let mut count = 0;
        for column in &self.columns {
            let mut query = QueryBuilder::new(limited("SELECT COUNT(*) FROM ("));
            push_beginning(&mut query, table, column, text);
            query.push(format!(" LIMIT {}) AS found", most - count + 1));
            let entries: Result<i64, _> =
                query.build_query_scalar().persistent(false).fetch_one(database.pool()).await;
            let failed = StorageError::query(format!("search {}", table.object_type.table));
            count += u32::try_from(entries.map_err(failed)?).unwrap_or(u32::MAX);
            if count > most {
                break;
            }
        }
        Ok(count)
    }
}

impl Found<'_> {
    /// Adds the question for their keys, as `found`.
    pub(super) fn push(&self, query: &mut QueryBuilder<MySql>, table: &MirrorTable) {
        let name = table.object_type.table;
        query.push(format!("SELECT id AS found FROM {name} WHERE hubspot_id = ")).push_bind(self.search.id());
        for text in &self.beginnings {
            for column in &self.search.columns {
                query.push(" UNION (");
                push_beginning(query, table, column, text);
                query.push(format!(" LIMIT {})", GATHERED + 1));
            }
        }
    }
}

/// Adds the question for the keys of the rows whose column begins so.
fn push_beginning(query: &mut QueryBuilder<MySql>, table: &MirrorTable, column: &str, text: &str) {
    let name = table.object_type.table;
    // The column is one that has an index.
    let index = table.indexes.get(column).map(|index| format!("FORCE INDEX (`{}`)", index.name));
    query.push(format!("SELECT id FROM {name} {} ", index.unwrap_or_default()));
    query.push(format!("WHERE `{column}` LIKE ")).push_bind(beginning(text)).push(" ESCAPE '|'");
}

/// The pattern of texts that begin so.
fn beginning(text: &str) -> String {
    format!("{}%", text.replace('|', "||").replace('%', "|%").replace('_', "|_"))
}
