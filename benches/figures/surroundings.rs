//! What every benchmark works in: the MariaDB server `scripts/bench` started and a directory for logs.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Executor, MySqlPool};

/// Longest wait for anything that surely happens; one that does not is reported instead of hanging.
const PATIENCE: Duration = Duration::from_mins(30);

/// Where the benchmarks run.
pub struct Surroundings {
    /// URL of the server, up to and with the slash before the database's name.
    server: String,
    /// Takes the logs of the programs that are started.
    pub directory: PathBuf,
}

/// A database of one round's own.
pub struct Database {
    /// `DATABASE_URL` of it.
    pub url: String,
    /// As a person with a SQL client sees it.
    pub sql: MySqlPool,
}

impl Surroundings {
    /// Reads `BENCH_DATABASE_URL` and `BENCH_DIR`, which `scripts/bench` sets.
    pub fn from_environment() -> anyhow::Result<Self> {
        let variable = |name: &str| {
            let found = std::env::vars().find(|(key, _)| key == name).map(|(_, value)| value);
            found.with_context(|| format!("{name} is not set; run the benchmarks through scripts/bench"))
        };
        Ok(Self { server: variable("BENCH_DATABASE_URL")?, directory: variable("BENCH_DIR")?.into() })
    }

    /// An empty database; one of that name an earlier round left behind is dropped.
    pub async fn fresh_database(&self, name: &str) -> anyhow::Result<Database> {
        let name = format!("hubspot_bench_{name}");
        let server = MySqlPool::connect(&self.server).await?;
        server.execute(sqlx::AssertSqlSafe(format!("CREATE OR REPLACE DATABASE {name}"))).await?;
        server.close().await;
        let url = format!("{}{name}", self.server);
        Ok(Database { sql: MySqlPool::connect(&url).await?, url })
    }
}

impl Database {
    /// The one value of a query that yields a whole number.
    pub async fn count(&self, query: &'static str) -> anyhow::Result<i64> {
        Ok(sqlx::query_scalar(query).fetch_one(&self.sql).await?)
    }
}

/// Asks every `period` until there is an answer.
pub async fn wait_for<T>(
    what: &str,
    period: Duration,
    mut ask: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let asking = async {
        loop {
            match ask().await? {
                Some(answer) => return Ok(answer),
                None => tokio::time::sleep(period).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.with_context(|| format!("waited in vain for {what}"))?
}

/// The time on the clock all programs here share.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}
