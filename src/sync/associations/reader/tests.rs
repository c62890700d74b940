//! The reader against a server over real HTTP.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers};

use super::*;
use crate::config::HubSpotConfig;
use crate::model::ObjectType;

/// A client of the server.
fn client(server: &MockServer) -> HubSpotClient {
    let config = HubSpotConfig {
        access_token: SecretString::from("token"),
        base_url: server.uri(),
        api_version: "2026-09".to_owned(),
        requests_per_10_seconds: 10_000,
        search_requests_per_second: 100,
        association_requests_per_10_seconds: 10_000,
        limit_threshold: 1.0,
        timeout: Duration::from_secs(5),
    };
    HubSpotClient::new(&config, CancellationToken::new()).unwrap()
}

/// A server that answers each record asked for with `answer(id, after)`; `None` is silence.
async fn server(answer: impl Fn(i64, Option<&str>) -> Option<Value> + Send + Sync + 'static) -> MockServer {
    let server = MockServer::start().await;
    let respond = move |request: &Request| {
        let question: Value = serde_json::from_slice(&request.body).unwrap();
        let results: Vec<_> = question["inputs"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|input| {
                answer(input["id"].as_str().unwrap().parse().unwrap(), input["after"].as_str())
            })
            .collect();
        ResponseTemplate::new(200).set_body_json(json!({"results": results}))
    };
    Mock::given(matchers::any()).respond_with(respond).mount(&server).await;
    server
}

/// A record's plain links, and where further ones start.
fn links(from: i64, to: impl IntoIterator<Item = i64>, next: Option<i64>) -> Value {
    let kind = json!([{"category": "HUBSPOT_DEFINED", "typeId": 4, "label": null}]);
    let to: Vec<_> = to.into_iter().map(|to| json!({"toObjectId": to, "associationTypes": kind})).collect();
    let paging = next.map(|next| json!({"next": {"after": next.to_string()}}));
    json!({"from": {"id": from.to_string()}, "to": to, "paging": paging})
}

/// Everything the reader brings for the records, and how large each answer was, in records.
async fn read(client: &HubSpotClient, ids: &[i64], appetite: &mut Appetite) -> (Told, Vec<usize>) {
    let [contacts, deals] = ["contacts", "deals"].map(|name| ObjectType::named(name).unwrap());
    let ids: Vec<_> = ids.iter().copied().map(ObjectId).collect();
    let mut reader = Reader::new(client, TypePair::of(contacts, deals), &ids, Priority::Audit, appetite);
    let (mut all, mut sizes) = (Told::default(), Vec::new());
    while let Some(mut told) = reader.next().await.unwrap() {
        sizes.push(told.records.len());
        all.records.append(&mut told.records);
        all.associations.append(&mut told.associations);
    }
    all.sort();
    (all, sizes)
}

/// Ids of a list.
fn ids(list: &[ObjectId]) -> Vec<i64> {
    list.iter().map(|id| id.0).collect()
}

#[tokio::test]
async fn a_record_is_handed_over_once_all_its_pages_are_there() {
    // The record 2 has 2,500 links, 500 a page.
    let server = server(|id, after| {
        let start = after.map_or(1, |after| after.parse().unwrap());
        let last = if id == 2 { 2_500 } else { 3 };
        let end = last.min(start + 499);
        Some(links(id, start..=end, (end < last).then_some(end + 1)))
    })
    .await;
    let client = client(&server);
    let (told, sizes) = read(&client, &[1, 2, 3], &mut Appetite::default()).await;
    assert_eq!(sizes, [2, 1]);
    assert_eq!(ids(&told.records), [1, 2, 3]);
    assert_eq!(told.associations.len(), 2_506);
    assert_eq!(client.requests_sent(), 5);
}

#[tokio::test]
async fn records_nothing_is_said_of_are_asked_for_twice_and_left_out() {
    let server = server(|id, _| (id != 2).then(|| links(id, [7], None))).await;
    let client = client(&server);
    let (told, _) = read(&client, &[1, 2, 3], &mut Appetite::default()).await;
    assert_eq!(ids(&told.records), [1, 3]);
    assert_eq!(client.requests_sent(), 2);
}

#[tokio::test]
async fn a_large_record_that_fails_halfway_is_read_again_from_its_start() {
    // Its second page is missing the first time it is asked for.
    let failures = AtomicU32::new(1);
    let server = server(move |id, after| {
        if after.is_none() {
            return Some(links(id, [1, 2], Some(3)));
        }
        let fails = failures.swap(0, Ordering::Relaxed) > 0;
        (!fails).then(|| links(id, [3], None))
    })
    .await;
    let client = client(&server);
    let (told, _) = read(&client, &[5], &mut Appetite::default()).await;
    assert_eq!((ids(&told.records), told.associations.len()), (vec![5], 3));
    assert_eq!(client.requests_sent(), 4);
}

#[tokio::test]
async fn fewer_records_are_asked_for_when_answers_are_too_large() {
    // Some 2 MiB a record, of which an answer may have 16.
    let padding = "x".repeat(2 * 1024 * 1024);
    let server = server(move |id, _| {
        let mut answer = links(id, [7], None);
        answer["padding"] = json!(padding);
        Some(answer)
    })
    .await;
    let client = client(&server);
    let mut appetite = Appetite::default();
    let all: Vec<_> = (1..=20).collect();
    let (told, sizes) = read(&client, &all, &mut appetite).await;
    assert_eq!(ids(&told.records), all);
    assert_eq!(sizes[0], 5, "20 and 10 were too many");
    assert!(appetite.0 < 20, "the next records begin with as few");
}

#[test]
fn the_appetite_comes_back_slowly_and_ends_at_the_most_hubspot_takes() {
    let mut appetite = Appetite::default();
    appetite.shrink(1_000);
    assert_eq!(appetite.0, 500);
    appetite.shrink(1);
    assert_eq!(appetite.0, 1, "one is always asked for");
    for _ in 0..100 {
        appetite.grow();
    }
    assert_eq!(appetite.0, ASSOCIATION_INPUTS);
}
