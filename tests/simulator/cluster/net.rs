//! What is on its way: when a frame arrives, and how much may be on its way at once, from node to node and
//! to each person's link.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use roomdrop::protocol::node::NodeId;

use crate::cluster::plan::NetHabits;
use crate::cluster::word::Line;
use crate::plan::{MILLI, SECOND};

#[derive(Debug)]
pub struct Net {
    habits: NetHabits,
    rng: StdRng,
    last: BTreeMap<(NodeId, NodeId), u64>,
    in_flight: BTreeMap<(NodeId, NodeId), u64>,
    queues: BTreeMap<Line, Queue>,
}

#[derive(Debug)]
struct Queue {
    queued: u64,
    room: u64,
}

impl Net {
    pub fn new(habits: NetHabits, seed: u64) -> Self {
        Self {
            habits,
            rng: StdRng::seed_from_u64(seed ^ 0x4e7),
            last: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            queues: BTreeMap::new(),
        }
    }

    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        self.rng.random_range(least..=most.max(least))
    }

    pub fn percent(&mut self, chance: u64) -> bool {
        self.rng.random_range(0..100) < chance
    }

    /// When a frame arrives: never, once or twice.
    pub fn travel(&mut self, now: u64, quiet: bool, from: NodeId, to: NodeId) -> Vec<u64> {
        let dice: [u64; 3] = std::array::from_fn(|_| self.rng.random_range(0..1000));
        let late = self.rng.random_range(0..SECOND);
        let NetHabits { delay, jitter, loses, repeats, shuffles, .. } = self.habits;
        let takes = delay + self.rng.random_range(0..=jitter);
        if !quiet && dice[0] < loses {
            return Vec::new();
        }
        if !quiet && dice[1] < shuffles {
            return vec![now + takes + late];
        }
        let last = self.last.entry((from, to)).or_default();
        *last = (now + takes).max(*last + 1);
        let at = *last;
        if !quiet && dice[2] < repeats { vec![at, at + late] } else { vec![at] }
    }

    /// A trip to the records, one way.
    pub fn trip(&mut self) -> u64 {
        let NetHabits { delay, jitter, .. } = self.habits;
        (delay + self.rng.random_range(0..=jitter)).min(10 * MILLI)
    }

    pub fn reserve(&mut self, from: NodeId, to: NodeId, len: u64) -> bool {
        let bytes = self.in_flight.entry((from, to)).or_default();
        let has_room = *bytes == 0 || *bytes + len <= self.habits.room;
        if has_room {
            *bytes += len;
        }
        has_room
    }

    pub fn release(&mut self, from: NodeId, to: NodeId, len: u64) {
        if let Some(bytes) = self.in_flight.get_mut(&(from, to)) {
            *bytes = bytes.saturating_sub(len);
        }
    }

    pub fn open(&mut self, line: Line, room: u64) {
        self.queues.insert(line, Queue { queued: 0, room });
    }

    pub fn has_room(&self, line: Line, len: u64) -> bool {
        self.queues.get(&line).is_none_or(|queue| queue.queued == 0 || queue.queued + len <= queue.room)
    }

    pub fn queue(&mut self, line: Line, len: u64) {
        if let Some(queue) = self.queues.get_mut(&line) {
            queue.queued += len;
        }
    }

    pub fn unqueue(&mut self, line: Line, len: u64) {
        if let Some(queue) = self.queues.get_mut(&line) {
            queue.queued = queue.queued.saturating_sub(len);
        }
    }
}
