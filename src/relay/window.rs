//! The bytes that a lane holds: consecutive chunks from `start` to `end`, shared with the queues of the
//! sinks and never copied for one. It refuses gaps: what is pushed begins where the last one ended.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::budget::Booked;
use crate::protocol::Digest;

/// Chunks smaller than the relay's window over this (32 KiB of 8 MiB) together become one, so that a
/// source of tiny chunks costs memory for its bytes and not for their bookkeeping.
const COALESCE: u64 = 256;

#[derive(Debug)]
pub(super) struct Window {
    chunks: VecDeque<Held>,
    start: u64,
    end: u64,
    coalesce: usize,
}

#[derive(Debug, Clone)]
struct Held {
    offset: u64,
    bytes: Bytes,
    digest: Option<Digest>,
    /// The memory of the whole chunk, counted once however many windows share it.
    booked: Arc<Booked>,
}

impl Held {
    fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    /// Whether it and the next `len` bytes are to become one. Only with as many or more: so that a byte is
    /// copied a few times (the logarithm of `most`) and not once for each that follows it.
    fn may_join(&mut self, len: usize, most: usize) -> bool {
        let is_ours = Arc::get_mut(&mut self.booked).is_some();
        is_ours && self.bytes.len() <= len && self.bytes.len() + len <= most
    }
}

/// A run of bytes on its way to a sink; with the digest when it is a whole chunk as it came.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) bytes: Bytes,
    pub(super) digest: Option<Digest>,
}

impl Window {
    /// An empty window whose first byte will be the one at `offset`, in a relay that holds at most `most`
    /// bytes.
    pub(super) fn new(offset: u64, most: u64) -> Self {
        let coalesce = usize::try_from(most / COALESCE).unwrap_or(usize::MAX);
        Self { chunks: VecDeque::new(), start: offset, end: offset, coalesce }
    }

    /// Another one, empty, that begins at `offset`.
    pub(super) fn emptied_at(&self, offset: u64) -> Self {
        Self { chunks: VecDeque::new(), start: offset, end: offset, coalesce: self.coalesce }
    }

    /// The first byte held.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// The byte after the last one held: where the next chunk must begin.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Whether a sink that wants the byte at `offset` next can go on from here.
    pub(super) fn covers(&self, offset: u64) -> bool {
        (self.start..=self.end).contains(&offset)
    }

    /// Adds the chunk that begins at [`Self::end`], whose memory is `booked`.
    pub(super) fn push(&mut self, bytes: Bytes, digest: Option<Digest>, mut booked: Booked) {
        let (mut offset, mut bytes, mut digest) = (self.end, bytes, digest);
        self.end += bytes.len() as u64;
        while let Some(last) = self.chunks.pop_back_if(|last| last.may_join(bytes.len(), self.coalesce)) {
            let mut joined = BytesMut::with_capacity(last.bytes.len() + bytes.len());
            joined.extend_from_slice(&last.bytes);
            joined.extend_from_slice(&bytes);
            (offset, bytes, digest) = (last.offset, joined.freeze(), None);
            if let Some(its) = Arc::into_inner(last.booked) {
                booked.join(its);
            }
        }
        self.chunks.push_back(Held { offset, bytes, digest, booked: Arc::new(booked) });
    }

    /// Lets go of every chunk that ends at or before `offset`.
    pub(super) fn discard_before(&mut self, offset: u64) {
        while self.chunks.front().is_some_and(|chunk| chunk.end() <= offset) {
            self.chunks.pop_front();
        }
        self.start = self.chunks.front().map_or(self.end, |chunk| chunk.offset);
    }

    /// The bytes at `offset`, at most `most` of them and no further than one chunk goes.
    pub(super) fn read(&self, offset: u64, most: u64) -> Option<Piece> {
        let index = self.chunks.partition_point(|chunk| chunk.end() <= offset);
        let chunk = self.chunks.get(index)?;
        let skip = usize::try_from(offset.checked_sub(chunk.offset)?).ok()?;
        let rest = chunk.bytes.len() - skip;
        let len = usize::try_from(most).map_or(rest, |most| most.min(rest));
        if len == 0 {
            return None;
        }
        let digest = chunk.digest.filter(|_| len == chunk.bytes.len());
        Some(Piece { bytes: chunk.bytes.slice(skip..skip + len), digest })
    }

    /// A window of its own over the same chunks: those that hold what lies between `from` and `to`.
    pub(super) fn share(&self, from: u64, to: u64) -> Self {
        let chunks = self.chunks.iter().filter(|chunk| chunk.end() > from && chunk.offset < to);
        let chunks: VecDeque<Held> = chunks.cloned().collect();
        let start = chunks.front().map_or(from, |chunk| chunk.offset);
        let end = chunks.back().map_or(from, Held::end);
        Self { chunks, start, end, coalesce: self.coalesce }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::budget::Budget;
    use proptest::prelude::*;

    fn unbooked() -> Booked {
        Booked::none(&Budget::new(0))
    }

    fn byte(offset: u64) -> u8 {
        (offset % 251) as u8
    }

    fn bytes(offset: u64, len: usize) -> Bytes {
        (offset..offset + len as u64).map(byte).collect()
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_pushed(
            start in 0_u64..1000,
            chunks in prop::collection::vec(1_usize..50_000, 1..12),
            discard in 0_u64..200_000,
            reads in prop::collection::vec((0_u64..200_000, 1_u64..60_000), 1..20),
        ) {
            let mut window = Window::new(start, 8 << 20);
            for len in chunks {
                window.push(bytes(window.end(), len), None, unbooked());
            }
            window.discard_before(start + discard);
            let shared = window.share(window.start(), window.end());
            prop_assert_eq!((shared.start(), shared.end()), (window.start(), window.end()));
            for (offset, most) in reads {
                let offset = start + offset;
                match window.read(offset, most) {
                    Some(piece) => {
                        prop_assert!(window.covers(offset) && piece.bytes.len() as u64 <= most);
                        prop_assert_eq!(&piece.bytes, &bytes(offset, piece.bytes.len()));
                    }
                    None => prop_assert!(offset < window.start() || offset >= window.end()),
                }
            }
        }
    }

    #[test]
    fn a_digest_goes_with_a_whole_chunk_alone() {
        let digest = Digest::parse("md5:900150983cd24fb0d6963f7d28e17f72");
        let mut window = Window::new(0, 8 << 20);
        window.push(bytes(0, 40_000), digest, unbooked());
        assert_eq!(window.read(0, 40_000).unwrap().digest, digest);
        assert_eq!(window.read(0, 39_999).unwrap().digest, None);
        assert_eq!(window.read(1, 40_000).unwrap().digest, None);
    }

    #[test]
    fn tiny_chunks_do_not_cost_a_place_each() {
        let mut window = Window::new(0, 8 << 20);
        for offset in 0..100_000 {
            window.push(bytes(offset, 1), None, unbooked());
        }
        assert!(window.chunks.len() <= 24, "{}", window.chunks.len());
        assert_eq!(window.read(99_999, 9).unwrap().bytes[0], byte(99_999));
    }
}
