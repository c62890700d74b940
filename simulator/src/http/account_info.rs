//! What account this is, whose token it is, and what was used today.
//!
//! Source: HubSpot, "Account information", "Private apps".

use chrono::{DateTime, Offset, TimeZone};
use serde::Deserialize;
use serde_json::json;

use crate::account::schemas::PORTAL_ID;
use crate::account::source::USER_ID;
use crate::generate::text::moment_text;
use crate::generate::world::FIRST_CREATED;
use crate::http::body;
use crate::http::reply::{ApiError, Reply};
use crate::scopes;
use crate::simulator::Simulator;

/// `GET /account-info/{version}/details`.
pub fn details(simulator: &Simulator) -> Reply {
    let zone = simulator.config.time_zone;
    let now = DateTime::from_timestamp_millis(simulator.clock.now()).unwrap_or_default();
    let offset_seconds = zone.offset_from_utc_datetime(&now.naive_utc()).fix().local_minus_utc();
    let sign = if offset_seconds < 0 { '-' } else { '+' };
    let minutes = offset_seconds.unsigned_abs() / 60;
    Reply::json(
        200,
        &json!({
            "portalId": PORTAL_ID,
            "accountType": "STANDARD",
            "timeZone": zone.name(),
            "companyCurrency": "USD",
            "additionalCurrencies": [],
            "utcOffset": format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60),
            "utcOffsetMilliseconds": i64::from(offset_seconds) * 1_000,
            "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "na1",
            "portalName": "Simulated account",
            "createdAt": FIRST_CREATED,
        }),
    )
}

/// `GET /account-info/{version}/api-usage/daily/private-apps`.
pub fn daily_usage(simulator: &Simulator) -> Reply {
    let now = simulator.clock.now();
    let (used, resets_at) = simulator.limiter().today(now);
    Reply::json(
        200,
        &json!({
            "results": [{
                "name": "private-apps-api-calls-daily",
                "usageLimit": simulator.settings().daily_limit,
                "currentUsage": used,
                "collectedAt": moment_text(now),
                "fetchStatus": "SUCCESS",
                "resetsAt": moment_text(resets_at),
            }],
        }),
    )
}

/// The body of a token introspection.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenRequest {
    /// The token asked about.
    token_key: String,
}

/// `POST /oauth/v2/private-apps/get/access-token-info`.
pub fn token_info(simulator: &Simulator, body: &[u8]) -> Result<Reply, ApiError> {
    let request: TokenRequest = body::parse(body)?;
    if request.token_key != simulator.config.token {
        return Err(ApiError::not_found());
    }
    let scopes = scopes::granted(&simulator.settings(), simulator.account().registry());
    Ok(Reply::json(
        200,
        &json!({ "userId": USER_ID, "hubId": PORTAL_ID, "appId": simulator.settings().app_id, "scopes": scopes }),
    ))
}
