//! Questions about links between records. They have a limit of their own.

use std::collections::HashSet;

use serde::Serialize;

use super::records::to_body;
use super::transport::Call;
use super::wire::association::{parse_associations, parse_labels};
use super::{ErrorKind, HubSpotClient, HubSpotError, Priority};
use crate::model::{Association, AssociationType, Cursor, ObjectId, ObjectType};

/// Records per batch read, the most HubSpot allows. Source: HubSpot changelog, "Batch Read Limit".
pub const ASSOCIATION_INPUTS: usize = 1_000;

/// What HubSpot tells of the links of some records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AssociationPage {
    /// Links, in any order. One may be named twice, and all of a record's may be told in parts.
    pub associations: Vec<Association>,
    /// The records with nothing further to tell: all their links are in this page or in the pages before it.
    pub finished: Vec<ObjectId>,
    /// The records with further links, and where those start.
    pub unfinished: Vec<(ObjectId, Cursor)>,
    /// The records HubSpot could not read this time or said nothing of. Nothing follows from that.
    pub unread: Vec<ObjectId>,
    /// Why the first of them is unread; empty when there is none.
    pub reason: String,
}

impl HubSpotClient {
    /// The links of at most 1,000 records of the type `from` to records of the type `to`, each from its first or from
    /// where the cursor says. A record given twice counts once.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] when fewer records have to be asked for at a time, besides what every call can meet.
    /// [`ErrorKind::DailyLimit`] comes at once and is not waited out.
    pub async fn read_associations(
        &self,
        from: &ObjectType,
        to: &ObjectType,
        records: &[(ObjectId, Option<Cursor>)],
        priority: Priority,
    ) -> Result<AssociationPage, HubSpotError> {
        /// The body of a batch read.
        #[derive(Serialize)]
        struct Question<'a> {
            /// Who.
            inputs: Vec<Input<'a>>,
        }
        /// One record asked for.
        #[derive(Serialize)]
        struct Input<'a> {
            /// Its id, as text.
            id: String,
            /// Where its links go on.
            #[serde(skip_serializing_if = "Option::is_none")]
            after: Option<&'a str>,
        }
        let mut seen = HashSet::with_capacity(records.len());
        let mut asked = records.to_vec();
        asked.retain(|(id, _)| seen.insert(*id));
        if asked.is_empty() {
            return Ok(AssociationPage::default());
        }
        let inputs = asked
            .iter()
            .map(|(id, after)| Input {
                id: id.to_string(),
                after: after.as_ref().map(|Cursor(after)| after.as_str()),
            })
            .collect();
        let path = self.shared.paths.associations(from, to);
        let operation = format!("read the associations of {from} to {to}");
        let call = Call::read_by_post(operation, path, to_body(&Question { inputs }), priority);
        self.send(&call.about_associations(), |body| parse_associations(body, &asked)).await
    }

    /// The kinds of link from one type to another, `None` when HubSpot knows of no links between them.
    pub async fn association_types(
        &self,
        from: &ObjectType,
        to: &ObjectType,
        priority: Priority,
    ) -> Result<Option<Vec<AssociationType>>, HubSpotError> {
        let path = self.shared.paths.association_labels(from, to);
        let operation = format!("list the association labels of {from} to {to}");
        let call = Call::get(operation, path, String::new(), priority);
        match self.send(&call.about_associations(), parse_labels).await {
            Ok(types) => Ok(Some(types)),
            Err(error) if error.kind() == ErrorKind::NotFound || error.status() == Some(BAD_REQUEST) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// HTTP status of a question that makes no sense to HubSpot.
const BAD_REQUEST: u16 = 400;
