//! Conflicts as people settle them: in two steps, with what they typed kept whatever happens meanwhile.

use serde_json::{Value, json};

use super::super::Served;
use super::super::conflicts::Stage;
use super::{Page, Visitor};
use crate::support::edits::all_is_sent;
use crate::support::{eventually, holds};

/// What the hidden input of the form says of when the conflict last changed.
fn seen(html: &str) -> String {
    let (_, rest) = html.split_once(r#"name="seen" value=""#).expect("a form");
    rest.split_once('"').unwrap().0.to_owned()
}

/// Expects that status, and returns what stands in the page.
#[track_caller]
fn with_status(page: Page, status: u16) -> String {
    assert_eq!(page.status, status, "{}", page.html);
    page.html
}

/// Expects every one of some texts.
#[track_caller]
fn has(html: &str, texts: &[&str]) {
    for text in texts {
        assert!(html.contains(text), "no `{text}` in {html}");
    }
}

/// The conflict, its address, and somebody who looks at it.
async fn look(stage: &Stage) -> (Value, String, Visitor) {
    let conflict = stage.disagree("2").await;
    let path = format!("/conflicts/{}", conflict["id"]);
    (conflict, path, Visitor::at(stage.served.api.address()))
}

#[tokio::test]
async fn a_conflict_is_settled_field_by_field_after_a_look_at_the_result() {
    let stage = Stage::new().await;
    let (conflict, path, visitor) = look(&stage).await;
    let contact = stage.served.api.get(&stage.path).await.ok();
    let list = visitor.get("/conflicts").await.ok();
    has(&list, &[&format!("href=\"{path}\""), "changed on both sides", "city, jobtitle"]);
    has(&list, &[contact["lastName"].as_str().unwrap()]);
    has(&visitor.get("/conflicts?type=companies").await.ok(), &["None of these"]);

    let html = visitor.get(&path).await.ok();
    has(
        &html,
        &["Ulm", "Kiel", "Bonn", "Dean", "Cook", "Poet", "Keep all of ours", "Keep all of HubSpot&#39;s"],
    );
    has(&html, &[&format!("href=\"{}\"", stage.path.trim_start_matches("/api")), "Opened"]);
    let seen = seen(&html);
    let nothing = [("seen", seen.as_str()), ("side.city", "hubspot"), ("own.jobtitle", "")];
    let html = with_status(visitor.post(&format!("{path}/preview"), &nothing).await, 422);
    assert_eq!(html.matches("Choose what counts").count(), 1, "{html}");
    has(&html, &[r#"name="side.city" value="hubspot" checked"#]);

    let choice = [("seen", seen.as_str()), ("own.city", "Hof"), ("side.jobtitle", "hubspot")];
    let html = visitor.post(&format!("{path}/preview"), &choice).await.ok();
    has(
        &html,
        &["This is the result", "Hof", "MariaDB and HubSpot", "Poet", r#"name="own.city" value="Hof""#],
    );
    let is_open = stage.served.api.get(&format!("/api{path}")).await.ok();
    assert_eq!(is_open["status"], "pending", "a look changes nothing");
    let html = visitor.post(&format!("{path}/choose"), &choice).await.ok();
    has(&html, &[r#"value="Hof""#, r#"name="side.jobtitle" value="hubspot" checked"#]);

    let named = |name| [&choice[..], &[("by", name)]].concat();
    let long = "x".repeat(101);
    let html = with_status(visitor.post(&format!("{path}/resolve"), &named(&long)).await, 422);
    has(&html, &["at most 100 characters", r#"name="own.city" value="Hof""#]);
    assert_eq!(visitor.post(&format!("{path}/resolve"), &named("eve")).await.sent_to(), path);
    stage.is("synced", "Hof", "Poet").await;
    let html = visitor.get(&path).await.ok();
    has(&html, &["Settled", "By eve", "own value", "No other conflict is open"]);
    assert!(!html.contains("<form method=\"post\" action=\"/conflicts"), "{html}");
    has(&visitor.get("/conflicts").await.ok(), &["Nothing waits for you"]);
    has(&visitor.get("/conflicts/history").await.ok(), &["merged", "eve", &conflict["id"].to_string()]);
    assert_eq!(visitor.get(&format!("{path}/preview")).await.sent_to(), path, "a reload leads somewhere");
    assert_eq!(visitor.get("/conflicts/999999").await.status, 404);
}

#[tokio::test]
async fn what_was_typed_is_kept_when_the_conflict_changes_meanwhile() {
    let stage = Stage::new().await;
    let (conflict, path, visitor) = look(&stage).await;
    let seen = seen(&visitor.get(&path).await.ok());
    stage.served.api.patch(&stage.path, &json!({"properties": {"city": "Trier"}})).await.ok();
    eventually("the conflict follows", async || {
        let shown = stage.served.api.get(&format!("/api{path}")).await.ok();
        holds(shown["local"]["city"] == "Trier", shown)
    })
    .await;
    let choice =
        [("seen", seen.as_str()), ("own.city", "Hof"), ("side.jobtitle", "local"), ("own.old", "gone")];
    for step in ["preview", "resolve", "choose"] {
        let html = with_status(visitor.post(&format!("{path}/{step}"), &choice).await, 409);
        has(&html, &["has changed since you opened it", "Trier", r#"value="Hof""#, "Agreed last"]);
        has(&html, &[r#"name="side.jobtitle" value="local" checked"#, "old: own value “gone”"]);
    }
    assert_eq!(stage.served.api.get(&format!("/api{path}")).await.ok()["status"], "pending");

    stage.resolve(&conflict, json!({"resolution": "keep_hubspot", "resolvedBy": "eve"})).await.ok();
    let html = with_status(visitor.post(&format!("{path}/resolve"), &choice).await, 409);
    has(&html, &["was closed meanwhile by eve", "city: own value “Hof”", "jobtitle: MariaDB", "Settled"]);
    stage.is("synced", "Bonn", "Poet").await;
}

#[tokio::test]
async fn what_one_side_deleted_is_decided_as_a_whole() {
    let stage = Stage::new().await;
    let api = &stage.served.api;
    stage.served.simulator.edit("contacts", &stage.hubspot_id, json!({"city": "Bonn"})).await;
    api.delete(&stage.path).await.ok();
    let mut path = String::new();
    eventually("there is a conflict", async || {
        let open = api.get("/api/conflicts").await.ok();
        path = format!("/conflicts/{}", open["data"][0]["id"]);
        holds(open["data"][0]["kind"] == "deleted_here", open)
    })
    .await;
    let visitor = Visitor::at(api.address());
    let html = visitor.get(&path).await.ok();
    has(
        &html,
        &["deleted here, changed in HubSpot", "Delete it in HubSpot too", "Bring the row back", "Bonn"],
    );
    assert!(!html.contains(r#"type="radio""#) && !html.contains("Preview the result"), "{html}");
    let seen = seen(&html);
    let html = with_status(visitor.post(&format!("{path}/preview"), &[("seen", &seen)]).await, 422);
    has(&html, &["Choose one of the two"]);
    let keep = [("seen", seen.as_str()), ("keep", "hubspot")];
    has(&visitor.post(&format!("{path}/preview"), &keep).await.ok(), &["The row is no longer deleted"]);
    assert_eq!(visitor.post(&format!("{path}/resolve"), &keep).await.sent_to(), path);
    stage.is("synced", "Bonn", "Dean").await;
    has(&visitor.get(&path).await.ok(), &["By dashboard", "The row is no longer deleted"]);
}

/// A conflict of that kind about the first contact, with this value on each side; its address.
async fn open(served: &Served, kind: &str, value: &str) -> String {
    let side = json!({"city": value, "firstname": value}).to_string();
    let sql = "INSERT INTO conflicts (object_type, row_id, hubspot_id, kind, fields, base_json, local_json, hubspot_json, \
               sources, created_at, updated_at) SELECT 'contacts', id, hubspot_id, ?, '[\"city\", \"firstname\"]', ?, ?, ?, \
               JSON_OBJECT('city', JSON_OBJECT('source_type', 'CRM_UI', 'source_label', ?)), UTC_TIMESTAMP(3), \
               UTC_TIMESTAMP(3) FROM hubspot_contacts ORDER BY id LIMIT 1";
    served.test.execute("DELETE FROM conflicts").await;
    let query = sqlx::query(sql).bind(kind).bind(&side).bind(&side).bind(&side).bind(value);
    query.execute(&served.test.sql).await.unwrap();
    format!("/conflicts/{}", served.test.number("SELECT MAX(id) FROM conflicts").await)
}

#[tokio::test]
async fn hostile_and_long_values_are_shown_as_what_they_are() {
    let served = Served::start(2, 1).await;
    let visitor = Visitor::at(served.api.address());
    let hostile = r#"<script>alert(1)</script> "quoted' & <b>"#;
    let name = json!({"firstName": hostile});
    let path = format!("/api/contacts/{}", served.contact().await["id"]);
    served.api.patch(&path, &name).await.ok();
    // Its push would settle what is put in place of its conflict.
    all_is_sent(&served.test, "hubspot_contacts").await;
    for (kind, words) in [
        ("fields", "Keep all of ours"),
        ("deleted_here", "Bring the row back"),
        ("deleted_in_hubspot", "Make it anew in HubSpot"),
        ("merged_in_hubspot", "Keep all of this row&#39;s"),
    ] {
        let path = open(&served, kind, hostile).await;
        let list = visitor.get("/conflicts").await.ok();
        let html = visitor.get(&path).await.ok();
        has(&html, &[words, "&#60;script&#62;alert(1)&#60;/script&#62; &#34;quoted&#39; &#38; &#60;b&#62;"]);
        let keep = [("seen", seen(&html)), ("keep", "local".to_owned()), ("by", hostile.to_owned())];
        let keep = keep.each_ref().map(|(name, value)| (*name, value.as_str()));
        let preview = visitor.post(&format!("{path}/preview"), &keep).await.ok();
        for page in [list, html, preview] {
            assert!(!page.contains("<script>") && !page.contains("<b>"), "{page}");
        }
        let long = open(&served, kind, &"ä\"".repeat(30_000)).await;
        has(&visitor.get(&long).await.ok(), &["more characters"]);
    }
}
