//! What people wish: decided at the home, asked of it at an edge, and answered once the record says so. It
//! refuses to let more wait for their answer than a bound.

use super::machine::{Role, Session, Sharing};
use super::words::Request;
use super::{Ask, Decided, Reply};
use crate::protocol::{ErrorCode, Moment, Refusal};
use crate::transfer;

/// Requests of people that may wait for their answer at one node; one more is refused with `overloaded`.
const MOST_UNDECIDED: usize = 1024;

impl Session {
    /// Decides, at the home; asks it, at an edge. What was decided is answered once the record says so.
    pub(super) fn decide(&mut self, now: Moment, request: Request) -> Result<Reply, Refusal> {
        if self.undecided() >= MOST_UNDECIDED {
            return Err(ErrorCode::Overloaded.into());
        }
        self.decide_always(now, request)
    }

    /// As [`Self::decide`], for what nobody says again: it is never refused for want of room.
    pub(super) fn decide_always(&mut self, now: Moment, request: Request) -> Result<Reply, Refusal> {
        if !self.is_home() {
            return Ok(Reply::Asked(self.ask_home(now, request)));
        }
        let decided = self.apply(now, request.clone())?;
        if self.sharing == Sharing::Alone {
            return Ok(Reply::Decided(decided));
        }
        let ask = self.new_ask();
        self.answer_when_saved(None, ask, request, decided);
        Ok(Reply::Asked(ask))
    }

    /// Requests without an answer.
    fn undecided(&self) -> usize {
        match &self.role {
            Role::Home(home) => home.undecided(),
            Role::Edge(edge) => edge.pending.len(),
        }
    }

    pub(super) fn new_ask(&mut self) -> Ask {
        self.next_ask += 1;
        Ask(self.next_ask)
    }

    /// What only the home may do.
    pub(super) fn apply(&mut self, now: Moment, request: Request) -> Result<Decided, Refusal> {
        let input = match request {
            Request::Accept { member, token } => transfer::Input::Accept { member, token },
            Request::Reject { member } => transfer::Input::Reject { member },
            Request::Pause(party) => transfer::Input::Pause(party),
            Request::Resume(party) => transfer::Input::Resume(party),
            Request::Cancel(party) => transfer::Input::Cancel(party),
            Request::End { size, digest } => return self.learn_source_end(now, size, digest),
            Request::Ended { member, error, .. } => transfer::Input::SinkEnded { member, error },
            Request::Done { member, digest } => {
                let decided = self.tell(now, transfer::Input::SinkDone { member: member.clone(), digest })?;
                if let (Some(size), Decided::Done) = (self.transfer.size(), &decided) {
                    self.held.insert(member, size);
                }
                return Ok(decided);
            }
        };
        self.tell(now, input)
    }
}
