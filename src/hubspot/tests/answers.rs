//! What comes back when all goes well, and what was asked.

use chrono::TimeDelta;
use wiremock::http::HeaderName;
use wiremock::matchers::{body_json, method, path, query_param, query_param_is_missing};

use super::*;
use crate::model::Window;

#[tokio::test]
async fn a_listing_is_asked_for_and_paged_by_cursor() {
    let server = MockServer::start().await;
    let list = || {
        Mock::given(method("GET"))
            .and(path("/crm/objects/2026-09/contacts"))
            .and(query_param("limit", "100"))
            .and(query_param("properties", "firstname,city"))
    };
    let first = json!({"results": [record(1), {"id": "2"}], "paging": {"next": {"after": "3 &", "link": "http://elsewhere.test"}}});
    let first = ResponseTemplate::new(200).set_body_json(first);
    list().and(query_param_is_missing("after")).respond_with(first).expect(1).mount(&server).await;
    list().and(query_param("after", "3 &")).respond_with(page_of(&[3])).expect(1).mount(&server).await;

    let client = client_at(&server.uri());
    let properties = names(&["firstname", "city"]);
    let page = client.list_records(contacts(), &properties, None, Priority::Backfill).await.unwrap();
    assert_eq!(page.records[0].id, ObjectId(1));
    assert_eq!(page.records[0].properties.get("firstname"), Some("Name 1".into()));
    assert_eq!((page.rejected[0].id.as_str(), page.rejected[0].raw.as_str()), ("2", r#"{"id":"2"}"#));
    let page = client.list_records(contacts(), &properties, page.next.as_ref(), Priority::Backfill).await;
    let page = page.unwrap();
    assert_eq!((page.records[0].id, page.next), (ObjectId(3), None));
}

#[tokio::test]
async fn every_request_carries_the_token_and_asks_for_json() {
    let server = server_with(page_of(&[1])).await;
    client_at(&server.uri()).list_records(contacts(), &[], None, Priority::Audit).await.unwrap();
    let request = server.received_requests().await.unwrap().remove(0);
    let header = |name| request.headers.get(HeaderName::from_static(name)).unwrap().to_str().unwrap();
    assert_eq!(header("authorization"), format!("Bearer {TOKEN}"));
    assert_eq!(header("accept"), "application/json");
    assert!(header("accept-encoding").contains("gzip"));
    assert!(header("user-agent").starts_with("hubspot-mariadb-connector/"));
}

#[tokio::test]
async fn a_property_list_too_long_for_a_url_is_read_by_batch_and_remembered() {
    let server = MockServer::start().await;
    let list = |request: &Request| {
        if request.url.as_str().len() > 2_000 { ResponseTemplate::new(414) } else { page_of(&[3, 5, 9]) }
    };
    Mock::given(method("GET")).respond_with(list).mount(&server).await;
    // 5 vanished meanwhile and 9 was merged into 12; the order is not the one asked for.
    let batch = json!({"status": "COMPLETE", "results": [record(12), record(3)]});
    Mock::given(path("/crm/objects/2026-09/contacts/batch/read"))
        .respond_with(ResponseTemplate::new(207).set_body_json(batch))
        .mount(&server)
        .await;

    let client = client_at(&server.uri());
    let properties: Vec<String> = (0..200).map(|n| format!("property_{n:04}")).collect();
    let page = client.list_records(contacts(), &properties, None, Priority::Backfill).await.unwrap();
    assert_eq!(page.records.iter().map(|record| record.id.0).collect::<Vec<_>>(), [3]);
    assert_eq!(client.requests_sent(), 3, "the refused listing, the listing of ids, the batch");
    client.list_records(contacts(), &properties, None, Priority::Backfill).await.unwrap();
    assert_eq!(client.requests_sent(), 5, "the length HubSpot refuses is remembered");

    let requests = server.received_requests().await.unwrap();
    let asked = body_of(&requests[2]);
    assert_eq!(asked["inputs"], json!([{"id": "3"}, {"id": "5"}, {"id": "9"}]));
    assert_eq!(asked["properties"].as_array().unwrap().len(), 200);
    // A shorter list still goes the short way.
    client.list_records(contacts(), &properties[..20], None, Priority::Backfill).await.unwrap();
    assert_eq!(client.requests_sent(), 6);
}

#[tokio::test]
async fn an_empty_page_of_ids_needs_no_batch() {
    let server = server_with(page_of(&[])).await;
    let client = client_at(&server.uri());
    let properties: Vec<String> = (0..2_000).map(|n| format!("property_{n:04}")).collect();
    let page = client.list_records(contacts(), &properties, None, Priority::Backfill).await.unwrap();
    assert!(page.records.is_empty());
    assert_eq!(client.requests_sent(), 1);
}

#[tokio::test]
async fn a_batch_read_reports_missing_and_merged_ids() {
    let server = MockServer::start().await;
    let question = json!({"properties": ["city"], "inputs": [{"id": "4"}, {"id": "5"}, {"id": "6"}]});
    let answer = json!({"status": "COMPLETE", "numErrors": 1, "results": [record(9), record(4)], "errors": [{
        "status": "error", "category": "OBJECT_NOT_FOUND", "context": {"ids": ["6"]},
        "message": "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid."}]});
    Mock::given(method("POST"))
        .and(path("/crm/objects/2026-09/contacts/batch/read"))
        .and(body_json(question))
        .respond_with(ResponseTemplate::new(207).set_body_json(answer))
        .mount(&server)
        .await;
    let client = client_at(&server.uri());
    let asked = [4, 5, 4, 6].map(ObjectId);
    let batch = client.read_records(contacts(), &names(&["city"]), &asked, Priority::Webhook).await.unwrap();
    assert_eq!(batch.records.iter().map(|record| record.id.0).collect::<Vec<_>>(), [9, 4]);
    assert_eq!(batch.missing, [5, 6].map(ObjectId));

    let nothing = client.read_records(contacts(), &[], &[], Priority::Webhook).await.unwrap();
    assert!(nothing.records.is_empty() && nothing.missing.is_empty());
    assert_eq!(client.requests_sent(), 1, "no ids, no request");
}

#[tokio::test]
async fn changes_are_searched_by_time_and_walked_by_id() {
    let server = MockServer::start().await;
    let question = |property: &str, since: &str| {
        json!({
            "filterGroups": [{"filters": [
                {"propertyName": property, "operator": "BETWEEN", "value": since, "highValue": "1790000600000"},
                {"propertyName": "hs_object_id", "operator": "GT", "value": "51"}]}],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "properties": [property], "limit": 200})
    };
    let answer = json!({"total": 512, "results": [record(52)], "paging": {"next": {"after": "200"}}});
    let answer = ResponseTemplate::new(200).set_body_json(answer);
    Mock::given(path("/crm/objects/2026-09/contacts/search"))
        .and(body_json(question("lastmodifieddate", "1790000000000")))
        .respond_with(answer.clone())
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(path("/crm/objects/2026-09/deals/search"))
        .and(body_json(question("hs_lastmodifieddate", "1")))
        .respond_with(answer)
        .expect(1)
        .mount(&server)
        .await;

    let client = client_at(&server.uri());
    let end = DateTime::UNIX_EPOCH + TimeDelta::milliseconds(1_790_000_600_000);
    let window = Window { start: end - TimeDelta::minutes(10), end };
    let page =
        client.search_modified(contacts(), window, ObjectId(51), None, Priority::Incremental).await.unwrap();
    assert_eq!((page.total, page.hits[0].id), (512, ObjectId(52)));
    assert_eq!(page.hits[0].updated_at.timestamp_subsec_millis(), 678);
    let since_ever = Window { start: DateTime::UNIX_EPOCH, end };
    let deals = ObjectType::named("deals").unwrap();
    client.search_modified(deals, since_ever, ObjectId(51), None, Priority::Incremental).await.unwrap();
    assert!(client.limits().search.used > 0);
    assert_eq!(client.limits().burst.used, 0, "searches do not count there");
}

#[tokio::test]
async fn a_record_with_a_new_id_is_a_match_whenever_it_was_modified() {
    let server = MockServer::start().await;
    Mock::given(path("/crm/objects/2026-09/contacts/search"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"total": 0, "results": []})))
        .mount(&server)
        .await;
    let client = client_at(&server.uri());
    let window = Window { start: DateTime::UNIX_EPOCH, end: DateTime::UNIX_EPOCH };
    for after in [51, 97] {
        let newest = Some(ObjectId(80));
        client
            .search_modified(contacts(), window, ObjectId(after), newest, Priority::Incremental)
            .await
            .unwrap();
    }
    let asked: Vec<_> = server.received_requests().await.unwrap();
    let groups: Vec<_> =
        asked.iter().map(|request| request.body_json::<Value>().unwrap()["filterGroups"].clone()).collect();
    for (group, (after, newest)) in groups.iter().zip([("51", "80"), ("97", "97")]) {
        assert_eq!(group[0]["filters"][1]["value"], after);
        assert_eq!(
            group[1],
            json!({"filters": [{"propertyName": "hs_object_id", "operator": "GT", "value": newest}]})
        );
    }
}

#[tokio::test]
async fn records_are_counted_by_the_total_of_a_search() {
    let server =
        server_with(ResponseTemplate::new(200).set_body_json(json!({"total": 7, "results": []}))).await;
    let count = client_at(&server.uri()).count_records(contacts(), Priority::Interactive).await.unwrap();
    assert_eq!(count, 7);
    let asked = body_of(&server.received_requests().await.unwrap()[0]);
    assert_eq!(asked["limit"], 1);
    assert_eq!(asked["filterGroups"][0]["filters"][0]["operator"], "GT");
}

#[tokio::test]
async fn owners_of_both_lists_are_read_to_the_end() {
    let server = MockServer::start().await;
    let owner = |id: &str, archived: bool| json!({"id": id, "email": format!("o{id}@example.test"), "archived": archived});
    let list =
        |archived: &str| Mock::given(path("/crm/owners/2026-09")).and(query_param("archived", archived));
    let answer = |body: Value| ResponseTemplate::new(200).set_body_json(body);
    let first = answer(json!({"results": [owner("1", false)], "paging": {"next": {"after": "2"}}}));
    list("false").and(query_param_is_missing("after")).respond_with(first).mount(&server).await;
    let second = answer(json!({"results": [owner("2", false)]}));
    list("false").and(query_param("after", "2")).respond_with(second).mount(&server).await;
    list("true").respond_with(answer(json!({"results": [owner("3", true)]}))).mount(&server).await;

    let owners = client_at(&server.uri()).owners(Priority::Incremental).await.unwrap();
    let seen: Vec<_> = owners.iter().map(|owner| (owner.id.as_str(), owner.archived)).collect();
    assert_eq!(seen, [("1", false), ("2", false), ("3", true)]);
}

#[tokio::test]
async fn catalogue_pipelines_account_and_token_are_asked_for_where_they_are() {
    let server = MockServer::start().await;
    let answers = [
        ("GET", "/crm/properties/2026-09/deals", json!({"results": [{"name": "amount"}]})),
        ("GET", "/crm/pipelines/2026-09/deals", json!({"results": [{"id": "default", "stages": []}]})),
        ("GET", "/account-info/2026-09/details", json!({"portalId": 7, "timeZone": "Asia/Tokyo"})),
        ("POST", "/oauth/v2/private-apps/get/access-token-info", json!({"hubId": 7, "scopes": ["oauth"]})),
    ];
    for (verb, at, body) in answers {
        let answer = ResponseTemplate::new(200).set_body_json(body);
        Mock::given(method(verb)).and(path(at)).respond_with(answer).expect(1).mount(&server).await;
    }
    let client = client_at(&server.uri());
    let deals = ObjectType::named("deals").unwrap();
    assert_eq!(client.properties(deals, Priority::Incremental).await.unwrap()[0].name, "amount");
    assert_eq!(client.pipelines(deals, Priority::Incremental).await.unwrap()[0].id, "default");
    let account = client.account(Priority::Interactive).await.unwrap();
    assert!(client.set_time_zone(&account.time_zone));
    assert!(!client.set_time_zone("Moon/Tranquility"));
    assert_eq!(client.token_info().await.unwrap().hub_id, 7);
    let requests = server.received_requests().await.unwrap();
    assert_eq!(body_of(&requests[3]), json!({"tokenKey": TOKEN}));
}

#[tokio::test]
async fn each_counted_client_counts_its_own_requests() {
    let server = server_with(page_of(&[1])).await;
    let client = client_at(&server.uri());
    let (one, two) = (client.counted(), client.counted());
    for client in [&client, &one, &one, &two.clone()] {
        client.list_records(contacts(), &[], None, Priority::Audit).await.unwrap();
    }
    assert_eq!((client.requests_sent(), one.requests_sent(), two.requests_sent()), (4, 2, 1));
}

#[tokio::test]
async fn the_servers_clock_is_read_from_its_answers() {
    let answer = page_of(&[1]).insert_header("date", "Sun, 22 Nov 2020 18:00:30 GMT");
    let server = server_with(answer).await;
    let client = client_at(&server.uri());
    assert_eq!(client.clock_skew(), None);
    client.list_records(contacts(), &[], None, Priority::Audit).await.unwrap();
    let ahead = client.server_now() - "2020-11-22T18:00:30Z".parse::<DateTime<Utc>>().unwrap();
    assert!(ahead >= TimeDelta::zero() && ahead < TimeDelta::seconds(20), "{ahead}");
    assert!(client.clock_skew().unwrap() < TimeDelta::days(-1));
}

#[tokio::test]
async fn associations_are_asked_for_in_bulk_with_cursors() {
    let server = MockServer::start().await;
    let link = json!({"from": {"id": "7"}, "to": [{"toObjectId": 9, "associationTypes": [
        {"category": "HUBSPOT_DEFINED", "typeId": 4, "label": null}]}]});
    Mock::given(method("POST"))
        .and(path("/crm/associations/2026-09/contacts/deals/batch/read"))
        .and(body_json(json!({"inputs": [{"id": "7"}, {"id": "8", "after": "5"}]})))
        .respond_with(ResponseTemplate::new(207).set_body_json(json!({"results": [link]})))
        .expect(1)
        .mount(&server)
        .await;
    let client = client_at(&server.uri());
    let deals = ObjectType::named("deals").unwrap();
    let asked = [(ObjectId(7), None), (ObjectId(8), Some(Cursor("5".to_owned()))), (ObjectId(7), None)];
    let page = client.read_associations(contacts(), deals, &asked, Priority::Audit).await.unwrap();
    assert_eq!(
        (page.associations.len(), page.finished, page.unread),
        (1, vec![ObjectId(7)], vec![ObjectId(8)])
    );
    let nobody = client.read_associations(contacts(), deals, &[], Priority::Audit).await.unwrap();
    assert_eq!(nobody, AssociationPage::default());
    assert_eq!(client.requests_sent(), 1);
}

#[tokio::test]
async fn a_pair_hubspot_does_not_know_has_no_labels_and_other_trouble_is_an_error() {
    let deals = ObjectType::named("deals").unwrap();
    let known = json!({"results": [{"category": "HUBSPOT_DEFINED", "typeId": 4, "label": null}]});
    for (answer, expected) in [
        (ResponseTemplate::new(200).set_body_json(known), Some(true)),
        (refusal(400, &json!({"message": "Unable to infer object type from: unicorns"})), Some(false)),
        (refusal(404, &json!({"message": "no such pair"})), Some(false)),
        (ResponseTemplate::new(404).set_body_string("<html>no such path</html>"), None),
        (refusal(403, &json!({"category": "MISSING_SCOPES"})), None),
    ] {
        let server = server_with(answer).await;
        let types = client_at(&server.uri()).association_types(contacts(), deals, Priority::Audit).await;
        assert_eq!(types.ok().map(|types| types.is_some()), expected);
    }
}

#[tokio::test]
async fn an_answer_about_associations_may_be_too_large_and_is_not_asked_for_again() {
    let body = format!(r#"{{"results": [], "padding": "{}"}}"#, "x".repeat(17 * 1024 * 1024));
    let server = server_with(ResponseTemplate::new(200).set_body_string(body)).await;
    let client = client_at(&server.uri());
    let asked = [(ObjectId(7), None)];
    let error = client.read_associations(contacts(), contacts(), &asked, Priority::Audit).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::TooLarge, 1));
    assert!(error.to_string().contains("the answer is larger than 16 MiB"), "{error}");
}
