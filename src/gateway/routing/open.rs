//! The sid in the answer to a handshake by long polling gets the node's name: `name.sid`. It exists because
//! the service below picks sids by itself; it refuses to touch a payload that is not an open packet.

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header::CONTENT_LENGTH};
use http_body_util::BodyExt;

use super::way;

/// What stands before the sid.
const FIELD: &str = "\"sid\":\"";

/// The answer with this node's `name` in its sid. Its body is in memory already, and short.
pub(super) async fn with_name(response: Response, name: &str) -> Response {
    if response.status() != StatusCode::OK {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Ok(payload) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let named = std::str::from_utf8(&payload).ok().and_then(|payload| rewrite(payload, name));
    let payload = named.map_or(payload, Bytes::from);
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(payload.len()));
    Response::from_parts(head, Body::from(payload))
}

/// The payload with the named sid; none if it is not one open packet. In Engine.IO 3 its length stands before
/// it, in UTF-16 units; the packet is ASCII.
fn rewrite(payload: &str, name: &str) -> Option<String> {
    if payload.starts_with("0{") {
        return rename(payload, name);
    }
    let (length, packet) = payload.split_once(':')?;
    let is_one = packet.starts_with("0{") && length.parse() == Ok(packet.len()) && packet.is_ascii();
    let packet = is_one.then(|| rename(packet, name))??;
    Some(format!("{}:{packet}", packet.len()))
}

fn rename(packet: &str, name: &str) -> Option<String> {
    let (before, after) = packet.split_once(FIELD)?;
    let (sid, rest) = after.split_once('"')?;
    Some(format!("{before}{FIELD}{}\"{rest}", way::named(name, sid)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_gets_the_name_in_either_version() {
        let open = r#"0{"sid":"AAAAAAAAAAAAAAHs","upgrades":["websocket"]}"#;
        let named = r#"0{"sid":"node-7.AAAAAAAAAAAAAAHs","upgrades":["websocket"]}"#;
        assert_eq!(rewrite(open, "node-7").as_deref(), Some(named));
        let framed = |packet: &str| format!("{}:{packet}", packet.len());
        assert_eq!(rewrite(&framed(open), "node-7"), Some(framed(named)));
    }

    #[test]
    fn what_is_no_open_packet_stays_as_it_is() {
        for payload in ["", "ok", r#"{"code":1}"#, "0{}", "9:0{\"sid\":\"a\"}", "x:0{\"sid\":\"a\"}", "2:40"]
        {
            assert_eq!(rewrite(payload, "a"), None, "{payload}");
        }
    }
}
