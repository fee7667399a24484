//! The machine: each input to the half it concerns, what one half decides carried over to the other, and
//! what only a home may do kept from an edge.

use std::collections::{HashMap, VecDeque};

use super::edge::Edge;
use super::home::Home;
use super::seats::Seat;
use super::status::{PROGRESS, Told};
use super::words::{Request, Word};
use super::{Decided, Input, Output, Reply, Situation};
use crate::protocol::node::NodeId;
use crate::protocol::rooms::Status;
use crate::protocol::{ErrorCode, MemberId, Moment, ReceiverState, Refusal, TransferState};
use crate::relay::{self, Meter, Relay, SinkId};
use crate::transfer::{self, Transfer};

/// Whether there are other nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// No: nothing is saved and nobody is told.
    Alone,
    /// There may be.
    Among,
}

/// What this node is to the transfer.
#[derive(Debug)]
pub(super) enum Role {
    Home(Home),
    Edge(Edge),
}

/// The source's link here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SourceLink {
    None,
    /// It opened and waits until this is the home.
    Waits,
    Open,
}

/// The machine. See the module.
#[derive(Debug)]
pub struct Session {
    pub(super) me: NodeId,
    pub(super) sharing: Sharing,
    pub(super) epoch: u64,
    pub(super) role: Role,
    pub(super) source: SourceLink,
    pub(super) transfer: Transfer,
    pub(super) relay: Relay,
    pub(super) seats: Vec<Seat>,
    /// The sink that writes a copy.
    pub(super) depot: Option<SinkId>,
    pub(super) held: HashMap<MemberId, u64>,
    pub(super) meter: Meter,
    pub(super) told: Told,
    /// How it stands, by the home's word; an edge computes nothing of it.
    pub(super) shown: Option<Status>,
    /// The situation's number: of the newest made at the home, of the newest heard of at an edge.
    pub(super) number: u64,
    /// Bytes that the source got to homes before this one.
    pub(super) sent_before: u64,
    pub(super) next_sink: u64,
    pub(super) next_ask: u64,
    pub(super) outputs: VecDeque<Output>,
}

impl Session {
    /// The home of a new transfer, its bytes carried by `relay`.
    pub fn new(now: Moment, me: NodeId, sharing: Sharing, transfer: Transfer, relay: Relay) -> Self {
        Self::with_role(now, me, sharing, Role::Home(Home::new(now)), transfer, relay)
    }

    /// An edge of a transfer whose record is `situation`, of this epoch.
    pub fn edge(now: Moment, me: NodeId, epoch: u64, situation: Situation, relay: Relay) -> Self {
        let Situation { home, number, transfer, held, status } = situation;
        let role = Role::Edge(Edge::new(now, home));
        let mut session = Self::with_role(now, me, Sharing::Among, role, transfer, relay);
        session.epoch = epoch;
        session.number = number;
        session.held = held.into_iter().collect();
        session.shown = Some(status);
        session.begin_edge(now);
        session
    }

    fn with_role(
        now: Moment,
        me: NodeId,
        sharing: Sharing,
        role: Role,
        transfer: Transfer,
        relay: Relay,
    ) -> Self {
        Self {
            me,
            sharing,
            epoch: 1,
            role,
            source: SourceLink::None,
            transfer,
            relay,
            seats: Vec::new(),
            depot: None,
            held: HashMap::new(),
            meter: Meter::new(now, 0),
            told: Told::Since(now),
            shown: None,
            number: 0,
            sent_before: 0,
            next_sink: 0,
            // Numbers of an earlier run of this node's part must not come again.
            next_ask: now.unix_millis() << 8,
            outputs: VecDeque::new(),
        }
    }

    /// The transfer's life, to be asked; at an edge, as the home last said.
    pub fn transfer(&self) -> &Transfer {
        &self.transfer
    }

    /// Of which home it knows.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The number of the newest situation that is known.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether this is the home.
    pub fn is_home(&self) -> bool {
        matches!(self.role, Role::Home(_))
    }

    /// Whether a sink that holds nothing yet could have all of it.
    pub fn can_begin(&self) -> bool {
        self.relay.can_begin() && !self.transfer.has_start_passed()
    }

    /// Takes in what happened at `now`. Drain [`Self::poll_output`] afterwards.
    ///
    /// # Errors
    /// What a peer said and may not say; nothing of it took effect.
    pub fn handle(&mut self, now: Moment, input: Input) -> Result<Reply, Refusal> {
        let is_tick = matches!(input, Input::Tick);
        let answer = self.take(now, input);
        self.settle(now);
        self.share_news(now);
        debug_assert!(!is_tick || self.moves_on(now), "it ticks for ever");
        answer
    }

    /// Whether time moves on: what was due is done, or it is all over.
    fn moves_on(&self, now: Moment) -> bool {
        self.outputs.contains(&Output::Gone) || self.poll_timeout().is_none_or(|next| next > now)
    }

    /// What must happen next; nothing when all is done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to come back with [`Input::Tick`].
    pub fn poll_timeout(&self) -> Option<Moment> {
        let role = match &self.role {
            Role::Home(home) => {
                let progress = match self.told {
                    Told::Behind(since) => Some(since + PROGRESS),
                    Told::Since(_) => None,
                };
                [progress, self.transfer.poll_timeout(), home.poll_timeout(self.waits_for_source())]
                    .into_iter()
                    .flatten()
                    .min()
            }
            Role::Edge(edge) => Some(edge.poll_timeout(self.needs_edge())),
        };
        [role, self.relay.poll_timeout()].into_iter().flatten().min()
    }

    fn take(&mut self, now: Moment, input: Input) -> Result<Reply, Refusal> {
        match input {
            Input::SourceOpened => return self.open_source(now),
            Input::SourceLost => self.lose_source(now)?,
            Input::SourceEnd { size, digest } => {
                self.must_be_home()?;
                self.learn_source_end(now, size, digest)?;
            }
            Input::SourceFailed => {
                self.must_be_home()?;
                self.tell(now, transfer::Input::SourceFailed)?;
            }
            Input::Chunk { lane, offset, bytes, digest } => {
                self.must_be_home()?;
                self.relay.handle(now, relay::Input::Chunk { lane, offset, bytes, digest })?;
                self.note_movement();
                self.tell(now, transfer::Input::Moved)?;
            }
            Input::Accept { member, token } => return self.decide(now, Request::Accept { member, token }),
            Input::Reject { member } => return self.decide(now, Request::Reject { member }),
            Input::Pause(party) => return self.decide(now, Request::Pause(party)),
            Input::Resume(party) => return self.decide(now, Request::Resume(party)),
            Input::Cancel(party) => return self.decide(now, Request::Cancel(party)),
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
            Input::DownloadEnded(sink) => self.end_download(now, sink)?,
            Input::SinkDone { sink, digest } => return self.finish_sink(now, sink, digest),
            Input::Keep => drop(self.tell(now, transfer::Input::Keep)?),
            Input::OpenDepot => return self.open_depot(now),
            Input::CloseDepot => self.close_depot(now, ErrorCode::TransferClosed),
            Input::Kept { size, digest, until } => self.learn_kept(now, size, digest, until)?,
            Input::NotKept(error) => self.learn_not_kept(now, error)?,
            Input::Forget if self.is_home() => {
                self.tell(now, transfer::Input::Forget)?;
            }
            Input::Forget => {}
            Input::Heard { from, epoch, body } => self.hear(now, from, epoch, body),
            Input::Undelivered(node) => self.on_undelivered(now, node),
            Input::Hello(node) => self.on_hello(now, node),
            Input::NodeLost(node) => self.on_node_lost(now, node),
            Input::Back => self.on_back(now),
            Input::Saved { number } => self.on_saved(number),
            Input::Found { epoch, situation } => self.on_found(now, epoch, *situation),
            Input::Missing => self.on_missing(),
            Input::StoreAway => self.on_store_away(now),
            Input::Claimed => self.on_claimed(now),
            Input::Tick => self.tick(now)?,
        }
        Ok(Reply::Done)
    }

    fn tick(&mut self, now: Moment) -> Result<(), Refusal> {
        self.relay.handle(now, relay::Input::Tick)?;
        if !self.is_home() {
            self.tick_edge(now);
            return Ok(());
        }
        self.tell(now, transfer::Input::Tick)?;
        self.tick_home(now);
        if let Told::Behind(since) = self.told
            && now >= since + PROGRESS
        {
            self.push_status(now);
            self.say_progress(now);
        }
        Ok(())
    }

    /// Hands a word to the transfer's life.
    pub(super) fn tell(&mut self, now: Moment, input: transfer::Input) -> Result<Decided, Refusal> {
        Ok(match self.transfer.handle(now, input)? {
            transfer::Reply::Done => Decided::Done,
            transfer::Reply::Accepted { token } => Decided::Accepted(token),
            transfer::Reply::Failed(error) => Decided::Failed(error),
        })
    }

    /// Carries what one half decided over to the other, until both rest.
    fn settle(&mut self, now: Moment) {
        loop {
            if self.is_home() {
                if !self.relay.can_begin() && !self.transfer.has_start_passed() {
                    let _ = self.transfer.handle(now, transfer::Input::StartPassed);
                    // Edges cannot see it.
                    if let (Role::Home(home), true) = (&mut self.role, self.transfer.has_start_passed()) {
                        home.note_news();
                    }
                }
                if let Some(output) = self.transfer.poll_output() {
                    self.follow(now, output);
                    continue;
                }
            }
            match self.relay.poll_output() {
                Some(output) => self.carry(now, output),
                None => return,
            }
        }
    }

    fn follow(&mut self, now: Moment, output: transfer::Output) {
        if let Role::Home(home) = &mut self.role {
            home.note_news();
        }
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
            transfer::Output::CloseSink { member, error } => self.close_sinks_of(now, &member, error),
            transfer::Output::Ended { state, error } => {
                let cancelled = state == TransferState::Cancelled;
                let error = error.filter(|_| !cancelled).unwrap_or(ErrorCode::TransferClosed);
                self.end(now, error);
            }
            transfer::Output::Gone => {
                self.say_to_edges(&Word::Gone);
                self.outputs.push_back(Output::Gone);
            }
        }
    }

    /// Nothing flows any more.
    pub(super) fn end(&mut self, now: Moment, error: ErrorCode) {
        self.steer_relay(now, relay::Input::End);
        self.seats.clear();
        self.depot = None;
        if let Role::Home(home) = &mut self.role {
            home.forget_lanes();
        }
        self.source = SourceLink::None;
        self.outputs.push_back(Output::Ended { error });
    }

    /// The relay refuses nothing of its own driver's.
    pub(super) fn steer_relay(&mut self, now: Moment, input: relay::Input) {
        let refused = self.relay.handle(now, input);
        debug_assert!(refused.is_ok(), "{refused:?}");
    }

    fn carry(&mut self, now: Moment, output: relay::Output) {
        match output {
            relay::Output::Pull { lane, from, limit } => match self.role {
                Role::Home(_) => self.outputs.push_back(Output::Pull { lane, from, limit }),
                Role::Edge(_) => self.pull_from_home(lane, from, limit),
            },
            relay::Output::Stop { lane } => match self.role {
                Role::Home(_) => self.outputs.push_back(Output::Stop { lane }),
                Role::Edge(_) => self.stop_home(lane),
            },
            relay::Output::Chunk { sink, lane, offset, bytes, digest } => {
                let edge = self.edge_of(sink);
                self.outputs.push_back(Output::Chunk { sink, lane, offset, bytes, digest, edge });
            }
            relay::Output::SinkEnded { sink, error } => self.on_sink_ended(now, sink, error),
        }
    }

    pub(super) fn state_of(&self, member: &MemberId) -> Option<ReceiverState> {
        self.transfer.receivers().find(|(who, _)| *who == member).map(|(_, state)| state)
    }
}
