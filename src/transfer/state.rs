//! What follows from what is known: the state, whether something ought to move, when it is over. Nothing
//! here is anyone's wish; every function reads the facts, and the state is never stored while it is open.

use serde::{Deserialize, Serialize};

use super::copy::Copy;
use super::machine::Transfer;
use super::receiver::{Receiver, Wish};
use super::{Input, Output, REMEMBERED, Source};
use crate::protocol::{
    Digest, ErrorCode, MemberId, Moment, ReceiverState, Secret, TransferId, TransferState,
};

/// Whether anything moves, where something should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Motion {
    /// Nothing should: nobody waits, or no source is there, or the sender wishes it so.
    NotDue,
    /// It moved last, or came to be due, at this moment.
    Due { since: Moment },
    /// It has not moved for the stall time-out.
    Stalled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Life {
    Open,
    /// Final, and remembered until then.
    Ended {
        how: Final,
        until: Moment,
    },
    Gone {
        state: TransferState,
        error: Option<ErrorCode>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Final {
    Cancelled,
    Failed(ErrorCode),
}

/// What a person saw last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) state: TransferState,
    pub(super) size: Option<u64>,
    pub(super) receivers: Vec<ReceiverState>,
    pub(super) copy: Copy,
}

impl Transfer {
    /// Which transfer it is.
    pub fn id(&self) -> &TransferId {
        &self.id
    }

    /// Who offers it.
    pub fn sender(&self) -> &MemberId {
        &self.sender
    }

    /// Where it stands; when gone, where it stood last. Costs a look at each receiver.
    pub fn state(&self) -> TransferState {
        match self.life {
            Life::Open => self.open_state(),
            Life::Ended { how: Final::Cancelled, .. } => TransferState::Cancelled,
            Life::Ended { how: Final::Failed(_), .. } => TransferState::Failed,
            Life::Gone { state, .. } => state,
        }
    }

    /// Why it failed, if it did.
    pub fn error(&self) -> Option<ErrorCode> {
        match self.life {
            Life::Ended { how: Final::Failed(error), .. } => Some(error),
            Life::Gone { error, .. } => error,
            Life::Open | Life::Ended { how: Final::Cancelled, .. } => None,
        }
    }

    /// Bytes, once known.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// The source's digest, once known.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Everyone who has the offer, programs that read what is stored among them: the invited in their order, then
    /// those who came later.
    pub fn receivers(&self) -> impl Iterator<Item = (&MemberId, ReceiverState)> {
        self.receivers.iter().map(|receiver| (&receiver.member, receiver.state()))
    }

    /// Those of [`Self::receivers`] whom people are told of.
    pub fn people(&self) -> impl Iterator<Item = (&MemberId, ReceiverState)> {
        self.receivers.people().map(|receiver| (&receiver.member, receiver.state()))
    }

    /// The sink token of a member that accepted, whatever became of it since.
    pub fn token_of(&self, member: &MemberId) -> Option<&Secret> {
        self.receivers.get(member)?.token.as_ref()
    }

    /// Whose sink token it is, whatever became of that member since: [`Input::SinkOpened`] says whether
    /// it may open. Takes as long for a wrong token as for a right one.
    pub fn member_of_token(&self, token: &Secret) -> Option<&MemberId> {
        self.receivers.holder_of(token)
    }

    /// Whether bytes are still owed to this member.
    pub fn is_owed(&self, member: &MemberId) -> bool {
        self.receivers.get(member).is_some_and(Receiver::is_owed)
    }

    /// Whether this member said yes and that still stands, whether or not it has all of it.
    pub fn has_accepted(&self, member: &MemberId) -> bool {
        self.receivers.get(member).is_some_and(Receiver::has_accepted)
    }

    /// Whether this member wishes its bytes to wait.
    pub fn is_waiting(&self, member: &MemberId) -> bool {
        self.receivers.get(member).is_some_and(Receiver::holds)
    }

    /// Whether its source can go back.
    pub fn source(&self) -> Source {
        self.supply.kind()
    }

    /// Whether bytes can come without anyone coming back.
    pub fn has_source(&self) -> bool {
        self.supply.is_there()
    }

    /// Whether the start of a source that cannot go back is gone.
    pub fn has_start_passed(&self) -> bool {
        self.supply.has_start_passed()
    }

    /// Whether the source may be asked for bytes: it has not ended and its sender does not wish to wait.
    pub fn may_send(&self) -> bool {
        self.life == Life::Open && self.wish == Wish::Flow
    }

    /// After every input: what follows from it.
    pub(super) fn settle(&mut self, now: Moment) {
        if self.life != Life::Open {
            return;
        }
        let someone_is_owed = self.receivers.are_any_owed();
        if self.open_state() != TransferState::Complete
            && let Some(error) = self.supply.dead_end(someone_is_owed)
        {
            self.end(now, Final::Failed(error));
            return;
        }
        let due = self.wish == Wish::Flow && self.supply.is_there() && self.receivers.do_any_wait();
        self.motion = match self.motion {
            _ if !due => Motion::NotDue,
            Motion::NotDue => Motion::Due { since: now },
            motion => motion,
        };
    }

    /// Says [`Output::Status`], before what else came of this input, if a person sees a change.
    pub(super) fn show(&mut self, first: usize) {
        let receivers = self.receivers.states().collect();
        let now = Seen { state: self.state(), size: self.size, receivers, copy: self.copy() };
        if self.seen != now {
            self.seen = now;
            self.outputs.insert(first, Output::Status);
        }
    }

    fn open_state(&self) -> TransferState {
        let owed = self.receivers.are_any_owed();
        let complete = self.receivers.are_any_complete();
        match (owed, complete) {
            (false, true) => TransferState::Complete,
            _ if self.wish == Wish::Wait => TransferState::Paused,
            (false, false) => TransferState::Offered,
            _ if !self.supply.is_there() || self.motion == Motion::Stalled => TransferState::Suspended,
            _ => TransferState::Active,
        }
    }

    /// Whether `input` says nothing but that bytes moved where they were moving: the common case.
    pub(super) fn is_mere_motion(&self, input: &Input) -> bool {
        if self.life != Life::Open || self.motion == Motion::Stalled {
            return false;
        }
        match input {
            Input::Moved => true,
            Input::Received { member } => !self.receivers.get(member).is_some_and(Receiver::is_about_to_flow),
            _ => false,
        }
    }

    /// Whether `input` was known already, although it is said again and again.
    pub(super) fn is_old_news(&self, input: &Input) -> bool {
        self.life == Life::Open && *input == Input::StartPassed && !self.supply.holds_start()
    }

    /// Something moved, or came back: where it is due, it is due anew.
    pub(super) fn stir(&mut self, now: Moment) {
        if self.motion != Motion::NotDue {
            self.motion = Motion::Due { since: now };
        }
    }

    pub(super) fn end(&mut self, now: Moment, how: Final) {
        for receiver in self.receivers.iter_mut() {
            match how {
                Final::Cancelled => receiver.be_cancelled(),
                Final::Failed(_) => receiver.fail(),
            }
        }
        self.motion = Motion::NotDue;
        self.life = Life::Ended { how, until: now + REMEMBERED };
        self.outputs.push_back(Output::Ended { state: self.state(), error: self.error() });
    }

    pub(super) fn go(&mut self) {
        self.life = Life::Gone { state: self.state(), error: self.error() };
        self.outputs.push_back(Output::Gone);
    }
}
