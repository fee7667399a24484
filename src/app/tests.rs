//! How a node leaves, alone and beside others, on real sockets.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use crate::config::Flags;
use crate::gateway::compat::served::{frame, next_text, soon};
use crate::gateway::routing::tests::{Directory, Registry};

/// A node on a free port, and another one that is registered at `other`.
async fn start(drain_timeout: Duration, other: Option<SocketAddr>) -> Server {
    start_serving(drain_timeout, other, None).await
}

async fn start_serving(
    drain_timeout: Duration,
    other: Option<SocketAddr>,
    folder: Option<http::Folder>,
) -> Server {
    let flags = Flags { listen: Some("127.0.0.1:0".to_owned()), config: None, redis: None };
    let mut config = Config::load(&flags, []).unwrap();
    config.server.drain_timeout = drain_timeout;
    config.server.node = Some("a".to_owned());
    let listener = Listener::bind(config.server.listen, net::Options::default()).await.unwrap();
    let address = axum::serve::Listener::local_addr(&listener).unwrap();
    let me = node(&config.server, address);
    let other = other.map(|address| Node {
        id: NodeId(1),
        name: "b".to_owned(),
        peer_url: Some(format!("http://{address}")),
    });
    let registry = Registry::default();
    [Some(me.clone()), other].into_iter().flatten().for_each(|node| registry.add(node));
    let broker = Arc::new(Directory::new(me, registry));
    let means = Means { broker, folder, hooks: Hooks::none(), store: None };
    Server::serve(&config, listener, address, means).unwrap()
}

/// One request on a connection of its own: everything that came back.
async fn ask(to: SocketAddr, path: &str) -> String {
    let mut tcp = TcpStream::connect(to).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    tcp.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(tcp.read_to_string(&mut answer)).await.unwrap();
    answer
}

/// A session by WebSocket whose namespace is connected.
async fn websocket(to: SocketAddr) -> TcpStream {
    let mut tcp = TcpStream::connect(to).await.unwrap();
    let head = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\n\
                upgrade: websocket\r\nsec-websocket-version: 13\r\n\
                sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    tcp.write_all(head.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(tcp.read_u8()).await.unwrap());
    }
    tcp.write_all(&frame("40/rooms,")).await.unwrap();
    while !next_text(&mut tcp).await.starts_with("40/rooms,") {}
    tcp
}

fn close(server: Server) -> (SocketAddr, JoinHandle<()>) {
    let address = server.address();
    (address, tokio::spawn(server.close(std::future::pending())))
}

/// Whether nobody listens there any more.
async fn is_closed(address: SocketAddr) -> bool {
    TcpStream::connect(address).await.is_err()
}

#[tokio::test]
async fn a_node_alone_ends_at_once_when_nothing_is_under_way() {
    let server = start(Duration::from_secs(60), None).await;
    assert!(ask(server.address(), "/readyz").await.contains(r#"{"ready":true}"#));
    let mut client = websocket(server.address()).await;
    let (address, closing) = close(server);
    soon(closing).await.unwrap();
    assert!(is_closed(address).await);
    let _ = soon(client.read_to_end(&mut Vec::new())).await;
}

#[tokio::test]
async fn a_node_beside_others_says_that_it_leaves_and_tells_its_clients_to_move() {
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let server = start(Duration::from_secs(60), Some(other)).await;
    let mut clients = vec![websocket(server.address()).await, websocket(server.address()).await];
    let opened = ask(server.address(), "/socket.io/?EIO=4&transport=polling").await;
    let sid = opened.split_once(r#""sid":""#).unwrap().1.split_once('"').unwrap().0;
    assert!(sid.starts_with("a."), "{opened}");
    let path = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");

    let (address, closing) = close(server);
    while !ask(address, "/readyz").await.starts_with("HTTP/1.1 503") {}
    assert!(ask(address, "/readyz").await.contains(r#"{"ready":false,"reason":"leaving"}"#));
    assert!(ask(address, "/healthz").await.starts_with("HTTP/1.1 200"));
    // The other one does not answer.
    assert!(ask(address, "/socket.io/?EIO=4&transport=polling").await.starts_with("HTTP/1.1 503"));
    assert!(ask(address, &path).await.starts_with("HTTP/1.1 200"), "its sessions are served until they move");
    // The first ping was taken; this one waits, in no namespace yet.
    let waits = ask(address, &path).await;
    assert!(waits.contains("Session ID unknown"), "{waits}");
    for client in &mut clients {
        let ended = soon(client.read_to_end(&mut Vec::new())).await.unwrap_err();
        assert_eq!(ended.kind(), std::io::ErrorKind::ConnectionReset, "without a word of Socket.IO");
    }
    soon(closing).await.unwrap();
    assert!(is_closed(address).await);
}

#[tokio::test]
async fn what_is_under_way_goes_on_until_it_is_done() {
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = start(Duration::from_secs(60), Some(other.local_addr().unwrap())).await;
    let asked = tokio::spawn(ask(server.address(), "/socket.io/?EIO=4&transport=polling&sid=b.X"));
    let (mut behind, _) = other.accept().await.unwrap();
    let (address, closing) = close(server);
    while !ask(address, "/readyz").await.starts_with("HTTP/1.1 503") {}
    // Longer than the clients take to move.
    let moved = Instant::now() + 2 * SPREAD;
    while Instant::now() < moved {
        assert!(ask(address, "/healthz").await.starts_with("HTTP/1.1 200"));
    }
    assert!(!closing.is_finished() && !asked.is_finished());
    behind.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone").await.unwrap();
    assert!(asked.await.unwrap().ends_with("done"));
    soon(closing).await.unwrap();
}

#[tokio::test]
async fn a_node_alone_lets_a_download_from_its_folder_end() {
    const SIZE: usize = 64 << 20;
    let home = tempfile::tempdir().unwrap();
    std::fs::File::create(home.path().join("file")).unwrap().set_len(SIZE as u64).unwrap();
    let folder = http::Folder::open(home.path()).unwrap();
    let server = start_serving(Duration::from_secs(60), None, Some(folder)).await;
    let mut download = TcpStream::connect(server.address()).await.unwrap();
    download.write_all(b"GET /download/file HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut first = [0; 1000];
    soon(download.read_exact(&mut first)).await.unwrap();
    let (address, closing) = close(server);
    while !ask(address, "/readyz").await.starts_with("HTTP/1.1 503") {}
    for _ in 0..100 {
        assert!(ask(address, "/healthz").await.starts_with("HTTP/1.1 200"));
    }
    assert!(!closing.is_finished());
    let mut rest = Vec::new();
    soon(download.read_to_end(&mut rest)).await.unwrap();
    assert!(first.starts_with(b"HTTP/1.1 200") && rest.len() > SIZE - first.len());
    soon(closing).await.unwrap();
    assert!(is_closed(address).await);
}

#[tokio::test]
async fn the_drain_time_out_ends_what_does_not_end_by_itself() {
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = start(Duration::from_millis(200), Some(other.local_addr().unwrap())).await;
    let asked = tokio::spawn(ask(server.address(), "/socket.io/?EIO=4&transport=polling&sid=b.X"));
    let _behind = other.accept().await.unwrap();
    soon(close(server).1).await.unwrap();
    asked.abort();
}

#[tokio::test]
async fn a_second_signal_hurries() {
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = start(Duration::from_secs(600), Some(other.local_addr().unwrap())).await;
    let asked = tokio::spawn(ask(server.address(), "/socket.io/?EIO=4&transport=polling&sid=b.X"));
    let _behind = other.accept().await.unwrap();
    soon(server.close(std::future::ready(()))).await;
    asked.abort();
}
