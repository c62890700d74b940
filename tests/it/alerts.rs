//! Who is told of problems: the daemon, the simulator, a chat program and a mail server, all real and on this machine.

use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::daemon::{Setup, text};
use crate::support::database::TestDatabase;
use crate::support::edits::writable_account;
use crate::support::mailbox::Mailbox;
use crate::support::simulator::Simulator;
use crate::support::{eventually, holds};

/// The secret part of the webhook's URL.
const SECRET: &str = "T0SECRET";

/// A chat program that answers as `answers` says, one after the other, and then takes everything.
async fn chat(answers: &[u16]) -> MockServer {
    let server = MockServer::start().await;
    for status in answers {
        let refusal = Mock::given(method("POST")).respond_with(ResponseTemplate::new(*status));
        refusal.up_to_n_times(1).mount(&server).await;
    }
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    server
}

/// What was posted, each as its text.
async fn posted(chat: &MockServer) -> Vec<String> {
    let requests = chat.received_requests().await.unwrap();
    let body = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap();
    requests.iter().map(|request| body(&request.body)["text"].as_str().unwrap().to_owned()).collect()
}

/// The setup with that chat program, and without a wait until a problem counts as gone.
fn told(setup: &Setup, chat: &MockServer) -> Setup {
    setup
        .clone()
        .set("ALERT_WEBHOOK_URL", &format!("{}/services/{SECRET}", chat.uri()))
        .set("ALERT_AFTER_FAILURES", "2")
        .set("ALERT_QUIET_MINUTES", "0")
}

/// Waits until so many messages were posted, and returns them.
async fn messages(chat: &MockServer, count: usize) -> Vec<String> {
    eventually(&format!("{count} message(s) are posted"), async || {
        let posted = posted(chat).await;
        if posted.len() >= count { Ok(posted) } else { Err(format!("{posted:?}")) }
    })
    .await
}

/// Waits until the daemon has judged twice more with this problem.
async fn judged_twice(test: &TestDatabase) {
    for _ in 0..2 {
        let seen = test.value("SELECT MAX(last_seen_at) FROM alerts").await;
        eventually("the problem is seen again", async || {
            let now = test.value("SELECT MAX(last_seen_at) FROM alerts").await;
            holds(now > seen, now)
        })
        .await;
    }
}

#[tokio::test]
async fn the_test_message_reaches_every_channel() {
    let (chat, mailbox) = (chat(&[]).await, Mailbox::open());
    let setup = told(&Setup::empty(), &chat)
        .set("ALERT_EMAIL_TO", "ops@example.test, On Call <oncall@example.test>")
        .set("ALERT_EMAIL_FROM", "hubspot@example.test")
        .set("ALERT_SMTP_URL", &mailbox.url);
    let said = setup.run(&["alerts", "test"]).await;
    assert!(said.status.success(), "{}{}", text(&said.stdout), text(&said.stderr));
    assert_eq!(text(&said.stdout).matches("took the test message").count(), 2, "{}", text(&said.stdout));

    let posted = posted(&chat).await;
    assert!(posted.len() == 1 && posted[0].contains("This is a test"), "{posted:?}");
    let mails = mailbox.received();
    assert_eq!(mails.len(), 1);
    let envelope = mails[0].envelope.join("\n");
    for address in ["FROM:<hubspot@example.test>", "TO:<ops@example.test>", "TO:<oncall@example.test>"] {
        assert!(envelope.contains(address), "{envelope}");
    }
    assert!(mails[0].content.contains("Subject: [hubspot-connector] Test"), "{}", mails[0].content);
    assert!(mails[0].content.contains("This is a test"), "{}", mails[0].content);
}

#[tokio::test]
async fn a_mail_server_is_told_user_and_password_and_an_encrypted_one_must_be_one() {
    let mailbox = Mailbox::open();
    let with_user = mailbox.url.replace("smtp://", "smtp://user:p%40ss@");
    let setup = Setup::empty().set("ALERT_EMAIL_TO", "ops@example.test");
    let said = setup.clone().set("ALERT_SMTP_URL", &with_user).run(&["alerts", "test"]).await;
    assert!(said.status.success(), "{}", text(&said.stdout));
    // A zero byte, user, another one, password; in base64.
    assert_eq!(mailbox.received()[0].envelope[0], "AUTH PLAIN AHVzZXIAcEBzcw==");

    let encrypted = with_user.replace("smtp://", "smtps://");
    let said = setup.set("ALERT_SMTP_URL", &encrypted).run(&["alerts", "test"]).await;
    let output = text(&said.stdout);
    assert_eq!(said.status.code(), Some(1), "{output}");
    assert!(output.contains("FAILED   mail") && !output.contains("p@ss"), "{output}");
    assert_eq!(mailbox.received().len(), 1);
}

#[tokio::test]
async fn the_test_says_why_a_channel_did_not_take_it() {
    let (chat, mailbox) = (chat(&[404]).await, Mailbox::answering("550 5.1.1 <ops@example.test> unknown"));
    let setup = told(&Setup::empty(), &chat)
        .set("ALERT_EMAIL_TO", "ops@example.test")
        .set("ALERT_SMTP_URL", &mailbox.url);
    let said = setup.run(&["alerts", "test"]).await;
    let (output, log) = (text(&said.stdout), text(&said.stderr));
    assert_eq!(said.status.code(), Some(1), "{output}{log}");
    assert!(output.contains("FAILED   webhook  the webhook answered 404"), "{output}");
    assert!(output.contains("FAILED   mail     the mail server refused the mail (550)"), "{output}");
    assert!(!output.contains(SECRET) && !output.contains("ops@") && !log.contains(SECRET), "{output}{log}");

    // Nobody listens there any more, and nobody is to be told at all.
    let gone = MockServer::start().await;
    let gone_setup = told(&Setup::empty(), &gone);
    drop(gone);
    let said = text(
        &gone_setup
            .set("ALERT_WEBHOOK_URL", "http://127.0.0.1:1/T0SECRET")
            .run(&["alerts", "test"])
            .await
            .stdout,
    );
    assert!(said.contains("no connection") && !said.contains(SECRET), "{said}");
    let said = Setup::empty().run(&["alerts", "test"]).await;
    assert_eq!(said.status.code(), Some(1));
    assert!(text(&said.stdout).contains("ALERT_WEBHOOK_URL"), "{}", text(&said.stdout));
}

#[tokio::test]
async fn a_problem_is_told_once_whatever_restarts_and_its_end_once() {
    let (simulator, test) = (Simulator::start(10, 10, 10), TestDatabase::migrated().await);
    let (chat, mailbox) = (chat(&[]).await, Mailbox::open());
    let setup = told(&Setup::new(&simulator, &test.url).at("* * * * * *"), &chat)
        .set("ALERT_EMAIL_TO", "ops@example.test")
        .set("ALERT_SMTP_URL", &mailbox.url);
    simulator.set(json!({"deniedTypes": ["deals"]})).await;
    let daemon = setup.start(&["run"]);
    let begun = messages(&chat, 1).await;
    assert!(begun[0].contains("Problem: deals: "), "{begun:?}");
    assert!(begun[0].contains("runs in a row failed: the token may not read it"), "{begun:?}");
    assert!(!begun[0].contains("contacts"), "the others go on: {begun:?}");
    daemon.says("Problem: deals: ").await;
    let listed = setup.run(&["alerts"]).await;
    assert!(text(&listed.stdout).contains("failing"), "{}", text(&listed.stdout));
    daemon.kill();

    let daemon = setup.start(&["run"]);
    judged_twice(&test).await;
    assert_eq!(posted(&chat).await.len(), 1, "the next process knows what was told");

    simulator.set(json!({"deniedTypes": []})).await;
    let over = messages(&chat, 2).await;
    assert!(over[1].contains("Over, after ") && over[1].contains(": deals: "), "{over:?}");
    eventually("both are mailed", async || holds(mailbox.received().len() == 2, mailbox.received())).await;
    let waiting = "SELECT COUNT(*) FROM alert_messages";
    eventually("nothing waits", async || holds(test.number(waiting).await == 0, ())).await;
    assert!(!daemon.log().contains(SECRET) && !daemon.log().contains("ops@example.test"));
    daemon.stop_well().await;
    assert_eq!(posted(&chat).await.len(), 2);
    let listed = setup.run(&["alerts"]).await;
    assert_eq!(text(&listed.stdout), "No problem is known.\n");
}

#[tokio::test]
async fn a_rejected_token_is_one_message_that_does_not_hold_it() {
    let (simulator, test) = (Simulator::start(10, 10, 10), TestDatabase::migrated().await);
    let chat = chat(&[]).await;
    let setup = told(&Setup::new(&simulator, &test.url), &chat).set("HUBSPOT_ACCESS_TOKEN", "pat-wrong");
    let daemon = setup.start(&["run"]);
    let posted = messages(&chat, 1).await;
    assert_eq!(posted[0].matches("Problem: ").count(), 2, "once in the subject and once below: {posted:?}");
    assert!(posted[0].contains("HUBSPOT_ACCESS_TOKEN") && !posted[0].contains("pat-wrong"), "{posted:?}");
    daemon.stop_well().await;
}

#[tokio::test]
async fn a_message_that_is_not_taken_is_carried_again_and_holds_nothing_up() {
    let (simulator, test) = (Simulator::start(10, 10, 10), TestDatabase::migrated().await);
    let chat = chat(&[503, 400]).await;
    simulator.set(json!({"deniedTypes": ["deals"]})).await;
    let setup = told(&Setup::new(&simulator, &test.url).at("* * * * * *"), &chat)
        // Nobody listens there; the chat program is told all the same.
        .set("ALERT_EMAIL_TO", "ops@example.test")
        .set("ALERT_SMTP_URL", "smtp://127.0.0.1:1");
    let daemon = setup.start(&["run"]);
    daemon.says("Could not deliver an alert message").await;
    let runs = "SELECT COUNT(*) FROM sync_runs WHERE object_type = 'contacts' AND outcome = 'succeeded'";
    let before = test.number(runs).await;
    eventually("runs go on", async || {
        let now = test.number(runs).await;
        holds(now > before + 2, now)
    })
    .await;
    let tries = messages(&chat, 3).await;
    assert!(tries.iter().all(|message| *message == tries[0]), "it is the same one: {tries:?}");
    let left = || async { test.rows("alert_messages", &["channel", "last_error"], "").await };
    eventually("only the mail waits", async || {
        let left = left().await;
        holds(left.len() == 1 && left[0].starts_with("mail|the mail server cannot be used"), left)
    })
    .await;
    daemon.stop_well().await;

    // Switched off, it waits no longer.
    let daemon = setup.set("ALERT_EMAIL_TO", "").start(&["run"]);
    eventually("nothing waits", async || holds(left().await.is_empty(), ())).await;
    daemon.stop_well().await;
}

#[tokio::test]
async fn edits_that_a_brake_holds_are_told() {
    let (_simulator, test, setup) = writable_account(5, 0).await;
    let chat = chat(&[]).await;
    let daemon = told(&setup, &chat).set("MAX_PUSH_PER_HOUR", "1").start(&["run"]);
    test.execute("UPDATE hubspot_contacts SET city = 'Elsewhere'").await;
    let posted = messages(&chat, 1).await;
    assert!(posted[0].contains("contacts: 4 edit(s) wait, because MAX_PUSH_PER_HOUR"), "{posted:?}");
    assert!(!posted[0].contains("Elsewhere"), "{posted:?}");
    daemon.stop_well().await;
}
