//! Hands a request on to another node and its answer back, both as streams: nothing is held but what is in
//! the sockets, and whoever reads slowly slows the other end down. It exists for requests that came to the
//! wrong node; it refuses to wait for a node that is gone. Everything it does ends with [`Forward::close`].

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, Version, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Options;
use super::way::FORWARDED_BY;
use crate::broker::Broker;
use crate::net::Peer;
use crate::protocol::node::{Node, NodeId};

/// Idle connections kept to each node, at most.
const IDLE_MOST: usize = 64;
/// How long one is kept.
const IDLE_TIME: Duration = Duration::from_secs(30);
/// How often an idle connection is tried, so that a node whose machine vanished is noticed.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// How often somebody who waits for a node looks whether it still lives.
const LOOK: Duration = Duration::from_millis(500);
/// Bytes held for each direction of an upgraded connection.
const TUNNEL: usize = 16 * 1024;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Headers that belong to one connection (RFC 9110 §7.6.1); those that `Connection` names come on top.
const HOP_BY_HOP: [HeaderName; 10] = [
    header::CONNECTION,
    header::EXPECT,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Why no answer came from another node.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    /// Its registered address is none.
    #[error("the node's peer_url is no http address")]
    NoAddress,
    /// It cannot be reached, or broke off.
    #[error("the node cannot be reached: {0}")]
    Broken(#[from] hyper_util::client::legacy::Error),
    /// It is registered no more.
    #[error("the node is gone")]
    Gone,
    /// It took too long.
    #[error("the node did not answer in time")]
    Silent,
}

/// See the module.
pub(super) struct Forward {
    client: Client<HttpConnector, Body>,
    watch: Watch,
    options: Options,
    tasks: Tasks,
}

impl Forward {
    pub(super) fn new(watch: Watch, options: &Options) -> Self {
        let tasks = Tasks::default();
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(options.connect));
        connector.set_nodelay(true);
        connector.set_keepalive(Some(KEEPALIVE));
        let client = Client::builder(tasks.clone())
            .pool_max_idle_per_host(IDLE_MOST)
            .pool_idle_timeout(IDLE_TIME)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .build(connector);
        Self { client, watch, options: options.clone(), tasks }
    }

    /// The node's answer. Dropping the future, or the answer's body, ends the request there too.
    pub(super) async fn send(&self, node: &Node, mut request: Request<Body>) -> Result<Response, Lost> {
        let upgrade = Upgrade::take(&mut request);
        let mut request = self.outgoing(node, request).ok_or(Lost::NoAddress)?;
        if let Some(Upgrade { protocol, .. }) = &upgrade {
            request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            request.headers_mut().insert(header::UPGRADE, protocol.clone());
        }
        let mut response = tokio::select! {
            response = self.client.request(request) => response?,
            () = self.watch.is_gone(node.id) => return Err(Lost::Gone),
            () = tokio::time::sleep(self.options.answer) => return Err(Lost::Silent),
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS
            && let Some(Upgrade { client, .. }) = upgrade
        {
            self.tunnel(node.id, client, hyper::upgrade::on(&mut response));
        } else {
            strip(response.headers_mut());
        }
        Ok(response.map(Body::new))
    }

    /// Whether [`close`](Self::close) was called.
    pub(super) fn is_closed(&self) -> bool {
        self.tasks.ended.is_cancelled()
    }

    /// Ends what is under way, and waits until it has ended.
    pub(super) async fn close(&self) {
        self.tasks.ended.cancel();
        self.tasks.tracker.close();
        self.tasks.tracker.wait().await;
    }

    /// The request as it goes out: to the registered address of `node`, with the path, the query and the
    /// headers that it came with.
    fn outgoing(&self, node: &Node, request: Request<Body>) -> Option<Request<Body>> {
        let (mut head, body) = request.into_parts();
        let peer_url: Uri = node.peer_url.as_deref()?.parse().ok()?;
        let mut uri = peer_url.into_parts();
        uri.path_and_query = head.uri.into_parts().path_and_query;
        strip(&mut head.headers);
        if let Some(ConnectInfo(peer)) = head.extensions.get::<ConnectInfo<Peer>>() {
            let peer = peer.addr.ip().to_canonical().to_string();
            append(&mut head.headers, X_FORWARDED_FOR, &peer);
        }
        let me = HeaderValue::try_from(self.watch.broker.me().name.as_str()).ok()?;
        head.headers.insert(FORWARDED_BY, me);
        let mut out = Request::new(body);
        *out.uri_mut() = Uri::from_parts(uri).ok()?;
        *out.method_mut() = head.method;
        *out.version_mut() = Version::HTTP_11;
        *out.headers_mut() = head.headers;
        Some(out)
    }

    /// Joins two connections until either ends, the node is gone, or this one leaves.
    fn tunnel(&self, node: NodeId, client: OnUpgrade, behind: OnUpgrade) {
        let (watch, spread) = (self.watch.clone(), self.options.spread);
        self.tasks.spawn(async move {
            let Ok((client, behind)) = tokio::try_join!(client, behind) else { return };
            let (mut client, mut behind) = (TokioIo::new(client), TokioIo::new(behind));
            tokio::select! {
                // How it ended is known to both ends; there is nobody else to tell.
                _ = tokio::io::copy_bidirectional_with_sizes(&mut client, &mut behind, TUNNEL, TUNNEL) => {}
                () = watch.is_gone(node) => {}
                () = watch.leaves(spread) => {}
            }
        });
    }
}

/// A request's wish to speak another protocol on its connection.
struct Upgrade {
    protocol: HeaderValue,
    client: OnUpgrade,
}

impl Upgrade {
    fn take(request: &mut Request<Body>) -> Option<Self> {
        let protocol = request.headers().get(header::UPGRADE)?.clone();
        Some(Self { protocol, client: hyper::upgrade::on(request) })
    }
}

/// Looks after the other nodes, and this one.
#[derive(Clone)]
pub(super) struct Watch {
    pub(super) broker: Arc<dyn Broker>,
    pub(super) leaving: CancellationToken,
}

impl Watch {
    /// Returns once the node is registered no more. While nobody can tell, it is taken to live.
    async fn is_gone(&self, id: NodeId) {
        loop {
            tokio::time::sleep(LOOK).await;
            if self.broker.is_there() && !self.broker.nodes().iter().any(|node| node.id == id) {
                return;
            }
        }
    }

    /// Returns once the node of that name leaves.
    pub(super) async fn other_leaves(&self, name: &str) {
        loop {
            let leaving = self.broker.leaving();
            let is_it = |node: &Node| node.name == name && leaving.contains(&node.id);
            if !leaving.is_empty() && self.broker.nodes().iter().any(is_it) {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Returns at a random moment of the `spread` after this node began to leave.
    async fn leaves(&self, spread: Duration) {
        self.leaving.cancelled().await;
        tokio::time::sleep(spread.mul_f64(rand::random())).await;
    }
}

/// The tasks of the client and of the tunnels: they end when told to.
#[derive(Clone, Default)]
struct Tasks {
    tracker: TaskTracker,
    ended: CancellationToken,
}

impl Tasks {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let ended = self.ended.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                () = task => {}
                () = ended.cancelled() => {}
            }
        });
    }
}

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future + Send + 'static,
{
    fn execute(&self, task: F) {
        self.spawn(async move { drop(task.await) });
    }
}

/// Takes off what belongs to the connection that it came on.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Puts `value` at the end of a list that may stand on several lines, and makes it one line.
fn append(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    let mut list: Vec<&[u8]> = headers.get_all(&name).iter().map(HeaderValue::as_bytes).collect();
    list.push(value.as_bytes());
    if let Ok(list) = HeaderValue::from_bytes(&list.join(&b", "[..])) {
        headers.insert(name, list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&str, &str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn what_belongs_to_one_connection_stays_on_it() {
        let mut kept = headers(&[("host", "files.example"), ("origin", "http://a"), ("cookie", "b")]);
        let mut all = kept.clone();
        all.extend(headers(&[("connection", "keep-alive, X-Hop"), ("keep-alive", "9"), ("x-hop", "1")]));
        all.extend(headers(&[("te", "trailers"), ("transfer-encoding", "chunked"), ("upgrade", "h2c")]));
        strip(&mut all);
        assert_eq!(all, kept);
        strip(&mut kept);
        assert_eq!(all, kept);
    }

    #[test]
    fn the_list_of_addresses_grows_at_its_end() {
        let mut some = HeaderMap::new();
        append(&mut some, X_FORWARDED_FOR, "10.0.0.9");
        assert_eq!(some["x-forwarded-for"], "10.0.0.9");
        some.append(X_FORWARDED_FOR, HeaderValue::from_static("10.0.0.8"));
        append(&mut some, X_FORWARDED_FOR, "10.0.0.7");
        assert_eq!(some["x-forwarded-for"], "10.0.0.9, 10.0.0.8, 10.0.0.7");
        assert_eq!(some.get_all("x-forwarded-for").iter().count(), 1);
    }
}
