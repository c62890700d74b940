//! The company of a contact.

use wiremock::matchers::{method, path_regex};

use super::*;

/// A kind of link as an answer tells it.
fn kind(category: &str, number: i64, label: Option<&str>) -> Value {
    json!({"category": category, "typeId": number, "label": label})
}

/// A server where contact 7 has these links to companies, and which gives this answer to writes.
async fn server_with_links(links: &Value, answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    let read = json!({"status": "COMPLETE", "results": [{"from": {"id": "7"}, "to": links}]});
    Mock::given(path_regex("contacts/companies/batch/read$"))
        .respond_with(ResponseTemplate::new(200).set_body_json(read))
        .mount(&server)
        .await;
    Mock::given(method("PUT")).respond_with(answer.clone()).mount(&server).await;
    Mock::given(path_regex("batch/labels/archive$")).respond_with(answer).mount(&server).await;
    server
}

/// Contact 7 with a plain and a labelled link to company 20, and the primary one to company 30.
async fn usual_server(answer: ResponseTemplate) -> MockServer {
    let plain = kind("HUBSPOT_DEFINED", 279, None);
    let links = json!([
        {"toObjectId": 20, "associationTypes": [plain, kind("USER_DEFINED", 36, Some("Adviser"))]},
        {"toObjectId": 30, "associationTypes": [plain, kind("HUBSPOT_DEFINED", 1, Some("Primary"))]}]);
    server_with_links(&links, answer).await
}

/// Sets the primary company of contact 7; returns what HubSpot has against it and the write, if there was one.
async fn set(
    server: &MockServer,
    company: Option<i64>,
) -> (Option<Refusal>, Option<(String, String, Value)>) {
    let client = client_at(&server.uri());
    let refusal =
        client.set_primary_company(ObjectId(7), company.map(ObjectId), Priority::Push).await.unwrap();
    (refusal, requests_of(server).await.into_iter().nth(1))
}

#[tokio::test]
async fn a_company_becomes_primary_and_keeps_its_labels() {
    let server = usual_server(ResponseTemplate::new(201).set_body_json(json!({"labels": []}))).await;
    let (refusal, write) = set(&server, Some(20)).await;
    assert_eq!(refusal, None);
    let label =
        |category: &str, number: i64| json!({"associationCategory": category, "associationTypeId": number});
    let (verb, place, body) = write.unwrap();
    assert_eq!(
        (verb.as_str(), place.as_str()),
        ("PUT", "/crm/objects/2026-09/contacts/7/associations/companies/20")
    );
    let mut labels = body.as_array().unwrap().clone();
    labels.sort_by_key(|label| label["associationTypeId"].as_i64());
    assert_eq!(
        labels,
        [label("HUBSPOT_DEFINED", 1), label("USER_DEFINED", 36), label("HUBSPOT_DEFINED", 279)]
    );
}

#[tokio::test]
async fn what_is_so_already_is_not_written() {
    let server = usual_server(ResponseTemplate::new(500)).await;
    assert_eq!(set(&server, Some(30)).await, (None, None));
    let server = server_with_links(&json!([]), ResponseTemplate::new(500)).await;
    assert_eq!(set(&server, None).await, (None, None));
}

#[tokio::test]
async fn without_a_company_the_label_goes_and_the_link_stays() {
    let server = usual_server(ResponseTemplate::new(204)).await;
    let (refusal, write) = set(&server, None).await;
    assert_eq!(refusal, None);
    let (verb, place, body) = write.unwrap();
    assert_eq!(
        (verb.as_str(), place.as_str()),
        ("POST", "/crm/associations/2026-09/contacts/companies/batch/labels/archive")
    );
    let types = json!([{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]);
    assert_eq!(body, json!({"inputs": [{"from": {"id": "7"}, "to": {"id": "30"}, "types": types}]}));
}

#[tokio::test]
async fn a_company_that_does_not_exist_is_refused() {
    let missing = json!({"message": "resource not found"});
    let server = usual_server(refusal(404, &missing)).await;
    assert_eq!(set(&server, Some(99)).await.0.unwrap().kind, RefusalKind::Gone);
    let errors = json!({"status": "COMPLETE", "results": [], "errors": [{"category": "OBJECT_NOT_FOUND", "message": "no"}]});
    let server = usual_server(ResponseTemplate::new(207).set_body_json(errors)).await;
    assert_eq!(set(&server, None).await.0.unwrap().kind, RefusalKind::Gone);
}
