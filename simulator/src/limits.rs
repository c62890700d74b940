//! HubSpot's rate limits.
//!
//! Quotas, each with its own window and policy name. Source: HubSpot, "Usage guidelines", "Associate records".
//!
//! | Policy | Counts | Window |
//! | --- | --- | --- |
//! | `TEN_SECONDLY_ROLLING` | every authenticated request except searches, refused ones too | rolling 10 s |
//! | `SECONDLY` | searches | rolling 1 s |
//! | `DAILY` | everything | day of the account's time zone |
//!
//! Requests about associations are counted apart from all this, by policies of the first and third name.

use std::collections::VecDeque;

use chrono::{DateTime, TimeZone};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::settings::Settings;

/// Length of the general window.
pub const INTERVAL_MS: Millis = 10_000;

/// Length of the search window.
const SECOND_MS: Millis = 1_000;

/// The limit a request ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Policy {
    /// The general limit.
    TenSecondlyRolling,
    /// The search limit.
    Secondly,
    /// The daily limit.
    Daily,
}

impl Policy {
    /// The name in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TenSecondlyRolling => "TEN_SECONDLY_ROLLING",
            Self::Secondly => "SECONDLY",
            Self::Daily => "DAILY",
        }
    }

    /// How the message calls the limit.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::TenSecondlyRolling => "ten_secondly_rolling",
            Self::Secondly => "secondly",
            Self::Daily => "daily",
        }
    }
}

/// The quota a request is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    /// Everything but the others.
    General,
    /// Searches.
    Search,
    /// Associations.
    Association,
}

/// Requests in a rolling window.
#[derive(Debug)]
struct Window {
    /// Length.
    length_ms: Millis,
    /// When each counted request came, oldest first.
    moments: VecDeque<Millis>,
    /// Most requests ever in one window since the last reset.
    most: u64,
}

impl Window {
    /// An empty window.
    const fn new(length_ms: Millis) -> Self {
        Self { length_ms, moments: VecDeque::new(), most: 0 }
    }

    /// Counts a request and returns how many the window holds with it.
    fn count(&mut self, now: Millis) -> u64 {
        self.moments.push_back(now);
        self.used(now);
        self.most = self.most.max(self.moments.len() as u64);
        self.moments.len() as u64
    }

    /// How many requests the window ending now holds.
    fn used(&mut self, now: Millis) -> u64 {
        while self.moments.front().is_some_and(|&moment| moment <= now - self.length_ms) {
            self.moments.pop_front();
        }
        self.moments.len() as u64
    }
}

/// Everything that counts towards a limit.
#[derive(Debug)]
pub struct Limiter {
    /// Everything but searches.
    general: Window,
    /// Searches.
    search: Window,
    /// Requests about associations.
    association: Window,
    /// The account's time zone.
    zone: Tz,
    /// Requests of the present day, those about associations apart.
    today: u64,
    /// Requests about associations of the present day.
    associations_today: u64,
    /// When the present day ends.
    day_ends_at: Millis,
    /// Requests refused since the last reset.
    refused: u64,
}

/// What the rate-limit headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Requests the window allows.
    pub limit: u64,
    /// Requests left in the window.
    pub remaining: u64,
    /// Requests a day allows.
    pub daily_limit: u64,
    /// Requests left today.
    pub daily_remaining: u64,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may go on; a search has no headers.
    Admitted(Option<Usage>),
    /// It is refused; a search has no headers.
    Refused(Policy, Option<Usage>),
}

impl Limiter {
    /// A limiter that has seen nothing.
    pub const fn new(zone: Tz) -> Self {
        Self {
            general: Window::new(INTERVAL_MS),
            search: Window::new(SECOND_MS),
            association: Window::new(INTERVAL_MS),
            zone,
            today: 0,
            associations_today: 0,
            day_ends_at: 0,
            refused: 0,
        }
    }

    /// Counts a request and decides on it.
    pub fn admit(&mut self, quota: Quota, settings: &Settings, now: Millis) -> Admission {
        self.start_day(now);
        let (used, limit, policy) = match quota {
            Quota::General => {
                let used = self.general.count(now) + settings.other_apps_per_10_seconds;
                (used, settings.limit_per_10_seconds, Policy::TenSecondlyRolling)
            }
            Quota::Search => (self.search.count(now), settings.search_limit_per_second, Policy::Secondly),
            Quota::Association => {
                let used = self.association.count(now);
                (used, settings.association_limit_per_10_seconds, Policy::TenSecondlyRolling)
            }
        };
        let (today, daily_limit) = match quota {
            Quota::Association => (&mut self.associations_today, settings.association_daily_limit),
            Quota::General | Quota::Search => (&mut self.today, settings.daily_limit),
        };
        *today += 1;
        let refused_by =
            if *today > daily_limit { Some(Policy::Daily) } else { (used > limit).then_some(policy) };
        let usage = Usage {
            limit,
            remaining: limit.saturating_sub(used),
            daily_limit,
            daily_remaining: daily_limit.saturating_sub(*today),
        };
        match refused_by {
            Some(policy) if settings.limits_enabled => {
                self.refused += 1;
                Admission::Refused(policy, (quota != Quota::Search).then_some(usage))
            }
            _ => Admission::Admitted((quota != Quota::Search).then_some(usage)),
        }
    }

    /// Starts a new day when the old one is over.
    fn start_day(&mut self, now: Millis) {
        if now >= self.day_ends_at {
            self.today = 0;
            self.associations_today = 0;
            self.day_ends_at = next_midnight(self.zone, now);
        }
    }

    /// Requests counted today, and when the count starts anew.
    pub fn today(&mut self, now: Millis) -> (u64, Millis) {
        self.start_day(now);
        (self.today, self.day_ends_at)
    }

    /// Most counted requests in any ten seconds, most searches in any second, and requests refused.
    pub const fn extremes(&self) -> (u64, u64, u64) {
        (self.general.most, self.search.most, self.refused)
    }

    /// Most requests about associations in any ten seconds.
    pub const fn most_associations(&self) -> u64 {
        self.association.most
    }

    /// Forgets the extremes, not what the windows hold.
    pub const fn reset_extremes(&mut self) {
        self.general.most = 0;
        self.search.most = 0;
        self.association.most = 0;
        self.refused = 0;
    }
}

/// The next start of a day in a zone.
fn next_midnight(zone: Tz, now: Millis) -> Millis {
    const HOUR_MS: Millis = 3_600_000;
    let utc = DateTime::from_timestamp_millis(now).unwrap_or_default();
    let tomorrow = zone.from_utc_datetime(&utc.naive_utc()).date_naive() + chrono::Days::new(1);
    // Where midnight does not exist (clocks go forward over it), the day starts an hour later.
    (0..3)
        .find_map(|hour| zone.from_local_datetime(&tomorrow.and_hms_opt(hour, 0, 0)?).earliest())
        .map_or(now + 24 * HOUR_MS, |midnight| midnight.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn settings() -> Settings {
        Settings { limit_per_10_seconds: 3, ..Settings::new(&Config::default()) }
    }

    #[test]
    fn refused_requests_count_until_the_window_has_passed() {
        let mut limiter = Limiter::new(chrono_tz::UTC);
        let settings = settings();
        let refused = |limiter: &mut Limiter, now| {
            matches!(limiter.admit(Quota::General, &settings, now), Admission::Refused(..))
        };
        let answers: Vec<bool> =
            [0, 1, 2, 3, 9_999, 10_002, 20_003].iter().map(|&now| refused(&mut limiter, now)).collect();
        assert_eq!(answers, [false, false, false, true, true, false, false]);
        assert_eq!(limiter.extremes(), (5, 0, 2));
    }

    #[test]
    fn a_day_ends_at_midnight_of_the_zone_also_when_clocks_change() {
        let new_york = chrono_tz::America::New_York;
        // 2026-03-08T04:30:00Z is 23:30 of the day before; 2026-03-08T12:00:00Z is after the spring change.
        assert_eq!(next_midnight(new_york, 1_772_944_200_000), 1_772_946_000_000);
        assert_eq!(next_midnight(new_york, 1_772_971_200_000), 1_773_028_800_000);
    }
}
