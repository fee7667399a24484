//! What an origin's answer means: what the file is, whether its bytes can be had again, and whether a later
//! answer still is of that file (RFC 9110 §8.8, §13.1.5, §14, §15). Pure: a status and headers go in.

use std::time::Duration;

use http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, LAST_MODIFIED,
    RETRY_AFTER,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use crate::protocol::limits::MAX_INTEGER;
use crate::protocol::{ErrorCode, Refusal};
use crate::transfer::Source;

/// How long an origin may ask to be left alone before it is asked again.
const MOST_PATIENCE: Duration = Duration::from_secs(60);

/// What is known of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Facts {
    /// Bytes, if the origin says.
    pub size: Option<u64>,
    /// What must be the same for the bytes to be had again; none where the origin gives no ranges, or nothing
    /// to know the file by.
    pub validator: Option<Validator>,
}

/// What tells one state of a file from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Validator {
    /// A strong entity tag.
    Tag(String),
    /// When it was last changed.
    Date(String),
}

/// Why an answer does not bring the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It will not either, however often it is asked.
    Final(Refusal),
    /// It may, when asked again; the origin may have said when.
    Passing(Refusal, Option<Duration>),
}

impl Facts {
    /// Whether the bytes can be had again.
    pub(super) fn source(&self) -> Source {
        if self.size.is_some() && self.validator.is_some() { Source::Seekable } else { Source::Once }
    }

    /// What the first answer says, to a request for `bytes=0-`.
    ///
    /// # Errors
    /// [`Trouble`] when it does not bring the file from its first byte on.
    pub(super) fn of(status: StatusCode, headers: &HeaderMap) -> Result<Self, Trouble> {
        must_be_plain(headers)?;
        let (size, has_ranges) = match status {
            StatusCode::OK => (number(headers, CONTENT_LENGTH), says_ranges(headers)),
            StatusCode::PARTIAL_CONTENT => match content_range(headers) {
                Some(ContentRange { first: 0, total, .. }) => (total, true),
                _ => return Err(failed("The origin answers with another range than was asked for.")),
            },
            StatusCode::NO_CONTENT => (Some(0), false),
            StatusCode::RANGE_NOT_SATISFIABLE if is_empty(headers) => (Some(0), true),
            status => return Err(refused(status, headers)),
        };
        Ok(Self { size, validator: validator(headers).filter(|_| has_ranges) })
    }

    /// Whether a later answer brings the bytes of this very file from `from` on.
    ///
    /// # Errors
    /// [`Trouble`] when it does not, or the file has changed.
    pub(super) fn check(&self, from: u64, status: StatusCode, headers: &HeaderMap) -> Result<(), Trouble> {
        match status {
            StatusCode::OK if from == 0 => {}
            // The answer to If-Range when the file is not the one that was meant.
            StatusCode::OK => return Err(changed()),
            StatusCode::PARTIAL_CONTENT => match content_range(headers) {
                Some(range) if range.first != from => {
                    return Err(failed("The origin answers with another range than was asked for."));
                }
                Some(range) if range.total.is_some() && self.size.is_some() && range.total != self.size => {
                    return Err(changed());
                }
                Some(_) => {}
                None => return Err(failed("The origin does not say which range it sends.")),
            },
            StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PRECONDITION_FAILED => return Err(changed()),
            status => return Err(refused(status, headers)),
        }
        must_be_plain(headers)?;
        let whole = number(headers, CONTENT_LENGTH).filter(|_| status == StatusCode::OK);
        let is_other_size = whole.is_some() && self.size.is_some() && whole != self.size;
        let is_other_state = self.validator.is_some() && validator(headers) != self.validator;
        if is_other_size || is_other_state { Err(changed()) } else { Ok(()) }
    }
}

impl Validator {
    /// The value of `If-Range`.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let (Self::Tag(text) | Self::Date(text)) = self;
        HeaderValue::from_str(text).ok()
    }
}

/// `bytes first-last/total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ContentRange {
    first: u64,
    total: Option<u64>,
}

fn content_range(headers: &HeaderMap) -> Option<ContentRange> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.trim().split_once('-')?;
    let (first, last) = (integer(first)?, integer(last)?);
    let total = match total.trim() {
        "*" => None,
        total => Some(integer(total)?),
    };
    (first <= last && total.is_none_or(|total| last < total)).then_some(ContentRange { first, total })
}

/// `bytes */0`: an empty file has no first byte.
fn is_empty(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_RANGE).is_some_and(|range| range.as_bytes() == b"bytes */0")
}

fn says_ranges(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT_RANGES).is_some_and(|ranges| ranges.as_bytes().eq_ignore_ascii_case(b"bytes"))
}

/// A strong tag, else a date (RFC 9110 §13.1.5: a weak tag is no condition for a range).
fn validator(headers: &HeaderMap) -> Option<Validator> {
    let text = |name: HeaderName| Some(headers.get(name)?.to_str().ok()?.trim().to_owned());
    let tag = text(ETAG).filter(|tag| tag.len() >= 2 && tag.starts_with('"') && tag.ends_with('"'));
    tag.map(Validator::Tag).or_else(|| text(LAST_MODIFIED).map(Validator::Date))
}

/// Bytes are passed on as they come: of a coding the receivers would know nothing.
fn must_be_plain(headers: &HeaderMap) -> Result<(), Trouble> {
    match headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"" | b"identity") => Ok(()),
        Some(_) => Err(failed("The origin sends the file compressed, although it was asked not to.")),
    }
}

fn refused(status: StatusCode, headers: &HeaderMap) -> Trouble {
    let again = status.is_server_error()
        || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS]
            .contains(&status);
    let refusal = Refusal::new(
        ErrorCode::FetchFailed,
        format!("The origin answers {}; check the URL, or try again later.", status.as_u16()),
    );
    if !again {
        return Trouble::Final(refusal);
    }
    let wait = number(headers, RETRY_AFTER).map(Duration::from_secs);
    match wait {
        Some(wait) if wait > MOST_PATIENCE => Trouble::Final(refusal),
        wait => Trouble::Passing(refusal, wait),
    }
}

fn failed(sentence: &str) -> Trouble {
    Trouble::Final(Refusal::new(ErrorCode::FetchFailed, sentence))
}

fn changed() -> Trouble {
    failed("The file at the origin has changed while it was fetched; start again.")
}

fn number(headers: &HeaderMap, name: HeaderName) -> Option<u64> {
    integer(headers.get(name)?.to_str().ok()?)
}

/// Digits alone, of a number that offsets can reach.
fn integer(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|number| *number <= MAX_INTEGER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn facts(status: u16, list: &[(&'static str, &str)]) -> Result<Facts, Trouble> {
        Facts::of(StatusCode::from_u16(status).unwrap(), &headers(list))
    }

    fn source(status: u16, list: &[(&'static str, &str)]) -> (Option<u64>, Source) {
        let facts = facts(status, list).unwrap();
        (facts.size, facts.source())
    }

    #[test]
    fn bytes_can_be_had_again_where_there_are_ranges_and_something_to_know_the_file_by() {
        let tag = ("etag", "\"a\"");
        let (range, length) = (("content-range", "bytes 0-9/10"), ("content-length", "10"));
        assert_eq!(source(206, &[range, tag]), (Some(10), Source::Seekable));
        assert_eq!(source(206, &[range, ("last-modified", "Mon")]), (Some(10), Source::Seekable));
        assert_eq!(source(200, &[length, tag, ("accept-ranges", "bytes")]), (Some(10), Source::Seekable));
        assert_eq!(source(206, &[range]), (Some(10), Source::Once));
        assert_eq!(source(206, &[range, ("etag", "W/\"a\"")]), (Some(10), Source::Once));
        assert_eq!(source(206, &[("content-range", "bytes 0-9/*"), tag]), (None, Source::Once));
        assert_eq!(source(200, &[length, tag]), (Some(10), Source::Once));
        assert_eq!(source(200, &[tag]), (None, Source::Once));
        assert_eq!(source(416, &[("content-range", "bytes */0"), tag]), (Some(0), Source::Seekable));
        assert_eq!(source(204, &[]), (Some(0), Source::Once));
    }

    #[test]
    fn what_does_not_bring_the_file_is_told_apart_by_whether_asking_again_helps() {
        for (status, list) in [
            (404, vec![]),
            (403, vec![]),
            (416, vec![("content-range", "bytes */9")]),
            (206, vec![]),
            (206, vec![("content-range", "bytes 5-9/10")]),
            (206, vec![("content-range", "bytes 0-10/10")]),
            (200, vec![("content-encoding", "gzip")]),
            (503, vec![("retry-after", "3600")]),
            (304, vec![]),
        ] {
            assert!(matches!(facts(status, &list), Err(Trouble::Final(_))), "{status} {list:?}");
        }
        let passing = |status, list: &[_]| match facts(status, list) {
            Err(Trouble::Passing(_, wait)) => wait,
            other => panic!("{other:?}"),
        };
        assert_eq!(passing(503, &[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(passing(500, &[("retry-after", "tomorrow")]), None);
        assert_eq!(passing(429, &[]), None);
    }

    #[test]
    fn a_file_that_changes_on_the_way_is_noticed() {
        let first = facts(206, &[("content-range", "bytes 0-9/10"), ("etag", "\"a\"")]).unwrap();
        let check = |from, status, list: &[_]| {
            first.check(from, StatusCode::from_u16(status).unwrap(), &headers(list))
        };
        let (tag, other) = (("etag", "\"a\""), ("etag", "\"b\""));
        let rest = ("content-range", "bytes 5-9/10");
        assert_eq!(check(5, 206, &[rest, tag]), Ok(()));
        assert_eq!(check(0, 200, &[("content-length", "10"), tag]), Ok(()));
        for (from, status, list) in [
            (5, 206, vec![rest, other]),
            (5, 206, vec![rest]),
            (4, 206, vec![rest, tag]),
            (5, 206, vec![("content-range", "bytes 5-10/11"), tag]),
            (5, 206, vec![tag]),
            (5, 200, vec![("content-length", "10"), other]),
            (0, 200, vec![("content-length", "11"), tag]),
            (0, 200, vec![("content-length", "10"), other]),
            (5, 416, vec![]),
            (5, 404, vec![]),
        ] {
            assert!(matches!(check(from, status, &list), Err(Trouble::Final(_))), "{from} {status} {list:?}");
        }
        assert!(matches!(check(5, 502, &[]), Err(Trouble::Passing(..))));
    }

    proptest! {
        #[test]
        fn no_answer_is_too_strange(
            status in 100_u16..1000,
            from: u64,
            values in proptest::collection::vec("[ -~]{0,30}|bytes [0-9*]{1,20}-[0-9]{0,20}/[0-9*]{1,20}", 5),
        ) {
            let names = ["content-range", "content-length", "etag", "retry-after", "accept-ranges"];
            let list: Vec<_> = names.into_iter().zip(values.iter().map(String::as_str)).collect();
            let status = StatusCode::from_u16(status).unwrap();
            let headers = headers(&list);
            if let Ok(facts) = Facts::of(status, &headers) {
                prop_assert!(facts.size.is_none_or(|size| size <= MAX_INTEGER));
                if status == StatusCode::OK {
                    prop_assert_eq!(facts.check(0, status, &headers), Ok(()));
                }
            }
            let _ = Facts { size: Some(5), validator: None }.check(from, status, &headers);
        }
    }
}
