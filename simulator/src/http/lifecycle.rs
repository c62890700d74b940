//! What happens to whole records: merging two and privacy deletion.
//!
//! Source: HubSpot, "Contacts"; changelog, "Updated merge functionality for contacts and companies".

use serde::Deserialize;
use serde_json::Value;

use crate::http::body;
use crate::http::objects::{find_by_property, parse_id, push_record};
use crate::http::reply::{ApiError, Reply};
use crate::object_type::{Kind, ObjectType};
use crate::simulator::Simulator;

/// The body of a merge.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Merge {
    /// Whose current values win.
    primary_object_id: Value,
    /// Which record goes into it.
    object_id_to_merge: Value,
}

/// `POST /crm/objects/{version}/{type}/merge`: answers with the record that remains.
pub fn merge(simulator: &Simulator, object_type: &ObjectType, body: &[u8]) -> Result<Reply, ApiError> {
    let request: Merge = body::parse(body)?;
    let id_of =
        |value: &Value, field: &str| parse_id(&body::scalar_text(value).ok_or_else(|| body::missing(field))?);
    let primary = id_of(&request.primary_object_id, "primaryObjectId")?;
    let other = id_of(&request.object_id_to_merge, "objectIdToMerge")?;
    let moment = simulator.app_moment();
    let kind = object_type.kind;
    let survivor = simulator.account_mut().merge(kind, primary, other, moment);
    let survivor = survivor.map_err(|_| ApiError::not_found())?;
    let account = simulator.account();
    let view = account.live(kind, survivor).ok_or_else(ApiError::not_found)?;
    let selection = simulator.selection(&account, object_type, "", "");
    let mut out = Vec::new();
    push_record(&account, object_type, &selection, &view, &mut out);
    Ok(Reply::json_text(200, out))
}

/// The body of a privacy deletion.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PrivacyDelete {
    /// The contact's id, or its value of the property.
    object_id: Value,
    /// Unique property the value is of; the id when absent.
    id_property: Option<String>,
}

/// `POST /crm/objects/{version}/contacts/gdpr-delete`: gone without trace, also from the bin. An unknown address is
/// put on a block list and answered like a known one.
pub fn privacy_delete(
    simulator: &Simulator,
    object_type: &ObjectType,
    body: &[u8],
) -> Result<Reply, ApiError> {
    if object_type.kind != Kind::CONTACT {
        return Err(ApiError::not_found());
    }
    let request: PrivacyDelete = body::parse(body)?;
    let text = body::scalar_text(&request.object_id).ok_or_else(|| body::missing("objectId"))?;
    let moment = simulator.app_moment();
    let mut account = simulator.account_mut();
    let id = match request.id_property.as_deref() {
        None | Some("hs_object_id") => account.store(object_type.kind).survivor(parse_id(&text)?),
        Some("email") => match account.by_email(object_type.kind, &text) {
            Some(id) => id,
            None => return Ok(Reply::empty(204)),
        },
        Some(name) => find_by_property(&account, object_type, name, &text)?,
    };
    account.purge(object_type.kind, id, moment).map_err(|_| ApiError::not_found())?;
    Ok(Reply::empty(204))
}
