//! Parents and children among companies: a company has at most one parent, and a property that names it.
//!
//! Source: HubSpot, "Associate records", for the labels.

use crate::account::associations::{Labels, parent_key};
use crate::account::edit::GivenValues;
use crate::account::{Account, End, Moment};
use crate::object_type::Kind;

/// The property that holds a company's parent.
const PARENT_PROPERTY: &str = "hs_parent_company_id";

impl Account {
    /// The company a company is the child of, whether or not it is live.
    fn parent_of(&self, child: u64) -> Option<u64> {
        let links = self.all_links((Kind::COMPANY, child), Kind::COMPANY);
        links
            .into_iter()
            .find(|&(other, ref labels)| labels.contains(&parent_key(child, other)))
            .map(|(id, _)| id)
    }

    /// How many live children a company has.
    pub(in crate::account) fn children_of(&self, parent: u64) -> usize {
        let links = self.links((Kind::COMPANY, parent), Kind::COMPANY);
        links.iter().filter(|&(&other, labels)| labels.contains(&parent_key(other, parent))).count()
    }

    /// Lets everything follow that hangs on the link of two companies: what has a new parent loses the old one, and the
    /// property that names the parent says the same.
    pub(super) fn follow_family(&mut self, ends: [u64; 2], state: Option<&Labels>, moment: Moment) {
        for [child, parent] in [ends, [ends[1], ends[0]]] {
            if state.is_some_and(|labels| labels.contains(&parent_key(child, parent))) {
                self.orphan(child, parent, moment);
            }
            self.mirror_parent(child, moment);
        }
    }

    /// After a merge: keeps one of two parents, the one with the lower id, and tells the children who theirs is now.
    pub(super) fn settle_family(&mut self, company: u64, moment: Moment) {
        if let Some(parent) = self.parent_of(company) {
            self.orphan(company, parent, moment);
        }
        self.mirror_parent(company, moment);
        for other in self.all_links((Kind::COMPANY, company), Kind::COMPANY).into_keys() {
            self.mirror_parent(other, moment);
        }
    }

    /// Takes the parent label from every parent of a company but one.
    fn orphan(&mut self, child: u64, kept: u64, moment: Moment) {
        for (other, mut labels) in self.all_links((Kind::COMPANY, child), Kind::COMPANY) {
            if other != kept && labels.remove(&parent_key(child, other)) {
                self.store_link((Kind::COMPANY, child), (Kind::COMPANY, other), Some(labels));
                self.refresh_rollups((Kind::COMPANY, other), moment);
            }
        }
    }

    /// Brings the property that names the parent in line with the links; last-modified stays.
    pub(super) fn mirror_parent(&mut self, child: u64, moment: Moment) {
        let parent = self.parent_of(child).map(|id| id.to_string());
        self.mirror((Kind::COMPANY, child), PARENT_PROPERTY, parent, moment);
    }

    /// Brings the links in line with the property that names the parent, if it is among what was written.
    pub(in crate::account) fn follow_parent_property(
        &mut self,
        (kind, id): End,
        given: &GivenValues,
        moment: Moment,
    ) {
        let Some(text) = given.get(PARENT_PROPERTY).filter(|_| kind == Kind::COMPANY) else { return };
        let named = text.as_deref().and_then(|text| text.parse().ok());
        let parent = named.filter(|&parent| parent != id && self.live(kind, parent).is_some());
        self.orphan(id, parent.unwrap_or_default(), moment);
        if let Some(parent) = parent {
            let mut labels = self.all_links((kind, id), kind).remove(&parent).unwrap_or_default();
            // Nobody is the parent of a parent.
            labels.remove(&parent_key(parent, id));
            labels.insert(parent_key(id, parent));
            self.store_link((kind, id), (kind, parent), Some(labels));
            self.refresh_rollups((kind, parent), moment);
        }
    }
}
