//! Configuration: read once from the environment, validated as a whole, every problem reported together.
//!
//! [`VARIABLES`] lists every variable there is; a test keeps `.env.example` and DEPLOYMENT.md equal to it.

mod alert;
mod database;
mod environment;
mod hubspot;
mod log;
mod push;
mod secret;
mod shown;
mod sync;
mod unknown;
mod variables;
mod web;
mod webhooks;

use std::fmt;

pub use alert::{AlertConfig, MailConfig, MailEncryption};
pub use database::DatabaseConfig;
pub use environment::{Environment, Problem};
pub use hubspot::HubSpotConfig;
pub use log::{LogConfig, LogFormat};
pub use push::{PushConfig, SqlDelete};
pub use secret::SecretSource;
pub use shown::{Setting, Shown};
pub use sync::{Schedule, SyncConfig, UpkeepConfig};
pub use variables::{VARIABLES, Variable};
pub use web::{ApiToken, WebConfig};
pub use webhooks::WebhookConfig;

/// Everything the daemon can be told.
#[derive(Debug, Clone)]
pub struct Config {
    /// How to reach HubSpot.
    pub hubspot: HubSpotConfig,
    /// How to reach MariaDB.
    pub database: DatabaseConfig,
    /// What to mirror and when.
    pub sync: SyncConfig,
    /// Whom to tell of problems.
    pub alert: AlertConfig,
    /// What the HTTP server is told; `None`: there is none.
    pub web: Option<WebConfig>,
    /// How webhooks are received.
    pub webhooks: WebhookConfig,
    /// All of it as it may be shown to people.
    pub settings: Vec<Setting>,
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
    /// Lists every variable that is missing or wrong, with the rule for its value and an example.
    pub fn read(mut env: Environment) -> Result<Self, ConfigError> {
        let mut config = Self {
            hubspot: HubSpotConfig::read(&mut env),
            database: DatabaseConfig::read(&mut env),
            sync: SyncConfig::read(&mut env),
            alert: AlertConfig::read(&mut env),
            web: WebConfig::read(&mut env),
            webhooks: WebhookConfig::read(&mut env),
            settings: env.settings(),
        };
        config.sync.expects_webhooks = config.webhooks.signing_key.is_some();
        config.sync.webhooks_missed_after = config.webhooks.missed_after();
        LogConfig::read(&mut env);
        env.finish(config)
    }

    /// The part that says whom to tell of problems.
    ///
    /// # Errors
    /// As [`Config::read`], for the alerts alone.
    pub fn read_alert(mut env: Environment) -> Result<AlertConfig, ConfigError> {
        let alert = AlertConfig::read(&mut env);
        env.finish(alert)
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
    use std::collections::BTreeSet;

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
            config.sync.objects.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["contacts", "companies", "deals"]
        );
    }

    #[test]
    fn every_problem_is_reported_at_once_with_its_name_and_an_example() {
        let mut environment = environment(&[
            ("DB_PORT", "many"),
            ("SYNC_INTERVAL_MINUTES", "0"),
            ("SYNC_OBJECTS", "contacts,unicorns"),
            ("COLUMNS_CONTACTS", "bad`name"),
            ("WRITABLE_OBJECTS", "deals"),
            ("CONFLICT_POLICY_CONTACTS", "mine"),
            ("SQL_DELETE", "forget"),
            ("SYNC_CRON_DEALS", "every now and then"),
            ("RATE_LIMIT_THRESHOLD", "1.5"),
            ("ALERT_WEBHOOK_URL", "hooks.example.test"),
            ("ALERT_EMAIL_TO", "somebody"),
            ("ALERT_EMAIL_FROM", "nobody"),
            ("ALERT_SMTP_URL", "http://mail.example.test"),
            ("ALERT_LAG_MINUTES", "0"),
            ("BIND_ADDRESS", "everywhere"),
            ("PORT", "70000"),
            ("API_TOKEN", "too-short"),
            ("LOG_FORMAT", "xml"),
            ("LOG_LEVEL", "loud"),
        ]);
        LogConfig::read(&mut environment); // as the commands do before they read the rest
        let ConfigError(problems) = Config::read(environment).expect_err("nothing here is right");
        let expected = [
            "HUBSPOT_ACCESS_TOKEN",
            "DB_PORT",
            "SYNC_INTERVAL_MINUTES",
            "SYNC_OBJECTS",
            "COLUMNS_CONTACTS",
            "WRITABLE_OBJECTS",
            "CONFLICT_POLICY_CONTACTS",
            "SQL_DELETE",
            "SYNC_CRON_DEALS",
            "RATE_LIMIT_THRESHOLD",
            "ALERT_WEBHOOK_URL",
            "ALERT_EMAIL_TO",
            "ALERT_EMAIL_FROM",
            "ALERT_SMTP_URL",
            "ALERT_LAG_MINUTES",
            "BIND_ADDRESS",
            "PORT",
            "API_TOKEN",
            "LOG_FORMAT",
            "LOG_LEVEL",
        ];
        let names: BTreeSet<_> = problems.iter().map(|problem| problem.name.as_str()).collect();
        assert_eq!(names, BTreeSet::from(expected));
        assert_eq!(problems.len(), expected.len(), "once each: {problems:?}");
        for problem in &problems {
            assert!(problem.message.contains("; it must be "), "{problem}");
            assert!(problem.message.contains(", for example `"), "{problem}");
        }
    }

    #[test]
    fn every_example_is_valid() {
        for variable in VARIABLES {
            for name in variable.names() {
                let directory = tempfile::tempdir().expect("a temporary directory");
                let file = directory.path().join("secret");
                std::fs::write(&file, variable.example).expect("a file in it");
                let is_file = variable.file_name().as_ref() == Some(&name);
                let value = if is_file { &file.to_string_lossy() } else { variable.example };
                let needed = ("HUBSPOT_API_KEY", "pat-x");
                let pairs = if variable.name == needed.0 { vec![] } else { vec![needed] };
                let result = Config::read(environment(&[pairs, vec![(name.as_str(), value)]].concat()));
                assert!(result.is_ok(), "{name}={value}: {result:?}");
            }
        }
    }

    #[test]
    fn no_object_type_is_too_few() {
        let error = Config::read(environment(&[("HUBSPOT_ACCESS_TOKEN", "pat-x"), ("SYNC_OBJECTS", ",")]))
            .expect_err("a mirror of nothing");
        assert!(error.to_string().contains("SYNC_OBJECTS: names no object type"), "{error}");
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
            ("ALERT_WEBHOOK_URL", "https://hooks.example.test/secret"),
            ("ALERT_EMAIL_TO", "ops@example.test"),
            ("ALERT_SMTP_URL", "smtps://ops:smtp-secret@mail.example.test"),
        ]))
        .expect("valid");
        assert!(!format!("{config:?}").contains("secret"));
    }
}
