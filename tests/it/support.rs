//! What the tests share: a fresh database each, and shorthands for the things they compare.

pub mod database;
