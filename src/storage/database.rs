//! The connection pool.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, MySql, MySqlConnection, MySqlPool, Transaction};
use tracing::debug;

use super::StorageError;
use super::calls::{Call, Calls, Watched};
use crate::config::DatabaseConfig;

/// How the pool is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    /// Connections somebody works with.
    pub used: u32,
    /// Open connections nobody works with.
    pub idle: u32,
    /// Most connections there may be.
    pub most: u32,
}

/// How long to wait for a free connection, or for the server to answer at all.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections are replaced at this age, so that none meets the server's `wait_timeout`.
const MAX_LIFETIME: Duration = Duration::from_mins(30);
/// Connections nobody used for this long are closed: an idle daemon should be small.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// A connection that rested for less than this is used unasked: it answered when it was returned to the pool, and a
/// page that fails for the exception is tried again. Asking takes a round trip, a sixth of an unchanged page.
const TRUSTED_REST: Duration = Duration::from_secs(1);

/// Longest a statement may take until its caller takes the server for gone: a minute more than the server itself gives
/// it (`max_statement_time` below), waiting for a connection included.
const LONGEST_CALL: Duration = Duration::from_mins(6);
/// The same for a change of a table, which the server gives all the time it needs.
pub(super) const LONGEST_CHANGE: Duration = Duration::from_hours(12);

/// Longest time for a few small statements on a connection of their own, waits for locks included.
const FEW_STATEMENTS: Duration = Duration::from_mins(1);

/// Connections for edits in the name of a person; they take milliseconds each.
const EDITORS: u32 = 2;

/// What every session starts with. Statements end on the server, never by dropping their future; so do transactions
/// whose client has gone without a word, with the locks they hold.
const SESSION: &str = "SET SESSION \
     sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION', \
     time_zone = '+00:00', \
     max_statement_time = 300, \
     innodb_lock_wait_timeout = 10, \
     lock_wait_timeout = 30, \
     idle_transaction_timeout = 30";

/// Lets what we write pass the triggers that capture edits.
const OWN_WRITES: &str = "SET @hubspot_connector = TRUE";

/// As [`Database::begin_edit`] needs it, whatever the server's default is.
const EDIT_ISOLATION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ";
/// A person waits, and few connections are for edits: somebody's open transaction must not hold up those of other rows.
const EDIT_PATIENCE: &str = "SET SESSION innodb_lock_wait_timeout = 2";

/// READ COMMITTED: no gap locks between page transactions, and no error 1020 on MariaDB 11.8.
const ISOLATION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Database {
    pool: MySqlPool,
    /// Sessions whose writes are captured like those of anybody else. A pool of their own: what tells the two kinds apart
    /// is a variable of the session, and no session ever changes sides.
    editors: MySqlPool,
    options: MySqlConnectOptions,
    calls: Calls,
    longest_call: Duration,
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
        // Lines of sqlx's own would hold whole statements.
        let options = options.disable_statement_logging();
        let pool = MySqlPoolOptions::new()
            .max_connections(config.max_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .max_lifetime(MAX_LIFETIME)
            .idle_timeout(IDLE_TIMEOUT)
            .test_before_acquire(false)
            .before_acquire(|connection, metadata| Box::pin(test_if_rested(connection, metadata.idle_for)))
            .after_connect(|connection, _| Box::pin(prepare(connection)))
            .connect_lazy_with(options.clone());
        let editors = MySqlPoolOptions::new()
            .max_connections(EDITORS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .max_lifetime(MAX_LIFETIME)
            .idle_timeout(IDLE_TIMEOUT)
            .after_connect(|connection, _| Box::pin(prepare_editor(connection)))
            .connect_lazy_with(options.clone());
        Ok(Self { pool, editors, options, calls: Calls::default(), longest_call: LONGEST_CALL })
    }

    /// Takes the server for gone when a statement takes longer than `limit`, instead of six minutes.
    #[must_use]
    pub fn with_longest_call(self, limit: Duration) -> Self {
        Self { longest_call: limit, ..self }
    }

    /// Returns when a call takes longer than the server lets any take, and never otherwise. The server is gone then
    /// without having closed its connections, and whoever waits for an answer waits for ever: the process has to end.
    pub async fn overdue(&self) {
        self.calls.overdue().await;
    }

    /// The pool, for one statement.
    pub(crate) fn pool(&self) -> Watched<'_> {
        Watched::new(&self.pool, self.call(self.longest_call))
    }

    /// How many connections there are.
    pub fn pool_use(&self) -> PoolUse {
        let (open, idle) = (self.pool.size(), self.pool.num_idle() as u32);
        let most = self.pool.options().get_max_connections();
        PoolUse { used: open.saturating_sub(idle), idle, most }
    }

    /// Notes a call that is not made through the pool and takes at most `limit`.
    pub(super) fn call(&self, limit: Duration) -> Call {
        self.calls.begin(limit)
    }

    /// Starts a transaction.
    pub(super) async fn begin(&self) -> Result<WatchedTransaction, StorageError> {
        let call = self.call(self.longest_call);
        let transaction = self.pool.begin().await.map_err(StorageError::query("start a transaction"))?;
        Ok(WatchedTransaction { transaction, call })
    }

    /// Starts a transaction whose writes are captured as the edits of a person. It is at REPEATABLE READ: what is looked
    /// for with a lock and not found cannot be inserted by anybody else before it ends.
    pub(super) async fn begin_edit(&self) -> Result<WatchedTransaction, StorageError> {
        let call = self.call(self.longest_call);
        let transaction = self.editors.begin().await.map_err(StorageError::query("start an edit"))?;
        Ok(WatchedTransaction { transaction, call })
    }

    /// Opens a connection, has a few small statements run on it and closes it, all within a minute.
    ///
    /// The work may be dropped in mid-flight, other than on a connection of the pool: its connection belongs to nobody
    /// else and is dropped with it, and the server rolls back what it had not committed.
    pub(super) async fn on_own_connection<T>(
        &self,
        work: impl AsyncFnOnce(&mut MySqlConnection) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        briefly(self.dedicated(), work).await
    }

    /// The same without our session settings, which only MariaDB understands.
    pub(super) async fn on_plain_connection<T>(
        &self,
        work: impl AsyncFnOnce(&mut MySqlConnection) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        briefly(connect(MySqlConnection::connect_with(&self.options)), work).await
    }

    /// Opens a connection outside the pool, for what must stay on one connection.
    pub(crate) async fn dedicated(&self) -> Result<MySqlConnection, StorageError> {
        connect(async {
            let mut connection = MySqlConnection::connect_with(&self.options).await?;
            prepare(&mut connection).await?;
            Ok(connection)
        })
        .await
    }

    /// Asks the server whether it is there.
    ///
    /// # Errors
    /// When it is not.
    pub async fn ping(&self) -> Result<(), StorageError> {
        let asked = self.pool().execute("SELECT 1").await;
        asked.map(|_| ()).map_err(StorageError::query("ask the database whether it is there"))
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.editors.close().await;
        self.pool.close().await;
    }
}

/// Connects within [`ACQUIRE_TIMEOUT`]. A connection that is still being made can be dropped without harm to any other.
async fn connect(
    connecting: impl Future<Output = Result<MySqlConnection, sqlx::Error>>,
) -> Result<MySqlConnection, StorageError> {
    let connected = tokio::time::timeout(ACQUIRE_TIMEOUT, Box::pin(connecting)).await;
    connected
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
        .map_err(StorageError::query("connect to the database"))
}

/// Connects, works and closes, or gives up after [`FEW_STATEMENTS`].
async fn briefly<T>(
    connecting: impl Future<Output = Result<MySqlConnection, StorageError>>,
    work: impl AsyncFnOnce(&mut MySqlConnection) -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    let done = Box::pin(async {
        let mut connection = connecting.await?;
        let result = work(&mut connection).await;
        close(connection).await;
        result
    });
    let done = tokio::time::timeout(FEW_STATEMENTS, done);
    done.await.unwrap_or_else(|_| Err(StorageError::query("get an answer from the database")(no_answer())))
}

/// A transaction whose statements are noted; rolled back when dropped.
pub(super) struct WatchedTransaction {
    transaction: Transaction<'static, MySql>,
    call: Call,
}

impl WatchedTransaction {
    /// Makes it permanent.
    ///
    /// # Errors
    /// When the database fails; whether it committed is then unknown.
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        self.call.begin_anew();
        self.transaction.commit().await
    }
}

impl Deref for WatchedTransaction {
    type Target = MySqlConnection;
    fn deref(&self) -> &MySqlConnection {
        &self.transaction
    }
}

impl DerefMut for WatchedTransaction {
    fn deref_mut(&mut self) -> &mut MySqlConnection {
        self.call.begin_anew();
        &mut self.transaction
    }
}

/// The error of a call that was given up.
pub(super) fn no_answer() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time"))
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
    connection.execute(OWN_WRITES).await?;
    connection.execute(ISOLATION).await?;
    Ok(())
}

/// The same for the session of an editor.
async fn prepare_editor(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    connection.execute(SESSION).await?;
    connection.execute(EDIT_ISOLATION).await?;
    connection.execute(EDIT_PATIENCE).await?;
    Ok(())
}
