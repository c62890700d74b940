//! Answers to writes. They show parts of the records only and are never taken for them.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::failure::FailureBody;
use super::{Malformed, Scalar, parse};
use crate::hubspot::refusal::Refusal;
use crate::model::ObjectId;

/// What HubSpot says of one input of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::hubspot) enum Row {
    /// It was written.
    Done(Written),
    /// It was not.
    Refused(Refusal),
}

/// A record that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::hubspot) struct Written {
    /// Its id; another than was asked for when that was merged away.
    pub id: ObjectId,
    /// Its version after the write; `None` where HubSpot does not say it.
    pub updated_at: Option<DateTime<Utc>>,
}

/// A record in the answer to a write.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireWritten<'a> {
    /// Decimal id.
    #[serde(borrow, default)]
    id: Scalar<'a>,
    /// ISO 8601.
    #[serde(borrow, default)]
    updated_at: Scalar<'a>,
    /// As it was sent with the input.
    #[serde(borrow, default)]
    object_write_trace_id: Scalar<'a>,
}

impl WireWritten<'_> {
    /// What was written; `None` without a usable id.
    fn written(&self) -> Option<Written> {
        let id = self.id.text()?.parse().ok()?;
        Some(Written { id, updated_at: self.updated_at.instant() })
    }
}

/// The answer to a batch write, status 200, 201 or 207.
#[derive(Deserialize)]
struct WriteAnswer<'a> {
    /// `COMPLETE`, or a state in which results are still missing.
    #[serde(borrow, default)]
    status: Scalar<'a>,
    /// What was written, in any order.
    #[serde(borrow)]
    results: Vec<WireWritten<'a>>,
    /// What was not, and why.
    #[serde(default)]
    errors: Option<Vec<Value>>,
}

/// Parses the answer to the write of one record.
pub(in crate::hubspot) fn parse_written(body: &[u8]) -> Result<Written, Malformed> {
    let wire: WireWritten<'_> = parse(body)?;
    wire.written().ok_or_else(|| Malformed("the written record has no usable id".to_owned()))
}

/// Parses the answer to a batch of `count` inputs whose trace ids are their positions, and whose ids are `ids` where
/// they have any. Tells of each input, in their order; `None` where HubSpot says nothing of it.
///
/// One result or error that names nobody belongs to the one input that is left over, if only one is.
pub(in crate::hubspot) fn parse_writes(
    body: &[u8],
    count: usize,
    ids: &[ObjectId],
) -> Result<Vec<Option<Row>>, Malformed> {
    let answer: WriteAnswer<'_> = parse(body)?;
    if let Some(status) = answer.status.text().filter(|status| *status != "COMPLETE") {
        return Err(Malformed(format!("the batch is {status}, not COMPLETE")));
    }
    let mut rows = Rows { ids, told: vec![None; count], nobodys: Vec::new() };
    for result in &answer.results {
        if let Some(written) = result.written() {
            let trace = result.object_write_trace_id.text().and_then(|trace| rows.traced(trace));
            let position = trace.or_else(|| rows.named(written.id));
            rows.tell(position.as_slice(), &Row::Done(written));
        }
    }
    for error in answer.errors.unwrap_or_default() {
        let traced = texts(&error, "objectWriteTraceId").into_iter().filter_map(|trace| rows.traced(&trace));
        let named = texts(&error, "ids").into_iter().filter_map(|id| rows.named(id.parse().ok()?));
        let positions: Vec<_> = traced.chain(named).collect();
        rows.tell(&positions, &Row::Refused(Refusal::of_row(&FailureBody::of(error))));
    }
    Ok(rows.finish())
}

/// Finds the inputs an answer is about.
struct Rows<'a> {
    /// The ids of the inputs, in their order; empty when they have none.
    ids: &'a [ObjectId],
    /// What is said of each input.
    told: Vec<Option<Row>>,
    /// What is said without a name.
    nobodys: Vec<Row>,
}

impl Rows<'_> {
    /// The input with this trace id.
    fn traced(&self, trace: &str) -> Option<usize> {
        trace.parse().ok().filter(|position| *position < self.told.len())
    }

    /// The input with this id.
    fn named(&self, id: ObjectId) -> Option<usize> {
        self.ids.iter().position(|known| *known == id)
    }

    /// Notes what is said of the inputs at `positions`.
    fn tell(&mut self, positions: &[usize], row: &Row) {
        for position in positions {
            self.told[*position] = Some(row.clone());
        }
        if positions.is_empty() {
            self.nobodys.push(row.clone());
        }
    }

    /// What is said of each input in the end.
    fn finish(mut self) -> Vec<Option<Row>> {
        let mut open = self.told.iter_mut().filter(|row| row.is_none());
        if let (Some(last), None, [row]) = (open.next(), open.next(), self.nobodys.as_slice()) {
            *last = Some(row.clone());
        }
        self.told
    }
}

/// The texts of a list in the context of an error; one text alone counts as a list.
fn texts(error: &Value, key: &str) -> Vec<String> {
    match &error["context"][key] {
        Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(text) => vec![text.clone()],
        _ => Vec::new(),
    }
}

/// Parses the errors of a bulk write of links: the first one, `None` when all were written. The body may be empty.
pub(in crate::hubspot) fn parse_link_write(body: &[u8]) -> Result<Option<Refusal>, Malformed> {
    /// Only the errors.
    #[derive(Deserialize)]
    struct Errors {
        /// Why links were not written.
        #[serde(default)]
        errors: Option<Vec<Value>>,
    }
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    let errors = parse::<Errors>(body)?.errors.unwrap_or_default();
    Ok(errors.into_iter().next().map(|error| Refusal::of_row(&FailureBody::of(error))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hubspot::refusal::RefusalKind;

    /// What was said of each input: an id, a kind of refusal or nothing.
    fn said(body: &str, count: usize, ids: &[i64]) -> Vec<String> {
        let ids: Vec<_> = ids.iter().copied().map(ObjectId).collect();
        let rows = parse_writes(body.as_bytes(), count, &ids).unwrap();
        let said = |row: Option<Row>| match row {
            Some(Row::Done(written)) => written.id.to_string(),
            Some(Row::Refused(refusal)) => format!("{:?}", refusal.kind),
            None => "nothing".to_owned(),
        };
        rows.into_iter().map(said).collect()
    }

    #[test]
    fn answers_find_their_inputs_whatever_their_order() {
        let body = r#"{"status": "COMPLETE", "numErrors": 1, "results": [
            {"id": "13", "objectWriteTraceId": "3", "updatedAt": "2026-01-02T03:04:05Z", "properties": {}},
            {"id": "10", "objectWriteTraceId": "0", "properties": {}}, {"id": "11"}],
            "errors": [{"category": "VALIDATION_ERROR", "message": "no", "context": {"objectWriteTraceId": ["2"]}}]}"#;
        assert_eq!(said(body, 4, &[10, 11, 12, 13]), ["10", "11", "Invalid", "13"]);
    }

    #[test]
    fn one_error_may_be_about_several_inputs_by_id() {
        let body = r#"{"results": [{"id": "1"}], "errors": [{"category": "OBJECT_NOT_FOUND", "context": {"ids": ["2", "3"]}}]}"#;
        assert_eq!(said(body, 3, &[1, 2, 3]), ["1", "Gone", "Gone"]);
    }

    #[test]
    fn what_names_nobody_is_only_taken_for_the_one_that_is_left() {
        let one = r#"{"results": [{"id": "1", "objectWriteTraceId": "0"}, {"id": "9"}]}"#;
        assert_eq!(said(one, 2, &[]), ["1", "9"]);
        assert_eq!(said(one, 3, &[]), ["1", "nothing", "nothing"]);
        let refused =
            r#"{"results": [{"id": "1", "objectWriteTraceId": "0"}], "errors": [{"category": "CONFLICT"}]}"#;
        assert_eq!(said(refused, 2, &[]), ["1", "Exists"]);
        let both = r#"{"results": [{"id": "9"}], "errors": [{"category": "CONFLICT"}]}"#;
        assert_eq!(said(both, 1, &[]), ["nothing"]);
    }

    #[test]
    fn a_trace_id_that_was_never_sent_is_none() {
        for trace in ["7", "-1", "x", ""] {
            let body = format!(r#"{{"results": [{{"id": "5", "objectWriteTraceId": "{trace}"}}]}}"#);
            assert_eq!(said(&body, 2, &[]), ["nothing", "nothing"], "{trace}");
        }
    }

    #[test]
    fn an_unfinished_batch_tells_nothing() {
        assert!(parse_writes(br#"{"status": "PENDING", "results": []}"#, 1, &[]).is_err());
        assert!(parse_written(br#"{"properties": {}}"#).is_err());
    }

    #[test]
    fn links_are_written_unless_an_error_says_otherwise() {
        for body in ["", "{}", r#"{"status": "COMPLETE", "results": []}"#] {
            assert_eq!(parse_link_write(body.as_bytes()), Ok(None), "{body}");
        }
        let refused = parse_link_write(br#"{"errors": [{"category": "OBJECT_NOT_FOUND"}]}"#).unwrap();
        assert_eq!(refused.unwrap().kind, RefusalKind::Gone);
    }
}
