//! Writing records: one at a time here, many in `batch`.
//!
//! Source: HubSpot, "Using object APIs", "Contacts"; what answers hold and how refusals read, as met by users.

mod answer;
mod batch;
pub mod call;
mod refusal;
mod sent;

use answer::Shown;
use call::Write;
use sent::SentRecord;

use crate::account::write::{Claims, Draft, Rules, Target};
use crate::http::body;
use crate::http::objects::{find_id, parse_id};
use crate::http::query::Query;
use crate::http::reply::{ApiError, Reply};
use crate::object_type::ObjectType;
use crate::simulator::Simulator;

/// What every write of a request shares.
struct Scene<'a> {
    /// The account and everything around it.
    simulator: &'a Simulator,
    /// What is written.
    object_type: &'a ObjectType,
    /// What the account demands.
    rules: Rules,
}

/// Answers a write; `version` is that of the path.
pub fn answer(
    simulator: &Simulator,
    object_type: &ObjectType,
    write: &Write,
    version: &str,
    query: &Query<'_>,
    body: &[u8],
) -> Result<Reply, ApiError> {
    let rules = simulator.settings().rules(object_type, version);
    let scene = Scene { simulator, object_type, rules };
    match write {
        Write::Create => scene.create(body),
        Write::Update(id) => scene.update(id, query, body),
        Write::Archive(id) => scene.archive(id),
        Write::Batch(what) => scene.batch(*what, body),
    }
}

impl Scene<'_> {
    /// `POST /crm/objects/{version}/{type}`: 201 with what was set and some of what HubSpot adds.
    fn create(&self, body: &[u8]) -> Result<Reply, ApiError> {
        let sent: SentRecord = body::parse(body)?;
        let draft = Draft { target: Target::New, values: sent.values()?, links: sent.links()? };
        let (id, reply) = self.write_one(draft, 201)?;
        let location = format!("https://api.hubapi.com/crm/v3/objects/{}/{id}", self.object_type.plural);
        Ok(reply.with_header("location", location))
    }

    /// `PATCH /crm/objects/{version}/{type}/{id}`: 200 with what was set and some of what HubSpot adds. A merged-away id
    /// stands for the record that remains.
    fn update(&self, id: &str, query: &Query<'_>, body: &[u8]) -> Result<Reply, ApiError> {
        let sent: SentRecord = body::parse(body)?;
        let values = sent.values()?;
        let id = find_id(&self.simulator.account(), self.object_type, id, query.get("idProperty"))?;
        let draft = Draft { target: Target::Existing(id), values, links: Vec::new() };
        self.write_one(draft, 200).map(|(_, reply)| reply)
    }

    /// `DELETE /crm/objects/{version}/{type}/{id}`: 204 also when there is nothing to put into the bin.
    fn archive(&self, id: &str) -> Result<Reply, ApiError> {
        let id = parse_id(id)?;
        let moment = self.simulator.app_moment();
        let _ = self.simulator.account_mut().archive(self.object_type.kind, id, moment);
        Ok(Reply::empty(204))
    }

    /// Writes one record; returns its id and the answer.
    fn write_one(&self, draft: Draft, status: u16) -> Result<(u64, Reply), ApiError> {
        let kind = self.object_type.kind;
        let moment = self.simulator.app_moment();
        let mut account = self.simulator.account_mut();
        let plan = account
            .plan(kind, draft, &self.rules, &mut Claims::default())
            .map_err(|refused| self.complaint(&account, &refused))?;
        let id = account.carry_out(kind, &plan, moment);
        let mut out = Vec::new();
        Shown::new(&plan).push(&account, self.object_type, id, &mut out);
        Ok((id, Reply::json_text(status, out)))
    }
}
