//! What a board of deals shows of each stage.

use sqlx::Row;
use sqlx::mysql::MySqlRow;

use super::MirrorTable;
use super::listing::limited;
use crate::storage::{Database, StorageError};

/// The live deals of a stage in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageTotal {
    /// Id of the stage; `None`: in none.
    pub stage: Option<String>,
    /// ISO 4217 code; `None` where it is not known.
    pub currency: Option<String>,
    /// How many they are.
    pub count: u64,
    /// Their amounts together, exact, as decimal text; `None` when none has an amount.
    pub amount: Option<String>,
}

/// How many live deals of a pipeline are in each stage, and what they amount to, by currency: `currency` is that of deals
/// which name none. `table` is that of deals.
///
/// # Errors
/// When the database cannot be read, or takes longer than ten seconds; that counts as passing.
pub async fn deal_totals(
    database: &Database,
    table: &MirrorTable,
    pipeline: &str,
    currency: Option<&str>,
) -> Result<Vec<StageTotal>, StorageError> {
    let sql = limited(&format!(
        "SELECT dealstage, COALESCE(deal_currency_code, ?) AS currency, COUNT(*) AS deals, CAST(SUM(amount) AS CHAR) AS amount FROM {} \
         WHERE archived = 0 AND pipeline = ? GROUP BY dealstage, currency \
         ORDER BY dealstage, deals DESC, currency",
        table.object_type.table
    ));
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(currency).bind(pipeline).persistent(false);
    let rows = query.fetch_all(database.pool()).await;
    let read = |row: &MySqlRow| {
        Ok(StageTotal {
            stage: row.try_get("dealstage")?,
            currency: row.try_get("currency")?,
            count: row.try_get::<i64, _>("deals")?.unsigned_abs(),
            amount: row.try_get("amount")?,
        })
    };
    rows.and_then(|rows| rows.iter().map(read).collect())
        .map_err(StorageError::query("count the deals of each stage"))
}
