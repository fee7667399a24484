//! What an edge does towards its home: it asks for bytes, says who is here and what they hold, asks for what
//! only the home may decide, and takes the home over where that is gone or the source has come here.

use std::time::Duration;

use super::machine::{Role, Session, SourceLink};
use super::words::{Link, Request, Word, is_asking};
use super::{Ask, Output, Situation};
use crate::protocol::node::{Body, NodeId};
use crate::protocol::{ErrorCode, Moment, TransferState};
use crate::relay;
use crate::transfer::{self, Transfer};

/// The least time between two tellings of what only moved on.
pub(super) const FACTS: Duration = Duration::from_millis(100);
/// An edge that someone needs says its facts at least this often: a word that was lost unnoticed is mended.
const BEAT: Duration = Duration::from_secs(1);
/// How soon a home that could not be reached, or a record, is tried again.
pub(super) const RETRY: Duration = Duration::from_millis(250);
/// How long a home may be silent before the record is looked at.
const SILENCE: Duration = Duration::from_secs(3);
/// How long a request may wait for its answer. That someone has all of it, or cannot go on, waits for as long
/// as it takes.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long an edge that nobody needs is kept.
const IDLE: Duration = Duration::from_secs(30);
/// Lanes of one epoch have numbers of their own, so that a source never hears an old one again.
pub(super) const LANES_PER_EPOCH_BITS: u32 = 24;

/// The edge's side of the role.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) home: NodeId,
    pub(super) reach: Reach,
    /// The number of the last facts, and when they were sent.
    pub(super) number: u64,
    pub(super) sent: Option<Moment>,
    /// When facts are to be sent next.
    pub(super) due: Option<Moment>,
    /// When the home was last heard, or looked for.
    pub(super) heard: Moment,
    pub(super) pending: Vec<Pending>,
    pub(super) claim: Claim,
    pub(super) denial: Denial,
    /// What was decided here while this was the home, to be said again.
    pub(super) before: Option<Box<Before>>,
    pub(super) idle_since: Moment,
}

/// Whether the home can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Up,
    Down,
}

/// Whether the home said that it is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denial {
    None,
    NotHere,
}

/// How far taking the home over is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    None,
    Asked,
    Again { at: Moment },
}

/// What a node that was the home has to say to the next one.
#[derive(Debug)]
pub(super) struct Before {
    /// What was decided.
    pub(super) transfer: Transfer,
    /// What was asked since, and the record never came to say.
    pub(super) unsaved: Vec<(Ask, Request)>,
}

/// A request without an answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) ask: Ask,
    pub(super) request: Request,
    since: Moment,
}

impl Edge {
    pub(super) fn new(now: Moment, home: NodeId) -> Self {
        Self {
            home,
            reach: Reach::Up,
            // Of an earlier part of this node in the same transfer the home must believe the later one.
            number: now.unix_millis() << 8,
            sent: None,
            due: Some(now),
            heard: now,
            pending: Vec::new(),
            claim: Claim::None,
            denial: Denial::None,
            before: None,
            idle_since: now,
        }
    }

    /// One that was the home.
    pub(super) fn stepped_down(now: Moment, home: NodeId, before: Before) -> Self {
        Self { before: Some(Box::new(before)), ..Self::new(now, home) }
    }

    pub(super) fn poll_timeout(&self, needed: bool) -> Moment {
        if !needed {
            return self.due.map_or(self.idle_since + IDLE, |due| due.min(self.idle_since + IDLE));
        }
        let beat = if self.reach == Reach::Up { BEAT } else { RETRY };
        let again = match self.claim {
            Claim::Again { at } => Some(at),
            Claim::None | Claim::Asked => None,
        };
        let beats = self.sent.map(|sent| sent + beat);
        [self.due, again, beats].into_iter().flatten().fold(self.heard + SILENCE, Moment::min)
    }
}

impl Session {
    /// Whether anyone here needs this edge.
    pub(super) fn needs_edge(&self) -> bool {
        let Role::Edge(edge) = &self.role else { return false };
        self.source != SourceLink::None
            || !edge.pending.is_empty()
            || edge.before.is_some()
            || self.seats.iter().any(|seat| seat.link == Link::Up)
    }

    /// The home is asked for bytes from now on.
    pub(super) fn begin_edge(&mut self, now: Moment) {
        self.relay.number_lanes_from(self.epoch << LANES_PER_EPOCH_BITS);
        if self.transfer.state().is_final() {
            return;
        }
        self.steer_relay(now, relay::Input::SourceUp);
        self.follow_wishes(now);
    }

    pub(super) fn ask_home(&mut self, now: Moment, request: Request) -> Ask {
        let ask = self.new_ask();
        self.ask_home_as(now, ask, request);
        ask
    }

    pub(super) fn ask_home_as(&mut self, now: Moment, ask: Ask, request: Request) {
        if let Role::Edge(edge) = &mut self.role {
            edge.pending.push(Pending { ask, request: request.clone(), since: now });
            let body = Word::Request { ask, request }.body();
            self.outputs.push_back(Output::Send { to: edge.home, body });
        }
    }

    pub(super) fn pull_from_home(&mut self, lane: u64, from: u64, limit: u64) {
        let Role::Edge(edge) = &self.role else { return };
        // What is here needs no place at the home: what the slowest sink holds is this node's business.
        let from = self.relay.asked().find(|asked| asked.0 == lane).map_or(from, |asked| asked.1);
        self.outputs.push_back(Output::Send { to: edge.home, body: Body::Pull { lane, from, limit } });
    }

    pub(super) fn stop_home(&mut self, lane: u64) {
        if let Role::Edge(edge) = &self.role {
            self.outputs.push_back(Output::Send { to: edge.home, body: Body::Stop { lane } });
        }
    }

    /// A frame, wherever it finds this node.
    pub(super) fn hear(&mut self, now: Moment, from: NodeId, epoch: u64, body: Body) {
        if epoch > self.epoch {
            return self.hear_of_another_home(now, from, epoch, &body);
        }
        match &self.role {
            Role::Home(_) => self.hear_as_home(now, from, epoch, body),
            Role::Edge(edge) if epoch == self.epoch && from == edge.home => {
                self.hear_home(now, body);
            }
            Role::Edge(_) => self.hear_stranger(from, &body),
        }
    }

    fn hear_of_another_home(&mut self, now: Moment, from: NodeId, epoch: u64, body: &Body) {
        let word = match body {
            Body::Word(bytes) => Word::read(bytes),
            Body::Chunk { .. } | Body::Pull { .. } | Body::Stop { .. } => None,
        };
        match word {
            Some(Word::Situation(situation)) => self.adopt(now, from, epoch, *situation),
            Some(Word::Moved) => self.turn_to(now, from, epoch),
            _ => self.outputs.push_back(Output::Look),
        }
    }

    /// A node that takes this one for its home is told that it is none.
    fn hear_stranger(&mut self, from: NodeId, body: &Body) {
        if is_asking(body) {
            self.outputs.push_back(Output::Send { to: from, body: Word::NotHere.body() });
        }
    }

    fn hear_home(&mut self, now: Moment, body: Body) {
        let Role::Edge(edge) = &mut self.role else { return };
        edge.heard = now;
        if edge.reach == Reach::Down {
            edge.reach = Reach::Up;
            self.ask_anew(now);
        }
        let bytes = match body {
            Body::Chunk { lane, offset, digest, bytes } => {
                // A chunk that is not what was asked for is one that is late, or after a loss: the relay
                // has asked again by now where it must.
                let _ = self.relay.handle(now, relay::Input::Chunk { lane, offset, bytes, digest });
                return;
            }
            Body::Word(bytes) => bytes,
            Body::Pull { .. } | Body::Stop { .. } => return,
        };
        let home = self.home();
        match Word::read(&bytes) {
            Some(Word::Situation(situation)) => self.adopt(now, home, self.epoch, *situation),
            Some(Word::Reply { ask, outcome }) => {
                let Role::Edge(edge) = &mut self.role else { return };
                edge.pending.retain(|pending| pending.ask != ask);
                self.outputs.push_back(Output::Answered { ask, outcome });
            }
            Some(Word::Gone) => self.outputs.push_back(Output::Gone),
            Some(Word::NotHere) => {
                let Role::Edge(edge) = &mut self.role else { return };
                edge.denial = Denial::NotHere;
                self.outputs.push_back(Output::Look);
            }
            Some(Word::Here | Word::Moved | Word::Facts(_) | Word::Request { .. }) | None => {}
        }
    }

    /// Everything that was said to the home, and was asked of it, may be lost.
    pub(super) fn ask_anew(&mut self, now: Moment) {
        self.steer_relay(now, relay::Input::SourceDown);
        self.steer_relay(now, relay::Input::SourceUp);
        self.say_all_again(now);
    }

    pub(super) fn say_all_again(&mut self, now: Moment) {
        self.note_facts_at_once(now);
        let Role::Edge(edge) = &self.role else { return };
        for Pending { ask, request, .. } in &edge.pending {
            let body = Word::Request { ask: *ask, request: request.clone() }.body();
            self.outputs.push_back(Output::Send { to: edge.home, body });
        }
    }

    /// Takes in how the home says that it stands.
    pub(super) fn adopt(&mut self, now: Moment, home: NodeId, epoch: u64, situation: Situation) {
        if epoch > self.epoch {
            self.turn_to(now, home, epoch);
        } else if situation.number <= self.number {
            return;
        }
        let Situation { number, transfer, held, status, .. } = situation;
        self.number = number;
        let before = std::mem::replace(&mut self.transfer, transfer);
        self.say_again_what_was_decided(now);
        if self.transfer.source() == transfer::Source::Seekable {
            self.relay.serve_any_stretch();
        }
        for (member, held) in held {
            if !self.seats.iter().any(|seat| seat.member == member) {
                self.held.insert(member, held);
            }
        }
        if before.size() != self.transfer.size() || before.digest() != self.transfer.digest() {
            self.learn_end(now);
        }
        self.shown = Some(status.clone());
        self.outputs.retain(|output| !matches!(output, Output::Status(_)));
        self.outputs.push_back(Output::Status(Box::new(status)));
        self.follow_wishes(now);
        self.close_who_may_not_stay(now);
        if self.transfer.state().is_final() && !before.state().is_final() {
            let cancelled = self.transfer.state() == TransferState::Cancelled;
            let error = self.transfer.error().filter(|_| !cancelled).unwrap_or(ErrorCode::TransferClosed);
            return self.end(now, error);
        }
        self.settle_source();
    }

    pub(super) fn on_undelivered(&mut self, now: Moment, node: NodeId) {
        match &mut self.role {
            Role::Home(_) => self.let_go_of_lanes(now, node),
            Role::Edge(edge) if edge.home == node && edge.reach == Reach::Up => {
                edge.reach = Reach::Down;
                self.steer_relay(now, relay::Input::SourceDown);
            }
            Role::Edge(_) => {}
        }
    }

    pub(super) fn on_hello(&mut self, now: Moment, node: NodeId) {
        match &self.role {
            Role::Home(_) => self.tell_edge(now, node),
            Role::Edge(edge) if edge.home == node => self.say_all_again(now),
            Role::Edge(_) => {}
        }
    }

    pub(super) fn on_node_lost(&mut self, now: Moment, node: NodeId) {
        match &self.role {
            Role::Home(_) => self.lose_edge(now, node),
            Role::Edge(edge) if edge.home == node => {
                self.on_undelivered(now, node);
                if self.needs_edge() {
                    self.want_home();
                }
            }
            Role::Edge(_) => {}
        }
    }

    pub(super) fn on_back(&mut self, now: Moment) {
        match &mut self.role {
            Role::Home(_) => self.save_again(),
            Role::Edge(edge) => {
                edge.heard = now;
                if let Claim::Again { at } = &mut edge.claim {
                    *at = now;
                }
                if edge.reach == Reach::Up && !self.transfer.state().is_final() {
                    self.ask_anew(now);
                } else {
                    self.say_all_again(now);
                }
            }
        }
    }

    pub(super) fn tick_edge(&mut self, now: Moment) {
        let needed = self.needs_edge();
        let Role::Edge(edge) = &mut self.role else { return };
        if !needed {
            if now >= edge.idle_since + IDLE {
                self.outputs.push_back(Output::Gone);
            }
            return;
        }
        let beat = if edge.reach == Reach::Up { BEAT } else { RETRY };
        if edge.sent.is_none_or(|sent| now >= sent + beat) {
            self.say_all_again(now);
        }
        self.give_up_old_requests(now);
        let Role::Edge(edge) = &mut self.role else { return };
        if now >= edge.heard + SILENCE {
            edge.heard = now;
            self.outputs.push_back(Output::Look);
        }
        if let Role::Edge(edge) = &mut self.role
            && matches!(edge.claim, Claim::Again { at } if now >= at)
        {
            edge.claim = Claim::None;
            self.want_home();
        }
    }

    fn give_up_old_requests(&mut self, now: Moment) {
        let Role::Edge(edge) = &mut self.role else { return };
        let is_old = |pending: &mut Pending| {
            now >= pending.since + PATIENCE
                && !matches!(pending.request, Request::Done { .. } | Request::Ended { .. })
        };
        for pending in edge.pending.extract_if(.., is_old) {
            let outcome = Err(ErrorCode::Overloaded.into());
            self.outputs.push_back(Output::Answered { ask: pending.ask, outcome });
        }
    }
}
