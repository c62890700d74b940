//! Who may do what: tokens, pages in browsers, and addresses that let others in.

use reqwest::Method;
use serde_json::{Value, json};

use super::Served;
use super::client::Api;
use crate::support::daemon::{Setup, text};
use crate::support::simulator::Simulator;
use crate::support::webhooks::SECRET;

const WRITER: &str = "write-0123456789abcdef0123";
const READER: &str = "reads-0123456789abcdef0123";

/// Where HubSpot sends webhooks to.
const WEBHOOKS: &str = "/api/webhooks/hubspot";

/// A server with a token of each kind.
async fn guarded() -> Served {
    let tokens = format!("{WRITER},{READER}:read");
    let webhooks = |setup: Setup| setup.set("HUBSPOT_WEBHOOK_SECRET", SECRET);
    Served::start_with(2, 1, |setup| webhooks(setup).set("API_TOKEN", &tokens)).await
}

/// Every route of the document with something in the place of its parameters: the method, the path, and what the
/// document says of it.
fn routes(api: &Api) -> Vec<(Method, String, Value)> {
    let paths = api.document()["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let path = path.replace("{type}", "contacts").replace("{id}", "1").replace("{logId}", "1");
        let operations = item.as_object().unwrap().clone();
        operations
            .into_iter()
            .map(move |(method, operation)| (method.to_uppercase().parse().unwrap(), path.clone(), operation))
    };
    paths.iter().flat_map(of_path).collect()
}

#[tokio::test]
async fn each_route_asks_for_the_right_it_needs() {
    let served = guarded().await;
    let (nobody, reader, writer) =
        (&served.api, served.api.with_token(READER), served.api.with_token(WRITER));
    let stranger = served.api.with_token("someone-0123456789abcdef01");
    let (mut open, mut reading, mut writing) = (0, 0, 0);
    for (method, path, operation) in routes(nobody) {
        let status = async |api: &Api| {
            api.send(api.request(method.clone(), &path).json(&json!({}))).await.status.as_u16()
        };
        let statuses =
            (status(nobody).await, status(&stranger).await, status(&reader).await, status(&writer).await);
        if operation.get("security").is_none() {
            open += 1;
            assert!(path.starts_with("/health/") || path == WEBHOOKS, "{method} {path} is open");
            // No token stands for HubSpot's signature.
            let status = if method == Method::POST { 401 } else { 200 };
            assert_eq!(statuses, (status, status, status, status), "{method} {path}");
        } else if method == Method::GET {
            reading += 1;
            assert_eq!((statuses.0, statuses.1), (401, 401), "{method} {path}");
            assert!(
                ![401, 403].contains(&statuses.2) && ![401, 403].contains(&statuses.3),
                "{method} {path}"
            );
        } else {
            writing += 1;
            assert_eq!((statuses.0, statuses.1, statuses.2), (401, 401, 403), "{method} {path}");
            assert_ne!(statuses.3, 401, "{method} {path}");
        }
    }
    assert!(open >= 4 && reading >= 12 && writing >= 15, "{open} {reading} {writing}");
    let answer = nobody.get("/api/contacts").await;
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
    answer.refused(401, "unauthorized");
    reader.post("/api/contacts", &json!({})).await.refused(403, "read_only_token");
    let archived = served.test.number("SELECT COUNT(*) FROM hubspot_contacts WHERE archived").await;
    assert_eq!(archived, 1, "the writer has deleted one, and nobody else has");
    assert!(!served.daemon.log().contains(WRITER) && !served.daemon.log().contains(READER));
}

#[tokio::test]
async fn a_page_in_a_browser_cannot_use_what_programs_may() {
    let served = Served::start(2, 1).await;
    let id = served.contact().await["id"].clone();
    let path = format!("/api/contacts/{id}");
    let edit = |name: &str, value: &str| {
        served.api.request(Method::PATCH, &path).header(name, value).json(&json!({"phone": "666"}))
    };
    for (name, value) in [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Origin", "http://127.0.0.1:1"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        served.api.send(edit(name, value)).await.refused(403, "cross_origin");
    }
    // A name that leads here has the same address, and is told by its name.
    for host in ["evil.example", "evil.example:3001", "localhost.evil.example", "10.0.0.1"] {
        for request in [edit("Host", host), served.api.request(Method::GET, &path).header("Host", host)] {
            served.api.send(request).await.refused(421, "unknown_host");
        }
    }
    // A proxy on this machine asks for anybody.
    for name in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"] {
        let request = served.api.request(Method::GET, &path).header(name, "for=192.0.2.1");
        served.api.send(request).await.refused(421, "unknown_host");
    }
    assert_ne!(served.api.get(&path).await.ok()["phone"], "666");
    let own = format!("http://{}", served.api.address());
    served.api.send(edit("Origin", &own)).await.ok();
    served.api.send(edit("Sec-Fetch-Site", "same-origin")).await.ok();
}

#[tokio::test]
async fn where_webhooks_are_received_the_api_needs_a_token() {
    let served = Served::start_with(1, 1, |setup| setup.set("PUBLIC_URL", "https://sync.example")).await;
    served.api.get("/api/contacts").await.refused(403, "token_not_configured");
    served.api.post("/api/contacts", &json!({})).await.refused(403, "token_not_configured");
    let both = served.setup.clone().set("API_TOKEN", WRITER).start(&["run"]);
    let api = Api::at(&both.address().await).await.with_token(WRITER);
    api.is_ready().await;
    api.get("/api/contacts").await.ok();
    both.stop_well().await;
}

#[tokio::test]
async fn a_server_for_other_machines_needs_a_token() {
    let simulator = Simulator::start(1, 1, 1);
    let setup = Setup::new(&simulator, "mysql://nobody:x@127.0.0.1:1/none").serving();
    for address in ["0.0.0.0", "::"] {
        let output = setup.clone().set("BIND_ADDRESS", address).run(&["run"]).await;
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        let said = text(&output.stderr);
        assert!(said.contains("API_TOKEN: is not set, but BIND_ADDRESS lets other machines in"), "{said}");
    }
    let with_token = setup.set("BIND_ADDRESS", "0.0.0.0").set("API_TOKEN", WRITER);
    let daemon = with_token.start(&["run"]);
    daemon.says("The API is at http://0.0.0.0:").await;
    daemon.stop_well().await;
}

#[tokio::test]
async fn every_answer_tells_browsers_to_do_nothing_with_it_and_has_an_id() {
    let served = Served::start(1, 1).await;
    for path in ["/api/contacts", "/health/live", "/api/nothing", "/nothing", "/api/openapi.json"] {
        let request = served.api.request(Method::GET, path).header("X-Request-Id", "mine-1.a");
        let response = request.send().await.unwrap();
        let header = |name: &str| response.headers()[name].to_str().unwrap();
        assert_eq!(header("x-request-id"), "mine-1.a", "{path}");
        assert_eq!(
            (header("x-content-type-options"), header("cache-control")),
            ("nosniff", "no-store"),
            "{path}"
        );
        assert!(header("content-security-policy").starts_with("default-src 'none'"), "{path}");
        assert_eq!(header("content-type"), "application/json", "{path}");
    }
    for id in ["", "a b", "a\tb", "<script>", &"x".repeat(65)] {
        let request = served.api.request(Method::GET, "/health/live").header("X-Request-Id", id);
        let given = request.send().await.unwrap().headers()["x-request-id"].to_str().unwrap().to_owned();
        assert!(given != id && given.len() == 36, "{id:?} became {given}");
    }
    served.api.get("/api/nothing").await.refused(404, "not_found");
    served.api.delete("/api/contacts").await.refused(405, "method_not_allowed");
}
