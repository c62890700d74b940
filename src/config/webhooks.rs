//! How webhooks are received.

use std::time::Duration;

use secrecy::SecretString;

use super::Environment;

/// Settings of the receiver of webhooks.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// What HubSpot signs with: the client secret of the app; `None`: webhooks are not used.
    pub signing_key: Option<SecretString>,
    /// Scheme, host and path under which this server is reached from outside, without a trailing slash; `None`: the host
    /// a request names, over https.
    pub public_url: Option<String>,
    /// How long polling finds changes that nobody told of before webhooks count as silent; `None`: never.
    pub silence: Option<Duration>,
}

impl WebhookConfig {
    /// Reads the variables.
    pub(super) fn read(env: &mut Environment) -> Self {
        let public_url = env.given("PUBLIC_URL").map(|url| url.trim_end_matches('/').to_owned());
        if public_url.as_ref().is_some_and(|url| !is_public_url(url)) {
            env.reject("PUBLIC_URL", ());
        }
        let silence: u64 = env.parsed("HUBSPOT_WEBHOOK_SILENCE_MINUTES", |minutes| *minutes <= 10_080);
        Self {
            signing_key: env
                .secret("HUBSPOT_WEBHOOK_SECRET", |text| text.bytes().all(|byte| byte.is_ascii_graphic())),
            public_url,
            silence: (silence > 0).then(|| Duration::from_secs(60 * silence)),
        }
    }

    /// After how long webhooks that do not come are missed; `None` where none are expected.
    pub(super) fn missed_after(&self) -> Option<Duration> {
        self.signing_key.as_ref().and(self.silence)
    }
}

/// Whether it is an address others can be given: without query, fragment and credentials.
fn is_public_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The settings, or what is wrong with them.
    fn read(pairs: &[(&str, &str)]) -> Result<WebhookConfig, String> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut environment = Environment::from_pairs(pairs);
        let config = WebhookConfig::read(&mut environment);
        environment.finish(config).map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_secret_no_webhooks_are_missed() {
        let config = read(&[]).expect("nothing is needed");
        assert!(config.signing_key.is_none() && config.missed_after().is_none());
        let config = read(&[("HUBSPOT_WEBHOOK_SECRET", "s3cret")]).expect("valid");
        assert_eq!(config.missed_after(), Some(Duration::from_hours(1)));
        let config = read(&[("HUBSPOT_WEBHOOK_SECRET", "s3cret"), ("HUBSPOT_WEBHOOK_SILENCE_MINUTES", "0")]);
        assert_eq!(config.expect("valid").missed_after(), None);
    }

    #[test]
    fn a_public_url_is_one_others_can_call() {
        let config = read(&[("PUBLIC_URL", "https://sync.example.com/crm/")]).expect("valid");
        assert_eq!(config.public_url.as_deref(), Some("https://sync.example.com/crm"));
        for url in [
            "sync.example.com",
            "ftp://sync.example.com",
            "https://a:b@sync.example.com",
            "https://sync.example.com?a=b",
            "https://",
        ] {
            assert!(read(&[("PUBLIC_URL", url)]).is_err(), "{url}");
        }
    }
}
