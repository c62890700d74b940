//! Leases: one holder at a time, whatever happens to it.

use hubspot_mariadb_connector::storage::{LeaseKeeper, StorageError};

use crate::support::database::TestDatabase;

/// A keeper that acts for a process of that name.
fn keeper(test: &TestDatabase, holder: &str) -> LeaseKeeper {
    LeaseKeeper::new(test.database.clone(), holder.to_owned())
}

#[tokio::test]
async fn a_lease_has_one_holder_until_it_is_released() {
    let test = TestDatabase::migrated().await;
    let (first, second) = (keeper(&test, "first"), keeper(&test, "second"));
    let lease = first.acquire("account").await.unwrap().unwrap();
    assert!(second.acquire("account").await.unwrap().is_none());
    assert!(first.acquire("account").await.unwrap().is_some(), "acquiring again is harmless for the holder");
    first.release(&lease).await.unwrap();
    assert!(second.acquire("account").await.unwrap().is_some());
}

#[tokio::test]
async fn of_many_takers_exactly_one_succeeds() {
    let test = TestDatabase::migrated().await;
    let takers: Vec<_> = (0..8).map(|number| keeper(&test, &format!("taker {number}"))).collect();
    let attempts = takers.iter().map(|taker| taker.acquire("account"));
    let taken = futures_util::future::join_all(attempts).await;
    assert_eq!(taken.into_iter().filter(|lease| lease.as_ref().unwrap().is_some()).count(), 1);
}

#[tokio::test]
async fn the_lease_of_a_holder_whose_connection_is_gone_is_free_at_once() {
    let test = TestDatabase::migrated().await;
    let dead = keeper(&test, "dead");
    dead.acquire("account").await.unwrap().unwrap();
    let connection = test.value("SELECT connection_id FROM leases").await;
    test.execute(&format!("KILL {connection}")).await;
    assert!(keeper(&test, "heir").acquire("account").await.unwrap().is_some());
}

#[tokio::test]
async fn a_holder_on_another_server_keeps_its_lease_until_it_runs_out() {
    let test = TestDatabase::migrated().await;
    keeper(&test, "far away").acquire("account").await.unwrap().unwrap();
    test.execute("UPDATE leases SET server = 'elsewhere:3306/somebody@%', connection_id = 0").await;
    let taker = keeper(&test, "taker");
    assert!(taker.acquire("account").await.unwrap().is_none());
    test.execute("UPDATE leases SET expires_at = NOW(6) - INTERVAL 1 SECOND").await;
    assert!(taker.acquire("account").await.unwrap().is_some());
}

#[tokio::test]
async fn who_lost_the_lease_can_neither_renew_nor_write() {
    let test = TestDatabase::migrated().await;
    let first = keeper(&test, "first");
    let lease = first.acquire("account").await.unwrap().unwrap();
    test.execute("UPDATE leases SET expires_at = NOW(6) - INTERVAL 1 SECOND").await;
    keeper(&test, "second").acquire("account").await.unwrap().unwrap();

    assert!(matches!(first.renew(&lease).await, Err(StorageError::LeaseLost(_))));
    assert!(matches!(lease.begin(&test.database).await, Err(StorageError::LeaseLost(_))));
}

#[tokio::test]
async fn a_renewal_survives_a_lost_connection() {
    let test = TestDatabase::migrated().await;
    let first = keeper(&test, "first");
    let lease = first.acquire("account").await.unwrap().unwrap();
    let connection = test.value("SELECT connection_id FROM leases").await;
    test.execute(&format!("KILL {connection}")).await;
    assert!(first.renew(&lease).await.is_err(), "the dead connection is noticed");
    first.renew(&lease).await.unwrap();
    assert!(keeper(&test, "second").acquire("account").await.unwrap().is_none());
}
