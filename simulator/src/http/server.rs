//! Sockets: accepting, answering, and breaking connections on purpose.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::http::gate::{self, Outcome};
use crate::http::reply::{Payload, Reply};
use crate::live;
use crate::simulator::Simulator;
use crate::webhooks;

/// How long a torn answer waits before it breaks, so that its first half is on the wire.
const TEAR_AFTER: Duration = Duration::from_millis(30);

/// How long requests in hand may take when the server stops.
const GRACE: Duration = Duration::from_secs(2);

/// Longest request head, in bytes: a list of all property names fits several times, so that 414 is ours to say.
const LARGEST_HEAD: usize = 256 * 1024;

/// The body of an answer.
type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// A running simulator.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    address: SocketAddr,
    /// The account and everything around it.
    simulator: Arc<Simulator>,
    /// Ends everything.
    stop: CancellationToken,
    /// Everything that runs.
    tasks: TaskTracker,
}

impl Server {
    /// Starts a simulator on the loopback address.
    ///
    /// # Errors
    /// The port is taken or the state file cannot be used.
    pub async fn start(config: Config) -> Result<Self> {
        let port = config.port;
        let simulator = Arc::new(Simulator::new(config)?);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .with_context(|| format!("cannot listen on 127.0.0.1:{port}"))?;
        let address = listener.local_addr().context("a bound socket has an address")?;
        let server = Self { address, simulator, stop: CancellationToken::new(), tasks: TaskTracker::new() };
        server.tasks.spawn(accept(
            listener,
            Arc::clone(&server.simulator),
            server.stop.clone(),
            server.tasks.clone(),
        ));
        server.tasks.spawn(live::run(Arc::clone(&server.simulator), server.stop.clone()));
        let (simulator, stop) = (Arc::clone(&server.simulator), server.stop.clone());
        server.tasks.spawn(webhooks::run(simulator, stop, server.tasks.clone()));
        Ok(server)
    }

    /// The address to give to clients, without a final slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The account and everything around it.
    pub fn simulator(&self) -> &Arc<Simulator> {
        &self.simulator
    }

    /// Stops accepting, lets requests in hand finish for a moment, then closes everything.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        // Whoever still hangs is meant to: a client that waits for an answer that never comes.
        let _ = tokio::time::timeout(GRACE, self.tasks.wait()).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Accepts connections until the server stops.
async fn accept(
    listener: TcpListener,
    simulator: Arc<Simulator>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                tasks.spawn(serve(stream, Arc::clone(&simulator), stop.clone()));
            }
            Err(error) => {
                // Out of file descriptors, most likely: others have to close first.
                tracing::warn!(%error, "Cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Serves one connection until it ends, the server stops, or an answer breaks it.
async fn serve(stream: TcpStream, simulator: Arc<Simulator>, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let reset = CancellationToken::new();
    let service = service_fn(|request: Request<Incoming>| {
        let (simulator, reset) = (Arc::clone(&simulator), reset.clone());
        async move { answer(&simulator, request, &reset).await }
    });
    let mut connection =
        http1::Builder::new().max_buf_size(LARGEST_HEAD).serve_connection(TokioIo::new(stream), service);
    let mut is_stopping = false;
    loop {
        tokio::select! {
            biased;
            () = reset.cancelled() => {
                let stream = connection.into_parts().io.into_inner();
                // Without lingering, closing sends a reset instead of an orderly end.
                let _ = stream.set_zero_linger();
                return;
            }
            () = stop.cancelled(), if !is_stopping => {
                is_stopping = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
            result = &mut connection => {
                if let Err(error) = result {
                    tracing::debug!(%error, "Connection ended early");
                }
                return;
            }
        }
    }
}

/// Answers one request, or breaks the connection instead.
async fn answer(
    simulator: &Arc<Simulator>,
    request: Request<Incoming>,
    reset: &CancellationToken,
) -> Result<Response<Body>, Infallible> {
    match gate::handle(simulator, request).await {
        Outcome::Answer(reply) => Ok(response(reply, false)),
        Outcome::Torn(reply) => Ok(response(reply, true)),
        Outcome::Reset => {
            reset.cancel();
            std::future::pending().await
        }
    }
}

/// Turns a reply into what hyper sends.
fn response(reply: Reply, torn: bool) -> Response<Body> {
    let mut builder = Response::builder()
        .status(reply.status)
        .header(CONTENT_TYPE, reply.content_type)
        .header("x-hubspot-correlation-id", reply.correlation_id.to_string());
    for (name, value) in reply.headers {
        builder = builder.header(name, value);
    }
    let body = match reply.payload {
        Payload::Whole(bytes) if torn => {
            builder = builder.header(CONTENT_LENGTH, bytes.len());
            torn_body(bytes)
        }
        Payload::Whole(bytes) => Full::new(bytes).map_err(|never| match never {}).boxed_unsync(),
        Payload::Stream(pieces) => StreamBody::new(pieces.map(|piece| Ok(Frame::data(piece)))).boxed_unsync(),
    };
    builder.body(body).expect("statuses and headers come from this program and are valid")
}

/// The first half of a body, then an end that comes too early.
fn torn_body(mut bytes: Bytes) -> Body {
    bytes.truncate(bytes.len() / 2);
    let first = stream::once(async move { Ok(Frame::data(bytes)) });
    let tear = stream::once(async {
        tokio::time::sleep(TEAR_AFTER).await;
        Err(std::io::Error::other("torn on purpose"))
    });
    StreamBody::new(first.chain(tear)).boxed_unsync()
}
