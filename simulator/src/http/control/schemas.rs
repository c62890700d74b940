//! Object types of the portal's own.
//!
//! | Path | What |
//! | --- | --- |
//! | `POST schemas` | the body of HubSpot's call, of which all but `name` may be left out, with `count` records and `hasPipelines` |

use serde::Deserialize;
use serde_json::Value;

use super::{Done, Refusal, read};
use crate::http::reply::Reply;
use crate::http::schemas::{self, SentSchema};
use crate::simulator::Simulator;

/// What the body says besides what HubSpot's own call takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Besides {
    /// Records to make at once.
    #[serde(default)]
    count: u64,
    /// Whether records go through pipelines.
    #[serde(default = "yes")]
    has_pipelines: bool,
}

/// What HubSpot gives every type.
const fn yes() -> bool {
    true
}

/// `POST schemas`: answers with the definition.
pub fn define(simulator: &Simulator, body: &[u8]) -> Done {
    let document: Value = read(body)?;
    let bad = |error: serde_json::Error| Refusal::bad(error.to_string());
    let besides: Besides = serde_json::from_value(document.clone()).map_err(bad)?;
    let sent: SentSchema = serde_json::from_value(document).map_err(bad)?;
    super::records::check_count(besides.count)?;
    let kind = schemas::define(simulator, sent, besides.has_pipelines)?;
    let moment = simulator.moment();
    let mut account = simulator.account_mut();
    for _ in 0..besides.count {
        account.create(kind, None, moment)?;
    }
    Ok(Reply::json(200, &schemas::present(&account, kind)))
}
