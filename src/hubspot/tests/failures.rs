//! What happens when HubSpot refuses, breaks or lies.

use std::error::Error as _;

use super::*;

/// The error of a listing at `base_url`.
async fn failure_at(base_url: &str) -> HubSpotError {
    client_at(base_url).list_records(contacts(), &[], None, Priority::Audit).await.unwrap_err()
}

#[tokio::test]
async fn each_refusal_has_its_kind_its_message_and_no_second_try() {
    let unauthenticated = json!({"status": "error", "message": "Authentication credentials not found. This API supports OAuth 2.0 authentication", "correlationId": "c", "category": "INVALID_AUTHENTICATION"});
    let expired = json!({"status": "error", "message": "The OAuth token used to make this call expired 0 second(s) ago.", "category": "EXPIRED_AUTHENTICATION", "context": {"expire time": ["2026-01-01T00:00:00Z"]}});
    let scope = json!({"status": "error", "message": "This app hasn't been granted all required scopes to make this call.", "errors": [{"message": "One or more of the following scopes are required.", "context": {"requiredGranularScopes": ["crm.objects.contacts.read"]}}], "category": "MISSING_SCOPES"});
    let unknown = json!({"status": "error", "message": "Unable to infer object type from: gadgets", "category": "VALIDATION_ERROR"});
    let bare =
        json!({"status": "error", "message": "There was a problem with the request.", "correlationId": "c"});
    let html = |status| ResponseTemplate::new(status).set_body_raw("<html>Not Found</html>", "text/html");
    for (answer, status, kind, text) in [
        (
            refusal(401, &unauthenticated),
            401,
            ErrorKind::TokenRejected,
            "Authentication credentials not found",
        ),
        (refusal(401, &expired), 401, ErrorKind::TokenRejected, "EXPIRED_AUTHENTICATION"),
        (refusal(403, &scope), 403, ErrorKind::ScopeMissing, "missing scopes: crm.objects.contacts.read"),
        (refusal(400, &unknown), 400, ErrorKind::UnknownType, "Unable to infer object type from: gadgets"),
        (refusal(400, &bare), 400, ErrorKind::BadRequest, "There was a problem with the request."),
        (
            refusal(404, &json!({"message": "resource not found"})),
            404,
            ErrorKind::NotFound,
            "resource not found",
        ),
        (ResponseTemplate::new(404), 404, ErrorKind::NotFound, "HubSpot answered 404"),
        (html(404), 404, ErrorKind::BadRequest, "this path does not exist"),
        (html(405), 405, ErrorKind::BadRequest, "this path does not exist"),
        (ResponseTemplate::new(302), 302, ErrorKind::BadRequest, "redirects are not followed"),
        (refusal(409, &json!({"category": "CONFLICT"})), 409, ErrorKind::BadRequest, "409 CONFLICT"),
    ] {
        let server = server_with(answer).await;
        let error = failure_at(&server.uri()).await;
        assert_eq!((error.kind(), error.status()), (kind, Some(status)), "{error}");
        assert!(error.to_string().contains(text), "{error} should say {text:?}");
        assert!(error.to_string().starts_with("could not list contacts: "), "{error}");
        assert_eq!(error.attempts(), 1, "{error}");
        assert_eq!(server.received_requests().await.unwrap().len(), 1);
        assert!(!error.advice().is_empty());
    }
}

#[tokio::test]
async fn an_error_keeps_what_support_asks_for() {
    let body = json!({"message": "no", "correlationId": "from-body"});
    let server =
        server_with(refusal(400, &body).insert_header("x-hubspot-correlation-id", "from-header")).await;
    let error = failure_at(&server.uri()).await;
    assert_eq!(error.correlation_id(), Some("from-header"));
    assert!(error.to_string().contains("correlation id from-header"), "{error}");

    let server = server_with(refusal(400, &body)).await;
    assert_eq!(failure_at(&server.uri()).await.correlation_id(), Some("from-body"));
}

#[tokio::test]
async fn passing_trouble_is_tried_again() {
    for trouble in [
        refusal(500, &json!({"message": "internal error"})),
        ResponseTemplate::new(502).set_body_raw("<html>Bad Gateway</html>", "text/html"),
        ResponseTemplate::new(503),
        ResponseTemplate::new(524),
        ResponseTemplate::new(200).set_body_raw("<html>Please log in</html>", "text/html"),
        ResponseTemplate::new(200).set_body_json(json!({"paging": {}})),
        ResponseTemplate::new(200),
    ] {
        let server = server_with_each(vec![trouble.clone(), trouble, page_of(&[1])]).await;
        let client = client_at(&server.uri());
        let page = client.list_records(contacts(), &[], None, Priority::Audit).await.unwrap();
        assert_eq!(page.records.len(), 1);
        assert_eq!(client.requests_sent(), 3);
    }
}

#[tokio::test]
async fn lasting_trouble_is_reported_after_three_tries() {
    let html = ResponseTemplate::new(200).set_body_raw("<html>Please log in</html>", "text/html");
    for (trouble, kind) in [(ResponseTemplate::new(503), ErrorKind::Unavailable), (html, ErrorKind::Protocol)]
    {
        let server = server_with(trouble).await;
        let error = failure_at(&server.uri()).await;
        assert_eq!((error.kind(), error.attempts()), (kind, 3), "{error}");
        assert_eq!(server.received_requests().await.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn broken_connections_are_tried_again() {
    let whole = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"results\": []}";
    for broken in [
        Reaction::Reset,
        Reaction::Send(""),
        Reaction::Send("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"results\": ["),
        Reaction::Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"res\r\n"),
        Reaction::Send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"results\": ["),
        Reaction::Send("SSH-2.0-OpenSSH_9.2\r\n"),
    ] {
        let base_url = rude_server(vec![broken, broken, Reaction::Send(whole)]);
        let client = client_at(&base_url);
        let page = client.list_records(contacts(), &[], None, Priority::Audit).await;
        assert!(page.is_ok(), "{broken:?}: {}", page.unwrap_err());
        assert_eq!(client.requests_sent(), 3, "{broken:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = failure_at(&format!("http://{nobody}")).await;
    assert_eq!((error.kind(), error.attempts(), error.status()), (ErrorKind::Unavailable, 3, None));
    assert!(error.to_string().contains("no connection to HubSpot"), "{error}");
    assert!(error.source().is_some(), "the cause is in the chain");
}

#[tokio::test]
async fn the_deadline_covers_slow_answers() {
    let server = server_with(page_of(&[1]).set_delay(Duration::from_mins(5))).await;
    let config = HubSpotConfig { timeout: Duration::from_millis(50), ..config(&server.uri()) };
    let client = HubSpotClient::with_policy(&config, CancellationToken::new(), HASTY).unwrap();
    let error = client.account(Priority::Interactive).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Unavailable, 3));
    assert!(error.to_string().contains("no complete answer in time"), "{error}");
}

#[tokio::test]
async fn a_listing_that_does_not_advance_is_an_error() {
    let body = json!({"results": [record(1)], "paging": {"next": {"after": "7"}}});
    let server = server_with(ResponseTemplate::new(200).set_body_json(body)).await;
    let client = client_at(&server.uri());
    let after = Cursor("7".to_owned());
    let error = client.list_records(contacts(), &[], Some(&after), Priority::Audit).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().contains("this page again"), "{error}");
}

#[tokio::test]
async fn an_unusable_configuration_is_an_error_and_no_panic() {
    let refused = |config: &HubSpotConfig| HubSpotClient::new(config, CancellationToken::new()).unwrap_err();
    let error = refused(&config("not a url"));
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let error =
        refused(&HubSpotConfig { access_token: "line\nbreak".into(), ..config("http://127.0.0.1:1") });
    assert_eq!(
        error.to_string(),
        "could not set up the HubSpot client: the access token holds characters no token has"
    );
}

#[tokio::test]
async fn shutdown_ends_a_call_wherever_it_waits() {
    let slow = server_with(page_of(&[1]).set_delay(Duration::from_mins(5))).await;
    let failing = server_with(ResponseTemplate::new(503)).await;
    for server in [&slow, &failing] {
        let shutdown = CancellationToken::new();
        let patient = RetryPolicy { base: Duration::from_secs(30), ..RetryPolicy::API_CALL };
        let client = HubSpotClient::with_policy(&config(&server.uri()), shutdown.clone(), patient).unwrap();
        let call = client.list_records(contacts(), &[], None, Priority::Audit);
        let stop_once_sent = async {
            while server.received_requests().await.unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
            shutdown.cancel();
        };
        let (result, ()) =
            tokio::time::timeout(PATIENCE, async { tokio::join!(call, stop_once_sent) }).await.unwrap();
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Cancelled, 1), "{error}");

        let error = client.list_records(contacts(), &[], None, Priority::Audit).await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Cancelled, 0), "{error}");
    }
}
