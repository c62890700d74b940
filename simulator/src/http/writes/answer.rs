//! What writes answer: never the whole record.
//!
//! Source: HubSpot, "Using object APIs"; developer Slack: what was set, the times, the id, and of new records a part of
//! what HubSpot adds.

use serde_json::json;

use crate::account::Account;
use crate::account::write::{Normalized, Plan};
use crate::object_type::ObjectType;
use crate::render::Selection;

/// What HubSpot adds to new records and shows in the answer.
const OF_NEW_RECORDS: [&str; 4] =
    ["hs_object_source", "hs_object_source_id", "hs_object_source_label", "lifecyclestage"];

/// What the answer shows of a record that was written.
pub struct Shown<'a> {
    /// The write.
    pub plan: &'a Plan,
    /// Name the request gave the row.
    pub trace_id: Option<&'a str>,
    /// Whether the answer says if the record is new.
    pub tells_new: bool,
}

impl<'a> Shown<'a> {
    /// The answer to a write of its own.
    pub const fn new(plan: &'a Plan) -> Self {
        Self { plan, trace_id: None, tells_new: false }
    }

    /// Appends the record.
    pub fn push(&self, account: &Account, object_type: &ObjectType, id: u64, out: &mut Vec<u8>) {
        let catalogue = account.catalogue(object_type.kind);
        let added = OF_NEW_RECORDS.into_iter().filter(|_| self.plan.is_new());
        let names = self.plan.names.iter().map(String::as_str).chain(added);
        let selection = Selection::new(object_type, catalogue, names, []);
        let view = account.live(object_type.kind, id).expect("a record that was just written is live");
        selection.push_record(catalogue, &view, out);
        out.pop();
        if let Some(trace_id) = self.trace_id {
            out.extend_from_slice(format!(",\"objectWriteTraceId\":{}", json!(trace_id)).as_bytes());
        }
        if self.tells_new {
            out.extend_from_slice(format!(",\"new\":{}", self.plan.is_new()).as_bytes());
        }
        if !self.plan.normalized.is_empty() {
            let warnings: Vec<_> = self.plan.normalized.iter().map(warning).collect();
            out.extend_from_slice(format!(",\"warnings\":{}", json!(warnings)).as_bytes());
        }
        out.push(b'}');
    }
}

/// A value that was taken in another form. Source: HubSpot changelog, "CRM API Write Validation Enforcement".
fn warning(normalized: &Normalized) -> serde_json::Value {
    let Normalized { property, raw, stored } = normalized;
    json!({
        "category": "PROPERTY_VALUE_NORMALIZED",
        "message": format!("The value of {property} was normalized"),
        "context": { "propertyName": [property], "rawValue": [raw], "normalizedValue": [stored] },
    })
}
