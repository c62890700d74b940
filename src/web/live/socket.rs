//! One client of the feed.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message as Frame, Utf8Bytes, WebSocket, close_code};
use axum::http::HeaderMap;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::admit;
use super::feed::Feed;
use super::message::Message;
use crate::web::App;

/// How often a client is asked whether it is still there, and may still listen.
const PING: Duration = Duration::from_secs(30);
/// Longest silence of a client; it answers what it is asked.
const SILENCE: Duration = Duration::from_secs(75);
/// Longest a client may take for a message.
const SEND: Duration = Duration::from_secs(10);
/// Longest a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client is gone, or does not read.
    Gone,
    /// The process stops.
    Stopping,
    /// The client said something, and there is nothing to say.
    Spoken,
    /// It may not listen any more: somebody has signed out.
    NotAdmitted,
}

/// Tells a client what happens, until it goes, may not listen any more, or the process stops.
pub(super) async fn serve(mut socket: WebSocket, app: App, feed: Arc<Feed>, headers: HeaderMap) {
    // What cannot be asked now is asked the next time.
    let may_listen = || async { !admit(&app, &headers).await.is_err_and(|error| error.is_refusal()) };
    let (role, stop) = (app.situation.word(), app.lifecycle.shutdown());
    let end = tell(&mut socket, &feed, role, stop, may_listen).await;
    debug!("A client of the live feed is let go: {end:?}");
    let (code, reason) = match end {
        End::Gone => return,
        End::Stopping => (close_code::RESTART, "stopping"),
        End::Spoken => (close_code::POLICY, "nothing is to be said here"),
        End::NotAdmitted => (close_code::POLICY, "signed out"),
    };
    let farewell = Frame::Close(Some(CloseFrame { code, reason: reason.into() }));
    timeout(FAREWELL, socket.send(farewell)).await.ok();
}

/// Tells a client what happens, as long as it may listen; returns why no more.
async fn tell<F: Future<Output = bool>>(
    socket: &mut WebSocket,
    feed: &Feed,
    role: &'static str,
    stop: &CancellationToken,
    may_listen: impl Fn() -> F,
) -> End {
    let (sequence, mut messages) = feed.join();
    let hello = Message::Hello { role };
    if let Err(end) = send(socket, Frame::Text(hello.text(sequence))).await {
        return end;
    }
    let mut pings = interval_at(Instant::now() + PING, PING);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    loop {
        let frame = tokio::select! {
            () = stop.cancelled() => return End::Stopping,
            text = next(feed, &mut messages) => match text {
                Some(text) => Frame::Text(text),
                None => return End::Stopping,
            },
            said = socket.recv() => match said {
                Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => {
                    heard = Instant::now();
                    continue;
                }
                Some(Ok(Frame::Text(_) | Frame::Binary(_))) => return End::Spoken,
                Some(Ok(Frame::Close(_)) | Err(_)) | None => return End::Gone,
            },
            _ = pings.tick() => {
                if heard.elapsed() > SILENCE {
                    return End::Gone;
                }
                if !may_listen().await {
                    return End::NotAdmitted;
                }
                Frame::Ping(Bytes::new())
            }
        };
        if let Err(end) = send(socket, frame).await {
            return end;
        }
    }
}

/// What is to be told next, `None` when nothing ever will. Who was too slow has missed some, and is told to look at
/// everything again; what still waits is one with that.
async fn next(feed: &Feed, messages: &mut Receiver<Utf8Bytes>) -> Option<Utf8Bytes> {
    match messages.recv().await {
        Ok(text) => Some(text),
        Err(RecvError::Lagged(_)) => {
            let (sequence, from_now_on) = feed.join();
            *messages = from_now_on;
            Some(Message::Resync { reason: "too_slow" }.text(sequence))
        }
        Err(RecvError::Closed) => None,
    }
}

/// Sends something, if the client takes it in time.
async fn send(socket: &mut WebSocket, frame: Frame) -> Result<(), End> {
    match timeout(SEND, socket.send(frame)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End::Gone),
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::extract::WebSocketUpgrade;
    use axum::routing::get;
    use futures_util::StreamExt;
    use hyper::server::conn::http1;
    use hyper_util::rt::TokioIo;
    use hyper_util::service::TowerToHyperService;
    use serde_json::{Value, json};
    use tokio::io::{DuplexStream, duplex};
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
    use tokio_tungstenite::{WebSocketStream, client_async};

    use super::*;
    use crate::lifecycle::Lifecycle;

    /// Longer than any test takes.
    const LONG: Duration = Duration::from_hours(1);

    /// A client of the feed over a line with room for so many bytes, and how the server's side ends.
    async fn client(
        feed: &Arc<Feed>,
        room: usize,
    ) -> (WebSocketStream<DuplexStream>, UnboundedReceiver<End>) {
        let ((client, server), (ended, end)) = (duplex(room), unbounded_channel());
        let feed = feed.clone();
        let route = get(async move |upgrade: WebSocketUpgrade| {
            upgrade.write_buffer_size(0).on_upgrade(async move |mut socket| {
                let stop = CancellationToken::new();
                let why = tell(&mut socket, &feed, "leading", &stop, || async { true }).await;
                ended.send(why).ok();
            })
        });
        let service = TowerToHyperService::new(Router::new().route("/ws", route));
        let serving = http1::Builder::new().serve_connection(TokioIo::new(server), service).with_upgrades();
        Lifecycle::default().spawn(serving);
        let (socket, _) = client_async("ws://here.test/ws", client).await.unwrap();
        (socket, end)
    }

    /// Waits until the server lets a client go; why, and after how many seconds.
    async fn let_go(end: &mut UnboundedReceiver<End>) -> (End, u64) {
        let began = Instant::now();
        let why = timeout(LONG, end.recv()).await.expect("it ends").expect("it says why");
        (why, began.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_let_go_after_ten_seconds() {
        let feed = Arc::new(Feed::default());
        let (mut socket, mut end) = client(&feed, 1024).await;
        socket.next().await.unwrap().unwrap();
        (0..100).for_each(|count| feed.tell(&Message::EditsRetried { count }));
        assert_eq!(let_go(&mut end).await, (End::Gone, 10));
        let left = async { while let Some(Ok(_)) = socket.next().await {} };
        timeout(LONG, left).await.expect("the connection is closed behind what there was room for");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_answers_no_ping_is_let_go_with_the_first_ping_after_75_seconds() {
        let (_socket, mut end) = client(&Arc::new(Feed::default()), 64 * 1024).await;
        assert_eq!(let_go(&mut end).await, (End::Gone, 90));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_answers_pings_may_listen_for_as_long_as_it_likes() {
        let (mut socket, mut end) = client(&Arc::new(Feed::default()), 1024).await;
        Lifecycle::default().spawn(async move { while let Some(Ok(_)) = socket.next().await {} });
        assert!(timeout(LONG, end.recv()).await.is_err());
    }

    #[tokio::test]
    async fn a_client_that_was_too_slow_is_told_so_and_goes_on_from_there() {
        let feed = Feed::default();
        let (_, mut messages) = feed.join();
        let tell = |count: u64| feed.tell(&Message::EditsRetried { count });
        let mut next =
            async || -> Value { serde_json::from_str(&next(&feed, &mut messages).await.unwrap()).unwrap() };
        tell(1);
        assert_eq!(next().await["sequence"], 1);
        (0..1000).for_each(tell);
        assert_eq!(next().await, json!({"sequence": 1001, "type": "resync", "reason": "too_slow"}));
        tell(7);
        assert_eq!(next().await, json!({"sequence": 1002, "type": "edits_retried", "count": 7}));
    }
}
