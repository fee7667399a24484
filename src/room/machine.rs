//! The machine itself (bodies are being written).

use super::{Input, Options, Output, PeerId, Reply};
use crate::protocol::{MemberId, Moment, Refusal, RoomId};

/// One room.
#[derive(Debug)]
pub struct Room {}

#[allow(missing_docs, unused, clippy::todo)]
impl Room {
    /// A room that nobody is in yet.
    pub fn new(id: RoomId, options: Options) -> Self {
        todo!()
    }

    /// Takes one input in.
    ///
    /// # Errors
    /// As the [`Input`] says. Then nothing has changed and nothing is to be done.
    pub fn handle(&mut self, now: Moment, input: Input) -> Result<Reply, Refusal> {
        todo!()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        todo!()
    }

    /// When [`Input::Tick`] is due, if ever. Ask again after every input.
    pub fn poll_timeout(&self) -> Option<Moment> {
        todo!()
    }

    pub fn id(&self) -> &RoomId {
        todo!()
    }
    /// Who is at the other end of this link.
    pub fn member(&self, peer: PeerId) -> Option<&MemberId> {
        todo!()
    }
    /// Whether nobody is left and no drop is open.
    pub fn is_empty(&self) -> bool {
        todo!()
    }
}
