//! Uploads in chunks that can be resumed (`/api/upload`): a handshake says which chunks a file consists of, chunks
//! come in any order, from anyone, to any node, and when all are here they are one file. It knows no HTTP, and
//! nothing of rooms: whoever knows a file's MD5 can have it.
//!
//! **What survives.** Everything that was acknowledged, a crash at any moment included: a plan is written at the
//! handshake, a chunk with all that is known of it before its answer. Two handshakes that cut one file in different
//! ways are two plans, and the first that is whole makes the file. Whatever is never finished ends with its time:
//! each part `store.lifetime` after it came, a plan of which nothing is here after one to two hours.
//!
//! **Bounds.** [`MOST_CHUNKS`] chunks of at most [`CHUNK`] bytes; the file as `store.max_size` and `store.quota`
//! allow. Requests beyond a number at once wait for a while, without being read, and are then refused as `overloaded`. A chunk that comes in holds 13 MiB at most, a file that is put together 12 MiB.
//!
//! **MD5** finds accidents, not attackers: whoever makes two files of one MD5 can have one taken for the other.

mod error;
mod finish;
mod incoming;
mod known;
mod line;
mod part;
mod plan;
mod shelf;
#[cfg(test)]
mod tests;
mod tidy;

use std::ops::Range;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::incoming::Incoming;
pub use self::line::Turn;
pub use self::plan::MOST_CHUNKS;
pub use self::shelf::Upload;

use self::error::refusal;
use self::finish::{Finishing, Unfit};
use self::known::{Known, Plans};
use self::line::Line;
use self::part::Parts;
use self::plan::Plan;
use crate::protocol::uploads::{ChunkId, Extension, FileId};
use crate::protocol::{ErrorCode, Refusal};
use crate::store::{Manifest, Reader, Store};

/// Bytes of a chunk, at most.
pub const CHUNK: u64 = 64 << 20;

/// Handshakes that are read at once, at most.
const HANDSHAKES_AT_ONCE: usize = 16;
/// Files that are put together at once, at most: each keeps a processor busy.
const FINISHES_AT_ONCE: usize = 2;
/// Chunks, and handshakes, that wait beyond that, at most.
const WAITING: usize = 256;

/// How an upload stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The file is here, as this.
    Here(Extension),
    /// These chunks are still needed, in the order of the file.
    Needed(Vec<ChunkId>),
}

/// What is uploaded. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Uploads(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    plans: Plans,
    finishing: Finishing,
    chunks: Line,
    handshakes: Line,
    finishes: Semaphore,
    ended: CancellationToken,
    tasks: TaskTracker,
}

impl Uploads {
    /// Keeps uploads in `store`; `at_once` chunks come in at once, at most. Call it within a runtime.
    pub fn new(store: Store, at_once: usize) -> Self {
        let uploads = Self(Arc::new(Inner {
            store,
            plans: Plans::default(),
            finishing: Finishing::default(),
            chunks: Line::new(at_once, WAITING),
            handshakes: Line::new(HANDSHAKES_AT_ONCE, WAITING),
            finishes: Semaphore::new(FINISHES_AT_ONCE),
            ended: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }));
        uploads.spawn(tidy::tidy(uploads.clone()));
        uploads
    }

    /// Ends every task and waits until they have ended. What was acknowledged is there at the next start.
    pub async fn close(&self) {
        self.0.ended.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Waits until one more handshake may be read.
    ///
    /// # Errors
    /// `overloaded`.
    pub async fn turn_for_handshake(&self) -> Result<Turn, Refusal> {
        self.0.handshakes.turn().await
    }

    /// Waits until one more chunk may come in.
    ///
    /// # Errors
    /// `overloaded`.
    pub async fn turn_for_chunk(&self) -> Result<Turn, Refusal> {
        self.0.chunks.turn().await
    }

    /// Someone has this file, cut into these chunks, and asks what is still needed of it. The `turn` ends before
    /// a file is put together.
    ///
    /// # Errors
    /// `bad_request`, `digest_mismatch` when all is here and is not the file, `overloaded`, and what the storage
    /// says.
    pub async fn handshake(
        &self,
        file: FileId,
        ext: Extension,
        chunks: Vec<ChunkId>,
        turn: Turn,
    ) -> Result<Outcome, Refusal> {
        if self.find(file).await?.is_some() {
            return Ok(Outcome::Here(ext));
        }
        if chunks.is_empty() && file.digest().matches(b"") {
            return self.take_empty(file, ext).await;
        }
        let plan = Plan::new(file, ext, chunks)?;
        self.0.store.has_quota_for(1).await.map_err(refusal)?;
        let known = self.write_down(plan).await?;
        let parts = self.parts(&known).await.map_err(refusal)?;
        drop(turn);
        self.answer(known, &parts).await
    }

    /// A chunk comes. Where its ids are known already it is refused before any byte if nobody asked for it, and
    /// only checked if it is here.
    ///
    /// # Errors
    /// `unexpected_chunk`, and what the storage says.
    pub async fn begin(&self, ids: Option<(FileId, &ChunkId)>) -> Result<Incoming, Refusal> {
        let is_here = match ids {
            None => false,
            Some((file, chunk)) => {
                self.find(file).await?.is_some() || self.plan_with(file, chunk).await?.has_seen(chunk)
            }
        };
        if is_here { Ok(Incoming::checked()) } else { Incoming::stored(&self.0.store).await }
    }

    /// A chunk has come, and is this one of this file. The `turn` ends before a file is put together.
    ///
    /// # Errors
    /// `digest_mismatch` when it is not, or when all is here and is not the file; `unexpected_chunk`, `too_large`,
    /// and what the storage says.
    pub async fn accept(
        &self,
        file: FileId,
        chunk: &ChunkId,
        incoming: Incoming,
        turn: Turn,
    ) -> Result<Outcome, Refusal> {
        let taken = incoming.end().await?;
        if chunk.digest() != Some(taken.md5) {
            let why = "The bytes of file do not have the MD5 that chunkId begins with; send the chunk again.";
            return Err(Refusal::new(ErrorCode::DigestMismatch, why));
        }
        if let Some(upload) = self.find(file).await? {
            return Ok(Outcome::Here(upload.ext));
        }
        let known = self.plan_with(file, chunk).await?;
        let added = match taken.stored {
            Some((sealed, nonce)) => {
                Some(self.add_part(&known.plan, chunk, sealed, nonce).await.map_err(refusal)?)
            }
            None => None,
        };
        let parts = self.parts(&known).await.map_err(refusal)?;
        if let Err(error) = self.0.store.fits(known.plan.size(&parts)) {
            if let Some(added) = added {
                self.remove_part(&added).await.map_err(refusal)?;
            }
            return Err(refusal(error));
        }
        drop(turn);
        self.answer(known, &parts).await
    }

    /// The whole file, if it is here.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn find(&self, file: FileId) -> Result<Option<Upload>, Refusal> {
        self.whole(file).await.map_err(refusal)
    }

    /// Reads a stretch of a file.
    pub fn reader(&self, manifest: &Manifest, stretch: Range<u64>) -> Reader {
        self.0.store.reader(manifest, stretch)
    }

    async fn answer(&self, known: Arc<Known>, parts: &Parts) -> Result<Outcome, Refusal> {
        let needed = known.plan.needed(parts);
        if needed.is_empty() { self.finish(known).await } else { Ok(Outcome::Needed(needed)) }
    }

    async fn take_empty(&self, file: FileId, ext: Extension) -> Result<Outcome, Refusal> {
        match self.publish(file, &ext, &[]).await {
            Ok(()) => Ok(Outcome::Here(ext)),
            Err(Unfit::Store(error)) => Err(refusal(error)),
            Err(Unfit::Bytes) => Err(ErrorCode::Internal.into()),
        }
    }

    /// The plan that a chunk belongs to; of several the one of the latest handshake here.
    async fn plan_with(&self, file: FileId, chunk: &ChunkId) -> Result<Arc<Known>, Refusal> {
        if let Some(known) = self.0.plans.latest(file, chunk) {
            return Ok(known);
        }
        self.read_plans(file).await.map_err(refusal)?;
        self.0.plans.latest(file, chunk).ok_or_else(|| {
            let why = "No handshake has named this chunk of this file; make one with all of its chunkIds.";
            Refusal::new(ErrorCode::UnexpectedChunk, why)
        })
    }

    fn store(&self) -> &Store {
        &self.0.store
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.tasks.spawn(self.0.ended.clone().run_until_cancelled_owned(async move {
            work.await;
        }));
    }
}
