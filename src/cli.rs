//! The command line. Commands print to standard output, logs go to standard error, and the exit code tells:
//! 0 done, 1 failed, 2 wrong usage or wrong configuration.

mod alerts;
mod check;
mod conflicts;
mod deletes;
mod jobs;
mod migrate;
mod password;
mod progress;
mod push;
mod session;
mod status;
mod sync;
mod table;
mod verify;

use std::fmt;
use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing::{error, warn};

use crate::config::{Config, ConfigError, Environment, LogConfig};
use crate::lifecycle::Lifecycle;
use crate::{app, telemetry};

/// Exit code of a configuration that cannot be used, the same as clap's for wrong usage: restarting does not help.
const EXIT_CONFIG: u8 = 2;

/// Keeps a MariaDB database an exact, live copy of a HubSpot CRM.
///
/// Everything is configured through the environment or a `.env` file; DEPLOYMENT.md lists every variable.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

/// What to do; without a command the daemon runs.
#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Run the daemon: sync on schedule until told to stop (the default).
    Run,
    /// Sync once and exit; hands the request to a running daemon where there is one.
    Sync(sync::Arguments),
    /// Compare the mirror with HubSpot; exit with 1 if they differ.
    Verify(verify::Arguments),
    /// Show or confirm deletes that are too many to be believed.
    Deletes(deletes::Arguments),
    /// Show what does not get through to HubSpot, or try it again.
    Jobs(jobs::Arguments),
    /// Show what both sides changed and a person has to settle.
    Conflicts(conflicts::Arguments),
    /// Show what would be sent to HubSpot now.
    Push(push::Arguments),
    /// Show how far each type is.
    Status(status::Arguments),
    /// Show what is wrong, or send a test message to those who are told.
    Alerts(alerts::Arguments),
    /// Check database, token, scopes, limits and clocks, and say what to do.
    Check,
    /// Create and change tables, then exit.
    Migrate,
    /// Ask for a password and print the setting that lets people sign in to the dashboard with it.
    Password,
}

/// Prints a line to standard output. A reader that has gone, as in `… | head`, is no failure.
fn print(line: impl fmt::Display) {
    writeln!(stdout(), "{line}").ok();
}

/// Reads the whole configuration, for the commands that sync or check one. A setting that is not ours is named, because
/// who set it may believe that it does something.
fn read_config(environment: Environment) -> Result<Config, ConfigError> {
    let foreign = environment.foreign();
    if !foreign.is_empty() {
        warn!("Ignoring what is not a setting of hubspot-connector: {}", foreign.join(", "));
    }
    Config::read(environment)
}

/// Parses the arguments, runs the command and turns its result into an exit code.
pub async fn main() -> ExitCode {
    let command = Arguments::parse().command.unwrap_or(Command::Run);
    let mut environment = Environment::from_process();
    let log = LogConfig::read(&mut environment);
    let result = match command {
        Command::Sync(arguments) => sync::main(environment, log, arguments).await,
        command => {
            telemetry::start(&log, stderr);
            run(command, environment).await
        }
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            error!("{error:#}");
            if error.is::<ConfigError>() { ExitCode::from(EXIT_CONFIG) } else { ExitCode::FAILURE }
        }
    }
}

/// Runs every command but `sync`, which draws on the terminal and sets up its own log.
async fn run(command: Command, environment: Environment) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run | Command::Sync(_) => {
            let config = read_config(environment)?;
            let lifecycle = Lifecycle::default();
            lifecycle.listen_for_signals()?;
            app::run(config, lifecycle).await.map(|()| ExitCode::SUCCESS)
        }
        Command::Status(arguments) => status::main(environment, &arguments).await,
        Command::Verify(arguments) => verify::main(environment, &arguments).await,
        Command::Deletes(arguments) => deletes::main(environment, arguments).await,
        Command::Jobs(arguments) => jobs::main(environment, arguments).await,
        Command::Conflicts(arguments) => conflicts::main(environment, arguments).await,
        Command::Push(arguments) => push::main(environment, &arguments).await,
        Command::Alerts(arguments) => alerts::main(environment, arguments).await,
        Command::Check => check::main(environment).await,
        Command::Migrate => migrate::main(environment).await,
        Command::Password => password::main(),
    }
}
