//! Updates and archiving.

use wiremock::matchers::{method, path};

use super::*;

/// The change of one record's city.
fn update(id: i64) -> RecordUpdate {
    RecordUpdate { id: ObjectId(id), properties: values(&[("city", "Bonn"), ("zip", "")]) }
}

/// What became of the updates, in short.
fn shown(outcomes: &[Updated]) -> Vec<String> {
    let show = |outcome: &Updated| match outcome {
        Updated::Written { id, updated_at: None } => format!("{id} at some time"),
        Updated::Written { id, updated_at: Some(at) } => format!("{id} at {}", at.format("%m-%d")),
        Updated::Refused(refusal) => format!("{:?}: {}", refusal.kind, refusal.reason),
    };
    outcomes.iter().map(show).collect()
}

#[tokio::test]
async fn several_updates_share_a_call_and_a_bad_one_fails_alone() {
    let result = |id: &str, trace: &str| json!({"id": id, "objectWriteTraceId": trace, "properties": {}, "updatedAt": "2026-02-03T04:05:06Z"});
    let mut error = invalid("city");
    error["context"] = json!({"objectWriteTraceId": ["1"]});
    let answer = json!({"status": "COMPLETE", "numErrors": 1, "results": [result("13", "2"), result("11", "0")], "errors": [error]});
    let server = server_with(ResponseTemplate::new(207).set_body_json(answer)).await;
    let client = client_at(&server.uri());
    let updates = [update(11), update(12), update(13)];
    let outcomes = client.update_records(contacts(), &updates, Priority::Push).await.unwrap();
    assert_eq!(shown(&outcomes), ["11 at 02-03", "Invalid: city: no (INVALID_OPTION)", "13 at 02-03"]);
    let Updated::Refused(refusal) = &outcomes[1] else { panic!("it was refused") };
    assert_eq!(refusal.category.as_deref(), Some("VALIDATION_ERROR"));
    assert_eq!(refusal.properties[0].code.as_deref(), Some("INVALID_OPTION"));
    let input = |id: &str, trace: &str| json!({"id": id, "objectWriteTraceId": trace, "properties": {"city": "Bonn", "zip": ""}});
    let body = json!({"inputs": [input("11", "0"), input("12", "1"), input("13", "2")]});
    let batch = "/crm/objects/2026-09/contacts/batch/update".to_owned();
    assert_eq!(requests_of(&server).await, [("POST".to_owned(), batch, body)]);
}

#[tokio::test]
async fn an_answer_without_a_version_is_an_answer() {
    let one = json!({"id": "11", "properties": {}});
    let server = server_with(ResponseTemplate::new(200).set_body_json(one)).await;
    let client = client_at(&server.uri());
    let outcomes = client.update_records(contacts(), &[update(11)], Priority::Push).await.unwrap();
    assert_eq!(shown(&outcomes), ["11 at some time"]);
    let row = |id: &str, trace: &str| json!({"id": id, "objectWriteTraceId": trace, "properties": {}});
    let both = json!({"status": "COMPLETE", "results": [row("11", "0"), row("12", "1")]});
    let server = server_with(ResponseTemplate::new(200).set_body_json(both)).await;
    let client = client_at(&server.uri());
    let outcomes =
        client.update_records(contacts(), &[update(11), update(12)], Priority::Push).await.unwrap();
    assert_eq!(shown(&outcomes), ["11 at some time", "12 at some time"]);
    assert_eq!(requests_of(&server).await.len(), 1, "neither is sent again");
}

#[tokio::test]
async fn a_batch_refused_as_a_whole_is_sent_record_by_record() {
    for status in [400, 404, 409] {
        let server = MockServer::start().await;
        let mount = |verb, place: &str, answer| {
            Mock::given(method(verb))
                .and(path(format!("/crm/objects/2026-09/contacts/{place}")))
                .respond_with(answer)
        };
        mount("POST", "batch/update", refusal(status, &json!({"message": "no"}))).mount(&server).await;
        mount("PATCH", "1", written(1)).mount(&server).await;
        mount("PATCH", "2", refusal(400, &invalid("zip"))).mount(&server).await;
        mount("PATCH", "3", refusal(404, &json!({"message": "resource not found"}))).mount(&server).await;
        let exists = json!({"message": "Contact already exists. Existing ID: 512", "category": "CONFLICT"});
        mount("PATCH", "4", refusal(409, &exists)).mount(&server).await;
        let updates = [update(1), update(2), update(3), update(4)];
        let outcomes =
            client_at(&server.uri()).update_records(contacts(), &updates, Priority::Push).await.unwrap();
        assert_eq!(
            shown(&outcomes),
            [
                "1 at 02-03",
                "Invalid: zip: no (INVALID_OPTION)",
                "Gone: resource not found",
                "Exists: Contact already exists. Existing ID: 512",
            ],
            "{status}"
        );
        let Updated::Refused(refusal) = &outcomes[3] else { panic!("it was refused") };
        assert_eq!(refusal.existing, Some(ObjectId(512)));
        assert!(!refusal.kind.passes());
    }
}

#[tokio::test]
async fn a_merged_away_record_is_updated_on_its_own() {
    let server = MockServer::start().await;
    let batch = json!({"status": "COMPLETE", "results": [{"id": "1", "objectWriteTraceId": "0", "updatedAt": "2026-02-03T04:05:06Z"}],
        "errors": [{"category": "OBJECT_NOT_FOUND", "context": {"ids": ["5"]},
                    "message": "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid."}]});
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(207).set_body_json(batch))
        .mount(&server)
        .await;
    Mock::given(path("/crm/objects/2026-09/contacts/5")).respond_with(written(9)).mount(&server).await;
    let updates = [update(1), update(5)];
    let outcomes =
        client_at(&server.uri()).update_records(contacts(), &updates, Priority::Push).await.unwrap();
    assert_eq!(shown(&outcomes), ["1 at 02-03", "9 at 02-03"]);
}

#[tokio::test]
async fn an_update_is_tried_again_like_a_read() {
    let lock = json!({"message": "Timed out trying to acquire unique value lock on email", "category": "VALIDATION_ERROR"});
    for trouble in [
        ResponseTemplate::new(502),
        ResponseTemplate::new(200),
        refusal(400, &lock).insert_header("retry-after", "0"),
    ] {
        let server = server_with_each(vec![trouble, written(7)]).await;
        let client = client_at(&server.uri());
        let outcomes = client.update_records(contacts(), &[update(7)], Priority::Push).await.unwrap();
        assert_eq!(shown(&outcomes), ["7 at 02-03"]);
        let expected = json!({"properties": {"city": "Bonn", "zip": ""}});
        for request in requests_of(&server).await {
            assert_eq!(
                request,
                ("PATCH".to_owned(), "/crm/objects/2026-09/contacts/7".to_owned(), expected.clone())
            );
        }
        assert_eq!(client.requests_sent(), 2);
    }
}

#[tokio::test]
async fn what_lies_in_no_record_is_an_error_of_the_call() {
    let scope = json!({"message": "This app hasn't been granted all required scopes to make this call.", "category": "MISSING_SCOPES",
        "errors": [{"message": "One or more of the following scopes are required.", "context": {"requiredGranularScopes": ["crm.objects.contacts.write"]}}]});
    let server = server_with(refusal(403, &scope)).await;
    let client = client_at(&server.uri());
    let error = client.update_records(contacts(), &[update(1), update(2)], Priority::Push).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ScopeMissing);
    assert!(error.to_string().contains("missing scopes: crm.objects.contacts.write"), "{error}");
    let record = NewRecord { properties: values(&[("city", "Bonn")]) };
    let error = client.create_records(contacts(), &[record], Priority::Push).await.unwrap_err();
    assert_eq!((error.kind(), error.is_in_doubt()), (ErrorKind::ScopeMissing, false));
    // A page of HTML is a wrong path and no deleted record.
    let server =
        server_with(ResponseTemplate::new(404).set_body_raw("<html>Not Found</html>", "text/html")).await;
    let error =
        client_at(&server.uri()).update_records(contacts(), &[update(1)], Priority::Push).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest);
}

#[tokio::test]
async fn nothing_to_do_needs_no_call() {
    let server = server_with(ResponseTemplate::new(500)).await;
    let client = client_at(&server.uri());
    assert!(client.update_records(contacts(), &[], Priority::Push).await.unwrap().is_empty());
    assert!(client.create_records(contacts(), &[], Priority::Push).await.unwrap().is_empty());
    client.archive_records(contacts(), &[], Priority::Push).await.unwrap();
    assert_eq!(client.requests_sent(), 0);
}

#[tokio::test]
#[should_panic(expected = "a record is updated twice in one batch")]
async fn a_record_named_twice_is_a_mistake_of_the_caller() {
    let client = client_at("http://127.0.0.1:1");
    let _ = client.update_records(contacts(), &[update(1), update(1)], Priority::Push).await;
}

#[tokio::test]
async fn records_are_archived_together() {
    let server = server_with_each(vec![ResponseTemplate::new(503), ResponseTemplate::new(204)]).await;
    let client = client_at(&server.uri());
    client.archive_records(contacts(), &[3, 4, 3].map(ObjectId), Priority::Push).await.unwrap();
    let body = json!({"inputs": [{"id": "3"}, {"id": "4"}]});
    let batch = "/crm/objects/2026-09/contacts/batch/archive".to_owned();
    assert_eq!(requests_of(&server).await[1], ("POST".to_owned(), batch, body));
}
