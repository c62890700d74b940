//! A database host that vanishes without a word: connections stay open, and nothing comes any more.

use std::time::Duration;

use hubspot_mariadb_connector::app::unless_unanswered;
use hubspot_mariadb_connector::storage::{Database, LEASE_TTL, LeaseKeeper, StateRow, load_states};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::support::database::{TestDatabase, config};
use crate::support::eventually;

/// Longest a call may take in these tests.
const LONGEST_CALL: Duration = Duration::from_secs(2);
/// Longest wait for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A proxy in front of the server that can fall silent without closing anything.
struct Proxy {
    silent: watch::Sender<bool>,
    port: u16,
}

impl Proxy {
    /// Starts one in front of the server at `address`.
    async fn start(address: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (silent, hears) = watch::channel(false);
        spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&address).await.unwrap();
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                spawn(forward(from_client, to_server, hears.clone()));
                spawn(forward(from_server, to_client, hears.clone()));
            }
        });
        Self { silent, port }
    }

    /// Stops forwarding what comes from now on, or forwards on new connections again.
    fn fall_silent(&self, silent: bool) {
        self.silent.send_replace(silent);
    }
}

/// Runs a part of the proxy beside the test.
#[expect(clippy::disallowed_methods, reason = "ends with the test")]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

/// Hands on what comes until it is to be silent; a connection that was once silent stays so.
async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, silent: watch::Receiver<bool>) {
    let mut part = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut part).await {
        if *silent.borrow() {
            // Both halves stay open.
            std::future::pending::<()>().await;
        }
        if to.write_all(&part[..length]).await.is_err() {
            return;
        }
    }
}

/// A database, the proxy in front of it, and the database as seen through the proxy.
async fn fixture() -> (TestDatabase, Proxy, Database) {
    let test = TestDatabase::migrated().await;
    let (user, rest) = test.url.split_once('@').unwrap();
    let (address, name) = rest.split_once('/').unwrap();
    let proxy = Proxy::start(address.to_owned()).await;
    let url = format!("{user}@127.0.0.1:{}/{name}", proxy.port);
    let database = Database::new(&config(&url)).unwrap().with_longest_call(LONGEST_CALL);
    (test, proxy, database)
}

#[tokio::test]
async fn a_statement_that_is_never_answered_ends_the_work() {
    let (_test, proxy, database) = fixture().await;
    load_states(&database).await.unwrap();
    proxy.fall_silent(true);
    let work = unless_unanswered(&database, load_states(&database));
    let ended = tokio::time::timeout(PATIENCE, work).await.expect("it does not wait for ever");
    let reason = ended.map(|_| ()).unwrap_err().to_string();
    assert!(reason.contains("has not answered"), "{reason}");
}

#[tokio::test]
async fn so_does_a_transaction_that_is_cut_off_in_the_middle() {
    let (test, proxy, database) = fixture().await;
    let lease = test.lease().await;
    let row = StateRow::new(database.clone(), lease.clone(), "contacts");
    row.load().await.unwrap();
    let mut transaction = lease.begin(&database).await.unwrap();
    proxy.fall_silent(true);
    let work = async {
        row.count_inserted(&mut transaction, 1).await.unwrap();
        transaction.commit().await
    };
    let ended = tokio::time::timeout(PATIENCE, unless_unanswered(&database, work)).await;
    assert!(ended.expect("it does not wait for ever").is_err());
}

#[tokio::test]
async fn what_was_answered_is_never_missed() {
    let (test, _proxy, database) = fixture().await;
    let lease = test.lease().await;
    let row = StateRow::new(database.clone(), lease.clone(), "contacts");
    row.load().await.unwrap();
    let mut transaction = lease.begin(&database).await.unwrap();
    row.count_inserted(&mut transaction, 1).await.unwrap();
    transaction.commit().await.unwrap();
    drop(lease.begin(&database).await.unwrap());
    load_states(&database).await.unwrap();
    let overdue = tokio::time::timeout(LONGEST_CALL * 2, database.overdue()).await;
    assert!(overdue.is_err(), "all of it has come back");
}

#[tokio::test]
async fn the_lease_goes_on_over_another_connection() {
    let (_test, proxy, database) = fixture().await;
    let keeper = LeaseKeeper::new(database, "test".into());
    let lease = keeper.acquire("account").await.unwrap().unwrap();
    proxy.fall_silent(true);
    let renewed = tokio::time::timeout(LEASE_TTL + PATIENCE, keeper.renew(&lease)).await;
    assert!(renewed.expect("it gives up").is_err());
    proxy.fall_silent(false);
    keeper.renew(&lease).await.unwrap();
}

#[tokio::test]
async fn the_server_lets_go_of_what_a_vanished_client_held() {
    let (test, proxy, database) = fixture().await;
    let lease = test.lease().await;
    let _transaction = lease.begin(&database).await.unwrap();
    proxy.fall_silent(true);
    eventually("another session gets the lock", async || {
        let lock = "SELECT name FROM leases WHERE name = 'account' FOR UPDATE NOWAIT";
        sqlx::raw_sql(lock).execute(&test.sql).await.map(|_| ()).map_err(|error| error.to_string())
    })
    .await;
}
