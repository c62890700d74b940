//! What `check` wants to know of the server.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Row;

use super::error::{NO_SUCH_TABLE, number};
use super::{Database, StorageError};
use crate::clock;

/// Oldest MariaDB this program is tested on. Older ones fail in the middle of the first migration: the collation
/// `uca1400` came with 10.10.
const OLDEST_MARIADB: (u32, u32) = (10, 11);
/// Least `max_allowed_packet`, bytes: the default. The largest row needs twice its 7 MiB, and a statement that is too
/// large breaks the connection instead of blaming a row.
const LEAST_PACKET: i64 = 16 * 1024 * 1024;
/// MariaDB's numbers for a right that is missing: on the database, a table, a column, the server, a routine.
/// Source: MariaDB, "MariaDB Error Codes".
const DENIED: [u16; 5] = [1044, 1142, 1143, 1227, 1370];

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
    /// Why the daemon cannot work with this server and what to do, as the end of a sentence; `None` when it can.
    pub fn shortcoming(&self) -> Option<String> {
        let (major, minor) = OLDEST_MARIADB;
        if !self.version.contains("MariaDB") {
            return Some(format!(
                "it is not MariaDB but version {}; use MariaDB {major}.{minor} or later",
                self.version
            ));
        }
        if self.version_number() < OLDEST_MARIADB {
            return Some(format!("it is MariaDB {}; {major}.{minor} or later is needed", self.version));
        }
        (self.max_allowed_packet < LEAST_PACKET).then(|| {
            format!(
                "its max_allowed_packet is {} bytes, too small for large records; set it to 16M or more and restart \
                 it",
                self.max_allowed_packet
            )
        })
    }

    /// Major and minor version; zeros where the text has none.
    fn version_number(&self) -> (u32, u32) {
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
    let failed = || StorageError::query("reach the database");
    let row = database
        .on_plain_connection(async |connection| {
            sqlx::query(sql).fetch_one(connection).await.map_err(failed())
        })
        .await?;
    let read = |row: &sqlx::mysql::MySqlRow| {
        Ok(ServerFacts {
            version: row.try_get("version")?,
            host: row.try_get("host")?,
            max_allowed_packet: row.try_get("packet")?,
            clock_skew: row.try_get::<DateTime<Utc>, _>("now")? - clock::now(),
        })
    };
    read(&row).map_err(failed())
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

/// What capturing edits takes besides, tried in front of the last of [`CHANGING_TABLES`].
const CAPTURING: (&str, &str) = (
    "TRIGGER (and log_bin_trust_function_creators = ON where the server writes a binary log)",
    "CREATE OR REPLACE TRIGGER hubspot_connector_check_capture BEFORE UPDATE ON hubspot_connector_check \
     FOR EACH ROW SET @hubspot_connector_check = 1",
);
/// MariaDB's number for a trigger that needs more rights because of the binary log. Source: MariaDB, "Error Codes".
const BINARY_LOG: u16 = 1419;

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

/// Tries what the daemon will do, with tables of its own where it `migrates`, and making triggers where it `captures`
/// edits; returns the rights that are missing. Without
/// the right to change tables and without tables there is nothing to try: the state of the schema says so.
///
/// # Errors
/// When the database cannot be reached, or refuses for another reason than a missing right.
pub async fn probe_rights(
    database: &Database,
    migrates: bool,
    captures: bool,
) -> Result<Vec<&'static str>, StorageError> {
    let failed = || StorageError::query("try the rights of the database user");
    database
        .on_own_connection(async |connection| {
            let mut probes = if migrates { CHANGING_TABLES } else { USING_TABLES }.to_vec();
            if migrates && captures {
                probes.insert(probes.len() - 1, CAPTURING);
            }
            let mut missing = Vec::new();
            for (right, sql) in probes {
                match sqlx::raw_sql(sql).execute(&mut *connection).await {
                    Ok(_) => {}
                    Err(error) if DENIED.contains(&number(&error)) || number(&error) == BINARY_LOG => {
                        missing.push(right);
                    }
                    // Who may not even create the probe's table has none to try the rest on.
                    Err(error) if number(&error) == NO_SUCH_TABLE && (!migrates || !missing.is_empty()) => {}
                    Err(error) => return Err(failed()(error)),
                }
            }
            missing.dedup();
            Ok(missing)
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a server of that version and packet size.
    fn shortcoming(version: &str, max_allowed_packet: i64) -> String {
        let (version, host) = (version.to_owned(), "db:3306".to_owned());
        let facts = ServerFacts { version, host, max_allowed_packet, clock_skew: TimeDelta::zero() };
        facts.shortcoming().unwrap_or_default()
    }

    #[test]
    fn only_servers_that_can_hold_the_mirror_will_do() {
        for version in
            ["10.11.0-MariaDB", "10.11.19-MariaDB-0+deb12u1", "11.8.6-MariaDB-log", "12.0.2-MariaDB"]
        {
            assert_eq!(shortcoming(version, LEAST_PACKET), "", "{version}");
        }
        for version in ["10.10.7-MariaDB", "10.6.16-MariaDB-log", "5.5.68-MariaDB", "MariaDB"] {
            let said = shortcoming(version, LEAST_PACKET);
            assert!(said.contains(version) && said.contains("10.11 or later"), "{said}");
        }
        let said = shortcoming("8.4.3", LEAST_PACKET);
        assert!(said.contains("not MariaDB") && said.contains("8.4.3"), "{said}");
        let said = shortcoming("11.8.6-MariaDB", LEAST_PACKET - 1);
        assert!(said.contains("16777215 bytes") && said.contains("16M"), "{said}");
    }
}
