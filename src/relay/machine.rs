//! The machine: each input taken in by the part it concerns, then everything brought to rest. What is
//! said on lanes, by whom, and what of it is refused, is decided here.

use std::collections::VecDeque;

use bytes::Bytes;

use super::budget::Budget;
use super::lane::{Asked, Lane};
use super::sink::{Condition, Sink, SinkId};
use super::{Input, Options, Output, Source};
use crate::protocol::{Digest, ErrorCode, Moment};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SourceLink {
    Absent,
    Connected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Open,
    Held,
}

/// The relay of one transfer. Dropped, it gives back all memory it has booked.
#[derive(Debug)]
pub struct Relay {
    pub(super) options: Options,
    pub(super) budget: Budget,
    pub(super) source: Source,
    pub(super) link: SourceLink,
    pub(super) flow: Flow,
    pub(super) size: Option<u64>,
    pub(super) lanes: Vec<Lane>,
    pub(super) sinks: Vec<Sink>,
    pub(super) outputs: VecDeque<Output>,
    pub(super) next_key: u64,
    pub(super) next_number: u64,
    pub(super) sent: u64,
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

    /// What the source was asked for and may still send: of each lane its number, where its bytes end by
    /// now, and how far they may go.
    pub fn asked(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        self.lanes.iter().filter_map(|lane| match lane.asked {
            Asked::Pulled { number } => Some((number, lane.window.end(), lane.granted)),
            Asked::Nothing => None,
        })
    }

    /// Numbers the lanes to come from `number` on, where that is higher than they are: a source that another
    /// relay asked before hears new numbers alone.
    pub fn number_lanes_from(&mut self, number: u64) {
        self.next_number = self.next_number.max(number);
    }

    /// Whether there is one lane alone, that cannot go back to its start.
    pub fn is_one_lane(&self) -> bool {
        self.source.is_one_lane()
    }

    /// Whether the sender's wish to wait holds all.
    pub fn is_held(&self) -> bool {
        self.flow == Flow::Held
    }

    /// The source is asked by another relay from now on, and this one asks that.
    pub fn follow_another(&mut self) {
        if self.source == Source::Once {
            self.source = Source::Upstream;
        }
    }

    /// The source is asked by this relay from now on.
    pub fn follow_source(&mut self) {
        if self.source == Source::Upstream {
            self.source = Source::Once;
        }
    }

    /// Any stretch of the source can be had from now on.
    pub fn serve_any_stretch(&mut self) {
        self.source = Source::Seekable;
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
    pub(super) fn take_back_chunks_for(&mut self, id: SinkId) {
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
