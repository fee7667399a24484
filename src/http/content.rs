//! `GET` and `HEAD /transfers/{id}/content`: a transfer's bytes, live from its source, whole or by range.
//! It decides the headers; what may be had, and by whom, the transfer decides.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::disposition;
use super::download::Download;
use super::error::Refused;
use super::range::{RangeAnswer, resolve};
use crate::hub::{Described, Holder, Hub, Source, TransferCommand, TransferHandle, ask};
use crate::protocol::{ErrorCode, Secret, TransferId, TransferState};

/// What a shown file may do: nothing at all.
pub(super) const SANDBOX: HeaderValue =
    HeaderValue::from_static("sandbox; default-src 'none'; style-src 'unsafe-inline'");

/// How long a download waits for a token to be looked up, while records cannot be reached.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    token: Option<String>,
    inline: Option<String>,
}

/// Serves both methods; a `HEAD` takes no bytes from the source.
pub(super) async fn serve(
    State(hub): State<Hub>,
    method: Method,
    Path(id): Path<String>,
    query: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let Query(wanted) = query.map_err(|_| ErrorCode::BadRequest)?;
    let id = TransferId::new(&id).ok_or(ErrorCode::TransferNotFound)?;
    let here = hub.transfer(&id);
    let token = wanted.token.as_deref().and_then(Secret::new);
    let (transfer, token) = match (here, token) {
        (Some(transfer), Some(token)) => (transfer, token),
        (Some(_), None) => return Err(ErrorCode::NotAllowed.into()),
        (None, None) => return Err(ErrorCode::TransferNotFound.into()),
        (None, Some(token)) => match hub.find_transfer(&token, PATIENCE).await? {
            (found, transfer) if found == id => (transfer, token),
            _ => return Err(ErrorCode::TransferNotFound.into()),
        },
    };
    let inline = wanted.inline.as_deref() == Some("1");
    answer(&hub, method, &headers, transfer, token, inline).await
}

/// What a transfer answers to whoever holds this sink token of it.
pub(super) async fn answer(
    hub: &Hub,
    method: Method,
    headers: &HeaderMap,
    transfer: TransferHandle,
    token: Secret,
    inline: bool,
) -> Result<Response, Refused> {
    let shown = token.clone();
    let described = ask(|answer| transfer.send(TransferCommand::Describe { token: shown, answer })).await?;
    let file = &described.opened;
    if file.state == TransferState::Cancelled || file.state == TransferState::Failed {
        return Err(ErrorCode::TransferClosed.into());
    }
    let tag = file.digest.map(|digest| format!("\"{digest}\""));
    if tag.as_deref().is_some_and(|tag| is_known(headers, tag)) {
        let headers = file_headers(&described, inline, tag.as_deref());
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let may_be_ranged = method == Method::GET
        && has_ranges(&described)
        && ranged_by_tag(headers.get(IF_RANGE), tag.as_deref());
    let range = resolve(headers.get(RANGE).filter(|_| may_be_ranged), file.size);
    let mut response = head(&described, inline, tag.as_deref(), range)?;
    if method == Method::GET {
        let (from, end) = match range {
            RangeAnswer::Part { first, last_exclusive } => (first, Some(last_exclusive)),
            RangeAnswer::Whole | RangeAnswer::Unsatisfiable => (0, file.size),
        };
        let download = Download::open(hub, transfer, Holder::Token(token), from, end).await?;
        *response.body_mut() = Body::new(download);
    }
    Ok(response)
}

/// What `HEAD` of the whole says.
pub(super) fn head_of(described: &Described, inline: bool) -> Result<Response, Refused> {
    head(described, inline, None, RangeAnswer::Whole)
}

/// Whether `Range` counts: there is no `If-Range`, or it names this very file (RFC 9110 §13.1.5).
fn ranged_by_tag(condition: Option<&HeaderValue>, tag: Option<&str>) -> bool {
    condition.is_none_or(|condition| tag.is_some_and(|tag| condition.as_bytes() == tag.as_bytes()))
}

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    known.is_some_and(|known| {
        known.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == tag)
    })
}

/// Whether a part may be asked for: the size is known, and the source can go there.
fn has_ranges(described: &Described) -> bool {
    described.source == Source::Seekable && described.opened.size.is_some()
}

/// Everything but the bytes.
fn head(
    described: &Described,
    inline: bool,
    tag: Option<&str>,
    range: RangeAnswer,
) -> Result<Response, Refused> {
    let mut headers = file_headers(described, inline, tag);
    let file = &described.opened;
    let number = |text: String| HeaderValue::from_str(&text).map_err(|_| ErrorCode::Internal);
    let size = file.size.unwrap_or(0);
    let status = match range {
        RangeAnswer::Whole => {
            if file.size.is_some() {
                headers.insert(CONTENT_LENGTH, size.into());
            }
            StatusCode::OK
        }
        RangeAnswer::Part { first, last_exclusive } => {
            headers.insert(CONTENT_LENGTH, (last_exclusive - first).into());
            headers.insert(CONTENT_RANGE, number(format!("bytes {first}-{}/{size}", last_exclusive - 1))?);
            StatusCode::PARTIAL_CONTENT
        }
        RangeAnswer::Unsatisfiable => {
            let range = number(format!("bytes */{size}"))?;
            return Err(Refused::from(ErrorCode::RangeNotSatisfiable).with_header(CONTENT_RANGE, range));
        }
    };
    Ok((status, headers).into_response())
}

fn file_headers(described: &Described, inline: bool, tag: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let file = &described.opened;
    let media_type = file.media_type.as_str();
    let name = file.name.as_str();
    let shown = inline && disposition::may_inline(media_type);
    let disposition = if shown { disposition::inline(name) } else { disposition::attachment(name) };
    let octets = HeaderValue::from_static("application/octet-stream");
    headers.insert(CONTENT_TYPE, HeaderValue::from_str(media_type).unwrap_or(octets));
    headers.insert(CONTENT_DISPOSITION, disposition);
    let ranges = if has_ranges(described) { "bytes" } else { "none" };
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static(ranges));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CONTENT_SECURITY_POLICY, SANDBOX);
    if let Some(tag) = tag.and_then(|tag| HeaderValue::from_str(tag).ok()) {
        headers.insert(ETAG, tag);
    }
    headers
}
