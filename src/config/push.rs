//! What may be edited here, and how edits get to HubSpot.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use super::Environment;
use super::sync::{list, of_each_type};
use crate::model::{ObjectType, Policy, Selected};
use crate::retry::RetryPolicy;

/// Settings of the way from a local edit to HubSpot.
#[derive(Debug, Clone)]
pub struct PushConfig {
    /// The types whose rows may be edited, all of them mirrored; custom ones as they are configured. Empty: nothing
    /// may, and the mirror is read-only.
    pub writable: Vec<Selected>,
    /// Whether edits are sent; otherwise they wait.
    pub enabled: bool,
    /// Who wins a conflict, of types that are not in `conflict_policies`.
    pub conflict_policy: Policy,
    /// Who wins a conflict, by type name.
    pub conflict_policies: BTreeMap<String, Policy>,
    /// What becomes of a row deleted by SQL.
    pub sql_delete: SqlDelete,
    /// Most records written in an hour; `None`: no limit.
    pub max_per_hour: Option<NonZeroU32>,
    /// Most records put into the recycle bin in an hour; 0: none.
    pub max_deletes_per_hour: u32,
    /// How often an edit is sent and how long it waits in between.
    pub retry: RetryPolicy,
    /// Batches sent at the same time, 1 to 10.
    pub concurrency: usize,
}

/// What becomes of a row deleted by SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlDelete {
    /// The next audit brings it back.
    Restore,
    /// Its record goes to HubSpot's recycle bin.
    Archive,
}

/// What `WRITABLE_OBJECTS` says for no type at all.
const NONE: &str = "none";

impl PushConfig {
    /// Reads the variables; `objects` are the types to mirror.
    pub(super) fn read(env: &mut Environment, objects: &[Selected]) -> Self {
        Self {
            writable: read_writable(env, objects),
            enabled: env.flag("PUSH_ENABLED"),
            conflict_policy: env.parsed("CONFLICT_POLICY", |_| true),
            conflict_policies: read_policies(env, objects),
            sql_delete: match env.text("SQL_DELETE").as_str() {
                "archive" => SqlDelete::Archive,
                "restore" => SqlDelete::Restore,
                _ => env.reject("SQL_DELETE", SqlDelete::Restore),
            },
            max_per_hour: env.given("MAX_PUSH_PER_HOUR").and_then(|_| {
                NonZeroU32::new(env.parsed("MAX_PUSH_PER_HOUR", |n| (1..=10_000_000).contains(n)))
            }),
            max_deletes_per_hour: env.parsed("MAX_PUSH_DELETES_PER_HOUR", |n| *n <= 1_000_000),
            retry: read_retry(env),
            concurrency: env.parsed("PUSH_CONCURRENCY", |n| (1..=10).contains(n)),
        }
    }

    /// Whether rows of the type may be edited.
    pub fn is_writable(&self, object_type: &ObjectType) -> bool {
        self.writable.iter().any(|selected| object_type.is_called(&selected.to_string()))
    }

    /// Who wins a conflict of a property of the type, unless the property has a rule of its own.
    pub fn conflict_policy(&self, object_type: &ObjectType) -> Policy {
        self.conflict_policies.get(object_type.name).copied().unwrap_or(self.conflict_policy)
    }
}

/// `WRITABLE_OBJECTS`, each type once; the default without what is not mirrored.
fn read_writable(env: &mut Environment, objects: &[Selected]) -> Vec<Selected> {
    const NAME: &str = "WRITABLE_OBJECTS";
    let text = env.text(NAME);
    let mut writable = Vec::new();
    if text == NONE {
        return writable;
    }
    for name in list(&text) {
        match Selected::named(name).filter(|selected| objects.contains(selected)) {
            Some(selected) if writable.contains(&selected) => {}
            Some(selected) => writable.push(selected),
            None if env.given(NAME).is_some() => {
                env.reject_because(NAME, &format!("`{name}` is not in SYNC_OBJECTS"));
            }
            None => {}
        }
    }
    writable
}

/// `CONFLICT_POLICY_<TYPE>` of every type.
fn read_policies(env: &mut Environment, objects: &[Selected]) -> BTreeMap<String, Policy> {
    let mut policies = BTreeMap::new();
    for (object_type, variable, text) in of_each_type(env, "CONFLICT_POLICY_", objects) {
        match text.parse() {
            Ok(policy) => {
                policies.insert(object_type, policy);
            }
            Err(_) => env.reject(&variable, ()),
        }
    }
    policies
}

/// The `PUSH_RETRY_` variables and `PUSH_MAX_ATTEMPTS`.
fn read_retry(env: &mut Environment) -> RetryPolicy {
    let base = env.parsed::<u64>("PUSH_RETRY_BASE_SECONDS", |n| (1..=3600).contains(n));
    let cap = env.parsed::<u64>("PUSH_RETRY_CAP_SECONDS", |n| (1..=86_400).contains(n));
    if cap > 0 && cap < base {
        let reason = format!("`{cap}` is less than PUSH_RETRY_BASE_SECONDS");
        env.reject_because("PUSH_RETRY_CAP_SECONDS", &reason);
    }
    RetryPolicy {
        base: Duration::from_secs(base),
        cap: Duration::from_secs(cap),
        factor: 2.0,
        tries: env.parsed("PUSH_MAX_ATTEMPTS", |n| (1..=100).contains(n)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SyncConfig;

    /// The settings, or what is wrong with them.
    fn read(pairs: &[(&str, &str)]) -> Result<PushConfig, String> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut environment = Environment::from_pairs(pairs);
        let config = SyncConfig::read(&mut environment);
        environment.finish(config.push).map_err(|error| error.to_string())
    }

    /// The writable types, or what is wrong.
    fn writable(pairs: &[(&str, &str)]) -> Result<Vec<String>, String> {
        read(pairs).map(|config| config.writable.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_defaults_are_those_of_the_documents() {
        let config = read(&[]).unwrap();
        assert_eq!(writable(&[]).unwrap(), ["contacts", "companies"]);
        assert!(config.enabled && config.max_per_hour.is_none());
        assert_eq!((config.conflict_policy, config.sql_delete), (Policy::Ask, SqlDelete::Restore));
        assert_eq!((config.max_deletes_per_hour, config.concurrency), (100, 5));
        let retry =
            RetryPolicy { base: Duration::from_secs(1), factor: 2.0, cap: Duration::from_secs(32), tries: 5 };
        assert_eq!(config.retry, retry);
    }

    #[test]
    fn what_is_writable_is_mirrored() {
        assert_eq!(writable(&[("SYNC_OBJECTS", "companies,deals")]).unwrap(), ["companies"]);
        assert_eq!(writable(&[("SYNC_OBJECTS", "deals")]).unwrap(), Vec::<String>::new());
        assert_eq!(writable(&[("WRITABLE_OBJECTS", "none")]).unwrap(), Vec::<String>::new());
        assert_eq!(
            writable(&[("WRITABLE_OBJECTS", "deals,contacts, deals")]).unwrap(),
            ["deals", "contacts"]
        );
        let cars = [("SYNC_OBJECTS", "contacts,p1_cars"), ("WRITABLE_OBJECTS", "p1_cars")];
        assert_eq!(writable(&cars).unwrap(), ["p1_cars"]);
        for (given, wrong) in [("tickets", "tickets"), ("contacts,none", "none"), ("unicorns", "unicorns")] {
            let error = writable(&[("WRITABLE_OBJECTS", given)]).unwrap_err();
            assert!(error.contains(&format!("`{wrong}` is not in SYNC_OBJECTS; it must be ")), "{error}");
        }
        let config = read(&[("WRITABLE_OBJECTS", "contacts")]).unwrap();
        let is_writable = |name| config.is_writable(ObjectType::named(name).unwrap());
        assert!(is_writable("contacts") && !is_writable("companies"));
    }

    #[test]
    fn a_type_may_have_a_policy_of_its_own() {
        let config = read(&[("CONFLICT_POLICY", "local"), ("CONFLICT_POLICY_CONTACTS", "newest")]).unwrap();
        let policy = |name| config.conflict_policy(ObjectType::named(name).unwrap());
        assert_eq!((policy("contacts"), policy("companies")), (Policy::Newest, Policy::Local));
        for name in ["CONFLICT_POLICY", "CONFLICT_POLICY_DEALS"] {
            let error = read(&[(name, "mine")]).unwrap_err();
            assert!(
                error.contains(&format!("{name}: `mine` is not valid; it must be ask, newest")),
                "{error}"
            );
        }
        let error = read(&[("CONFLICT_POLICY_CONTACT", "ask")]).unwrap_err();
        assert!(error.contains("did you mean CONFLICT_POLICY_CONTACTS?"), "{error}");
    }

    #[test]
    fn limits_have_limits() {
        for (name, value) in [
            ("MAX_PUSH_PER_HOUR", "0"),
            ("MAX_PUSH_DELETES_PER_HOUR", "-1"),
            ("PUSH_MAX_ATTEMPTS", "0"),
            ("PUSH_RETRY_BASE_SECONDS", "0"),
            ("PUSH_RETRY_CAP_SECONDS", "0"),
            ("PUSH_CONCURRENCY", "11"),
            ("PUSH_ENABLED", "yes"),
            ("SQL_DELETE", "delete"),
        ] {
            assert!(read(&[(name, value)]).is_err(), "{name}={value}");
        }
        let error = read(&[("PUSH_RETRY_BASE_SECONDS", "33")]).unwrap_err();
        assert!(
            error.contains("PUSH_RETRY_CAP_SECONDS: `32` is less than PUSH_RETRY_BASE_SECONDS;"),
            "{error}"
        );
        let config = read(&[("MAX_PUSH_PER_HOUR", "7"), ("MAX_PUSH_DELETES_PER_HOUR", "0")]).unwrap();
        assert_eq!((config.max_per_hour, config.max_deletes_per_hour), (NonZeroU32::new(7), 0));
    }
}
