//! Sessions: a random id in a signed cookie, and a row of `dashboard_sessions` that can be taken away.
//!
//! The key of the signature comes from the hash of the password, so whoever changes the password signs everybody out, and
//! nothing else has to be kept secret. Without the signature every invented cookie would cost a question to the database.

use axum::http::HeaderMap;
use axum_extra::extract::cookie::{Cookie, Key, SameSite, SignedCookieJar};
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256, Sha512};
use uuid::Uuid;

use crate::clock;
use crate::storage::{Database, StorageError, end_session, is_session, start_session};

/// Name of the cookie.
const COOKIE: &str = "hubspot-connector-session";
/// How long nobody has to give the password again.
const LIFETIME: TimeDelta = TimeDelta::days(7);

/// The key cookies are signed with.
#[derive(Clone)]
pub(super) struct SessionKey(Key);

impl SessionKey {
    /// The key that belongs to the hash of a password.
    pub(super) fn of(password_hash: &SecretString) -> Self {
        let mut mac = Hmac::<Sha512>::new_from_slice(b"hubspot-connector: sessions of the dashboard")
            .expect("a key has any length");
        mac.update(password_hash.expose_secret().as_bytes());
        Self(Key::from(&mac.finalize().into_bytes()))
    }

    /// The cookies of a request.
    fn jar(&self, headers: &HeaderMap) -> SignedCookieJar {
        SignedCookieJar::from_headers(headers, self.0.clone())
    }

    /// Signs somebody in: the cookies of the answer.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn begin(
        &self,
        database: &Database,
        headers: &HeaderMap,
    ) -> Result<SignedCookieJar, StorageError> {
        // Two of them, because each has 122 random bits.
        let id = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let now = clock::now();
        start_session(database, &digest(&id), now, now + LIFETIME).await?;
        let mut cookie = Cookie::new(COOKIE, id);
        cookie.set_path("/");
        cookie.set_http_only(true);
        cookie.set_same_site(SameSite::Strict);
        cookie.set_secure(is_https(headers));
        cookie.set_max_age(time::Duration::days(LIFETIME.num_days()));
        Ok(self.jar(headers).add(cookie))
    }

    /// Whether a request belongs to a session.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn is_begun(
        &self,
        database: &Database,
        headers: &HeaderMap,
    ) -> Result<bool, StorageError> {
        match self.jar(headers).get(COOKIE) {
            Some(cookie) => is_session(database, &digest(cookie.value()), clock::now()).await,
            None => Ok(false),
        }
    }

    /// Signs somebody out: the cookies of the answer.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn end(
        &self,
        database: &Database,
        headers: &HeaderMap,
    ) -> Result<SignedCookieJar, StorageError> {
        let jar = self.jar(headers);
        if let Some(cookie) = jar.get(COOKIE) {
            end_session(database, &digest(cookie.value())).await?;
        }
        Ok(jar.remove(Cookie::build(COOKIE).path("/")))
    }
}

/// What is stored of an id: it opens nothing.
fn digest(id: &str) -> [u8; 32] {
    Sha256::digest(id).into()
}

/// Whether a proxy says that the browser came over TLS; only then may the cookie ask for it.
fn is_https(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_password_has_another_key() {
        let key = |hash: &str| SessionKey::of(&SecretString::from(hash)).0;
        assert!(key("a") == key("a"));
        assert!(key("a") != key("b"));
    }

    #[test]
    fn a_cookie_asks_for_tls_where_there_is_tls() {
        let headers = |scheme: &str| {
            HeaderMap::from_iter([("x-forwarded-proto".parse().unwrap(), scheme.parse().unwrap())])
        };
        assert!(is_https(&headers("https")));
        assert!(!is_https(&headers("http")) && !is_https(&HeaderMap::new()));
    }
}
