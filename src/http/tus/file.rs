//! `GET /tus/{id}`: what an upload has become, to whoever holds its address. For browsers and other programs that
//! know nothing of tus.

use std::time::{Duration, SystemTime};

use axum::http::header::REFERRER_POLICY;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::Response;

use super::super::conditions::Validators;
use super::super::error::Refused;
use super::super::file::{Answer, File};
use super::super::stored;
use crate::protocol::Secret;
use crate::tus::Tus;

/// The name of a file that said none.
const NAMELESS: &str = "upload";

pub(super) async fn serve(tus: &Tus, id: &Secret, asked: &HeaderMap) -> Result<Response, Refused> {
    let (name, manifest) = tus.whole(id).await?;
    let created = SystemTime::UNIX_EPOCH + Duration::from_millis(manifest.created.unix_millis());
    let file = File {
        name: name.as_ref().map_or(NAMELESS, |name| name.as_str()),
        size: manifest.size,
        validators: Validators::of_tag(&manifest.digest.to_string(), created),
    };
    let mut response = match file.answer(&Method::GET, asked, false)? {
        Answer::Head(response) => response,
        Answer::Stretch { response, from, end } => {
            response.map(|_| stored::body(tus.reader(&manifest, from..end)))
        }
    };
    // The address is the right to it.
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}
