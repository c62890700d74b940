//! How to reach MariaDB.

use std::net::IpAddr;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use url::Url;

use super::Environment;

/// Settings of the database connection.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    target: Target,
    tls: Option<MySqlSslMode>,
    tls_ca: Option<String>,
    /// Most connections to hold open.
    pub max_connections: u32,
    /// Whether tables are created and changed at start.
    pub migrate_on_start: bool,
}

/// Where the database is and who we are there.
#[derive(Debug, Clone)]
enum Target {
    Url(SecretString),
    Parts {
        host: String,
        port: u16,
        socket: Option<String>,
        user: String,
        password: Option<SecretString>,
        name: String,
    },
}

impl DatabaseConfig {
    /// Reads the `DB_` variables, or `DATABASE_URL` instead of them.
    pub(super) fn read(env: &mut Environment) -> Self {
        let target = match env.secret("DATABASE_URL", |url| MySqlConnectOptions::from_str(url).is_ok()) {
            Some(url) => Target::Url(url),
            None => Target::Parts {
                host: env.text("DB_HOST"),
                port: env.parsed("DB_PORT", |port| *port > 0),
                socket: env.given("DB_SOCKET"),
                user: env.text("DB_USER"),
                password: env.secret("DB_PASSWORD", |_| true),
                name: env.text("DB_NAME"),
            },
        };
        let tls = env.given("DB_TLS").and_then(|mode| {
            // sqlx also takes the words with a hyphen; one spelling is enough to document.
            match mode.parse() {
                Ok(mode) => Some(mode),
                Err(_) => env.reject("DB_TLS", None),
            }
        });
        Self {
            target,
            tls,
            tls_ca: env.given("DB_TLS_CA"),
            max_connections: env.parsed("DB_MAX_CONNECTIONS", |n| (2..=64).contains(n)),
            migrate_on_start: env.flag("MIGRATE_ON_START"),
        }
    }

    /// What sqlx needs to connect.
    ///
    /// # Errors
    /// When `DATABASE_URL` cannot be parsed, which reading the configuration has already ruled out.
    pub fn connect_options(&self) -> Result<MySqlConnectOptions, sqlx::Error> {
        let (options, default_tls, explicit_tls) = match &self.target {
            Target::Url(url) => {
                let options = MySqlConnectOptions::from_str(url.expose_secret())?;
                let tls = default_tls(options.get_socket().is_some(), options.get_host());
                (options, tls, names_tls(url.expose_secret()))
            }
            Target::Parts { host, port, socket, user, password, name } => {
                let mut options =
                    MySqlConnectOptions::new().host(host).port(*port).username(user).database(name);
                if let Some(password) = password {
                    options = options.password(password.expose_secret());
                }
                if let Some(socket) = socket {
                    options = options.socket(socket);
                }
                (options, default_tls(socket.is_some(), host), false)
            }
        };
        let mut options = match (self.tls, explicit_tls) {
            (Some(mode), _) => options.ssl_mode(mode),
            (None, true) => options,
            (None, false) => options.ssl_mode(default_tls),
        };
        if let Some(ca) = &self.tls_ca {
            options = options.ssl_ca(ca);
        }
        Ok(options)
    }
}

/// Whether a database URL says how to encrypt, in either spelling sqlx takes.
fn names_tls(url: &str) -> bool {
    let keys = ["ssl-mode", "sslmode"];
    Url::parse(url).is_ok_and(|url| url.query_pairs().any(|(key, _)| keys.contains(&&*key)))
}

/// The mode when none is asked for: what stays on this machine needs no proof of identity, and a socket no cipher.
fn default_tls(over_socket: bool, host: &str) -> MySqlSslMode {
    if over_socket {
        MySqlSslMode::Disabled
    } else if host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()) {
        MySqlSslMode::Preferred
    } else {
        MySqlSslMode::VerifyIdentity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mode of a connection set up by a URL alone.
    fn mode_of(url: &str) -> String {
        let pairs = [("DATABASE_URL".to_owned(), url.to_owned())];
        let config = DatabaseConfig::read(&mut Environment::from_pairs(pairs));
        format!("{:?}", config.connect_options().unwrap().get_ssl_mode())
    }

    #[test]
    fn a_mode_in_the_url_counts_in_both_spellings() {
        for key in ["ssl-mode", "sslmode", "ssl%2Dmode"] {
            let mode =
                |value| mode_of(&format!("mysql://u:p@db.example.test/n?charset=utf8mb4&{key}={value}"));
            assert_eq!(mode("required"), "Required", "{key}");
            assert_eq!(mode("preferred"), "Preferred", "{key}");
        }
    }

    #[test]
    fn no_other_part_of_the_url_turns_the_safe_default_off() {
        for url in [
            "mysql://u:p@db.example.test/n",
            "mysql://u:ssl-mode@db.example.test/n",
            "mysql://ssl-mode=disabled:p@db.example.test/sslmode",
            "mysql://u:p@db.example.test/n?charset=ssl-mode",
            "mysql://u:p@db.example.test/n?x=1#ssl-mode=disabled",
        ] {
            assert_eq!(mode_of(url), "VerifyIdentity", "{url}");
        }
    }

    #[test]
    fn only_what_leaves_the_machine_must_prove_its_identity() {
        let mode = |over_socket, host| format!("{:?}", default_tls(over_socket, host));
        assert_eq!(mode(true, "localhost"), "Disabled");
        assert_eq!(mode(false, "127.0.0.1"), "Preferred");
        assert_eq!(mode(false, "localhost"), "Preferred");
        assert_eq!(mode(false, "::1"), "Preferred");
        assert_eq!(mode(false, "db.example.test"), "VerifyIdentity");
        assert_eq!(mode(false, "10.0.0.5"), "VerifyIdentity");
    }
}
