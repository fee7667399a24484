//! A stretch of a whole, chunk by chunk, each checked before any of it is given out. It reads one chunk ahead
//! and holds two.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::spawn_blocking;
use tokio_util::task::AbortOnDropHandle;

use super::Store;
use super::error::StoreError;
use super::manifest::Manifest;
use crate::protocol::{Digest, Digester};

type Read = AbortOnDropHandle<Result<Bytes, StoreError>>;

/// A stretch that is being read.
#[derive(Debug)]
pub struct Reader {
    store: Store,
    manifest: Arc<Manifest>,
    position: u64,
    end: u64,
    reach: Reach,
    /// The chunk in which the position lies, by its number, and where it begins.
    index: usize,
    start: u64,
    held: Option<Bytes>,
    /// The next one.
    ahead: Option<Read>,
}

/// Whether the end is the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// It is.
    Fixed,
    /// It has moved, and may move on.
    Moving,
}

impl Store {
    /// Reads a stretch; what of it lies beyond the end is left out.
    pub fn reader(&self, manifest: &Manifest, stretch: Range<u64>) -> Reader {
        Reader::new(self.clone(), Arc::new(manifest.clone()), stretch)
    }
}

impl Reader {
    /// Reads a stretch of a manifest that others hold too.
    pub fn new(store: Store, manifest: Arc<Manifest>, stretch: Range<u64>) -> Self {
        let end = stretch.end.min(manifest.size);
        let position = stretch.start.min(end);
        let (mut index, mut start) = (0, 0);
        for piece in &manifest.chunks {
            if start + piece.length > position {
                break;
            }
            start += piece.length;
            index += 1;
        }
        let reach = Reach::Fixed;
        Self { store, manifest, position, end, reach, index, start, held: None, ahead: None }
    }

    /// Where the next byte lies.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Reads up to here, and may be told to read further; what of it lies beyond the end is left out. From the
    /// middle of a chunk on the next one is read ahead, so that it is there when the end moves on.
    pub fn set_end(&mut self, end: u64) {
        self.reach = Reach::Moving;
        self.end = end.min(self.manifest.size).max(self.position);
    }

    /// The next bytes, `most` of them at most; none at the end of the stretch.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when they are not what was written; [`StoreError::Away`].
    pub async fn next(&mut self, most: usize) -> Result<Option<Bytes>, StoreError> {
        if self.position >= self.end {
            return Ok(None);
        }
        let chunk = self.chunk().await?;
        let offset = usize::try_from(self.position - self.start).unwrap_or(usize::MAX);
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        let count = chunk.len().saturating_sub(offset).min(left).min(most);
        let part = chunk.slice(offset..offset + count);
        self.position += count as u64;
        if offset + count == chunk.len() {
            self.start = self.position;
            self.index += 1;
            self.held = None;
        }
        Ok(Some(part))
    }

    async fn chunk(&mut self) -> Result<Bytes, StoreError> {
        if let Some(chunk) = &self.held {
            return Ok(chunk.clone());
        }
        let read = self.ahead.take().or_else(|| self.read(self.index));
        let Some(read) = read else { return Err(StoreError::Damaged) };
        let chunk = read.await??;
        let length = chunk.len() as u64;
        let least = match self.reach {
            Reach::Fixed => self.start + length + 1,
            Reach::Moving => self.start + length / 2,
        };
        if self.end >= least {
            self.ahead = self.read(self.index + 1);
        }
        self.held = Some(chunk.clone());
        Ok(chunk)
    }

    fn read(&self, index: usize) -> Option<Read> {
        let piece = *self.manifest.chunks.get(index)?;
        let store = self.store.clone();
        Some(AbortOnDropHandle::new(tokio::spawn(async move { store.chunk(piece).await })))
    }

    /// The digest of all that is left.
    pub(super) async fn digest(&mut self, mut digester: Digester) -> Result<Digest, StoreError> {
        while let Some(bytes) = self.next(usize::MAX).await? {
            let hashed = spawn_blocking(move || {
                digester.update(&bytes);
                digester
            });
            digester = hashed.await?;
        }
        Ok(digester.finish())
    }
}
