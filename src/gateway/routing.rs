//! Any node answers for any session. This layer puts the node's name before the sid when long polling
//! begins (`name.sid`), takes it off on the way in, and hands a request for another node's session on to
//! that node. It exists so that a load balancer may send each request where it likes; one that routes by the
//! name saves the trip. It refuses to ask a host that is not registered, and to hand a request on twice.
//!
//! A session that began as a WebSocket stays on its connection, so its sid says no name.
//!
//! **A session whose node is gone** is answered as Engine.IO answers one that it does not know (400), also
//! when the node goes while it is asked: the client connects anew at once, and no balancer takes *this* node
//! for broken, as it would with a 502.
//!
//! **A node that leaves** answers for its sessions until they have moved, hands what is new on to a node
//! that stays, and refuses (503) what would need a connection of its own. Polls of other nodes' sessions are
//! not broken off, since what is on its way to them would be lost in silence: those that wait are answered
//! with nothing by the node that has the session, later ones by the node that leaves.

mod forward;
mod open;
mod way;

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Request, StatusCode, Uri, header};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tower::{BoxError, Layer, Service};

use self::forward::{Forward, Watch};
use self::way::{Here, Scene, There, Way};
use super::compat::{ResponseFuture, Words, unknown_session};
use crate::broker::Broker;
use crate::net::{One, UnderWay};
use crate::protocol::node::Node;
use crate::protocol::{Envelope, ErrorCode, Refusal};

/// Before a poll that will find nothing here is answered: whoever comes back to this node does not spin.
const LATER: Duration = Duration::from_millis(100);
/// How often a name that was not heard of is looked for.
const LISTEN: Duration = Duration::from_millis(20);

/// How requests are handed on.
#[derive(Debug, Clone)]
pub struct Options {
    /// Time for the connection to another node. Short: it stands next to this one, or it is gone.
    pub connect: Duration,
    /// Time for the head of its answer. Longer than a heartbeat's interval and time-out together, since a
    /// long poll is answered at the next heartbeat at the latest.
    pub answer: Duration,
    /// How long a name that was not heard of is waited for: a new node gives out sids before all others know
    /// it. Zero where there are no others.
    pub unheard: Duration,
    /// Time over which connections handed on end when this node leaves, each at a random moment.
    pub spread: Duration,
}

/// The way to other nodes. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Routing(Arc<Inner>);

struct Inner {
    watch: Watch,
    forward: Forward,
    options: Options,
    under_way: UnderWay,
}

impl Routing {
    /// Hands on to the nodes that `broker` knows. From when `leaving` is cancelled, this node takes nothing
    /// new.
    pub fn new(broker: Arc<dyn Broker>, leaving: CancellationToken, options: Options) -> Self {
        let watch = Watch { broker, leaving };
        let forward = Forward::new(watch.clone(), &options);
        Self(Arc::new(Inner { watch, forward, options, under_way: UnderWay::default() }))
    }

    /// Whether another node lives that clients can move to.
    pub fn has_company(&self) -> bool {
        let (broker, me) = (self.broker(), self.broker().me().id);
        let leaving = broker.leaving();
        let stays = |node: &Node| node.id != me && !leaving.contains(&node.id);
        broker.is_there() && broker.nodes().iter().any(stays)
    }

    /// Waits until every request has its whole answer, but for those of other nodes' sessions that came after
    /// this one began to leave: they never cease.
    pub async fn at_rest(&self) {
        self.0.under_way.none_left().await;
    }

    /// Ends every connection that is handed on, and waits until they have ended.
    pub async fn close(&self) {
        self.0.forward.close().await;
    }

    fn broker(&self) -> &dyn Broker {
        &*self.0.watch.broker
    }

    fn is_leaving(&self) -> bool {
        self.0.watch.leaving.is_cancelled()
    }

    fn way(&self, request: &Request<Body>) -> Way {
        let (nodes, me) = (self.broker().nodes(), self.broker().me());
        let is_leaving = self.is_leaving();
        let (leaving, lot) =
            if is_leaving { (self.broker().leaving(), rand::random::<u16>()) } else { (Vec::new(), 0) };
        Way::of(request, Scene { me, nodes: &nodes, is_leaving, leaving: &leaving, lot: lot.into() })
    }

    /// Counts the request among those that are waited for.
    fn begin(&self, way: &Way) -> Option<One> {
        let never_ceases = matches!(way, Way::There(There::Session(_) | There::Later)) && self.is_leaving();
        (!never_ceases).then(|| self.0.under_way.one())
    }

    /// The answer of the service below, made fit to be given out.
    async fn finish(
        &self,
        here: Here,
        response: impl Future<Output = Result<Response, Infallible>>,
    ) -> Result<Response, Infallible> {
        match here {
            Here::Handshake => Ok(open::with_name(response.await?, &self.broker().me().name).await),
            Here::Own { uri, by: Some(by) } => tokio::select! {
                biased;
                response = response => response,
                // What was not taken yet stays for the next poll, by another way.
                () = self.0.watch.other_leaves(&by) => Ok(nothing(&uri)),
            },
            Here::AsItIs | Here::Own { .. } => response.await,
        }
    }

    /// The answer to what is not for the service below.
    async fn ask(&self, there: There, request: Request<Body>) -> Response {
        match there {
            There::Session(node) => self.session(&node, request).await,
            There::Stays(node) => self.0.forward.send(&node, request).await.unwrap_or_else(|_| is_leaving()),
            There::Unheard => match self.hear(&request).await {
                Some(node) => self.session(&node, request).await,
                None => unknown_session(),
            },
            There::Later => {
                sleep(LATER).await;
                nothing(request.uri())
            }
            There::Unknown => unknown_session(),
            There::Leaving => is_leaving(),
        }
    }

    /// The answer of the node that has the session.
    async fn session(&self, node: &Node, request: Request<Body>) -> Response {
        let forward = &self.0.forward;
        forward.send(node, request).await.unwrap_or_else(|lost| {
            tracing::debug!(node = node.name, error = %lost, "another node's session is out of reach");
            // The session may live on: it is this node that ends.
            if forward.is_closed() { is_leaving() } else { unknown_session() }
        })
    }

    /// Waits a moment for a node of the name in the request.
    fn hear(&self, request: &Request<Body>) -> impl Future<Output = Option<Node>> {
        let (routing, mut head) = (self.clone(), Request::new(Body::empty()));
        head.method_mut().clone_from(request.method());
        head.uri_mut().clone_from(request.uri());
        let until = Instant::now() + self.0.options.unheard;
        async move {
            while Instant::now() < until {
                sleep(LISTEN).await;
                if let Way::There(There::Session(node)) = routing.way(&head) {
                    return Some(node);
                }
            }
            None
        }
    }
}

/// Puts [`Routing`] in front of a service: before [`LinkLayer`](super::compat::LinkLayer), which knows
/// sessions by the sid without a name.
#[derive(Clone)]
pub struct RoutingLayer(Routing);

impl RoutingLayer {
    /// A layer that hands on by `routing`.
    pub fn new(routing: Routing) -> Self {
        Self(routing)
    }
}

/// The service that [`RoutingLayer`] puts in front of another.
#[derive(Clone)]
pub struct Routed<S> {
    inner: S,
    routing: Routing,
}

impl<S> Layer<S> for RoutingLayer {
    type Service = Routed<S>;

    fn layer(&self, inner: S) -> Routed<S> {
        Routed { inner, routing: self.0.clone() }
    }
}

impl<S, B> Service<Request<Body>> for Routed<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> ResponseFuture {
        let routing = self.routing.clone();
        let way = routing.way(&request);
        let one = routing.begin(&way);
        match way {
            Way::Here(here) => {
                if let Here::Own { uri, .. } = &here {
                    request.uri_mut().clone_from(uri);
                }
                let response = self.inner.call(request);
                let response = async move { Ok(response.await?.map(Body::new)) };
                Box::pin(async move { Ok(lasting(one, routing.finish(here, response).await?)) })
            }
            Way::There(there) => Box::pin(async move { Ok(lasting(one, routing.ask(there, request).await)) }),
        }
    }
}

/// The response, which lasts as long as its body.
fn lasting(one: Option<One>, response: Response) -> Response {
    match one {
        Some(one) => one.lasts(response),
        None => response,
    }
}

/// The answer to a poll that finds nothing: the packet "noop". The client polls again.
fn nothing(uri: &Uri) -> Response {
    let noop = if Words::of(uri).version == Some("3") { "1:6" } else { "6" };
    ([(header::CONTENT_TYPE, "text/plain; charset=UTF-8")], noop).into_response()
}

/// What is new to a node that is leaving, and that no other can take, is answered with: try again elsewhere.
fn is_leaving() -> Response {
    let why = Refusal::new(
        ErrorCode::Overloaded,
        "This server is being shut down; try again in a moment, another one will answer.",
    );
    let headers = [
        (header::RETRY_AFTER, HeaderValue::from_static("1")),
        (header::CONNECTION, HeaderValue::from_static("close")),
    ];
    (StatusCode::SERVICE_UNAVAILABLE, headers, Json(Envelope::refusal(&why, None))).into_response()
}

#[cfg(test)]
pub(crate) mod tests;
