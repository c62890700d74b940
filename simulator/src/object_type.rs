//! The object types the simulator serves, one descriptor each.
//!
//! Everything else is driven by these descriptors; a further type is one more entry here and its properties in
//! `catalogue/standard.tsv`, or in a table of its own.

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
    /// A thing that is sold.
    Product,
    /// A product in a deal, quote or invoice.
    LineItem,
    /// An offer.
    Quote,
    /// A message over a chat network.
    Communication,
    /// An answer to a survey.
    Feedback,
    /// Something to do.
    Task,
    /// A remark.
    Note,
    /// A meeting.
    Meeting,
    /// A telephone call.
    Call,
    /// A message by mail.
    Email,
    /// A bill.
    Invoice,
    /// A trade show or webinar.
    MarketingEvent,
    /// A payment that recurs.
    Subscription,
    /// What somebody is to reach.
    Goal,
    /// A reduction of a price.
    Discount,
    /// An addition to a price.
    Fee,
    /// A tax on a price.
    Tax,
    /// Money that came in.
    Payment,
    /// A person who uses the portal.
    User,
    /// A letter.
    PostalMail,
    /// A purchase.
    Order,
    /// A sale that may begin.
    Lead,
    /// A purchase that may follow.
    Cart,
    /// Work done for a customer.
    Service,
    /// Something to learn.
    Course,
    /// A property for sale or rent.
    Listing,
    /// A time set aside.
    Appointment,
    /// Work towards an end.
    Project,
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

/// A type that is like most others: names for paths and for messages, and what a free-text `query` looks into.
const fn standard(
    kind: Kind,
    [(plural, singular), (type_id, error_name)]: [(&'static str, &'static str); 2],
    searchable: &'static [&'static str],
) -> ObjectType {
    ObjectType {
        kind,
        plural,
        singular,
        type_id,
        error_name,
        last_modified: "hs_lastmodifieddate",
        default_properties: &["hs_createdate", "hs_lastmodifieddate", "hs_object_id"],
        searchable,
        property_table: include_str!("catalogue/standard.tsv"),
        first_id: 40_000_000_000 + kind as u64 * 1_000_000_000,
        id_stride: 13,
    }
}

/// How many types are served.
pub const TYPE_COUNT: usize = 4 + 28;

/// Every served type, in the order of [`Kind`]. Source: HubSpot, "Understanding the CRM".
pub static TYPES: [ObjectType; TYPE_COUNT] = [
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
    standard(
        Kind::Product,
        [("products", "product"), ("0-7", "PRODUCT")],
        &["description", "hs_sku", "name"],
    ),
    standard(
        Kind::LineItem,
        [("line_items", "line_item"), ("0-8", "LINE_ITEM")],
        &["description", "hs_sku", "name"],
    ),
    standard(Kind::Quote, [("quotes", "quote"), ("0-14", "QUOTE")], &["hs_title"]),
    standard(
        Kind::Communication,
        [("communications", "communication"), ("0-18", "COMMUNICATION")],
        &["hs_communication_body"],
    ),
    standard(
        Kind::Feedback,
        [("feedback_submissions", "feedback_submission"), ("0-19", "FEEDBACK_SUBMISSION")],
        &["hs_content"],
    ),
    standard(Kind::Task, [("tasks", "task"), ("0-27", "TASK")], &["hs_task_body", "hs_task_subject"]),
    standard(Kind::Note, [("notes", "note"), ("0-46", "NOTE")], &["hs_note_body"]),
    standard(
        Kind::Meeting,
        [("meetings", "meeting"), ("0-47", "MEETING_EVENT")],
        &["hs_meeting_body", "hs_meeting_title"],
    ),
    standard(Kind::Call, [("calls", "call"), ("0-48", "CALL")], &["hs_call_body", "hs_call_title"]),
    standard(Kind::Email, [("emails", "email"), ("0-49", "EMAIL")], &["hs_email_subject", "hs_email_text"]),
    standard(Kind::Invoice, [("invoices", "invoice"), ("0-53", "INVOICE")], &["hs_number"]),
    standard(
        Kind::MarketingEvent,
        [("marketing_events", "marketing_event"), ("0-54", "MARKETING_EVENT")],
        &["hs_event_name"],
    ),
    standard(Kind::Subscription, [("subscriptions", "subscription"), ("0-69", "SUBSCRIPTION")], &["hs_name"]),
    standard(Kind::Goal, [("goal_targets", "goal_target"), ("0-74", "GOAL_TARGET")], &["hs_goal_name"]),
    standard(Kind::Discount, [("discounts", "discount"), ("0-84", "DISCOUNT")], &["hs_label"]),
    standard(Kind::Fee, [("fees", "fee"), ("0-85", "FEE")], &["hs_label"]),
    standard(Kind::Tax, [("taxes", "tax"), ("0-86", "TAX")], &["hs_label"]),
    standard(
        Kind::Payment,
        [("commerce_payments", "commerce_payment"), ("0-101", "COMMERCE_PAYMENT")],
        &["hs_reference_number"],
    ),
    standard(Kind::User, [("users", "user"), ("0-115", "USER")], &["hs_email", "hs_job_title"]),
    standard(
        Kind::PostalMail,
        [("postal_mail", "postal_mail"), ("0-116", "POSTAL_MAIL")],
        &["hs_postal_mail_body"],
    ),
    standard(Kind::Order, [("orders", "order"), ("0-123", "ORDER")], &["hs_order_name"]),
    standard(Kind::Lead, [("leads", "lead"), ("0-136", "LEAD")], &["hs_lead_name"]),
    standard(Kind::Cart, [("carts", "cart"), ("0-142", "CART")], &["hs_cart_name"]),
    standard(Kind::Service, [("services", "service"), ("0-162", "SERVICE")], &["hs_name"]),
    standard(Kind::Course, [("courses", "course"), ("0-410", "COURSE")], &["hs_course_name"]),
    standard(Kind::Listing, [("listings", "listing"), ("0-420", "LISTING")], &["hs_name"]),
    standard(
        Kind::Appointment,
        [("appointments", "appointment"), ("0-421", "APPOINTMENT")],
        &["hs_appointment_name"],
    ),
    standard(Kind::Project, [("projects", "project"), ("0-970", "PROJECT")], &["hs_name"]),
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
