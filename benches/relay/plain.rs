//! A relay that does nothing but relay, by hyper alone: the body of a `PUT` is the body of the answer to a `GET` of
//! the same path. It is what roomdrop's uploads are measured by; it runs as a process of its own, this very program
//! called by [`NAME`].

use std::{
    collections::HashMap,
    convert::Infallible,
    pin::Pin,
    process::Command,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, combinators::BoxBody};
use hyper::{
    Method, Request, Response,
    body::{Body, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::oneshot};

use crate::{Outcome, process::Server};

/// What this program is called with to be that relay.
pub(crate) const NAME: &str = "plain-relay";

type Waiting = Arc<Mutex<HashMap<String, oneshot::Sender<Relayed>>>>;
type Answer = Response<BoxBody<Bytes, hyper::Error>>;

/// Starts one.
pub(crate) fn start() -> Outcome<Server> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(NAME);
    Server::start(command)
}

/// Is one, until the process ends.
pub(crate) fn run() -> Outcome<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}", listener.local_addr()?);
        let waiting = Waiting::default();
        loop {
            let (tcp, _) = listener.accept().await?;
            tcp.set_nodelay(true)?;
            let waiting = Arc::clone(&waiting);
            let service = service_fn(move |request| relay(Arc::clone(&waiting), request));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(tcp), service));
        }
    })
}

async fn relay(waiting: Waiting, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let path = request.uri().path().to_owned();
    let empty = || Empty::new().map_err(|never| match never {}).boxed();
    if request.method() == Method::GET {
        let (to, from) = oneshot::channel();
        paths(&waiting).insert(path, to);
        return Ok(Response::new(from.await.map_or_else(|_| empty(), BodyExt::boxed)));
    }
    let (end, ended) = oneshot::channel();
    let receiver = loop {
        if let Some(receiver) = paths(&waiting).remove(&path) {
            break receiver;
        }
        tokio::task::yield_now().await;
    };
    if receiver.send(Relayed { body: request.into_body(), _end: end }).is_ok() {
        let _ = ended.await;
    }
    Ok(Response::new(empty()))
}

fn paths(waiting: &Waiting) -> MutexGuard<'_, HashMap<String, oneshot::Sender<Relayed>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A body that tells when it was taken.
struct Relayed {
    body: Incoming,
    _end: oneshot::Sender<()>,
}

impl Body for Relayed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
