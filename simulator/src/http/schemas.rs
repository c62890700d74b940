//! Object types the portal defined, and the definitions of HubSpot's own.
//!
//! Source: HubSpot, "Custom objects". That reads lag was seen live: after a change a single read flips between old and
//! new, and the list shows the old or leaves the type out.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::account::associations::plain_number;
use crate::account::schemas::{Labels, usual_properties};
use crate::account::{Account, Schema, SchemaError};
use crate::catalogue::Property;
use crate::clock::Millis;
use crate::generate::rule::Fill;
use crate::generate::text::moment_text;
use crate::http::definitions::SentProperty;
use crate::http::query::Query;
use crate::http::reply::{ApiError, Reply};
use crate::http::{body, properties};
use crate::object_type::{Kind, ObjectType};
use crate::simulator::Simulator;

/// What of a definition a read shows.
struct Shown {
    /// The properties.
    properties: bool,
    /// The links to other types.
    associations: bool,
}

impl Shown {
    /// What a query asks for: everything unless it says otherwise.
    fn asked(query: &Query<'_>) -> Self {
        let is_shown = |name| query.get(name).is_none() || query.flag(name);
        Self {
            properties: is_shown("includePropertyDefinitions"),
            associations: is_shown("includeAssociationDefinitions"),
        }
    }

    /// Everything.
    const EVERYTHING: Self = Self { properties: true, associations: true };
}

/// `GET /crm-object-schemas/{version}/schemas`: all at once; asking for archived ones shows the others as well, as was
/// seen live.
pub fn list(simulator: &Simulator, query: &Query<'_>) -> Reply {
    let shown = Shown::asked(query);
    let (now, lag_ms) = (simulator.clock.now(), simulator.settings().schema_lag_ms);
    let leaves_out = simulator.order_nonce().is_multiple_of(2);
    let account = simulator.account();
    let visible = account.schemas().filter_map(|(kind, kept)| match kept.stale(now, lag_ms) {
        None => Some((kind, &kept.schema)),
        Some(_) if leaves_out => None,
        Some(before) => before.map(|before| (kind, before)),
    });
    let wanted = visible.filter(|(_, schema)| !schema.archived || query.flag("archived"));
    let results: Vec<Value> = wanted.map(|(kind, schema)| to_json(&account, kind, schema, &shown)).collect();
    Reply::json(200, &json!({ "results": results }))
}

/// `GET /crm-object-schemas/{version}/schemas/{type}`: a type of the portal or of HubSpot's.
pub fn get(simulator: &Simulator, object_type: &ObjectType, query: &Query<'_>) -> Result<Reply, ApiError> {
    let (now, lag_ms) = (simulator.clock.now(), simulator.settings().schema_lag_ms);
    let account = simulator.account();
    let Some(kept) = account.schema(object_type.kind) else { return Ok(standard(object_type)) };
    let stale = kept.stale(now, lag_ms).filter(|_| simulator.order_nonce().is_multiple_of(2));
    let schema = stale.unwrap_or(Some(&kept.schema)).ok_or_else(ApiError::not_found)?;
    Ok(Reply::json(200, &to_json(&account, object_type.kind, schema, &Shown::asked(query))))
}

/// A type of HubSpot's, without its properties.
fn standard(object_type: &ObjectType) -> Reply {
    Reply::json(
        200,
        &json!({
            "id": object_type.type_id,
            "objectTypeId": object_type.type_id,
            "fullyQualifiedName": object_type.error_name,
            "name": object_type.error_name,
            "labels": { "singular": object_type.singular, "plural": object_type.plural },
            "primaryDisplayProperty": object_type.searchable[0],
            "secondaryDisplayProperties": [],
            "searchableProperties": object_type.searchable,
            "requiredProperties": [],
            "properties": [],
            "associations": [],
            "archived": false,
        }),
    )
}

/// A definition as answers show it.
fn to_json(account: &Account, kind: Kind, schema: &Schema, shown: &Shown) -> Value {
    let object_type = account.registry().of(kind);
    let definitions = account.catalogue(kind).iter().filter(|(_, property)| !property.is_archived());
    let definitions = definitions.map(|(_, property)| properties::to_json(property));
    json!({
        "id": object_type.type_id.trim_start_matches("2-"),
        "objectTypeId": object_type.type_id,
        "fullyQualifiedName": object_type.plural,
        "name": schema.name,
        "labels": schema.labels,
        "primaryDisplayProperty": schema.primary_display_property,
        "secondaryDisplayProperties": schema.secondary_display_properties,
        "searchableProperties": schema.searchable_properties,
        "requiredProperties": schema.required_properties,
        "properties": if shown.properties { definitions.collect() } else { Vec::new() },
        "associations": if shown.associations { associations(account, kind, schema) } else { Vec::new() },
        "archived": schema.archived,
        "createdAt": moment_text(schema.created_at),
        "updatedAt": moment_text(schema.updated_at),
    })
}

/// The links a definition names, in both directions.
fn associations(account: &Account, kind: Kind, schema: &Schema) -> Vec<Value> {
    let own = account.registry().of(kind);
    let mut shown = Vec::new();
    for other in schema.associated.iter().filter_map(|type_id| account.registry().find_any(type_id)) {
        for [from, to] in [[own, other], [other, own]] {
            shown.push(json!({
                "id": plain_number(from.kind, to.kind).to_string(),
                "fromObjectTypeId": from.type_id,
                "toObjectTypeId": to.type_id,
                "name": format!("{}_to_{}", from.singular, to.singular),
            }));
        }
    }
    shown
}

/// What a request says about a type; what is absent stays, or takes the usual value in a new definition.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SentSchema {
    /// Internal name; only when it is defined.
    name: Option<String>,
    /// What people see.
    labels: Option<Labels>,
    /// The property that names a record.
    primary_display_property: Option<String>,
    /// Properties shown beside it.
    secondary_display_properties: Option<Vec<String>>,
    /// Properties a free-text search looks into.
    searchable_properties: Option<Vec<String>>,
    /// Properties a new record needs.
    required_properties: Option<Vec<String>>,
    /// Type ids or names of types records can be linked to.
    associated_objects: Option<Vec<String>>,
    /// Properties besides those all types have; only when it is defined.
    properties: Option<Vec<SentProperty>>,
}

impl SentSchema {
    /// Puts what the request says into a definition.
    fn apply_to(&self, schema: &mut Schema) {
        if let Some(labels) = &self.labels {
            schema.labels = labels.clone();
        }
        if let Some(name) = &self.primary_display_property {
            schema.primary_display_property.clone_from(name);
        }
        for (given, names) in [
            (&self.secondary_display_properties, &mut schema.secondary_display_properties),
            (&self.searchable_properties, &mut schema.searchable_properties),
            (&self.required_properties, &mut schema.required_properties),
            (&self.associated_objects, &mut schema.associated),
        ] {
            if let Some(given) = given {
                names.clone_from(given);
            }
        }
    }

    /// The new definition a request describes, and its properties. Without any, the type gets the usual ones.
    fn into_new(self, now: Millis) -> Result<(Schema, Vec<Property>), ApiError> {
        let name = self.name.as_deref().ok_or_else(|| body::missing("name"))?;
        let mut schema = Schema::named(name, now);
        let Some(sent) = &self.properties else {
            self.apply_to(&mut schema);
            return Ok((schema, usual_properties()));
        };
        let mut properties = sent.iter().map(SentProperty::new_definition).collect::<Result<Vec<_>, _>>()?;
        for property in &mut properties {
            property.fill = Some(Fill::invented(property));
        }
        let first = properties.first().map_or("hs_object_id", |property| &property.name).to_owned();
        schema.searchable_properties = vec![first.clone()];
        schema.secondary_display_properties.clear();
        schema.required_properties.clear();
        schema.primary_display_property = first;
        self.apply_to(&mut schema);
        Ok((schema, properties))
    }
}

/// Defines a type.
pub fn define(simulator: &Simulator, sent: SentSchema, has_pipelines: bool) -> Result<Kind, ApiError> {
    let (schema, properties) = sent.into_new(simulator.clock.now())?;
    let name = schema.name.clone();
    let defined = simulator.account_mut().define_type(Schema { has_pipelines, ..schema }, properties);
    defined.map_err(|error| match error {
        SchemaError::BadName => ApiError::validation(format!("{name} is not a valid name of an object type")),
        SchemaError::NameTaken => {
            ApiError::new(409, format!("An object type named '{name}' already exists."))
                .category("OBJECT_ALREADY_EXISTS")
        }
        SchemaError::TooMany => ApiError::validation("The limit of custom object types is reached"),
    })
}

/// `POST /crm-object-schemas/{version}/schemas`: answers with the definition, which reads may not show yet.
pub fn create(simulator: &Simulator, body: &[u8]) -> Result<Reply, ApiError> {
    let kind = define(simulator, body::parse(body)?, true)?;
    Ok(Reply::json(201, &present(&simulator.account(), kind)))
}

/// The definition of a type as it is.
pub fn present(account: &Account, kind: Kind) -> Value {
    let kept = account.schema(kind);
    kept.map_or(Value::Null, |kept| to_json(account, kind, &kept.schema, &Shown::EVERYTHING))
}

/// A type the portal defined, as something to change.
fn changeable(account: &Account, object_type: &ObjectType) -> Result<Schema, ApiError> {
    let kept = account.schema(object_type.kind);
    kept.map(|kept| kept.schema.clone())
        .ok_or_else(|| ApiError::validation("Object types of HubSpot cannot be changed"))
}

/// `PATCH /crm-object-schemas/{version}/schemas/{type}`.
pub fn patch(simulator: &Simulator, object_type: &ObjectType, body: &[u8]) -> Result<Reply, ApiError> {
    let sent: SentSchema = body::parse(body)?;
    let now = simulator.clock.now();
    let mut account = simulator.account_mut();
    let mut schema = changeable(&account, object_type)?;
    sent.apply_to(&mut schema);
    schema.updated_at = now.max(schema.updated_at + 1);
    account.put_schema(object_type.kind, schema);
    Ok(Reply::json(200, &present(&account, object_type.kind)))
}

/// `DELETE /crm-object-schemas/{version}/schemas/{type}`: takes a type out of use; refused while it has records.
pub fn archive(simulator: &Simulator, object_type: &ObjectType) -> Result<Reply, ApiError> {
    let now = simulator.clock.now();
    let mut account = simulator.account_mut();
    let schema = changeable(&account, object_type)?;
    if account.store(object_type.kind).live() > 0 {
        return Err(ApiError::validation("The object type has records and cannot be deleted"));
    }
    let updated_at = now.max(schema.updated_at + 1);
    account.put_schema(object_type.kind, Schema { archived: true, updated_at, ..schema });
    Ok(Reply::empty(204))
}
