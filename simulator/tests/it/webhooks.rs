//! What an app is told of changes. Source: HubSpot, "Webhooks" and "Validating requests".

#![expect(clippy::unwrap_used, reason = "a step that fails ends its test, in helpers too")]
#![expect(clippy::disallowed_methods, reason = "the app of a test ends with its test")]

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use crate::harness::{Sim, small};
use crate::write::create;

/// What the app signs with.
const SECRET: &str = "sim-app-secret-0001";

/// A request as it arrived.
#[derive(Clone)]
struct Arrived {
    headers: HeaderMap,
    body: Bytes,
}

/// An app that takes events, refusing the first few requests.
struct App {
    url: String,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

impl App {
    /// Listens on a free port.
    async fn start(refused: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks", listener.local_addr().unwrap());
        let arrived: Arc<Mutex<Vec<Arrived>>> = Arc::default();
        let shared = Arc::clone(&arrived);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let service = service_fn(|request: Request<Incoming>| {
                        let shared = Arc::clone(&shared);
                        async move {
                            let (parts, body) = request.into_parts();
                            let body = body.collect().await.unwrap().to_bytes();
                            let mut arrived = shared.lock().unwrap();
                            arrived.push(Arrived { headers: parts.headers, body });
                            let status = if arrived.len() <= refused { 503 } else { 200 };
                            let answer = Response::builder().status(status).body(Empty::<Bytes>::new());
                            Ok::<_, Infallible>(answer.unwrap())
                        }
                    });
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { url, arrived }
    }

    /// Everything that has arrived.
    fn requests(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }

    /// All events that have arrived, in order.
    fn events(&self) -> Vec<Value> {
        let batches = self.requests();
        batches
            .iter()
            .flat_map(|request| serde_json::from_slice::<Vec<Value>>(&request.body).unwrap())
            .collect()
    }
}

/// Lets the simulator tell the app, with these settings besides the usual ones.
async fn tell(sim: &Sim, app: &App, settings: Value) {
    let mut target = json!({ "targetUrl": app.url, "secret": SECRET });
    let Value::Object(settings) = settings else { panic!("settings are an object") };
    target.as_object_mut().unwrap().extend(settings);
    sim.control("PUT", "webhooks", &target).await;
}

/// Waits until everything that happened up to now was told; returns the figures.
async fn told(sim: &Sim, events: u64) -> Value {
    let started = Instant::now();
    loop {
        let figures = sim.control("GET", "webhooks", &json!({})).await;
        if figures["events"].as_u64() >= Some(events) && figures["waiting"] == 0 {
            return figures;
        }
        assert!(started.elapsed() < Duration::from_mins(1), "{figures}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The named fields of an event, as text.
fn fields(event: &Value, names: &[&str]) -> String {
    let field = |name: &&str| match &event[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    names.iter().map(field).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn every_change_is_told_in_an_event_of_its_own() {
    let (sim, app) = (Sim::small().await, App::start(0).await);
    let ids: Vec<u64> =
        sim.truth("contacts").await.iter().map(|one| one["id"].as_str().unwrap().parse().unwrap()).collect();
    let company: u64 = sim.truth("companies").await[0]["id"].as_str().unwrap().parse().unwrap();
    tell(&sim, &app, json!({})).await;
    let one = ids[0];
    let path = format!("objects/contacts/{one}");
    sim.control("PATCH", &path, &json!({ "properties": { "city": "Jena" } })).await;
    sim.control("PATCH", &path, &json!({ "properties": { "city": "" }, "app": 77 })).await;
    sim.control("DELETE", &path, &json!({})).await;
    sim.control("POST", &format!("{path}/restore"), &json!({})).await;
    let merge = json!({ "primaryObjectId": one.to_string(), "objectIdToMerge": ids[1].to_string() });
    let merged = sim.control("POST", "objects/contacts/merge", &merge).await["id"].clone();
    let merged = merged.as_str().map_or_else(|| merged.to_string(), str::to_owned);
    sim.control("PUT", &format!("associations/contacts/{}/companies/{company}", ids[2]), &json!({})).await;
    sim.control("POST", &format!("objects/contacts/{}/purge", ids[3]), &json!({})).await;
    told(&sim, 9).await;
    let names = [
        "subscriptionType",
        "objectId",
        "newObjectId",
        "fromObjectId",
        "toObjectId",
        "propertyName",
        "propertyValue",
        "changeSource",
        "sourceId",
    ];
    let told: Vec<String> =
        app.events().iter().map(|event| fields(event, &names).replace(" null", " -")).collect();
    let (two, four) = (ids[2], ids[3]);
    let user = "CRM_UI userId:9584300";
    let expected = [
        format!("contact.propertyChange {one} - - - city Jena {user}"),
        format!("contact.propertyChange {one} - - - city  INTEGRATION 77"),
        format!("contact.deletion {one} - - - - - {user}"),
        format!("contact.restore {one} - - - - - {user}"),
        format!("contact.merge {one} {merged} - - - - {user}"),
        format!("contact.associationChange - - {two} {company} - - USER userId:9584300"),
        format!("company.associationChange - - {company} {two} - - USER userId:9584300"),
        format!("contact.privacyDeletion {four} - - - - - {user}"),
        format!("contact.deletion {four} - - - - - {user}"),
    ];
    assert_eq!(told, expected);
    for event in app.events() {
        let common = ["portalId", "appId", "attemptNumber"];
        assert_eq!(fields(&event, &common), "62515 1845122 0", "{event}");
        assert!(
            ["eventId", "subscriptionId", "occurredAt"].iter().all(|name| event[name].is_u64()),
            "{event}"
        );
    }
}

#[tokio::test]
async fn what_the_app_writes_itself_is_told_as_its_own() {
    let (sim, app) = (Sim::small().await, App::start(0).await);
    tell(&sim, &app, json!({ "subscriptions": ["contact.creation", "contact.propertyChange:city"] })).await;
    create(&sim, "contacts", json!({ "city": "Ulm", "firstname": "Ida" })).await;
    told(&sim, 2).await;
    let told: Vec<String> = app
        .events()
        .iter()
        .map(|event| fields(event, &["subscriptionType", "changeSource", "sourceId"]))
        .collect();
    assert_eq!(told, ["contact.creation INTEGRATION 1845122", "contact.propertyChange INTEGRATION 1845122"]);
}

#[tokio::test]
async fn types_without_words_of_their_own_are_told_generically() {
    let sim =
        Sim::start(hubspot_simulator::Config { custom: vec![("boats".to_owned(), 3)], ..small() }).await;
    let app = App::start(0).await;
    tell(&sim, &app, json!({})).await;
    sim.control("POST", "objects/p62515_boats", &json!({ "count": 1 })).await;
    told(&sim, 1).await;
    let event = app.events().remove(0);
    let type_id = event["objectTypeId"].as_str().unwrap().to_owned();
    assert!(type_id.starts_with("2-"), "{type_id}");
    assert_eq!(event["subscriptionType"], "object.creation");
    tell(&sim, &app, json!({ "subscriptions": ["object.*"] })).await;
    sim.control("POST", "objects/contacts", &json!({ "count": 1 })).await;
    told(&sim, 1).await;
    let event = app.events().pop().unwrap();
    assert_eq!(fields(&event, &["subscriptionType", "objectTypeId"]), "object.creation 0-1");
}

#[tokio::test]
async fn both_signatures_are_those_of_the_body_as_it_is_sent() {
    let (sim, app) = (Sim::small().await, App::start(0).await);
    let url = "https://sync.example.test/api/webhooks/hubspot";
    tell(&sim, &app, json!({ "signedUrl": url })).await;
    sim.control("POST", "objects/contacts", &json!({ "properties": { "lastname": "Müller 😀" } })).await;
    told(&sim, 2).await;
    let request = app.requests().remove(0);
    let header = |name: &str| request.headers[name].to_str().unwrap().to_owned();
    let digest = Sha256::new_with_prefix(SECRET).chain_update(&request.body).finalize();
    assert_eq!(header("x-hubspot-signature"), format!("{:x}", Bytes::copy_from_slice(&digest)));
    let timestamp = header("x-hubspot-request-timestamp");
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    for part in [b"POST", url.as_bytes(), &request.body, timestamp.as_bytes()] {
        mac.update(part);
    }
    assert_eq!(header("x-hubspot-signature-v3"), BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    tell(&sim, &app, json!({ "signatures": ["v1"] })).await;
    sim.control("POST", "objects/contacts", &json!({ "count": 1 })).await;
    told(&sim, 1).await;
    assert!(!app.requests().last().unwrap().headers.contains_key("x-hubspot-signature-v3"));
}

#[tokio::test]
async fn a_batch_that_is_not_taken_comes_again_and_says_so() {
    let (sim, app) = (Sim::small().await, App::start(2).await);
    tell(&sim, &app, json!({ "retryMs": 20 })).await;
    sim.control("POST", "objects/contacts", &json!({ "count": 1 })).await;
    let figures = told(&sim, 1).await;
    assert_eq!(fields(&figures, &["attempts", "failures", "delivered", "givenUp"]), "3 2 1 0");
    let attempts: Vec<_> = app.events().iter().map(|event| event["attemptNumber"].clone()).collect();
    assert_eq!(attempts, [0, 1, 2]);
    let ids: BTreeSet<_> = app.events().iter().map(|event| event["eventId"].to_string()).collect();
    assert_eq!(ids.len(), 1);
    tell(&sim, &App::start(usize::MAX).await, json!({ "retryMs": 5, "retries": 3 })).await;
    sim.control("POST", "objects/contacts", &json!({ "count": 1 })).await;
    let figures = told(&sim, 1).await;
    assert_eq!(fields(&figures, &["attempts", "delivered", "givenUp"]), "4 0 1");
}

#[tokio::test]
async fn a_storm_comes_in_batches_out_of_order_and_partly_twice() {
    let (sim, app) = (Sim::small().await, App::start(0).await);
    tell(&sim, &app, json!({ "jitterMs": 50, "duplicateRate": 0.1, "seed": 7 })).await;
    let storm = json!({ "type": "contacts", "count": 1_000, "records": 10 });
    sim.control("POST", "webhooks/storm", &storm).await;
    let figures = told(&sim, 1_000).await;
    let events = app.events();
    let duplicates = figures["duplicates"].as_u64().unwrap();
    assert!((50..200).contains(&duplicates), "{figures}");
    assert_eq!(events.len() as u64, 1_000 + duplicates);
    let batches = app.requests();
    let sizes = batches.iter().map(|one| serde_json::from_slice::<Vec<Value>>(&one.body).unwrap().len());
    assert!(sizes.max() <= Some(100));
    let numbers: Vec<u64> =
        events.iter().map(|event| event["propertyValue"].as_str().unwrap().parse().unwrap()).collect();
    assert!(!numbers.is_sorted());
    let mut records: BTreeMap<String, usize> = BTreeMap::new();
    for event in &events {
        *records.entry(event["objectId"].to_string()).or_default() += 1;
    }
    assert_eq!(records.len(), 10);
    assert_eq!(sim.truth("contacts").await.len(), 300);
}

#[tokio::test]
async fn nobody_is_told_without_a_target() {
    let (sim, app) = (Sim::small().await, App::start(0).await);
    tell(&sim, &app, json!({})).await;
    sim.control("DELETE", "webhooks", &json!({})).await;
    sim.control("POST", "objects/contacts", &json!({ "count": 1 })).await;
    tell(&sim, &app, json!({})).await;
    sim.control("POST", "objects/contacts", &json!({ "count": 1 })).await;
    assert_eq!(told(&sim, 1).await["events"], 1);
    assert_eq!(app.events().len(), 1);
}
