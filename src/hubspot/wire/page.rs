//! Envelopes around records: listings, batch reads and searches.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use tracing::warn;

use super::record::parse_records;
use super::{Malformed, Scalar, parse};
use crate::hubspot::{BatchRead, Hit, RecordPage, SearchPage};
use crate::model::{Cursor, ObjectId, RejectedRecord, Window};

/// Where the next page starts.
#[derive(Deserialize)]
pub(in crate::hubspot) struct Paging<'a> {
    /// Missing on the last page.
    #[serde(borrow)]
    next: Option<Next<'a>>,
}

/// The next page. Its `link` is left unread: it may show another version's path.
#[derive(Deserialize)]
struct Next<'a> {
    /// What to pass as `after`.
    #[serde(borrow)]
    after: Scalar<'a>,
}

impl Paging<'_> {
    /// The cursor of the next page, `None` after the last one.
    pub fn cursor(paging: Option<Self>) -> Option<Cursor> {
        paging?.next?.after.into_set().map(Cursor)
    }
}

/// A page of a listing; `results` left unparsed.
#[derive(Deserialize)]
struct ListPage<'a> {
    /// Records, in ascending id order.
    #[serde(borrow)]
    results: Vec<&'a RawValue>,
    /// Missing on the last page.
    #[serde(borrow)]
    paging: Option<Paging<'a>>,
}

/// Parses a page of a listing that was asked for at `read_at`.
pub(in crate::hubspot) fn parse_list(body: &[u8], read_at: DateTime<Utc>) -> Result<RecordPage, Malformed> {
    let page: ListPage<'_> = parse(body)?;
    let (records, rejected) = parse_records(&page.results, read_at);
    Ok(RecordPage { records, rejected, next: Paging::cursor(page.paging) })
}

/// The answer to a batch read, status 200 or 207.
#[derive(Deserialize)]
struct BatchAnswer<'a> {
    /// `COMPLETE`, or a state in which results are still missing.
    #[serde(borrow, default)]
    status: Scalar<'a>,
    /// The records found, in any order.
    #[serde(borrow)]
    results: Vec<&'a RawValue>,
    /// Why others are missing; HubSpot puts all unknown ids into one error.
    #[serde(borrow)]
    errors: Option<Vec<&'a RawValue>>,
}

/// One reason why records are missing from a batch.
#[derive(Deserialize, Default)]
struct BatchError<'a> {
    /// `OBJECT_NOT_FOUND` for unknown and deleted ids.
    #[serde(borrow, default)]
    category: Scalar<'a>,
    /// The same in prose, for answers without a category.
    #[serde(borrow, default)]
    message: Scalar<'a>,
    /// Whom it is about.
    #[serde(borrow, default)]
    context: Option<BatchErrorContext<'a>>,
}

/// Whom an error is about.
#[derive(Deserialize, Default)]
struct BatchErrorContext<'a> {
    /// The ids; empty when HubSpot names none.
    #[serde(borrow, default)]
    ids: Vec<Scalar<'a>>,
}

impl BatchError<'_> {
    /// Whether it says that records do not exist, rather than that they could not be read.
    fn is_not_found(&self) -> bool {
        match self.category.text() {
            Some(category) => category == "OBJECT_NOT_FOUND",
            None => self.message.text().is_some_and(|text| text.contains("may be deleted or not exist")),
        }
    }

    /// The ids it names.
    fn ids(&self) -> impl Iterator<Item = ObjectId> {
        let ids = self.context.iter().flat_map(|context| &context.ids);
        ids.filter_map(|id| id.text()?.parse().ok())
    }

    /// Why a record could not be read.
    fn reason(&self) -> String {
        let category = self.category.text().unwrap_or("without a category");
        format!("HubSpot could not read it: error {category}")
    }
}

/// What the errors of a batch say of the records that are not in it.
#[derive(Default)]
struct Absences<'a> {
    /// Said not to exist.
    not_found: HashSet<ObjectId>,
    /// Said to be unreadable now, with the reason and the error as HubSpot sent it.
    failed: HashMap<ObjectId, (String, &'a str)>,
    /// An error that names nobody: it may be about any record that nothing else is said of.
    failed_unnamed: Option<(String, &'a str)>,
}

impl<'a> Absences<'a> {
    /// Sorts the errors.
    fn of(errors: &[&'a RawValue]) -> Self {
        let mut absences = Self::default();
        for raw in errors {
            let error: BatchError<'_> = serde_json::from_str(raw.get()).unwrap_or_default();
            let ids: Vec<_> = error.ids().collect();
            let cause = (error.reason(), raw.get());
            if error.is_not_found() {
                absences.not_found.extend(ids);
            } else if ids.is_empty() {
                absences.failed_unnamed = Some(cause);
            } else {
                absences.failed.extend(ids.into_iter().map(|id| (id, cause.clone())));
            }
        }
        absences
    }

    /// Why `id` could not be read; `None` when there is no record under it.
    fn failure(&self, id: ObjectId) -> Option<RejectedRecord> {
        let unnamed = self.failed_unnamed.as_ref().filter(|_| !self.not_found.contains(&id));
        let (reason, raw) = self.failed.get(&id).or(unnamed)?;
        Some(RejectedRecord { id: id.to_string(), reason: reason.clone(), raw: (*raw).to_owned() })
    }
}

/// Parses a batch read of the distinct ids `asked`, as it was at `read_at`.
///
/// The caller takes a missing id as a sign of a deletion. One that is left out for any other reason is therefore a
/// rejected record, and an answer that is not complete is refused as a whole.
pub(in crate::hubspot) fn parse_batch(
    body: &[u8],
    asked: &[ObjectId],
    read_at: DateTime<Utc>,
) -> Result<BatchRead, Malformed> {
    let answer: BatchAnswer<'_> = parse(body)?;
    if let Some(status) = answer.status.text().filter(|status| *status != "COMPLETE") {
        return Err(Malformed(format!("the batch is {status}, not COMPLETE")));
    }
    let (mut records, mut rejected) = parse_records(&answer.results, read_at);
    // Asking for a merged-away id and for its survivor yields the survivor twice.
    let mut seen = HashSet::with_capacity(records.len());
    records.retain(|record| seen.insert(record.id));
    seen.extend(rejected.iter().filter_map(|record| record.id.parse::<ObjectId>().ok()));
    let absences = Absences::of(answer.errors.as_deref().unwrap_or_default());
    let mut missing = Vec::new();
    for id in asked.iter().copied().filter(|id| !seen.contains(id)) {
        match absences.failure(id) {
            Some(failure) => rejected.push(failure),
            None => missing.push(id),
        }
    }
    Ok(BatchRead { records, rejected, missing })
}

/// The answer to a search.
#[derive(Deserialize)]
struct SearchAnswer<'a> {
    /// Matches altogether; may disagree with `results`, which come from another store.
    total: u64,
    /// Matches of this page.
    #[serde(borrow)]
    results: Vec<WireHit<'a>>,
}

/// A match, as far as it is of interest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireHit<'a> {
    /// Decimal id.
    #[serde(borrow, default)]
    id: Scalar<'a>,
    /// ISO 8601.
    #[serde(borrow, default)]
    updated_at: Scalar<'a>,
}

/// Parses a page of a search for modifications inside `window`.
pub(in crate::hubspot) fn parse_search(body: &[u8], window: Window) -> Result<SearchPage, Malformed> {
    let answer: SearchAnswer<'_> = parse(body)?;
    let hit = |wire: &WireHit<'_>| {
        let id = wire.id.text()?.parse().ok()?;
        // Without its own time a hit is taken for the newest the window allows, so that its record is read.
        Some(Hit { id, updated_at: wire.updated_at.instant().unwrap_or(window.end) })
    };
    let hits: Vec<_> = answer.results.iter().filter_map(hit).collect();
    // A hit without a usable id leads to no record. It is not counted either, so that the others can be complete.
    let unusable = answer.results.len() - hits.len();
    if unusable > 0 {
        warn!("{unusable} search result(s) have no usable id and are passed over");
    }
    Ok(SearchPage { total: answer.total.saturating_sub(unusable as u64), hits })
}

/// Parses how many records a search matches.
pub(in crate::hubspot) fn parse_total(body: &[u8]) -> Result<u64, Malformed> {
    /// Only the count.
    #[derive(Deserialize)]
    struct Total {
        /// Matches altogether.
        total: u64,
    }
    Ok(parse::<Total>(body)?.total)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record's JSON.
    fn record(id: &str) -> String {
        format!(r#"{{"id": "{id}", "properties": {{}}, "updatedAt": "2026-01-02T03:04:05Z"}}"#)
    }

    #[test]
    fn a_bad_record_does_not_cost_its_page() {
        let body = format!(
            r#"{{"results": [{}, {{"id": "8"}}, {}], "paging": {{"next": {{"after": 10, "link": "x"}}}}}}"#,
            record("7"),
            record("9")
        );
        let page = parse_list(body.as_bytes(), DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(page.records.iter().map(|record| record.id.0).collect::<Vec<_>>(), [7, 9]);
        assert_eq!(page.rejected[0].id, "8");
        assert_eq!(page.next, Some(Cursor("10".to_owned())));
    }

    #[test]
    fn the_last_page_has_no_cursor_whatever_form_that_takes() {
        for paging in ["", r#", "paging": null"#, r#", "paging": {}"#, r#", "paging": {"next": null}"#] {
            let page =
                parse_list(format!(r#"{{"results": []{paging}}}"#).as_bytes(), DateTime::UNIX_EPOCH).unwrap();
            assert_eq!(page.next, None, "{paging}");
        }
    }

    #[test]
    fn a_page_without_results_is_malformed() {
        for body in ["{}", r#"{"results": null}"#, "[]", "", "<html>", r#"{"results": [{"id": "1"#] {
            assert!(parse_list(body.as_bytes(), DateTime::UNIX_EPOCH).is_err(), "{body}");
        }
        assert!(parse_list(b"{\"results\": [\"\xff\"]}", DateTime::UNIX_EPOCH).is_err());
    }

    #[test]
    fn a_batch_tells_found_from_missing_ids_also_across_a_merge() {
        // 5 was merged into 9, 6 does not exist, 7 is unreadable.
        let body = format!(
            r#"{{"status": "COMPLETE", "numErrors": 1, "results": [{}, {}, {}, {{"id": "7"}}],
                "errors": [{{"status": "error", "category": "OBJECT_NOT_FOUND", "context": {{"ids": ["6"]}}}}]}}"#,
            record("9"),
            record("4"),
            record("9")
        );
        let batch =
            parse_batch(body.as_bytes(), &[4, 5, 6, 7, 9].map(ObjectId), DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(batch.records.iter().map(|record| record.id.0).collect::<Vec<_>>(), [9, 4]);
        assert_eq!(batch.missing, [5, 6].map(ObjectId));
        assert_eq!(batch.rejected.len(), 1);
    }

    #[test]
    fn an_empty_complete_batch_means_that_nothing_was_found() {
        let batch =
            parse_batch(br#"{"status": "COMPLETE", "results": []}"#, &[ObjectId(1)], DateTime::UNIX_EPOCH)
                .unwrap();
        assert_eq!(batch.missing, [ObjectId(1)]);
    }

    #[test]
    fn what_hubspot_could_not_read_is_rejected_and_not_missing() {
        // 1 is found, 2 does not exist, 3 cannot be read, of 4 nothing is said.
        let body = format!(
            r#"{{"status": "COMPLETE", "results": [{}], "errors": [
                {{"category": "OBJECT_NOT_FOUND", "context": {{"ids": ["2"]}}}},
                {{"category": "INTERNAL_ERROR", "context": {{"ids": ["3"]}}}}]}}"#,
            record("1")
        );
        let batch = parse_batch(body.as_bytes(), &[1, 2, 3, 4].map(ObjectId), DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(batch.missing, [2, 4].map(ObjectId));
        assert_eq!(batch.rejected.len(), 1);
        assert_eq!(batch.rejected[0].id, "3");
        assert_eq!(batch.rejected[0].reason, "HubSpot could not read it: error INTERNAL_ERROR");
    }

    #[test]
    fn an_error_that_names_nobody_proves_no_absence() {
        for (error, reason) in [
            (r#"{"category": "INTERNAL_ERROR"}"#, "INTERNAL_ERROR"),
            (r#"{"category": "TIMEOUT", "context": {"ids": []}}"#, "TIMEOUT"),
            (r#""something""#, "without a category"),
        ] {
            let not_found = r#"{"category": "OBJECT_NOT_FOUND", "context": {"ids": ["2"]}}"#;
            let body = format!(r#"{{"results": [{}], "errors": [{error}, {not_found}]}}"#, record("1"));
            let batch = parse_batch(body.as_bytes(), &[1, 2, 3].map(ObjectId), DateTime::UNIX_EPOCH).unwrap();
            assert_eq!(batch.missing, [ObjectId(2)], "{error}");
            assert_eq!(batch.rejected.len(), 1, "{error}");
            assert_eq!(batch.rejected[0].id, "3", "{error}");
            assert!(batch.rejected[0].reason.ends_with(reason), "{error}");
        }
    }

    #[test]
    fn absence_may_be_told_in_prose_and_an_unfinished_batch_tells_nothing() {
        let prose = r#"{"results": [], "errors": [{"message": "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid."}]}"#;
        let batch = parse_batch(prose.as_bytes(), &[ObjectId(1)], DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(batch.missing, [ObjectId(1)]);
        assert!(
            parse_batch(br#"{"status": "PENDING", "results": []}"#, &[ObjectId(1)], DateTime::UNIX_EPOCH)
                .is_err()
        );
    }

    #[test]
    fn search_hits_carry_id_and_time() {
        let end: DateTime<Utc> = "2026-02-01T00:00:00Z".parse().unwrap();
        let window = Window { start: DateTime::UNIX_EPOCH, end };
        let body = br#"{"total": 3, "results": [
            {"id": "1", "properties": {"x": "\ud800"}, "updatedAt": "2026-01-02T03:04:05.1Z"}, {"id": "2"}]}"#;
        let page = parse_search(body, window).unwrap();
        assert_eq!(page.total, 3);
        assert_eq!(page.hits[0].updated_at.timestamp_subsec_millis(), 100);
        assert_eq!(page.hits[1], Hit { id: ObjectId(2), updated_at: end });
        let one_unusable =
            parse_search(br#"{"total": 2, "results": [{"id": "?"}, {"id": "3"}]}"#, window).unwrap();
        assert_eq!((one_unusable.total, one_unusable.hits.len()), (1, 1), "the rest is complete without it");
        assert!(parse_search(br#"{"results": []}"#, window).is_err());
        assert_eq!(parse_total(br#"{"total": 12, "results": []}"#), Ok(12));
    }
}
