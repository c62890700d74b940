//! Pages of rows, each read from few rows however many there are.
//!
//! A table may hold millions of rows, and any number of them may meet a condition. So a page is read in one of two ways,
//! and neither ever sorts a table:
//!
//! | When | How |
//! | --- | --- |
//! | an index says that [`GATHERED`] rows at most meet one of the conditions | those rows are read and ordered |
//! | else | the index that gives the order is followed, over [`WALKED`] entries at most; what does not meet the conditions is passed over, and the next page goes on where this one stopped |
//!
//! What a search finds is always gathered: finding more is told instead of listed. Nothing is left to the optimizer,
//! whose choice depends on statistics: every question names its index.

mod condition;
mod order;
mod search;

use sqlx::mysql::MySqlRow;
use sqlx::{MySql, QueryBuilder};

use self::condition::{Condition, push_all};
pub use self::order::{RowOrder, RowPlace, ordering_columns};
pub use self::search::searched_columns;
use self::search::{Found, Search};
use super::view::{COLUMNS, read};
use super::{MirrorTable, RowStatus, RowView};
use crate::storage::{Database, StorageError};

/// Longest time the server gives a page, seconds: one that takes longer is given up rather than slow down all else.
const PAGE_SECONDS: u32 = 10;
/// Most rows that are read to be put in order, and up to which rows are counted.
pub const GATHERED: u32 = 10_000;
/// Most entries of an index that are passed over for one page, besides those before it.
const WALKED: u32 = 10_000;

/// Which rows are wanted: those that meet every condition given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowFilter {
    /// That stand so to HubSpot.
    pub status: Option<RowStatus>,
    /// That count as deleted, or do not.
    pub archived: Option<bool>,
    /// Of which one of [`searched_columns`] begins with this text, or for each of its words some of them with the word, or
    /// whose id in HubSpot it is. Case and accents do not count.
    pub search: Option<String>,
    /// That are in the pipeline with this id; none of a type without pipelines.
    pub pipeline: Option<String>,
    /// That are in the stage with this id.
    pub stage: Option<String>,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowStart {
    /// Behind so many rows.
    Offset(u32),
    /// Behind this place, as [`RowPage::next`] told it.
    After(RowPlace),
}

impl RowStart {
    /// The place, where it is known.
    fn place(&self) -> Option<&RowPlace> {
        match self {
            Self::Offset(_) => None,
            Self::After(place) => Some(place),
        }
    }
}

/// A page of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowPage {
    /// The rows, in order. They may be fewer than asked for although there are more.
    pub rows: Vec<RowView>,
    /// Where the next page begins; `None` when there is none.
    pub next: Option<RowPlace>,
}

/// How many rows there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowTotal {
    /// Rows that were counted.
    pub count: u32,
    /// Whether there may be more.
    pub is_lower_bound: bool,
}

/// A page of the rows that meet the filter; `None` when the search finds more than [`GATHERED`]. An order that
/// [needs it](RowOrder::needs_archived) wants a filter that says whether records are deleted.
///
/// # Errors
/// When the database cannot be read, or takes longer than ten seconds; that counts as passing.
pub async fn list_rows(
    database: &Database,
    table: &MirrorTable,
    filter: &RowFilter,
    order: &RowOrder,
    (start, limit): (&RowStart, u32),
) -> Result<Option<RowPage>, StorageError> {
    let conditions = filter.conditions(table);
    let list = List { database, table, conditions: &conditions };
    let page = Page { order, start, limit };
    match list.narrowest().await? {
        Narrowest::TooMany => Ok(None),
        Narrowest::Found(found) => list.gather(&Source::Found(&found), page).await.map(Some),
        Narrowest::Few(condition, index) => {
            list.gather(&Source::Index(index, condition), page).await.map(Some)
        }
        Narrowest::Many => list.walk(page).await.map(Some),
    }
}

/// How many rows meet the filter; `None` when the search finds more than [`GATHERED`].
///
/// # Errors
/// As [`list_rows`].
pub async fn count_rows(
    database: &Database,
    table: &MirrorTable,
    filter: &RowFilter,
) -> Result<Option<RowTotal>, StorageError> {
    let conditions = filter.conditions(table);
    let list = List { database, table, conditions: &conditions };
    match list.narrowest().await? {
        Narrowest::TooMany => Ok(None),
        Narrowest::Found(found) => list.count(&Source::Found(&found)).await.map(Some),
        Narrowest::Few(condition, index) => list.count(&Source::Index(index, condition)).await.map(Some),
        Narrowest::Many => {
            let indexed = |condition| Some((Condition::index(condition, table)?, condition));
            let source = match conditions.iter().find_map(indexed) {
                Some((index, condition)) => Source::Index(index, condition),
                None => Source::Index("PRIMARY".to_owned(), &Condition::None),
            };
            list.count(&source).await.map(Some)
        }
    }
}

/// A question with its time limit.
pub(in crate::storage) fn limited(sql: &str) -> String {
    format!("SET STATEMENT max_statement_time = {PAGE_SECONDS} FOR {sql}")
}

impl RowFilter {
    /// What it asks for, what narrows most first.
    fn conditions<'f>(&'f self, table: &MirrorTable) -> Vec<Condition<'f>> {
        let search = self.search.as_deref().map(|text| Condition::Search(Search::new(table, text)));
        let (pipeline, stage) = table.object_type.stage_properties().unzip();
        let placed = [(stage, &self.stage), (pipeline, &self.pipeline)].into_iter();
        let placed = placed.filter_map(|(column, id)| match (column, id) {
            (_, None) => None,
            (None, Some(_)) => Some(Condition::Never),
            (Some(column), Some(id)) => Some(Condition::Equals(column, id)),
        });
        let status = self.status.map(Condition::Status);
        search.into_iter().chain(placed).chain(status).chain(self.archived.map(Condition::Archived)).collect()
    }
}

/// The rows somebody asks for.
#[derive(Clone, Copy)]
struct List<'a> {
    database: &'a Database,
    table: &'a MirrorTable,
    conditions: &'a [Condition<'a>],
}

/// The part of them that is shown.
#[derive(Clone, Copy)]
struct Page<'a> {
    order: &'a RowOrder,
    start: &'a RowStart,
    limit: u32,
}

/// What finds the rows that meet one of the conditions.
enum Narrowest<'a> {
    /// The search finds too many.
    TooMany,
    /// The search.
    Found(Found<'a>),
    /// This condition, which few rows meet, by the index of that name.
    Few(&'a Condition<'a>, String),
    /// Nothing: many rows meet each of them.
    Many,
}

/// Where rows are read from.
enum Source<'a> {
    /// What the search found.
    Found(&'a Found<'a>),
    /// The entries of an index, of those rows that meet the condition.
    Index(String, &'a Condition<'a>),
}

impl<'a> List<'a> {
    /// What finds the rows.
    async fn narrowest(&self) -> Result<Narrowest<'a>, StorageError> {
        if let Some(search) = self.conditions.iter().find_map(Condition::search) {
            let found = search.narrowest(self.database, self.table).await?;
            return Ok(found.map_or(Narrowest::TooMany, Narrowest::Found));
        }
        for condition in self.conditions.iter().filter(|condition| condition.narrows()) {
            let Some(index) = condition.index(self.table) else { continue };
            let source = Source::Index(index.clone(), condition);
            let mut query = QueryBuilder::new(limited("SELECT COUNT(*) FROM (SELECT 1"));
            self.push_source(&mut query, &source);
            query.push(format!(" LIMIT {}) AS few", GATHERED + 1));
            let count: Result<i64, _> =
                query.build_query_scalar().persistent(false).fetch_one(self.database.pool()).await;
            if count.map_err(self.failed("count"))? <= i64::from(GATHERED) {
                return Ok(Narrowest::Few(condition, index));
            }
        }
        Ok(Narrowest::Many)
    }

    /// Reads few rows and puts them in order.
    async fn gather(&self, source: &Source<'_>, page: Page<'_>) -> Result<RowPage, StorageError> {
        let mut query = page.select();
        self.push_source(&mut query, source);
        push_all(&mut query, self.conditions);
        page.push_start(&mut query);
        let rows = self.fetch(page, query, None).await?;
        self.page(page, &rows, None)
    }

    /// Follows the index that gives the order.
    async fn walk(&self, page: Page<'_>) -> Result<RowPage, StorageError> {
        let follows = |condition: &&Condition<'_>| condition.orders(page.order);
        let indexed = |condition: &'a Condition<'a>| Some((condition.index(self.table)?, condition));
        let source = match self.conditions.iter().filter(follows).find_map(indexed) {
            Some((index, condition)) => Source::Index(index, condition),
            None => Source::Index(page.order.index().to_owned(), &Condition::None),
        };
        let (near, far) = page.stretches();
        let mut end = self.end_of_walk(&source, page, near).await?;
        let mut rows = self.follow(&source, page, end.as_ref()).await?;
        // As a rule hardly anything is passed over, and what fills the page stands near.
        if end.is_some() && rows.len() <= page.limit as usize {
            end = self.end_of_walk(&source, page, far).await?;
            rows = self.follow(&source, page, end.as_ref()).await?;
        }
        self.page(page, &rows, end)
    }

    /// Reads the rows of a page in the order of an index, up to `end`.
    async fn follow(
        &self,
        source: &Source<'_>,
        page: Page<'_>,
        end: Option<&RowPlace>,
    ) -> Result<Vec<MySqlRow>, StorageError> {
        let mut query = page.select();
        self.push_source(&mut query, source);
        push_all(&mut query, self.conditions);
        page.push_start(&mut query);
        if let Some(end) = end {
            query.push(" AND ");
            page.order.push_up_to(&mut query, end);
        }
        self.fetch(page, query, end).await
    }

    /// Where a walk over so many entries ends; `None`: at the end of the index, or as soon as the page is full, because nothing
    /// is passed over.
    async fn end_of_walk(
        &self,
        source: &Source<'_>,
        page: Page<'_>,
        entries: u64,
    ) -> Result<Option<RowPlace>, StorageError> {
        let Source::Index(_, condition) = source else { return Ok(None) };
        if self.conditions.iter().all(|other| other == *condition) {
            return Ok(None);
        }
        let mut query = QueryBuilder::new(limited(&format!("SELECT {}", page.order.places())));
        self.push_source(&mut query, source);
        page.push_start(&mut query);
        query.push(page.order.order_by(page.start.place(), None));
        query.push(format!(" LIMIT 1 OFFSET {entries}"));
        let row = query.build().persistent(false).fetch_optional(self.database.pool()).await;
        let row = row.map_err(self.failed("list"))?;
        row.map(|row| page.order.place(&row)).transpose().map_err(self.failed("list"))
    }

    /// How many of the rows meet all conditions.
    async fn count(&self, source: &Source<'_>) -> Result<RowTotal, StorageError> {
        let mut query = QueryBuilder::new(limited(
            "SELECT COUNT(*), CAST(COALESCE(SUM(meets), 0) AS SIGNED) FROM (SELECT (TRUE",
        ));
        let is_met = |condition: &Condition<'_>| matches!(source, Source::Index(_, met) if *met == condition);
        for condition in self.conditions.iter().filter(|condition| !is_met(condition)) {
            query.push(" AND ");
            condition.push(&mut query);
        }
        query.push(") AS meets");
        self.push_source(&mut query, source);
        query.push(format!(" LIMIT {}) AS some", GATHERED + 1));
        let counted = query.build_query_as::<(i64, i64)>().persistent(false);
        let (entries, meeting) =
            counted.fetch_one(self.database.pool()).await.map_err(self.failed("count"))?;
        Ok(RowTotal {
            count: u32::try_from(meeting).unwrap_or_default().min(GATHERED),
            is_lower_bound: entries > i64::from(GATHERED),
        })
    }

    /// Adds where rows are read from, ending in a condition.
    fn push_source(&self, query: &mut QueryBuilder<MySql>, source: &Source<'_>) {
        let table = self.table.object_type.table;
        match source {
            Source::Found(found) => {
                query.push(" FROM (");
                found.push(query, self.table);
                query
                    .push(format!(") AS found STRAIGHT_JOIN {table} ON {table}.id = found.found WHERE TRUE"));
            }
            Source::Index(index, condition) => {
                query.push(format!(" FROM {table} FORCE INDEX (`{index}`) WHERE "));
                condition.push(query);
            }
        }
    }

    /// Reads the rows of a page, and one more, which tells that there are more.
    async fn fetch(
        &self,
        page: Page<'_>,
        mut query: QueryBuilder<MySql>,
        end: Option<&RowPlace>,
    ) -> Result<Vec<MySqlRow>, StorageError> {
        query.push(page.order.order_by(page.start.place(), end));
        query.push(" LIMIT ").push_bind(page.limit.saturating_add(1));
        if let RowStart::Offset(offset) = page.start {
            query.push(" OFFSET ").push_bind(*offset);
        }
        let found = query.build().persistent(false).fetch_all(self.database.pool()).await;
        found.map_err(self.failed("list"))
    }

    /// Makes a page of what was read. `end` is where reading stopped.
    fn page(
        &self,
        page: Page<'_>,
        found: &[MySqlRow],
        end: Option<RowPlace>,
    ) -> Result<RowPage, StorageError> {
        let shown = &found[..found.len().min(page.limit as usize)];
        let next = match shown.last() {
            Some(last) if shown.len() < found.len() => {
                Some(page.order.place(last).map_err(self.failed("list"))?)
            }
            _ => end,
        };
        Ok(RowPage { rows: shown.iter().map(|row| read(self.table, row)).collect::<Result<_, _>>()?, next })
    }

    /// What becomes of an error while doing that.
    fn failed(&self, doing: &str) -> impl FnOnce(sqlx::Error) -> StorageError + use<> {
        StorageError::query(format!("{doing} rows of {}", self.table.object_type.table))
    }
}

impl Page<'_> {
    /// How many entries are walked over at first, and if that does not fill the page. Numbered pages all end at the same
    /// place: each would skip what lies between its own end and that of the one before it.
    fn stretches(&self) -> (u64, u64) {
        let (before, far) = match self.start {
            RowStart::Offset(offset) => (u64::from(*offset), u64::from(GATHERED + WALKED)),
            RowStart::After(_) => (0, u64::from(WALKED)),
        };
        ((before + 10 * (u64::from(self.limit) + 1)).min(far), far)
    }

    /// What is read of each row.
    fn select(&self) -> QueryBuilder<MySql> {
        QueryBuilder::new(limited(&format!("SELECT {COLUMNS}, {}", self.order.places())))
    }

    /// Adds the condition that a row comes behind the place where the page begins.
    fn push_start(&self, query: &mut QueryBuilder<MySql>) {
        if let Some(place) = self.start.place() {
            query.push(" AND ");
            self.order.push_behind(query, place);
        }
    }
}
