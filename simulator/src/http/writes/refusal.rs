//! How refused writes read. Source: HubSpot, "Handling errors"; developer Slack for wordings.

use serde_json::{Value, json};

use super::Scene;
use crate::account::schemas::PORTAL_ID;
use crate::account::write::{Problem, Refused};
use crate::account::{Account, End};
use crate::http::reply::ApiError;
use crate::settings::ConflictBody;

impl Scene<'_> {
    /// The error body of a refused write.
    pub fn complaint(&self, account: &Account, refused: &Refused) -> ApiError {
        match refused {
            Refused::NoSuchRecord => ApiError::not_found(),
            Refused::Invalid(problems) => {
                let inner: Vec<Value> = problems.iter().map(inner_problem).collect();
                let message = format!("Property values were not valid: {}", json!(inner));
                ApiError::validation(message).field("errors", listed(problems))
            }
            Refused::Missing(problems) => ApiError::validation("The property values provided are invalid")
                .field("errors", listed(problems)),
            Refused::EmailTaken { email, holder } => self.email_taken(email, *holder),
            Refused::ValueTaken { property, value, record, holder } => {
                self.value_taken([property, value], *record, *holder)
            }
            Refused::NoSuchEnds(ends) => {
                let bad: Vec<String> = ends.iter().map(|&end| not_valid(account, end)).collect();
                ApiError::validation("One or more associations are invalid")
                    .field("context", json!({ "INVALID_OBJECT_IDS": bad }))
            }
            Refused::WrongDirection(expected) => ApiError::validation(format!(
                "invalid from object type {} for associations to be created. expected: {}",
                self.object_type.type_id,
                account.registry().of(*expected).type_id
            )),
            Refused::NoSuchLinkType(number) => ApiError::validation(format!(
                "invalid association type {number} from object type {}",
                self.object_type.type_id
            )),
        }
    }

    /// An address another contact has, in the form the settings ask for.
    fn email_taken(&self, email: &str, holder: Option<u64>) -> ApiError {
        const BARE: &str = "Contact already exists";
        let conflict = |message: String| ApiError::new(409, message);
        let Some(id) = holder else { return conflict(BARE.to_owned()).category("CONFLICT") };
        let with_id = conflict(format!("{BARE}. Existing ID: {id}"));
        match self.simulator.settings().conflict_body {
            ConflictBody::WithId => with_id.category("CONFLICT"),
            ConflictBody::WithoutId => conflict(BARE.to_owned()).category("CONFLICT"),
            ConflictBody::WithoutCategory => with_id,
            ConflictBody::Rich => conflict(BARE.to_owned())
                .category("OBJECT_ALREADY_EXISTS")
                .field("error", json!("CONTACT_EXISTS"))
                .field(
                    "identityProfile",
                    json!({ "vid": id, "identity": [{ "value": email, "type": "EMAIL" }] }),
                )
                .field(
                    "errors",
                    json!([{ "message": format!("A contact with email {email} already exists. Existing ID: {id}") }]),
                ),
        }
    }

    /// A value of another unique property that another record has.
    fn value_taken(
        &self,
        [property, value]: [&str; 2],
        record: Option<u64>,
        holder: Option<u64>,
    ) -> ApiError {
        let text = |id: Option<u64>| id.map_or_else(|| "null".to_owned(), |id| id.to_string());
        ApiError::validation(format!(
            "Cannot set PropertyValueCoordinates{{portalId={PORTAL_ID}, \
             objectTypeId=ObjectTypeId{{legacyObjectType={}}}, propertyName={property}, value={value}}} on {}. {} \
             already has that value.",
            self.object_type.error_name,
            text(record),
            text(holder)
        ))
    }
}

/// A problem as the message repeats it.
fn inner_problem(problem: &Problem) -> Value {
    json!({
        "isValid": false,
        "message": problem.message,
        "error": problem.code,
        "name": problem.property,
        "localizedErrorMessage": problem.message,
        "portalId": PORTAL_ID,
    })
}

/// Problems as `errors` lists them.
fn listed(problems: &[Problem]) -> Value {
    let listed = |problem: &Problem| {
        json!({
            "message": problem.message,
            "code": problem.code,
            "context": { "propertyName": [problem.property] },
        })
    };
    problems.iter().map(listed).collect()
}

/// How an error calls a record that is not there.
fn not_valid(account: &Account, (kind, id): End) -> String {
    format!("{}={id} is not valid", account.registry().of(kind).error_name)
}
