//! Listing ahead: pages are fetched and parsed on a task of their own while earlier ones are stored.
//!
//! When HubSpot is the slower side, every page is stored as it comes. When the database is, pages wait, and those that
//! wait are stored together: a transaction of five pages costs it little more than one of a single page.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::records::Context;
use crate::hubspot::{HubSpotClient, HubSpotError, Priority, RecordPage};
use crate::lifecycle::Lifecycle;
use crate::model::{Cursor, ObjectType};

/// JSON in bytes of the pages that may wait: some ten usual ones. A larger page waits alone, so that huge records cost
/// no more memory than one page of them.
const WAITING_BYTES: u32 = 4 * 1024 * 1024;
/// Records stored together; more would only make transactions long.
const GROUP_RECORDS: usize = 500;

/// The pages of a listing behind a cursor. Dropping it ends the fetching.
pub(super) struct PagesAhead {
    waiting: mpsc::UnboundedReceiver<Waiting>,
    /// A failure met while pages before it were being grouped.
    failed: Option<HubSpotError>,
    _fetching: AbortOnDropHandle<()>,
}

/// A page that waits, and the room it takes meanwhile.
struct Waiting {
    page: Result<RecordPage, HubSpotError>,
    _room: OwnedSemaphorePermit,
}

impl PagesAhead {
    /// Starts to fetch what comes behind `cursor`; nothing without one.
    pub(super) fn fetch(hubspot: HubSpotClient, context: &Context, cursor: Option<Cursor>) -> Self {
        // Bounded by the room for the pages, not by their number.
        let (sender, waiting) = mpsc::unbounded_channel();
        let (object_type, properties) = (context.object_type, context.properties.clone());
        let fetching = fetch_all(hubspot, object_type, properties, cursor, sender);
        Self { waiting, failed: None, _fetching: Lifecycle::spawn_attached(fetching) }
    }

    /// The pages that wait, as one; waits for the next when there is none. `None` after the last.
    pub(super) async fn next(&mut self) -> Option<Result<RecordPage, HubSpotError>> {
        if let Some(error) = self.failed.take() {
            return Some(Err(error));
        }
        let mut group = match self.waiting.recv().await?.page {
            Ok(page) => page,
            Err(error) => return Some(Err(error)),
        };
        while group.records.len() < GROUP_RECORDS
            && let Ok(Waiting { page, .. }) = self.waiting.try_recv()
        {
            match page {
                Ok(page) => {
                    group.records.extend(page.records);
                    group.rejected.extend(page.rejected);
                    group.next = page.next;
                }
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        Some(Ok(group))
    }
}

/// Sends page after page until the last one, a failure, or nobody listens.
async fn fetch_all(
    hubspot: HubSpotClient,
    object_type: &'static ObjectType,
    properties: Vec<String>,
    mut cursor: Option<Cursor>,
    pages: mpsc::UnboundedSender<Waiting>,
) {
    let room = Arc::new(Semaphore::new(WAITING_BYTES as usize));
    while let Some(after) = cursor {
        let page = hubspot.list_records(object_type, &properties, Some(&after), Priority::Backfill).await;
        let (next, bytes) = page.as_ref().map_or((None, 0), |page| (page.next.clone(), json_bytes(page)));
        let taken = room.clone().acquire_many_owned(bytes).await.expect("it is never closed");
        if pages.send(Waiting { page, _room: taken }).is_err() {
            return;
        }
        cursor = next;
    }
}

/// What a page takes of [`WAITING_BYTES`].
fn json_bytes(page: &RecordPage) -> u32 {
    let records: usize = page.records.iter().map(|record| record.properties.as_json().len()).sum();
    let rejected: usize = page.rejected.iter().map(|record| record.raw.len()).sum();
    u32::try_from(records + rejected).map_or(WAITING_BYTES, |bytes| bytes.min(WAITING_BYTES))
}
