//! Whom to tell of problems, and of which.

use std::net::IpAddr;
use std::time::Duration;

use lettre::message::Mailbox;
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use super::Environment;
use super::hubspot::is_safe_url;

/// Settings of the alerts.
#[derive(Debug, Clone)]
pub struct AlertConfig {
    /// Where messages are posted to; `None`: nowhere.
    pub webhook: Option<SecretString>,
    /// How messages are mailed; `None`: not at all.
    pub mail: Option<MailConfig>,
    /// Failed runs in a row that are a problem, at least 1.
    pub after_failures: u32,
    /// How much further than its schedule explains a type may be behind.
    pub lag: Duration,
    /// How long a problem must be gone until its end is told.
    pub quiet: Duration,
}

/// How messages are mailed.
#[derive(Debug, Clone)]
pub struct MailConfig {
    /// Who gets them; at least one.
    pub to: Vec<Mailbox>,
    /// Who sends them.
    pub from: Mailbox,
    /// Host of the mail server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub encryption: MailEncryption,
    /// User and password, where the server wants them.
    pub credentials: Option<(String, SecretString)>,
}

/// How the connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailEncryption {
    /// From the first byte on, `smtps://`.
    Tls,
    /// After `STARTTLS`, and not at all without it, `smtp://`.
    StartTls,
    /// None: `smtp://` to this machine.
    None,
}

/// Port of encrypted submission. Source: RFC 8314, section 7.3.
const SUBMISSIONS_PORT: u16 = 465;
/// Port of submission with `STARTTLS`. Source: RFC 6409, section 3.1.
const SUBMISSION_PORT: u16 = 587;
/// Port of a mail server on this machine. Source: RFC 5321, section 4.5.4.2.
const SMTP_PORT: u16 = 25;

impl AlertConfig {
    /// Reads the `ALERT_` variables.
    pub(super) fn read(env: &mut Environment) -> Self {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        Self {
            webhook: env.secret("ALERT_WEBHOOK_URL", is_webhook),
            mail: MailConfig::read(env),
            after_failures: env.parsed("ALERT_AFTER_FAILURES", |n| (1..=1000).contains(n)),
            lag: minutes(env.parsed("ALERT_LAG_MINUTES", |n| (1..=10_080).contains(n))),
            quiet: minutes(env.parsed("ALERT_QUIET_MINUTES", |n| *n <= 1440)),
        }
    }
}

impl MailConfig {
    /// Reads what belongs to mail; `None` without a recipient.
    fn read(env: &mut Environment) -> Option<Self> {
        let to = env.given("ALERT_EMAIL_TO").map(|list| mailboxes(&list));
        let from = env.given("ALERT_EMAIL_FROM").map(|address| address.parse().ok());
        let server = env.secret("ALERT_SMTP_URL", |url| Server::parse(url).is_some());
        if to == Some(None) {
            env.reject("ALERT_EMAIL_TO", ());
        }
        if from == Some(None) {
            env.reject("ALERT_EMAIL_FROM", ());
        }
        let to = to??;
        let from = from.unwrap_or_else(|| to.first().cloned())?;
        let local = Server::local();
        let Server { host, port, encryption, credentials } = match server {
            None => local,
            Some(url) => Server::parse(url.expose_secret()).unwrap_or(local),
        };
        Some(Self { to, from, host, port, encryption, credentials })
    }
}

/// The mail addresses of a list with commas; `None` when one is none, or there is none.
fn mailboxes(list: &str) -> Option<Vec<Mailbox>> {
    let addresses = list.split(',').map(str::trim).filter(|address| !address.is_empty());
    let addresses: Vec<Mailbox> = addresses.map(|address| address.parse().ok()).collect::<Option<_>>()?;
    (!addresses.is_empty()).then_some(addresses)
}

/// Whether messages may be posted there: encrypted, or never leaving this machine.
fn is_webhook(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.has_host()) && is_safe_url(url)
}

/// A mail server, as its URL names it.
struct Server {
    host: String,
    port: u16,
    encryption: MailEncryption,
    credentials: Option<(String, SecretString)>,
}

impl Server {
    /// The mail server of this machine.
    fn local() -> Self {
        let host = "localhost".to_owned();
        Self { host, port: SMTP_PORT, encryption: MailEncryption::None, credentials: None }
    }

    /// Reads `smtps://user:password@host:port` or the same with `smtp`; `None` when it is neither.
    fn parse(url: &str) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        let is_bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        // Of a scheme that is not the web's, the host is taken as it was written.
        let host = url.host_str().filter(|host| is_bare && !host.is_empty())?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let (encryption, default_port) = match url.scheme() {
            "smtps" => (MailEncryption::Tls, SUBMISSIONS_PORT),
            "smtp" if is_loopback(&host) => (MailEncryption::None, SMTP_PORT),
            "smtp" => (MailEncryption::StartTls, SUBMISSION_PORT),
            _ => return None,
        };
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) if !user.is_empty() => Some((decoded(user)?, decoded(password)?.into())),
            _ => return None,
        };
        Some(Self { host, port: url.port().unwrap_or(default_port), encryption, credentials })
    }
}

/// Whether what is sent to the host stays on this machine.
fn is_loopback(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => name == "localhost",
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(_)) => false,
        Err(_) => host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
    }
}

/// A part of a URL without its percent signs; `None` when they make no text.
fn decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Host, port, encryption, user and password of a URL.
    fn parts(url: &str) -> Option<(String, u16, MailEncryption, String)> {
        let Server { host, port, encryption, credentials } = Server::parse(url)?;
        let credentials = credentials.map(|(user, password)| format!("{user} {}", password.expose_secret()));
        Some((host, port, encryption, credentials.unwrap_or_default()))
    }

    #[test]
    fn a_mail_server_is_encrypted_unless_it_is_this_machine() {
        let expected = |host: &str, port, encryption, credentials: &str| {
            Some((host.to_owned(), port, encryption, credentials.to_owned()))
        };
        for (url, server) in [
            ("smtps://mail.example.test", expected("mail.example.test", 465, MailEncryption::Tls, "")),
            ("smtp://mail.example.test", expected("mail.example.test", 587, MailEncryption::StartTls, "")),
            ("smtp://10.0.0.2:25", expected("10.0.0.2", 25, MailEncryption::StartTls, "")),
            ("smtp://localhost", expected("localhost", 25, MailEncryption::None, "")),
            ("smtp://127.0.0.1:2525", expected("127.0.0.1", 2525, MailEncryption::None, "")),
            ("smtp://[::1]:2525/", expected("::1", 2525, MailEncryption::None, "")),
            (
                "smtps://me%40example.test:p%2Fw%25@mail.example.test:4650",
                expected("mail.example.test", 4650, MailEncryption::Tls, "me@example.test p/w%"),
            ),
        ] {
            assert_eq!(parts(url), server, "{url}");
        }
    }

    #[test]
    fn what_is_no_mail_server_is_refused() {
        for url in [
            "mail.example.test",
            "https://mail.example.test",
            "smtp://",
            "smtp://user@mail.example.test",
            "smtp://:password@mail.example.test",
            "smtp://user:%ff@mail.example.test",
            "smtp://user:%4@mail.example.test",
            "smtps://mail.example.test?tls=none",
            "smtps://mail.example.test/path",
        ] {
            assert_eq!(parts(url), None, "{url}");
        }
    }

    #[test]
    fn every_address_of_a_list_must_be_one() {
        let count = |list: &str| mailboxes(list).map(|found| found.len());
        assert_eq!(count("ops@example.test"), Some(1));
        assert_eq!(count("ops@example.test, On Call <oncall@example.test>,"), Some(2));
        for list in ["", ",", "ops", "ops@example.test,oncall", "ops@example.test\r\nBcc: x@example.test"] {
            assert_eq!(count(list), None, "{list}");
        }
    }
}
