//! Leases: what only one process may do at a time.
//!
//! A lease is a row with an end. Its holder renews it; when the holder dies it runs out. Waiting that long after
//! every crash would be a nuisance, so a lease also names the database connection of its holder: when the same
//! server no longer lists that connection, the holder is gone and the lease is free at once. `GET_LOCK` would give
//! the same on one server, but not on a Galera cluster.
//!
//! A holder that merely lost its connection may be taken for dead. That is safe, because every page transaction
//! checks the lease ([`Lease::begin`]) and holds it until it commits.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::{MySqlConnection, Row};
use tokio::sync::Mutex;

use super::database::{WatchedTransaction, no_answer};
use super::{Database, StorageError};

/// The lease of the process that calls HubSpot: the request limits are per account, so there is one caller.
pub const ACCOUNT_LEASE: &str = "account";

/// How long a lease lives without renewal.
pub const LEASE_TTL: Duration = Duration::from_secs(30);

/// Identifies the server and the user of a connection: connection ids mean nothing elsewhere, and a user sees only
/// its own connections in the process list.
const SERVER: &str = "CONCAT(@@hostname, ':', @@port, '/', CURRENT_USER())";

/// The process that holds the lease `name` and renewed it less than [`LEASE_TTL`] ago; `None` when there is none.
///
/// # Errors
/// When the database cannot be reached or has no tables yet.
pub async fn lease_holder(database: &Database, name: &str) -> Result<Option<String>, StorageError> {
    sqlx::query_scalar("SELECT holder FROM leases WHERE name = ? AND expires_at > NOW(6)")
        .bind(name)
        .fetch_optional(database.pool())
        .await
        .map_err(StorageError::query(format!("read the lease `{name}`")))
}

/// A lease this process holds, as far as it knows.
#[derive(Debug, Clone)]
pub struct Lease {
    name: &'static str,
    holder: Arc<str>,
}

impl Lease {
    /// The process that holds it.
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// Starts a transaction that can only commit while the lease is ours: until it ends, nobody else can take over.
    ///
    /// # Errors
    /// [`StorageError::LeaseLost`] when another process took over.
    pub async fn begin(&self, database: &Database) -> Result<LeasedTransaction, StorageError> {
        let mut transaction = database.begin().await?;
        let held: Option<i32> =
            sqlx::query_scalar("SELECT 1 FROM leases WHERE name = ? AND holder = ? LOCK IN SHARE MODE")
                .bind(self.name)
                .bind(&*self.holder)
                .fetch_optional(&mut *transaction)
                .await
                .map_err(StorageError::query("check the lease"))?;
        held.map(|_| LeasedTransaction(transaction))
            .ok_or_else(|| StorageError::LeaseLost(self.name.to_owned()))
    }
}

/// A transaction under a lease; rolled back when dropped.
pub struct LeasedTransaction(WatchedTransaction);

impl LeasedTransaction {
    /// Makes it permanent.
    ///
    /// # Errors
    /// When the database fails; whether it committed is then unknown, and repeating the page settles it.
    pub async fn commit(self) -> Result<(), StorageError> {
        self.0.commit().await.map_err(StorageError::query("commit a page"))
    }
}

impl Deref for LeasedTransaction {
    type Target = MySqlConnection;
    fn deref(&self) -> &MySqlConnection {
        &self.0
    }
}

impl DerefMut for LeasedTransaction {
    fn deref_mut(&mut self) -> &mut MySqlConnection {
        &mut self.0
    }
}

/// Acquires, renews and releases leases over one connection of its own.
#[derive(Debug, Clone)]
pub struct LeaseKeeper {
    database: Database,
    holder: Arc<str>,
    connection: Arc<Mutex<Option<MySqlConnection>>>,
}

impl LeaseKeeper {
    /// `holder` names this process and no other one, ever.
    pub fn new(database: Database, holder: String) -> Self {
        Self { database, holder: holder.into(), connection: Arc::default() }
    }

    /// Takes the lease if it is free, `None` if another living process holds it. Idempotent for the holder.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn acquire(&self, name: &'static str) -> Result<Option<Lease>, StorageError> {
        self.with_connection(async |connection| try_acquire(connection, name, &self.holder).await)
            .await
            .map(|acquired| acquired.then(|| Lease { name, holder: self.holder.clone() }))
            .map_err(StorageError::query(format!("acquire the lease `{name}`")))
    }

    /// Extends the lease to a full [`LEASE_TTL`] from now.
    ///
    /// # Errors
    /// [`StorageError::LeaseLost`] when another process took over; otherwise the database could not be reached and
    /// the lease may still be ours.
    pub async fn renew(&self, lease: &Lease) -> Result<(), StorageError> {
        let sql = format!(
            "UPDATE leases \
             SET expires_at = NOW(6) + INTERVAL ? SECOND, server = {SERVER}, connection_id = CONNECTION_ID() \
             WHERE name = ? AND holder = ?"
        );
        let renewed = self
            .with_connection(async |connection| {
                let query = sqlx::query(sqlx::AssertSqlSafe(sql.as_str()));
                let query = query.bind(LEASE_TTL.as_secs()).bind(lease.name).bind(&*lease.holder);
                query.execute(connection).await
            })
            .await
            .map_err(StorageError::query("renew the lease"))?;
        if renewed.rows_affected() == 1 {
            Ok(())
        } else {
            Err(StorageError::LeaseLost(lease.name.to_owned()))
        }
    }

    /// Gives the lease up, if it is still ours.
    ///
    /// # Errors
    /// When the database cannot be reached; the lease then ends by itself.
    pub async fn release(&self, lease: &Lease) -> Result<(), StorageError> {
        self.with_connection(async |connection| {
            let query = sqlx::query("DELETE FROM leases WHERE name = ? AND holder = ?");
            query.bind(lease.name).bind(&*lease.holder).execute(connection).await
        })
        .await
        .map(|_| ())
        .map_err(StorageError::query("release the lease"))
    }

    /// Runs `work` on the keeper's connection, opening one first where there is none. A connection that failed is
    /// dropped, so that the next call opens another.
    ///
    /// A call that takes as long as the lease lives is dropped too: the server is gone, or the lease is. That is safe
    /// here, because the connection is dropped with it and nobody else uses it.
    async fn with_connection<T>(
        &self,
        work: impl AsyncFnOnce(&mut MySqlConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let mut slot = self.connection.lock().await;
        if slot.is_none() {
            *slot = Some(self.database.dedicated().await.map_err(into_driver_error)?);
        }
        let connection = slot.as_mut().expect("opened above");
        let done = tokio::time::timeout(LEASE_TTL, work(connection)).await;
        let result = done.unwrap_or_else(|_| Err(no_answer()));
        if result.is_err() {
            *slot = None;
        }
        result
    }
}

/// The driver error inside, so that the caller adds its own context once.
fn into_driver_error(error: StorageError) -> sqlx::Error {
    match error {
        StorageError::Query { source, .. } => source.into_inner(),
        other => sqlx::Error::Protocol(other.to_string()),
    }
}

/// One attempt, in a transaction of its own. Returns whether the lease is ours now.
async fn try_acquire(
    connection: &mut MySqlConnection,
    name: &str,
    holder: &str,
) -> Result<bool, sqlx::Error> {
    use sqlx::Connection;
    // Mostly somebody holds it, and then a look is enough: a lock would wait for the pages under way and hold up the
    // next ones.
    if !is_free(connection, name, holder, "").await? {
        return Ok(false);
    }
    let mut transaction = connection.begin().await?;
    // Makes the row exist, so that even the first taker has something to lock. The no-op update takes the exclusive
    // lock at once; `INSERT IGNORE` would take a shared one, and two takers upgrading it would deadlock.
    sqlx::query(
        "INSERT INTO leases (name, holder, server, connection_id, acquired_at, expires_at) \
         VALUES (?, '', '', 0, NOW(6), NOW(6)) ON DUPLICATE KEY UPDATE name = name",
    )
    .bind(name)
    .execute(&mut *transaction)
    .await?;
    let free = is_free(&mut transaction, name, holder, "FOR UPDATE").await?;
    if free {
        let sql = format!(
            "UPDATE leases \
             SET holder = ?, server = {SERVER}, connection_id = CONNECTION_ID(), \
                 acquired_at = NOW(6), expires_at = NOW(6) + INTERVAL ? SECOND \
             WHERE name = ?"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(holder).bind(LEASE_TTL.as_secs()).bind(name);
        query.execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(free)
}

/// Whether nobody else alive holds the lease. `lock` ends the statement that reads its row.
async fn is_free(
    connection: &mut MySqlConnection,
    name: &str,
    holder: &str,
    lock: &str,
) -> Result<bool, sqlx::Error> {
    let sql = format!(
        "SELECT holder, connection_id, expires_at <= NOW(6) AS expired, server = {SERVER} AS same_server \
         FROM leases WHERE name = ? {lock}"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(name).fetch_optional(&mut *connection).await?;
    let Some(row) = row else { return Ok(true) };
    if row.try_get::<String, _>("holder")? == holder || row.try_get::<bool, _>("expired")? {
        return Ok(true);
    }
    if !row.try_get::<bool, _>("same_server")? {
        return Ok(false);
    }
    let alive: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM information_schema.processlist WHERE id = ?)")
            .bind(row.try_get::<i64, _>("connection_id")?)
            .fetch_one(connection)
            .await?;
    Ok(!alive)
}
