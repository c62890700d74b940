//! Configuration: read once from the environment, validated as a whole, every problem reported together.
//!
//! [`VARIABLES`] lists every variable there is; a test keeps `.env.example` and DEPLOYMENT.md equal to it.

mod database;
mod environment;
mod hubspot;
mod sync;
mod variables;

use std::fmt;

pub use database::DatabaseConfig;
pub use environment::{Environment, Problem};
pub use hubspot::HubSpotConfig;
pub use sync::{Schedule, SyncConfig};
pub use variables::{VARIABLES, Variable};

/// Everything the daemon can be told.
#[derive(Debug, Clone)]
pub struct Config {
    /// How to reach HubSpot.
    pub hubspot: HubSpotConfig,
    /// How to reach MariaDB.
    pub database: DatabaseConfig,
    /// What to mirror and when.
    pub sync: SyncConfig,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One readable line an event.
    Text,
    /// One JSON object an event.
    Json,
}

/// What is logged; read before everything else so that other problems can be logged.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// Line format, `LOG_FORMAT`.
    pub format: LogFormat,
    /// Filter in the syntax of `tracing_subscriber::EnvFilter`, `LOG_LEVEL`.
    pub level: String,
}

impl LogConfig {
    /// Reads the `LOG_` variables.
    pub fn read(env: &mut Environment) -> Self {
        let format = match env.text("LOG_FORMAT").as_str() {
            "json" => LogFormat::Json,
            "text" => LogFormat::Text,
            _ => env.reject("LOG_FORMAT", LogFormat::Text),
        };
        Self { format, level: env.text("LOG_LEVEL") }
    }
}

/// The configuration cannot be used; every problem is named.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError(pub Vec<Problem>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has {} problem(s):", self.0.len())?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl Config {
    /// Reads and validates everything.
    ///
    /// # Errors
    /// Lists every variable that is missing or wrong, with the rule for its value.
    pub fn read(mut env: Environment) -> Result<Self, ConfigError> {
        let config = Self {
            hubspot: HubSpotConfig::read(&mut env),
            database: DatabaseConfig::read(&mut env),
            sync: SyncConfig::read(&mut env),
        };
        LogConfig::read(&mut env);
        env.finish(config)
    }

    /// The part the commands need that only look at the database.
    ///
    /// # Errors
    /// As [`Config::read`], for the database and the choice of objects alone.
    pub fn read_without_hubspot(mut env: Environment) -> Result<(DatabaseConfig, SyncConfig), ConfigError> {
        let parts = (DatabaseConfig::read(&mut env), SyncConfig::read(&mut env));
        env.finish(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::from_pairs(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn a_token_and_a_database_are_enough() {
        let config = Config::read(environment(&[("HUBSPOT_ACCESS_TOKEN", "pat-x"), ("DB_USER", "hubspot")]))
            .expect("the defaults fill the rest");
        assert_eq!(config.hubspot.base_url, "https://api.hubapi.com");
        assert_eq!(
            config.sync.objects.iter().map(|t| t.name).collect::<Vec<_>>(),
            ["contacts", "companies", "deals"]
        );
    }

    #[test]
    fn every_problem_is_reported_at_once_by_name() {
        let error = Config::read(environment(&[
            ("DB_PORT", "many"),
            ("SYNC_INTERVAL_MINUTES", "0"),
            ("SYNC_OBJECTS", "contacts,unicorns"),
            ("COLUMNS_CONTACTS", "bad`name"),
            ("SYNC_CRON_DEALS", "every now and then"),
            ("RATE_LIMIT_THRESHOLD", "1.5"),
            ("LOG_FORMAT", "xml"),
        ]))
        .expect_err("nothing here is right");
        let text = error.to_string();
        for name in [
            "HUBSPOT_ACCESS_TOKEN",
            "DB_PORT",
            "SYNC_INTERVAL_MINUTES",
            "SYNC_OBJECTS",
            "COLUMNS_CONTACTS",
            "SYNC_CRON_DEALS",
            "RATE_LIMIT_THRESHOLD",
            "LOG_FORMAT",
        ] {
            assert!(text.contains(name), "{name} is not named in: {text}");
        }
    }

    #[test]
    fn the_api_key_variable_is_an_alias_of_the_access_token() {
        use secrecy::ExposeSecret;
        let config = Config::read(environment(&[("HUBSPOT_API_KEY", "pat-y"), ("DB_USER", "hubspot")]))
            .expect("the alias is accepted");
        assert_eq!(config.hubspot.access_token.expose_secret(), "pat-y");
    }

    #[test]
    fn secrets_do_not_show_when_formatted() {
        let config = Config::read(environment(&[
            ("HUBSPOT_ACCESS_TOKEN", "pat-secret"),
            ("DB_USER", "hubspot"),
            ("DB_PASSWORD", "db-secret"),
        ]))
        .expect("valid");
        assert!(!format!("{config:?}").contains("secret"));
    }

    #[test]
    fn an_unknown_variable_of_ours_is_refused() {
        let error = Config::read(environment(&[
            ("HUBSPOT_ACCESS_TOKEN", "pat-x"),
            ("DB_USER", "hubspot"),
            ("SYNC_INTERVAL_MINUTE", "5"),
        ]))
        .expect_err("a misspelt variable would silently do nothing");
        assert!(error.to_string().contains("SYNC_INTERVAL_MINUTE"), "{error}");
    }
}
