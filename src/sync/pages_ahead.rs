//! Listing ahead: pages are fetched and parsed on a task of their own while earlier ones are stored.
//!
//! When HubSpot is the slower side, every page is stored as it comes. When the database is, pages wait, and those that
//! wait are stored together: one transaction of several pages costs it little more than one of a single page.

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;

use crate::hubspot::{HubSpotError, RecordPage};
use crate::lifecycle::Lifecycle;
use crate::model::Cursor;

/// JSON, in bytes, of the pages that wait or are being stored. A page for which there is no room waits unseen, and no
/// other is fetched behind it; so of pages larger than all of the room there are two in memory, never more.
const ROOM: u32 = 1_536 * 1024;
/// Records stored together; more would only make transactions long.
const GROUP_RECORDS: usize = 200;

/// The pages of a listing behind a cursor. Dropping it ends the fetching.
pub(super) struct PagesAhead {
    waiting: mpsc::UnboundedReceiver<Waiting>,
    /// A failure met while pages before it were being grouped.
    failed: Option<HubSpotError>,
    fetching: AbortOnDropHandle<()>,
}

/// A page that waits, and the room it takes.
struct Waiting {
    page: Result<RecordPage, HubSpotError>,
    room: OwnedSemaphorePermit,
}

/// Pages to store together, as one. Their room is taken until this is dropped.
pub(super) struct Group {
    pub(super) page: RecordPage,
    _room: Option<OwnedSemaphorePermit>,
}

impl From<RecordPage> for Group {
    /// A page that was not fetched ahead.
    fn from(page: RecordPage) -> Self {
        Self { page, _room: None }
    }
}

impl PagesAhead {
    /// Starts to `fetch` what comes behind `cursor`; nothing without one.
    pub(super) fn start<P>(cursor: Option<Cursor>, fetch: impl Fn(Cursor) -> P + Send + 'static) -> Self
    where
        P: Future<Output = Result<RecordPage, HubSpotError>> + Send + 'static,
    {
        // Bounded by the room for the pages, not by their number.
        let (sender, waiting) = mpsc::unbounded_channel();
        let fetching = Lifecycle::spawn_attached(fetch_all(cursor, fetch, sender));
        Self { waiting, failed: None, fetching }
    }

    /// The pages that wait; waits for the next when there is none. `None` after the last. The group before must be
    /// dropped by then, or there may never be room for another.
    ///
    /// # Panics
    /// When fetching did.
    pub(super) async fn next(&mut self) -> Option<Result<Group, HubSpotError>> {
        if let Some(error) = self.failed.take() {
            return Some(Err(error));
        }
        let Some(Waiting { page, mut room }) = self.waiting.recv().await else {
            // The end of the channel alone does not say that the end of the listing was reached.
            if let Err(error) = (&mut self.fetching).await
                && let Ok(panic) = error.try_into_panic()
            {
                resume_unwind(panic);
            }
            return None;
        };
        let mut page = match page {
            Ok(page) => page,
            Err(error) => return Some(Err(error)),
        };
        while page.records.len() < GROUP_RECORDS
            && let Ok(next) = self.waiting.try_recv()
        {
            match next.page {
                Ok(next_page) => {
                    page.records.extend(next_page.records);
                    page.rejected.extend(next_page.rejected);
                    page.next = next_page.next;
                    room.merge(next.room);
                }
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        Some(Ok(Group { page, _room: Some(room) }))
    }
}

/// Sends page after page until the last one, a failure, or nobody listens.
async fn fetch_all<P>(
    mut cursor: Option<Cursor>,
    fetch: impl Fn(Cursor) -> P,
    pages: mpsc::UnboundedSender<Waiting>,
) where
    P: Future<Output = Result<RecordPage, HubSpotError>>,
{
    let room = Arc::new(Semaphore::new(ROOM as usize));
    while let Some(after) = cursor {
        let page = fetch(after).await;
        let (next, bytes) = page.as_ref().map_or((None, 0), |page| (page.next.clone(), json_bytes(page)));
        let room = room.clone().acquire_many_owned(bytes).await.expect("it is never closed");
        if pages.send(Waiting { page, room }).is_err() {
            return;
        }
        cursor = next;
    }
}

/// What a page takes of [`ROOM`].
fn json_bytes(page: &RecordPage) -> u32 {
    let records: usize = page.records.iter().map(|record| record.properties.as_json().len()).sum();
    let rejected: usize = page.rejected.iter().map(|record| record.raw.len()).sum();
    u32::try_from(records + rejected).map_or(ROOM, |bytes| bytes.min(ROOM))
}

#[cfg(test)]
mod tests;
