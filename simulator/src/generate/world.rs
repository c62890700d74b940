//! The account as the seed made it: which records exist, their ids, and when they were made and changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::clock::{DAY_MS, Millis};
use crate::generate::Record;
use crate::object_type::{Kind, TYPE_COUNT};
use crate::random::{below, mix};

/// First moment a generated record can have been created: 2019-03-04T08:00:00Z.
pub const FIRST_CREATED: Millis = 1_551_686_400_000;

/// No generated record was modified at or after this: 2026-11-01T00:00:00Z. Changes made later carry real time, so
/// what is generated and what was changed never mix.
pub const GENERATED_END: Millis = 1_793_491_200_000;

/// No record has an index this large; ids beyond are strangers, however large.
const INDEX_END: u64 = 1 << 40;

/// Records modified by the same import share one instant, this long apart and going back from the end.
const IMPORT_EVERY_MS: Millis = 41 * DAY_MS;

/// Purposes of a draw, so that two facts of one record are independent.
mod salt {
    pub const GAP: u64 = 1;
    pub const CREATED: u64 = 2;
    pub const MODIFIED: u64 = 3;
    pub const RECORD: u64 = 4;
}

/// The generated part of an account.
#[derive(Debug, Clone)]
pub struct World {
    /// What everything is drawn from.
    seed: u64,
    /// The numbers of each type, in the order of [`Kind`].
    types: Vec<Numbers>,
    /// The day values that are calculated when they are read are calculated for.
    today: Arc<AtomicI64>,
}

/// What records of a type are numbered by.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    /// How many were generated.
    count: u64,
    /// The first has an id a little above this.
    first_id: u64,
    /// Mean distance between neighbouring ids.
    id_stride: u64,
}

impl World {
    /// The world of a seed, with this many records per type in the order of [`Kind`]; none of those not told.
    /// Counts beyond HubSpot's own types are those of types the portal defined.
    pub fn new(seed: u64, told: &[u64]) -> Self {
        let today = Arc::new(AtomicI64::new(GENERATED_END));
        let mut world = Self { seed, types: Vec::new(), today };
        let counts = told.iter().copied().chain(std::iter::repeat(0));
        counts.take(told.len().max(TYPE_COUNT)).for_each(|count| world.add_type(count));
        world
    }

    /// Adds a type with this many generated records.
    pub fn add_type(&mut self, count: u64) {
        let (first_id, id_stride) = Kind::at(self.types.len()).numbering();
        self.types.push(Numbers { count, first_id, id_stride });
    }

    /// Start of the day, in UTC, that values calculated when they are read are calculated for.
    pub fn today(&self) -> Millis {
        self.today.load(Ordering::Relaxed)
    }

    /// Has values that are calculated when they are read calculated for the day of a moment. All change at midnight,
    /// so that they stay the same from one reading to the next of a day.
    pub fn set_today(&self, now: Millis) {
        self.today.store(now - now.rem_euclid(DAY_MS), Ordering::Relaxed);
    }

    /// The seed.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// How many records of a kind were generated.
    pub fn count(&self, kind: Kind) -> u64 {
        self.numbers(kind).count
    }

    /// How many types there are.
    pub const fn type_count(&self) -> usize {
        self.types.len()
    }

    /// The numbers of a type.
    fn numbers(&self, kind: Kind) -> &Numbers {
        &self.types[kind.index()]
    }

    /// A word that depends on the record and the purpose alone.
    const fn word(&self, kind: Kind, index: u64, purpose: u64) -> u64 {
        mix(self.seed ^ ((kind.index() as u64) << 56) ^ (purpose << 48), index)
    }

    /// Id of the record at an index; ascends with the index and leaves gaps.
    pub fn id_of(&self, kind: Kind, index: u64) -> u64 {
        let numbers = self.numbers(kind);
        let gap = below(self.word(kind, index, salt::GAP), numbers.id_stride - 1);
        numbers.first_id + index * numbers.id_stride + gap
    }

    /// Index of the record with an id, whether or not that many were generated; `None` for an id in a gap.
    pub fn index_of(&self, kind: Kind, id: u64) -> Option<u64> {
        let numbers = self.numbers(kind);
        let index = id.checked_sub(numbers.first_id)? / numbers.id_stride;
        (index < INDEX_END && self.id_of(kind, index) == id).then_some(index)
    }

    /// Index of the first generated record whose id is at least `id`; the count when there is none.
    pub fn first_index_from(&self, kind: Kind, id: u64) -> u64 {
        let numbers = self.numbers(kind);
        let near = id.saturating_sub(numbers.first_id) / numbers.id_stride;
        if near >= self.count(kind) {
            return self.count(kind);
        }
        if self.id_of(kind, near) < id { near + 1 } else { near }
    }

    /// Start of the slice of time in which the record at an index was created.
    fn slot(&self, kind: Kind, index: u64) -> (Millis, u64) {
        let count = self.count(kind);
        let width = (GENERATED_END - FIRST_CREATED) as u64 / if count == 0 { 1 } else { count };
        (FIRST_CREATED + (index * width) as Millis, width)
    }

    /// When the record at an index was created; never descends with the index.
    pub fn created_at(&self, kind: Kind, index: u64) -> Millis {
        let (start, width) = self.slot(kind, index);
        let word = self.word(kind, index, salt::CREATED);
        let exact = start + below(word, width) as Millis;
        // One in eight has whole seconds, as records made by imports and other programs do.
        if word.is_multiple_of(8) && exact - exact % 1_000 >= start { exact - exact % 1_000 } else { exact }
    }

    /// When the record at an index was last modified: after its creation and before [`GENERATED_END`].
    pub const fn modified_at(&self, kind: Kind, index: u64, created_at: Millis) -> Millis {
        let word = self.word(kind, index, salt::MODIFIED);
        let age = GENERATED_END - 1 - created_at;
        if word.is_multiple_of(32) {
            let imports_back = 1 + below(word, 3) as Millis;
            let import = GENERATED_END - imports_back * IMPORT_EVERY_MS;
            if import >= created_at {
                return import;
            }
        }
        // The square of a uniform draw: most records were changed lately, a few not for years.
        let uniform = word >> 32;
        let back = ((uniform as u128 * uniform as u128 * age as u128) >> 64) as Millis;
        let exact = GENERATED_END - 1 - back;
        let whole = exact - exact % 1_000;
        if word % 8 == 1 && whole >= created_at { whole } else { exact }
    }

    /// How many generated records were created no later than `moment`, rounded up.
    pub fn created_until(&self, kind: Kind, moment: Millis) -> u64 {
        let (_, width) = self.slot(kind, 0);
        let since = moment.saturating_sub(FIRST_CREATED);
        if since < 0 || width == 0 {
            return 0;
        }
        (since as u64 / width + 1).min(self.count(kind))
    }

    /// The facts of the record at an index. `index` may lie beyond the generated ones: records created later draw
    /// their content from there.
    pub const fn record(
        &self,
        kind: Kind,
        index: u64,
        id: u64,
        created_at: Millis,
        updated_at: Millis,
    ) -> Record<'_> {
        let seed = self.word(kind, index, salt::RECORD);
        Record { world: self, kind, index, id, created_at, updated_at, seed }
    }

    /// The facts of a generated record that nobody changed.
    pub fn generated(&self, kind: Kind, index: u64) -> Record<'_> {
        let created_at = self.created_at(kind, index);
        let updated_at = self.modified_at(kind, index, created_at);
        self.record(kind, index, self.id_of(kind, index), created_at, updated_at)
    }

    /// Index of the company a contact or deal belongs to.
    ///
    /// Records are dealt out to companies in turn and every eighth round is left out, as `links` has it.
    pub fn company_of(&self, index: u64) -> Option<u64> {
        let companies = self.count(Kind::COMPANY);
        (companies > 0 && (index / companies) % 8 != 7).then(|| index % companies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> World {
        World::new(42, &[10_000, 300, 500, 100])
    }

    #[test]
    fn ids_ascend_with_gaps_and_lead_back_to_their_index() {
        let world = world();
        let ids: Vec<u64> = (0..10_000).map(|index| world.id_of(Kind::CONTACT, index)).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ids.windows(2).any(|pair| pair[1] - pair[0] > 1));
        for (index, &id) in ids.iter().enumerate() {
            assert_eq!(world.index_of(Kind::CONTACT, id), Some(index as u64));
            assert_eq!(world.first_index_from(Kind::CONTACT, id), index as u64);
            assert_eq!(world.first_index_from(Kind::CONTACT, id + 1), index as u64 + 1);
        }
    }

    #[test]
    fn ids_beyond_all_records_lead_nowhere() {
        let world = world();
        for id in [0, 1, u64::MAX - 1, u64::MAX] {
            assert_eq!(world.index_of(Kind::CONTACT, id), None);
        }
        assert_eq!(world.first_index_from(Kind::CONTACT, 0), 0);
        assert_eq!(world.first_index_from(Kind::CONTACT, u64::MAX), 10_000);
    }

    #[test]
    fn times_ascend_by_creation_and_modification_follows_creation() {
        let world = world();
        let mut earlier = 0;
        for index in 0..10_000 {
            let created_at = world.created_at(Kind::CONTACT, index);
            let modified_at = world.modified_at(Kind::CONTACT, index, created_at);
            assert!(earlier <= created_at && created_at <= modified_at && modified_at < GENERATED_END);
            assert!(world.created_until(Kind::CONTACT, created_at) > index);
            earlier = created_at;
        }
    }
}
