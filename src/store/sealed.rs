//! A whole whose bytes are all safe and which nobody sees yet: the moment to compare its digest with what was
//! promised. Publishing it is one step; dropping it leaves nothing that can be seen.

use std::sync::Arc;

use super::chunks::Piece;
use super::error::StoreError;
use super::ingest::Whole;
use super::lease::{Lease, Pieces};
use super::manifest::Manifest;
use super::reader::Reader;
use super::{Store, now};
use crate::protocol::{Digest, Digester};

/// A whole, before it is published.
#[derive(Debug)]
pub struct Sealed {
    store: Store,
    manifest: Arc<Manifest>,
    lease: Option<Lease>,
}

impl Sealed {
    pub(super) fn new(
        store: Store,
        whole: Whole,
        digest: Digest,
        chunks: Vec<Piece>,
        lease: Option<Lease>,
    ) -> Self {
        let size = chunks.iter().map(|piece| piece.length).sum();
        let created = now();
        let expires = created + whole.lifetime.unwrap_or(store.0.options.lifetime);
        let manifest = Manifest { id: whole.id, size, digest, created, expires, chunks };
        Self { store, manifest: Arc::new(manifest), lease }
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.manifest.size
    }

    /// BLAKE3 of them.
    pub fn digest(&self) -> Digest {
        self.manifest.digest
    }

    /// Whether the bytes have this digest. Another than BLAKE3 costs reading all of them again.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Away`].
    pub async fn matches(&self, digest: &Digest) -> Result<bool, StoreError> {
        if digest.is_comparable(&self.manifest.digest) {
            return Ok(*digest == self.manifest.digest);
        }
        let mut reader = Reader::new(self.store.clone(), self.manifest.clone(), 0..self.manifest.size);
        Ok(reader.digest(digest.digester()).await? == *digest)
    }

    /// Makes it a whole that can be found.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when there is one of this id; [`StoreError::Full`], [`StoreError::Away`].
    pub async fn publish(self) -> Result<Manifest, StoreError> {
        self.store.publish(&self.manifest).await?;
        drop(self.lease);
        Ok(Arc::unwrap_or_clone(self.manifest))
    }
}

impl Store {
    /// One whole of several, in this order, without writing any of their bytes again. The parts stay. Costs
    /// reading all of them, for the digest of the whole, unless there is only one.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`], [`StoreError::WrongSize`], [`StoreError::Damaged`], [`StoreError::Away`].
    pub async fn join(&self, whole: Whole, parts: &[Manifest]) -> Result<Sealed, StoreError> {
        let size = parts.iter().map(|part| part.size).fold(0, u64::saturating_add);
        self.fits(size)?;
        if whole.size.is_some_and(|announced| announced != size) {
            return Err(StoreError::WrongSize);
        }
        let chunks: Vec<_> = parts.iter().flat_map(|part| part.chunks.iter().copied()).collect();
        let lease = Lease::start(self.clone(), Pieces::new(chunks.clone().into()));
        if let [part] = parts {
            return Ok(Sealed::new(self.clone(), whole, part.digest, chunks, Some(lease)));
        }
        let unknown = Digest::Blake3([0; 32]);
        let mut sealed = Sealed::new(self.clone(), whole, unknown, chunks, Some(lease));
        let mut reader = Reader::new(self.clone(), sealed.manifest.clone(), 0..size);
        let digest = reader.digest(Digester::blake3()).await?;
        drop(reader);
        Arc::make_mut(&mut sealed.manifest).digest = digest;
        Ok(sealed)
    }
}
