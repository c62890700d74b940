//! Owners. Source: HubSpot, "Owners".

use serde_json::{Value, json};

use crate::account::Owner;
use crate::generate::text::moment_text;
use crate::http::query::Query;
use crate::http::reply::{ApiError, Reply};
use crate::simulator::Simulator;

/// Owners per page when none are asked for.
const USUAL_PAGE: usize = 100;

/// Most owners per page; the largest seen in use.
const LARGEST_PAGE: usize = 500;

/// `GET /crm/owners/{version}`: a page of owners in use, or only of archived ones.
pub fn list(simulator: &Simulator, query: &Query<'_>) -> Result<Reply, ApiError> {
    let limit = query.limit(USUAL_PAGE, LARGEST_PAGE, simulator.settings().clamp_page_size)?;
    let after = match query.get("after") {
        None | Some("") => 0,
        Some(text) => text.parse::<u64>().map_err(|_| ApiError::validation("after is not a valid cursor"))?,
    };
    let account = simulator.account();
    let mut owners: Vec<&Owner> = account
        .owners()
        .iter()
        .filter(|owner| owner.archived == query.flag("archived") && owner.id >= after)
        .filter(|owner| query.get("email").is_none_or(|email| owner.email.eq_ignore_ascii_case(email)))
        .collect();
    owners.sort_by_key(|owner| owner.id);
    let results: Vec<Value> = owners.iter().take(limit).map(|owner| to_json(owner)).collect();
    let mut document = json!({ "results": results });
    if let Some(next) = owners.get(limit) {
        document["paging"] = json!({ "next": { "after": next.id.to_string() } });
    }
    Ok(Reply::json(200, &document))
}

/// `GET /crm/owners/{version}/{id}`: one, by owner id or user id.
pub fn get(simulator: &Simulator, id: &str, query: &Query<'_>) -> Result<Reply, ApiError> {
    let by_user = query.get("idProperty") == Some("userId");
    let account = simulator.account();
    let found = account.owners().iter().find(|owner| {
        let number = if by_user { owner.user_id } else { owner.id };
        number.to_string() == id && owner.archived == query.flag("archived")
    });
    found.map(|owner| Reply::json(200, &to_json(owner))).ok_or_else(ApiError::not_found)
}

/// The body HubSpot answers with; an archived owner has no active user.
fn to_json(owner: &Owner) -> Value {
    let teams: Vec<Value> = owner
        .teams
        .iter()
        .enumerate()
        .map(|(position, (id, name))| json!({ "id": id.to_string(), "name": name, "primary": position == 0 }))
        .collect();
    let mut document = json!({
        "id": owner.id.to_string(),
        "email": owner.email,
        "type": "PERSON",
        "firstName": owner.first_name,
        "lastName": owner.last_name,
        "userId": if owner.archived { Value::Null } else { json!(owner.user_id) },
        "userIdIncludingInactive": owner.user_id,
        "createdAt": moment_text(owner.created_at),
        "updatedAt": moment_text(owner.updated_at),
        "archived": owner.archived,
    });
    if !teams.is_empty() {
        document["teams"] = json!(teams);
    }
    document
}
