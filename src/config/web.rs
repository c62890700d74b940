//! The HTTP server: where it listens, and who may use it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use argon2::password_hash::phc::PasswordHash;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::Environment;

/// Characters of a token. The least is that of 16 random bytes in hexadecimal, with room for shorter alphabets.
const TOKEN_LENGTH: std::ops::RangeInclusive<usize> = 24..=512;

/// What stands behind a token that may not write.
const READ_ONLY: &str = ":read";

/// What `PORT` says for no server.
const OFF: &str = "off";

/// Settings of the HTTP server.
#[derive(Debug, Clone)]
pub struct WebConfig {
    /// Where it listens; port 0 stands for any free one.
    pub address: SocketAddr,
    /// Who may use the API. Empty, on a loopback address only: programs of this machine.
    pub tokens: Vec<ApiToken>,
    /// What the password of the dashboard is checked against, in PHC form; `None`: nobody signs in.
    pub password_hash: Option<SecretString>,
}

/// A token of the API. Of its text only the digest is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// SHA-256 of the token.
    pub digest: [u8; 32],
    /// Whether it may write.
    pub may_write: bool,
}

/// Without the digest: a weak token could be guessed from it.
impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiToken").field("may_write", &self.may_write).finish_non_exhaustive()
    }
}

impl WebConfig {
    /// Reads `BIND_ADDRESS`, `PORT`, `API_TOKEN` and `DASHBOARD_PASSWORD_HASH`; `None` when the server is switched off.
    pub(super) fn read(env: &mut Environment) -> Option<Self> {
        let ip: IpAddr = match env.text("BIND_ADDRESS").parse() {
            Ok(ip) => ip,
            Err(_) => env.reject("BIND_ADDRESS", IpAddr::V4(Ipv4Addr::LOCALHOST)),
        };
        let port = match env.text("PORT").as_str() {
            OFF => None,
            text => Some(text.parse().unwrap_or_else(|_| env.reject("PORT", 0))),
        };
        let secret = env.secret("API_TOKEN", |text| tokens(text).is_some());
        let tokens = secret.as_ref().and_then(|text| tokens(text.expose_secret())).unwrap_or_default();
        // A secret that was given and is wrong is a problem of its own.
        if port.is_some() && !ip.is_loopback() && secret.is_none() {
            let reason = "is not set, but BIND_ADDRESS lets other machines in";
            env.reject_because("API_TOKEN", reason);
        }
        let password_hash = env.secret("DASHBOARD_PASSWORD_HASH", is_password_hash);
        Some(Self { address: SocketAddr::new(ip, port?), tokens, password_hash })
    }
}

/// Whether a password can be checked against it: a hash of Argon2 in PHC form.
fn is_password_hash(text: &str) -> bool {
    PasswordHash::new(text)
        .is_ok_and(|hash| hash.algorithm.as_str().starts_with("argon2") && hash.hash.is_some())
}

/// The tokens of a list with commas between them; `None` when one of them is none, or there are none.
fn tokens(text: &str) -> Option<Vec<ApiToken>> {
    let tokens: Option<Vec<_>> = text.split(',').map(|part| token(part.trim())).collect();
    tokens.filter(|tokens| !tokens.is_empty())
}

/// One token. Source for the characters: RFC 6750, section 2.1.
fn token(text: &str) -> Option<ApiToken> {
    let (token, may_write) = match text.strip_suffix(READ_ONLY) {
        Some(token) => (token, false),
        None => (text, true),
    };
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    let is_token = TOKEN_LENGTH.contains(&token.len()) && token.bytes().all(is_allowed);
    is_token.then(|| ApiToken { digest: Sha256::digest(token).into(), may_write })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef01234567";

    /// The settings, or what is wrong with them.
    fn read(pairs: &[(&str, &str)]) -> Result<Option<WebConfig>, String> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut environment = Environment::from_pairs(pairs);
        let config = WebConfig::read(&mut environment);
        environment.finish(config).map_err(|error| error.to_string())
    }

    #[test]
    fn by_default_it_listens_to_this_machine_alone() {
        let config = read(&[]).unwrap().unwrap();
        assert_eq!(config.address, "127.0.0.1:3001".parse().unwrap());
        assert!(config.tokens.is_empty());
    }

    #[test]
    fn it_can_be_switched_off() {
        assert!(read(&[("PORT", "off")]).unwrap().is_none());
        assert!(read(&[("PORT", "off"), ("BIND_ADDRESS", "0.0.0.0")]).unwrap().is_none());
        assert_eq!(read(&[("PORT", "0")]).unwrap().unwrap().address.port(), 0);
    }

    #[test]
    fn other_machines_are_not_let_in_without_a_token() {
        for address in ["0.0.0.0", "192.0.2.7", "::", "2001:db8::1"] {
            let error = read(&[("BIND_ADDRESS", address)]).unwrap_err();
            assert!(
                error.contains("API_TOKEN: is not set, but BIND_ADDRESS lets other machines in"),
                "{error}"
            );
            let config = read(&[("BIND_ADDRESS", address), ("API_TOKEN", TOKEN)]).unwrap().unwrap();
            assert_eq!(config.address.ip().to_string(), address);
        }
        for address in ["127.0.0.1", "127.0.0.2", "::1"] {
            assert!(read(&[("BIND_ADDRESS", address)]).is_ok(), "{address}");
        }
    }

    #[test]
    fn tokens_are_kept_as_digests_and_may_be_read_only() {
        let other = "x".repeat(512);
        let config = read(&[("API_TOKEN", &format!("{TOKEN}:read, {other}"))]).unwrap().unwrap();
        let digest = |text: &str| -> [u8; 32] { Sha256::digest(text).into() };
        let expected = [
            ApiToken { digest: digest(TOKEN), may_write: false },
            ApiToken { digest: digest(&other), may_write: true },
        ];
        assert_eq!(config.tokens, expected);
        assert!(!format!("{config:?}").contains("digest"), "{config:?}");
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_shown() {
        let long = "x".repeat(513);
        for text in
            ["short", &long, "0123456789 0123456789 012345", &format!("{TOKEN},"), &format!("{TOKEN}:write")]
        {
            let error = read(&[("API_TOKEN", text)]).unwrap_err();
            assert!(error.contains("API_TOKEN: is not valid; it must be tokens of 24"), "{error}");
            assert!(!error.contains(text), "{error}");
        }
    }
}
