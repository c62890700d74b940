//! The company of a contact: its primary one, which HubSpot keeps as a label on the link between the two.
//!
//! A labelled write replaces all labels of a link, so those it has are read first and sent along. The label moves: a
//! contact has one primary company, and HubSpot takes the label off the other itself. Source: HubSpot, "Associate
//! records".

use reqwest::Method;
use serde_json::{Value, json};

use super::associations::AssociationPage;
use super::error::{Details, ErrorKind};
use super::records::to_body;
use super::refusal::Refusal;
use super::transport::Call;
use super::wire::write::parse_link_write;
use super::{HubSpotClient, HubSpotError, Priority};
use crate::model::{Association, AssociationType, ObjectId, ObjectType};

/// Number of the label that marks a contact's primary company. Source: HubSpot, "Associate records".
const PRIMARY_COMPANY: i64 = 1;

impl HubSpotClient {
    /// Makes a company the contact's primary one, linking the two where they are not; without one, takes the label off
    /// the one that has it, and the link stays. Does nothing where all is so already. Idempotent.
    ///
    /// Returns what HubSpot has against it, such as a company that does not exist; `None` when it is done.
    pub async fn set_primary_company(
        &self,
        contact: ObjectId,
        company: Option<ObjectId>,
        priority: Priority,
    ) -> Result<Option<Refusal>, HubSpotError> {
        let contacts = ObjectType::named("contacts").expect("a standard type");
        let companies = ObjectType::named("companies").expect("a standard type");
        let links = self.links_of(contacts, companies, contact, priority).await?;
        let primary = links.iter().find(|link| link.kind.is_primary()).map(|link| link.to);
        let call = match (company, primary) {
            (Some(company), Some(primary)) if company == primary => return Ok(None),
            (None, None) => return Ok(None),
            (Some(company), _) => {
                let kept = links.iter().filter(|link| link.to == company).map(|link| label(&link.kind));
                let labels: Vec<Value> = kept.chain([primary_label()]).collect();
                let path = self.shared.paths.link((contacts, contact), (companies, company));
                let operation = format!("set the primary company of contact {contact}");
                Call::write(operation, Method::PUT, path, to_body(&labels), priority)
            }
            (None, Some(primary)) => {
                let (from, to) = (contact.to_string(), primary.to_string());
                let link = json!({"from": {"id": from}, "to": {"id": to}, "types": [primary_label()]});
                let path = self.shared.paths.archive_labels(contacts, companies);
                let operation = format!("take the primary company from contact {contact}");
                let body = to_body(&json!({ "inputs": [link] }));
                Call::write(operation, Method::POST, path, body, priority)
            }
        };
        match self.send(&call.about_associations(), parse_link_write).await {
            Err(error) => Refusal::of(&error).map(Some).ok_or(error),
            done => done,
        }
    }

    /// All links of a record to records of a type.
    ///
    /// # Errors
    /// Also when HubSpot could not read them this time.
    async fn links_of(
        &self,
        from: &ObjectType,
        to: &ObjectType,
        id: ObjectId,
        priority: Priority,
    ) -> Result<Vec<Association>, HubSpotError> {
        let mut links = Vec::new();
        let mut asked = vec![(id, None)];
        while !asked.is_empty() {
            let page = self.read_associations(from, to, &asked, priority).await?;
            let AssociationPage { associations, unfinished, unread, reason, .. } = page;
            if !unread.is_empty() {
                let operation = format!("read the associations of {from} {id} to {to}");
                let details = Details { operation, message: reason, ..Details::default() };
                return Err(HubSpotError::new(ErrorKind::Unavailable, details));
            }
            links.extend(associations);
            asked = unfinished.into_iter().map(|(id, after)| (id, Some(after))).collect();
        }
        Ok(links)
    }
}

/// A label as a write names it.
fn label(kind: &AssociationType) -> Value {
    json!({"associationCategory": kind.category, "associationTypeId": kind.type_id})
}

/// The label of a primary company.
fn primary_label() -> Value {
    json!({"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": PRIMARY_COMPANY})
}
