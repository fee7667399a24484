//! What the hub needs of whoever sits at the other end: a person's link, a source, a sink. The gateway
//! and the HTTP side implement these; the hub knows no socket.
//!
//! Words of control never fail: a port that has no room for one cuts its link, and the client catches up
//! when it is back. Chunks may find no room; they wait in the relay's window.

use std::sync::Arc;

use bytes::Bytes;

use crate::protocol::rooms::Status;
use crate::protocol::{Digest, Envelope, Refusal};
use crate::room::Event;

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
