//! What a run learns before it reads records: the property catalogue, and the columns that follow from it.

use std::sync::{Arc, PoisonError};

use tracing::warn;

use super::engine::Engine;
use super::error::{Chain, SyncError};
use super::records::Context;
use crate::hubspot::{HubSpotClient, HubSpotError, Priority};
use crate::model::{ObjectType, Property, Rules};
use crate::storage::{
    MirrorTable, StateRow, StorageErrorKind, TableChanges, TypedColumns, ensure_capture, known_properties,
    load_mirror_table, store_catalogue,
};

/// Properties that can be written and still follow links, which leave the modification date alone.
/// Source: captures of property definitions.
const FOLLOWING_LINKS: [&str; 2] = ["associatedcompanyid", "hs_parent_company_id"];

impl Engine {
    /// Reads the catalogue of the type, stores it, and brings the typed columns up to date.
    ///
    /// # Errors
    /// [`SyncError::EmptyCatalogue`] when there are no properties: asking for none would empty every row.
    pub(super) async fn prepare(
        &self,
        object_type: &'static ObjectType,
        state: &StateRow,
        hubspot: &HubSpotClient,
    ) -> Result<Arc<Context>, SyncError> {
        let mut mirror = self.mirrors.change(object_type).await;
        let catalogue = hubspot.properties(object_type, Priority::Incremental).await?;
        if catalogue.is_empty() {
            return Err(SyncError::EmptyCatalogue(object_type.name));
        }
        store_catalogue(&self.database, &self.lease, object_type, &catalogue).await?;
        let known = known_properties(&self.database, object_type).await?;
        let wanted = self.config.columns.get(object_type.name).map_or(&[][..], Vec::as_slice);
        let columns = TypedColumns::new(&self.database, object_type, wanted, &catalogue);
        let changes = if self.may_alter { TableChanges::All(&self.lease) } else { TableChanges::Nothing };
        columns.define(changes).await?;
        // All of them, before one can be edited: what the triggers do not know is lost.
        let defined = load_mirror_table(&self.database, object_type).await?;
        let is_writable = self.ensure_capture(&defined, hubspot).await?;
        let table = columns.complete(&self.lease, || self.go_on()).await?;
        if !self.config.push.is_writable(object_type) {
            self.take_edits_back(&table).await?;
        }
        let policy = self.config.push.conflict_policy(object_type);
        let rules = is_writable.then(|| Rules::of_catalogue(&catalogue, policy));
        // Neither flag alone says so: roll-ups come with `calculated: false`, scores can be written.
        let is_silent = |property: &&Property| {
            let is_calculated = property.calculated || property.field_type.starts_with("calculation");
            is_calculated || property.read_only || FOLLOWING_LINKS.contains(&&*property.name)
        };
        let mut silent: Vec<_> =
            catalogue.iter().filter(is_silent).map(|property| property.name.clone()).collect();
        silent.sort_unstable();
        let properties = catalogue.into_iter().map(|property| property.name).collect();
        let (silent, state) = (silent.into(), state.clone());
        let context = Arc::new(Context { object_type, table, properties, silent, known, rules, state });
        *mirror = Some(context.clone());
        Ok(context)
    }

    /// Lets the table take edits, where it is to take any; returns whether it does. What stands in the way is said once.
    /// Where HubSpot cannot be asked, everything stays as it is until the next run.
    async fn ensure_capture(&self, table: &MirrorTable, hubspot: &HubSpotClient) -> Result<bool, SyncError> {
        let object_type = table.object_type();
        let is_wanted = self.config.push.is_writable(object_type)
            && match self.may_write(object_type, hubspot).await {
                Ok(Some(false)) => {
                    let scopes = object_type.write_scopes();
                    let scope = scopes.first().map_or("", String::as_str);
                    self.say_once(format!(
                        "{object_type} are read-only: the token lacks the scope {scope}; edits that were not sent wait \
                         until it has it and this program is started again"
                    ));
                    false
                }
                Ok(Some(true) | None) => true,
                Err(error) => {
                    let error = Chain(&error);
                    warn!("Edits of {object_type} wait: what the token may do is not known: {error}");
                    return Ok(false);
                }
            };
        if !self.may_alter {
            return Ok(is_wanted);
        }
        match ensure_capture(&self.database, table, is_wanted).await {
            Ok(()) => Ok(is_wanted),
            Err(error) if error.kind() == StorageErrorKind::Permanent => {
                let error = Chain(&error);
                self.say_once(format!("{object_type} are read-only: their triggers cannot be made: {error}"));
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the token may write records of the type; `None` when HubSpot does not say. Asked once a process, until
    /// there is an answer.
    async fn may_write(
        &self,
        object_type: &ObjectType,
        hubspot: &HubSpotClient,
    ) -> Result<Option<bool>, HubSpotError> {
        let ask = || async {
            match hubspot.token_info().await {
                Ok(token) => Ok(Some(token)),
                // Only tokens of private apps are told of.
                Err(error) if matches!(error.status(), Some(400 | 401 | 403 | 404 | 405)) => Ok(None),
                Err(error) => Err(error),
            }
        };
        let token = self.token.get_or_try_init(ask).await?;
        Ok(token.as_ref().and_then(|token| token.may_write(object_type)))
    }

    /// Says something that stays true in the log, once a process.
    fn say_once(&self, text: String) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if !said.contains(&text) {
            warn!("{text}");
            said.insert(text);
        }
    }
}
