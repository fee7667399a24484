//! The sinks of this node's own people: opening, asking, being lost, having all. It is the same at home and
//! edge, but that a home writes into the transfer's life what an edge tells its home.

use super::machine::{Session, SourceLink};
use super::words::{Link, Request};
use super::{Output, Reply, SinkKind};
use crate::protocol::{Digest, ErrorCode, MemberId, Moment, ReceiverState, Refusal};
use crate::relay::{self, SinkId};
use crate::transfer;

/// An open sink. A download's seat goes with its link.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) sink: SinkId,
    pub(super) member: MemberId,
    pub(super) kind: SinkKind,
    pub(super) link: Link,
}

impl Session {
    pub(super) fn open_sink(
        &mut self,
        now: Moment,
        member: MemberId,
        kind: SinkKind,
    ) -> Result<Reply, Refusal> {
        if self.is_home() {
            self.tell(now, transfer::Input::SinkOpened { member: member.clone() })?;
        } else {
            self.must_be_open_to(&member)?;
        }
        let is_same =
            |seat: &&mut Seat| seat.member == member && seat.kind == SinkKind::Link && kind == SinkKind::Link;
        let sink = match self.seats.iter_mut().find(is_same) {
            Some(seat) => {
                seat.link = Link::Up;
                seat.sink
            }
            None => {
                let sink = self.new_sink();
                self.seats.push(Seat { sink, member: member.clone(), kind, link: Link::Up });
                sink
            }
        };
        self.relay.handle(now, relay::Input::SinkUp(sink))?;
        if self.state_of(&member) == Some(ReceiverState::Paused) {
            self.relay.handle(now, relay::Input::HoldSink(sink))?;
        }
        self.note_facts_at_once(now);
        if self.source != SourceLink::Open {
            self.check_home(now);
        }
        Ok(Reply::Opened(sink))
    }

    /// What the home would say, by what is known of it.
    fn must_be_open_to(&self, member: &MemberId) -> Result<(), Refusal> {
        if self.transfer.state().is_final() {
            return Err(ErrorCode::TransferClosed.into());
        }
        if !self.transfer.has_accepted(member) {
            return Err(transfer::not_accepted());
        }
        Ok(())
    }

    pub(super) fn new_sink(&mut self) -> SinkId {
        self.next_sink += 1;
        SinkId(self.next_sink)
    }

    pub(super) fn pull(
        &mut self,
        now: Moment,
        sink: SinkId,
        lane: u64,
        from: u64,
        limit: u64,
    ) -> Result<Reply, Refusal> {
        self.relay.handle(now, relay::Input::Pull { sink, lane, from, limit })?;
        if self.depot == Some(sink) {
            return self.pull_by_depot(now, sink, from);
        }
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
        let moved = *held != before;
        let member = seat.member.clone();
        self.outputs.push_back(Output::Acked { sink, from });
        if !moved {
            return Ok(Reply::Done);
        }
        if self.is_home() {
            self.note_movement();
            self.tell(now, transfer::Input::Received { member })?;
        } else {
            self.note_facts(now);
        }
        Ok(Reply::Done)
    }

    pub(super) fn lose_sink(&mut self, now: Moment, sink: SinkId) -> Result<(), Refusal> {
        if self.depot == Some(sink) {
            return self.learn_not_kept(now, ErrorCode::Internal);
        }
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
        self.tell_if_last_sink(now, member)
    }

    /// A member with no other open sink, on any node, is away.
    pub(super) fn tell_if_last_sink(&mut self, now: Moment, member: MemberId) -> Result<(), Refusal> {
        if !self.is_home() {
            self.note_facts_at_once(now);
        } else if !self.has_open_sink(&member) {
            self.tell(now, transfer::Input::SinkLost { member })?;
        }
        Ok(())
    }

    fn has_open_sink(&self, member: &MemberId) -> bool {
        self.seats.iter().any(|seat| seat.member == *member && seat.link == Link::Up)
            || self.is_seated_at_an_edge(member)
    }

    pub(super) fn end_download(&mut self, now: Moment, sink: SinkId) -> Result<(), Refusal> {
        let Some(index) = self.seats.iter().position(|seat| seat.sink == sink) else { return Ok(()) };
        let member = self.seats.remove(index).member;
        self.relay.handle(now, relay::Input::SinkGone(sink))?;
        let held = self.held.get(&member).copied().unwrap_or(0);
        if self.transfer.size() == Some(held) && self.transfer.is_owed(&member) {
            self.decide_always(now, Request::Done { member, digest: None })?;
            return Ok(());
        }
        self.tell_if_last_sink(now, member)
    }

    pub(super) fn finish_sink(
        &mut self,
        now: Moment,
        sink: SinkId,
        digest: Option<Digest>,
    ) -> Result<Reply, Refusal> {
        let Some(seat) = self.seats.iter().find(|seat| seat.sink == sink) else {
            return Err(ErrorCode::NotAllowed.into());
        };
        let member = seat.member.clone();
        let reply = self.decide(now, Request::Done { member: member.clone(), digest })?;
        if let Some(size) = self.transfer.size()
            && self.has_all(&member)
        {
            self.held.insert(member, size);
            self.outputs.push_back(Output::Acked { sink, from: size });
        }
        self.relay.handle(now, relay::Input::SinkGone(sink))?;
        self.relay.handle(now, relay::Input::SinkUp(sink))?;
        Ok(reply)
    }

    /// Whether a member that says so has all of it, as far as this node can know.
    fn has_all(&self, member: &MemberId) -> bool {
        !self.is_home() || self.state_of(member) == Some(ReceiverState::Complete)
    }

    pub(super) fn close_sinks_of(&mut self, now: Moment, member: &MemberId, error: ErrorCode) {
        for sink in self.sinks_of(member) {
            self.steer_relay(now, relay::Input::SinkGone(sink));
            self.outputs.push_back(Output::CloseSink { sink, error });
        }
        self.seats.retain(|seat| seat.member != *member);
    }

    pub(super) fn on_sink_ended(&mut self, now: Moment, sink: SinkId, error: ErrorCode) {
        if self.depot == Some(sink) {
            // A home alone has one, and may say so.
            let _ = self.learn_not_kept(now, error);
            return;
        }
        let Some(seat) = self.seats.iter().find(|seat| seat.sink == sink) else {
            return self.end_edge_lane(now, sink, error);
        };
        let (member, link) = (seat.member.clone(), seat.link);
        self.outputs.push_back(Output::CloseSink { sink, error });
        self.steer_relay(now, relay::Input::SinkGone(sink));
        self.seats.retain(|seat| seat.sink != sink);
        if self.is_home() {
            self.end_receiver_at(now, None, member, link, error);
        } else {
            self.note_facts(now);
            self.ask_home(now, Request::Ended { member, link, error });
        }
    }

    pub(super) fn sinks_of(&self, member: &MemberId) -> Vec<SinkId> {
        self.seats.iter().filter(|seat| seat.member == *member).map(|seat| seat.sink).collect()
    }
}
