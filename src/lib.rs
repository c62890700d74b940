//! `hubspot-connector`: keeps a MariaDB database an exact, live copy of a HubSpot CRM.
//!
//! The layers, bottom to top; a module uses lower ones only (ARCHITECTURE.md tells the whole story):
//!
//! | Layer | Modules |
//! | --- | --- |
//! | facts | [`model`], [`clock`], [`retry`] |
//! | surroundings | [`config`], [`lifecycle`], [`telemetry`], [`metrics`] |
//! | the two ends | [`hubspot`], [`storage`] |
//! | the product | [`sync`], [`alerts`] |
//! | time | [`schedule`] |
//! | self-examination | [`checks`] |
//! | the door | [`web`] |
//! | composition | [`app`], [`cli`] |

pub mod alerts;
pub mod app;
pub mod checks;
pub mod cli;
pub mod clock;
pub mod config;
pub mod hubspot;
pub mod lifecycle;
pub mod metrics;
pub mod model;
pub mod retry;
pub mod schedule;
pub mod storage;
pub mod sync;
pub mod telemetry;
pub mod web;
