//! The machine itself: one input at a time, each first judged, then taken in, then the state derived from
//! what is known. Nothing is changed before it is clear that nothing will be refused.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::copy::Copy;
use super::receiver::{Effect, Receiver, Wish, not_accepted};
use super::receivers::Receivers;
use super::source::Supply;
use super::state::{Final, Life, Motion, Seen};
use super::{Input, Options, Output, Reply, Source};
use crate::protocol::{
    Digest, ErrorCode, MemberId, Moment, Party, Refusal, Secret, TransferId, TransferState,
};

/// One transfer. Its holder is whoever drives it; it acts on nothing by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    pub(super) id: TransferId,
    pub(super) sender: MemberId,
    pub(super) supply: Supply,
    pub(super) size: Option<u64>,
    pub(super) digest: Option<Digest>,
    pub(super) wish: Wish,
    pub(super) receivers: Receivers,
    pub(super) motion: Motion,
    pub(super) life: Life,
    pub(super) seen: Seen,
    pub(super) expires_at: Moment,
    pub(super) options: Options,
    #[serde(skip)]
    pub(super) outputs: VecDeque<Output>,
}

impl Transfer {
    /// A transfer that `sender` offers to `invited` now. `size` is in bytes, `None` while not known. Its
    /// first state, `offered`, is told by whoever offers it and not by an [`Output::Status`].
    pub fn new(
        now: Moment,
        id: TransferId,
        sender: MemberId,
        source: Source,
        size: Option<u64>,
        invited: Arc<[MemberId]>,
        options: Options,
    ) -> Self {
        let receivers = Receivers::new(&invited, &sender);
        let receiver_states = receivers.states().collect();
        let (state, copy) = (TransferState::Offered, Copy::None);
        let seen = Seen { state, size, receivers: receiver_states, copy };
        Self {
            id,
            sender,
            supply: Supply::new(source),
            size,
            digest: None,
            wish: Wish::Flow,
            receivers,
            motion: Motion::NotDue,
            life: Life::Open,
            seen,
            expires_at: now + options.lifetime,
            options,
            outputs: VecDeque::new(),
        }
    }

    /// Takes one input in.
    ///
    /// # Errors
    /// As the [`Input`] says. Then nothing has changed and nothing is to be done.
    pub fn handle(&mut self, now: Moment, input: Input) -> Result<Reply, Refusal> {
        if self.is_mere_motion(&input) {
            self.stir(now);
            return Ok(Reply::Done);
        }
        if self.is_old_news(&input) {
            return Ok(Reply::Done);
        }
        let first = self.outputs.len();
        let reply = match self.life {
            Life::Open => self.handle_open(now, input),
            Life::Ended { until, .. } => self.handle_ended(now, until, input),
            Life::Gone { .. } => Err(ErrorCode::TransferNotFound.into()),
        }?;
        self.settle(now);
        self.show(first);
        Ok(reply)
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Tick`] is due; `None` once gone. Ask again after every input.
    pub fn poll_timeout(&self) -> Option<Moment> {
        match (self.life, self.motion) {
            (Life::Open, Motion::Due { since }) => {
                Some(self.expires_at.min(since + self.options.stall_timeout))
            }
            (Life::Open, Motion::NotDue | Motion::Stalled) => Some(self.expires_at),
            (Life::Ended { until, .. }, _) => Some(until),
            (Life::Gone { .. }, _) => None,
        }
    }

    fn handle_open(&mut self, now: Moment, input: Input) -> Result<Reply, Refusal> {
        match input {
            Input::SourceOpened => {
                self.supply.open()?;
                self.stir(now);
            }
            Input::SourceLost { given } => self.supply.lose(given),
            Input::SourceEnd { size, digest } => self.source_end(size, digest)?,
            Input::SourceFailed => self.supply.fail(),
            Input::StartPassed => self.supply.pass_start(),
            Input::Accept { member, token } => return self.accept(now, member, token),
            Input::Reject { member } => self.reject(member)?,
            Input::Pause(party) => self.wish(now, party, Wish::Wait)?,
            Input::Resume(party) => self.wish(now, party, Wish::Flow)?,
            Input::Cancel(Party::Sender) => self.end(now, Final::Cancelled),
            Input::Cancel(Party::Receiver(member)) => {
                if self.party(&member)?.cancel()? == Effect::Changed {
                    self.close_sink(member, ErrorCode::TransferClosed);
                }
            }
            Input::SinkOpened { member } => self.sink_opened(now, member)?,
            Input::SinkLost { member } => {
                if let Some(receiver) = self.receivers.get_mut(&member) {
                    receiver.lose();
                }
            }
            Input::SinkDone { member, digest } => return self.sink_done(member, digest),
            Input::SinkEnded { member, .. } => {
                if let Some(receiver) = self.receivers.get_mut(&member) {
                    receiver.fail();
                }
            }
            Input::Moved => self.stir(now),
            Input::Received { member } => {
                self.stir(now);
                if let Some(receiver) = self.receivers.get_mut(&member) {
                    receiver.flow();
                }
            }
            Input::Keep => self.supply.set_copy(Copy::Coming),
            Input::Kept { size, digest, until } => self.kept(size, digest, until)?,
            Input::NotKept(error) => self.supply.set_copy(Copy::Failed(error)),
            Input::Forget => self.forget_complete()?,
            Input::Tick => self.tick(now),
        }
        Ok(Reply::Done)
    }

    fn handle_ended(&mut self, now: Moment, until: Moment, input: Input) -> Result<Reply, Refusal> {
        match input {
            Input::Tick if now >= until => self.go(),
            Input::Forget => self.go(),
            Input::Tick
            | Input::SourceLost { .. }
            | Input::StartPassed
            | Input::SinkLost { .. }
            | Input::SinkEnded { .. }
            | Input::Keep
            | Input::NotKept(_)
            | Input::Moved
            | Input::Received { .. } => {}
            Input::SourceOpened
            | Input::SourceEnd { .. }
            | Input::SourceFailed
            | Input::Accept { .. }
            | Input::Reject { .. }
            | Input::Pause(_)
            | Input::Resume(_)
            | Input::Cancel(_)
            | Input::SinkOpened { .. }
            | Input::Kept { .. }
            | Input::SinkDone { .. } => return Err(ErrorCode::TransferClosed.into()),
        }
        Ok(Reply::Done)
    }

    fn source_end(&mut self, size: Option<u64>, digest: Option<Digest>) -> Result<(), Refusal> {
        if let (Some(said), Some(known)) = (size, self.size)
            && said != known
        {
            return Err(Refusal::new(
                ErrorCode::BadRequest,
                "The transfer has another size already; if the file has changed, send source:fail.",
            ));
        }
        if let (Some(said), Some(known)) = (digest, self.digest)
            && said != known
        {
            return Err(Refusal::new(
                ErrorCode::BadRequest,
                "The transfer has another digest already; if the file has changed, send source:fail.",
            ));
        }
        let before = (self.size, self.digest);
        self.size = size.or(self.size);
        self.digest = digest.or(self.digest);
        if before == (self.size, self.digest) {
            return Ok(());
        }
        if let Some(size) = self.size {
            self.outputs.push_back(Output::End { size, digest: self.digest });
        }
        for receiver in self.receivers.iter_mut() {
            if let Err(error) = receiver.check(self.digest) {
                self.outputs.push_back(Output::CloseSink { member: receiver.member.clone(), error });
            }
        }
        Ok(())
    }

    fn accept(&mut self, now: Moment, member: MemberId, token: Secret) -> Result<Reply, Refusal> {
        self.must_not_be_sender(&member)?;
        let takes_more = self.supply.takes_more(self.state() == TransferState::Complete);
        let has_accepted = self.receivers.get(&member).is_some_and(Receiver::has_accepted);
        let may_accept = has_accepted || (takes_more && self.receivers.has_place(&member));
        if !may_accept {
            return Err(ErrorCode::TransferClosed.into());
        }
        let (effect, token) = self
            .receivers
            .act(member, |receiver| (receiver.accept(), receiver.token.get_or_insert(token).clone()));
        if effect == Effect::Changed {
            self.stir(now);
        }
        Ok(Reply::Accepted { token })
    }

    fn reject(&mut self, member: MemberId) -> Result<(), Refusal> {
        self.must_not_be_sender(&member)?;
        let has_place = self.receivers.has_place(&member);
        if has_place && self.receivers.act(member.clone(), Receiver::reject) == Effect::Changed {
            self.close_sink(member, ErrorCode::TransferClosed);
        }
        Ok(())
    }

    fn wish(&mut self, now: Moment, party: Party, wanted: Wish) -> Result<(), Refusal> {
        let output = match party {
            Party::Sender if self.wish == wanted => return Ok(()),
            Party::Sender => {
                self.wish = wanted;
                match wanted {
                    Wish::Wait => Output::Hold,
                    Wish::Flow => Output::Release,
                }
            }
            Party::Receiver(member) => {
                if self.party(&member)?.wish(wanted)? == Effect::Nothing {
                    return Ok(());
                }
                match wanted {
                    Wish::Wait => Output::HoldSink { member },
                    Wish::Flow => Output::ReleaseSink { member },
                }
            }
        };
        self.outputs.push_back(output);
        if wanted == Wish::Flow {
            self.stir(now);
        }
        Ok(())
    }

    fn sink_opened(&mut self, now: Moment, member: MemberId) -> Result<(), Refusal> {
        let receiver = self.party(&member)?;
        receiver.open()?;
        if receiver.holds() {
            self.outputs.push_back(Output::HoldSink { member });
        } else if receiver.waits() {
            self.stir(now);
        }
        Ok(())
    }

    fn sink_done(&mut self, member: MemberId, digest: Option<Digest>) -> Result<Reply, Refusal> {
        let (size, known) = (self.size, self.digest);
        let receiver = self.party(&member)?;
        if !receiver.has_accepted() {
            return Err(not_accepted());
        }
        if size.is_none() {
            return Err(Refusal::new(
                ErrorCode::BadRequest,
                "The size is not known yet, so nothing can be done with; wait for transfer:end.",
            ));
        }
        match receiver.complete(digest, known) {
            Ok(()) => Ok(Reply::Done),
            Err(error) => {
                self.close_sink(member, error);
                Ok(Reply::Failed(error))
            }
        }
    }

    fn forget_complete(&mut self) -> Result<(), Refusal> {
        if self.state() != TransferState::Complete {
            return Err(Refusal::new(ErrorCode::NotAllowed, "It is still under way; cancel it first."));
        }
        self.go();
        Ok(())
    }

    fn tick(&mut self, now: Moment) {
        if now >= self.expires_at {
            match self.state() {
                TransferState::Complete => self.go(),
                _ => self.end(now, Final::Failed(ErrorCode::Expired)),
            }
        } else if let Motion::Due { since } = self.motion
            && now >= since + self.options.stall_timeout
        {
            self.motion = Motion::Stalled;
        }
    }

    fn close_sink(&mut self, member: MemberId, error: ErrorCode) {
        self.outputs.push_back(Output::CloseSink { member, error });
    }

    fn must_not_be_sender(&self, member: &MemberId) -> Result<(), Refusal> {
        if *member == self.sender {
            return Err(Refusal::new(
                ErrorCode::NotAllowed,
                "This is your own transfer; pause, resume or cancel it.",
            ));
        }
        Ok(())
    }

    /// A receiver that speaks of its own part; one without the offer has none.
    fn party(&mut self, member: &MemberId) -> Result<&mut Receiver, Refusal> {
        self.receivers.get_mut(member).ok_or_else(not_accepted)
    }
}
