//! What `check` wants to know of the server.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Row;

use super::{Database, StorageError, database};
use crate::clock;

/// Facts about the database server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// Version text, such as `10.11.19-MariaDB`.
    pub version: String,
    /// Host name and port the server knows itself by.
    pub host: String,
    /// Largest statement it takes, bytes.
    pub max_allowed_packet: i64,
    /// Its clock minus ours.
    pub clock_skew: TimeDelta,
}

impl ServerFacts {
    /// Whether it is MariaDB rather than MySQL.
    pub fn is_mariadb(&self) -> bool {
        self.version.contains("MariaDB")
    }

    /// Major and minor version; zeros where the text has none.
    pub fn version_number(&self) -> (u32, u32) {
        let mut numbers = self.version.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }
}

/// Asks the server for its facts.
///
/// # Errors
/// When it cannot be reached.
pub async fn server_facts(database: &Database) -> Result<ServerFacts, StorageError> {
    let sql = "SELECT VERSION() AS version, CONCAT(@@hostname, ':', @@port) AS host, \
               CAST(@@max_allowed_packet AS SIGNED) AS packet, UTC_TIMESTAMP(3) AS now";
    // Not through the pool, which says no more than that it has waited.
    let mut connection = database.dedicated().await?;
    let row = sqlx::query(sql).fetch_one(&mut connection).await;
    database::close(connection).await;
    let read = |row: &sqlx::mysql::MySqlRow| {
        Ok(ServerFacts {
            version: row.try_get("version")?,
            host: row.try_get("host")?,
            max_allowed_packet: row.try_get("packet")?,
            clock_skew: row.try_get::<DateTime<Utc>, _>("now")? - clock::now(),
        })
    };
    row.and_then(|row| read(&row)).map_err(StorageError::query("reach the database"))
}

/// What a daemon does that may change tables, tried on a table of its own: right and statement.
const CHANGING_TABLES: &[(&str, &str)] = &[
    ("CREATE", "CREATE TABLE IF NOT EXISTS hubspot_connector_check (id INT NOT NULL PRIMARY KEY)"),
    ("INDEX", "CREATE INDEX IF NOT EXISTS probe ON hubspot_connector_check (id)"),
    ("ALTER", "ALTER TABLE hubspot_connector_check ADD COLUMN IF NOT EXISTS probe INT NULL"),
    ("INSERT", "INSERT INTO hubspot_connector_check (id) VALUES (1) ON DUPLICATE KEY UPDATE id = 1"),
    ("SELECT", "SELECT id FROM hubspot_connector_check"),
    ("UPDATE", "UPDATE hubspot_connector_check SET probe = 1"),
    ("DELETE", "DELETE FROM hubspot_connector_check"),
    ("DROP", "DROP TABLE IF EXISTS hubspot_connector_check"),
];

/// What every daemon does, tried on the leases in a transaction that is given up.
const USING_TABLES: &[(&str, &str)] = &[
    ("SELECT", "START TRANSACTION"),
    (
        "INSERT",
        "INSERT INTO leases VALUES ('check', '', '', 0, NOW(6), NOW(6)) ON DUPLICATE KEY UPDATE holder = ''",
    ),
    ("SELECT", "SELECT name FROM leases WHERE name = 'check' FOR UPDATE"),
    ("UPDATE", "UPDATE leases SET holder = 'check' WHERE name = 'check'"),
    ("DELETE", "DELETE FROM leases WHERE name = 'check'"),
    ("SELECT", "ROLLBACK"),
];

/// Tries what the daemon will do, with tables of its own where it may; returns the rights that are missing.
///
/// # Errors
/// When the database cannot be reached at all.
pub async fn probe_rights(database: &Database, migrates: bool) -> Result<Vec<&'static str>, StorageError> {
    let mut connection = database.dedicated().await?;
    let mut missing = Vec::new();
    let probes = if migrates { CHANGING_TABLES } else { USING_TABLES };
    for (right, sql) in probes {
        match sqlx::raw_sql(*sql).execute(&mut connection).await {
            Ok(_) => {}
            Err(sqlx::Error::Database(_)) => missing.push(*right),
            Err(error) => return Err(StorageError::query("try the rights of the database user")(error)),
        }
    }
    database::close(connection).await;
    missing.dedup();
    Ok(missing)
}
