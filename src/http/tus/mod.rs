//! `/tus/`: uploads that go on where they stopped, by the tus protocol 1.0 (tus.io), so that `tus-js-client`, Uppy
//! and others work as they are. It translates; what may be uploaded is decided below.

mod file;
mod headers;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, LOCATION};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use http_body::Body as _;

pub(super) use self::headers::{ANSWERED, SENT};
use super::error::{Refused, method_not_allowed};
use super::put::finish;
use crate::hub::{Hub, Outcome};
use crate::protocol::{ErrorCode, Refusal, Secret};
use crate::tus::{ALGORITHMS, Append, Tus, Wish};

/// The version that is spoken.
const VERSION: HeaderValue = HeaderValue::from_static("1.0.0");
/// And what of it beside the core.
const EXTENSIONS: HeaderValue = HeaderValue::from_static(
    "creation,creation-with-upload,creation-defer-length,expiration,checksum,termination,concatenation",
);
/// What the protocol answers a body with that is not its checksum; no other has the status.
const CHECKSUM_MISMATCH: u16 = 460;

#[derive(Clone)]
struct Served {
    tus: Tus,
    hub: Hub,
}

/// The routes, where there is anything to upload to.
pub(super) fn routes(tus: Option<Tus>, hub: Hub) -> Router<Hub> {
    let Some(tus) = tus else { return Router::new() };
    let served = Served { tus, hub };
    Router::new()
        .route("/tus", post(create))
        .route("/tus/", post(create))
        .route("/tus/{id}", any(serve))
        .layer(from_fn(speak))
        .with_state(served)
}

/// Says to whoever asks with `OPTIONS` what is spoken here; to browsers too, which are answered before the routes.
pub async fn discover(State(tus): State<Option<Tus>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let asks = request.method() == Method::OPTIONS && (path == "/tus" || path.starts_with("/tus/"));
    let mut response = next.run(request).await;
    if let (true, Some(tus)) = (asks, tus) {
        let said = response.headers_mut();
        said.insert(headers::RESUMABLE, VERSION);
        said.insert(headers::TUS_VERSION, VERSION);
        said.insert(headers::EXTENSION, EXTENSIONS);
        said.insert(headers::MAX_SIZE, tus.max_size().into());
        said.insert(headers::ALGORITHM, HeaderValue::from_static(ALGORITHMS));
    }
    response
}

/// Every answer says the version; what changes is never taken from a cache.
async fn speak(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let said = response.headers_mut();
    said.insert(headers::RESUMABLE, VERSION);
    said.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// `POST /tus/`.
async fn create(State(served): State<Served>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    match begin(&served, &head.headers, body).await {
        Ok(response) => response,
        Err((refusal, rest)) => refused(&served, refusal, rest).await,
    }
}

/// Begins an upload, and takes its first bytes if they came with it.
async fn begin(
    served: &Served,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, (Refusal, Option<Body>)> {
    let has_bytes = body.size_hint().exact() != Some(0) && !body.is_end_stream();
    let bytes = body.size_hint().exact();
    let (wish, checksum) = match read(headers, has_bytes) {
        Ok(read) => read,
        Err(refusal) => return Err((refusal, Some(body))),
    };
    let (id, mut upload) = match served.tus.create(wish).await {
        Ok(created) => created,
        Err(refusal) => return Err((refusal, Some(body))),
    };
    if has_bytes {
        let (outcome, rest) =
            served.tus.append(&id, Append::first(bytes, checksum), body.into_data_stream()).await;
        upload = match outcome {
            Ok(upload) => upload,
            Err(refusal) => {
                // Nobody will hear of it: it ends here.
                let _ = served.tus.remove(&id).await;
                return Err((refusal, rest.map(Body::from_stream)));
            }
        };
    }
    let mut response = StatusCode::CREATED.into_response();
    headers::put_progress(response.headers_mut(), &upload);
    headers::put(response.headers_mut(), LOCATION, &format!("/tus/{}", id.expose()));
    Ok(response)
}

fn read(headers: &HeaderMap, has_bytes: bool) -> Outcome<(Wish, Option<crate::tus::Checksum>)> {
    must_speak(headers)?;
    if has_bytes {
        headers::must_be_bytes(headers)?;
    }
    let wish = Wish {
        kind: headers::kind(headers)?,
        metadata: headers::metadata(headers)?,
        door: headers::door(headers)?,
    };
    Ok((wish, headers::checksum(headers)?))
}

/// `/tus/{id}`.
async fn serve(
    State(served): State<Served>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let method = match method(head.method, &head.headers) {
        Ok(method) => method,
        Err(refusal) => return refused(&served, refusal, Some(body)).await,
    };
    let id = id.ok().and_then(|Path(id)| Secret::new(&id));
    let is_taken = [Method::GET, Method::HEAD, Method::PATCH, Method::DELETE].contains(&method);
    let (Some(id), true) = (id, is_taken) else {
        let why: Refused = if is_taken {
            ErrorCode::NotFound.into()
        } else {
            let allowed = HeaderValue::from_static("GET,HEAD,PATCH,DELETE");
            method_not_allowed().await.with_header(ALLOW, allowed)
        };
        return finish(&served.hub, why.into_response(), Some(body)).await;
    };
    if method == Method::GET {
        return file::serve(&served.tus, &id, &head.headers).await.into_response();
    }
    let outcome = match must_speak(&head.headers) {
        Err(refusal) => Err((refusal, Some(body))),
        Ok(()) if method == Method::PATCH => append(&served, &id, &head.headers, body).await,
        Ok(()) if method == Method::DELETE => served
            .tus
            .remove(&id)
            .await
            .map(|()| StatusCode::NO_CONTENT.into_response())
            .map_err(|why| (why, None)),
        Ok(()) => look(&served, &id).await.map_err(|why| (why, None)),
    };
    match outcome {
        Ok(response) => response,
        Err((refusal, rest)) => refused(&served, refusal, rest).await,
    }
}

async fn look(served: &Served, id: &Secret) -> Outcome<Response> {
    let upload = served.tus.look(id).await?;
    let mut response = StatusCode::OK.into_response();
    headers::put_all(response.headers_mut(), &upload);
    Ok(response)
}

async fn append(
    served: &Served,
    id: &Secret,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, (Refusal, Option<Body>)> {
    let bytes = body.size_hint().exact();
    let what = match append_of(headers, bytes) {
        Ok(what) => what,
        Err(refusal) => return Err((refusal, Some(body))),
    };
    let (outcome, rest) = served.tus.append(id, what, body.into_data_stream()).await;
    let upload = outcome.map_err(|refusal| (refusal, rest.map(Body::from_stream)))?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    headers::put_progress(response.headers_mut(), &upload);
    Ok(response)
}

fn append_of(headers: &HeaderMap, bytes: Option<u64>) -> Outcome<Append> {
    headers::must_be_bytes(headers)?;
    let (offset, length) = (headers::offset(headers)?, headers::length(headers)?);
    Ok(Append { offset, length, bytes, checksum: headers::checksum(headers)? })
}

/// The method that is meant: networks that know only `POST` let it be said in a header.
fn method(method: Method, headers: &HeaderMap) -> Outcome<Method> {
    match headers.get(headers::OVERRIDE) {
        Some(said) if method == Method::POST => Method::from_bytes(said.as_bytes())
            .map_err(|_| Refusal::new(ErrorCode::BadRequest, "X-HTTP-Method-Override names no method.")),
        _ => Ok(method),
    }
}

fn must_speak(headers: &HeaderMap) -> Outcome<()> {
    if headers.get(headers::RESUMABLE) == Some(&VERSION) {
        return Ok(());
    }
    let why = "This is a tus 1.0 address: send Tus-Resumable: 1.0.0.";
    Err(Refusal::new(ErrorCode::PreconditionFailed, why))
}

async fn refused(served: &Served, refusal: Refusal, rest: Option<Body>) -> Response {
    let code = refusal.code;
    let mut response = Refused::from(refusal).into_response();
    match code {
        ErrorCode::DigestMismatch => {
            let status = StatusCode::from_u16(CHECKSUM_MISMATCH);
            *response.status_mut() = status.unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
        }
        ErrorCode::PreconditionFailed => {
            response.headers_mut().insert(headers::TUS_VERSION, VERSION);
        }
        _ => {}
    }
    finish(&served.hub, response, rest).await
}
