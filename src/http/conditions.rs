//! Whether a client already holds the file that it asks for (RFC 9110 §13): the file's validators, and what
//! they make of a request's conditions. It refuses to call a file unchanged on less than the RFC asks for.

use std::time::{Duration, SystemTime};

use headers::{ETag, HeaderMapExt, IfMatch, IfModifiedSince, IfNoneMatch, IfUnmodifiedSince, LastModified};
use http::HeaderMap;
use http::header::{ETAG, IF_RANGE, LAST_MODIFIED};

/// A file that changed within this time may change again without another time of change (§8.8.1).
const SETTLED: Duration = Duration::from_secs(2);
/// HTTP dates have four digits for the year; the first moment that does not fit (§5.6.7).
const YEAR_10000: Duration = Duration::from_secs(253_402_300_800);

/// What tells one state of a file from another.
#[derive(Debug, Clone)]
pub(super) struct Validators {
    tag: Option<ETag>,
    modified: Option<SystemTime>,
}

/// What a request's conditions come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send it; a `Range` counts.
    Ranged,
    /// Send all of it: what the client holds is a part of another state.
    Whole,
    /// 304.
    NotModified,
    /// 412: it is not what the client holds.
    Failed,
}

impl Validators {
    /// Of a file of `size` bytes that was last changed at `modified`, as seen at `now`. While it may still be
    /// changing, the tag is weak: parts that were had under it must not be put together.
    pub(super) fn new(size: u64, modified: Option<SystemTime>, now: SystemTime) -> Self {
        let Some(time) = modified else { return Self { tag: None, modified: None } };
        let is_settled = now.duration_since(time).is_ok_and(|age| age >= SETTLED);
        let weak = if is_settled { "" } else { "W/" };
        let nanos = match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => format!("{:x}", after.as_nanos()),
            Err(before) => format!("m{:x}", before.duration().as_nanos()),
        };
        let tag = format!("{weak}\"{size:x}-{nanos}\"").parse().ok();
        let after = time.duration_since(SystemTime::UNIX_EPOCH).ok();
        let modified = after.filter(|after| *after < YEAR_10000).map(|_| time);
        Self { tag, modified }
    }

    /// Of bytes that never change under this tag, which is strong.
    pub(super) fn of_tag(tag: &str, modified: SystemTime) -> Self {
        Self { tag: format!("\"{tag}\"").parse().ok(), modified: Some(modified) }
    }

    /// `ETag` and `Last-Modified`.
    pub(super) fn put_into(&self, headers: &mut HeaderMap) {
        if let Some(tag) = &self.tag {
            headers.typed_insert(tag.clone());
        }
        if let Some(modified) = self.modified {
            headers.typed_insert(LastModified::from(modified));
        }
    }

    /// Whether this is exactly what `If-Range` names: a strong tag, or the time of change of a file that is
    /// settled (§13.1.5).
    fn are_those_of(&self, condition: &[u8]) -> bool {
        let mut mine = HeaderMap::new();
        self.put_into(&mut mine);
        self.tag.as_ref().is_some_and(|tag| !tag.is_weak())
            && [ETAG, LAST_MODIFIED]
                .iter()
                .any(|name| mine.get(name).is_some_and(|mine| mine.as_bytes() == condition))
    }
}

/// Weighs the conditions of a `GET` or `HEAD` in the order of §13.2.2. A condition that cannot be read is
/// none.
pub(super) fn weigh(request: &HeaderMap, file: &Validators) -> Verdict {
    let is_still = match (request.typed_get::<IfMatch>(), request.typed_get::<IfUnmodifiedSince>()) {
        (Some(tags), _) => {
            tags.is_any() || file.tag.as_ref().is_some_and(|tag| tags.precondition_passes(tag))
        }
        (None, Some(since)) => file.modified.is_none_or(|modified| since.precondition_passes(modified)),
        (None, None) => true,
    };
    if !is_still {
        return Verdict::Failed;
    }
    let is_news = match (request.typed_get::<IfNoneMatch>(), request.typed_get::<IfModifiedSince>()) {
        (Some(tags), _) => file.tag.as_ref().is_none_or(|tag| tags.precondition_passes(tag)),
        (None, Some(since)) => file.modified.is_none_or(|modified| since.is_modified(modified)),
        (None, None) => true,
    };
    if !is_news {
        return Verdict::NotModified;
    }
    match request.get(IF_RANGE) {
        Some(condition) if !file.are_those_of(condition.as_bytes()) => Verdict::Whole,
        _ => Verdict::Ranged,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);
    /// 784111777 s after the epoch.
    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const EARLIER: &str = "Sat, 05 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

    fn then() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
    }

    fn old() -> Validators {
        Validators::new(5, Some(then()), then() + DAY)
    }

    fn tag_of(file: &Validators) -> String {
        let mut headers = HeaderMap::new();
        file.put_into(&mut headers);
        headers[ETAG].to_str().unwrap().to_owned()
    }

    fn asked(file: &Validators, conditions: &[(&str, &str)]) -> Verdict {
        let request = conditions.iter().map(|(name, value)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
        });
        weigh(&request.collect(), file)
    }

    #[test]
    fn conditions_are_weighed_as_the_rfc_says() {
        let file = old();
        let tag = tag_of(&file);
        let weak = format!("W/{tag}");
        let listed = format!("\"x\", {weak}, \"y\"");
        for (conditions, verdict) in [
            (&[][..], Verdict::Ranged),
            (&[("if-none-match", tag.as_str())], Verdict::NotModified),
            (&[("if-none-match", weak.as_str())], Verdict::NotModified),
            (&[("if-none-match", listed.as_str())], Verdict::NotModified),
            (&[("if-none-match", "*")], Verdict::NotModified),
            (&[("if-none-match", "\"x\"")], Verdict::Ranged),
            (&[("if-none-match", "\"x\""), ("if-modified-since", LATER)], Verdict::Ranged),
            (&[("if-modified-since", THEN)], Verdict::NotModified),
            (&[("if-modified-since", LATER)], Verdict::NotModified),
            (&[("if-modified-since", EARLIER)], Verdict::Ranged),
            (&[("if-modified-since", "yesterday")], Verdict::Ranged),
            (&[("if-match", tag.as_str())], Verdict::Ranged),
            (&[("if-match", "*")], Verdict::Ranged),
            (&[("if-match", weak.as_str())], Verdict::Failed),
            (&[("if-match", "\"x\"")], Verdict::Failed),
            (&[("if-match", tag.as_str()), ("if-unmodified-since", EARLIER)], Verdict::Ranged),
            (&[("if-unmodified-since", EARLIER)], Verdict::Failed),
            (&[("if-unmodified-since", THEN)], Verdict::Ranged),
            (&[("if-match", "\"x\""), ("if-none-match", tag.as_str())], Verdict::Failed),
            (&[("if-range", tag.as_str())], Verdict::Ranged),
            (&[("if-range", THEN)], Verdict::Ranged),
            (&[("if-range", weak.as_str())], Verdict::Whole),
            (&[("if-range", LATER)], Verdict::Whole),
            (&[("if-range", EARLIER)], Verdict::Whole),
            (&[("if-range", "x")], Verdict::Whole),
        ] {
            assert_eq!(asked(&file, conditions), verdict, "{conditions:?}");
        }
    }

    #[test]
    fn parts_of_a_file_that_may_still_change_are_not_put_together() {
        let fresh = Validators::new(5, Some(then()), then() + Duration::from_millis(1999));
        let tag = tag_of(&fresh);
        assert!(tag.starts_with("W/"));
        assert_eq!(asked(&fresh, &[("if-range", &tag)]), Verdict::Whole);
        assert_eq!(asked(&fresh, &[("if-range", THEN)]), Verdict::Whole);
        assert_eq!(asked(&fresh, &[("if-none-match", &tag)]), Verdict::NotModified);
        let from_the_future = Validators::new(5, Some(then() + DAY), then());
        assert!(tag_of(&from_the_future).starts_with("W/"));
    }

    #[test]
    fn another_size_or_time_is_another_tag() {
        let states = [(5, 0), (6, 0), (5, 1), (5, 1_000_000_000)];
        let tag = |(size, nanos)| {
            let time = then() + Duration::from_nanos(nanos);
            tag_of(&Validators::new(size, Some(time), then() + DAY))
        };
        assert_eq!(states.map(tag).into_iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    }

    proptest! {
        #[test]
        fn no_time_and_no_condition_is_too_odd(
            seconds in any::<i32>(), far in 0..30_000_000_000_000u64, text in "[ -~]{0,40}",
            name in prop::sample::select(vec![
                "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since",
            ]),
        ) {
            let age = Duration::from_secs(u64::from(seconds.unsigned_abs()));
            let before = SystemTime::UNIX_EPOCH - age;
            let after = SystemTime::UNIX_EPOCH + Duration::from_secs(far);
            for time in [before, after] {
                let file = Validators::new(5, Some(time), then());
                let mut headers = HeaderMap::new();
                file.put_into(&mut headers);
                asked(&file, &[(name, &text)]);
            }
        }
    }
}
