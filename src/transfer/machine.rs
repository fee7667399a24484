//! The machine itself (bodies are being written).

use std::sync::Arc;

use super::{Input, Options, Output, Reply, Source};
use crate::protocol::{
    Digest, ErrorCode, MemberId, Moment, ReceiverState, Refusal, Secret, TransferId, TransferState,
};

/// One transfer.
#[derive(Debug)]
pub struct Transfer {}

#[allow(missing_docs, unused, clippy::todo)]
impl Transfer {
    /// A transfer that `sender` offers to `invited` now. `size` is in bytes, `None` while not known.
    pub fn new(
        now: Moment,
        id: TransferId,
        sender: MemberId,
        source: Source,
        size: Option<u64>,
        invited: Arc<[MemberId]>,
        options: Options,
    ) -> Self {
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

    /// When [`Input::Tick`] is due; `None` once gone. Ask again after every input.
    pub fn poll_timeout(&self) -> Option<Moment> {
        todo!()
    }

    pub fn id(&self) -> &TransferId {
        todo!()
    }
    pub fn sender(&self) -> &MemberId {
        todo!()
    }
    pub fn state(&self) -> TransferState {
        todo!()
    }
    pub fn error(&self) -> Option<ErrorCode> {
        todo!()
    }
    /// Bytes, once known.
    pub fn size(&self) -> Option<u64> {
        todo!()
    }
    /// The source's digest, once known.
    pub fn digest(&self) -> Option<Digest> {
        todo!()
    }
    /// Everyone who has the offer: the invited in their order, then those who came later.
    pub fn receivers(&self) -> impl Iterator<Item = (&MemberId, ReceiverState)> {
        std::iter::empty()
    }
    /// The sink token of a member that accepted, whatever became of it since.
    pub fn token_of(&self, member: &MemberId) -> Option<&Secret> {
        todo!()
    }
    /// Whose sink token it is. Takes as long for a wrong one as for a right one.
    pub fn member_of_token(&self, token: &Secret) -> Option<&MemberId> {
        todo!()
    }
    /// Whether bytes are still owed to this member.
    pub fn is_owed(&self, member: &MemberId) -> bool {
        todo!()
    }
    /// Whether the source may be asked for bytes: it has not ended and its sender does not wish to wait.
    pub fn may_send(&self) -> bool {
        todo!()
    }
}
