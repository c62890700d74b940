//! Links and labels.
//!
//! | Path | What |
//! | --- | --- |
//! | `GET associations/{from}/{to}` | every visible link, one JSON object a line |
//! | `PUT associations/{from}/{id}/{to}/{id}` | links, with `{"types":[...]}` if given, which replace the labels |
//! | `DELETE associations/{from}/{id}/{to}/{id}` | takes the link away |
//! | `POST labels/{from}/{to}` | `{"label","inverseLabel","typeIds":[1,2]}` defines a label |

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::json;

use super::{Done, Refusal, done, kind_of, object_type, read};
use crate::account::associations::Category;
use crate::account::{LinkEdit, LinkError};
use crate::http::associations::{Names, Types};
use crate::http::reply::Reply;
use crate::object_type::ObjectType;
use crate::simulator::Simulator;

/// Records whose links are written while the account is held; others can change it in between.
const RECORDS_PER_PIECE: usize = 256;

impl From<LinkError> for Refusal {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::NoSuchRecord((_, id)) => Self::unknown(format!("no live record {id}")),
            LinkError::NoSuchLabel((category, number)) => {
                Self::bad(format!("no label {category:?} {number} in this direction"))
            }
            LinkError::TooManyLabels => Self::bad("the pair has as many labels as it may have"),
            LinkError::LabelExists => Self::bad("the pair has a label with this number"),
        }
    }
}

/// Finds what a request about links asks for.
pub fn dispatch(simulator: &Arc<Simulator>, method: &str, path: &[&str], body: &[u8]) -> Done {
    match (method, path) {
        ("GET", ["associations", from, to]) => {
            Ok(stream(simulator, [object_type(simulator, from)?, object_type(simulator, to)?]))
        }
        ("PUT", ["associations", from, id, to, to_id]) => link(simulator, [from, id, to, to_id], body),
        ("DELETE", ["associations", from, id, to, to_id]) => {
            edit(simulator, [from, id, to, to_id], &LinkEdit::Remove)
        }
        ("POST", ["labels", from, to]) => define(simulator, from, to, body),
        _ => Err(Refusal::unknown(format!("no control call {method} {}", path.join("/")))),
    }
}

/// Changes one link.
fn edit(simulator: &Simulator, [from, id, to, to_id]: [&str; 4], edit: &LinkEdit) -> Done {
    let id_of = |text: &str| text.parse::<u64>().map_err(|_| Refusal::bad(format!("{text} is not an id")));
    let ends = [(kind_of(simulator, from)?, id_of(id)?), (kind_of(simulator, to)?, id_of(to_id)?)];
    let moment = simulator.moment();
    simulator.account_mut().edit_link(ends[0], ends[1], edit, moment)?;
    Ok(done())
}

/// A label as requests name it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SentLabel {
    /// Who defined it.
    category: Category,
    /// Its number in the direction of the request.
    type_id: u64,
}

/// The body of `PUT associations/...`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    /// The labels from now on; the present ones stay when absent.
    types: Option<Vec<SentLabel>>,
}

/// `PUT associations/{from}/{id}/{to}/{id}`.
fn link(simulator: &Simulator, ends: [&str; 4], body: &[u8]) -> Done {
    let request: Link = read(body)?;
    let wanted = request.types.map_or(LinkEdit::Plain, |types| {
        LinkEdit::Replace(types.iter().map(|label| (label.category, label.type_id)).collect())
    });
    edit(simulator, ends, &wanted)
}

/// The body of `POST labels/{from}/{to}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Define {
    /// What people see in the direction of the request.
    label: String,
    /// What people see in the other direction; the same when absent.
    inverse_label: Option<String>,
    /// Numbers in this direction and back; new ones when absent.
    type_ids: Option<[u64; 2]>,
}

/// `POST labels/{from}/{to}`: answers with the numbers in this direction and back.
fn define(simulator: &Simulator, from: &str, to: &str, body: &[u8]) -> Done {
    let request: Define = read(body)?;
    let names = [request.label.clone(), request.inverse_label.unwrap_or(request.label)];
    let (from, to) = (kind_of(simulator, from)?, kind_of(simulator, to)?);
    let label = simulator.account_mut().define_label(from, to, names, request.type_ids)?;
    let mut type_ids = label.type_ids;
    if from > to {
        type_ids.reverse();
    }
    Ok(Reply::json(200, &json!({ "category": label.category, "typeIds": type_ids })))
}

/// `GET associations/{from}/{to}`: one line per visible link in order of ids, written while it is sent.
fn stream(simulator: &Arc<Simulator>, types: [Arc<ObjectType>; 2]) -> Reply {
    let simulator = Arc::clone(simulator);
    let pieces = stream::unfold(Some(0), move |from| {
        let piece = from.map(|from| piece(&simulator, [&types[0], &types[1]], from));
        std::future::ready(piece)
    });
    Reply::lines(pieces.boxed())
}

/// The lines of the records from an id on, and the id to go on from.
fn piece(simulator: &Simulator, types: Types<'_>, from: u64) -> (Bytes, Option<u64>) {
    let account = simulator.account();
    let names = Names::new(&account, types);
    let mut out = String::new();
    let mut next = None;
    for view in account.store(types[0].kind).live_from(&account.world, from).take(RECORDS_PER_PIECE) {
        let id = view.record.id;
        for (other, labels) in account.links((types[0].kind, id), types[1].kind) {
            let line = json!({
                "from": id.to_string(),
                "to": other.to_string(),
                "types": names.of(id, other, types, &labels),
            });
            out.push_str(&line.to_string());
            out.push('\n');
        }
        next = Some(id + 1);
    }
    (Bytes::from(out), next)
}
