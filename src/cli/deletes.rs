//! `deletes`: what waits in `pending_deletes` for a person, and that person's word.

use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;
use serde_json::Value;

use super::print;
use crate::app::{ACCOUNT_LEASE, advise};
use crate::config::{Config, Environment};
use crate::storage::{Database, UpkeepLane, confirm_deletes, lease_holder, pending_deletes, request_lane};

/// Arguments of `deletes`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
}

/// What to do; without an action they are listed.
#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Show how many deletes wait, by type (the default).
    List,
    /// Let the daemon mark the rows of a type as deleted that wait now.
    Confirm {
        /// contacts, companies, deals, ...
        #[arg(value_name = "TYPE")]
        object_type: String,
    },
}

/// Lists or confirms.
pub(super) async fn main(environment: Environment, arguments: Arguments) -> anyhow::Result<ExitCode> {
    let (database, _) = Config::read_without_hubspot(environment)?;
    let database = Database::new(&database)?;
    match arguments.action.unwrap_or(Action::List) {
        Action::List => list(&database).await?,
        Action::Confirm { object_type } => confirm(&database, &object_type).await?,
    }
    database.close().await;
    Ok(ExitCode::SUCCESS)
}

/// One line a type.
async fn list(database: &Database) -> anyhow::Result<()> {
    let waiting = pending_deletes(database).await.map_err(advise)?;
    if waiting.is_empty() {
        print("No delete waits for a person. Those that a pass under way has found show when it is done.");
    }
    for (object_type, count) in waiting {
        print(format_args!(
            "{object_type}: {count} row(s) wait to be marked as deleted; see table pending_deletes, then \
             `hubspot-connector deletes confirm {object_type}`"
        ));
    }
    Ok(())
}

/// Confirms, and has the daemon act on it at once.
async fn confirm(database: &Database, object_type: &str) -> anyhow::Result<()> {
    let confirmed = confirm_deletes(database, object_type).await.map_err(advise)?;
    if confirmed == 0 {
        bail!("no delete of {object_type} waits; `hubspot-connector deletes` shows what does");
    }
    request_lane(database, object_type, UpkeepLane::Archive, &Value::Null).await.map_err(advise)?;
    let when = match lease_holder(database, ACCOUNT_LEASE).await.map_err(advise)? {
        Some(_) => "the daemon applies them now",
        None => "the daemon applies them when it is started",
    };
    print(format_args!("{confirmed} delete(s) of {object_type} confirmed; {when}."));
    Ok(())
}
