//! Properties that HubSpot counts from links; they change while nobody writes to the record, and last-modified stays.
//!
//! Source: reports of people who run connectors.

use crate::account::{Account, End, Moment};
use crate::object_type::Kind;

/// What a property counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// Linked records of a type.
    Linked(Kind),
    /// Child companies.
    Children,
}

/// Every property that counts: whose it is, its name, and what it counts.
const ROLLUPS: [(Kind, &str, Counted); 6] = [
    (Kind::COMPANY, "num_associated_contacts", Counted::Linked(Kind::CONTACT)),
    (Kind::COMPANY, "num_associated_deals", Counted::Linked(Kind::DEAL)),
    (Kind::COMPANY, "hs_num_child_companies", Counted::Children),
    (Kind::CONTACT, "num_associated_deals", Counted::Linked(Kind::DEAL)),
    (Kind::DEAL, "num_associated_contacts", Counted::Linked(Kind::CONTACT)),
    (Kind::TICKET, "hs_num_associated_companies", Counted::Linked(Kind::COMPANY)),
];

impl Account {
    /// Counts anew what a record shows of its links, if the account is set to.
    pub(super) fn refresh_rollups(&mut self, (kind, id): End, moment: Moment) {
        if !moment.habits.roll_ups_follow || self.live(kind, id).is_none() {
            return;
        }
        for (_, name, counted) in ROLLUPS.into_iter().filter(|rollup| rollup.0 == kind) {
            let count = match counted {
                Counted::Linked(other) => self.links((kind, id), other).len(),
                Counted::Children => self.children_of(id),
            };
            self.mirror((kind, id), name, Some(count.to_string()), moment);
        }
    }

    /// Counts anew what a record that came, went or changed its links shows of them, and what those linked to it show.
    pub(super) fn refresh_rollups_around(&mut self, end: End, moment: Moment) {
        if !moment.habits.roll_ups_follow {
            return;
        }
        self.refresh_rollups(end, moment);
        let counts_it = |counted| match counted {
            Counted::Linked(kind) => kind == end.0,
            Counted::Children => end.0 == Kind::COMPANY,
        };
        let mut kinds: Vec<Kind> =
            ROLLUPS.iter().filter(|rollup| counts_it(rollup.2)).map(|rollup| rollup.0).collect();
        kinds.dedup();
        for kind in kinds {
            for id in self.all_links(end, kind).into_keys() {
                self.refresh_rollups((kind, id), moment);
            }
        }
    }
}
