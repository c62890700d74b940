//! Columns and document say the same, whichever was edited.

use serde_json::json;

use super::Fixture;

/// What a column is set to, and what HubSpot is to get.
const TO_DOCUMENT: [(&str, &str, &str); 27] = [
    ("city", "'Köln 😀 \"q\" \\\\ O''Neill\\n'", "Köln 😀 \"q\" \\ O'Neill\n"),
    ("city", "'ULM'", "ULM"),
    ("city", "'Ulm '", "Ulm "),
    ("city", "'null'", "null"),
    ("city", "''", ""),
    ("remark", "REPEAT('ü', 30000)", ""),
    ("hubspot_owner_id", "0", "0"),
    ("hubspot_owner_id", "9223372036854775807", "9223372036854775807"),
    ("`Score-2`", "0", "0"),
    ("`Score-2`", "-0.5", "-0.5"),
    ("`Score-2`", "100", "100"),
    ("`Score-2`", "1000000.10", "1000000.1"),
    ("`Score-2`", "2.5e3", "2500"),
    ("`Score-2`", "1e-12", "0.000000000001"),
    ("`Score-2`", "-12345678901234567890123456.123456789012", "-12345678901234567890123456.123456789012"),
    ("vip", "FALSE", "false"),
    ("vip", "NULL", "-"),
    ("vip", "0", "false"),
    ("born", "'2024-02-29'", "2024-02-29"),
    ("born", "'0001-01-01'", "0001-01-01"),
    ("born", "NULL", "-"),
    ("seen", "'2026-12-31 23:59:59'", "2026-12-31T23:59:59Z"),
    ("seen", "'2026-12-31 23:59:59.007'", "2026-12-31T23:59:59.007Z"),
    ("seen", "'2026-12-31'", "2026-12-31T00:00:00Z"),
    ("tier", "'Silver'", "Silver"),
    ("tier", "'1/2 \"é\"'", "1/2 \"é\""),
    ("email", "NULL", "-"),
];

#[tokio::test]
async fn an_edited_column_is_in_the_document_as_hubspot_takes_it() {
    let fixture = Fixture::new().await;
    for (column, value, expected) in TO_DOCUMENT {
        let document = fixture.document("properties_json").await;
        fixture.edit(&format!("{column} = {value}")).await;
        let name = column.trim_matches('`');
        let mut after = fixture.document("properties_json").await;
        let text = after[name].as_str().unwrap_or("-").to_owned();
        let expected = if name == "remark" { "ü".repeat(30_000) } else { expected.to_owned() };
        assert_eq!(text, expected, "{column} = {value}");
        let old = document.get(name);
        match old {
            Some(old) => after[name] = old.clone(),
            None => drop(after.as_object_mut().unwrap().remove(name)),
        }
        assert_eq!(after, document, "{column} = {value} changes nothing else");
    }
}

/// What a property of the document is set to, and what its column is to be.
const TO_COLUMN: [(&str, &str, &str); 37] = [
    ("city", r#""Köln \"q\" \\ \n""#, "Köln \"q\" \\ \n"),
    ("city", r#""\ud83d\ude00 \u00e9""#, "😀 é"),
    ("city", r#""null""#, "null"),
    ("city", "null", "-"),
    ("city", r#""""#, "-"),
    ("city", "5", "5"),
    ("city", "true", "true"),
    ("hubspot_owner_id", r#""42""#, "42"),
    ("hubspot_owner_id", "42", "42"),
    ("Score-2", r#""0""#, "0.000000000000"),
    ("Score-2", "0", "0.000000000000"),
    ("Score-2", r#""-12.500""#, "-12.500000000000"),
    ("Score-2", "-12.5", "-12.500000000000"),
    ("Score-2", r#""1.5E7""#, "15000000.000000000000"),
    ("Score-2", r#""1.5e-2""#, "0.015000000000"),
    ("Score-2", "1.5e2", "150.000000000000"),
    ("Score-2", r#""1E300""#, "-"),
    ("Score-2", r#"".5""#, "0.500000000000"),
    ("Score-2", r#""0.12345678901249""#, "0.123456789012"),
    ("Score-2", r#""123456789012345678901234567""#, "-"),
    ("vip", r#""false""#, "0"),
    ("vip", "true", "1"),
    ("vip", "false", "0"),
    ("vip", "null", "-"),
    ("born", r#""2024-02-29""#, "2024-02-29"),
    ("born", r#""2000-02-29""#, "2000-02-29"),
    ("born", r#""0001-12-31""#, "0001-12-31"),
    ("born", r#""1709164800000""#, "-"),
    ("born", r#""17091648""#, "-"),
    ("seen", r#""2026-12-31T23:59:59Z""#, "2026-12-31 23:59:59.000"),
    ("seen", r#""2026-12-31T23:59:59.007Z""#, "2026-12-31 23:59:59.007"),
    ("seen", r#""2026-12-31T23:59:59.9999999Z""#, "2026-12-31 23:59:59.999"),
    ("seen", r#""2026-12-31T23:59Z""#, "2026-12-31 23:59:00.000"),
    ("seen", r#""2026-12-31T23:59:59+01:00""#, "-"),
    ("seen", r#""2026-12-31""#, "-"),
    ("tier", r#""1/2 \"\u00e9\"""#, "1/2 \"é\""),
    ("email", "null", "-"),
];

#[tokio::test]
async fn an_edited_document_is_in_the_columns() {
    let fixture = Fixture::new().await;
    for (name, value, expected) in TO_COLUMN {
        let mut document = fixture.document("properties_json").await;
        document[name] = json!("@");
        let document = document.to_string().replace("\"@\"", value);
        sqlx::query("UPDATE hubspot_contacts SET properties_json = ? WHERE hubspot_id = 1")
            .bind(document)
            .execute(&fixture.test.sql)
            .await
            .unwrap_or_else(|error| panic!("{name} = {value}: {error}"));
        assert_eq!(fixture.of(&format!("`{name}`")).await, expected, "{name} = {value}");
    }
}

#[tokio::test]
async fn a_text_too_long_for_its_column_stays_in_the_document() {
    let fixture = Fixture::new().await;
    fixture.edit("properties_json = JSON_SET(properties_json, '$.city', REPEAT('ü', 256))").await;
    assert_eq!(fixture.of("city").await, "-");
    assert_eq!(fixture.edited().await, json!({"city": "ü".repeat(256)}));
    fixture.edit("properties_json = JSON_SET(properties_json, '$.city', REPEAT('ü', 255))").await;
    assert_eq!(fixture.of("city").await, "ü".repeat(255));
}

#[tokio::test]
async fn what_an_edit_of_the_document_leaves_alone_stays_in_its_column() {
    let fixture = Fixture::new().await;
    fixture.edit("properties_json = JSON_SET(properties_json, '$.nickname', 'Countess')").await;
    let columns = "CONCAT_WS('|', email, `Score-2`, amount_due, born, seen, vip, hubspot_owner_id)";
    let expected =
        "ada@example.test|1.500000000000|15000000.000000000000|1990-02-28|2026-01-31 08:00:00.000|1|77";
    assert_eq!(fixture.of(columns).await, expected);
    assert_eq!(fixture.edited().await, json!({"nickname": "Countess"}));
}

#[tokio::test]
async fn of_column_and_document_edited_at_once_the_column_counts() {
    let fixture = Fixture::new().await;
    fixture
        .edit(
            "city = 'Bonn', hubspot_owner_id = 9223372036854775807, properties_json = \
             JSON_SET(properties_json, '$.city', 'Kiel', '$.hubspot_owner_id', '3', '$.phone', '12', '$.vip', 'false')",
        )
        .await;
    let expected =
        json!({"city": "Bonn", "hubspot_owner_id": "9223372036854775807", "phone": "12", "vip": "false"});
    assert_eq!(fixture.edited().await, expected);
    let columns = "CONCAT_WS('|', city, hubspot_owner_id, phone, vip)";
    assert_eq!(fixture.of(columns).await, "Bonn|9223372036854775807|12|0");
}

#[tokio::test]
async fn a_whole_document_replaces_what_was_there() {
    let fixture = Fixture::new().await;
    // What HubSpot calculates has to stay.
    fixture.edit(r#"properties_json = '{"hs_score": 9, "email": "ada@example.test", "level": 5}'"#).await;
    let cleared =
        ["Score-2", "amount_due", "born", "city", "hubspot_owner_id", "remark", "seen", "tier", "vip"];
    let cleared: serde_json::Map<_, _> =
        cleared.iter().map(|name| ((*name).to_owned(), json!(null))).collect();
    assert_eq!(fixture.edited().await, json!(cleared));
    let columns = "CONCAT_WS('|', email, COALESCE(city, '-'), COALESCE(vip, '-'), hs_score)";
    assert_eq!(fixture.of(columns).await, "ada@example.test|-|-|9.000000000000");
}

#[tokio::test]
async fn a_truth_value_is_one_of_two_however_it_is_written() {
    let fixture = Fixture::new().await;
    fixture.edit("vip = 7").await;
    assert_eq!(fixture.state().await, "synced|1|-");
    assert_eq!(fixture.of("vip").await, "1");
}
