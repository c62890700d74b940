//! Links HubSpot does not give for a while: what else there is goes on, somebody is told, and nothing stays missed.

use serde_json::{Value, json};

use super::associations::{LANE, in_step_with_links, rows, setup};
use crate::support::daemon::{Daemon, Setup};
use crate::support::database::TestDatabase;
use crate::support::lanes::{lane_is_done, make_due, run_lane};
use crate::support::links::{assert_linked, links_in_step};
use crate::support::simulator::Simulator;
use crate::support::truth::{everything_is_searchable, in_step};
use crate::support::{eventually, holds};

/// What reading the links of contacts to deals asks for.
const CONTACTS_TO_DEALS: &str = "/contacts/deals/batch/read";
/// What the log says when it cannot be had.
const REFUSED: &str = "Links of contacts to deals are not read; HubSpot is asked again within the hour";

/// Lets HubSpot refuse the links of contacts to deals from now on.
async fn refuse(simulator: &Simulator, status: u16) {
    let action = json!({"kind": "status", "status": status});
    let matching = json!({"pathContains": CONTACTS_TO_DEALS});
    simulator.fault(json!({"match": matching, "times": 1_000_000, "action": action})).await;
}

/// Passes over the links of contacts, each of which has to have begun after the one before had ended.
async fn passes(test: &TestDatabase) -> i64 {
    let of_contacts = "object_type = 'contacts' AND lane = 'associations'";
    let overlaps = format!(
        "SELECT COUNT(*) FROM sync_runs AS earlier JOIN sync_runs AS later USING (object_type, lane) WHERE {of_contacts} \
         AND later.run_id > earlier.run_id AND COALESCE(later.started_at < earlier.finished_at, TRUE)"
    );
    assert_eq!(test.number(&overlaps).await, 0, "passes overlap");
    test.number(&format!("SELECT COUNT(*) FROM sync_runs WHERE {of_contacts}")).await
}

/// Those of them that have ended.
async fn passes_ended(test: &TestDatabase) -> i64 {
    let ended = "SELECT COUNT(*) FROM sync_runs WHERE object_type = 'contacts' AND lane = 'associations' AND outcome = 'succeeded'";
    test.number(ended).await
}

/// Waits until the notice of contacts is as wanted.
async fn notice(test: &TestDatabase, is_wanted: impl Fn(&str) -> bool) {
    eventually("the notice is as wanted", async || {
        let notice = test.value("SELECT notice FROM sync_state WHERE object_type = 'contacts'").await;
        holds(is_wanted(&notice), notice)
    })
    .await;
}

/// Ends the daemon, lets half an hour go by, so to speak, and starts it again.
async fn half_an_hour_later(daemon: Daemon, setup: &Setup, test: &TestDatabase) -> Daemon {
    assert!(daemon.stop().await.success());
    test.execute(
        "UPDATE association_pairs SET checked_at = checked_at - INTERVAL 30 MINUTE WHERE NOT is_read",
    )
    .await;
    setup.start(&["run"])
}

#[tokio::test]
async fn a_pair_that_cannot_be_read_stops_no_other() {
    let (simulator, test) = (Simulator::start(60, 20, 30), TestDatabase::migrated().await);
    simulator
        .fault(json!({"match": {"pathContains": "/contacts/deals/labels"}, "action": {"kind": "status", "status": 404}}))
        .await;
    let daemon = setup(&simulator, &test).start(&["run"]);
    lane_is_done(&test, LANE).await;
    let unread = test.rows("association_pairs", &["from_type", "to_type"], "WHERE NOT is_read").await;
    assert_eq!(unread, ["contacts|deals"]);
    assert_eq!(rows(&test, "from_type = 'contacts' AND to_type = 'deals'").await, 0);
    assert!(rows(&test, "from_type = 'companies' AND to_type = 'deals'").await > 0);

    // A day later HubSpot is asked again.
    test.execute("UPDATE association_pairs SET checked_at = checked_at - INTERVAL 1 DAY").await;
    assert!(daemon.stop().await.success());
    let daemon = setup(&simulator, &test).start(&["run"]);
    run_lane(&test, LANE).await;
    assert_linked(&simulator, &test).await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_pair_that_is_refused_is_told_once_and_read_again_within_the_hour() {
    for status in [403, 400] {
        let (simulator, test) = (Simulator::start(60, 20, 30), TestDatabase::migrated().await);
        let [contact, other] = &simulator.create("contacts", 2).await[..] else { panic!() };
        let deal = &simulator.create("deals", 1).await[0];
        let setup = setup(&simulator, &test);
        let daemon = in_step_with_links(&simulator, &test).await;
        refuse(&simulator, status).await;
        // Nothing will ever show this one but reading everything again.
        simulator.link(("contacts", other), ("deals", deal), &[]).await;
        simulator.edit("contacts", contact, json!({"city": "Bonn"})).await;
        daemon.says(REFUSED).await;
        notice(&test, |notice| notice.starts_with("Links to deals are not read: could not ")).await;
        simulator.edit("contacts", contact, json!({"city": "Wien"})).await;
        in_step(&simulator, &test).await;
        run_lane(&test, LANE).await;
        assert_eq!(daemon.log().matches(REFUSED).count(), 1, "{status}: {}", daemon.log());
        notice(&test, |notice| notice.starts_with("Links to deals are not read: could not ")).await;

        let daemon = half_an_hour_later(daemon, &setup, &test).await;
        simulator.reset_stats().await;
        simulator.edit("contacts", contact, json!({"city": "Bern"})).await;
        in_step(&simulator, &test).await;
        run_lane(&test, LANE).await;
        let stats = simulator.stats().await;
        assert!(stats["byStatus"][status.to_string()].as_u64() > Some(0), "it was asked for: {stats}");
        assert_eq!(daemon.log().matches(REFUSED).count(), 0, "{status}: it is known: {}", daemon.log());

        simulator.clear_faults().await;
        let daemon = half_an_hour_later(daemon, &setup, &test).await;
        simulator.edit("contacts", contact, json!({"city": "Graz"})).await;
        daemon.says("Links of contacts to deals are read again").await;
        links_in_step(&simulator, &test).await;
        notice(&test, |notice| notice == "-").await;
        assert!(daemon.stop().await.success());
    }
}

#[tokio::test]
async fn a_pair_that_is_refused_leaves_a_deep_audit_the_others() {
    let (simulator, test) = (Simulator::start(60, 20, 30), TestDatabase::migrated().await);
    let daemon = in_step_with_links(&simulator, &test).await;
    assert!(daemon.stop().await.success());
    everything_is_searchable(&simulator).await;
    let setup = setup(&simulator, &test);
    setup.sync(&[]).await;
    for to in ["companies", "deals"] {
        test.execute(&format!(
            "DELETE FROM hubspot_associations WHERE from_type = 'contacts' AND to_type = '{to}' LIMIT 1"
        ))
        .await;
    }
    refuse(&simulator, 400).await;
    let output = setup.run(&["verify", "--deep", "--repair", "--json"]).await;
    let reports: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |object_type: &str| {
        let report = &reports[object_type];
        (report["links"]["count"].as_u64().unwrap(), report["links_not_read"].clone())
    };
    assert_eq!(of("contacts"), (1, json!(["deals"])), "{reports:#}");
    assert_eq!(of("companies"), (0, json!([])), "{reports:#}");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(log.contains(REFUSED) && log.contains(", links to deals not compared"), "{log}");

    simulator.clear_faults().await;
    test.execute("UPDATE association_pairs SET checked_at = checked_at - INTERVAL 30 MINUTE").await;
    setup.run(&["verify", "contacts", "--deep", "--repair"]).await;
    assert_linked(&simulator, &test).await;
}

#[tokio::test]
async fn trouble_with_links_holds_up_no_record_and_is_made_up_for() {
    let (simulator, test) = (Simulator::start(60, 20, 30), TestDatabase::migrated().await);
    let [contact, other] = &simulator.create("contacts", 2).await[..] else { panic!() };
    let daemon = in_step_with_links(&simulator, &test).await;
    // As often as a call is tried.
    let action = json!({"kind": "status", "status": 503});
    simulator
        .fault(
            json!({"match": {"pathContains": "/contacts/contacts/batch/read"}, "times": 3, "action": action}),
        )
        .await;
    simulator.link(("contacts", contact), ("contacts", other), &[]).await;
    simulator.edit("contacts", contact, json!({"city": "Bonn"})).await;
    daemon.says("are read later (contacts to contacts)").await;
    in_step(&simulator, &test).await;
    links_in_step(&simulator, &test).await;
    assert_eq!(passes(&test).await, 2, "the first one, and one that makes up for it");
    let failed = "SELECT COUNT(*) FROM sync_runs WHERE outcome = 'failed'";
    assert_eq!(test.number(failed).await, 0, "{}", daemon.log());
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn trouble_while_everything_is_read_leads_to_one_pass_more() {
    let (simulator, test) = (Simulator::start(60, 20, 30), TestDatabase::migrated().await);
    let deal = &simulator.create("deals", 1).await[0];
    let daemon = in_step_with_links(&simulator, &test).await;
    let slow = json!({"match": {"pathContains": "/contacts/companies/batch/read"}, "action": {"kind": "delay", "ms": 8_000}});
    simulator.fault(slow).await;
    let action = json!({"kind": "status", "status": 503});
    let from_afar = json!({"pathContains": "/deals/contacts/batch/read"});
    simulator.fault(json!({"match": from_afar, "times": 3, "action": action})).await;
    make_due(&test, LANE).await;
    eventually("the second pass is under way", async || {
        let runs = test
            .number("SELECT COUNT(*) FROM sync_runs WHERE object_type = 'contacts' AND lane = 'associations'")
            .await;
        holds(runs == 2, runs)
    })
    .await;
    simulator.edit("deals", deal, json!({"dealname": "Renewal"})).await;
    daemon.says("are read later (contacts to deals)").await;
    let under_way = "SELECT status FROM sync_lanes WHERE object_type = 'contacts' AND lane = 'associations'";
    assert_eq!(test.value(under_way).await, "running", "the pass is slower than the trouble");
    eventually("one pass more has ended", async || {
        let passes = passes_ended(&test).await;
        holds(passes == 3, passes)
    })
    .await;
    simulator.create("contacts", 1).await;
    in_step(&simulator, &test).await;
    lane_is_done(&test, LANE).await;
    assert_eq!(passes(&test).await, 3, "{}", daemon.log());
    assert!(daemon.stop().await.success());
}
