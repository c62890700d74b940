//! Which path means what.
//!
//! One table serves both path forms. Source: HubSpot, "Introducing date-based API versioning".
//!
//! | Family | Legacy | Date version |
//! | --- | --- | --- |
//! | objects | `/crm/v3/objects/{type}` | `/crm/objects/2026-09/{type}` |
//! | associations | `/crm/v4/associations/{from}/{to}/...`, `/crm/v4/objects/{from}/{id}/associations/...` | `/crm/associations/2026-09/...`, `/crm/objects/2026-09/...` |
//! | properties | `/crm/v3/properties/{type}` | `/crm/properties/2026-09/{type}` |
//! | pipelines | `/crm/v3/pipelines/{type}` | `/crm/pipelines/2026-09/{type}` |
//! | owners | `/crm/v3/owners` | `/crm/owners/2026-09` |
//! | schemas | `/crm/v3/schemas`, `/crm-object-schemas/v3/schemas` | `/crm-object-schemas/2026-09/schemas` |
//! | account | `/account-info/v3/...` | `/account-info/2026-09/...` |
//! | token | `/oauth/v2/private-apps/get/access-token-info` | |

use percent_encoding::percent_decode_str;

use crate::http::associations::call::Call;
use crate::http::definitions::Change;
use crate::http::writes::call::Write;
use crate::scopes::Area;

/// Date versions that answer. Source: HubSpot changelog.
const DATE_VERSIONS: [&str; 3] = ["2025-09", "2026-03", "2026-09"];

/// What a request asks for. Type names are as sent; the handler resolves them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// A page of records.
    List(String),
    /// One record.
    Get(String, String),
    /// Records that match filters.
    Search(String),
    /// Records by id.
    BatchRead(String),
    /// Records to write: their type, what is done, and the version of the path.
    Write(String, Write, String),
    /// Two records that become one.
    Merge(String),
    /// A record to remove without trace.
    PrivacyDelete(String),
    /// Links between records; the flag is set for versions that answer removals in bulk without a body.
    Associations(Call, bool),
    /// A change to the definitions of a type.
    Define(String, Change),
    /// All definitions.
    Properties(String),
    /// One definition.
    Property(String, String),
    /// Groups of definitions.
    PropertyGroups(String),
    /// Definitions by name.
    PropertyBatchRead(String),
    /// All pipelines.
    Pipelines(String),
    /// One pipeline.
    Pipeline(String, String),
    /// Stages of a pipeline.
    Stages(String, String),
    /// One stage of a pipeline.
    Stage(String, String, String),
    /// A page of owners.
    Owners,
    /// One owner.
    Owner(String),
    /// Object types the portal defined.
    Schemas,
    /// One object type.
    Schema(String),
    /// An object type to define.
    DefineSchema,
    /// An object type to change.
    PatchSchema(String),
    /// An object type to take out of use.
    ArchiveSchema(String),
    /// What account this is.
    AccountDetails,
    /// How many requests were made today.
    DailyUsage,
    /// Whose token this is.
    TokenInfo,
}

/// Why no handler answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoute {
    /// The path means nothing.
    UnknownPath,
    /// The path means something, but not with this method.
    WrongMethod,
}

impl Route {
    /// Finds the route of a request.
    pub fn find(method: &str, path: &str) -> Result<Self, NoRoute> {
        let decoded: Vec<String> = path
            .trim_matches('/')
            .split('/')
            .map(|part| percent_decode_str(part).decode_utf8_lossy().into())
            .collect();
        let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
        let (family, rest) = split_version(&segments).ok_or(NoRoute::UnknownPath)?;
        if let Some(call) = Call::find(method, family, rest) {
            let answers_empty = segments.contains(&"v4") || segments.get(2) == Some(&"2025-09");
            return Ok(Self::Associations(call?, answers_empty));
        }
        if let Some((name, tail)) = rest.split_first()
            && let Some(change) = Change::find(method, family, tail)
        {
            return Ok(Self::Define((*name).to_owned(), change));
        }
        if let Some(route) = match_schema_write(method, family, rest) {
            return Ok(route);
        }
        if let ("objects", [name, tail @ ..]) = (family, rest)
            && let Some(write) = Write::find(method, tail)
        {
            return Ok(Self::Write((*name).to_owned(), write, version_of(&segments)));
        }
        if let ("objects", [name, "batch", batch]) = (family, rest)
            && let Some(write) = Write::find_batch(batch)
        {
            let is_meant = method.eq_ignore_ascii_case("POST");
            let route = Self::Write((*name).to_owned(), write, version_of(&segments));
            return if is_meant { Ok(route) } else { Err(NoRoute::WrongMethod) };
        }
        let (wanted, route) = match_family(family, rest).ok_or(NoRoute::UnknownPath)?;
        if method.eq_ignore_ascii_case(wanted) { Ok(route) } else { Err(NoRoute::WrongMethod) }
    }

    /// How statistics call the request.
    pub const fn family(&self) -> &'static str {
        match self {
            Self::List(_) => "list",
            Self::Get(..) => "get",
            Self::Search(_) => "search",
            Self::BatchRead(_) => "batchRead",
            Self::Write(_, write, _) => write.family(),
            Self::Merge(_) | Self::PrivacyDelete(_) => "lifecycle",
            Self::Associations(..) => "associations",
            Self::Properties(_)
            | Self::Property(..)
            | Self::PropertyGroups(_)
            | Self::PropertyBatchRead(_) => "properties",
            Self::Pipelines(_) | Self::Pipeline(..) | Self::Stages(..) | Self::Stage(..) => "pipelines",
            Self::Define(..) => "definitions",
            Self::Owners | Self::Owner(_) => "owners",
            Self::Schemas
            | Self::Schema(_)
            | Self::DefineSchema
            | Self::PatchSchema(_)
            | Self::ArchiveSchema(_) => "schemas",
            Self::AccountDetails | Self::DailyUsage => "account",
            Self::TokenInfo => "token",
        }
    }

    /// Whether the request changes records or their links.
    pub const fn writes(&self) -> bool {
        match self {
            Self::Write(..) | Self::Merge(_) | Self::PrivacyDelete(_) => true,
            Self::Associations(call, _) => call.writes(),
            _ => false,
        }
    }

    /// What the request wants to see of its object type.
    pub const fn area(&self) -> Area {
        match self {
            Self::List(_) | Self::Get(..) | Self::Search(_) | Self::BatchRead(_) | Self::Associations(..) => {
                Area::Records
            }
            Self::Write(..) | Self::Merge(_) | Self::PrivacyDelete(_) => Area::Writes,
            _ => Area::Definitions,
        }
    }

    /// The object type the request is about, as sent.
    pub fn object_type(&self) -> Option<&str> {
        match self {
            Self::List(name)
            | Self::Get(name, _)
            | Self::Search(name)
            | Self::BatchRead(name)
            | Self::Write(name, ..)
            | Self::Merge(name)
            | Self::PrivacyDelete(name)
            | Self::Define(name, _)
            | Self::Properties(name)
            | Self::Property(name, _)
            | Self::PropertyGroups(name)
            | Self::PropertyBatchRead(name)
            | Self::Pipelines(name)
            | Self::Pipeline(name, _)
            | Self::Stages(name, _)
            | Self::Stage(name, ..)
            | Self::Schema(name)
            | Self::PatchSchema(name)
            | Self::ArchiveSchema(name) => Some(name),
            _ => None,
        }
    }
}

/// Takes the version out of a path: what remains is the same for both forms.
fn split_version<'a>(segments: &'a [&'a str]) -> Option<(&'a str, &'a [&'a str])> {
    match segments {
        // The older forms of associations have other bodies and are not simulated; the properties of 2025-09 were
        // answered with 404 by the live service in April 2026, unlike the objects of that version.
        ["crm", "v3", "associations", ..]
        | ["crm", "v3", "objects", _, _, "associations", ..]
        | ["crm", "properties", "2025-09", ..] => None,
        ["crm", "v3", family, rest @ ..] => Some((family, rest)),
        ["crm", "v4", "associations", rest @ ..] => Some(("associations", rest)),
        ["crm", "v4", "objects", rest @ ..] if rest.get(2) == Some(&"associations") => {
            Some(("objects", rest))
        }
        ["crm", family, version, rest @ ..] if is_version(version) => Some((family, rest)),
        ["crm-object-schemas", version, "schemas", rest @ ..] if is_version(version) => {
            Some(("schemas", rest))
        }
        ["account-info", version, rest @ ..] if is_version(version) => Some(("account-info", rest)),
        ["oauth", "v2", rest @ ..] => Some(("oauth", rest)),
        _ => None,
    }
}

/// The version a path is of.
fn version_of(segments: &[&str]) -> String {
    let version = segments.iter().find(|segment| is_version(segment) || **segment == "v4");
    version.map_or_else(String::new, |version| (*version).to_owned())
}

/// Whether a segment is a version that answers.
fn is_version(segment: &str) -> bool {
    segment == "v3" || DATE_VERSIONS.contains(&segment)
}

/// The route of a request that changes object types.
fn match_schema_write(method: &str, family: &str, rest: &[&str]) -> Option<Route> {
    match (method, family, rest) {
        ("POST", "schemas", []) => Some(Route::DefineSchema),
        ("PATCH", "schemas", [name]) => Some(Route::PatchSchema((*name).to_owned())),
        ("DELETE", "schemas", [name]) => Some(Route::ArchiveSchema((*name).to_owned())),
        _ => None,
    }
}

/// The method and route of a path without version.
fn match_family(family: &str, rest: &[&str]) -> Option<(&'static str, Route)> {
    let text = |part: &&str| (*part).to_owned();
    Some(match (family, rest) {
        ("objects", [name]) => ("GET", Route::List(text(name))),
        ("objects", [name, "search"]) => ("POST", Route::Search(text(name))),
        ("objects", [name, "batch", "read"]) => ("POST", Route::BatchRead(text(name))),
        ("objects", [name, "merge"]) => ("POST", Route::Merge(text(name))),
        ("objects", [name, "gdpr-delete"]) => ("POST", Route::PrivacyDelete(text(name))),
        ("objects", [name, id]) => ("GET", Route::Get(text(name), text(id))),
        ("properties", [name]) => ("GET", Route::Properties(text(name))),
        ("properties", [name, "groups"]) => ("GET", Route::PropertyGroups(text(name))),
        ("properties", [name, "batch", "read"]) => ("POST", Route::PropertyBatchRead(text(name))),
        ("properties", [name, property]) => ("GET", Route::Property(text(name), text(property))),
        ("pipelines", [name]) => ("GET", Route::Pipelines(text(name))),
        ("pipelines", [name, id]) => ("GET", Route::Pipeline(text(name), text(id))),
        ("pipelines", [name, id, "stages"]) => ("GET", Route::Stages(text(name), text(id))),
        ("pipelines", [name, id, "stages", stage]) => {
            ("GET", Route::Stage(text(name), text(id), text(stage)))
        }
        ("owners", []) => ("GET", Route::Owners),
        ("owners", [id]) => ("GET", Route::Owner(text(id))),
        ("schemas", []) => ("GET", Route::Schemas),
        ("schemas", [name]) => ("GET", Route::Schema(text(name))),
        ("account-info", ["details"]) => ("GET", Route::AccountDetails),
        ("account-info", ["api-usage", "daily", "private-apps"]) => ("GET", Route::DailyUsage),
        ("oauth", ["private-apps", "get", "access-token-info"]) => ("POST", Route::TokenInfo),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_path_forms_lead_to_the_same_route() {
        let pairs = [
            ("/crm/v3/objects/contacts", "/crm/objects/2026-09/contacts"),
            ("/crm/v3/objects/deals/batch/read", "/crm/objects/2026-03/deals/batch/read"),
            ("/crm/v3/properties/0-1/email", "/crm/properties/2026-09/0-1/email"),
            ("/crm/v3/pipelines/deals", "/crm/pipelines/2026-09/deals"),
            ("/crm/v3/owners/", "/crm/owners/2026-09"),
            ("/crm/v3/schemas", "/crm-object-schemas/2026-09/schemas"),
            ("/account-info/v3/details", "/account-info/2026-09/details"),
        ];
        for (legacy, dated) in pairs {
            let method = if legacy.ends_with("read") { "POST" } else { "GET" };
            let found = Route::find(method, legacy);
            assert!(found.is_ok(), "{legacy}");
            assert_eq!(found, Route::find(method, dated));
        }
    }

    #[test]
    fn removals_of_associations_have_a_body_from_2026_03_on() {
        for (version, answers_empty) in [("2025-09", true), ("2026-03", false), ("2026-09", false)] {
            let path = format!("/crm/associations/{version}/0-1/deals/batch/archive");
            let found = Route::find("POST", &path);
            assert!(
                matches!(found, Ok(Route::Associations(_, empty)) if empty == answers_empty),
                "{version}"
            );
        }
        let legacy = Route::find("POST", "/crm/v4/associations/0-1/deals/batch/archive");
        assert!(matches!(legacy, Ok(Route::Associations(_, true))));
        assert_eq!(Route::find("GET", "/crm/v3/associations/0-1/0-3/labels"), Err(NoRoute::UnknownPath));
    }

    #[test]
    fn unknown_paths_and_methods_are_told_apart() {
        assert_eq!(Route::find("GET", "/crm/v9/objects/contacts"), Err(NoRoute::UnknownPath));
        assert_eq!(Route::find("GET", "/crm/objects/2024-09/contacts"), Err(NoRoute::UnknownPath));
        assert_eq!(Route::find("GET", "/crm/properties/2025-09/contacts"), Err(NoRoute::UnknownPath));
        assert_eq!(
            Route::find("GET", "/crm/objects/2025-09/contacts").map(|route| route.family()),
            Ok("list")
        );
        assert_eq!(Route::find("GET", "/crm/v3/objects/contacts/search"), Err(NoRoute::WrongMethod));
    }
}
