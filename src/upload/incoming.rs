//! A chunk on its way in: written as it comes, hashed beside that, and never held whole. One that is here already
//! is only checked. Dropped before its end, it leaves nothing that can be seen.

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::error::refusal;
use super::{CHUNK, part};
use crate::protocol::{Digest, Digester, ErrorCode, Refusal};
use crate::store::{Ingest, Sealed, Store, StoreError, Whole};

/// Bytes that are hashed at once: enough to be worth another thread, and what is held meanwhile.
const HASHED: usize = 1 << 20;

/// A chunk on its way in. Holds what its [`Ingest`] holds, and 1 MiB at most.
#[derive(Debug)]
pub struct Incoming {
    kind: Kind,
    taken: u64,
    md5: Digester,
    /// To be hashed.
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
}

/// What becomes of the bytes.
#[derive(Debug)]
enum Kind {
    /// They are written, for the part of this number.
    Stored { ingest: Box<Ingest>, nonce: u64 },
    /// They are here, and only compared with their digest.
    Checked,
}

/// A chunk that has come in; nobody sees it yet.
#[derive(Debug)]
pub(super) struct Taken {
    /// MD5 of its bytes.
    pub(super) md5: Digest,
    /// The bytes and the number of their part, unless they were only checked.
    pub(super) stored: Option<(Sealed, u64)>,
}

impl Incoming {
    pub(super) async fn stored(store: &Store) -> Result<Self, Refusal> {
        let nonce = rand::random();
        let id = part::manifest_id(nonce).ok_or(ErrorCode::Internal)?;
        let whole = Whole { id, size: None, lifetime: None };
        let ingest = Box::new(store.ingest(whole).await.map_err(refusal)?);
        Ok(Self::new(Kind::Stored { ingest, nonce }))
    }

    pub(super) fn checked() -> Self {
        Self::new(Kind::Checked)
    }

    fn new(kind: Kind) -> Self {
        let md5 = Digester::Md5(Default::default());
        Self { kind, taken: 0, md5, gathered: Vec::new(), gathered_bytes: 0 }
    }

    /// Takes bytes; waits while the storage is slower than they come.
    ///
    /// # Errors
    /// `too_large` beyond [`CHUNK`], and what the storage says.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Refusal> {
        self.taken += bytes.len() as u64;
        if self.taken > CHUNK {
            let why = format!("A chunk may have {CHUNK} bytes at most; make smaller ones.");
            return Err(Refusal::new(ErrorCode::TooLarge, why));
        }
        self.gathered_bytes += bytes.len();
        self.gathered.push(bytes.clone());
        if self.gathered_bytes >= HASHED {
            self.hash().await.map_err(refusal)?;
        }
        match &mut self.kind {
            Kind::Stored { ingest, .. } => ingest.write(bytes).await.map_err(refusal),
            Kind::Checked => Ok(()),
        }
    }

    async fn hash(&mut self) -> Result<(), StoreError> {
        self.gathered_bytes = 0;
        let (mut md5, gathered) = (self.md5.clone(), std::mem::take(&mut self.gathered));
        let hashed = spawn_blocking(move || {
            for part in &gathered {
                md5.update(part);
            }
            md5
        });
        self.md5 = hashed.await?;
        Ok(())
    }

    /// All of it has come: every byte is safe.
    pub(super) async fn end(mut self) -> Result<Taken, Refusal> {
        self.hash().await.map_err(refusal)?;
        let stored = match self.kind {
            Kind::Stored { ingest, nonce } => Some((ingest.seal().await.map_err(refusal)?, nonce)),
            Kind::Checked => None,
        };
        Ok(Taken { md5: self.md5.finish(), stored })
    }
}
