//! One TCP connection as the web server sees it. It exists to put two things under every protocol above:
//! a kill switch, and big reads for callers that ask for a few KiB at a time (a WebSocket reader takes
//! 4 KiB, 64 system calls for one chunk). It refuses to hold a buffer while nothing is waiting in it.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    task::coop,
};

use super::{
    hangup::Watch,
    link::{Link, Side},
    pool::{Loan, Pool},
};

/// A TCP connection that can be cut through its [`Link`], and that reads ahead while its peer sends much.
#[derive(Debug)]
pub struct Connection {
    tcp: TcpStream,
    link: Link,
    watch: Watch,
    pool: Arc<Pool>,
    reading: Reading,
}

#[derive(Debug)]
enum Reading {
    /// Straight into the caller's buffer: what came last did not fill it.
    Direct,
    /// The last read left more behind, so the next one asks for a buffer of the pool.
    Big,
    /// Bytes read ahead, handed on before the socket is asked again.
    Ahead(Loan),
}

impl Connection {
    pub(super) fn new(tcp: TcpStream, pool: Arc<Pool>) -> Self {
        Self { tcp, link: Link::new(), watch: Watch::default(), pool, reading: Reading::Direct }
    }

    /// The handle that can cut this connection.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Where it can be asked whether the peer is still there.
    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }

    #[cfg(test)]
    pub(super) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    fn read_direct(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.tcp).poll_read(cx, buf);
        if outcome.is_ready() {
            self.reading = if buf.remaining() == 0 { Reading::Big } else { Reading::Direct };
        }
        outcome
    }

    fn read_big(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(mut loan) = self.pool.lend() else {
            return self.read_direct(cx, buf);
        };
        let tcp = Pin::new(&mut self.tcp);
        ready!(loan.fill(|ahead| tcp.poll_read(cx, ahead)))?;
        loan.pour(buf);
        self.reading = if loan.len() > 0 { Reading::Ahead(loan) } else { Reading::Direct };
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        me.link.check()?;
        let outcome = match &mut me.reading {
            Reading::Ahead(loan) => {
                // Memory is always ready: without this a fast sender would keep its worker to itself.
                let budget = ready!(coop::poll_proceed(cx));
                budget.made_progress();
                loan.pour(buf);
                if loan.len() == 0 {
                    me.reading = Reading::Big;
                }
                return Poll::Ready(Ok(()));
            }
            Reading::Big if buf.remaining() < me.pool.buffer_size() => me.read_big(cx, buf),
            Reading::Big | Reading::Direct => me.read_direct(cx, buf),
        };
        match outcome {
            Poll::Pending => me.link.wait(Side::Reader, cx),
            done => done,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let me = self.get_mut();
        me.link.check()?;
        match Pin::new(&mut me.tcp).poll_write(cx, buf) {
            Poll::Pending => me.link.wait(Side::Writer, cx),
            done => done,
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let me = self.get_mut();
        me.link.check()?;
        match Pin::new(&mut me.tcp).poll_write_vectored(cx, bufs) {
            Poll::Pending => me.link.wait(Side::Writer, cx),
            done => done,
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        me.link.check()?;
        // The web server flushes whenever it has looked after a request.
        me.watch.serve(&me.tcp);
        Pin::new(&mut me.tcp).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        me.link.check()?;
        Pin::new(&mut me.tcp).poll_shutdown(cx)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.link.is_cut() {
            // A reset frees at once what the kernel still holds for a peer that does not read. If it
            // can't be set the close is an orderly one, and TCP's own time-outs end it.
            let _ = SockRef::from(&self.tcp).set_linger(Some(Duration::ZERO));
        }
        self.link.closed();
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use rand::{Rng, RngExt, SeedableRng, rngs::SmallRng};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        task::yield_now,
    };

    use super::*;

    const KIB: usize = 1024;

    async fn pair(pool: &Arc<Pool>) -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        (Connection::new(server, Arc::clone(pool)), client)
    }

    fn noise(length: usize, seed: u64) -> Vec<u8> {
        let mut bytes = vec![0; length];
        SmallRng::seed_from_u64(seed).fill_bytes(&mut bytes);
        bytes
    }

    /// Reads with buffers of random small sizes until the peer closes, and returns all bytes and the
    /// most buffers that were out at a time.
    async fn read_in_bits(connection: &mut Connection, pool: &Arc<Pool>, seed: u64) -> (Vec<u8>, usize) {
        let mut random = SmallRng::seed_from_u64(seed);
        let (mut all, mut most, mut bit) = (Vec::new(), 0, vec![0; 4 * KIB]);
        loop {
            let size = random.random_range(1..=4 * KIB);
            let count = connection.read(&mut bit[..size]).await.unwrap();
            most = most.max(pool.lent());
            if count == 0 {
                return (all, most);
            }
            all.extend_from_slice(&bit[..count]);
        }
    }

    #[tokio::test]
    async fn bytes_arrive_exactly_however_small_the_reads_are() {
        for seed in 0..4 {
            let pool = Pool::new(4, 64 * KIB);
            let (mut connection, mut client) = pair(&pool).await;
            let sent = noise(3_000_000, seed);
            let copy = sent.clone();
            let sender = tokio::spawn(async move {
                let mut random = SmallRng::seed_from_u64(seed + 100);
                let mut rest = &copy[..];
                while !rest.is_empty() {
                    let (now, later) = rest.split_at(random.random_range(1..=200 * KIB).min(rest.len()));
                    client.write_all(now).await.unwrap();
                    yield_now().await;
                    rest = later;
                }
            });
            let (received, most) = read_in_bits(&mut connection, &pool, seed).await;
            sender.await.unwrap();
            assert!(received == sent, "bytes differ (seed {seed})");
            assert_eq!(most, 1, "it never read ahead, so the test proves nothing");
            assert_eq!(pool.lent(), 0);
        }
    }

    #[tokio::test]
    async fn bytes_arrive_exactly_when_no_buffer_is_left() {
        let pool = Pool::new(0, 64 * KIB);
        let (mut connection, mut client) = pair(&pool).await;
        let sent = noise(1_000_000, 7);
        let copy = sent.clone();
        let sender = tokio::spawn(async move { client.write_all(&copy).await.unwrap() });
        let (received, _) = read_in_bits(&mut connection, &pool, 7).await;
        sender.await.unwrap();
        assert!(received == sent);
    }

    #[tokio::test]
    async fn an_idle_connection_holds_no_buffer() {
        let pool = Pool::new(4, 64 * KIB);
        let (mut connection, mut client) = pair(&pool).await;
        let mut bit = [0; KIB];
        client.write_all(&noise(100 * KIB, 1)).await.unwrap();
        let mut received = 0;
        let mut held = false;
        while received < 100 * KIB {
            received += connection.read(&mut bit).await.unwrap();
            held |= pool.lent() == 1;
        }
        assert!(held, "it never read ahead, so the test proves nothing");
        assert_eq!(pool.lent(), 0, "all is handed on, the buffer is still out");

        assert!(poll_once(&mut connection).is_pending());
        assert_eq!(pool.lent(), 0, "a reader that waits holds a buffer");
    }

    /// Polls one small read, with a waker that does nothing.
    fn poll_once(connection: &mut Connection) -> Poll<io::Result<()>> {
        let mut bytes = [0; 16];
        let mut cx = Context::from_waker(std::task::Waker::noop());
        Pin::new(connection).poll_read(&mut cx, &mut ReadBuf::new(&mut bytes))
    }

    #[tokio::test]
    async fn a_dropped_connection_gives_its_buffer_back() {
        let pool = Pool::new(4, 64 * KIB);
        let (mut connection, mut client) = pair(&pool).await;
        client.write_all(&noise(50 * KIB, 1)).await.unwrap();
        let mut bit = [0; 16];
        while pool.lent() == 0 {
            connection.read_exact(&mut bit).await.unwrap();
        }
        drop(connection);
        assert_eq!(pool.lent(), 0);
    }

    /// What a task that must end now came to: a test fails instead of hanging.
    async fn soon<T>(task: tokio::task::JoinHandle<T>) -> T {
        let ended = tokio::time::timeout(Duration::from_secs(10), task).await;
        ended.expect("nobody woke it").unwrap()
    }

    #[tokio::test]
    async fn a_cut_link_wakes_a_blocked_reader_and_the_peer_sees_a_reset() {
        let pool = Pool::new(4, 64 * KIB);
        let (mut connection, mut client) = pair(&pool).await;
        let link = connection.link().clone();
        let reader = tokio::spawn(async move { connection.read(&mut [0; 16]).await });
        yield_now().await;
        assert!(!reader.is_finished() && link.is_open());
        link.cut();
        assert!(link.is_cut() && !link.is_open());
        assert_eq!(soon(reader).await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
        assert_eq!(client.read(&mut [0; 16]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert!(link.is_cut(), "a cut connection stays known as cut once it is gone");
    }

    #[tokio::test]
    async fn a_cut_link_wakes_a_blocked_writer_whose_peer_reads_nothing() {
        let pool = Pool::new(4, 64 * KIB);
        let (mut connection, client) = pair(&pool).await;
        let link = connection.link().clone();
        let (full, blocked) = tokio::sync::oneshot::channel();
        let writer = tokio::spawn(async move {
            let block = vec![0; 256 * KIB];
            let mut full = Some(full);
            let write = std::future::poll_fn(|cx| {
                loop {
                    match ready_or_note(Pin::new(&mut connection).poll_write(cx, &block), &mut full) {
                        Poll::Ready(Ok(_)) => {}
                        other => return other,
                    }
                }
            });
            write.await
        });
        blocked.await.unwrap();
        link.cut();
        assert_eq!(soon(writer).await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
        drop(client);
    }

    /// Tells the test the first time a write has to wait.
    fn ready_or_note<T>(outcome: Poll<T>, full: &mut Option<tokio::sync::oneshot::Sender<()>>) -> Poll<T> {
        if outcome.is_pending()
            && let Some(full) = full.take()
        {
            full.send(()).unwrap();
        }
        outcome
    }

    #[tokio::test]
    async fn nothing_is_read_or_written_after_the_cut_even_if_it_is_at_hand() {
        let pool = Pool::new(4, 64 * KIB);
        let (mut connection, mut client) = pair(&pool).await;
        client.write_all(&noise(50 * KIB, 1)).await.unwrap();
        let mut bit = [0; 16];
        while pool.lent() == 0 {
            connection.read_exact(&mut bit).await.unwrap();
        }
        connection.link().cut();
        assert_eq!(connection.read(&mut bit).await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
        assert_eq!(connection.write(b"x").await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
        assert_eq!(connection.flush().await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
    }

    #[tokio::test]
    async fn a_link_knows_that_its_connection_is_gone() {
        let pool = Pool::new(4, 64 * KIB);
        let (connection, _client) = pair(&pool).await;
        let link = connection.link().clone();
        drop(connection);
        assert!(!link.is_open() && !link.is_cut());
        link.cut();
        assert!(!link.is_cut(), "there was nothing left to cut");
    }

    #[tokio::test]
    async fn a_sender_that_never_pauses_leaves_its_worker_to_others_now_and_then() {
        let pool = Pool::new(4, 256 * KIB);
        let (mut connection, mut client) = pair(&pool).await;
        let mut bit = [0; 1];
        client.write_all(&noise(100 * KIB, 1)).await.unwrap();
        while pool.lent() == 0 {
            connection.read_exact(&mut bit).await.unwrap();
        }
        // One worker, and a reader that always finds bytes in memory: the other task must get a turn.
        let other = tokio::spawn(async {});
        let mut turns = 0;
        while !other.is_finished() {
            connection.read_exact(&mut bit).await.unwrap();
            turns += 1;
            assert!(turns < 10_000, "the reader never yielded");
        }
    }
}
