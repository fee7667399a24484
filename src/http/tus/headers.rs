//! The headers of tus 1.0, read and written. Strictly: what is not as the protocol has it is refused with a
//! sentence that names the rule.

use std::time::UNIX_EPOCH;

use axum::http::header::{CONTENT_TYPE, EXPIRES};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use headers::{Expires, HeaderMapExt};

use super::super::visit::PASSPHRASE;
use crate::hub::Outcome;
use crate::protocol::limits::MAX_INTEGER;
use crate::protocol::{ErrorCode, Moment, Passphrase, Refusal, Secret};
use crate::tus::{Checksum, Door, Kind, Role, Upload};

pub(super) const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
pub(super) const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
pub(super) const EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
pub(super) const MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
pub(super) const ALGORITHM: HeaderName = HeaderName::from_static("tus-checksum-algorithm");
pub(super) const OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
const DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");
const METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const CONCAT: HeaderName = HeaderName::from_static("upload-concat");
const CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");
/// The key of the member whose drop it is to be.
const KEY: HeaderName = HeaderName::from_static("roomdrop-key");
/// The drop that an upload has become,
const DROP: HeaderName = HeaderName::from_static("roomdrop-drop");
/// and its transfer.
const TRANSFER: HeaderName = HeaderName::from_static("roomdrop-transfer");

/// What pages of other sites may send here.
pub(in crate::http) const SENT: [HeaderName; 11] = [
    RESUMABLE,
    OVERRIDE,
    OFFSET,
    LENGTH,
    DEFER_LENGTH,
    METADATA,
    CONCAT,
    CHECKSUM,
    REQUEST_ID,
    REQUESTED_WITH,
    KEY,
];

/// What they may read of an answer.
pub(in crate::http) const ANSWERED: [HeaderName; 14] = [
    RESUMABLE,
    TUS_VERSION,
    EXTENSION,
    MAX_SIZE,
    ALGORITHM,
    OFFSET,
    LENGTH,
    DEFER_LENGTH,
    METADATA,
    CONCAT,
    UPLOAD_EXPIRES,
    DROP,
    TRANSFER,
    axum::http::header::LOCATION,
];

/// What a body's type is.
const BYTES: &str = "application/offset+octet-stream";

/// What is to be uploaded.
pub(super) fn kind(headers: &HeaderMap) -> Outcome<Kind> {
    let concat = text(headers, &CONCAT)?;
    let length = length(headers)?;
    let deferred = match text(headers, &DEFER_LENGTH)? {
        None => false,
        Some("1") => true,
        Some(_) => return Err(bad("Upload-Defer-Length is 1, or is left out.")),
    };
    if let Some((_, list)) =
        concat.and_then(|concat| concat.split_once("final;")).filter(|(front, _)| front.is_empty())
    {
        if length.is_some() || deferred {
            return Err(bad("An upload that is put together from others has no Upload-Length of its own."));
        }
        let of = list.split_whitespace().map(id_of).collect::<Outcome<_>>()?;
        return Ok(Kind::Final { header: concat.unwrap_or_default().to_owned(), of });
    }
    if length.is_some() == deferred {
        return Err(bad(
            "Say the size with Upload-Length, or with Upload-Defer-Length: 1 that it comes later.",
        ));
    }
    match concat {
        None => Ok(Kind::Single(length)),
        Some("partial") => Ok(Kind::Partial(length)),
        Some(_) => {
            Err(bad("Upload-Concat is `partial`, or `final;` and addresses of uploads with spaces between."))
        }
    }
}

/// The upload that an address means.
fn id_of(address: &str) -> Outcome<Secret> {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let id = path.rsplit_once("/tus/").map_or(path, |(_, id)| id);
    Secret::new(id).ok_or_else(|| bad("Upload-Concat names an address that is no upload's."))
}

pub(super) fn metadata(headers: &HeaderMap) -> Outcome<String> {
    Ok(text(headers, &METADATA)?.unwrap_or_default().to_owned())
}

/// What opens the room that the metadata names.
pub(super) fn door(headers: &HeaderMap) -> Outcome<Door> {
    let passphrase = match headers.get(PASSPHRASE) {
        Some(header) => {
            let text = std::str::from_utf8(header.as_bytes()).ok().and_then(Passphrase::new);
            Some(text.ok_or_else(|| bad("The passphrase is not readable; write it in UTF-8."))?)
        }
        None => None,
    };
    let key = match text(headers, &KEY)? {
        Some(key) => {
            Some(Secret::new(key).ok_or_else(|| bad("Roomdrop-Key is a member's key, as joining gave it."))?)
        }
        None => None,
    };
    Ok(Door { passphrase, key })
}

pub(super) fn length(headers: &HeaderMap) -> Outcome<Option<u64>> {
    number(headers, &LENGTH)
}

pub(super) fn offset(headers: &HeaderMap) -> Outcome<u64> {
    number(headers, &OFFSET)?.ok_or_else(|| bad("Upload-Offset is missing: say where the body begins."))
}

pub(super) fn checksum(headers: &HeaderMap) -> Outcome<Option<Checksum>> {
    text(headers, &CHECKSUM)?.map(Checksum::parse).transpose()
}

/// Whether the body is said to be bytes of an upload.
pub(super) fn must_be_bytes(headers: &HeaderMap) -> Outcome<()> {
    let said = headers.get(CONTENT_TYPE).and_then(|said| said.to_str().ok()).unwrap_or_default();
    if said.trim().eq_ignore_ascii_case(BYTES) {
        return Ok(());
    }
    let why = format!("The Content-Type of a body here is {BYTES}.");
    Err(Refusal::new(ErrorCode::UnsupportedMedia, why))
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Outcome<Option<u64>> {
    let Some(said) = text(headers, name)? else { return Ok(None) };
    if said.is_empty() || !said.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad(&format!("{name} is a number of bytes, in digits.")));
    }
    match said.parse() {
        Ok(number) if number <= MAX_INTEGER => Ok(Some(number)),
        _ => Err(ErrorCode::TooLarge.into()),
    }
}

/// A header that may come once.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Outcome<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    let said = values.next().map(|value| value.to_str().map(str::trim)).transpose();
    match (said, values.next()) {
        (Ok(said), None) => Ok(said),
        _ => Err(bad(&format!("{name} is to come once, in ASCII."))),
    }
}

fn bad(rule: &str) -> Refusal {
    Refusal::new(ErrorCode::BadRequest, rule)
}

/// How far an upload is.
pub(super) fn put_progress(headers: &mut HeaderMap, upload: &Upload) {
    headers.insert(OFFSET, upload.offset().into());
    put_expiry(headers, upload);
    if let (true, Some(goal)) = (upload.is_done(), upload.goal()) {
        put(headers, DROP, goal.drop.drop.as_str());
        if let Some(offered) = goal.drop.transfers.first() {
            put(headers, TRANSFER, offered.transfer.as_str());
        }
    }
}

/// All that is known of an upload.
pub(super) fn put_all(headers: &mut HeaderMap, upload: &Upload) {
    put_progress(headers, upload);
    match upload.length {
        Some(length) => drop(headers.insert(LENGTH, length.into())),
        None => put(headers, DEFER_LENGTH, "1"),
    }
    if !upload.metadata.is_empty() {
        put(headers, METADATA, &upload.metadata);
    }
    match &upload.role {
        Role::Single => {}
        Role::Partial => put(headers, CONCAT, "partial"),
        Role::Final(header) => put(headers, CONCAT, header),
    }
}

pub(super) fn put_expiry(headers: &mut HeaderMap, upload: &Upload) {
    let at = UNIX_EPOCH + upload.expires.since(Moment::from_micros(0));
    let mut written = HeaderMap::new();
    written.typed_insert(Expires::from(at));
    if let Some(date) = written.remove(EXPIRES) {
        headers.insert(UPLOAD_EXPIRES, date);
    }
}

pub(super) fn put(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn kind_of(pairs: &[(&'static str, &str)]) -> Result<Kind, ErrorCode> {
        kind(&headers(pairs)).map_err(|refusal| refusal.code)
    }

    #[test]
    fn each_kind_of_upload_is_known_by_its_headers() {
        assert!(matches!(kind_of(&[("upload-length", "5")]), Ok(Kind::Single(Some(5)))));
        assert!(matches!(kind_of(&[("upload-defer-length", "1")]), Ok(Kind::Single(None))));
        let partial = [("upload-length", "0"), ("upload-concat", "partial")];
        assert!(matches!(kind_of(&partial), Ok(Kind::Partial(Some(0)))));
        let (a, b) = ("a".repeat(32), "0".repeat(32));
        let list = format!("final;/tus/{a} https://drop.example/x/tus/{b}?y");
        let Ok(Kind::Final { header, of }) = kind_of(&[("upload-concat", &list)]) else { panic!() };
        assert_eq!(header, list);
        assert_eq!(of, [Secret::new(&a).unwrap(), Secret::new(&b).unwrap()]);
    }

    #[test]
    fn whatever_is_not_of_the_form_is_refused() {
        for pairs in [
            &[][..],
            &[("upload-length", "")],
            &[("upload-length", "-1")],
            &[("upload-length", "+1")],
            &[("upload-length", "0x10")],
            &[("upload-length", "1.0")],
            &[("upload-length", "5"), ("upload-length", "5")],
            &[("upload-length", "5"), ("upload-defer-length", "1")],
            &[("upload-defer-length", "0")],
            &[("upload-length", "5"), ("upload-concat", "parts")],
            &[("upload-concat", "final;/tus/../../etc/passwd")],
            &[("upload-concat", "final;/tus/short")],
            &[("upload-length", "5"), ("upload-concat", "final;/tus/0")],
        ] {
            assert_eq!(kind_of(pairs).unwrap_err(), ErrorCode::BadRequest, "{pairs:?}");
        }
        for length in ["9007199254740992", "18446744073709551616", "99999999999999999999999999"] {
            assert_eq!(kind_of(&[("upload-length", length)]).unwrap_err(), ErrorCode::TooLarge);
        }
        assert!(door(&headers(&[("roomdrop-key", "../x")])).is_err());
        assert!(must_be_bytes(&headers(&[("content-type", "text/plain")])).is_err());
        assert!(must_be_bytes(&headers(&[])).is_err());
        assert!(must_be_bytes(&headers(&[("content-type", "application/offset+octet-stream")])).is_ok());
    }
}
