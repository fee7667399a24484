//! A service between nodes, in memory, with every fault that the port allows for: it goes away from one node
//! or all, forgets, repeats, answers late or not at all, and compacts.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::broker::{
    Away, Broker, Delivery, Full, Heard, Key, NotAppended, Position, Record, Story, Written,
};
use crate::protocol::RoomId;
use crate::protocol::node::{Frame, Node, NodeId};

const FOLLOWER: usize = 100_000;

#[derive(Clone, Default)]
pub(super) struct Service(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    nodes: BTreeMap<NodeId, Reach>,
    logs: HashMap<RoomId, Log>,
    followers: Vec<Follower>,
    generation: u64,
    faults: Faults,
}

/// What goes wrong besides.
#[derive(Clone, Copy, Default)]
pub(super) struct Faults {
    /// Every append is done twice.
    pub(super) repeats: bool,
    /// Every append is done, and every so many of them is said to have failed.
    pub(super) denies_every: Option<u64>,
    /// How long an append takes.
    pub(super) delay: Duration,
    pub(super) appends: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    There,
    Cut,
    Dead,
}

struct Log {
    generation: u64,
    base: (u64, Option<Bytes>),
    entries: Vec<Bytes>,
}

struct Follower {
    node: NodeId,
    room: RoomId,
    to: mpsc::Sender<Heard>,
    at: Position,
    state: Following,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Following {
    Up,
    Cut,
    /// It was told that the log is forgotten.
    Waits,
}

impl Log {
    fn at(&self) -> Position {
        Position { generation: self.generation, count: self.base.0 + self.entries.len() as u64 }
    }

    fn story(&self) -> Story {
        Story { at: self.at(), state: self.base.1.clone(), entries: self.entries.clone() }
    }
}

impl State {
    fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }

    /// Brings every follower that can be reached to where its log is.
    fn deliver(&mut self) {
        self.followers.retain(|follower| !follower.to.is_closed());
        for follower in &mut self.followers {
            let tell = |heard| drop(follower.to.try_send(heard));
            if self.nodes.get(&follower.node) != Some(&Reach::There) {
                if follower.state != Following::Cut {
                    follower.state = Following::Cut;
                    tell(Heard::Away);
                }
                continue;
            }
            let Some(log) = self.logs.get(&follower.room) else {
                if follower.state != Following::Waits {
                    follower.state = Following::Waits;
                    tell(Heard::Forgotten);
                }
                continue;
            };
            let missed = follower.at.count.checked_sub(log.base.0);
            match missed.and_then(|missed| usize::try_from(missed).ok()) {
                Some(missed) if log.generation == follower.at.generation && missed <= log.entries.len() => {
                    for entry in &log.entries[missed..] {
                        follower.at.count += 1;
                        tell(Heard::Entry { at: follower.at, entry: entry.clone() });
                    }
                }
                _ => {
                    follower.at = log.at();
                    tell(Heard::Again(log.story()));
                }
            }
            if follower.state == Following::Cut {
                tell(Heard::Back);
            }
            follower.state = Following::Up;
        }
    }
}

impl Service {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// A node that lives from now on.
    pub(super) fn node(&self, number: u64) -> Arc<dyn Broker> {
        let me = Node { id: NodeId(number), name: format!("node-{number}"), peer_url: None };
        self.state().nodes.insert(me.id, Reach::There);
        Arc::new(Adapter { me, service: self.clone() })
    }

    pub(super) fn faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// The service goes away from this node; the node lives for the others still.
    pub(super) fn cut(&self, node: u64) {
        self.reach(node, Reach::Cut);
    }

    pub(super) fn mend(&self, node: u64) {
        self.reach(node, Reach::There);
    }

    /// The node is gone, for all.
    pub(super) fn kill(&self, node: u64) {
        self.reach(node, Reach::Dead);
    }

    fn reach(&self, node: u64, reach: Reach) {
        let mut state = self.state();
        state.nodes.insert(NodeId(node), reach);
        state.deliver();
    }

    /// The service comes back empty.
    pub(super) fn forget(&self) {
        let mut state = self.state();
        state.logs.clear();
        state.deliver();
    }

    /// How many entries a room's log has had, and how many since it was compacted.
    pub(super) fn entries(&self, room: &RoomId) -> (u64, usize) {
        self.state().logs.get(room).map_or((0, 0), |log| (log.at().count, log.entries.len()))
    }
}

struct Adapter {
    me: Node,
    service: Service,
}

impl Adapter {
    fn state(&self) -> Result<MutexGuard<'_, State>, Away> {
        let state = self.service.state();
        if state.nodes.get(&self.me.id) == Some(&Reach::There) { Ok(state) } else { Err(Away) }
    }
}

#[async_trait]
impl Broker for Adapter {
    fn me(&self) -> &Node {
        &self.me
    }

    fn nodes(&self) -> Arc<[Node]> {
        let state = self.service.state();
        let alive = state.nodes.iter().filter(|(_, reach)| **reach != Reach::Dead);
        alive.map(|(id, _)| Node { id: *id, name: id.to_string(), peer_url: None }).collect()
    }

    fn is_there(&self) -> bool {
        self.state().is_ok()
    }

    fn inbox(&self) -> Option<mpsc::Receiver<Delivery>> {
        None
    }

    fn post(&self, _: NodeId, _: Frame) -> Result<(), Full> {
        Ok(())
    }

    fn post_all(&self, _: Frame) {}

    async fn read(&self, _: &Key) -> Result<Option<Record>, Away> {
        Ok(None)
    }

    async fn write(&self, _: &Key, _: u64, _: Record, _: Duration) -> Result<Written, Away> {
        Ok(Written::Done)
    }

    async fn remove(&self, _: &Key, _: u64) -> Result<(), Away> {
        Ok(())
    }

    async fn follow(&self, room: &RoomId, _: Duration) -> Result<(Story, mpsc::Receiver<Heard>), Away> {
        let mut state = self.state()?;
        let generation = state.next_generation();
        let new = || Log { generation, base: (0, None), entries: Vec::new() };
        let story = state.logs.entry(room.clone()).or_insert_with(new).story();
        let (to, heard) = mpsc::channel(FOLLOWER);
        let (node, at) = (self.me.id, story.at);
        state.followers.push(Follower { node, room: room.clone(), to, at, state: Following::Up });
        Ok((story, heard))
    }

    async fn append(
        &self,
        room: &RoomId,
        generation: u64,
        entries: Vec<Bytes>,
        _: Duration,
    ) -> Result<(), NotAppended> {
        let delay = self.service.state().faults.delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let mut state = self.state().map_err(|_| NotAppended::Away)?;
        state.faults.appends += 1;
        let Faults { repeats, denies_every, appends, .. } = state.faults;
        let Some(log) = state.logs.get_mut(room).filter(|log| log.generation == generation) else {
            return Err(NotAppended::OtherGeneration);
        };
        for _ in 0..=u8::from(repeats) {
            log.entries.extend(entries.iter().cloned());
        }
        state.deliver();
        if denies_every.is_some_and(|every| appends.is_multiple_of(every)) {
            return Err(NotAppended::Away);
        }
        Ok(())
    }

    async fn compact(
        &self,
        room: &RoomId,
        at: Position,
        state: Bytes,
        _: Duration,
    ) -> Result<(), NotAppended> {
        let mut service = self.state().map_err(|_| NotAppended::Away)?;
        let log = service.logs.get_mut(room).filter(|log| log.generation == at.generation);
        let Some(log) = log else { return Err(NotAppended::OtherGeneration) };
        if let Some(before) = at.count.checked_sub(log.base.0) {
            log.entries.drain(..usize::try_from(before).unwrap());
            log.base = (at.count, Some(state));
        }
        Ok(())
    }

    async fn seed(&self, room: &RoomId, count: u64, state: Bytes, _: Duration) -> Result<(), Away> {
        let mut service = self.state()?;
        let known = service.logs.get(room);
        if known.is_none_or(|log| log.entries.is_empty() && log.base.0 < count) {
            let generation = service.next_generation();
            let log = Log { generation, base: (count, Some(state)), entries: Vec::new() };
            service.logs.insert(room.clone(), log);
        }
        // Whoever lost hears of the other one.
        let winner = service.logs[room].generation;
        let lost = |follower: &&mut Follower| {
            follower.node == self.me.id && follower.room == *room && follower.at.generation == winner
        };
        service.followers.iter_mut().filter(lost).for_each(|follower| follower.at.generation = 0);
        service.deliver();
        Ok(())
    }

    async fn leave(&self) {}

    async fn close(&self) {}
}
