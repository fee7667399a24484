//! What a file holds: every byte follows from its offset, so any party can check any stretch without
//! having seen the rest.

use std::sync::LazyLock;

use bytes::Bytes;
use roomdrop::protocol::Digest;

/// A prime, so that no power of two of an offset looks like another.
const PERIOD: u64 = 65_521;
/// The longest stretch that is ever asked for at once.
const LONGEST: u64 = 8 << 20;

static PATTERN: LazyLock<Bytes> = LazyLock::new(|| {
    let byte = |offset: u64| {
        let mixed = (offset % PERIOD).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 56) as u8
    };
    (0..PERIOD + LONGEST).map(byte).collect()
});

/// The true bytes at `offset`. Costs no copy.
pub fn bytes(offset: u64, len: u64) -> Bytes {
    let start = (offset % PERIOD) as usize;
    PATTERN.slice(start..start + len as usize)
}

/// Bytes that are wrong in their last place.
pub fn junk(offset: u64, len: u64) -> Bytes {
    let mut bytes = bytes(offset, len).to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    bytes.into()
}

/// The digest of the true bytes.
pub fn digest(offset: u64, len: u64) -> Digest {
    let hash = blake3::hash(&bytes(offset, len));
    Digest::Blake3(*hash.as_bytes())
}

/// Whether these are the bytes at `offset`.
pub fn is_true(offset: u64, bytes: &[u8]) -> bool {
    self::bytes(offset, bytes.len() as u64) == bytes
}
