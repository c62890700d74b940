//! What the token may read and write.
//!
//! Source: HubSpot, "Scopes"; that definitions are answered to tokens with either scope of a type was seen live.

use crate::object_type::{ObjectType, Registry};
use crate::settings::Settings;

/// What a request wants to see or change of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// Its records and their links.
    Records,
    /// Its properties, pipelines and, for a type the portal defined, its definition.
    Definitions,
    /// Changes to its records.
    Writes,
}

impl Area {
    /// The scopes of a type of which one is needed.
    fn scopes(self, scope_name: &str) -> Vec<String> {
        let scope = |area: &str, access: &str| format!("crm.{area}.{scope_name}.{access}");
        match self {
            Self::Records => vec![scope("objects", "read")],
            Self::Definitions => vec![scope("objects", "read"), scope("schemas", "read")],
            Self::Writes => vec![scope("objects", "write")],
        }
    }
}

/// The scopes of which the token needs one to see or change something of a type; `None` when it has one.
pub fn missing(settings: &Settings, object_type: &ObjectType, area: Area) -> Option<Vec<String>> {
    let needed = area.scopes(object_type.scope_name());
    let is_denied = settings.denies_type(object_type);
    (is_denied || needed.iter().all(|scope| settings.denied_scopes.contains(scope))).then_some(needed)
}

/// The scopes of which the token needs one to see the list of types the portal defined; `None` when it has one.
pub fn missing_for_list(settings: &Settings) -> Option<Vec<String>> {
    let needed = Area::Definitions.scopes("custom");
    let is_denied = settings.denied_types.iter().any(|denied| denied == "custom");
    (is_denied || needed.iter().all(|scope| settings.denied_scopes.contains(scope))).then_some(needed)
}

/// The scope for owners.
pub const OWNERS: &str = "crm.objects.owners.read";

/// Every scope the token has.
pub fn granted(settings: &Settings, registry: &Registry) -> Vec<String> {
    let readable = registry.iter().filter(|object_type| !settings.denies_type(object_type));
    let areas = [Area::Definitions, Area::Writes];
    let mut scopes: Vec<String> = readable
        .flat_map(|object_type| areas.map(|area| area.scopes(object_type.scope_name())))
        .flatten()
        .collect();
    scopes.extend([OWNERS.to_owned(), "oauth".to_owned()]);
    scopes.retain(|scope| !settings.denied_scopes.contains(scope));
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}
