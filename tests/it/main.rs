//! Integration tests: one binary, so that everything links once.

#![expect(clippy::unwrap_used, reason = "a step that fails ends its test, in helpers too")]

mod alerts;
mod commands;
mod deploy;
mod documents;
mod layers;
mod metrics;
mod scripts;
mod settings;
mod storage;
mod support;
mod sync;
mod web;
