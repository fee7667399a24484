//! What a relay does after every input: bytes to those who may have them, memory let go of, credit
//! given. It refuses to remember: each step looks at the lanes and sinks as they are.

use super::Output;
use super::lane::{Asked, KEEP, Lane, REACH_PATIENCE, STARVED_PATIENCE};
use super::machine::{Flow, Relay, SourceLink};
use super::sink::{Condition, Sink};
use crate::protocol::Moment;

/// Where the sinks of one lane stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Riders {
    /// The least that any of them holds.
    pub(super) slowest: u64,
    /// The most that any of them holds.
    pub(super) fastest: u64,
    /// The least that any of them was sent.
    pub(super) least_sent: u64,
    /// The furthest that any of them may be sent.
    pub(super) demand: u64,
}

impl Riders {
    /// Those of `lane` among `sinks`; none when nobody rides on it.
    pub(super) fn of(lane: &Lane, sinks: &[Sink]) -> Option<Self> {
        sinks.iter().filter(|sink| sink.lane == Some(lane.key)).fold(None, |riders: Option<Self>, sink| {
            let one =
                Self { slowest: sink.from, fastest: sink.from, least_sent: sink.next, demand: sink.limit };
            Some(riders.map_or(one, |all| Self {
                slowest: all.slowest.min(one.slowest),
                fastest: all.fastest.max(one.fastest),
                least_sent: all.least_sent.min(one.least_sent),
                demand: all.demand.max(one.demand),
            }))
        })
    }
}

impl Relay {
    /// Brings everything to rest after an input.
    pub(super) fn settle(&mut self, now: Moment) {
        if self.flow == Flow::Held {
            return;
        }
        self.seat_sinks(now);
        self.pump(now);
        if self.lanes.len() > 1 && self.merge_lanes() {
            self.pump(now);
        }
        let mut index = 0;
        while index < self.lanes.len() {
            self.watch_stragglers(now, index);
            self.skip_ahead(index);
            self.trim(now, index);
            self.grant(now, index);
            index += 1;
        }
        self.end_idle_lanes(now);
    }

    /// What one lane may hold: the relay's window, shared by its lanes.
    pub(super) fn share(&self) -> u64 {
        (self.options.window / self.lanes.len().max(1) as u64).max(self.options.floor)
    }

    fn pump(&mut self, now: Moment) {
        for sink in self.sinks.iter_mut().filter(|sink| sink.flows()) {
            let Some(lane) = sink.lane.and_then(|key| self.lanes.iter().find(|lane| lane.key == key)) else {
                continue;
            };
            while sink.next < lane.window.end() && sink.next < sink.limit {
                if sink.next >= sink.may_reach() {
                    sink.pace.on_limited(now);
                    break;
                }
                let most = (sink.limit - sink.next).min(sink.pace.piece());
                let Some(piece) = lane.window.read(sink.next, most) else { break };
                let offset = sink.next;
                sink.next += piece.bytes.len() as u64;
                sink.pace.on_sent(now, sink.next);
                self.outputs.push_back(Output::Chunk {
                    sink: sink.id,
                    lane: sink.number,
                    offset,
                    bytes: piece.bytes,
                    digest: piece.digest,
                });
            }
        }
    }

    /// Lets go of what every rider holds, but keeps the beginning for a moment while memory allows.
    fn trim(&mut self, now: Moment, index: usize) {
        let share = self.share();
        let is_pursued = self.waits_for_another(index);
        let lane = &mut self.lanes[index];
        let Some(riders) = Riders::of(lane, &self.sinks) else { return };
        if is_pursued {
            // Whoever catches up joins on to what is held here.
            let kept = lane.window.end().saturating_sub(share / 2);
            return lane.window.discard_before(riders.slowest.min(kept));
        }
        let span = lane.window.end() - lane.window.start();
        let keeps = lane.keeps_until.is_some_and(|until| now < until);
        if !keeps || !self.budget.is_relaxed() || span > share / 2 {
            lane.keeps_until = None;
            lane.window.discard_before(riders.slowest);
        }
    }

    /// Grants the source more, once that is worth a word.
    fn grant(&mut self, now: Moment, index: usize) {
        if self.link == SourceLink::Absent {
            return;
        }
        if self.waits_for_another(index) {
            self.lanes[index].starved_since = None;
            self.lanes[index].exhausted_since = None;
            return;
        }
        let (share, floor) = (self.share(), self.options.floor);
        // One that catches up with another ends where that does, to go on as one.
        let size = self.size.unwrap_or(u64::MAX).min(self.quarry(index));
        let lane = &mut self.lanes[index];
        lane.starved_since = None;
        let Some(riders) = Riders::of(lane, &self.sinks) else { return };
        let goal = riders.demand.min(size);
        let reach = lane.reach(share);
        let (start, end) = (lane.window.start(), lane.window.end());
        // What is kept for late ones counts; the rest of a chunk that the slowest holds in part does not,
        // or one that acknowledges seldom would wait for ever.
        let room = if lane.keeps_until.is_some() { start + share.max(reach) } else { u64::MAX };
        let want = goal.min(riders.slowest.clamp(start, end) + reach).min(room);
        if want <= lane.granted {
            let all_sent = riders.least_sent >= end && lane.granted == end && goal > end;
            lane.exhausted_since = all_sent.then(|| lane.exhausted_since.unwrap_or(now));
            return;
        }
        let limit = lane.book(now, want, floor);
        let more = limit.saturating_sub(lane.granted);
        let credit = lane.granted - end;
        let is_worth_it = more >= reach / 4 || credit < reach / 2 || limit == goal;
        if more == 0 || !is_worth_it {
            return;
        }
        let number = match lane.asked {
            Asked::Pulled { number } => number,
            Asked::Nothing => {
                lane.ask(self.next_number);
                self.next_number += 1;
                self.next_number - 1
            }
        };
        lane.grant(now, limit);
        let from = riders.slowest.clamp(lane.first, end);
        self.outputs.push_back(Output::Pull { lane: number, from, limit });
    }

    /// The reach doubles while the source runs out of credit and the sinks take what comes: what they
    /// were sent counts, not what they acknowledged, which is late by a link's delay and by their habit.
    /// Their own pace bounds what is under way to them. `len` bytes come. A source whose chunks are a
    /// quarter of its credit never quite runs out: what is left counts as nothing when it is less than
    /// four of the smallest chunks.
    pub(super) fn grow_reach(&mut self, index: usize, len: u64) {
        let share = self.share();
        let lane = &mut self.lanes[index];
        let Some(riders) = Riders::of(lane, &self.sinks) else { return };
        let left = lane.granted.saturating_sub(lane.window.end() + len);
        let runs_out = left < self.options.floor.min(lane.reach(share) / 4);
        let keep_up = if self.source.is_one_lane() {
            // It must not run away from those whose word is still on its way: they could not begin.
            lane.window.end().saturating_sub(riders.slowest) <= lane.reach(share) / 2
        } else {
            lane.window.end().saturating_sub(riders.least_sent) <= lane.reach(share) / 4
        };
        if runs_out && keep_up {
            lane.grow(share);
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Moment) {
        if self.flow == Flow::Held {
            return;
        }
        let (window, share) = (self.options.window, self.share());
        for sink in self.sinks.iter_mut().filter(|sink| sink.flows()) {
            sink.pace.on_tick(now);
        }
        let end = self.lanes.iter().map(|lane| lane.window.end()).max().unwrap_or(0);
        for lane in &mut self.lanes {
            lane.judge_pursuit(now, end, self.options.patience);
        }
        for index in 0..self.lanes.len() {
            let lane = &mut self.lanes[index];
            if lane.exhausted_since.is_some_and(|since| now >= since + REACH_PATIENCE) {
                lane.stretch(share, window);
            }
            if lane.keeps_until.is_some_and(|until| now >= until) {
                lane.keeps_until = None;
            }
            if lane.silence_deadline().is_some_and(|deadline| now >= deadline) {
                lane.on_silence(now);
                self.ask_again(index);
            }
        }
        self.end_absent_sinks(now);
    }

    pub(super) fn lane_deadlines(&self) -> impl Iterator<Item = Moment> {
        let (window, share) = (self.options.window, self.share());
        let connected = self.link == SourceLink::Connected;
        self.lanes.iter().filter(|_| self.flow == Flow::Open).flat_map(move |lane| {
            [
                lane.silence_deadline().filter(|_| connected),
                lane.exhausted_since
                    .filter(|_| lane.reach(share) < window)
                    .map(|since| since + REACH_PATIENCE),
                lane.hold.deadline(self.options.patience),
                lane.pursuit_deadline(self.options.patience),
                lane.keeps_until,
                lane.idle_since.map(|since| since + KEEP),
                lane.starved_since.filter(|_| connected).map(|since| since + STARVED_PATIENCE),
            ]
            .into_iter()
            .flatten()
        })
    }

    pub(super) fn sink_deadlines(&self) -> impl Iterator<Item = Moment> {
        self.sinks.iter().filter(|_| self.flow == Flow::Open).filter_map(|sink| match sink.condition {
            Condition::Flowing if sink.flows() && sink.lane.is_some() => sink.pace.deadline(),
            Condition::Away(since) if self.holds_others(sink) => Some(since + self.options.silence),
            _ => None,
        })
    }
}
