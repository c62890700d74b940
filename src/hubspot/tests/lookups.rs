//! Histories, records found by what they hold, and what a token may do.

use super::*;
use crate::model::Window;

#[tokio::test]
async fn a_batch_read_tells_the_histories_asked_for() {
    let mut found = record(4);
    found["propertiesWithHistory"] = json!({"city": [
        {"value": "Bonn", "timestamp": "2026-01-02T00:00:00Z", "sourceType": "INTEGRATION", "sourceId": "77"},
        {"value": "Kiel", "timestamp": "2026-01-01T00:00:00Z", "sourceType": "CRM_UI", "sourceId": "userId:1"}]});
    let answer = json!({"status": "COMPLETE", "results": [found]});
    let server = server_with(ResponseTemplate::new(207).set_body_json(answer)).await;
    let client = client_at(&server.uri());
    let (properties, history) = (names(&["firstname", "city"]), names(&["city"]));
    let ids = [4, 5, 4].map(ObjectId);
    let read =
        client.read_with_history(contacts(), &properties, &history, &ids, Priority::Push).await.unwrap();
    assert_eq!((read.records[0].id, read.missing.as_slice()), (ObjectId(4), [ObjectId(5)].as_slice()));
    assert_eq!(read.records[0].properties.get("firstname"), Some("Name 4".into()));
    let city = &read.histories[&ObjectId(4)]["city"];
    assert_eq!(
        city.iter().map(|entry| entry.value.as_deref()).collect::<Vec<_>>(),
        [Some("Bonn"), Some("Kiel")]
    );
    let body = json!({"properties": ["firstname", "city"], "propertiesWithHistory": ["city"], "inputs": [{"id": "4"}, {"id": "5"}]});
    assert_eq!(requests_of(&server).await[0].2, body);
    let nothing =
        client.read_with_history(contacts(), &properties, &history, &[], Priority::Push).await.unwrap();
    assert_eq!((nothing, client.requests_sent()), (HistoryRead::default(), 1));
}

#[tokio::test]
async fn a_contact_is_found_by_its_address() {
    let server =
        server_with_each(vec![written(9), refusal(404, &json!({"message": "resource not found"}))]).await;
    let client = client_at(&server.uri());
    let find = async || client.find_by_email("ada+1@example.test", Priority::Push).await.unwrap();
    assert_eq!(find().await, Some(ObjectId(9)));
    assert_eq!(find().await, None);
    let request = server.received_requests().await.unwrap().remove(0);
    assert_eq!(request.url.path(), "/crm/objects/2026-09/contacts/ada%2B1%40example.test");
    assert_eq!(request.url.query(), Some("idProperty=email&properties=hs_object_id"));
    let server = server_with(ResponseTemplate::new(403)).await;
    let error = client_at(&server.uri()).find_by_email("ada@example.test", Priority::Push).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ScopeMissing);
    assert!(!format!("{error} {error:?}").contains("ada"), "{error:?}");
}

#[tokio::test]
async fn what_was_just_made_is_searched_by_the_time_alone() {
    let answer = json!({"total": 1, "results": [record(9)]});
    let server = server_with(ResponseTemplate::new(200).set_body_json(answer)).await;
    let at = |millis| DateTime::from_timestamp_millis(millis).unwrap();
    let window = Window { start: at(1_790_000_000_000), end: at(1_790_000_060_000) };
    let client = client_at(&server.uri());
    let find = async |object_type| {
        client.find_created(object_type, window, ObjectId(7), Priority::Push).await.unwrap()
    };
    assert_eq!(find(contacts()).await, [ObjectId(9)]);
    find(ObjectType::named("calls").unwrap()).await;
    let requests = requests_of(&server).await;
    assert_eq!(requests[0].1, "/crm/objects/2026-09/contacts/search");
    let group = |property: &str| {
        json!({"filters": [
            {"propertyName": property, "operator": "BETWEEN", "value": "1790000000000", "highValue": "1790000060000"},
            {"propertyName": "hs_object_id", "operator": "GT", "value": "7"}]})
    };
    // Whoever makes a record may date it back in one of the two.
    assert_eq!(requests[0].2["filterGroups"], json!([group("createdate"), group("hs_createdate")]));
    assert_eq!(requests[0].2["properties"], json!(["hs_object_id"]));
    assert_eq!(requests[1].2["filterGroups"], json!([group("hs_createdate")]));
}

#[test]
fn a_token_says_what_it_may_write() {
    let token = |scopes: &[&str]| TokenInfo { user_id: None, hub_id: 1, app_id: None, scopes: names(scopes) };
    let may_write = |scopes: &[&str], name: &str| token(scopes).may_write(ObjectType::named(name).unwrap());
    assert_eq!(may_write(&[], "contacts"), None);
    assert_eq!(may_write(&["crm.objects.contacts.read"], "contacts"), Some(false));
    assert_eq!(may_write(&["oauth", "crm.objects.contacts.write"], "contacts"), Some(true));
    assert_eq!(may_write(&["crm.objects.contacts.write"], "companies"), Some(false));
    assert_eq!(may_write(&["tickets"], "tickets"), Some(true));
    assert_eq!(may_write(&["sales-email-read"], "emails"), Some(false));
}
