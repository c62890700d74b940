//! The token and the contents of records stay out of logs, errors and debug output.

use std::io;
use std::sync::{Mutex, PoisonError};

use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

use super::*;

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// The lines so far.
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

/// Runs calls that succeed, are retried and fail, and returns what they and the libraries below logged, with errors
/// and debug output appended.
async fn everything_visible() -> String {
    let log = Log::default();
    let lines = tracing_subscriber::fmt()
        .with_max_level(Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(lines);
    let unreadable = json!({"results": [{"id": "1", "properties": {"email": ["ada@example.test"]}}]});
    let echo = json!({"message": format!("token {TOKEN} of ada@example.test is unknown")});
    let answers = vec![
        ResponseTemplate::new(503),
        ResponseTemplate::new(200).set_body_json(unreadable),
        ResponseTemplate::new(200).set_body_json(json!({"hubId": 7})),
        refusal(401, &echo),
    ];
    let server = server_with_each(answers).await;
    let client = client_at(&server.uri());
    let page = client.list_records(contacts(), &[], None, Priority::Audit).await.unwrap();
    client.token_info().await.unwrap();
    let error = client.account(Priority::Interactive).await.unwrap_err();
    let transport = &client.shared.transport;
    format!("{}\n{error}\n{error:?}\n{client:?}\n{transport:?}\n{}", log.text(), page.rejected[0].reason)
}

#[tokio::test]
async fn neither_the_token_nor_a_value_is_ever_visible() {
    let visible = everything_visible().await;
    for secret in [TOKEN, "11111111-2222", "ada@example.test"] {
        assert!(!visible.contains(secret), "{secret} is visible in {visible}");
    }
}

#[tokio::test]
async fn each_request_and_each_retry_has_a_line() {
    let visible = everything_visible().await;
    let lines = |level: &str, text: &str| {
        visible.lines().filter(|line| line.contains(level) && line.contains(text)).count()
    };
    assert_eq!(lines("DEBUG", "HubSpot answered"), 4, "{visible}");
    assert_eq!(
        lines("WARN", "Could not list contacts: HubSpot answered 503; trying again in"),
        1,
        "{visible}"
    );
    assert!(visible.contains("path=\"/crm/objects/2026-09/contacts\""), "{visible}");
}
