//! What cannot be edited, and what the person is told.

use hubspot_mariadb_connector::clock;

use super::Fixture;

/// What is set, and the message behind the name of the table.
const VALUES: [(&str, &str); 30] = [
    ("hs_score = 5", "`hs_score` is read-only in HubSpot"),
    ("hs_score = NULL", "`hs_score` is read-only in HubSpot"),
    ("lastname = 'x', hs_score = 5", "`hs_score` is read-only in HubSpot"),
    ("properties_json = '{}'", "`hs_score` is read-only in HubSpot"),
    ("mobilephone = '12'", "`mobilephone` is no property of contacts"),
    ("properties_json = JSON_SET(properties_json, '$.CITY', 'x')", "`CITY` is no property of contacts"),
    (
        r#"properties_json = JSON_MERGE_PATCH(properties_json, '{"a\\"b": "1"}')"#,
        "`a\"b` is no property of contacts",
    ),
    (r#"properties_json = JSON_MERGE_PATCH(properties_json, '{"": "1"}')"#, "`` is no property of contacts"),
    ("tier = 'platinum'", "`tier` has to be one of its options"),
    ("tier = 'Gold'", "`tier` has to be one of its options"),
    ("properties_json = JSON_SET(properties_json, '$.tier', 'x')", "`tier` has to be one of its options"),
    ("properties_json = JSON_SET(properties_json, '$.level', 'high')", "`level` has to be a number"),
    ("properties_json = JSON_SET(properties_json, '$.level', TRUE)", "`level` has to be a number"),
    ("properties_json = JSON_SET(properties_json, '$.level', '1,5')", "`level` has to be a number"),
    ("properties_json = JSON_SET(properties_json, '$.level', '5\\n')", "`level` has to be a number"),
    ("properties_json = JSON_SET(properties_json, '$.vip', 'yes')", "`vip` has to be true or false"),
    ("properties_json = JSON_SET(properties_json, '$.vip', 1)", "`vip` has to be true or false"),
    (
        "properties_json = JSON_SET(properties_json, '$.born', 'soon')",
        "`born` has to be a date as 2026-01-31",
    ),
    (
        "properties_json = JSON_SET(properties_json, '$.born', '2026-02-29')",
        "`born` has to be a date as 2026-01-31",
    ),
    (
        "properties_json = JSON_SET(properties_json, '$.born', '1900-02-29')",
        "`born` has to be a date as 2026-01-31",
    ),
    (
        "properties_json = JSON_SET(properties_json, '$.born', '2026-04-31')",
        "`born` has to be a date as 2026-01-31",
    ),
    (
        "properties_json = JSON_SET(properties_json, '$.born', '2026-04-30x')",
        "`born` has to be a date as 2026-01-31",
    ),
    (
        "properties_json = JSON_SET(properties_json, '$.born', '0000-00-00')",
        "`born` has to be a date as 2026-01-31",
    ),
    (
        "properties_json = JSON_SET(properties_json, '$.seen', '2026-01-31 08:00')",
        "`seen` has to be a time as 2026-01-31T08:00:00Z",
    ),
    (
        "properties_json = JSON_SET(properties_json, '$.seen', '2026-02-30T08:00:00Z')",
        "`seen` has to be a time as 2026-01-31T08:00:00Z",
    ),
    (
        "properties_json = JSON_SET(properties_json, '$.seen', '2026-02-20T24:00:00Z')",
        "`seen` has to be a time as 2026-01-31T08:00:00Z",
    ),
    ("properties_json = JSON_SET(properties_json, '$.city', JSON_ARRAY('x'))", "`city` has to be a text"),
    ("properties_json = JSON_SET(properties_json, '$.city', JSON_OBJECT())", "`city` has to be a text"),
    ("properties_json = JSON_SET(properties_json, '$.tier', JSON_ARRAY('gold'))", "`tier` has to be a text"),
    (
        r#"properties_json = '{"hs_score": "9", "city": "a", "city": "b"}'"#,
        "properties_json has a property twice",
    ),
];

#[tokio::test]
async fn a_value_hubspot_would_refuse_is_refused_by_name() {
    let fixture = Fixture::new().await;
    for (set, expected) in VALUES {
        let said = fixture.refused(&format!("UPDATE hubspot_contacts SET {set} WHERE hubspot_id = 1")).await;
        assert_eq!(said, format!("hubspot_contacts: {expected}"), "{set}");
    }
    assert_eq!(fixture.state().await, "synced|1|-");
    let long = "x".repeat(200);
    let said = fixture
        .refused(&format!(
            "UPDATE hubspot_contacts SET properties_json = JSON_SET(properties_json, '$.{long}', '1')"
        ))
        .await;
    assert_eq!(said, format!("hubspot_contacts: `{long}")[..128]);
}

#[tokio::test]
async fn a_document_that_is_no_object_is_refused() {
    let fixture = Fixture::new().await;
    for document in ["NULL", "'[]'", "'5'", "'null'", "'\"text\"'", "'{\"a\": }'", "'{} x'", "''"] {
        let set = format!("UPDATE hubspot_contacts SET properties_json = {document}");
        assert_eq!(
            fixture.refused(&set).await,
            "hubspot_contacts: properties_json has to be a JSON object",
            "{document}"
        );
        if document != "NULL" {
            let insert = format!("INSERT INTO hubspot_contacts (properties_json) VALUES ({document})");
            assert_eq!(
                fixture.refused(&insert).await,
                "hubspot_contacts: properties_json has to be a JSON object",
                "{document}"
            );
        }
    }
    assert_eq!(fixture.state().await, "synced|1|-");
}

#[tokio::test]
async fn a_new_row_is_looked_at_like_an_edit() {
    let fixture = Fixture::new().await;
    let taken = "hubspot_id is given by HubSpot; leave it out to make a record";
    for (sql, expected) in [
        ("INSERT INTO hubspot_contacts (tier) VALUES ('x')", "`tier` has to be one of its options"),
        ("INSERT INTO hubspot_contacts (hs_score) VALUES (1)", "`hs_score` is read-only in HubSpot"),
        (
            r#"INSERT INTO hubspot_contacts (properties_json) VALUES ('{"nick": "x"}')"#,
            "`nick` is no property of contacts",
        ),
        ("INSERT INTO hubspot_contacts (archived) VALUES (1)", "a new record cannot be archived"),
        ("INSERT INTO hubspot_contacts (hubspot_id) VALUES (7)", taken),
        ("INSERT IGNORE INTO hubspot_contacts (hubspot_id) VALUES (7)", taken),
        ("INSERT INTO hubspot_contacts (hubspot_id) VALUES (7) ON DUPLICATE KEY UPDATE city = 'x'", taken),
        ("REPLACE INTO hubspot_contacts (hubspot_id, city) VALUES (1, 'x')", taken),
    ] {
        assert_eq!(fixture.refused(sql).await, format!("hubspot_contacts: {expected}"), "{sql}");
    }
    let sql = "INSERT INTO hubspot_contacts (email, tier) VALUES ('a@example.test', 'gold'), ('b@example.test', 'x')";
    fixture.refused(sql).await;
    assert_eq!(fixture.test.number("SELECT COUNT(*) FROM hubspot_contacts").await, 1);
    assert_eq!(fixture.test.number("SELECT COUNT(*) FROM jobs").await, 0);
}

#[tokio::test]
async fn what_belongs_to_the_daemon_stays_its_own() {
    let fixture = Fixture::new().await;
    let own = "this column belongs to hubspot-connector; edit properties or archived";
    let status = "sync_status can only be set from error to pending, to try again";
    for (set, expected) in [
        ("id = 99", own),
        ("hubspot_id = 99", own),
        ("hubspot_id = NULL", own),
        ("hubspot_updated_at = NOW()", own),
        ("hubspot_created_at = NULL", own),
        ("content_hash = NULL", own),
        ("base_properties_json = '{}'", own),
        ("remote_properties_json = '{}'", own),
        ("last_synced_at = NULL", own),
        ("purged_at = NOW()", own),
        ("city = 'Bonn', last_synced_at = NOW()", own),
        ("sync_status = 'pending'", status),
        ("sync_status = 'error'", status),
        ("sync_status = 'conflict', city = 'Bonn'", status),
    ] {
        let said = fixture.refused(&format!("UPDATE hubspot_contacts SET {set} WHERE hubspot_id = 1")).await;
        assert_eq!(said, format!("hubspot_contacts: {expected}"), "{set}");
    }
    fixture.edit("city = 'Bonn'").await;
    let said = fixture.refused("UPDATE hubspot_contacts SET sync_status = 'synced'").await;
    assert_eq!(said, format!("hubspot_contacts: {status}"));
    assert_eq!(fixture.state().await, "pending|2|push 1");
}

#[tokio::test]
async fn a_record_deleted_in_hubspot_can_neither_be_edited_nor_restored() {
    let fixture = Fixture::new().await;
    let deleted = super::Record {
        archived: true,
        archived_at: Some(super::at(20)),
        ..super::contact(1, 10, &super::VALUES)
    };
    let deleted = super::Record { read_at: clock::now() + chrono::TimeDelta::hours(1), ..deleted };
    assert_eq!(fixture.store(&[deleted]).await.updated, 1);
    for (set, expected) in [
        ("archived = 0", "HubSpot has no way to restore a record from here; restore it there"),
        ("city = 'Bonn'", "the record is deleted in HubSpot"),
        ("properties_json = JSON_SET(properties_json, '$.city', 'Bonn')", "the record is deleted in HubSpot"),
    ] {
        let said = fixture.refused(&format!("UPDATE hubspot_contacts SET {set}")).await;
        assert_eq!(said, format!("hubspot_contacts: {expected}"), "{set}");
    }
    let before = fixture.state().await;
    fixture.edit("archived = 2, archived_at = NOW()").await;
    assert_eq!(fixture.state().await, before);
}

#[tokio::test]
async fn an_edit_of_what_has_become_read_only_can_be_taken_back() {
    let fixture = Fixture::new().await;
    fixture.edit("city = 'Bonn', phone = '1'").await;
    fixture
        .test
        .execute("UPDATE hubspot_properties SET read_only = (name = 'city'), archived = (name = 'phone') WHERE name IN ('city', 'phone')")
        .await;
    let refused = fixture.refused("UPDATE hubspot_contacts SET city = 'Kiel' WHERE hubspot_id = 1").await;
    assert!(refused.ends_with("`city` is read-only in HubSpot"), "{refused}");
    fixture.edit("city = 'Ulm', phone = NULL").await;
    assert_eq!(fixture.edited().await, serde_json::json!({}));
}
