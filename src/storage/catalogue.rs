//! The property catalogue.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{QueryBuilder, Row};

use super::reference::{BATCH, Difference};
use super::{Database, Lease, StorageError};
use crate::clock;
use crate::model::{ObjectType, Property};

/// Makes the stored catalogue of the type equal to `properties`; one that is gone is marked archived. Writes only
/// what differs. Idempotent.
///
/// # Errors
/// When the database cannot be written, or so many properties are missing that it is hard to believe.
pub async fn store_catalogue(
    database: &Database,
    lease: &Lease,
    object_type: &ObjectType,
    properties: &[Property],
) -> Result<(), StorageError> {
    let stored = load_catalogue(database, object_type).await?;
    let stored: BTreeMap<_, _> =
        stored.into_iter().map(|property| (property.name.clone(), property)).collect();
    // Archived definitions are not loaded, so one that comes back counts as new and is revived.
    let what = format!("properties of {object_type}");
    let difference = Difference::between(what, &stored, properties, |property| &property.name, |_| false)?;
    if difference.is_empty() {
        return Ok(());
    }
    let failed = || StorageError::query(format!("store the property catalogue of {object_type}"));
    let now = clock::now();
    let mut transaction = lease.begin(database).await?;
    for chunk in difference.changed.chunks(BATCH) {
        upsert(object_type, chunk, now)
            .build()
            .persistent(false)
            .execute(&mut *transaction)
            .await
            .map_err(failed())?;
    }
    for name in &difference.gone {
        sqlx::query("UPDATE hubspot_properties SET archived = TRUE WHERE object_type = ? AND name = ?")
            .bind(object_type.name)
            .bind(name)
            .execute(&mut *transaction)
            .await
            .map_err(failed())?;
    }
    transaction.commit().await
}

/// Since when each property of the type is known, in name order: what was stored before may lack it, whatever its
/// version.
///
/// # Errors
/// When the database cannot be read.
pub async fn known_properties(
    database: &Database,
    object_type: &ObjectType,
) -> Result<Vec<(String, DateTime<Utc>)>, StorageError> {
    let sql = "SELECT name, known_since FROM hubspot_properties WHERE object_type = ? AND NOT archived ORDER BY name";
    let rows = sqlx::query_as(sql).bind(object_type.name).fetch_all(database.pool()).await;
    rows.map_err(StorageError::query(format!("read since when the properties of {object_type} are known")))
}

/// The names of all properties the type has or had, in name order: rows may hold values of any.
///
/// # Errors
/// When the database cannot be read.
pub async fn property_names(
    database: &Database,
    object_type: &ObjectType,
) -> Result<Vec<String>, StorageError> {
    let sql = "SELECT name FROM hubspot_properties WHERE object_type = ?";
    let names = sqlx::query_scalar(sql).bind(object_type.name).fetch_all(database.pool()).await;
    let mut names: Vec<String> =
        names.map_err(StorageError::query(format!("read the property names of {object_type}")))?;
    names.sort_unstable();
    Ok(names)
}

/// One statement that writes the given properties, known from `now` on if they were not.
fn upsert(
    object_type: &ObjectType,
    properties: &[&Property],
    now: DateTime<Utc>,
) -> QueryBuilder<sqlx::MySql> {
    let mut query = QueryBuilder::new(
        "INSERT INTO hubspot_properties (object_type, name, label, data_type, field_type, group_name, description, \
         calculated, read_only, has_unique_value, hidden, hubspot_defined, options, hubspot_updated_at, known_since) ",
    );
    query.push_values(properties, |mut row, property| {
        row.push_bind(object_type.name)
            .push_bind(property.name.clone())
            .push_bind(property.label.clone())
            .push_bind(property.data_type.clone())
            .push_bind(property.field_type.clone())
            .push_bind(property.group_name.clone())
            .push_bind(property.description.clone())
            .push_bind(property.calculated)
            .push_bind(property.read_only)
            .push_bind(property.has_unique_value)
            .push_bind(property.hidden)
            .push_bind(property.hubspot_defined)
            .push_bind(property.options.to_string())
            .push_bind(property.updated_at)
            .push_bind(now);
    });
    query.push(
        // Before `archived` is set: assignments see what those in front of them have made of the row.
        " ON DUPLICATE KEY UPDATE known_since = IF(archived, VALUES(known_since), known_since), \
         label = VALUES(label), data_type = VALUES(data_type), \
         field_type = VALUES(field_type), group_name = VALUES(group_name), description = VALUES(description), \
         calculated = VALUES(calculated), read_only = VALUES(read_only), \
         has_unique_value = VALUES(has_unique_value), hidden = VALUES(hidden), \
         hubspot_defined = VALUES(hubspot_defined), options = VALUES(options), archived = FALSE, \
         hubspot_updated_at = VALUES(hubspot_updated_at)",
    );
    query
}

/// The stored catalogue of the type in name order, without archived properties.
///
/// # Errors
/// When the database cannot be read.
pub async fn load_catalogue(
    database: &Database,
    object_type: &ObjectType,
) -> Result<Vec<Property>, StorageError> {
    let rows = sqlx::query(
        "SELECT name, label, data_type, field_type, group_name, description, calculated, read_only, \
         has_unique_value, hidden, hubspot_defined, options, hubspot_updated_at \
         FROM hubspot_properties WHERE object_type = ? AND NOT archived ORDER BY name",
    )
    .bind(object_type.name)
    .fetch_all(database.pool())
    .await;
    let to_property = |row: &sqlx::mysql::MySqlRow| {
        Ok(Property {
            name: row.try_get("name")?,
            label: row.try_get("label")?,
            data_type: row.try_get("data_type")?,
            field_type: row.try_get("field_type")?,
            group_name: row.try_get("group_name")?,
            description: row.try_get("description")?,
            calculated: row.try_get("calculated")?,
            read_only: row.try_get("read_only")?,
            has_unique_value: row.try_get("has_unique_value")?,
            hidden: row.try_get("hidden")?,
            hubspot_defined: row.try_get("hubspot_defined")?,
            options: row.try_get("options")?,
            updated_at: row.try_get("hubspot_updated_at")?,
        })
    };
    rows.and_then(|rows| rows.iter().map(to_property).collect())
        .map_err(StorageError::query(format!("read the property catalogue of {object_type}")))
}
