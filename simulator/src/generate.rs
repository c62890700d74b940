//! Everything a record contains, computed from the seed when it is asked for.
//!
//! Nothing here is stored: a [`World`] is a seed and three counts, a [`Record`] a few words on the stack. That is
//! what lets one million records fit into no memory, and any page be produced without the pages before it.

pub mod funnel;
pub mod links;
pub mod people;
pub mod record;
pub mod rule;
pub mod text;
pub mod words;
pub mod world;

pub use record::Record;
pub use world::World;
