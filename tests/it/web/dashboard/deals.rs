//! The board of deals and their list.

use serde_json::Value;

use super::super::Served;
use super::super::client::Api;
use super::Visitor;
use super::form::Form;
use crate::support::daemon::Setup;
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;

/// A server with deals that may be written, and somebody in front of it.
async fn with_deals(deals: u32) -> (Served, Visitor) {
    let (simulator, test) = (Simulator::start(3, 2, deals), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url).set("WRITABLE_OBJECTS", "contacts,companies,deals");
    setup.sync(&[]).await;
    let setup = setup.serving();
    let daemon = setup.start(&["run"]);
    let api = Api::at(&daemon.address().await).await;
    api.is_ready().await;
    let visitor = Visitor::at(api.address());
    (Served { simulator, test, setup, daemon, api }, visitor)
}

/// The pipelines, as the API tells them.
async fn pipelines(served: &Served) -> Vec<Value> {
    served.api.get("/api/pipelines?type=deals").await.ok()["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_board_counts_every_deal_and_what_they_amount_to() {
    let (served, visitor) = with_deals(120).await;
    let mut counted = 0;
    for pipeline in pipelines(&served).await {
        let id = pipeline["id"].as_str().unwrap();
        let board = visitor.get(&format!("/deals?pipeline={id}")).await.ok();
        for stage in pipeline["stages"].as_array().unwrap() {
            let (stage, label) = (stage["id"].as_str().unwrap(), stage["label"].as_str().unwrap());
            let where_ = format!("WHERE NOT archived AND pipeline = '{id}' AND dealstage = '{stage}'");
            let count = served.test.number(&format!("SELECT COUNT(*) FROM hubspot_deals {where_}")).await;
            counted += count;
            let column =
                board.split(r#"<section class="stage""#).find(|column| column.contains(label)).unwrap();
            assert!(column.contains(&format!("<strong>{count}</strong>")), "{label}: {count} in {column}");
            assert_eq!(column.matches(r#"<a class="deal""#).count() as i64, count.min(6), "{label}");
            assert_eq!(column.contains("class=\"all\""), count > 6, "{label}");
            let sum = format!("SELECT COALESCE(FORMAT(SUM(amount), 2), '') FROM hubspot_deals {where_}");
            let sum = served.test.value(&sum).await;
            assert!(column.contains(sum.trim_end_matches(".00")), "{label}: {sum} in {column}");
            let list = visitor.get(&format!("/deals/list?stage={stage}")).await.ok();
            let shown = if count == 0 { "Nothing fits".to_owned() } else { format!(" of {count}<") };
            assert!(list.contains(&shown), "{label}: {count}");
        }
    }
    assert_eq!(counted, 120, "each deal is on a board");
    let first = visitor.get("/deals").await.ok();
    assert!(first.contains(r#"<a href="/deals/list">List</a>"#) && first.contains("/deals/new"), "{first}");
    for path in ["/deals?pipeline=nothing", "/deals?pipeline=%3Cscript%3E"] {
        assert_eq!(visitor.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_deal_moves_to_another_stage_by_its_form() {
    let (served, visitor) = with_deals(10).await;
    let deal = served.api.get("/api/deals?limit=1").await.ok()["data"][0].clone();
    let path = format!("/deals/{}", deal["id"]);
    let form = Form::of(&visitor.get(&format!("{path}/edit")).await.ok());
    assert_eq!(form.value("value.dealstage"), deal["stage"]);
    let same = visitor.post(&format!("{path}/edit"), &form.fields()).await;
    assert_eq!(same.sent_to(), format!("{path}?done=same"), "a time is no edit for having been shown");
    let pipelines = pipelines(&served).await;
    let pipeline = pipelines.iter().find(|pipeline| pipeline["id"] == deal["pipeline"]).unwrap();
    let mut stages = pipeline["stages"].as_array().unwrap().iter();
    let stage = stages.find(|stage| stage["id"] != deal["stage"]).unwrap();
    let (id, label) = (stage["id"].as_str().unwrap(), stage["label"].as_str().unwrap());
    let moved = form.with("value.dealstage", id).with("value.dealname", "Ship <b>it</b>");
    let moved = moved.with("value.closedate", "2027-01-31T08:00");
    let saved = visitor.post(&format!("{path}/edit"), &moved.fields()).await;
    assert_eq!(saved.sent_to(), format!("{path}?done=saved"));
    let page = visitor.get(&path).await.ok();
    assert!(page.contains("<h1>Ship &#60;b&#62;it&#60;/b&#62;</h1>") && page.contains(label), "{page}");
    let after = served.api.get(&format!("/api{path}")).await.ok();
    assert_eq!((&after["stage"], &after["closeDate"]), (&id.into(), &"2027-01-31T08:00:00Z".into()));
    let list = visitor.get(&format!("/deals/list?stage={id}&search=Ship")).await.ok();
    assert!(list.contains("1–1 of 1") && list.contains("2027-01-31"), "{list}");
}
