//! The client against a server over real HTTP.

mod answers;
mod creates;
mod failures;
mod limits;
mod links;
mod lookups;
mod secrecy;
mod updates;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers};

use super::*;
use crate::model::ObjectType;

/// The token of every client here.
const TOKEN: &str = "pat-na1-11111111-2222-3333-4444-555555555555";

/// Longest a test waits for something that should happen at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// Settings for an account at `base_url` with limits no test reaches by accident.
fn config(base_url: &str) -> HubSpotConfig {
    HubSpotConfig {
        access_token: TOKEN.into(),
        base_url: base_url.to_owned(),
        api_version: "2026-09".to_owned(),
        requests_per_10_seconds: 10_000,
        search_requests_per_second: 100,
        association_requests_per_10_seconds: 10_000,
        limit_threshold: 1.0,
        timeout: Duration::from_secs(5),
    }
}

/// A policy with the usual three tries and hardly any wait.
const HASTY: RetryPolicy = RetryPolicy { base: Duration::from_millis(2), ..RetryPolicy::API_CALL };

/// A client of the server at `base_url` that tries again without delay.
fn client_at(base_url: &str) -> HubSpotClient {
    HubSpotClient::with_policy(&config(base_url), CancellationToken::new(), HASTY).unwrap()
}

/// Contacts.
fn contacts() -> &'static ObjectType {
    ObjectType::named("contacts").unwrap()
}

/// Property names.
fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A record as HubSpot sends it.
fn record(id: i64) -> Value {
    json!({
        "id": id.to_string(),
        "properties": {"firstname": format!("Name {id}"), "hs_object_id": id.to_string(), "city": null},
        "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-02T03:04:05.678Z", "archived": false,
    })
}

/// A server that gives one answer to everything.
async fn server_with(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(matchers::any()).respond_with(answer).mount(&server).await;
    server
}

/// A server that gives these answers in turn and repeats the last one.
async fn server_with_each(answers: Vec<ResponseTemplate>) -> MockServer {
    let server = MockServer::start().await;
    let last = answers.len() - 1;
    for (index, answer) in answers.into_iter().enumerate() {
        let mock = Mock::given(matchers::any()).respond_with(answer);
        let mock = if index < last { mock.up_to_n_times(1) } else { mock };
        mock.mount(&server).await;
    }
    server
}

/// A refusal in HubSpot's format.
fn refusal(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

/// A page of a listing with these records and no next page.
fn page_of(ids: &[i64]) -> ResponseTemplate {
    let results: Vec<Value> = ids.iter().copied().map(record).collect();
    ResponseTemplate::new(200).set_body_json(json!({ "results": results }))
}

/// The JSON body of a request the server got.
fn body_of(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

/// Property values as they are sent.
fn values(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// An answer to the write of one record.
fn written(id: i64) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({
        "id": id.to_string(), "properties": {"city": "Bonn"}, "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-02-03T04:05:06Z", "archived": false,
    }))
}

/// Methods, paths and bodies of the requests the server got.
async fn requests_of(server: &MockServer) -> Vec<(String, String, Value)> {
    let requests = server.received_requests().await.unwrap();
    let shown = |request: &Request| {
        let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        (request.method.to_string(), request.url.path().to_owned(), body)
    };
    requests.iter().map(shown).collect()
}

/// A refusal of invalid values, in HubSpot's words.
fn invalid(property: &str) -> Value {
    json!({"status": "error", "message": "Property values were not valid: []", "correlationId": "c",
           "category": "VALIDATION_ERROR", "errors": [{"message": "no", "code": "INVALID_OPTION",
           "context": {"propertyName": [property]}}]})
}

/// What a [`rude_server`] does with a connection.
#[derive(Debug, Clone, Copy)]
enum Reaction {
    /// Resets it in the middle of the request.
    Reset,
    /// Answers with these bytes and closes it.
    Send(&'static str),
}

/// A server that reacts to each connection in turn, below the level of HTTP. Returns its base URL.
fn rude_server(reactions: Vec<Reaction>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for reaction in reactions {
            let (mut connection, _) = listener.accept().unwrap();
            // Closing a connection with unread bytes resets it.
            let mut request = [0; 8];
            connection.read_exact(&mut request).unwrap();
            if let Reaction::Send(answer) = reaction {
                let mut rest = [0; 8192];
                let _ = connection.read(&mut rest).unwrap();
                connection.write_all(answer.as_bytes()).unwrap();
            }
        }
    });
    base_url
}
