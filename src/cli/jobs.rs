//! `jobs`: what does not get through to HubSpot, and trying it again.

use std::process::ExitCode;

use anyhow::bail;
use chrono::{DateTime, Utc};
use clap::Subcommand;

use super::print;
use super::status::ahead;
use super::table::{cell, table};
use crate::app::{ACCOUNT_LEASE, advise};
use crate::clock;
use crate::config::{Config, Environment};
use crate::storage::{
    Chosen, Database, JobEntry, JobKind, JobState, dead_jobs, held_jobs, lease_holder, revive_jobs,
};

/// Arguments of `jobs`.
#[derive(Debug, Clone, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    listing: Listing,
}

/// What is listed, and how.
#[derive(Debug, Clone, clap::Args)]
struct Listing {
    /// Print the jobs as a JSON list.
    #[arg(long)]
    json: bool,
    /// How many of each kind to show at most.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

/// What to do; without an action the jobs are listed that failed or wait.
#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Have jobs done now, with all their tries, that failed or wait.
    Retry(Retry),
}

/// Which jobs to try again.
#[derive(Debug, Clone, clap::Args)]
#[group(required = true, multiple = false)]
struct Retry {
    /// Numbers of jobs.
    #[arg(value_name = "ID")]
    ids: Vec<i64>,
    /// Every job that failed or waits.
    #[arg(long)]
    all: bool,
}

/// Lists jobs or has them tried again.
pub(super) async fn main(environment: Environment, arguments: Arguments) -> anyhow::Result<ExitCode> {
    let (database, _) = Config::read_without_hubspot(environment)?;
    let database = Database::new(&database)?;
    match arguments.action {
        None => list(&database, &arguments.listing).await?,
        Some(Action::Retry(chosen)) => retry(&database, &chosen).await?,
    }
    database.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Prints the jobs that wait for a person, then those that are put off or will be tried again.
async fn list(database: &Database, listing: &Listing) -> anyhow::Result<()> {
    // One more than is shown tells whether there are more.
    let limit = listing.limit.saturating_add(1);
    let (mut jobs, mut is_cut) = (Vec::new(), false);
    for mut some in [
        dead_jobs(database, 0, limit).await.map_err(advise)?,
        held_jobs(database, 0, limit).await.map_err(advise)?,
    ] {
        is_cut |= some.len() > listing.limit as usize;
        some.truncate(listing.limit as usize);
        jobs.extend(some);
    }
    if listing.json {
        print(serde_json::to_string_pretty(&jobs)?);
        return Ok(());
    }
    if jobs.is_empty() {
        print("No job has failed or is held up.");
        return Ok(());
    }
    print(lines(&jobs, clock::now()));
    if is_cut {
        print(format_args!("There are more; --limit shows more than {} of each kind.", listing.limit));
    }
    if jobs.iter().any(|job| job.state == JobState::Dead) {
        print(
            "Those that failed wait for you: edit the record, or mend the cause, then `hubspot-connector jobs retry`.",
        );
    }
    Ok(())
}

/// One line a job.
fn lines(jobs: &[JobEntry], now: DateTime<Utc>) -> String {
    let mut lines = table(["id", "type", "what", "state", "tries", "next try", "why"]);
    for job in jobs {
        let what = match job.kind {
            JobKind::Push => format!("send row {}", job.record_id),
            JobKind::Deleted => format!("deleted row of {}", job.record_id),
        };
        let (state, next) = match job.state {
            JobState::Dead => ("failed", "never".to_owned()),
            _ if job.waiting.is_some() => ("put off", ahead(job.run_at - now)),
            _ => ("to be retried", ahead(job.run_at - now)),
        };
        let why = job.waiting.as_deref().or(job.last_error.as_deref()).unwrap_or_default();
        let (id, tries) = (job.id.to_string(), job.attempts.to_string());
        lines.add_row([id, job.object_type.clone(), what, state.to_owned(), tries, next, cell(why)]);
    }
    lines.to_string()
}

/// Makes the chosen jobs due.
async fn retry(database: &Database, chosen: &Retry) -> anyhow::Result<()> {
    let which = if chosen.all { Chosen::All } else { Chosen::Ids(&chosen.ids) };
    let revived = revive_jobs(database, which).await.map_err(advise)?;
    let wanted = chosen.ids.len();
    if revived == 0 && !chosen.all {
        bail!("none of these jobs has failed or waits; `hubspot-connector jobs` shows which do");
    }
    let when = match lease_holder(database, ACCOUNT_LEASE).await.map_err(advise)? {
        Some(_) => "the daemon does them now",
        None => "the daemon does them when it is started",
    };
    let of = if chosen.all { String::new() } else { format!(" of {wanted}") };
    print(format_args!("{revived}{of} job(s) will be tried again; {when}."));
    Ok(())
}
