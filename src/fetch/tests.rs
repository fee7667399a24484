//! Requests by the real client under the real policy: where a redirect or a name leads to what is not public,
//! nobody there is ever asked.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

use super::body::{Body, Broken};
use super::facts::{Trouble, Validator};
use super::origin::{Lookup, Origin};
use super::policy::{Policy, Reach};
use crate::protocol::ErrorCode;

/// Names that are made up: `private` is loopback, `both` loopback and an address of nobody.
struct Names;

#[async_trait]
impl Lookup for Names {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        match host {
            "private.example" => Ok(vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()]),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// An origin, and how often it was asked.
struct Server {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Server {
    /// Redirects `/to/URL` there, `/round/N` to the next number, and answers everything else with its headers.
    async fn start() -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/to/{*url}", get(|Path(url): Path<String>| async move { redirect(&url) }))
            .route(
                "/round/{n}",
                get(|Path(n): Path<u32>| async move { redirect(&format!("/round/{}", n + 1)) }),
            )
            .fallback(echo)
            .layer(axum::middleware::map_request_with_state(asked.clone(), count))
            .with_state(asked.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { address, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }
}

async fn count<B>(State(asked): State<Arc<AtomicUsize>>, request: http::Request<B>) -> http::Request<B> {
    asked.fetch_add(1, Ordering::Relaxed);
    request
}

fn redirect(to: &str) -> Response {
    (StatusCode::FOUND, [(LOCATION, to.to_owned())]).into_response()
}

async fn echo(headers: HeaderMap) -> String {
    headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap())).collect()
}

fn origin(reach: Reach) -> Origin {
    Origin::new(Arc::new(Policy::new(&[], reach, Vec::new())), Arc::new(Names)).unwrap()
}

async fn refusal(origin: &Origin, url: &Url) -> ErrorCode {
    match origin.open(url, 0, None).await {
        Ok(opened) => panic!("it was let: {}", opened.response.status()),
        Err(Trouble::Final(refusal) | Trouble::Passing(refusal, _)) => refusal.code,
    }
}

#[tokio::test]
async fn a_redirect_to_what_is_not_public_is_not_followed() {
    let (public, private) = (Server::start().await, Server::start().await);
    let origin = origin(Reach::PublicAnd(public.address.port()));
    for inner in
        [private.url("/secret").to_string(), format!("http://private.example:{}/", private.address.port())]
    {
        let url = public.url(&format!("/to/{inner}"));
        assert_eq!(refusal(&origin, &url).await, ErrorCode::NotAllowed, "{inner}");
    }
    let twice = public.url(&format!("/to/{}", public.url(&format!("/to/{}", private.url("/")))));
    assert_eq!(refusal(&origin, &twice).await, ErrorCode::NotAllowed);
    assert_eq!((public.asked(), private.asked()), (4, 0));
}

#[tokio::test]
async fn a_name_of_what_is_not_public_is_not_connected_to() {
    let private = Server::start().await;
    let port = private.address.port();
    let url = Url::parse(&format!("http://private.example:{port}/")).unwrap();
    assert_eq!(refusal(&origin(Reach::Public), &url).await, ErrorCode::NotAllowed);
    assert_eq!(refusal(&origin(Reach::Public), &private.url("/")).await, ErrorCode::NotAllowed);
    assert_eq!(private.asked(), 0);
    // The very same name, where it may be reached: it is the policy that kept it away.
    assert!(origin(Reach::Any).open(&url, 0, None).await.is_ok());
    assert_eq!(private.asked(), 1);
}

#[tokio::test]
async fn redirects_without_end_end() {
    let server = Server::start().await;
    assert_eq!(refusal(&origin(Reach::Any), &server.url("/round/0")).await, ErrorCode::FetchFailed);
    assert_eq!(server.asked(), super::policy::MOST_HOPS + 1);
}

#[tokio::test]
async fn who_is_not_there_may_be_later() {
    let nowhere = Url::parse("http://nobody.example/").unwrap();
    let outcome = origin(Reach::Any).open(&nowhere, 0, None).await;
    assert!(matches!(outcome, Err(Trouble::Passing(refusal, _)) if refusal.code == ErrorCode::FetchFailed));
}

#[tokio::test]
async fn the_rest_of_a_file_is_asked_for_on_condition_that_it_is_the_same() {
    let server = Server::start().await;
    let ask = async |from, validator: Option<&Validator>| {
        let opened = origin(Reach::Any).open(&server.url("/a"), from, validator).await.ok().unwrap();
        opened.response.text().await.unwrap()
    };
    let tag = Validator::Tag("\"x\"".into());
    let rest = ask(5, Some(&tag)).await;
    assert!(rest.contains("range: bytes=5-\n") && rest.contains("if-range: \"x\"\n"), "{rest}");
    assert!(rest.contains("accept-encoding: identity\n") && !rest.contains("referer"), "{rest}");
    let start = ask(0, Some(&tag)).await;
    assert!(start.contains("range: bytes=0-\n") && !start.contains("if-range"), "{start}");
}

/// A server that takes connections, answers with `words` and then says nothing more.
async fn mute(words: &'static str) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        let mut taken = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            // No answer comes before its question.
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(words.as_bytes()).await;
            taken.push(stream);
        }
    });
    url
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_does_not_answer_is_given_up() {
    let outcome = origin(Reach::Any).open(&mute("").await, 0, None).await;
    assert!(matches!(outcome, Err(Trouble::Passing(refusal, _)) if refusal.code == ErrorCode::FetchFailed));
}

#[tokio::test]
async fn an_origin_that_falls_silent_in_the_middle_is_given_up() {
    let url = mute("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome").await;
    let opened = origin(Reach::Any).open(&url, 0, None).await.ok().unwrap();
    let mut body = Body::Http(Box::new(opened.response));
    assert_eq!(body.next().await.unwrap().unwrap().as_ref(), b"some");
    tokio::time::pause();
    assert!(matches!(body.next().await, Err(Broken::Link(_))));
}
