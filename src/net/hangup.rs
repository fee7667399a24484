//! Notices that a peer has gone while nobody reads what it sent. It exists because the web server reads a
//! request's body only when asked to, and a sender that waits for receivers is not asked for hours: without
//! this, one that gave up would be taken for waiting. It refuses to read: bytes stay where they are.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use atomic_waker::AtomicWaker;
use socket2::{SockRef, Socket};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Where a request asks its connection for a second handle to the socket. It is made when it is asked for:
/// most requests never do, and each costs a file descriptor. Cheap to clone; all clones are of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch(Arc<Desk>);

#[derive(Debug, Default)]
struct Desk {
    is_wanted: AtomicBool,
    handle: Mutex<Option<io::Result<Socket>>>,
    asker: AtomicWaker,
}

impl Watch {
    /// The connection looks whether it was asked. It is polled whenever the request it serves is.
    pub(super) fn serve(&self, tcp: &TcpStream) {
        if self.0.is_wanted.swap(false, Ordering::AcqRel) {
            *self.handle() = Some(SockRef::from(tcp).try_clone());
            self.0.asker.wake();
        }
    }

    /// Resolves when the peer has closed its side, or is gone; never, where that cannot be known. Await it from
    /// the request's own task alone.
    pub(super) async fn hung_up(&self) {
        if let Ok(socket) = self.ask().await {
            closed(socket).await;
        }
    }

    async fn ask(&self) -> io::Result<Socket> {
        self.0.is_wanted.store(true, Ordering::Release);
        std::future::poll_fn(|cx| {
            self.0.asker.register(cx.waker());
            match self.handle().take() {
                Some(socket) => Poll::Ready(socket),
                None => Poll::Pending,
            }
        })
        .await
    }

    fn handle(&self) -> std::sync::MutexGuard<'_, Option<io::Result<Socket>>> {
        self.0.handle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Resolves when the system says that no more will come. Bytes that come are news too, and not that.
async fn closed(socket: Socket) {
    if let Ok(tcp) = TcpStream::from_std(socket.into()) {
        while let Ok(ready) = tcp.ready(Interest::READABLE).await {
            if ready.is_read_closed() {
                return;
            }
            // Nothing was tried; saying so has the next news waited for.
            let _ = tcp.try_io(Interest::READABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
        }
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (listener.accept().await.unwrap().0, client)
    }

    #[tokio::test]
    async fn a_peer_that_has_gone_is_noticed_behind_bytes_that_nobody_reads() {
        let (server, mut client) = pair().await;
        let watch = Watch::default();
        let watched = watch.clone();
        let waiting = tokio::spawn(async move { watched.hung_up().await });
        while !watch.0.is_wanted.load(Ordering::Acquire) {
            tokio::task::yield_now().await;
        }
        watch.serve(&server);
        client.write_all(&[7; 100_000]).await.unwrap();
        server.readable().await.unwrap();
        assert!(!waiting.is_finished(), "bytes that came were taken for the end");
        drop(client);
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn a_connection_that_nobody_watches_costs_no_second_handle() {
        let (server, _client) = pair().await;
        let watch = Watch::default();
        watch.serve(&server);
        assert!(watch.handle().is_none());
    }
}
