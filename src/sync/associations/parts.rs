//! Cutting what HubSpot told into transactions of bounded size.

use crate::model::{Association, ObjectId, TypePair};
use crate::storage::Links;

/// Cuts the links of some records into parts of about `most` links each. Records stay whole where they can; one with
/// more links is cut by where they lead. There is always a part, if only an empty one.
///
/// Both lists are sorted and name nothing twice.
pub(in crate::sync) fn parts<'a>(
    pair: TypePair,
    records: &'a [ObjectId],
    associations: &'a [Association],
    most: usize,
) -> Vec<Links<'a>> {
    let whole =
        |records, associations| Links { pair, records, associations, after: ObjectId::START, until: None };
    let mut parts = Vec::new();
    // The records and links of the part being put together begin here.
    let (mut first, mut start) = (0, 0);
    let mut end = 0;
    for (index, record) in records.iter().enumerate() {
        let from = end;
        end += associations[from..].partition_point(|link| link.from <= *record);
        let is_large = end - from > most;
        if (is_large || end - start > most) && first < index {
            parts.push(whole(&records[first..index], &associations[start..from]));
            (first, start) = (index, from);
        }
        if is_large {
            cut(&mut parts, whole(&records[index..=index], &associations[from..end]), most);
            (first, start) = (index + 1, end);
        }
    }
    if first < records.len() || parts.is_empty() {
        parts.push(whole(&records[first..], &associations[start..]));
    }
    parts
}

/// Cuts one record's links by where they lead, so that all links to one record are in one part.
fn cut<'a>(parts: &mut Vec<Links<'a>>, mut rest: Links<'a>, most: usize) {
    loop {
        let links = rest.associations;
        let Some(last) = links.get(most - 1).map(|link| link.to) else { break };
        let end = links.partition_point(|link| link.to <= last);
        if end == links.len() {
            break;
        }
        parts.push(Links { associations: &links[..end], until: Some(last), ..rest });
        rest = Links { associations: &links[end..], after: last, ..rest };
    }
    parts.push(rest);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{AssociationType, ObjectType};

    /// A plain or labelled link.
    fn link((from, to, type_id): (i64, i64, i64)) -> Association {
        let kind = AssociationType { category: "USER_DEFINED".to_owned(), type_id, label: None };
        Association { from: ObjectId(from), to: ObjectId(to), kind: Arc::new(kind) }
    }

    proptest! {
        #[test]
        fn parts_cover_every_record_and_link_once_and_are_small(
            keys in prop::collection::btree_set((1..8_i64, 1..20_i64, 1..4_i64), 0..120),
            others in prop::collection::btree_set(1..12_i64, 0..12),
            most in 1..12_usize,
        ) {
            let contacts = ObjectType::named("contacts").expect("known");
            let links: Vec<_> = keys.iter().copied().map(link).collect();
            let records: BTreeSet<_> = keys.iter().map(|key| key.0).chain(others).map(ObjectId).collect();
            let records: Vec<_> = records.into_iter().collect();
            let parts = parts(TypePair::of(contacts, contacts), &records, &links, most);
            prop_assert!(!parts.is_empty());
            let together: Vec<_> = parts.iter().flat_map(|part| part.associations).cloned().collect();
            prop_assert_eq!(&together, &links);
            // Whatever a record could be linked to is spoken of once.
            for record in &records {
                for to in (1..20).map(ObjectId) {
                    let speaks = |part: &&Links<'_>| {
                        part.records.contains(record) && part.after < to && part.until.is_none_or(|until| to <= until)
                    };
                    prop_assert_eq!(parts.iter().filter(speaks).count(), 1, "{:?} to {:?}", record, to);
                }
            }
            for part in &parts {
                let in_range = part.associations.iter().all(|link| {
                    part.records.contains(&link.from)
                        && link.to > part.after
                        && part.until.is_none_or(|until| link.to <= until)
                });
                prop_assert!(in_range);
                // Up to three kinds of link lead to one record, and they stay together.
                prop_assert!(part.associations.len() < most + 3, "{} links", part.associations.len());
            }
        }
    }
}
