//! The layers before a real Socket.IO service on a real socket, spoken to in bytes.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, body::Bytes};
use socketioxide::{
    SocketIo,
    extract::{Data, SocketRef},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    task::JoinHandle,
};
use tower::ServiceBuilder;

use super::*;
use crate::net::{Listener, Options, Peer};

/// A server that sends back what an `echo` brings.
struct Server {
    addr: SocketAddr,
    links: Links,
    events: mpsc::UnboundedReceiver<Event>,
    task: JoinHandle<()>,
}

enum Event {
    Joined(SocketRef),
    Left,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start() -> Self {
        let (layer, io) = SocketIo::new_layer();
        let (tell, events) = mpsc::unbounded_channel();
        io.ns("/", move |socket: SocketRef| {
            socket.on("echo", |socket: SocketRef, Data(bytes): Data<Bytes>| {
                socket.emit("echo", &bytes).unwrap();
                std::future::ready(())
            });
            let left = tell.clone();
            socket.on_disconnect(move || {
                left.send(Event::Left).unwrap();
                std::future::ready(())
            });
            tell.send(Event::Joined(socket)).unwrap();
            std::future::ready(())
        });
        let links = Links::default();
        let layers =
            ServiceBuilder::new().layer(LinkLayer::new(links.clone())).layer(super::layer()).layer(layer);
        let router = Router::new().layer(layers).into_make_service_with_connect_info::<Peer>();
        let listener = Listener::bind("127.0.0.1:0", Options::default()).await.unwrap();
        let addr = axum::serve::Listener::local_addr(&listener).unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { addr, links, events, task }
    }

    /// One request on a connection of its own: status and body.
    async fn ask(&self, query: &str, post: Option<(&str, &[u8])>) -> (u16, String) {
        let mut tcp = self.send(query, post, "connection: close").await;
        let mut answer = Vec::new();
        soon(tcp.read_to_end(&mut answer)).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        assert_eq!(length.parse::<usize>().unwrap(), body.len());
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    async fn send(&self, query: &str, post: Option<(&str, &[u8])>, header: &str) -> TcpStream {
        let method = if post.is_some() { "POST" } else { "GET" };
        let (kind, body) = post.unwrap_or_default();
        let head = format!(
            "{method} /socket.io/?{query} HTTP/1.1\r\nhost: localhost\r\n{header}\r\n\
             content-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut tcp = TcpStream::connect(self.addr).await.unwrap();
        tcp.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
        tcp
    }

    /// Opens a polling session, connects to the namespace, and takes what the service says at once: that
    /// it is connected, and in Engine.IO 4 the first ping, together or not.
    async fn open_polling(&mut self, version: u8) -> (String, SocketRef) {
        let (status, open) = self.ask(&format!("EIO={version}&transport=polling"), None).await;
        assert_eq!(status, 200);
        let sid = open.split_once(r#""sid":""#).unwrap().1[..16].to_owned();
        let query = session(version, &sid);
        if version == 4 {
            self.ask(&query, Some(("text/plain", b"40"))).await;
        }
        let (mut connected, mut pinged) = (false, version == 3);
        while !(connected && pinged) {
            let (_, said) = self.ask(&query, None).await;
            connected |= said.contains("40");
            pinged |= said.split('\x1e').any(|packet| packet == "2");
        }
        (sid, self.joined().await)
    }

    /// Opens a WebSocket and returns it after its handshake.
    async fn open_websocket(&self, query: &str) -> TcpStream {
        let header = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                      sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==";
        let mut tcp = self.send(query, None, header).await;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon(tcp.read_u8()).await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        tcp
    }

    async fn joined(&mut self) -> SocketRef {
        match soon(self.events.recv()).await {
            Some(Event::Joined(socket)) => socket,
            _ => panic!("it left"),
        }
    }

    async fn left(&mut self) {
        assert!(matches!(soon(self.events.recv()).await, Some(Event::Left)));
    }
}

/// A test fails instead of hanging.
pub(crate) async fn soon<F: Future>(wait: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(10), wait).await.expect("it never came")
}

fn session(version: u8, sid: &str) -> String {
    format!("EIO={version}&transport=polling&sid={sid}")
}

/// A text frame as a client sends it, masked with zeros.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    [&[0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0], text.as_bytes()].concat()
}

/// The payload of the next short text frame.
pub(crate) async fn next_text(tcp: &mut TcpStream) -> String {
    let mut head = [0; 2];
    soon(tcp.read_exact(&mut head)).await.unwrap();
    assert_eq!(head[0], 0x81);
    let length = match head[1] {
        126 => usize::from(tcp.read_u16().await.unwrap()),
        short => usize::from(short),
    };
    let mut text = vec![0; length];
    soon(tcp.read_exact(&mut text)).await.unwrap();
    String::from_utf8(text).unwrap()
}

/// Frames come until the connection ends: by a reset, as a cut is.
pub(crate) async fn until_reset(tcp: &mut TcpStream) {
    let mut rest = Vec::new();
    let ended = soon(tcp.read_to_end(&mut rest)).await.unwrap_err();
    assert_eq!(ended.kind(), std::io::ErrorKind::ConnectionReset);
}

pub(crate) fn unknown() -> (u16, String) {
    (400, r#"{"code":1,"message":"Session ID unknown"}"#.to_owned())
}

/// What an Engine.IO 3 client's polling brings for an echoed `0xe0, 1, 2, 3, 4`, whose base64 begins
/// with a 4, and for nothing at all.
const ECHOES: &str = concat!(
    r#"42:451-["echo",{"_placeholder":true,"num":0}]"#,
    "10:b44AECAwQ=",
    r#"42:451-["echo",{"_placeholder":true,"num":0}]"#,
    "2:b4"
);

#[tokio::test]
async fn binary_comes_to_engine_io_3_by_polling_as_its_clients_read_it() {
    let mut server = Server::start().await;
    let (sid, _) = server.open_polling(3).await;
    let query = session(3, &sid);
    let sent = server.ask(&query, Some(("text/plain;charset=UTF-8", ECHOES.as_bytes()))).await;
    assert_eq!(sent, (200, "ok".to_owned()));
    assert_eq!(server.ask(&query, None).await, (200, ECHOES.to_owned()));
}

#[tokio::test]
async fn binary_payloads_from_engine_io_3_arrive_exactly() {
    let mut server = Server::start().await;
    let (sid, _) = server.open_polling(3).await;
    let query = session(3, &sid);
    let event = br#"451-["echo",{"_placeholder":true,"num":0}]"#;
    let payload = [&[0, 4, 2, 0xff], &event[..], &[1, 6, 0xff, 4, 0xe0, 1, 2, 3, 4]].concat();
    let sent = server.ask(&query, Some(("application/octet-stream", &payload))).await;
    assert_eq!(sent, (200, "ok".to_owned()));
    let (_, echo) = server.ask(&query, None).await;
    assert!(ECHOES.starts_with(&echo) && echo.ends_with("10:b44AECAwQ="), "{echo}");
}

#[tokio::test]
async fn binary_by_polling_of_engine_io_4_passes_untouched() {
    let mut server = Server::start().await;
    let (sid, _) = server.open_polling(4).await;
    let query = session(4, &sid);
    let echo = "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]\x1eb4AECAwQ=";
    server.ask(&query, Some(("text/plain", echo.as_bytes()))).await;
    assert_eq!(server.ask(&query, None).await, (200, echo.to_owned()));
}

#[tokio::test]
async fn cutting_a_polling_session_answers_its_poll_and_all_later_requests_with_unknown_session() {
    for version in [3, 4] {
        let mut server = Server::start().await;
        let (sid, socket) = server.open_polling(version).await;
        let query = session(version, &sid);
        let (answer, ()) = tokio::join!(server.ask(&query, None), async {
            while server.links.is_empty() {
                tokio::task::yield_now().await;
            }
            server.links.cut_session(&sid, socket.req_parts());
        });
        assert_eq!(answer, unknown());
        server.left().await;
        let post = server.ask(&query, Some(("text/plain", b"2"))).await;
        assert_eq!((post, server.ask(&query, None).await), (unknown(), unknown()));
        server.links.forget(&sid);
        assert!(server.links.is_empty());
    }
}

#[tokio::test]
async fn a_session_cut_between_two_polls_ends_at_the_next() {
    let mut server = Server::start().await;
    let (sid, _) = server.open_polling(4).await;
    assert!(server.links.is_empty(), "a session that asks nothing has an entry");
    server.links.cut(&sid);
    assert_eq!(server.ask(&session(4, &sid), None).await, unknown());
    server.left().await;
}

#[tokio::test]
async fn cutting_an_upgraded_session_cuts_the_connection_it_moved_to() {
    let mut server = Server::start().await;
    let (sid, socket) = server.open_polling(4).await;
    let mut websocket = server.open_websocket(&format!("EIO=4&transport=websocket&sid={sid}")).await;
    websocket.write_all(&frame("2probe")).await.unwrap();
    assert_eq!(next_text(&mut websocket).await, "3probe");
    websocket.write_all(&frame("5")).await.unwrap();
    socket.emit("hello", "you").unwrap();
    while next_text(&mut websocket).await != r#"42["hello","you"]"# {}

    server.links.cut_session(&sid, socket.req_parts());
    until_reset(&mut websocket).await;
    server.left().await;
    server.links.forget(&sid);
    assert!(server.links.is_empty());
}

#[tokio::test]
async fn a_session_that_began_as_a_websocket_is_cut_by_the_connection_of_its_handshake() {
    let mut server = Server::start().await;
    let mut websocket = server.open_websocket("EIO=4&transport=websocket").await;
    websocket.write_all(&frame("40")).await.unwrap();
    let socket = server.joined().await;
    server.links.cut_session(socket.id.as_str(), socket.req_parts());
    until_reset(&mut websocket).await;
    server.left().await;
    assert!(server.links.is_empty());
}

#[tokio::test]
async fn a_cut_session_gets_no_websocket() {
    let mut server = Server::start().await;
    let (sid, _) = server.open_polling(4).await;
    server.links.cut(&sid);
    let query = format!("EIO=4&transport=websocket&sid={sid}");
    assert_eq!(server.ask(&query, None).await, unknown());
}

#[tokio::test]
async fn requests_for_sessions_that_never_were_leave_nothing_behind() {
    let server = Server::start().await;
    let (status, _) = server.ask(&session(4, "AAAAAAAAAAAAAAAA"), None).await;
    assert_eq!(status, 400);
    let long = "A".repeat(5000);
    assert_eq!(server.ask(&session(4, &long), None).await.0, 400);
    assert!(server.links.is_empty());
}
