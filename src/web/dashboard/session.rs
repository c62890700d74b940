//! Sessions: a random id in a signed cookie, and a row of `dashboard_sessions` that can be taken away.
//!
//! The key of the signature comes from the hash of the password, so whoever changes the password signs everybody out, and
//! nothing else has to be kept secret. Without the signature every invented cookie would cost a question to the database.
//!
//! Cookies know no ports: two daemons of one host would sign each other out if theirs had the same name.

use axum::http::HeaderMap;
use axum_extra::extract::cookie::{Cookie, Key, SameSite, SignedCookieJar};
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256, Sha512};
use uuid::Uuid;

use crate::clock;
use crate::storage::{Database, StorageError, end_session, is_session, start_session};
use crate::web::App;

/// How long nobody has to give the password again.
const LIFETIME: TimeDelta = TimeDelta::days(7);

/// The sessions of a server with a password.
pub(super) struct Sessions {
    /// The key cookies are signed with.
    key: Key,
    /// The name of the cookie.
    cookie: String,
}

impl Sessions {
    /// Those of this server; `None` without a password.
    pub(super) fn of(app: &App) -> Option<Self> {
        let port = app.config.web.as_ref().map_or(0, |web| web.address.port());
        app.password_hash().map(|password_hash| Self::with(password_hash, port))
    }

    /// Those of a server with the hash of that password at that port.
    fn with(password_hash: &SecretString, port: u16) -> Self {
        let mut mac = Hmac::<Sha512>::new_from_slice(b"hubspot-connector: sessions of the dashboard")
            .expect("a key has any length");
        mac.update(password_hash.expose_secret().as_bytes());
        let key = Key::from(&mac.finalize().into_bytes());
        Self { key, cookie: format!("hubspot-connector-{port}") }
    }

    /// The cookies of a request.
    fn jar(&self, headers: &HeaderMap) -> SignedCookieJar {
        SignedCookieJar::from_headers(headers, self.key.clone())
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
        let mut cookie = Cookie::new(self.cookie.clone(), id);
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
        match self.jar(headers).get(&self.cookie) {
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
        if let Some(cookie) = jar.get(&self.cookie) {
            end_session(database, &digest(cookie.value())).await?;
        }
        Ok(jar.remove(Cookie::build(self.cookie.clone()).path("/")))
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
        let key = |hash: &str| Sessions::with(&SecretString::from(hash), 3000).key;
        assert!(key("a") == key("a"));
        assert!(key("a") != key("b"));
    }

    #[test]
    fn servers_of_one_host_have_cookies_of_their_own() {
        let cookie = |port| Sessions::with(&SecretString::from("a"), port).cookie;
        assert_ne!(cookie(3000), cookie(3001));
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
