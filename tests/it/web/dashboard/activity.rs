//! The log and the runs as people read them, and trying again what failed.

use serde_json::json;

use super::super::Served;
use super::Visitor;
use crate::support::{eventually, holds};

/// A server with an edit of the first contact that HubSpot refuses, and one of the second that it takes; the id of the
/// first.
async fn with_edits() -> (Served, Visitor, String) {
    let served = Served::start(3, 1).await;
    let contacts = served.api.get("/api/contacts?sort=id").await.ok();
    let path = |index: usize| format!("/api/contacts/{}", contacts["data"][index]["id"]);
    // SQL takes what the API would refuse at once.
    let id = &contacts["data"][0]["id"];
    served.test.execute(&format!("UPDATE hubspot_contacts SET email = 'no address' WHERE id = {id}")).await;
    served.api.patch(&path(1), &json!({"phone": "555"})).await.ok();
    eventually("one is refused and one arrives", async || {
        let failed = served.test.number("SELECT COUNT(*) FROM sync_log WHERE status = 'failed'").await;
        let sent = served.test.number("SELECT COUNT(*) FROM sync_log WHERE status = 'success'").await;
        holds((failed, sent) == (1, 1), (failed, sent))
    })
    .await;
    let visitor = Visitor::at(served.api.address());
    (served, visitor, contacts["data"][0]["id"].to_string())
}

#[tokio::test]
async fn the_log_says_what_was_sent_and_why_something_was_not() {
    let (_served, visitor, id) = with_edits().await;
    let all = visitor.get("/activity").await.ok();
    for text in ["failed", "success", "INVALID_EMAIL", "update in HubSpot", "email", "phone"] {
        assert!(all.contains(text), "no `{text}` in {all}");
    }
    assert!(all.contains("1 edit has failed and waits for you"), "{all}");
    assert!(all.contains(&format!("href=\"/contacts/{id}\"")), "{all}");
    let shown = async |query: &str| {
        let html = visitor.get(&format!("/activity?{query}")).await.ok();
        (html.contains(">phone<"), html.contains("INVALID_EMAIL"))
    };
    assert_eq!(shown("status=failed&type=&direction=&record=").await, (false, true));
    assert_eq!(shown("status=success").await, (true, false));
    assert_eq!(shown(&format!("type=contacts&record={id}")).await, (false, true));
    assert_eq!(shown("direction=pull").await, (false, false));
    assert_eq!(shown("type=companies").await, (false, false));
    for query in ["status=bogus", "direction=up", "type=%C3%A4", "before=x"] {
        assert_eq!(visitor.get(&format!("/activity?{query}")).await.status, 400, "{query}");
    }
    for (query, problem) in [("record=7", "Choose a type"), ("type=contacts&record=x", "number of a row")] {
        let page = visitor.get(&format!("/activity?{query}")).await;
        assert_eq!(page.status, 422);
        assert!(page.html.contains(problem) && page.html.contains("aria-invalid"), "{}", page.html);
    }
}

#[tokio::test]
async fn what_failed_is_tried_again_one_by_one_or_all_at_once() {
    let (served, visitor, _) = with_edits().await;
    let failed = served.test.number("SELECT id FROM sync_log WHERE status = 'failed'").await;
    let sent = served.test.number("SELECT id FROM sync_log WHERE status = 'success'").await;
    let html = visitor.get("/activity").await.ok();
    assert_eq!(html.matches(">Retry<").count(), 1, "only what failed can be tried again: {html}");
    let is_dead = async |wanted: i64| {
        eventually("the job is as it should be", async || {
            let dead = served.test.number("SELECT COUNT(*) FROM jobs WHERE state = 'dead'").await;
            holds(dead == wanted, dead)
        })
        .await;
    };
    let query = [("query", "status=failed&evil=1")];
    let page = visitor.post(&format!("/activity/{failed}/retry"), &query).await;
    assert_eq!(page.sent_to(), "/activity?status=failed&retried=1");
    assert!(visitor.get(page.sent_to()).await.ok().contains("1 edit will be tried again now"));
    is_dead(1).await;
    let page = visitor.post(&format!("/activity/{sent}/retry"), &[]).await;
    assert_eq!(page.sent_to(), "/activity?retried=0");
    assert!(visitor.get(page.sent_to()).await.ok().contains("nothing to try again"));
    assert_eq!(visitor.post("/activity/999999/retry", &[]).await.status, 404);

    let html = visitor.get("/activity/retry").await.ok();
    assert!(html.contains("Try all 1 again") && html.contains("INVALID_EMAIL"), "{html}");
    assert_eq!(visitor.post("/activity/retry", &[]).await.sent_to(), "/activity?retried=1");
    // HubSpot takes the next value.
    served.test.execute("UPDATE hubspot_contacts SET email = 'a@b.test' WHERE email = 'no address'").await;
    is_dead(0).await;
    assert!(visitor.get("/activity/retry").await.ok().contains("Nothing has failed"));
}

#[tokio::test]
async fn a_long_log_of_hostile_words_is_read_page_by_page() {
    let served = Served::start(2, 1).await;
    let sql = "INSERT INTO sync_log (object_type, row_id, action, direction, status, message, changed_fields, created_at, \
               updated_at) SELECT 'contacts', 1, 'update', 'push', 'failed', CONCAT(seq, ' <script>\"x', REPEAT('y', 500)), \
               '[\"<b>a\"]', UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) FROM seq_1_to_60";
    served.test.execute(sql).await;
    let visitor = Visitor::at(served.api.address());
    let first = visitor.get("/activity?status=failed").await.ok();
    assert!(first.contains("60 &#60;script&#62;&#34;x") && !first.contains(">10 &#60;script"), "{first}");
    assert!(!first.contains("<script>\"") && !first.contains("<b>"), "{first}");
    let (_, rest) =
        first.split_once(r#"<a class="button" href="/activity?status=failed&#38;before="#).unwrap();
    let before = rest.split_once('"').unwrap().0;
    let second = visitor.get(&format!("/activity?status=failed&before={before}")).await.ok();
    assert!(second.contains(">10 &#60;script") && second.contains(">Newest<"), "{second}");
    assert!(!second.contains(">Older<"), "{second}");
}

#[tokio::test]
async fn runs_are_listed_with_what_they_did() {
    let served = Served::start(3, 1).await;
    let visitor = Visitor::at(served.api.address());
    let html = visitor.get("/activity/runs").await.ok();
    assert!(html.contains("contacts") && html.contains("backfill") && html.contains("succeeded"), "{html}");
    let html = visitor.get("/activity/runs?type=companies&outcome=succeeded").await.ok();
    assert!(!html.contains("<td>contacts</td>") && html.contains("<td>companies</td>"), "{html}");
    assert_eq!(visitor.get("/activity/runs?outcome=bogus").await.status, 400);
    served
        .test
        .execute("UPDATE sync_runs SET outcome = 'failed', error = '<i>no</i>' ORDER BY run_id LIMIT 1")
        .await;
    let html = visitor.get("/activity/runs?outcome=failed").await.ok();
    assert!(html.contains("&#60;i&#62;no"), "{html}");
}
