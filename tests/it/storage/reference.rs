//! Owners, pipelines and stages.

use hubspot_mariadb_connector::model::{ObjectType, Owner, Pipeline, Stage};
use hubspot_mariadb_connector::storage::{PageOutcome, migrate, store_owners, store_pipelines};
use serde_json::json;

use crate::support::database::TestDatabase;

/// An owner without any detail but its name.
fn owner(id: &str, name: &str, archived: bool) -> Owner {
    Owner {
        id: id.into(),
        email: Some(format!("{id}@example.test")),
        first_name: Some(name.into()),
        last_name: None,
        kind: Some("PERSON".into()),
        user_id: None,
        teams: json!([{"id": "1", "name": "Team"}]),
        archived,
        created_at: None,
        updated_at: None,
    }
}

/// A pipeline with stages of the given ids.
fn pipeline(id: &str, label: &str, stages: &[&str]) -> Pipeline {
    let stage = |(order, id): (usize, &&str)| Stage {
        id: (*id).into(),
        label: (*id).to_uppercase(),
        display_order: order as i32,
        probability: Some("0.25".into()),
        is_closed: Some(false),
        metadata: json!({"probability": "0.25", "isClosed": "false"}),
        archived: false,
        created_at: None,
        updated_at: None,
    };
    Pipeline {
        id: id.into(),
        label: label.into(),
        display_order: 0,
        stages: stages.iter().enumerate().map(stage).collect(),
        archived: false,
        created_at: None,
        updated_at: None,
    }
}

#[tokio::test]
async fn owners_follow_hubspot_and_none_is_dropped() {
    let test = TestDatabase::migrated().await;
    let first = [owner("1", "Ada", false), owner("2", "Grace", false), owner("3", "Edsger", true)];
    let outcome = store_owners(&test.database, &test.lease().await, &first).await.unwrap();
    assert_eq!(outcome, PageOutcome { inserted: 3, ..PageOutcome::default() });
    assert_eq!(store_owners(&test.database, &test.lease().await, &first).await.unwrap().unchanged, 3);

    let second = [owner("1", "Augusta", false), owner("3", "Edsger", true)];
    let outcome = store_owners(&test.database, &test.lease().await, &second).await.unwrap();
    assert_eq!(outcome, PageOutcome { updated: 1, unchanged: 1, deleted: 1, ..PageOutcome::default() });
    let stored =
        test.rows("hubspot_owners", &["owner_id", "first_name", "archived"], "ORDER BY owner_id").await;
    assert_eq!(stored, ["1|Augusta|0", "2|Grace|1", "3|Edsger|1"]);
}

#[tokio::test]
async fn an_empty_answer_archives_nobody() {
    let test = TestDatabase::migrated().await;
    store_owners(&test.database, &test.lease().await, &[owner("1", "Ada", false)]).await.unwrap();
    store_owners(&test.database, &test.lease().await, &[]).await.unwrap();
    assert_eq!(test.rows("hubspot_owners", &["archived"], "").await, ["0"]);
}

#[tokio::test]
async fn a_stage_that_disappears_is_archived_and_comes_back() {
    let test = TestDatabase::migrated().await;
    let deals = ObjectType::named("deals").unwrap();
    let stages =
        || test.rows("hubspot_deal_stages", &["stage_id", "pipeline_id", "archived"], "ORDER BY stage_id");
    let full = [pipeline("default", "Sales", &["open", "won"]), pipeline("other", "Other", &["first"])];
    store_pipelines(&test.database, &test.lease().await, deals, &full).await.unwrap();
    assert_eq!(stages().await, ["first|other|0", "open|default|0", "won|default|0"]);

    // One stage gone, one moved to another pipeline, one pipeline gone.
    store_pipelines(
        &test.database,
        &test.lease().await,
        deals,
        &[pipeline("default", "Renamed", &["open", "first"])],
    )
    .await
    .unwrap();
    assert_eq!(stages().await, ["first|default|0", "open|default|0", "won|default|1"]);
    let pipelines =
        test.rows("hubspot_deal_pipelines", &["pipeline_id", "label", "archived"], "ORDER BY 1").await;
    assert_eq!(pipelines, ["default|Renamed|0", "other|Other|1"]);

    let again = store_pipelines(&test.database, &test.lease().await, deals, &full).await.unwrap();
    assert_eq!(again.updated, 4, "both pipelines, the stage that moved and the one that came back");
    assert_eq!(stages().await, ["first|other|0", "open|default|0", "won|default|0"]);
    let probability = test.rows("hubspot_deal_stages", &["probability", "is_closed"], "LIMIT 1").await;
    assert_eq!(probability, ["0.25000|0"]);
}

#[tokio::test]
async fn the_outcome_counts_stages_and_nothing_is_written_twice() {
    let test = TestDatabase::migrated().await;
    let deals = ObjectType::named("deals").unwrap();
    let first = [pipeline("default", "Sales", &["open", "won", "lost"])];
    let outcome = store_pipelines(&test.database, &test.lease().await, deals, &first).await.unwrap();
    assert_eq!(outcome, PageOutcome { inserted: 4, ..PageOutcome::default() });
    let outcome = store_pipelines(&test.database, &test.lease().await, deals, &first).await.unwrap();
    assert_eq!(outcome, PageOutcome { unchanged: 4, ..PageOutcome::default() });

    let mut second = [pipeline("default", "Sales", &["open", "won"])];
    second[0].stages[1].label = "Closed won".into();
    let outcome = store_pipelines(&test.database, &test.lease().await, deals, &second).await.unwrap();
    assert_eq!(outcome, PageOutcome { updated: 1, deleted: 1, unchanged: 2, ..PageOutcome::default() });
}

#[tokio::test]
async fn a_type_with_pipelines_needs_nothing_but_its_descriptor() {
    let test = TestDatabase::migrated().await;
    let tickets = ObjectType::named("tickets").unwrap();
    migrate(&test.database, &[tickets]).await.unwrap();
    let outcome = store_pipelines(
        &test.database,
        &test.lease().await,
        tickets,
        &[pipeline("0", "Support", &["1", "2"])],
    )
    .await;
    assert_eq!(outcome.unwrap().inserted, 3);
    let stages = test.rows("hubspot_ticket_stages", &["stage_id", "pipeline_id"], "ORDER BY 1").await;
    assert_eq!(stages, ["1|0", "2|0"]);
}

#[tokio::test]
async fn a_list_cut_short_archives_nobody_and_says_so() {
    let test = TestDatabase::migrated().await;
    let lease = test.lease().await;
    let owners: Vec<_> = (1..=30).map(|id| owner(&id.to_string(), "Ada", false)).collect();
    store_owners(&test.database, &lease, &owners).await.unwrap();

    let refused = store_owners(&test.database, &lease, &owners[..5]).await.unwrap_err();

    assert_eq!(
        refused.to_string(),
        "HubSpot lists 25 of 30 stored owners no more, which is too many to believe"
    );
    assert_eq!(test.value("SELECT COUNT(*) FROM hubspot_owners WHERE archived").await, "0");
    assert!(refused.advice().contains("set archived = 1"));
    test.execute("UPDATE hubspot_owners SET archived = 1 WHERE owner_id > 5").await;
    assert_eq!(store_owners(&test.database, &lease, &owners[..5]).await.unwrap().unchanged, 5);
}

#[tokio::test]
async fn an_error_about_a_value_does_not_tell_the_value() {
    let test = TestDatabase::migrated().await;
    test.execute("CREATE TABLE theirs (email VARCHAR(320) PRIMARY KEY)").await;
    test.execute(
        "CREATE TRIGGER theirs BEFORE INSERT ON hubspot_owners FOR EACH ROW INSERT INTO theirs VALUES (NEW.email)",
    )
    .await;
    let first = owner("1", "Ada", false);
    let second = Owner { email: first.email.clone(), ..owner("2", "Grace", false) };
    let owners = [first, second];

    let refused = store_owners(&test.database, &test.lease().await, &owners).await.unwrap_err();

    let mut told = refused.to_string();
    let mut cause = std::error::Error::source(&refused);
    while let Some(error) = cause {
        told = format!("{told}: {error}");
        cause = error.source();
    }
    assert_eq!(told, "failed to store the owners: MariaDB refused a value: error 1062");
}

#[tokio::test]
async fn an_odd_probability_is_left_to_the_metadata() {
    let test = TestDatabase::migrated().await;
    let deals = ObjectType::named("deals").unwrap();
    let mut sales = pipeline("sales", "Sales", &["a", "b", "c", "d"]);
    for (stage, probability) in sales.stages.iter_mut().zip(["", "likely", "55", "1.0"]) {
        stage.probability = Some(probability.into());
        stage.metadata = json!({"probability": probability});
    }
    store_pipelines(&test.database, &test.lease().await, deals, &[sales]).await.unwrap();
    let stored = test.rows("hubspot_deal_stages", &["probability"], "ORDER BY stage_id").await;
    assert_eq!(stored, ["-", "-", "-", "1.00000"]);
}
