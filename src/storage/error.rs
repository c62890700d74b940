//! What can go wrong with the database, and what that means for the caller.

use std::error::Error;
use std::fmt;

use sqlx::migrate::MigrateError;
use sqlx::mysql::MySqlDatabaseError;

/// A database operation failed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The server or the driver refused it.
    #[error("failed to {operation}")]
    Query {
        /// What was being done, as the end of "failed to …".
        operation: String,
        /// The cause.
        #[source]
        source: DriverError,
    },
    /// The server is none this program can work with.
    #[error("cannot work with the database server: {0}")]
    Unsuitable(String),
    /// HubSpot's list lacks so much of what is stored that it is more likely a fault than a fact.
    #[error("HubSpot lists {missing} of {stored} stored {what} no more, which is too many to believe")]
    ShortList {
        /// What is listed, in the plural.
        what: String,
        /// Rows that would have been marked archived.
        missing: usize,
        /// Rows that are not archived.
        stored: usize,
    },
    /// The migrations could not be brought up to date.
    #[error("failed to migrate the database")]
    Migrate(#[source] MigrateError),
    /// Another process holds the lease now; whatever this one was writing is void.
    #[error("lost the lease `{0}` to another process")]
    LeaseLost(String),
    /// A stored value is not what this program writes.
    #[error("{table} of {row} holds an unknown {column}: `{value}`")]
    Inconsistent {
        /// Table of the value.
        table: &'static str,
        /// Its row.
        row: String,
        /// Its column.
        column: &'static str,
        /// The value.
        value: String,
    },
    /// The database belongs to another HubSpot account.
    #[error("this database mirrors HubSpot account {bound}, but the token is for account {given}")]
    WrongAccount {
        /// The account the database was first used with.
        bound: i64,
        /// The account of the token.
        given: i64,
    },
    /// The schema is not up to date and migrating at start is off.
    #[error("the database schema is not up to date: {0}")]
    SchemaOutdated(String),
}

/// What a caller can do about a [`StorageError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageErrorKind {
    /// The same transaction may succeed on a second try: deadlock, lock wait, lost connection.
    Transient,
    /// A value does not fit; another try changes nothing, but other rows are not affected.
    Data,
    /// Another process took over.
    LeaseLost,
    /// A person has to act: rights, schema, configuration.
    Permanent,
}

/// MariaDB error numbers after which the whole transaction may simply be tried again.
/// Source: MariaDB, "MariaDB Error Codes".
const TRANSIENT: &[u16] = &[
    1020, // record has changed since last read
    1021, // disk full
    1026, // error writing a file
    1030, // error from the storage engine, a full disk among them
    1040, // too many connections
    1047, // a Galera node that is not ready
    1053, // server shutdown in progress
    1114, // table full, as on a full disk
    1203, // too many connections of the user
    1205, // lock wait timeout
    1213, // deadlock
    1226, // a limit of the user is used up
    1290, // read only, as during a failover
    1317, // query interrupted
    1792, // read only transaction
    1836, // read only
    1927, // connection was killed
    1969, // max_statement_time exceeded
];

/// Those among them that tell of a transaction which has won against ours: changed since last read, deadlock.
const DEADLOCK: &[u16] = &[1020, 1213];

/// The one that tells of a lock that was waited for.
pub(super) const LOCK_WAIT: u16 = 1205;

/// MariaDB error numbers that blame a value.
const DATA: &[u16] = &[
    1048, // column cannot be null
    1062, // duplicate entry, in a unique index of somebody else's
    1264, // out of range
    1292, // truncated wrong value
    1364, // no value for a column of somebody else's
    1366, // incorrect value
    1406, // data too long
    1451, // a foreign key of somebody else's refers to the row
    1452, // a foreign key of somebody else's has no such row
    3140, // invalid JSON text
    4025, // CHECK constraint failed (json_valid)
];

/// MariaDB's number for a table that does not exist.
pub(super) const NO_SUCH_TABLE: u16 = 1146;
/// MariaDB's number for a statement larger than `max_allowed_packet`. The server closes the connection with it, so it
/// blames no row.
const PACKET_TOO_LARGE: u16 = 1153;
/// MariaDB's number for a trigger that somebody else than an administrator may not make while there is a binary log.
const TRIGGER_UNDER_BINARY_LOG: u16 = 1419;
/// What to do about a schema that is not there or too old.
const MIGRATE: &str = "Run `hubspot-connector migrate` as a user who may change tables.";

impl StorageError {
    /// Wraps a driver error with what was being done.
    pub(super) fn query(operation: impl Into<String>) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Query { operation: operation.into(), source: DriverError(source) }
    }

    /// An error that passes by itself, for the tests of other modules.
    #[cfg(test)]
    pub(crate) fn passing(operation: &str) -> Self {
        Self::query(operation)(sqlx::Error::PoolTimedOut)
    }

    /// What the caller can do.
    pub fn kind(&self) -> StorageErrorKind {
        match self {
            Self::Query { source: DriverError(source), .. }
            | Self::Migrate(MigrateError::Execute(source)) => classify(source),
            Self::LeaseLost(_) => StorageErrorKind::LeaseLost,
            Self::Migrate(_)
            | Self::Inconsistent { .. }
            | Self::WrongAccount { .. }
            | Self::Unsuitable(_)
            | Self::ShortList { .. }
            | Self::SchemaOutdated(_) => StorageErrorKind::Permanent,
        }
    }

    /// Whether another transaction was in the way, which is over by now: the next try need not wait.
    pub fn is_deadlock(&self) -> bool {
        matches!(self, Self::Query { source, .. } if DEADLOCK.contains(&source.number()))
    }

    /// Whether another transaction holds what was to be written, for longer than the session waits.
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Query { source, .. } if source.number() == LOCK_WAIT)
    }

    /// What a person should do about it, as a sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::WrongAccount { .. } => "Use the token of that account, or another database for this one.",
            Self::SchemaOutdated(_) => MIGRATE,
            Self::Query { source, .. } if source.number() == NO_SUCH_TABLE => MIGRATE,
            Self::Query { source, .. } if source.number() == PACKET_TOO_LARGE => {
                "Set MariaDB's max_allowed_packet to 16M or more."
            }
            Self::Query { source, .. } if source.number() == TRIGGER_UNDER_BINARY_LOG => {
                "Have an administrator set log_bin_trust_function_creators = 1 on the MariaDB server, for good in its configuration."
            }
            Self::Unsuitable(_) => "Nothing was changed in it.",
            Self::ShortList { .. } => {
                "Nothing was archived. If they are really gone from HubSpot, set archived = 1 in their rows yourself; the next run then goes on."
            }
            Self::Migrate(MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_)) => {
                "Another version of hubspot-connector has changed this database: install that one or a newer one."
            }
            Self::Migrate(MigrateError::Dirty(_)) => {
                "A migration stopped halfway: run `hubspot-connector migrate`, which runs it again."
            }
            Self::Migrate(_) => "Give the user the rights of deploy/grants.sql and start again.",
            _ => match self.kind() {
                StorageErrorKind::Transient => {
                    "Nothing to do if the database is back; it is tried again by itself."
                }
                StorageErrorKind::Data => "See the quarantine table for the record.",
                StorageErrorKind::LeaseLost => "Nothing to do: another hubspot-connector took over.",
                StorageErrorKind::Permanent => "Check the DB_ settings and the rights of the database user.",
            },
        }
    }
}

/// A driver error whose words hold no value: MariaDB quotes the value it blames, and words end in the log.
#[derive(Debug)]
pub struct DriverError(sqlx::Error);

impl DriverError {
    /// MariaDB's error number; 0 for an error that is not MariaDB's.
    pub(super) fn number(&self) -> u16 {
        number(&self.0)
    }

    /// The driver's own error.
    pub(super) fn into_inner(self) -> sqlx::Error {
        self.0
    }
}

impl fmt::Display for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number() {
            number if DATA.contains(&number) => write!(f, "MariaDB refused a value: error {number}"),
            _ => self.0.fmt(f),
        }
    }
}

impl Error for DriverError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        if DATA.contains(&self.number()) { None } else { self.0.source() }
    }
}

/// Sorts a driver error.
fn classify(error: &sqlx::Error) -> StorageErrorKind {
    match error {
        sqlx::Error::Database(database) => {
            let number =
                database.try_downcast_ref::<MySqlDatabaseError>().map_or(0, MySqlDatabaseError::number);
            if TRANSIENT.contains(&number) {
                StorageErrorKind::Transient
            } else if DATA.contains(&number) {
                StorageErrorKind::Data
            } else {
                StorageErrorKind::Permanent
            }
        }
        // A certificate that does not verify, or an answer that is not MariaDB's.
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            StorageErrorKind::Permanent
        }
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Protocol(_) => {
            StorageErrorKind::Transient
        }
        _ => StorageErrorKind::Permanent,
    }
}

/// MariaDB's error number; 0 for an error that is not MariaDB's.
pub(super) fn number(error: &sqlx::Error) -> u16 {
    let database = error.as_database_error().and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>());
    database.map_or(0, MySqlDatabaseError::number)
}
