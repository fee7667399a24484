//! Bytes on their way to becoming a whole: cut into chunks, hashed away from the async threads, written a few
//! at a time. An ingest that is dropped leaves nothing that can be seen, and what it wrote is swept.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::{JoinSet, spawn_blocking};

use super::chunks::{Address, Piece};
use super::error::StoreError;
use super::lease::{Lease, Pieces};
use super::manifest::{Manifest, ManifestId};
use super::sealed::Sealed;
use super::usage::Promise;
use super::{CHUNK, Store};
use crate::protocol::Digest;

/// Chunks of one ingest on their way to the storage at once; with the one that is being filled, it holds one
/// more in memory.
const AT_ONCE: usize = 2;

/// What is to be kept.
#[derive(Debug, Clone)]
pub struct Whole {
    /// What it will be found by. There must be none of this id yet.
    pub id: ManifestId,
    /// Bytes, where known: room for them is set aside at once, and no other number is taken.
    pub size: Option<u64>,
    /// How long it is kept from its end on; none is as the operator chose.
    pub lifetime: Option<Duration>,
}

/// A whole that is being written. Holds (2 + 1) × [`CHUNK`] bytes in memory at most.
#[derive(Debug)]
pub struct Ingest {
    store: Store,
    whole: Whole,
    promise: Arc<Promise>,
    /// What makes no chunk yet.
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    taken: u64,
    hasher: blake3::Hasher,
    pieces: Pieces,
    writes: JoinSet<Result<(), StoreError>>,
    lease: Lease,
}

impl Store {
    /// Begins to keep something.
    ///
    /// # Errors
    /// Before any byte is taken: [`StoreError::TooLarge`], [`StoreError::Quota`]; [`StoreError::Away`].
    pub async fn ingest(&self, whole: Whole) -> Result<Ingest, StoreError> {
        let promise = Arc::new(self.promise(whole.size).await?);
        let pieces = Pieces::default();
        Ok(Ingest {
            store: self.clone(),
            whole,
            promise,
            gathered: Vec::new(),
            gathered_bytes: 0,
            taken: 0,
            hasher: blake3::Hasher::new(),
            lease: Lease::start(self.clone(), pieces.clone()),
            pieces,
            writes: JoinSet::new(),
        })
    }
}

impl Ingest {
    /// Bytes that were taken.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Takes bytes, any number of them; waits while the storage is slower than they come.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`], [`StoreError::Quota`], [`StoreError::Full`], [`StoreError::WrongSize`],
    /// [`StoreError::Away`]. After any of them the ingest is of no use any more.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<(), StoreError> {
        let taken = self.taken + bytes.len() as u64;
        self.store.fits(taken)?;
        if self.whole.size.is_some_and(|size| taken > size) {
            return Err(StoreError::WrongSize);
        }
        self.taken = taken;
        while !bytes.is_empty() {
            let part = bytes.split_to(bytes.len().min(CHUNK - self.gathered_bytes));
            self.gathered_bytes += part.len();
            self.gathered.push(part);
            if self.gathered_bytes == CHUNK {
                self.write_chunk().await?;
            }
        }
        Ok(())
    }

    async fn write_chunk(&mut self) -> Result<(), StoreError> {
        let length = std::mem::take(&mut self.gathered_bytes) as u64;
        let parts = std::mem::take(&mut self.gathered);
        self.store.extend(&self.promise, length)?;
        let mut hasher = std::mem::take(&mut self.hasher);
        let hashed = spawn_blocking(move || {
            for part in &parts {
                hasher.update(part);
            }
            (Address::of(&parts), hasher, parts)
        });
        let (address, hasher, parts) = hashed.await?;
        self.hasher = hasher;
        let piece = Piece { address, length };
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner).push(piece);
        while self.writes.len() >= AT_ONCE {
            self.one_write_ends().await?;
        }
        let (store, promise) = (self.store.clone(), self.promise.clone());
        self.writes.spawn(async move { store.put_chunk(piece, parts, &promise).await });
        Ok(())
    }

    async fn one_write_ends(&mut self) -> Result<(), StoreError> {
        self.writes.join_next().await.transpose()?.transpose()?;
        Ok(())
    }

    /// Writes what is left and waits for all of it: every byte is safe, and nothing can be seen yet.
    ///
    /// # Errors
    /// As [`Ingest::write`].
    pub async fn seal(mut self) -> Result<Sealed, StoreError> {
        if self.whole.size.is_some_and(|size| self.taken != size) {
            return Err(StoreError::WrongSize);
        }
        if self.gathered_bytes > 0 {
            self.write_chunk().await?;
        }
        while !self.writes.is_empty() {
            self.one_write_ends().await?;
        }
        let digest = Digest::Blake3(*self.hasher.finalize().as_bytes());
        let pieces = take(&self.pieces);
        Ok(Sealed::new(self.store, self.whole, digest, pieces, Some(self.lease)))
    }

    /// Seals and publishes.
    ///
    /// # Errors
    /// As [`Ingest::write`]; [`StoreError::Exists`] when there is one of this id.
    pub async fn finish(self) -> Result<Manifest, StoreError> {
        self.seal().await?.publish().await
    }
}

fn take(pieces: &Mutex<Vec<Piece>>) -> Vec<Piece> {
    // The lease may say it until the manifest is there.
    pieces.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
