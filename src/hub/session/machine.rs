//! The machine: each input to the half it concerns, what one half decides carried over to the other.

use std::collections::{HashMap, VecDeque};

use super::status::{PROGRESS, Told};
use super::{Input, Output, Reply, SinkKind};
use crate::protocol::Digest;
use crate::protocol::{ErrorCode, MemberId, Moment, ReceiverState, Refusal, TransferState};
use crate::relay::{self, Meter, Relay, SinkId};
use crate::transfer::{self, Given, Transfer};

/// An open sink.
#[derive(Debug)]
struct Seat {
    sink: SinkId,
    member: MemberId,
    kind: SinkKind,
    link: Link,
}

/// Whether a sink can be reached. A download's seat goes with its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Up,
    Lost,
}

/// The machine. See the module.
#[derive(Debug)]
pub struct Session {
    pub(super) transfer: Transfer,
    pub(super) relay: Relay,
    seats: Vec<Seat>,
    pub(super) held: HashMap<MemberId, u64>,
    pub(super) meter: Meter,
    pub(super) told: Told,
    next_sink: u64,
    pub(super) outputs: VecDeque<Output>,
}

impl Session {
    /// A session of `transfer`, its bytes carried by `relay`.
    pub fn new(now: Moment, transfer: Transfer, relay: Relay) -> Self {
        Self {
            transfer,
            relay,
            seats: Vec::new(),
            held: HashMap::new(),
            meter: Meter::new(now, 0),
            told: Told::Since(now),
            next_sink: 0,
            outputs: VecDeque::new(),
        }
    }

    /// The transfer's life, to be asked.
    pub fn transfer(&self) -> &Transfer {
        &self.transfer
    }

    /// Whether a sink that holds nothing yet could have all of it.
    pub fn can_begin(&self) -> bool {
        self.relay.can_begin()
    }

    /// Takes in what happened at `now`. Drain [`Self::poll_output`] afterwards.
    ///
    /// # Errors
    /// What a peer said and may not say; nothing of it took effect.
    pub fn handle(&mut self, now: Moment, input: Input) -> Result<Reply, Refusal> {
        let answer = self.take(now, input);
        self.settle(now);
        answer
    }

    /// What must happen next; nothing when all is done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to come back with [`Input::Tick`].
    pub fn poll_timeout(&self) -> Option<Moment> {
        let progress = match self.told {
            Told::Behind(since) => Some(since + PROGRESS),
            Told::Since(_) => None,
        };
        [progress, self.transfer.poll_timeout(), self.relay.poll_timeout()].into_iter().flatten().min()
    }

    fn take(&mut self, now: Moment, input: Input) -> Result<Reply, Refusal> {
        match input {
            Input::SourceOpened => {
                self.tell(now, transfer::Input::SourceOpened)?;
                self.relay.handle(now, relay::Input::SourceUp)?;
            }
            Input::SourceLost => {
                let given = match self.relay.sent() {
                    _ if self.relay.has_all() => Given::All,
                    0 => Given::Nothing,
                    _ => Given::Part,
                };
                self.relay.handle(now, relay::Input::SourceDown)?;
                self.tell(now, transfer::Input::SourceLost { given })?;
            }
            Input::SourceEnd { size, digest } => {
                if size.is_some_and(|size| !self.relay.may_end_at(size)) {
                    return Err(ErrorCode::BadRequest.into());
                }
                self.tell(now, transfer::Input::SourceEnd { size, digest })?;
                if let Some(size) = size {
                    self.relay.handle(now, relay::Input::Size(size))?;
                }
            }
            Input::SourceFailed => return self.tell(now, transfer::Input::SourceFailed),
            Input::Chunk { lane, offset, bytes, digest } => {
                self.relay.handle(now, relay::Input::Chunk { lane, offset, bytes, digest })?;
                self.note_movement();
                return self.tell(now, transfer::Input::Moved);
            }
            Input::Accept { member, token } => {
                return self.tell(now, transfer::Input::Accept { member, token });
            }
            Input::Reject { member } => return self.tell(now, transfer::Input::Reject { member }),
            Input::Pause(party) => return self.tell(now, transfer::Input::Pause(party)),
            Input::Resume(party) => return self.tell(now, transfer::Input::Resume(party)),
            Input::Cancel(party) => return self.tell(now, transfer::Input::Cancel(party)),
            Input::OpenSink { member, kind } => return self.open_sink(now, member, kind),
            Input::Pull { sink, lane, from, limit } => return self.pull(now, sink, lane, from, limit),
            Input::SinkBusy { sink, offset } => {
                let is_for_it =
                    |output: &Output| matches!(output, Output::Chunk { sink: to, .. } if *to == sink);
                self.outputs.retain(|output| !is_for_it(output));
                self.relay.handle(now, relay::Input::SinkBusy { sink, offset })?;
            }
            Input::SinkReady(sink) => self.relay.handle(now, relay::Input::SinkReady(sink))?,
            Input::SinkLost(sink) => self.lose_sink(now, sink)?,
            Input::DownloadEnded(sink) => return self.end_download(now, sink),
            Input::SinkDone { sink, digest } => return self.finish_sink(now, sink, digest),
            Input::Forget => return self.tell(now, transfer::Input::Forget),
            Input::Tick => {
                self.relay.handle(now, relay::Input::Tick)?;
                self.tell(now, transfer::Input::Tick)?;
                if let Told::Behind(since) = self.told
                    && now >= since + PROGRESS
                {
                    self.push_status(now);
                }
            }
        }
        Ok(Reply::Done)
    }

    /// Hands a word to the transfer's life.
    fn tell(&mut self, now: Moment, input: transfer::Input) -> Result<Reply, Refusal> {
        Ok(match self.transfer.handle(now, input)? {
            transfer::Reply::Done => Reply::Done,
            transfer::Reply::Accepted { token } => Reply::Accepted(token),
            transfer::Reply::Failed(error) => Reply::Failed(error),
        })
    }

    fn open_sink(&mut self, now: Moment, member: MemberId, kind: SinkKind) -> Result<Reply, Refusal> {
        self.tell(now, transfer::Input::SinkOpened { member: member.clone() })?;
        let is_same =
            |seat: &&mut Seat| seat.member == member && seat.kind == SinkKind::Link && kind == SinkKind::Link;
        let sink = match self.seats.iter_mut().find(is_same) {
            Some(seat) => {
                seat.link = Link::Up;
                seat.sink
            }
            None => {
                self.next_sink += 1;
                let sink = SinkId(self.next_sink);
                self.seats.push(Seat { sink, member: member.clone(), kind, link: Link::Up });
                sink
            }
        };
        self.relay.handle(now, relay::Input::SinkUp(sink))?;
        if self.state_of(&member) == Some(ReceiverState::Paused) {
            self.relay.handle(now, relay::Input::HoldSink(sink))?;
        }
        Ok(Reply::Opened(sink))
    }

    fn pull(
        &mut self,
        now: Moment,
        sink: SinkId,
        lane: u64,
        from: u64,
        limit: u64,
    ) -> Result<Reply, Refusal> {
        self.relay.handle(now, relay::Input::Pull { sink, lane, from, limit })?;
        let Some(seat) = self.seats.iter().find(|seat| seat.sink == sink) else {
            return Err(ErrorCode::NotAllowed.into());
        };
        // A pull that came late says less than is known.
        let from = self.relay.received(sink).unwrap_or(from);
        let held = self.held.entry(seat.member.clone()).or_default();
        let before = *held;
        *held = match seat.kind {
            SinkKind::Link => from,
            // A download adds to what is held only where it joins on to it.
            SinkKind::Download { from: first } if first <= *held => from.max(*held),
            SinkKind::Download { .. } => *held,
        };
        self.outputs.push_back(Output::Acked { sink, from });
        if *held != before {
            let member = seat.member.clone();
            self.note_movement();
            self.tell(now, transfer::Input::Received { member })?;
        }
        Ok(Reply::Done)
    }

    fn lose_sink(&mut self, now: Moment, sink: SinkId) -> Result<(), Refusal> {
        let Some(index) = self.seats.iter().position(|seat| seat.sink == sink) else { return Ok(()) };
        match self.seats[index].kind {
            SinkKind::Link => self.relay.handle(now, relay::Input::SinkAway(sink))?,
            SinkKind::Download { .. } => self.relay.handle(now, relay::Input::SinkGone(sink))?,
        }
        let seat = &mut self.seats[index];
        seat.link = Link::Lost;
        let member = seat.member.clone();
        if seat.kind != SinkKind::Link {
            self.seats.remove(index);
        }
        self.tell_if_last_sink(now, member, sink)
    }

    /// A member with no other open sink is away.
    fn tell_if_last_sink(&mut self, now: Moment, member: MemberId, lost: SinkId) -> Result<(), Refusal> {
        let has_other = |seat: &Seat| seat.member == member && seat.sink != lost && seat.link == Link::Up;
        if !self.seats.iter().any(has_other) {
            self.tell(now, transfer::Input::SinkLost { member })?;
        }
        Ok(())
    }

    fn end_download(&mut self, now: Moment, sink: SinkId) -> Result<Reply, Refusal> {
        let Some(index) = self.seats.iter().position(|seat| seat.sink == sink) else {
            return Ok(Reply::Done);
        };
        let member = self.seats.remove(index).member;
        self.relay.handle(now, relay::Input::SinkGone(sink))?;
        let held = self.held.get(&member).copied().unwrap_or(0);
        if self.transfer.size() == Some(held) && self.transfer.is_owed(&member) {
            return self.tell(now, transfer::Input::SinkDone { member, digest: None });
        }
        self.tell_if_last_sink(now, member, sink)?;
        Ok(Reply::Done)
    }

    fn finish_sink(&mut self, now: Moment, sink: SinkId, digest: Option<Digest>) -> Result<Reply, Refusal> {
        let Some(seat) = self.seats.iter().find(|seat| seat.sink == sink) else {
            return Err(ErrorCode::NotAllowed.into());
        };
        let member = seat.member.clone();
        let reply = self.tell(now, transfer::Input::SinkDone { member: member.clone(), digest })?;
        if let Some(size) = self.transfer.size()
            && reply == Reply::Done
        {
            self.held.insert(member, size);
            self.outputs.push_back(Output::Acked { sink, from: size });
        }
        self.relay.handle(now, relay::Input::SinkGone(sink))?;
        self.relay.handle(now, relay::Input::SinkUp(sink))?;
        Ok(reply)
    }

    /// Carries what one half decided over to the other, until both rest.
    fn settle(&mut self, now: Moment) {
        loop {
            if !self.relay.can_begin() {
                let _ = self.transfer.handle(now, transfer::Input::StartPassed);
            }
            if let Some(output) = self.transfer.poll_output() {
                self.follow(now, output);
            } else if let Some(output) = self.relay.poll_output() {
                self.carry(now, output);
            } else {
                return;
            }
        }
    }

    fn follow(&mut self, now: Moment, output: transfer::Output) {
        match output {
            transfer::Output::Status => self.push_status(now),
            transfer::Output::End { size, digest } => self.outputs.push_back(Output::End { size, digest }),
            transfer::Output::Hold => self.steer_relay(now, relay::Input::Hold),
            transfer::Output::Release => self.steer_relay(now, relay::Input::Release),
            transfer::Output::HoldSink { member } => {
                for sink in self.sinks_of(&member) {
                    self.steer_relay(now, relay::Input::HoldSink(sink));
                }
            }
            transfer::Output::ReleaseSink { member } => {
                for sink in self.sinks_of(&member) {
                    self.steer_relay(now, relay::Input::ReleaseSink(sink));
                }
            }
            transfer::Output::CloseSink { member, error } => {
                for sink in self.sinks_of(&member) {
                    self.steer_relay(now, relay::Input::SinkGone(sink));
                    self.outputs.push_back(Output::CloseSink { sink, error });
                }
                self.seats.retain(|seat| seat.member != member);
            }
            transfer::Output::Ended { state, error } => {
                let cancelled = state == TransferState::Cancelled;
                let error = error.filter(|_| !cancelled).unwrap_or(ErrorCode::TransferClosed);
                self.steer_relay(now, relay::Input::End);
                self.seats.clear();
                self.outputs.push_back(Output::Ended { error });
            }
            transfer::Output::Gone => self.outputs.push_back(Output::Gone),
        }
    }

    /// The relay refuses nothing of its own driver's.
    fn steer_relay(&mut self, now: Moment, input: relay::Input) {
        let refused = self.relay.handle(now, input);
        debug_assert!(refused.is_ok(), "{refused:?}");
    }

    fn carry(&mut self, now: Moment, output: relay::Output) {
        match output {
            relay::Output::Pull { lane, from, limit } => {
                self.outputs.push_back(Output::Pull { lane, from, limit });
            }
            relay::Output::Stop { lane } => self.outputs.push_back(Output::Stop { lane }),
            relay::Output::Chunk { sink, lane, offset, bytes, digest } => {
                self.outputs.push_back(Output::Chunk { sink, lane, offset, bytes, digest });
            }
            relay::Output::SinkEnded { sink, error } => {
                let Some(seat) = self.seats.iter().find(|seat| seat.sink == sink) else { return };
                let member = seat.member.clone();
                self.outputs.push_back(Output::CloseSink { sink, error });
                self.steer_relay(now, relay::Input::SinkGone(sink));
                self.seats.retain(|seat| seat.sink != sink);
                let _ = self.tell(now, transfer::Input::SinkEnded { member, error });
            }
        }
    }

    fn sinks_of(&self, member: &MemberId) -> Vec<SinkId> {
        self.seats.iter().filter(|seat| seat.member == *member).map(|seat| seat.sink).collect()
    }

    fn state_of(&self, member: &MemberId) -> Option<ReceiverState> {
        self.transfer.receivers().find(|(who, _)| *who == member).map(|(_, state)| state)
    }
}
