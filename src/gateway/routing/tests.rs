//! Nodes side by side on real sockets: what one hands on to another, and what it never does.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use axum::extract::State;
use axum::routing::any;
use axum::{Router, serve};
use http::{HeaderMap, Method};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use socketioxide::SocketIo;
use socketioxide::extract::{Data, SocketRef};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tower::ServiceBuilder;

use super::super::compat::served::{frame, next_text, soon};
use super::super::compat::{self, LinkLayer, Links};
use super::*;
use crate::broker::{Away, Delivery, Full, Heard, Key, NotAppended, Position, Record, Story, Written};
use crate::net::{self, Listener, Peer};
use crate::protocol::RoomId;
use crate::protocol::node::{Frame, Node, NodeId};

const MIB: usize = 1 << 20;

/// The nodes that live, as all brokers of a test know them.
#[derive(Clone, Default)]
pub(crate) struct Registry {
    nodes: Arc<Mutex<Vec<Node>>>,
    leaving: Arc<Mutex<Vec<NodeId>>>,
}

impl Registry {
    pub(crate) fn add(&self, node: Node) {
        self.nodes.lock().unwrap().push(node);
    }

    fn remove(&self, name: &str) {
        self.nodes.lock().unwrap().retain(|node| node.name != name);
    }

    fn leaves(&self, name: &str) {
        let nodes = self.nodes.lock().unwrap();
        let ids = nodes.iter().filter(|node| node.name == name).map(|node| node.id);
        self.leaving.lock().unwrap().extend(ids);
    }
}

/// A broker that knows nodes and nothing else.
pub(crate) struct Directory {
    me: Node,
    registry: Registry,
}

impl Directory {
    pub(crate) fn new(me: Node, registry: Registry) -> Self {
        Self { me, registry }
    }
}

#[async_trait]
impl Broker for Directory {
    fn me(&self) -> &Node {
        &self.me
    }
    fn nodes(&self) -> Arc<[Node]> {
        self.registry.nodes.lock().unwrap().clone().into()
    }
    fn is_there(&self) -> bool {
        true
    }
    fn inbox(&self) -> Option<mpsc::Receiver<Delivery>> {
        None
    }
    fn post(&self, _: NodeId, _: Frame) -> Result<(), Full> {
        Ok(())
    }
    fn post_all(&self, _: Frame) {}
    async fn read(&self, _: &Key) -> Result<Option<Record>, Away> {
        Err(Away)
    }
    async fn write(&self, _: &Key, _: u64, _: Record, _: Duration) -> Result<Written, Away> {
        Err(Away)
    }
    async fn remove(&self, _: &Key, _: u64) -> Result<(), Away> {
        Err(Away)
    }
    async fn follow(&self, _: &RoomId, _: Duration) -> Result<(Story, mpsc::Receiver<Heard>), Away> {
        Err(Away)
    }
    async fn append(&self, _: &RoomId, _: u64, _: Vec<bytes::Bytes>, _: Duration) -> Result<(), NotAppended> {
        Err(NotAppended::Away)
    }
    async fn compact(
        &self,
        _: &RoomId,
        _: Position,
        _: bytes::Bytes,
        _: Duration,
    ) -> Result<(), NotAppended> {
        Err(NotAppended::Away)
    }
    async fn seed(&self, _: &RoomId, _: u64, _: bytes::Bytes, _: Duration) -> Result<(), Away> {
        Err(Away)
    }
    async fn leave(&self) {}
    fn leaving(&self) -> Vec<NodeId> {
        self.registry.leaving.lock().unwrap().clone()
    }

    async fn close(&self) {}
}

/// A task that ends with the test.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A node: the layers, and a service that sends back what an `echo` brings.
struct TestNode {
    address: SocketAddr,
    links: Links,
    routing: Routing,
    leaving: CancellationToken,
    task: Option<Task>,
}

fn options() -> Options {
    let (connect, answer) = (Duration::from_secs(1), Duration::from_secs(60));
    Options { connect, answer, unheard: Duration::ZERO, spread: Duration::from_millis(50) }
}

fn register(registry: &Registry, name: &str, address: SocketAddr) -> Node {
    let id = NodeId(rand::random());
    let node = Node { id, name: name.to_owned(), peer_url: Some(format!("http://{address}")) };
    registry.add(node.clone());
    node
}

impl TestNode {
    async fn start(name: &str, registry: &Registry) -> Self {
        Self::start_with(name, registry, options()).await
    }

    async fn start_with(name: &str, registry: &Registry, options: Options) -> Self {
        let (socket_io, io) = SocketIo::builder().ping_interval(Duration::from_secs(25)).build_layer();
        io.ns("/", |socket: SocketRef| {
            socket.on("echo", |socket: SocketRef, Data(word): Data<String>| {
                socket.emit("echo", &word).unwrap();
                std::future::ready(())
            });
            std::future::ready(())
        });
        let listener = Listener::bind("127.0.0.1:0", net::Options::default()).await.unwrap();
        let address = serve::Listener::local_addr(&listener).unwrap();
        let me = register(registry, name, address);
        let broker = Arc::new(Directory::new(me, registry.clone()));
        let (links, leaving) = (Links::default(), CancellationToken::new());
        let routing = Routing::new(broker, leaving.clone(), options);
        let layers = ServiceBuilder::new()
            .layer(RoutingLayer::new(routing.clone()))
            .layer(LinkLayer::new(links.clone()))
            .layer(compat::layer())
            .layer(socket_io);
        let router = Router::new().route("/page", any(|| async { "the page" })).layer(layers);
        let service = router.into_make_service_with_connect_info::<Peer>();
        let task = tokio::spawn(async move { serve(listener, service).await.unwrap() });
        Self { address, links, routing, leaving, task: Some(Task(task)) }
    }

    async fn get(&self, query: &str) -> (u16, String) {
        get(self.address, &engine(query)).await
    }

    async fn post(&self, query: &str, body: &'static str) -> (u16, String) {
        let request = request(Method::POST, self.address, &engine(query), &[], Body::from(body));
        text_of(ask(request).await).await
    }

    /// A handshake by polling: the payload.
    async fn open(&self, version: u8) -> String {
        let (status, payload) = self.get(&format!("EIO={version}&transport=polling")).await;
        assert_eq!(status, 200, "{payload}");
        payload
    }

    /// Opens a WebSocket by hand and returns it after its handshake.
    async fn websocket(&self, query: &str) -> Result<TcpStream, String> {
        let mut tcp = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "GET {} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
            engine(query)
        );
        tcp.write_all(head.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon(tcp.read_u8()).await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        if head.starts_with("HTTP/1.1 101") { Ok(tcp) } else { Err(head) }
    }
}

fn engine(query: &str) -> String {
    format!("/socket.io/?{query}")
}

fn session(sid: &str) -> String {
    format!("EIO=4&transport=polling&sid={sid}")
}

fn sid_of(payload: &str) -> &str {
    payload.split_once(r#""sid":""#).unwrap().1.split_once('"').unwrap().0
}

fn unknown() -> (u16, String) {
    compat::served::unknown()
}

fn request(
    method: Method,
    to: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: Body,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(format!("http://{to}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}

/// Sends a request by a client of its own.
async fn ask(request: Request<Body>) -> Response {
    let client: Client<HttpConnector, Body> = Client::builder(TokioExecutor::new()).build_http();
    soon(client.request(request)).await.unwrap().map(Body::new)
}

async fn text_of(response: Response) -> (u16, String) {
    let (status, body) = (response.status().as_u16(), soon(response.into_body().collect()).await.unwrap());
    (status, String::from_utf8(body.to_bytes().to_vec()).unwrap())
}

async fn get(from: SocketAddr, path: &str) -> (u16, String) {
    text_of(ask(request(Method::GET, from, path, &[], Body::empty())).await).await
}

/// Something that speaks HTTP, registered as the node `b`, and what it saw.
struct Stand {
    address: SocketAddr,
    _task: Task,
}

impl Stand {
    async fn start(registry: &Registry, router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        register(registry, "b", address);
        let task = tokio::spawn(async move { serve(listener, router).await.unwrap() });
        Self { address, _task: Task(task) }
    }
}

/// Waits for a condition that other tasks bring about.
async fn until(mut holds: impl FnMut() -> bool) {
    soon(async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_sid_carries_the_nodes_name_and_works_with_and_without_it() {
    let node = TestNode::start("node-1", &Registry::default()).await;
    for version in [3, 4] {
        let payload = node.open(version).await;
        let (name, sid) = sid_of(&payload).split_once('.').unwrap();
        assert_eq!((name, sid.len()), ("node-1", 16));
        let packet = payload.split_once("0{").unwrap();
        let length = if version == 3 { format!("{}:", packet.1.len() + 2) } else { String::new() };
        assert_eq!(packet.0, length);
        let [named, bare] = [format!("node-1.{sid}"), sid.to_owned()]
            .map(|sid| format!("EIO={version}&transport=polling&sid={sid}"));
        let (connect, pong) = if version == 3 { ("2:40", "1:2") } else { ("40", "3") };
        assert_eq!(node.post(&named, connect).await, (200, "ok".to_owned()));
        assert_eq!(node.post(&bare, pong).await, (200, "ok".to_owned()));
        assert_eq!(node.get(if version == 3 { &named } else { &bare }).await.0, 200);
    }
    assert!(node.links.is_empty(), "the layer below did not see the sid as it knows it");
}

#[tokio::test]
async fn a_session_is_reached_through_any_node() {
    let registry = Registry::default();
    let (a, b) = (TestNode::start("a", &registry).await, TestNode::start("b", &registry).await);
    let payload = b.open(4).await;
    let query = session(sid_of(&payload));
    assert!(query.ends_with("sid=b.") || query.contains("sid=b."));
    assert_eq!(a.post(&query, "40").await, (200, "ok".to_owned()));
    let mut said = String::new();
    while !said.contains("40{") {
        said += &a.get(&query).await.1;
    }
    assert_eq!(a.post(&query, r#"42["echo","hello"]"#).await.0, 200);
    while !said.contains(r#"42["echo","hello"]"#) {
        said += &a.get(&query).await.1;
    }
    assert!(a.links.is_empty() && b.links.is_empty());
}

#[tokio::test]
async fn a_poll_handed_on_is_answered_when_its_session_is_cut() {
    let registry = Registry::default();
    let (a, b) = (TestNode::start("a", &registry).await, TestNode::start("b", &registry).await);
    let sid = sid_of(&b.open(4).await).to_owned();
    let query = session(&sid);
    // The heartbeat's first ping is at hand; the next poll waits.
    assert_eq!(a.get(&query).await, (200, "2".to_owned()));
    let (answer, ()) = tokio::join!(a.get(&query), async {
        until(|| !b.links.is_empty()).await;
        b.links.cut(sid.split_once('.').unwrap().1);
    });
    assert_eq!(answer, unknown());
    assert_eq!(a.get(&query).await, unknown());
}

#[tokio::test]
async fn a_session_moves_to_a_websocket_through_the_wrong_node() {
    let registry = Registry::default();
    let (a, b) = (TestNode::start("a", &registry).await, TestNode::start("b", &registry).await);
    let sid = sid_of(&b.open(4).await).to_owned();
    b.post(&session(&sid), "40").await;
    let mut websocket = a.websocket(&format!("EIO=4&transport=websocket&sid={sid}")).await.unwrap();
    websocket.write_all(&frame("2probe")).await.unwrap();
    assert_eq!(next_text(&mut websocket).await, "3probe");
    websocket.write_all(&frame("5")).await.unwrap();
    websocket.write_all(&frame(r#"42["echo","hello"]"#)).await.unwrap();
    while next_text(&mut websocket).await != r#"42["echo","hello"]"# {}

    a.leaving.cancel();
    let mut rest = Vec::new();
    soon(websocket.read_to_end(&mut rest)).await.unwrap();
}

#[tokio::test]
async fn connections_handed_on_end_when_the_node_closes() {
    let registry = Registry::default();
    let (a, b) = (TestNode::start("a", &registry).await, TestNode::start("b", &registry).await);
    let sid = sid_of(&b.open(4).await).to_owned();
    let mut websocket = a.websocket(&format!("EIO=4&transport=websocket&sid={sid}")).await.unwrap();
    websocket.write_all(&frame("2probe")).await.unwrap();
    assert_eq!(next_text(&mut websocket).await, "3probe");
    soon(a.routing.close()).await;
    let mut rest = Vec::new();
    let _ = soon(websocket.read_to_end(&mut rest)).await;
}

#[tokio::test]
async fn a_websocket_handed_on_ends_with_its_node() {
    let registry = Registry::default();
    let (a, b) = (TestNode::start("a", &registry).await, TestNode::start("b", &registry).await);
    let sid = sid_of(&b.open(4).await).to_owned();
    let mut websocket = a.websocket(&format!("EIO=4&transport=websocket&sid={sid}")).await.unwrap();
    websocket.write_all(&frame("2probe")).await.unwrap();
    assert_eq!(next_text(&mut websocket).await, "3probe");
    // Its machine is gone: no reset comes, and nobody answers.
    registry.remove("b");
    let mut rest = Vec::new();
    let _ = soon(websocket.read_to_end(&mut rest)).await;
}

#[tokio::test]
async fn headers_are_kept_but_for_those_of_one_connection() {
    let (registry, seen) = (Registry::default(), Arc::new(Mutex::new(HeaderMap::new())));
    let note = seen.clone();
    let router = Router::new().fallback(move |headers: HeaderMap, uri: http::Uri| async move {
        *note.lock().unwrap() = headers;
        ([("x-answer", "kept"), ("keep-alive", "timeout=9")], uri.to_string())
    });
    let stand = Stand::start(&registry, router).await;
    let a = TestNode::start("a", &registry).await;
    let headers = [
        ("host", "files.example"),
        ("origin", "https://files.example"),
        ("x-forwarded-for", "203.0.113.9"),
        ("cookie", "kept"),
        ("connection", "keep-alive, x-hop"),
        ("x-hop", "dropped"),
        ("te", "trailers"),
    ];
    let path = "/socket.io/?EIO=4&sid=b.X&t=%2e#";
    let response = ask(request(Method::GET, a.address, path, &headers, Body::empty())).await;
    assert_eq!(response.headers()["x-answer"], "kept");
    assert!(!response.headers().contains_key("keep-alive"));
    assert_eq!(text_of(response).await.1, "/socket.io/?EIO=4&sid=b.X&t=%2e");
    let seen = seen.lock().unwrap();
    for (name, value) in [
        ("host", "files.example"),
        ("origin", "https://files.example"),
        ("x-forwarded-for", "203.0.113.9, 127.0.0.1"),
        ("cookie", "kept"),
        ("roomdrop-forwarded-by", "a"),
    ] {
        assert_eq!(seen[name], value, "{name}");
        assert_eq!(seen.get_all(name).iter().count(), 1, "{name}");
    }
    assert!(!seen.contains_key("x-hop") && !seen.contains_key("te"));
    assert_ne!(stand.address, a.address);
}

/// A body that is made as it is taken, and how much of it was.
struct MadeOnDemand {
    left: usize,
    made: Arc<AtomicUsize>,
}

const BLOCK: &[u8] = &[7; 64 * 1024];

impl http_body::Body for MadeOnDemand {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= BLOCK.len();
        self.made.fetch_add(BLOCK.len(), Ordering::SeqCst);
        Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from_static(BLOCK)))))
    }
}

fn made_on_demand(made: &Arc<AtomicUsize>) -> Body {
    Body::new(MadeOnDemand { left: LARGE, made: made.clone() })
}

/// Waits until `count` stands still although everything has had many turns: whoever makes more is held up.
async fn stands_still(count: &AtomicUsize) -> usize {
    soon(async {
        let (mut before, mut turns) = (0, 0);
        loop {
            tokio::task::yield_now().await;
            let now = count.load(Ordering::SeqCst);
            turns = if now == before && now > 0 { turns + 1 } else { 0 };
            before = now;
            if turns == 20_000 {
                return now;
            }
        }
    })
    .await
}

/// More than the sockets of two connections hold.
const LARGE: usize = 256 * MIB;
/// What they may hold.
const IN_SOCKETS: usize = 64 * MIB;

#[tokio::test]
async fn a_slow_reader_slows_the_other_node_down() {
    let (registry, made) = (Registry::default(), Arc::new(AtomicUsize::new(0)));
    let body = made.clone();
    let router = Router::new().fallback(move || async move { made_on_demand(&body) });
    let _stand = Stand::start(&registry, router).await;
    let a = TestNode::start("a", &registry).await;
    let response = ask(request(Method::GET, a.address, &engine("EIO=4&sid=b.X"), &[], Body::empty())).await;
    let held = stands_still(&made).await;
    assert!(held < IN_SOCKETS, "{held} bytes were made for a reader that takes none");
    let mut body = response.into_body();
    let mut taken = 0;
    while let Some(frame) = soon(body.frame()).await {
        taken += frame.unwrap().into_data().unwrap().len();
    }
    assert_eq!(taken, LARGE);
}

#[tokio::test]
async fn a_slow_node_slows_the_sender_down_and_gets_every_byte() {
    let (registry, go) = (Registry::default(), Arc::new(Notify::new()));
    let may = go.clone();
    let router = Router::new().fallback(move |body: Body| async move {
        may.notified().await;
        let (mut body, mut taken) = (body, 0);
        while let Some(frame) = body.frame().await {
            taken += frame.unwrap().into_data().unwrap().len();
        }
        taken.to_string()
    });
    let _stand = Stand::start(&registry, router).await;
    let a = TestNode::start("a", &registry).await;
    let made = Arc::new(AtomicUsize::new(0));
    let body = made_on_demand(&made);
    let sent = tokio::spawn(ask(request(Method::POST, a.address, &engine("EIO=4&sid=b.X"), &[], body)));
    let held = stands_still(&made).await;
    assert!(held < IN_SOCKETS, "{held} bytes were taken for a node that reads none");
    go.notify_one();
    assert_eq!(text_of(sent.await.unwrap()).await, (200, LARGE.to_string()));
}

/// A node that never answers, and how many requests it is busy with.
async fn never_answers(registry: &Registry) -> (Stand, Arc<AtomicUsize>) {
    struct Busy(Arc<AtomicUsize>);
    impl Drop for Busy {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let busy = Arc::new(AtomicUsize::new(0));
    let state = busy.clone();
    let wait = |State(busy): State<Arc<AtomicUsize>>| async move {
        busy.fetch_add(1, Ordering::SeqCst);
        let _busy = Busy(busy);
        std::future::pending::<()>().await;
    };
    (Stand::start(registry, Router::new().fallback(wait).with_state(state)).await, busy)
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_request_at_the_other_node() {
    let registry = Registry::default();
    let (_stand, busy) = never_answers(&registry).await;
    let a = TestNode::start("a", &registry).await;
    let mut client = TcpStream::connect(a.address).await.unwrap();
    client.write_all(b"GET /socket.io/?EIO=4&sid=b.X HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    until(|| busy.load(Ordering::SeqCst) == 1).await;
    drop(client);
    until(|| busy.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn the_session_of_a_node_that_dies_during_the_poll_is_unknown() {
    let registry = Registry::default();
    let (a, mut b) = (TestNode::start("a", &registry).await, TestNode::start("b", &registry).await);
    let query = session(sid_of(&b.open(4).await));
    assert_eq!(a.get(&query).await.0, 200);
    let dies = async {
        until(|| !b.links.is_empty()).await;
        // What waits is dropped with its connection.
        b.links.cut("");
        b.task = None;
        registry.remove("b");
    };
    let (answer, ()) = tokio::join!(a.get(&query), dies);
    assert_eq!(answer, unknown());
    assert_eq!(a.get(&query).await, unknown());
    assert_eq!(a.post(&query, "2").await, unknown());
}

#[tokio::test]
async fn a_connection_that_breaks_during_the_poll_makes_the_session_unknown() {
    let registry = Registry::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    register(&registry, "b", listener.local_addr().unwrap());
    let a = TestNode::start("a", &registry).await;
    for answer in ["", "HTTP/1.1 200 OK\r\ncontent-le", "nonsense\r\n\r\n"] {
        let query = session("b.X");
        let (answered, ()) = tokio::join!(a.get(&query), async {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(tcp.read_u8().await.unwrap());
            }
            tcp.write_all(answer.as_bytes()).await.unwrap();
        });
        assert_eq!(answered, unknown(), "{answer}");
    }
}

#[tokio::test]
async fn a_node_that_cannot_be_reached_or_keeps_silent_makes_the_session_unknown() {
    let registry = Registry::default();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    register(&registry, "gone", gone);
    let (_stand, _) = never_answers(&registry).await;
    let a = TestNode::start_with("a", &registry, Options { answer: Duration::from_millis(200), ..options() })
        .await;
    assert_eq!(a.get(&session("gone.X")).await, unknown());
    assert_eq!(a.get(&session("b.X")).await, unknown());
    registry.nodes.lock().unwrap()[0].peer_url = Some("none".to_owned());
    assert_eq!(a.get(&session("gone.X")).await, unknown());
}

#[tokio::test]
async fn no_host_is_asked_that_is_not_registered() {
    let registry = Registry::default();
    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = trap.local_addr().unwrap();
    let a = TestNode::start("a", &registry).await;
    for sid in [format!("{there}"), format!("{there}.X"), "localhost.X".to_owned(), "gone.X".to_owned()] {
        assert_eq!(a.get(&session(&sid)).await.0, 400, "{sid}");
    }
    let host = there.to_string();
    let headers = [("host", &*host), ("x-forwarded-host", &*host), ("roomdrop-forwarded-by", &*host)];
    let path = engine(&session("gone.X"));
    let answer = ask(request(Method::GET, a.address, &path, &headers, Body::empty())).await;
    assert_eq!(text_of(answer).await, unknown());
    // An address in full, as proxies are asked.
    let mut tcp = TcpStream::connect(a.address).await.unwrap();
    let asked = format!("GET http://{there}{path} HTTP/1.1\r\nhost: {there}\r\nconnection: close\r\n\r\n");
    tcp.write_all(asked.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(tcp.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let nobody = futures_now(trap.accept());
    assert!(nobody, "somebody called");
}

/// Whether the future is still waiting.
fn futures_now<F: Future>(future: F) -> bool {
    let future = std::pin::pin!(future);
    future.poll(&mut Context::from_waker(std::task::Waker::noop())).is_pending()
}

#[tokio::test]
async fn a_request_is_handed_on_once_and_never_in_a_circle() {
    let registry = Registry::default();
    let (a, b) = (TestNode::start("a", &registry).await, TestNode::start("b", &registry).await);
    // A name whose address is a node of another name.
    register(&registry, "ghost", a.address);
    assert_eq!(a.get(&session("ghost.X")).await, unknown());
    assert_eq!(b.get(&session("ghost.X")).await, unknown());
}

#[tokio::test]
async fn whoever_says_that_a_node_handed_his_request_on_gets_what_is_here_and_no_more() {
    let registry = Registry::default();
    let (a, b) = (TestNode::start("a", &registry).await, TestNode::start("b", &registry).await);
    let own = session(sid_of(&a.open(4).await));
    let others = session(sid_of(&b.open(4).await));
    for (query, status) in [(own, 200), (others.clone(), 400), ("EIO=4&transport=polling".to_owned(), 200)] {
        let headers = [("roomdrop-forwarded-by", "b")];
        let path = engine(&query);
        let answer = ask(request(Method::GET, a.address, &path, &headers, Body::empty())).await;
        assert_eq!(answer.status(), status, "{query}");
    }
    assert_eq!(a.get(&others).await.0, 200, "the session is none the worse");
}

#[tokio::test]
async fn a_leaving_node_keeps_its_sessions_and_hands_new_ones_on() {
    let registry = Registry::default();
    let (a, _b) = (TestNode::start("a", &registry).await, TestNode::start("b", &registry).await);
    let own = session(sid_of(&a.open(4).await));
    a.leaving.cancel();
    assert_eq!(a.get(&own).await.0, 200);
    for version in [3, 4] {
        assert!(sid_of(&a.open(version).await).starts_with("b."));
    }
    assert_eq!(get(a.address, "/page").await, (200, "the page".to_owned()));
    let refused = a.websocket("EIO=4&transport=websocket").await.unwrap_err();
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
}

#[tokio::test]
async fn a_node_that_leaves_with_nobody_left_asks_to_try_again() {
    let registry = Registry::default();
    let a = TestNode::start("a", &registry).await;
    let own = session(sid_of(&a.open(4).await));
    a.leaving.cancel();
    assert_eq!(a.get(&own).await.0, 200);
    let path = engine("EIO=4&transport=polling");
    let answer = ask(request(Method::GET, a.address, &path, &[], Body::empty())).await;
    assert_eq!(answer.headers()["retry-after"], "1");
    let (status, body) = text_of(answer).await;
    assert_eq!(status, 503);
    assert!(body.contains(r#""error":"overloaded""#), "{body}");
    // Another that leaves too takes nothing, and neither sends it back.
    let b = TestNode::start("b", &registry).await;
    b.leaving.cancel();
    assert_eq!(a.get("EIO=4&transport=polling").await.0, 503);
    assert_eq!(b.get("EIO=4&transport=polling").await.0, 503);
}

#[tokio::test]
async fn a_new_nodes_sids_are_good_before_all_have_heard_of_it() {
    let registry = Registry::default();
    let b = TestNode::start("b", &registry).await;
    let patient = Options { unheard: Duration::from_secs(30), ..options() };
    let a = TestNode::start_with("a", &registry, patient).await;
    let query = session(sid_of(&b.open(4).await));
    let [node] =
        <[Node; 1]>::try_from(registry.nodes.lock().unwrap().drain(..1).collect::<Vec<_>>()).unwrap();
    let (answer, ()) = tokio::join!(a.get(&query), async {
        until(|| a.routing.0.under_way.count() == 1).await;
        registry.add(node);
    });
    assert_eq!(answer, (200, "2".to_owned()));
}

#[tokio::test]
async fn polls_that_a_leaving_node_has_handed_on_end_and_lose_nothing() {
    let registry = Registry::default();
    let (a, b) = (TestNode::start("a", &registry).await, TestNode::start("b", &registry).await);
    for (version, connect, noop, echo) in
        [(3, None, "1:6", r#"18:42["echo","hello"]"#), (4, Some("40"), "6", r#"42["echo","hello"]"#)]
    {
        let sid = sid_of(&b.open(version).await).to_owned();
        let query = format!("EIO={version}&transport=polling&sid={sid}");
        if let Some(connect) = connect {
            b.post(&query, connect).await;
        }
        let mut said = String::new();
        while !said.contains("40") || (version == 4 && !said.contains('2')) {
            said += &b.get(&query).await.1;
        }
        let (waits, ()) = tokio::join!(a.get(&query), async {
            until(|| !b.links.is_empty()).await;
            registry.leaves("a");
        });
        assert_eq!(waits, (200, noop.to_owned()));
        assert_eq!(b.post(&query, echo).await.0, 200);
        assert_eq!(b.get(&query).await, (200, echo.to_owned()));
        registry.leaving.lock().unwrap().clear();

        let later = CancellationToken::new();
        let routing = Routing::new(a.routing.0.watch.broker.clone(), later.clone(), options());
        later.cancel();
        let uri: Uri = engine(&query).parse().unwrap();
        let request = Request::builder().uri(uri).body(Body::empty()).unwrap();
        let Way::There(there) = routing.way(&request) else { panic!("it is b's") };
        assert_eq!(text_of(routing.ask(there, request).await).await, (200, noop.to_owned()));
    }
}
