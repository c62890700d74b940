//! Calls to the database that have not returned.
//!
//! sqlx sets no time limit on an answer and no keepalive on its sockets. A host that vanishes without a word (power
//! loss, a firewall that forgot the connection) therefore keeps its caller waiting for ever, although the server ends
//! every statement in time. A call must not be dropped in mid-flight, so none is given a timeout; instead each one
//! notes when it should be over, and who looks ([`Calls::overdue`]) ends the process, which is safe like a kill.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use sqlx::mysql::{MySqlQueryResult, MySqlRow, MySqlStatement, MySqlTypeInfo};
use sqlx::{Describe, Either, Execute, Executor, MySql, MySqlPool, SqlStr};
use tokio::time::Instant;

/// Pause between two looks at the calls.
const LOOK: Duration = Duration::from_secs(1);

/// The calls under way. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Calls(Arc<Mutex<Open>>);

/// What [`Calls`] share.
#[derive(Debug, Default)]
struct Open {
    /// Calls made so far; numbers the next one.
    made: u64,
    /// When each open call should be over, by its number.
    ends: BTreeMap<u64, Instant>,
}

impl Calls {
    /// Notes a call that takes at most `limit`; it is over when the [`Call`] is dropped.
    pub(super) fn begin(&self, limit: Duration) -> Call {
        let mut open = self.open();
        open.made += 1;
        let number = open.made;
        open.ends.insert(number, Instant::now() + limit);
        Call { calls: self.clone(), number, limit }
    }

    /// Returns when a call takes longer than it may, and never otherwise.
    pub(super) async fn overdue(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let now = Instant::now();
            if self.open().ends.values().any(|end| *end < now) {
                return;
            }
        }
    }

    /// What is shared; nobody can leave it half-changed.
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Call {
    calls: Calls,
    number: u64,
    limit: Duration,
}

impl Call {
    /// Begins anew: the next statement of a transaction has the whole time again.
    pub(super) fn begin_anew(&self) {
        self.calls.open().ends.insert(self.number, Instant::now() + self.limit);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.calls.open().ends.remove(&self.number);
    }
}

/// The pool as an executor of one statement, which is noted until its last row is read.
#[derive(Debug)]
pub(crate) struct Watched<'p> {
    pool: &'p MySqlPool,
    call: Call,
}

impl<'p> Watched<'p> {
    /// The pool for a call that begins now.
    pub(super) fn new(pool: &'p MySqlPool, call: Call) -> Self {
        Self { pool, call }
    }
}

impl<'p> Executor<'p> for Watched<'p> {
    type Database = MySql;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<MySqlQueryResult, MySqlRow>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, MySql>,
    {
        let call = self.call;
        // The closure owns the call, so it lives as long as the stream.
        Box::pin(self.pool.fetch_many(query).inspect(move |_| call.begin_anew()))
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<MySqlRow>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, MySql>,
    {
        let answer = self.pool.fetch_optional(query);
        Box::pin(async move {
            let _call = self.call;
            answer.await
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [MySqlTypeInfo],
    ) -> BoxFuture<'e, Result<MySqlStatement, sqlx::Error>>
    where
        'p: 'e,
    {
        let answer = self.pool.prepare_with(sql, parameters);
        Box::pin(async move {
            let _call = self.call;
            answer.await
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<MySql>, sqlx::Error>>
    where
        'p: 'e,
    {
        let answer = self.pool.describe(sql);
        Box::pin(async move {
            let _call = self.call;
            answer.await
        })
    }
}
