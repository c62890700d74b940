//! Repeatable randomness without state.
//!
//! Owns the mixing function everything generated is drawn from. A value is a pure function of the seed, the
//! object type, the record and the property, so any record can be produced alone, in any order, on any thread.

/// Mixes two words into one well-spread word.
///
/// The second word walks a Weyl sequence from the first, and SplitMix64's finalizer spreads the sum: a few
/// nanoseconds, and good enough that neighbouring indexes look unrelated.
/// Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators".
pub const fn mix(a: u64, b: u64) -> u64 {
    let sum = a.wrapping_add(b.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let sum = (sum ^ (sum >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let sum = (sum ^ (sum >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    sum ^ (sum >> 31)
}

/// Mixes a text into one word, for salts named after what they are for.
pub fn mix_text(text: &str) -> u64 {
    text.bytes().fold(0x51_7C_C1_B7_27_22_0A_95, |state, byte| mix(state, u64::from(byte)))
}

/// A number in `0..bound`, read from the high bits of `word`; 0 when `bound` is 0.
pub const fn below(word: u64, bound: u64) -> u64 {
    ((word as u128 * bound as u128) >> 64) as u64
}

/// One element of a list that is not empty.
pub fn pick<T>(word: u64, list: &[T]) -> &T {
    &list[below(word, list.len() as u64) as usize]
}

/// True in `percent` of 100 draws.
pub const fn chance(word: u64, percent: u64) -> bool {
    below(word, 100) < percent
}

/// A sequence of draws from one seed, where the caller wants several numbers in a row.
#[derive(Debug, Clone)]
pub struct Draws {
    /// What the sequence starts from.
    seed: u64,
    /// Draws made so far.
    count: u64,
}

impl Draws {
    /// Starts the sequence of a seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed, count: 0 }
    }

    /// The next word.
    pub const fn word(&mut self) -> u64 {
        self.count += 1;
        mix(self.seed, self.count)
    }

    /// The next number in `0..bound`; 0 when `bound` is 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        below(self.word(), bound)
    }

    /// Puts a list into an order of its own.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for end in (1..list.len()).rev() {
            list.swap(end, self.below(end as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_spread_evenly_over_ten_buckets() {
        let mut buckets = [0_u32; 10];
        for index in 0..10_000 {
            buckets[below(mix(42, index), 10) as usize] += 1;
        }
        assert!(buckets.iter().all(|&count| (900..1_100).contains(&count)), "{buckets:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_sequence() {
        let mut first = Draws::new(7);
        let mut second = Draws::new(7);
        assert!((0..100).all(|_| first.word() == second.word()));
    }
}
