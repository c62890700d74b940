//! The same seed gives the same account, another one another.

use hubspot_simulator::Config;
use serde_json::Value;

use crate::harness::{Sim, small};

/// Everything an account holds.
async fn everything(config: Config) -> Vec<Value> {
    let sim = Sim::start(config).await;
    let mut all = Vec::new();
    for plural in ["contacts", "companies", "deals", "tickets"] {
        all.extend(sim.truth(plural).await);
    }
    all.push(sim.get("/crm/v3/owners?limit=500").await.json());
    all
}

#[tokio::test]
async fn the_seed_alone_decides_the_content() {
    let first = everything(small()).await;
    assert_eq!(first, everything(small()).await);
    assert_ne!(first, everything(Config { seed: 43, ..small() }).await);
}

#[tokio::test]
async fn content_is_realistic_with_names_from_many_scripts_and_missing_values() {
    let sim = Sim::start(Config { contacts: 2_000, ..small() }).await;
    let truth = sim.truth("contacts").await;
    let share = |name: &str| truth.iter().filter(|line| line["properties"][name].is_string()).count();
    assert!((1_800..2_000).contains(&share("email")));
    assert!((1_000..1_800).contains(&share("city")));
    let is_latin = |line: &&Value| line["properties"]["lastname"].as_str().is_none_or(str::is_ascii);
    let latin = truth.iter().filter(is_latin).count();
    assert!((200..1_800).contains(&latin), "{latin}");
    let mut emails: Vec<&str> =
        truth.iter().filter_map(|line| line["properties"]["email"].as_str()).collect();
    let count = emails.len();
    emails.sort_unstable();
    emails.dedup();
    assert_eq!(emails.len(), count, "addresses are unique");
    assert!(emails.iter().all(|email| email.ends_with(".example") && *email == email.to_lowercase()));
}

#[tokio::test]
async fn padding_makes_records_of_about_the_asked_size() {
    let sim = Sim::start(Config { record_bytes: Some(4_096), ..small() }).await;
    for plural in ["contacts", "companies", "deals", "tickets"] {
        let text = sim.get(&format!("/_sim/truth/{plural}")).await.text();
        let mean = text.len() / text.lines().count();
        assert!((3_600..4_700).contains(&mean), "{plural}: {mean}");
    }
    let huge = Sim::start(Config { record_bytes: Some(40_000), contacts: 50, ..small() }).await;
    let text = huge.get("/_sim/truth/contacts").await.text();
    let mean = text.len() / 50;
    assert!((35_000..45_000).contains(&mean), "{mean}");
}

#[tokio::test]
async fn every_generated_value_is_one_its_property_takes() {
    let sim = Sim::start(Config { record_bytes: Some(9_000), contacts: 60, deals: 40, ..small() }).await;
    for plural in ["contacts", "companies", "deals", "tickets"] {
        let catalogue = sim.get(&format!("/crm/v3/properties/{plural}")).await.json();
        for line in sim.truth(plural).await {
            for (name, value) in line["properties"].as_object().unwrap() {
                let property =
                    catalogue["results"].as_array().unwrap().iter().find(|one| one["name"] == *name).unwrap();
                assert!(is_valid(property, value.as_str().unwrap()), "{plural}.{name} = {value}");
            }
        }
    }
}

/// Whether a value fits a definition.
fn is_valid(property: &Value, text: &str) -> bool {
    let options = property["options"].as_array().expect("a definition lists its options");
    match property["type"].as_str().expect("a definition has a type") {
        "number" => text.parse::<f64>().is_ok(),
        "bool" => matches!(text, "true" | "false"),
        "date" => chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok(),
        "datetime" => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
        // Stages of pipelines other than the default one are not among the options of the definition.
        "enumeration"
            if options.is_empty() || property["name"] == "dealstage" || property["name"] == "pipeline" =>
        {
            true
        }
        "enumeration" => text.split(';').all(|part| options.iter().any(|option| option["value"] == part)),
        _ => !text.is_empty() && text == text.trim(),
    }
}
