//! What the log holds and what it never holds.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::daemon::{Setup, text};
use crate::support::database::TestDatabase;
use crate::support::simulator::{Simulator, TOKEN};

/// Properties that say who somebody is.
const PERSONAL: &[&str] =
    &["email", "firstname", "lastname", "phone", "mobilephone", "address", "name", "domain", "dealname"];
/// Shorter values are parts of ordinary words.
const TELLING: usize = 5;

/// Every personal value of the account.
async fn personal_values(simulator: &Simulator) -> BTreeSet<String> {
    let mut values = BTreeSet::new();
    for object_type in ["contacts", "companies", "deals"] {
        for line in simulator.truth(object_type, false).await.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            let named = PERSONAL.iter().filter_map(|name| record["properties"][name].as_str());
            values.extend(named.filter(|value| value.len() >= TELLING).map(str::to_owned));
        }
    }
    values
}

/// Whether `text` holds `value` as a word of its own.
fn holds_word(text: &str, value: &str) -> bool {
    let outside = |side: Option<char>| side.is_none_or(|letter| !letter.is_alphanumeric());
    text.match_indices(value).any(|(at, _)| {
        outside(text[..at].chars().next_back()) && outside(text[at + value.len()..].chars().next())
    })
}

#[tokio::test]
async fn no_personal_value_and_no_token_is_logged_at_debug_level() {
    let (simulator, test) = (Simulator::start(300, 60, 80), TestDatabase::empty().await);
    let before = personal_values(&simulator).await;
    let setup = Setup::new(&simulator, &test.url).set("LOG_LEVEL", "debug");
    let victim = simulator.mutate(json!({"type": "contacts", "count": 1, "seed": 2})).await.remove(0);
    let poison =
        format!("{{\"id\":\"{victim}\",\"properties\":{{\"lastname\":\"Unmistakable\"}},\"updatedAt\":7}}");
    simulator.post(&format!("/raw/contacts/{victim}"), json!({"json": poison})).await;
    let too_long = simulator.create("contacts", 1).await.remove(0);
    simulator.edit("contacts", &too_long, json!({"lastname": "Unfitting".repeat(60)})).await;
    // HubSpot's own words are kept with addresses masked: they may quote one.
    let address = before.iter().find(|value| value.contains('@')).unwrap();
    let echo =
        json!({"status": "error", "category": "VALIDATION_ERROR", "message": format!("{address} is taken")});
    for (status, path) in [(400, "/companies?"), (503, "/deals?")] {
        let fault = json!({"match": {"pathContains": path}, "action": {"kind": "status", "status": status, "body": echo.to_string()}});
        simulator.fault(fault).await;
    }

    let mut log = String::new();
    for _ in 0..2 {
        log += &text(&setup.run(&["sync"]).await.stderr);
        simulator.mutate(json!({"type": "contacts", "count": 30, "seed": 3})).await;
    }
    log += &text(&setup.run(&["sync", "--full"]).await.stderr);

    assert!(log.contains("DEBUG") && log.contains("is taken"), "{log}");
    assert_eq!(test.value("SELECT COUNT(*) FROM quarantine").await, "2", "both kinds of bad data were met");
    let mut values = personal_values(&simulator).await;
    values.extend(before);
    assert!(values.len() > 500, "{}", values.len());
    let leaked: Vec<_> = values.iter().filter(|value| holds_word(&log, value)).collect();
    assert!(leaked.is_empty(), "{leaked:?} in:\n{log}");
    for secret in ["Unmistakable", "Unfitting", TOKEN, password(&test.url)] {
        assert!(!log.contains(secret), "{secret} in:\n{log}");
    }
}

/// The password of a database URL.
fn password(url: &str) -> &str {
    url.split('@').next().unwrap().rsplit(':').next().unwrap()
}

#[tokio::test]
async fn json_lines_parse_and_say_when_how_loud_and_what() {
    let (simulator, test) = (Simulator::start(120, 30, 40), TestDatabase::empty().await);
    simulator.set(json!({"deniedTypes": ["deals"]})).await;
    let setup = Setup::new(&simulator, &test.url).set("LOG_FORMAT", "json");

    let log = text(&setup.run(&["sync"]).await.stderr);

    let mut levels = BTreeSet::new();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let time = line["timestamp"].as_str().unwrap();
        chrono::DateTime::parse_from_rfc3339(time).unwrap();
        assert!(line["message"].as_str().is_some_and(|message| !message.is_empty()), "{line}");
        levels.insert(line["level"].as_str().unwrap().to_owned());
    }
    assert!(levels.contains("INFO") && levels.contains("ERROR"), "{levels:?}");
    let synced = log.lines().find(|line| line.contains("Synced contacts")).unwrap();
    let synced: Value = serde_json::from_str(synced).unwrap();
    assert_eq!((&synced["subject"], &synced["lane"]), (&json!("contacts"), &json!("backfill")));
}

#[tokio::test]
async fn no_statement_is_logged_however_loud_the_driver_may_be() {
    let (simulator, test) = (Simulator::start(20, 5, 5), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url).set("LOG_LEVEL", "info,sqlx=trace");
    let log = text(&setup.run(&["sync"]).await.stderr);
    assert!(log.contains("Synced contacts"), "{log}");
    for word in ["SELECT ", "INSERT INTO", "db.statement"] {
        assert!(!log.contains(word), "{word} in:\n{log}");
    }
}
