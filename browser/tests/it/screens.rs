//! What is shown of a system that is not as it should be, or not yet.

use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::Stage;
use super::support::daemon::Setup;
use super::support::database::TestDatabase;
use super::support::simulator::Simulator;

#[tokio::test]
async fn a_system_that_has_copied_nothing_says_that_it_begins() {
    let (simulator, test) = (Simulator::start(3, 1, 0), TestDatabase::empty().await);
    simulator.fault(json!({"action": {"kind": "hang", "ms": 60_000}, "times": 1_000})).await;
    let setup = Setup::new(&simulator, &test.url);
    let stage = Stage::of(simulator, test, setup).await;
    stage.browser.open("/").await;
    stage.browser.sees("Nothing was copied yet").await;
    stage.browser.shot("nothing-yet").await;
    let pages = [
        ("contacts", "No contacts yet"),
        ("deals", "No pipeline of deals yet"),
        ("conflicts", "Nothing waits for you"),
    ];
    for (name, words) in pages {
        stage.browser.open(&format!("/{name}")).await;
        stage.browser.sees(words).await;
        stage.browser.shot(&format!("no-{name}")).await;
    }
    stage.simulator.clear_faults().await;
    stage.end().await;
}

#[tokio::test]
async fn a_first_copy_shows_how_far_it_is() {
    let (simulator, test) = (Simulator::start(3_000, 1, 0), TestDatabase::empty().await);
    // So slow that the copy is still under way when it is looked at.
    let setup = Setup::new(&simulator, &test.url).set("RATE_LIMIT_PER_10_SECONDS", "10");
    let stage = Stage::of(simulator, test, setup).await;
    stage.browser.open("/").await;
    stage.browser.sees("The first copy is under way").await;
    stage.browser.sees("of 3,000 records").await;
    stage.browser.shot("first-copy").await;
    stage.end().await;
}

#[tokio::test]
async fn a_token_hubspot_does_not_accept_is_told_with_what_to_do() {
    let stage = Stage::start_with(3, 1, |setup| setup.set("HUBSPOT_ACCESS_TOKEN", "pat-of-nobody")).await;
    stage.browser.open("/").await;
    stage.browser.sees("HubSpot does not accept the token").await;
    stage.browser.sees("HUBSPOT_ACCESS_TOKEN").await;
    stage.browser.shot("token-refused").await;
    stage.end().await;
}

#[tokio::test]
async fn a_database_that_is_lost_is_told_and_comes_back_by_itself() {
    let (simulator, test) = (Simulator::start(3, 1, 0), TestDatabase::empty().await);
    let server = test.url.split(['@', '/']).nth(3).expect("the URL has a host").to_owned();
    let way = Way::to(&server, "127.0.0.1:0").await;
    let setup = Setup::new(&simulator, &test.url.replace(&server, &way.address));
    setup.sync(&[]).await;
    let stage = Stage::of(simulator, test, setup.at("*/2 * * * * *")).await;
    let browser = &stage.browser;
    browser.open("/").await;
    browser.sees("Everything is in step").await;
    let address = way.address.clone();
    drop(way);
    browser.open("/contacts").await;
    browser.sees("The database does not answer").await;
    browser.shot("database-lost").await;
    let _way = Way::to(&server, &address).await;
    browser.sees("1–3 of 3").await;
    assert_eq!(browser.path().await, "/contacts");
    let errors = browser.errors().await;
    assert!(errors.iter().all(|error| error.contains("503")), "{errors:#?}");
    stage.end().await;
}

/// A way to a server that ends with this value, and every connection with it.
struct Way {
    /// Where it begins.
    address: String,
    _connections: JoinSet<()>,
}

impl Way {
    /// From an address to the one of the server.
    async fn to(server: &str, from: &str) -> Self {
        let listener = TcpListener::bind(from).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = server.to_owned();
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let mut forwarded = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let server = server.clone();
                forwarded.spawn(async move {
                    let mut server = TcpStream::connect(server).await.unwrap();
                    // Ends with an error when one of them breaks off, which is its end all the same.
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { address, _connections: connections }
    }
}
