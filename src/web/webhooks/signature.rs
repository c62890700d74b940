//! Whether a request is HubSpot's: a pure check of what it says against the secret only HubSpot and we know.
//!
//! | Version | Header | Signed |
//! | --- | --- | --- |
//! | v3 | `X-HubSpot-Signature-v3`, `X-HubSpot-Request-Timestamp` | method, URL, body and time |
//! | v2 | `X-HubSpot-Signature`, `X-HubSpot-Signature-Version: v2` | method, URL and body |
//! | v1 | `X-HubSpot-Signature` | body |
//!
//! A request with v3 is judged by v3 alone: who can take the header away needs no forged one. v1 and v2 have no time, so
//! what they sign may be sent again by anyone who has seen it; that costs one more read of a record and nothing else.
//!
//! Source: HubSpot, "Validating requests".

use axum::body::Bytes;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// How far the time of a request may be from now, in either direction.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// Length of a digest of SHA-256, which all signatures are.
const DIGEST_BYTES: usize = 32;

/// Escapes that are decoded in the URL before it is signed; all others stay. Source: HubSpot, "Validating requests".
const DECODED: &[(&str, char)] = &[
    ("3A", ':'),
    ("2F", '/'),
    ("3F", '?'),
    ("40", '@'),
    ("21", '!'),
    ("24", '$'),
    ("27", '\''),
    ("28", '('),
    ("29", ')'),
    ("2A", '*'),
    ("2C", ','),
    ("3B", ';'),
];

/// What is signed.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'r> {
    /// `POST`, for webhooks.
    pub method: &'r str,
    /// The URL HubSpot called, with its query.
    pub url: &'r str,
    /// The body as it arrived, byte by byte.
    pub body: &'r [u8],
}

/// What a request shows to be HubSpot's; `None` for a header it does not have.
#[derive(Debug, Clone, Copy, Default)]
pub struct Presented<'r> {
    /// `X-HubSpot-Signature-v3`.
    pub v3: Option<&'r str>,
    /// `X-HubSpot-Request-Timestamp`, in milliseconds since the epoch.
    pub timestamp: Option<&'r str>,
    /// `X-HubSpot-Signature`.
    pub old: Option<&'r str>,
    /// `X-HubSpot-Signature-Version`: which version the old signature is.
    pub old_version: Option<&'r str>,
}

/// Why a request is not believed to be HubSpot's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distrust {
    /// It shows no signature.
    Unsigned,
    /// Its time is missing, no time, or too far from now.
    Stale,
    /// The signature is that of something else, or made with another secret.
    Forged,
}

impl Presented<'_> {
    /// What can be told before the body is read: whether there is a signature that could be one, and a v3 one is fresh.
    ///
    /// # Errors
    /// Why the request is not believed, whatever its body.
    pub fn precheck(&self, now: DateTime<Utc>) -> Result<(), Distrust> {
        let could_be_one = match (self.v3, self.old) {
            (Some(v3), _) => {
                self.fresh_timestamp(now)?;
                BASE64_STANDARD.decode(v3).is_ok_and(|bytes| bytes.len() == DIGEST_BYTES)
            }
            (None, Some(old)) => {
                old.len() == 2 * DIGEST_BYTES && old.bytes().all(|byte| byte.is_ascii_hexdigit())
            }
            (None, None) => return Err(Distrust::Unsigned),
        };
        if could_be_one { Ok(()) } else { Err(Distrust::Forged) }
    }

    /// The time of the request, if it is near now.
    fn fresh_timestamp(&self, now: DateTime<Utc>) -> Result<&str, Distrust> {
        let text = self.timestamp.ok_or(Distrust::Stale)?;
        let at = text.parse().ok().and_then(DateTime::from_timestamp_millis).ok_or(Distrust::Stale)?;
        if (now - at).abs() <= TOLERANCE { Ok(text) } else { Err(Distrust::Stale) }
    }

    /// Checks the signature. Takes as long for a wrong one as for a right one.
    ///
    /// # Errors
    /// Why the request is not believed.
    pub fn verify(&self, secret: &str, signed: Signed<'_>, now: DateTime<Utc>) -> Result<(), Distrust> {
        let is_right = match (self.v3, self.old, self.old_version) {
            (Some(v3), ..) => is_v3(secret, signed, self.fresh_timestamp(now)?, v3),
            (None, Some(old), Some("v2")) => {
                let parts = [secret, signed.method, signed.url].map(str::as_bytes);
                is_digest(&[parts[0], parts[1], parts[2], signed.body], old)
            }
            (None, Some(old), _) => is_digest(&[secret.as_bytes(), signed.body], old),
            (None, None, _) => return Err(Distrust::Unsigned),
        };
        if is_right { Ok(()) } else { Err(Distrust::Forged) }
    }
}

/// Signs a request with v3, as HubSpot does at `timestamp`, in milliseconds since the epoch.
pub fn sign(secret: &str, signed: Signed<'_>, timestamp: &str) -> String {
    BASE64_STANDARD.encode(mac(secret, signed, timestamp).finalize().into_bytes())
}

/// Whether `given` is the v3 signature.
fn is_v3(secret: &str, signed: Signed<'_>, timestamp: &str, given: &str) -> bool {
    let Ok(given) = BASE64_STANDARD.decode(given) else { return false };
    mac(secret, signed, timestamp).verify_slice(&given).is_ok()
}

/// What v3 signs, as far as the signature.
fn mac(secret: &str, signed: Signed<'_>, timestamp: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(signed.method.as_bytes());
    mac.update(decoded(signed.url).as_bytes());
    mac.update(signed.body);
    mac.update(timestamp.as_bytes());
    mac
}

/// Whether `given` is the SHA-256 of the parts, in hexadecimal digits.
fn is_digest(parts: &[&[u8]], given: &str) -> bool {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
    }
    let expected = format!("{:x}", Bytes::copy_from_slice(&digest.finalize()));
    expected.as_bytes().ct_eq(given.to_ascii_lowercase().as_bytes()).into()
}

/// The URL as v3 signs it.
fn decoded(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    let mut rest = url;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let escape = rest.get(at + 1..at + 3);
        let known =
            escape.and_then(|code| DECODED.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)));
        if let Some((_, plain)) = known {
            out.push(*plain);
            rest = &rest[at + 3..];
        } else {
            out.push('%');
            rest = &rest[at + 1..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests;
