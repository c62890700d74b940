//! The account, its property catalogue, its pipelines and its owners: small answers, read as a whole.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::page::Paging;
use super::{Malformed, Scalar, parse};
use crate::hubspot::TokenInfo;
use crate::model::{Account, Cursor, Owner, Pipeline, Property, Stage};

/// Asks what a token is. The body holds the token itself, so the type prints nothing.
pub(in crate::hubspot) struct TokenQuestion(pub SecretString);

impl TokenQuestion {
    /// The request body.
    pub fn to_body(&self) -> Vec<u8> {
        json!({"tokenKey": self.0.expose_secret()}).to_string().into_bytes()
    }
}

/// A list that comes as a whole.
#[derive(Deserialize)]
struct List<T> {
    /// The items, in no particular order.
    results: Vec<T>,
}

/// The account's particulars.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAccount<'a> {
    /// Account id.
    #[serde(borrow)]
    portal_id: Scalar<'a>,
    /// IANA time zone.
    #[serde(borrow, default)]
    time_zone: Scalar<'a>,
    /// `STANDARD`, `SANDBOX`, …
    #[serde(borrow, default)]
    account_type: Scalar<'a>,
    /// Host of the account's pages.
    #[serde(borrow, default)]
    ui_domain: Scalar<'a>,
    /// ISO 4217 code.
    #[serde(borrow, default)]
    company_currency: Scalar<'a>,
}

/// Parses the account's particulars.
pub(in crate::hubspot) fn parse_account(body: &[u8]) -> Result<Account, Malformed> {
    let wire: WireAccount<'_> = parse(body)?;
    Ok(Account {
        portal_id: number(&wire.portal_id).ok_or_else(|| Malformed("there is no `portalId`".to_owned()))?,
        time_zone: wire.time_zone.into_set().unwrap_or_else(|| "UTC".to_owned()),
        account_type: wire.account_type.into_set().unwrap_or_default(),
        ui_domain: wire.ui_domain.into_set().unwrap_or_default(),
        currency: wire.company_currency.into_set(),
    })
}

/// What a token is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireToken<'a> {
    /// Who made it.
    #[serde(borrow, default)]
    user_id: Scalar<'a>,
    /// Account id.
    #[serde(borrow)]
    hub_id: Scalar<'a>,
    /// The app's id; shows as the source of our own writes.
    #[serde(borrow, default)]
    app_id: Scalar<'a>,
    /// Granted scopes.
    #[serde(default)]
    scopes: Vec<String>,
}

/// Parses what HubSpot says of a token.
pub(in crate::hubspot) fn parse_token(body: &[u8]) -> Result<TokenInfo, Malformed> {
    let wire: WireToken<'_> = parse(body)?;
    Ok(TokenInfo {
        user_id: number(&wire.user_id),
        hub_id: number(&wire.hub_id).ok_or_else(|| Malformed("there is no `hubId`".to_owned()))?,
        app_id: number(&wire.app_id),
        scopes: wire.scopes,
    })
}

/// A whole number in either guise.
fn number(scalar: &Scalar<'_>) -> Option<i64> {
    scalar.text()?.parse().ok()
}

/// A property definition.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireProperty<'a> {
    /// Internal name.
    name: String,
    /// What people see.
    #[serde(borrow, default)]
    label: Scalar<'a>,
    /// Data type.
    #[serde(borrow, default, rename = "type")]
    data_type: Scalar<'a>,
    /// Form field.
    #[serde(borrow, default)]
    field_type: Scalar<'a>,
    /// Group.
    #[serde(borrow, default)]
    group_name: Scalar<'a>,
    /// Explanation.
    #[serde(borrow, default)]
    description: Scalar<'a>,
    /// Computed by HubSpot; not the test for writability.
    calculated: Option<bool>,
    /// Holds the test for writability.
    modification_metadata: Option<ModificationMetadata>,
    /// No two records may share a value.
    has_unique_value: Option<bool>,
    /// Hidden in HubSpot's pages.
    hidden: Option<bool>,
    /// True or missing.
    hubspot_defined: Option<bool>,
    /// Options of an enumeration.
    #[serde(default)]
    options: Value,
    /// ISO 8601.
    #[serde(borrow, default)]
    updated_at: Scalar<'a>,
}

/// Who may change a property.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModificationMetadata {
    /// Nobody can write its value.
    read_only_value: Option<bool>,
}

impl From<WireProperty<'_>> for Property {
    fn from(wire: WireProperty<'_>) -> Self {
        let metadata = wire.modification_metadata;
        Self {
            name: wire.name,
            label: wire.label.into_set().unwrap_or_default(),
            data_type: wire.data_type.into_set().unwrap_or_default(),
            field_type: wire.field_type.into_set().unwrap_or_default(),
            group_name: wire.group_name.into_set().unwrap_or_default(),
            description: wire.description.into_set().unwrap_or_default(),
            calculated: wire.calculated.unwrap_or(false),
            read_only: metadata.and_then(|metadata| metadata.read_only_value).unwrap_or(false),
            has_unique_value: wire.has_unique_value.unwrap_or(false),
            hidden: wire.hidden.unwrap_or(false),
            hubspot_defined: wire.hubspot_defined.unwrap_or(false),
            options: list_or_empty(wire.options),
            updated_at: wire.updated_at.instant(),
        }
    }
}

/// `value` when it is a list, else the empty list.
fn list_or_empty(value: Value) -> Value {
    if value.is_array() { value } else { Value::Array(Vec::new()) }
}

/// Parses a property catalogue; the result is sorted by name.
pub(in crate::hubspot) fn parse_properties(body: &[u8]) -> Result<Vec<Property>, Malformed> {
    let list: List<WireProperty<'_>> = parse(body)?;
    let mut properties: Vec<Property> = list.results.into_iter().map(Property::from).collect();
    properties.sort_unstable_by(|left, right| left.name.cmp(&right.name));
    Ok(properties)
}

/// A pipeline.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePipeline<'a> {
    /// Pipeline id.
    id: String,
    /// What people see.
    #[serde(borrow, default)]
    label: Scalar<'a>,
    /// Place among the pipelines.
    display_order: Option<i32>,
    /// All stages.
    #[serde(borrow)]
    stages: Vec<WireStage<'a>>,
    /// Archived; missing means no.
    archived: Option<bool>,
    /// ISO 8601.
    #[serde(borrow, default)]
    created_at: Scalar<'a>,
    /// ISO 8601.
    #[serde(borrow, default)]
    updated_at: Scalar<'a>,
}

/// A stage.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireStage<'a> {
    /// Stage id.
    id: String,
    /// What people see.
    #[serde(borrow, default)]
    label: Scalar<'a>,
    /// Place in the pipeline.
    display_order: Option<i32>,
    /// Text to text: `probability` and `isClosed` of deals, `ticketState` of tickets.
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
    /// Archived; missing means no.
    archived: Option<bool>,
    /// ISO 8601.
    #[serde(borrow, default)]
    created_at: Scalar<'a>,
    /// ISO 8601.
    #[serde(borrow, default)]
    updated_at: Scalar<'a>,
}

impl From<WirePipeline<'_>> for Pipeline {
    fn from(wire: WirePipeline<'_>) -> Self {
        Self {
            id: wire.id,
            label: wire.label.into_set().unwrap_or_default(),
            display_order: wire.display_order.unwrap_or_default(),
            stages: wire.stages.into_iter().map(Stage::from).collect(),
            archived: wire.archived.unwrap_or(false),
            created_at: wire.created_at.instant(),
            updated_at: wire.updated_at.instant(),
        }
    }
}

impl From<WireStage<'_>> for Stage {
    fn from(wire: WireStage<'_>) -> Self {
        let metadata = wire.metadata.unwrap_or_default();
        let text = |key: &str| match metadata.get(key)? {
            Value::String(text) => Some(text.clone()),
            other @ (Value::Number(_) | Value::Bool(_)) => Some(other.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        Self {
            id: wire.id,
            label: wire.label.into_set().unwrap_or_default(),
            display_order: wire.display_order.unwrap_or_default(),
            probability: text("probability"),
            is_closed: text("isClosed").map(|closed| closed == "true"),
            metadata: Value::Object(metadata),
            archived: wire.archived.unwrap_or(false),
            created_at: wire.created_at.instant(),
            updated_at: wire.updated_at.instant(),
        }
    }
}

/// Parses the pipelines of a type with their stages.
pub(in crate::hubspot) fn parse_pipelines(body: &[u8]) -> Result<Vec<Pipeline>, Malformed> {
    let list: List<WirePipeline<'_>> = parse(body)?;
    Ok(list.results.into_iter().map(Pipeline::from).collect())
}

/// A page of owners.
#[derive(Deserialize)]
struct OwnerPage<'a> {
    /// Owners.
    #[serde(borrow)]
    results: Vec<WireOwner<'a>>,
    /// Missing on the last page.
    #[serde(borrow)]
    paging: Option<Paging<'a>>,
}

/// An owner.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireOwner<'a> {
    /// Owner id, text.
    #[serde(borrow)]
    id: Scalar<'a>,
    /// E-mail address.
    #[serde(borrow, default)]
    email: Scalar<'a>,
    /// Given name.
    #[serde(borrow, default)]
    first_name: Scalar<'a>,
    /// Family name.
    #[serde(borrow, default)]
    last_name: Scalar<'a>,
    /// `PERSON` or `QUEUE`.
    #[serde(borrow, default, rename = "type")]
    kind: Scalar<'a>,
    /// The user, null when archived.
    #[serde(borrow, default)]
    user_id: Scalar<'a>,
    /// The user, inactive ones included.
    #[serde(borrow, default)]
    user_id_including_inactive: Scalar<'a>,
    /// Teams.
    #[serde(default)]
    teams: Value,
    /// Archived; missing means no.
    archived: Option<bool>,
    /// ISO 8601.
    #[serde(borrow, default)]
    created_at: Scalar<'a>,
    /// ISO 8601.
    #[serde(borrow, default)]
    updated_at: Scalar<'a>,
}

impl TryFrom<WireOwner<'_>> for Owner {
    type Error = Malformed;

    fn try_from(wire: WireOwner<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            id: wire.id.into_set().ok_or_else(|| Malformed("an owner has no id".to_owned()))?,
            email: wire.email.into_set(),
            first_name: wire.first_name.into_set(),
            last_name: wire.last_name.into_set(),
            kind: wire.kind.into_set(),
            user_id: number(&wire.user_id_including_inactive).or_else(|| number(&wire.user_id)),
            teams: list_or_empty(wire.teams),
            archived: wire.archived.unwrap_or(false),
            created_at: wire.created_at.instant(),
            updated_at: wire.updated_at.instant(),
        })
    }
}

/// Parses a page of owners and where the next one starts.
pub(in crate::hubspot) fn parse_owners(body: &[u8]) -> Result<(Vec<Owner>, Option<Cursor>), Malformed> {
    let page: OwnerPage<'_> = parse(body)?;
    let owners = page.results.into_iter().map(Owner::try_from).collect::<Result<_, _>>()?;
    Ok((owners, Paging::cursor(page.paging)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_sorted_and_their_flags_read() {
        let body = br#"{"results": [
            {"name": "zip", "label": "ZIP", "type": "string", "fieldType": "text", "groupName": "g",
             "modificationMetadata": {"archivable": true, "readOnlyDefinition": true, "readOnlyValue": false}},
            {"name": "age", "label": "Age", "type": "number", "fieldType": "calculation_rollup", "calculated": false,
             "hidden": true, "hubspotDefined": true, "hasUniqueValue": true, "options": [], "formField": false,
             "modificationMetadata": {"readOnlyValue": true}, "updatedAt": "2026-01-02T03:04:05Z"}]}"#;
        let properties = parse_properties(body).unwrap();
        let [age, zip] = &properties[..] else { panic!("{properties:?}") };
        assert_eq!((age.name.as_str(), zip.name.as_str()), ("age", "zip"));
        assert!(
            age.read_only && age.hidden && age.hubspot_defined && age.has_unique_value && !age.calculated
        );
        assert!(age.updated_at.is_some());
        assert!(!zip.read_only && !zip.hidden && !zip.hubspot_defined);
        assert_eq!(zip.options, Value::Array(Vec::new()));
        assert!(parse_properties(br#"{"results": [{"label": "nameless"}]}"#).is_err());
    }

    #[test]
    fn deal_stages_know_their_probability() {
        let body = br#"{"results": [{"id": "default", "label": "Sales Pipeline", "displayOrder": 0, "archived": false,
            "createdAt": "1970-01-01T00:00:00Z", "stages": [
            {"id": "closedwon", "label": "Closed won", "displayOrder": 5, "archived": false,
             "metadata": {"isClosed": "true", "probability": "1.0"}, "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT"},
            {"id": "new", "label": "New", "displayOrder": 0, "metadata": {"ticketState": "OPEN"}}]}]}"#;
        let pipelines = parse_pipelines(body).unwrap();
        assert_eq!(pipelines[0].id, "default");
        let [won, new] = &pipelines[0].stages[..] else { panic!("{pipelines:?}") };
        assert_eq!((won.probability.as_deref(), won.is_closed), (Some("1.0"), Some(true)));
        assert_eq!((new.probability.as_deref(), new.is_closed), (None, None));
        assert_eq!(new.metadata["ticketState"], "OPEN");
    }

    #[test]
    fn an_archived_owner_keeps_the_user_behind_it() {
        let body = br#"{"results": [{"id": "64", "email": "a@example.test", "type": "PERSON", "userId": null,
            "userIdIncludingInactive": 295, "archived": true, "teams": [{"id": "1", "name": "T", "primary": true}]}],
            "paging": {"next": {"after": "65"}}}"#;
        let (owners, next) = parse_owners(body).unwrap();
        assert_eq!((owners[0].user_id, owners[0].archived), (Some(295), true));
        assert_eq!(owners[0].teams[0]["primary"], true);
        assert_eq!(next, Some(Cursor("65".to_owned())));
    }

    #[test]
    fn account_and_token_need_the_account_id() {
        let account = parse_account(
            br#"{"portalId": 1234567, "accountType": "STANDARD", "timeZone": "Europe/Berlin",
                 "companyCurrency": "EUR", "uiDomain": "app-eu1.hubspot.com", "utcOffset": "+01:00"}"#,
        );
        let account = account.unwrap();
        assert_eq!((account.portal_id, account.time_zone.as_str()), (1_234_567, "Europe/Berlin"));
        assert_eq!(account.currency.as_deref(), Some("EUR"));
        assert!(parse_account(b"{}").is_err());

        let token = parse_token(br#"{"userId": 1, "hubId": 2, "appId": 3, "scopes": ["oauth"]}"#).unwrap();
        assert_eq!((token.user_id, token.hub_id, token.app_id), (Some(1), 2, Some(3)));
        assert_eq!(token.scopes, ["oauth"]);
        assert!(parse_token(br#"{"appId": 3}"#).is_err());
    }
}
