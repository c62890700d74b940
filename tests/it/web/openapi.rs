//! The OpenAPI document and the page that shows it.

use std::collections::BTreeSet;

use reqwest::Method;

use super::Served;
use crate::deploy::text;

/// What there has to be.
const ROUTES: &[&str] = &[
    "delete /api/companies/{id}",
    "delete /api/contacts/{id}",
    "delete /api/deals/{id}",
    "delete /api/objects/{type}/{id}",
    "get /api/companies",
    "get /api/companies/{id}",
    "get /api/conflicts",
    "get /api/conflicts/history",
    "get /api/conflicts/{id}",
    "get /api/contacts",
    "get /api/contacts/{id}",
    "get /api/deals",
    "get /api/deals/{id}",
    "get /api/objects/{type}",
    "get /api/objects/{type}/{id}",
    "get /api/pipelines",
    "get /api/sync/logs",
    "get /api/sync/runs",
    "get /api/sync/status",
    "get /api/webhooks/hubspot",
    "get /health/live",
    "get /health/ready",
    "get /metrics",
    "get /ws",
    "patch /api/companies/{id}",
    "patch /api/contacts/{id}",
    "patch /api/deals/{id}",
    "patch /api/objects/{type}/{id}",
    "post /api/companies",
    "post /api/conflicts/{id}/resolve",
    "post /api/contacts",
    "post /api/deals",
    "post /api/objects/{type}",
    "post /api/sync/entity/{type}/{id}",
    "post /api/sync/retry/{id}",
    "post /api/sync/trigger",
    "post /api/webhooks/hubspot",
    "put /api/companies/{id}",
    "put /api/contacts/{id}",
    "put /api/deals/{id}",
    "put /api/objects/{type}/{id}",
];

#[tokio::test]
async fn the_document_lists_every_route_and_the_page_shows_it_without_a_network() {
    let served = Served::start(1, 1).await;
    let document = served.api.document();
    let mut listed = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        listed.extend(item.as_object().unwrap().keys().map(|method| format!("{method} {path}")));
    }
    assert_eq!(listed, ROUTES.iter().map(|route| (*route).to_owned()).collect());
    let names: BTreeSet<_> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|item| item.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), ROUTES.len(), "each has a name of its own");
    let page = served.api.request(Method::GET, "/api/docs").send().await.unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let html = page.text().await.unwrap();
    for route in ROUTES {
        let (method, path) = route.split_once(' ').unwrap();
        assert!(html.contains(&format!("<code>{} {path}</code>", method.to_uppercase())), "{route}");
    }
    assert!(!html.contains("<script") && !html.contains("//"), "nothing is fetched from elsewhere");
    let css = served.api.request(Method::GET, "/api/docs.css").send().await.unwrap();
    assert_eq!(
        (css.status().as_u16(), &css.headers()["content-type"]),
        (200, &"text/css; charset=utf-8".parse().unwrap())
    );
}

#[tokio::test]
async fn every_reference_in_the_document_leads_somewhere() {
    let served = Served::start(1, 1).await;
    let document = served.api.document();
    let text = document.to_string();
    let references: BTreeSet<_> =
        text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(references.len() > 10, "{references:?}");
    for reference in references {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
    let listening = &document["paths"]["/ws"]["get"];
    assert!(listening["responses"]["101"].is_object() && listening["security"].is_array(), "{listening}");
    let told = document["components"]["schemas"]["LiveEvent"].to_string();
    for name in ["hello", "run_finished", "records_changed", "conflict_closed", "limiter", "resync"] {
        assert!(told.contains(&format!("\"{name}\"")), "{name} is described: {told}");
    }
}

/// The words of a shell line whose quotes are single ones.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('\'').enumerate();
    let words = parts.flat_map(|(index, part)| match index % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}

#[tokio::test]
async fn every_request_in_the_documents_is_carried_out() {
    let served = Served::start(3, 1).await;
    let mut found = 0;
    for line in ["README.md", "DEPLOYMENT.md"].map(text).iter().flat_map(|document| document.lines()) {
        let Some(rest) = line.strip_prefix("curl -s ") else { continue };
        found += 1;
        let (mut method, mut url, mut headers, mut body) = (Method::GET, None, Vec::new(), None);
        let mut words = words(rest).into_iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "-X" => method = words.next().unwrap().parse().unwrap(),
                "-H" => headers.push(words.next().unwrap()),
                "-d" => body = words.next(),
                _ => url = Some(word),
            }
        }
        let path = url.as_deref().and_then(|url| url.strip_prefix("http://127.0.0.1:3001")).unwrap();
        let mut request = served.api.request(method, path);
        for header in &headers {
            let (name, value) = header.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        served.api.send(request.body(body.unwrap_or_default())).await.ok();
    }
    assert!(found > 5, "only {found} requests were found, so the search is broken");
}
