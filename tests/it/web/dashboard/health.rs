//! Health: checks, alerts, deletes that wait, the quarantine and the settings.

use super::super::Served;
use super::Visitor;
use crate::support::simulator::TOKEN;
use crate::support::{eventually, holds};

/// A server and somebody who looks at it.
async fn served() -> (Served, Visitor) {
    let served = Served::start(3, 4).await;
    let visitor = Visitor::at(served.api.address());
    (served, visitor)
}

#[tokio::test]
async fn the_state_tells_checks_alerts_and_webhooks() {
    let (served, visitor) = served().await;
    let html = visitor.get("/health").await.ok();
    for text in ["MariaDB ", "up to date", "calls HubSpot", "Nothing is wrong", "Not used"] {
        assert!(html.contains(text), "no `{text}` in {html}");
    }
    let sql = "INSERT INTO alerts (problem, about, text, since, last_seen_at, episodes) VALUES ('brake', 'contacts', \
               '5 edits <wait>', UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) + INTERVAL 1 HOUR, 1)";
    served.test.execute(sql).await;
    served
        .test
        .execute("UPDATE sync_state SET last_error = 'the token lacks <x>' WHERE object_type = 'contacts'")
        .await;
    let html = visitor.get("/health").await.ok();
    for text in ["5 edits &#60;wait&#62;", "/activity?status=pending", "the token lacks &#60;x&#62;"] {
        assert!(html.contains(text), "no `{text}` in {html}");
    }
    // The routes for supervisors stay what they are.
    assert_eq!(served.api.get("/health/live").await.ok()["status"], "ok");
    assert_eq!(served.api.get("/health/ready").await.ok()["status"], "ok");
}

#[tokio::test]
async fn every_setting_is_shown_and_no_secret() {
    let (served, visitor) = served().await;
    let html = visitor.get("/health/configuration").await.ok();
    for text in
        ["WRITABLE_OBJECTS", "contacts,companies", "DATABASE_URL", "replaced by DATABASE_URL", "SYNC_CRON_"]
    {
        assert!(html.contains(text), "no `{text}` in {html}");
    }
    for secret in [TOKEN, served.test.url.as_str()] {
        assert!(!html.contains(secret), "a secret is shown");
    }
}

#[tokio::test]
async fn deletes_wait_for_somebody_who_has_looked_at_them() {
    let (served, visitor) = served().await;
    for id in served.test.rows("hubspot_companies", &["hubspot_id"], "ORDER BY id LIMIT 3").await {
        served.simulator.delete("companies", &id).await;
    }
    let sql = "INSERT INTO sync_lanes (object_type, lane, status) VALUES ('companies', 'archive', 'error') \
               ON DUPLICATE KEY UPDATE status = 'error', pass_cursor = NULL";
    served.test.execute(sql).await;
    let sql = "INSERT INTO pending_deletes (object_type, hubspot_id, reason, found_at, found_by) \
               SELECT 'companies', hubspot_id, 'archived', UTC_TIMESTAMP(3) + INTERVAL 1 MINUTE, 'archive' \
               FROM hubspot_companies ORDER BY id LIMIT 3";
    served.test.execute(sql).await;
    let name = served.test.value("(SELECT name FROM hubspot_companies ORDER BY id LIMIT 1)").await;
    assert!(visitor.get("/health").await.ok().contains("<strong>3</strong> companies would be marked"));
    let html = visitor.get("/health/deletes/companies").await.ok();
    assert!(html.contains("Mark all 3 as deleted") && html.contains(&name.replace('\'', "&#39;")), "{html}");
    let unconfirmed = "SELECT COUNT(*) FROM pending_deletes WHERE NOT confirmed";

    let page = visitor.post("/health/deletes/companies", &[("count", "2")]).await;
    assert_eq!(page.status, 409);
    assert!(page.html.contains("others than you were shown"), "{}", page.html);
    assert_eq!(served.test.number(unconfirmed).await, 3);
    let page = visitor.post("/health/deletes/companies", &[("count", "3")]).await;
    assert_eq!(page.sent_to(), "/health#deletes");
    eventually("the daemon has marked them", async || {
        let archived = served.test.number("SELECT COUNT(*) FROM hubspot_companies WHERE archived").await;
        holds(archived == 3, archived)
    })
    .await;
    assert!(visitor.get("/health/deletes/companies").await.ok().contains("No delete of this type waits"));
}

#[tokio::test]
async fn the_quarantine_is_read_again_or_let_go() {
    let (served, visitor) = served().await;
    assert!(visitor.get("/health/quarantine").await.ok().contains("every record is stored"));
    let sql = "INSERT INTO quarantine (object_type, record_key, property, reason, raw, first_seen_at, last_seen_at) \
               SELECT 'contacts', hubspot_id, ELT(id, '', 'birthday', 'a/<b>'), 'is <no> day', '{\"<script>\": 1}', \
               UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) FROM hubspot_contacts WHERE id <= 3";
    served.test.execute(sql).await;
    let sql = "INSERT INTO quarantine (object_type, record_key, reason, raw, first_seen_at, last_seen_at) VALUES \
               ('deals', 'sha256:00ff', 'no object', '[]', UTC_TIMESTAMP(3), UTC_TIMESTAMP(3))";
    served.test.execute(sql).await;
    let html = visitor.get("/health/quarantine").await.ok();
    for text in ["<strong>2</strong> records could not", "whole record", "birthday", "is &#60;no&#62; day"] {
        assert!(html.contains(text), "no `{text}` in {html}");
    }
    assert!(html.contains("/contacts/1\"") && html.contains("deals, without an id"), "{html}");
    assert!(!html.contains("<script>\"") && !html.contains("<b>") && !html.contains("<no>"), "{html}");
    assert_eq!(html.matches(">Read again<").count(), 3, "without an id there is nothing to ask for: {html}");
    let filtered = visitor.get("/health/quarantine?type=deals").await.ok();
    assert!(!filtered.contains("birthday") && filtered.contains("no object"), "{filtered}");

    let asked = "SELECT COUNT(*) FROM webhook_events WHERE change_source = 'API'";
    let key = served.test.value("(SELECT hubspot_id FROM hubspot_contacts WHERE id = 2)").await;
    let one = [("type", "contacts"), ("record", key.as_str()), ("property", "birthday")];
    let page = visitor.post("/health/quarantine/read", &one).await;
    assert_eq!(page.sent_to(), "/health/quarantine?asked=1");
    assert!(visitor.get(page.sent_to()).await.ok().contains("1 record is read again"));
    assert_eq!(served.test.number(asked).await, 1);
    let page = visitor.post("/health/quarantine/release", &one).await;
    assert_eq!(page.sent_to(), "/health/quarantine?released=1");
    assert!(!visitor.get("/health/quarantine").await.ok().contains("birthday"));
    assert!(
        visitor.post("/health/quarantine/read", &[]).await.sent_to().starts_with("/health/quarantine?asked=")
    );
    assert!(served.test.number(asked).await >= 2, "all that have an id");

    assert!(visitor.get("/health/quarantine/release").await.ok().contains("Let all"));
    assert!(visitor.post("/health/quarantine/release", &[]).await.sent_to().contains("released="));
    assert_eq!(served.test.number("SELECT COUNT(*) FROM quarantine").await, 0);
}
