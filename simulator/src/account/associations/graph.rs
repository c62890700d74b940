//! Links as the seed made them, between the records there are; `generate::links` says which.

use std::collections::BTreeMap;

use crate::account::Account;
use crate::account::associations::{Labels, Pair, parent_key, primary_key};
use crate::generate::links::{self, Bond};
use crate::object_type::Kind;

impl Account {
    /// The id of the record at an index whose links are as the seed made them: one with its own content. What merging
    /// made has the content of another and its links in writing.
    fn dealt(&self, kind: Kind, index: u64) -> Option<u64> {
        let id = self.world.id_of(kind, index);
        let is_own = match self.store(kind).change(id) {
            None => index < self.world.count(kind),
            Some(change) => change.content_index == Some(index),
        };
        is_own.then_some(id)
    }

    /// Links from a record to those of another type as the seed made them, whether or not the others are live.
    pub(super) fn dealt_links(&self, from: Kind, id: u64, to: Kind) -> BTreeMap<u64, Labels> {
        let mut links: BTreeMap<u64, Labels> = BTreeMap::new();
        let own = self.world.index_of(from, id).filter(|&index| self.dealt(from, index).is_some());
        let Some(index) = own else { return links };
        for dealt in links::dealt(&self.world, from, index, to, self.store(to).next_index()) {
            let Some(other) = self.dealt(to, dealt.index) else { continue };
            let label = match dealt.bond {
                Bond::Plain => None,
                Bond::Primary => primary_key(Pair::of(from, to)),
                Bond::Parent if dealt.is_target => Some(parent_key(id, other)),
                Bond::Parent => Some(parent_key(other, id)),
            };
            links.entry(other).or_default().extend(label);
        }
        links
    }
}
