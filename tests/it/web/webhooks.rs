//! The address of webhooks as a part of the server: open to HubSpot, and answering like every other route.

use reqwest::Method;
use serde_json::{Value, json};

use super::Served;
use crate::support::daemon::Setup;
use crate::support::webhooks::{PUBLIC_URL, SECRET, now, signature};

/// The route.
const PATH: &str = "/api/webhooks/hubspot";

/// A daemon that receives webhooks.
async fn served(adjust: impl FnOnce(Setup) -> Setup) -> Served {
    let webhooks = |setup: Setup| setup.set("HUBSPOT_WEBHOOK_SECRET", SECRET).set("PUBLIC_URL", PUBLIC_URL);
    Served::start_with(1, 1, |setup| adjust(webhooks(setup))).await
}

/// A delivery as HubSpot signs it, by way of a proxy.
fn delivery(served: &Served, body: &Value) -> reqwest::RequestBuilder {
    let (at, body) = (now(), body.to_string());
    let signature = signature(&format!("{PUBLIC_URL}{PATH}"), &body, at);
    let request = served.api.request(Method::POST, PATH).body(body);
    let request = request.header("host", "sync.example.test").header("x-forwarded-for", "192.0.2.1");
    request.header("x-hubspot-signature-v3", signature).header("x-hubspot-request-timestamp", at.to_string())
}

#[tokio::test]
async fn hubspot_needs_its_signature_and_nothing_else() {
    let guarded = |setup: Setup| setup.set("API_TOKEN", "for-a-test-and-nothing-else");
    for served in [served(|setup| setup).await, served(guarded).await] {
        let taken = served.api.send(delivery(&served, &json!([]))).await;
        assert_eq!(taken.status, 204, "{taken:?}");
        // What a browser would say of a page of another origin.
        let strange = delivery(&served, &json!([])).header("origin", "https://evil.example");
        let taken = served.api.send(strange.header("sec-fetch-site", "cross-site")).await;
        assert_eq!(taken.status, 204, "{taken:?}");
        let request = served.api.request(Method::GET, PATH).header("host", "sync.example.test");
        let shown = served.api.send(request).await;
        assert_eq!((shown.status.as_u16(), shown.body), (200, json!({"webhooks": "ready"})));
    }
}

#[tokio::test]
async fn it_answers_in_the_form_all_routes_have() {
    let served = served(|setup| setup.set("API_TOKEN", "for-a-test-and-nothing-else")).await;
    let unsigned = served.api.request(Method::POST, PATH).body("[]").header("x-request-id", "mine");
    // The client of these tests holds every error to the document and to the header with the id.
    let unsigned = served.api.send(unsigned).await;
    assert_eq!(unsigned.headers["x-request-id"], "mine");
    assert_eq!(unsigned.headers["x-content-type-options"], "nosniff");
    assert_eq!(unsigned.headers["www-authenticate"], "HubSpot-Signature");
    unsigned.refused(401, "not_signed");
    served.api.send(delivery(&served, &json!({}))).await.refused(400, "bad_request");
    served.api.delete(PATH).await.refused(405, "method_not_allowed");
    served.api.get(PATH).await.ok();
    let taken = served.api.send(delivery(&served, &json!([]))).await;
    assert!(taken.headers.contains_key("x-request-id") && taken.headers.contains_key("x-frame-options"));

    let reader = served.api.with_token("for-a-test-and-nothing-else");
    let figures = reader.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    for (method, status) in [("POST", 401), ("POST", 400), ("DELETE", 405), ("GET", 200), ("POST", 204)] {
        let line = format!(
            "hubspot_connector_web_requests_total{{method=\"{method}\",route=\"{PATH}\",status=\"{status}\"}} 1"
        );
        assert!(figures.lines().any(|found| found == line), "{line} is not in {figures}");
    }
}

#[tokio::test]
async fn without_a_secret_it_says_so() {
    let served = Served::start(1, 1).await;
    let shown = served.api.get(PATH).await;
    assert_eq!(shown.body, json!({"webhooks": "not configured"}));
    let refused = served.api.send(served.api.request(Method::POST, PATH).body("[]")).await;
    refused.refused(503, "webhooks_not_configured");
}
