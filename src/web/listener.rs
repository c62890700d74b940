//! Connections: accepted up to a number, given a time for their head and for reading answers, and ended well when the
//! process stops. One that has become a WebSocket is counted there (`live`) and not here.

mod impatient;

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use self::impatient::Impatient;
use super::client::Client;
use crate::lifecycle::Lifecycle;

/// Pause between two attempts to listen, and after a connection that could not be accepted.
const PAUSE: Duration = Duration::from_secs(2);
/// Most connections at a time; further ones wait in the queue of the kernel.
const CONNECTIONS: usize = 512;
/// Open files that are enough for all connections, those that have become WebSockets, and everything else.
const FILES: u64 = 4096;
/// Longest a client may take for the head of a request; one that rests between two requests is let go as well.
const HEAD: Duration = Duration::from_secs(30);
/// Most bytes of a head.
const HEAD_BYTES: usize = 64 * 1024;
/// Longest a client may take for the next bytes of an answer.
const READ: Duration = Duration::from_secs(30);
/// Longest a stop waits for requests under way.
const FAREWELL: Duration = Duration::from_secs(10);

/// Listens at the address, as soon as that is possible: another process may just be giving it up, and syncing does not
/// depend on it. `None` when the process stops before.
pub(super) async fn bind(address: SocketAddr, stop: &CancellationToken) -> Option<TcpListener> {
    let mut waited = false;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return Some(listener),
            Err(error) if !waited => {
                warn!(
                    "Cannot listen on {address}, trying again until it works; syncing goes on meanwhile: {error}"
                );
                waited = true;
            }
            Err(error) => debug!("Cannot listen on {address}: {error}"),
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Makes room for that many files, as far as the process may: 1,024 are usual, and every connection is one.
fn make_room() {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(FILES, |maximum| maximum.min(FILES));
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(wanted);
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            debug!("No room for more open files: {error}");
        }
    }
}

/// Answers requests until the process stops.
pub(super) async fn serve(listener: TcpListener, router: Router, stop: &CancellationToken) {
    make_room();
    // Dropped at the end: a client that does not read its answer does not hold up a stop.
    let mut connections = FuturesUnordered::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(()) = connections.next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, peer)) => {
                    connections.push(answer(stream, peer.ip(), router.clone(), stop.clone()));
                }
                // Out of descriptors, as a rule: others have to be closed first.
                Err(error) => {
                    warn!("Cannot accept a connection: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let all_ended = async { while connections.next().await.is_some() {} };
    if tokio::time::timeout(FAREWELL, all_ended).await.is_err() {
        info!("{} connection(s) are cut off: their requests take too long", connections.len());
    }
}

/// Answers the requests of a connection, in a task of its own that ends with the future. Once the process stops it answers
/// the one under way.
fn answer(
    stream: TcpStream,
    peer: IpAddr,
    router: Router,
    stop: CancellationToken,
) -> impl Future<Output = ()> {
    let service = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let client = Client::of(peer, request.headers());
        request.extensions_mut().insert(client);
        service.call(request)
    });
    let handle = Lifecycle::spawn_attached(async move {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(Impatient::new(stream, READ)), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        // A client that goes away or talks nonsense is its own business.
        if let Err(error) = ended {
            debug!("A connection ended: {error}");
        }
    });
    async move {
        handle.await.ok();
    }
}
