//! Digests as they stand on the wire, `algorithm:hex`, and the check of bytes against one. Hashing here
//! is of bytes at hand: nothing is read, and nothing is hashed that the peer did not name a digest for.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use subtle::ConstantTimeEq;

/// A digest of a chunk or of a whole file: `blake3:…`, `sha256:…` or `md5:…`, the rest hexadecimal.
/// MD5 finds accidents, not attackers.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
pub enum Digest {
    /// BLAKE3, 32 bytes.
    Blake3([u8; 32]),
    /// SHA-256 (FIPS 180-4), 32 bytes.
    Sha256([u8; 32]),
    /// MD5 (RFC 1321), 16 bytes.
    Md5([u8; 16]),
}

impl Digest {
    /// Reads `algorithm:hex`, upper or lower case.
    pub fn parse(text: &str) -> Option<Self> {
        let (algorithm, hex) = text.split_once(':')?;
        Some(match algorithm {
            "blake3" => Self::Blake3(bytes(hex)?),
            "sha256" => Self::Sha256(bytes(hex)?),
            "md5" => Self::Md5(bytes(hex)?),
            _ => return None,
        })
    }

    /// Whether `data` has this digest. Costs one pass over it (BLAKE3 is the quickest).
    pub fn matches(&self, data: &[u8]) -> bool {
        match self {
            Self::Blake3(digest) => blake3::hash(data).as_bytes().ct_eq(digest).into(),
            Self::Sha256(digest) => sha2::Sha256::digest(data)[..].ct_eq(digest).into(),
            Self::Md5(digest) => md5::Md5::digest(data)[..].ct_eq(digest).into(),
        }
    }

    /// What makes a digest of this algorithm, part by part.
    pub fn digester(&self) -> Digester {
        match self {
            Self::Blake3(_) => Digester::blake3(),
            Self::Sha256(_) => Digester::Sha256(sha2::Sha256::new()),
            Self::Md5(_) => Digester::Md5(md5::Md5::new()),
        }
    }

    /// Whether both are of one algorithm, so that a difference means different bytes.
    pub fn is_comparable(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// Makes a digest of bytes that come part by part.
#[derive(Debug, Clone)]
pub enum Digester {
    /// BLAKE3.
    Blake3(Box<blake3::Hasher>),
    /// SHA-256.
    Sha256(sha2::Sha256),
    /// MD5.
    Md5(md5::Md5),
}

impl Digester {
    /// One for BLAKE3.
    pub fn blake3() -> Self {
        Self::Blake3(Box::default())
    }

    /// The next bytes. Costs one pass over them.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Blake3(hasher) => drop(hasher.update(bytes)),
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Md5(hasher) => hasher.update(bytes),
        }
    }

    /// The digest of all of them.
    pub fn finish(self) -> Digest {
        match self {
            Self::Blake3(hasher) => Digest::Blake3(*hasher.finalize().as_bytes()),
            Self::Sha256(hasher) => Digest::Sha256(hasher.finalize().into()),
            Self::Md5(hasher) => Digest::Md5(hasher.finalize().into()),
        }
    }
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blake3(digest) => write!(f, "blake3:{}", hex::encode(digest)),
            Self::Sha256(digest) => write!(f, "sha256:{}", hex::encode(digest)),
            Self::Md5(digest) => write!(f, "md5:{}", hex::encode(digest)),
        }
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("a digest is blake3:, sha256: or md5: and hexadecimal"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digests_match_their_bytes_and_no_others() {
        for text in [
            "blake3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "md5:900150983cd24fb0d6963f7d28e17f72",
        ] {
            let digest = Digest::parse(text).unwrap();
            assert!(digest.matches(b"abc"), "{text}");
            assert!(!digest.matches(b"abd"), "{text}");
            let mut digester = digest.digester();
            digester.update(b"a");
            digester.update(b"bc");
            assert_eq!(digester.finish(), digest);
            assert_eq!(digest.to_string(), text);
        }
    }

    #[test]
    fn a_digest_of_another_form_is_refused() {
        for text in
            ["", "md5", "md5:", "md5:zz", "sha1:00", "sha256:ba78", "md5:900150983cd24fb0d6963f7d28e17f7200"]
        {
            assert!(Digest::parse(text).is_none(), "{text}");
        }
    }
}
