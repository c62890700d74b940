//! Health: checks, alerts, deletes that wait, the quarantine and the settings.

use super::super::Served;
use super::Visitor;
use super::form::Form;
use crate::support::lanes::{failed_lane, lane_is_done};
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
async fn everything_is_checked_when_somebody_asks() {
    let (served, visitor) = served().await;
    assert!(visitor.get("/health/check").await.ok().contains("Nothing was checked"));
    assert_eq!(visitor.post("/health/check", &[]).await.sent_to(), "/health/check");
    let checked = async || {
        eventually("the checks are made", async || {
            let html = visitor.get("/health/check").await.ok();
            holds(html.contains("Checked "), html)
        })
        .await;
        visitor.get("/health/check").await.ok()
    };
    let html = checked().await;
    for text in
        ["MariaDB ", "3 record(s)", "24 owner(s)", "requests per 10 s", "may read what is to be mirrored"]
    {
        assert!(html.contains(text), "no `{text}` in {html}");
    }
    assert!(!html.contains("failed") && !html.contains("http-equiv"), "{html}");

    served.simulator.set(serde_json::json!({"deniedScopes": ["crm.objects.companies.read"]})).await;
    visitor.post("/health/check", &[]).await;
    let html = checked().await;
    assert!(html.contains("the token lacks") && html.contains("crm.objects.companies.read"), "{html}");
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
    let served =
        Served::start_with(120, 4, |setup| setup.at("* * * * * *").set("ARCHIVE_INTERVAL_MINUTES", "60"))
            .await;
    let visitor = Visitor::at(served.api.address());
    lane_is_done(&served.test, "archive").await;
    for id in served.test.rows("hubspot_contacts", &["hubspot_id"], "ORDER BY id LIMIT 110").await {
        served.simulator.delete("contacts", &id).await;
    }
    failed_lane(&served.test, "archive").await;
    let name = served.test.value("(SELECT lastname FROM hubspot_contacts ORDER BY id LIMIT 1)").await;
    assert!(visitor.get("/health").await.ok().contains("<strong>110</strong> contacts would be marked"));
    let html = visitor.get("/health/deletes/contacts").await.ok();
    for text in ["Mark all 110 as deleted", &name.replace('\'', "&#39;"), "and 60 more"] {
        assert!(html.contains(text), "no `{text}` in {html}");
    }

    // One of them is found anew: what is confirmed is not what was shown.
    let anew = "UPDATE pending_deletes SET found_at = UTC_TIMESTAMP(3) + INTERVAL 1 SECOND ORDER BY hubspot_id LIMIT 1";
    served.test.execute(anew).await;
    let refused = visitor.post("/health/deletes/contacts", &Form::of(&html).fields()).await;
    assert_eq!(refused.status, 409);
    assert!(refused.html.contains("others than you were shown"), "{}", refused.html);
    assert_eq!(served.test.number("SELECT COUNT(*) FROM pending_deletes WHERE NOT confirmed").await, 110);
    let page = visitor.post("/health/deletes/contacts", &Form::of(&refused.html).fields()).await;
    assert_eq!(page.sent_to(), "/health#deletes");
    eventually("the daemon has marked them", async || {
        let archived = served.test.number("SELECT COUNT(*) FROM hubspot_contacts WHERE archived").await;
        holds(archived == 110, archived)
    })
    .await;
    eventually("none waits", async || {
        let html = visitor.get("/health/deletes/contacts").await.ok();
        holds(html.contains("No delete of this type waits"), html)
    })
    .await;
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
               ('deals', 'sha256:00ff', 'no object', '[]', UTC_TIMESTAMP(3), UTC_TIMESTAMP(3)), \
               ('deals', '77', 'no time', '[]', UTC_TIMESTAMP(3), UTC_TIMESTAMP(3))";
    served.test.execute(sql).await;
    let html = visitor.get("/health/quarantine").await.ok();
    for text in ["<strong>3</strong> records could not", "whole record", "birthday", "is &#60;no&#62; day"] {
        assert!(html.contains(text), "no `{text}` in {html}");
    }
    assert!(html.contains("/contacts/1\"") && html.contains("deals, without an id"), "{html}");
    assert!(!html.contains("<script>\"") && !html.contains("<b>") && !html.contains("<no>"), "{html}");
    assert_eq!(html.matches("deals · HubSpot 77").count(), 1, "without a row its ids are its name: {html}");
    assert_eq!(html.matches(">Read again<").count(), 4, "without an id there is nothing to ask for: {html}");
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

    // Half a name is a mistake, and not everything.
    for half in [[("type", "contacts")], [("record", "7")]] {
        assert_eq!(visitor.post("/health/quarantine/release", &half).await.status, 400);
        assert_eq!(visitor.post("/health/quarantine/read", &half).await.status, 400);
    }
    assert!(served.test.number("SELECT COUNT(*) FROM quarantine").await > 0);

    assert!(visitor.get("/health/quarantine/release").await.ok().contains("Let all"));
    assert!(visitor.post("/health/quarantine/release", &[]).await.sent_to().contains("released="));
    assert_eq!(served.test.number("SELECT COUNT(*) FROM quarantine").await, 0);
}
