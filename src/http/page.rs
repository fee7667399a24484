//! The page, from within the binary: compressed, with entity tags, and under headers that let it run
//! nothing but itself. Whether it is the real one or the one that tells how to build it was decided by
//! `build.rs`. No file is read while serving, so no path of a request can reach one.

use std::sync::LazyLock;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use memory_serve::{Asset, CacheControl, MemoryServe};

use crate::protocol::{Envelope, ErrorCode, Refusal, RoomId};

static EMBEDDED: &[Asset] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// What the page may do: run its own scripts, workers and WebAssembly (digests), show pictures and sound it
/// made itself (`blob:`), connect to this server, and be in no other site's frame.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' blob:; \
     media-src 'self' blob:; connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'; \
     form-action 'self'";

const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// Files below are named after their content's hash, so they never change.
const HASHED: &str = "/assets/";

/// `GET` and `HEAD` of `/`, `/rooms/{room}` and every file of the page. Cheap to call again: the files
/// are unpacked once per process.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    static PAGE: LazyLock<Router> = LazyLock::new(|| serve(EMBEDDED));
    PAGE.clone().with_state(())
}

fn serve(assets: &'static [Asset]) -> Router {
    MemoryServe::new(assets)
        .enable_brotli(true)
        .enable_gzip(true)
        .cache_control(CacheControl::Long)
        .add_alias("/rooms/{room}", "/index.html")
        .into_router()
        .route_layer(middleware::from_fn(guard))
}

/// Turns away what is no room, and puts our headers on the rest.
async fn guard(
    params: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Response {
    let exists = params.is_ok_and(|params| params.iter().all(|(_, room)| RoomId::new(room).is_some()));
    let is_hashed = request.uri().path().starts_with(HASHED);
    let mut response = if exists { next.run(request).await } else { no_such_room() };
    let headers = response.headers_mut();
    headers.extend(HEADERS);
    if !is_hashed {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    response
}

fn no_such_room() -> Response {
    let sentence = "There can be no such room: a room's id is 1 to 64 of A-Z a-z 0-9 _ -.";
    let refusal = Refusal::new(ErrorCode::RoomNotFound, sentence);
    (StatusCode::NOT_FOUND, Json(Envelope::refusal(&refusal, None))).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    const SCRIPT: &[u8] = &[b'x'; 4096];
    static BUILT: &[Asset] = &[
        asset("/index.html", "text/html", b"<!doctype html><title>roomdrop</title>"),
        asset("/assets/app-1a2b3c.js", "text/javascript", SCRIPT),
        asset("/manifest.webmanifest", "application/manifest+json", b"{}"),
    ];

    const fn asset(route: &'static str, content_type: &'static str, bytes: &'static [u8]) -> Asset {
        Asset {
            route,
            path: "",
            etag: "e7a6",
            content_type,
            bytes: Some(bytes),
            is_compressed: false,
            should_compress: bytes.len() > 1024,
        }
    }

    async fn ask(router: Router, method: &str, path: &str, headers: &[(&str, &str)]) -> (Response, Vec<u8>) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        (Response::from_parts(parts, Body::empty()), body)
    }

    async fn get(path: &str) -> (Response, Vec<u8>) {
        ask(serve(BUILT), "GET", path, &[]).await
    }

    fn header<'a>(response: &'a Response, name: &str) -> &'a str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[tokio::test]
    async fn the_binary_holds_a_page_built_or_not() {
        for path in ["/", "/rooms/calm_otter-42"] {
            let (response, body) = ask(routes(), "GET", path, &[]).await;
            assert_eq!(response.status(), 200);
            assert_eq!(header(&response, "content-type"), "text/html");
            assert!(String::from_utf8(body).unwrap().contains("roomdrop"));
        }
    }

    #[tokio::test]
    async fn every_room_is_the_same_page() {
        let (_, index) = get("/").await;
        for room in ["a", "Calm_otter-42", &"a".repeat(64)] {
            let (response, body) = get(&format!("/rooms/{room}")).await;
            assert_eq!((response.status(), &body), (StatusCode::OK, &index), "{room}");
        }
    }

    #[tokio::test]
    async fn what_can_be_no_room_is_not_found_and_says_why() {
        for room in ["a%20b", "%2e%2e", "a%2Fb", "caf%C3%A9", "%FF", "a.b", &"a".repeat(65)] {
            let (response, body) = get(&format!("/rooms/{room}")).await;
            assert_eq!(response.status(), 404, "{room}");
            assert_eq!(header(&response, "x-content-type-options"), "nosniff");
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["code"], -1);
            assert_eq!(body["data"]["error"], "room_not_found");
            assert!(body["msg"].as_str().unwrap().contains("1 to 64"));
        }
        for path in ["/rooms/", "/rooms", "/rooms/a/b", "/assets/none.js", "/../Cargo.toml", "/assets/"] {
            assert_eq!(get(path).await.0.status(), 404, "{path}");
        }
    }

    #[tokio::test]
    async fn what_is_named_by_its_hash_is_kept_for_a_year_and_the_rest_is_asked_for_anew() {
        let (response, body) = get("/assets/app-1a2b3c.js").await;
        assert_eq!(body, SCRIPT);
        assert_eq!(header(&response, "cache-control"), "max-age=31536000, immutable");
        for path in ["/", "/index.html", "/rooms/a", "/manifest.webmanifest"] {
            assert_eq!(header(&get(path).await.0, "cache-control"), "no-cache", "{path}");
        }
    }

    #[tokio::test]
    async fn what_the_browser_holds_already_is_not_sent_again() {
        for path in ["/rooms/a", "/assets/app-1a2b3c.js"] {
            let tag = header(&get(path).await.0, "etag").to_owned();
            let (response, body) = ask(serve(BUILT), "GET", path, &[("if-none-match", &tag)]).await;
            assert_eq!((response.status(), body.len()), (StatusCode::NOT_MODIFIED, 0));
            assert_eq!(header(&response, "content-security-policy"), POLICY);
        }
    }

    #[tokio::test]
    async fn it_travels_compressed_to_those_who_can_read_it() {
        for (accepted, encoding) in [("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("zstd", "")] {
            let (response, body) =
                ask(serve(BUILT), "GET", "/assets/app-1a2b3c.js", &[("accept-encoding", accepted)]).await;
            assert_eq!(header(&response, "content-encoding"), encoding);
            assert_eq!(header(&response, "vary"), "accept-encoding");
            assert_eq!(body.len() == SCRIPT.len(), encoding.is_empty());
        }
    }

    #[tokio::test]
    async fn a_head_request_gets_the_headers_alone() {
        let (response, body) = ask(serve(BUILT), "HEAD", "/assets/app-1a2b3c.js", &[]).await;
        assert_eq!((response.status(), body.len()), (StatusCode::OK, 0));
        assert_eq!(header(&response, "content-length"), "4096");
    }

    #[tokio::test]
    async fn the_page_may_run_nothing_but_itself() {
        for path in ["/", "/rooms/a", "/assets/app-1a2b3c.js"] {
            let (response, _) = get(path).await;
            assert_eq!(header(&response, "content-security-policy"), POLICY);
            assert_eq!(header(&response, "x-content-type-options"), "nosniff");
            assert_eq!(header(&response, "referrer-policy"), "no-referrer");
        }
        assert!(!POLICY.contains("  ") && POLICY.contains("frame-ancestors 'none'"));
    }
}
