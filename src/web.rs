//! The HTTP server: the REST API for programs, the dashboard for people, and what tells others how the daemon is.
//!
//! | Part | Does |
//! | --- | --- |
//! | `listener` | accepts connections, and ends them well when the process stops |
//! | `guard` | what every request goes through: its id, who may ask, its body, its time, the form of errors |
//! | `access` | tokens, and what a request without one may do |
//! | `client` | whom limits count a request for |
//! | `endpoint` | one table of routes: path, right, handler, and what the OpenAPI document says of it |
//! | `api` | the routes below `/api` |
//! | `dashboard` | the pages for people |
//! | `figures` | `/metrics` |
//! | `limits` | HubSpot's limits, for the API and the dashboard |
//! | `health`, `openapi` | the routes anybody may ask |
//! | `live` | what happens, told over WebSockets as it happens |
//! | `webhooks` | what HubSpot tells of: it signs its requests, which lets them in and nothing else |
//!
//! A handler reads and writes the database and nothing else: it never calls HubSpot, so it works in every process, also
//! in one that stands by. What has to be done in HubSpot is written down for the process that leads. The one exception is
//! the page of all checks, which asks what the command `check` asks.

mod access;
mod api;
mod client;
mod dashboard;
mod endpoint;
mod error;
mod figures;
mod guard;
mod health;
mod limits;
mod listener;
mod live;
mod openapi;
mod situation;
pub mod webhooks;

use std::sync::Arc;

use axum::{Router, middleware};
use tokio::sync::Semaphore;
use tracing::{info, warn};

use crate::config::{ApiToken, Config};
use crate::lifecycle::Lifecycle;
use crate::model::{ObjectType, Selected};
use crate::storage::{Database, StorageError, recall_types};
use crate::sync::{Event, Events, RecordName};

use health::Pulse;
pub use situation::{Role, Situation};
use webhooks::Receiver;

/// What handlers work with. Cheap to clone.
#[derive(Debug, Clone)]
struct App(Arc<Parts>);

/// What [`App`] shares.
#[derive(Debug)]
struct Parts {
    config: Config,
    tokens: Vec<ApiToken>,
    database: Database,
    situation: Situation,
    /// Where it is told what happens, and what requests do.
    events: Events,
    lifecycle: Lifecycle,
    /// One permit a request that works with the database: runs need connections too.
    work: Arc<Semaphore>,
    /// Whether the database answers.
    pulse: Pulse,
}

impl std::ops::Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// The types whose records are mirrored. Custom ones are left out until their schema is known.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn types(&self) -> Result<Vec<&'static ObjectType>, StorageError> {
        Ok(Selected::known(&self.objects().await?))
    }

    /// The same, with the names of those that are not known yet.
    async fn objects(&self) -> Result<Vec<Selected>, StorageError> {
        recall_types(&self.database, &self.config.sync.objects).await
    }

    /// Tells whoever is watching that a request has edited a row.
    fn tell_edited(&self, object_type: &'static ObjectType, key: i64) {
        self.events.send(Event::changed(object_type, 1, [RecordName::Row(key)]));
    }
}

/// Serves until the process stops, if the configuration asks for it. `events` are what the process does.
pub async fn serve(
    config: Config,
    database: Database,
    situation: Situation,
    events: Events,
    lifecycle: Lifecycle,
) {
    let Some(web) = config.web.clone() else { return };
    let (webhooks, objects) = (config.webhooks.clone(), config.sync.objects.clone());
    let receiver = Receiver::new(webhooks, objects, database.clone(), lifecycle.clone(), situation.clone());
    // Half of the connections, and one at least: the other half is for runs.
    let work = (config.database.max_connections as usize / 2).max(1);
    let parts = Parts {
        config,
        tokens: web.tokens.clone(),
        database,
        situation,
        events,
        lifecycle: lifecycle.clone(),
        work: Arc::new(Semaphore::new(work)),
        pulse: Pulse::default(),
    };
    let app = App(Arc::new(parts));
    let Some(listener) = listener::bind(web.address, lifecycle.shutdown()).await else { return };
    match listener.local_addr() {
        Ok(address) if app.is_open() => {
            info!(
                "The API is at http://{address}/api, open to every program on this machine: API_TOKEN is not set"
            );
        }
        Ok(address) => info!("The API is at http://{address}/api"),
        Err(error) => warn!("The API is served, but not known where: {error}"),
    }
    let routes = router(&app, Arc::new(receiver));
    listener::serve(listener, routes, lifecycle.shutdown()).await;
}

/// Every route. Those HubSpot calls let in by its signature and nothing else.
fn router(app: &App, receiver: Arc<Receiver>) -> Router {
    let endpoints: Vec<_> =
        health::endpoints().into_iter().chain(figures::endpoints()).chain(api::endpoints()).collect();
    let signed = webhooks::endpoints();
    let feed = live::described();
    let described = endpoints.iter().map(|endpoint| &endpoint.described).chain([&feed.described]);
    let document = openapi::document(described.chain(signed.iter().map(|endpoint| &endpoint.described)));
    let for_programs = endpoint::router(app, endpoints)
        .merge(openapi::router(&document))
        .layer(middleware::from_fn_with_state(app.clone(), access::expect_this_machine));
    let ours = for_programs.merge(dashboard::router(app)).merge(live::router(app));
    guard::around(ours, webhooks::router(receiver))
}
