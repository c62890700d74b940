//! Bringing the schema up to date.
//!
//! The daemon's own tables come from the files in `migrations/`; the tables of an object type come from its
//! descriptor (`mirror_schema`, `pipelines`), so that a new type needs no migration file.

use sqlx::MySqlConnection;
use sqlx::migrate::{Migrate, MigrateError, Migrator};

use super::database::LONGEST_CHANGE;
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

/// sqlx's table of the migrations that ran.
const TABLE: &str = "_sqlx_migrations";
/// Longest wait for another process that is migrating, seconds.
const LOCK_WAIT_SECONDS: i64 = 60;

/// Creates and changes tables until they are what this version needs. Idempotent; two processes take turns.
///
/// # Errors
/// When the user may not change tables, or a migration was edited after it ran.
pub async fn migrate(database: &Database, objects: &[&'static ObjectType]) -> Result<(), StorageError> {
    let _call = database.call(LONGEST_CHANGE);
    let mut connection = patient(database).await?;
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
    forget_halves(&mut connection).await.map_err(StorageError::Migrate)?;
    MIGRATOR.run_direct(None, &mut connection, false).await.map_err(StorageError::Migrate)?;
    ensure_tables(&mut connection, objects).await?;
    database::close(connection).await;
    Ok(())
}

/// Lets the migrations run again that a kill ended halfway: each may run twice. One of a newer version is left to it.
async fn forget_halves(connection: &mut MySqlConnection) -> Result<(), MigrateError> {
    connection.ensure_migrations_table(TABLE).await?;
    while let Some(version) = connection.dirty_version(TABLE).await? {
        if !MIGRATOR.version_exists(version) {
            break;
        }
        let delete = sqlx::query("DELETE FROM _sqlx_migrations WHERE version = ? AND NOT success");
        delete.bind(version).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Creates the tables of types that became known after the migrations ran. Idempotent.
///
/// # Errors
/// When the user may not create tables.
pub async fn create_tables(database: &Database, objects: &[&'static ObjectType]) -> Result<(), StorageError> {
    if objects.is_empty() {
        return Ok(());
    }
    let _call = database.call(LONGEST_CHANGE);
    let mut connection = patient(database).await?;
    let made = ensure_tables(&mut connection, objects).await;
    database::close(connection).await;
    made
}

/// A connection whose statements take as long as they need: an index of a large table takes longer than anything else.
async fn patient(database: &Database) -> Result<MySqlConnection, StorageError> {
    let mut connection = database.dedicated().await?;
    let asked = sqlx::query("SET SESSION max_statement_time = 0").execute(&mut connection).await;
    asked.map(|_| connection).map_err(StorageError::query("prepare a connection"))
}

/// The tables of each type.
async fn ensure_tables(
    connection: &mut MySqlConnection,
    objects: &[&'static ObjectType],
) -> Result<(), StorageError> {
    for object_type in objects {
        ensure_table(connection, object_type).await?;
        ensure_pipeline_tables(connection, object_type).await?;
    }
    Ok(())
}

/// How many migrations have not run yet.
///
/// # Errors
/// When the database cannot be reached, or the schema is not one this version can bring up to date: a migration
/// stopped halfway, was another one when it ran, or is a newer version's.
pub async fn pending_migrations(database: &Database) -> Result<usize, StorageError> {
    database.on_own_connection(pending_on).await
}

/// The same on a connection.
async fn pending_on(connection: &mut MySqlConnection) -> Result<usize, StorageError> {
    let table_exists: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM information_schema.tables \
         WHERE table_schema = DATABASE() AND table_name = '_sqlx_migrations')",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(StorageError::query("look for the migration table"))?;
    if !table_exists {
        return Ok(MIGRATOR.iter().count());
    }
    pending(connection).await.map_err(StorageError::Migrate)
}

/// Compares the migrations that ran with ours, as running them would.
async fn pending(connection: &mut MySqlConnection) -> Result<usize, MigrateError> {
    if let Some(version) = connection.dirty_version(TABLE).await? {
        return Err(MigrateError::Dirty(version));
    }
    let applied = connection.list_applied_migrations(TABLE).await?;
    for migration in &applied {
        match MIGRATOR.iter().find(|known| known.version == migration.version) {
            None => return Err(MigrateError::VersionMissing(migration.version)),
            Some(known) if known.checksum != migration.checksum => {
                return Err(MigrateError::VersionMismatch(migration.version));
            }
            Some(_) => {}
        }
    }
    Ok(MIGRATOR.iter().count() - applied.len())
}
