//! What an upload says of itself: the pairs of `Upload-Metadata` (tus 1.0, creation), read strictly, so that a name
//! that was garbled on its way is refused before a byte is taken rather than shown to people.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Outcome;
use crate::protocol::{ErrorCode, Refusal};

/// Bytes of the header, at most.
const MOST_BYTES: usize = 8 << 10;
/// Pairs, at most.
const MOST_PAIRS: usize = 64;

/// The pairs.
#[derive(Debug, Default)]
pub(super) struct Metadata(Vec<(String, Vec<u8>)>);

impl Metadata {
    /// Reads `key base64,key base64,key`.
    ///
    /// # Errors
    /// `bad_request` for anything else, and for a key that comes twice; `too_large`.
    pub(super) fn parse(header: &str) -> Outcome<Self> {
        if header.len() > MOST_BYTES {
            let why = format!("Upload-Metadata holds {MOST_BYTES} bytes at most; say less.");
            return Err(Refusal::new(ErrorCode::TooLarge, why));
        }
        let mut pairs: Vec<(String, Vec<u8>)> = Vec::new();
        if header.trim().is_empty() {
            return Ok(Self(pairs));
        }
        for pair in header.split(',') {
            let pair = pair.trim();
            let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
            let is_new = !pairs.iter().any(|(known, _)| known == key);
            let value = STANDARD.decode(value).ok();
            match value {
                Some(value) if is_new && is_key(key) && pairs.len() < MOST_PAIRS => {
                    pairs.push((key.to_owned(), value));
                }
                _ => return Err(wrong()),
            }
        }
        Ok(Self(pairs))
    }

    /// The text of the first of these keys that says something.
    ///
    /// # Errors
    /// `bad_request` when it is not UTF-8.
    pub(super) fn text(&self, keys: &[&str]) -> Outcome<Option<&str>> {
        let said = keys.iter().find_map(|key| {
            self.0.iter().find(|(known, value)| known == key && !value.is_empty()).map(|(_, value)| value)
        });
        said.map(|value| std::str::from_utf8(value).map_err(|_| wrong())).transpose()
    }
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic())
}

fn wrong() -> Refusal {
    let why = "Upload-Metadata is a list of `key base64` with commas between, each key once and the values of \
               text in UTF-8.";
    Refusal::new(ErrorCode::BadRequest, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_as_clients_write_them() {
        let said = Metadata::parse("filename d29ybGQucGRm,room Y2FsbQ==, is_confidential ,type").unwrap();
        assert_eq!(said.text(&["filename", "name"]).unwrap(), Some("world.pdf"));
        assert_eq!(said.text(&["nothing", "room"]).unwrap(), Some("calm"));
        assert_eq!(said.text(&["is_confidential"]).unwrap(), None);
        assert_eq!(said.text(&["type", "filename"]).unwrap(), Some("world.pdf"));
        assert!(Metadata::parse("").unwrap().0.is_empty());
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!("a {}", "A".repeat(MOST_BYTES));
        let many: Vec<_> = (0..65).map(|key| format!("k{key} YQ==")).collect();
        for header in ["a YQ", "a YQ==,a YQ==", "a *", ",", "a YQ==,", "a  YQ==", "é YQ==", "a YQ== x"] {
            assert!(Metadata::parse(header).is_err(), "{header}");
        }
        assert!(Metadata::parse(&many.join(",")).is_err());
        assert_eq!(Metadata::parse(&long).unwrap_err().code, ErrorCode::TooLarge);
        assert!(Metadata::parse("a /w==").unwrap().text(&["a"]).is_err(), "not UTF-8");
    }
}
