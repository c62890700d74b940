//! Creations: none is ever sent again that may have been done.

use wiremock::matchers::{body_string_contains, path};

use super::*;

/// A record in a city.
fn new(city: &str) -> NewRecord {
    NewRecord { properties: values(&[("city", city)]) }
}

/// What became of creations, in short.
fn shown(outcomes: &[Created]) -> Vec<String> {
    let show = |outcome: &Created| match outcome {
        Created::New { id } => format!("new {id}"),
        Created::Exists { id } => format!("exists {id:?}"),
        Created::Refused(refusal) => format!("{:?}: {}", refusal.kind, refusal.reason),
        Created::Unknown { .. } => "unknown".to_owned(),
        Created::NotMade { .. } => "not made".to_owned(),
    };
    outcomes.iter().map(show).collect()
}

/// What becomes of one creation at `base_url`, and how many requests it took.
async fn one_at(base_url: &str) -> (Vec<String>, u64) {
    let client = client_at(base_url);
    let outcomes = client.create_records(contacts(), &[new("Bonn")], Priority::Push).await.unwrap();
    (shown(&outcomes), client.requests_sent())
}

#[tokio::test]
async fn one_record_is_made_on_its_own() {
    let server =
        server_with(ResponseTemplate::new(201).set_body_json(json!({"id": "77", "properties": {}}))).await;
    assert_eq!(one_at(&server.uri()).await, (vec!["new 77".to_owned()], 1));
    let body = json!({"properties": {"city": "Bonn"}});
    let place = "/crm/objects/2026-09/contacts".to_owned();
    assert_eq!(requests_of(&server).await, [("POST".to_owned(), place, body)]);
}

#[tokio::test]
async fn a_contact_that_exists_is_told_with_its_id_where_hubspot_names_it() {
    let conflict = |message: &str| json!({"status": "error", "message": message, "category": "CONFLICT"});
    let rich = json!({"status": "error", "message": "Contact already exists", "category": "OBJECT_ALREADY_EXISTS", "error": "CONTACT_EXISTS",
        "identityProfile": {"vid": 9, "identity": []}, "errors": [{"message": "A contact with email a@b.test already exists. Existing ID: 8"}]});
    for (body, expected) in [
        (conflict("Contact already exists. Existing ID: 512"), "exists Some(ObjectId(512))"),
        (conflict("Contact already exists"), "exists None"),
        (json!({"message": "Contact already exists. Existing ID: 7"}), "exists Some(ObjectId(7))"),
        (json!({}), "exists None"),
        (rich, "exists Some(ObjectId(8))"),
    ] {
        let server = server_with(refusal(409, &body)).await;
        assert_eq!(one_at(&server.uri()).await, (vec![expected.to_owned()], 1), "{body}");
    }
}

#[tokio::test]
async fn a_refused_record_says_why() {
    let taken = json!({"message": "Cannot set PropertyValueCoordinates{portalId=1, objectTypeId=ObjectTypeId{legacyObjectType=CONTACT}, propertyName=badge, value=S1} on 7. 512 already has that value.", "category": "VALIDATION_ERROR"});
    for (body, expected) in [
        (invalid("city"), "Invalid: city: no (INVALID_OPTION)"),
        (taken, "Taken: badge: record 512 already has that value"),
        (json!({"category": "VALIDATION_ERROR"}), "Invalid: HubSpot says VALIDATION_ERROR and no more"),
        (json!({}), "Invalid: HubSpot gives no reason"),
    ] {
        let server = server_with(refusal(400, &body)).await;
        assert_eq!(one_at(&server.uri()).await, (vec![expected.to_owned()], 1), "{body}");
    }
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_the_creation_is_not_sent_again() {
    for answer in [
        ResponseTemplate::new(500),
        ResponseTemplate::new(504),
        ResponseTemplate::new(408),
        ResponseTemplate::new(524),
        ResponseTemplate::new(201),
        ResponseTemplate::new(201).set_body_json(json!({"properties": {}})),
    ] {
        let server = server_with(answer).await;
        assert_eq!(one_at(&server.uri()).await, (vec!["unknown".to_owned()], 1));
    }
    for broken in [
        Reaction::Reset,
        Reaction::Send(""),
        Reaction::Send("HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{\"id\""),
    ] {
        let base_url =
            rude_server(vec![broken, Reaction::Send("HTTP/1.1 201 Created\r\n\r\n{\"id\": \"1\"}")]);
        assert_eq!(one_at(&base_url).await, (vec!["unknown".to_owned()], 1), "{broken:?}");
    }
    let server = server_with(written(1).set_delay(Duration::from_mins(5))).await;
    let config = HubSpotConfig { timeout: Duration::from_millis(50), ..config(&server.uri()) };
    let client = HubSpotClient::with_policy(&config, CancellationToken::new(), HASTY).unwrap();
    let outcomes =
        client.create_records(contacts(), &[new("Bonn"), new("Kiel")], Priority::Push).await.unwrap();
    assert_eq!(shown(&outcomes), ["unknown", "unknown"], "of a batch too");
    assert_eq!(client.requests_sent(), 1);
}

#[tokio::test]
async fn shutdown_while_a_creation_is_under_way_leaves_it_unknown() {
    let server = server_with(written(1).set_delay(Duration::from_mins(5))).await;
    let shutdown = CancellationToken::new();
    let client = HubSpotClient::with_policy(&config(&server.uri()), shutdown.clone(), HASTY).unwrap();
    let records = [new("Bonn")];
    let call = client.create_records(contacts(), &records, Priority::Push);
    let stop_once_sent = async {
        while server.received_requests().await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        shutdown.cancel();
    };
    let (outcomes, ()) =
        tokio::time::timeout(PATIENCE, async { tokio::join!(call, stop_once_sent) }).await.unwrap();
    assert_eq!(shown(&outcomes.unwrap()), ["unknown"]);
    let error = client.create_records(contacts(), &records, Priority::Push).await.unwrap_err();
    assert_eq!((error.kind(), error.is_in_doubt()), (ErrorKind::Cancelled, false), "nothing was sent");
}

#[tokio::test]
async fn what_hubspot_surely_did_not_do_is_sent_again() {
    let lock = json!({"message": "Timed out trying to acquire unique value lock on email"});
    let rate = json!({"message": "You have reached your ten_secondly_rolling limit.", "policyName": "TEN_SECONDLY_ROLLING"});
    for trouble in [
        refusal(429, &rate).insert_header("retry-after", "0"),
        refusal(400, &lock),
        ResponseTemplate::new(423),
    ] {
        let server =
            server_with_each(vec![trouble, ResponseTemplate::new(201).set_body_json(json!({"id": "77"}))])
                .await;
        assert_eq!(one_at(&server.uri()).await, (vec!["new 77".to_owned()], 2));
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = client_at(&format!("http://{nobody}"));
    let error = client.create_records(contacts(), &[new("Bonn")], Priority::Push).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts(), error.is_in_doubt()), (ErrorKind::Unavailable, 3, false));
}

#[tokio::test]
async fn several_records_share_a_call() {
    let error = |category: &str, trace: &str| json!({"category": category, "message": "no", "context": {"objectWriteTraceId": [trace]}});
    let exists = json!({"category": "CONFLICT", "message": "Contact already exists. Existing ID: 512", "context": {"objectWriteTraceId": ["1"]}});
    let answer = json!({"status": "COMPLETE", "results": [{"id": "70", "objectWriteTraceId": "0"}],
        "errors": [error("VALIDATION_ERROR", "2"), exists, error("INTERNAL_ERROR", "3")]});
    let server = server_with(ResponseTemplate::new(207).set_body_json(answer)).await;
    let client = client_at(&server.uri());
    let records = ["a", "b", "c", "d", "e", "f"].map(new);
    let outcomes = client.create_records(contacts(), &records, Priority::Push).await.unwrap();
    assert_eq!(
        shown(&outcomes),
        ["new 70", "exists Some(ObjectId(512))", "Invalid: no", "unknown", "unknown", "unknown"],
        "HubSpot failed at the fourth and says nothing of the last two"
    );
    let (_, place, body) = requests_of(&server).await.remove(0);
    assert_eq!(place, "/crm/objects/2026-09/contacts/batch/create");
    assert_eq!(body["inputs"][1], json!({"properties": {"city": "b"}, "objectWriteTraceId": "1"}));
}

#[tokio::test]
async fn a_batch_that_wrote_nothing_is_sent_record_by_record_until_something_else_goes_wrong() {
    let server = MockServer::start().await;
    let batch = refusal(400, &invalid("city"));
    Mock::given(path("/crm/objects/2026-09/contacts/batch/create")).respond_with(batch).mount(&server).await;
    let mount = |city: &str, answer| Mock::given(body_string_contains(city)).respond_with(answer);
    mount("Bonn", written(1)).mount(&server).await;
    mount("Kiel", refusal(400, &invalid("city"))).mount(&server).await;
    mount("Jena", ResponseTemplate::new(500)).mount(&server).await;
    mount("Gera", ResponseTemplate::new(403)).mount(&server).await;
    let client = client_at(&server.uri());
    let create = async |cities: &[&str]| {
        let records: Vec<_> = cities.iter().map(|city| new(city)).collect();
        shown(&client.create_records(contacts(), &records, Priority::Push).await.unwrap())
    };
    let refused = "Invalid: city: no (INVALID_OPTION)";
    assert_eq!(create(&["Bonn", "Kiel", "Bonn"]).await, ["new 1", refused, "new 1"]);
    assert_eq!(create(&["Bonn", "Jena", "Bonn", "Kiel"]).await, ["new 1", "unknown", "not made", "not made"]);
    assert_eq!(create(&["Bonn", "Gera", "Bonn"]).await, ["new 1", "not made", "not made"]);
}
