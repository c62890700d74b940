//! The client of the HubSpot API.
