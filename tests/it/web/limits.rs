//! Clients that send too much, too slowly, or go away in the middle.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Served;
use crate::support::edits::all_is_sent;
use crate::support::{eventually, holds};

#[tokio::test]
async fn a_body_has_a_size() {
    let served = Served::start(1, 1).await;
    let id = served.contact().await["id"].clone();
    let path = format!("/api/contacts/{id}");
    let of_size = |size: usize| json!({"lastName": "x".repeat(size)}).to_string();
    let send =
        async |body: String| served.api.send(served.api.request(Method::PATCH, &path).body(body)).await;
    send(of_size(1024 * 1024)).await.refused(413, "body_too_large");
    assert_eq!(send(of_size(70_000)).await.wrong_fields(), ["lastName"]);
    send(of_size(60_000)).await.ok();
    // Without a length nothing is known before it is read.
    let mut stream = TcpStream::connect(served.api.address()).await.unwrap();
    let head = format!("PATCH {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for _ in 0..17 {
        stream.write_all(chunk.as_bytes()).await.ok();
    }
    let mut answer = vec![0; 64];
    let read = stream.read(&mut answer).await.unwrap();
    assert!(String::from_utf8_lossy(&answer[..read]).starts_with("HTTP/1.1 413"), "{answer:?}");
}

#[tokio::test]
async fn slow_clients_are_let_go_and_hold_nobody_up() {
    let served = Served::start(1, 1).await;
    let mut slow = Vec::new();
    // More than there are places for work.
    for _ in 0..20 {
        let mut stream = TcpStream::connect(served.api.address()).await.unwrap();
        let head = "POST /api/contacts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{";
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let mut silent = TcpStream::connect(served.api.address()).await.unwrap();
    silent.write_all(b"GET /api/contacts HT").await.unwrap();
    let asked = tokio::time::timeout(Duration::from_secs(5), served.api.get("/api/contacts")).await;
    asked.expect("others are answered at once").ok();
    for mut stream in slow {
        let mut answer = String::new();
        let read = tokio::time::timeout(Duration::from_mins(1), stream.read_to_string(&mut answer)).await;
        read.expect("the server ends it").ok();
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains("body_too_slow"), "{answer}");
    }
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(90), silent.read_to_end(&mut answer)).await;
    read.expect("the server ends it").ok();
}

#[tokio::test]
async fn a_client_that_goes_away_costs_no_connection_and_loses_no_edit() {
    let served = Served::start(3, 1).await;
    let id = served.contact().await["id"].clone();
    // Far more than the pool has connections.
    for number in 0..100 {
        let mut stream = TcpStream::connect(served.api.address()).await.unwrap();
        let body = json!({ "phone": number.to_string() }).to_string();
        let request = if number % 2 == 0 {
            "GET /api/contacts?limit=200&search=*a HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned()
        } else {
            format!(
                "PATCH /api/contacts/{id} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        stream.write_all(request.as_bytes()).await.unwrap();
        // At another moment of the work each time.
        tokio::time::timeout(Duration::from_micros(number * 200), stream.readable()).await.ok();
    }
    served.api.patch(&format!("/api/contacts/{id}"), &json!({"phone": "last"})).await.ok();
    all_is_sent(&served.test, "hubspot_contacts").await;
    for _ in 0..30 {
        served.api.get("/api/contacts").await.ok();
    }
    eventually("no connection is lost", async || {
        let status = served.api.get("/api/sync/status").await.ok();
        let busy = status["types"].as_array().unwrap().iter().filter(|row| row["status"] == "error").count();
        holds(busy == 0, status)
    })
    .await;
    served.daemon.stop_well().await;
}

#[tokio::test]
async fn a_stop_answers_what_was_asked_and_waits_for_no_idler() {
    let mut served = Served::start(2, 1).await;
    let _idler = TcpStream::connect(served.api.address()).await.unwrap();
    let mut talker = TcpStream::connect(served.api.address()).await.unwrap();
    let id = served.contact().await["id"].clone();
    let body = json!({"phone": "1"}).to_string();
    let head = format!(
        "PATCH /api/contacts/{id} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    talker.write_all(head.as_bytes()).await.unwrap();
    // It is under way once the server asks for the rest.
    let mut asked = [0; 25];
    talker.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    served.daemon.terminate();
    served.daemon.says("Stopping").await;
    talker.write_all(body.as_bytes()).await.unwrap();
    let began = std::time::Instant::now();
    let mut answer = String::new();
    talker.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(served.daemon.wait().await.success(), "{}", served.daemon.log());
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_long_search_is_given_up_by_the_server() {
    let served = Served::start(1, 1).await;
    // Somebody holds the table; reading waits for nobody, so a change of the table is what it takes.
    let mut lock = served.test.sql.acquire().await.unwrap();
    sqlx::query("LOCK TABLES hubspot_contacts WRITE").execute(&mut *lock).await.unwrap();
    let answer = served.api.get("/api/contacts").await;
    sqlx::query("UNLOCK TABLES").execute(&mut *lock).await.unwrap();
    answer.refused(503, "database_unavailable");
    let shown: Value = served.api.get("/api/contacts").await.ok();
    assert_eq!(shown["pagination"]["total"], 1);
}
