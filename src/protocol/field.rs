//! How single fields of an event are read: every type a peer may send, with its bounds, so that a field
//! that is too long, negative, beyond 2^53 or of the wrong shape never gets past the parser. It refuses
//! to repair: a wrong field is an error that names the rule.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use super::limits;

/// Reads an integer from 0 to 2^53 − 1. A whole float (`5.0`) is one: JSON has only numbers.
///
/// # Errors
/// Anything negative, fractional, beyond 2^53 − 1 or not a number.
pub(super) fn integer<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    from.deserialize_any(Integer)
}

/// As [`integer`], or `null`. The field itself must be there.
pub(super) fn nullable_integer<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    struct Wrapped(#[serde(deserialize_with = "integer")] u64);
    Ok(Option::<Wrapped>::deserialize(from)?.map(|wrapped| wrapped.0))
}

struct Integer;

impl Visitor<'_> for Integer {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number from 0 to 2^53 - 1")
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<u64, E> {
        if value > limits::MAX_INTEGER {
            return Err(E::invalid_value(de::Unexpected::Unsigned(value), &self));
        }
        Ok(value)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<u64, E> {
        let value =
            u64::try_from(value).map_err(|_| E::invalid_value(de::Unexpected::Signed(value), &self))?;
        self.visit_u64(value)
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<u64, E> {
        if value.fract() == 0.0 && (0.0..=limits::MAX_INTEGER as f64).contains(&value) {
            return Ok(value as u64);
        }
        Err(E::invalid_value(de::Unexpected::Float(value), &self))
    }
}

/// Reads a list of at most [`limits::LIST_ITEMS`] items.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    let items = Vec::<T>::deserialize(from)?;
    if items.len() > limits::LIST_ITEMS {
        return Err(de::Error::invalid_length(items.len(), &"at most 10000 items"));
    }
    Ok(items)
}

/// Makes a text type that holds only what `$valid` lets through; the sentence says what that is.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $sentence:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[cfg_attr(test, derive(ts_rs::TS), ts(as = "String"))]
        #[serde(transparent)]
        pub struct $name(compact_str::CompactString);

        impl $name {
            #[doc = concat!("`text` when it is ", $sentence, ".")]
            pub fn new(text: impl AsRef<str>) -> Option<Self> {
                let text = text.as_ref();
                let valid: fn(&str) -> bool = $valid;
                valid(text).then(|| Self(text.into()))
            }

            /// The text as it came.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(from)?;
                Self::new(&text).ok_or_else(|| {
                    <D::Error as serde::de::Error>::custom(concat!(stringify!($name), " must be ", $sentence))
                })
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes)"), self.0.len())
            }
        }
    };
}
pub(super) use text;

/// Whether `text` has 1 to `most` characters, none of them a control character.
pub(super) fn is_line(text: &str, most: usize) -> bool {
    !text.is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control)
}

text! {
    /// The name a member shows. It is text to be shown and nothing else: two members may share one.
    DisplayName, "1 to 64 characters on one line", |text| is_line(text, limits::DISPLAY_NAME_CHARS)
}
text! {
    /// What a person says about a drop, or why they reject one. `Debug` and logs never show it.
    Note, "at most 2000 characters", |text| text.chars().count() <= limits::NOTE_CHARS
}
text! {
    /// What opens a room to those who know it. Kept as a digest alone, never sent to anyone.
    Passphrase, "1 to 1024 characters", |text| (1..=limits::PASSPHRASE_CHARS).contains(&text.chars().count())
}
text! {
    /// A media type (RFC 9110 §8.3.1) as the sender says it, safe to put into a header.
    MediaType, "a media type of at most 255 visible ASCII characters, such as image/png", |text| {
        text.len() <= limits::MEDIA_TYPE_BYTES
            && text.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty())
            && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
    }
}

text! {
    /// A small picture of a file, in base64 (RFC 4648 §4 or §5), to be shown before anyone accepts: a WebP, JPEG or PNG,
    /// or such a picture sealed. The server never looks into it.
    Preview, "a small picture in base64, 1 to 8192 characters", |text| {
        (1..=limits::PREVIEW_CHARS).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte))
    }
}

impl MediaType {
    /// What a file is when nobody says: `application/octet-stream`.
    pub fn unknown() -> Self {
        Self(compact_str::CompactString::const_new("application/octet-stream"))
    }
}

impl DisplayName {
    /// The name of a member that gave none.
    pub fn guest() -> Self {
        Self(compact_str::CompactString::const_new("guest"))
    }
}
