//! The command line.

use std::path::PathBuf;

use chrono_tz::Tz;
use clap::Parser;

use crate::account::Schema;
use crate::object_type::{Kind, STANDARD, TYPE_COUNT};

/// What `--help` says about the control API; `http::control` is the reference.
const CONTROL_API: &str = "\
Control API (JSON, no token), for example with curl:
  GET    /_sim/stats                        what was asked; POST /_sim/stats/reset
  PATCH  /_sim/settings                     limits, lag, switches; GET shows all names
         of writes: appId conflictBody lifecycleBack identicalWritesTouch emailChangeKeepsOld
         requiredOnCreate conditionallyRequired bindingVersions lostAnswerRate
  DELETE /_sim/scopes/{type}                no scope for a type, or one by name; PUT gives it back
  POST   /_sim/faults                       {\"times\":3,\"action\":{\"kind\":\"reset\"}}
         kinds: status reset truncate hang delay garbage rateLimit shortPage loseAnswer
         only some requests: \"match\":{\"method\":\"GET\",\"pathContains\":\"deals\"},
         also \"family\":\"batchUpdate\" as in stats, and \"writes\":true
         loseAnswer writes first; {\"status\":504} answers in place of a reset
  GET    /_sim/truth/{type}                 records as they are, one line each; ?archived=true
  GET    /_sim/history/{type}[/{id}]        who set which value and when, one line each
  GET    /_sim/creates/{type}               made through the API; ?by=email counts by value
  GET    /_sim/count/{type}                 {\"live\":n,\"archived\":n}
  POST   /_sim/objects/{type}               {\"count\":1}, with \"properties\" to choose values
  PATCH  /_sim/objects/{type}/{id}          {\"properties\":{}}; DELETE puts it into the bin
         as a person, or with \"app\":7 as another app
  POST   /_sim/objects/{type}/{id}/restore  out of the bin; /purge: gone without trace
  POST   /_sim/objects/{type}/merge         {\"primaryObjectId\":\"1\",\"objectIdToMerge\":\"2\"}
  POST   /_sim/mutate                       {\"type\":\"contacts\",\"count\":100,\"seed\":7}
         all at once: \"sameMillisecond\":true or \"lastModified\":epoch ms
  POST   /_sim/touch                        {\"type\":\"contacts\",\"count\":9}: last-modified alone
  POST   /_sim/recalculate                  {\"type\",\"count\"}: calculated values, silently
  POST   /_sim/silent                       {\"type\",\"id\",\"properties\"}: all but last-modified
  POST   /_sim/raw/{type}/{id}              {\"json\":\"...\"} in place of a record; DELETE undoes
  GET    /_sim/associations/{from}/{to}     links as they are, one line each
  PUT    /_sim/associations/{from}/{id}/{to}/{id}  {\"types\":[]}; DELETE takes the link away
  POST   /_sim/labels/{from}/{to}           {\"label\",\"inverseLabel\"} defines a label
  POST   /_sim/schemas                      {\"name\":\"boats\",\"count\":9} defines a type
  PATCH  /_sim/properties/{type}/{name}     definitions; DELETE: gone for good
  PUT    /_sim/pipelines/{type}             pipelines and stages; GET shows the form
  POST   /_sim/owners                       owners; PATCH /_sim/owners/{id}
  PUT    /_sim/webhooks                     {\"targetUrl\",\"secret\"}: tells an app of changes;
         subscriptions delayMs jitterMs duplicateRate lostAnswerRate and more; GET counts
  POST   /_sim/webhooks/storm               {\"type\",\"count\",\"records\"}: events alone
  POST   /_sim/clock/advance                {\"ms\":60000}";

/// A stand-in for HubSpot's CRM API over real HTTP.
///
/// Serves an invented but realistic account that depends on the seed alone, is as strict about limits as HubSpot,
/// and can be told through its control API (`/_sim`) to change records, lag and misbehave. Listens on the loopback
/// address only. The first line on standard output is `listening on http://127.0.0.1:PORT`.
#[derive(Debug, Clone, Parser)]
#[command(name = "hubspot-simulator", version, after_long_help = CONTROL_API)]
pub struct Config {
    /// Port to listen on; 0 lets the operating system choose.
    #[arg(long, default_value_t = 0)]
    pub port: u16,

    /// What the account is generated from; the same seed and counts give the same account.
    #[arg(long, default_value_t = 42)]
    pub seed: u64,

    /// Number of contacts.
    #[arg(long, default_value_t = 10_000)]
    pub contacts: u64,

    /// Number of companies.
    #[arg(long, default_value_t = 2_000)]
    pub companies: u64,

    /// Number of deals.
    #[arg(long, default_value_t = 5_000)]
    pub deals: u64,

    /// Number of tickets.
    #[arg(long, default_value_t = 0)]
    pub tickets: u64,

    /// Numbers of records of further types, such as `products=50,line_items=200`; also those above.
    #[arg(long, value_name = "TYPE=COUNT,...", value_delimiter = ',', value_parser = type_count)]
    pub objects: Vec<(Kind, u64)>,

    /// Types the portal defined itself and their numbers of records, such as `boats=50`; `p62515_boats` in paths.
    #[arg(long, value_name = "NAME=COUNT,...", value_delimiter = ',', value_parser = custom_count)]
    pub custom: Vec<(String, u64)>,

    /// Pads records with filled properties up to about this many bytes of JSON (filled values only).
    #[arg(long, value_name = "BYTES")]
    pub record_bytes: Option<usize>,

    /// Waits this long before every answer, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pub latency_ms: u64,

    /// Requests allowed in any rolling ten seconds; search is counted apart.
    #[arg(long = "limit-per-10-seconds", value_name = "REQUESTS", default_value_t = 100)]
    pub limit_per_10_seconds: u64,

    /// Searches allowed in any rolling second.
    #[arg(long, value_name = "REQUESTS", default_value_t = 5)]
    pub search_limit_per_second: u64,

    /// Requests allowed per day of the account's time zone, searches included.
    #[arg(long, value_name = "REQUESTS", default_value_t = 250_000)]
    pub daily_limit: u64,

    /// Counts requests but refuses none.
    #[arg(long)]
    pub no_limits: bool,

    /// How long search does not see a change, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pub index_lag_ms: u64,

    /// Up to this much longer for single records, so that search sees changes out of order, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pub index_jitter_ms: u64,

    /// Keeps changes in this file, so that a restarted simulator continues where it was.
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,

    /// Makes this many changes per second by itself: edits, now and then a new record or a deletion.
    #[arg(long, value_name = "CHANGES", default_value_t = 0.0)]
    pub live_changes_per_second: f64,

    /// The bearer token requests must carry.
    #[arg(long, default_value = "sim-token")]
    pub token: String,

    /// Longest accepted path with query; longer ones are answered 414.
    #[arg(long, value_name = "BYTES", default_value_t = 10_000)]
    pub url_limit: usize,

    /// The account's time zone; daily limits start anew at its midnight.
    #[arg(long, value_name = "IANA_NAME", default_value = "America/New_York")]
    pub time_zone: Tz,
}

/// Reads `TYPE=COUNT`.
fn type_count(text: &str) -> Result<(Kind, u64), String> {
    let (name, count) = text.split_once('=').ok_or("expected TYPE=COUNT")?;
    let object_type = STANDARD.find(name).ok_or_else(|| format!("no object type {name}"))?;
    Ok((object_type.kind, count.parse().map_err(|_| format!("{count} is not a number"))?))
}

/// Reads `NAME=COUNT`.
fn custom_count(text: &str) -> Result<(String, u64), String> {
    let (name, count) = text.split_once('=').ok_or("expected NAME=COUNT")?;
    if !Schema::is_name(name) {
        return Err(format!("{name} is not made of letters, digits and underscores"));
    }
    Ok((name.to_owned(), count.parse().map_err(|_| format!("{count} is not a number"))?))
}

impl Config {
    /// Records per type in the order of [`Kind`].
    pub fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; TYPE_COUNT];
        counts[..4].copy_from_slice(&[self.contacts, self.companies, self.deals, self.tickets]);
        for &(kind, count) in &self.objects {
            counts[kind.index()] = count;
        }
        counts.extend(self.custom.iter().map(|(_, count)| count));
        counts
    }
}

impl Default for Config {
    /// What the command line means without arguments.
    fn default() -> Self {
        Self::parse_from(["hubspot-simulator"])
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Config::command().debug_assert();
    }
}
