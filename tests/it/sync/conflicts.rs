//! Conflicts are settled by a person, on the command line, and the push carries the decision out.

use serde_json::{Value, json};

use crate::support::daemon::{Daemon, Setup, text};
use crate::support::database::TestDatabase;
use crate::support::edits::{hubspot_contact, writable_account};
use crate::support::simulator::Simulator;
use crate::support::{eventually, holds};

/// A contact that both sides know, a running daemon, and how to reach everything.
struct Stage {
    simulator: Simulator,
    test: TestDatabase,
    setup: Setup,
    daemon: Daemon,
    id: String,
}

impl Stage {
    async fn new() -> Self {
        let (simulator, test, setup) = writable_account(5, 1).await;
        let daemon = setup.start(&["run"]);
        let id = test.value("SELECT MIN(hubspot_id) FROM hubspot_contacts").await;
        let values = json!({"city": "Ulm", "firstname": "Ada", "jobtitle": "Dean"});
        simulator.edit("contacts", &id, values).await;
        let stage = Self { simulator, test, setup, daemon, id };
        // An edit of its own brings what HubSpot has.
        stage.edit("phone = '1'").await;
        stage.is("synced", "Ulm|Ada|Dean").await;
        stage
    }

    /// An edit of the row.
    async fn edit(&self, set: &str) {
        self.test.execute(&format!("UPDATE hubspot_contacts SET {set} WHERE hubspot_id = {}", self.id)).await;
    }

    /// Waits until the row is as it should be.
    async fn is(&self, status: &str, values: &str) {
        let rest = format!("WHERE hubspot_id = {}", self.id);
        let expected = format!("{status}|{values}");
        eventually("the row is as it should be", async || {
            let columns = ["sync_status", "city", "firstname", "jobtitle"];
            let rows = self.test.rows("hubspot_contacts", &columns, &rest).await;
            holds(rows == [expected.clone()], rows)
        })
        .await;
    }

    /// Both sides change the city.
    async fn disagree(&self, here: &str, there: &str) -> String {
        self.simulator.edit("contacts", &self.id, json!({"city": there})).await;
        self.edit(&format!("city = '{here}'")).await;
        self.is("conflict", &format!("{here}|Ada|Dean")).await;
        self.test.value("SELECT MAX(id) FROM conflicts WHERE status = 'pending'").await
    }

    /// Runs `conflicts resolve` and answers whether it worked, and what it said.
    async fn resolve(&self, conflict: &str, how: &[&str]) -> (bool, String) {
        let output = self.setup.run(&[&["conflicts", "resolve", conflict], how].concat()).await;
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    }

    /// A property of the contact in HubSpot.
    async fn remote(&self, name: &str) -> Value {
        hubspot_contact(&self.simulator, &self.id).await["properties"][name].clone()
    }
}

#[tokio::test]
async fn each_side_can_be_kept_and_the_other_one_follows() {
    let stage = Stage::new().await;
    let conflict = stage.disagree("Kiel", "Bonn").await;
    let (ok, said) = stage.resolve(&conflict, &["--keep", "local", "--by", "eve"]).await;
    assert!(ok, "{said}");
    stage.is("synced", "Kiel|Ada|Dean").await;
    assert_eq!(stage.remote("city").await, "Kiel");
    let (ok, said) = stage.resolve(&conflict, &["--keep", "hubspot"]).await;
    assert!(!ok && said.contains("settled already: keep_local"), "{said}");

    let conflict = stage.disagree("Hof", "Trier").await;
    assert!(stage.resolve(&conflict, &["--keep", "hubspot"]).await.0);
    stage.is("synced", "Trier|Ada|Dean").await;
    assert_eq!(stage.remote("city").await, "Trier");
    let settled = stage.test.rows("conflicts", &["status", "resolved_by"], "ORDER BY id").await;
    assert_eq!(settled, ["keep_local|eve", "keep_hubspot|command line"]);
    assert!(stage.daemon.stop().await.success());
}

#[tokio::test]
async fn fields_are_decided_one_by_one_and_all_of_them() {
    let stage = Stage::new().await;
    let changed = json!({"city": "Bonn", "firstname": "Grace", "jobtitle": "Rector"});
    stage.simulator.edit("contacts", &stage.id, changed).await;
    stage.edit("city = 'Kiel', firstname = 'Emmy', jobtitle = NULL").await;
    stage.is("conflict", "Kiel|Emmy|-").await;
    let conflict = stage.test.value("SELECT MAX(id) FROM conflicts").await;
    let (ok, said) = stage.resolve(&conflict, &["--field", "city=local"]).await;
    assert!(!ok && said.contains("city, firstname, jobtitle; decide each of them"), "{said}");
    let (ok, said) = stage.resolve(&conflict, &["--keep", "local", "--field", "phone=local"]).await;
    assert!(!ok && said.contains("and no other"), "{said}");
    let how = ["--keep", "hubspot", "--field", "city=local", "--field", "firstname==Ada Emmy"];
    let (ok, said) = stage.resolve(&conflict, &how).await;
    assert!(ok && said.contains("settled (merged)"), "{said}");
    stage.is("synced", "Kiel|Ada Emmy|Rector").await;
    for (name, value) in [("city", "Kiel"), ("firstname", "Ada Emmy"), ("jobtitle", "Rector")] {
        assert_eq!(stage.remote(name).await, value);
    }
    let steps = stage.test.rows("conflict_audit", &["step"], "ORDER BY id").await;
    assert_eq!(steps, ["opened", "merged"]);
    assert!(stage.daemon.stop().await.success());
}

#[tokio::test]
async fn what_was_deleted_in_hubspot_is_made_anew_or_given_up() {
    let stage = Stage::new().await;
    stage.simulator.delete("contacts", &stage.id).await;
    stage.edit("city = 'Kiel'").await;
    stage.is("conflict", "Kiel|Ada|Dean").await;
    let conflict = stage.test.value("SELECT MAX(id) FROM conflicts").await;
    let (ok, said) = stage.resolve(&conflict, &["--field", "city=local"]).await;
    assert!(!ok && said.contains("keep local or hubspot as a whole"), "{said}");
    let (ok, said) = stage.resolve(&conflict, &["--keep", "local"]).await;
    assert!(ok, "{said}");
    eventually("the contact is made anew", async || {
        let rows =
            stage.test.rows("hubspot_contacts", &["sync_status", "hubspot_id"], "WHERE city = 'Kiel'").await;
        let is_new = rows.len() == 1 && rows[0].starts_with("synced|") && !rows[0].ends_with(&stage.id);
        holds(is_new, rows)
    })
    .await;
    let anew = stage.test.value("SELECT hubspot_id FROM hubspot_contacts WHERE city = 'Kiel'").await;
    assert_eq!(hubspot_contact(&stage.simulator, &anew).await["properties"]["jobtitle"], "Dean");

    stage.simulator.delete("contacts", &anew).await;
    stage.test.execute(&format!("UPDATE hubspot_contacts SET city = 'Hof' WHERE hubspot_id = {anew}")).await;
    let open = "SELECT COALESCE(MAX(id), 0) FROM conflicts WHERE status = 'pending'";
    eventually("there is a conflict again", async || {
        let conflict = stage.test.number(open).await;
        holds(conflict > 0, conflict)
    })
    .await;
    let conflict = stage.test.value(open).await;
    assert!(stage.resolve(&conflict, &["--keep", "hubspot"]).await.0);
    let row = stage
        .test
        .rows("hubspot_contacts", &["sync_status", "archived", "city"], &format!("WHERE hubspot_id = {anew}"))
        .await;
    assert_eq!(row, ["synced|1|Kiel"], "it holds what both sides had before");
    assert!(stage.daemon.stop().await.success());
}

#[tokio::test]
async fn what_was_deleted_here_is_deleted_there_or_comes_back() {
    for (keep, live) in [("local", false), ("hubspot", true)] {
        let stage = Stage::new().await;
        stage.simulator.edit("contacts", &stage.id, json!({"city": "Bonn"})).await;
        stage.edit("archived = TRUE").await;
        stage.is("conflict", "Ulm|Ada|Dean").await;
        let kind = stage.test.value("SELECT MAX(kind) FROM conflicts").await;
        assert_eq!(kind, "deleted_here");
        let conflict = stage.test.value("SELECT MAX(id) FROM conflicts").await;
        let (ok, said) = stage.resolve(&conflict, &["--keep", keep]).await;
        assert!(ok, "{said}");
        stage.is("synced", "Bonn|Ada|Dean").await;
        assert_eq!(hubspot_contact(&stage.simulator, &stage.id).await != Value::Null, live, "{keep}");
        let archived = stage
            .test
            .value(&format!("SELECT archived FROM hubspot_contacts WHERE hubspot_id = {}", stage.id))
            .await;
        assert_eq!(archived, if live { "0" } else { "1" });
        assert!(stage.daemon.stop().await.success());
    }
}

#[tokio::test]
async fn a_dry_run_tells_what_would_be_sent_and_sends_nothing() {
    let (simulator, test, setup) = writable_account(5, 1).await;
    let nothing = setup.run(&["push", "--dry-run"]).await;
    assert_eq!(text(&nothing.stdout), "Nothing waits to be sent.\n");
    let id = test.value("SELECT MIN(hubspot_id) FROM hubspot_contacts").await;
    test.execute(&format!("UPDATE hubspot_contacts SET city = 'Kiel', phone = NULL WHERE hubspot_id = {id}"))
        .await;
    test.execute("UPDATE hubspot_companies SET archived = TRUE").await;
    test.execute("INSERT INTO hubspot_contacts (email) VALUES ('new@example.test')").await;
    simulator.reset_stats().await;
    let planned = setup.run(&["push", "--dry-run"]).await;
    let company = test.value("SELECT hubspot_id FROM hubspot_companies").await;
    let phone = if test.value(&format!("SELECT JSON_EXISTS(base_properties_json, '$.phone') FROM hubspot_contacts WHERE hubspot_id = {id}")).await == "1" { ", phone" } else { "" };
    let expected = format!(
        "contacts row 1 (HubSpot {id}): update city{phone}\ncontacts row 6: create email\ncompanies row 1 (HubSpot {company}): delete\n"
    );
    assert_eq!(text(&planned.stdout), expected, "{}", text(&planned.stderr));
    let only = setup.run(&["push", "--dry-run", "companies", "--json"]).await;
    let only: Value = serde_json::from_slice(&only.stdout).unwrap();
    assert_eq!(
        (&only["action"], &only["hubspot_id"]),
        (&json!("delete"), &json!(company.parse::<i64>().unwrap()))
    );
    let unknown = setup.run(&["push", "--dry-run", "deals"]).await;
    assert!(text(&unknown.stderr).contains("`deals` cannot be edited here; writable: contacts, companies"));
    assert_eq!(simulator.count("requests").await, 0);
    assert_eq!(test.number("SELECT COUNT(*) FROM jobs WHERE state = 'ready' AND attempts = 0").await, 3);
}

#[tokio::test]
async fn a_dry_run_goes_by_the_policies_and_tells_of_rows_deleted_by_sql() {
    let (_simulator, test, setup) = writable_account(2, 1).await;
    test.execute("UPDATE hubspot_contacts SET city = 'Kiel' WHERE id = 1").await;
    let id = test.value("SELECT hubspot_id FROM hubspot_contacts WHERE id = 2").await;
    test.execute("DELETE FROM hubspot_contacts WHERE id = 2").await;
    // HubSpot has another city by now, as a lane has found.
    let mut daemon = test.sql.acquire().await.unwrap();
    for sql in [
        "SET @hubspot_connector = 1",
        "UPDATE hubspot_contacts SET remote_properties_json = JSON_SET(base_properties_json, '$.city', 'Bonn') WHERE id = 1",
        "SET @hubspot_connector = NULL",
    ] {
        sqlx::query(sql).execute(&mut *daemon).await.unwrap();
    }
    let planned = async |setup: &Setup| text(&setup.run(&["push", "--dry-run", "contacts"]).await.stdout);
    assert!(planned(&setup).await.ends_with(": nothing; in conflict: city\n"));
    test.execute("INSERT INTO conflict_policies VALUES ('contacts', 'city', 'local')").await;
    let first = planned(&setup).await;
    assert!(first.starts_with("contacts row 1 ") && first.ends_with(": update city\n"), "{first}");
    let deleted = format!("contacts row deleted by SQL (HubSpot {id}): delete\n");
    assert_eq!(planned(&setup.set("SQL_DELETE", "archive")).await, first + &deleted);
}
