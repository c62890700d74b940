//! A stand-in for HubSpot's CRM API over real HTTP.
//!
//! The simulator invents an account from a seed and serves it as HubSpot would: the same paths, bodies, limits and
//! complaints, an index for search that lags behind, and failures on demand. It shares no code with the daemon it is
//! there to test, so that a misreading of HubSpot's documentation is not made twice in the same way unseen.
//!
//! | Module | Owns |
//! | --- | --- |
//! | [`object_type`] | one descriptor per object type |
//! | [`catalogue`] | property definitions |
//! | [`generate`] | what records contain, computed from the seed |
//! | [`account`] | what somebody changed, pipelines, owners, the state file |
//! | [`render`] | records as JSON |
//! | [`limits`], [`faults`], [`scopes`], [`settings`], [`stats`], [`clock`] | the rules around every request |
//! | [`http`] | paths, handlers, errors, sockets, the control API |
//! | [`live`] | changes made by themselves |
//! | [`webhooks`] | telling an app of changes |

pub mod account;
pub mod catalogue;
pub mod clock;
pub mod config;
pub mod faults;
pub mod generate;
pub mod http;
pub mod limits;
pub mod live;
pub mod object_type;
pub mod random;
pub mod render;
pub mod scopes;
pub mod settings;
pub mod simulator;
pub mod stats;
pub mod webhooks;

pub use config::Config;
pub use http::Server;
