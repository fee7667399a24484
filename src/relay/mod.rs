//! The relay of one transfer: sink of the one above, source of those below, as a pure machine.
//!
//! Whoever drives it hands it the time and what happened ([`Relay::handle`]), drains
//! [`Relay::poll_output`] after each, and comes back at [`Relay::poll_timeout`] with [`Input::Tick`].
//! It knows no clock, socket or runtime, and nothing of members and states.
//!
//! **One upload, many sinks.** Sinks that want the same stretch ride on one *lane*: one run of chunks,
//! asked for once, held in a window from the slowest sink's `from` to the source's offset. A sink that
//! holds the others back for longer than the patience is split off to a lane of its own, and merges
//! again when it has caught up. Lanes are bounded; beyond that, stragglers share the slowest.
//!
//! **Credit is absolute.** The source is granted offsets, never "n more"; so repeated and late words do
//! no harm, and a lost one is mended by asking again on a new lane.
//!
//! **Memory is bounded.** What lanes hold, and what the source was granted and may still send, is booked in
//! the node's [`Budget`] before it is granted; bytes that two lanes share are booked once. One relay never
//! books more than
//!
//! ```text
//! lanes × (window + chunk_max)
//! ```
//!
//! and normally keeps to one `window`: a lane's share of it shrinks with the number of lanes, and only for
//! sinks that acknowledge very seldom may each lane have a whole one (`chunk_max` is the chunk that the
//! slowest sink holds in part). All relays of a node together never book more than
//!
//! ```text
//! budget + relays × lanes × floor
//! ```
//!
//! since a lane gets [`Options::floor`] even when the budget is used up, so that nothing waits for ever.
//! Beside that, at most a window of bytes waits in the queue of a sink whose bytes no lane holds any more.
//! [`Options::most`] is both formulas for one relay, and the simulator checks it at every step.

mod budget;
mod flow;
mod hold;
mod lane;
mod lanes;
mod machine;
mod meter;
mod sink;
#[cfg(test)]
mod tests;
mod window;

use std::time::Duration;

use bytes::Bytes;

pub use self::budget::Budget;
pub use self::machine::Relay;
pub use self::meter::Meter;
pub use self::sink::SinkId;

use crate::protocol::{Digest, ErrorCode};

/// What a relay is allowed.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bytes that the lanes may hold together, and that one sink may have in flight.
    pub window: u64,
    /// Bytes of a chunk, at most.
    pub chunk_max: u64,
    /// Bytes that a lane gets when the node's budget is used up.
    pub floor: u64,
    /// Lanes at once, at least 1.
    pub lanes: usize,
    /// How long a slow sink may hold others back.
    pub patience: Duration,
    /// What becomes of it where the source serves one lane.
    pub straggler: Straggler,
    /// How long the source may be silent while it owes bytes before it is asked again, and how long the
    /// one lane of a source that cannot go back waits for a sink whose link is lost.
    pub silence: Duration,
}

impl Options {
    /// Bytes that one relay may book at most, when `budget` is the total of the node's [`Budget`] and no
    /// other relay books any. See the module.
    pub fn most(&self, budget: u64) -> u64 {
        let lanes = self.lanes as u64;
        (lanes * (self.window + self.chunk_max)).min(budget + lanes * self.floor)
    }
}

/// What becomes of a sink that holds others back on the only lane of a source that cannot go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Straggler {
    /// All wait for it.
    Wait,
    /// It is ended with `too_slow`.
    Drop,
}

/// What the source can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Serve any stretch, several at once.
    Seekable,
    /// Serve one lane, from 0, once.
    Once,
    /// Another relay of a source that serves once: one lane, from 0, of which it still has a window.
    Upstream,
}

impl Source {
    /// Whether there is one lane alone, that cannot go back to its start.
    pub(super) fn is_one_lane(self) -> bool {
        matches!(self, Self::Once | Self::Upstream)
    }
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// A source is connected; one that was is replaced.
    SourceUp,
    /// It is gone.
    SourceDown,
    /// The size became known.
    Size(u64),
    /// The source sent bytes.
    Chunk {
        /// On this lane,
        lane: u64,
        /// of which this is the first,
        offset: u64,
        /// and these are all.
        bytes: Bytes,
        /// Their digest, to be checked.
        digest: Option<Digest>,
    },
    /// A sink is connected, or connected anew; its next pull may have any lane.
    SinkUp(SinkId),
    /// A sink asks, and acknowledges.
    Pull {
        /// Who.
        sink: SinkId,
        /// Its own number of the lane.
        lane: u64,
        /// It holds everything before this.
        from: u64,
        /// It may be sent up to, not including, this.
        limit: u64,
    },
    /// There was no room for the chunk at `offset`; nothing from there on was sent.
    SinkBusy {
        /// For whom.
        sink: SinkId,
        /// What was not sent.
        offset: u64,
    },
    /// There may be room again.
    SinkReady(SinkId),
    /// Its link is lost.
    SinkAway(SinkId),
    /// It wants nothing more.
    SinkGone(SinkId),
    /// It wishes to wait.
    HoldSink(SinkId),
    /// It wishes to go on.
    ReleaseSink(SinkId),
    /// The sender wishes all to wait.
    Hold,
    /// The sender wishes all to go on.
    Release,
    /// It is over: everything is let go of, and nothing flows any more, whatever is said.
    End,
    /// The time of [`Relay::poll_timeout`] has come.
    Tick,
}

/// What must happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Ask the source.
    Pull {
        /// The lane's number; a new one begins at `from`.
        lane: u64,
        /// Everything before this is safely held below.
        from: u64,
        /// Send up to, not including, this.
        limit: u64,
    },
    /// Ask the source for no more on a lane.
    Stop {
        /// The lane's number.
        lane: u64,
    },
    /// Send bytes to a sink. If there is no room, say [`Input::SinkBusy`].
    Chunk {
        /// To whom.
        sink: SinkId,
        /// The sink's own number of its lane.
        lane: u64,
        /// Where the first byte lies.
        offset: u64,
        /// The bytes, shared with other sinks.
        bytes: Bytes,
        /// Their digest, where the source gave one for just these.
        digest: Option<Digest>,
    },
    /// A sink cannot be served any more.
    SinkEnded {
        /// Who.
        sink: SinkId,
        /// Why: `transfer_closed` or `too_slow`.
        error: ErrorCode,
    },
}
