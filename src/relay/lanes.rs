//! Who rides on which lane: seating sinks, splitting off those that hold others back, merging those that
//! have caught up, ending lanes that nobody rides on. It refuses to count bytes; it compares offsets.

use super::flow::Riders;
use super::hold::Hold;
use super::lane::{Asked, KEEP, Lane, LaneKey};
use super::machine::{Flow, Relay, SourceLink};
use super::sink::{Condition, Sink};
use super::window::Window;
use super::{Output, Source, Straggler};
use crate::protocol::{ErrorCode, Moment};

impl Relay {
    /// Gives a lane to every sink that wants bytes and has none, and takes it from those that hold all.
    pub(super) fn seat_sinks(&mut self, now: Moment) {
        for index in 0..self.sinks.len() {
            let needs_none = self.holds_all(&self.sinks[index]);
            let sink = &mut self.sinks[index];
            if needs_none {
                sink.lane = None;
                continue;
            }
            if !sink.wants() || sink.lane.is_some() {
                continue;
            }
            let next = sink.next;
            match self.seat_for(now, next) {
                Some(key) => self.sinks[index].lane = Some(key),
                None => self.end_sink(index, ErrorCode::TransferClosed),
            }
        }
    }

    /// Whether a sink needs nothing: it holds all there is; or all that it asked for, and would hold others
    /// back if it kept its place on their lane.
    fn holds_all(&self, sink: &Sink) -> bool {
        let others = |other: &Sink| other.lane == sink.lane && !other.is_satisfied();
        self.size.is_some_and(|size| sink.from >= size)
            || self.source == Source::Seekable
                && sink.lane.is_some()
                && sink.is_satisfied()
                && self.sinks.iter().any(others)
    }

    /// The lane for a sink that wants the byte at `next`; none when the source cannot go back to it.
    fn seat_for(&mut self, now: Moment, next: u64) -> Option<LaneKey> {
        let covering = self.lanes.iter().filter(|lane| lane.window.covers(next));
        if let Some(lane) = covering.max_by_key(|lane| (self.slowest_of(lane).min(next), lane.window.end())) {
            return Some(lane.key);
        }
        if self.source.is_one_lane() {
            return match self.lanes.first() {
                Some(lane) => (next > lane.window.end()).then_some(lane.key),
                None => Some(self.new_lane_at(now, 0)),
            };
        }
        if self.lanes.len() >= self.options.lanes {
            self.lanes.retain(|lane| lane.idle_since.is_none());
        }
        if self.lanes.len() < self.options.lanes {
            return Some(self.new_lane_at(now, next));
        }
        Some(self.share_slowest_lane(next))
    }

    /// The least that any sink of a lane holds: one that is far behind holds the others there back.
    fn slowest_of(&self, lane: &Lane) -> u64 {
        Riders::of(lane, &self.sinks).map_or(lane.window.start(), |riders| riders.slowest)
    }

    /// The slowest lane, brought back to `next` if it is beyond: those ahead of it wait for it there.
    fn share_slowest_lane(&mut self, next: u64) -> LaneKey {
        let slowest = (0..self.lanes.len()).min_by_key(|index| self.lanes[*index].window.end()).unwrap_or(0);
        if next < self.lanes[slowest].window.start() {
            self.stop(slowest);
            self.lanes[slowest].restart(next);
        }
        self.lanes[slowest].key
    }

    /// A lane for one who has just come. It may catch up with those ahead.
    fn new_lane_at(&mut self, now: Moment, offset: u64) -> LaneKey {
        let key = self.new_lane(now, Window::new(offset, self.options.window));
        if self.lanes.len() > 1
            && let Some(lane) = self.lanes.last_mut()
        {
            lane.pursue(now);
        }
        key
    }

    /// Where the lane ends that this one is to catch up with; nowhere, if it is not waited for.
    pub(super) fn quarry(&self, index: usize) -> u64 {
        let lane = &self.lanes[index];
        let is_ahead = |ahead: &&Lane| {
            ahead.key != lane.key
                && ahead.asked != Asked::Nothing
                && (ahead.window.end() > lane.window.end()
                    || ahead.window.end() == lane.window.end() && !ahead.is_waited_for())
        };
        let ahead = self.lanes.iter().filter(|_| lane.is_waited_for()).filter(is_ahead);
        ahead.map(|ahead| ahead.window.end()).min().unwrap_or(u64::MAX)
    }

    /// Whether a lane that is under way waits for another to catch up with it.
    pub(super) fn waits_for_another(&self, index: usize) -> bool {
        let lane = &self.lanes[index];
        let end = lane.window.end();
        lane.asked != Asked::Nothing
            && self.lanes.iter().any(|behind| {
                behind.is_waited_for()
                    && behind.key != lane.key
                    && (behind.window.end() < end || behind.window.end() == end && !lane.is_waited_for())
            })
    }

    fn new_lane(&mut self, now: Moment, window: Window) -> LaneKey {
        let key = LaneKey(self.next_key);
        self.next_key += 1;
        self.lanes.push(Lane::new(key, now, window, &self.options, &self.budget));
        key
    }

    /// Notices when a slow sink holds others back, and acts when it has done so for too long.
    pub(super) fn watch_stragglers(&mut self, now: Moment, index: usize) {
        let share = self.share();
        let lane = &mut self.lanes[index];
        let Some(riders) = Riders::of(lane, &self.sinks) else { return };
        if self.link == SourceLink::Absent {
            lane.hold = Hold::default();
            return;
        }
        let mut reach = lane.reach(share);
        if lane.starved_since.is_some() {
            reach = reach.min(lane.granted.saturating_sub(riders.slowest));
        }
        let gap = riders.fastest - riders.slowest;
        let goal = riders.demand.min(self.size.unwrap_or(u64::MAX));
        let runs_dry = lane.granted - lane.window.end() <= reach / 4;
        let waits_for_slowest = goal > lane.granted && riders.slowest + reach <= lane.granted + reach / 4;
        if gap > 0 && gap >= reach / 4 && runs_dry && waits_for_slowest {
            lane.hold.begin(now);
        } else if gap <= reach / 8 || goal <= lane.granted {
            lane.hold.end(now);
        }
        if lane.hold.deadline(self.options.patience).is_some_and(|deadline| now >= deadline) {
            lane.hold.forgive(now);
            self.split(now, index, riders.slowest + gap / 2);
        }
    }

    /// Takes the sinks that hold less than `middle` off a lane.
    fn split(&mut self, now: Moment, index: usize, middle: u64) {
        let key = self.lanes[index].key;
        let is_straggler = |sink: &Sink| sink.lane == Some(key) && sink.from < middle;
        if self.source.is_one_lane() {
            if self.options.straggler == Straggler::Drop {
                for index in 0..self.sinks.len() {
                    if is_straggler(&self.sinks[index]) {
                        self.end_sink(index, ErrorCode::TooSlow);
                    }
                }
            }
            return;
        }
        let stragglers = || self.sinks.iter().filter(|sink| is_straggler(sink));
        let Some(from) = stragglers().map(|sink| sink.from).min() else { return };
        let next = stragglers().map(|sink| sink.next).max().unwrap_or(from);
        let lane = &self.lanes[index];
        if self.lanes.len() < self.options.lanes {
            let window = lane.window.share(from.max(lane.window.start()), next);
            let to = self.new_lane(now, window);
            self.move_sinks(is_straggler, to);
        } else if self.lanes.iter().any(|other| other.window.end() < lane.window.end()) {
            let least = stragglers().map(|sink| sink.next).min().unwrap_or(from);
            let to = self.share_slowest_lane(least);
            self.move_sinks(is_straggler, to);
        } else {
            for sink in self.sinks.iter_mut().filter(|sink| is_straggler(sink) && sink.from < sink.next) {
                sink.condition = Condition::Stuck;
                sink.lane = None;
            }
        }
    }

    fn move_sinks(&mut self, which: impl Fn(&Sink) -> bool, to: LaneKey) {
        for sink in self.sinks.iter_mut().filter(|sink| which(sink)) {
            sink.lane = Some(to);
        }
    }

    /// A lane whose sinks were all sent what it would bring next goes on where they need it.
    pub(super) fn skip_ahead(&mut self, index: usize) {
        let lane = &self.lanes[index];
        let Some(riders) = Riders::of(lane, &self.sinks) else { return };
        if self.source == Source::Seekable && riders.least_sent > lane.window.end() {
            self.stop(index);
            self.lanes[index].restart(riders.least_sent);
        }
    }

    /// Moves the sinks of a lane whose slowest has caught up with another's window, and says whether any
    /// moved.
    pub(super) fn merge_lanes(&mut self) -> bool {
        if self.source.is_one_lane() {
            return false;
        }
        let share = self.share();
        let caught_up = self.lanes.iter().find_map(|behind| {
            let riders = Riders::of(behind, &self.sinks)?;
            let ahead = self.lanes.iter().find(|ahead| {
                ahead.key != behind.key
                    && ahead.window.covers(riders.slowest)
                    && behind.window.end() <= ahead.window.end()
                    && (ahead.window.end() - riders.slowest <= ahead.reach(share) / 2
                        // Or both stand where they met.
                        || behind.is_waited_for() && behind.window.end() == ahead.window.end())
                    // Or they would be held back by the very one they were split from.
                    && Riders::of(ahead, &self.sinks).is_some_and(|its| its.slowest >= riders.slowest)
            })?;
            Some((behind.key, ahead.key))
        });
        if let Some((behind, ahead)) = caught_up {
            self.move_sinks(|sink| sink.lane == Some(behind), ahead);
        }
        caught_up.is_some()
    }

    /// A lane that nobody rides on stops at once, and goes after a while, or when memory is short.
    pub(super) fn end_idle_lanes(&mut self, now: Moment) {
        for index in (0..self.lanes.len()).rev() {
            let key = self.lanes[index].key;
            if self.sinks.iter().any(|sink| sink.lane == Some(key)) {
                self.lanes[index].idle_since = None;
                continue;
            }
            if self.source.is_one_lane() {
                self.lanes[index].rest(now);
                self.lanes[index].idle_since = None;
                continue;
            }
            self.stop(index);
            let lane = &mut self.lanes[index];
            let since = lane.rest(now);
            if now >= since + KEEP || !self.budget.is_relaxed() || lane.window.start() == lane.window.end() {
                self.lanes.remove(index);
            }
        }
    }

    /// The source is to send no more on this lane; what it was granted is void.
    fn stop(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        if let Asked::Pulled { number } = lane.asked {
            let owes = self.size != Some(lane.window.end());
            lane.forget_source();
            if owes && self.link == SourceLink::Connected {
                self.outputs.push_back(Output::Stop { lane: number });
            }
        }
    }

    /// The source missed something, or is silent: it is asked on a new lane; one that cannot go back is
    /// asked for the same again.
    pub(super) fn ask_again(&mut self, index: usize) {
        if self.source != Source::Once {
            self.stop(index);
            return;
        }
        let lane = &self.lanes[index];
        if let Asked::Pulled { number } = lane.asked {
            let from = lane.window.start().clamp(lane.first, lane.window.end());
            self.outputs.push_back(Output::Pull { lane: number, from, limit: lane.granted });
        }
    }

    /// The sender wishes all to wait: nothing flows and nothing is held, but what cannot be had again.
    pub(super) fn hold(&mut self) {
        self.flow = Flow::Held;
        for index in 0..self.sinks.len() {
            self.take_back_chunks_for(self.sinks[index].id);
        }
        if self.source == Source::Seekable {
            for index in 0..self.lanes.len() {
                self.stop(index);
            }
            self.lanes.clear();
            for sink in &mut self.sinks {
                sink.lane = None;
            }
        }
    }

    /// It is over: no lane, no sink, no source.
    pub(super) fn end(&mut self) {
        self.hold();
        self.lanes.clear();
        self.sinks.clear();
        self.link = SourceLink::Absent;
    }

    /// The sender wishes all to go on. The time they waited says nothing of their pace.
    pub(super) fn release(&mut self) {
        self.flow = Flow::Open;
        for sink in &mut self.sinks {
            sink.pace.restart();
        }
    }

    /// Whether a sink whose link is lost keeps others waiting on the only lane.
    pub(super) fn holds_others(&self, sink: &Sink) -> bool {
        let others = |other: &Sink| other.id != sink.id && other.lane == sink.lane && other.flows();
        self.source.is_one_lane() && sink.lane.is_some() && self.sinks.iter().any(others)
    }

    /// Ends the sinks that kept others waiting for longer than the silence that is borne.
    pub(super) fn end_absent_sinks(&mut self, now: Moment) {
        for index in 0..self.sinks.len() {
            let sink = &self.sinks[index];
            if let Condition::Away(since) = sink.condition
                && now >= since + self.options.silence
                && self.holds_others(sink)
            {
                self.end_sink(index, ErrorCode::TransferClosed);
            }
        }
    }

    fn end_sink(&mut self, index: usize, error: ErrorCode) {
        let sink = &mut self.sinks[index];
        sink.lane = None;
        sink.condition = Condition::Silent;
        let id = sink.id;
        self.take_back_chunks_for(id);
        self.outputs.push_back(Output::SinkEnded { sink: id, error });
    }
}
