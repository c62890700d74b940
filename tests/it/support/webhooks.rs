//! A receiver of webhooks in the process of the test, beside the daemon: any process may receive, the one that leads does
//! the rest. And requests to it, signed or not, that the simulator would not send.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use hubspot_mariadb_connector::config::{Config, Environment};
use hubspot_mariadb_connector::lifecycle::Lifecycle;
use hubspot_mariadb_connector::storage::webhook_counts;
use hubspot_mariadb_connector::web::Situation;
use hubspot_mariadb_connector::web::webhooks::{PATH, Receiver, router};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;

use super::daemon::Setup;
use super::database::TestDatabase;
use super::simulator::Simulator;
use super::{eventually, holds};

/// What the app signs with.
pub const SECRET: &str = "sim-app-secret-0001";
/// What stands in front of the receiver as HubSpot sees it.
pub const PUBLIC_URL: &str = "https://sync.example.test/crm";
/// The simulator's account.
pub const PORTAL: u64 = 62_515;

/// A receiver that listens.
pub struct Receiving {
    /// Where, with the path.
    pub url: String,
    http: reqwest::Client,
    lifecycle: Lifecycle,
}

impl Receiving {
    /// Starts one for the types, which have a table.
    pub async fn start(test: &TestDatabase, objects: &str) -> Self {
        let pairs = [
            ("HUBSPOT_ACCESS_TOKEN", "sim-token"),
            ("DATABASE_URL", &test.url),
            ("SYNC_OBJECTS", objects),
            ("HUBSPOT_WEBHOOK_SECRET", SECRET),
            ("PUBLIC_URL", PUBLIC_URL),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::read(Environment::from_pairs(pairs)).unwrap();
        let lifecycle = Lifecycle::default();
        let receiver = Receiver::new(
            config.webhooks,
            config.sync.objects,
            test.database.clone(),
            lifecycle.clone(),
            Situation::default(),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}{PATH}", listener.local_addr().unwrap());
        let (serve, stop) = (axum::serve(listener, router(Arc::new(receiver))), lifecycle.shutdown().clone());
        lifecycle.spawn(async move { serve.with_graceful_shutdown(stop.cancelled_owned()).await });
        Self { url, http: reqwest::Client::builder().no_proxy().build().unwrap(), lifecycle }
    }

    /// Lets the simulator tell it of everything, with these settings besides the usual ones.
    pub async fn told_by(&self, simulator: &Simulator, settings: Value) {
        let mut target =
            json!({"targetUrl": self.url, "signedUrl": format!("{PUBLIC_URL}{PATH}"), "secret": SECRET});
        let Value::Object(settings) = settings else { panic!("settings are an object") };
        target.as_object_mut().unwrap().extend(settings);
        simulator.put("/webhooks", target).await;
    }

    /// A request with that body, not signed.
    pub fn request(&self, body: &str) -> RequestBuilder {
        self.http.post(&self.url).body(body.to_owned())
    }

    /// The same with a v3 signature of `at`, in milliseconds since the epoch.
    pub fn signed(&self, body: &str, at: i64) -> RequestBuilder {
        let signature = signature(&format!("{PUBLIC_URL}{PATH}"), body, at);
        self.request(body)
            .header("x-hubspot-signature-v3", signature)
            .header("x-hubspot-request-timestamp", at.to_string())
    }

    /// Sends events as HubSpot would; they must be taken.
    pub async fn deliver(&self, events: &[Value]) {
        let body = Value::Array(events.to_vec()).to_string();
        let answer = self.signed(&body, now()).send().await.unwrap();
        assert_eq!(answer.status(), 204);
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.lifecycle.shutdown().cancel();
    }
}

/// The v3 signature of a delivery to a URL without escapes, at a time in milliseconds since the epoch.
pub fn signature(url: &str, body: &str, at: i64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("POST{url}{body}{at}").as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

/// The settings of a daemon that expects webhooks and does not poll, after its first listing.
pub fn without_polling(simulator: &Simulator, test: &TestDatabase) -> Setup {
    Setup::new(simulator, &test.url).at("0 0 0 1 1 *").set("HUBSPOT_WEBHOOK_SECRET", SECRET)
}

/// The time, in milliseconds since the epoch.
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_millis().try_into().unwrap()
}

/// An event about a contact, as it would be told now.
pub fn event(subscription: &str, id: &str) -> Value {
    json!({
        "eventId": 1, "subscriptionId": 2, "portalId": PORTAL, "appId": 54321, "occurredAt": now(),
        "subscriptionType": subscription, "attemptNumber": 0, "objectId": id.parse::<u64>().unwrap(),
        "changeSource": "CRM_UI", "sourceId": "userId:123"
    })
}

/// What was counted.
pub async fn counts(test: &TestDatabase) -> BTreeMap<String, u64> {
    webhook_counts(&test.database).await.unwrap()
}

/// Waits until the simulator has told everything and nothing of it waits any more.
pub async fn all_is_processed(simulator: &Simulator, test: &TestDatabase) {
    eventually("all webhooks are delivered", async || {
        let figures = simulator.get("/webhooks").await;
        holds(figures["waiting"] == 0 && figures["events"] != 0, figures)
    })
    .await;
    eventually("no webhook waits", async || {
        let waiting = test.number("SELECT COUNT(*) FROM webhook_events WHERE outcome IS NULL").await;
        holds(waiting == 0, waiting)
    })
    .await;
}
