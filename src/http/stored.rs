//! The bytes of something stored as the body of a response: read as the connection takes them, each chunk checked
//! before any of it goes out. Where one cannot be read the connection breaks off, so that nobody takes a part for
//! the whole.

use std::io;
use std::ops::Range;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::http::header::REFERRER_POLICY;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::Response;
use futures_util::stream::unfold;

use super::conditions::Validators;
use super::error::Refused;
use super::file::{Answer, File};
use crate::store::{Manifest, Reader};

/// Bytes handed to the connection at once.
const PIECE: usize = 256 * 1024;

/// What is stored, under this name, to a request with these headers; its bytes from `read`. Its address is the right to
/// it, so no page that it leads to is told.
///
/// # Errors
/// As [`File::answer`].
pub(super) fn answer(
    name: &str,
    manifest: &Manifest,
    (method, asked): (&Method, &HeaderMap),
    inline: bool,
    read: impl FnOnce(Range<u64>) -> Reader,
) -> Result<Response, Refused> {
    let created = SystemTime::UNIX_EPOCH + Duration::from_millis(manifest.created.unix_millis());
    let validators = Validators::of_tag(&manifest.digest.to_string(), created);
    let mut response = match (File { name, size: manifest.size, validators }).answer(method, asked, inline)? {
        Answer::Head(response) => response,
        Answer::Stretch { response, from, end } => response.map(|_| body(read(from..end))),
    };
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

/// All that is left to be read. Holds two chunks of the store, at most.
fn body(reader: Reader) -> Body {
    Body::from_stream(unfold(Some(reader), async |reader| {
        let mut reader = reader?;
        match reader.next(PIECE).await {
            Ok(bytes) => bytes.map(|bytes| (Ok(bytes), Some(reader))),
            Err(error) => {
                tracing::warn!(%error, "a download of something stored is broken off");
                Some((Err(io::Error::other(error)), None))
            }
        }
    }))
}
