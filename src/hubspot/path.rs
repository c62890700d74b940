//! The one table of paths. Links in HubSpot's answers are never followed: they may show another version's form.

use crate::model::{CustomName, ObjectId, ObjectType};

/// A group of endpoints that share a path prefix and a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Records of every type.
    Objects,
    /// Links between records, in bulk.
    Associations,
    /// Links of one record.
    Links,
    /// Property definitions.
    Properties,
    /// Pipelines with their stages.
    Pipelines,
    /// Owners.
    Owners,
    /// Definitions of object types.
    Schemas,
    /// The account itself.
    Account,
}

impl Family {
    /// Prefix before a date version, and the whole prefix of v3 (of links: v4). Source: HubSpot's public API specifications.
    const fn prefixes(self) -> (&'static str, &'static str) {
        match self {
            Self::Objects => ("/crm/objects", "/crm/v3/objects"),
            Self::Associations => ("/crm/associations", "/crm/v4/associations"),
            Self::Links => ("/crm/objects", "/crm/v4/objects"),
            Self::Properties => ("/crm/properties", "/crm/v3/properties"),
            Self::Pipelines => ("/crm/pipelines", "/crm/v3/pipelines"),
            Self::Owners => ("/crm/owners", "/crm/v3/owners"),
            Self::Schemas => ("/crm-object-schemas", "/crm-object-schemas/v3"),
            Self::Account => ("/account-info", "/account-info/v3"),
        }
    }
}

/// Says what a token is; the same in every version. Works for private app tokens and service keys.
pub(super) const TOKEN_INFO: &str = "/oauth/v2/private-apps/get/access-token-info";

/// The words of our paths that are no names.
const WORDS: &[&str] = &[
    "account-info",
    "access-token-info",
    "archive",
    "associations",
    "batch",
    "create",
    "crm",
    "crm-object-schemas",
    "details",
    "get",
    "labels",
    "oauth",
    "objects",
    "owners",
    "pipelines",
    "private-apps",
    "properties",
    "read",
    "schemas",
    "search",
    "update",
];

/// The path without what differs from call to call: versions left out, `{type}` for names and `{id}` for numbers. What
/// figures about requests are kept by, so there must be few.
pub(super) fn route(path: &str) -> String {
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_version = |part: &str| {
        let year = part.split_once('-').is_some_and(|(year, _)| year.len() == 4 && is_number(year));
        year || part.strip_prefix('v').is_some_and(is_number)
    };
    let parts = path.split('/').skip(1).filter(|part| !is_version(part));
    let parts = parts.map(|part| match part {
        word if WORDS.contains(&word) => word,
        number if is_number(number) => "{id}",
        _ => "{type}",
    });
    parts.fold(String::new(), |route, part| route + "/" + part)
}

/// Builds paths for one API version.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    /// `v3`, or a date such as `2026-09`.
    version: String,
}

impl Paths {
    /// Paths of `version`: `v3`, or a date such as `2026-09`.
    pub fn new(version: &str) -> Self {
        Self { version: version.to_owned() }
    }

    /// The root of a family, without a trailing slash.
    fn root(&self, family: Family) -> String {
        let (dated, v3) = family.prefixes();
        if self.version == "v3" { v3.to_owned() } else { format!("{dated}/{}", self.version) }
    }

    /// The records of a type.
    pub fn records(&self, object_type: &ObjectType) -> String {
        format!("{}/{}", self.root(Family::Objects), object_type.path)
    }

    /// One record of a type.
    pub fn record(&self, object_type: &ObjectType, id: ObjectId) -> String {
        format!("{}/{id}", self.records(object_type))
    }

    /// Does something to many records of a type at once: `read`, `create`, `update` or `archive`.
    pub fn batch(&self, object_type: &ObjectType, action: &str) -> String {
        format!("{}/batch/{action}", self.records(object_type))
    }

    /// Searches the records of a type.
    pub fn search(&self, object_type: &ObjectType) -> String {
        format!("{}/search", self.records(object_type))
    }

    /// Reads the links of many records of the type `from` to records of the type `to`.
    pub fn associations(&self, from: &ObjectType, to: &ObjectType) -> String {
        format!("{}/{}/{}/batch/read", self.root(Family::Associations), from.path, to.path)
    }

    /// The link between two records.
    pub fn link(&self, from: (&ObjectType, ObjectId), to: (&ObjectType, ObjectId)) -> String {
        let root = self.root(Family::Links);
        format!("{root}/{}/{}/associations/{}/{}", from.0.path, from.1, to.0.path, to.1)
    }

    /// Takes labels off many links from one type to another; the links stay.
    pub fn archive_labels(&self, from: &ObjectType, to: &ObjectType) -> String {
        format!("{}/{}/{}/batch/labels/archive", self.root(Family::Associations), from.path, to.path)
    }

    /// The kinds of link from one type to another.
    pub fn association_labels(&self, from: &ObjectType, to: &ObjectType) -> String {
        format!("{}/{}/{}/labels", self.root(Family::Associations), from.path, to.path)
    }

    /// The property definitions of a type.
    pub fn properties(&self, object_type: &ObjectType) -> String {
        format!("{}/{}", self.root(Family::Properties), object_type.path)
    }

    /// The pipelines of a type.
    pub fn pipelines(&self, object_type: &ObjectType) -> String {
        format!("{}/{}", self.root(Family::Pipelines), object_type.path)
    }

    /// The definition of a custom object.
    pub fn schema(&self, name: CustomName) -> String {
        format!("{}/schemas/{name}", self.root(Family::Schemas))
    }

    /// The account's owners.
    pub fn owners(&self) -> String {
        self.root(Family::Owners)
    }

    /// The account's particulars.
    pub fn account(&self) -> String {
        format!("{}/details", self.root(Family::Account))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_has_neither_version_nor_name_nor_number() {
        let (deals, contacts) = (ObjectType::named("deals").unwrap(), ObjectType::named("contacts").unwrap());
        let courses = ObjectType::named("courses").unwrap();
        for version in ["2026-09", "v3"] {
            let paths = Paths::new(version);
            let cars = CustomName::parse("p123_cars").unwrap();
            for (path, expected) in [
                (paths.records(deals), "/crm/objects/{type}"),
                (paths.record(courses, ObjectId(7)), "/crm/objects/{type}/{id}"),
                (paths.batch(deals, "update"), "/crm/objects/{type}/batch/update"),
                (paths.search(courses), "/crm/objects/{type}/search"),
                (paths.associations(contacts, deals), "/crm/associations/{type}/{type}/batch/read"),
                (
                    paths.archive_labels(contacts, deals),
                    "/crm/associations/{type}/{type}/batch/labels/archive",
                ),
                (
                    paths.link((contacts, ObjectId(1)), (deals, ObjectId(2))),
                    "/crm/objects/{type}/{id}/associations/{type}/{id}",
                ),
                (paths.properties(deals), "/crm/properties/{type}"),
                (paths.pipelines(deals), "/crm/pipelines/{type}"),
                (paths.schema(cars), "/crm-object-schemas/schemas/{type}"),
                (paths.owners(), "/crm/owners"),
                (paths.account(), "/account-info/details"),
                (TOKEN_INFO.to_owned(), "/oauth/private-apps/get/access-token-info"),
            ] {
                assert_eq!(route(&path), expected, "{path}");
            }
        }
    }

    #[test]
    fn both_version_forms_are_spelt_as_hubspot_spells_them() {
        let deals = ObjectType::named("deals").unwrap();
        let contacts = ObjectType::named("contacts").unwrap();
        let dated = Paths::new("2026-09");
        assert_eq!(dated.batch(deals, "read"), "/crm/objects/2026-09/deals/batch/read");
        assert_eq!(dated.record(deals, ObjectId(7)), "/crm/objects/2026-09/deals/7");
        assert_eq!(dated.search(deals), "/crm/objects/2026-09/deals/search");
        assert_eq!(dated.properties(deals), "/crm/properties/2026-09/deals");
        assert_eq!(dated.pipelines(deals), "/crm/pipelines/2026-09/deals");
        assert_eq!(dated.owners(), "/crm/owners/2026-09");
        assert_eq!(dated.account(), "/account-info/2026-09/details");
        let cars = CustomName::parse("p123_cars").unwrap();
        assert_eq!(dated.schema(cars), "/crm-object-schemas/2026-09/schemas/p123_cars");
        let courses = ObjectType::named("courses").unwrap();
        assert_eq!(dated.search(courses), "/crm/objects/2026-09/0-410/search");

        assert_eq!(
            dated.associations(contacts, deals),
            "/crm/associations/2026-09/contacts/deals/batch/read"
        );
        assert_eq!(
            dated.association_labels(contacts, deals),
            "/crm/associations/2026-09/contacts/deals/labels"
        );

        let link = |paths: &Paths| paths.link((contacts, ObjectId(1)), (deals, ObjectId(2)));
        assert_eq!(link(&dated), "/crm/objects/2026-09/contacts/1/associations/deals/2");
        assert_eq!(
            dated.archive_labels(contacts, deals),
            "/crm/associations/2026-09/contacts/deals/batch/labels/archive"
        );

        let v3 = Paths::new("v3");
        assert_eq!(link(&v3), "/crm/v4/objects/contacts/1/associations/deals/2");
        assert_eq!(v3.associations(contacts, deals), "/crm/v4/associations/contacts/deals/batch/read");
        assert_eq!(v3.association_labels(contacts, deals), "/crm/v4/associations/contacts/deals/labels");
        assert_eq!(v3.records(deals), "/crm/v3/objects/deals");
        assert_eq!(v3.properties(deals), "/crm/v3/properties/deals");
        assert_eq!(v3.pipelines(deals), "/crm/v3/pipelines/deals");
        assert_eq!(v3.owners(), "/crm/v3/owners");
        assert_eq!(v3.schema(cars), "/crm-object-schemas/v3/schemas/p123_cars");
        assert_eq!(v3.account(), "/account-info/v3/details");
    }
}
