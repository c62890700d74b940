//! The dashboard and the alert rules know the daemon's figures, and no others.

use std::collections::BTreeSet;
use std::process::Command;

use hubspot_mariadb_connector::metrics::{Kind, METRICS, Metric};
use serde_json::Value;

use super::{root, succeed, text};

/// Labels Prometheus adds.
const ADDED: [&str; 3] = ["job", "instance", "le"];

/// The expressions of the dashboard, its panels' and its variables'.
fn dashboard() -> Vec<String> {
    let document: Value = serde_json::from_str(&text("deploy/grafana-dashboard.json")).unwrap();
    let panels = document["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    let expressions = targets.map(|target| &target["expr"]);
    let variables = document["templating"]["list"].as_array().unwrap().iter();
    let queries = variables.filter_map(|variable| variable["query"].get("query"));
    expressions.chain(queries).map(|expression| expression.as_str().unwrap().to_owned()).collect()
}

/// The alert rules. Debian's Python reads YAML, so no crate has to.
fn rules() -> Vec<Value> {
    let program = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
    let file = root().join("deploy/prometheus-rules.yaml");
    let document = succeed(Command::new("/usr/bin/python3").args(["-c", program]).arg(file));
    let document: Value = serde_json::from_str(&document).unwrap();
    document["groups"][0]["rules"].as_array().unwrap().clone()
}

/// The expressions of the rules.
fn rule_expressions() -> Vec<String> {
    rules().iter().map(|rule| rule["expr"].as_str().unwrap().to_owned()).collect()
}

/// The words of an expression: names of figures and of labels among them.
fn words(expression: &str) -> impl Iterator<Item = &str> {
    expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

/// The figure a word names; of a histogram also one of the series it consists of.
fn figure(word: &str) -> Option<&'static Metric> {
    let part = ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end));
    METRICS.iter().find(|metric| match metric.kind {
        Kind::Histogram => part == Some(metric.name),
        Kind::Counter | Kind::Gauge => word == metric.name,
    })
}

/// What stands in front of an operator of comparison in the braces of an expression, or in the brackets after `by`.
fn labels(expression: &str) -> BTreeSet<&str> {
    let braces = expression.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    let conditions = braces.flat_map(|(inside, _)| inside.split(", "));
    let compared = conditions.filter_map(|condition| words(condition).next());
    let lists = ["by (", "on (", "group_left ("].into_iter().flat_map(|word| expression.split(word).skip(1));
    let grouped = lists.filter_map(|rest| rest.split_once(')')).flat_map(|(inside, _)| words(inside));
    compared.chain(grouped).collect()
}

#[test]
fn dashboard_and_rules_name_only_figures_and_labels_there_are() {
    let (dashboard, rules) = (dashboard(), rule_expressions());
    let mut named = BTreeSet::new();
    for expression in dashboard.iter().chain(&rules) {
        let ours = |word: &&str| word.starts_with("hubspot_connector_") || word.starts_with("process_");
        let figures: Vec<_> = words(expression)
            .filter(ours)
            .map(|word| figure(word).unwrap_or_else(|| panic!("{word} is no figure: {expression}")))
            .collect();
        assert!(!figures.is_empty(), "{expression}");
        for label in labels(expression) {
            let is_known =
                ADDED.contains(&label) || figures.iter().any(|figure| figure.labels.contains(&label));
            assert!(is_known, "{label} is no label of these: {expression}");
        }
        named.extend(figures.iter().map(|figure| figure.name));
    }
    assert!(named.len() > 20, "only {named:?} were found, so the search is broken");
}

#[test]
fn the_table_of_figures_is_the_one_in_the_code() {
    let document = text("DEPLOYMENT.md");
    let head = "| Figure | Sort | Labels | Meaning |\n| --- | --- | --- | --- |\n";
    let (_, table) = document.split_once(head).unwrap();
    let rows: Vec<_> = table.lines().take_while(|line| line.starts_with('|')).collect();
    let expected: Vec<_> = METRICS
        .iter()
        .map(|Metric { name, kind, labels, meaning }| {
            let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
            let labels = if labels.is_empty() { "none".to_owned() } else { labels.join(", ") };
            format!("| `{name}` | {} | {labels} | {meaning} |", format!("{kind:?}").to_lowercase())
        })
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn a_counter_is_shown_as_a_rate() {
    for expression in dashboard().iter().chain(&rule_expressions()) {
        let is_counter = |word: &str| figure(word).is_some_and(|figure| figure.kind == Kind::Counter);
        if words(expression).any(is_counter) {
            assert!(expression.contains("rate("), "{expression}");
        }
    }
}

#[test]
fn every_rule_says_how_bad_it_is_and_what_to_do() {
    let rules = rules();
    assert!(rules.len() > 4, "{rules:?}");
    for rule in rules {
        for (part, name) in
            [("labels", "severity"), ("annotations", "summary"), ("annotations", "description")]
        {
            assert!(rule[part][name].is_string(), "{part}.{name} of {rule}");
        }
        assert!(rule["for"].is_string(), "{rule}");
    }
}
