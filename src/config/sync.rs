//! What to mirror and when.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds};

use super::{Environment, PushConfig};
use crate::model::{OBJECT_TYPES, ObjectType, Selected};

/// Settings of the lanes and their schedule.
#[derive(Debug, Clone)]
pub struct SyncConfig {
    /// The account to mirror; another account's token is refused. `None`: the one the database was first used with.
    pub portal_id: Option<i64>,
    /// The object types to mirror, in configured order; custom ones are known by name only until their schema is read.
    pub objects: Vec<Selected>,
    /// Properties that get a typed column besides the default ones, by type name.
    pub columns: BTreeMap<String, Vec<String>>,
    /// When each type runs.
    pub schedule: Schedule,
    /// How far a window reaches back behind the watermark.
    pub overlap: Duration,
    /// How far a window stays behind now, because the search index trails the store.
    pub search_lag: Duration,
    /// Period of the delayed pass, and how far it trails behind now.
    pub delayed_pass: Duration,
    /// A watermark older than this is not trusted; a full listing replaces the search.
    pub max_watermark_age: Duration,
    /// The lanes beside the regular runs.
    pub upkeep: UpkeepConfig,
    /// The way of local edits to HubSpot.
    pub push: PushConfig,
    /// Whether webhooks are received.
    pub expects_webhooks: bool,
    /// How long polling finds changes that no webhook told of before webhooks count as silent; `None` where none are
    /// expected.
    pub webhooks_missed_after: Option<Duration>,
}

/// Settings of the lanes that find what modification dates do not show. A period of `None` turns its lane off.
#[derive(Debug, Clone, Copy)]
pub struct UpkeepConfig {
    /// How often the recycle bin is read.
    pub archive: Option<Duration>,
    /// Within which time every link between records is read again; off: links are not mirrored at all.
    pub associations: Option<Duration>,
    /// How often the mirror is compared with HubSpot.
    pub audit: Option<Duration>,
    /// More than this share of the live rows of a type is not marked as deleted without a person's word; above 0, at
    /// most 1.
    pub max_delete_share: f64,
}

/// When the types run.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// The period of every type without an expression of its own.
    pub interval: Duration,
    /// Cron expressions by type name, UTC.
    pub cron: BTreeMap<String, Cron>,
}

impl Schedule {
    /// How much time lies between two runs of the type after `now`.
    pub fn period(&self, name: &str, now: DateTime<Utc>) -> TimeDelta {
        let by_cron = |cron: &Cron| {
            let next = cron.find_next_occurrence(&now, false).ok()?;
            Some(cron.find_next_occurrence(&next, false).ok()? - next)
        };
        let interval = TimeDelta::seconds(self.interval.as_secs() as i64);
        self.cron.get(name).and_then(by_cron).unwrap_or(interval)
    }
}

/// MariaDB allows 64 characters in a column name; HubSpot's property names are lower-case words.
const MAX_COLUMN_NAME: usize = 64;

impl SyncConfig {
    /// Reads the `SYNC_` and `COLUMNS_` variables and those of the parts.
    pub(super) fn read(env: &mut Environment) -> Self {
        let minutes = |env: &mut Environment, name: &str, least: u64| {
            Duration::from_secs(60 * env.parsed(name, |n| (least..=1440).contains(n)))
        };
        let portal_id =
            env.given("HUBSPOT_PORTAL_ID").map(|_| env.parsed("HUBSPOT_PORTAL_ID", |id: &i64| *id > 0));
        let objects = read_objects(env);
        let cron = read_cron(env, &objects);
        Self {
            portal_id,
            columns: read_columns(env, &objects),
            push: PushConfig::read(env, &objects),
            objects,
            schedule: Schedule { interval: minutes(env, "SYNC_INTERVAL_MINUTES", 1), cron },
            overlap: minutes(env, "SYNC_OVERLAP_MINUTES", 0),
            search_lag: Duration::from_secs(env.parsed("SYNC_SEARCH_LAG_SECONDS", |n| *n <= 3600)),
            delayed_pass: minutes(env, "SYNC_DELAYED_PASS_MINUTES", 1),
            max_watermark_age: Duration::from_secs(
                86_400 * env.parsed::<u64>("SYNC_MAX_WATERMARK_AGE_DAYS", |n| (1..=365).contains(n)),
            ),
            upkeep: UpkeepConfig::read(env),
            expects_webhooks: false,
            webhooks_missed_after: None,
        }
    }

    /// Types that variables are set for and that are none of those mirrored; empty while there are custom objects whose
    /// names are not known yet. Of a standard type it is no mistake: it may just be switched off.
    pub fn settings_of_no_type(&self) -> Vec<&str> {
        if self.objects.iter().any(|selected| matches!(selected, Selected::Unread(_))) {
            return Vec::new();
        }
        let is_mirrored =
            |name: &str| Selected::known(&self.objects).iter().any(|object_type| object_type.name == name);
        let policies = self.push.conflict_policies.keys();
        let named = self.columns.keys().chain(self.schedule.cron.keys()).chain(policies).map(String::as_str);
        let mut strangers: Vec<_> =
            named.filter(|name| !is_mirrored(name) && ObjectType::named(name).is_none()).collect();
        strangers.sort_unstable();
        strangers.dedup();
        strangers
    }
}

impl UpkeepConfig {
    /// Reads the settings of the lanes.
    fn read(env: &mut Environment) -> Self {
        let period = |seconds: u64| (seconds > 0).then(|| Duration::from_secs(seconds));
        Self {
            archive: period(60 * env.parsed::<u64>("ARCHIVE_INTERVAL_MINUTES", |n| *n <= 1440)),
            associations: period(3_600 * env.parsed::<u64>("ASSOCIATION_MAX_AGE_HOURS", |n| *n <= 720)),
            audit: period(3_600 * env.parsed::<u64>("AUDIT_INTERVAL_HOURS", |n| *n <= 720)),
            max_delete_share: env.parsed("MAX_DELETE_SHARE", |share| *share > 0.0 && *share <= 1.0),
        }
    }
}

/// The parts of a comma-separated list.
pub(super) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// `SYNC_OBJECTS`, each type once.
fn read_objects(env: &mut Environment) -> Vec<Selected> {
    let mut objects = Vec::new();
    let text = env.text("SYNC_OBJECTS");
    for name in list(&text) {
        match Selected::named(name) {
            Some(selected) if !objects.contains(&selected) => objects.push(selected),
            Some(_) => {}
            None => {
                let known: Vec<_> = OBJECT_TYPES.iter().map(|known| known.name).collect();
                let reason = format!(
                    "`{name}` is not a known object type, known are {} and custom objects by type id, such as \
                     2-1234567, or fully qualified name, such as p123_cars",
                    known.join(", ")
                );
                env.reject_because("SYNC_OBJECTS", &reason);
            }
        }
    }
    if list(&text).next().is_none() {
        env.reject_because("SYNC_OBJECTS", "names no object type");
    }
    objects
}

/// Every variable that is set of those that begin with `family` and end with the name of a type: the type, the
/// variable, its value. Which names custom objects have is known later only.
pub(super) fn of_each_type(
    env: &mut Environment,
    family: &str,
    objects: &[Selected],
) -> Vec<(String, String, String)> {
    let standard = OBJECT_TYPES.iter().map(|known| known.name.to_owned());
    let names: Vec<_> = standard.chain(env.names_of_custom_types(family, objects)).collect();
    let given = names.into_iter().filter_map(|name| {
        let variable = format!("{family}{}", name.to_uppercase());
        env.given(&variable).map(|value| (name, variable, value))
    });
    given.collect()
}

/// `COLUMNS_<TYPE>` of every type.
fn read_columns(env: &mut Environment, objects: &[Selected]) -> BTreeMap<String, Vec<String>> {
    let mut columns = BTreeMap::new();
    for (object_type, variable, text) in of_each_type(env, "COLUMNS_", objects) {
        let (names, bad): (Vec<_>, Vec<_>) =
            list(&text).map(str::to_owned).partition(|name| is_column_name(name));
        for name in bad {
            let reason = format!("`{name}` is not a property name (letters, digits and _, at most 64)");
            env.reject_because(&variable, &reason);
        }
        columns.insert(object_type, names);
    }
    columns
}

/// Whether a property of this name can have a column of the same name.
fn is_column_name(name: &str) -> bool {
    name.len() <= MAX_COLUMN_NAME && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// `SYNC_CRON_<TYPE>` of every type.
fn read_cron(env: &mut Environment, objects: &[Selected]) -> BTreeMap<String, Cron> {
    let mut expressions = BTreeMap::new();
    for (object_type, variable, text) in of_each_type(env, "SYNC_CRON_", objects) {
        // Five fields as crontab writes them, or six with seconds first.
        match CronParser::builder().seconds(Seconds::Optional).build().parse(&text) {
            Ok(cron) => {
                expressions.insert(object_type, cron);
            }
            Err(error) => {
                let error = error.to_string();
                let error = error.trim_end_matches('.');
                env.reject_because(&variable, &format!("`{text}` is not a cron expression: {error}"));
            }
        }
    }
    expressions
}
