//! Reading records: every one is reached, in every order, however it is asked for.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Served;

/// The texts of a field of every record of an answer; null is left as it is.
fn field<'a>(answer: &'a Value, name: &str) -> Vec<&'a Value> {
    answer["data"].as_array().unwrap().iter().map(|record| &record[name]).collect()
}

#[tokio::test]
async fn a_record_shows_its_fields_its_properties_and_how_it_stands() {
    let served = Served::start(5, 3).await;
    let shown = served.contact().await;
    let of = async |column: &str| {
        served.test.value(&format!("SELECT {column} FROM hubspot_contacts ORDER BY id LIMIT 1")).await
    };
    for (name, column) in [("email", "email"), ("firstName", "firstname"), ("lastName", "lastname")] {
        assert_eq!(shown[name], of(column).await.as_str(), "{name}");
    }
    assert_eq!(shown["hubspotId"], of("hubspot_id").await.as_str());
    assert_eq!(shown["properties"]["email"], shown["email"]);
    assert_eq!((&shown["syncStatus"], &shown["archived"]), (&"synced".into(), &false.into()));
    assert!(shown["lastModifiedHubspot"].as_str().unwrap().ends_with('Z'), "{shown}");
    let (id, hubspot_id) = (&shown["id"], shown["hubspotId"].as_str().unwrap());
    for path in [
        format!("/api/contacts/{id}"),
        format!("/api/contacts/hs-{hubspot_id}"),
        format!("/api/objects/contacts/{id}"),
        format!("/api/objects/0-1/{id}"),
    ] {
        assert_eq!(served.api.get(&path).await.ok(), shown, "{path}");
    }
    let company = served.api.get("/api/companies?limit=1").await.ok()["data"][0].clone();
    assert_eq!(company["domain"], company["properties"]["domain"]);
    for path in
        ["/api/contacts/999999", "/api/contacts/hs-1", "/api/objects/unicorns", "/api/objects/tickets/1"]
    {
        served.api.get(path).await.refused(404, "not_found");
    }
    for path in ["/api/contacts/x", "/api/contacts/0", "/api/contacts/1%20OR%201=1"] {
        served.api.get(path).await.refused(400, "bad_request");
    }
}

#[tokio::test]
async fn pages_and_cursors_reach_every_record_once_in_every_order() {
    let served = Served::start(37, 1).await;
    for sort in [
        "id",
        "-id",
        "email",
        "-email",
        "lastName",
        "-lastName",
        "company",
        "-company",
        "lastModifiedHubspot",
        "-lastModifiedHubspot",
        "hubspotId",
        "-phone",
        "hubspot_owner_id",
    ] {
        let mut seen: Vec<Value> = Vec::new();
        let mut path = format!("/api/contacts?limit=10&sort={sort}&page=1");
        loop {
            let page = served.api.get(&path).await.ok();
            seen.extend(page["data"].as_array().unwrap().iter().cloned());
            let Some(cursor) = page["pagination"]["nextCursor"].as_str() else { break };
            path = format!("/api/contacts?limit=10&sort={sort}&cursor={cursor}");
        }
        let ids: BTreeSet<_> = seen.iter().map(|record| record["id"].as_i64().unwrap()).collect();
        assert_eq!((seen.len(), ids.len()), (37, 37), "{sort}");
        let mut numbered = Vec::new();
        for page in 1..=4 {
            let page = served.api.get(&format!("/api/contacts?limit=10&sort={sort}&page={page}")).await.ok();
            assert_eq!(page["pagination"]["total"], 37);
            numbered.extend(page["data"].as_array().unwrap().iter().cloned());
        }
        assert_eq!(numbered, seen, "{sort}");
    }
}

#[tokio::test]
async fn a_search_finds_beginnings_words_and_ids_in_hubspot() {
    let served = Served::start(20, 5).await;
    let shown = served.contact().await;
    let [first, last, email, id] =
        ["firstName", "lastName", "email", "hubspotId"].map(|name| shown[name].as_str().unwrap());
    let finds = async |search: &str| {
        let search: String = url::form_urlencoded::byte_serialize(search.as_bytes()).collect();
        let answer = served.api.get(&format!("/api/contacts?limit=200&search={search}")).await.ok();
        field(&answer, "id").contains(&&shown["id"])
    };
    for search in [
        last,
        &last.to_uppercase(),
        &last[..2],
        &format!("{first} {last}"),
        &format!("{last} {first}"),
        email,
        id,
    ] {
        assert!(finds(search).await, "{search}");
    }
    for search in
        [&email[2..], "%", "_", "' OR '1'='1", "\\", "|", &format!("*{}", &email[2..]), "zzzzzz\" OR 1=1 -- "]
    {
        assert!(!finds(search).await, "{search}");
    }
}

#[tokio::test]
async fn filters_narrow_a_list() {
    let served = Served::start(8, 1).await;
    let total = async |query: &str| {
        served.api.get(&format!("/api/contacts?{query}")).await.ok()["pagination"]["total"].as_i64().unwrap()
    };
    assert_eq!(total("").await, 8);
    assert_eq!((total("syncStatus=synced").await, total("syncStatus=pending").await), (8, 0));
    assert_eq!((total("archived=true").await, total("archived=all").await), (0, 8));
    let deals = served.api.get("/api/deals").await.ok();
    assert_eq!(deals["data"], serde_json::json!([]));
    let pipelines = served.api.get("/api/pipelines?type=deals").await.ok();
    let stages = pipelines["data"][0]["stages"].as_array().unwrap().len();
    assert!(stages > 2 && pipelines["data"][0]["objectType"] == "deals", "{pipelines}");
    assert_eq!(served.api.get("/api/pipelines").await.ok(), pipelines);
    assert_eq!(served.api.get("/api/pipelines?type=contacts").await.ok()["data"], serde_json::json!([]));
}

#[tokio::test]
async fn a_parameter_that_is_wrong_is_refused_and_never_becomes_sql() {
    let served = Served::start(2, 1).await;
    for query in [
        "limit=0",
        "limit=201",
        "limit=x",
        "page=0",
        "page=1000",
        "page=1&cursor=x",
        "cursor=x",
        "syncStatus=fine",
        "syncStatus=synced' OR '1'='1",
        "archived=maybe",
        "serach=x",
    ] {
        served.api.get(&format!("/api/contacts?{query}")).await.refused(400, "bad_request");
    }
    for sort in [
        "nothing",
        "id;DROP TABLE hubspot_contacts",
        "`id`",
        "(SELECT 1)",
        "properties_json",
        "--id",
        "city",
        "lastSyncedAt",
        "hubspotId&archived=all",
    ] {
        let refused =
            served.api.get(&format!("/api/contacts?sort={sort}")).await.refused(422, "invalid_fields");
        assert_eq!(refused["error"]["fields"][0]["field"], "sort", "{refused}");
        let message = refused["error"]["message"].as_str().unwrap();
        assert!(
            sort.contains("hubspotId")
                || message.contains("id, hubspotId, lastModifiedHubspot, email, firstName")
        );
    }
    let long = "x".repeat(201);
    served.api.get(&format!("/api/contacts?search={long}")).await.refused(400, "bad_request");
    let cursor = served.api.get("/api/contacts?limit=1").await.ok()["pagination"]["nextCursor"].clone();
    let other = format!("/api/contacts?sort=email&cursor={}", cursor.as_str().unwrap());
    served.api.get(&other).await.refused(400, "bad_request");
    assert_eq!(served.test.number("SELECT COUNT(*) FROM hubspot_contacts").await, 2);
}

#[tokio::test]
async fn what_no_handler_reads_is_refused_in_the_one_form_of_errors() {
    let served = Served::start(1, 1).await;
    for (path, status) in [
        ("/api/contacts?limit=%FF", 400),
        ("/api/contacts?page=1&page=2", 400),
        ("/api/contacts/%FF", 400),
        ("/api/objects/%FF", 400),
        ("/api/conflicts/%FF", 400),
        ("/api/sync/logs?limit=-1", 400),
        ("/api/sync/runs?limit=1e3", 400),
    ] {
        served.api.get(path).await.refused(status, "bad_request");
    }
    served.api.get("/api/sync/trigger").await.refused(405, "method_not_allowed");
    for path in ["/api/contacts", "/api/sync/trigger", "/api/conflicts/1/resolve"] {
        let broken = served.api.request(reqwest::Method::POST, path).header("content-type", "text/plain");
        served.api.send(broken.body(vec![b'{', 0xFF])).await.refused(400, "bad_request");
    }
}
