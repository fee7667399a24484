//! Which bytes a request asks for: one range of bytes (RFC 9110 §14), resolved against the size. What is
//! malformed, of another unit, or asks for several ranges is ignored, as the RFC allows, and the whole is
//! sent: answers in many parts serve hardly anybody but those who ask for the same bytes a thousand times.

use http::HeaderValue;
use http_range_header::{
    EndPosition, RangeUnsatisfiableError, StartPosition, SyntacticallyCorrectRange, parse_range_header,
};

/// What to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeAnswer {
    /// 200, all of it.
    Whole,
    /// 206, with `Content-Range: bytes {first}-{last_exclusive - 1}/{size}`. Never empty, never beyond the
    /// size.
    Part {
        /// Offset of the first byte.
        first: u64,
        /// Offset after the last byte.
        last_exclusive: u64,
    },
    /// 416, with `Content-Range: bytes */{size}`: the range begins at or beyond the end.
    Unsatisfiable,
}

/// Weighs the `Range` header of a `GET` against `size` in bytes; for other methods the RFC has it
/// ignored, so pass `None`. While the size is unknown there is no range to speak of: `Whole`. Of an empty
/// file everything is the whole, because players put `bytes=0-` into every request they make.
pub fn resolve(header: Option<&HeaderValue>, size: Option<u64>) -> RangeAnswer {
    let (Some(header), Some(size)) = (header, size) else { return RangeAnswer::Whole };
    // The unit's name is case-insensitive (§14.1), the parser is not.
    let Ok(text) = header.to_str().map(str::to_ascii_lowercase) else { return RangeAnswer::Whole };
    if size == 0 {
        return RangeAnswer::Whole;
    }
    match parse_range_header(&text) {
        Ok(parsed) => match parsed.ranges.as_slice() {
            [range] => within(range, size),
            _ => RangeAnswer::Whole,
        },
        // A suffix of no bytes is well formed and cannot be satisfied (§14.1.2); among several it is ignored.
        Err(RangeUnsatisfiableError::ZeroSuffix) if !text.contains(',') => RangeAnswer::Unsatisfiable,
        Err(_) => RangeAnswer::Whole,
    }
}

fn within(range: &SyntacticallyCorrectRange, size: u64) -> RangeAnswer {
    let (first, last_exclusive) = match (range.start, range.end) {
        (StartPosition::FromLast(bytes), _) => (size.saturating_sub(bytes), size),
        (StartPosition::Index(first), EndPosition::LastByte) => (first, size),
        // An end before its start makes the header invalid (§14.1.1), not unsatisfiable.
        (StartPosition::Index(first), EndPosition::Index(last)) if last < first => return RangeAnswer::Whole,
        (StartPosition::Index(first), EndPosition::Index(last)) => (first, last.saturating_add(1).min(size)),
    };
    if first >= size { RangeAnswer::Unsatisfiable } else { RangeAnswer::Part { first, last_exclusive } }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::RangeAnswer::{Part, Unsatisfiable, Whole};
    use super::*;

    fn of(text: &str, size: u64) -> RangeAnswer {
        resolve(Some(&HeaderValue::from_str(text).unwrap()), Some(size))
    }

    #[test]
    fn one_range_is_answered_as_the_rfc_says() {
        for (text, answer) in [
            ("bytes=0-499", Part { first: 0, last_exclusive: 500 }),
            ("bytes=500-999", Part { first: 500, last_exclusive: 1000 }),
            ("bytes=0-0", Part { first: 0, last_exclusive: 1 }),
            ("bytes=9500-", Part { first: 9500, last_exclusive: 10_000 }),
            ("bytes=-500", Part { first: 9500, last_exclusive: 10_000 }),
            ("bytes=-20000", Part { first: 0, last_exclusive: 10_000 }),
            ("bytes=9999-20000", Part { first: 9999, last_exclusive: 10_000 }),
            ("bytes=0-18446744073709551615", Part { first: 0, last_exclusive: 10_000 }),
            ("Bytes=0-1", Part { first: 0, last_exclusive: 2 }),
            ("bytes=10000-", Unsatisfiable),
            ("bytes=10000-10001", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
        ] {
            assert_eq!(of(text, 10_000), answer, "{text}");
        }
    }

    #[test]
    fn what_is_malformed_or_asks_for_more_than_one_range_is_ignored() {
        for text in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=a-b",
            "bytes=1-2-3",
            "bytes=+1-2",
            "bytes=0x1-",
            "bytes=0-1,3-4",
            "bytes=0-1, -0",
            "bytes=99999999999999999999-",
            "lines=0-1",
            "none",
            "0-1",
        ] {
            assert_eq!(of(text, 10_000), Whole, "{text}");
        }
        let odd = HeaderValue::from_bytes(b"bytes=\xff-").unwrap();
        assert_eq!(resolve(Some(&odd), Some(10)), Whole);
    }

    #[test]
    fn without_a_header_or_a_size_the_whole_is_sent() {
        let header = HeaderValue::from_static("bytes=5-");
        assert_eq!(resolve(None, Some(10)), Whole);
        assert_eq!(resolve(Some(&header), None), Whole);
        assert_eq!(of("bytes=0-", 0), Whole);
        assert_eq!(of("bytes=-5", 0), Whole);
    }

    proptest! {
        #[test]
        fn a_part_is_never_empty_and_never_beyond_the_end(
            text in "(bytes=)?[0-9,\\- ]{0,24}|bytes=[0-9]{1,20}-[0-9]{0,20}|.{0,32}",
            size in prop_oneof![0..100u64, any::<u64>()],
        ) {
            let Ok(header) = HeaderValue::from_str(&text) else { return Ok(()) };
            if let Part { first, last_exclusive } = resolve(Some(&header), Some(size)) {
                prop_assert!(first < last_exclusive && last_exclusive <= size);
            }
        }

        #[test]
        fn a_download_that_goes_on_from_what_it_holds_gets_exactly_the_rest(
            size in 1..u64::MAX, share in 0.0..1.0f64,
        ) {
            let held = ((size as f64 * share) as u64).min(size - 1);
            prop_assert_eq!(of(&format!("bytes={held}-"), size), Part { first: held, last_exclusive: size });
            prop_assert_eq!(of(&format!("bytes={size}-"), size), Unsatisfiable);
        }
    }
}
