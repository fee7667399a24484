//! Layers in front of the Socket.IO service that make up for what it does not do. They exist so that
//! clients of Socket.IO 2 get binary over long polling, and so that a session can be cut whatever carries
//! it; they refuse to know any event.
//!
//! **Engine.IO 3, long polling, binary to the client.** The service below writes a binary packet of a
//! text payload as `<length>:b<base64>`; Engine.IO 3 wants the packet type between the two,
//! `<length>:b4<base64>` ([Engine.IO protocol 3](https://github.com/socketio/engine.io-protocol/tree/v3#payload)),
//! and the official 2.x client throws on the first. In a binary payload it writes the same text where
//! raw bytes belong. So [`layer`] asks for text payloads on the client's behalf (`b64=1` in its
//! handshake, which every Engine.IO 3 client can read), and puts the missing type into them. What
//! clients send, WebSocket, and Engine.IO 4 are right as they are and pass untouched.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes},
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, Method, Request, StatusCode, Uri,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body_util::BodyExt;
use tower::{BoxError, Layer, Service};

pub mod links;

pub(super) use links::unknown_session;
pub use links::{LinkLayer, Links};

/// The layer that re-frames Engine.IO 3 payloads. Put it in front of `SocketIoLayer`:
/// `ServiceBuilder::new().layer(compat::layer()).layer(socket_io_layer)`.
pub fn layer() -> Eio3Layer {
    Eio3Layer(())
}

/// Made by [`layer`].
#[derive(Clone, Debug)]
pub struct Eio3Layer(());

/// The service that [`Eio3Layer`] puts in front of another.
#[derive(Clone, Debug)]
pub struct Eio3<S>(S);

pub(super) type ResponseFuture = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

impl<S> Layer<S> for Eio3Layer {
    type Service = Eio3<S>;

    fn layer(&self, inner: S) -> Eio3<S> {
        Eio3(inner)
    }
}

impl<S, B> Service<Request<Body>> for Eio3<S>
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
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> ResponseFuture {
        let words = Words::of(request.uri());
        let polls = words.version == Some("3")
            && words.transport == Some("polling")
            && request.method() == Method::GET;
        let handshake = polls && words.sid.is_none();
        if handshake && let Some(uri) = asking_for_text(request.uri()) {
            *request.uri_mut() = uri;
        }
        let response = self.0.call(request);
        Box::pin(async move {
            let response = response.await?.map(Body::new);
            Ok(if polls && !handshake { reframed(response).await } else { response })
        })
    }
}

/// What an Engine.IO request says in its query. Read as the service below reads it: the first of each
/// name counts, and nothing is percent-decoded.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Words<'a> {
    pub(super) version: Option<&'a str>,
    pub(super) transport: Option<&'a str>,
    pub(super) sid: Option<&'a str>,
}

impl<'a> Words<'a> {
    pub(super) fn of(uri: &'a Uri) -> Self {
        let first = |name: &str| {
            let mut pairs = uri.query().unwrap_or_default().split('&');
            pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        };
        Self { version: first("EIO"), transport: first("transport"), sid: first("sid") }
    }
}

/// The same address with `b64=1` in front, where it wins over what the client said.
fn asking_for_text(uri: &Uri) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    let path_and_query = format!("{}?b64=1&{}", uri.path(), uri.query()?);
    parts.path_and_query = Some(path_and_query.parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// The response to a poll, with its binary packets as Engine.IO 3 has them. Its body is in memory
/// already, as long as the service's payload limit allows.
async fn reframed(response: Response) -> Response {
    let text = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/"));
    if response.status() != StatusCode::OK || !text {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Ok(payload) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
        // Packets are lost with it: the client must know, and connect anew.
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let payload = std::str::from_utf8(&payload).ok().and_then(reframe).map_or(payload, Bytes::from);
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(payload.len()));
    Response::from_parts(head, Body::from(payload))
}

/// Puts the type `4` (message) into every binary packet of a text payload that lacks it, or returns
/// none if nothing has to change. A payload is a run of `<length>:<packet>`, the length in UTF-16 units.
fn reframe(payload: &str) -> Option<String> {
    let mut out = String::new();
    let mut changed = false;
    let mut rest = payload;
    while !rest.is_empty() {
        let (length, after) = rest.split_once(':')?;
        let length: usize = length.parse().ok()?;
        let (packet, later) = split_utf16(after, length)?;
        if is_binary_without_type(packet) {
            out.reserve(payload.len() + 16);
            out.push_str(&format!("{}:b4", length + 1));
            out.push_str(packet.get(1..)?);
            changed = true;
        } else {
            out.push_str(&format!("{length}:{packet}"));
        }
        rest = later;
    }
    changed.then_some(out)
}

/// `b` and padded base64, whose length is a multiple of 4: with the type between them, it is not.
fn is_binary_without_type(packet: &str) -> bool {
    packet.strip_prefix('b').is_some_and(|base64| base64.len() % 4 == 0)
}

/// Splits after `units` UTF-16 units; none if there are fewer, or a character would be split.
fn split_utf16(text: &str, units: usize) -> Option<(&str, &str)> {
    if text.starts_with('b') {
        // Base64: a unit is a byte, and there may be millions.
        return text.split_at_checked(units);
    }
    let mut left = units;
    for (at, char) in text.char_indices() {
        if left == 0 {
            return text.split_at_checked(at);
        }
        left = left.checked_sub(char.len_utf16())?;
    }
    (left == 0).then_some((text, ""))
}

#[cfg(test)]
pub(crate) mod served;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_packets_get_their_type_and_text_stays_as_it_is() {
        let cases: [(&str, Option<&str>); 8] = [
            ("", None),
            ("1:3", None),
            ("7:4hello€", None),
            ("9:bAQIDBA==", Some("10:b4AQIDBA==")),
            ("10:b4AQIDBA==", None),
            ("1:b", Some("2:b4")),
            ("7:4hello€9:bAQIDBA==3:4𝕊5:b4AAA2:4b", Some("7:4hello€10:b4AQIDBA==3:4𝕊6:b44AAA2:4b")),
            ("6:4b:b4A9:bAQIDBA==", Some("6:4b:b4A10:b4AQIDBA==")),
        ];
        for (payload, expected) in cases {
            assert_eq!(reframe(payload).as_deref(), expected, "{payload}");
        }
    }

    #[test]
    fn a_payload_that_is_none_passes_as_it_is() {
        for payload in ["x", "5:", "9:bAQ", ":", "-1:b", "2:4𝕊", "99999999999999999999:b"] {
            assert_eq!(reframe(payload), None, "{payload}");
        }
    }

    #[test]
    fn the_first_word_of_a_name_counts() {
        let uri: Uri = "http://host/socket.io/?EIO=3&sidx=1&transport=polling&sid=a&sid=b".parse().unwrap();
        let words = Words::of(&uri);
        assert_eq!((words.version, words.transport, words.sid), (Some("3"), Some("polling"), Some("a")));
        let asked = asking_for_text(&uri).unwrap();
        let expected = "http://host/socket.io/?b64=1&EIO=3&sidx=1&transport=polling&sid=a&sid=b";
        assert_eq!(asked.to_string(), expected);
    }
}
