//! Rules that refuse writes besides the form of values, and the switches over what is not established.
//! Source: HubSpot, "Contacts", "Pipelines"; changelog, "CRM API Write Validation Enforcement".

use hubspot_simulator::Config;
use serde_json::{Value, json};

use crate::harness::{Sim, millis, small};
use crate::write::{codes, create, patch, truth_of};

#[tokio::test]
async fn an_address_another_contact_has_is_refused_in_every_body_that_was_seen() {
    let sim = Sim::small().await;
    let id = create(&sim, "contacts", json!({ "email": "one@taken.test" })).await["id"].clone();
    let other = create(&sim, "contacts", json!({ "email": "two@taken.test" })).await["id"].clone();
    let with_id = format!("Contact already exists. Existing ID: {}", id.as_str().unwrap());
    for (body, message, category) in [
        ("withId", with_id.as_str(), json!("CONFLICT")),
        ("withoutId", "Contact already exists", json!("CONFLICT")),
        ("withoutCategory", &with_id, Value::Null),
        ("rich", "Contact already exists", json!("OBJECT_ALREADY_EXISTS")),
    ] {
        sim.set(json!({ "conflictBody": body })).await;
        let sent = json!({ "properties": { "email": "ONE@taken.test" } });
        let created = sim.post("/crm/objects/2026-09/contacts", &sent).await;
        let updated = patch(&sim, "contacts", &other, sent["properties"].clone()).await;
        for answer in [created, updated] {
            let shown = answer.json();
            assert_eq!(
                (answer.status, &shown["message"], &shown["category"]),
                (409, &json!(message), &category)
            );
        }
    }
    let rich =
        sim.post("/crm/v3/objects/contacts", &json!({ "properties": { "email": "one@taken.test" } })).await;
    assert_eq!(rich.json()["identityProfile"]["vid"].to_string(), id.as_str().unwrap());
    let own = patch(&sim, "contacts", &id, json!({ "email": "One@taken.test" })).await;
    assert_eq!(own.status, 200, "its own address is no conflict");
}

#[tokio::test]
async fn generated_further_and_merged_addresses_conflict_and_deleted_ones_do_not() {
    let sim = Sim::small().await;
    let refuses = async |email: &Value| {
        let sent = json!({ "properties": { "email": email } });
        sim.post("/crm/objects/2026-09/contacts", &sent).await.status == 409
    };
    let truth = sim.truth("contacts").await;
    let mut with_email = truth.iter().filter(|line| line["properties"]["email"].is_string());
    let [one, two, three] = [(); 3].map(|()| with_email.next().unwrap());
    let email_of = |line: &Value| line["properties"]["email"].clone();
    assert!(refuses(&email_of(one)).await);
    let further = json!({ "hs_additional_emails": "spare@taken.test;Other@taken.test" });
    assert_eq!(patch(&sim, "contacts", &one["id"], further).await.status, 200);
    assert!(refuses(&json!("other@taken.test")).await);
    let body = json!({ "primaryObjectId": one["id"], "objectIdToMerge": two["id"] });
    assert_eq!(sim.post("/crm/objects/2026-09/contacts/merge", &body).await.status, 200);
    assert!(refuses(&email_of(one)).await && refuses(&email_of(two)).await);
    let path = format!("/crm/objects/2026-09/contacts/{}", three["id"].as_str().unwrap());
    assert_eq!(sim.send("DELETE", &path, "").await.status, 204);
    assert!(!refuses(&email_of(three)).await, "a contact deleted and made again has a new id");
    assert!(refuses(&email_of(three)).await);
}

#[tokio::test]
async fn an_address_that_was_given_up_is_free_unless_the_portal_keeps_it() {
    let sim = Sim::small().await;
    let id = create(&sim, "contacts", json!({ "email": "old@moved.test" })).await["id"].clone();
    assert_eq!(patch(&sim, "contacts", &id, json!({ "email": "new@moved.test" })).await.status, 200);
    create(&sim, "contacts", json!({ "email": "old@moved.test" })).await;
    sim.set(json!({ "emailChangeKeepsOld": true })).await;
    assert_eq!(patch(&sim, "contacts", &id, json!({ "email": "third@moved.test" })).await.status, 200);
    let values = truth_of(&sim, "contacts", &id).await["properties"].clone();
    assert_eq!(values["hs_additional_emails"], "new@moved.test");
    assert_eq!(patch(&sim, "contacts", &id, json!({ "email": "new@moved.test" })).await.status, 200);
    let values = truth_of(&sim, "contacts", &id).await["properties"].clone();
    assert_eq!(values["hs_additional_emails"], "third@moved.test");
}

#[tokio::test]
async fn another_unique_value_is_refused_with_who_has_it_and_domains_may_repeat() {
    let sim = Sim::small().await;
    let truth = sim.truth("companies").await;
    let has = truth.iter().find(|line| line["properties"]["erp_customer_id"].is_string()).unwrap();
    let number = has["properties"]["erp_customer_id"].as_str().unwrap();
    let sent = json!({ "properties": { "erp_customer_id": number } });
    let refused = sim.post("/crm/objects/2026-09/companies", &sent).await;
    assert_eq!((refused.status, refused.json()["category"].as_str()), (400, Some("VALIDATION_ERROR")));
    let message = refused.json()["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("Cannot set PropertyValueCoordinates{portalId=62515, "), "{message}");
    let end = format!("{} already has that value.", has["id"].as_str().unwrap());
    assert!(message.contains("legacyObjectType=COMPANY") && message.ends_with(&end), "{message}");
    let domain = json!({ "domain": has["properties"]["domain"], "name": "Twin" });
    create(&sim, "companies", domain).await;
}

#[tokio::test]
async fn a_property_defined_as_unique_is_enforced_from_then_on() {
    let sim = Sim::small().await;
    let definition = json!({
        "name": "badge", "label": "Badge", "type": "string", "fieldType": "text", "groupName": "contactinformation",
        "hasUniqueValue": true,
    });
    assert_eq!(sim.post("/crm/properties/2026-09/contacts", &definition).await.status, 201);
    let id = create(&sim, "contacts", json!({ "badge": "B-1" })).await["id"].clone();
    let again = sim.post("/crm/objects/2026-09/contacts", &json!({ "properties": { "badge": "b-1" } })).await;
    assert_eq!(again.status, 400);
    let found = sim.get("/crm/objects/2026-09/contacts/B-1?idProperty=badge").await;
    assert_eq!(found.json()["id"], id);
}

#[tokio::test]
async fn of_creates_that_race_for_one_address_exactly_one_succeeds() {
    let sim = Sim::small().await;
    let body = json!({ "properties": { "email": "race@taken.test" } });
    let creates = (0..20).map(|_| sim.post("/crm/objects/2026-09/contacts", &body));
    let answers = futures_util::future::join_all(creates).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(201), count(409)), (1, 19));
    let counts = sim.control("GET", "creates/contacts?by=email", &json!({})).await;
    assert_eq!(counts, json!({ "counts": { "race@taken.test": 1 } }));
}

#[tokio::test]
async fn records_of_a_type_the_portal_defined_need_what_its_definition_says() {
    let sim = Sim::start(Config { custom: vec![("boats".to_owned(), 3)], ..small() }).await;
    let path = "/crm/objects/2026-09/p62515_boats";
    let unnamed = sim.post(path, &json!({ "properties": { "weight": "3" } })).await;
    assert_eq!(codes(&unnamed), ["MISSING_REQUIRED_PROPERTY"]);
    let boat = json!({ "properties": { "name": "Dinghy", "weight": "3.0", "condition": "new" } });
    let made = sim.post(path, &boat).await;
    assert_eq!((made.status, &made.json()["properties"]["weight"]), (201, &json!("3")));
    let truth = sim.truth("p62515_boats").await;
    let number = truth[0]["properties"]["serial_number"].clone();
    let taken = patch(&sim, "p62515_boats", &made.json()["id"], json!({ "serial_number": number })).await;
    assert_eq!((taken.status, taken.json()["category"].as_str()), (400, Some("VALIDATION_ERROR")));
}

#[tokio::test]
async fn an_archived_property_takes_no_values() {
    let sim = Sim::small().await;
    assert_eq!(sim.send("DELETE", "/crm/properties/2026-09/contacts/favourite_topic", "").await.status, 204);
    let sent = json!({ "properties": { "favourite_topic": "x" } });
    assert_eq!(codes(&sim.post("/crm/v3/objects/contacts", &sent).await), ["PROPERTY_DOESNT_EXIST"]);
}

#[tokio::test]
async fn rules_of_the_account_only_bind_in_the_versions_that_are_set() {
    let sim = Sim::small().await;
    sim.set(json!({
        "requiredOnCreate": { "contacts": ["hs_legal_basis"] },
        "conditionallyRequired": [
            { "objectType": "contacts", "property": "lifecyclestage", "value": "customer", "requires": ["phone", "zip"] },
        ],
    }))
    .await;
    let sent = json!({ "properties": { "lifecyclestage": "customer", "zip": "8000" } });
    let refused = sim.post("/crm/objects/2026-09/contacts", &sent).await;
    assert_eq!(
        (refused.status, refused.json()["message"].as_str()),
        (400, Some("The property values provided are invalid"))
    );
    assert_eq!(codes(&refused), ["MISSING_REQUIRED_PROPERTY", "MISSING_CONDITIONAL_REQUIRED_PROPERTY"]);
    let inner = &refused.json()["errors"][1];
    assert_eq!(inner["message"], "A value for phone must be provided");
    assert_eq!(inner["context"]["propertyName"], json!(["phone"]));
    for version in ["/crm/v3/objects", "/crm/objects/2026-03"] {
        assert_eq!(sim.post(&format!("{version}/contacts"), &sent).await.status, 201);
    }
    sim.set(json!({ "bindingVersions": ["2026-03"] })).await;
    assert_eq!(sim.post("/crm/objects/2026-03/contacts", &sent).await.status, 400);
    assert_eq!(sim.post("/crm/objects/2026-09/contacts", &sent).await.status, 201);
}

#[tokio::test]
async fn updates_need_what_conditions_ask_for_but_not_what_creates_do() {
    let sim = Sim::small().await;
    let id = create(&sim, "contacts", json!({ "email": "rule@write.test" })).await["id"].clone();
    sim.set(json!({
        "requiredOnCreate": { "contacts": ["hs_legal_basis"] },
        "conditionallyRequired": [
            { "objectType": "contacts", "property": "lifecyclestage", "value": "customer", "requires": ["phone"] },
        ],
    }))
    .await;
    assert_eq!(patch(&sim, "contacts", &id, json!({ "city": "Porto" })).await.status, 200);
    let refused = patch(&sim, "contacts", &id, json!({ "lifecyclestage": "customer" })).await;
    assert_eq!(codes(&refused), ["MISSING_CONDITIONAL_REQUIRED_PROPERTY"]);
    let both = json!({ "lifecyclestage": "customer", "phone": "1" });
    assert_eq!(patch(&sim, "contacts", &id, both).await.status, 200);
}

#[tokio::test]
async fn a_new_deal_needs_a_name_and_a_stage_and_gets_the_pipeline_of_its_stage() {
    let sim = Sim::small().await;
    let empty = sim.post("/crm/objects/2026-09/deals", &json!({ "properties": {} })).await;
    assert_eq!(codes(&empty), ["MISSING_REQUIRED_PROPERTY"; 3]);
    let id =
        create(&sim, "deals", json!({ "dealname": "Big", "dealstage": "closedwon" })).await["id"].clone();
    let values = truth_of(&sim, "deals", &id).await["properties"].clone();
    assert_eq!((&values["pipeline"], &values["hs_is_closed_won"]), (&json!("default"), &json!("true")));
    for plural in ["contacts", "companies"] {
        create(&sim, plural, json!({})).await;
    }
    let pipelines = sim.get("/crm/pipelines/2026-09/deals").await.json();
    let other = pipelines["results"].as_array().unwrap().iter().find(|one| one["id"] != "default").unwrap();
    let wrong = patch(&sim, "deals", &id, json!({ "dealstage": other["stages"][0]["id"] })).await;
    assert_eq!(codes(&wrong), ["INVALID_OPTION"]);
    let message = wrong.json()["errors"][0]["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("is not a valid pipeline stage ID. Valid options are: pipelineId=default : ["),
        "{message}"
    );
    let both = json!({ "dealstage": other["stages"][0]["id"], "pipeline": other["id"] });
    assert_eq!(patch(&sim, "deals", &id, both).await.status, 200);
    assert_eq!(codes(&patch(&sim, "deals", &id, json!({ "pipeline": "gone" })).await), ["INVALID_OPTION"]);
}

#[tokio::test]
async fn a_lifecycle_stage_moves_back_only_after_it_was_cleared() {
    let sim = Sim::small().await;
    let id = create(&sim, "contacts", json!({ "lifecyclestage": "customer" })).await["id"].clone();
    let back = json!({ "lifecyclestage": "lead" });
    let stage = async || truth_of(&sim, "contacts", &id).await["properties"]["lifecyclestage"].clone();
    assert_eq!(patch(&sim, "contacts", &id, back.clone()).await.status, 200);
    assert_eq!(stage().await, "customer", "ignored");
    sim.set(json!({ "lifecycleBack": "refused" })).await;
    assert_eq!(patch(&sim, "contacts", &id, back.clone()).await.status, 400);
    assert_eq!(patch(&sim, "contacts", &id, json!({ "lifecyclestage": "" })).await.status, 200);
    assert_eq!(stage().await, Value::Null);
    assert_eq!(patch(&sim, "contacts", &id, back).await.status, 200);
    assert_eq!(stage().await, "lead");
    sim.set(json!({ "lifecycleBack": "allowed" })).await;
    assert_eq!(patch(&sim, "contacts", &id, json!({ "lifecyclestage": "subscriber" })).await.status, 200);
    assert_eq!(stage().await, "subscriber");
}

#[tokio::test]
async fn whether_a_write_that_changes_nothing_moves_last_modified_is_a_switch() {
    let sim = Sim::small().await;
    let id = create(&sim, "contacts", json!({ "city": "Bonn" })).await["id"].clone();
    let written = async || {
        let answer = patch(&sim, "contacts", &id, json!({ "city": "Bonn", "zip": "" })).await;
        assert_eq!(answer.status, 200);
        millis(&answer.json()["updatedAt"])
    };
    let first = written().await;
    assert!(written().await > first);
    sim.set(json!({ "identicalWritesTouch": false })).await;
    let second = written().await;
    assert_eq!(written().await, second);
}

#[tokio::test]
async fn days_and_moments_are_taken_in_more_forms_with_a_warning_where_rules_bind() {
    let sim = Sim::small().await;
    let path = |version: &str, id: &Value| format!("/crm/{version}/contacts/{}", id.as_str().unwrap());
    let catalogue = sim.get("/crm/v3/properties/contacts").await.json();
    let is_day =
        |one: &&Value| one["type"] == "date" && one["modificationMetadata"]["readOnlyValue"] == json!(false);
    let day = catalogue["results"].as_array().unwrap().iter().find(is_day).unwrap()["name"].as_str().unwrap();
    let id = create(&sim, "contacts", json!({ day: "1767571200000" })).await["id"].clone();
    assert_eq!(truth_of(&sim, "contacts", &id).await["properties"][day], "2026-01-05");
    let late = json!({ "properties": { day: 1_767_598_835_320_i64 } }).to_string();
    let refused = sim.send("PATCH", &path("v3/objects", &id), &late).await;
    assert_eq!(codes(&refused), ["INVALID_DATE"]);
    assert_eq!(refused.json()["errors"][0]["message"], "1767598835320 is at 7:40:35.320 UTC, not midnight!");
    let taken = sim.send("PATCH", &path("objects/2026-09", &id), &late).await;
    assert_eq!(taken.status, 200);
    let warning = taken.json()["warnings"][0].clone();
    assert_eq!(warning["category"], "PROPERTY_VALUE_NORMALIZED");
    assert_eq!(
        warning["context"],
        json!({ "propertyName": [day], "rawValue": ["1767598835320"], "normalizedValue": ["2026-01-05"] })
    );
}

#[tokio::test]
async fn links_in_the_body_are_made_with_the_record_or_refuse_it() {
    let sim = Sim::small().await;
    let company = sim.get("/crm/v3/objects/companies?limit=1").await.ids()[0];
    let body = |id: u64, number: u64| {
        json!({
            "properties": { "email": "linked@write.test" },
            "associations": [{
                "to": { "id": id.to_string() },
                "types": [
                    { "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279 },
                    { "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number },
                ],
            }],
        })
    };
    let path = "/crm/objects/2026-09/contacts";
    let gone = sim.post(path, &body(77, 1)).await;
    assert_eq!(
        (gone.status, gone.json()["message"].as_str()),
        (400, Some("One or more associations are invalid"))
    );
    assert_eq!(gone.json()["context"]["INVALID_OBJECT_IDS"], json!(["COMPANY=77 is not valid"]));
    let wrong = sim.post(path, &body(company, 3)).await;
    assert_eq!(
        wrong.json()["message"],
        "invalid from object type 0-1 for associations to be created. expected: 0-3"
    );
    assert_eq!(sim.post(path, &body(company, 999_999_999)).await.status, 400);
    let made = sim.post(path, &body(company, 1)).await;
    assert_eq!(made.status, 201, "nothing was written before");
    let id = made.json()["id"].clone();
    let read = sim.get(&format!("{path}/{}?associations=companies", id.as_str().unwrap())).await.json();
    let types: Vec<&Value> = read["associations"]["companies"]["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["type"])
        .collect();
    assert_eq!(types.len(), 2, "plain and primary: {read}");
    let values = truth_of(&sim, "contacts", &id).await["properties"].clone();
    assert_eq!(values["associatedcompanyid"], company.to_string());
}
