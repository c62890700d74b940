//! Who looks at passwords, and how many of them.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use crate::web::client::Client;
use crate::web::error::ApiError;

/// Attempts at a password in a row from one address; later ones at the pace of [`PAUSE`].
const ATTEMPTS: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// Time between two attempts from one address when more are made.
const PAUSE: Duration = Duration::from_secs(6);
/// Attempts in a row from all addresses nobody has signed in from; later ones one a second. Somebody may have many.
const ATTEMPTS_OF_STRANGERS: NonZeroU32 = NonZeroU32::new(100).unwrap();
/// Addresses that are remembered before those that have rested are forgotten.
const ADDRESSES: usize = 1_000;
/// Passwords checked at a time: each takes 19 MiB and a processor.
const CHECKS: usize = 2;
/// Longest password that is looked at, in bytes.
const LONGEST: usize = 1024;

/// Who checks passwords.
pub(super) struct Doorman {
    /// By address, so that whoever tries passwords from one keeps nobody else from signing in.
    attempts: DefaultKeyedRateLimiter<Client>,
    /// Of addresses nobody has signed in from: whoever tries passwords from many keeps out strangers alone.
    attempts_of_strangers: DefaultDirectRateLimiter,
    /// Where somebody has signed in from since the start.
    known: Mutex<HashSet<Client>>,
    /// When addresses that had rested were forgotten.
    forgotten_at: Mutex<Instant>,
    checks: Semaphore,
}

impl Default for Doorman {
    fn default() -> Self {
        let of_strangers = Quota::per_second(NonZeroU32::MIN).allow_burst(ATTEMPTS_OF_STRANGERS);
        Self {
            attempts: RateLimiter::keyed(Quota::with_period(PAUSE).expect("a pause").allow_burst(ATTEMPTS)),
            attempts_of_strangers: RateLimiter::direct(of_strangers),
            known: Mutex::default(),
            forgotten_at: Mutex::new(Instant::now()),
            checks: Semaphore::new(CHECKS),
        }
    }
}

impl Doorman {
    /// Whether another attempt may be made by that client.
    pub(super) fn is_patient(&self, client: Client) -> bool {
        self.forget();
        self.attempts.check_key(&client).is_ok()
            && (lock(&self.known).contains(&client) || self.attempts_of_strangers.check().is_ok())
    }

    /// Somebody has signed in from there.
    pub(super) fn remember(&self, client: Client) {
        let mut known = lock(&self.known);
        if known.len() >= ADDRESSES {
            known.clear();
        }
        known.insert(client);
    }

    /// Forgets addresses that have rested, now and then: it looks at each.
    fn forget(&self) {
        let mut forgotten_at = lock(&self.forgotten_at);
        if self.attempts.len() > ADDRESSES && forgotten_at.elapsed() > PAUSE {
            *forgotten_at = Instant::now();
            self.attempts.retain_recent();
        }
    }

    /// Whether that is the password.
    pub(super) async fn is_right(
        &self,
        password: SecretString,
        hash: SecretString,
    ) -> Result<bool, ApiError> {
        if password.expose_secret().len() > LONGEST {
            return Ok(false);
        }
        let _place = self.checks.acquire().await.map_err(|closed| ApiError::internal(closed.to_string()))?;
        let check = move || {
            let hash = PasswordHash::new(hash.expose_secret())?;
            Argon2::default().verify_password(password.expose_secret().as_bytes(), &hash)
        };
        let checked = tokio::task::spawn_blocking(check).await;
        Ok(checked.map_err(|panic| ApiError::internal(panic.to_string()))?.is_ok())
    }
}

/// The value behind a lock; nothing can panic while it is held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use axum::http::HeaderMap;

    use super::*;

    /// A client of its own for each number.
    fn client(number: u32) -> Client {
        Client::of(IpAddr::V4(Ipv4Addr::from_bits(0x2000_0000 + number)), &HeaderMap::new())
    }

    #[test]
    fn one_address_has_a_few_attempts() {
        let doorman = Doorman::default();
        assert!((0..ATTEMPTS.get()).all(|_| doorman.is_patient(client(1))));
        assert!(!doorman.is_patient(client(1)));
        assert!(doorman.is_patient(client(2)));
    }

    #[test]
    fn many_addresses_do_not_lock_out_one_that_is_known() {
        let doorman = Doorman::default();
        doorman.remember(client(0));
        for stranger in 1..=ATTEMPTS_OF_STRANGERS.get() {
            assert!(doorman.is_patient(client(stranger)), "{stranger}");
        }
        assert!(!doorman.is_patient(client(5_000)), "a stranger waits");
        assert!(doorman.is_patient(client(0)));
    }
}
