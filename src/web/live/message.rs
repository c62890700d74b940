//! What is told to clients, as JSON with a `type`.

use axum::extract::ws::Utf8Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::hubspot::{DailySnapshot, LimiterSnapshot, Pause, QuotaSnapshot};
use crate::sync::{ConflictNews, Event, RecordName};

/// What is told. Never a value of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
#[schema(as = LiveEvent)]
pub(super) enum Message {
    /// The first message of a connection: what was told before it is not told again.
    Hello {
        /// The part the process plays: `leading` or `standby`.
        role: &'static str,
    },
    /// The process plays another part.
    RoleChanged {
        /// Which.
        role: &'static str,
    },
    /// A lane of a run began.
    RunStarted { subject: String, lane: String },
    /// A run goes on; at most once a second for each subject.
    RunProgress {
        subject: String,
        /// Records done so far.
        done: u64,
        /// Records to expect; null when nobody knows.
        total: Option<u64>,
    },
    /// A lane of a run ended.
    RunFinished {
        subject: String,
        lane: String,
        /// False when it failed or was stopped; why stands in the status.
        succeeded: bool,
        inserted: u64,
        updated: u64,
        unchanged: u64,
        deleted: u64,
        quarantined: u64,
    },
    /// Rows of a type have changed.
    RecordsChanged {
        object_type: &'static str,
        count: u64,
        /// Some of them, as they are named in paths of the API.
        ids: Vec<String>,
    },
    /// Links of records were read again.
    LinksRead {
        object_type: &'static str,
        count: u64,
        /// Some of them.
        ids: Vec<String>,
    },
    /// Both sides changed a record.
    ConflictOpened { object_type: String, conflict_id: i64 },
    /// A conflict is about something else now.
    ConflictUpdated { object_type: String, conflict_id: i64 },
    /// A conflict is settled.
    ConflictClosed { object_type: String, conflict_id: i64 },
    /// HubSpot has taken edits.
    EditsPushed { object_type: &'static str, count: u64 },
    /// Edits wait for a person.
    EditsFailed { object_type: &'static str, count: u64 },
    /// Edits that had failed are sent again.
    EditsRetried { count: u64 },
    /// The limits of HubSpot's requests; at most once a second.
    Limiter(Limits),
    /// Something was missed: look at everything again.
    Resync {
        /// `too_slow`: this client was; `elsewhere`: another process has done something; `missed`: this one lost count.
        reason: &'static str,
    },
}

/// How much of HubSpot's limits is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LiveLimits)]
pub(super) struct Limits {
    burst: Quota,
    search: Quota,
    associations: Quota,
    daily: Daily,
    daily_associations: Daily,
}

/// A limit per some seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LiveQuota)]
struct Quota {
    used: usize,
    capacity: usize,
    waiting: usize,
    paused_until: Option<DateTime<Utc>>,
}

/// A limit per day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LiveDaily)]
struct Daily {
    limit: Option<u64>,
    remaining: Option<u64>,
    paused_until: Option<DateTime<Utc>>,
}

/// A message with its number.
#[derive(Serialize, ToSchema)]
#[schema(as = LiveMessage)]
pub(super) struct Numbered<'m> {
    /// Rises by one with each message.
    sequence: u64,
    #[serde(flatten)]
    message: &'m Message,
}

impl Message {
    /// The text that is sent.
    pub(super) fn text(&self, sequence: u64) -> Utf8Bytes {
        let text = serde_json::to_string(&Numbered { sequence, message: self });
        text.expect("names and numbers can be written as JSON").into()
    }

    /// What is told of an event.
    pub(super) fn of(event: Event) -> Vec<Self> {
        vec![match event {
            Event::Started { subject, lane } => {
                Self::RunStarted { subject: subject.to_string(), lane: lane.to_string() }
            }
            Event::Progress { subject, done, total } => {
                Self::RunProgress { subject: subject.to_string(), done, total }
            }
            Event::Finished { subject, lane, counts, error } => {
                let rows = counts.outcome;
                Self::RunFinished {
                    subject: subject.to_string(),
                    lane: lane.to_string(),
                    // Why not may quote what HubSpot said.
                    succeeded: error.is_none(),
                    inserted: rows.inserted,
                    updated: rows.updated,
                    unchanged: rows.unchanged,
                    deleted: rows.deleted,
                    quarantined: rows.quarantined,
                }
            }
            Event::Changed { object_type, count, records } => {
                Self::RecordsChanged { object_type: object_type.name, count, ids: names(&records) }
            }
            Event::Linked { object_type, count, records } => {
                Self::LinksRead { object_type: object_type.name, count, ids: names(&records) }
            }
            Event::Conflict { object_type, id: conflict_id, step } => match step {
                ConflictNews::Opened => Self::ConflictOpened { object_type, conflict_id },
                ConflictNews::Updated => Self::ConflictUpdated { object_type, conflict_id },
                ConflictNews::Closed => Self::ConflictClosed { object_type, conflict_id },
            },
            Event::Pushed { object_type, sent, failed } => {
                let object_type = object_type.name;
                let pushed = (sent > 0).then_some(Self::EditsPushed { object_type, count: sent });
                let failed = (failed > 0).then_some(Self::EditsFailed { object_type, count: failed });
                return pushed.into_iter().chain(failed).collect();
            }
            Event::Retried { count } => Self::EditsRetried { count },
        }]
    }
}

/// Records as the API names them.
fn names(records: &[RecordName]) -> Vec<String> {
    records.iter().map(ToString::to_string).collect()
}

impl From<LimiterSnapshot> for Limits {
    fn from(limits: LimiterSnapshot) -> Self {
        Self {
            burst: limits.burst.into(),
            search: limits.search.into(),
            associations: limits.associations.into(),
            daily: limits.daily.into(),
            daily_associations: limits.daily_associations.into(),
        }
    }
}

impl From<QuotaSnapshot> for Quota {
    fn from(quota: QuotaSnapshot) -> Self {
        let QuotaSnapshot { used, capacity, waiting, paused, .. } = quota;
        Self { used, capacity, waiting, paused_until: paused.map(end) }
    }
}

impl From<DailySnapshot> for Daily {
    fn from(quota: DailySnapshot) -> Self {
        let DailySnapshot { limit, remaining, paused, .. } = quota;
        Self { limit, remaining, paused_until: paused.map(end) }
    }
}

/// When a pause ends.
fn end(pause: Pause) -> DateTime<Utc> {
    pause.until
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::{ObjectId, ObjectType};
    use crate::storage::{Lane, PageOutcome, RunCounts};
    use crate::sync::Subject;

    /// What is told of an event, with the number 7.
    fn told(event: Event) -> Vec<Value> {
        let messages = Message::of(event);
        messages.iter().map(|message| serde_json::from_str(&message.text(7)).unwrap()).collect()
    }

    #[test]
    fn a_message_has_its_number_and_its_type_beside_what_it_says() {
        let contacts = ObjectType::named("contacts").unwrap();
        let records = [RecordName::HubSpot(ObjectId(5)), RecordName::Row(6)];
        assert_eq!(
            told(Event::changed(contacts, 2, records)),
            [json!({"sequence": 7, "type": "records_changed", "objectType": "contacts", "count": 2,
                "ids": ["hs-5", "6"]})]
        );
        let conflict = Event::Conflict { object_type: "contacts".into(), id: 3, step: ConflictNews::Opened };
        assert_eq!(
            told(conflict),
            [json!({"sequence": 7, "type": "conflict_opened", "objectType": "contacts", "conflictId": 3})]
        );
    }

    #[test]
    fn many_records_are_counted_and_some_are_named() {
        let contacts = ObjectType::named("contacts").unwrap();
        let told = told(Event::changed(contacts, 1000, (0..1000).map(RecordName::Row)));
        assert_eq!((told[0]["count"].as_u64(), told[0]["ids"].as_array().unwrap().len()), (Some(1000), 20));
    }

    #[test]
    fn pushed_and_failed_edits_are_told_apart() {
        let object_type = ObjectType::named("contacts").unwrap();
        let types = |sent, failed| -> Vec<_> {
            let told = told(Event::Pushed { object_type, sent, failed });
            told.iter().map(|message| message["type"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(types(1, 0), ["edits_pushed"]);
        assert_eq!(types(0, 1), ["edits_failed"]);
        assert_eq!(types(1, 1), ["edits_pushed", "edits_failed"]);
    }

    #[test]
    fn why_a_run_failed_is_not_told() {
        let outcome = PageOutcome { inserted: 2, ..PageOutcome::default() };
        let told = told(Event::Finished {
            subject: Subject::Owners,
            lane: Lane::Reference,
            counts: RunCounts { outcome, ..RunCounts::default() },
            error: Some("Ada said no".to_owned()),
        });
        assert_eq!((&told[0]["succeeded"], &told[0]["inserted"]), (&json!(false), &json!(2)));
        assert!(!told[0].to_string().contains("Ada"));
    }
}
