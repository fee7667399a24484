//! Which chunks a file consists of, in which order, as someone said it in a handshake; and what of them is still
//! needed when some parts are here. Decided from what is known, without asking any storage.

use std::collections::HashSet;

use super::part::Parts;
use crate::protocol::uploads::{ChunkId, Extension, FileId};
use crate::protocol::{ErrorCode, Refusal};

/// Chunks of one file, at most.
pub const MOST_CHUNKS: usize = 10_000;
/// Characters of a plan's name: 128 bits are no accident.
const NAME: usize = 32;

/// A file as its chunks. Never empty.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) file: FileId,
    pub(super) ext: Extension,
    chunks: Vec<ChunkId>,
    /// The same for the same chunks in the same order, and for no others.
    pub(super) name: String,
}

impl Plan {
    /// The plan of a handshake.
    ///
    /// # Errors
    /// `bad_request` without chunks, or with more than [`MOST_CHUNKS`].
    pub(super) fn new(file: FileId, ext: Extension, chunks: Vec<ChunkId>) -> Result<Self, Refusal> {
        if chunks.is_empty() {
            let why = "chunkIds names no chunk; only a file without bytes has none.";
            return Err(Refusal::new(ErrorCode::BadRequest, why));
        }
        if chunks.len() > MOST_CHUNKS {
            let why = format!("chunkIds names more than {MOST_CHUNKS} chunks; make larger ones.");
            return Err(Refusal::new(ErrorCode::BadRequest, why));
        }
        let mut hasher = blake3::Hasher::new();
        for chunk in &chunks {
            hasher.update(chunk.as_str().as_bytes()).update(b"\n");
        }
        let hex = hasher.finalize().to_hex();
        Ok(Self { file, ext, name: hex.get(..NAME).unwrap_or_default().to_owned(), chunks })
    }

    /// The chunks, in the order of the file.
    pub(super) fn chunks(&self) -> &[ChunkId] {
        &self.chunks
    }

    pub(super) fn contains(&self, chunk: &ChunkId) -> bool {
        self.chunks.contains(chunk)
    }

    /// What is still needed, in the order of the file.
    pub(super) fn needed(&self, parts: &Parts) -> Vec<ChunkId> {
        self.chunks.iter().filter(|chunk| parts.of(chunk).is_none()).cloned().collect()
    }

    /// Bytes of what is here, as often as the file has them.
    pub(super) fn size(&self, parts: &Parts) -> u64 {
        self.chunks
            .iter()
            .filter_map(|chunk| parts.of(chunk))
            .fold(0, |sum, part| sum.saturating_add(part.size))
    }

    /// Its chunks, each once.
    pub(super) fn distinct(&self) -> HashSet<&ChunkId> {
        self.chunks.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Moment;
    use crate::upload::part::Part;

    fn chunk(number: u8) -> ChunkId {
        ChunkId::new(format!("{}{number}", "0".repeat(32))).unwrap()
    }

    fn plan(chunks: &[u8]) -> Result<Plan, Refusal> {
        let file = FileId::new(&"a".repeat(32)).unwrap();
        Plan::new(file, Extension::new(".x").unwrap(), chunks.iter().map(|number| chunk(*number)).collect())
    }

    fn parts(chunks: &[(u8, u64)]) -> Parts {
        let part = |(number, size): &(u8, u64)| Part::new(&chunk(*number), *size, Moment::from_micros(9), 7);
        chunks.iter().map(part).collect()
    }

    #[test]
    fn what_is_not_here_is_needed_in_the_order_of_the_file() {
        let plan = plan(&[3, 1, 2, 1]).unwrap();
        assert_eq!(plan.needed(&parts(&[])), [3, 1, 2, 1].map(chunk));
        assert_eq!(plan.needed(&parts(&[(3, 5), (2, 5), (9, 5)])), [1, 1].map(chunk));
        assert_eq!(plan.needed(&parts(&[(1, 5), (2, 5), (3, 5)])), []);
        assert_eq!(plan.size(&parts(&[(1, 5), (3, 4), (9, 1)])), 14, "what stands twice counts twice");
        assert_eq!(plan.size(&parts(&[(1, u64::MAX)])), u64::MAX);
    }

    #[test]
    fn a_plan_is_the_same_for_the_same_chunks_in_the_same_order_alone() {
        assert_eq!(plan(&[1, 2]).unwrap().name, plan(&[1, 2]).unwrap().name);
        assert_ne!(plan(&[1, 2]).unwrap().name, plan(&[2, 1]).unwrap().name);
    }

    #[test]
    fn no_chunks_and_too_many_are_refused() {
        assert_eq!(plan(&[]).unwrap_err().code, ErrorCode::BadRequest);
        assert!(plan(&[1; MOST_CHUNKS]).is_ok());
        assert_eq!(plan(&[1; MOST_CHUNKS + 1]).unwrap_err().code, ErrorCode::BadRequest);
    }
}
