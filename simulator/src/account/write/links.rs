//! Links named in the body of a new record. Source: HubSpot, "Using object APIs".

use std::collections::BTreeMap;

use crate::account::associations::edit::NamedLabel;
use crate::account::associations::{Label, Pair};
use crate::account::write::Refused;
use crate::account::{Account, End};
use crate::object_type::Kind;

/// A link as a body names it: the type of the other record follows from the number of the link type.
#[derive(Debug, Clone)]
pub struct SentLink {
    /// The other record.
    pub to: u64,
    /// Link types, in the direction from the new record.
    pub types: Vec<NamedLabel>,
}

impl Account {
    /// The records to link to, each with the labels of the link.
    pub(super) fn resolve_links(
        &self,
        kind: Kind,
        sent: &[SentLink],
    ) -> Result<Vec<(End, Vec<NamedLabel>)>, Refused> {
        let mut links: BTreeMap<End, Vec<NamedLabel>> = BTreeMap::new();
        for link in sent {
            for &named in &link.types {
                let to = self.link_target(kind, named)?;
                links.entry((to, self.store(to).survivor(link.to))).or_default().push(named);
            }
        }
        let gone: Vec<End> = links.keys().copied().filter(|&(to, id)| self.live(to, id).is_none()).collect();
        if gone.is_empty() { Ok(links.into_iter().collect()) } else { Err(Refused::NoSuchEnds(gone)) }
    }

    /// The type a link type leads to.
    fn link_target(&self, from: Kind, (category, number): NamedLabel) -> Result<Kind, Refused> {
        let leads = |other: Kind, direction: usize| {
            let is_meant = |label: &Label| label.category == category && label.type_ids[direction] == number;
            self.associations().labels(Pair::of(from, other)).iter().any(is_meant)
        };
        let kinds = || self.registry().kinds();
        if let Some(to) = kinds().find(|&to| leads(to, usize::from(from > to))) {
            return Ok(to);
        }
        let backward = kinds().find(|&to| leads(to, usize::from(from < to)));
        Err(backward.map_or(Refused::NoSuchLinkType(number), Refused::WrongDirection))
    }
}
