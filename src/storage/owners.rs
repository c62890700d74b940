//! Owners.

use std::collections::BTreeMap;

use sqlx::mysql::MySqlRow;
use sqlx::{MySql, QueryBuilder, Row};

use super::reference::{BATCH, Difference};
use super::{Database, Lease, PageOutcome, StorageError};
use crate::model::Owner;

/// Makes the stored owners equal to `owners`. One that HubSpot no longer lists is marked archived, never dropped:
/// records may name it. Writes only what differs. Idempotent.
///
/// # Errors
/// When the database cannot be written, or so many owners are missing that it is hard to believe.
pub async fn store_owners(
    database: &Database,
    lease: &Lease,
    owners: &[Owner],
) -> Result<PageOutcome, StorageError> {
    let stored = load_owners(database).await?;
    let difference =
        Difference::between("owners", &stored, owners, |owner| &owner.id, |owner| owner.archived)?;
    if difference.is_empty() {
        return Ok(difference.outcome);
    }
    let failed = || StorageError::query("store the owners");
    let mut transaction = lease.begin(database).await?;
    for chunk in difference.changed.chunks(BATCH) {
        upsert(chunk).build().persistent(false).execute(&mut *transaction).await.map_err(failed())?;
    }
    for id in &difference.gone {
        let query = sqlx::query("UPDATE hubspot_owners SET archived = TRUE WHERE owner_id = ?").bind(id);
        query.execute(&mut *transaction).await.map_err(failed())?;
    }
    transaction.commit().await?;
    Ok(difference.outcome)
}

/// Every stored owner by id, archived ones too.
///
/// # Errors
/// When the database cannot be read.
pub async fn load_owners(database: &Database) -> Result<BTreeMap<String, Owner>, StorageError> {
    let rows = sqlx::query(
        "SELECT owner_id, email, first_name, last_name, kind, user_id, teams, archived, hubspot_created_at, \
         hubspot_updated_at FROM hubspot_owners",
    )
    .fetch_all(database.pool())
    .await;
    let to_owner = |row: &MySqlRow| {
        let owner = Owner {
            id: row.try_get::<i64, _>("owner_id")?.to_string(),
            email: row.try_get("email")?,
            first_name: row.try_get("first_name")?,
            last_name: row.try_get("last_name")?,
            kind: row.try_get("kind")?,
            user_id: row.try_get("user_id")?,
            teams: row.try_get("teams")?,
            archived: row.try_get("archived")?,
            created_at: row.try_get("hubspot_created_at")?,
            updated_at: row.try_get("hubspot_updated_at")?,
        };
        Ok((owner.id.clone(), owner))
    };
    rows.and_then(|rows| rows.iter().map(to_owner).collect()).map_err(StorageError::query("read the owners"))
}

/// One statement that writes the given owners.
fn upsert(owners: &[&Owner]) -> QueryBuilder<MySql> {
    let mut query = QueryBuilder::new(
        "INSERT INTO hubspot_owners (owner_id, email, first_name, last_name, kind, user_id, teams, archived, \
         hubspot_created_at, hubspot_updated_at) ",
    );
    query.push_values(owners, |mut row, owner| {
        row.push_bind(owner.id.clone())
            .push_bind(owner.email.clone())
            .push_bind(owner.first_name.clone())
            .push_bind(owner.last_name.clone())
            .push_bind(owner.kind.clone())
            .push_bind(owner.user_id)
            .push_bind(owner.teams.to_string())
            .push_bind(owner.archived)
            .push_bind(owner.created_at)
            .push_bind(owner.updated_at);
    });
    query.push(
        " ON DUPLICATE KEY UPDATE email = VALUES(email), first_name = VALUES(first_name), \
         last_name = VALUES(last_name), kind = VALUES(kind), user_id = VALUES(user_id), teams = VALUES(teams), \
         archived = VALUES(archived), hubspot_created_at = VALUES(hubspot_created_at), \
         hubspot_updated_at = VALUES(hubspot_updated_at)",
    );
    query
}
