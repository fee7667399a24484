//! The copy of a transfer that is to be kept: its home has one written, hears how that ends, and has the copy
//! serve where no sender does. The rest of the task lives in `transfer_task`.

use std::sync::Arc;

use super::answer::Answer;
use super::session::{Input, Reply, SinkKind};
use super::transfer_handle::{Command, SinkBox};
use super::transfer_task::{OpenSink, Task};
use super::{Keeper, Keeping};
use crate::protocol::transfers::SinkOpened;
use crate::protocol::{ErrorCode, MemberId, TransferState};
use crate::room::{PeerId, StoredBytes};
use crate::transfer::Copy;

/// What a keeper says of a copy.
#[derive(Debug)]
pub enum CopyWord {
    /// The sink that writes it opens.
    Open {
        /// Its number.
        peer: PeerId,
        /// Where to send bytes.
        port: SinkBox,
        /// The way back.
        answer: Answer<SinkOpened>,
    },
    /// It is whole, and can be found. `digest_mismatch` when it is not what was sent; then it is to be deleted.
    Whole {
        /// The number of the sink that wrote it.
        peer: PeerId,
        /// What it is.
        bytes: StoredBytes,
        /// The way back.
        answer: Answer<()>,
    },
    /// Its sink takes no more for now; it opens again, and begins anew.
    Waits {
        /// The sink's number.
        peer: PeerId,
    },
    /// It was whole before the transfer began, and nobody was told yet.
    WasWhole,
    /// It is not kept; or it was, and cannot be read any more.
    Lost {
        /// Who says so.
        peer: PeerId,
        /// Why.
        error: ErrorCode,
    },
}

/// What the keeper does for a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Nothing,
    /// It writes the copy, by this sink.
    Stores(PeerId),
    /// It is the source, under this number.
    Serves(PeerId),
}

impl Work {
    fn is_by(self, peer: PeerId) -> bool {
        matches!(self, Self::Stores(at) | Self::Serves(at) if at == peer)
    }
}

impl Task {
    pub(super) fn hear_copy(&mut self, word: CopyWord) {
        match word {
            CopyWord::Open { peer, port, answer } if self.work.is_by(peer) => {
                self.open_depot(peer, port, answer);
            }
            CopyWord::Open { answer, .. } => answer.refuse(ErrorCode::TransferClosed),
            CopyWord::Whole { peer, bytes, answer } if self.work.is_by(peer) => {
                let StoredBytes { size, digest, until } = bytes;
                let outcome = self.give(Input::Kept { size, digest, until });
                if let Err(refusal) = &outcome {
                    let _ = self.give(Input::NotKept(refusal.code));
                } else {
                    tracing::info!(transfer.id = %self.id, size_bytes = size, "transfer stored");
                    self.tell_stored();
                }
                answer.give(outcome.map(drop));
            }
            CopyWord::Whole { answer, .. } => answer.refuse(ErrorCode::TransferClosed),
            CopyWord::Waits { peer } if self.work.is_by(peer) => drop(self.give(Input::CloseDepot)),
            CopyWord::Waits { .. } => {}
            CopyWord::WasWhole => self.tell_stored(),
            CopyWord::Lost { peer, error } if self.work.is_by(peer) => {
                tracing::warn!(transfer.id = %self.id, error = %error, "transfer is not kept");
                let _ = self.give(Input::NotKept(error));
                self.lose(peer);
            }
            CopyWord::Lost { .. } => {}
        }
    }

    fn open_depot(&mut self, peer: PeerId, port: SinkBox, answer: Answer<SinkOpened>) {
        let now = self.hub.clock().now();
        let opened = match self.session.handle(now, Input::OpenDepot) {
            Ok(Reply::Opened(sink)) => {
                if let Some(size) = self.session.transfer().size() {
                    port.0.end(size, self.session.transfer().digest());
                }
                let open = OpenSink { peer, member: None, kind: SinkKind::Link, port: port.0 };
                self.sinks.insert(sink, open);
                Ok(self.opened())
            }
            Ok(_) => Err(ErrorCode::Internal.into()),
            Err(refusal) => Err(refusal),
        };
        answer.give(opened);
        self.carry_out();
    }

    /// Sees to it that at the home, and there alone, a copy that is wanted is written, and one that is whole is
    /// the source where no sender is, or none that could go back, or one that is silent for the stall time-out.
    pub(super) fn mind_copy(&mut self) {
        let Some(shelved) = self.about.kept.clone() else { return };
        let Some(keeper) = self.hub.keeper() else { return };
        let transfer = self.session.transfer();
        let (copy, alone) = (transfer.copy(), transfer.has_copy_alone());
        let is_stalled = transfer.state() == TransferState::Suspended;
        if !self.session.is_home() || transfer.state().is_final() {
            return self.end_work();
        }
        match (copy, self.work) {
            (Copy::Coming, Work::Nothing) => self.begin_storing(keeper.as_ref(), shelved),
            (Copy::Here { .. }, Work::Serves(peer)) if self.is_source(peer) => {}
            (Copy::Here { .. }, _) if alone || is_stalled || self.source.is_none() => {
                self.begin_serving(keeper.as_ref());
            }
            _ => {}
        }
    }

    fn is_source(&self, peer: PeerId) -> bool {
        self.source.as_ref().is_some_and(|(source, _)| *source == peer)
    }

    fn end_work(&mut self) {
        if let Work::Serves(peer) = std::mem::replace(&mut self.work, Work::Nothing) {
            self.lose(peer);
        }
    }

    fn begin_storing(&mut self, keeper: &dyn Keeper, shelved: Arc<crate::room::Shelved>) {
        let peer = self.hub.next_peer();
        self.work = Work::Stores(peer);
        let (hub, transfer, handle) = (self.hub.clone(), self.id.clone(), self.handle.clone());
        let (size, source) = (self.session.transfer().size(), self.session.transfer().source());
        keeper.store(Keeping { hub, transfer, handle, peer, size, source, shelved });
    }

    fn begin_serving(&mut self, keeper: &dyn Keeper) {
        let peer = self.hub.next_peer();
        if self.source.take().is_some() {
            let _ = self.give(Input::SourceLost);
        }
        // It is there before what it is asked for.
        self.source = Some((peer, keeper.serve(&self.id, &self.handle, peer)));
        self.work = Work::Serves(peer);
        if self.give(Input::SourceOpened).is_err() {
            self.source = None;
        }
    }

    /// It ended for good: so does its copy.
    pub(super) fn forget_copy(&mut self) {
        if let (Some(_), Some(keeper), true) = (&self.about.kept, self.hub.keeper(), self.session.is_home()) {
            keeper.forget(&self.about.room, &self.id);
        }
    }

    /// Whether it is this member's own sink.
    pub(super) fn is_of(open: &OpenSink, member: &MemberId) -> bool {
        open.member.as_ref() == Some(member)
    }
}

impl From<CopyWord> for Command {
    fn from(word: CopyWord) -> Self {
        Self::Copy(word)
    }
}
