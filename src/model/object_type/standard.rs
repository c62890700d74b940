//! The standard object types, one row each.
//!
//! Adding one: a row in [`OBJECT_TYPES`]. Its names, type id and properties come from HubSpot's documents.
//!
//! Sources: HubSpot, "Understanding the CRM" for names and type ids, "Pipelines" for the types that have some, the
//! reference of each type for its properties, and the API specifications for scopes.

use super::{ColumnDef, ColumnType, ObjectType};

/// Declares the table. A row begins with plural name, singular name and type id, and ends with the typed columns that
/// are the type's own; owner, creation and change follow them in every table. Between the two may stand, in this order:
///
/// | Words | Mean | Without them |
/// | --- | --- | --- |
/// | `created "…"` | the property with the time of creation | `hs_createdate` |
/// | `modified "…"` | the property searches filter on | `hs_lastmodifieddate` |
/// | `stages "…" "…"` | records move through pipelines, by these two properties | there are none |
/// | `path "…"` | what HubSpot's paths call it | the plural name |
/// | `scopes […]` | scopes of which one is needed, first the one to grant | `crm.objects.<plural name>.read` |
macro_rules! standard_types {
    ($(
        $name:literal, $singular:literal, $id:literal
        $(, created $created:literal)?
        $(, modified $modified:literal)?
        $(, stages $pipeline:literal $stage:literal)?
        $(, path $path:literal)?
        $(, scopes [$($scope:literal),+])?
        => [$($column:expr),+ $(,)?];
    )+) => {
        /// Every standard type, in the order their runs are staggered and links between them are stored: a row may be
        /// added anywhere, but no two may change places.
        pub static OBJECT_TYPES: &[ObjectType] = &[$(ObjectType {
            name: $name,
            singular: $singular,
            type_id: $id,
            qualified_name: $name,
            path: given_or(&[$($path)?], $name),
            table: concat!("hubspot_", $name),
            last_modified_property: given_or(&[$($modified)?], "hs_lastmodifieddate"),
            has_pipelines: !is_empty(&[$($pipeline)?]),
            scopes: given_or_all(&[$($($scope),+)?], &[concat!("crm.objects.", $name, ".read")]),
            columns: &[
                $($column,)+
                $(text($pipeline).indexed(), text($stage).indexed(),)?
                id("hubspot_owner_id").indexed(),
                time(given_or(&[$($created)?], "hs_createdate")),
                time(given_or(&[$($modified)?], "hs_lastmodifieddate")),
            ],
        }),+];
    };
}

standard_types! {
    "contacts", "contact", "0-1", created "createdate", modified "lastmodifieddate" => [
        text("email").searched(), text("firstname").searched(), text("lastname").searched(), text("phone").searched(), text("mobilephone"),
        text("company").searched(), text("jobtitle"), text("city"), text("state"), text("country"), text("lifecyclestage"),
        text("hs_lead_status"), id("associatedcompanyid").indexed(),
    ];
    "companies", "company", "0-2", created "createdate" => [
        text("name").searched(), text("domain").searched(), text("phone").searched(), text("industry"), text("type"), text("city"),
        text("state"), text("country"), number("numberofemployees"), number("annualrevenue"), text("lifecyclestage"),
    ];
    "deals", "deal", "0-3", created "createdate", stages "pipeline" "dealstage" => [
        text("dealname").searched(), number("amount"), text("deal_currency_code"), text("dealtype"), time("closedate").indexed(),
        flag("hs_is_closed"), flag("hs_is_closed_won"),
    ];
    "tickets", "ticket", "0-5", created "createdate", stages "hs_pipeline" "hs_pipeline_stage",
    scopes ["tickets", "crm.objects.tickets.read"] => [
        long_text("subject").searched(), long_text("content"), text("hs_ticket_priority"), long_text("hs_ticket_category"),
        text("source_type"), time("closed_date").indexed(), number("time_to_close"),
    ];
    "leads", "lead", "0-136", stages "hs_pipeline" "hs_pipeline_stage" => [
        long_text("hs_lead_name").searched(), text("hs_lead_type"), text("hs_lead_label"),
    ];
    "products", "product", "0-7", scopes ["crm.objects.products.read", "e-commerce"] => [
        long_text("name").searched(), text("hs_sku").searched(), long_text("description"), number("price"),
        number("hs_cost_of_goods_sold"), text("hs_product_type"), text("recurringbillingfrequency"),
    ];
    "line_items", "line_item", "0-8", scopes ["crm.objects.line_items.read", "e-commerce"] => [
        long_text("name").searched(), text("hs_sku").searched(), id("hs_product_id").indexed(), number("quantity"),
        number("price"), number("discount"), number("amount"), text("hs_line_item_currency_code"),
        text("recurringbillingfrequency"), text("hs_recurring_billing_period"),
        date("hs_recurring_billing_start_date"),
    ];
    "quotes", "quote", "0-14" => [
        long_text("hs_title").searched(), text("hs_quote_number").searched(), text("hs_status").indexed(),
        number("hs_quote_amount"), text("hs_currency"), time("hs_expiration_date"),
    ];
    "calls", "call", "0-48", scopes ["crm.objects.contacts.read", "crm.objects.calls.read"] => [
        time("hs_timestamp").indexed(), long_text("hs_call_title").searched(), text("hs_call_direction"), text("hs_call_status"),
        text("hs_call_disposition"), number("hs_call_duration"), text("hs_call_from_number"),
        text("hs_call_to_number"), text("hs_activity_type"),
    ];
    // The text of a message is left to the JSON: often it is larger than a column.
    "emails", "email", "0-49", scopes ["sales-email-read", "crm.objects.emails.read"] => [
        time("hs_timestamp").indexed(), long_text("hs_email_subject").searched(), text("hs_email_direction"),
        text("hs_email_status"), text("hs_email_from_email").searched(), long_text("hs_email_to_email"),
    ];
    "meetings", "meeting", "0-47", scopes ["crm.objects.contacts.read", "crm.objects.meetings.read"] => [
        time("hs_timestamp").indexed(), long_text("hs_meeting_title").searched(), time("hs_meeting_start_time").indexed(),
        time("hs_meeting_end_time"), text("hs_meeting_outcome"), long_text("hs_meeting_location"),
        text("hs_activity_type"),
    ];
    "notes", "note", "0-46", scopes ["crm.objects.contacts.read", "crm.objects.notes.read"] => [
        time("hs_timestamp").indexed(), long_text("hs_note_body"), long_text("hs_attachment_ids"),
    ];
    "tasks", "task", "0-27", scopes ["crm.objects.contacts.read", "crm.objects.tasks.read"] => [
        time("hs_timestamp").indexed(), long_text("hs_task_subject").searched(), text("hs_task_status").indexed(),
        text("hs_task_priority"), text("hs_task_type"), time("hs_task_completion_date"),
    ];
    "communications", "communication", "0-18",
    scopes ["crm.objects.contacts.read", "crm.objects.communications.read"] => [
        time("hs_timestamp").indexed(), text("hs_communication_channel_type"), text("hs_communication_logged_from"),
        long_text("hs_communication_body"),
    ];
    "postal_mail", "postal_mail", "0-116", scopes ["crm.objects.contacts.read", "crm.objects.postal_mail.read"] => [
        time("hs_timestamp").indexed(), long_text("hs_postal_mail_body"),
    ];
    "orders", "order", "0-123", stages "hs_pipeline" "hs_pipeline_stage" => [
        long_text("hs_order_name").searched(), text("hs_external_order_id").searched(), text("hs_external_order_status"),
        text("hs_fulfillment_status"), text("hs_source_store"), text("hs_currency_code"),
        number("hs_subtotal_price"), number("hs_total_price"), time("hs_external_created_date"),
    ];
    "carts", "cart", "0-142" => [
        long_text("hs_cart_name").searched(), text("hs_external_cart_id").searched(), text("hs_external_status"),
        text("hs_source_store"), text("hs_currency_code"), number("hs_total_price"),
    ];
    "invoices", "invoice", "0-53" => [
        text("hs_number").searched(), long_text("hs_title").searched(), text("hs_invoice_status").indexed(), text("hs_currency"),
        number("hs_amount_billed"), number("hs_balance_due"), date("hs_invoice_date"), date("hs_due_date").indexed(),
    ];
    "commerce_payments", "commerce_payment", "0-101",
    scopes ["crm.objects.commercepayments.read", "crm.objects.commerce_payments.read"] => [
        text("hs_reference_number").searched(), text("hs_latest_status").indexed(), number("hs_initial_amount"),
        text("hs_currency_code"), text("hs_customer_email").searched(), time("hs_initiated_date").indexed(),
    ];
    "subscriptions", "subscription", "0-69" => [
        long_text("hs_name").searched(), text("hs_status").indexed(), text("hs_currency_code"),
        text("hs_recurring_billing_frequency"), date("hs_recurring_billing_start_date"),
        date("hs_next_payment_due_date"), number("hs_mrr"),
    ];
    "discounts", "discount", "0-84", scopes ["crm.objects.line_items.read", "crm.objects.discounts.read"] => [
        long_text("hs_label").searched(), text("hs_type"), number("hs_value"),
    ];
    "fees", "fee", "0-85", scopes ["crm.objects.line_items.read", "crm.objects.fees.read"] => [
        long_text("hs_label").searched(), text("hs_type"), number("hs_value"),
    ];
    "taxes", "tax", "0-86", scopes ["crm.objects.line_items.read", "crm.objects.taxes.read"] => [
        long_text("hs_label").searched(), text("hs_type"), number("hs_value"),
    ];
    "goal_targets", "goal_target", "0-74", scopes ["crm.objects.goals.read", "crm.objects.goal_targets.read"] => [
        long_text("hs_goal_name").searched(), number("hs_target_amount"), time("hs_start_datetime"), time("hs_end_datetime"),
    ];
    "feedback_submissions", "feedback_submission", "0-19" => [
        text("hs_survey_name").searched(), text("hs_survey_type").indexed(), text("hs_survey_channel"), number("hs_value"),
        text("hs_sentiment"), long_text("hs_content"), time("hs_submission_timestamp").indexed(),
    ];
    "marketing_events", "marketing_event", "0-54", path "0-54" => [
        long_text("hs_event_name").searched(), text("hs_event_type"), text("hs_event_organizer"),
        time("hs_start_datetime").indexed(), time("hs_end_datetime"),
    ];
    "services", "service", "0-162", stages "hs_pipeline" "hs_pipeline_stage", path "0-162" => [
        long_text("hs_name").searched(), text("hs_category"), time("hs_start_date"), number("hs_amount_paid"),
        number("hs_amount_remaining"),
    ];
    "courses", "course", "0-410", stages "hs_pipeline" "hs_pipeline_stage", path "0-410" => [
        long_text("hs_course_name").searched(), text("hs_course_id").searched(), number("hs_enrollment_capacity"),
    ];
    "listings", "listing", "0-420", stages "hs_pipeline" "hs_pipeline_stage", path "0-420" => [
        long_text("hs_name").searched(), text("hs_listing_type"), number("hs_price"), number("hs_bedrooms"),
        number("hs_bathrooms"), text("hs_address_1"), text("hs_city"), text("hs_zip"),
    ];
    "appointments", "appointment", "0-421", stages "hs_pipeline" "hs_pipeline_stage", path "0-421" => [
        long_text("hs_appointment_name").searched(), time("hs_appointment_start").indexed(), time("hs_appointment_end"),
    ];
    "projects", "project", "0-970", stages "hs_pipeline" "hs_pipeline_stage", path "0-970" => [
        long_text("hs_name").searched(), text("hs_status"),
    ];
    "users", "user", "0-115" => [
        text("hs_email").searched(), text("hs_given_name").searched(), text("hs_family_name").searched(), text("hs_job_title"),
        id("hs_internal_user_id").indexed(),
    ];
}

/// What a row gives, else `usual`.
const fn given_or(given: &[&'static str], usual: &'static str) -> &'static str {
    match given {
        [first, ..] => first,
        [] => usual,
    }
}

/// All a row gives, else what is `usual`.
const fn given_or_all(given: &'static [&str], usual: &'static [&str]) -> &'static [&'static str] {
    if is_empty(given) { usual } else { given }
}

/// Whether a row gives nothing.
const fn is_empty(given: &[&str]) -> bool {
    given.is_empty()
}

/// Text up to 255 characters: options, codes, names of persons and places.
const fn text(name: &'static str) -> ColumnDef {
    column(name, ColumnType::Text)
}

/// Text of any length people write.
const fn long_text(name: &'static str) -> ColumnDef {
    column(name, ColumnType::LongText)
}

/// The id of a record, owner or user.
const fn id(name: &'static str) -> ColumnDef {
    column(name, ColumnType::Id)
}

/// A number.
const fn number(name: &'static str) -> ColumnDef {
    column(name, ColumnType::Number)
}

/// Yes or no.
const fn flag(name: &'static str) -> ColumnDef {
    column(name, ColumnType::Bool)
}

/// A calendar date.
const fn date(name: &'static str) -> ColumnDef {
    column(name, ColumnType::Date)
}

/// An instant.
const fn time(name: &'static str) -> ColumnDef {
    column(name, ColumnType::DateTime)
}

/// A column without an index.
const fn column(name: &'static str, column_type: ColumnType) -> ColumnDef {
    ColumnDef { name, column_type, indexed: false, searched: false }
}

impl ColumnDef {
    /// The same with an index.
    const fn indexed(self) -> Self {
        Self { indexed: true, ..self }
    }

    /// The same where a search looks: an index each, which every write of a row pays for.
    const fn searched(self) -> Self {
        Self { indexed: true, searched: true, ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn descriptors_are_unambiguous() {
        let mut seen = HashSet::new();
        for object_type in OBJECT_TYPES {
            for key in [object_type.name, object_type.type_id, object_type.table] {
                assert!(seen.insert(key), "{key} names two object types");
            }
            let columns: HashSet<_> = object_type.columns.iter().map(|column| column.name).collect();
            assert_eq!(columns.len(), object_type.columns.len(), "{object_type} names a column twice");
            assert!(columns.contains(object_type.last_modified_property));
            assert!(object_type.path == object_type.name || object_type.path == object_type.type_id);
            assert!(!object_type.scopes.is_empty(), "{object_type} can be read with some scope");
        }
    }

    #[test]
    fn a_type_is_found_by_name_and_by_type_id() {
        assert_eq!(ObjectType::named("deals"), ObjectType::named("0-3"));
        assert_eq!(ObjectType::named("unicorns"), None);
    }

    #[test]
    fn every_type_with_pipelines_has_columns_that_join_them() {
        for object_type in OBJECT_TYPES.iter().filter(|object_type| object_type.has_pipelines) {
            let is_indexed =
                |name: &str| object_type.columns.iter().any(|column| column.name == name && column.indexed);
            let names = [["pipeline", "dealstage"], ["hs_pipeline", "hs_pipeline_stage"]];
            assert!(names.iter().any(|pair| pair.iter().all(|name| is_indexed(name))), "{object_type}");
        }
    }

    #[test]
    fn only_contacts_are_searched_by_another_property() {
        let others: Vec<_> = OBJECT_TYPES
            .iter()
            .filter(|object_type| object_type.last_modified_property != "hs_lastmodifieddate")
            .map(|object_type| object_type.name)
            .collect();
        assert_eq!(others, ["contacts"]);
    }
}
