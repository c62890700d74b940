//! Pipelines and their stages.

use std::collections::BTreeMap;

use sqlx::mysql::MySqlRow;
use sqlx::{MySql, MySqlConnection, QueryBuilder, Row};

use super::reference::{BATCH, Difference};
use super::{Database, Lease, PageOutcome, StorageError};
use crate::model::{ObjectType, Pipeline, Stage};

/// A stage with the pipeline it belongs to.
#[derive(PartialEq)]
struct PlacedStage {
    pipeline_id: String,
    stage: Stage,
}

/// Creates the tables for the pipelines and stages of `object_type`, if it has any. Idempotent.
///
/// # Errors
/// When the user may not create tables.
pub(super) async fn ensure_pipeline_tables(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
) -> Result<(), StorageError> {
    if !object_type.has_pipelines {
        return Ok(());
    }
    let tables = Tables::of(object_type);
    for sql in [tables.create_pipelines(object_type), tables.create_stages(object_type)] {
        let query = sqlx::query(sqlx::AssertSqlSafe(sql));
        let failed = StorageError::query(format!("create the tables for the pipelines of {object_type}"));
        query.execute(&mut *connection).await.map_err(failed)?;
    }
    Ok(())
}

/// Makes the stored pipelines and stages of the type equal to `pipelines`. What HubSpot no longer lists is marked
/// archived, never dropped: records may name it. Writes only what differs. Idempotent. The outcome counts pipelines
/// and stages alike.
///
/// # Errors
/// When the database cannot be written, or so many of them are missing that it is hard to believe.
pub async fn store_pipelines(
    database: &Database,
    lease: &Lease,
    object_type: &ObjectType,
    pipelines: &[Pipeline],
) -> Result<PageOutcome, StorageError> {
    let tables = Tables::of(object_type);
    let failed = || StorageError::query(format!("store the pipelines of {object_type}"));
    let (listed, placed) = split(pipelines);
    let stored = tables.load_pipelines(database).await.map_err(failed())?;
    let stored_stages = tables.load_stages(database).await.map_err(failed())?;
    let difference = Difference::between(
        format!("pipelines of {object_type}"),
        &stored,
        &listed,
        |pipeline| &pipeline.id,
        |pipeline| pipeline.archived,
    )?;
    let stages = Difference::between(
        format!("pipeline stages of {object_type}"),
        &stored_stages,
        &placed,
        |placed| &placed.stage.id,
        |placed| placed.stage.archived,
    )?;
    if difference.is_empty() && stages.is_empty() {
        return Ok(difference.outcome + stages.outcome);
    }

    let mut transaction = lease.begin(database).await?;
    for chunk in difference.changed.chunks(BATCH) {
        let mut query = tables.upsert_pipelines(chunk);
        query.build().persistent(false).execute(&mut *transaction).await.map_err(failed())?;
    }
    for chunk in stages.changed.chunks(BATCH) {
        let mut query = tables.upsert_stages(chunk);
        query.build().persistent(false).execute(&mut *transaction).await.map_err(failed())?;
    }
    let gone =
        [(&tables.pipelines, "pipeline_id", &difference.gone), (&tables.stages, "stage_id", &stages.gone)];
    for (table, key, ids) in gone {
        for id in ids {
            let sql = format!("UPDATE {table} SET archived = TRUE WHERE {key} = ?");
            let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id);
            query.execute(&mut *transaction).await.map_err(failed())?;
        }
    }
    transaction.commit().await?;
    Ok(difference.outcome + stages.outcome)
}

/// Every pipeline of the type with its stages, archived ones too, each in HubSpot's order; empty for a type without.
///
/// # Errors
/// When the database cannot be read.
pub async fn load_pipelines(
    database: &Database,
    object_type: &ObjectType,
) -> Result<Vec<Pipeline>, StorageError> {
    if !object_type.has_pipelines {
        return Ok(Vec::new());
    }
    let tables = Tables::of(object_type);
    let failed = || StorageError::query(format!("read the pipelines of {object_type}"));
    let mut stored = tables.load_pipelines(database).await.map_err(failed())?;
    for placed in tables.load_stages(database).await.map_err(failed())?.into_values() {
        if let Some(pipeline) = stored.get_mut(&placed.pipeline_id) {
            pipeline.stages.push(placed.stage);
        }
    }
    let mut pipelines: Vec<_> = stored.into_values().collect();
    for pipeline in &mut pipelines {
        pipeline.stages.sort_by_key(|stage| stage.display_order);
    }
    pipelines.sort_by_key(|pipeline| pipeline.display_order);
    Ok(pipelines)
}

/// Pipelines without their stages, and all stages with their pipeline.
fn split(pipelines: &[Pipeline]) -> (Vec<Pipeline>, Vec<PlacedStage>) {
    let bare = pipelines.iter().map(|pipeline| Pipeline { stages: Vec::new(), ..pipeline.clone() }).collect();
    let placed = pipelines.iter().flat_map(|pipeline| {
        let place = |stage: &Stage| PlacedStage { pipeline_id: pipeline.id.clone(), stage: stage.clone() };
        pipeline.stages.iter().map(place)
    });
    (bare, placed.collect())
}

/// The columns both tables end with.
const TIMES: &str = "hubspot_created_at DATETIME(3) NULL COMMENT 'Created in HubSpot', \
     hubspot_updated_at DATETIME(3) NULL COMMENT 'Changed in HubSpot', \
     created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) COMMENT 'First seen', \
     updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3) COMMENT 'Row changed'";

/// The options of both tables.
const OPTIONS: &str = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci";

/// The two tables of an object type's pipelines.
struct Tables {
    pipelines: String,
    stages: String,
}

impl Tables {
    /// `hubspot_deal_pipelines` and `hubspot_deal_stages` for deals.
    fn of(object_type: &ObjectType) -> Self {
        let singular = object_type.singular;
        Self {
            pipelines: format!("hubspot_{singular}_pipelines"),
            stages: format!("hubspot_{singular}_stages"),
        }
    }

    /// The statement that creates the table of pipelines.
    fn create_pipelines(&self, object_type: &ObjectType) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {pipelines} (
                pipeline_id        VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'Id in HubSpot; rows of {records} refer to it',
                label              VARCHAR(255) NOT NULL COMMENT 'What people see',
                display_order      INT NOT NULL COMMENT 'Place among the pipelines',
                archived           BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'Gone from HubSpot; kept because records may name it',
                {TIMES},
                PRIMARY KEY (pipeline_id)
            ) {OPTIONS} COMMENT='Pipelines of {object_type}'",
            pipelines = self.pipelines,
            records = object_type.table,
        )
    }

    /// The statement that creates the table of stages.
    fn create_stages(&self, object_type: &ObjectType) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {stages} (
                stage_id           VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'Id in HubSpot, unique across the pipelines of {object_type}; rows of {records} refer to it',
                pipeline_id        VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'The pipeline it belongs to',
                label              VARCHAR(255) NOT NULL COMMENT 'What people see',
                display_order      INT NOT NULL COMMENT 'Place in the pipeline',
                probability        DECIMAL(6,5) NULL COMMENT 'Chance of winning, 0 to 1; deals only',
                is_closed          BOOLEAN NULL COMMENT 'Whether a record here is over, where HubSpot says so',
                metadata           JSON NOT NULL COMMENT 'Everything HubSpot says of the stage',
                archived           BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'Gone from HubSpot; kept because records may name it',
                {TIMES},
                PRIMARY KEY (stage_id),
                KEY {stages}_by_pipeline (pipeline_id, display_order)
            ) {OPTIONS} COMMENT='Stages of the pipelines of {object_type}'",
            stages = self.stages,
            records = object_type.table,
        )
    }

    /// Every stored pipeline by id, without stages.
    async fn load_pipelines(&self, database: &Database) -> Result<BTreeMap<String, Pipeline>, sqlx::Error> {
        let sql = format!(
            "SELECT pipeline_id, label, display_order, archived, hubspot_created_at, hubspot_updated_at FROM {}",
            self.pipelines
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(database.pool()).await?;
        let to_pipeline = |row: &MySqlRow| {
            let pipeline = Pipeline {
                id: row.try_get("pipeline_id")?,
                label: row.try_get("label")?,
                display_order: row.try_get("display_order")?,
                stages: Vec::new(),
                archived: row.try_get("archived")?,
                created_at: row.try_get("hubspot_created_at")?,
                updated_at: row.try_get("hubspot_updated_at")?,
            };
            Ok((pipeline.id.clone(), pipeline))
        };
        rows.iter().map(to_pipeline).collect()
    }

    /// Every stored stage by id. `probability` is taken from the metadata, where HubSpot's own text is.
    async fn load_stages(&self, database: &Database) -> Result<BTreeMap<String, PlacedStage>, sqlx::Error> {
        let sql = format!(
            "SELECT stage_id, pipeline_id, label, display_order, is_closed, metadata, archived, \
             JSON_VALUE(metadata, '$.probability') AS probability, hubspot_created_at, hubspot_updated_at FROM {}",
            self.stages
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(database.pool()).await?;
        let to_stage = |row: &MySqlRow| {
            let stage = Stage {
                id: row.try_get("stage_id")?,
                label: row.try_get("label")?,
                display_order: row.try_get("display_order")?,
                probability: row.try_get("probability")?,
                is_closed: row.try_get("is_closed")?,
                metadata: row.try_get("metadata")?,
                archived: row.try_get("archived")?,
                created_at: row.try_get("hubspot_created_at")?,
                updated_at: row.try_get("hubspot_updated_at")?,
            };
            Ok((stage.id.clone(), PlacedStage { pipeline_id: row.try_get("pipeline_id")?, stage }))
        };
        rows.iter().map(to_stage).collect()
    }

    /// One statement that writes the given pipelines.
    fn upsert_pipelines(&self, pipelines: &[&Pipeline]) -> QueryBuilder<MySql> {
        let mut query = QueryBuilder::new(format!(
            "INSERT INTO {} (pipeline_id, label, display_order, archived, hubspot_created_at, hubspot_updated_at) ",
            self.pipelines
        ));
        query.push_values(pipelines, |mut row, pipeline| {
            row.push_bind(pipeline.id.clone())
                .push_bind(pipeline.label.clone())
                .push_bind(pipeline.display_order)
                .push_bind(pipeline.archived)
                .push_bind(pipeline.created_at)
                .push_bind(pipeline.updated_at);
        });
        query.push(
            " ON DUPLICATE KEY UPDATE label = VALUES(label), display_order = VALUES(display_order), \
             archived = VALUES(archived), hubspot_created_at = VALUES(hubspot_created_at), \
             hubspot_updated_at = VALUES(hubspot_updated_at)",
        );
        query
    }

    /// One statement that writes the given stages.
    fn upsert_stages(&self, stages: &[&PlacedStage]) -> QueryBuilder<MySql> {
        let mut query = QueryBuilder::new(format!(
            "INSERT INTO {} (stage_id, pipeline_id, label, display_order, probability, is_closed, metadata, \
             archived, hubspot_created_at, hubspot_updated_at) ",
            self.stages
        ));
        query.push_values(stages, |mut row, placed| {
            let stage = &placed.stage;
            row.push_bind(stage.id.clone())
                .push_bind(placed.pipeline_id.clone())
                .push_bind(stage.label.clone())
                .push_bind(stage.display_order)
                .push_bind(probability(stage))
                .push_bind(stage.is_closed)
                .push_bind(stage.metadata.to_string())
                .push_bind(stage.archived)
                .push_bind(stage.created_at)
                .push_bind(stage.updated_at);
        });
        query.push(
            " ON DUPLICATE KEY UPDATE pipeline_id = VALUES(pipeline_id), label = VALUES(label), \
             display_order = VALUES(display_order), probability = VALUES(probability), \
             is_closed = VALUES(is_closed), metadata = VALUES(metadata), archived = VALUES(archived), \
             hubspot_created_at = VALUES(hubspot_created_at), hubspot_updated_at = VALUES(hubspot_updated_at)",
        );
        query
    }
}

/// The probability as its column takes it; whatever else HubSpot says there stays in the metadata, and one odd stage
/// must not keep all pipelines from being stored.
fn probability(stage: &Stage) -> Option<String> {
    let is_probability = |text: &&String| text.parse().is_ok_and(|chance: f64| (0.0..=1.0).contains(&chance));
    stage.probability.as_ref().filter(is_probability).cloned()
}
