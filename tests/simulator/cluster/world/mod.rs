//! The world of one schedule of a cluster: virtual time, the nodes, what is between them, the records, and
//! the people's links. It decides nothing that a node or a client decides; what goes wrong is in `trouble`.

mod end;
mod happening;
mod links;
mod nodes;
mod requests;

use std::collections::BTreeMap;
use std::time::Duration;

use roomdrop::hub::session::{Session, Sharing};
use roomdrop::protocol::node::NodeId;
use roomdrop::protocol::{MemberId, TransferId};
use roomdrop::relay::{self, Relay};
use roomdrop::transfer::{self, Transfer};

pub use self::happening::{Happening, Signal};

use crate::cluster::flaws::Flaw;
use crate::cluster::ledger::Ledger;
use crate::cluster::net::Net;
use crate::cluster::node::Node;
use crate::cluster::person::Person;
use crate::cluster::plan::Plan;
use crate::cluster::store::Store;
use crate::cluster::task::Task;
use crate::cluster::word::{Command, Line, Request, moment};
use crate::plan::{MILLI, Peer, SECOND};
use crate::queue::Queue;

/// Happenings of one schedule, at most: more is a storm of words.
const MOST_HAPPENINGS: u64 = 600_000;

/// How long everything goes on after the last is at rest, so that all may learn of it.
const AFTERWARDS: u64 = 8 * SECOND;

/// Times that a client is refused and comes again, at most.
const MOST_TRIES: u32 = 200;

/// The same, where nobody may know the transfer any more.
const FEW_TRIES: u32 = 40;

/// A link of a person.
#[derive(Debug)]
pub struct LineInfo {
    pub peer: Peer,
    pub node: NodeId,
    pub is_up: bool,
    pub last: [u64; 2],
}

/// Something that a person wants decided.
#[derive(Debug)]
pub struct Asked {
    pub peer: Peer,
    pub ask: Request,
    pub node: Option<NodeId>,
    pub is_answered: bool,
}

/// How well a slot's node reaches the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    All,
    /// Nobody hears it and it hears nobody.
    None,
    /// It hears nothing.
    Deaf,
}

pub struct World {
    pub plan: Plan,
    pub now: u64,
    pub queue: Queue<Happening>,
    pub nodes: Vec<Option<Node>>,
    pub reach: Vec<Reach>,
    /// Counts the times that a node was cut off or came back.
    pub eras: Vec<u64>,
    pub runs: Vec<u64>,
    pub net: Net,
    pub store: Store,
    pub store_is_there: bool,
    /// When something last kept anyone from the records.
    pub records_troubled_at: Option<u64>,
    pub ledger: Ledger,
    pub people: Vec<Person>,
    pub lines: BTreeMap<Line, LineInfo>,
    next_line: Line,
    pub asked: Vec<Asked>,
    ticks: BTreeMap<NodeId, u64>,
    wakes: Vec<Option<u64>>,
    tries: u32,
    /// When each sink first got bytes after this.
    pub watch_from: Option<u64>,
    pub moved_at: Vec<Option<u64>>,
    pub watched_held: Vec<u64>,
    /// Bytes that the source said, all in all.
    pub said: u64,
    /// Somebody was told that it is done while the records could not say so.
    unsure_done: bool,
    pub log: Option<String>,
}

impl World {
    pub fn new(plan: Plan, logs: bool) -> Self {
        let mut people = vec![Person::source(&plan)];
        people.extend((0..plan.sinks.len()).map(|sink| Person::sink(&plan, sink)));
        let count = people.len();
        let mut world = Self {
            now: 0,
            queue: Queue::default(),
            nodes: Vec::new(),
            reach: vec![Reach::All; plan.nodes],
            eras: vec![0; plan.nodes],
            runs: vec![0; plan.nodes],
            net: Net::new(plan.net.clone(), plan.seed),
            store: Store::new(plan.flaw == Some(Flaw::RecordsTakeAll)),
            store_is_there: true,
            records_troubled_at: None,
            ledger: Ledger::new(&plan),
            people,
            lines: BTreeMap::new(),
            next_line: 0,
            asked: Vec::new(),
            ticks: BTreeMap::new(),
            wakes: vec![None; count],
            tries: 0,
            watch_from: None,
            moved_at: vec![None; count],
            watched_held: vec![0; count],
            said: 0,
            unsure_done: false,
            log: logs.then(String::new),
            plan,
        };
        for slot in 0..world.plan.nodes {
            let node = world.new_node(slot);
            world.nodes.push(Some(node));
        }
        let start = world.net.between(0, 100 * MILLI);
        world.at(start, Happening::Connect { peer: Peer::Source });
        for sink in 0..world.plan.sinks.len() {
            let number = world.ask(Peer::Sink(sink), Request::Accept(Person::member(sink)));
            world.at(world.plan.sinks[sink].joins_at, Happening::Ask { number });
        }
        for (at, fault) in world.plan.faults.clone() {
            world.at(at, Happening::Fault(fault));
        }
        world
    }

    pub fn new_node(&mut self, slot: usize) -> Node {
        self.runs[slot] += 1;
        let id = NodeId(slot as u64 + 1 + 16 * (self.runs[slot] - 1));
        let skew = self.net.between(0, 2 * SECOND);
        Node::new(id, slot, skew, &self.plan)
    }

    fn begin(&mut self) -> Result<(), String> {
        let options = transfer::Options {
            lifetime: Duration::from_secs(36_000),
            stall_timeout: Duration::from_secs(10),
        };
        let (id, sender) = (TransferId::from_random(1), MemberId::from_random(u64::MAX));
        let node = self.nodes[0].as_ref().expect("the first node lives");
        let (me, now) = (node.id, moment(node.skew, 0));
        let kind = if self.plan.is_once { transfer::Source::Once } else { transfer::Source::Seekable };
        let invited = (0..self.plan.sinks.len()).map(Person::member).collect();
        let transfer = Transfer::new(now, id, sender, kind, self.plan.size, invited, options);
        let source = if self.plan.is_once { relay::Source::Once } else { relay::Source::Seekable };
        let relay = Relay::new(self.plan.options.clone(), node.budget.clone(), source, self.plan.size);
        let session = Session::new(now, me, Sharing::Among, transfer, relay);
        let task = Task::new(session, self.ledger.source_token.clone());
        self.with_node(me, |node, around| node.begin(around, task))
    }

    /// Runs to the end; the time it took, or what promise was broken.
    pub fn run(&mut self) -> Result<u64, String> {
        self.begin()?;
        let mut rest_since = None;
        while let Some((at, happening)) = self.queue.next() {
            if rest_since.is_some_and(|since: u64| at >= since.max(self.plan.quiet_at) + AFTERWARDS) {
                return self.end().map(|()| self.now);
            }
            self.now = at;
            if at > self.plan.deadline || self.queue.count() > MOST_HAPPENINGS {
                return Err(format!("not done at {at} after {}: {}", self.queue.count(), self.standing()));
            }
            self.happen(happening)?;
            self.flush();
            rest_since = if self.is_at_rest() { rest_since.or(Some(at)) } else { None };
        }
        if rest_since.is_some() { self.end().map(|()| self.now) } else { Err("nothing more happens".into()) }
    }

    fn happen(&mut self, happening: Happening) -> Result<(), String> {
        self.log_happening(&happening);
        match happening {
            Happening::ToNode { line, says } => self.reach_node(line, says)?,
            Happening::ToPerson { line, word } => self.reach_person(line, &word)?,
            Happening::NodeNotices { line } => {
                if let Some(node) = self.lines.get(&line).map(|info| info.node) {
                    let token = self.ledger.source_token.clone();
                    self.with_node(node, |node, around| node.hear(around, Command::Lost { line }, &token))?;
                }
            }
            Happening::PersonNotices { line } => {
                let peer = self.lines.get(&line).map(|info| info.peer);
                if let Some(peer) = peer
                    && self.person(peer).line == Some(line)
                {
                    self.reconnect(peer, 100 * MILLI, 500 * MILLI);
                }
            }
            Happening::Connect { peer } => self.connect(peer),
            Happening::Wake { peer } => {
                let now = self.now;
                self.wakes[index(peer)] = None;
                self.person(peer).wake(now);
            }
            Happening::Tick { node } => {
                if self.ticks.get(&node) == Some(&self.now) {
                    self.ticks.remove(&node);
                    self.with_node(node, |node, around| node.tick(around))?;
                }
            }
            Happening::Frame { from, to, epoch, body } => {
                let slot = self.node(to).map(|node| node.slot);
                if slot.is_some_and(|slot| self.reaches(slot) && self.reach[slot] == Reach::All) {
                    self.with_node(to, |node, around| {
                        node.deliver(around, Command::Heard { from, epoch, body })
                    })?;
                }
            }
            Happening::Credit { from, to, len } => self.net.release(from, to, len),
            Happening::Signal { to, signal } => self.signal(to, signal)?,
            Happening::Arrives { node, trip } => self.arrive(node, trip),
            Happening::Stored { node, trip, stored } => {
                self.with_node(node, |node, around| node.stored(around, &trip, stored))?;
            }
            Happening::Ask { number } => self.send_ask(number),
            Happening::AskArrives { number, node } => {
                let ask = self.asked[number as usize].ask.clone();
                if !self.asked[number as usize].is_answered {
                    let token = self.ledger.source_token.clone();
                    let command = Command::Request { number, ask };
                    self.with_node(node, |node, around| node.hear(around, command, &token))?;
                }
            }
            Happening::Answer { number, node, outcome } => self.answered(number, node, outcome)?,
            Happening::Fault(fault) => self.go_wrong(fault)?,
            Happening::Returns { slot } => self.node_returns(slot),
            Happening::Heals { slot } => self.heal(slot),
            Happening::HealsAll => self.heal_all(),
            Happening::Hears { slot } => self.hears_again(slot),
            Happening::Beat { node, era } => self.beat_is_missed(node, era),
            Happening::Resume { peer, after } => {
                if !self.asked[after as usize].is_answered {
                    self.at(self.now + 200 * MILLI, Happening::Resume { peer, after });
                    return Ok(());
                }
                let ask = Request::Resume(self.person(peer).party());
                let number = self.ask(peer, ask);
                self.send_ask(number);
            }
        }
        Ok(())
    }

    pub fn at(&mut self, time: u64, happening: Happening) {
        self.queue.add(time.max(self.now), happening);
    }

    pub fn log(&mut self, text: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            log.push_str(&text());
            log.push('\n');
        }
    }

    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.iter().flatten().find(|node| node.id == id)
    }

    /// Whether a slot's node reaches the records now.
    pub fn reaches(&self, slot: usize) -> bool {
        self.store_is_there && self.reach[slot] != Reach::None
    }

    pub fn person(&mut self, peer: Peer) -> &mut Person {
        &mut self.people[index(peer)]
    }
}

pub fn index(peer: Peer) -> usize {
    match peer {
        Peer::Source => 0,
        Peer::Sink(sink) => sink + 1,
    }
}
