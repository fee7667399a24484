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
//! that stays, and refuses (503) what would need a connection of its own.

mod forward;
mod open;
mod under_way;
mod way;

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Request, StatusCode, header};
use tokio_util::sync::CancellationToken;
use tower::{BoxError, Layer, Service};

use self::forward::Forward;
use self::under_way::{One, UnderWay};
use self::way::{Here, Scene, There, Way};
use super::compat::{ResponseFuture, unknown_session};
use crate::broker::Broker;
use crate::protocol::{Envelope, ErrorCode, Refusal};

/// How requests are handed on.
#[derive(Debug, Clone)]
pub struct Options {
    /// Time for the connection to another node. Short: it stands next to this one, or it is gone.
    pub connect: Duration,
    /// Time for the head of its answer. Longer than a heartbeat's interval and time-out together, since a
    /// long poll is answered at the next heartbeat at the latest.
    pub answer: Duration,
    /// Time over which connections handed on end when this node leaves, each at a random moment.
    pub spread: Duration,
}

/// The way to other nodes. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Routing(Arc<Inner>);

struct Inner {
    broker: Arc<dyn Broker>,
    leaving: CancellationToken,
    forward: Forward,
    under_way: UnderWay,
}

impl Routing {
    /// Hands on to the nodes that `broker` knows. From when `leaving` is cancelled, this node takes nothing
    /// new.
    pub fn new(broker: Arc<dyn Broker>, leaving: CancellationToken, options: Options) -> Self {
        let forward = Forward::new(broker.clone(), leaving.clone(), options);
        Self(Arc::new(Inner { broker, leaving, forward, under_way: UnderWay::default() }))
    }

    /// Whether another node lives that clients can move to.
    pub fn has_company(&self) -> bool {
        let me = self.0.broker.me().id;
        self.0.broker.is_there() && self.0.broker.nodes().iter().any(|node| node.id != me)
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

    fn way(&self, request: &Request<Body>) -> Way {
        let (nodes, me) = (self.0.broker.nodes(), self.0.broker.me());
        let is_leaving = self.0.leaving.is_cancelled();
        let lot = if is_leaving { rand::random::<u16>().into() } else { 0 };
        Way::of(request, Scene { me, nodes: &nodes, is_leaving, lot })
    }

    /// Counts the request among those that are waited for.
    fn begin(&self, way: &Way) -> Option<One> {
        let never_ceases = matches!(way, Way::There(There::Session(_))) && self.0.leaving.is_cancelled();
        (!never_ceases).then(|| self.0.under_way.one())
    }

    /// The answer to what is not for the service below.
    async fn ask(&self, there: There, request: Request<Body>) -> Response {
        let forward = &self.0.forward;
        match there {
            There::Session(node) => forward.send(&node, request).await.unwrap_or_else(|lost| {
                tracing::debug!(node = node.name, error = %lost, "another node's session is out of reach");
                // The session may live on: it is this node that ends.
                if forward.is_closed() { is_leaving() } else { unknown_session() }
            }),
            There::Stays(node) => forward.send(&node, request).await.unwrap_or_else(|_| is_leaving()),
            There::Unknown => unknown_session(),
            There::Leaving => is_leaving(),
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
                let is_handshake = here == Here::Handshake;
                if let Here::Own(uri) = here {
                    *request.uri_mut() = uri;
                }
                let response = self.inner.call(request);
                Box::pin(async move {
                    let mut response = response.await?.map(Body::new);
                    if is_handshake {
                        response = open::with_name(response, &routing.0.broker.me().name).await;
                    }
                    Ok(lasting(one, response))
                })
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
