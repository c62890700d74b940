//! Rules of writing single records. Source: HubSpot, "Using object APIs", "Handling errors", "Contacts".

use serde_json::{Value, json};

use crate::harness::{Answer, Sim, millis};

/// Where contacts are written.
const CONTACTS: &str = "/crm/objects/2026-09/contacts";

/// Creates a record, which must work; returns the answer.
pub async fn create(sim: &Sim, plural: &str, properties: Value) -> Value {
    let answer =
        sim.post(&format!("/crm/objects/2026-09/{plural}"), &json!({ "properties": properties })).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

/// Sends new values of a record.
pub async fn patch(sim: &Sim, plural: &str, id: &Value, properties: Value) -> Answer {
    let path = format!("/crm/objects/2026-09/{plural}/{}", id.as_str().expect("an id is text"));
    sim.send("PATCH", &path, &json!({ "properties": properties }).to_string()).await
}

/// The record as it really is; null when it is not live.
pub async fn truth_of(sim: &Sim, plural: &str, id: &Value) -> Value {
    sim.truth(plural).await.into_iter().find(|line| line["id"] == *id).unwrap_or_default()
}

/// The codes a validation error lists, in order.
pub fn codes(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    let errors = body["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().map(|error| error["code"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_create_answers_with_what_was_set_and_a_part_of_what_is_added() {
    let sim = Sim::small().await;
    let body = json!({ "properties": { "email": "New.Person@Write.TEST", "city": "Bern" } });
    let answer = sim.post(CONTACTS, &body).await;
    assert_eq!(answer.status, 201);
    let record = answer.json();
    assert!(answer.header("location").ends_with(record["id"].as_str().unwrap()));
    let properties = &record["properties"];
    assert_eq!(
        (&properties["email"], &properties["city"]),
        (&json!("new.person@write.test"), &json!("Bern"))
    );
    assert_eq!(properties["hs_object_source"], "INTEGRATION");
    assert_eq!(properties["hs_object_source_id"], "1845122");
    assert!(properties.get("firstname").is_none(), "not the whole record");
    let read = sim.get(&format!("{CONTACTS}/{}", record["id"].as_str().unwrap())).await.json();
    assert_eq!(read["properties"]["email"], "new.person@write.test");
    assert_eq!(read["updatedAt"], record["updatedAt"]);
}

#[tokio::test]
async fn an_update_answers_with_what_was_set_and_moves_last_modified() {
    let sim = Sim::small().await;
    let before = sim.truth("contacts").await[5].clone();
    let answer = patch(&sim, "contacts", &before["id"], json!({ "city": "Ghent", "zip": null })).await;
    assert_eq!(answer.status, 200);
    let shown = answer.json();
    let names: Vec<&String> = shown["properties"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["city", "createdate", "hs_object_id", "lastmodifieddate", "zip"]);
    assert!(millis(&shown["updatedAt"]) > millis(&before["updatedAt"]));
    let after = truth_of(&sim, "contacts", &before["id"]).await;
    assert_eq!(after["properties"]["city"], "Ghent");
    assert!(after["properties"].get("zip").is_none());
    assert_eq!(after["properties"]["lastname"], before["properties"]["lastname"]);
}

#[tokio::test]
async fn records_are_written_by_address_too() {
    let sim = Sim::small().await;
    let id = create(&sim, "contacts", json!({ "email": "by@address.test" })).await["id"].clone();
    let path = format!("{CONTACTS}/BY@address.test?idProperty=email");
    let answer = sim.send("PATCH", &path, r#"{"properties":{"city":"Oslo"}}"#).await;
    assert_eq!((answer.status, &answer.json()["id"]), (200, &id));
    assert_eq!(sim.get(&path).await.json()["id"], id);
    let unknown = format!("{CONTACTS}/no@one.test?idProperty=email");
    assert_eq!(sim.send("PATCH", &unknown, r#"{"properties":{}}"#).await.status, 404);
}

#[tokio::test]
async fn unknown_ids_are_told_apart_as_for_reads() {
    let sim = Sim::small().await;
    for (id, message) in [
        ("77", "resource not found"),
        ("0", "Object not found. objectId is usually positive."),
        ("x", "Object not found.  objectId are usually numeric."),
    ] {
        let answer = patch(&sim, "contacts", &json!(id), json!({ "city": "Rome" })).await;
        assert_eq!((answer.status, answer.json()["message"].as_str()), (404, Some(message)));
    }
}

#[tokio::test]
async fn a_delete_puts_into_the_bin_and_is_answered_alike_for_anything() {
    let sim = Sim::small().await;
    let id = sim.truth("deals").await[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/crm/objects/2026-09/deals/{id}");
    assert_eq!(sim.send("DELETE", &path, "").await.status, 204);
    assert_eq!(sim.send("DELETE", &path, "").await.status, 204);
    assert_eq!(sim.send("DELETE", "/crm/objects/2026-09/deals/77", "").await.status, 204);
    assert_eq!(sim.get(&path).await.status, 404);
    assert_eq!(sim.get(&format!("{path}?archived=true")).await.json()["archived"], json!(true));
    assert_eq!(patch(&sim, "deals", &json!(id), json!({ "amount": 1 })).await.status, 404);
}

#[tokio::test]
async fn a_merged_away_id_stands_for_the_record_that_remains() {
    let sim = Sim::small().await;
    let ids = sim.get("/crm/v3/objects/companies?limit=2").await.ids();
    let body = json!({ "primaryObjectId": ids[0].to_string(), "objectIdToMerge": ids[1].to_string() });
    let survivor = sim.post("/crm/objects/2026-09/companies/merge", &body).await.json()["id"].clone();
    let answer = patch(&sim, "companies", &json!(ids[1].to_string()), json!({ "city": "Lyon" })).await;
    assert_eq!((answer.status, &answer.json()["id"]), (200, &survivor));
    assert_eq!(truth_of(&sim, "companies", &survivor).await["properties"]["city"], "Lyon");
}

#[tokio::test]
async fn all_bad_properties_are_listed_with_their_codes_and_nothing_is_written() {
    let sim = Sim::small().await;
    let before = sim.truth("contacts").await[3].clone();
    let answer = patch(
        &sim,
        "contacts",
        &before["id"],
        json!({
            "city": "Turin",
            "no_such_thing": "x",
            "createdate": "2026-01-01",
            "email": "a@b.c",
            "lifecyclestage": "stranger",
            "hubspot_owner_id": "12",
            "loyalty_points": "many",
            "closedate": "tomorrow",
            "firstname": "https://spam.example",
            "message": "x".repeat(65_537),
        }),
    )
    .await;
    assert_eq!(answer.status, 400);
    let body = answer.json();
    assert_eq!(body["category"], "VALIDATION_ERROR");
    let message = body["message"].as_str().unwrap();
    assert!(message.starts_with("Property values were not valid: [{"), "{message}");
    assert!(message.contains(r#""error":"PROPERTY_DOESNT_EXIST""#), "{message}");
    let errors = body["errors"].as_array().unwrap();
    let found: Vec<(&str, &str)> = errors
        .iter()
        .map(|error| (error["context"]["propertyName"][0].as_str().unwrap(), error["code"].as_str().unwrap()))
        .collect();
    assert_eq!(
        found,
        [
            ("closedate", "INVALID_LONG"),
            ("createdate", "READ_ONLY_VALUE"),
            ("email", "INVALID_EMAIL"),
            ("firstname", "CONTAINS_URL"),
            ("hubspot_owner_id", "INVALID_OWNER_ID"),
            ("lifecyclestage", "INVALID_OPTION"),
            ("loyalty_points", "INVALID_INTEGER"),
            ("message", "MAX_LENGTH"),
            ("no_such_thing", "PROPERTY_DOESNT_EXIST"),
        ]
    );
    assert!(errors[5]["message"].as_str().unwrap().starts_with(
        "stranger was not one of the allowed options: [label: \"Subscriber\" value: \"subscriber\" display_order: 0 \
         hidden: false read_only: false, "
    ));
    assert_eq!(truth_of(&sim, "contacts", &before["id"]).await, before);
}

#[tokio::test]
async fn bodies_that_say_too_little_or_something_else_are_refused() {
    let sim = Sim::small().await;
    for (body, end) in [
        ("{}", "Some required fields were not set: [properties]"),
        (r#"{"properties":{"city":["x"]}}"#, "from the value of city"),
        (r#"{"properties":"#, "EOF while parsing a value"),
    ] {
        let answer = sim.send("POST", CONTACTS, body).await;
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert_eq!(answer.status, 400);
        assert!(message.starts_with("Invalid input JSON on line 1, column "), "{message}");
        assert!(message.ends_with(end), "{message}");
    }
    assert_eq!(sim.send("PUT", CONTACTS, "{}").await.status, 405);
    assert_eq!(sim.get(&format!("{CONTACTS}/batch/update")).await.status, 405);
    assert_eq!(sim.send("POST", "/crm/objects/2026-09/boats", "{}").await.status, 400);
}

#[tokio::test]
async fn values_come_back_in_the_form_hubspot_stores() {
    let sim = Sim::small().await;
    let id = create(&sim, "contacts", json!({ "email": "  Upper@Case.TEST " })).await["id"].clone();
    let sent = json!({
        "loyalty_points": "0012.50",
        "phone": " +41 (0)44 555-01 00 ",
        "closedate": "2026-05-06T02:00:00+02:00",
        "interests": "hiking",
        "city": "  spaced  ",
    });
    let interests = sim.get("/crm/v3/properties/contacts/interests").await.json();
    let options: Vec<&str> =
        interests["options"].as_array().unwrap().iter().map(|one| one["value"].as_str().unwrap()).collect();
    let mut sent = sent;
    sent["interests"] = json!(options[0]);
    assert_eq!(patch(&sim, "contacts", &id, sent).await.status, 200);
    let added = json!({ "interests": format!(";{};{}", options[1], options[0]) });
    assert_eq!(patch(&sim, "contacts", &id, added).await.status, 200);
    let values = truth_of(&sim, "contacts", &id).await["properties"].clone();
    assert_eq!(values["email"], "upper@case.test");
    assert_eq!(values["loyalty_points"], "12.5");
    assert_eq!(values["phone"], " +41 (0)44 555-01 00 ");
    assert_eq!(values["closedate"], "2026-05-06T00:00:00Z");
    assert_eq!(values["city"], "  spaced  ");
    assert_eq!(values["interests"], format!("{};{}", options[0], options[1]));
}

#[tokio::test]
async fn a_write_reaches_search_with_the_lag_of_every_other_change() {
    let sim = Sim::small().await;
    sim.set(json!({ "indexLagMs": 60_000 })).await;
    create(&sim, "contacts", json!({ "email": "late@search.test" })).await;
    let search = async || {
        let filter = json!({ "propertyName": "email", "operator": "EQ", "value": "late@search.test" });
        sim.search("contacts", json!({ "filterGroups": [{ "filters": [filter] }] })).await.json()["total"]
            .clone()
    };
    assert_eq!(search().await, 0);
    sim.control("POST", "clock/advance", &json!({ "ms": 60_001 })).await;
    assert_eq!(search().await, 1);
}

#[tokio::test]
async fn writes_need_scopes_of_their_own_and_count_as_requests() {
    let sim = Sim::small().await;
    sim.control("DELETE", "scopes/crm.objects.contacts.write", &json!({})).await;
    let id = sim.get(&format!("{CONTACTS}?limit=1")).await.json()["results"][0]["id"].clone();
    let refused = patch(&sim, "contacts", &id, json!({ "city": "Kyiv" })).await;
    assert_eq!((refused.status, refused.json()["category"].as_str()), (403, Some("MISSING_SCOPES")));
    assert_eq!(
        refused.json()["errors"][0]["context"]["requiredGranularScopes"],
        json!(["crm.objects.contacts.write"])
    );
    create(&sim, "companies", json!({ "name": "Allowed" })).await;
    sim.control("PUT", "scopes/crm.objects.contacts.write", &json!({})).await;
    assert_eq!(patch(&sim, "contacts", &id, json!({ "city": "Kyiv" })).await.status, 200);
    let stats = sim.control("GET", "stats", &json!({})).await;
    assert_eq!((&stats["byFamily"]["update"], &stats["byFamily"]["create"]), (&json!(2), &json!(1)));
}
