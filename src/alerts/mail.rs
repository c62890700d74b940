//! Mailing a message.

use std::error::Error;
use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::ExposeSecret;

use super::DeliveryError;
use crate::config::{MailConfig, MailEncryption};
use crate::storage::AlertText;

/// Longest wait for one answer of the mail server.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Sends mail from one sender to the configured recipients.
#[derive(Debug)]
pub(super) struct Mailer {
    config: MailConfig,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Mailer {
    /// A mailer with these settings; the connection is made for each message.
    ///
    /// # Errors
    /// When encryption cannot be set up.
    pub fn new(config: &MailConfig) -> Result<Self, DeliveryError> {
        let tls = match config.encryption {
            MailEncryption::None => Tls::None,
            MailEncryption::StartTls => Tls::Required(tls_parameters(&config.host)?),
            MailEncryption::Tls => Tls::Wrapper(tls_parameters(&config.host)?),
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
            .port(config.port)
            .tls(tls)
            .timeout(Some(TIMEOUT));
        if let Some((user, password)) = &config.credentials {
            let password = password.expose_secret().to_owned();
            transport = transport.credentials(Credentials::new(user.clone(), password));
        }
        Ok(Self { config: config.clone(), transport: transport.build() })
    }

    /// Sends a message to every recipient at once.
    ///
    /// # Errors
    /// When the server does not take it for each of them.
    pub async fn send(&self, text: &AlertText) -> Result<(), DeliveryError> {
        let mut message = Message::builder().from(self.config.from.clone()).message_id(None);
        for recipient in &self.config.to {
            message = message.to(recipient.clone());
        }
        let message = message.subject(&text.subject).header(ContentType::TEXT_PLAIN).body(text.body.clone());
        let message = message.map_err(|error| DeliveryError(format!("the mail cannot be made: {error}")))?;
        let sent = self.transport.send(message).await;
        sent.map(|_| ()).map_err(|error| DeliveryError(describe(&error)))
    }
}

/// Encryption that proves the server to be `host`.
fn tls_parameters(host: &str) -> Result<TlsParameters, DeliveryError> {
    TlsParameters::new_rustls(host.to_owned())
        .map_err(|error| DeliveryError(format!("encryption cannot be set up: {}", describe(&error))))
}

/// Why the server did not take a mail.
fn describe(error: &lettre::transport::smtp::Error) -> String {
    let words = error.source().map(|cause| without_addresses(&cause.to_string())).unwrap_or_default();
    let words = if words.is_empty() { words } else { format!(": {words}") };
    match error.status().map(|code| code.to_string()) {
        Some(code) if code.starts_with("53") => {
            format!("the mail server wants other credentials ({code}){words}; see ALERT_SMTP_URL")
        }
        Some(code) => format!("the mail server refused the mail ({code}){words}"),
        None if error.is_timeout() => "the mail server did not answer in time".to_owned(),
        None if error.is_tls() => format!("no encrypted connection to the mail server{words}"),
        None => format!("the mail server cannot be used{words}"),
    }
}

/// The words without those that are mail addresses.
fn without_addresses(words: &str) -> String {
    let words = words.split_whitespace().map(|word| if word.contains('@') { "…" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_of_an_answer_is_shown() {
        assert_eq!(
            without_addresses("5.1.1 <ops@example.test>: Recipient address rejected:\r\nUser unknown"),
            "5.1.1 … Recipient address rejected: User unknown"
        );
    }
}
