//! The connection pool.

use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::{Connection, Executor, MySql, MySqlConnection, MySqlPool, Transaction};
use tracing::debug;

use super::StorageError;
use crate::config::DatabaseConfig;

/// How long to wait for a free connection, or for the server to answer at all.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections are replaced at this age, so that none meets the server's `wait_timeout`.
const MAX_LIFETIME: Duration = Duration::from_mins(30);
/// Connections nobody used for this long are closed: an idle daemon should be small.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// A connection that rested for less than this is used unasked: it answered when it was returned to the pool, and a
/// page that fails for the exception is tried again. Asking takes a round trip, a sixth of an unchanged page.
const TRUSTED_REST: Duration = Duration::from_secs(1);

/// What every session starts with. Statements end on the server, never by dropping their future.
const SESSION: &str = "SET SESSION \
     sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION', \
     time_zone = '+00:00', \
     max_statement_time = 300, \
     innodb_lock_wait_timeout = 10, \
     lock_wait_timeout = 30";

/// READ COMMITTED: no gap locks between page transactions, and no error 1020 on MariaDB 11.8.
const ISOLATION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Database {
    pool: MySqlPool,
    options: MySqlConnectOptions,
}

impl Database {
    /// Prepares the pool; the first connection is made by the first query.
    ///
    /// # Errors
    /// When the connection settings cannot be understood.
    pub fn new(config: &DatabaseConfig) -> Result<Self, StorageError> {
        let options = config.connect_options().map_err(StorageError::query("read the database settings"))?;
        // SQL then means the same here as in a client: `||` is OR, the session's mode is ours.
        let options = options.pipes_as_concat(false).no_engine_substitution(false).timezone(None);
        let pool = MySqlPoolOptions::new()
            .max_connections(config.max_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .max_lifetime(MAX_LIFETIME)
            .idle_timeout(IDLE_TIMEOUT)
            .test_before_acquire(false)
            .before_acquire(|connection, metadata| Box::pin(test_if_rested(connection, metadata.idle_for)))
            .after_connect(|connection, _| Box::pin(prepare(connection)))
            .connect_lazy_with(options.clone());
        Ok(Self { pool, options })
    }

    /// The pool, for single statements.
    pub(crate) fn pool(&self) -> &MySqlPool {
        &self.pool
    }

    /// Starts a transaction.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, MySql>, StorageError> {
        self.pool.begin().await.map_err(StorageError::query("start a transaction"))
    }

    /// Opens a connection outside the pool, for what must stay on one connection.
    pub(crate) async fn dedicated(&self) -> Result<MySqlConnection, StorageError> {
        let connect = async {
            let mut connection = MySqlConnection::connect_with(&self.options).await?;
            prepare(&mut connection).await?;
            Ok(connection)
        };
        // A connection that is still being made can be dropped without harm to any other.
        let connected = tokio::time::timeout(ACQUIRE_TIMEOUT, connect).await;
        connected
            .unwrap_or(Err(sqlx::Error::PoolTimedOut))
            .map_err(StorageError::query("connect to the database"))
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Closes a dedicated connection. It has done its work, so a peer that is gone already is none of our concern.
pub(super) async fn close(connection: MySqlConnection) {
    if let Err(error) = connection.close().await {
        debug!("A database connection did not close cleanly: {error}");
    }
}

/// Makes sure that a connection still lives, unless it was in use a moment ago.
async fn test_if_rested(connection: &mut MySqlConnection, rested: Duration) -> Result<bool, sqlx::Error> {
    if rested >= TRUSTED_REST {
        connection.ping().await?;
    }
    Ok(true)
}

/// Gives a new connection its session settings.
async fn prepare(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    connection.execute(SESSION).await?;
    connection.execute(ISOLATION).await?;
    Ok(())
}
