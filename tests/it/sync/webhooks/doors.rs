//! Who is let in: forged, stale, replayed, too large, of somebody else.

use std::net::TcpListener;

use hubspot_mariadb_connector::web::webhooks::PATH;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{DEFAULT, contacts, running};
use crate::support::daemon::{Setup, text};
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::webhooks::{PORTAL, PUBLIC_URL, Receiving, SECRET, counts, event, now};
use crate::support::{eventually, holds};

/// A database bound to the simulator's account, and a receiver for it; nobody leads.
async fn receiving(simulator: &Simulator, test: &TestDatabase) -> Receiving {
    Setup::new(simulator, &test.url).sync(&[]).await;
    Receiving::start(test, DEFAULT).await
}

/// Waits until so much is counted under a name.
async fn counted(test: &TestDatabase, name: &str, count: u64) {
    eventually(&format!("{count} are counted as {name}"), async || {
        let counts = counts(test).await;
        holds(counts.get(name) == Some(&count), counts)
    })
    .await;
}

/// How many events are stored.
async fn stored(test: &TestDatabase) -> i64 {
    test.number("SELECT COUNT(*) FROM webhook_events").await
}

#[tokio::test]
async fn nothing_but_what_hubspot_has_signed_a_moment_ago_is_stored() {
    let (simulator, test) = (Simulator::start(5, 0, 0), TestDatabase::migrated().await);
    let receiving = receiving(&simulator, &test).await;
    let body = json!([event("contact.creation", "7")]).to_string();
    let other = json!([event("contact.creation", "8")]).to_string();
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();
    assert_eq!(status(receiving.request(&body)).await, 401);
    assert_eq!(status(receiving.signed(&other, now()).body(body.clone())).await, 401);
    assert_eq!(status(receiving.signed(&body, now() - 301_000)).await, 401);
    assert_eq!(status(receiving.signed(&body, now() + 301_000)).await, 401);
    let old = receiving.request(&body).header("x-hubspot-signature", "0".repeat(64));
    assert_eq!(status(old).await, 401);
    assert_eq!(status(receiving.signed("{}", now())).await, 400);
    assert_eq!(stored(&test).await, 0);
    assert_eq!(status(receiving.signed(&body, now())).await, 204);
    assert_eq!(stored(&test).await, 1);
    // The first refusal is written at once, the others with the next delivery that is taken.
    for (name, count) in
        [("refused_unsigned", 1), ("refused_forged", 2), ("refused_stale", 2), ("refused_malformed", 1)]
    {
        counted(&test, name, count).await;
    }
}

#[tokio::test]
async fn a_replayed_delivery_is_found_to_be_one() {
    let (simulator, test) = (Simulator::start(5, 0, 0), TestDatabase::migrated().await);
    let receiving = receiving(&simulator, &test).await;
    let (body, at) = (json!([event("contact.creation", "7")]).to_string(), now());
    for _ in 0..3 {
        assert_eq!(receiving.signed(&body, at).send().await.unwrap().status(), 204);
    }
    assert_eq!(stored(&test).await, 1);
    counted(&test, "duplicate", 2).await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_read() {
    let (simulator, test) = (Simulator::start(5, 0, 0), TestDatabase::migrated().await);
    let receiving = receiving(&simulator, &test).await;
    let longest = "😀".repeat(65_536);
    let large = |number: u32| {
        let mut large = event("contact.propertyChange", "7");
        large["eventId"] = json!(number);
        large["propertyValue"] = json!(longest);
        large
    };
    let body = (0..100).map(large).collect::<Value>().to_string();
    assert_eq!(receiving.signed(&body, now()).send().await.unwrap().status(), 204, "as large as it may be");
    let body = format!("[{}]", " ".repeat(32 * 1024 * 1024));
    let answer = receiving.signed(&body, now()).send().await;
    // It may hang up before all of it is sent.
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status() == 413));
    counted(&test, "refused_too_large", 1).await;
    assert_eq!(stored(&test).await, 100);
}

#[tokio::test]
async fn strangers_who_send_a_head_and_nothing_more_keep_nobody_out() {
    let (simulator, test) = (Simulator::start(5, 0, 0), TestDatabase::migrated().await);
    let receiving = receiving(&simulator, &test).await;
    let url: reqwest::Url = receiving.url.parse().unwrap();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: sync.example.test\r\nX-HubSpot-Signature: {}\r\nContent-Length: 33000000\r\n\
         Expect: 100-continue\r\n\r\n",
        url.path(),
        "0".repeat(64)
    );
    let mut strangers = Vec::new();
    for _ in 0..30 {
        let mut stranger = TcpStream::connect(url.socket_addrs(|| None).unwrap()[0]).await.unwrap();
        stranger.write_all(head.as_bytes()).await.unwrap();
        // Said when the body is waited for.
        let mut said = [0; 12];
        stranger.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"HTTP/1.1 100");
        strangers.push(stranger);
    }
    receiving.deliver(&[event("contact.creation", "7")]).await;
    assert_eq!(stored(&test).await, 1);
    drop(strangers);
}

/// A stranger who has begun a delivery of that length, from that address, and waits.
async fn begun(url: &reqwest::Url, address: &str, signature: &str, length: usize) -> TcpStream {
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: sync.example.test\r\nX-Forwarded-For: {address}\r\n\
         X-HubSpot-Signature: {signature}\r\nContent-Length: {length}\r\n\r\n",
        url.path()
    );
    let mut stranger = TcpStream::connect(url.socket_addrs(|| None).unwrap()[0]).await.unwrap();
    stranger.write_all(head.as_bytes()).await.unwrap();
    stranger
}

/// The status a stranger is answered with.
async fn answer(stranger: &mut TcpStream) -> u16 {
    let mut said = [0; 12];
    stranger.read_exact(&mut said).await.unwrap();
    std::str::from_utf8(&said[9..]).unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_cannot_be_a_signature_is_answered_before_there_is_a_body() {
    let (simulator, test) = (Simulator::start(5, 0, 0), TestDatabase::migrated().await);
    let receiving = receiving(&simulator, &test).await;
    let url: reqwest::Url = receiving.url.parse().unwrap();
    for signature in ["x", &"g".repeat(64), &"0".repeat(63)] {
        let mut stranger = begun(&url, "192.0.2.1", signature, 33_000_000).await;
        let answered = tokio::time::timeout(std::time::Duration::from_secs(2), answer(&mut stranger)).await;
        assert_eq!(answered.expect("no body is waited for"), 401, "{signature}");
    }
}

#[tokio::test]
async fn strangers_who_fill_all_there_is_room_for_and_stall_keep_nobody_out() {
    const MOST: usize = 32 * 1024 * 1024;
    let (simulator, test) = (Simulator::start(5, 0, 0), TestDatabase::migrated().await);
    let receiving = receiving(&simulator, &test).await;
    let url: reqwest::Url = receiving.url.parse().unwrap();
    let made_up = "0".repeat(64);
    let stalled = ["192.0.2.1", "192.0.2.2"].map(async |address| {
        let mut stranger = begun(&url, address, &made_up, MOST).await;
        stranger.write_all(&vec![b' '; MOST - 1]).await.unwrap();
        stranger
    });
    let mut stalled = futures_util::future::join_all(stalled).await;
    let more = " ".repeat(1024 * 1024);
    eventually("all is full", async || {
        let one_more = receiving.request(&more).header("x-hubspot-signature", &made_up);
        let answer = one_more.header("x-forwarded-for", "192.0.2.1").send().await;
        let status = answer.map(|answer| answer.status().as_u16());
        holds(status.as_ref().is_ok_and(|status| *status == 503), status)
    })
    .await;

    // A usual delivery, and one that needs what the strangers hold.
    receiving.deliver(&[event("contact.creation", "7")]).await;
    let mut large = event("contact.propertyChange", "8");
    large["propertyValue"] = json!("x".repeat(2 * 1024 * 1024));
    receiving.deliver(&[large]).await;
    assert_eq!(stored(&test).await, 2);
    // One of the two had to give way; without that the other would have been let go for its slowness, too.
    let statuses = futures_util::future::join_all(stalled.iter_mut().map(answer)).await;
    assert!(statuses.contains(&503), "{statuses:?}");
}

#[tokio::test]
async fn links_without_types_are_read_where_a_name_tells_them_and_counted_where_none_does() {
    let (simulator, test) = (Simulator::start(5, 5, 0), TestDatabase::migrated().await);
    let receiving = receiving(&simulator, &test).await;
    let link = |name: &str| {
        let mut link = event("object.associationChange", "1");
        link.as_object_mut().unwrap().remove("objectId");
        link["associationType"] = json!(name);
        link["fromObjectId"] = json!(7);
        link["toObjectId"] = json!(8);
        link
    };
    receiving.deliver(&[link("CONTACT_TO_COMPANY"), link("CARS_TO_COMPANY"), link("CARS_TO_BOATS")]).await;
    let read = test.rows("webhook_events", &["object_type_id", "hubspot_id", "kind"], "ORDER BY id").await;
    let mut expected = ["0-1|7|association_change", "0-2|8|association_change"];
    expected.sort_unstable();
    assert_eq!(
        read.into_iter().collect::<std::collections::BTreeSet<_>>(),
        expected.map(str::to_owned).into()
    );
    counted(&test, "untyped_link", 1).await;
}

#[tokio::test]
async fn what_hubspot_sends_again_is_the_same_event() {
    let (simulator, test) = (Simulator::start(5, 0, 0), TestDatabase::migrated().await);
    let receiving = receiving(&simulator, &test).await;
    let mut sent = event("contact.creation", "7");
    receiving.deliver(std::slice::from_ref(&sent)).await;
    sent["attemptNumber"] = json!(1);
    receiving.deliver(std::slice::from_ref(&sent)).await;
    assert_eq!(stored(&test).await, 1);
    counted(&test, "duplicate", 1).await;
    sent["occurredAt"] = json!(now() + 1_000);
    receiving.deliver(&[sent]).await;
    assert_eq!(stored(&test).await, 2, "another one under the same number");
}

#[tokio::test]
async fn an_address_with_escapes_is_verified_as_hubspot_signs_it() {
    let (simulator, test) = (Simulator::start(5, 0, 0), TestDatabase::migrated().await);
    let receiving = receiving(&simulator, &test).await;
    let query = "?tenant=a%2Fb%40c&x=%20y&z=%3a1";
    let settings = json!({
        "targetUrl": format!("{}{query}", receiving.url), "signedUrl": format!("{PUBLIC_URL}{PATH}{query}"),
        "signatures": ["v3"], "retries": 0
    });
    receiving.told_by(&simulator, settings).await;
    simulator.create("contacts", 1).await;
    eventually("it is delivered", async || {
        let figures = simulator.get("/webhooks").await;
        holds(figures["delivered"] == 1 && figures["failures"] == 0, figures)
    })
    .await;
    counted(&test, "stored", counts(&test).await["received"]).await;
}

#[tokio::test]
async fn events_of_other_accounts_and_unknown_ones_are_counted_and_not_kept() {
    let (simulator, test) = (Simulator::start(5, 0, 0), TestDatabase::migrated().await);
    let receiving = receiving(&simulator, &test).await;
    let with = |name: &str, value: Value| {
        let mut event = event("contact.creation", "7");
        event[name] = value;
        event
    };
    receiving
        .deliver(&[
            with("portalId", json!(PORTAL + 1)),
            with("subscriptionType", json!("conversation.newMessage")),
            with("subscriptionType", json!("ticket.creation")),
            with("objectId", json!(null)),
            with("occurredAt", json!(0)),
            with("occurredAt", json!(253_402_300_800_000_i64)),
            with("attemptNumber", json!(i64::from(i32::MAX) + 1)),
            json!(["no event"]),
            event("contact.creation", "7"),
        ])
        .await;
    receiving.deliver(&[]).await;
    let expected = [
        ("malformed", 5),
        ("not_mirrored", 1),
        ("other_account", 1),
        ("received", 1),
        ("stored", 1),
        ("unknown_type", 1),
    ];
    let expected = expected.map(|(name, count)| (name.to_owned(), count)).into();
    assert_eq!(counts(&test).await, expected);
    assert_eq!(stored(&test).await, 1);
    assert_eq!(test.value("SELECT COUNT(*) FROM webhook_events WHERE outcome IS NULL").await, "1");
}

#[tokio::test]
async fn an_older_signature_is_enough_and_the_address_says_whether_it_is_ready() {
    let (simulator, test) = (Simulator::start(20, 0, 0), TestDatabase::migrated().await);
    let (daemon, receiving) = running(&simulator, &test).await;
    receiving.told_by(&simulator, json!({"signatures": ["v1"]})).await;
    let id = contacts(&test, 1).await.remove(0);
    simulator.edit("contacts", &id, json!({"city": "Jena"})).await;
    eventually("the change is there", async || {
        let city = test.value(&format!("SELECT city FROM hubspot_contacts WHERE hubspot_id = {id}")).await;
        holds(city == "Jena", city)
    })
    .await;
    let answer: Value = reqwest::get(&receiving.url).await.unwrap().json().await.unwrap();
    assert_eq!(answer, json!({"webhooks": "ready"}));
    drop(daemon);
}

#[tokio::test]
async fn a_database_that_is_away_is_no_reason_to_lose_events_or_refusals() {
    let (simulator, test) = (Simulator::start(20, 0, 0), TestDatabase::migrated().await);
    let receiving = receiving(&simulator, &test).await;
    test.execute("RENAME TABLE webhook_events TO webhook_events_away").await;
    // The first refusal is written at once, the second waits for a delivery.
    assert_eq!(receiving.request("[]").send().await.unwrap().status(), 401);
    counted(&test, "refused_unsigned", 1).await;
    assert_eq!(receiving.request("[]").send().await.unwrap().status(), 401);
    let body = json!([event("contact.creation", "7")]).to_string();
    assert_eq!(receiving.signed(&body, now()).send().await.unwrap().status(), 503);
    test.execute("RENAME TABLE webhook_events_away TO webhook_events").await;
    assert_eq!(receiving.signed(&body, now()).send().await.unwrap().status(), 204);
    assert_eq!(stored(&test).await, 1);
    counted(&test, "refused_unsigned", 2).await;
}

#[tokio::test]
async fn check_tries_the_address_hubspot_sends_to() {
    let (simulator, test) = (Simulator::start(1, 1, 1), TestDatabase::empty().await);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let at = |port: u16| format!("http://127.0.0.1:{port}");
    let setup =
        Setup::new(&simulator, &test.url).set("HUBSPOT_WEBHOOK_SECRET", SECRET).set("PUBLIC_URL", &at(port));
    let daemon = setup.clone().set("PORT", &port.to_string()).start(&["run"]);
    daemon.says("is up after").await;
    let check = async |setup: Setup| {
        let output = setup.run(&["check"]).await;
        let line = text(&output.stdout).lines().find(|line| line.contains(" webhooks ")).map(str::to_owned);
        (output.status.success(), line.unwrap_or_default())
    };
    let (ready, line) = check(setup.clone()).await;
    assert!(ready && line.starts_with("ok ") && line.contains("was taken"), "{line}");
    let (ready, line) = check(setup.clone().set("HUBSPOT_WEBHOOK_SECRET", "another")).await;
    assert!(!ready && line.starts_with("FAILED ") && line.contains("answers 401"), "{line}");
    let (ready, line) = check(setup.clone().set("PUBLIC_URL", &format!("{}/elsewhere", at(port)))).await;
    assert!(!ready && line.contains("answers 404: this is not the daemon"), "{line}");
    daemon.stop_well().await;
    let (ready, line) = check(setup).await;
    assert!(ready && line.starts_with("warning ") && line.contains("start the daemon"), "{line}");
    assert_eq!(test.number("SELECT COUNT(*) FROM webhook_events").await, 0);
}
