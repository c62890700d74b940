//! Property definitions. Source: HubSpot, "Properties".

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::catalogue::{Catalogue, Property, ValueType};
use crate::generate::text::moment_text;
use crate::generate::world::FIRST_CREATED;
use crate::http::body;
use crate::http::query::Query;
use crate::http::reply::{ApiError, Reply};
use crate::object_type::ObjectType;
use crate::simulator::Simulator;

/// `GET /crm/properties/{version}/{type}`: all definitions in use, or only the archived ones.
pub fn list(simulator: &Simulator, object_type: &ObjectType, query: &Query<'_>) -> Reply {
    let account = simulator.account();
    let archived = query.flag("archived");
    // Every simulated property is of the lowest sensitivity; asking for another level finds none.
    let asks_for_sensitive = query.get("dataSensitivity").is_some_and(|level| level != "non_sensitive");
    let definitions = account.catalogue(object_type.kind).iter();
    let shown = definitions.filter(|(_, property)| property.is_archived() == archived && !asks_for_sensitive);
    let results: Vec<Value> = shown.map(|(_, property)| to_json(property)).collect();
    Reply::json(200, &json!({ "results": results }))
}

/// `GET /crm/properties/{version}/{type}/{name}`: one definition.
pub fn get(
    simulator: &Simulator,
    object_type: &ObjectType,
    name: &str,
    query: &Query<'_>,
) -> Result<Reply, ApiError> {
    let account = simulator.account();
    let found = find(account.catalogue(object_type.kind), name, query.flag("archived"));
    let property = found.ok_or_else(|| {
        ApiError::new(404, format!("Property {name} does not exist")).category("OBJECT_NOT_FOUND")
    })?;
    Ok(Reply::json(200, &to_json(property)))
}

/// The definition of a name in the asked state.
fn find<'a>(catalogue: &'a Catalogue, name: &str, archived: bool) -> Option<&'a Property> {
    let property = catalogue.get(catalogue.index_of(name)?);
    (property.is_archived() == archived).then_some(property)
}

/// The body of a batch read of definitions.
#[derive(Debug, Deserialize)]
struct BatchRead {
    /// Read archived definitions.
    #[serde(default)]
    archived: bool,
    /// What to read.
    inputs: Vec<NameInput>,
}

/// One definition to read.
#[derive(Debug, Deserialize)]
struct NameInput {
    /// Its name.
    name: String,
}

/// `POST /crm/properties/{version}/{type}/batch/read`: definitions by name; unknown ones are reported.
pub fn batch_read(simulator: &Simulator, object_type: &ObjectType, body: &[u8]) -> Result<Reply, ApiError> {
    let request: BatchRead = body::parse(body)?;
    let account = simulator.account();
    let catalogue = account.catalogue(object_type.kind);
    let mut results = Vec::new();
    let mut missing = Vec::new();
    for NameInput { name } in &request.inputs {
        match find(catalogue, name, request.archived) {
            Some(property) => results.push(to_json(property)),
            None => missing.push(name),
        }
    }
    let now = moment_text(simulator.clock.now());
    let mut document =
        json!({ "status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now });
    if !missing.is_empty() {
        document["numErrors"] = json!(1);
        document["errors"] = json!([{
            "status": "error",
            "category": "OBJECT_NOT_FOUND",
            "message": "Some properties do not exist",
            "context": { "name": missing },
        }]);
    }
    Ok(Reply::json(if missing.is_empty() { 200 } else { 207 }, &document))
}

/// `GET /crm/properties/{version}/{type}/groups`: the groups definitions are listed under.
pub fn groups(simulator: &Simulator, object_type: &ObjectType) -> Reply {
    let account = simulator.account();
    let mut names: Vec<&str> = Vec::new();
    for (_, property) in account.catalogue(object_type.kind).iter() {
        if !names.contains(&property.group.as_str()) {
            names.push(&property.group);
        }
    }
    let results: Vec<Value> = names
        .iter()
        .enumerate()
        .map(|(order, name)| json!({ "name": name, "label": spaced(name), "displayOrder": order, "archived": false }))
        .collect();
    Reply::json(200, &json!({ "results": results }))
}

/// A name as a heading.
fn spaced(name: &str) -> String {
    let mut text = name.replace('_', " ").replace("information", " information");
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// The body HubSpot answers with. HubSpot's own definitions say so and often leave `archived` out.
pub fn to_json(property: &Property) -> Value {
    let flags = property.flags;
    let times = moment_text(FIRST_CREATED);
    let mut document = json!({
        "updatedAt": times,
        "createdAt": times,
        "name": property.name,
        "label": property.label,
        "type": property.value_type.as_str(),
        "fieldType": property.field_type,
        "description": property.description,
        "groupName": property.group,
        "options": options_json(property),
        "displayOrder": -1,
        "calculated": flags.calculated,
        "externalOptions": flags.external_options,
        "hasUniqueValue": flags.has_unique_value,
        "hidden": flags.hidden,
        "modificationMetadata": modification_json(property),
        "formField": flags.form_field,
        "dataSensitivity": "non_sensitive",
    });
    if let Some(fields) = document.as_object_mut() {
        add_optional_fields(property, fields);
    }
    document
}

/// The fields that only some definitions have.
fn add_optional_fields(property: &Property, fields: &mut Map<String, Value>) {
    if property.flags.custom {
        fields.insert("archived".into(), json!(property.is_archived()));
        fields.insert("createdUserId".into(), json!("9584300"));
        fields.insert("updatedUserId".into(), json!("9584300"));
    } else {
        fields.insert("hubspotDefined".into(), json!(true));
        if property.is_archived() {
            fields.insert("archived".into(), json!(true));
        }
    }
    if let Some(archived_at) = property.archived_at {
        fields.insert("archivedAt".into(), json!(moment_text(archived_at)));
    }
    if let Some(name) = &property.referenced_type {
        fields.insert("referencedObjectType".into(), json!(name));
    }
    if property.flags.money {
        fields.insert("showCurrencySymbol".into(), json!(true));
    }
}

/// What may be modified.
fn modification_json(property: &Property) -> Value {
    let flags = property.flags;
    let mut document = json!({
        "archivable": !flags.permanent,
        "readOnlyDefinition": !(flags.editable_definition || flags.custom),
        "readOnlyValue": flags.read_only_value,
    });
    if property.value_type == ValueType::Enumeration || flags.read_only_options {
        document["readOnlyOptions"] = json!(flags.read_only_options);
    }
    document
}

/// The options, of booleans too.
fn options_json(property: &Property) -> Vec<Value> {
    let options = property.options.iter().enumerate();
    let json_of = |(order, option): (usize, &crate::catalogue::PropertyOption)| {
        json!({
            "label": option.label,
            "value": option.value,
            "description": "",
            "displayOrder": order,
            "hidden": option.hidden,
        })
    };
    options.map(json_of).collect()
}
