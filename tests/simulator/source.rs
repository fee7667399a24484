//! A producer as the protocol describes it: it serves each lane from its own offset, never beyond its
//! limit, in chunks of whatever size it likes. Some make mistakes, which the server must refuse.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::word::Quality;

/// How large its chunks are.
#[derive(Debug, Clone, Copy)]
pub enum Chunking {
    Fixed(u64),
    Between(u64, u64),
}

/// What a producer is like.
#[derive(Debug, Clone)]
pub struct Habits {
    pub size: u64,
    /// Whether the server was told the size with the offer.
    pub says_size: bool,
    /// Whether it can serve one lane only, from 0.
    pub is_once: bool,
    pub chunking: Chunking,
    /// Bytes a millisecond.
    pub rate: u64,
    pub digests: bool,
    /// Chunks in a thousand that are followed by one that is wrong.
    pub mischief: u64,
    pub chunk_max: u64,
}

/// What it says.
#[derive(Debug, Clone)]
pub enum Say {
    Open,
    Chunk {
        lane: u64,
        offset: u64,
        len: u64,
        quality: Quality,
    },
    End {
        size: u64,
    },
    /// It cannot give what is asked for.
    Fail,
}

/// What it hears.
#[derive(Debug, Clone)]
pub enum Hear {
    Pull { lane: u64, from: u64, limit: u64 },
    Stop { lane: u64 },
}

#[derive(Debug)]
struct Lane {
    number: u64,
    next: u64,
    limit: u64,
}

#[derive(Debug)]
pub struct Producer {
    habits: Habits,
    rng: StdRng,
    lanes: Vec<Lane>,
    turn: usize,
    /// Where one that cannot go back stands.
    given: u64,
    /// When it may send again.
    free_at: u64,
    pub says: Vec<Say>,
    pub wake_at: Option<u64>,
}

impl Producer {
    pub fn new(habits: Habits, seed: u64) -> Self {
        Self {
            habits,
            rng: StdRng::seed_from_u64(seed),
            lanes: Vec::new(),
            turn: 0,
            given: 0,
            free_at: 0,
            says: Vec::new(),
            wake_at: None,
        }
    }

    /// Its link is there: nothing that it was asked before counts.
    pub fn connect(&mut self) {
        self.lanes.clear();
        self.says.push(Say::Open);
    }

    /// Its link is lost.
    pub fn disconnect(&mut self) {
        self.wake_at = None;
    }

    pub fn hear(&mut self, now: u64, word: &Hear) {
        match *word {
            Hear::Pull { lane, from, limit } => self.pull(lane, from, limit),
            Hear::Stop { lane } => self.lanes.retain(|known| known.number != lane),
        }
        self.plan(now);
    }

    fn pull(&mut self, number: u64, from: u64, limit: u64) {
        if !self.habits.says_size && limit > self.habits.size {
            self.say_end_if_reached(from);
        }
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.number == number) {
            lane.limit = lane.limit.max(limit);
        } else if self.habits.is_once && from != self.given {
            self.says.push(Say::Fail);
        } else {
            self.lanes.push(Lane { number, next: from, limit });
        }
        let done = |lane: &Lane| lane.next >= self.habits.size && !self.habits.says_size;
        if self.lanes.iter().any(|lane| lane.number == number && done(lane)) {
            self.says.push(Say::End { size: self.habits.size });
        }
    }

    fn say_end_if_reached(&mut self, from: u64) {
        if from >= self.habits.size {
            self.says.push(Say::End { size: self.habits.size });
        }
    }

    fn plan(&mut self, now: u64) {
        let size = self.habits.size;
        let has_work = self.lanes.iter().any(|lane| lane.next < lane.limit.min(size));
        self.wake_at = has_work.then_some(self.free_at.max(now));
    }

    pub fn wake(&mut self, now: u64) {
        self.wake_at = None;
        let size = self.habits.size;
        for _ in 0..self.lanes.len() {
            self.turn = (self.turn + 1) % self.lanes.len();
            let lane = &self.lanes[self.turn];
            if lane.next < lane.limit.min(size) {
                self.send(now, self.turn);
                break;
            }
        }
        self.plan(now);
    }

    fn send(&mut self, now: u64, index: usize) {
        let wish = match self.habits.chunking {
            Chunking::Fixed(len) => len,
            Chunking::Between(least, most) => self.rng.random_range(least..=most),
        };
        let Lane { number, next, limit } = self.lanes[index];
        let rest = limit.min(self.habits.size) - next;
        let len = wish.min(self.habits.chunk_max).min(rest).max(1);
        let quality = if self.habits.digests { Quality::Digested } else { Quality::Plain };
        if self.rng.random_range(0..1000) < self.habits.mischief {
            self.err(number, next, len, limit);
        }
        self.says.push(Say::Chunk { lane: number, offset: next, len, quality });
        self.lanes[index].next += len;
        self.given = self.lanes[index].next;
        self.free_at = now.max(self.free_at) + (len * 1000).div_ceil(self.habits.rate).max(1);
        if !self.habits.says_size && self.lanes[index].next == self.habits.size {
            self.says.push(Say::End { size: self.habits.size });
        }
    }

    /// A chunk that is wrong in one of the ways there are.
    fn err(&mut self, lane: u64, offset: u64, len: u64, limit: u64) {
        let quality = Quality::Plain;
        let max = self.habits.chunk_max;
        let (lane, offset, len, quality) = match self.rng.random_range(0..7) {
            0 => (lane + self.rng.random_range(1..3), offset, len, quality),
            1 => (lane, offset + 1, len, quality),
            2 => (lane, offset.saturating_sub(self.rng.random_range(1..100)), len, quality),
            // By the time it arrives it may be within a new limit, and taken: one that cannot go back would
            // be out of step with itself then, and beyond its end it would have said what is not so.
            3 if !self.habits.is_once && limit < self.habits.size => {
                (lane, offset, limit - offset + 1, quality)
            }
            4 => (lane, offset, max + 1, quality),
            5 => (lane, offset, len, Quality::Junk),
            _ => (lane, offset, 0, quality),
        };
        self.says.push(Say::Chunk { lane, offset, len, quality });
    }
}
