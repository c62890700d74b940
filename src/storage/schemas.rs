//! The custom object types this database knows: what makes their tables and names outlive a restart.

use sqlx::mysql::MySqlRow;
use sqlx::types::Json;
use sqlx::{MySqlConnection, Row};

use super::error::{NO_SUCH_TABLE, number};
use super::mirror_schema::is_reserved;
use super::{Database, Lease, StorageError};
use crate::model::{CustomColumn, CustomType, Schema, Selected};

/// Every custom type that was ever read, in the order of type ids.
const ALL: &str = "SELECT object_type_id, object_type, fully_qualified_name, singular_label, plural_label, \
                   default_columns FROM hubspot_schemas ORDER BY object_type_id";

/// The selected types with the descriptors of those custom ones whose schema was read before. The others, all of them
/// in a database without tables, stay as they are.
///
/// # Errors
/// When the database cannot be read.
pub async fn recall_types(database: &Database, selected: &[Selected]) -> Result<Vec<Selected>, StorageError> {
    if selected.iter().all(|selected| matches!(selected, Selected::Known(_))) {
        return Ok(selected.to_vec());
    }
    let read = match sqlx::query(ALL).fetch_all(database.pool()).await {
        Err(error) if number(&error) == NO_SUCH_TABLE => Ok(Vec::new()),
        rows => rows.and_then(|rows| rows.iter().map(from_row).collect()),
    };
    let read: Vec<_> = read.map_err(StorageError::query("read the custom object types"))?;
    Ok(Selected::resolve(selected, &read))
}

/// Keeps what a custom type is, under a name of its own. One that is known keeps its name and its columns, whatever
/// its schema says now: its table has them. Idempotent.
///
/// # Errors
/// When the database cannot be written or the lease is lost.
pub async fn store_schema(
    database: &Database,
    lease: &Lease,
    schema: &Schema,
) -> Result<CustomType, StorageError> {
    let failed = || StorageError::query(format!("store the schema of {}", schema.fully_qualified_name));
    let mut transaction = lease.begin(database).await?;
    let known = load(&mut transaction).await.map_err(failed())?;
    if let Some(same) = known.iter().find(|known| known.type_id == schema.type_id) {
        return Ok(same.clone());
    }
    let mut custom = CustomType::new(schema, &known);
    custom.columns.retain(|column| !is_reserved(&column.name));
    let custom = custom.searchable();
    sqlx::query(
        "INSERT INTO hubspot_schemas \
         (object_type_id, object_type, fully_qualified_name, singular_label, plural_label, default_columns) \
         VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(&custom.type_id)
    .bind(&custom.name)
    .bind(&custom.fully_qualified_name)
    .bind(&custom.singular_label)
    .bind(&custom.plural_label)
    .bind(Json(&custom.columns))
    .execute(&mut *transaction)
    .await
    .map_err(failed())?;
    transaction.commit().await?;
    Ok(custom)
}

/// Every custom type that was ever read.
async fn load(connection: &mut MySqlConnection) -> Result<Vec<CustomType>, sqlx::Error> {
    sqlx::query(ALL).fetch_all(connection).await?.iter().map(from_row).collect()
}

/// Turns a row into a [`CustomType`].
fn from_row(row: &MySqlRow) -> Result<CustomType, sqlx::Error> {
    let custom = CustomType {
        name: row.try_get("object_type")?,
        type_id: row.try_get("object_type_id")?,
        fully_qualified_name: row.try_get("fully_qualified_name")?,
        singular_label: row.try_get("singular_label")?,
        plural_label: row.try_get("plural_label")?,
        columns: row.try_get::<Json<Vec<CustomColumn>>, _>("default_columns")?.0,
    };
    Ok(custom.searchable())
}
