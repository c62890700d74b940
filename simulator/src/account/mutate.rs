//! Changes nobody wrote by hand: many at once, or a steady trickle.

use std::collections::{BTreeMap, BTreeSet};

use crate::account::associations::edit::primary_property;
use crate::account::edit::GivenValues;
use crate::account::{Account, EditError, Moment};
use crate::catalogue::{Property, ValueType};
use crate::clock::Millis;
use crate::object_type::Kind;
use crate::random::Draws;

/// Many records to change at once.
#[derive(Debug, Clone, Copy)]
pub struct MutateRequest {
    /// What to change.
    pub kind: Kind,
    /// How many distinct records.
    pub count: u64,
    /// Which ones, and to what.
    pub seed: u64,
    /// All get one last-modified.
    pub same_millisecond: bool,
    /// The last-modified all get.
    pub last_modified: Option<Millis>,
}

/// Changes are spread over at most this long before the present, so that none lies in the future.
const SPREAD_MS: u64 = 500;

/// Content beyond every real record, to draw new values from.
const FOREIGN_CONTENT: u64 = 1 << 40;

/// Properties people change, for the kinds whose tables have many; of others, they change what is searched.
fn changeable(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::CONTACT => &[
            "jobtitle",
            "phone",
            "mobilephone",
            "city",
            "address",
            "zip",
            "lifecyclestage",
            "hs_lead_status",
            "hubspot_owner_id",
            "message",
            "loyalty_points",
            "favourite_topic",
            "interests",
            "lastname",
        ],
        Kind::COMPANY => &[
            "phone",
            "city",
            "address",
            "zip",
            "numberofemployees",
            "annualrevenue",
            "description",
            "type",
            "lifecyclestage",
            "hubspot_owner_id",
            "account_tier",
            "contract_value",
            "industry",
        ],
        Kind::DEAL => &[
            "amount",
            "dealstage",
            "closedate",
            "description",
            "hs_next_step",
            "hs_priority",
            "hubspot_owner_id",
            "discount_percent",
            "product_lines",
            "dealtype",
        ],
        Kind::TICKET => &[
            "subject",
            "content",
            "hs_pipeline_stage",
            "hs_ticket_priority",
            "hs_ticket_category",
            "hubspot_owner_id",
        ],
        _ => &[],
    }
}

impl Account {
    /// Changes that many distinct records, or all when there are fewer. Returns their ids in ascending order.
    pub fn mutate(&mut self, request: MutateRequest, moment: Moment) -> Vec<u64> {
        let mut draws = Draws::new(request.seed);
        let ids = self.random_live(request.kind, request.count, &mut draws);
        let latest = ids.iter().filter_map(|&id| self.next_stamp(request.kind, id, moment.now)).max();
        for (position, &id) in ids.iter().enumerate() {
            let given = self.drawn_values(request.kind, id, &mut draws);
            let least = self.next_stamp(request.kind, id, 0);
            let updated_at = match request.last_modified {
                Some(given) => Some(given),
                None if request.same_millisecond => latest,
                None => least.map(|least| spread(moment.now, position, ids.len()).max(least)),
            };
            // Drawn values are of the right type and the record was live a moment ago.
            let _ = self.set_values(request.kind, id, &given, updated_at, moment);
        }
        ids
    }

    /// Moves last-modified of that many records and nothing else. Returns their ids in ascending order.
    pub fn touch_many(&mut self, kind: Kind, count: u64, seed: u64, moment: Moment) -> Vec<u64> {
        let ids = self.random_live(kind, count, &mut Draws::new(seed));
        ids.into_iter().filter(|&id| self.touch(kind, id, moment).is_ok()).collect()
    }

    /// Gives one calculated property of that many records another value, as happens at HubSpot while nobody writes:
    /// last-modified stays. Returns their ids in ascending order; none for a type that calculates no numbers.
    pub fn recalculate(&mut self, kind: Kind, count: u64, seed: u64, moment: Moment) -> Vec<u64> {
        let is_calculated = |property: &Property| {
            property.field_type.starts_with("calculation")
                && property.value_type == ValueType::Number
                && !property.is_archived()
                && primary_property(kind) != Some(&property.name)
        };
        let calculated = self.catalogue(kind).iter().filter(|(_, property)| is_calculated(property));
        let names: Vec<String> = calculated.map(|(_, property)| property.name.clone()).collect();
        if names.is_empty() {
            return Vec::new();
        }
        let mut draws = Draws::new(seed);
        let ids = self.random_live(kind, count, &mut draws);
        for &id in &ids {
            let name = names[draws.below(names.len() as u64) as usize].clone();
            let given = BTreeMap::from([(name, Some(draws.below(1 << 30).to_string()))]);
            // The property is a number and the record was live a moment ago.
            let _ = self.update_silently(kind, id, &given, moment);
        }
        ids
    }

    /// One step of everyday life: mostly an edit, sometimes a new record, rarely a deletion.
    pub fn live_step(&mut self, draws: &mut Draws, moment: Moment) -> Result<(), EditError> {
        let kind = match draws.below(10) {
            0..=4 => Kind::CONTACT,
            5..=6 => Kind::COMPANY,
            _ => Kind::DEAL,
        };
        match draws.below(100) {
            0..=84 => {}
            85..=96 => return self.create(kind, None, moment).map(drop),
            _ => {
                return self
                    .random_live(kind, 1, draws)
                    .first()
                    .map_or(Ok(()), |&id| self.archive(kind, id, moment));
            }
        }
        let Some(&id) = self.random_live(kind, 1, draws).first() else { return Ok(()) };
        let given = self.drawn_values(kind, id, draws);
        self.update(kind, id, &given, moment)
    }

    /// Distinct live records, ascending; all of them when fewer than `count` are live.
    fn random_live(&self, kind: Kind, count: u64, draws: &mut Draws) -> Vec<u64> {
        let store = self.store(kind);
        if count.saturating_mul(3) >= store.live() {
            let mut ids: Vec<u64> = store.live_from(&self.world, 0).map(|view| view.record.id).collect();
            draws.shuffle(&mut ids);
            ids.truncate(count as usize);
            ids.sort_unstable();
            return ids;
        }
        let mut chosen = BTreeSet::new();
        // At least two thirds of the live ones stay unchosen, so draws succeed often; a sparse account is walked.
        for _ in 0..count.saturating_mul(1_000) {
            if chosen.len() as u64 == count {
                break;
            }
            let id = self.world.id_of(kind, draws.below(store.next_index()));
            if self.live(kind, id).is_some() {
                chosen.insert(id);
            }
        }
        chosen.into_iter().collect()
    }

    /// One to three new values, each different from what the record has.
    fn drawn_values(&self, kind: Kind, id: u64, draws: &mut Draws) -> GivenValues {
        const TRIES: usize = 40;
        let wanted = 1 + draws.below(3) as usize;
        let names: Vec<&str> = match changeable(kind) {
            [] => self.registry().of(kind).searchable.iter().map(String::as_str).collect(),
            names => names.to_vec(),
        };
        let mut given = BTreeMap::new();
        let Some(view) = self.live(kind, id) else { return given };
        let catalogue = self.catalogue(kind);
        for _ in 0..TRIES {
            if given.len() >= wanted {
                break;
            }
            let name = names[draws.below(names.len() as u64) as usize];
            let Some(index) = catalogue.active(name) else { continue };
            let content = FOREIGN_CONTENT + draws.below(FOREIGN_CONTENT);
            let foreign =
                self.world.record(kind, content, id, view.record.created_at, view.record.created_at);
            let mut text = Vec::new();
            let has_value =
                catalogue.get(index).fill.as_ref().is_some_and(|fill| fill.write(&foreign, &mut text));
            let text = String::from_utf8_lossy(&text).into_owned();
            if has_value && view.text(catalogue, index).as_deref() != Some(&text) {
                given.insert(name.to_owned(), Some(text));
            }
        }
        if given.is_empty() {
            self.draw_fallback(kind, draws, &mut given);
        }
        self.follow_stage(kind, &mut given);
        given
    }

    /// A value that is new in any case, for portals that lost the usual properties.
    fn draw_fallback(&self, kind: Kind, draws: &mut Draws, given: &mut GivenValues) {
        let writable = self.catalogue(kind).iter().find(|(_, property)| {
            property.value_type == ValueType::String
                && !property.flags.read_only_value
                && !property.is_archived()
        });
        if let Some((_, property)) = writable {
            given.insert(property.name.clone(), Some(format!("Changed {}", draws.word())));
        }
    }
}

/// The moment of one of `count` changes, spread over a short time that ends now.
fn spread(now: Millis, position: usize, count: usize) -> Millis {
    let width = (count as u64).min(SPREAD_MS);
    let back = width - width * (position as u64 + 1) / count.max(1) as u64;
    now - back as Millis
}
