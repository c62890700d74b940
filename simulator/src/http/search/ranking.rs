//! The order of results, and keeping only the first of them.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::account::View;
use crate::catalogue::{Catalogue, PropertyIndex, ValueType};
use crate::generate::text::parse_moment;
use crate::http::reply::ApiError;
use crate::http::search::request::SortRequest;
use crate::object_type::ObjectType;
use crate::random::mix;

/// What results are ordered by.
#[derive(Debug, Clone, Copy)]
enum By {
    /// The id.
    Id,
    /// The creation; the order when none is asked for.
    Created,
    /// The last modification.
    Modified,
    /// A property.
    Property(PropertyIndex),
}

/// An order of results.
#[derive(Debug, Clone, Copy)]
pub struct Ranking {
    /// What results are ordered by.
    by: By,
    /// Greatest first.
    descending: bool,
}

impl Ranking {
    /// Checks a sort against the catalogue.
    pub fn compile(
        sort: Option<&SortRequest>,
        object_type: &ObjectType,
        catalogue: &Catalogue,
    ) -> Result<Self, ApiError> {
        let Some(sort) = sort else { return Ok(Self { by: By::Created, descending: false }) };
        let index = catalogue.active(&sort.property).ok_or_else(ApiError::problem)?;
        let by = match sort.property.as_str() {
            "hs_object_id" => By::Id,
            "createdate" => By::Created,
            name if name == object_type.last_modified => By::Modified,
            _ => By::Property(index),
        };
        Ok(Self { by, descending: sort.descending })
    }

    /// What a record is ordered by.
    fn key(self, catalogue: &Catalogue, view: &View<'_>) -> Key {
        match self.by {
            By::Id => Key::Number(view.record.id as f64),
            By::Created => Key::Number(view.record.created_at as f64),
            By::Modified => Key::Number(view.record.updated_at as f64),
            By::Property(index) => {
                let Some(text) = view.text(catalogue, index).filter(|text| !text.is_empty()) else {
                    return Key::Nothing;
                };
                let number = match catalogue.get(index).value_type {
                    ValueType::Number => text.parse().ok(),
                    ValueType::Date | ValueType::DateTime => parse_moment(&text).map(|moment| moment as f64),
                    _ => None,
                };
                number.map_or_else(|| Key::Text(text.to_lowercase().into_boxed_str()), Key::Number)
            }
        }
    }
}

/// What one record is ordered by; records without value come last either way.
#[derive(Debug, Clone, PartialEq)]
enum Key {
    /// A number or time.
    Number(f64),
    /// A text in lower case.
    Text(Box<str>),
    /// No value.
    Nothing,
}

impl Key {
    /// Orders two keys.
    fn compare(&self, other: &Self, descending: bool) -> Ordering {
        let order = match (self, other) {
            (Self::Nothing, Self::Nothing) => return Ordering::Equal,
            (Self::Nothing, _) => return Ordering::Greater,
            (_, Self::Nothing) => return Ordering::Less,
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Number(_), Self::Text(_)) => Ordering::Less,
            (Self::Text(_), Self::Number(_)) => Ordering::Greater,
        };
        if descending { order.reverse() } else { order }
    }
}

/// A match with its place in the order.
#[derive(Debug)]
struct Candidate {
    /// What it is ordered by.
    key: Key,
    /// Orders equal keys.
    tie: u64,
    /// The record.
    id: u64,
    /// Greatest first.
    descending: bool,
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key
            .compare(&other.key, self.descending)
            .then(self.tie.cmp(&other.tie))
            .then(self.id.cmp(&other.id))
    }
}

/// The first of all matches. Memory is bounded by how many are wanted, not by how many match.
#[derive(Debug)]
pub struct Best {
    /// The order.
    ranking: Ranking,
    /// How many are wanted.
    wanted: usize,
    /// Mixed into the order of equal keys; 0 orders them by id.
    nonce: u64,
    /// The best so far, the worst of them on top.
    heap: BinaryHeap<Candidate>,
    /// How many matched.
    total: u64,
}

impl Best {
    /// Nothing yet.
    pub const fn new(ranking: Ranking, wanted: usize, nonce: u64) -> Self {
        Self { ranking, wanted, nonce, heap: BinaryHeap::new(), total: 0 }
    }

    /// Takes a match into account.
    pub fn offer(&mut self, catalogue: &Catalogue, view: &View<'_>) {
        self.total += 1;
        // Matches come in order of id, so later ones cannot be among the first.
        let is_by_id = matches!(self.ranking.by, By::Id) && !self.ranking.descending;
        if is_by_id && self.heap.len() == self.wanted {
            return;
        }
        let id = view.record.id;
        let tie = if self.nonce == 0 { id } else { mix(self.nonce, id) };
        let key = self.ranking.key(catalogue, view);
        let candidate = Candidate { key, tie, id, descending: self.ranking.descending };
        if self.heap.len() < self.wanted {
            self.heap.push(candidate);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && candidate < *worst
        {
            *worst = candidate;
        }
    }

    /// How many matched.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// The best, in order.
    pub fn into_ids(self) -> Vec<u64> {
        self.heap.into_sorted_vec().into_iter().map(|candidate| candidate.id).collect()
    }
}
