//! The digest that a client says of one body (tus 1.0, checksum), and what compares it with what came.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::Digest as _;
use subtle::ConstantTimeEq;

use super::Outcome;
use crate::protocol::{ErrorCode, Refusal};

/// The algorithms, as `Tus-Checksum-Algorithm` names them.
pub const ALGORITHMS: &str = "sha1,sha256,md5,blake3";

/// What a body's digest is to be.
#[derive(Debug, Clone)]
pub struct Checksum {
    hasher: Hasher,
    expected: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Hasher {
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Md5(md5::Md5),
    Blake3(Box<blake3::Hasher>),
}

impl Checksum {
    /// Reads `algorithm base64`.
    ///
    /// # Errors
    /// `bad_request` for another form, an algorithm that is not known, or a digest that is not one of it.
    pub fn parse(header: &str) -> Outcome<Self> {
        let (algorithm, digest) = header.trim().split_once(' ').ok_or_else(wrong)?;
        let (hasher, bytes) = match algorithm {
            "sha1" => (Hasher::Sha1(sha1::Sha1::new()), 20),
            "sha256" => (Hasher::Sha256(sha2::Sha256::new()), 32),
            "md5" => (Hasher::Md5(md5::Md5::new()), 16),
            "blake3" => (Hasher::Blake3(Box::default()), 32),
            _ => return Err(wrong()),
        };
        let expected = STANDARD.decode(digest).ok().filter(|digest| digest.len() == bytes);
        Ok(Self { hasher, expected: expected.ok_or_else(wrong)? })
    }

    /// The next bytes. Costs one pass over them.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match &mut self.hasher {
            Hasher::Sha1(hasher) => hasher.update(bytes),
            Hasher::Sha256(hasher) => hasher.update(bytes),
            Hasher::Md5(hasher) => hasher.update(bytes),
            Hasher::Blake3(hasher) => drop(hasher.update(bytes)),
        }
    }

    /// Whether all of them have the digest.
    pub(super) fn matches(self) -> bool {
        let found = match self.hasher {
            Hasher::Sha1(hasher) => hasher.finalize().to_vec(),
            Hasher::Sha256(hasher) => hasher.finalize().to_vec(),
            Hasher::Md5(hasher) => hasher.finalize().to_vec(),
            Hasher::Blake3(hasher) => hasher.finalize().as_bytes().to_vec(),
        };
        found.ct_eq(&self.expected).into()
    }
}

fn wrong() -> Refusal {
    let why = "Upload-Checksum is an algorithm, a space, and the digest in base64; the algorithms are sha1, sha256, \
               md5 and blake3.";
    Refusal::new(ErrorCode::BadRequest, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digests_match_their_bytes_and_no_others() {
        let blake3 = format!("blake3 {}", STANDARD.encode(blake3::hash(b"hello world").as_bytes()));
        for header in [
            "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
            "sha256 uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=",
            "md5 XrY7u+Ae7tCTyyK7j1rNww==",
            &blake3,
        ] {
            let mut checksum = Checksum::parse(header).unwrap();
            checksum.update(b"hello ");
            let mut other = checksum.clone();
            checksum.update(b"world");
            other.update(b"World");
            assert!(!other.matches(), "{header}");
            assert!(checksum.matches(), "{header}");
        }
    }

    #[test]
    fn another_form_is_refused() {
        for header in [
            "",
            "sha1",
            "sha1 ",
            "sha1 Kq5s",
            "crc32 AAAAAA==",
            "sha1 *",
            "SHA1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
        ] {
            assert!(Checksum::parse(header).is_err(), "{header}");
        }
    }
}
