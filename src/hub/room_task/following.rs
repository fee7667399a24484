//! What a room's log says, and what to do when it says nothing. While the service is away this node goes on
//! by a copy of its own, and keeps what it would have appended. When the service is back the log gets it,
//! whatever others said meanwhile stands where it stands, and people here are told what they missed.
//! Nobody is told anything twice, and who was here all the time does not seem to leave and come.

use std::time::Duration;

use tokio::time::Instant;

use super::line::News;
use super::people::Owed;
use super::queue::{Own, Showing, peer_of};
use super::{Service, Task, View};
use crate::broker::{Heard, NotAppended, Position, Story};
use crate::protocol::Refusal;
use crate::protocol::node::NodeId;
use crate::protocol::rooms::Presented;
use crate::room::{Entry, Event, Input, Output, PeerId, Replica, Reply, Room};

/// How soon a service that is away is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// How long what was given to the service may take to come back, before the log is followed anew.
const PATIENCE: Duration = Duration::from_secs(5);
/// Entries after which whoever wrote the last one compacts the log,
const COMPACT_ENTRIES: u64 = 128;
/// or bytes.
const COMPACT_BYTES: usize = 256 << 10;
/// How long a node that is not known here may have links, before it is held for lost.
const DOUBT: Duration = Duration::from_secs(5);

impl Task {
    pub(super) fn hear(&mut self, news: News) {
        match news {
            News::Followed(Ok(story)) | News::Heard(Heard::Again(story)) => self.read(&story),
            News::Followed(Err(_)) | News::Heard(Heard::Away) => self.be_away(),
            News::Heard(Heard::Entry { at, entry }) => self.take_entry(at, &entry),
            News::Heard(Heard::Forgotten) => self.seed(),
            News::Heard(Heard::Back) => self.be_back(),
            News::Ended => self.line.follow(),
            News::Appended(Ok(())) => {
                self.expect_answer();
                self.come_back();
            }
            News::Appended(Err(NotAppended::Away)) | News::Seeded(Err(_)) => self.be_away(),
            News::Appended(Err(NotAppended::OtherGeneration)) | News::Seeded(Ok(())) => {
                self.queue.give_again();
                self.service = Service::OtherLog { by: Instant::now() + PATIENCE };
            }
        }
    }

    fn expect_answer(&mut self) {
        let answer_by = self.queue.has_given().then(|| Instant::now() + PATIENCE);
        self.service = Service::There { answer_by };
    }

    fn be_away(&mut self) {
        self.line.drop_calls();
        self.queue.give_again();
        self.service = Service::Away { again: Instant::now() + RETRY };
        self.go_alone();
    }

    fn be_back(&mut self) {
        self.line.drop_calls();
        self.queue.give_again();
        self.service = Service::There { answer_by: None };
        self.come_back();
    }

    /// The service was away a moment ago.
    pub(super) fn try_again(&mut self) {
        let is_there = self.hub.broker().is_there();
        if is_there && !self.line.has_follower() {
            self.line.follow();
        } else if !is_there || !self.line.is_up() {
            self.service = Service::Away { again: Instant::now() + RETRY };
        } else if self.queue.is_empty() {
            self.be_back();
        } else {
            self.service = Service::There { answer_by: None };
        }
    }

    /// The log as it stands, at the beginning or in the place of the one that was known.
    fn read(&mut self, story: &Story) {
        let is_beginning = matches!(self.view, View::Beginning);
        let Some(log) = self.retell(story) else {
            tracing::error!(room.id = %self.id, "the room's log cannot be read; this node goes on alone");
            return self.be_away();
        };
        if story.state.is_none() && story.entries.is_empty() && !self.log.is_new() {
            return self.seed();
        }
        if !is_beginning {
            self.be_away();
        }
        self.log = log;
        self.line.at = story.at;
        self.grown = story.entries.iter().map(bytes::Bytes::len).sum();
        self.queue.continue_after(self.log.last_of(self.me));
        self.service = Service::There { answer_by: None };
        if is_beginning {
            self.view = View::Together;
            self.drops.become_those_of(self.log.room());
            self.give_up_lost_links();
            self.check_nodes();
        } else {
            self.come_back();
        }
    }

    fn retell(&self, story: &Story) -> Option<Replica> {
        let mut log = match &story.state {
            Some(state) => Replica::read(self.now(), state)?,
            None => Replica::new(self.id.clone(), self.hub.options().room),
        };
        for entry in story.entries.iter().filter_map(|bytes| Entry::read(bytes)) {
            let _ = log.take(self.now(), entry);
            drain(log.room_mut());
        }
        Some(log)
    }

    /// The service forgot the log: it gets it from here.
    fn seed(&mut self) {
        self.line.drop_calls();
        self.queue.give_again();
        self.service = Service::OtherLog { by: Instant::now() + PATIENCE };
        if let Some(state) = self.log.write_anew(self.me, self.now()) {
            self.line.seed(state);
        }
    }

    fn take_entry(&mut self, at: Position, bytes: &[u8]) {
        if at.generation != self.line.at.generation {
            // The log is another one than this node thinks, and is about to be read.
            return;
        }
        self.line.at = at;
        self.grown += bytes.len();
        let Some(entry) = Entry::read(bytes) else {
            tracing::error!(room.id = %self.id, "an entry of the room's log cannot be read; it is left out");
            return;
        };
        let (author, count, input) = (entry.author, entry.count, entry.input.clone());
        let own = if author == self.me { self.queue.take(count) } else { None };
        let holds_us_for_lost = matches!(input, Input::NodeLost { node } if node == self.me);
        if holds_us_for_lost && matches!(self.view, View::Together) {
            // People here notice nothing: until all their links are in again they are shown what was.
            self.go_alone();
            self.show_own_until_whole();
        }
        if let Some(outcome) = self.log.take(self.now(), entry) {
            let outputs = drain(self.log.room_mut());
            if author == self.me && outcome.is_err() {
                self.queue.forget(count);
            }
            match own {
                Some(Own { showing, .. }) if self.is_to_be_repeated(&input, &outcome, &showing) => {
                    self.repeat(input, showing);
                }
                own => self.learn(author, &input, own, outcome, outputs),
            }
        }
        if matches!(self.view, View::Together) {
            self.forget_ports();
        }
        if author == self.me {
            self.note_own(at, count);
        }
        self.return_if_whole();
    }

    /// An entry of this node's came back.
    fn note_own(&mut self, at: Position, count: u64) {
        if self.ticking.is_some_and(|ticking| ticking <= count) {
            self.ticking = None;
        }
        if let Service::There { .. } = self.service {
            self.expect_answer();
        }
        if at.count.is_multiple_of(COMPACT_ENTRIES) || self.grown > COMPACT_BYTES {
            self.grown = 0;
            if let Some(state) = self.log.write() {
                self.line.compact(state);
            }
        }
    }

    /// What an entry of the log means for this node.
    fn learn(
        &mut self,
        author: NodeId,
        input: &Input,
        own: Option<Own<Owed>>,
        outcome: Result<Reply, Refusal>,
        outputs: Vec<Output>,
    ) {
        self.note_drops(input, &outcome);
        self.note_link(input, &outcome);
        match input {
            Input::Join { peer, .. } if outcome.is_err() && self.peers.contains_key(peer) => {
                self.show_out(*peer);
            }
            Input::Join { .. } if author != self.me => self.doubt_unknown(author),
            _ => {}
        }
        if let Some(Own { showing: Showing::Owed(owed), .. }) = own {
            self.settle(owed, outcome);
        }
        if matches!(self.view, View::Together) {
            self.carry_out(outputs);
        }
    }

    /// From now on people of this node are shown a copy of its own.
    fn go_alone(&mut self) {
        let local = match std::mem::replace(&mut self.view, View::Beginning) {
            View::Beginning | View::Together => Box::new(self.log.clone()),
            View::Alone(local) | View::Returning(local) => local,
        };
        self.view = View::Alone(local);
        self.ticking = None;
        while let Some((entry, owed)) = self.queue.show_next() {
            self.take_here(entry, owed);
        }
        self.forget_ports();
    }

    /// The log is to have what this node's copy has.
    fn come_back(&mut self) {
        self.show_own_until_whole();
        self.return_if_whole();
    }

    fn show_own_until_whole(&mut self) {
        match std::mem::replace(&mut self.view, View::Together) {
            View::Alone(local) | View::Returning(local) => self.view = View::Returning(local),
            view => self.view = view,
        }
    }

    /// Once the log has everything that this node's copy has, and every link, people are shown the log, and
    /// told what they missed.
    fn return_if_whole(&mut self) {
        let View::Returning(local) = &self.view else { return };
        if !self.queue.is_empty() {
            return;
        }
        let entering = self.entering(local.room());
        let missing =
            |input: &Input| peer_of(input).is_some_and(|peer| self.log.room().member(peer).is_none());
        let missing: Vec<_> = entering.into_iter().filter(missing).collect();
        if !missing.is_empty() {
            for input in missing {
                self.repeat(input, Showing::Shown);
            }
            return;
        }
        let View::Returning(local) = std::mem::replace(&mut self.view, View::Together) else { return };
        self.carry_out(self.log.room().differences(local.room()));
        let over = self.drops.become_those_of(self.log.room());
        self.let_go(&over);
        self.forget_ports();
        self.give_up_lost_links();
        self.check_nodes();
    }

    /// What makes this node's links who they are in `room`.
    fn entering(&self, room: &Room) -> Vec<Input> {
        let ours = room.links().filter(|peer| self.peers.contains_key(peer));
        ours.filter_map(|peer| room.entering(peer)).collect()
    }

    /// A link that the room does not let in again.
    fn show_out(&mut self, peer: PeerId) {
        if let Some(member) = self.shown().room().shown(peer) {
            let room = self.id.clone();
            self.tell(&[peer], &Event::Left(Presented { room, member }.into()));
        }
        self.peers.remove(&peer);
        tracing::info!(room.id = %self.id, "a link was not let in again");
    }

    /// Only links that are in the room, or on their way back in, are told things.
    pub(super) fn forget_ports(&mut self) {
        let returning: Vec<_> = self.queue.iter().filter_map(|own| peer_of(&own.entry.input)).collect();
        let room = match &self.view {
            View::Beginning | View::Together => self.log.room(),
            View::Alone(local) | View::Returning(local) => local.room(),
        };
        self.peers.retain(|peer, _| room.member(*peer).is_some() || returning.contains(peer));
    }

    /// Links of this node that the room knows and the node does not are lost.
    fn give_up_lost_links(&mut self) {
        let is_lost = |peer: &PeerId| peer.node == self.me && !self.peers.contains_key(peer);
        let lost: Vec<_> = self.log.room().links().filter(is_lost).collect();
        for peer in lost {
            self.submit_always(Input::Lost { peer });
        }
    }

    fn doubt_unknown(&mut self, author: NodeId) {
        if self.doubt.is_none() && !self.is_alive(author) {
            self.doubt = Some(Instant::now() + DOUBT);
        }
    }

    fn is_alive(&self, node: NodeId) -> bool {
        node == self.me || self.hub.broker().nodes().iter().any(|known| known.id == node)
    }

    /// Nodes that have links here and do not live are lost.
    pub(super) fn check_nodes(&mut self) {
        if !matches!(self.view, View::Together) || !self.hub.broker().is_there() {
            return;
        }
        let nodes = self.log.room().links().map(|peer| peer.node);
        let mut lost: Vec<_> = nodes.filter(|node| !self.is_alive(*node)).collect();
        lost.dedup();
        for node in lost {
            self.lose_node(node);
        }
    }

    /// A node is lost. While alone nobody can tell; it is looked at again on the way back.
    pub(super) fn lose_node(&mut self, node: NodeId) {
        let is_said = self
            .queue
            .iter()
            .any(|own| matches!(own.entry.input, Input::NodeLost { node: known } if known == node));
        if matches!(self.view, View::Together) && !is_said && self.log.room().has_links_of(node) {
            self.submit_always(Input::NodeLost { node });
        }
    }
}

pub(super) fn drain(room: &mut Room) -> Vec<Output> {
    std::iter::from_fn(|| room.poll_output()).collect()
}
