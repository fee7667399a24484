//! `GET /tus/{id}`: what an upload has become, to whoever holds its address. For browsers and other programs that
//! know nothing of tus.

use axum::http::{HeaderMap, Method};
use axum::response::Response;

use super::super::error::Refused;
use super::super::stored;
use crate::protocol::Secret;
use crate::tus::Tus;

/// The name of a file that said none.
const NAMELESS: &str = "upload";

pub(super) async fn serve(tus: &Tus, id: &Secret, asked: &HeaderMap) -> Result<Response, Refused> {
    let (name, manifest) = tus.whole(id).await?;
    let name = name.as_ref().map_or(NAMELESS, |name| name.as_str());
    stored::answer(name, &manifest, (&Method::GET, asked), false, |stretch| tus.reader(&manifest, stretch))
}
