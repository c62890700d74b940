//! Who may do what.
//!
//! | A request | May |
//! | --- | --- |
//! | shows a token | read, and write unless the token is read-only |
//! | shows none, and none is configured | both, when it comes from a program on this machine |
//! | comes from a page in somebody's browser, without a token | nothing: the page may be anybody's |
//!
//! The last is told by the `Host` header, which must name this machine (a page whose name leads here has its own), and for
//! writes by `Origin` and `Sec-Fetch-Site`, which browsers add and pages cannot change.
//!
//! A proxy makes everybody's requests look like this machine's. So without a token nothing is answered that says it was
//! passed on, and, because not every proxy says so, nothing at all where webhooks are received: HubSpot comes through one.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::App;
use super::error::ApiError;
use crate::config::ApiToken;

/// What a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Nothing: it tells nobody anything of value.
    Open,
    /// The right to read.
    Read,
    /// The right to write.
    Write,
}

/// Who asks: the digest of the token, or zeros for a program on this machine. Part of every request that is let in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller(pub(super) [u8; 32]);

impl App {
    /// Whether everybody at this machine may do everything: nothing is configured that keeps them out, or that lets others
    /// in.
    pub(super) fn is_open(&self) -> bool {
        let webhooks = &self.config.webhooks;
        let is_public = webhooks.public_url.is_some() || webhooks.signing_key.is_some();
        self.tokens.is_empty() && !is_public && self.password_hash().is_none()
    }

    /// What the password of the dashboard is checked against, where it has one.
    pub(super) fn password_hash(&self) -> Option<&SecretString> {
        self.config.web.as_ref()?.password_hash.as_ref()
    }

    /// Who asks, if they may.
    pub(super) fn authorise(&self, headers: &HeaderMap, access: Access) -> Result<Caller, ApiError> {
        if access == Access::Open {
            return Ok(Caller([0; 32]));
        }
        if self.is_open() {
            return Ok(Caller([0; 32]));
        }
        if self.tokens.is_empty() {
            let message = "Where webhooks are received or the dashboard has a password, others reach this server: set \
                           API_TOKEN to use the API";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "token_not_configured", message));
        }
        let shown = bearer(headers).ok_or_else(|| unauthorised("This route needs a bearer token"))?;
        let digest: [u8; 32] = Sha256::digest(shown).into();
        let may_write = find(&self.tokens, &digest).ok_or_else(|| unauthorised("The token is not known"))?;
        if access == Access::Write && !may_write {
            let message = "The token may read only";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "read_only_token", message));
        }
        Ok(Caller(digest))
    }
}

/// Whether the token of that digest may write; `None` when there is no such token. Takes the same time whichever token it
/// is, and however much of it is right.
fn find(tokens: &[ApiToken], digest: &[u8; 32]) -> Option<bool> {
    let (mut is_known, mut may_write) = (Choice::from(0), Choice::from(0));
    for token in tokens {
        let is_this = token.digest.ct_eq(digest);
        is_known |= is_this;
        may_write |= is_this & Choice::from(u8::from(token.may_write));
    }
    bool::from(is_known).then(|| may_write.into())
}

/// The token of an `Authorization` header.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The error of a request that shows no token that counts.
fn unauthorised(message: &str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
}

/// Headers by which proxies say for whom they ask.
const PASSED_ON: [&str; 5] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];

/// Refuses what does not come from this machine.
pub(super) fn expect_local(headers: &HeaderMap) -> Result<(), ApiError> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let is_passed_on = PASSED_ON.iter().any(|name| headers.contains_key(*name));
    if !is_passed_on && host.is_some_and(is_this_machine) {
        return Ok(());
    }
    let message = "Without API_TOKEN only requests to localhost, 127.0.0.1 or [::1] are answered, and none that a proxy \
                   passes on";
    Err(ApiError::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", message))
}

/// Lets through what comes from this machine, while nothing is configured for others.
pub(super) async fn expect_this_machine(State(app): State<App>, request: Request, next: Next) -> Response {
    match expect_local(request.headers()) {
        Err(error) if app.is_open() => error.into_response(),
        _ => next.run(request).await,
    }
}

/// Whether a `Host` header names this machine.
fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_loopback = |address: std::net::IpAddr| address.is_loopback();
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(is_loopback)
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn only_names_of_this_machine_are_taken_for_it() {
        for host in ["localhost", "LOCALHOST:3001", "127.0.0.1:3001", "127.1.2.3", "[::1]:3001", "[::1]"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in
            ["", "localhost.evil.example", "evil.example:3001", "10.0.0.1", "[::2]", "127.0.0.1.evil.example"]
        {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn a_token_is_found_by_its_digest_with_its_right() {
        let token = |text: &str, may_write| ApiToken { digest: Sha256::digest(text).into(), may_write };
        let tokens = [token("reader", false), token("writer", true)];
        let found = |text: &str| find(&tokens, &Sha256::digest(text).into());
        assert_eq!(found("reader"), Some(false));
        assert_eq!(found("writer"), Some(true));
        assert_eq!(found("stranger"), None);
        assert_eq!(find(&[], &[0; 32]), None);
    }

    #[test]
    fn only_a_bearer_token_is_read_from_the_header() {
        let read = |value: &str| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(read("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(read("bearer  abc ").as_deref(), Some("abc"));
        for value in ["abc", "Basic abc", "Bearer"] {
            assert_eq!(read(value), None, "{value}");
        }
    }
}
