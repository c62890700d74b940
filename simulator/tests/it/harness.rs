//! A simulator in this process and a client that hides nothing.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hubspot_simulator::{Config, Server};
use hyper::{HeaderMap, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// A running simulator with a client.
pub struct Sim {
    /// The simulator.
    pub server: Server,
    /// Speaks HTTP to it.
    client: Client<HttpConnector, Full<Bytes>>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// One header as text; empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Ids of the results, in order.
    pub fn ids(&self) -> Vec<u64> {
        let results = self.json()["results"].as_array().cloned().unwrap_or_default();
        results.iter().map(|record| number(&record["id"])).collect()
    }

    /// Where the next page starts.
    pub fn after(&self) -> Option<String> {
        self.json()["paging"]["next"]["after"].as_str().map(str::to_owned)
    }
}

/// A small account without limits.
pub fn small() -> Config {
    Config { contacts: 300, companies: 40, deals: 60, tickets: 30, no_limits: true, ..Config::default() }
}

impl Sim {
    /// Starts a small account without limits.
    pub async fn small() -> Self {
        Self::start(small()).await
    }

    /// Starts any account.
    pub async fn start(config: Config) -> Self {
        let server = Server::start(config).await.expect("the simulator starts on a free port");
        Self { server, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Sends a request; an error is a connection that broke.
    pub async fn try_send(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &str,
    ) -> Result<Answer, Box<dyn std::error::Error>> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.server.url()));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned())))?;
        let (parts, body) = self.client.request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    /// Sends a request with the right token.
    pub async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        let sent = self.try_send(method, path, Some("sim-token"), body).await;
        sent.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Reads with the right token.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "").await
    }

    /// Posts with the right token.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &body.to_string()).await
    }

    /// Searches a type.
    pub async fn search(&self, plural: &str, body: Value) -> Answer {
        self.post(&format!("/crm/objects/2026-09/{plural}/search"), &body).await
    }

    /// Does something through the control API, which must work.
    pub async fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.send(method, &format!("/_sim/{path}"), &body.to_string()).await;
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
        answer.json()
    }

    /// Sets what can be set.
    pub async fn set(&self, settings: Value) {
        self.control("PATCH", "settings", &settings).await;
    }

    /// Every live record of a type as it really is.
    pub async fn truth(&self, plural: &str) -> Vec<Value> {
        self.truth_of(&format!("truth/{plural}")).await
    }

    /// Every record of a type in the bin as it really is.
    pub async fn bin(&self, plural: &str) -> Vec<Value> {
        self.truth_of(&format!("truth/{plural}?archived=true")).await
    }

    /// Lines of JSON.
    async fn truth_of(&self, path: &str) -> Vec<Value> {
        let text = self.get(&format!("/_sim/{path}")).await.text();
        text.lines().map(|line| serde_json::from_str(line).expect("truth is lines of JSON")).collect()
    }

    /// All records of a type, page by page.
    pub async fn list_all(&self, plural: &str, query: &str) -> Vec<Value> {
        let mut records = Vec::new();
        let mut after = String::new();
        loop {
            let page =
                self.get(&format!("/crm/objects/2026-09/{plural}?limit=100&after={after}&{query}")).await;
            assert_eq!(page.status, 200, "{}", page.text());
            records.extend(page.json()["results"].as_array().cloned().unwrap_or_default());
            match page.after() {
                Some(next) => after = next,
                None => return records,
            }
        }
    }
}

/// An id, or any number sent as text.
pub fn number(value: &Value) -> u64 {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("{value} is not a number in text"))
}

/// A moment of an answer in epoch milliseconds.
pub fn millis(value: &Value) -> i64 {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is not a text"));
    chrono::DateTime::parse_from_rfc3339(text)
        .unwrap_or_else(|error| panic!("{error}: {text}"))
        .timestamp_millis()
}
