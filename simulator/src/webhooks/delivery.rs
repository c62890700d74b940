//! Posting batches until they are taken.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::Full;
use hyper::Request;
use hyper::header::CONTENT_TYPE;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::gather;
use super::target::Target;
use crate::clock::Millis;
use crate::simulator::Simulator;

/// How often it is looked whether anything is to be told: what a single change waits on average is half of it.
const TICK: Duration = Duration::from_millis(10);

/// Escapes that are decoded in the URL before it is signed with v3; all others stay. Source: HubSpot, "Validating
/// requests".
const DECODED: [(&str, &str); 12] = [
    ("%3A", ":"),
    ("%2F", "/"),
    ("%3F", "?"),
    ("%40", "@"),
    ("%21", "!"),
    ("%24", "$"),
    ("%27", "'"),
    ("%28", "("),
    ("%29", ")"),
    ("%2A", "*"),
    ("%2C", ","),
    ("%3B", ";"),
];

/// Speaks HTTP to the target.
type Http = Client<HttpConnector, Full<Bytes>>;

/// Tells the target of what happens, until the simulator stops.
pub async fn run(simulator: Arc<Simulator>, stop: CancellationToken, tasks: TaskTracker) {
    let http: Http = Client::builder(TokioExecutor::new()).build_http();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut slots: Option<(usize, Arc<Semaphore>)> = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let Some(target) = simulator.webhooks.target() else { continue };
        gather(&simulator);
        let most = target.max_concurrent_requests;
        let free = match &slots {
            Some((size, slots)) if *size == most => Arc::clone(slots),
            _ => Arc::clone(&slots.insert((most, Arc::new(Semaphore::new(most)))).1),
        };
        let due = simulator.webhooks.lock().plan.take_due(&target, simulator.clock.now());
        for events in due {
            let delivery = Delivery {
                simulator: Arc::clone(&simulator),
                http: http.clone(),
                target: Arc::clone(&target),
                slots: Arc::clone(&free),
                events,
            };
            let stop = stop.clone();
            tasks.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = delivery.carry_out() => {}
                }
            });
        }
    }
}

/// A batch on its way.
struct Delivery {
    /// Whose.
    simulator: Arc<Simulator>,
    /// How.
    http: Http,
    /// Where to.
    target: Arc<Target>,
    /// How many may be under way.
    slots: Arc<Semaphore>,
    /// What.
    events: Vec<Value>,
}

impl Delivery {
    /// Sends the batch until it is taken or given up.
    async fn carry_out(mut self) {
        for attempt in 0..=self.target.retries {
            for event in &mut self.events {
                event["attemptNumber"] = json!(attempt);
            }
            // The slots go with their simulator only.
            let Ok(slot) = self.slots.acquire().await else { return };
            let started = Instant::now();
            let is_taken = self.attempt().await;
            drop(slot);
            let wait = {
                let mut inner = self.simulator.webhooks.lock();
                inner.figures.attempts += 1;
                // Taken, but the answer is lost on its way back.
                let is_known = is_taken && !inner.plan.is_drawn(self.target.lost_answer_rate);
                if is_known {
                    inner.figures.delivered += 1;
                    let took = started.elapsed().as_millis() as u64;
                    inner.figures.slowest_ms = inner.figures.slowest_ms.max(took);
                    break;
                }
                inner.figures.failures += 1;
                inner.figures.given_up += u64::from(attempt == self.target.retries);
                inner.plan.around(self.target.retry_ms)
            };
            if attempt < self.target.retries {
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
        }
        let mut inner = self.simulator.webhooks.lock();
        inner.figures.waiting = inner.figures.waiting.saturating_sub(self.events.len() as u64);
    }

    /// Sends the batch once; whether it was taken in time.
    async fn attempt(&self) -> bool {
        let body = Value::Array(self.events.clone()).to_string();
        let Ok(request) = signed(&self.target, body, self.simulator.clock.wall_time()) else { return false };
        let timeout = Duration::from_millis(self.target.timeout_ms);
        let answered = tokio::time::timeout(timeout, self.http.request(request)).await;
        answered.is_ok_and(|answer| answer.is_ok_and(|answer| answer.status().is_success()))
    }
}

/// The request of a batch with its signatures.
fn signed(target: &Target, body: String, now: Millis) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let mut request = Request::post(&target.target_url)
        .header(CONTENT_TYPE, "application/json")
        .header("user-agent", "HubSpot Webhooks");
    if target.signs("v1") {
        let digest = Sha256::new_with_prefix(&target.secret).chain_update(&body).finalize();
        request = request
            .header("x-hubspot-signature", format!("{:x}", Bytes::copy_from_slice(&digest)))
            .header("x-hubspot-signature-version", "v1");
    }
    if target.signs("v3") {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(target.secret.as_bytes()).expect("HMAC takes keys of any length");
        for part in ["POST", &decoded(target.signed_url()), &body, &now.to_string()] {
            mac.update(part.as_bytes());
        }
        let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        request = request
            .header("x-hubspot-signature-v3", signature)
            .header("x-hubspot-request-timestamp", now.to_string());
    }
    request.body(Full::new(Bytes::from(body)))
}

/// The URL as v3 signs it. No escape that is decoded leaves a `%` behind, so none comes into being on the way.
fn decoded(url: &str) -> String {
    DECODED.iter().fold(url.to_owned(), |url, (escape, plain)| {
        url.replace(escape, plain).replace(&escape.to_ascii_lowercase(), plain)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_escapes_of_the_url_are_signed_as_what_they_stand_for() {
        let url = "https://sync.example.test/crm%2Fa?tenant=a%2Fb&x=%20y&z=%3a1&q=%253A";
        assert_eq!(decoded(url), "https://sync.example.test/crm/a?tenant=a/b&x=%20y&z=:1&q=%253A");
    }

    #[test]
    fn a_url_with_escapes_is_signed_as_computed_elsewhere() {
        let target = serde_json::from_value(json!({
            "targetUrl": "http://127.0.0.1:1",
            "signedUrl": "https://sync.example.test/hubspot/webhooks?tenant=a%2Fb&x=%20y&z=%3a1",
            "secret": "sim-app-secret-0001",
        }));
        let body = r#"[{"eventId":100,"subscriptionId":7,"portalId":62515,"appId":54321,"occurredAt":1780000000000,"subscriptionType":"contact.propertyChange","attemptNumber":0,"objectId":512,"propertyName":"lastname","propertyValue":"Müller 😀","changeSource":"CRM_UI","sourceId":"userId:9586504"}]"#;
        let request =
            signed(&target.expect("a target"), body.to_owned(), 1_780_000_000_123).expect("a request");
        let signature = &request.headers()["x-hubspot-signature-v3"];
        assert_eq!(signature, "FV+Elm250N3l3lr43xcHll48cbBa/FioRHk2vMg/hwI=");
    }
}
