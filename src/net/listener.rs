//! Accepts connections for the web server and sets them up. It exists so that a request can name the
//! connection it came on ([`Peer`]); it refuses to decide who may connect.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{extract::connect_info::Connected, serve::IncomingStream};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};

use super::{connection::Connection, hangup::Watch, link::Link, local::unpace, pool::Pool};

/// How long to wait when the system has no room for another connection (out of file descriptors, say):
/// trying again at once would burn a core until others end theirs.
const OUT_OF_ROOM: Duration = Duration::from_secs(1);

/// How accepted connections are set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// `TCP_NODELAY`: small answers leave at once instead of waiting for the peer's acknowledgement.
    /// True as delivered.
    pub nodelay: bool,
    /// `TCP_USER_TIMEOUT` (RFC 5482): how long sent bytes may stay unacknowledged, or the peer's window
    /// closed, before the system ends the connection. Milliseconds are its resolution; `None` leaves
    /// it to the system, which takes around 15 minutes. 60 s as delivered. Note that a download paused in a browser
    /// closes its window: it is ended too, and goes on by its `Range` request. Linux only; elsewhere ignored.
    pub user_timeout: Option<Duration>,
    /// Bytes of one buffer to read ahead into. 256 KiB as delivered.
    pub read_buffer: usize,
    /// The most such buffers for all connections of the listener together; 0 turns reading ahead off.
    /// 64 as delivered.
    pub read_buffers: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodelay: true,
            user_timeout: Some(Duration::from_secs(60)),
            read_buffer: 256 * 1024,
            read_buffers: 64,
        }
    }
}

/// A TCP listener for [`axum::serve`](axum::serve()). Requests carry
/// `ConnectInfo<`[`Peer`]`>` when the router is served with
/// `into_make_service_with_connect_info::<Peer>()`.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    options: Options,
    pool: Arc<Pool>,
}

/// Who is at the other end of a request's connection, and the switch that ends it.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The remote address of the TCP connection: a proxy's, if there is one between.
    pub addr: SocketAddr,
    /// Cuts the connection.
    pub link: Link,
    watch: Watch,
}

impl Peer {
    /// Resolves when the peer has closed its side or is gone, even while bytes that it sent before wait to be
    /// read; never, on systems that do not tell. Await it from within the request alone. Costs a file
    /// descriptor for as long.
    pub async fn hung_up(&self) {
        self.watch.hung_up().await;
    }
}

impl Listener {
    /// Binds and listens.
    ///
    /// # Errors
    /// Those of the system: the address is in use, not ours, or not allowed.
    pub async fn bind(addr: impl ToSocketAddrs, options: Options) -> io::Result<Self> {
        Ok(Self::new(TcpListener::bind(addr).await?, options))
    }

    /// Takes over a socket that already listens.
    pub fn new(tcp: TcpListener, options: Options) -> Self {
        let pool = Pool::new(options.read_buffers, options.read_buffer);
        Self { tcp, options, pool }
    }

    fn set_up(&self, tcp: TcpStream) -> io::Result<Connection> {
        tcp.set_nodelay(self.options.nodelay)?;
        set_user_timeout(&tcp, self.options.user_timeout)?;
        unpace(&tcp);
        Ok(Connection::new(tcp, Arc::clone(&self.pool)))
    }
}

impl axum::serve::Listener for Listener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let error = match self.tcp.accept().await {
                Ok((tcp, addr)) => match self.set_up(tcp) {
                    Ok(connection) => return (connection, addr),
                    // Options can't be set on a connection that is already gone: nobody to serve.
                    Err(error) => {
                        tracing::debug!(%error, "a connection ended before it began");
                        continue;
                    }
                },
                Err(error) => error,
            };
            if !is_the_peers(&error) {
                tracing::error!(%error, "can't accept connections; trying again in {OUT_OF_ROOM:?}");
                tokio::time::sleep(OUT_OF_ROOM).await;
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

impl Connected<IncomingStream<'_, Listener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        Self {
            addr: *stream.remote_addr(),
            link: stream.io().link().clone(),
            watch: stream.io().watch().clone(),
        }
    }
}

/// Errors of one connection in the queue, not of the listener: the next one may be fine.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionRefused | ConnectionAborted | ConnectionReset)
}

#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
fn set_user_timeout(tcp: &TcpStream, timeout: Option<Duration>) -> io::Result<()> {
    SockRef::from(tcp).set_tcp_user_timeout(timeout)
}

#[cfg(not(any(target_os = "android", target_os = "fuchsia", target_os = "linux")))]
fn set_user_timeout(_: &TcpStream, _: Option<Duration>) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::{Router, extract::ConnectInfo, routing::get};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::mpsc,
    };

    use super::*;

    #[tokio::test]
    async fn a_connection_has_the_options_that_were_asked_for() {
        let options = Options { user_timeout: Some(Duration::from_secs(7)), ..Options::default() };
        let mut listener = Listener::bind("127.0.0.1:0", options).await.unwrap();
        let addr = axum::serve::Listener::local_addr(&listener).unwrap();
        let client = TcpStream::connect(addr).await.unwrap();
        let (connection, peer) = axum::serve::Listener::accept(&mut listener).await;
        assert_eq!(peer, client.local_addr().unwrap());
        assert!(connection.tcp().nodelay().unwrap());
        #[cfg(target_os = "linux")]
        assert_eq!(SockRef::from(connection.tcp()).tcp_user_timeout().unwrap(), Some(Duration::from_secs(7)));
    }

    #[tokio::test]
    async fn a_request_names_its_peer_and_its_link_ends_the_connection() {
        let listener = Listener::bind("127.0.0.1:0", Options::default()).await.unwrap();
        let addr = axum::serve::Listener::local_addr(&listener).unwrap();
        let (seen, mut peers) = mpsc::unbounded_channel();
        let router = Router::new().route(
            "/",
            get(move |ConnectInfo(peer): ConnectInfo<Peer>| {
                let seen = seen.clone();
                async move {
                    seen.send(peer).unwrap();
                    std::future::pending::<()>().await;
                }
            }),
        );
        let service = router.into_make_service_with_connect_info::<Peer>();
        let server = tokio::spawn(async move { axum::serve(listener, service).await });

        let mut client = TcpStream::connect(addr).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let peer = peers.recv().await.unwrap();
        assert_eq!(peer.addr, client.local_addr().unwrap());
        assert!(peer.link.is_open());
        peer.link.cut();
        let ended = client.read(&mut [0; 16]).await.unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::ConnectionReset);
        server.abort();
    }
}
