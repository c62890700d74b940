//! The whole daemon at full speed, as a share of what plain multi-row INSERTs of the same rows reach.

use std::time::Instant;

use anyhow::ensure;
use sqlx::{Executor, Row};

use super::daemon::Daemon;
use super::report::{Figure, Goal, median};
use super::simulator::{Simulator, Size, Temper};
use super::surroundings::{Database, Surroundings};

/// Records a round brings over.
const CONTACTS: u64 = 30_000;
/// Size of a record's JSON, in bytes.
const RECORD_BYTES: u64 = 4_000;
/// Rounds; each measures both sides.
const ROUNDS: usize = 3;
/// Rows of a plain INSERT.
const ROWS_PER_INSERT: usize = 500;

/// A row as text; the digest alone is bytes.
type PlainRow = Vec<Option<Vec<u8>>>;

/// Syncs into an empty database, then inserts the same rows into an empty copy of the table.
pub async fn measure(surroundings: &Surroundings) -> anyhow::Result<Vec<Figure>> {
    let temper = Temper::Unlimited { record_bytes: Some(RECORD_BYTES) };
    let simulator = Simulator::start(Size::contacts(CONTACTS), temper)?;
    let (mut synced, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let database = surroundings.fresh_database("engine").await?;
        let elapsed = Daemon::run(surroundings, &database, &simulator, &["sync", "contacts"]).await?;
        synced.push(CONTACTS as f64 / elapsed.as_secs_f64());
        plain.push(insert_again(&database).await?);
    }
    let share = median(synced.iter().zip(&plain).map(|(synced, plain)| synced / plain));
    let how = format!(
        "`sync contacts` of {CONTACTS} records of {RECORD_BYTES} bytes from start to exit, simulator without \
         limits, median of {ROUNDS}"
    );
    let inserts = format!(
        "the same rows into a copy of the table, {ROWS_PER_INSERT} per statement, one connection, in the same round"
    );
    Ok(vec![
        figure("Engine, share of plain INSERTs", share, Goal::AtLeast(0.5), "", &how),
        figure("Engine", median(synced), Goal::None, "rows/s", &how),
        figure("Plain INSERTs", median(plain), Goal::None, "rows/s", &inserts),
    ])
}

/// One line of the report.
fn figure(what: &'static str, measured: f64, goal: Goal, unit: &'static str, how: &str) -> Figure {
    Figure { what, measured, goal, unit, how: how.to_owned() }
}

/// Inserts all rows of the mirror into an empty copy of it; returns rows per second.
async fn insert_again(database: &Database) -> anyhow::Result<f64> {
    let columns = written_columns(database).await?;
    let rows = read_rows(database, &columns).await?;
    ensure!(rows.len() as u64 == CONTACTS, "the daemon stored {} of {CONTACTS} contacts", rows.len());
    database.sql.execute("CREATE TABLE plain LIKE hubspot_contacts").await?;
    let mut connection = database.sql.acquire().await?;
    let started = Instant::now();
    for chunk in rows.chunks(ROWS_PER_INSERT) {
        let row = format!("({})", vec!["?"; columns.len()].join(", "));
        let sql = format!(
            "INSERT INTO plain (`{}`) VALUES {}",
            columns.join("`, `"),
            vec![row.as_str(); chunk.len()].join(", ")
        );
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for value in chunk.iter().flatten() {
            // Text is bound as text: converting from binary would cost the server more.
            query = match value.as_deref().map(std::str::from_utf8) {
                Some(Ok(text)) => query.bind(text),
                Some(Err(_)) => query.bind(value.as_deref()),
                None => query.bind(None::<&str>),
            };
        }
        query.execute(&mut *connection).await?;
    }
    let elapsed = started.elapsed().as_secs_f64();
    Ok(rows.len() as f64 / elapsed)
}

/// The columns the daemon writes, the digest last. The rest have defaults.
async fn written_columns(database: &Database) -> anyhow::Result<Vec<String>> {
    let columns = sqlx::query_scalar(
        "SELECT column_name FROM information_schema.columns \
         WHERE table_schema = DATABASE() AND table_name = 'hubspot_contacts' \
           AND (column_comment LIKE 'HubSpot property%' OR column_name IN ('hubspot_id', 'properties_json', \
                'hubspot_created_at', 'hubspot_updated_at', 'archived', 'archived_at', 'content_hash', \
                'last_synced_at')) \
         ORDER BY ordinal_position",
    );
    Ok(columns.fetch_all(&database.sql).await?)
}

/// All rows in id order, over the text protocol.
async fn read_rows(database: &Database, columns: &[String]) -> anyhow::Result<Vec<PlainRow>> {
    let sql = format!("SELECT `{}` FROM hubspot_contacts ORDER BY hubspot_id", columns.join("`, `"));
    let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_all(&database.sql).await?;
    let plain = |row: &sqlx::mysql::MySqlRow| {
        (0..columns.len()).map(|index| row.try_get_unchecked(index)).collect::<Result<PlainRow, _>>()
    };
    Ok(rows.iter().map(plain).collect::<Result<_, _>>()?)
}
