//! The object types the simulator serves, one descriptor each.
//!
//! Everything else is driven by these descriptors; a further type of HubSpot's is one more entry here and its properties
//! in `catalogue/standard.tsv`, or in a table of its own. Those a portal defines are added to its [`Registry`].

mod registry;

use std::sync::LazyLock;

pub use registry::Registry;

/// Which kind of thing a record is: the position of its descriptor in the account's [`Registry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind(u16);

impl Kind {
    /// A person.
    pub const CONTACT: Self = Self(0);
    /// An organisation.
    pub const COMPANY: Self = Self(1);
    /// A sale moving through a pipeline.
    pub const DEAL: Self = Self(2);
    /// A request for support.
    pub const TICKET: Self = Self(3);
    /// A thing that is sold.
    pub const PRODUCT: Self = Self(4);
    /// A product in a deal, quote or invoice.
    pub const LINE_ITEM: Self = Self(5);
    /// An offer.
    pub const QUOTE: Self = Self(6);
    /// A message over a chat network.
    pub const COMMUNICATION: Self = Self(7);
    /// An answer to a survey.
    pub const FEEDBACK: Self = Self(8);
    /// Something to do.
    pub const TASK: Self = Self(9);
    /// A remark.
    pub const NOTE: Self = Self(10);
    /// A meeting.
    pub const MEETING: Self = Self(11);
    /// A telephone call.
    pub const CALL: Self = Self(12);
    /// A message by mail.
    pub const EMAIL: Self = Self(13);
    /// A bill.
    pub const INVOICE: Self = Self(14);
    /// A trade show or webinar.
    pub const MARKETING_EVENT: Self = Self(15);
    /// A payment that recurs.
    pub const SUBSCRIPTION: Self = Self(16);
    /// What somebody is to reach.
    pub const GOAL: Self = Self(17);
    /// A reduction of a price.
    pub const DISCOUNT: Self = Self(18);
    /// An addition to a price.
    pub const FEE: Self = Self(19);
    /// A tax on a price.
    pub const TAX: Self = Self(20);
    /// Money that came in.
    pub const PAYMENT: Self = Self(21);
    /// A person who uses the portal.
    pub const USER: Self = Self(22);
    /// A letter.
    pub const POSTAL_MAIL: Self = Self(23);
    /// A purchase.
    pub const ORDER: Self = Self(24);
    /// A sale that may begin.
    pub const LEAD: Self = Self(25);
    /// A purchase that may follow.
    pub const CART: Self = Self(26);
    /// Work done for a customer.
    pub const SERVICE: Self = Self(27);
    /// Something to learn.
    pub const COURSE: Self = Self(28);
    /// A property for sale or rent.
    pub const LISTING: Self = Self(29);
    /// A time set aside.
    pub const APPOINTMENT: Self = Self(30);
    /// Work towards an end.
    pub const PROJECT: Self = Self(31);

    /// The kind at a position among all.
    pub const fn at(position: usize) -> Self {
        Self(position as u16)
    }

    /// The position among those the portal defined; `None` for one of HubSpot's.
    pub const fn custom_position(self) -> Option<usize> {
        self.index().checked_sub(TYPE_COUNT)
    }

    /// The position among all.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Where the ids of its records start, and the mean distance between neighbours: at least 2, so that there are gaps.
    pub const fn numbering(self) -> (u64, u64) {
        let index = self.index() as u64;
        match self {
            Self::CONTACT => (83_201_004_000, 17),
            Self::COMPANY => (24_510_730_000, 29),
            Self::DEAL => (31_077_250_000, 23),
            Self::TICKET => (19_804_610_000, 19),
            _ if self.custom_position().is_none() => (40_000_000_000 + index * 1_000_000_000, 13),
            _ => (7_000_000_000 + index * 500_000_000, 11),
        }
    }
}

/// What the simulator knows about one object type.
#[derive(Debug, Clone)]
pub struct ObjectType {
    /// Which kind of thing a record of this type is.
    pub kind: Kind,
    /// Name in paths, such as `contacts`; the fully qualified name of a type the portal defined, such as `p62515_boat`.
    pub plural: String,
    /// The other accepted name, such as `contact`; the fully qualified name again for one the portal defined.
    pub singular: String,
    /// HubSpot's type id, such as `0-1`. Source: HubSpot, "Understanding the CRM".
    pub type_id: String,
    /// How error texts call it, such as `CONTACT`.
    pub error_name: String,
    /// Property that holds the last modification. Contacts differ from every other type.
    /// Source: HubSpot, "Search the CRM".
    pub last_modified: &'static str,
    /// Properties a read returns when it names none, sorted. Source: HubSpot, "Search the CRM".
    pub default_properties: &'static [&'static str],
    /// Properties a free-text `query` looks into. Source: HubSpot, "Search the CRM".
    pub searchable: Vec<String>,
    /// Property table, one line each; format in `catalogue`.
    pub property_table: &'static str,
    /// Whether records go through pipelines that the shared table has properties for.
    pub has_pipelines: bool,
    /// Taken out of use: no longer found by its names. Only of types a portal defined.
    pub is_archived: bool,
}

/// A type that is like most others: names for paths and for messages, and what a free-text `query` looks into.
fn shared(
    kind: Kind,
    [(plural, singular), (type_id, error_name)]: [(&str, &str); 2],
    searchable: &[&str],
) -> ObjectType {
    ObjectType {
        kind,
        plural: plural.to_owned(),
        singular: singular.to_owned(),
        type_id: type_id.to_owned(),
        error_name: error_name.to_owned(),
        searchable: owned(searchable),
        has_pipelines: WITH_PIPELINES.contains(&kind),
        ..ObjectType::default()
    }
}

impl Default for ObjectType {
    /// What types without a table of their own have in common.
    fn default() -> Self {
        Self {
            kind: Kind::at(0),
            plural: String::new(),
            singular: String::new(),
            type_id: String::new(),
            error_name: String::new(),
            last_modified: "hs_lastmodifieddate",
            default_properties: &["hs_createdate", "hs_lastmodifieddate", "hs_object_id"],
            searchable: Vec::new(),
            property_table: include_str!("catalogue/standard.tsv"),
            has_pipelines: false,
            is_archived: false,
        }
    }
}

/// HubSpot's types besides deals and tickets whose records go through pipelines. Source: HubSpot, "Pipelines".
const WITH_PIPELINES: [Kind; 6] =
    [Kind::ORDER, Kind::LEAD, Kind::SERVICE, Kind::COURSE, Kind::LISTING, Kind::APPOINTMENT];

/// Texts as descriptors keep them.
fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// How many types HubSpot has.
pub const TYPE_COUNT: usize = 4 + 28;

/// The types every portal has.
pub static STANDARD: LazyLock<Registry> = LazyLock::new(|| {
    let mut types = with_own_tables();
    types.extend(
        WITH_SHARED_TABLE.into_iter().map(|(kind, names, searchable)| shared(kind, names, searchable)),
    );
    Registry::new(types)
});

/// A line of [`WITH_SHARED_TABLE`]: plural and singular, type id and name in messages, searchable properties.
type SharedTableRow = (Kind, [(&'static str, &'static str); 2], &'static [&'static str]);

/// The types with property tables of their own. Source: HubSpot, "Understanding the CRM".
fn with_own_tables() -> Vec<ObjectType> {
    vec![
        ObjectType {
            kind: Kind::CONTACT,
            plural: "contacts".to_owned(),
            singular: "contact".to_owned(),
            type_id: "0-1".to_owned(),
            error_name: "CONTACT".to_owned(),
            last_modified: "lastmodifieddate",
            default_properties: &[
                "createdate",
                "email",
                "firstname",
                "hs_object_id",
                "lastmodifieddate",
                "lastname",
            ],
            searchable: owned(&["company", "email", "firstname", "lastname", "phone"]),
            property_table: include_str!("catalogue/contacts.tsv"),
            ..ObjectType::default()
        },
        ObjectType {
            kind: Kind::COMPANY,
            plural: "companies".to_owned(),
            singular: "company".to_owned(),
            type_id: "0-2".to_owned(),
            error_name: "COMPANY".to_owned(),
            last_modified: "hs_lastmodifieddate",
            default_properties: &["createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"],
            searchable: owned(&["domain", "name", "phone", "website"]),
            property_table: include_str!("catalogue/companies.tsv"),
            ..ObjectType::default()
        },
        ObjectType {
            kind: Kind::DEAL,
            plural: "deals".to_owned(),
            singular: "deal".to_owned(),
            type_id: "0-3".to_owned(),
            error_name: "DEAL".to_owned(),
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
            searchable: owned(&["dealname", "dealtype", "description", "pipeline"]),
            property_table: include_str!("catalogue/deals.tsv"),
            ..ObjectType::default()
        },
        ObjectType {
            kind: Kind::TICKET,
            plural: "tickets".to_owned(),
            singular: "ticket".to_owned(),
            type_id: "0-5".to_owned(),
            error_name: "TICKET".to_owned(),
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
            searchable: owned(&["content", "hs_ticket_category", "subject"]),
            property_table: include_str!("catalogue/tickets.tsv"),
            ..ObjectType::default()
        },
    ]
}

/// The types that share a property table: names for paths and for messages, and what a free-text `query` looks into.
/// Source: HubSpot, "Understanding the CRM".
const WITH_SHARED_TABLE: [SharedTableRow; TYPE_COUNT - 4] = [
    (Kind::PRODUCT, [("products", "product"), ("0-7", "PRODUCT")], &["description", "hs_sku", "name"]),
    (
        Kind::LINE_ITEM,
        [("line_items", "line_item"), ("0-8", "LINE_ITEM")],
        &["description", "hs_sku", "name"],
    ),
    (Kind::QUOTE, [("quotes", "quote"), ("0-14", "QUOTE")], &["hs_title"]),
    (
        Kind::COMMUNICATION,
        [("communications", "communication"), ("0-18", "COMMUNICATION")],
        &["hs_communication_body"],
    ),
    (
        Kind::FEEDBACK,
        [("feedback_submissions", "feedback_submission"), ("0-19", "FEEDBACK_SUBMISSION")],
        &["hs_content"],
    ),
    (Kind::TASK, [("tasks", "task"), ("0-27", "TASK")], &["hs_task_body", "hs_task_subject"]),
    (Kind::NOTE, [("notes", "note"), ("0-46", "NOTE")], &["hs_note_body"]),
    (
        Kind::MEETING,
        [("meetings", "meeting"), ("0-47", "MEETING_EVENT")],
        &["hs_meeting_body", "hs_meeting_title"],
    ),
    (Kind::CALL, [("calls", "call"), ("0-48", "CALL")], &["hs_call_body", "hs_call_title"]),
    (Kind::EMAIL, [("emails", "email"), ("0-49", "EMAIL")], &["hs_email_subject", "hs_email_text"]),
    (Kind::INVOICE, [("invoices", "invoice"), ("0-53", "INVOICE")], &["hs_number"]),
    (
        Kind::MARKETING_EVENT,
        [("marketing_events", "marketing_event"), ("0-54", "MARKETING_EVENT")],
        &["hs_event_name"],
    ),
    (Kind::SUBSCRIPTION, [("subscriptions", "subscription"), ("0-69", "SUBSCRIPTION")], &["hs_name"]),
    (Kind::GOAL, [("goal_targets", "goal_target"), ("0-74", "GOAL_TARGET")], &["hs_goal_name"]),
    (Kind::DISCOUNT, [("discounts", "discount"), ("0-84", "DISCOUNT")], &["hs_label"]),
    (Kind::FEE, [("fees", "fee"), ("0-85", "FEE")], &["hs_label"]),
    (Kind::TAX, [("taxes", "tax"), ("0-86", "TAX")], &["hs_label"]),
    (
        Kind::PAYMENT,
        [("commerce_payments", "commerce_payment"), ("0-101", "COMMERCE_PAYMENT")],
        &["hs_reference_number"],
    ),
    (Kind::USER, [("users", "user"), ("0-115", "USER")], &["hs_email", "hs_job_title"]),
    (Kind::POSTAL_MAIL, [("postal_mail", "postal_mail"), ("0-116", "POSTAL_MAIL")], &["hs_postal_mail_body"]),
    (Kind::ORDER, [("orders", "order"), ("0-123", "ORDER")], &["hs_order_name"]),
    (Kind::LEAD, [("leads", "lead"), ("0-136", "LEAD")], &["hs_lead_name"]),
    (Kind::CART, [("carts", "cart"), ("0-142", "CART")], &["hs_cart_name"]),
    (Kind::SERVICE, [("services", "service"), ("0-162", "SERVICE")], &["hs_name"]),
    (Kind::COURSE, [("courses", "course"), ("0-410", "COURSE")], &["hs_course_name"]),
    (Kind::LISTING, [("listings", "listing"), ("0-420", "LISTING")], &["hs_name"]),
    (
        Kind::APPOINTMENT,
        [("appointments", "appointment"), ("0-421", "APPOINTMENT")],
        &["hs_appointment_name"],
    ),
    (Kind::PROJECT, [("projects", "project"), ("0-970", "PROJECT")], &["hs_name"]),
];

impl ObjectType {
    /// Whether a path segment names the type: plural or singular in any case, or the type id.
    pub fn is_called(&self, name: &str) -> bool {
        name.eq_ignore_ascii_case(&self.plural)
            || name.eq_ignore_ascii_case(&self.singular)
            || name == self.type_id
    }

    /// How scopes call it; those a portal defined share one name. Source: HubSpot, "Scopes".
    pub fn scope_name(&self) -> &str {
        if self.kind.custom_position().is_some() { "custom" } else { &self.plural }
    }
}
