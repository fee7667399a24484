//! One Socket.IO socket as the rest of the server sees it: a numbered peer, and a wire that words and
//! chunks leave by. It exists to lose nothing silently. A word that finds no room cuts the link, and the
//! client catches up when it is back; a chunk that finds none waits in the relay's window. It holds
//! nothing that must outlive the link.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use socketioxide::{SendError, SocketError};

use super::compat::Links;
use super::gate::Gate;
use super::opening::Openings;
use crate::hub::{Full, Outcome, TransferHandle};
use crate::protocol::rooms::event::PROBLEM;
use crate::protocol::transfers::Chunk;
use crate::protocol::{Code, Envelope, Refusal, RoomId, TransferId};
use crate::room::PeerId;

use super::call::Reply;
use super::carrier::{Chunks, SocketRef};

/// Chunks in flight to one socket, at most: the rest of its queue is for words and heartbeats, which a
/// full queue would end (`socketio::QUEUE`).
const CHUNKS_IN_FLIGHT: u64 = 128;

/// What the gateway knows of one socket. It does not hold the socket: that holds it.
pub(super) struct Peer {
    pub(super) id: PeerId,
    pub(super) links: Links,
    pub(super) chunk_way: Chunks,
    /// Chunks and bytes sent and not acknowledged, over all transfers.
    chunks: AtomicU64,
    bytes: AtomicU64,
    /// Bytes in flight, at most.
    pub(super) most_bytes: u64,
    /// Bytes of chunks taken in and not yet looked at.
    pub(super) inbox: AtomicU64,
    pub(super) gate: Gate,
    pub(super) openings: Openings,
    rooms: Mutex<HashSet<RoomId>>,
    transfers: Mutex<HashMap<TransferId, TransferHandle>>,
}

impl Peer {
    pub(super) fn new(id: PeerId, links: Links, chunk_way: Chunks, most_bytes: u64) -> Arc<Self> {
        Arc::new(Self {
            id,
            links,
            chunk_way,
            chunks: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            most_bytes,
            inbox: AtomicU64::new(0),
            gate: Gate::default(),
            openings: Openings::default(),
            rooms: Mutex::default(),
            transfers: Mutex::default(),
        })
    }

    /// The rooms it tried to enter.
    pub(super) fn rooms(&self) -> MutexGuard<'_, HashSet<RoomId>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The transfers it opened, as source or sink.
    pub(super) fn transfers(&self) -> MutexGuard<'_, HashMap<TransferId, TransferHandle>> {
        self.transfers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place in flight for a chunk of `len` bytes. One chunk always has a place.
    pub(super) fn try_take_place(&self, len: u64) -> bool {
        let (chunks, bytes) = (self.chunks.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed));
        let has_place = chunks == 0 || (chunks < CHUNKS_IN_FLIGHT && bytes + len <= self.most_bytes);
        if has_place {
            self.chunks.fetch_add(1, Ordering::Relaxed);
            self.bytes.fetch_add(len, Ordering::Relaxed);
        }
        has_place
    }

    /// Gives the place of a chunk of `len` bytes back.
    pub(super) fn give_place_back(&self, len: u64) {
        self.chunks.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(len, Ordering::Relaxed);
    }
}

/// The way out to one socket.
#[derive(Clone)]
pub(super) struct Wire {
    pub(super) socket: SocketRef,
    pub(super) peer: Arc<Peer>,
}

impl Wire {
    /// Sends a word of control. One that finds no room cuts the link.
    pub(super) fn emit<T: Serialize + ?Sized>(&self, event: &str, data: &T) {
        self.mind(self.socket.emit(event, data));
    }

    /// Sends a chunk, which may find no room. All its receivers share the bytes.
    pub(super) fn try_chunk(&self, head: &Chunk, bytes: Bytes) -> Result<(), Full> {
        self.peer.chunk_way.try_send(self.socket.id, head, bytes)
    }

    /// Answers an event with `code` and data; or with the refusal, as `problem` where no answer is asked.
    pub(super) fn reply<T: Serialize>(&self, reply: Reply, event: &str, code: Code, outcome: Outcome<T>) {
        match outcome {
            Ok(data) => self.mind(reply.send(&Envelope::new(code, data))),
            Err(refusal) => self.refuse(reply, event, &refusal),
        }
    }

    fn refuse(&self, reply: Reply, event: &str, refusal: &Refusal) {
        if reply.is_awaited() {
            self.mind(reply.send(&Envelope::refusal(refusal, None)));
        } else {
            self.problem(event, refusal);
        }
    }

    /// Says that something failed that nobody waits for.
    pub(super) fn problem(&self, event: &str, refusal: &Refusal) {
        self.emit(PROBLEM, &Envelope::refusal(refusal, Some(event)));
    }

    fn mind(&self, sent: Result<(), SendError>) {
        match sent {
            Ok(()) | Err(SendError::Socket(SocketError::Closed)) => {}
            Err(SendError::Socket(SocketError::InternalChannelFull)) => {
                tracing::info!(
                    peer.id = self.peer.id.number,
                    "link cut: the peer does not read what it is told"
                );
                self.cut();
            }
            Err(error @ SendError::Serialize(_)) => {
                tracing::error!(%error, peer.id = self.peer.id.number, "an event could not be written");
                self.cut();
            }
        }
    }

    /// Ends the connection under the socket, however full its queue is.
    pub(super) fn cut(&self) {
        self.peer.links.cut_session(self.socket.id.as_str(), self.socket.req_parts());
        let _ = self.socket.clone().disconnect();
    }
}
