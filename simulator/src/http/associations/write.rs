//! Changing associations.
//!
//! Source: HubSpot, "Associate records". A batch that names a record or label that is not there changes nothing.

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Action;
use super::{Names, Types, batch_reply, check_size};
use crate::account::associations::Category;
use crate::account::associations::edit::NamedLabel;
use crate::account::{Account, End, LinkEdit, LinkError};
use crate::generate::text::moment_text;
use crate::http::body;
use crate::http::objects::parse_id;
use crate::http::reply::{ApiError, Reply};
use crate::object_type::ObjectType;
use crate::simulator::Simulator;

/// Most inputs of one batch that changes links.
const MOST_INPUTS: usize = 2_000;

/// Answers a call that changes something.
pub fn answer(
    simulator: &Simulator,
    action: &Action,
    types: Types<'_>,
    body: &[u8],
    answers_empty: bool,
) -> Result<Reply, ApiError> {
    match action {
        Action::Associate(from, to) => {
            let changes = vec![Change::new(types, from, to, LinkEdit::Plain)?];
            apply(simulator, types, &changes, 200, Some(default_json))
        }
        Action::Label(from, to) => label(simulator, types, [from, to], body),
        Action::Dissociate(from, to) => {
            let change = Change::new(types, from, to, LinkEdit::Remove)?;
            let moment = simulator.app_moment();
            // Like other removals, this one does not mind when there is nothing to remove.
            let _ = simulator.account_mut().edit_link(change.from, change.to, &change.edit, moment);
            Ok(Reply::empty(204))
        }
        Action::BatchAssociate => {
            let changes = read_changes(types, body, |_| LinkEdit::Plain)?;
            apply(simulator, types, &changes, 200, Some(default_json))
        }
        Action::BatchCreate => {
            let changes = read_changes(types, body, LinkEdit::Replace)?;
            apply(simulator, types, &changes, 201, Some(labelled_json))
        }
        Action::BatchArchive => archive(simulator, types, body, answers_empty),
        Action::BatchArchiveLabels => {
            let changes = read_changes(types, body, LinkEdit::RemoveLabels)?;
            let reply = apply(simulator, types, &changes, 200, None)?;
            Ok(if answers_empty { Reply::empty(204) } else { reply })
        }
        Action::DefineLabel => define(simulator, types, body),
        Action::BatchRead | Action::Read(_) | Action::Labels => Err(ApiError::not_found()),
    }
}

/// One link to change.
struct Change {
    /// One end.
    from: End,
    /// The other end.
    to: End,
    /// What becomes of it.
    edit: LinkEdit,
}

impl Change {
    /// A change to the link between two ids as sent.
    fn new(types: Types<'_>, from: &str, to: &str, edit: LinkEdit) -> Result<Self, ApiError> {
        let end = |object_type: &ObjectType, text: &str| parse_id(text).map(|id| (object_type.kind, id));
        Ok(Self { from: end(types[0], from)?, to: end(types[1], to)?, edit })
    }
}

/// A label as requests name it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentLabel {
    /// Who defined it.
    association_category: Category,
    /// Its number in the direction of the request.
    association_type_id: u64,
}

/// A record as requests name it.
#[derive(Debug, Deserialize)]
struct SentId {
    /// Its id, as text or number.
    id: Value,
}

impl SentId {
    /// The id as text.
    fn text(&self) -> Result<String, ApiError> {
        body::scalar_text(&self.id).ok_or_else(|| body::missing("id"))
    }
}

/// The inputs of a batch.
#[derive(Debug, Deserialize)]
struct Batch<T> {
    /// What to change.
    inputs: Vec<T>,
}

/// A link of a batch.
#[derive(Debug, Deserialize)]
struct SentLink {
    /// One end.
    from: SentId,
    /// The other end.
    to: SentId,
    /// Labels.
    #[serde(default)]
    types: Vec<SentLabel>,
}

/// Labels as the account takes them.
fn named(labels: &[SentLabel]) -> Vec<NamedLabel> {
    labels.iter().map(|label| (label.association_category, label.association_type_id)).collect()
}

/// Reads the links of a batch and what becomes of each with its labels.
fn read_changes(
    types: Types<'_>,
    body: &[u8],
    edit: impl Fn(Vec<NamedLabel>) -> LinkEdit,
) -> Result<Vec<Change>, ApiError> {
    let batch: Batch<SentLink> = body::parse(body)?;
    check_size(batch.inputs.len(), MOST_INPUTS)?;
    let read =
        |link: &SentLink| Change::new(types, &link.from.text()?, &link.to.text()?, edit(named(&link.types)));
    batch.inputs.iter().map(read).collect()
}

/// How an answer shows what became of a pair.
type Shown = fn(&Account, Types<'_>, &Change) -> Value;

/// Makes changes, or none when one of them names a record or label that does not exist.
fn apply(
    simulator: &Simulator,
    types: Types<'_>,
    changes: &[Change],
    status: u16,
    shown: Option<Shown>,
) -> Result<Reply, ApiError> {
    let moment = simulator.app_moment();
    let mut account = simulator.account_mut();
    check_ends(&account, types, changes)?;
    for Change { from, to, edit } in changes {
        account.check_labels(*from, *to, edit).map_err(|error| complaint(&error, types))?;
    }
    for Change { from, to, edit } in changes {
        account.edit_link(*from, *to, edit, moment).map_err(|error| complaint(&error, types))?;
    }
    let shown = shown.into_iter().flat_map(|shown| changes.iter().map(move |change| (shown, change)));
    let results: Vec<Value> = shown.map(|(shown, change)| shown(&account, types, change)).collect();
    drop(account);
    Ok(batch_reply(simulator, &moment_text(moment.now), &results, &[], status))
}

/// Refuses changes that name records that are not there. Source: HubSpot developer Slack, for the wording.
fn check_ends(account: &Account, types: Types<'_>, changes: &[Change]) -> Result<(), ApiError> {
    let ends = changes.iter().flat_map(|change| [change.from, change.to]);
    let is_gone = |&(kind, id): &End| account.live(kind, account.store(kind).survivor(id)).is_none();
    let bad: Vec<String> = ends.filter(is_gone).map(|end| not_valid(types, end)).collect();
    if bad.is_empty() {
        return Ok(());
    }
    Err(ApiError::validation("One or more associations are invalid")
        .field("context", json!({ "INVALID_OBJECT_IDS": bad })))
}

/// How an error calls a record that is not there.
fn not_valid(types: Types<'_>, (kind, id): End) -> String {
    let object_type = types.into_iter().find(|object_type| object_type.kind == kind);
    format!("{}={id} is not valid", object_type.map_or("UNKNOWN", |object_type| &object_type.error_name))
}

/// The error body of a change that was refused.
fn complaint(error: &LinkError, types: Types<'_>) -> ApiError {
    let [from, to] = types;
    match error {
        LinkError::NoSuchRecord(end) => ApiError::validation("One or more associations are invalid")
            .field("context", json!({ "INVALID_OBJECT_IDS": [not_valid(types, *end)] })),
        LinkError::NoSuchLabel((_, number)) => ApiError::validation(format!(
            "invalid association type {number} from object type {} to {}",
            from.type_id, to.type_id
        )),
        // Seen live; HubSpot does not document the status.
        LinkError::TooManyLabels => ApiError::new(437, "The limit of association labels is reached"),
        LinkError::LabelExists => ApiError::validation("The association label already exists"),
    }
}

/// A plainly linked pair, as answers show it.
fn default_json(account: &Account, types: Types<'_>, change: &Change) -> Value {
    let labels = account.associations().labels(super::Pair::of(types[0].kind, types[1].kind));
    let direction = usize::from(types[0].kind > types[1].kind);
    json!({
        "from": { "id": change.from.1.to_string() },
        "to": { "id": change.to.1.to_string() },
        "associationSpec": {
            "associationCategory": labels[0].category,
            "associationTypeId": labels[0].type_ids[direction],
        },
    })
}

/// A linked pair with the names of its labels, as answers show it.
fn labelled_json(account: &Account, types: Types<'_>, change: &Change) -> Value {
    let (from, to) = (change.from.1, change.to.1);
    let links = account.links(change.from, types[1].kind);
    let names = Names::new(account, types);
    let texts = links.get(&to).map(|labels| names.texts(from, to, types, labels)).unwrap_or_default();
    json!({
        "fromObjectTypeId": types[0].type_id,
        "fromObjectId": from,
        "toObjectTypeId": types[1].type_id,
        "toObjectId": to,
        "labels": texts,
    })
}

/// `PUT .../{from}/{id}/associations/{to}/{id}`: the labels sent replace those the link has.
fn label(
    simulator: &Simulator,
    types: Types<'_>,
    [from, to]: [&str; 2],
    body: &[u8],
) -> Result<Reply, ApiError> {
    let labels: Vec<SentLabel> = body::parse(body)?;
    let change = Change::new(types, from, to, LinkEdit::Replace(named(&labels)))?;
    let moment = simulator.app_moment();
    let mut account = simulator.account_mut();
    account
        .edit_link(change.from, change.to, &change.edit, moment)
        .map_err(|error| complaint(&error, types))?;
    Ok(Reply::json(201, &labelled_json(&account, types, &change)))
}

/// One record's links to take away.
#[derive(Debug, Deserialize)]
struct SentRemoval {
    /// The record.
    from: SentId,
    /// What it is linked to.
    to: Vec<SentId>,
}

/// `POST .../batch/archive`: takes links away, those that exist.
fn archive(
    simulator: &Simulator,
    types: Types<'_>,
    body: &[u8],
    answers_empty: bool,
) -> Result<Reply, ApiError> {
    let batch: Batch<SentRemoval> = body::parse(body)?;
    check_size(batch.inputs.len(), MOST_INPUTS)?;
    let moment = simulator.app_moment();
    let mut account = simulator.account_mut();
    for removal in &batch.inputs {
        for to in &removal.to {
            let change = Change::new(types, &removal.from.text()?, &to.text()?, LinkEdit::Remove)?;
            let _ = account.edit_link(change.from, change.to, &change.edit, moment);
        }
    }
    drop(account);
    if answers_empty {
        return Ok(Reply::empty(204));
    }
    Ok(batch_reply(simulator, &moment_text(moment.now), &[], &[], 200))
}

/// The body of a new label.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentDefinition {
    /// What people see in the direction of the request.
    label: String,
    /// What people see in the other direction; the same when absent.
    inverse_label: Option<String>,
}

/// `POST /crm/associations/{version}/{from}/{to}/labels`.
fn define(simulator: &Simulator, types: Types<'_>, body: &[u8]) -> Result<Reply, ApiError> {
    let sent: SentDefinition = body::parse(body)?;
    let names = [sent.label.clone(), sent.inverse_label.unwrap_or(sent.label)];
    let [from, to] = types;
    let defined = simulator.account_mut().define_label(from.kind, to.kind, names, None);
    let label = defined.map_err(|error| complaint(&error, types))?;
    let is_backward = from.kind > to.kind;
    let shown = |direction: bool| super::label_json(&label, usize::from(direction));
    Ok(Reply::json(200, &json!({ "results": [shown(is_backward), shown(!is_backward)] })))
}
