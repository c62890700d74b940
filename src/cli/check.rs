//! `check`: a preflight that says in words what is wrong and what to do.

use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use super::{print, read_config};
use crate::checks::{Finding, Report, Verdict, check_database, check_hubspot};
use crate::config::Environment;
use crate::storage::Database;
use crate::web::webhooks::check_webhooks;

/// Runs every check; exits 1 when one failed.
pub(super) async fn main(environment: Environment) -> anyhow::Result<ExitCode> {
    let mut config = read_config(environment)?;
    let database = Database::new(&config.database)?;
    let mut has_failed = false;
    let mut take = |finding: Finding| {
        has_failed |= finding.verdict == Verdict::Failed;
        let Finding { verdict, subject, text } = finding;
        print(format_args!("{verdict:<8} {subject:<14} {text}"));
    };
    let report = &mut Report::to(&mut take);
    report.add(Finding::new(Verdict::Ok, "configuration", "every variable is valid"));
    check_database(&mut config, &database, report).await;
    database.close().await;
    check_hubspot(&mut config, &CancellationToken::new(), report).await;
    check_webhooks(&config.webhooks, report).await;
    let verdict = if has_failed { "Something has to be mended first, see above." } else { "Ready." };
    print(verdict);
    Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
