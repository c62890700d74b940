//! The figures, as Prometheus fetches them.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;

use super::Served;
use crate::support::{eventually, holds};

/// The page.
async fn page(served: &Served) -> String {
    let response = served.api.request(Method::GET, "/metrics").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers()[CONTENT_TYPE].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    response.text().await.unwrap()
}

#[tokio::test]
async fn the_server_shows_the_figures_to_who_may_read() {
    let served = Served::start(5, 1).await;
    let expected = ["hubspot_connector_leader 1", "hubspot_connector_records{object_type=\"contacts\"} 5"];
    eventually("the figures of the database are there", async || {
        let page = page(&served).await;
        holds(expected.iter().all(|line| page.lines().any(|found| found == *line)), page)
    })
    .await;
    assert!(page(&served).await.contains("process_resident_memory_bytes "));
    served.api.get("/api/contacts/4711").await.refused(404, "not_found");
    let answered =
        r#"hubspot_connector_web_requests_total{method="GET",route="/api/contacts/{id}",status="404"} 1"#;
    let page = page(&served).await;
    assert!(page.contains(answered), "{page}");

    let guarded =
        Served::start_with(1, 1, |setup| setup.set("API_TOKEN", "for-a-test-and-nothing-else:read")).await;
    guarded.api.get("/metrics").await.refused(401, "unauthorized");
    let reader = guarded.api.with_token("for-a-test-and-nothing-else");
    let answer = reader.request(Method::GET, "/metrics").send().await.unwrap();
    assert_eq!(answer.status(), 200);
}
