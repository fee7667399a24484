//! How a transfer stands, for people: states from its life, figures from its bytes.

use std::time::Duration;

use super::{Output, Session};
use crate::protocol::rooms::{Receiver, Status, StoredCopy};
use crate::protocol::{MemberId, Moment, ReceiverState, TransferState};
use crate::transfer::Copy;

/// The least time between two statuses that only say how far it is (the protocol's).
pub(super) const PROGRESS: Duration = Duration::from_millis(500);

/// Whether people know how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// They do, since then.
    Since(Moment),
    /// Bytes moved since they were told, then.
    Behind(Moment),
}

impl Session {
    /// How it stands now, for one who has just come; at an edge, as the home last said.
    pub fn describe(&mut self, now: Moment) -> Status {
        match &self.shown {
            Some(shown) if !self.is_home() => shown.clone(),
            _ => self.status(now),
        }
    }

    pub(super) fn note_movement(&mut self) {
        if let Told::Since(since) = self.told {
            self.told = Told::Behind(since);
        }
    }

    pub(super) fn push_status(&mut self, now: Moment) {
        let status = self.status(now);
        self.told = Told::Since(now);
        self.outputs.retain(|output| !matches!(output, Output::Status(_)));
        self.outputs.push_back(Output::Status(Box::new(status)));
    }

    /// How it stands, for people.
    fn status(&mut self, now: Moment) -> Status {
        let size = self.transfer.size();
        let held = |member: &MemberId, state| match (state, size) {
            (ReceiverState::Complete, Some(size)) => size,
            _ => self.held.get(member).copied().unwrap_or(0),
        };
        let receivers: Vec<Receiver> = self
            .transfer
            .people()
            .map(|(member, state)| Receiver { member: member.clone(), state, received: held(member, state) })
            .collect();
        let fastest = receivers.iter().map(|receiver| receiver.received).max().unwrap_or(0);
        let owed = receivers.iter().filter(|receiver| receiver.state.is_owed());
        let least = owed.map(|receiver| receiver.received).min();
        self.meter.read(now, fastest);
        let flows = self.transfer.state() == TransferState::Active;
        Status {
            transfer: self.transfer.id().clone(),
            state: self.transfer.state(),
            size,
            sent: self.relay.sent().max(self.sent_before),
            receivers,
            bytes_per_second: if flows { self.meter.bytes_per_second() } else { 0 },
            eta_seconds: match (size, least) {
                (Some(size), Some(least)) if flows => self.meter.eta_seconds(size.saturating_sub(least)),
                _ => None,
            },
            error: self.transfer.error(),
            copy: stored_copy(self.transfer.copy(), self.transfer.state()),
        }
    }
}

/// What ended has no copy any more, or gets none.
fn stored_copy(copy: Copy, state: TransferState) -> Option<StoredCopy> {
    match copy {
        Copy::None => None,
        Copy::Coming | Copy::Here { .. } if state.is_final() => None,
        Copy::Coming => Some(StoredCopy::storing()),
        Copy::Here { until } => Some(StoredCopy::stored(until)),
        Copy::Failed(error) => Some(StoredCopy::failed(error)),
    }
}
