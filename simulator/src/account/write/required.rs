//! Values a record must have. Source: HubSpot changelog, "CRM API Write Validation Enforcement"; HubSpot, "Using
//! object APIs", for what new deals need.

use crate::account::edit::GivenValues;
use crate::account::write::{Problem, Rules};
use crate::account::{Account, View};
use crate::object_type::Kind;

/// What a new deal needs.
const OF_A_DEAL: [&str; 3] = ["dealname", "dealstage", "pipeline"];

impl Account {
    /// The values that are not there and must be.
    pub(super) fn missing(
        &self,
        kind: Kind,
        view: Option<&View<'_>>,
        values: &GivenValues,
        rules: &Rules,
    ) -> Vec<Problem> {
        let is_there = |name: &str| match values.get(name) {
            Some(text) => text.is_some(),
            None => view
                .and_then(|view| view.named(self.catalogue(kind), name))
                .is_some_and(|text| !text.is_empty()),
        };
        let problem =
            |code, name: &str| Problem::new(name, code, format!("A value for {name} must be provided"));
        let mut missing = Vec::new();
        if view.is_none() {
            let needed = self.needed_on_create(kind, rules);
            let absent = needed.iter().filter(|name| !is_there(name));
            missing.extend(absent.map(|name| problem("MISSING_REQUIRED_PROPERTY", name)));
        }
        for condition in rules.conditions.iter().filter(|_| rules.binds) {
            let is_met = values.get(&condition.property).is_some_and(|text| {
                text.as_deref().is_some_and(|text| text.split(';').any(|one| one == condition.value))
            });
            let absent = condition.requires.iter().filter(|name| is_met && !is_there(name));
            missing.extend(absent.map(|name| problem("MISSING_CONDITIONAL_REQUIRED_PROPERTY", name)));
        }
        missing
    }

    /// The properties a new record needs.
    fn needed_on_create(&self, kind: Kind, rules: &Rules) -> Vec<String> {
        let mut needed =
            self.schema(kind).map(|kept| kept.schema.required_properties.clone()).unwrap_or_default();
        if rules.binds {
            if kind == Kind::DEAL {
                needed.extend(OF_A_DEAL.map(str::to_owned));
            }
            needed.extend(rules.required.iter().cloned());
        }
        needed.retain(|name| self.catalogue(kind).active(name).is_some());
        needed.sort_unstable();
        needed.dedup();
        needed
    }
}
