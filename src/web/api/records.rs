//! The routes of records, and those that read them.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema};

use super::family::{self, Family};
use super::idempotent::{KEY, KEY_DESCRIPTION};
use super::list::{ListParameters, Pagination, page};
use super::query::{About, Fixed, Named, Parameters};
use super::record::{Record, input_schema, schema};
use super::writes::{change, create, remove, replace};
use crate::storage::{load_mirror_table, load_row};
use crate::web::App;
use crate::web::access::Access;
use crate::web::endpoint::{Endpoint, reference};
use crate::web::error::ApiError;

/// The paths of records: those of three types, and one for all types.
static PATHS: [(&str, Option<&str>, &Family); 4] = [
    ("/api/contacts", Some("contacts"), &family::CONTACTS),
    ("/api/companies", Some("companies"), &family::COMPANIES),
    ("/api/deals", Some("deals"), &family::DEALS),
    ("/api/objects/{type}", None, &family::OTHERS),
];

/// What the document says of `If-Match`.
const IF_MATCH: &str =
    "The `ETag` of the record the edit is made of, or its version in quotes; 409 when it has changed";

/// Six routes for each path.
pub(super) fn endpoints() -> Vec<Endpoint> {
    PATHS.iter().flat_map(|(path, name, family)| endpoints_of(path, *name, family)).collect()
}

/// The routes of a path.
fn endpoints_of(path: &str, name: Option<&'static str>, family: &Family) -> Vec<Endpoint> {
    // The type of the path, where it has one.
    let about = |handler: MethodRouter<App>| match name {
        Some(name) => handler.layer(Extension(Fixed(name))),
        None => handler,
    };
    let one = format!("{path}/{{id}}");
    let reading = |path: &str, handler: MethodRouter<App>, summary: &str| {
        Endpoint::new((Method::GET, path), Access::Read, about(handler), summary)
    };
    let writing = |method: Method, path: &str, handler: MethodRouter<App>, summary: &str| {
        Endpoint::new((method, path), Access::Write, about(handler), summary)
            .failing_with(403, "The type is not writable, or the token is read-only")
            .failing_with(409, "The record has changed, is deleted, or its e-mail address is taken")
    };
    let taking_fields = |endpoint: Endpoint| {
        let body = reference(&format!("{}Input", family.schema));
        endpoint
            .with_body_of(body, true)
            .with_schema(input_schema(family))
            .failing_with(422, "Fields are wrong; each is named")
    };
    let list = reading(path, get(list), &format!("List {}", name.unwrap_or("records of a type")))
        .with_query::<ListParameters>()
        .answering_with(200, "A page of records", page_schema(family))
        .with_schema(schema(family))
        .with_schema_of::<Pagination>();
    let create = taking_fields(writing(Method::POST, path, post(create), "Make a record"))
        .explained("The row is there at once; the daemon makes the record in HubSpot.")
        .with_header(KEY, KEY_DESCRIPTION);
    let replace = taking_fields(writing(Method::PUT, &one, put(replace), "Replace the fields of a record"))
        .explained("Every field has to be named, null clears one; of `properties` those named are changed.");
    let change = taking_fields(writing(Method::PATCH, &one, patch(change), "Change a record"))
        .explained("Only what is named is changed; null clears it.");
    let remove = writing(Method::DELETE, &one, delete(remove), "Delete a record")
        .explained("The row stays and counts as deleted; the record goes to HubSpot's recycle bin.");
    let of_one = |endpoint: Endpoint| endpoint.failing_with(404, "There is no such record, or type");
    let edits = [replace, change, remove].map(|endpoint| endpoint.with_header("If-Match", IF_MATCH));
    let shown = [reading(&one, get(show), "Read a record")].into_iter().chain(edits);
    let shown = shown.map(|endpoint| showing(of_one(endpoint), 200, family));
    [list, showing(create, 201, family)].into_iter().chain(shown).collect()
}

/// A route that answers with a record.
fn showing(endpoint: Endpoint, status: u16, family: &Family) -> Endpoint {
    let description = "The record as it is then; the header `ETag` names its version";
    endpoint.answering_with(status, description, reference(family.schema)).with_schema(schema(family))
}

/// The schema of a page.
fn page_schema(family: &Family) -> RefOr<Schema> {
    let data = ArrayBuilder::new().items(reference(family.schema));
    let page = ObjectBuilder::new().property("data", data).required("data");
    RefOr::T(page.property("pagination", reference("Pagination")).required("pagination").build().into())
}

/// A page of records.
async fn list(
    State(app): State<App>,
    About(object_type): About,
    Parameters(parameters): Parameters<ListParameters>,
) -> Result<Response, ApiError> {
    let table = load_mirror_table(&app.database, object_type).await?;
    Ok(Json(page(&app, &table, &parameters).await?).into_response())
}

/// One record.
async fn show(
    State(app): State<App>,
    About(object_type): About,
    Named(name): Named,
) -> Result<Response, ApiError> {
    let table = load_mirror_table(&app.database, object_type).await?;
    let row = load_row(&app.database, &table, name).await?;
    let row = row.ok_or_else(|| ApiError::not_found("There is no such record"))?;
    Ok(Record { object_type, row: &row }.answer(StatusCode::OK))
}
