//! `alerts`: what is wrong, and whether messages arrive.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Subcommand;

use super::print;
use super::status::ago;
use super::table::{cell, table};
use crate::alerts::{Courier, channels, test_message};
use crate::app::{advise, host_name};
use crate::clock;
use crate::config::{Config, Environment};
use crate::storage::{AlertRow, Database, load_alerts};

/// Arguments of `alerts`.
#[derive(Debug, Clone, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    /// Print the problems as a JSON list.
    #[arg(long)]
    json: bool,
}

/// What to do; without an action the problems are listed that last.
#[derive(Debug, Clone, Copy, Subcommand)]
enum Action {
    /// Send a message to every channel and say whether it was taken.
    Test,
}

/// Lists problems, or sends a test message.
pub(super) async fn main(environment: Environment, arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.action {
        None => list(environment, arguments.json).await,
        Some(Action::Test) => test(environment).await,
    }
}

/// Prints the problems that last.
async fn list(environment: Environment, json: bool) -> anyhow::Result<ExitCode> {
    let (database, _) = Config::read_without_hubspot(environment)?;
    let database = Database::new(&database)?;
    let mut alerts = load_alerts(&database).await.map_err(advise)?;
    alerts.retain(|alert| alert.ended_at.is_none());
    database.close().await;
    if json {
        print(serde_json::to_string_pretty(&alerts)?);
    } else if alerts.is_empty() {
        print("No problem is known.");
    } else {
        print(lines(&alerts, clock::now()));
    }
    Ok(ExitCode::SUCCESS)
}

/// One line a problem.
fn lines(alerts: &[AlertRow], now: DateTime<Utc>) -> String {
    let mut lines = table(["problem", "since", "text"]);
    for AlertRow { problem, since, text, .. } in alerts {
        lines.add_row([problem.to_string(), ago(now - *since), cell(text)]);
    }
    lines.to_string()
}

/// Sends a message to every channel that is switched on; exits 1 when one did not take it, or none is.
async fn test(environment: Environment) -> anyhow::Result<ExitCode> {
    let config = Config::read_alert(environment)?;
    let channels = channels(&config);
    if channels.is_empty() {
        print("Nobody would be told: neither ALERT_WEBHOOK_URL nor ALERT_EMAIL_TO is set.");
        return Ok(ExitCode::FAILURE);
    }
    let text = test_message(&host_name(), clock::now());
    let mut code = ExitCode::SUCCESS;
    for channel in channels {
        let sent = async { Courier::new(channel, &config)?.deliver(&text).await };
        match sent.await {
            Ok(()) => print(format_args!("ok       {:<8} took the test message", channel.word())),
            Err(error) => {
                print(format_args!("FAILED   {:<8} {error}", channel.word()));
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}
