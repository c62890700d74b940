//! Questions about the account and what describes its records: properties, pipelines, schemas, owners.

use super::records::{advances, percent_encode};
use super::transport::Call;
use super::wire::reference::{parse_account, parse_owners, parse_pipelines, parse_properties, parse_token};
use super::wire::schema::parse_schema;
use super::{HubSpotClient, HubSpotError, Priority, TokenInfo, path};
use crate::model::{Account, Cursor, CustomName, ObjectType, Owner, Pipeline, Property, Schema};

/// Owners per page, HubSpot's default; larger pages are undocumented.
const OWNER_PAGE_SIZE: usize = 100;

impl HubSpotClient {
    /// The account the token belongs to.
    pub async fn account(&self, priority: Priority) -> Result<Account, HubSpotError> {
        let path = self.shared.paths.account();
        let call = Call::get("read the account".to_owned(), path, String::new(), priority);
        self.send(&call, parse_account).await
    }

    /// What the token is and may do.
    pub async fn token_info(&self) -> Result<TokenInfo, HubSpotError> {
        let body = self.shared.token_question.to_body();
        let path = path::TOKEN_INFO.to_owned();
        let call = Call::read_by_post("look up the token".to_owned(), path, body, Priority::Interactive);
        self.send(&call, parse_token).await
    }

    /// The property definitions of a type, sorted by name. Archived ones and those marked as sensitive are left out.
    pub async fn properties(
        &self,
        object_type: &ObjectType,
        priority: Priority,
    ) -> Result<Vec<Property>, HubSpotError> {
        let operation = format!("list the properties of {object_type}");
        let path = self.shared.paths.properties(object_type);
        self.send(&Call::get(operation, path, String::new(), priority), parse_properties).await
    }

    /// The pipelines of a type with all their stages, in no particular order.
    pub async fn pipelines(
        &self,
        object_type: &ObjectType,
        priority: Priority,
    ) -> Result<Vec<Pipeline>, HubSpotError> {
        let operation = format!("list the pipelines of {object_type}");
        let path = self.shared.paths.pipelines(object_type);
        self.send(&Call::get(operation, path, String::new(), priority), parse_pipelines).await
    }

    /// The definition of a custom object. Reads of it lag: for a minute after a change one may show what was before.
    pub async fn schema(&self, name: CustomName, priority: Priority) -> Result<Schema, HubSpotError> {
        let operation = format!("read the schema of {name}");
        let path = self.shared.paths.schema(name);
        let decode = |body: &[u8]| parse_schema(body, name);
        let schema = self.send(&Call::get(operation, path, String::new(), priority), decode).await;
        schema.map_err(HubSpotError::of_a_type)
    }

    /// All owners, the active ones first, then the archived ones.
    pub async fn owners(&self, priority: Priority) -> Result<Vec<Owner>, HubSpotError> {
        let mut owners = self.owners_of_list(false, priority).await?;
        owners.append(&mut self.owners_of_list(true, priority).await?);
        Ok(owners)
    }

    /// All owners of one of HubSpot's two lists.
    async fn owners_of_list(&self, archived: bool, priority: Priority) -> Result<Vec<Owner>, HubSpotError> {
        let mut owners = Vec::new();
        let mut after: Option<Cursor> = None;
        loop {
            let mut query = format!("limit={OWNER_PAGE_SIZE}&archived={archived}");
            if let Some(Cursor(after)) = &after {
                query += "&after=";
                percent_encode(after, &mut query);
            }
            let call = Call::get("list owners".to_owned(), self.shared.paths.owners(), query, priority);
            let decode = |body: &[u8]| {
                let (page, next) = parse_owners(body)?;
                advances(after.as_ref(), next.as_ref())?;
                Ok((page, next))
            };
            let (mut page, next) = self.send(&call, decode).await?;
            owners.append(&mut page);
            match next {
                Some(next) => after = Some(next),
                None => return Ok(owners),
            }
        }
    }
}
