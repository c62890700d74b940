//! Links between records.

use serde_json::json;

use crate::support::daemon::{Daemon, Setup};
use crate::support::database::TestDatabase;
use crate::support::lanes::{lane_is_done, run_lane};
use crate::support::links::{assert_linked, count, differences, links_in_step};
use crate::support::simulator::Simulator;
use crate::support::truth::in_step;
use crate::support::{eventually, holds};

/// The lane that reads all links.
pub(super) const LANE: &str = "associations";

/// A setup that mirrors links, with a regular run each second.
pub(super) fn setup(simulator: &Simulator, test: &TestDatabase) -> Setup {
    Setup::new(simulator, &test.url).at("* * * * * *").set("ASSOCIATION_MAX_AGE_HOURS", "24")
}

/// A daemon that has mirrored everything and read all links once.
pub(super) async fn in_step_with_links(simulator: &Simulator, test: &TestDatabase) -> Daemon {
    let daemon = setup(simulator, test).start(&["run"]);
    lane_is_done(test, LANE).await;
    assert_linked(simulator, test).await;
    daemon
}

/// A link of the mirror, as a condition.
fn between(contact: &str, company: &str) -> String {
    format!("from_type = 'contacts' AND from_id = {contact} AND to_type = 'companies' AND to_id = {company}")
}

/// How many rows meet a condition.
pub(super) async fn rows(test: &TestDatabase, condition: &str) -> i64 {
    test.number(&format!("SELECT COUNT(*) FROM hubspot_associations WHERE {condition}")).await
}

/// Requests about associations since the last reset.
async fn requests(simulator: &Simulator) -> u64 {
    simulator.stats().await["byFamily"]["associations"].as_u64().unwrap_or(0)
}

#[tokio::test]
async fn every_link_is_mirrored_once_with_its_kinds() {
    let (simulator, test) = (Simulator::start(2_300, 300, 400), TestDatabase::migrated().await);
    let daemon = in_step_with_links(&simulator, &test).await;
    let stored = rows(&test, "TRUE").await;
    assert!(stored > 3_000, "{stored}");
    assert_eq!(stored, count(&simulator).await as i64);
    let primaries = "SELECT COUNT(*) FROM hubspot_associations AS link \
                     JOIN hubspot_contacts AS contact ON contact.hubspot_id = link.from_id \
                     WHERE link.from_type = 'contacts' AND link.to_type = 'companies' AND link.is_primary \
                     AND contact.associatedcompanyid = link.to_id";
    let named = "SELECT COUNT(*) FROM hubspot_contacts WHERE associatedcompanyid IS NOT NULL";
    assert_eq!(test.number(primaries).await, test.number(named).await);
    // Three pages of contacts for each of three pairs, a page of companies for two, one of deals for one; each pair was
    // asked about once before.
    assert_eq!(requests(&simulator).await, 3 * 3 + 2 + 1 + 6);

    simulator.reset_stats().await;
    run_lane(&test, LANE).await;
    assert_eq!(requests(&simulator).await, 3 * 3 + 2 + 1, "pairs are not asked about again");
    let written = "SELECT CAST(SUM(inserted + updated + deleted) AS SIGNED) FROM sync_runs \
                   WHERE lane = 'associations' AND run_id > (SELECT MAX(run_id) - 3 FROM sync_runs WHERE lane = 'associations')";
    assert_eq!(test.number(written).await, 0);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn links_of_records_that_change_follow_at_once_from_either_side() {
    let (simulator, test) = (Simulator::start(60, 20, 30), TestDatabase::migrated().await);
    let [contact, other] = &simulator.create("contacts", 2).await[..] else { panic!() };
    let [company, second] = &simulator.create("companies", 2).await[..] else { panic!() };
    let deal = &simulator.create("deals", 1).await[0];
    simulator.link(("contacts", contact), ("companies", company), &[]).await;
    simulator.link(("contacts", other), ("deals", deal), &[]).await;
    let label = simulator.define_label("contacts", "companies", "Billing").await;
    let daemon = in_step_with_links(&simulator, &test).await;

    // A label is added, and taken away again.
    simulator.link(("contacts", contact), ("companies", company), &[("USER_DEFINED", label)]).await;
    simulator.edit("contacts", contact, json!({"city": "Bonn"})).await;
    links_in_step(&simulator, &test).await;
    assert_eq!(rows(&test, &format!("{} AND label = 'Billing'", between(contact, company))).await, 1);
    simulator.link(("contacts", contact), ("companies", company), &[("HUBSPOT_DEFINED", 279)]).await;
    simulator.edit("contacts", contact, json!({"city": "Wien"})).await;
    links_in_step(&simulator, &test).await;

    // The primary company is another one; only the companies are touched.
    simulator.link(("contacts", contact), ("companies", second), &[("HUBSPOT_DEFINED", 1)]).await;
    simulator.edit("companies", second, json!({"city": "Bern"})).await;
    links_in_step(&simulator, &test).await;
    assert_eq!(rows(&test, &format!("{} AND is_primary", between(contact, second))).await, 1);

    // The whole link goes; only the record at its far end is touched.
    simulator.unlink(("contacts", other), ("deals", deal)).await;
    simulator.edit("deals", deal, json!({"dealname": "Renewal"})).await;
    links_in_step(&simulator, &test).await;

    // Records of one type.
    simulator.link(("contacts", contact), ("contacts", other), &[]).await;
    simulator.edit("contacts", other, json!({"city": "Graz"})).await;
    links_in_step(&simulator, &test).await;
    assert!(differences(&simulator, &test).await.is_empty());
    let sweeps = test.number("SELECT COUNT(*) FROM sync_runs WHERE lane = 'associations'").await;
    assert_eq!(sweeps, 3, "only the first ones");
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_silent_change_is_found_by_reading_everything_again() {
    let (simulator, test) = (Simulator::start(60, 20, 30), TestDatabase::migrated().await);
    let daemon = in_step_with_links(&simulator, &test).await;
    // None of them has changed lately, or a search would find it.
    let primary = "SELECT CONCAT_WS(' ', from_id, to_id) FROM hubspot_associations \
                   WHERE from_type = 'contacts' AND is_primary ORDER BY from_id LIMIT 1";
    let primary = test.value(primary).await;
    let (contact, company) = primary.split_once(' ').unwrap();
    let second = format!(
        "SELECT MAX(hubspot_id) FROM hubspot_companies WHERE hubspot_id NOT IN \
         (SELECT to_id FROM hubspot_associations WHERE from_type = 'contacts' AND from_id = {contact} AND to_type = 'companies')"
    );
    let second = &test.value(&second).await;
    simulator.unlink(("contacts", contact), ("companies", company)).await;
    simulator.link(("contacts", contact), ("companies", second), &[]).await;
    // A change that the daemon finds shows that it has had the time to find the other.
    let later = &simulator.create("contacts", 1).await[0];
    let is_here = format!("SELECT COUNT(*) FROM hubspot_contacts WHERE hubspot_id = {later}");
    eventually("the later contact is mirrored", async || {
        let count = test.number(&is_here).await;
        holds(count == 1, count)
    })
    .await;
    assert_eq!(rows(&test, &between(contact, second)).await, 0);

    run_lane(&test, LANE).await;
    assert_linked(&simulator, &test).await;
    let gone = format!("{} AND removed_at >= first_seen_at", between(contact, company));
    assert_eq!(rows(&test, &gone).await, 2, "the plain link and the primary one");

    // It comes back, and is as old as it was.
    test.execute(&format!("UPDATE hubspot_associations SET first_seen_at = '2026-01-01' WHERE {gone}")).await;
    simulator.link(("contacts", contact), ("companies", company), &[("HUBSPOT_DEFINED", 1)]).await;
    run_lane(&test, LANE).await;
    assert_linked(&simulator, &test).await;
    let back =
        format!("{} AND first_seen_at = '2026-01-01' AND removed_at IS NULL", between(contact, company));
    assert_eq!(rows(&test, &back).await, 2);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_record_with_thousands_of_links_is_read_page_by_page() {
    let (simulator, test) = (Simulator::start(5, 5, 2_500), TestDatabase::migrated().await);
    let contact = &simulator.create("contacts", 1).await[0];
    let deals = simulator.truth("deals", false).await;
    let ids: Vec<String> = deals
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_str().unwrap().to_owned()
        })
        .collect();
    for deal in &ids {
        simulator.link(("contacts", contact), ("deals", deal), &[]).await;
    }
    let daemon = in_step_with_links(&simulator, &test).await;
    let linked = format!("from_type = 'contacts' AND from_id = {contact} AND to_type = 'deals'");
    assert_eq!(rows(&test, &linked).await, 2_500);

    // From its own side, and from the far one.
    simulator.unlink(("contacts", contact), ("deals", &ids[1_700])).await;
    simulator.edit("contacts", contact, json!({"city": "Bonn"})).await;
    links_in_step(&simulator, &test).await;
    simulator.unlink(("contacts", contact), ("deals", &ids[700])).await;
    simulator.edit("deals", &ids[700], json!({"dealname": "Renewal"})).await;
    links_in_step(&simulator, &test).await;
    assert_eq!(rows(&test, &format!("{linked} AND removed_at IS NULL")).await, 2_498);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_daemon_killed_while_it_reads_everything_goes_on_where_it_was() {
    let (simulator, test) = (Simulator::start(6_500, 200, 200), TestDatabase::migrated().await);
    let setup = setup(&simulator, &test).set("SYNC_OBJECTS", "contacts,companies");
    setup.clone().set("ASSOCIATION_MAX_AGE_HOURS", "0").sync(&[]).await;
    simulator.set(json!({"latencyMs": 150})).await;
    let daemon = setup.start(&["run"]);
    // In the middle of the second of two pairs: seven pages each.
    let progress = "SELECT COALESCE(MAX(pass_cursor), '') FROM sync_lanes WHERE object_type = 'contacts' AND lane = 'associations'";
    let cursor = eventually("the second pair is under way", async || {
        let cursor = test.value(progress).await;
        if cursor.starts_with("companies ") { Ok(cursor) } else { Err(cursor) }
    })
    .await;
    daemon.kill();
    assert_eq!(test.value(progress).await.split(' ').next(), cursor.split(' ').next());

    simulator.reset_stats().await;
    simulator.set(json!({"latencyMs": 0})).await;
    let daemon = setup.start(&["run"]);
    let done = "SELECT COUNT(*) FROM sync_lanes WHERE lane = 'associations' AND completed_at IS NOT NULL AND pass_cursor IS NULL";
    eventually("both types have been read", async || {
        let done = test.number(done).await;
        holds(done == 2, done)
    })
    .await;
    let contacts = "SELECT CAST(SUM(requests) AS SIGNED) FROM sync_runs WHERE object_type = 'contacts' AND lane = 'associations' \
                    AND outcome = 'succeeded'";
    assert!(test.number(contacts).await <= 7, "at most the pages of the second pair");
    let differences = differences(&simulator, &test).await;
    let differences: Vec<_> = differences.iter().filter(|text| !text.contains("deals")).collect();
    assert!(differences.is_empty(), "{differences:#?}");
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_deleted_record_has_no_links_and_a_restored_one_has_them_back() {
    let (simulator, test) = (Simulator::start(60, 20, 30), TestDatabase::migrated().await);
    let [contact, other] = &simulator.create("contacts", 2).await[..] else { panic!() };
    let company = &simulator.create("companies", 1).await[0];
    for id in [contact, other] {
        simulator.link(("contacts", id), ("companies", company), &[]).await;
    }
    let setup = setup(&simulator, &test).set("ARCHIVE_INTERVAL_MINUTES", "60");
    let daemon = setup.start(&["run"]);
    lane_is_done(&test, LANE).await;
    lane_is_done(&test, "archive").await;

    simulator.delete("contacts", contact).await;
    run_lane(&test, "archive").await;
    let live = |contact: &str| format!("{} AND removed_at IS NULL", between(contact, company));
    assert_eq!((rows(&test, &live(contact)).await, rows(&test, &live(other)).await), (0, 1));
    assert_linked(&simulator, &test).await;

    simulator.post(&format!("/objects/contacts/{contact}/restore"), json!({})).await;
    simulator.link(("contacts", contact), ("companies", company), &[]).await;
    run_lane(&test, "archive").await;
    links_in_step(&simulator, &test).await;
    assert_eq!(rows(&test, &live(contact)).await, 1);

    simulator.delete("companies", company).await;
    run_lane(&test, "archive").await;
    assert_eq!(rows(&test, &live(contact)).await + rows(&test, &live(other)).await, 0);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn the_limit_of_associations_is_kept_and_costs_records_nothing() {
    let sizes = ["--contacts", "3000", "--companies", "300", "--deals", "300"].map(str::to_owned);
    let (simulator, test) = (Simulator::with(&sizes), TestDatabase::migrated().await);
    simulator.set(json!({"limitPer10Seconds": 10_000, "associationLimitPer10Seconds": 10})).await;
    let setup = setup(&simulator, &test)
        .set("RATE_LIMIT_ASSOCIATIONS_PER_10_SECONDS", "10")
        .set("RATE_LIMIT_SEARCH_PER_SECOND", "5");
    let daemon = setup.start(&["run"]);
    lane_is_done(&test, LANE).await;
    assert_linked(&simulator, &test).await;
    let stats = simulator.stats().await;
    assert_eq!(stats["rateLimited"], 0, "{stats}");
    assert_eq!(stats["maxAssociationInWindow"], 9, "{stats}");
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_used_up_day_of_associations_holds_up_nothing_else_and_is_gone_on_from() {
    let sizes = ["--contacts", "3500", "--companies", "30", "--deals", "30"].map(str::to_owned);
    let (simulator, test) = (Simulator::with(&sizes), TestDatabase::migrated().await);
    simulator
        .set(json!({"limitPer10Seconds": 10_000, "associationLimitPer10Seconds": 1_000, "associationDailyLimit": 12}))
        .await;
    let setup = setup(&simulator, &test)
        .set("RATE_LIMIT_THRESHOLD", "1")
        .set("RATE_LIMIT_ASSOCIATIONS_PER_10_SECONDS", "1000")
        .set("RATE_LIMIT_SEARCH_PER_SECOND", "5");
    let daemon = setup.start(&["run"]);
    eventually("the lane has stopped", async || {
        let error =
            "SELECT last_error FROM sync_lanes WHERE object_type = 'contacts' AND lane = 'associations'";
        let error = test.value(error).await;
        holds(error.contains("used up"), error)
    })
    .await;
    let state = "SELECT pass_cursor FROM sync_lanes WHERE object_type = 'contacts' AND lane = 'associations'";
    let reached = test.value(state).await;
    assert!(!reached.is_empty() && reached != "-", "{reached}");
    simulator.create("contacts", 3).await;
    in_step(&simulator, &test).await;
    let errors = test.number("SELECT COUNT(*) FROM sync_state WHERE status = 'error'").await;
    assert_eq!(errors, 0, "records go on: {}", daemon.log());
    let waiting = test.value("SELECT waiting FROM sync_state WHERE object_type = 'deals'").await;
    assert!(waiting.starts_with("The daily limit of associations: links between records wait"), "{waiting}");
    let notice = test.value("SELECT notice FROM sync_state WHERE object_type = 'contacts'").await;
    assert_eq!(notice, "-", "nobody has to act");
    assert!(daemon.stop().await.success());

    // The next day, so to speak.
    simulator.set(json!({"associationDailyLimit": 100_000})).await;
    let daemon = setup.start(&["run"]);
    run_lane(&test, LANE).await;
    let first = "SELECT CAST(fetched AS SIGNED) FROM sync_runs WHERE object_type = 'contacts' AND lane = 'associations' \
                 AND outcome = 'succeeded' ORDER BY run_id LIMIT 1";
    let fetched = test.number(first).await;
    assert!(fetched < 3 * 3_503, "the pages of the day before are not read again: {fetched}");
    links_in_step(&simulator, &test).await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn what_hubspot_leaves_out_of_an_answer_is_not_taken_for_removed() {
    let (simulator, test) = (Simulator::start(500, 50, 50), TestDatabase::migrated().await);
    let daemon = in_step_with_links(&simulator, &test).await;
    let silence = json!({"status": "COMPLETE", "results": []}).to_string();
    let action = json!({"kind": "status", "status": 200, "body": silence});
    simulator
        .fault(json!({"match": {"pathContains": "/associations/"}, "times": 1_000, "action": action}))
        .await;
    run_lane(&test, LANE).await;
    assert_linked(&simulator, &test).await;
    daemon.says("were not read, the first one is").await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn links_can_be_left_out() {
    let (simulator, test) = (Simulator::start(60, 20, 30), TestDatabase::migrated().await);
    let setup = setup(&simulator, &test).set("ASSOCIATION_MAX_AGE_HOURS", "0");
    setup.sync(&[]).await;
    simulator.create("contacts", 1).await;
    setup.sync(&[]).await;
    assert_eq!((requests(&simulator).await, rows(&test, "TRUE").await), (0, 0));
}
