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
mod lane;
mod lanes;
mod meter;
mod sink;
#[cfg(test)]
mod tests;
mod window;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

pub use self::budget::Budget;
pub use self::meter::Meter;
pub use self::sink::SinkId;

use self::lane::{Asked, Lane};
use self::sink::{Condition, Sink};
use crate::protocol::{Digest, ErrorCode, Moment};

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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SourceLink {
    Absent,
    Connected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Open,
    Held,
}

/// The machine. See the module.
#[derive(Debug)]
pub struct Relay {
    options: Options,
    budget: Budget,
    source: Source,
    link: SourceLink,
    flow: Flow,
    size: Option<u64>,
    lanes: Vec<Lane>,
    sinks: Vec<Sink>,
    outputs: VecDeque<Output>,
    next_key: u64,
    next_number: u64,
    sent: u64,
}

impl Relay {
    /// A relay of `source`, whose `size` may not be known yet.
    pub fn new(options: Options, budget: Budget, source: Source, size: Option<u64>) -> Self {
        Self {
            options,
            budget,
            source,
            link: SourceLink::Absent,
            flow: Flow::Open,
            size,
            lanes: Vec::new(),
            sinks: Vec::new(),
            outputs: VecDeque::new(),
            next_key: 0,
            next_number: 1,
            sent: 0,
        }
    }

    /// Takes in what happened at `now`. Drain [`Self::poll_output`] afterwards.
    ///
    /// # Errors
    /// What a peer said and may not say; it has changed nothing but, for a chunk that shows a gap, that
    /// the source is asked again on a new lane.
    pub fn handle(&mut self, now: Moment, input: Input) -> Result<(), ErrorCode> {
        let answer = self.take(now, input);
        self.settle(now);
        answer
    }

    fn take(&mut self, now: Moment, input: Input) -> Result<(), ErrorCode> {
        match input {
            Input::SourceUp => self.source_up(),
            Input::SourceDown => self.source_down(),
            Input::Size(size) => return self.learn_size(size),
            Input::Chunk { lane, offset, bytes, digest } => {
                return self.take_chunk(now, lane, offset, bytes, digest);
            }
            Input::SinkUp(sink) => self.sink_up(sink),
            Input::Pull { sink, lane, from, limit } => return self.take_pull(now, sink, lane, from, limit),
            Input::SinkBusy { sink, offset } => self.sink_busy(sink, offset),
            Input::SinkReady(sink) => self.sink_ready(sink),
            Input::SinkAway(sink) => self.sink_away(now, sink),
            Input::SinkGone(sink) => self.sinks.retain(|s| s.id != sink),
            Input::HoldSink(sink) => self.hold_sink(sink),
            Input::ReleaseSink(sink) => self.release_sink(sink),
            Input::Hold => self.hold(),
            Input::Release => self.release(),
            Input::End => self.end(),
            Input::Tick => self.tick(now),
        }
        Ok(())
    }

    /// What must happen next; nothing when all is done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to come back with [`Input::Tick`], if nothing else happens before.
    pub fn poll_timeout(&self) -> Option<Moment> {
        self.lane_deadlines().chain(self.sink_deadlines()).min()
    }

    /// Bytes that the source got here: the furthest offset of any lane so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Bytes that a sink safely holds, by its own word.
    pub fn received(&self, sink: SinkId) -> Option<u64> {
        self.sinks.iter().find(|s| s.id == sink).map(|s| s.from)
    }

    /// Whether a sink that holds nothing yet could have all of it.
    pub fn can_begin(&self) -> bool {
        self.source == Source::Seekable
            || self.sent == 0
            || self.lanes.iter().any(|lane| lane.window.start() == 0)
    }

    /// Whether the source may have this size, by what is known of it and what it has sent.
    pub fn may_end_at(&self, size: u64) -> bool {
        size >= self.sent && self.size.is_none_or(|known| known == size)
    }

    /// Whether every byte of the source was taken in at some time.
    pub fn has_all(&self) -> bool {
        self.size == Some(self.sent)
    }

    fn source_up(&mut self) {
        self.source_down();
        self.link = SourceLink::Connected;
    }

    fn source_down(&mut self) {
        self.link = SourceLink::Absent;
        for lane in &mut self.lanes {
            lane.forget_source();
        }
    }

    fn learn_size(&mut self, size: u64) -> Result<(), ErrorCode> {
        if !self.may_end_at(size) {
            return Err(ErrorCode::BadRequest);
        }
        self.size = Some(size);
        for lane in &mut self.lanes {
            lane.end_at(size);
        }
        Ok(())
    }

    fn take_chunk(
        &mut self,
        now: Moment,
        number: u64,
        offset: u64,
        bytes: Bytes,
        digest: Option<Digest>,
    ) -> Result<(), ErrorCode> {
        let len = bytes.len() as u64;
        if len > self.options.chunk_max {
            return Err(ErrorCode::TooLarge);
        }
        let asked = Asked::Pulled { number };
        let Some(index) = self.lanes.iter().position(|lane| lane.asked == asked) else {
            return Err(ErrorCode::UnexpectedChunk);
        };
        let expected = self.lanes[index].window.end();
        let beyond = offset.saturating_add(len) > self.lanes[index].granted;
        if len == 0 || offset != expected || beyond {
            if offset > expected {
                self.ask_again(index);
            }
            return Err(ErrorCode::UnexpectedChunk);
        }
        if digest.is_some_and(|digest| !digest.matches(&bytes)) {
            self.ask_again(index);
            return Err(ErrorCode::DigestMismatch);
        }
        self.grow_reach(index, len);
        let lane = &mut self.lanes[index];
        lane.push(bytes, digest);
        lane.on_heard(now, self.options.silence);
        self.sent = self.sent.max(lane.window.end());
        Ok(())
    }

    fn take_pull(
        &mut self,
        now: Moment,
        id: SinkId,
        lane: u64,
        from: u64,
        limit: u64,
    ) -> Result<(), ErrorCode> {
        let (size, window) = (self.size.unwrap_or(u64::MAX), self.options.window);
        let Some(sink) = self.sinks.iter_mut().find(|sink| sink.id == id) else {
            return Err(ErrorCode::NotAllowed);
        };
        if limit < from || from > size {
            return Err(ErrorCode::BadRequest);
        }
        let is_new = sink.condition == Condition::Silent || lane > sink.number;
        let is_late = lane < sink.number || matches!(sink.condition, Condition::Away(_));
        if is_late && sink.condition != Condition::Silent {
            return Ok(());
        }
        if !is_new && from > sink.next {
            return Err(ErrorCode::BadRequest);
        }
        if is_new {
            (sink.number, sink.from, sink.next, sink.limit) = (lane, from, from, from);
            sink.lane = None;
            sink.pace.restart();
            forget_chunks(&mut self.outputs, id);
        } else if from > sink.from {
            sink.pace.on_ack(now, from, from - sink.from);
            sink.from = from;
        }
        sink.limit = sink.limit.max(limit.min(sink.from.saturating_add(window)).min(size));
        sink.condition = Condition::Flowing;
        if let Some(lane) = sink.lane.and_then(|key| self.lanes.iter_mut().find(|lane| lane.key == key)) {
            lane.exhausted_since = None;
        }
        Ok(())
    }

    fn sink_up(&mut self, id: SinkId) {
        match self.sinks.iter_mut().find(|sink| sink.id == id) {
            None => self.sinks.push(Sink::new(id, self.options.window)),
            Some(sink) => {
                sink.condition = Condition::Silent;
                if self.source == Source::Seekable {
                    sink.lane = None;
                }
                forget_chunks(&mut self.outputs, id);
            }
        }
    }

    fn sink_busy(&mut self, id: SinkId, offset: u64) {
        forget_chunks(&mut self.outputs, id);
        if let Some(sink) = self.sinks.iter_mut().find(|sink| sink.id == id)
            && (sink.from..=sink.next).contains(&offset)
        {
            sink.next = offset;
            if sink.condition == Condition::Flowing {
                sink.condition = Condition::Busy;
            }
        }
    }

    fn sink_ready(&mut self, id: SinkId) {
        if let Some(sink) = self.sinks.iter_mut().find(|sink| sink.id == id)
            && sink.condition == Condition::Busy
        {
            sink.condition = Condition::Flowing;
        }
    }

    fn sink_away(&mut self, now: Moment, id: SinkId) {
        forget_chunks(&mut self.outputs, id);
        if let Some(sink) = self.sinks.iter_mut().find(|sink| sink.id == id) {
            sink.condition = Condition::Away(now);
            if self.source == Source::Seekable {
                sink.lane = None;
            }
        }
    }

    fn hold_sink(&mut self, id: SinkId) {
        self.take_back_chunks_for(id);
        if let Some(sink) = self.sinks.iter_mut().find(|sink| sink.id == id) {
            sink.wish = Flow::Held;
            if self.source == Source::Seekable {
                sink.lane = None;
            }
        }
    }

    fn release_sink(&mut self, id: SinkId) {
        if let Some(sink) = self.sinks.iter_mut().find(|sink| sink.id == id)
            && sink.wish == Flow::Held
        {
            sink.wish = Flow::Open;
            sink.pace.restart();
        }
    }

    /// Chunks not yet handed out are not sent now, and are sent later.
    fn take_back_chunks_for(&mut self, id: SinkId) {
        let first = self.outputs.iter().find_map(|output| match output {
            Output::Chunk { sink, offset, .. } if *sink == id => Some(*offset),
            _ => None,
        });
        forget_chunks(&mut self.outputs, id);
        if let (Some(first), Some(sink)) = (first, self.sinks.iter_mut().find(|sink| sink.id == id)) {
            sink.next = first;
        }
    }
}

/// Chunks not yet handed out are not sent; what was asked for since is asked for anew by the sink.
fn forget_chunks(outputs: &mut VecDeque<Output>, id: SinkId) {
    outputs.retain(|output| !matches!(output, Output::Chunk { sink, .. } if *sink == id));
}
