//! A node's copy of a room that other nodes have copies of too. It exists so that many nodes need no leader:
//! all take the same [`Entry`]s in the same order from the room's log, and none of them twice, however often
//! an entry was appended. It refuses to know which node it is on.
//!
//! **Time.** An entry carries the time of its author, by which graces are reckoned: the same on all nodes.
//! When a grace is over on *this* node is reckoned by this node's clock from when it heard that the grace
//! began ([`Replica::poll_timeout`]), so clocks that differ do not cut a grace short.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Input, Options, Reply, Room};
use crate::protocol::node::NodeId;
use crate::protocol::{Moment, Refusal, RoomId};

/// Authors whose last entry is remembered, at most: far more nodes than share a room while an entry of one
/// of them may still be repeated.
const AUTHORS: usize = 256;

/// One entry of a room's log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// Which node says it.
    pub author: NodeId,
    /// The author's own number of it: higher than those it gave before.
    pub count: u64,
    /// The time at its author.
    pub now: Moment,
    /// What.
    pub input: Input,
}

impl Entry {
    /// As it stands in the log; none if it cannot be written, which does not happen.
    pub fn write(&self) -> Option<Bytes> {
        serde_json::to_vec(self).ok().map(Bytes::from)
    }

    /// What [`Self::write`] wrote; none if it was written by something else.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// A room, and which entries it has taken.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Replica {
    room: Room,
    /// The last entry of each author; who wrote last comes last.
    taken: VecDeque<(NodeId, u64)>,
    /// By this node's clock, when each grace is over.
    #[serde(skip)]
    waits: BTreeMap<Moment, Moment>,
}

impl Replica {
    /// A copy of a room that nobody is in yet.
    pub fn new(id: RoomId, options: Options) -> Self {
        Self { room: Room::new(id, options), taken: VecDeque::new(), waits: BTreeMap::new() }
    }

    /// What [`Self::write`] wrote, on a node where it is `here` now; none if it was written by something else.
    pub fn read(here: Moment, bytes: &[u8]) -> Option<Self> {
        let mut replica: Self = serde_json::from_slice(bytes).ok()?;
        replica.reckon(here, here);
        Some(replica)
    }

    /// All of it but the reckoning of this node's clock; none if it cannot be written, which does not happen.
    pub fn write(&self) -> Option<Bytes> {
        serde_json::to_vec(self).ok().map(Bytes::from)
    }

    /// The room as it stands.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// The room, to ask it what it decides ([`Input::Pick`], [`Input::Steer`]) and to take its outputs.
    /// Whatever changes it must be an entry.
    pub fn room_mut(&mut self) -> &mut Room {
        &mut self.room
    }

    /// The number of the last entry taken of this author; 0 before the first.
    pub fn last_of(&self, author: NodeId) -> u64 {
        self.taken.iter().find(|(known, _)| *known == author).map_or(0, |(_, count)| *count)
    }

    /// Whether no entry was ever taken.
    pub fn is_new(&self) -> bool {
        self.taken.is_empty()
    }

    /// Takes an entry in, unless it was before: then none. `here` is the time on this node.
    pub fn take(&mut self, here: Moment, entry: Entry) -> Option<Result<Reply, Refusal>> {
        let Entry { author, count, now, input } = entry;
        if count <= self.last_of(author) {
            return None;
        }
        self.taken.retain(|(known, _)| *known != author);
        self.taken.push_back((author, count));
        if self.taken.len() > AUTHORS {
            self.taken.pop_front();
        }
        let outcome = self.room.handle(now, input);
        self.reckon(here, now);
        Some(outcome)
    }

    /// When, by this node's clock, a [`Input::Tick`] is due that carries the time [`Self::due`] says.
    pub fn poll_timeout(&self) -> Option<Moment> {
        self.waits.values().min().copied()
    }

    /// Which time a tick that is due `here` has to carry.
    pub fn due(&self, here: Moment) -> Option<Moment> {
        self.waits.iter().filter(|(_, wait)| **wait <= here).map(|(until, _)| *until).max()
    }

    /// Notes when the graces end for this node that began at `now` by their author's clock.
    fn reckon(&mut self, here: Moment, now: Moment) {
        let grace = self.room.options().presence_grace;
        let before = std::mem::take(&mut self.waits);
        let wait = |until: Moment| before.get(&until).copied().unwrap_or(here + until.since(now).min(grace));
        self.waits = self.room.graces().map(|until| (until, wait(until))).collect();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::protocol::{MemberId, Secret};
    use crate::room::tests::{join, link, options};
    use crate::room::{Fresh, PeerId};

    const HOUR: Duration = Duration::from_secs(3600);
    const SECOND: Duration = Duration::from_secs(1);

    fn entry(author: u64, count: u64, now: Moment, input: Input) -> Entry {
        Entry { author: NodeId(author), count, now, input }
    }

    fn joining(peer: PeerId) -> Input {
        let fresh = Some(Fresh { member: MemberId::from_random(1), key: Secret::from_random(1) });
        Input::Join { peer, knock: join(Some("ann"), None).into(), fresh }
    }

    fn replica() -> Replica {
        Replica::new(RoomId::new("otter").unwrap(), options())
    }

    #[test]
    fn an_entry_that_comes_again_or_late_is_not_taken() {
        let (mut replica, now) = (replica(), Moment::default() + HOUR);
        assert!(replica.take(now, entry(1, 5, now, joining(link(1)))).unwrap().is_ok());
        assert!(replica.take(now, entry(1, 5, now, Input::Leave { peer: link(1) })).is_none());
        assert!(replica.take(now, entry(1, 4, now, Input::Leave { peer: link(1) })).is_none());
        assert!(replica.take(now, entry(2, 4, now, Input::Leave { peer: link(1) })).unwrap().is_ok());
        assert_eq!(
            (replica.last_of(NodeId(1)), replica.last_of(NodeId(2)), replica.last_of(NodeId(3))),
            (5, 4, 0)
        );
    }

    #[test]
    fn clocks_that_differ_do_not_cut_a_grace_short() {
        let grace = options().presence_grace;
        for ahead in [Duration::ZERO, HOUR] {
            let mut replica = replica();
            let (here, there) = (Moment::default() + HOUR, Moment::default() + ahead);
            let _ = replica.take(here, entry(1, 1, there, joining(link(1))));
            assert_eq!(replica.poll_timeout(), None);
            let _ = replica.take(here, entry(1, 2, there, Input::Lost { peer: link(1) }));
            assert_eq!(replica.poll_timeout(), Some(here + grace));
            assert_eq!(replica.due(here + grace - SECOND), None);
            let due = replica.due(here + grace).unwrap();
            assert_eq!(due, there + grace);
            let _ = replica.take(here + grace, entry(2, 1, due, Input::Tick));
            assert!(replica.room().is_empty());
        }
    }

    #[test]
    fn a_copy_that_was_read_waits_no_longer_than_a_grace() {
        let (mut replica, there) = (replica(), Moment::default() + HOUR);
        let _ = replica.take(there, entry(1, 1, there, joining(link(1))));
        let _ = replica.take(there, entry(1, 2, there, Input::Lost { peer: link(1) }));
        let here = Moment::default() + SECOND;
        let read = Replica::read(here, &replica.write().unwrap()).unwrap();
        assert_eq!(read.poll_timeout(), Some(here + options().presence_grace));
    }

    #[test]
    fn authors_beyond_the_last_few_are_forgotten() {
        let (mut replica, now) = (replica(), Moment::default());
        for author in 0..2 * AUTHORS as u64 {
            let _ = replica.take(now, entry(author, 1, now, Input::Tick));
        }
        assert_eq!(replica.taken.len(), AUTHORS);
        assert_eq!(replica.last_of(NodeId(2 * AUTHORS as u64 - 1)), 1);
    }

    #[test]
    fn the_rules_are_those_of_whoever_began() {
        let (mut replica, now) = (replica(), Moment::default());
        let rules = Options { max_members: 1, ..options() };
        let _ = replica.take(now, entry(1, 1, now, Input::Rules(rules)));
        let _ = replica.take(now, entry(1, 2, now, joining(link(1))));
        let _ = replica.take(now, entry(2, 1, now, Input::Rules(options())));
        assert_eq!(*replica.room().options(), rules);
    }
}
