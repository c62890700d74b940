//! Up to a hundred writes in one request.
//!
//! Source: HubSpot, "Handling errors", "Contacts"; reports of users. Rows with unique `objectWriteTraceId`s fail alone;
//! without, one bad row refuses all. Ids nobody has are reported apart either way.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::Scene;
use super::answer::Shown;
use super::call::BatchWrite;
use super::sent::{SentBatch, SentRecord};
use crate::account::write::{Claims, Draft, Plan, Target};
use crate::account::{Account, Moment};
use crate::generate::text::moment_text;
use crate::http::batch::{check_distinct, check_size, not_found_part};
use crate::http::body;
use crate::http::objects::find_by_property;
use crate::http::reply::{ApiError, Reply};
use crate::random::Draws;

/// The property that holds the id of a record; not one to find others by.
const ID: &str = "hs_object_id";

/// A row that names a record there is, or asks for a new one.
struct Row<'a> {
    /// As sent.
    sent: &'a SentRecord,
    /// What is to be written.
    draft: Draft,
}

/// Rows that can be tried, and the inputs that name records nobody has.
type Sorted<'a> = (Vec<Row<'a>>, Vec<&'a SentRecord>);

/// What came of a batch.
#[derive(Default)]
struct Outcome {
    /// Records that were written, as the answer shows them.
    results: Vec<Vec<u8>>,
    /// What was refused.
    errors: Vec<Value>,
}

impl Scene<'_> {
    /// Answers a batch of writes.
    pub fn batch(&self, what: BatchWrite, body: &[u8]) -> Result<Reply, ApiError> {
        let batch: SentBatch = body::parse(body)?;
        let inputs = batch.inputs.ok_or_else(|| body::missing("inputs"))?;
        check_size(inputs.len())?;
        if what == BatchWrite::Archive {
            return self.archive_all(&inputs);
        }
        let started_at = moment_text(self.simulator.clock.now());
        let moment = self.simulator.app_moment();
        let mut account = self.simulator.account_mut();
        let (rows, missing) = self.sort(&account, what, &inputs)?;
        let mut outcome = if has_own_names(&inputs) {
            self.write_each(&mut account, what, rows, moment)
        } else {
            self.write_all(&mut account, what, rows, moment)?
        };
        drop(account);
        if !missing.is_empty() {
            outcome.errors.push(self.not_found(&missing));
        }
        Ok(self.reply(what, outcome, &started_at))
    }

    /// Puts those of the inputs that are live into the bin; says nothing about the others.
    fn archive_all(&self, inputs: &[SentRecord]) -> Result<Reply, ApiError> {
        let ids: Vec<String> = inputs.iter().map(SentRecord::id_text).collect::<Result<_, _>>()?;
        let moment = self.simulator.app_moment();
        let mut account = self.simulator.account_mut();
        for id in ids.iter().filter_map(|id| id.parse().ok()) {
            let _ = account.archive(self.object_type.kind, id, moment);
        }
        Ok(Reply::empty(204))
    }

    /// Finds out what each input is about.
    fn sort<'a>(
        &self,
        account: &Account,
        what: BatchWrite,
        inputs: &'a [SentRecord],
    ) -> Result<Sorted<'a>, ApiError> {
        if what != BatchWrite::Create {
            let ids: Vec<String> = inputs.iter().map(SentRecord::id_text).collect::<Result<_, _>>()?;
            check_distinct(&ids.iter().map(|id| id.to_lowercase()).collect::<Vec<_>>())?;
        }
        let (mut rows, mut missing) = (Vec::new(), Vec::new());
        for sent in inputs {
            match self.draft(account, what, sent)? {
                Some(draft) => rows.push(Row { sent, draft }),
                None => missing.push(sent),
            }
        }
        Ok((rows, missing))
    }

    /// What is to be written for an input; `None` for one that names a record nobody has.
    fn draft(
        &self,
        account: &Account,
        what: BatchWrite,
        sent: &SentRecord,
    ) -> Result<Option<Draft>, ApiError> {
        let mut values = sent.values()?;
        if what == BatchWrite::Create {
            return Ok(Some(Draft { target: Target::New, values, links: sent.links()? }));
        }
        // Looking for records to update or create, HubSpot wants to be told by what.
        let property = match (&sent.id_property, what) {
            (None, BatchWrite::Upsert) => return Err(ApiError::not_found()),
            (property, _) => property.clone().filter(|name| name != ID),
        };
        let mut target = self.named_record(account, sent)?.map(Target::Existing);
        if let (BatchWrite::Upsert, Some(name)) = (what, property) {
            values.insert(name, Some(sent.id_text()?));
            target = target.or(Some(Target::New));
        }
        Ok(target.map(|target| Draft { target, values, links: Vec::new() }))
    }

    /// The live record an input names. Unlike elsewhere, an id that was merged away names none.
    /// Source: HubSpot changelog, "Updated merge functionality for contacts and companies".
    fn named_record(&self, account: &Account, sent: &SentRecord) -> Result<Option<u64>, ApiError> {
        let text = sent.id_text()?;
        let kind = self.object_type.kind;
        let id = match sent.id_property.as_deref() {
            None | Some(ID) => text.parse().ok(),
            Some(name) => {
                self.check_is_unique(account, name)?;
                find_by_property(account, self.object_type, name, &text).ok()
            }
        };
        Ok(id.filter(|&id| account.live(kind, id).is_some()))
    }

    /// Refuses to find records by a property several can share.
    fn check_is_unique(&self, account: &Account, name: &str) -> Result<(), ApiError> {
        let catalogue = account.catalogue(self.object_type.kind);
        let is_unique =
            catalogue.active(name).is_some_and(|index| catalogue.get(index).flags.has_unique_value);
        if is_unique {
            return Ok(());
        }
        Err(ApiError::validation(format!(
            "Unable to perform update/upsert by non-unique {} property {name}",
            self.object_type.type_id
        )))
    }

    /// Writes the rows that can be written; the others are reported by the names the request gave them.
    fn write_each(
        &self,
        account: &mut Account,
        what: BatchWrite,
        rows: Vec<Row<'_>>,
        moment: Moment,
    ) -> Outcome {
        let kind = self.object_type.kind;
        let mut outcome = Outcome::default();
        for Row { sent, draft } in rows {
            let trace_id = sent.object_write_trace_id.as_deref();
            match account.plan(kind, draft, &self.rules, &mut Claims::default()) {
                Ok(plan) => {
                    let id = account.carry_out(kind, &plan, moment);
                    outcome.results.push(self.shown(account, what, (&plan, trace_id), id));
                }
                Err(refused) => {
                    let part = self.complaint(account, &refused).into_part();
                    outcome.errors.push(named(part, trace_id));
                }
            }
        }
        outcome
    }

    /// Writes all rows, or none and answers with what is wrong with the first that cannot be written.
    fn write_all(
        &self,
        account: &mut Account,
        what: BatchWrite,
        rows: Vec<Row<'_>>,
        moment: Moment,
    ) -> Result<Outcome, ApiError> {
        let kind = self.object_type.kind;
        let mut claims = Claims::default();
        let mut plans = Vec::with_capacity(rows.len());
        for Row { sent, draft } in rows {
            let plan = account.plan(kind, draft, &self.rules, &mut claims);
            let plan = plan.map_err(|refused| self.complaint(account, &refused))?;
            plans.push((plan, sent.object_write_trace_id.as_deref()));
        }
        let mut outcome = Outcome::default();
        for (plan, trace_id) in &plans {
            let id = account.carry_out(kind, plan, moment);
            outcome.results.push(self.shown(account, what, (plan, *trace_id), id));
        }
        Ok(outcome)
    }

    /// A record that was written, as the answer shows it.
    fn shown(
        &self,
        account: &Account,
        what: BatchWrite,
        (plan, trace_id): (&Plan, Option<&str>),
        id: u64,
    ) -> Vec<u8> {
        let mut out = Vec::new();
        let shown = Shown { plan, trace_id, tells_new: what == BatchWrite::Upsert };
        shown.push(account, self.object_type, id, &mut out);
        out
    }

    /// The error about inputs that name records nobody has: one for all of them.
    fn not_found(&self, missing: &[&SentRecord]) -> Value {
        let ids: Vec<String> = missing.iter().filter_map(|sent| sent.id_text().ok()).collect();
        let mut part = not_found_part(self.object_type, &ids);
        let traces: Vec<&str> =
            missing.iter().filter_map(|sent| sent.object_write_trace_id.as_deref()).collect();
        if !traces.is_empty() {
            part["context"]["objectWriteTraceId"] = json!(traces);
        }
        part
    }

    /// The answer to a batch.
    fn reply(&self, what: BatchWrite, mut outcome: Outcome, started_at: &str) -> Reply {
        if self.simulator.settings().shuffle_batches {
            Draws::new(self.simulator.order_nonce()).shuffle(&mut outcome.results);
        }
        let status = match what {
            _ if !outcome.errors.is_empty() => 207,
            BatchWrite::Create => 201,
            BatchWrite::Update | BatchWrite::Upsert | BatchWrite::Archive => 200,
        };
        let completed_at = moment_text(self.simulator.clock.now());
        let mut out = br#"{"status":"COMPLETE","results":["#.to_vec();
        out.extend(outcome.results.join(&b','));
        out.push(b']');
        if !outcome.errors.is_empty() {
            let count = outcome.errors.len();
            let errors = json!(outcome.errors);
            out.extend_from_slice(format!(",\"numErrors\":{count},\"errors\":{errors}").as_bytes());
        }
        let times = format!(",\"startedAt\":\"{started_at}\",\"completedAt\":\"{completed_at}\"}}");
        out.extend_from_slice(times.as_bytes());
        Reply::json_text(status, out)
    }
}

/// Whether every input has a name no other has.
fn has_own_names(inputs: &[SentRecord]) -> bool {
    let mut seen = HashSet::new();
    inputs.iter().all(|sent| sent.object_write_trace_id.as_deref().is_some_and(|name| seen.insert(name)))
}

/// An error with the name of the row it is about.
fn named(mut part: Value, trace_id: Option<&str>) -> Value {
    if let Some(trace_id) = trace_id {
        if !part["context"].is_object() {
            part["context"] = json!({});
        }
        part["context"]["objectWriteTraceId"] = json!([trace_id]);
    }
    part
}
