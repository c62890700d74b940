//! Trying the address HubSpot sends to: a delivery of no events, signed as HubSpot signs, by the way HubSpot's take.

use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use reqwest::Client;
use reqwest::redirect::Policy;
use secrecy::ExposeSecret;

use super::PATH;
use super::signature::{Signed, sign};
use crate::checks::{Finding, Report, Verdict};
use crate::clock;
use crate::config::WebhookConfig;

/// Longest wait for the answer, the same as HubSpot's. Source: HubSpot, "Webhooks".
const TIMEOUT: Duration = Duration::from_secs(5);
/// A delivery that says nothing.
const NOTHING: &[u8] = b"[]";

/// What became of the delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Probe {
    /// Webhooks are not configured.
    Unused,
    /// The daemon took it, at this address.
    Taken(String),
    /// There is nothing to try, or nobody to try it with; why.
    Untried(String),
    /// HubSpot's would not be taken either; why, and what to do.
    Refused(String),
}

/// Whether HubSpot's webhooks would arrive.
pub async fn check_webhooks(config: &WebhookConfig, report: &mut Report<'_>) {
    let (verdict, text) = match probe(config).await {
        Probe::Unused => return,
        Probe::Taken(url) => (Verdict::Ok, format!("a signed delivery to {url} was taken")),
        Probe::Untried(why) => (Verdict::Warning, why),
        Probe::Refused(why) => (Verdict::Failed, why),
    };
    report.add(Finding::new(verdict, "webhooks", text));
}

/// Sends a delivery to the public address. It changes nothing, wherever it arrives.
async fn probe(config: &WebhookConfig) -> Probe {
    let (Some(secret), Some(base)) = (&config.signing_key, &config.public_url) else {
        return match (&config.signing_key, &config.public_url) {
            (None, None) => Probe::Unused,
            (None, Some(_)) => {
                Probe::Untried("HUBSPOT_WEBHOOK_SECRET is not set, so no webhooks are taken".to_owned())
            }
            (Some(_), _) => {
                Probe::Untried("the address was not tried, because PUBLIC_URL is not set".to_owned())
            }
        };
    };
    let url = format!("{base}{PATH}");
    // Fails when a provider is installed already, which serves as well.
    rustls::crypto::ring::default_provider().install_default().ok();
    let http = match Client::builder().timeout(TIMEOUT).redirect(Policy::none()).no_proxy().build() {
        Ok(http) => http,
        Err(error) => return Probe::Untried(format!("the address could not be tried: {error}")),
    };
    let timestamp = clock::now().timestamp_millis().to_string();
    let signed = Signed { method: Method::POST.as_str(), url: &url, body: NOTHING };
    let request = http
        .post(&url)
        .header(CONTENT_TYPE, "application/json")
        .header("x-hubspot-signature-v3", sign(secret.expose_secret(), signed, &timestamp))
        .header("x-hubspot-request-timestamp", &timestamp)
        .body(NOTHING);
    match request.send().await {
        Ok(response) => judge(url, response.status()),
        Err(error) => Probe::Untried(format!(
            "{url} does not answer from here ({}); start the daemon, and look at the proxy, its certificate and the firewall",
            cause(&error)
        )),
    }
}

/// What an answer says of HubSpot's deliveries.
fn judge(url: String, status: StatusCode) -> Probe {
    let refused = |why: &str| Probe::Refused(format!("{url} answers {}: {why}", status.as_u16()));
    match status {
        StatusCode::NO_CONTENT => Probe::Taken(url),
        StatusCode::UNAUTHORIZED => refused(
            "the signature does not fit; the proxy changes path or body, or the daemon runs with another \
             HUBSPOT_WEBHOOK_SECRET or PUBLIC_URL: restart it",
        ),
        StatusCode::SERVICE_UNAVAILABLE => {
            refused("the daemon runs without HUBSPOT_WEBHOOK_SECRET, or its database is away: restart it")
        }
        _ => refused(
            "this is not the daemon; let the proxy pass this path to it, with method and body unchanged",
        ),
    }
}

/// The innermost cause: the outer ones repeat the address.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_what_hubspot_would_meet() {
        let judged =
            |status: u16| judge("https://x.test/w".to_owned(), StatusCode::from_u16(status).unwrap());
        assert_eq!(judged(204), Probe::Taken("https://x.test/w".to_owned()));
        for (status, words) in
            [(401, "signature"), (503, "restart"), (404, "not the daemon"), (301, "not the daemon")]
        {
            let Probe::Refused(why) = judged(status) else { panic!("{status}") };
            assert!(why.contains(words) && why.contains(&status.to_string()), "{why}");
        }
    }
}
