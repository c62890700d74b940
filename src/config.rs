//! Configuration, read once from the environment.
mod hubspot;
pub use hubspot::HubSpotConfig;
