//! The simulated HubSpot account, a process of its own as the daemon's HubSpot is.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use serde_json::{Value, json};

/// What the simulator stands next to: cargo puts both programs into one directory.
const CONNECTOR: &str = env!("CARGO_BIN_EXE_hubspot-connector");

/// The limit of a small account, in requests per ten seconds. Source: HubSpot, "Usage guidelines".
pub const LIMIT: u64 = 100;
/// The round trip to HubSpot that is assumed, in milliseconds.
pub const LATENCY_MS: u64 = 150;

/// A running simulator; it ends with this value.
pub struct Simulator {
    process: Child,
    http: reqwest::Client,
    /// Where it listens, without a trailing slash.
    pub url: String,
}

/// The records of an account.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Number of contacts.
    pub contacts: u64,
    /// Number of companies.
    pub companies: u64,
    /// Number of deals.
    pub deals: u64,
}

impl Size {
    /// Contacts alone.
    pub const fn contacts(contacts: u64) -> Self {
        Self { contacts, companies: 0, deals: 0 }
    }
}

/// What HubSpot is like.
#[derive(Debug, Clone, Copy)]
pub enum Temper {
    /// As in life: [`LIMIT`] enforced, and this many milliseconds before each answer.
    Limited {
        /// Milliseconds.
        latency_ms: u64,
    },
    /// As fast as it can.
    Unlimited {
        /// Pads records to about this many bytes of JSON; `None` leaves them as they are.
        record_bytes: Option<u64>,
    },
}

impl Simulator {
    /// Starts it and waits until it listens.
    pub fn start(size: Size, temper: Temper) -> anyhow::Result<Self> {
        let mut command = Command::new(Path::new(CONNECTOR).with_file_name("hubspot-simulator"));
        command.args(["--contacts", &size.contacts.to_string()]);
        command.args(["--companies", &size.companies.to_string()]);
        command.args(["--deals", &size.deals.to_string()]);
        match temper {
            Temper::Limited { latency_ms } => {
                command.args(["--limit-per-10-seconds", &LIMIT.to_string()]);
                command.args(["--latency-ms", &latency_ms.to_string()]);
            }
            Temper::Unlimited { record_bytes } => {
                // The limit is still announced in every answer, so it must be out of reach.
                command.args(["--no-limits", "--limit-per-10-seconds", "1000000"]);
                command.args(["--daily-limit", "100000000"]);
                if let Some(bytes) = record_bytes {
                    command.args(["--record-bytes", &bytes.to_string()]);
                }
            }
        }
        let spawned = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut process = spawned.context("start hubspot-simulator; scripts/bench builds it")?;
        let output = process.stdout.take().expect("piped above");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let url = line.trim().strip_prefix("listening on ").context("the simulator does not listen")?;
        Ok(Self { process, http: reqwest::Client::builder().no_proxy().build()?, url: url.to_owned() })
    }

    /// What was asked so far.
    pub async fn stats(&self) -> anyhow::Result<Value> {
        let answer = self.http.get(format!("{}/_sim/stats", self.url)).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Changes so many contacts, as people would have done at `at`, in milliseconds since the epoch.
    pub async fn change_contacts(&self, count: u64, at: i64) -> anyhow::Result<()> {
        self.control("mutate", json!({ "type": "contacts", "count": count, "lastModified": at })).await
    }

    /// Tells an app of every change from now on.
    pub async fn tell(&self, target: Value) -> anyhow::Result<()> {
        let answer = self.http.put(format!("{}/_sim/webhooks", self.url)).json(&target).send().await?;
        answer.error_for_status()?;
        Ok(())
    }

    /// Tells of the last change of records again, so many times.
    pub async fn storm(&self, events: u64, records: u64) -> anyhow::Result<()> {
        self.control("webhooks/storm", json!({ "type": "contacts", "count": events, "records": records }))
            .await
    }

    /// Changes some values of one contact, as a person would do now.
    pub async fn edit_contact(&self, id: i64, properties: Value) -> anyhow::Result<()> {
        let url = format!("{}/_sim/objects/contacts/{id}", self.url);
        let answer = self.http.patch(url).json(&json!({ "properties": properties })).send().await?;
        answer.error_for_status()?;
        Ok(())
    }

    /// A control call.
    async fn control(&self, path: &str, body: Value) -> anyhow::Result<()> {
        let answer = self.http.post(format!("{}/_sim/{path}", self.url)).json(&body).send().await?;
        answer.error_for_status()?;
        Ok(())
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// A whole number of the statistics; 0 where it is missing.
pub fn stat(stats: &Value, name: &str) -> u64 {
    stats[name].as_u64().unwrap_or(0)
}
