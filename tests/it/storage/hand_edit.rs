//! Edits in the name of people: captured like anybody's, in sessions that never become the daemon's.

use std::collections::BTreeMap;

use hubspot_mariadb_connector::model::{Properties, Property};
use hubspot_mariadb_connector::storage::{
    HandEdit, NotEdited, RowName, RowStatus, RowView, create_by_hand, edit_by_hand, load_catalogue,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::capture::Fixture;

/// An edit of one property.
fn set(name: &str, value: Option<&str>) -> HandEdit {
    HandEdit::Set(BTreeMap::from([(name.to_owned(), value.map(str::to_owned))]))
}

impl Fixture {
    /// Edits record 1.
    async fn edit_by_hand(&self, edit: &HandEdit) -> Result<RowView, NotEdited> {
        let name = RowName::HubSpot(hubspot_mariadb_connector::model::ObjectId(1));
        edit_by_hand(&self.test.database, &self.table, name, edit, |_| true).await
    }
}

#[tokio::test]
async fn an_edit_by_hand_is_captured_and_leaves_every_other_value_as_it_is_spelt() {
    let fixture = Fixture::new().await;
    fixture.edit("properties_json = JSON_SET(properties_json, '$.level', 7)").await;
    let before = fixture.of("JSON_EXTRACT(properties_json, '$.level')").await;
    let edit = BTreeMap::from([
        ("city".to_owned(), Some("Bonn \"\\ '%".to_owned())),
        ("phone".to_owned(), None),
        ("Score-2".to_owned(), Some("2.50".to_owned())),
    ]);
    let row = fixture.edit_by_hand(&HandEdit::Set(edit)).await.unwrap();
    assert_eq!(
        (row.status, row.properties.get("city").as_deref()),
        (RowStatus::Pending, Some("Bonn \"\\ '%"))
    );
    assert_eq!(row.properties.get("phone"), None);
    assert_eq!(
        fixture.of("CONCAT_WS('|', city, COALESCE(phone, '-'), `Score-2`)").await,
        "Bonn \"\\ '%|-|2.500000000000"
    );
    assert_eq!(fixture.of("JSON_EXTRACT(properties_json, '$.level')").await, before, "a number stays one");
    assert_eq!(fixture.of("JSON_UNQUOTE(JSON_EXTRACT(properties_json, '$.\"Score-2\"'))").await, "2.50");
}

#[tokio::test]
async fn sessions_of_people_and_of_the_daemon_never_change_sides() {
    let fixture = Fixture::new().await;
    for round in 0..20 {
        fixture.edit_by_hand(&set("city", Some(&round.to_string()))).await.unwrap();
        fixture.edit_by_hand(&set("level", Some("tall"))).await.unwrap_err();
        // The daemon's own write is captured by nobody, whatever session it gets.
        fixture.store(&[super::capture::contact(2, 100 + round, &[("email", "b@example.test")])]).await;
    }
    let pending = "SELECT GROUP_CONCAT(hubspot_id) FROM hubspot_contacts WHERE sync_status = 'pending'";
    assert_eq!(fixture.test.value(pending).await, "1");
    assert_eq!(fixture.of("version").await, "21");
}

#[tokio::test]
async fn a_refused_or_unexpected_edit_changes_nothing() {
    let fixture = Fixture::new().await;
    let before = fixture.of("CONCAT(version, properties_json)").await;
    let refused = fixture.edit_by_hand(&set("level", Some("tall"))).await.unwrap_err();
    assert_eq!(refused.to_string(), "`level` has to be a number");
    let read_only = fixture.edit_by_hand(&set("hs_score", Some("1"))).await.unwrap_err();
    assert_eq!(read_only.to_string(), "`hs_score` is read-only in HubSpot");
    let name = RowName::HubSpot(hubspot_mariadb_connector::model::ObjectId(1));
    let stale =
        edit_by_hand(&fixture.test.database, &fixture.table, name, &set("city", None), |_| false).await;
    assert!(matches!(stale, Err(NotEdited::Stale(row)) if row.version == 1));
    let nobody =
        edit_by_hand(&fixture.test.database, &fixture.table, RowName::Key(99), &HandEdit::Delete, |_| true);
    assert!(matches!(nobody.await, Err(NotEdited::NoRow)));
    assert_eq!(fixture.of("CONCAT(version, properties_json)").await, before);
}

/// Values of every kind, right and wrong ones and what lies between.
fn entries() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("true".to_owned()),
        "[+-]?[0-9]{0,3}[.]?[0-9]{0,2}([eE][+-]?[0-9]{0,2})?",
        "-?[0-9]{1,18}",
        "(000[01]|19[0-9]{2}|20[0-9]{2})-[0-1][0-9]-[0-3][0-9]",
        "20(24|26)-0[1-3]-(0[1-9]|2[89]|3[01])T[0-2][0-9]:[0-6][0-9](:[0-6][0-9]([.][0-9]{0,10})?)?(Z|[+-][0-9]{1,2}:?[0-9]{0,2})?",
        "(gold|Silver|gold;Silver|a|b|a;b|1/2 \"é\")",
        "[a-zA-Z0-9 .:TZ;'\"\\\\é+-]{0,12}",
    ]
}

#[tokio::test]
async fn what_a_check_takes_the_triggers_take_and_what_it_refuses_they_refuse() {
    let fixture = Fixture::new().await;
    let contacts = fixture.table.object_type();
    let catalogue = load_catalogue(&fixture.test.database, contacts).await.unwrap();
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..150 {
        let value = entries().new_tree(&mut runner).unwrap().current();
        if value.is_empty() {
            continue;
        }
        for name in ["level", "born", "seen", "vip", "tier", "nickname"] {
            let property: &Property = catalogue.iter().find(|property| property.name == name).unwrap();
            let properties = Properties::from_iter([(name, &*value)]);
            let made = create_by_hand(&fixture.test.database, &fixture.table, &properties, None).await;
            let said = match &made {
                Ok(_) => Ok(()),
                Err(NotEdited::Refused(words)) => Err(words.clone()),
                Err(other) => panic!("{name} = {value:?}: {other}"),
            };
            let checked = property.check_entry(&value).map_err(|error| format!("`{name}` {error}"));
            assert_eq!(said, checked, "{value:?}");
            *if checked.is_ok() { &mut taken } else { &mut refused } += 1;
        }
    }
    assert!(taken > 100 && refused > 100, "{taken} {refused}");
}
