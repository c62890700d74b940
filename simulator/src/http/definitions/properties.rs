//! Changing properties. Source: HubSpot, "Properties".

use serde::Deserialize;
use serde_json::json;

use crate::account::Account;
use crate::catalogue::{Flags, Property, PropertyOption, ValueType};
use crate::http::reply::{ApiError, Reply};
use crate::http::{body, properties};
use crate::object_type::Kind;
use crate::simulator::Simulator;

/// What a request says about a property; what is absent stays, or takes the usual value in a new definition.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SentProperty {
    /// Internal name; only when it is created.
    name: Option<String>,
    /// Name people see.
    label: Option<String>,
    /// What values are.
    #[serde(rename = "type")]
    value_type: Option<ValueType>,
    /// How values are edited.
    field_type: Option<String>,
    /// Group it is listed under.
    group_name: Option<String>,
    /// Explanation.
    description: Option<String>,
    /// Allowed values; replaces all.
    options: Option<Vec<PropertyOption>>,
    /// Not shown to people.
    hidden: Option<bool>,
    /// No two records share a value; only when it is created. Source: HubSpot, "Properties".
    has_unique_value: Option<bool>,
}

impl SentProperty {
    /// The definition a request describes that makes it.
    pub fn new_definition(&self) -> Result<Property, ApiError> {
        let name = self.name.clone().ok_or_else(|| body::missing("name"))?;
        let has_unique_value = self.has_unique_value.unwrap_or_default();
        let mut property = Property {
            label: name.clone(),
            name,
            description: String::new(),
            value_type: ValueType::String,
            field_type: "text".to_owned(),
            group: String::new(),
            options: Vec::new(),
            referenced_type: None,
            flags: Flags { custom: true, has_unique_value, ..Flags::default() },
            archived_at: None,
            fill: None,
        };
        self.apply_to(&mut property);
        Ok(property)
    }

    /// Puts what the request says into a definition.
    fn apply_to(&self, property: &mut Property) {
        property.flags.hidden = self.hidden.unwrap_or(property.flags.hidden);
        property.value_type = self.value_type.unwrap_or(property.value_type);
        if let Some(options) = &self.options {
            property.options.clone_from(options);
        }
        for (given, text) in [
            (&self.label, &mut property.label),
            (&self.field_type, &mut property.field_type),
            (&self.group_name, &mut property.group),
            (&self.description, &mut property.description),
        ] {
            if let Some(given) = given {
                text.clone_from(given);
            }
        }
    }
}

/// `POST /crm/properties/{version}/{type}`. A name in the archive comes back with its values and the type sent.
pub fn create(simulator: &Simulator, kind: Kind, body: &[u8]) -> Result<Reply, ApiError> {
    let request: SentProperty = body::parse(body)?;
    let name = request.name.clone().ok_or_else(|| body::missing("name"))?;
    let mut account = simulator.account_mut();
    let catalogue = account.catalogue(kind);
    if catalogue.active(&name).is_some() {
        return Err(ApiError::new(409, format!("A property named '{name}' already exists."))
            .category("OBJECT_ALREADY_EXISTS")
            .field("subCategory", json!("Properties.PROPERTY_WITH_NAME_EXISTS")));
    }
    let archived = catalogue.index_of(&name).map(|index| catalogue.get(index).clone());
    let property = match archived {
        None => request.new_definition()?,
        Some(mut property) => {
            property.archived_at = None;
            request.apply_to(&mut property);
            property
        }
    };
    let document = properties::to_json(&property);
    account.put_property(kind, property);
    Ok(Reply::json(201, &document))
}

/// The definition in use with a name.
fn property_in_use(account: &Account, kind: Kind, name: &str) -> Result<Property, ApiError> {
    let catalogue = account.catalogue(kind);
    let index = catalogue.active(name).ok_or_else(|| {
        ApiError::new(404, format!("Property {name} does not exist")).category("OBJECT_NOT_FOUND")
    })?;
    Ok(catalogue.get(index).clone())
}

/// `PATCH /crm/properties/{version}/{type}/{name}`: also its type may change.
pub fn patch(simulator: &Simulator, kind: Kind, name: &str, body: &[u8]) -> Result<Reply, ApiError> {
    let request: SentProperty = body::parse(body)?;
    let mut account = simulator.account_mut();
    let mut property = property_in_use(&account, kind, name)?;
    request.apply_to(&mut property);
    let document = properties::to_json(&property);
    account.put_property(kind, property);
    Ok(Reply::json(200, &document))
}

/// `DELETE /crm/properties/{version}/{type}/{name}`: into the archive; its values stay until it is gone for good.
pub fn archive(simulator: &Simulator, kind: Kind, name: &str) -> Result<Reply, ApiError> {
    let now = simulator.clock.now();
    let mut account = simulator.account_mut();
    let property = property_in_use(&account, kind, name)?;
    if property.flags.permanent {
        return Err(ApiError::validation(format!("{name} cannot be archived")));
    }
    account.put_property(kind, Property { archived_at: Some(now), ..property });
    Ok(Reply::empty(204))
}
