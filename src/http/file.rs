//! What is said of a file beside its bytes: as what and under which name it is saved, what a client holds of it
//! already, which stretch it asks for. For every file that lies somewhere, whole; it never reads one.

use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::conditions::{Validators, Verdict, weigh};
use super::content::SANDBOX;
use super::disposition;
use super::error::Refused;
use super::range::{RangeAnswer, resolve};
use crate::protocol::ErrorCode;

/// What a link may say of how it is to be served.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    inline: Option<String>,
}

impl Wanted {
    /// Whether it is to be shown in place.
    pub(super) fn inline(&self) -> bool {
        self.inline.as_deref() == Some("1")
    }
}

/// A file that is there.
#[derive(Debug)]
pub(super) struct File<'a> {
    /// Its own name, without folders; its extension says the type.
    pub(super) name: &'a str,
    /// Bytes.
    pub(super) size: u64,
    pub(super) validators: Validators,
}

/// What to answer.
#[derive(Debug)]
pub(super) enum Answer {
    /// This, as it is.
    Head(Response),
    /// This, with the bytes `from..end` as its body.
    Stretch { response: Response, from: u64, end: u64 },
}

impl File<'_> {
    /// What a `GET` or `HEAD` with these headers is answered with; shown in place if `inline` and harmless.
    ///
    /// # Errors
    /// `precondition_failed`, `range_not_satisfiable`.
    pub(super) fn answer(self, method: &Method, asked: &HeaderMap, inline: bool) -> Result<Answer, Refused> {
        let mut head = HeaderMap::new();
        self.validators.put_into(&mut head);
        head.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        let range = match weigh(asked, &self.validators) {
            Verdict::NotModified => {
                return Ok(Answer::Head((StatusCode::NOT_MODIFIED, head).into_response()));
            }
            Verdict::Failed => return Err(ErrorCode::PreconditionFailed.into()),
            Verdict::Whole => None,
            Verdict::Ranged => asked.get(RANGE).filter(|_| method == Method::GET),
        };
        self.describe(&mut head, inline);
        let size = self.size;
        let (status, from, end) = match resolve(range, Some(size)) {
            RangeAnswer::Whole => (StatusCode::OK, 0, size),
            RangeAnswer::Part { first, last_exclusive } => {
                head.insert(CONTENT_RANGE, number(&format!("bytes {first}-{}/{size}", last_exclusive - 1))?);
                (StatusCode::PARTIAL_CONTENT, first, last_exclusive)
            }
            RangeAnswer::Unsatisfiable => {
                let range = number(&format!("bytes */{size}"))?;
                return Err(Refused::from(ErrorCode::RangeNotSatisfiable).with_header(CONTENT_RANGE, range));
            }
        };
        head.insert(CONTENT_LENGTH, (end - from).into());
        let response = (status, head).into_response();
        Ok(if method == Method::GET {
            Answer::Stretch { response, from, end }
        } else {
            Answer::Head(response)
        })
    }

    fn describe(&self, head: &mut HeaderMap, inline: bool) {
        let media_type = mime_guess::from_path(self.name).first_or_octet_stream();
        let shown = inline && disposition::may_inline(media_type.as_ref());
        let name = self.name;
        let disposition = if shown { disposition::inline(name) } else { disposition::attachment(name) };
        let octets = HeaderValue::from_static("application/octet-stream");
        head.insert(CONTENT_TYPE, HeaderValue::from_str(media_type.as_ref()).unwrap_or(octets));
        head.insert(CONTENT_DISPOSITION, disposition);
        head.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        head.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        head.insert(CONTENT_SECURITY_POLICY, SANDBOX);
    }
}

fn number(text: &str) -> Result<HeaderValue, ErrorCode> {
    HeaderValue::from_str(text).map_err(|_| ErrorCode::Internal)
}
