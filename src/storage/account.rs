//! The account the database belongs to.

use sqlx::Row;

use super::{Database, StorageError};
use crate::model::Account;

/// Records the account on first contact and refreshes what is known of it later.
///
/// # Errors
/// [`StorageError::WrongAccount`] when the database already mirrors another account.
pub async fn bind_account(database: &Database, account: &Account) -> Result<(), StorageError> {
    if let Some(bound) = bound_account(database).await?.filter(|bound| *bound != account.portal_id) {
        return Err(StorageError::WrongAccount { bound, given: account.portal_id });
    }
    sqlx::query(
        "INSERT INTO hubspot_account (portal_id, account_type, time_zone, ui_domain, currency) \
         VALUES (?, ?, ?, ?, ?) \
         ON DUPLICATE KEY UPDATE account_type = VALUES(account_type), time_zone = VALUES(time_zone), \
             ui_domain = VALUES(ui_domain), currency = VALUES(currency)",
    )
    .bind(account.portal_id)
    .bind(&account.account_type)
    .bind(&account.time_zone)
    .bind(&account.ui_domain)
    .bind(&account.currency)
    .execute(database.pool())
    .await
    .map(|_| ())
    .map_err(StorageError::query("record the HubSpot account"))
}

/// The account the database belongs to; `None` before the first contact.
///
/// # Errors
/// When the database cannot be read.
pub async fn load_account(database: &Database) -> Result<Option<Account>, StorageError> {
    let failed = || StorageError::query("read hubspot_account");
    let query =
        sqlx::query("SELECT portal_id, account_type, time_zone, ui_domain, currency FROM hubspot_account");
    let Some(row) = query.fetch_optional(database.pool()).await.map_err(failed())? else { return Ok(None) };
    let read = || {
        Ok(Account {
            portal_id: row.try_get("portal_id")?,
            time_zone: row.try_get("time_zone")?,
            account_type: row.try_get("account_type")?,
            ui_domain: row.try_get("ui_domain")?,
            currency: row.try_get("currency")?,
        })
    };
    read().map(Some).map_err(failed())
}

/// The number of the account the database belongs to; `None` before the first contact.
///
/// # Errors
/// When the database cannot be read.
pub async fn bound_account(database: &Database) -> Result<Option<i64>, StorageError> {
    let found = sqlx::query_scalar("SELECT portal_id FROM hubspot_account").fetch_optional(database.pool());
    found.await.map_err(StorageError::query("read hubspot_account"))
}

/// The time zone of the account, in which its day begins; `None` before the first contact.
///
/// # Errors
/// When the database cannot be read.
pub async fn account_time_zone(database: &Database) -> Result<Option<String>, StorageError> {
    let zone =
        sqlx::query_scalar("SELECT time_zone FROM hubspot_account").fetch_optional(database.pool()).await;
    zone.map_err(StorageError::query("read hubspot_account"))
}
