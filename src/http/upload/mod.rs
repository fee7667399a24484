//! `POST /api/upload/handshake`, `POST /api/upload`, and `GET` and `HEAD /upload/{fileId}{ext}`: uploads in chunks,
//! for frontends that hash a file piece by piece. It reads forms and writes answers; which chunks are needed is
//! decided below. Names are hexadecimal digits and a few letters, and anything else is not there.

mod address;
mod form;
mod tap;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{get, post};

use self::form::{Form, Handshake};
use self::tap::Tap;
use super::error::Refused;
use super::file::Wanted;
use super::{parting, stored};
use crate::hub::Hub;
use crate::protocol::uploads::{FileId, Reply, ReplyData, UploadName};
use crate::protocol::{ErrorCode, Refusal};
use crate::upload::{Outcome, Uploads};

/// Where stored uploads are served.
const PREFIX: &str = "/upload/";

/// What the routes need.
#[derive(Clone)]
struct Door {
    hub: Hub,
    /// Where anything is kept.
    uploads: Option<Uploads>,
}

/// The routes; where nothing is kept they say so.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(hub: Hub, uploads: Option<Uploads>) -> Router<S> {
    Router::new()
        .route("/api/upload/handshake", post(handshake))
        .route("/api/upload", post(chunk))
        .route("/api/upload/", post(chunk))
        .route("/upload/{*name}", get(serve).head(serve))
        .with_state(Door { hub, uploads })
}

/// Which file, and how it stands.
type Standing = Result<(FileId, Outcome), Refusal>;

async fn handshake(State(door): State<Door>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let tap = Tap::new(body, form::HANDSHAKE, door.hub.options().upload_patience);
    let standing = door.take_handshake(&tap).await;
    door.answer(&head.headers, standing, tap)
}

async fn chunk(State(door): State<Door>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let tap = Tap::new(body, form::FORM, door.hub.options().upload_patience);
    let standing = door.take_chunk(&head.headers, &tap).await;
    door.answer(&head.headers, standing, tap)
}

impl Door {
    fn uploads(&self) -> Result<&Uploads, Refusal> {
        let nothing =
            || Refusal::new(ErrorCode::NotAllowed, "This server keeps nothing (store.url is none).");
        self.uploads.as_ref().ok_or_else(nothing)
    }

    async fn take_handshake(&self, tap: &Tap) -> Standing {
        let uploads = self.uploads()?;
        let turn = uploads.turn_for_handshake().await?;
        let Handshake { file, ext, chunks } = Handshake::read(tap).await?;
        Ok((file, uploads.handshake(file, ext, chunks, turn).await?))
    }

    async fn take_chunk(&self, headers: &HeaderMap, tap: &Tap) -> Standing {
        let uploads = self.uploads()?;
        let turn = uploads.turn_for_chunk().await?;
        let Form { file, chunk, bytes } = Form::read(uploads, headers, tap).await?;
        Ok((file, uploads.accept(file, &chunk, bytes, turn).await?))
    }

    fn answer(&self, headers: &HeaderMap, standing: Standing, tap: Tap) -> Response {
        let (reply, rest) = match standing {
            Ok((file, Outcome::Here(ext))) => {
                let url = address::of(&UploadName { file, ext }, headers);
                (Reply::new(ReplyData::Url(url)), None)
            }
            Ok((_, Outcome::Needed(needed))) => (Reply::new(ReplyData::Needed(needed)), None),
            Err(refusal) => (Reply::refusal(&refusal), Some(tap.rest())),
        };
        let status = match reply.code {
            0 => StatusCode::OK,
            code => StatusCode::from_u16(code).unwrap_or(StatusCode::FORBIDDEN),
        };
        let words = serde_json::to_vec(&reply).unwrap_or_default();
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        parting::answer(&self.hub, response, words.into(), rest)
    }
}

/// Serves both methods; a `HEAD` reads nothing of the file.
async fn serve(
    State(door): State<Door>,
    method: Method,
    uri: Uri,
    query: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let Query(wanted) = query.map_err(|_| ErrorCode::BadRequest)?;
    let name = uri.path().strip_prefix(PREFIX).and_then(UploadName::parse).ok_or(ErrorCode::NotFound)?;
    let uploads = door.uploads.ok_or(ErrorCode::NotFound)?;
    let manifest = uploads.find(name.file).await?.ok_or(ErrorCode::NotFound)?.manifest;
    let read = |stretch| uploads.reader(&manifest, stretch);
    stored::answer(&name.to_string(), &manifest, (&method, &headers), wanted.inline(), read)
}
