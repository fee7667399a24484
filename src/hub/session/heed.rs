//! What an edge does for its people when its home has said how it stands: the end, the wishes to wait and to go
//! on, and who may not stay.

use super::Output;
use super::edge::Pending;
use super::machine::{Role, Session};
use super::words::Request;
use crate::protocol::{ErrorCode, MemberId, Moment, ReceiverState};
use crate::relay;

impl Session {
    pub(super) fn learn_end(&mut self, now: Moment) {
        let Some(size) = self.transfer.size() else { return };
        let _ = self.relay.handle(now, relay::Input::Size(size));
        self.outputs.push_back(Output::End { size, digest: self.transfer.digest() });
    }

    /// Holds and releases what the sender and the receivers here wish.
    pub(super) fn follow_wishes(&mut self, now: Moment) {
        match (self.transfer.may_send(), self.relay.is_held()) {
            (false, false) if !self.transfer.state().is_final() => {
                self.steer_relay(now, relay::Input::Hold);
            }
            (true, true) => self.steer_relay(now, relay::Input::Release),
            _ => {}
        }
        let sinks: Vec<_> = self.seats.iter().map(|seat| (seat.sink, seat.member.clone())).collect();
        for (sink, member) in sinks {
            match self.transfer.is_waiting(&member) {
                true => self.steer_relay(now, relay::Input::HoldSink(sink)),
                false => self.steer_relay(now, relay::Input::ReleaseSink(sink)),
            }
        }
    }

    pub(super) fn close_who_may_not_stay(&mut self, now: Moment) {
        let mut members: Vec<_> = self.seats.iter().map(|seat| seat.member.clone()).collect();
        members.sort();
        members.dedup();
        for member in members.into_iter().filter(|member| !self.may_stay(member)).collect::<Vec<_>>() {
            // One that failed without having all was ended by a relay.
            let has_all = self.transfer.size().is_some_and(|size| self.held.get(&member) == Some(&size));
            let failed = has_all && self.state_of(&member) == Some(ReceiverState::Failed);
            let error = if failed { ErrorCode::DigestMismatch } else { ErrorCode::TransferClosed };
            self.close_sinks_of(now, &member, error);
            self.note_facts_at_once(now);
        }
    }

    /// Whoever accepted; the home may not have heard so yet.
    fn may_stay(&self, member: &MemberId) -> bool {
        let Role::Edge(edge) = &self.role else { return true };
        let accepts = |pending: &Pending| matches!(&pending.request, Request::Accept { member: who, .. } if who == member);
        self.transfer.has_accepted(member) || edge.pending.iter().any(accepts)
    }
}
