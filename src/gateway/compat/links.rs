//! Which connection carries which Engine.IO session. It exists because a peer that reads nothing can't be
//! ended through the Socket.IO service, whose queue to it is full: its connection has to be cut, and a
//! session by long polling has none of its own. It refuses to keep a session's entry longer than its
//! connections, its requests, or the word that it was cut.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes},
    extract::ConnectInfo,
    response::{IntoResponse, Response},
};
use http::{Method, Request, StatusCode, Uri, header, request::Parts};
use tokio_util::sync::CancellationToken;
use tower::{BoxError, Layer, Service, ServiceExt};

use super::{ResponseFuture, Words};
use crate::net::{Link, Peer};

/// Cut sessions that are remembered until they are forgotten; beyond that the oldest is dropped, which
/// can only be a session that is gone or about to be: the service below ends it by its heartbeat.
const MOST_CUT: usize = 4096;

/// Connections that one session may try to move to at a time. A client tries one.
const MOST_LINKS: usize = 4;

/// Below this many sessions nobody looks for stale ones.
const SWEEP_FROM: usize = 1024;

/// What Engine.IO answers to a session it does not know; a client then connects anew.
const UNKNOWN_SESSION: &str = r#"{"code":1,"message":"Session ID unknown"}"#;

/// The sessions of one server, by Engine.IO session id (`socket.id`). Cheap to clone.
///
/// Holds at most an entry per open upgraded connection (twice as many between two sweeps), one per
/// request in progress, and 4,096 for sessions that were cut.
#[derive(Clone, Debug, Default)]
pub struct Links(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    sessions: HashMap<String, Session>,
    /// The cut ones, oldest first, forgotten ones among them.
    cut: VecDeque<String>,
    sweep_at: usize,
}

#[derive(Debug, Default)]
struct Session {
    /// Cancelled when the session is cut.
    end: CancellationToken,
    /// Connections it was upgraded to, or tried to be.
    links: Vec<Link>,
    /// Requests in progress.
    requests: usize,
}

impl Links {
    /// Ends a session that began by long polling: cuts the connections of its WebSocket, answers its
    /// poll in progress and each later request with Engine.IO's "unknown session", and closes it in the
    /// service below as soon as it makes a request (at the latest its heartbeat ends it).
    pub fn cut(&self, sid: &str) {
        let (end, links) = {
            let mut table = self.table();
            if table.cut.len() >= MOST_CUT
                && let Some(oldest) = table.cut.pop_front()
            {
                table.sessions.remove(&oldest);
            }
            table.cut.push_back(sid.to_owned());
            let session = table.sessions.entry(sid.to_owned()).or_default();
            (session.end.clone(), mem::take(&mut session.links))
        };
        end.cancel();
        links.iter().for_each(Link::cut);
    }

    /// Ends a session whatever carries it, given the request that began it (`socket.req_parts()`): a
    /// WebSocket from the start has the connection of that request, any other see [`cut`](Self::cut).
    pub fn cut_session(&self, sid: &str, handshake: &Parts) {
        let direct = Words::of(&handshake.uri).transport == Some("websocket");
        match handshake.extensions.get::<ConnectInfo<Peer>>() {
            Some(ConnectInfo(peer)) if direct => peer.link.cut(),
            _ => self.cut(sid),
        }
    }

    /// Ends every session that has an entry, see [`cut`](Self::cut): those with a request in progress, and
    /// those that moved to a WebSocket.
    pub fn cut_all(&self) {
        let sids: Vec<String> = self.table().sessions.keys().cloned().collect();
        sids.iter().for_each(|sid| self.cut(sid));
    }

    /// Drops all that is known of a session. To be called when it has ended.
    pub fn forget(&self, sid: &str) {
        self.table().sessions.remove(sid);
    }

    /// Sessions with an entry now.
    pub fn len(&self) -> usize {
        self.table().sessions.len()
    }

    /// Whether no session has an entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Notes that a request of a session begins; the guard notes its end. None when the session was
    /// cut.
    fn begin(&self, sid: &str) -> Option<InProgress> {
        let mut table = self.table();
        table.sweep();
        let session = table.sessions.entry(sid.to_owned()).or_default();
        if session.end.is_cancelled() {
            return None;
        }
        session.requests += 1;
        let end = session.end.clone();
        drop(table);
        Some(InProgress { links: self.clone(), sid: sid.to_owned(), end })
    }

    /// The table is whole after every step, so a panic elsewhere while it was held does no harm.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Drops the entries that nothing needs, each time their number has doubled.
    fn sweep(&mut self) {
        if self.sessions.len() >= self.sweep_at.max(SWEEP_FROM) {
            self.sessions.retain(|_, session| session.is_needed());
            self.sweep_at = 2 * self.sessions.len();
        }
    }
}

impl Session {
    fn is_needed(&self) -> bool {
        self.requests > 0 || self.end.is_cancelled() || self.links.iter().any(Link::is_open)
    }
}

/// A request of a session, from its start to its answer.
struct InProgress {
    links: Links,
    sid: String,
    end: CancellationToken,
}

impl InProgress {
    /// The session moves to a WebSocket on this connection, or tries to. A connection that can't be
    /// noted is cut, so that none is out of reach: the session was cut or ended meanwhile, or it tries
    /// too many at a time.
    fn moves_to(&self, link: Link) {
        let mut table = self.links.table();
        let session = table.sessions.get_mut(&self.sid).filter(|_| !self.end.is_cancelled());
        if let Some(session) = session {
            session.links.retain(Link::is_open);
            if session.links.len() < MOST_LINKS {
                return session.links.push(link);
            }
        }
        link.cut();
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let mut table = self.links.table();
        if let Some(session) = table.sessions.get_mut(&self.sid) {
            session.requests = session.requests.saturating_sub(1);
            if !session.is_needed() {
                table.sessions.remove(&self.sid);
            }
        }
    }
}

/// Keeps [`Links`] up to date. Put it in front of `SocketIoLayer`, with the router served by
/// `into_make_service_with_connect_info::<Peer>()`.
#[derive(Clone, Debug)]
pub struct LinkLayer(Links);

impl LinkLayer {
    /// A layer that writes into `links`.
    pub fn new(links: Links) -> Self {
        Self(links)
    }
}

/// The service that [`LinkLayer`] puts in front of another.
#[derive(Clone, Debug)]
pub struct Linked<S> {
    inner: S,
    links: Links,
}

impl<S> Layer<S> for LinkLayer {
    type Service = Linked<S>;

    fn layer(&self, inner: S) -> Linked<S> {
        Linked { inner, links: self.0.clone() }
    }
}

impl<S, B> Service<Request<Body>> for Linked<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
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

    fn call(&mut self, request: Request<Body>) -> ResponseFuture {
        let Some(sid) = session_of(request.uri()) else {
            let response = self.inner.call(request);
            return Box::pin(async move { Ok(response.await?.map(Body::new)) });
        };
        let (uri, spare) = (request.uri().clone(), self.inner.clone());
        let Some(in_progress) = self.links.begin(sid) else {
            return Box::pin(refuse(spare, uri));
        };
        let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|ConnectInfo(peer)| peer.link.clone());
        let response = self.inner.call(request);
        Box::pin(async move {
            let response = tokio::select! {
                biased;
                response = response => response?.map(Body::new),
                () = in_progress.end.cancelled() => return refuse(spare, uri).await,
            };
            if response.status() == StatusCode::SWITCHING_PROTOCOLS
                && let Some(link) = peer
            {
                in_progress.moves_to(link);
            }
            Ok(response)
        })
    }
}

/// The session a request belongs to; none for other requests, and for an id the service would not take.
fn session_of(uri: &Uri) -> Option<&str> {
    let words = Words::of(uri);
    words.version?;
    words.sid.filter(|sid| sid.len() == 16)
}

/// Closes a cut session in the service below, as its client would, and tells the client that it is gone.
async fn refuse<S, B>(inner: S, uri: Uri) -> Result<Response, Infallible>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
{
    let words = Words::of(&uri);
    if words.transport == Some("polling") {
        // The packet "close", bare in Engine.IO 4, with its length in 3.
        let close = if words.version == Some("3") { "1:1" } else { "1" };
        let mut request = Request::new(Body::from(close));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        inner.oneshot(request).await?;
    }
    Ok(unknown_session())
}

/// What a request of a session that is not there is answered with.
pub(in crate::gateway) fn unknown_session() -> Response {
    (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, "application/json")], UNKNOWN_SESSION).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_sessions_are_bounded_and_the_oldest_goes_first() {
        let links = Links::default();
        for number in 0..MOST_CUT + 2 {
            links.cut(&number.to_string());
        }
        assert_eq!(links.len(), MOST_CUT);
        assert!(links.begin("1").is_some(), "the oldest were dropped");
        assert!(links.begin("2").is_none(), "the others are still refused");
    }

    #[test]
    fn sessions_whose_connections_are_gone_are_swept_out() {
        let links = Links::default();
        let open = Link::new();
        links.begin("open").unwrap().moves_to(open.clone());
        for number in 1..SWEEP_FROM {
            let gone = Link::new();
            links.begin(&number.to_string()).unwrap().moves_to(gone.clone());
            gone.cut();
        }
        assert_eq!(links.len(), SWEEP_FROM);
        drop(links.begin("one more"));
        assert_eq!(links.len(), 1);
        links.cut("open");
        assert!(open.is_cut());
    }

    #[test]
    fn a_connection_that_a_session_moves_to_after_the_cut_is_cut_as_well() {
        let links = Links::default();
        let moving = links.begin("a").unwrap();
        links.cut("a");
        let link = Link::new();
        moving.moves_to(link.clone());
        assert!(link.is_cut());

        let moving = links.begin("b").unwrap();
        links.forget("b");
        let link = Link::new();
        moving.moves_to(link.clone());
        assert!(link.is_cut());
    }

    #[test]
    fn a_session_moves_to_a_few_connections_at_a_time_and_all_are_cut() {
        let links = Links::default();
        let tried: Vec<Link> = (0..MOST_LINKS).map(|_| Link::new()).collect();
        for link in &tried {
            links.begin("a").unwrap().moves_to(link.clone());
        }
        let more = Link::new();
        links.begin("a").unwrap().moves_to(more.clone());
        assert!(more.is_cut() && tried.iter().all(Link::is_open));
        links.cut("a");
        assert!(tried.iter().all(Link::is_cut));
    }
}
