//! Filling a new typed column from the JSON the rows already hold.

use std::borrow::Cow;

use sqlx::{MySql, QueryBuilder};

use super::mirror_schema::TypedColumn;
use super::quarantine::{Misfit, record_misfits};
use super::{Database, StorageError};
use crate::clock;
use crate::model::{ObjectId, ObjectType};

/// Rows a transaction of the fill looks at.
const BATCH: i64 = 500;

/// A row that has a value for the column: local key, id in HubSpot, the value as text.
type Candidate = (i64, Option<i64>, String);

/// Gives every row the value its JSON has for the column; returns how many rows got one. Safe to repeat and safe
/// beside page writes, which already write the column, because each batch locks the rows it reads.
pub(super) async fn fill_column(
    database: &Database,
    object_type: &ObjectType,
    column: &TypedColumn,
) -> Result<u64, StorageError> {
    let failed =
        || StorageError::query(format!("fill the column `{}` of {}", column.name, object_type.table));
    let last: Option<i64> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT MAX(id) FROM {}", object_type.table)))
            .fetch_one(database.pool())
            .await
            .map_err(failed())?;
    let select = format!(
        "SELECT id, hubspot_id, JSON_VALUE(properties_json, ?) FROM {} \
         WHERE id > ? AND id <= ? AND JSON_VALUE(properties_json, ?) IS NOT NULL FOR UPDATE",
        object_type.table
    );
    let path = format!("$.\"{}\"", column.name);
    let mut filled = 0;
    for start in (0..last.unwrap_or(0)).step_by(BATCH as usize) {
        let mut transaction = database.begin().await?;
        let rows: Vec<Candidate> = sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(&path)
            .bind(start)
            .bind(start + BATCH)
            .bind(&path)
            .fetch_all(&mut *transaction)
            .await
            .map_err(failed())?;
        let (values, misfits) = convert(column, &rows);
        if !values.is_empty() {
            update(object_type, column, &values).build().execute(&mut *transaction).await.map_err(failed())?;
        }
        record_misfits(&mut transaction, object_type, &misfits, clock::now()).await?;
        transaction.commit().await.map_err(failed())?;
        filled += values.len() as u64;
    }
    Ok(filled)
}

/// Sorts the candidates into values for the column and values that do not fit it.
fn convert<'r>(column: &TypedColumn, rows: &'r [Candidate]) -> (Vec<(i64, Cow<'r, str>)>, Vec<Misfit>) {
    let mut values = Vec::with_capacity(rows.len());
    let mut misfits = Vec::new();
    for (id, hubspot_id, text) in rows {
        match column.column_type.convert(text) {
            Ok(Some(value)) => values.push((*id, value)),
            Ok(None) => {}
            Err(reason) => misfits.push(Misfit {
                id: ObjectId(hubspot_id.unwrap_or_default()),
                property: column.name.clone(),
                raw: text.clone(),
                reason,
            }),
        }
    }
    (values, misfits)
}

/// One statement that sets the column of every given row. `last_synced_at` and the content hash stay: the content
/// did not change.
fn update(
    object_type: &ObjectType,
    column: &TypedColumn,
    values: &[(i64, Cow<'_, str>)],
) -> QueryBuilder<MySql> {
    let mut query = QueryBuilder::new(format!("UPDATE {} AS mirror JOIN (", object_type.table));
    for (index, (id, value)) in values.iter().enumerate() {
        query.push(if index == 0 { "SELECT " } else { " UNION ALL SELECT " });
        query.push_bind(*id).push(if index == 0 { " AS id, " } else { ", " });
        query.push_bind(value.clone().into_owned()).push(if index == 0 { " AS value" } else { "" });
    }
    query.push(format!(
        ") AS filled ON filled.id = mirror.id SET mirror.`{}` = filled.value, mirror.updated_at = mirror.updated_at",
        column.name
    ));
    query
}
