//! A listing beside the table, both in id order, a page of each in memory: what the lanes have in common that compare
//! records.

use std::sync::Arc;

use super::compare::{Comparison, Differences, Scope};
use super::engine::Engine;
use super::error::SyncError;
use super::pages_ahead::{Group, PagesAhead};
use super::records::Context;
use crate::clock;
use crate::hubspot::{HubSpotClient, Priority, RecordPage};
use crate::model::{Cursor, ObjectId, ObjectType};
use crate::storage::{Attention, compared_rows};

/// The property every record has; asking for it alone keeps a listing of versions small.
const ID: &str = "hs_object_id";

/// A listing of all live records of a type, under way.
pub(super) struct Walk {
    ahead: PagesAhead,
    /// What is listed and not yet left behind.
    here: Option<Group>,
}

impl Walk {
    /// Lists the records behind `cursor` with the properties `names`, which may be none.
    ///
    /// # Errors
    /// When HubSpot fails for longer than the retries.
    pub(super) async fn start(
        hubspot: &HubSpotClient,
        object_type: &'static ObjectType,
        names: Arc<[String]>,
        cursor: Option<Cursor>,
    ) -> Result<Self, SyncError> {
        let asked = if names.is_empty() { Arc::new([ID.to_owned()]) } else { names };
        let hubspot = hubspot.clone();
        let fetch = move |cursor: Option<Cursor>| {
            let (hubspot, asked) = (hubspot.clone(), asked.clone());
            async move { hubspot.list_records(object_type, &asked, cursor.as_ref(), Priority::Audit).await }
        };
        let first = fetch(cursor).await?;
        let ahead = PagesAhead::start(first.next.clone(), move |cursor| fetch(Some(cursor)));
        Ok(Self { ahead, here: Some(Group::from(first)) })
    }

    /// The page the walk is at; `None` behind the last.
    pub(super) fn page(&self) -> Option<&RecordPage> {
        self.here.as_ref().map(|group| &group.page)
    }
}

impl RecordPage {
    /// The id up to which a page in id order, that begins behind `after`, shows everything there is.
    pub(super) fn covers_up_to(&self, after: ObjectId) -> ObjectId {
        match &self.next {
            Some(_) => self.records.last().map_or(after, |record| record.id),
            None => ObjectId::END,
        }
    }
}

impl Engine {
    /// Goes to the next page of a walk.
    ///
    /// # Errors
    /// When HubSpot fails for longer than the retries, or the process is to stop.
    pub(super) async fn walk_on(&self, walk: &mut Walk) -> Result<(), SyncError> {
        // Before the next is waited for: it may need the room.
        walk.here = None;
        walk.here = self.next_group(&mut walk.ahead).await?;
        Ok(())
    }

    /// Compares a page with the rows of `range`, all of whose live records it shows.
    ///
    /// # Errors
    /// When the database cannot be read, or the process is to stop.
    pub(super) async fn compare(
        &self,
        context: &Context,
        page: &RecordPage,
        (mut after, to): (ObjectId, ObjectId),
        scope: Scope<'_>,
    ) -> Result<Differences, SyncError> {
        let read_at = page.records.iter().map(|record| record.read_at).min().unwrap_or_else(clock::now);
        let mut comparison = Comparison::new(scope, &page.records, read_at);
        loop {
            let attention = match scope {
                Scope { retired: Some(_), .. } => Attention::Columns,
                Scope { names: [], .. } => Attention::Versions,
                _ => Attention::Properties,
            };
            let rows = compared_rows(&self.database, &context.table, (after, to), attention).await?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            comparison.meet(&rows);
            self.go_on()?;
        }
        Ok(comparison.finish())
    }
}
