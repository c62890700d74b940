//! The live feed over WebSockets: what is told, to whom, and what clients that do not read cost.

use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use hubspot_mariadb_connector::lifecycle::Lifecycle;
use reqwest::StatusCode;
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async, connect_async};

use super::Served;
use super::client::Api;
use crate::support::PATIENCE;
use crate::support::daemon::Setup;

/// Tokens of the tests.
const READER: &str = "reader-0123456789abcdef01";
const WRITER: &str = "writer-0123456789abcdef01";
/// A password of the tests.
const PASSWORD: &str = "correct horse battery";

/// A client of the feed.
struct Listener {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The number of the last message.
    sequence: u64,
}

impl Listener {
    /// Connects, shows headers, and hears `hello`.
    async fn with_headers(address: &str, headers: &[(&'static str, &str)]) -> Result<Self, StatusCode> {
        let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match timeout(PATIENCE, connect_async(request)).await.expect("the server answers") {
            Ok((socket, _)) => {
                let mut listener = Self { socket, sequence: 0 };
                let hello = listener.next().await;
                assert_eq!(hello["type"], "hello", "{hello}");
                Ok(listener)
            }
            Err(Error::Http(response)) => Err(StatusCode::from_u16(response.status().as_u16()).unwrap()),
            Err(error) => panic!("{error}"),
        }
    }

    /// The same where everybody on this machine may listen.
    async fn new(address: &str) -> Self {
        Self::with_headers(address, &[]).await.expect("everybody may listen")
    }

    /// The next message. Numbers have no gap.
    async fn next(&mut self) -> Value {
        loop {
            let frame = timeout(PATIENCE, self.socket.next()).await.expect("something is told in time");
            let Message::Text(text) = frame.expect("the connection stays").unwrap() else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            let sequence = message["sequence"].as_u64().unwrap();
            assert!(
                self.sequence == 0 || sequence == self.sequence + 1,
                "after {}: {message}",
                self.sequence
            );
            self.sequence = sequence;
            return message;
        }
    }

    /// Waits for a message of that kind that says this.
    async fn hears(&mut self, kind: &str, says: Value) -> Value {
        let mut heard = Vec::new();
        let waiting = async {
            loop {
                let message = self.next().await;
                let fits = says.as_object().unwrap().iter().all(|(name, value)| message[name] == *value);
                if message["type"] == kind && fits {
                    return message;
                }
                heard.push(message);
            }
        };
        let found = timeout(PATIENCE, waiting).await;
        found.unwrap_or_else(|_| panic!("nobody told {kind} {says}, only {heard:#?}"))
    }

    /// Waits until the server ends the connection; the code it gives.
    async fn is_let_go(&mut self) -> u16 {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("the server ends it in time") {
                Some(Ok(Message::Close(frame))) => return frame.expect("a reason is given").code.into(),
                Some(Ok(_)) => {}
                other => panic!("it ended without a word: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn runs_changes_and_pushes_are_told_as_they_happen() {
    // Every other second, because a search ends a while before now.
    let served = Served::start_with(3, 1, |setup| setup.at("*/2 * * * * *")).await;
    let contact = served.contact().await;
    let (id, hubspot_id) = (contact["id"].to_string(), contact["hubspotId"].as_str().unwrap());
    let mut listener = Listener::new(served.api.address()).await;

    served.simulator.edit("contacts", hubspot_id, json!({"phone": "+49 30 1"})).await;
    listener.hears("run_started", json!({"subject": "contacts", "lane": "incremental"})).await;
    let ids = json!([format!("hs-{hubspot_id}")]);
    listener.hears("records_changed", json!({"objectType": "contacts", "count": 1, "ids": ids})).await;
    let finished = listener.hears("run_finished", json!({"subject": "contacts", "updated": 1})).await;
    assert_eq!(finished["succeeded"], true, "{finished}");

    served.api.patch(&format!("/api/contacts/{id}"), &json!({"phone": "+49 30 2"})).await.ok();
    let edited = json!({"objectType": "contacts", "count": 1, "ids": [id]});
    listener.hears("records_changed", edited.clone()).await;
    listener.hears("records_changed", edited).await;
    listener.hears("edits_pushed", json!({"objectType": "contacts", "count": 1})).await;
}

#[tokio::test]
async fn a_conflict_is_told_when_it_opens_and_when_it_is_settled() {
    let served = Served::start(3, 1).await;
    let contact = served.contact().await;
    let (id, hubspot_id) = (&contact["id"], contact["hubspotId"].as_str().unwrap());
    let mut listener = Listener::new(served.api.address()).await;
    served.simulator.edit("contacts", hubspot_id, json!({"city": "Bonn"})).await;
    let here = json!({"properties": {"city": "Kiel"}});
    served.api.patch(&format!("/api/contacts/{id}"), &here).await.ok();
    let opened = listener.hears("conflict_opened", json!({"objectType": "contacts"})).await;
    let number = &opened["conflictId"];
    let decision = json!({"resolution": "keep_local"});
    served.api.post(&format!("/api/conflicts/{number}/resolve"), &decision).await.ok();
    listener.hears("conflict_closed", json!({"conflictId": number})).await;
    listener.hears("edits_pushed", json!({"objectType": "contacts"})).await;
}

#[tokio::test]
async fn a_process_that_stands_by_tells_that_something_happened_elsewhere() {
    let served = Served::start(3, 1).await;
    let standby = served.setup.start(&["run"]);
    standby.says("Standing by").await;
    let mut listener = Listener::new(&standby.address().await).await;
    // Nobody knows what happened before the first look.
    listener.hears("resync", json!({"reason": "elsewhere"})).await;
    served.api.post("/api/sync/trigger", &json!({"types": ["contacts"]})).await;
    listener.hears("resync", json!({"reason": "elsewhere"})).await;
    served.daemon.stop_well().await;
    listener.hears("role_changed", json!({"role": "leading"})).await;
    let leader = Api::at(&standby.address().await).await;
    leader.post("/api/sync/trigger", &json!({"types": ["contacts"]})).await.ok();
    listener.hears("run_finished", json!({"subject": "contacts"})).await;
}

/// The statuses with which listening is refused, `None` where it is not: without anything, with a wrong token, with one
/// that may read, as a page of ours, as a page of another origin, and as that with a token.
async fn who_may_listen(served: &Served) -> [Option<u16>; 6] {
    let address = served.api.address();
    let own = format!("http://{address}");
    let token = format!("Bearer {READER}");
    let status = async |headers: &[(&'static str, &str)]| {
        Listener::with_headers(address, headers).await.err().map(|status| status.as_u16())
    };
    [
        status(&[]).await,
        status(&[("authorization", "Bearer someone-0123456789abcdef01")]).await,
        status(&[("authorization", &token)]).await,
        status(&[("origin", &own)]).await,
        status(&[("origin", "https://evil.example")]).await,
        status(&[("origin", "https://evil.example"), ("authorization", &token)]).await,
    ]
}

/// With tokens.
fn guarded(setup: Setup) -> Setup {
    setup.set("API_TOKEN", &format!("{READER}:read,{WRITER}"))
}

#[tokio::test]
async fn without_credentials_only_this_machine_listens_and_no_page_of_others() {
    let served = Served::start(1, 1).await;
    let [nobody, stranger, reader, page, foreign, both] = who_may_listen(&served).await;
    assert_eq!([nobody, stranger, reader, page], [None; 4]);
    assert_eq!([foreign, both], [Some(403); 2]);
    let passed_on = [("x-forwarded-for", "192.0.2.1")];
    let refused = Listener::with_headers(served.api.address(), &passed_on).await.err();
    assert_eq!(refused, Some(StatusCode::MISDIRECTED_REQUEST), "a proxy asks for anybody");
    let plain = served.api.request(reqwest::Method::GET, "/ws").send().await.unwrap();
    assert_eq!(plain.status(), StatusCode::UPGRADE_REQUIRED);
}

#[tokio::test]
async fn with_tokens_one_that_may_read_is_needed() {
    let served = Served::start_with(1, 1, guarded).await;
    assert_eq!(who_may_listen(&served).await, [Some(401), Some(401), None, Some(401), Some(403), Some(403)]);
}

#[tokio::test]
async fn whoever_has_signed_in_may_listen_until_they_sign_out() {
    let served = Served::start_with(1, 1, |setup| guarded(setup).with_password(PASSWORD)).await;
    assert_eq!(who_may_listen(&served).await, [Some(401), Some(401), None, Some(401), Some(403), Some(403)]);
    let form = format!("password={}", PASSWORD.replace(' ', "+"));
    let browser = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    let login = browser.post(format!("http://{}/login", served.api.address())).body(form);
    let login = login.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    let cookies = login.headers().get("set-cookie").unwrap_or_else(|| panic!("{login:?}"));
    let cookie = cookies.to_str().unwrap().split(';').next().unwrap().to_owned();
    let (address, own) = (served.api.address(), format!("http://{}", served.api.address()));
    let signed_in = [("cookie", cookie.as_str()), ("origin", own.as_str())];
    Listener::with_headers(address, &signed_in).await.expect("a session lets in");
    let foreign = [("cookie", cookie.as_str()), ("origin", "https://evil.example")];
    let refused = Listener::with_headers(address, &foreign).await.err();
    assert_eq!(refused, Some(StatusCode::FORBIDDEN), "a page of others has the cookie, perhaps");
    let logout = served.api.request(reqwest::Method::POST, "/logout").header("cookie", &cookie);
    logout.send().await.unwrap();
    let refused = Listener::with_headers(address, &signed_in).await.err();
    assert_eq!(refused, Some(StatusCode::UNAUTHORIZED));
}

#[tokio::test]
async fn a_client_has_nothing_to_say() {
    let served = Served::start(1, 1).await;
    for said in [Message::Text("hello".into()), Message::Binary(vec![0; 10].into())] {
        let mut listener = Listener::new(served.api.address()).await;
        listener.socket.send(said).await.unwrap();
        assert_eq!(listener.is_let_go().await, 1008);
    }
    let mut listener = Listener::new(served.api.address()).await;
    listener.socket.send(Message::Text("x".repeat(100_000).into())).await.ok();
    let ended = timeout(PATIENCE, async { while let Some(Ok(_)) = listener.socket.next().await {} }).await;
    ended.expect("what is far too long ends the connection");
}

#[tokio::test]
async fn a_stop_says_goodbye() {
    let mut served = Served::start(1, 1).await;
    let mut listener = Listener::new(served.api.address()).await;
    served.daemon.terminate();
    assert_eq!(listener.is_let_go().await, 1012);
    assert!(served.daemon.wait().await.success());
}

/// A client that has connected and reads nothing, with as little room for what is sent to it as there can be.
async fn stalled(address: &str) -> Listener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(1).unwrap();
    let stream = MaybeTlsStream::Plain(socket.connect(address.parse().unwrap()).await.unwrap());
    let (socket, _) = client_async(format!("ws://{address}/ws"), stream).await.unwrap();
    Listener { socket, sequence: 0 }
}

/// Memory of a process, bytes.
fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test]
async fn five_hundred_clients_are_told_while_one_does_not_read() {
    const CLIENTS: usize = 500;
    const EDITS: usize = 100;
    let served = Served::start(3, 1).await;
    let id = served.contact().await["id"].to_string();
    let (address, path, ids) = (served.api.address(), format!("/api/contacts/{id}"), json!([id]));
    let edited = ids.clone();
    let before = memory(served.daemon.id());
    let mut stalled = stalled(address).await;
    let mut listeners = Vec::new();
    for _ in 0..CLIENTS {
        listeners.push(Listener::new(address).await);
    }
    // Each hears of all edits while they are made, and the API answers meanwhile.
    let listening = listeners.into_iter().map(move |mut listener| {
        let ids = ids.clone();
        async move {
            let mut told = 0;
            while told < EDITS {
                told += usize::from(listener.next().await["ids"] == ids);
            }
            listener
        }
    });
    let listening = Lifecycle::default().spawn(join_all(listening));
    for number in 0..EDITS {
        let edit = json!({"phone": number.to_string()});
        let asked = served.api.patch(&path, &edit);
        timeout(Duration::from_secs(10), asked).await.expect("the API answers").ok();
    }
    let listeners = timeout(PATIENCE, listening).await.expect("all are told").unwrap();
    assert_eq!(listeners.len(), CLIENTS);
    let grown = memory(served.daemon.id()).saturating_sub(before);
    assert!(grown < 100 * 1024 * 1024, "{grown} bytes more than before");
    // What waited for the one that did not read is there once it does, or it is told to look again.
    let mut told = 0;
    while told < EDITS {
        let message = stalled.next().await;
        told = if message["type"] == "resync" { EDITS } else { told + usize::from(message["ids"] == edited) };
    }
}
