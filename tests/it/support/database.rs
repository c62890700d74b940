//! A fresh database on the private server that `scripts/test` starts.

use std::sync::atomic::{AtomicU32, Ordering};

use hubspot_mariadb_connector::config::{Config, DatabaseConfig, Environment};
use hubspot_mariadb_connector::model::ObjectType;
use hubspot_mariadb_connector::storage::{Database, Lease, LeaseKeeper, migrate};
use sqlx::{Executor, MySqlPool};

/// Numbers the databases of this process.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A database of one test's own. It goes with the private server.
pub struct TestDatabase {
    /// As the daemon sees it.
    pub database: Database,
    /// As a person with a SQL client sees it.
    pub sql: MySqlPool,
    /// `DATABASE_URL` of it.
    pub url: String,
}

impl TestDatabase {
    /// Creates an empty database.
    pub async fn empty() -> Self {
        let server = std::env::vars().find(|(name, _)| name == "TEST_DATABASE_URL").map(|(_, url)| url);
        Self::empty_on(&server.expect("TEST_DATABASE_URL is not set; run the tests through scripts/test"))
            .await
    }

    /// Creates an empty database on the server at `url`, which ends in a slash.
    pub async fn empty_on(url: &str) -> Self {
        let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let server = MySqlPool::connect(url).await.unwrap();
        server.execute(sqlx::AssertSqlSafe(format!("CREATE OR REPLACE DATABASE {name}"))).await.unwrap();
        let url = format!("{url}{name}");
        let sql = MySqlPool::connect(&url).await.unwrap();
        Self { database: Database::new(&config(&url)).unwrap(), sql, url }
    }

    /// Creates a database with the whole schema.
    pub async fn migrated() -> Self {
        Self::empty().await.migrate().await
    }

    /// Creates a database with the whole schema on the server at `url`.
    pub async fn migrated_on(url: &str) -> Self {
        Self::empty_on(url).await.migrate().await
    }

    /// Brings the schema up to date, with the tables of the types that are mirrored by default.
    async fn migrate(self) -> Self {
        let objects = ["contacts", "companies", "deals"].map(|name| ObjectType::named(name).unwrap());
        migrate(&self.database, &objects).await.unwrap();
        self
    }

    /// The right to write, as the daemon has it.
    pub async fn lease(&self) -> Lease {
        let keeper = LeaseKeeper::new(self.database.clone(), "test".into());
        keeper.acquire("account").await.unwrap().expect("nobody else holds the lease of a fresh database")
    }

    /// Breaks every connection to it, as a restart of the server does.
    pub async fn disconnect_everybody(&self) {
        let others =
            "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()";
        let mut own = self.sql.acquire().await.unwrap();
        let others: Vec<i64> = sqlx::query_scalar(others).fetch_all(&mut *own).await.unwrap();
        for other in others {
            // Gone by itself in the meantime, it need not be broken.
            own.execute(sqlx::AssertSqlSafe(format!("KILL {other}"))).await.ok();
        }
    }

    /// Runs a statement.
    pub async fn execute(&self, sql: &str) {
        self.sql.execute(sqlx::AssertSqlSafe(sql.to_owned())).await.unwrap();
    }

    /// The rows of a query, each as its columns' text joined by `|`; NULL shows as `-`.
    pub async fn rows(&self, table: &str, columns: &[&str], rest: &str) -> Vec<String> {
        let fields: Vec<_> =
            columns.iter().map(|column| format!("COALESCE(CAST({column} AS CHAR), '-')")).collect();
        let sql = format!("SELECT CONCAT_WS('|', {}) FROM {table} {rest}", fields.join(", "));
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&self.sql).await.unwrap()
    }

    /// The one value of a query that yields a whole number.
    pub async fn number(&self, query: &str) -> i64 {
        self.value(query).await.parse().unwrap()
    }

    /// The one value of a query, as text.
    pub async fn value(&self, expression: &str) -> String {
        let sql = format!("SELECT COALESCE(CAST(({expression}) AS CHAR), '-')");
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&self.sql).await.unwrap()
    }
}

/// The daemon's settings for the database at `url`.
pub fn config(url: &str) -> DatabaseConfig {
    let pairs = [("DATABASE_URL".to_owned(), url.to_owned())];
    Config::read_without_hubspot(Environment::from_pairs(pairs)).unwrap().0
}
