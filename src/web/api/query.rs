//! Parameters of requests: what stands in the path and behind the `?`.

use axum::extract::{FromRequestParts, Query, RawPathParams};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::model::{ObjectId, ObjectType};
use crate::storage::RowName;
use crate::web::App;
use crate::web::error::ApiError;

/// Rows of a page unless told otherwise.
const PAGE: u32 = 50;
/// Most rows of a page.
const LARGEST_PAGE: u32 = 200;

/// The parameters behind the `?`. One that is not known is refused: it would silently do nothing.
pub(in crate::web) struct Parameters<Q>(pub(in crate::web) Q);

impl<Q: DeserializeOwned, S: Sync> FromRequestParts<S> for Parameters<Q> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(error) => Err(ApiError::bad_request(format!("A parameter is wrong: {}", error.body_text()))),
        }
    }
}

/// How many rows a page has.
///
/// # Errors
/// When it is none or too many.
pub(super) fn page_size(limit: Option<u32>) -> Result<u32, ApiError> {
    match limit.unwrap_or(PAGE) {
        limit @ 1..=LARGEST_PAGE => Ok(limit),
        _ => Err(ApiError::bad_request(format!("`limit` has to be 1 to {LARGEST_PAGE}"))),
    }
}

/// The type a request is about: fixed by the route, or named in its path.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct About(pub(in crate::web) &'static ObjectType);

/// The type a route is about; an extension of its requests.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Fixed(pub(in crate::web) &'static str);

impl FromRequestParts<App> for About {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let name = match parts.extensions.get::<Fixed>() {
            Some(Fixed(name)) => (*name).to_owned(),
            None => path_parameter(parts, app, "type").await?,
        };
        type_called(app, &name).await.map(Self)
    }
}

/// The mirrored type people call so.
///
/// # Errors
/// 404 when there is none.
pub(in crate::web) async fn type_called(app: &App, name: &str) -> Result<&'static ObjectType, ApiError> {
    let types = app.types().await?;
    types.iter().find(|object_type| object_type.is_called(name)).copied().ok_or_else(|| {
        let known: Vec<_> = types.iter().map(|object_type| object_type.name).collect();
        ApiError::not_found(format!("This type is not mirrored; there is {}", known.join(", ")))
    })
}

/// A name that may be one of a type, also of one that is not mirrored any more.
///
/// # Errors
/// 400 when it is not even one by its letters: the database compares letters of other alphabets with none of ours.
pub(in crate::web) fn type_name(name: Option<String>) -> Result<Option<String>, ApiError> {
    let is_plain = |name: &String| name.bytes().all(|byte| byte.is_ascii_graphic());
    if name.as_ref().is_none_or(is_plain) {
        return Ok(name);
    }
    Err(ApiError::bad_request("`type` has to be the name of a type"))
}

/// The record a request is about.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Named(pub(in crate::web) RowName);

/// How the id of a record begins that is its id in HubSpot.
const IN_HUBSPOT: &str = "hs-";

impl FromRequestParts<App> for Named {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let id = path_parameter(parts, app, "id").await?;
        row_name(&id).map(Self).ok_or_else(|| {
            ApiError::bad_request("The id has to be the number of a row, or `hs-` and the id in HubSpot")
        })
    }
}

/// What an id names: the number of a row, or `hs-` and the id in HubSpot.
pub(in crate::web) fn row_name(id: &str) -> Option<RowName> {
    match id.strip_prefix(IN_HUBSPOT) {
        Some(id) => id.parse().ok().map(RowName::HubSpot),
        None => id.parse().ok().map(|ObjectId(key)| RowName::Key(key)),
    }
}

/// The number a request is about.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Number(pub(in crate::web) i64);

impl FromRequestParts<App> for Number {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let id = path_parameter(parts, app, "id").await?;
        let ObjectId(number) = id.parse().map_err(|_| ApiError::bad_request("The id has to be a number"))?;
        Ok(Self(number))
    }
}

/// A parameter of the path.
async fn path_parameter(parts: &mut Parts, app: &App, name: &str) -> Result<String, ApiError> {
    let parameters = RawPathParams::from_request_parts(parts, app).await;
    let parameters = parameters.map_err(|_| ApiError::bad_request("The path is not valid UTF-8"))?;
    let value = parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    value.ok_or_else(|| ApiError::internal(format!("the route has no parameter `{name}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_that_of_a_row_or_of_hubspot() {
        assert_eq!(row_name("7"), Some(RowName::Key(7)));
        assert_eq!(row_name("hs-512"), Some(RowName::HubSpot(ObjectId(512))));
        for id in ["", "0", "-1", "hs-", "hs-x", "HS-1", "1 OR 1=1", "7;DROP"] {
            assert_eq!(row_name(id), None, "{id}");
        }
    }

    #[test]
    fn a_page_has_a_size_within_limits() {
        assert_eq!(page_size(None).unwrap(), PAGE);
        assert_eq!(page_size(Some(200)).unwrap(), 200);
        assert!(page_size(Some(0)).is_err() && page_size(Some(201)).is_err());
    }
}
