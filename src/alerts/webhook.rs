//! Posting a message to an incoming webhook of a chat program.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::DeliveryError;
use super::message::cut;
use crate::storage::AlertText;

/// Longest wait for an answer; a chat program answers within a second.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Most characters Discord takes. Source: Discord, "Execute Webhook".
const DISCORD_MOST: usize = 2000;

/// Longest refusal that is shown, in bytes: Slack's are a word or two, and a page of HTML helps nobody.
const SHOWN_REFUSAL: usize = 80;

/// Whose webhook it is: they want the words in fields of different names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// Slack, which reads `<`, `>` and `&` as its own signs.
    Slack,
    /// Discord.
    Discord,
    /// Anybody else's; Slack's and Discord's field both, of which most take the one they know.
    Other,
}

/// A webhook. Its URL is a secret.
#[derive(Debug)]
pub(super) struct Webhook {
    http: Client,
    url: SecretString,
    dialect: Dialect,
}

impl Webhook {
    /// The webhook at `url`.
    ///
    /// # Errors
    /// When the URL is none, or there is no HTTP client.
    pub fn new(url: &SecretString) -> Result<Self, DeliveryError> {
        // Fails when a provider is installed already, which serves as well.
        rustls::crypto::ring::default_provider().install_default().ok();
        let parsed = Url::parse(url.expose_secret())
            .map_err(|_| DeliveryError("ALERT_WEBHOOK_URL is no URL".to_owned()))?;
        let http = Client::builder()
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            // A redirect could carry the message elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .https_only(parsed.scheme() == "https")
            .build()
            .map_err(|error| DeliveryError(describe(&error.without_url())))?;
        Ok(Self { http, url: url.clone(), dialect: Dialect::of(parsed.host_str().unwrap_or_default()) })
    }

    /// Posts a message.
    ///
    /// # Errors
    /// When it was not taken.
    pub async fn post(&self, text: &AlertText) -> Result<(), DeliveryError> {
        let body = self.dialect.body(text).to_string();
        let request = self.http.post(self.url.expose_secret()).header(CONTENT_TYPE, "application/json");
        let sent = request.body(body).send().await;
        let response = sent.map_err(|error| DeliveryError(describe(&error.without_url())))?;
        if response.status().is_success() { Ok(()) } else { Err(refusal(response).await) }
    }
}

impl Dialect {
    /// The dialect of a host.
    fn of(host: &str) -> Self {
        let is_of = |domain: &str| host == domain || host.ends_with(&format!(".{domain}"));
        if is_of("slack.com") || is_of("slack-gov.com") {
            Self::Slack
        } else if is_of("discord.com") || is_of("discordapp.com") {
            Self::Discord
        } else {
            Self::Other
        }
    }

    /// The body to post.
    fn body(self, AlertText { subject, body }: &AlertText) -> Value {
        let words = format!("{subject}\n{body}");
        match self {
            Self::Slack => json!({ "text": escaped(&words) }),
            // Without `parse` nobody is called by a name in the words.
            Self::Discord => {
                json!({ "content": cut(&words, DISCORD_MOST), "allowed_mentions": { "parse": [] } })
            }
            Self::Other => json!({ "text": words, "content": cut(&words, DISCORD_MOST) }),
        }
    }
}

/// The words with Slack's own signs escaped. Source: Slack, "Formatting text for app surfaces".
fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Why there is no answer.
fn describe(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the request failed"
    };
    format!("{what}: {cause}")
}

/// What an answer means that is not a success.
async fn refusal(response: Response) -> DeliveryError {
    let status = response.status();
    let advice = match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => "; there is no such webhook (any more): make a new one",
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "; the webhook is not accepted: is the URL complete?"
        }
        StatusCode::TOO_MANY_REQUESTS => "; too many messages",
        status if status.is_redirection() => "; redirects are not followed: take the URL it leads to",
        _ => "",
    };
    let words = response.text().await.unwrap_or_default();
    let words = if is_harmless(&words) { format!(" ({})", words.trim()) } else { String::new() };
    DeliveryError(format!("the webhook answered {}{words}{advice}", status.as_u16()))
}

/// Whether the words of a refusal can be shown: a few plain ones, which can hold neither a URL nor an address.
fn is_harmless(words: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'_' | b' ');
    let words = words.trim();
    !words.is_empty() && words.len() <= SHOWN_REFUSAL && words.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> AlertText {
        AlertText { subject: "subject".to_owned(), body: "<@everyone> & co".to_owned() }
    }

    #[test]
    fn each_chat_program_gets_the_words_in_its_own_field() {
        assert_eq!(
            Dialect::of("hooks.slack.com").body(&text()),
            json!({ "text": "subject\n&lt;@everyone&gt; &amp; co" })
        );
        assert_eq!(
            Dialect::of("discord.com").body(&text()),
            json!({ "content": "subject\n<@everyone> & co", "allowed_mentions": { "parse": [] } })
        );
        let words = "subject\n<@everyone> & co";
        for host in ["chat.example.test", "slack.com.example.test", "notdiscord.com"] {
            assert_eq!(Dialect::of(host).body(&text()), json!({ "text": words, "content": words }), "{host}");
        }
    }

    #[test]
    fn discord_gets_no_more_than_it_takes() {
        let long = AlertText { body: "x".repeat(5000), ..text() };
        let body = Dialect::Discord.body(&long);
        assert_eq!(body["content"].as_str().unwrap().chars().count(), DISCORD_MOST);
    }

    #[test]
    fn only_plain_words_of_a_refusal_are_shown() {
        for words in ["no_service", "invalid_token", "channel is archived\n"] {
            assert!(is_harmless(words), "{words}");
        }
        for words in ["", "<html>", "https://hooks.example.test/x", "a@example.test", &"x".repeat(100)] {
            assert!(!is_harmless(words), "{words}");
        }
    }
}
