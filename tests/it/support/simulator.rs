//! A simulator of one test's own, as a process, and its control API.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Once, mpsc};

use serde_json::{Value, json};

use super::PATIENCE;
use super::programs::program;

/// The token the simulator accepts.
pub const TOKEN: &str = "sim-token";

/// A running simulator.
pub struct Simulator {
    process: Child,
    /// Where it listens.
    pub url: String,
    http: reqwest::Client,
}

impl Simulator {
    /// Starts one with limits off and the given sizes.
    pub fn start(contacts: u32, companies: u32, deals: u32) -> Self {
        let sizes = [("--contacts", contacts), ("--companies", companies), ("--deals", deals)];
        let sizes = sizes.into_iter().flat_map(|(name, count)| [name.to_owned(), count.to_string()]);
        Self::with(&sizes.chain(["--no-limits".to_owned()]).collect::<Vec<_>>())
    }

    /// Starts one with the given arguments.
    pub fn with(arguments: &[String]) -> Self {
        let mut process = Command::new(program("hubspot-simulator"))
            .args(["--port", "0", "--seed", "42"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = process.stdout.take().unwrap();
        // Made before anything can fail, so that the process ends with it.
        let mut simulator = Self { process, url: String::new(), http: http_client() };
        let line = first_line(output);
        let url = line.trim().strip_prefix("listening on ").expect("the simulator says where it listens");
        url.clone_into(&mut simulator.url);
        simulator
    }

    /// A control call; answers the JSON it returns, null for none.
    async fn control(&self, method: reqwest::Method, path: &str, body: &Value) -> Value {
        let answer = self.try_control(method.clone(), path, body).await;
        answer.unwrap_or_else(|refusal| panic!("{method} {path}: {refusal}"))
    }

    /// The same, or why it is refused.
    async fn try_control(&self, method: reqwest::Method, path: &str, body: &Value) -> Result<Value, String> {
        let request = self.http.request(method, format!("{}/_sim{path}", self.url)).json(body);
        let response = request.send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        if !status.is_success() {
            return Err(format!("{status} {text}"));
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Changes one record's properties; false when it is not live.
    pub async fn try_edit(&self, object_type: &str, id: &str, properties: Value) -> bool {
        let path = format!("/objects/{object_type}/{id}");
        self.try_control(reqwest::Method::PATCH, &path, &json!({"properties": properties})).await.is_ok()
    }

    /// Puts a record into the recycle bin; false when it is not live.
    pub async fn try_delete(&self, object_type: &str, id: &str) -> bool {
        let path = format!("/objects/{object_type}/{id}");
        self.try_control(reqwest::Method::DELETE, &path, &json!({})).await.is_ok()
    }

    /// Takes a record out of the recycle bin; false when it is not there.
    pub async fn try_restore(&self, object_type: &str, id: &str) -> bool {
        let path = format!("/objects/{object_type}/{id}/restore");
        self.try_control(reqwest::Method::POST, &path, &json!({})).await.is_ok()
    }

    /// Merges two records; the id of the one that remains, `None` when one of them is not live.
    pub async fn try_merge(&self, object_type: &str, primary: &str, other: &str) -> Option<String> {
        let body = json!({"primaryObjectId": primary, "objectIdToMerge": other});
        let path = format!("/objects/{object_type}/merge");
        let answer = self.try_control(reqwest::Method::POST, &path, &body).await.ok()?;
        answer["id"].as_str().map(str::to_owned)
    }

    /// `GET` of a list of the control API, one JSON object a line.
    pub async fn lines(&self, path: &str) -> String {
        let response = self.http.get(format!("{}/_sim{path}", self.url)).send().await.unwrap();
        assert!(response.status().is_success());
        response.text().await.unwrap()
    }

    /// `POST` to the control API.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.control(reqwest::Method::POST, path, &body).await
    }

    /// `PATCH` to the control API.
    pub async fn patch(&self, path: &str, body: Value) {
        self.control(reqwest::Method::PATCH, path, &body).await;
    }

    /// `PUT` to the control API.
    pub async fn put(&self, path: &str, body: Value) {
        self.control(reqwest::Method::PUT, path, &body).await;
    }

    /// Changes settings.
    pub async fn set(&self, settings: Value) {
        self.control(reqwest::Method::PATCH, "/settings", &settings).await;
    }

    /// Changes one record's properties.
    pub async fn edit(&self, object_type: &str, id: &str, properties: Value) {
        let path = format!("/objects/{object_type}/{id}");
        self.control(reqwest::Method::PATCH, &path, &json!({"properties": properties})).await;
    }

    /// Puts a record into the recycle bin.
    pub async fn delete(&self, object_type: &str, id: &str) {
        let path = format!("/objects/{object_type}/{id}");
        self.control(reqwest::Method::DELETE, &path, &json!({})).await;
    }

    /// Changes or adds a property definition.
    pub async fn define(&self, object_type: &str, name: &str, definition: Value) {
        self.control(reqwest::Method::PATCH, &format!("/properties/{object_type}/{name}"), &definition).await;
    }

    /// Changes `count` records; returns their ids.
    pub async fn mutate(&self, mutation: Value) -> Vec<String> {
        ids(&self.post("/mutate", mutation).await)
    }

    /// Creates `count` records; returns their ids.
    pub async fn create(&self, object_type: &str, count: u32) -> Vec<String> {
        ids(&self.post(&format!("/objects/{object_type}"), json!({"count": count})).await)
    }

    /// Creates a record with these values and no others; returns its id.
    pub async fn create_with(&self, object_type: &str, properties: Value) -> String {
        let path = format!("/objects/{object_type}");
        ids(&self.post(&path, json!({"properties": properties})).await).remove(0)
    }

    /// HubSpot's time, in milliseconds since the epoch.
    pub async fn now(&self) -> i64 {
        let answer = self.post("/clock/advance", json!({"ms": 0})).await;
        answer["now"].as_i64().expect("the time is a number")
    }

    /// Scripts a fault.
    pub async fn fault(&self, fault: Value) {
        self.post("/faults", fault).await;
    }

    /// Takes all faults away.
    pub async fn clear_faults(&self) {
        self.control(reqwest::Method::DELETE, "/faults", &json!({})).await;
    }

    /// Serves a record whole again after `raw` text was served in its place.
    pub async fn cure(&self, object_type: &str, id: &str) {
        self.control(reqwest::Method::DELETE, &format!("/raw/{object_type}/{id}"), &json!({})).await;
    }

    /// Counts of requests since the start or the last reset.
    pub async fn stats(&self) -> Value {
        self.get("/stats").await
    }

    /// One of those counts.
    pub async fn count(&self, name: &str) -> u64 {
        let stats = self.stats().await;
        stats[name].as_u64().unwrap_or_else(|| panic!("{name} is no count in {stats}"))
    }

    /// Starts counting anew.
    pub async fn reset_stats(&self) {
        self.post("/stats/reset", json!({})).await;
    }

    /// `GET` from the control API.
    pub async fn get(&self, path: &str) -> Value {
        self.control(reqwest::Method::GET, path, &json!({})).await
    }

    /// Links two records, with these labels only where any are given: category and number.
    pub async fn link(&self, from: (&str, &str), to: (&str, &str), labels: &[(&str, u64)]) {
        let types = labels.iter().map(|(category, id)| json!({"category": category, "typeId": id}));
        let types: Vec<_> = types.collect();
        let body = if types.is_empty() { json!({}) } else { json!({ "types": types }) };
        let path = format!("/associations/{}/{}/{}/{}", from.0, from.1, to.0, to.1);
        self.control(reqwest::Method::PUT, &path, &body).await;
    }

    /// Takes the link between two records away, with all its labels.
    pub async fn unlink(&self, from: (&str, &str), to: (&str, &str)) {
        let path = format!("/associations/{}/{}/{}/{}", from.0, from.1, to.0, to.1);
        self.control(reqwest::Method::DELETE, &path, &json!({})).await;
    }

    /// Defines a label; returns its number from the first type to the second.
    pub async fn define_label(&self, from: &str, to: &str, label: &str) -> u64 {
        let answer = self.post(&format!("/labels/{from}/{to}"), json!({"label": label})).await;
        answer["typeIds"][0].as_u64().expect("the number is a number")
    }

    /// Every link of the live records of a type to those of another; one JSON object a line.
    pub async fn links(&self, from: &str, to: &str) -> String {
        let url = format!("{}/_sim/associations/{from}/{to}", self.url);
        let response = self.http.get(url).send().await.unwrap();
        assert!(response.status().is_success());
        response.text().await.unwrap()
    }

    /// Every live record of a type, or every one in the recycle bin; one JSON object a line.
    pub async fn truth(&self, object_type: &str, archived: bool) -> String {
        let url = format!("{}/_sim/truth/{object_type}?archived={archived}", self.url);
        let response = self.http.get(url).send().await.unwrap();
        assert!(response.status().is_success());
        response.text().await.unwrap()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The first line of a program's output, which has to come within [`PATIENCE`].
fn first_line(output: ChildStdout) -> String {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        sender.send(BufReader::new(output).read_line(&mut line).map(|_| line)).ok();
    });
    receiver.recv_timeout(PATIENCE).expect("the simulator starts in time").unwrap()
}

/// The `ids` of an answer.
fn ids(answer: &Value) -> Vec<String> {
    let ids = answer["ids"].as_array().expect("the answer lists ids");
    ids.iter().map(|id| id.as_str().expect("ids are text").to_owned()).collect()
}

/// A client for plain HTTP on loopback, whatever proxy the machine uses.
fn http_client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        rustls::crypto::ring::default_provider().install_default().ok();
    });
    reqwest::Client::builder().no_proxy().build().unwrap()
}
