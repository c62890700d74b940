//! The sites for nginx and Caddy: a browser and a program reach the daemon through them, over TLS.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use futures_util::StreamExt;
use reqwest::header::{LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{succeed, text};
use crate::support::daemon::Daemon;
use crate::support::database::TestDatabase;
use crate::support::edits::writable_account;
use crate::support::simulator::Simulator;
use crate::support::webhooks::{SECRET, event, now, signature};
use crate::support::{PATIENCE, eventually, holds};
use crate::web::{PASSWORD, hash_of};

const HOST: &str = "sync.example.com";
const TOKEN: &str = "write-0123456789abcdef0123";
/// Where scripts/setup unpacks the proxies.
const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/usr");

/// A proxy; killed when dropped.
struct Proxy {
    process: Child,
    port: u16,
    directory: TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// A port nobody listens on.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts a proxy in a directory of its own.
fn start(directory: TempDir, port: u16, program: &str, arguments: &[&str]) -> Proxy {
    let log = fs::File::create(directory.path().join("log")).unwrap();
    let mut command = Command::new(format!("{TOOLS}/{program}"));
    command.args(arguments).env_clear().env("HOME", directory.path());
    command.current_dir(directory.path()).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    Proxy { process: command.spawn().unwrap(), port, directory }
}

/// The site for nginx, with paths and ports that are free here.
fn nginx(daemon: &str) -> (Proxy, u16) {
    let directory = tempfile::tempdir().unwrap();
    let (port, plain) = (free_port(), free_port());
    let path = |name: &str| directory.path().join(name).display().to_string();
    make_certificate(directory.path());
    let listened: Vec<_> =
        text("deploy/nginx.conf").lines().filter(|line| !line.contains("[::]:")).map(str::to_owned).collect();
    let site = listened
        .join("\n")
        .replace("listen 80;", &format!("listen 127.0.0.1:{plain};"))
        .replace("listen 443 ssl", &format!("listen 127.0.0.1:{port} ssl"))
        .replace("/etc/letsencrypt/live/sync.example.com", &directory.path().display().to_string())
        .replace("127.0.0.1:3001", daemon);
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {};\n", path(kind)))
        .concat();
    let whole = format!(
        "daemon off; pid {}; error_log stderr; events {{}}\nhttp {{ access_log off;\n{temporary}{site}\n}}\n",
        path("pid")
    );
    fs::write(path("nginx.conf"), whole).unwrap();
    let file = path("nginx.conf");
    (start(directory, port, "sbin/nginx", &["-e", "stderr", "-c", &file]), plain)
}

/// A certificate for the host, signed by itself, as `fullchain.pem` and `privkey.pem`.
fn make_certificate(directory: &Path) {
    let subject = format!("/CN={HOST}");
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", &subject]);
    command.args(["-keyout", "privkey.pem", "-out", "fullchain.pem"]).current_dir(directory);
    succeed(&mut command);
}

/// The site for Caddy, with a port that is free here and a certificate of its own making.
fn caddy(daemon: &str) -> Proxy {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let site = text("deploy/Caddyfile")
        .replace(
            "\nsync.example.com {",
            &format!("\nhttps://{HOST}:{port} {{\n\tbind 127.0.0.1\n\ttls internal"),
        )
        .replace("127.0.0.1:3001", daemon);
    let global = "{\n\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n}\n";
    fs::write(directory.path().join("Caddyfile"), format!("{global}{site}")).unwrap();
    start(directory, port, "bin/caddy", &["run", "--config", "Caddyfile"])
}

/// A browser that finds the host at this machine.
fn browser(port: u16) -> Client {
    browser_with(port, |settings| settings)
}

/// The same with other settings.
fn browser_with(port: u16, adjust: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Client {
    rustls::crypto::ring::default_provider().install_default().ok();
    adjust(Client::builder())
        .resolve(HOST, ([127, 0, 0, 1], port).into())
        .tls_danger_accept_invalid_certs(true)
        .redirect(Policy::none())
        .build()
        .unwrap()
}

/// A daemon others reach through a proxy, where it listens, and what it works with.
async fn daemon() -> (Daemon, String, (Simulator, TestDatabase)) {
    let (simulator, test, setup) = writable_account(1, 1).await;
    let setup = setup.serving().set("API_TOKEN", TOKEN).set("DASHBOARD_PASSWORD_HASH", &hash_of(PASSWORD));
    let setup = setup.set("HUBSPOT_WEBHOOK_SECRET", SECRET);
    let daemon = setup.start(&["run"]);
    let address = daemon.address().await;
    (daemon, address, (simulator, test))
}

/// Where an answer sends to.
fn location(response: &Response) -> &str {
    response.headers()[LOCATION].to_str().unwrap()
}

/// Goes through everything that has to get through.
async fn is_passed(proxy: &Proxy, test: &TestDatabase) {
    let (http, base) = (browser(proxy.port), format!("https://{HOST}:{}", proxy.port));
    let get = async |path: &str| http.get(format!("{base}{path}")).send().await;
    eventually("the daemon is reached through the proxy", async || {
        let status = get("/health/ready").await.map(|response| response.status().as_u16());
        let log = fs::read_to_string(proxy.directory.path().join("log")).unwrap();
        holds(matches!(status, Ok(200)), format!("{status:?}: {log}"))
    })
    .await;
    let page = get("/").await.unwrap();
    assert_eq!(location(&page), "/login?next=%2F");
    assert!(page.headers().contains_key("strict-transport-security"));
    let form = http.post(format!("{base}/login")).header("origin", &base);
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    let signed_in = form.body(format!("password={}", PASSWORD.replace(' ', "+"))).send().await.unwrap();
    assert_eq!(location(&signed_in), "/");
    let cookie = signed_in.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    assert!(cookie.contains("; Secure"), "{cookie}");
    let page = http.get(format!("{base}/")).header("cookie", cookie.split(';').next().unwrap());
    assert_eq!(page.send().await.unwrap().status(), 200);

    assert_eq!(get("/api/contacts").await.unwrap().status(), 401);
    let records = http.get(format!("{base}/api/contacts")).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(records.status(), 200);
    webhooks_are_passed(&http, &base, test).await;
    events_are_passed(proxy.port, &base).await;
}

/// Delivers webhooks: one that is signed for this address, one that is not.
async fn webhooks_are_passed(http: &Client, base: &str, test: &TestDatabase) {
    eventually("the contact is listed", async || {
        let listed = test.number("SELECT COUNT(*) FROM hubspot_contacts").await;
        holds(listed == 1, listed)
    })
    .await;
    let url = format!("{base}/api/webhooks/hubspot");
    let body = json!([event("contact.propertyChange", "7")]).to_string();
    let deliver = async |signature: String, at: i64| {
        let request = http.post(&url).header("x-hubspot-signature-v3", signature).body(body.clone());
        request.header("x-hubspot-request-timestamp", at.to_string()).send().await.unwrap().status()
    };
    let at = now();
    assert_eq!(deliver(signature(&url, "[]", at), at).await, 401, "it signs another body");
    assert_eq!(deliver(signature("https://elsewhere.example", &body, at), at).await, 401);
    assert_eq!(test.number("SELECT COUNT(*) FROM webhook_events").await, 0);
    assert_eq!(deliver(signature(&url, &body, at), at).await, 204);
    assert_eq!(test.number("SELECT COUNT(*) FROM webhook_events").await, 1);
}

/// Opens the live feed, and hears of an edit.
async fn events_are_passed(port: u16, base: &str) {
    let http = browser_with(port, ClientBuilder::http1_only);
    let upgrade = http.get(format!("{base}/ws")).bearer_auth(TOKEN);
    let upgrade = upgrade.header("connection", "Upgrade").header("upgrade", "websocket");
    let upgrade = upgrade.header("sec-websocket-version", "13").header("sec-websocket-key", generate_key());
    let response = upgrade.send().await.unwrap();
    assert_eq!(response.status(), 101);
    let stream = response.upgrade().await.unwrap();
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
    let mut hears = async |kind: &str| {
        let heard = async {
            while let Message::Text(text) = socket.next().await.unwrap().unwrap() {
                let message: Value = serde_json::from_str(&text).unwrap();
                if message["type"] == kind {
                    return;
                }
            }
        };
        timeout(PATIENCE, heard).await.unwrap_or_else(|_| panic!("nobody told {kind}"));
    };
    hears("hello").await;
    let edit = http.patch(format!("{base}/api/contacts/1")).bearer_auth(TOKEN);
    assert_eq!(edit.body(r#"{"phone": "+49 30 1"}"#).send().await.unwrap().status(), 200);
    hears("records_changed").await;
}

#[tokio::test]
async fn nginx_passes_on_what_people_and_programs_ask() {
    let (daemon, address, (_simulator, test)) = daemon().await;
    let (proxy, plain) = nginx(&address);
    is_passed(&proxy, &test).await;
    let sent_on = browser(plain).get(format!("http://{HOST}:{plain}/contacts")).send().await.unwrap();
    assert_eq!(location(&sent_on), format!("https://{HOST}/contacts"));
    daemon.stop_well().await;
}

#[tokio::test]
async fn caddy_passes_on_what_people_and_programs_ask() {
    let (daemon, address, (_simulator, test)) = daemon().await;
    is_passed(&caddy(&address), &test).await;
    daemon.stop_well().await;
}
