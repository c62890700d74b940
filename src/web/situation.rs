//! What the process is doing, as far as the server has to know it.

use std::sync::{Arc, PoisonError, RwLock};

use crate::hubspot::LimiterSnapshot;
use crate::sync::Engine;

/// The part the process plays. Cheap to clone; whoever leads or stands by says so.
#[derive(Debug, Clone, Default)]
pub struct Situation(Arc<RwLock<Role>>);

/// The part a process plays.
#[derive(Debug, Clone, Default)]
pub enum Role {
    /// It waits for the database, or brings its tables up to date.
    #[default]
    Starting,
    /// Another process calls HubSpot, or the database does not answer.
    StandingBy,
    /// It calls HubSpot.
    Leading(Arc<Engine>),
}

impl Situation {
    /// Takes a part.
    pub fn set(&self, role: Role) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = role;
    }

    /// The part it plays now.
    fn role(&self) -> Role {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the tables are there to be worked with.
    pub(super) fn is_ready(&self) -> bool {
        !matches!(self.role(), Role::Starting)
    }

    /// The part in one word.
    pub(super) fn word(&self) -> &'static str {
        match self.role() {
            Role::Starting => "starting",
            Role::StandingBy => "standby",
            Role::Leading(_) => "leading",
        }
    }

    /// Whether another process does the work, or nobody does.
    pub(super) fn stands_by(&self) -> bool {
        matches!(self.role(), Role::StandingBy)
    }

    /// Tells the engine that webhooks are stored; where another process leads, that one looks by itself.
    pub(super) fn webhooks_arrived(&self) {
        if let Role::Leading(engine) = self.role() {
            engine.webhooks_arrived();
        }
    }

    /// The limits of HubSpot's requests, in the process that makes them.
    pub(super) fn limits(&self) -> Option<LimiterSnapshot> {
        match self.role() {
            Role::Leading(engine) => Some(engine.limits()),
            Role::Starting | Role::StandingBy => None,
        }
    }
}
