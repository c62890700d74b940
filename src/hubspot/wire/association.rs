//! Links between records and their kinds.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::page::Paging;
use super::{Malformed, Scalar, parse};
use crate::hubspot::AssociationPage;
use crate::model::{Association, AssociationType, Cursor, ObjectId};

/// Longest name of a category, in characters; all known ones are words of fewer than 20.
const LONGEST_CATEGORY: usize = 32;

/// The answer to a batch read, status 200 or 207.
#[derive(Deserialize)]
struct BatchAnswer<'a> {
    /// `COMPLETE`, or a state in which results are still missing.
    #[serde(borrow, default)]
    status: Scalar<'a>,
    /// Records with links, in any order.
    #[serde(borrow)]
    results: Vec<&'a RawValue>,
    /// Records without, and records that could not be read.
    #[serde(borrow)]
    errors: Option<Vec<&'a RawValue>>,
}

/// The links of one record.
#[derive(Deserialize)]
struct Linked<'a> {
    /// The record.
    #[serde(borrow)]
    from: End<'a>,
    /// What it is linked to.
    #[serde(borrow)]
    to: Vec<Target<'a>>,
    /// Missing when this is all.
    #[serde(borrow, default)]
    paging: Option<Paging<'a>>,
}

/// A record by its id.
#[derive(Deserialize)]
struct End<'a> {
    /// Decimal id.
    #[serde(borrow)]
    id: Scalar<'a>,
}

/// A linked record.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target<'a> {
    /// Decimal id, a number in live answers and text in HubSpot's specification.
    #[serde(borrow)]
    to_object_id: Scalar<'a>,
    /// The kinds of link.
    #[serde(borrow)]
    association_types: Vec<Kind<'a>>,
}

/// A kind of link.
#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
struct Kind<'a> {
    /// Who defined it.
    #[serde(borrow)]
    category: Scalar<'a>,
    /// Its number.
    #[serde(borrow)]
    type_id: Scalar<'a>,
    /// What people see; null for the plain link.
    #[serde(borrow, default)]
    label: Scalar<'a>,
}

impl Kind<'_> {
    /// The kind, `None` without a number or a category that can be one.
    fn parsed(self) -> Option<AssociationType> {
        let type_id = self.type_id.text()?.parse().ok()?;
        let category = self.category.into_set().filter(|category| {
            category.len() <= LONGEST_CATEGORY && category.bytes().all(|byte| byte.is_ascii_graphic())
        })?;
        Some(AssociationType { category, type_id, label: self.label.into_set() })
    }
}

/// What the answer says of a record besides its links.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct BatchError<'a> {
    /// HubSpot's class of error.
    #[serde(borrow, default)]
    category: Scalar<'a>,
    /// The finer class.
    #[serde(borrow, default)]
    sub_category: Scalar<'a>,
    /// Whom it is about.
    #[serde(borrow, default)]
    context: Option<BatchErrorContext<'a>>,
}

/// Whom an error is about.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct BatchErrorContext<'a> {
    /// The ids asked for.
    #[serde(borrow, default)]
    from_object_id: Vec<Scalar<'a>>,
}

impl BatchError<'_> {
    /// Whether it says that records have no links.
    fn is_nothing_found(&self) -> bool {
        self.sub_category.text() == Some("crm.associations.NO_ASSOCIATIONS_FOUND")
    }

    /// The ids it names.
    fn ids(&self) -> impl Iterator<Item = ObjectId> {
        let ids = self.context.iter().flat_map(|context| &context.from_object_id);
        ids.filter_map(|id| id.text()?.parse().ok())
    }

    /// Its name in the log.
    fn name(&self) -> &str {
        self.sub_category.text().or(self.category.text()).unwrap_or("without a category")
    }
}

/// Every kind of link in an answer once, by its parts.
#[derive(Default)]
struct Kinds(HashSet<Arc<AssociationType>>);

impl Kinds {
    /// The one copy of a kind.
    fn shared(&mut self, kind: AssociationType) -> Arc<AssociationType> {
        if let Some(known) = self.0.get(&kind) {
            return Arc::clone(known);
        }
        let kind = Arc::new(kind);
        self.0.insert(Arc::clone(&kind));
        kind
    }
}

/// The links of one record as one result tells them.
struct Told {
    /// Whose.
    from: ObjectId,
    /// All of them.
    associations: Vec<Association>,
    /// Where further ones start.
    next: Option<Cursor>,
}

/// Reads one result; `Err` holds the record it is about, where that much can be read. A result that is understood in
/// part only is as good as none: links would be taken for removed.
fn told(raw: &RawValue, kinds: &mut Kinds) -> Result<Told, Option<ObjectId>> {
    let linked: Linked<'_> = serde_json::from_str(raw.get()).map_err(|_| sender(raw))?;
    let from: ObjectId = linked.from.id.text().and_then(|id| id.parse().ok()).ok_or(None)?;
    let mut associations = Vec::with_capacity(linked.to.len());
    for target in linked.to {
        let to = target.to_object_id.text().and_then(|id| id.parse().ok()).ok_or(Some(from))?;
        if target.association_types.is_empty() {
            return Err(Some(from));
        }
        for kind in target.association_types {
            let kind = kinds.shared(kind.parsed().ok_or(Some(from))?);
            associations.push(Association { from, to, kind });
        }
    }
    Ok(Told { from, associations, next: Paging::cursor(linked.paging) })
}

/// The record a result is about that cannot be read otherwise.
fn sender(raw: &RawValue) -> Option<ObjectId> {
    /// As little as possible of a result.
    #[derive(Deserialize)]
    struct Sender<'a> {
        /// The record.
        #[serde(borrow)]
        from: End<'a>,
    }
    let sender: Sender<'_> = serde_json::from_str(raw.get()).ok()?;
    sender.from.id.text()?.parse().ok()
}

/// Sorts the errors into records that have no links and records that could not be read; `reason` becomes that of the
/// first failure.
fn sort_errors(errors: &[&RawValue], reason: &mut String) -> (Vec<ObjectId>, Vec<ObjectId>) {
    let (mut none, mut failed) = (Vec::new(), Vec::new());
    for raw in errors {
        let error: BatchError<'_> = serde_json::from_str(raw.get()).unwrap_or_default();
        if error.is_nothing_found() {
            none.extend(error.ids());
            continue;
        }
        failed.extend(error.ids());
        if reason.is_empty() {
            *reason = format!("HubSpot reports error {}", error.name());
        }
    }
    (none, failed)
}

/// Parses a batch read of the distinct records `asked`.
///
/// The caller takes a link that is missing from a finished record's for removed. A record is therefore finished only
/// when HubSpot has named it: with links, or as one that has none.
pub(in crate::hubspot) fn parse_associations(
    body: &[u8],
    asked: &[(ObjectId, Option<Cursor>)],
) -> Result<AssociationPage, Malformed> {
    let answer: BatchAnswer<'_> = parse(body)?;
    if let Some(status) = answer.status.text().filter(|status| *status != "COMPLETE") {
        return Err(Malformed(format!("the batch is {status}, not COMPLETE")));
    }
    let (mut page, mut kinds) = (AssociationPage::default(), Kinds::default());
    let mut open: HashMap<ObjectId, Option<&Cursor>> =
        asked.iter().map(|(id, after)| (*id, after.as_ref())).collect();
    let (none, failed) = sort_errors(answer.errors.as_deref().unwrap_or_default(), &mut page.reason);
    page.unread.extend(failed.into_iter().filter(|id| open.remove(id).is_some()));
    for raw in answer.results {
        match told(raw, &mut kinds) {
            Ok(told) => {
                // Another record's, or one that also failed: neither was asked for and answered.
                let Some(after) = open.remove(&told.from) else { continue };
                match told.next {
                    Some(next) if after == Some(&next) => {
                        return Err(Malformed("the next page of a record is this page again".to_owned()));
                    }
                    Some(next) => page.unfinished.push((told.from, next)),
                    None => page.finished.push(told.from),
                }
                page.associations.extend(told.associations);
            }
            Err(Some(id)) if open.remove(&id).is_some() => page.unread.push(id),
            Err(_) => {}
        }
    }
    page.finished.extend(none.into_iter().filter(|id| open.remove(id).is_some()));
    page.unread.extend(open.into_keys());
    page.unread.sort_unstable();
    if page.reason.is_empty() && !page.unread.is_empty() {
        "HubSpot's answer does not say what they are linked to".clone_into(&mut page.reason);
    }
    Ok(page)
}

/// Parses the kinds of link of a pair. One without category or number is left out: no link can have it.
pub(in crate::hubspot) fn parse_labels(body: &[u8]) -> Result<Vec<AssociationType>, Malformed> {
    /// The list.
    #[derive(Deserialize)]
    struct Labels<'a> {
        /// In any order.
        #[serde(borrow)]
        results: Vec<Kind<'a>>,
    }
    let labels: Labels<'_> = parse(body)?;
    Ok(labels.results.into_iter().filter_map(Kind::parsed).collect())
}

#[cfg(test)]
mod tests;
