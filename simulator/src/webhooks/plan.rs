//! Which events go when, and how often: no order is kept, some come twice. Repeatable by its seed.

use serde_json::{Value, json};

use super::target::Target;
use crate::clock::Millis;
use crate::random::Draws;

/// Parts a share is drawn in.
const PARTS: u64 = 1_000_000;
/// Event ids lie below this: they are drawn, and not unique. Source: HubSpot, "Webhooks".
const EVENT_IDS: u64 = 1 << 31;

/// Events that wait.
#[derive(Debug)]
pub struct Plan {
    /// Events and when they are due.
    waiting: Vec<(Millis, Value)>,
    /// What everything is drawn from.
    draws: Draws,
}

impl Default for Plan {
    fn default() -> Self {
        Self::new(0)
    }
}

/// What was added to a [`Plan`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Added {
    /// Events, copies included.
    pub waiting: u64,
    /// Copies.
    pub duplicates: u64,
}

impl Plan {
    /// No events yet.
    pub const fn new(seed: u64) -> Self {
        Self { waiting: Vec::new(), draws: Draws::new(seed) }
    }

    /// Adds events that happen now, and copies of some.
    pub fn add(&mut self, target: &Target, events: Vec<Value>, now: Millis) -> Added {
        let before = self.waiting.len();
        let mut duplicates = 0;
        for mut event in events {
            event["eventId"] = json!(1 + self.draws.below(EVENT_IDS));
            if self.is_drawn(target.duplicate_rate) {
                duplicates += 1;
                let due = self.due(target, now);
                self.waiting.push((due, event.clone()));
            }
            let due = self.due(target, now);
            self.waiting.push((due, event));
        }
        Added { waiting: (self.waiting.len() - before) as u64, duplicates }
    }

    /// When an event that happens now is due.
    fn due(&mut self, target: &Target, now: Millis) -> Millis {
        now + (target.delay_ms + self.draws.below(target.jitter_ms + 1)) as Millis
    }

    /// Whether something with this likelihood comes to pass.
    pub fn is_drawn(&mut self, rate: f64) -> bool {
        rate > 0.0 && (self.draws.below(PARTS) as f64) < rate * PARTS as f64
    }

    /// A wait around `ms`: from half of it to half as much again.
    pub fn around(&mut self, ms: u64) -> u64 {
        ms / 2 + self.draws.below(ms + 1)
    }

    /// The batches that are due by now.
    pub fn take_due(&mut self, target: &Target, now: Millis) -> Vec<Vec<Value>> {
        let mut due: Vec<(Millis, Value)> = self.waiting.extract_if(.., |(at, _)| *at <= now).collect();
        due.sort_by_key(|(at, _)| *at);
        let events: Vec<Value> = due.into_iter().map(|(_, event)| event).collect();
        events.chunks(target.batch_size).map(<[Value]>::to_vec).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A target with these settings besides the usual ones.
    fn target(settings: Value) -> Target {
        let mut all = json!({"targetUrl": "http://127.0.0.1:1", "secret": "x"});
        let Value::Object(settings) = settings else { panic!("settings are an object") };
        all.as_object_mut().expect("an object").extend(settings);
        serde_json::from_value(all).expect("a target")
    }

    /// That many events, numbered.
    fn events(count: u64) -> Vec<Value> {
        (0..count).map(|number| json!({"objectId": number})).collect()
    }

    #[test]
    fn batches_hold_a_hundred_events_at_most_and_all_of_them() {
        let (mut plan, target) = (Plan::new(1), target(json!({})));
        plan.add(&target, events(250), 0);
        let sizes: Vec<usize> = plan.take_due(&target, 0).iter().map(Vec::len).collect();
        assert_eq!(sizes, [100, 100, 50]);
        assert!(plan.take_due(&target, 1_000).is_empty());
    }

    #[test]
    fn events_wait_and_change_places_and_some_come_twice() {
        let (mut plan, target) =
            (Plan::new(1), target(json!({"delayMs": 50, "jitterMs": 100, "duplicateRate": 0.5})));
        let added = plan.add(&target, events(1_000), 0);
        assert!((400..600).contains(&added.duplicates), "{added:?}");
        assert_eq!(added.waiting, 1_000 + added.duplicates);
        assert!(plan.take_due(&target, 49).is_empty());
        let sent: Vec<u64> = plan
            .take_due(&target, 150)
            .concat()
            .iter()
            .filter_map(|event| event["objectId"].as_u64())
            .collect();
        assert_eq!(sent.len() as u64, added.waiting);
        assert!(!sent.is_sorted());
    }
}
