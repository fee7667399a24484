//! How the home goes from node to node: an edge takes it over where it is gone or the source has come here,
//! a home that another has taken over becomes an edge, and nothing that was decided is forgotten on the way.

use super::edge::{Before, Claim, Denial, Edge, LANES_PER_EPOCH_BITS, Pending, RETRY, Reach};
use super::home::Home;
use super::machine::{Role, Session, SourceLink};
use super::words::{Link, Request, Word};
use super::{Output, Situation};
use crate::protocol::node::NodeId;
use crate::protocol::{ErrorCode, MemberId, Moment, ReceiverState, TransferState};
use crate::relay;
use crate::transfer::{self, Given, Transfer};

impl Session {
    /// Another node is the home now.
    pub(super) fn turn_to(&mut self, now: Moment, home: NodeId, epoch: u64) {
        self.epoch = epoch;
        self.number = 0;
        match &mut self.role {
            Role::Edge(edge) => {
                edge.home = home;
                (edge.reach, edge.heard, edge.denial) = (Reach::Up, now, Denial::None);
            }
            Role::Home(_) => self.step_down(now, home),
        }
        self.relay.number_lanes_from(epoch << LANES_PER_EPOCH_BITS);
        if !self.transfer.state().is_final() {
            self.ask_anew(now);
        }
    }

    /// A home becomes an edge. What was decided here is remembered, to be said again.
    fn step_down(&mut self, now: Moment, other: NodeId) {
        self.close_depot(now, ErrorCode::TransferClosed);
        let lanes: Vec<_> = self.edge_sinks().collect();
        for sink in lanes {
            self.outputs.retain(|output| !matches!(output, Output::Chunk { sink: to, .. } if *to == sink));
            self.steer_relay(now, relay::Input::SinkGone(sink));
        }
        let unsaved = match &mut self.role {
            Role::Home(home) => home.take_unsaved(),
            Role::Edge(_) => Vec::new(),
        };
        let unsaved =
            unsaved.into_iter().map(|(ask, request)| (ask.unwrap_or_else(|| self.new_ask()), request));
        let before = Before { unsaved: unsaved.collect(), transfer: self.transfer.clone() };
        self.role = Role::Edge(Edge::stepped_down(now, other, before));
        self.relay.follow_another();
    }

    pub(super) fn say_again_what_was_decided(&mut self, now: Moment) {
        let Role::Edge(edge) = &mut self.role else { return };
        let Some(before) = edge.before.take() else { return };
        for request in decided_beyond(&before.transfer, &self.transfer) {
            self.ask_home(now, request);
        }
        for (ask, request) in before.unsaved {
            self.ask_home_as(now, ask, request);
        }
    }

    pub(super) fn want_home(&mut self) {
        if let Role::Edge(edge) = &mut self.role
            && edge.claim != Claim::Asked
        {
            edge.claim = Claim::Asked;
            self.outputs.push_back(Output::Claim);
        }
    }

    /// What the record says.
    pub(super) fn on_found(&mut self, now: Moment, epoch: u64, situation: Situation) {
        let home = situation.home;
        // Records that forgot let two nodes take the same epoch: the one that they name now has it.
        let is_another = epoch == self.epoch && !(self.is_home() && home == self.me);
        let is_newer = epoch > self.epoch || is_another;
        if is_newer && self.is_home() {
            self.turn_to(now, home, epoch);
        }
        if is_newer {
            self.adopt(now, home, epoch, situation);
        }
        let Role::Edge(edge) = &mut self.role else { return };
        edge.heard = now;
        let was_claiming = std::mem::replace(&mut edge.claim, Claim::None) != Claim::None;
        let denied = std::mem::replace(&mut edge.denial, Denial::None) == Denial::NotHere;
        let is_same = epoch == self.epoch && edge.home == home;
        if home == self.me
            || (was_claiming && is_same)
            || (denied && is_same)
            || self.source == SourceLink::Waits
        {
            self.want_home();
        }
    }

    pub(super) fn on_missing(&mut self) {
        self.save_again();
        if let Role::Edge(edge) = &self.role
            && edge.denial == Denial::NotHere
        {
            self.outputs.push_back(Output::Gone);
        }
    }

    pub(super) fn on_store_away(&mut self, now: Moment) {
        match &mut self.role {
            Role::Home(_) => self.go_on_unsaved(now),
            Role::Edge(edge) => {
                if edge.claim == Claim::Asked {
                    edge.claim = Claim::Again { at: now + RETRY };
                }
            }
        }
    }

    /// What the record is to say once it is this node's.
    pub fn claim(&mut self, now: Moment) -> Situation {
        Situation { number: 0, ..self.situation(now) }
    }

    /// The record is this node's: it is the home.
    pub(super) fn on_claimed(&mut self, now: Moment) {
        if self.is_home() {
            return;
        }
        self.epoch += 1;
        self.number = 0;
        let before = self.home();
        let home = Home::taken_over(now);
        let home = if before == self.me { home } else { home.remember(now, before) };
        let Role::Edge(edge) = std::mem::replace(&mut self.role, Role::Home(home)) else { return };
        self.outputs.push_back(Output::SendAll(Word::Moved.body()));
        self.steer_relay(now, relay::Input::SourceDown);
        self.relay.follow_source();
        self.relay.number_lanes_from(self.epoch << LANES_PER_EPOCH_BITS);
        self.sent_before = self.shown.as_ref().map_or(0, |status| status.sent);
        let given = match self.sent_before {
            0 => Given::Nothing,
            _ => Given::Part,
        };
        let _ = self.tell(now, transfer::Input::SourceLost { given });
        let mut asked = Vec::new();
        if let Some(before) = edge.before {
            for request in decided_beyond(&before.transfer, &self.transfer) {
                let _ = self.apply(now, request);
            }
            asked = before.unsaved;
        }
        let seated: Vec<MemberId> = (self.seats.iter().filter(|seat| seat.link == Link::Up))
            .map(|seat| seat.member.clone())
            .collect();
        for member in seated {
            let _ = self.tell(now, transfer::Input::SinkOpened { member });
        }
        asked.extend(edge.pending.into_iter().map(|Pending { ask, request, .. }| (ask, request)));
        for (ask, request) in asked {
            match self.apply(now, request.clone()) {
                Ok(decided) => self.answer_when_saved(None, ask, request, decided),
                Err(refusal) => self.outputs.push_back(Output::Answered { ask, outcome: Err(refusal) }),
            }
        }
        self.take_source(now);
    }
}

/// What was decided in `mine` and is not known in `theirs`: what a home that was cut off says again.
fn decided_beyond(mine: &Transfer, theirs: &Transfer) -> Vec<Request> {
    let mut requests = Vec::new();
    let (size, digest) = (mine.size(), mine.digest());
    if (theirs.size().is_none() && size.is_some()) || (theirs.digest().is_none() && digest.is_some()) {
        requests.push(Request::End { size, digest });
    }
    let state_there = |member: &MemberId| {
        theirs.receivers().find(|(who, _)| *who == member).map_or(ReceiverState::Invited, |(_, state)| state)
    };
    for (member, state) in mine.receivers() {
        let there = state_there(member);
        let (invited, owed) = (there == ReceiverState::Invited, theirs.is_owed(member));
        let member = member.clone();
        match state {
            ReceiverState::Rejected if invited => requests.push(Request::Reject { member }),
            ReceiverState::Cancelled if invited || owed => requests.push(Request::Reject { member }),
            _ if mine.has_accepted(&member) && (invited || owed) => {
                if let Some(token) = mine.token_of(&member).filter(|_| invited) {
                    requests.push(Request::Accept { member: member.clone(), token: token.clone() });
                }
                if state == ReceiverState::Complete {
                    requests.push(Request::Done { member, digest: None });
                }
            }
            _ => {}
        }
    }
    if mine.state() == TransferState::Cancelled && !theirs.state().is_final() {
        requests.push(Request::Cancel(crate::protocol::Party::Sender));
    }
    requests
}
