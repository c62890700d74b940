//! The object types the simulator serves, one descriptor each.
//!
//! Everything else is driven by these descriptors; a further type is one more entry here and one property table
//! beside the others in `catalogue/`.

/// Which kind of thing a record is; also the position of its descriptor in [`TYPES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A person.
    Contact,
    /// An organisation.
    Company,
    /// A sale moving through a pipeline.
    Deal,
    /// A request for support.
    Ticket,
}

/// What the simulator knows about one object type.
#[derive(Debug)]
pub struct ObjectType {
    /// Which kind of thing a record of this type is.
    pub kind: Kind,
    /// Name in paths, such as `contacts`.
    pub plural: &'static str,
    /// The other accepted name, such as `contact`.
    pub singular: &'static str,
    /// HubSpot's type id, such as `0-1`. Source: HubSpot, "Understanding the CRM".
    pub type_id: &'static str,
    /// How error texts call it, such as `CONTACT`.
    pub error_name: &'static str,
    /// Property that holds the last modification. Contacts differ from every other type.
    /// Source: HubSpot, "Search the CRM".
    pub last_modified: &'static str,
    /// Properties a read returns when it names none, sorted. Source: HubSpot, "Search the CRM".
    pub default_properties: &'static [&'static str],
    /// Properties a free-text `query` looks into. Source: HubSpot, "Search the CRM".
    pub searchable: &'static [&'static str],
    /// Property table, one line each; format in `catalogue`.
    pub property_table: &'static str,
    /// Id of the first generated record is a little above this.
    pub first_id: u64,
    /// Mean distance between neighbouring ids; at least 2, so that ids have gaps.
    pub id_stride: u64,
}

/// Every served type, in the order of [`Kind`].
pub static TYPES: [ObjectType; 4] = [
    ObjectType {
        kind: Kind::Contact,
        plural: "contacts",
        singular: "contact",
        type_id: "0-1",
        error_name: "CONTACT",
        last_modified: "lastmodifieddate",
        default_properties: &[
            "createdate",
            "email",
            "firstname",
            "hs_object_id",
            "lastmodifieddate",
            "lastname",
        ],
        searchable: &["company", "email", "firstname", "lastname", "phone"],
        property_table: include_str!("catalogue/contacts.tsv"),
        first_id: 83_201_004_000,
        id_stride: 17,
    },
    ObjectType {
        kind: Kind::Company,
        plural: "companies",
        singular: "company",
        type_id: "0-2",
        error_name: "COMPANY",
        last_modified: "hs_lastmodifieddate",
        default_properties: &["createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"],
        searchable: &["domain", "name", "phone", "website"],
        property_table: include_str!("catalogue/companies.tsv"),
        first_id: 24_510_730_000,
        id_stride: 29,
    },
    ObjectType {
        kind: Kind::Deal,
        plural: "deals",
        singular: "deal",
        type_id: "0-3",
        error_name: "DEAL",
        last_modified: "hs_lastmodifieddate",
        default_properties: &[
            "amount",
            "closedate",
            "createdate",
            "dealname",
            "dealstage",
            "hs_lastmodifieddate",
            "hs_object_id",
            "pipeline",
        ],
        searchable: &["dealname", "dealtype", "description", "pipeline"],
        property_table: include_str!("catalogue/deals.tsv"),
        first_id: 31_077_250_000,
        id_stride: 23,
    },
    ObjectType {
        kind: Kind::Ticket,
        plural: "tickets",
        singular: "ticket",
        type_id: "0-5",
        error_name: "TICKET",
        last_modified: "hs_lastmodifieddate",
        default_properties: &[
            "content",
            "createdate",
            "hs_lastmodifieddate",
            "hs_object_id",
            "hs_pipeline",
            "hs_pipeline_stage",
            "hs_ticket_category",
            "hs_ticket_priority",
            "subject",
        ],
        searchable: &["content", "hs_ticket_category", "subject"],
        property_table: include_str!("catalogue/tickets.tsv"),
        first_id: 19_804_610_000,
        id_stride: 19,
    },
];

impl ObjectType {
    /// The descriptor a path segment names: plural or singular in any case, or the type id.
    pub fn find(name: &str) -> Option<&'static Self> {
        TYPES.iter().find(|object_type| {
            name.eq_ignore_ascii_case(object_type.plural)
                || name.eq_ignore_ascii_case(object_type.singular)
                || name == object_type.type_id
        })
    }

    /// The descriptor of a kind.
    pub fn of(kind: Kind) -> &'static Self {
        &TYPES[kind as usize]
    }

    /// Scopes of which a reader needs one. Source: HubSpot, "Scopes".
    pub fn read_scopes(&self) -> [String; 1] {
        [format!("crm.objects.{}.read", self.plural)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_answers_to_plural_singular_any_case_and_type_id() {
        for name in ["contacts", "contact", "CONTACTS", "Contact", "0-1"] {
            assert_eq!(ObjectType::find(name).map(|found| found.kind), Some(Kind::Contact), "{name}");
        }
        assert!(ObjectType::find("0-99").is_none());
    }

    #[test]
    fn each_descriptor_sits_at_the_position_of_its_kind() {
        for object_type in &TYPES {
            assert_eq!(ObjectType::of(object_type.kind).plural, object_type.plural);
        }
    }
}
