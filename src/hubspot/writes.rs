//! Writes of records: update, create, archive.
//!
//! Several records go in a batch, each with a trace id, so that a bad one fails alone. What a batch leaves open is sent
//! again record by record: a record that was merged away can be written on its own only, and a batch that is refused as
//! a whole has written nothing. Source: HubSpot, "Error handling", and live runs.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde::Serialize;
use serde_json::json;

use super::records::{distinct, to_body};
use super::refusal::{Refusal, RefusalKind};
use super::transport::Call;
use super::wire::write::{Row, Written, parse_writes, parse_written};
use super::{HubSpotClient, HubSpotError, Priority};
use crate::model::{ObjectId, ObjectType};

/// Records per batch write, the most HubSpot allows. Source: HubSpot, "Contacts".
pub const WRITE_BATCH: usize = 100;

/// A change of an existing record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordUpdate {
    /// The record.
    pub id: ObjectId,
    /// The properties to set, each once; an empty value clears one.
    pub properties: Vec<(String, String)>,
}

/// What became of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Updated {
    /// HubSpot has stored it.
    Written {
        /// The record's id; the survivor's when the one asked for was merged away.
        id: ObjectId,
        /// Its version after the update; `None` where HubSpot does not say.
        updated_at: Option<DateTime<Utc>>,
    },
    /// HubSpot has not.
    Refused(Refusal),
}

/// A record to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// Its properties, each once.
    pub properties: Vec<(String, String)>,
}

/// What became of a creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// There is a new record.
    New {
        /// Its id.
        id: ObjectId,
    },
    /// There is one already that HubSpot takes for the same, such as a contact with this e-mail address.
    Exists {
        /// Its id, where HubSpot says it.
        id: Option<ObjectId>,
    },
    /// HubSpot refuses it.
    Refused(Refusal),
    /// The answer was lost or says nothing of it: it may have been made. Has to be looked for before it is sent again.
    Unknown {
        /// What happened.
        reason: String,
    },
    /// It was surely not made, for a reason that passes. May be sent again later.
    NotMade {
        /// What happened.
        reason: String,
    },
}

/// One input of a batch.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Input<'a> {
    /// Which record; none of one to be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// What to set.
    properties: BTreeMap<&'a str, &'a str>,
    /// Its position in the batch, by which the answer names it.
    object_write_trace_id: String,
}

/// The properties as HubSpot takes them.
fn fields(properties: &[(String, String)]) -> BTreeMap<&str, &str> {
    properties.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

impl HubSpotClient {
    /// Updates at most 100 records. Tells what became of each, in their order.
    ///
    /// Doing it twice does no harm, so it is tried again like a read, and after an error may be done again as a whole.
    ///
    /// # Panics
    /// When there are more than 100, or a record is named twice.
    pub async fn update_records(
        &self,
        object_type: &ObjectType,
        updates: &[RecordUpdate],
        priority: Priority,
    ) -> Result<Vec<Updated>, HubSpotError> {
        let mut seen = HashSet::with_capacity(updates.len());
        assert!(
            updates.iter().all(|update| seen.insert(update.id)),
            "a record is updated twice in one batch"
        );
        let told = if updates.len() > 1 {
            self.update_batch(object_type, updates, priority).await?
        } else {
            vec![None; updates.len()]
        };
        let mut outcomes = Vec::with_capacity(updates.len());
        for (update, told) in updates.iter().zip(told) {
            outcomes.push(match told {
                Some(outcome) => outcome,
                None => self.update_record(object_type, update, priority).await?,
            });
        }
        Ok(outcomes)
    }

    /// Updates several records in one call; `None` for each that has to be sent on its own.
    async fn update_batch(
        &self,
        object_type: &ObjectType,
        updates: &[RecordUpdate],
        priority: Priority,
    ) -> Result<Vec<Option<Updated>>, HubSpotError> {
        let inputs = updates.iter().map(|update| (Some(update.id), update.properties.as_slice()));
        let body = batch_body(inputs);
        let path = self.shared.paths.batch(object_type, "update");
        let call = Call::write(format!("update {object_type}"), Method::POST, path, body, priority);
        let ids: Vec<_> = updates.iter().map(|update| update.id).collect();
        let rows = match self.send(&call, |body| parse_writes(body, ids.len(), &ids)).await {
            Ok(rows) => rows,
            Err(error) if Refusal::of(&error).is_some() => return Ok(vec![None; updates.len()]),
            Err(error) => return Err(error),
        };
        let outcome = |row: Row| match row {
            Row::Done(Written { id, updated_at }) => Some(Updated::Written { id, updated_at }),
            Row::Refused(refusal) if refusal.kind == RefusalKind::Gone => None,
            Row::Refused(refusal) => Some(Updated::Refused(refusal)),
        };
        Ok(rows.into_iter().map(|row| row.and_then(outcome)).collect())
    }

    /// Updates one record; a merged-away id leads to its survivor.
    async fn update_record(
        &self,
        object_type: &ObjectType,
        update: &RecordUpdate,
        priority: Priority,
    ) -> Result<Updated, HubSpotError> {
        let body = to_body(&json!({ "properties": fields(&update.properties) }));
        let path = self.shared.paths.record(object_type, update.id);
        let operation = format!("update {object_type} {}", update.id);
        let call = Call::write(operation, Method::PATCH, path, body, priority);
        let decode = |body: &[u8]| {
            let Written { id, updated_at } = parse_written(body)?;
            Ok(Updated::Written { id, updated_at })
        };
        match self.send(&call, decode).await {
            Err(error) => Refusal::of(&error).map(Updated::Refused).ok_or(error),
            done => done,
        }
    }

    /// Makes at most 100 records. Tells what became of each, in their order.
    ///
    /// A creation that may have been done is never sent again here.
    ///
    /// # Errors
    /// When surely none was made, and for a reason that lies in none of them.
    ///
    /// # Panics
    /// When there are more than 100.
    pub async fn create_records(
        &self,
        object_type: &ObjectType,
        records: &[NewRecord],
        priority: Priority,
    ) -> Result<Vec<Created>, HubSpotError> {
        if records.len() < 2 {
            return self.create_each(object_type, records, priority).await;
        }
        let body = batch_body(records.iter().map(|record| (None, record.properties.as_slice())));
        let path = self.shared.paths.batch(object_type, "create");
        let call = Call::create(format!("create {object_type}"), path, body, priority);
        match self.send(&call, |body| parse_writes(body, records.len(), &[])).await {
            Ok(rows) => Ok(rows.into_iter().map(creation).collect()),
            Err(error) if error.is_in_doubt() => {
                let unknown = Created::Unknown { reason: error.to_string() };
                Ok(vec![unknown; records.len()])
            }
            Err(error) if Refusal::of(&error).is_some() => {
                self.create_each(object_type, records, priority).await
            }
            Err(error) => Err(error),
        }
    }

    /// Makes records one by one. After one that went wrong for another reason than itself the rest is not sent.
    async fn create_each(
        &self,
        object_type: &ObjectType,
        records: &[NewRecord],
        priority: Priority,
    ) -> Result<Vec<Created>, HubSpotError> {
        let mut outcomes = Vec::with_capacity(records.len());
        for record in records {
            let stopped_by = match self.create_record(object_type, record, priority).await {
                Ok(Created::Unknown { reason }) => {
                    outcomes.push(Created::Unknown { reason: reason.clone() });
                    reason
                }
                Ok(outcome) => {
                    outcomes.push(outcome);
                    continue;
                }
                Err(error) if outcomes.is_empty() => return Err(error),
                Err(error) => error.to_string(),
            };
            outcomes.resize(records.len(), Created::NotMade { reason: stopped_by });
            break;
        }
        Ok(outcomes)
    }

    /// Makes one record.
    async fn create_record(
        &self,
        object_type: &ObjectType,
        record: &NewRecord,
        priority: Priority,
    ) -> Result<Created, HubSpotError> {
        let body = to_body(&json!({ "properties": fields(&record.properties) }));
        let path = self.shared.paths.records(object_type);
        let call = Call::create(format!("create one of {object_type}"), path, body, priority);
        match self.send(&call, parse_written).await {
            Ok(written) => Ok(Created::New { id: written.id }),
            Err(error) if error.is_in_doubt() => Ok(Created::Unknown { reason: error.to_string() }),
            Err(error) => Refusal::of(&error).map(refused_creation).ok_or(error),
        }
    }

    /// Puts at most 100 records into the recycle bin; those that lie there already, or never were, are no error. Ids
    /// given twice count once.
    pub async fn archive_records(
        &self,
        object_type: &ObjectType,
        ids: &[ObjectId],
        priority: Priority,
    ) -> Result<(), HubSpotError> {
        let inputs: Vec<_> = distinct(ids).iter().map(|id| json!({ "id": id.to_string() })).collect();
        if inputs.is_empty() {
            return Ok(());
        }
        let path = self.shared.paths.batch(object_type, "archive");
        let body = to_body(&json!({ "inputs": inputs }));
        let call = Call::write(format!("archive {object_type}"), Method::POST, path, body, priority);
        self.send(&call, |_| Ok(())).await
    }
}

/// The body of a batch of records with the id of each, `None` of one to be made.
///
/// # Panics
/// When there are more than a batch takes.
fn batch_body<'a>(
    records: impl ExactSizeIterator<Item = (Option<ObjectId>, &'a [(String, String)])>,
) -> Vec<u8> {
    /// What HubSpot expects.
    #[derive(Serialize)]
    struct Batch<'a> {
        /// One for each record.
        inputs: Vec<Input<'a>>,
    }
    assert!(records.len() <= WRITE_BATCH, "{} records are too many for a batch", records.len());
    let inputs = records.enumerate().map(|(position, (id, properties))| Input {
        id: id.map(|id| id.to_string()),
        properties: fields(properties),
        object_write_trace_id: position.to_string(),
    });
    to_body(&Batch { inputs: inputs.collect() })
}

/// What a row of a batch says of a creation.
fn creation(row: Option<Row>) -> Created {
    match row {
        Some(Row::Done(written)) => Created::New { id: written.id },
        Some(Row::Refused(refusal)) => refused_creation(refusal),
        None => Created::Unknown { reason: "HubSpot's answer says nothing of this record".to_owned() },
    }
}

/// What a refusal means for a creation.
fn refused_creation(refusal: Refusal) -> Created {
    match refusal.kind {
        RefusalKind::Exists => Created::Exists { id: refusal.existing },
        RefusalKind::Failed => Created::Unknown { reason: refusal.reason },
        RefusalKind::Locked => Created::NotMade { reason: refusal.reason },
        RefusalKind::Gone | RefusalKind::Taken | RefusalKind::Invalid => Created::Refused(refusal),
    }
}
