//! The app's webhooks.
//!
//! | Call | What |
//! | --- | --- |
//! | `PUT webhooks` | where events go from now on, see [`Target`] |
//! | `GET webhooks` | what was sent |
//! | `DELETE webhooks` | no more |
//! | `POST webhooks/storm` | `{"type", "count", "records"}`: many events of what happened once |

use serde::Deserialize;
use serde_json::json;

use super::{Done, Refusal, done, kind_of, read};
use crate::http::reply::Reply;
use crate::simulator::Simulator;
use crate::webhooks::{self, Target};

/// Most events of one storm; each is kept in memory.
const LARGEST_STORM: u64 = 1_000_000;

/// What a storm is told.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Storm {
    /// Name of the type.
    #[serde(rename = "type")]
    object_type: String,
    /// How many events.
    count: u64,
    /// Over how many records they are spread.
    #[serde(default = "one")]
    records: usize,
}

/// A storm is about one record unless it says otherwise.
const fn one() -> usize {
    1
}

/// Finds what a request about webhooks asks for.
pub fn dispatch(simulator: &Simulator, method: &str, path: &[&str], body: &[u8]) -> Done {
    match (method, path) {
        ("PUT", ["webhooks"]) => {
            let target: Target = read(body)?;
            if let Some(fault) = target.fault() {
                return Err(Refusal::bad(fault));
            }
            webhooks::set_target(simulator, Some(target));
            Ok(done())
        }
        ("GET", ["webhooks"]) => Ok(Reply::json(200, &json!(simulator.webhooks.figures()))),
        ("DELETE", ["webhooks"]) => {
            webhooks::set_target(simulator, None);
            Ok(done())
        }
        ("POST", ["webhooks", "storm"]) => {
            let Storm { object_type, count, records } = read(body)?;
            if count > LARGEST_STORM {
                return Err(Refusal::bad(format!("at most {LARGEST_STORM} events at once")));
            }
            let kind = kind_of(simulator, &object_type)?;
            Ok(Reply::json(200, &json!({ "records": webhooks::storm(simulator, kind, count, records) })))
        }
        _ => Err(Refusal::unknown(format!("no control call {method} {}", path.join("/")))),
    }
}
