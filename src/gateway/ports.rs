//! A socket as the source or a sink of a transfer. Words of control go by the wire, which cuts the link
//! when it has no room; chunks are counted while they are in flight, and wait above when there are too
//! many.

use std::collections::VecDeque;
use std::sync::Arc;

use super::peer::Wire;
use crate::hub::{self, Full, SinkPort, SourcePort};
use crate::protocol::rooms::{self, Status};
use crate::protocol::transfers::{self, End, Pull, Stop, event};
use crate::protocol::{Digest, Envelope, Refusal, TransferId};

/// A producer's socket.
pub(super) struct SourceWire {
    wire: Wire,
    transfer: TransferId,
}

impl SourceWire {
    pub(super) fn new(wire: Wire, transfer: TransferId) -> Self {
        Self { wire, transfer }
    }
}

impl SourcePort for SourceWire {
    fn pull(&self, lane: u64, from: u64, limit: u64) {
        let transfer = self.transfer.clone();
        self.wire.emit(event::PULL, &Pull { transfer, lane, from, limit });
    }

    fn stop(&self, lane: u64) {
        self.wire.emit(event::STOP, &Stop { transfer: self.transfer.clone(), lane });
    }

    fn status(&self, status: &Arc<Envelope<Status>>) {
        self.wire.emit(rooms::event::STATUS, status.as_ref());
    }
}

/// A consumer's socket.
pub(super) struct SinkWire {
    wire: Wire,
    transfer: TransferId,
    /// Chunks in flight: where each ends, and its bytes.
    in_flight: VecDeque<(u64, u64)>,
}

impl SinkWire {
    pub(super) fn new(wire: Wire, transfer: TransferId) -> Self {
        Self { wire, transfer, in_flight: VecDeque::new() }
    }
}

impl SinkPort for SinkWire {
    fn try_chunk(&mut self, chunk: hub::Chunk) -> Result<(), Full> {
        let hub::Chunk { lane, offset, bytes, digest } = chunk;
        let len = bytes.len() as u64;
        if self.in_flight.back().is_some_and(|(end, _)| *end > offset) {
            // A new lane went back: what was in flight is not waited for.
            self.acked(u64::MAX);
        }
        if !self.wire.peer.try_take_place(len) {
            return Err(Full);
        }
        let head = transfers::Chunk { transfer: self.transfer.clone(), lane, offset, digest };
        if let Err(full) = self.wire.try_chunk(&head, bytes) {
            self.wire.peer.give_place_back(len);
            return Err(full);
        }
        self.in_flight.push_back((offset + len, len));
        Ok(())
    }

    fn acked(&mut self, from: u64) {
        while let Some((end, len)) = self.in_flight.front().copied() {
            if end > from {
                break;
            }
            self.wire.peer.give_place_back(len);
            self.in_flight.pop_front();
        }
    }

    fn end(&self, size: u64, digest: Option<Digest>) {
        self.wire.emit(event::END, &End { transfer: self.transfer.clone(), size, digest });
    }

    fn status(&self, status: &Arc<Envelope<Status>>) {
        self.wire.emit(rooms::event::STATUS, status.as_ref());
    }

    fn close(&self, why: &Refusal) {
        self.wire.problem(event::SINK_OPEN, why);
    }
}

impl Drop for SinkWire {
    fn drop(&mut self) {
        self.acked(u64::MAX);
    }
}
