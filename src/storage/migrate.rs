//! Bringing the schema up to date.
//!
//! The daemon's own tables come from the files in `migrations/`; the tables of an object type come from its
//! descriptor (`mirror_schema`, `pipelines`), so that a new type needs no migration file.

use sqlx::migrate::{Migrate, Migrator};

use super::pipelines::ensure_pipeline_tables;
use super::{Database, StorageError, database, ensure_table};
use crate::model::ObjectType;

/// The files in `migrations/`, part of the binary.
static MIGRATOR: Migrator = {
    let mut migrator = sqlx::migrate!();
    // sqlx's own lock asks for an infinite wait, which MariaDB answers with NULL at once; we take our own.
    migrator.locking = false;
    migrator
};

/// Longest wait for another process that is migrating, seconds.
const LOCK_WAIT_SECONDS: i64 = 60;

/// Creates and changes tables until they are what this version needs. Idempotent; two processes take turns.
///
/// # Errors
/// When the user may not change tables, or a migration was edited after it ran.
pub async fn migrate(database: &Database, objects: &[&'static ObjectType]) -> Result<(), StorageError> {
    let mut connection = database.dedicated().await?;
    let locked: Option<i64> = sqlx::query_scalar("SELECT GET_LOCK('hubspot_connector.migrate', ?)")
        .bind(LOCK_WAIT_SECONDS)
        .fetch_one(&mut connection)
        .await
        .map_err(StorageError::query("take the migration lock"))?;
    if locked != Some(1) {
        return Err(StorageError::SchemaOutdated(
            "another process has been migrating for too long".to_owned(),
        ));
    }
    MIGRATOR.run_direct(None, &mut connection, false).await.map_err(StorageError::Migrate)?;
    for object_type in objects {
        ensure_table(&mut connection, object_type).await?;
        ensure_pipeline_tables(&mut connection, object_type).await?;
    }
    database::close(connection).await;
    Ok(())
}

/// How many migrations have not run yet.
///
/// # Errors
/// When the database cannot be reached.
pub async fn pending_migrations(database: &Database) -> Result<usize, StorageError> {
    let mut connection = database.dedicated().await?;
    let known = MIGRATOR.iter().count();
    let table_exists: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM information_schema.tables \
         WHERE table_schema = DATABASE() AND table_name = '_sqlx_migrations')",
    )
    .fetch_one(&mut connection)
    .await
    .map_err(StorageError::query("look for the migration table"))?;
    if !table_exists {
        return Ok(known);
    }
    let applied =
        connection.list_applied_migrations("_sqlx_migrations").await.map_err(StorageError::Migrate)?;
    Ok(MIGRATOR
        .iter()
        .filter(|known| !applied.iter().any(|applied| applied.version == known.version))
        .count())
}
