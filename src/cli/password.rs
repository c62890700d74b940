//! `password`: makes the setting people sign in to the dashboard with.

use std::io::{IsTerminal, stdin};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use argon2::Argon2;
use argon2::password_hash::PasswordHasher;
use argon2::password_hash::phc::PasswordHash;

use super::print;

/// Fewest characters of a password.
const SHORTEST: usize = 12;

/// Asks for a password, twice on a terminal, and prints its hash as a line of the configuration.
///
/// # Errors
/// When it is too short, or not the same twice.
pub(super) fn main() -> anyhow::Result<ExitCode> {
    let password = if stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ").context("cannot read the password")?;
        let again = rpassword::prompt_password("The same again: ").context("cannot read the password")?;
        ensure!(password == again, "the two are not the same; nothing was made");
        password
    } else {
        let mut line = String::new();
        stdin().read_line(&mut line).context("cannot read the password from standard input")?;
        line.trim_end_matches(['\n', '\r']).to_owned()
    };
    if password.chars().count() < SHORTEST {
        bail!("a password has at least {SHORTEST} characters; nothing was made");
    }
    // In quotes, because files of settings give `$` a meaning.
    print(format_args!("DASHBOARD_PASSWORD_HASH='{}'", hash(&password)?));
    Ok(ExitCode::SUCCESS)
}

/// The hash, with a salt of its own.
fn hash(password: &str) -> anyhow::Result<PasswordHash> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|error| anyhow::anyhow!("cannot hash the password: {error}"))
}
