//! The backfill lane: list everything, a page at a time, and store each page with the cursor behind it.
//!
//! HubSpot lists in id order, so records created meanwhile appear at the end and an interrupted listing goes on
//! where it was. While one page is stored the next ones are fetched.

use tracing::warn;

use super::engine::Engine;
use super::error::SyncError;
use super::page::{Page, Progress};
use super::pages_ahead::{Group, PagesAhead};
use super::records::Context;
use super::run::Run;
use crate::hubspot::{ErrorKind, HubSpotClient, HubSpotError, Priority, RecordPage};
use crate::model::{Cursor, ObjectType};

/// Where a listing stands.
pub(super) struct Listing {
    /// Where it continues; `None`: at its start.
    pub(super) cursor: Option<Cursor>,
    /// Records listed so far.
    pub(super) listed: u64,
    /// Records to expect.
    pub(super) total: Option<u64>,
}

impl Engine {
    /// Lists from where `listing` stands to the end.
    ///
    /// # Errors
    /// When HubSpot or the database fails for longer than the retries; what is stored stays.
    pub(super) async fn backfill(
        &self,
        run: &mut Run,
        context: &Context,
        mut listing: Listing,
    ) -> Result<(), SyncError> {
        let first = first_page(&run.hubspot, context, &mut listing).await?;
        let (hubspot, object_type, properties) =
            (run.hubspot.clone(), context.object_type, context.properties.clone());
        let mut ahead = PagesAhead::start(first.next.clone(), move |cursor| {
            let (hubspot, properties) = (hubspot.clone(), properties.clone());
            async move { fetch(&hubspot, object_type, &properties, Some(&cursor)).await }
        });
        let mut next = Some(Group::from(first));
        while let Some(Group { page, .. }) = &next {
            let rows = Page { table: &context.table, records: &page.records, rejected: &page.rejected };
            listing.listed += rows.len();
            let progress = Progress::Listed { next: page.next.as_ref(), listed: listing.listed };
            self.store_page(run, &context.state, &rows, &progress).await?;
            run.progress(listing.listed, listing.total);
            drop(next.take());
            next = self.next_group(&mut ahead).await?;
        }
        Ok(())
    }

    /// Waits for the next pages; `None` after the last ones.
    ///
    /// # Errors
    /// [`SyncError::Stopped`], and why a page could not be had.
    pub(super) async fn next_group(&self, ahead: &mut PagesAhead) -> Result<Option<Group>, SyncError> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(SyncError::Stopped),
            next = ahead.next() => Ok(next.transpose()?),
        }
    }
}

/// Fetches one page.
async fn fetch(
    hubspot: &HubSpotClient,
    object_type: &ObjectType,
    properties: &[String],
    cursor: Option<&Cursor>,
) -> Result<RecordPage, HubSpotError> {
    hubspot.list_records(object_type, properties, cursor, Priority::Backfill).await
}

/// Fetches the page a listing continues with. A cursor HubSpot no longer accepts starts the listing over: what is
/// stored costs nothing the second time.
async fn first_page(
    hubspot: &HubSpotClient,
    context: &Context,
    listing: &mut Listing,
) -> Result<RecordPage, HubSpotError> {
    let Context { object_type, properties, .. } = context;
    match fetch(hubspot, object_type, properties, listing.cursor.as_ref()).await {
        Err(error) if listing.cursor.is_some() && error.kind() == ErrorKind::BadRequest => {
            warn!("HubSpot refused to continue the listing of {object_type}; starting it over");
            (listing.cursor, listing.listed) = (None, 0);
            fetch(hubspot, object_type, properties, None).await
        }
        page => page,
    }
}
