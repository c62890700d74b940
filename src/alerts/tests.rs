//! What is judged to be wrong.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Facts, judge};
use crate::config::AlertConfig;
use crate::storage::{AlertKind, FailureKind, LaneState, QueueFigures, SyncState, SyncStatus, UpkeepLane};

/// The time everything is judged at.
fn now() -> DateTime<Utc> {
    "2026-11-23T08:15:00Z".parse().unwrap()
}

/// The defaults, without a channel.
fn config() -> AlertConfig {
    let minutes = Duration::from_mins;
    AlertConfig { webhook: None, mail: None, after_failures: 3, lag: minutes(60), quiet: minutes(5) }
}

/// A type that was brought up to date five minutes ago.
fn state(name: &str) -> SyncState {
    let next_run_at = Some(now() + TimeDelta::minutes(10));
    SyncState { next_run_at, ..SyncState::synced(name, Some(now() - TimeDelta::minutes(5))) }
}

/// The same after some failures in a row.
fn failed(name: &str, failures: i32, kind: FailureKind) -> SyncState {
    let last_error = Some("could not list x@example.test".to_owned());
    let (status, error_kind) = (SyncStatus::Error, Some(kind));
    SyncState { status, error_kind, last_error, consecutive_failures: failures, ..state(name) }
}

/// A lane after some failures in a row.
fn failed_lane(name: &str, lane: UpkeepLane, failures: i32, kind: FailureKind) -> LaneState {
    LaneState {
        object_type: name.to_owned(),
        lane,
        status: SyncStatus::Error,
        pass_cursor: None,
        pass_state: None,
        pass_started_at: None,
        completed_at: None,
        last_error: Some("could not list x@example.test".to_owned()),
        error_kind: Some(kind),
        consecutive_failures: failures,
        next_run_at: None,
        requested: None,
        requested_at: None,
    }
}

/// Facts of a process that has led for a day, with what is scheduled every 15 minutes.
fn facts(states: Vec<SyncState>) -> Facts {
    let names = ["owners", "contacts", "deals"];
    Facts {
        now: now(),
        leading_since: now() - TimeDelta::days(1),
        portal_id: Some(1),
        schedule: names.map(|name| (name.to_owned(), TimeDelta::minutes(15))).into(),
        states,
        lanes: vec![],
        queues: vec![],
        braked: vec![],
        webhooks_silent: vec![],
    }
}

/// What is wrong, by kind and name.
fn problems(facts: &Facts) -> Vec<(AlertKind, String)> {
    judge(facts, &config()).problems.into_iter().map(|problem| (problem.kind, problem.about)).collect()
}

/// One problem.
fn only(kind: AlertKind, about: &str) -> Vec<(AlertKind, String)> {
    vec![(kind, about.to_owned())]
}

#[test]
fn nothing_is_wrong_with_what_is_in_step() {
    assert_eq!(problems(&facts(vec![state("owners"), state("contacts"), state("deals")])), []);
    assert_eq!(problems(&facts(vec![])), []);
}

#[test]
fn a_type_fails_after_so_many_runs_in_a_row() {
    for (failures, expected) in [
        (1, vec![]),
        (2, vec![]),
        (3, only(AlertKind::Failing, "contacts")),
        (9, only(AlertKind::Failing, "contacts")),
    ] {
        let states = vec![failed("contacts", failures, FailureKind::HubSpot), state("deals")];
        assert_eq!(problems(&facts(states)), expected, "{failures}");
    }
}

#[test]
fn a_lane_fails_like_a_type_and_is_named() {
    let mut facts = facts(vec![state("contacts")]);
    facts.lanes = vec![
        failed_lane("contacts", UpkeepLane::Archive, 3, FailureKind::HubSpot),
        failed_lane("contacts", UpkeepLane::Audit, 2, FailureKind::HubSpot),
        failed_lane("parcels", UpkeepLane::Audit, 9, FailureKind::HubSpot),
    ];
    assert_eq!(problems(&facts), only(AlertKind::Failing, "contacts archive"), "parcels are not synced");
}

#[test]
fn a_rejected_token_is_one_problem_however_many_types_fail_of_it() {
    let mut facts =
        facts(["owners", "contacts", "deals"].map(|name| failed(name, 1, FailureKind::TokenRejected)).into());
    assert_eq!(problems(&facts), only(AlertKind::TokenRejected, ""));
    // It may have been so for long, and other types may have failed before of something else.
    facts.states[1].watermark = Some(now() - TimeDelta::days(2));
    facts.states[2] = failed("deals", 7, FailureKind::AccessDenied);
    facts.states[0].consecutive_failures = 50;
    assert_eq!(problems(&facts), only(AlertKind::TokenRejected, ""));
    facts.states[0] = state("owners");
    facts.states[1] = state("contacts");
    assert_eq!(problems(&facts), only(AlertKind::Failing, "deals"));
    // A lane may have met it yesterday, and comes again tomorrow.
    facts.lanes = vec![failed_lane("contacts", UpkeepLane::Audit, 9, FailureKind::TokenRejected)];
    assert_eq!(problems(&facts), only(AlertKind::Failing, "deals"));
}

#[test]
fn pipelines_of_a_type_that_may_not_be_read_are_no_problem_of_their_own() {
    let mut facts = facts(vec![failed("deals", 3, FailureKind::AccessDenied)]);
    facts.schedule.push(("deal_pipelines".to_owned(), TimeDelta::minutes(15)));
    facts.states.push(failed("deal_pipelines", 3, FailureKind::TypeRefused));
    assert_eq!(problems(&facts), only(AlertKind::Failing, "deals"));
}

#[test]
fn a_type_is_behind_when_its_schedule_does_not_explain_it() {
    let behind =
        |minutes| SyncState { watermark: Some(now() - TimeDelta::minutes(minutes)), ..state("deals") };
    assert_eq!(problems(&facts(vec![behind(75)])), [], "a period of 15 minutes and the bound");
    assert_eq!(problems(&facts(vec![behind(76)])), only(AlertKind::Behind, "deals"));

    let mut nightly = facts(vec![behind(24 * 60)]);
    nightly.schedule[2].1 = TimeDelta::days(1);
    assert_eq!(problems(&nightly), [], "it runs at night");

    let mut just_started = facts(vec![behind(600)]);
    just_started.leading_since = now() - TimeDelta::minutes(4);
    assert_eq!(problems(&just_started), [], "it is being made up");

    let first = SyncState { watermark: None, last_sync_date: None, ..state("deals") };
    assert_eq!(problems(&facts(vec![first])), [], "it is being listed for the first time");

    let failing = SyncState { watermark: behind(600).watermark, ..failed("deals", 3, FailureKind::HubSpot) };
    assert_eq!(problems(&facts(vec![failing])), only(AlertKind::Failing, "deals"), "one cause, one problem");

    let owners = SyncState { watermark: None, last_sync_date: behind(90).watermark, ..state("owners") };
    assert_eq!(problems(&facts(vec![owners])), only(AlertKind::Behind, "owners"), "they have no watermark");
}

#[test]
fn what_is_not_synced_any_more_is_no_problem() {
    let old = SyncState {
        watermark: Some(now() - TimeDelta::days(90)),
        ..failed("parcels", 9, FailureKind::HubSpot)
    };
    assert_eq!(problems(&facts(vec![old])), []);
}

#[test]
fn the_days_requests_that_run_out_are_one_problem() {
    let waiting =
        |name: &str| SyncState { waiting: Some("full listings wait\nlinks wait".into()), ..state(name) };
    let mut facts = facts(vec![waiting("contacts"), waiting("deals")]);
    facts.lanes = vec![failed_lane("deals", UpkeepLane::Associations, 4, FailureKind::DailyLimit)];
    let found = judge(&facts, &config()).problems;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].kind, &*found[0].text), (AlertKind::DailyLimit, "full listings wait; links wait"));
}

#[test]
fn deletes_that_wait_for_a_person_are_told_at_once() {
    let mut facts = facts(vec![state("contacts")]);
    facts.lanes = vec![failed_lane("contacts", UpkeepLane::Archive, 1, FailureKind::TooManyDeletes)];
    assert_eq!(problems(&facts), only(AlertKind::TooManyDeletes, "contacts archive"));
    facts.lanes[0].consecutive_failures = 5;
    assert_eq!(
        problems(&facts),
        only(AlertKind::TooManyDeletes, "contacts archive"),
        "and not as a failure too"
    );
}

#[test]
fn edits_that_wait_or_were_given_up_are_told() {
    let mut facts = facts(vec![state("contacts")]);
    let name = "contacts".to_owned();
    let queue = QueueFigures {
        object_type: name.clone(),
        ready: 5,
        running: 1,
        waiting: 2,
        dead: 0,
        oldest_seconds: Some(9),
    };
    facts.queues = vec![queue.clone()];
    assert_eq!(problems(&facts), [], "a queue is no problem");
    facts.braked = vec![(name, 2)];
    assert_eq!(problems(&facts), only(AlertKind::Brake, "contacts"));
    facts.braked = vec![];
    facts.queues = vec![QueueFigures { dead: 1, ..queue }];
    assert_eq!(problems(&facts), only(AlertKind::DeadJobs, "contacts"));
    facts.states = vec![failed("contacts", 1, FailureKind::TokenRejected)];
    assert_eq!(problems(&facts).len(), 2, "a rejected token does not hide what was given up");
}

#[test]
fn what_a_start_or_a_rejected_token_hides_is_not_told_as_over() {
    let mut facts = facts(vec![state("contacts")]);
    assert_eq!(judge(&facts, &config()).unknown, []);
    facts.leading_since = facts.now - TimeDelta::minutes(1);
    assert_eq!(judge(&facts, &config()).unknown, [AlertKind::Behind]);
    facts.states = vec![failed("contacts", 1, FailureKind::TokenRejected)];
    let hidden = judge(&facts, &config()).unknown;
    assert!(hidden.contains(&AlertKind::Failing) && hidden.contains(&AlertKind::Behind), "{hidden:?}");
    assert!(!hidden.contains(&AlertKind::DeadJobs), "what was given up is told all the same");
}

#[test]
fn silent_webhooks_are_one_problem() {
    let mut facts = facts(vec![state("contacts")]);
    facts.webhooks_silent = [("contacts", 2), ("deals", 3)]
        .map(|(name, hours)| (name.to_owned(), now() - TimeDelta::hours(hours)))
        .into();
    let found = judge(&facts, &config()).problems;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].text.contains("2026-11-23 05:15 UTC (contacts, deals)"), "{found:?}");
}

#[test]
fn no_text_repeats_what_hubspot_said_and_every_one_is_a_line() {
    let mut facts =
        facts(vec![failed("contacts", 3, FailureKind::HubSpot), failed("deals", 3, FailureKind::Defect)]);
    facts.lanes = vec![
        failed_lane("contacts", UpkeepLane::Archive, 3, FailureKind::TooManyDeletes),
        failed_lane("contacts", UpkeepLane::Audit, 3, FailureKind::Database),
    ];
    let found = judge(&facts, &config()).problems;
    assert_eq!(found.len(), 4);
    for problem in found {
        assert!(!problem.text.contains("example.test") && !problem.text.contains('\n'), "{problem:?}");
    }
}
