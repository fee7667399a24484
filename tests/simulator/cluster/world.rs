//! The world of one schedule of a cluster: virtual time, the nodes, what is between them, the records, and
//! the people's links. It decides nothing that a node or a client decides; what goes wrong is in `trouble`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use roomdrop::hub::session::{Decided, Session, Sharing, SinkKind};
use roomdrop::protocol::node::{Body, NodeId};
use roomdrop::protocol::{ErrorCode, MemberId, TransferId, TransferState};
use roomdrop::relay::{self, Relay};
use roomdrop::transfer::{self, Transfer};

use crate::cluster::flaws::Flaw;
use crate::cluster::ledger::Ledger;
use crate::cluster::net::Net;
use crate::cluster::node::{Node, Surroundings};
use crate::cluster::person::{Link, Need, Person, Says};
use crate::cluster::plan::{Fault, Plan};
use crate::cluster::store::{Next, Store, Stored, Trip};
use crate::cluster::task::Task;
use crate::cluster::word::{Act, Command, Line, Request, Word, moment};
use crate::plan::{MILLI, Peer, SECOND};
use crate::queue::Queue;
use crate::{sink, source};

/// Happenings of one schedule, at most: more is a storm of words.
const MOST_HAPPENINGS: u64 = 600_000;
/// How long everything goes on after the last is at rest, so that all may learn of it.
const AFTERWARDS: u64 = 8 * SECOND;
/// Times that a client is refused and comes again, at most.
const MOST_TRIES: u32 = 200;
/// The same, where nobody may know the transfer any more.
const FEW_TRIES: u32 = 40;

#[derive(Debug)]
pub enum Happening {
    ToNode {
        line: Line,
        says: Says,
    },
    ToPerson {
        line: Line,
        word: Word,
    },
    NodeNotices {
        line: Line,
    },
    PersonNotices {
        line: Line,
    },
    Connect {
        peer: Peer,
    },
    Wake {
        peer: Peer,
    },
    Tick {
        node: NodeId,
    },
    Frame {
        from: NodeId,
        to: NodeId,
        epoch: u64,
        body: Body,
    },
    Credit {
        from: NodeId,
        to: NodeId,
        len: u64,
    },
    Signal {
        to: NodeId,
        signal: Signal,
    },
    Arrives {
        node: NodeId,
        trip: Trip,
    },
    Stored {
        node: NodeId,
        trip: Trip,
        stored: Stored,
    },
    Ask {
        number: u64,
    },
    AskArrives {
        number: u64,
        node: NodeId,
    },
    Answer {
        number: u64,
        node: NodeId,
        outcome: Result<Decided, ErrorCode>,
    },
    Fault(Fault),
    Returns {
        slot: usize,
    },
    Heals {
        slot: usize,
    },
    HealsAll,
    Hears {
        slot: usize,
    },
    Beat {
        node: NodeId,
        era: u64,
    },
    /// Once that request is answered.
    Resume {
        peer: Peer,
        after: u64,
    },
}

/// What a node hears of the others, or of what joins it to them.
#[derive(Debug, Clone, Copy)]
pub enum Signal {
    Undelivered(NodeId),
    Hello(NodeId),
    NodeLost(NodeId),
    Away,
    Back,
}

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

    fn is_at_rest(&self) -> bool {
        self.people.iter().all(Person::is_at_rest)
    }

    fn standing(&self) -> String {
        let people: Vec<_> = self.people.iter().map(|p| (p.held(), p.link, p.told, p.closed)).collect();
        let nodes: Vec<_> = (self.nodes.iter().flatten())
            .map(|node| {
                let session = node.task().map(|task| &task.session);
                let show = |s: &Session| (s.is_home(), s.epoch(), s.home(), s.transfer().state());
                (node.id, session.map(show))
            })
            .collect();
        format!("{people:?} of {}; {nodes:?}", self.plan.producer.size)
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

    /// Lets a node do something, and carries out its acts.
    pub fn with_node(
        &mut self,
        id: NodeId,
        act: impl FnOnce(&mut Node, &mut Surroundings) -> Result<(), String>,
    ) -> Result<(), String> {
        let Some(slot) = self.nodes.iter().position(|node| node.as_ref().is_some_and(|n| n.id == id)) else {
            return Ok(());
        };
        let Some(mut node) = self.nodes[slot].take() else { return Ok(()) };
        let mut acts = Vec::new();
        let lost = node.lost.clone();
        let mut around = Surroundings {
            plan: &self.plan,
            now: self.now,
            me: id,
            skew: node.skew,
            lost: &lost,
            is_away: node.is_away,
            used: node.budget.used(),
            net: &mut self.net,
            ledger: &mut self.ledger,
            acts: &mut acts,
            log: &mut self.log,
        };
        let outcome = act(&mut node, &mut around);
        let timeout = node.timeout().map(|at| at.max(self.now));
        self.nodes[slot] = Some(node);
        outcome?;
        if let Some(at) = timeout
            && self.ticks.get(&id) != Some(&at)
        {
            self.ticks.insert(id, at);
            self.at(at, Happening::Tick { node: id });
        }
        for act in acts {
            self.carry_out(id, slot, act)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, id: NodeId, slot: usize, act: Act) -> Result<(), String> {
        match act {
            Act::Say { line, word } => self.send_down(line, word)?,
            Act::Answer { number, outcome } => {
                self.check_answer(number, &outcome)?;
                let at = self.now + self.net.between(self.plan.lines.0, self.plan.lines.1);
                self.at(at, Happening::Answer { number, node: id, outcome });
            }
            Act::Post { to, epoch, body } => self.post(id, slot, to, epoch, body)?,
            Act::PostAll { epoch, body } => {
                let others: Vec<_> = self.nodes.iter().flatten().map(|node| node.id).collect();
                for to in others.into_iter().filter(|to| *to != id) {
                    self.post(id, slot, to, epoch, body.clone())?;
                }
            }
            Act::Trip(trip) => {
                let at = self.now + self.net.trip();
                self.at(at, Happening::Arrives { node: id, trip });
            }
        }
        Ok(())
    }

    fn post(&mut self, from: NodeId, slot: usize, to: NodeId, epoch: u64, body: Body) -> Result<(), String> {
        let len = match &body {
            Body::Chunk { bytes, .. } => bytes.len() as u64,
            _ => 0,
        };
        if len > 0 {
            self.ledger.on_post_chunk(to)?;
        }
        let is_quiet = self.now >= self.plan.quiet_at;
        let arrives = self.net.travel(self.now, is_quiet, from, to);
        let there = self.node(to).map(|node| self.reach[node.slot] == Reach::All);
        let goes = self.reaches(slot);
        if !goes || there != Some(true) {
            // It reaches nobody; the sender mostly hears so.
            if goes && self.net.percent(85) {
                let at = self.now + 2 * self.net.trip();
                self.at(at, Happening::Signal { to: from, signal: Signal::Undelivered(to) });
            }
            self.at(self.now + 300 * MILLI, Happening::Credit { from, to, len });
            return Ok(());
        }
        if arrives.is_empty() {
            self.log(|| format!("  lost: from {from} to {to}"));
            self.at(self.now + 300 * MILLI, Happening::Credit { from, to, len });
            if self.net.percent(50) {
                let at = self.now + self.net.between(10 * MILLI, SECOND);
                self.at(at, Happening::Signal { to: from, signal: Signal::Hello(to) });
            }
        }
        for (index, at) in arrives.into_iter().enumerate() {
            if index == 0 {
                self.at(at, Happening::Credit { from, to, len });
            }
            self.at(at, Happening::Frame { from, to, epoch, body: body.clone() });
        }
        Ok(())
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

    fn log_happening(&mut self, happening: &Happening) {
        if self.log.is_none() {
            return;
        }
        let now = self.now;
        let text = match happening {
            Happening::Tick { node } => format!("tick {node}"),
            Happening::Credit { .. } | Happening::Wake { .. } => return,
            Happening::Frame { from, to, epoch, body } => {
                format!("frame {from} to {to} @{epoch} {}", crate::cluster::word::Shown(body))
            }
            Happening::ToPerson { line, word } => format!("to person {line} {word}"),
            Happening::Arrives { node, trip } => {
                format!("arrives from {node} {}", Act::Trip(trip.clone()))
            }
            Happening::Stored { node, stored, .. } => match stored {
                Stored::Found(epoch, situation) => {
                    format!("stored {node} found @{epoch} {} {}", situation.home, situation.number)
                }
                stored => format!("stored {node} {stored:?}"),
            },
            happening => format!("{happening:?}"),
        };
        self.log(|| format!("{now} {text}"));
    }

    pub fn person(&mut self, peer: Peer) -> &mut Person {
        &mut self.people[index(peer)]
    }

    fn reach_node(&mut self, line: Line, says: Says) -> Result<(), String> {
        let Some(info) = self.lines.get(&line).filter(|info| info.is_up) else { return Ok(()) };
        let (peer, node) = (info.peer, info.node);
        let person = &self.people[index(peer)];
        let token = person.token.clone().unwrap_or_else(|| self.ledger.source_token.clone());
        let download = person.download();
        let mut commands = Vec::new();
        match says {
            Says::Open if peer == Peer::Source => commands.push(Command::OpenSource { line }),
            Says::Open => {
                let kind = download.map_or(SinkKind::Link, |from| SinkKind::Download { from });
                commands.push(Command::OpenSink { line, token: token.clone(), kind });
            }
            Says::Source(source::Say::Chunk { lane, offset, len, quality }) => {
                commands.push(Command::Chunk { line, lane, offset, len, quality });
            }
            Says::Source(source::Say::End { size }) => commands.push(Command::SourceEnd { line, size }),
            Says::Source(source::Say::Fail) => commands.push(Command::SourceFail { line }),
            Says::Sink(sink::Say::Pull { lane, from, limit }) => {
                commands.push(Command::Pull { line, lane, from, limit });
            }
            // A body that ends was read to its end.
            Says::Sink(sink::Say::Done) if download.is_some() => {
                let held = person.held();
                commands.push(Command::Pull { line, lane: u64::MAX, from: held, limit: held });
                commands.push(Command::DownloadEnded { line });
            }
            Says::Sink(sink::Say::Done) => commands.push(Command::SinkDone { line }),
            Says::Source(source::Say::Open) | Says::Sink(sink::Say::Open { .. }) => {}
        }
        for command in commands {
            let token = token.clone();
            self.with_node(node, |node, around| node.hear(around, command, &token))?;
        }
        Ok(())
    }

    fn reach_person(&mut self, line: Line, word: &Word) -> Result<(), String> {
        if let Word::Chunk { bytes, .. } = word {
            self.net.unqueue(line, bytes.len() as u64);
        }
        let Some(info) = self.lines.get(&line).filter(|info| info.is_up) else { return Ok(()) };
        let peer = info.peer;
        if self.person(peer).line != Some(line) {
            return Ok(());
        }
        if let Word::Refused(error) = word {
            // Of a source that cannot go back, a receiver may have been ended.
            let sure = self.person(peer).is_sure && self.records_were_there() && !self.plan.is_once;
            self.ledger.on_refusal(*error, sure)?;
        }
        let now = self.now;
        match self.person(peer).hear(now, word) {
            Need::Nothing => {}
            Need::Reconnect => self.try_again(peer)?,
            Need::AcceptAgain => {
                self.drop_line(peer);
                self.person(peer).token = None;
                if let Peer::Sink(sink) = peer {
                    let number = self.ask(peer, Request::Accept(Person::member(sink)));
                    self.at(now + 200 * MILLI, Happening::Ask { number });
                } else {
                    self.try_again(peer)?;
                }
            }
        }
        self.watch(peer);
        Ok(())
    }

    fn watch(&mut self, peer: Peer) {
        let held = self.person(peer).held();
        let index = index(peer);
        if self.watch_from.is_some() && self.moved_at[index].is_none() && held > self.watched_held[index] {
            self.moved_at[index] = Some(self.now);
        }
    }

    /// Whether the records were within everybody's reach for a while.
    pub fn records_were_there(&self) -> bool {
        !self.plan.forgets() && self.records_troubled_at.is_none_or(|at| self.now > at + 10 * SECOND)
    }

    /// Whether all who knew of the transfer may be gone, the records too.
    fn may_be_lost(&self) -> bool {
        self.plan.forgets() && self.plan.kills()
    }

    fn try_again(&mut self, peer: Peer) -> Result<(), String> {
        self.tries += 1;
        if self.tries > FEW_TRIES && self.may_be_lost() {
            self.person(peer).closed = Some(ErrorCode::TransferNotFound);
            return Ok(());
        }
        if self.tries > MOST_TRIES {
            return Err(format!("clients come again and again: {}", self.standing()));
        }
        self.reconnect(peer, 300 * MILLI, 800 * MILLI);
        Ok(())
    }

    /// The client lets go of its link and comes back after a while.
    pub fn reconnect(&mut self, peer: Peer, least: u64, most: u64) {
        self.drop_line(peer);
        let at = self.now + self.net.between(least, most);
        self.at(at, Happening::Connect { peer });
    }

    /// A client closes its link; its node hears so.
    fn drop_line(&mut self, peer: Peer) {
        if let Some(line) = self.person(peer).line {
            self.person(peer).disconnect();
            if let Some(info) = self.lines.get_mut(&line)
                && info.is_up
            {
                info.is_up = false;
                let at = self.now + self.net.between(self.plan.lines.0, self.plan.lines.1);
                self.at(at, Happening::NodeNotices { line });
            }
        }
    }

    fn connect(&mut self, peer: Peer) {
        let now = self.now;
        if self.person(peer).line.is_some() || !self.person(peer).wants_link() {
            return;
        }
        let Some(node) = self.some_node() else {
            return self.at(now + 100 * MILLI, Happening::Connect { peer });
        };
        self.next_line += 1;
        let line = self.next_line;
        self.lines.insert(line, LineInfo { peer, node, is_up: true, last: [now; 2] });
        if let Peer::Sink(sink) = peer {
            self.net.open(line, self.plan.sinks[sink].outbox);
        }
        self.person(peer).connect(now, line);
    }

    /// Where a balancer sends a client.
    pub fn some_node(&mut self) -> Option<NodeId> {
        let live: Vec<_> = self.nodes.iter().flatten().map(|node| node.id).collect();
        let index = self.net.between(0, (live.len() as u64).saturating_sub(1)) as usize;
        live.get(index).copied()
    }

    pub fn ask(&mut self, peer: Peer, ask: Request) -> u64 {
        self.asked.push(Asked { peer, ask, node: None, is_answered: false });
        self.asked.len() as u64 - 1
    }

    pub fn send_ask(&mut self, number: u64) {
        let now = self.now;
        if self.asked[number as usize].is_answered
            || self.people[index(self.asked[number as usize].peer)].has_left
                && matches!(self.asked[number as usize].ask, Request::Accept(_))
        {
            return;
        }
        let Some(node) = self.some_node() else {
            return self.at(now + 100 * MILLI, Happening::Ask { number });
        };
        self.asked[number as usize].node = Some(node);
        let at = now + self.net.between(self.plan.lines.0, self.plan.lines.1);
        self.at(at, Happening::AskArrives { number, node });
    }

    fn answered(
        &mut self,
        number: u64,
        node: NodeId,
        outcome: Result<Decided, ErrorCode>,
    ) -> Result<(), String> {
        let now = self.now;
        let asked = &mut self.asked[number as usize];
        // An answer of a node that the client has turned from is not heard.
        if asked.is_answered || asked.node != Some(node) {
            return Ok(());
        }
        let (peer, ask) = (asked.peer, asked.ask.clone());
        match (outcome, &ask) {
            (Ok(Decided::Accepted(token)), Request::Accept(member)) => {
                asked.is_answered = true;
                let sure = self.records_were_there();
                self.ledger.on_token(member, &token, sure)?;
                self.person(peer).token = Some(token);
                self.person(peer).is_sure = sure;
                self.at(now, Happening::Connect { peer });
            }
            (Ok(_), _) => asked.is_answered = true,
            (Err(ErrorCode::TransferClosed), _) => {
                asked.is_answered = true;
                if matches!(ask, Request::Accept(_)) {
                    self.person(peer).closed = Some(ErrorCode::TransferClosed);
                }
            }
            (Err(error), _) => {
                let sure = self.records_were_there() && error == ErrorCode::TransferNotFound;
                self.ledger.on_refusal(error, sure)?;
                if error == ErrorCode::NotAllowed && !matches!(ask, Request::Accept(_)) {
                    self.asked[number as usize].is_answered = true;
                    return Ok(());
                }
                self.tries += 1;
                if self.tries > FEW_TRIES && self.may_be_lost() {
                    self.asked[number as usize].is_answered = true;
                    self.person(peer).closed = Some(error);
                    return Ok(());
                }
                if self.tries > MOST_TRIES {
                    return Err(format!("{ask:?} is refused again and again: {error}"));
                }
                self.at(now + 500 * MILLI, Happening::Ask { number });
            }
        }
        Ok(())
    }

    /// What is answered stands in the record.
    fn check_answer(&mut self, number: u64, outcome: &Result<Decided, ErrorCode>) -> Result<(), String> {
        if !self.records_were_there() {
            return Ok(());
        }
        let Ok(decided) = outcome else { return Ok(()) };
        let Some((_, situation)) = self.store.situation() else {
            return Err(format!("{decided:?} was answered, and there is no record"));
        };
        let transfer = &situation.transfer;
        let stands = match (decided, &self.asked[number as usize].ask) {
            (Decided::Accepted(token), Request::Accept(member)) => transfer.token_of(member) == Some(token),
            (_, Request::Cancel(roomdrop::protocol::Party::Sender)) => transfer.state().is_final(),
            (_, Request::Cancel(roomdrop::protocol::Party::Receiver(member))) => !transfer.is_owed(member),
            _ => true,
        };
        if stands { Ok(()) } else { Err(format!("{decided:?} was answered, and the record does not say so")) }
    }

    fn check_done(&mut self, line: Line) -> Result<(), String> {
        let Some(Peer::Sink(sink)) = self.lines.get(&line).map(|info| info.peer) else { return Ok(()) };
        self.unsure_done |= !self.records_were_there();
        if !self.records_were_there() || self.plan.sinks[sink].is_download {
            return Ok(());
        }
        let owed = self.store.situation().is_none_or(|(_, it)| it.transfer.is_owed(&Person::member(sink)));
        if owed {
            Err(format!("done of {sink} was answered, and the record does not say so"))
        } else {
            Ok(())
        }
    }

    fn arrive(&mut self, node: NodeId, trip: Trip) {
        // A trip that was begun arrives, whether or not its node still lives.
        let slot = (node.0 as usize - 1) % 16;
        let back = self.net.trip();
        if !self.reaches(slot) {
            let late = self.net.between(100 * MILLI, 1500 * MILLI);
            let happening = Happening::Stored { node, trip, stored: Stored::Away };
            return self.at(self.now + late, happening);
        }
        match self.store.arrive(trip.clone()) {
            Next::Trip(next) => self.at(self.now + 2 * back, Happening::Arrives { node, trip: next }),
            Next::Done(stored) => self.at(self.now + back, Happening::Stored { node, trip, stored }),
        }
    }

    fn signal(&mut self, to: NodeId, signal: Signal) -> Result<(), String> {
        let Some(slot) = self.node(to).map(|node| node.slot) else { return Ok(()) };
        if let Some(node) = &mut self.nodes[slot] {
            match signal {
                Signal::NodeLost(lost) => drop(node.lost.insert(lost)),
                Signal::Hello(other) => drop(node.lost.remove(&other)),
                Signal::Away => node.is_away = true,
                Signal::Back => node.is_away = false,
                Signal::Undelivered(_) => {}
            }
        }
        let command = match signal {
            Signal::Undelivered(node) => Command::Undelivered(node),
            Signal::Hello(node) => Command::Hello(node),
            Signal::NodeLost(node) => Command::NodeLost(node),
            Signal::Away => return Ok(()),
            Signal::Back => Command::Back,
        };
        self.with_node(to, |node, around| node.deliver(around, command))
    }

    fn send_down(&mut self, line: Line, word: Word) -> Result<(), String> {
        if matches!(word, Word::Thanks) {
            self.check_done(line)?;
        }
        let Some(info) = self.lines.get(&line) else { return Ok(()) };
        let (peer, len) = match &word {
            Word::Chunk { bytes, .. } => (info.peer, bytes.len() as u64),
            _ => (info.peer, 0),
        };
        let takes = match peer {
            Peer::Source => 0,
            Peer::Sink(sink) => len * MILLI / self.plan.sinks[sink].rate,
        };
        let at = self.travel(line, 1, takes);
        self.at(at, Happening::ToPerson { line, word });
        Ok(())
    }

    fn travel(&mut self, line: Line, way: usize, takes: u64) -> u64 {
        let delay = self.net.between(self.plan.lines.0, self.plan.lines.1);
        let now = self.now;
        let Some(info) = self.lines.get_mut(&line) else { return now };
        info.last[way] = (now + delay).max(info.last[way]) + takes;
        info.last[way]
    }

    /// Sends what was said, and plans who wakes when.
    fn flush(&mut self) {
        for index in 0..self.people.len() {
            let peer = self.people[index].peer;
            let said = self.people[index].take_says();
            if let Some(line) = self.people[index].line {
                for says in said {
                    if let Says::Source(source::Say::Chunk { len, .. }) = &says {
                        self.said += len;
                    }
                    let at = self.travel(line, 0, 0);
                    self.at(at, Happening::ToNode { line, says });
                }
            }
            if let Some(at) = self.people[index].wake_at
                && self.wakes[index] != Some(at)
            {
                self.wakes[index] = Some(at);
                self.at(at, Happening::Wake { peer });
            }
        }
    }

    /// When all is over: everybody who is still here knows how it ended.
    fn end(&mut self) -> Result<(), String> {
        let mut homes = BTreeSet::new();
        let mut states = Vec::new();
        for node in self.nodes.iter().flatten() {
            if let Some(task) = node.task() {
                if task.session.is_home() {
                    homes.insert((task.session.epoch(), node.id));
                }
                let people = self.lines.iter().any(|(line, info)| info.is_up && task.has_line(*line));
                if people || task.session.is_home() {
                    states.push((node.id, task.session.transfer().state()));
                }
            }
        }
        if homes.len() > 1 {
            return Err(format!("several homes: {homes:?}: {}", self.standing()));
        }
        let mut expected: Vec<TransferState> = vec![TransferState::Complete];
        let cancels = self.plan.cancels();
        if cancels {
            expected.push(TransferState::Cancelled);
        }
        if self.plan.is_once {
            expected.push(TransferState::Failed);
        }
        let everybody_left = !self.people.iter().any(|person| person.is_done());
        if everybody_left {
            expected.extend([TransferState::Offered, TransferState::Paused]);
        }
        // A download resumed elsewhere may not join on to what is known of it: its receiver stays owed.
        let downloads = self.plan.sinks.iter().any(|sink| sink.is_download) && !self.plan.faults.is_empty();
        let forgiven = downloads || self.may_be_lost() || (self.unsure_done && self.plan.kills());
        for (node, state) in &states {
            if !expected.contains(state) && !forgiven {
                return Err(format!("it ended as {state:?} at {node}: {}", self.standing()));
            }
        }
        if states.windows(2).any(|pair| pair[0].1 != pair[1].1) {
            return Err(format!("the nodes disagree: {}", self.standing()));
        }
        self.people_know(forgiven, &expected)
    }

    fn people_know(&self, forgiven: bool, expected: &[TransferState]) -> Result<(), String> {
        for person in &self.people {
            let whole = person.held() == self.plan.producer.size;
            if let Some(error) = person.closed
                && !self.plan.is_once
                && !self.plan.cancels()
                && !self.may_be_lost()
            {
                return Err(format!("{:?} was closed with {error}", person.peer));
            }
            if person.is_done() && !whole {
                return Err(format!("{:?} is done with {}", person.peer, person.held()));
            }
            let is_download = person.download().is_some();
            if person.link == Link::Open
                && person.closed.is_none()
                && !is_download
                && person.told.is_none_or(|told| !expected.contains(&told))
                && !forgiven
            {
                return Err(format!("{:?} was told {:?}: {}", person.peer, person.told, self.standing()));
            }
        }
        Ok(())
    }
}

pub fn index(peer: Peer) -> usize {
    match peer {
        Peer::Source => 0,
        Peer::Sink(sink) => sink + 1,
    }
}
