//! A consumer as the protocol describes it: it acknowledges what it holds, in its own way, and after a
//! gap or a silence it pulls on a new lane from what it holds.

use bytes::Bytes;

use crate::content;

/// When it acknowledges.
#[derive(Debug, Clone, Copy)]
pub enum Acks {
    /// Every chunk.
    Chunk,
    /// Every so many bytes.
    Bytes(u64),
    /// When it holds all that it asked for.
    Limit,
    /// So often, in microseconds, if anything came.
    Timer(u64),
}

/// What a consumer is like.
#[derive(Debug, Clone)]
pub struct Habits {
    pub from: u64,
    /// The end of its range; none for the whole.
    pub to: Option<u64>,
    /// Whether it is a download by HTTP.
    pub is_download: bool,
    /// What it asks for ahead.
    pub window: u64,
    pub acks: Acks,
    /// What a new lane's number adds to the old one's.
    pub lane_step: u64,
    /// Whether its numbers begin again with every link.
    pub restarts_lanes: bool,
    /// How long it bears silence, in microseconds.
    pub patience: u64,
    /// When it comes, in microseconds.
    pub joins_at: u64,
    /// Bytes a millisecond that its link takes.
    pub rate: u64,
    /// Bytes that wait for its link, at most.
    pub outbox: u64,
}

/// What it says.
#[derive(Debug, Clone)]
pub enum Say {
    /// A link, or a download from this offset.
    Open {
        download: Option<u64>,
    },
    Pull {
        lane: u64,
        from: u64,
        limit: u64,
    },
    Done,
}

/// What it hears.
#[derive(Debug, Clone)]
pub enum Hear {
    Chunk {
        lane: u64,
        offset: u64,
        bytes: Bytes,
    },
    End {
        size: u64,
    },
    /// Its `done` was taken.
    Thanks,
    Closed,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Wanting,
    /// It holds all and has said so.
    Holding,
    Done,
    /// The server ended it.
    Closed,
    /// It left for good.
    Left,
}

#[derive(Debug)]
pub struct Consumer {
    habits: Habits,
    pub stage: Stage,
    size: Option<u64>,
    lane: u64,
    pub held: u64,
    acked: u64,
    limit: u64,
    heard_at: u64,
    connected: bool,
    /// While it is stalled, what came waits unread.
    stalled: bool,
    unread: Vec<Hear>,
    pub says: Vec<Say>,
    pub wake_at: Option<u64>,
}

impl Consumer {
    pub fn new(habits: Habits, size: Option<u64>) -> Self {
        Self {
            stage: Stage::Wanting,
            size,
            lane: 0,
            held: habits.from,
            acked: habits.from,
            limit: 0,
            heard_at: 0,
            connected: false,
            stalled: false,
            unread: Vec::new(),
            says: Vec::new(),
            wake_at: None,
            habits,
        }
    }

    /// The offset at which it has what it came for.
    fn target(&self) -> Option<u64> {
        match (self.habits.to, self.size) {
            (Some(to), Some(size)) => Some(to.min(size)),
            (to, size) => to.or(size),
        }
    }

    pub fn connect(&mut self, now: u64) {
        self.connected = true;
        if self.habits.restarts_lanes {
            self.lane = 0;
        }
        self.says.push(Say::Open { download: self.habits.is_download.then_some(self.held) });
        self.begin(now);
    }

    pub fn disconnect(&mut self) {
        self.connected = false;
        self.unread.clear();
        self.wake_at = None;
    }

    pub fn leave(&mut self) {
        self.stage = Stage::Left;
        self.disconnect();
    }

    /// Reads nothing until [`Self::recover`].
    pub fn stall(&mut self) {
        self.stalled = true;
        self.wake_at = None;
    }

    /// Reads on, and says how many bytes it takes from its link now.
    pub fn recover(&mut self, now: u64) -> u64 {
        self.stalled = false;
        let unread = std::mem::take(&mut self.unread);
        let taken = unread.iter().map(|word| self.hear(now, word)).sum();
        self.plan(now);
        taken
    }

    /// A new lane from what it holds.
    fn begin(&mut self, now: u64) {
        if self.stage == Stage::Wanting {
            self.lane += self.habits.lane_step;
            self.limit = self.held;
            self.pull();
        }
        self.finish_if_whole();
        self.heard_at = now;
        self.plan(now);
    }

    fn pull(&mut self) {
        let limit = (self.held + self.habits.window).min(self.target().unwrap_or(u64::MAX));
        self.limit = self.limit.max(limit).max(self.held);
        self.acked = self.held;
        self.says.push(Say::Pull { lane: self.lane, from: self.held, limit: self.limit });
    }

    fn finish_if_whole(&mut self) {
        let whole = self.target().is_some_and(|target| self.held >= target);
        if whole && matches!(self.stage, Stage::Wanting | Stage::Holding) {
            self.stage = Stage::Holding;
            self.says.push(Say::Done);
        }
    }

    /// Takes a word in, and says how many bytes it took from its link.
    pub fn hear(&mut self, now: u64, word: &Hear) -> u64 {
        if self.stalled {
            self.unread.push(word.clone());
            return 0;
        }
        self.heard_at = now;
        let taken = match word {
            Hear::Chunk { lane, offset, bytes } => {
                self.take(now, *lane, *offset, bytes);
                bytes.len() as u64
            }
            Hear::End { size } => {
                self.size = Some(*size);
                self.finish_if_whole();
                0
            }
            Hear::Thanks => {
                self.stage = Stage::Done;
                0
            }
            Hear::Closed => {
                self.stage = Stage::Closed;
                0
            }
        };
        self.plan(now);
        taken
    }

    fn take(&mut self, now: u64, lane: u64, offset: u64, bytes: &Bytes) {
        if lane != self.lane || offset < self.held || self.stage != Stage::Wanting {
            return;
        }
        if offset > self.held {
            return self.begin(now);
        }
        assert!(content::is_true(offset, bytes), "a sink got wrong bytes at {offset}");
        self.held += bytes.len() as u64;
        self.finish_if_whole();
        if self.stage != Stage::Wanting {
            return;
        }
        let due = match self.habits.acks {
            Acks::Chunk => true,
            Acks::Bytes(step) => self.held >= self.acked + step,
            Acks::Limit => self.held >= self.limit,
            Acks::Timer(_) => false,
        };
        if due {
            self.pull();
        }
    }

    fn plan(&mut self, now: u64) {
        let waits = self.connected && !self.stalled && matches!(self.stage, Stage::Wanting | Stage::Holding);
        let silence = self.heard_at + self.habits.patience;
        let at = match self.habits.acks {
            Acks::Timer(every) if self.held > self.acked => silence.min(now + every),
            _ => silence,
        };
        self.wake_at = match self.wake_at {
            Some(planned) if planned > now && planned < at => Some(planned),
            _ => Some(at.max(now + 1)),
        }
        .filter(|_| waits);
    }

    pub fn wake(&mut self, now: u64) {
        self.wake_at = None;
        if now >= self.heard_at + self.habits.patience {
            return self.begin(now);
        }
        if matches!(self.habits.acks, Acks::Timer(_))
            && self.held > self.acked
            && self.stage == Stage::Wanting
        {
            self.pull();
        }
        self.plan(now);
    }
}
