//! A connection that ends when the other side does not read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// A stream whose writes fail once nothing could be written for a time. Reads wait for as long as they like.
pub(super) struct Impatient<S> {
    stream: S,
    /// Longest nothing is taken.
    patience: Duration,
    /// Set while the other side takes nothing: when that is too long.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> Impatient<S> {
    /// The stream, with so much patience.
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, deadline: None }
    }

    /// What came of an attempt to write, or the end of patience.
    fn judge<T>(&mut self, context: &mut Context<'_>, attempt: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if attempt.is_ready() {
            self.deadline = None;
            return attempt;
        }
        let over = Instant::now() + self.patience;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep_until(over)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answer")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, attempt)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.judge(context, attempt)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Of a socket it has nothing to do, so it says nothing about the other side.
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let attempt = Pin::new(&mut self.stream).poll_shutdown(context);
        self.judge(context, attempt)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::timeout;

    use super::*;

    /// Longer than any test takes.
    const LONG: Duration = Duration::from_hours(1);

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_nothing_is_given_up() {
        let (mut client, server) = duplex(8);
        let mut server = Impatient::new(server, Duration::from_secs(30));
        let began = Instant::now();
        let written = timeout(LONG, server.write_all(&[0; 64])).await.unwrap();
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), 30);
        assert_eq!(client.read(&mut [0; 64]).await.unwrap(), 8, "what there was room for has arrived");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_slowly_is_not() {
        let (mut client, server) = duplex(8);
        let mut server = Impatient::new(server, Duration::from_secs(30));
        let reading = async {
            let mut read = 0;
            while read < 64 {
                tokio::time::sleep(Duration::from_secs(29)).await;
                read += client.read(&mut [0; 8]).await.unwrap();
            }
        };
        let (written, ()) =
            timeout(LONG, async { tokio::join!(server.write_all(&[0; 64]), reading) }).await.unwrap();
        written.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_waits_for_an_answer_may_wait() {
        let (mut client, server) = duplex(8);
        let mut server = Impatient::new(server, Duration::from_secs(30));
        assert!(timeout(Duration::from_mins(10), server.read(&mut [0; 1])).await.is_err());
        client.write_all(&[1]).await.unwrap();
        server.write_all(&[0; 8]).await.unwrap();
    }
}
