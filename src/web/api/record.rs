//! A record as the API shows it.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::ser::{Error as _, SerializeMap};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AdditionalProperties, KnownFormat, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type,
};

use super::family::{Family, Field};
use crate::model::ObjectType;
use crate::storage::RowView;
use crate::web::endpoint::NamedSchema;
use crate::web::guard::JSON;

/// A row with the names its fields have in JSON.
pub(super) struct Record<'r> {
    pub(super) object_type: &'static ObjectType,
    pub(super) row: &'r RowView,
}

/// What is shown of every record beside its fields and properties.
const STATE: [&str; 12] = [
    "id",
    "hubspotId",
    "objectType",
    "syncStatus",
    "syncError",
    "archived",
    "archivedAt",
    "createdHubspot",
    "lastModifiedLocal",
    "lastModifiedHubspot",
    "lastSyncedAt",
    "version",
];

/// Those of them that tell how the record stands to HubSpot.
const STANDING: [&str; 6] =
    ["syncStatus", "syncError", "createdHubspot", "lastModifiedLocal", "lastModifiedHubspot", "lastSyncedAt"];

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let row = self.row;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &row.key)?;
        // A text, as in HubSpot: it has more digits than a number of JavaScript.
        map.serialize_entry("hubspotId", &row.hubspot_id.map(|id| id.to_string()))?;
        map.serialize_entry("objectType", self.object_type.name)?;
        for Field { name, property } in Family::of(self.object_type).fields {
            map.serialize_entry(name, &row.properties.get(property))?;
        }
        map.serialize_entry("syncStatus", &row.status)?;
        map.serialize_entry("syncError", &row.error)?;
        map.serialize_entry("archived", &row.archived)?;
        map.serialize_entry("archivedAt", &row.archived_at)?;
        map.serialize_entry("createdHubspot", &row.hubspot_created_at)?;
        map.serialize_entry("lastModifiedLocal", &row.edited_at)?;
        map.serialize_entry("lastModifiedHubspot", &row.hubspot_updated_at)?;
        map.serialize_entry("lastSyncedAt", &row.synced_at)?;
        map.serialize_entry("version", &row.version)?;
        let properties = RawValue::from_string(row.properties.as_json().to_owned());
        map.serialize_entry("properties", &properties.map_err(S::Error::custom)?)?;
        map.end()
    }
}

impl Record<'_> {
    /// As JSON.
    pub(super) fn to_json(&self) -> Box<RawValue> {
        serde_json::value::to_raw_value(self).expect("texts can be written as JSON")
    }

    /// What the header `ETag` says of it: another one after each change, made here or in HubSpot.
    pub(super) fn tag(&self) -> String {
        tag(self.row)
    }

    /// An answer with it.
    pub(super) fn answer(&self, status: StatusCode) -> Response {
        let mut response = (status, Body::from(self.to_json().get().to_owned())).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, JSON);
        let tag = HeaderValue::from_str(&self.tag()).expect("digits make a header");
        response.headers_mut().insert(header::ETAG, tag);
        response
    }
}

/// The `ETag` of a row: its version and when HubSpot changed it.
pub(super) fn tag(row: &RowView) -> String {
    let changed = row.hubspot_updated_at.map_or(0, |at| at.timestamp_millis());
    format!("\"{}-{changed:x}-{}\"", row.version, u8::from(row.archived))
}

/// Whether a field of a record cannot be written because it is no part of its content.
pub(super) fn is_state(name: &str) -> bool {
    STATE.contains(&name)
}

/// Whether a field tells how a record stands to HubSpot, which changes without anybody's edit.
pub(super) fn is_standing(name: &str) -> bool {
    STANDING.contains(&name)
}

/// The schema of a text that may be null.
fn nullable(description: &str) -> ObjectBuilder {
    let kinds = SchemaType::from_iter([Type::String, Type::Null]);
    ObjectBuilder::new().schema_type(kinds).description(Some(description))
}

/// The schema of a time that may be null.
fn time(description: &str) -> ObjectBuilder {
    nullable(description).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}

/// The schema of properties: texts, or in requests whatever can become one.
fn properties(in_request: bool) -> Schema {
    let kinds = if in_request {
        SchemaType::from_iter([Type::String, Type::Number, Type::Boolean, Type::Null])
    } else {
        SchemaType::Type(Type::String)
    };
    let value = RefOr::T(Schema::Object(ObjectBuilder::new().schema_type(kinds).build()));
    let description =
        if in_request { "Values by property; null clears one" } else { "Every set property by name" };
    ObjectBuilder::new()
        .description(Some(description))
        .additional_properties(Some(AdditionalProperties::RefOr(value)))
        .build()
        .into()
}

/// The schema of the records of a family.
pub(super) fn schema(family: &Family) -> NamedSchema {
    let number =
        |description: &str| ObjectBuilder::new().schema_type(Type::Integer).description(Some(description));
    let status = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(["synced", "pending", "conflict", "error"]))
        .description(Some("How it stands to HubSpot"));
    let text =
        |description: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(description));
    let flag =
        ObjectBuilder::new().schema_type(Type::Boolean).description(Some("Whether it counts as deleted"));
    let mut object = ObjectBuilder::new()
        .property("id", number("Local key"))
        .property("hubspotId", nullable("Id in HubSpot; null until it is made there"))
        .property("objectType", text("Name of its type"));
    for field in family.fields {
        object = object.property(field.name, nullable(&format!("Property `{}`", field.property)));
    }
    object = object
        .property("syncStatus", status)
        .property("syncError", nullable("Why the last edit made here could not be sent"))
        .property("archived", flag)
        .property("archivedAt", time("Since when"))
        .property("createdHubspot", time("When HubSpot made it"))
        .property("lastModifiedLocal", time("Last edit made here"))
        .property("lastModifiedHubspot", time("When it last changed in HubSpot"))
        .property("lastSyncedAt", time("When the daemon last wrote it"))
        .property(
            "version",
            number("Rises with every edit made here and every change that comes from HubSpot"),
        )
        .property("properties", properties(false));
    for name in STATE.into_iter().chain(family.fields.iter().map(|field| field.name)).chain(["properties"]) {
        object = object.required(name);
    }
    (family.schema.to_owned(), RefOr::T(object.build().into()))
}

/// The schema of what is written into the records of a family.
pub(super) fn input_schema(family: &Family) -> NamedSchema {
    let mut object = ObjectBuilder::new()
        .description(Some("Fields, properties, or both; null clears one. What a record shows besides may be sent back as it was"))
        .property("properties", properties(true))
        .property(
            "version",
            ObjectBuilder::new()
                .schema_type(Type::Integer)
                .description(Some("The version the edit is made of; 409 when there is a newer one")),
        );
    for field in family.fields {
        object = object.property(field.name, nullable(&format!("Property `{}`", field.property)));
    }
    (format!("{}Input", family.schema), RefOr::T(object.build().into()))
}
