//! What the hub needs of whoever sits at the other end: a person's link, a source, a sink. The gateway
//! and the HTTP side implement these; the hub knows no socket.
//!
//! Words of control never fail: a port that has no room for one cuts its link, and the client catches up
//! when it is back. Chunks may find no room; they wait in the relay's window.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::{Hub, TransferHandle};
use crate::protocol::rooms::Status;
use crate::protocol::{Digest, Envelope, Refusal, RoomId, TransferId};
use crate::room::{Event, PeerId, Shelved};
use crate::transfer::Source;

/// A person's link to a room.
pub trait PeerPort: Send + Sync {
    /// Tells it something.
    fn tell(&self, event: &Event);
}

/// Where a transfer's bytes come from.
pub trait SourcePort: Send + Sync {
    /// Asks for bytes.
    fn pull(&self, lane: u64, from: u64, limit: u64);
    /// Asks for no more on a lane.
    fn stop(&self, lane: u64);
    /// Says how the transfer stands.
    fn status(&self, status: &Arc<Envelope<Status>>);
}

/// There is no room for a chunk now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// A chunk on its way to a sink.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// The sink's own number of its lane.
    pub lane: u64,
    /// Where the first byte lies.
    pub offset: u64,
    /// The bytes, shared with other sinks.
    pub bytes: Bytes,
    /// Their digest.
    pub digest: Option<Digest>,
}

/// Where a transfer's bytes go.
pub trait SinkPort: Send + Sync {
    /// Sends bytes, or does not.
    ///
    /// # Errors
    /// [`Full`] when there is no room; nothing was sent.
    fn try_chunk(&mut self, chunk: Chunk) -> Result<(), Full>;
    /// The consumer holds everything before `from`.
    fn acked(&mut self, from: u64);
    /// Tells the size and the digest.
    fn end(&self, size: u64, digest: Option<Digest>);
    /// Says how the transfer stands.
    fn status(&self, status: &Arc<Envelope<Status>>);
    /// It is over for this sink.
    fn close(&self, why: &Refusal);
}

/// What is to be kept.
#[derive(Clone)]
pub struct Keeping {
    /// The hub.
    pub hub: Hub,
    /// Which transfer.
    pub transfer: TransferId,
    /// Whom to tell, and where to pull.
    pub handle: TransferHandle,
    /// The number of the sink that writes.
    pub peer: PeerId,
    /// Bytes, where known.
    pub size: Option<u64>,
    /// Whether they can be had again.
    pub source: Source,
    /// What to write down of it.
    pub shelved: Arc<Shelved>,
}

/// Whoever keeps drops, where anyone does.
#[async_trait]
pub trait Keeper: Send + Sync {
    /// Whether files of these sizes could be kept now.
    ///
    /// # Errors
    /// `too_large`, `storage_full`, `storage_unavailable`.
    async fn admits(&self, sizes: &[Option<u64>]) -> Result<(), Refusal>;
    /// Begins to keep one; says how it ends as [`CopyWord`](super::CopyWord).
    fn store(&self, what: Keeping);
    /// The copy of a transfer as a source of it; it asks nothing of the storage before its first pull.
    fn serve(&self, transfer: &TransferId, handle: &TransferHandle, peer: PeerId) -> Box<dyn SourcePort>;
    /// Deletes a copy.
    fn forget(&self, room: &RoomId, transfer: &TransferId);
    /// What is kept of a room.
    ///
    /// # Errors
    /// `storage_unavailable`.
    async fn shelved(&self, room: &RoomId) -> Result<Vec<Shelved>, Refusal>;
}
