//! The source's link at this node: taken in where this is the home, made to wait while it is to become it, let
//! go where the source has come back elsewhere.

use super::machine::{Role, Session, SourceLink};
use super::{Output, Reply};
use crate::protocol::{ErrorCode, Moment, Refusal};
use crate::relay;
use crate::transfer::{self, Given};

impl Session {
    /// An edge's copy of the life is changed by the home alone.
    pub(super) fn must_be_home(&self) -> Result<(), Refusal> {
        if self.is_home() { Ok(()) } else { Err(ErrorCode::UnexpectedChunk.into()) }
    }

    pub(super) fn open_source(&mut self, now: Moment) -> Result<Reply, Refusal> {
        if !self.is_home() {
            if self.transfer.state().is_final() {
                return Err(ErrorCode::TransferClosed.into());
            }
            self.source = SourceLink::Waits;
            self.want_home();
            return Ok(Reply::Later);
        }
        self.tell(now, transfer::Input::SourceOpened)?;
        self.relay.handle(now, relay::Input::SourceUp)?;
        self.source = SourceLink::Open;
        // Where it was missed, it may have been at another home meanwhile.
        self.check_home(now);
        self.note_source();
        Ok(Reply::Done)
    }

    pub(super) fn lose_source(&mut self, now: Moment) -> Result<(), Refusal> {
        self.source = SourceLink::None;
        if !self.is_home() {
            return Ok(());
        }
        let given = self.given();
        self.relay.handle(now, relay::Input::SourceDown)?;
        self.tell(now, transfer::Input::SourceLost { given })?;
        self.note_source();
        Ok(())
    }

    /// How much of its bytes the source has given.
    pub(super) fn given(&self) -> Given {
        match self.relay.sent() {
            _ if self.relay.has_all() => Given::All,
            0 => Given::Nothing,
            _ => Given::Part,
        }
    }

    /// A source's link here, where the home is another's: the only one takes the home back. One of two may be an
    /// old one that is not noticed yet, and nobody can tell which: it stays, in case the other home is lost.
    pub(super) fn settle_source(&mut self) {
        if self.source == SourceLink::Open && !self.transfer.has_source() {
            self.want_home();
        }
    }

    /// Whether there is a source the others must know, whatever people see: it may be at one of them.
    fn note_source(&mut self) {
        if let Role::Home(home) = &mut self.role {
            home.note_news();
        }
    }

    pub(super) fn take_source(&mut self, now: Moment) {
        if self.source == SourceLink::None {
            return;
        }
        if self.tell(now, transfer::Input::SourceOpened).is_err() {
            self.source = SourceLink::None;
            return self.outputs.push_back(Output::SourceDropped);
        }
        self.source = SourceLink::Open;
        self.outputs.push_back(Output::SourceTaken);
        self.steer_relay(now, relay::Input::SourceUp);
    }
}
