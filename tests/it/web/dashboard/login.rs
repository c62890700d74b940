//! Who may see pages, and signing in and out.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use reqwest::Method;
use reqwest::header::SET_COOKIE;

use super::super::Served;
use super::Visitor;
use crate::support::daemon::text;

/// A password.
pub(crate) const PASSWORD: &str = "correct horse battery";
const TOKEN: &str = "write-0123456789abcdef0123";

/// What the command `password` makes of an input.
fn ask_for_password(input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hubspot-connector"));
    command.arg("password").env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    process.wait_with_output().unwrap()
}

/// The hash of a password, out of the line that is printed for it.
pub(crate) fn hash_of(password: &str) -> String {
    let output = ask_for_password(&format!("{password}\n"));
    assert!(output.status.success(), "{}", text(&output.stderr));
    let line = text(&output.stdout);
    let hash = line.trim_end().strip_prefix("DASHBOARD_PASSWORD_HASH='").unwrap();
    hash.strip_suffix('\'').unwrap().to_owned()
}

/// A server with a password, and somebody who has not signed in.
async fn guarded() -> (Served, Visitor) {
    let hash = hash_of(PASSWORD);
    let served = Served::start_with(2, 1, |setup| setup.set("DASHBOARD_PASSWORD_HASH", &hash)).await;
    let visitor = Visitor::at(served.api.address());
    (served, visitor)
}

#[tokio::test]
async fn pages_are_for_those_who_signed_in() {
    let (served, nobody) = guarded().await;
    assert_eq!(nobody.get("/?a=b").await.sent_to(), "/login?next=%2F%3Fa%3Db");
    assert_eq!(
        nobody.post("/logout", &[]).await.sent_to(),
        "/login",
        "without a session there is none to end"
    );
    let proxied = [("X-Forwarded-For", "192.0.2.1"), ("Host", "sync.example")];
    for path in ["/health/live", "/health/ready"] {
        let answer = nobody.send_with(Method::GET, path, &[], &proxied).await;
        assert_eq!(answer.status, 200, "{path} is open behind a proxy too");
    }
    let form = nobody.get("/login?next=%2F%3Fa%3Db").await.ok();
    assert!(form.contains(r#"name="next" value="/?a=b""#) && !form.contains("<nav"), "{form}");

    let wrong = nobody.post("/login", &[("password", "not this one"), ("next", "/")]).await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.html.contains("This is not the password") && !wrong.headers.contains_key(SET_COOKIE));

    let mut visitor = nobody.clone();
    let right = visitor.post("/login", &[("password", PASSWORD), ("next", "/?a=b")]).await;
    assert_eq!(right.sent_to(), "/?a=b");
    let cookie = right.headers[SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Strict"), "{cookie}");
    assert!(!cookie.contains("; Secure"), "it came without TLS: {cookie}");
    visitor.keep_cookie(&right);
    assert!(visitor.get("/").await.ok().contains("Sign out"));
    assert_eq!(visitor.get("/login").await.sent_to(), "/", "there is nothing to sign in to any more");

    // Whoever changes a letter of it, or knows the row of the session, has none.
    let stored = served.test.value("SELECT HEX(id_hash) FROM dashboard_sessions").await;
    let cookie = visitor.cookie.clone().unwrap();
    let name = cookie.split('=').next().unwrap();
    for cookie in [cookie.clone() + "x", format!("{name}={stored}")] {
        let thief = Visitor { cookie: Some(cookie), ..nobody.clone() };
        assert_eq!(thief.get("/").await.sent_to(), "/login?next=%2F");
    }
    assert_eq!(visitor.post("/logout", &[]).await.sent_to(), "/login");
    assert_eq!(visitor.get("/").await.sent_to(), "/login?next=%2F", "the cookie is worth nothing any more");
    let log = served.daemon.log();
    assert!(
        log.contains("Somebody signed in") && !log.contains(PASSWORD) && !log.contains("not this one"),
        "{log}"
    );
}

#[tokio::test]
async fn a_session_ends_with_its_time_and_with_its_row() {
    let (served, mut visitor) = guarded().await;
    let signed_in = visitor.post("/login", &[("password", PASSWORD)]).await;
    visitor.keep_cookie(&signed_in);
    visitor.get("/").await.ok();
    served.test.execute("UPDATE dashboard_sessions SET expires_at = NOW(3) - INTERVAL 1 SECOND").await;
    assert_eq!(visitor.get("/").await.sent_to(), "/login?next=%2F");
    let again = visitor.post("/login", &[("password", PASSWORD)]).await;
    visitor.keep_cookie(&again);
    assert_eq!(
        served.test.number("SELECT COUNT(*) FROM dashboard_sessions").await,
        1,
        "the old one is forgotten"
    );
    served.test.execute("DELETE FROM dashboard_sessions").await;
    assert_eq!(visitor.get("/").await.sent_to(), "/login?next=%2F");
}

#[tokio::test]
async fn passwords_cannot_be_tried_for_long() {
    let (_served, visitor) = guarded().await;
    let wrong = [("password", "wrong wrong wrong")];
    let mut attempts: FuturesUnordered<_> = (0..12).map(|_| visitor.post("/login", &wrong)).collect();
    // A wrong password waits for its answer, and what is too much does not.
    let first = attempts.next().await.unwrap();
    let refused = visitor.post("/login", &[("password", PASSWORD)]).await;
    assert_eq!(
        (first.status.as_u16(), refused.status.as_u16()),
        (429, 429),
        "the right one is not looked at either"
    );
    let others: Vec<_> = attempts.map(|page| page.status.as_u16()).collect().await;
    assert_eq!(others.iter().filter(|status| **status == 401).count(), 10, "{others:?}");
    assert!(refused.html.contains("wait a minute"));
}

#[tokio::test]
async fn nothing_is_done_for_a_page_of_somebody_else() {
    let (served, mut visitor) = guarded().await;
    let foreign = [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")];
    for (name, value) in foreign {
        let fields = [("password", PASSWORD), ("next", "/")];
        let page = visitor.send_with(Method::POST, "/login", &fields, &[(name, value)]).await;
        assert_eq!(page.status, 403, "{name}");
        assert!(!page.headers.contains_key(SET_COOKIE));
    }
    let signed_in = visitor.post("/login", &[("password", PASSWORD), ("next", "//evil.example/")]).await;
    assert_eq!(signed_in.sent_to(), "/");
    visitor.keep_cookie(&signed_in);
    let id = served.test.value("(SELECT MIN(id) FROM hubspot_contacts)").await;
    let row = async || {
        let columns = ["firstname", "archived", "version", "sync_status"];
        served.test.rows("hubspot_contacts", &columns, "ORDER BY id").await
    };
    let before = row().await;
    let [edit, delete] = ["edit", "delete"].map(|what| format!("/contacts/{id}/{what}"));
    let paths = [
        edit.as_str(),
        &delete,
        "/contacts/new",
        "/conflicts/1/resolve",
        "/activity/retry",
        "/activity/1/retry",
        "/health/quarantine/read",
        "/health/quarantine/release",
        "/health/deletes/contacts",
        "/health/check",
        "/logout",
    ];
    let fields = [("value.firstname", "Mallory"), ("version", "1"), ("keep", "local")];
    for path in paths {
        for header in foreign {
            let page = visitor.send_with(Method::POST, path, &fields, &[header]).await;
            assert_eq!(page.status, 403, "{path} with {header:?}");
        }
    }
    assert_eq!(row().await, before);
    visitor.get("/").await.ok();
}

#[tokio::test]
async fn without_a_password_pages_are_for_this_machine_alone() {
    let open = Served::start(1, 1).await;
    let visitor = Visitor::at(open.api.address());
    assert!(!visitor.get("/").await.ok().contains("Sign out"));
    assert_eq!(visitor.get("/login").await.sent_to(), "/");
    for header in [("Host", "evil.example"), ("X-Forwarded-For", "192.0.2.1")] {
        let page = visitor.send_with(Method::GET, "/", &[], &[header]).await;
        assert_eq!(page.status, 421, "{header:?}");
        assert!(page.html.starts_with("<!doctype html>"), "{}", page.html);
    }
    for (name, value) in [("API_TOKEN", TOKEN), ("PUBLIC_URL", "https://sync.example")] {
        let closed = open.setup.clone().set(name, value).start(&["run"]);
        let visitor = Visitor::at(&closed.address().await);
        let page = visitor.get("/").await;
        assert_eq!(page.status, 403, "{name}");
        assert!(page.html.contains("hubspot-connector password"), "{}", page.html);
        closed.stop_well().await;
    }
}

#[tokio::test]
async fn with_a_password_the_api_needs_a_token() {
    let (served, _) = guarded().await;
    served.api.get("/api/contacts").await.refused(403, "token_not_configured");
}

#[tokio::test]
async fn behind_a_proxy_with_tls_the_cookie_stays_there() {
    let (_served, visitor) = guarded().await;
    let headers =
        [("Host", "sync.example"), ("X-Forwarded-Proto", "https"), ("Origin", "https://sync.example")];
    let page = visitor.send_with(Method::POST, "/login", &[("password", PASSWORD)], &headers).await;
    assert_eq!(page.sent_to(), "/");
    assert!(page.headers[SET_COOKIE].to_str().unwrap().contains("; Secure"), "{:?}", page.headers);
}

#[test]
fn a_password_that_is_too_short_is_refused() {
    let output = ask_for_password("short\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("at least 12 characters"));
    assert!(output.stdout.is_empty());
}
