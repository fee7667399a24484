//! A chunk that is here. All that is known of a part stands in the name of its record, so that one listing tells
//! what an upload still needs. A name is made once and never again, so a part may be deleted by whoever finds its
//! time over, on any node, and nothing newer goes with it.

use std::collections::HashMap;

use crate::protocol::Moment;
use crate::protocol::uploads::ChunkId;
use crate::store::ManifestId;

/// A chunk that is here: the bytes are in a manifest of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Of which chunk.
    chunk: String,
    /// Bytes.
    pub(super) size: u64,
    /// Unix seconds at which it ends.
    until: u64,
    /// Tells it from every other.
    nonce: u64,
}

impl Part {
    /// A part that ends with its manifest, at `until`.
    pub(super) fn new(chunk: &ChunkId, size: u64, until: Moment, nonce: u64) -> Self {
        Self { chunk: key_of(chunk), size, until: until.unix_millis() / 1000, nonce }
    }

    /// Reads the last part of a record's key.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut words = name.split('_');
        let chunk = ChunkId::new(words.next()?).map(|chunk| key_of(&chunk))?;
        let size = words.next()?.parse().ok()?;
        let until = u64::from_str_radix(words.next()?, 16).ok()?;
        let nonce = u64::from_str_radix(words.next()?, 16).ok()?;
        words.next().is_none().then_some(Self { chunk, size, until, nonce })
    }

    /// The last part of its record's key.
    pub(super) fn name(&self) -> String {
        let Self { chunk, size, until, nonce } = self;
        format!("{chunk}_{size}_{until:x}_{nonce:016x}")
    }

    /// What its bytes are found by.
    pub(super) fn manifest(&self) -> Option<ManifestId> {
        manifest_id(self.nonce)
    }

    /// Whether its time is over.
    pub(super) fn is_over(&self, now: Moment) -> bool {
        self.until <= now.unix_millis() / 1000
    }
}

/// What the bytes of the part with this number are found by.
pub(super) fn manifest_id(nonce: u64) -> Option<ManifestId> {
    ManifestId::new(&format!("upload-part-{nonce:016x}"))
}

/// Ids that differ in case alone name the same bytes.
fn key_of(chunk: &ChunkId) -> String {
    chunk.as_str().to_ascii_lowercase()
}

/// The parts of one plan that are here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parts(HashMap<String, Part>);

impl Parts {
    pub(super) fn of(&self, chunk: &ChunkId) -> Option<&Part> {
        self.0.get(&key_of(chunk))
    }
}

impl FromIterator<Part> for Parts {
    /// Of a chunk that is here twice, the part that ends last.
    fn from_iter<T: IntoIterator<Item = Part>>(parts: T) -> Self {
        let mut latest: HashMap<String, Part> = HashMap::new();
        for part in parts {
            let known = latest.entry(part.chunk.clone()).or_insert_with(|| part.clone());
            if (part.until, part.nonce) > (known.until, known.nonce) {
                *known = part;
            }
        }
        Self(latest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::RecordKey;

    const MD5: &str = "900150983CD24FB0D6963F7D28E17F72";

    fn chunk(index: &str) -> ChunkId {
        ChunkId::new(format!("{MD5}{index}")).unwrap()
    }

    #[test]
    fn the_longest_name_is_one_that_a_record_may_have() {
        let far = Moment::from_micros(u64::from(u32::MAX) * 1_000_000);
        let part = Part::new(&chunk("999999"), super::super::CHUNK, far, u64::MAX);
        assert!(RecordKey::new(["kind", &part.name()]).is_some(), "{}", part.name());
        assert_eq!(Part::parse(&part.name()), Some(part.clone()));
        assert!(part.manifest().is_some());
    }

    #[test]
    fn what_is_no_name_is_no_part() {
        let good = Part::new(&chunk(""), 5, Moment::from_micros(0), 1).name();
        for name in
            ["", "a", &good[1..], &format!("{good}_1"), &good.replace("_5_", "_-5_"), &format!("{good}g")]
        {
            assert_eq!(Part::parse(name), None, "{name}");
        }
    }

    #[test]
    fn of_two_parts_of_a_chunk_the_one_counts_that_ends_last() {
        let at = |seconds: u64| Moment::from_micros(seconds * 1_000_000);
        let (early, late) = (Part::new(&chunk(""), 1, at(5), 1), Part::new(&chunk(""), 1, at(6), 0));
        for both in [[early.clone(), late.clone()], [late.clone(), early.clone()]] {
            assert_eq!(Parts::from_iter(both).of(&chunk("")), Some(&late));
        }
        assert!(early.is_over(at(5)) && !early.is_over(at(4)));
    }
}
