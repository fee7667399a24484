//! One consumer of a relay: what it holds, what it was sent, what it may be sent. It refuses to know how
//! bytes reach it.

use std::time::Duration;

use super::lane::LaneKey;
use super::machine::Flow;
use crate::protocol::Moment;

/// Acknowledgements within this time let a sink's pace double.
const QUICK: Duration = Duration::from_secs(1);
/// Acknowledgements that take longer than this halve it.
const SLOW: Duration = Duration::from_secs(2);
/// What is in flight to a sink at first: the window over this (2 MiB of 8).
const FIRST_PACE: u64 = 4;
/// What may always be in flight: the window over this (128 KiB of 8 MiB).
const LEAST_PACE: u64 = 64;
/// A sink that has never acknowledged and has its pace in flight is given more after this time: it may
/// be one that acknowledges seldom.
const FIRST_PATIENCE: Duration = Duration::from_secs(1);
/// The same for a sink that has acknowledged before.
const PATIENCE: Duration = Duration::from_secs(10);

/// A consumer's number within a relay, given by whoever drives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SinkId(pub u64);

/// Whether a sink's link takes bytes now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// It does.
    Flowing,
    /// Its queue was full; it goes on when there is room.
    Busy,
    /// It acknowledged nothing for too long while others waited and no lane was free: it has lost its place
    /// until it asks again.
    Stuck,
    /// It opened and has not asked yet.
    Silent,
    /// Its link is lost since then; a source that cannot go back keeps its place for a while.
    Away(Moment),
}

#[derive(Debug)]
pub(super) struct Sink {
    pub(super) id: SinkId,
    /// The consumer's own number of its lane.
    pub(super) number: u64,
    /// Everything before this is safely held, by its own word.
    pub(super) from: u64,
    /// Everything before this was sent.
    pub(super) next: u64,
    /// Nothing beyond this may be sent.
    pub(super) limit: u64,
    /// The relay's lane it rides on; none while it needs nothing or may not flow.
    pub(super) lane: Option<LaneKey>,
    pub(super) condition: Condition,
    /// Whether its owner wishes to wait; a lost link does not change that.
    pub(super) wish: Flow,
    pub(super) pace: Pace,
}

impl Sink {
    pub(super) fn new(id: SinkId, window: u64) -> Self {
        Self {
            id,
            number: 0,
            from: 0,
            next: 0,
            limit: 0,
            lane: None,
            condition: Condition::Silent,
            wish: Flow::Open,
            pace: Pace::new(window),
        }
    }

    /// Whether bytes may go to it now.
    pub(super) fn flows(&self) -> bool {
        self.condition == Condition::Flowing && self.wish == Flow::Open
    }

    /// Whether it wants bytes that it was not sent, and its link is there.
    pub(super) fn wants(&self) -> bool {
        let connected = matches!(self.condition, Condition::Flowing | Condition::Busy);
        connected && self.wish == Flow::Open && self.next < self.limit
    }

    /// Whether it holds all that it asked for.
    pub(super) fn is_satisfied(&self) -> bool {
        self.from >= self.limit
    }

    /// The offset up to which bytes may be sent now, by credit and by pace.
    pub(super) fn may_reach(&self) -> u64 {
        self.limit.min(self.from + self.pace.window)
    }
}

/// How much may be in flight to one sink. It starts small, doubles while acknowledgements are quick and
/// halves while they are slow, so that a slow link has seconds of bytes queued before it and not
/// minutes, and its heartbeat gets through.
#[derive(Debug)]
pub(super) struct Pace {
    window: u64,
    least: u64,
    most: u64,
    /// The bytes whose acknowledgement is timed: the end offset, and when they were sent.
    timed: Option<(u64, Moment)>,
    /// The longest step between two acknowledgements: the window never falls below two of them.
    stride: u64,
    limited: Limited,
}

/// Whether the pace, rather than the source, held a sink back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limited {
    No,
    Since(Moment),
}

impl Pace {
    /// The pace of a sink that may have `most` bytes in flight.
    fn new(most: u64) -> Self {
        let (window, least) = ((most / FIRST_PACE).max(1), (most / LEAST_PACE).max(1));
        Self { window, least, most, timed: None, stride: 0, limited: Limited::No }
    }

    /// The most that one piece may have, so that several are on their way.
    pub(super) fn piece(&self) -> u64 {
        (self.window / 4).max(self.least / 2).max(1)
    }

    pub(super) fn on_sent(&mut self, now: Moment, end: u64) {
        if self.timed.is_none() {
            self.timed = Some((end, now));
        }
    }

    /// Bytes were at hand and credit too, but the window was full.
    pub(super) fn on_limited(&mut self, now: Moment) {
        if self.limited == Limited::No {
            self.limited = Limited::Since(now);
        }
    }

    /// `step` more bytes are held, up to `from`.
    pub(super) fn on_ack(&mut self, now: Moment, from: u64, step: u64) {
        self.stride = self.stride.max(step);
        if let Some((end, sent)) = self.timed
            && from >= end
        {
            let took = now.since(sent);
            if took < QUICK && self.limited != Limited::No {
                self.window *= 2;
            } else if took > SLOW {
                self.window /= 2;
            }
            self.timed = None;
            self.limited = Limited::No;
        }
        if let Limited::Since(since) = &mut self.limited {
            *since = now;
        }
        self.window = self.window.max(self.least).max(2 * self.stride).min(self.most);
    }

    /// A new lane: nothing is in flight any more.
    pub(super) fn restart(&mut self) {
        self.timed = None;
        self.limited = Limited::No;
    }

    fn patience(&self) -> Duration {
        if self.stride == 0 { FIRST_PATIENCE } else { PATIENCE }
    }

    /// When a sink that acknowledges nothing is given more.
    pub(super) fn deadline(&self) -> Option<Moment> {
        match self.limited {
            Limited::Since(since) if self.window < self.most => Some(since + self.patience()),
            _ => None,
        }
    }

    /// Gives more when the deadline has passed, and says whether it did.
    pub(super) fn on_tick(&mut self, now: Moment) -> bool {
        let due = self.deadline().is_some_and(|deadline| now >= deadline);
        if due {
            self.window = (self.window * 2).min(self.most);
            self.limited = Limited::Since(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_micros(millis * 1000)
    }

    #[test]
    fn a_quick_sink_gets_more_only_while_it_is_held_back() {
        let mut pace = Pace::new(8 << 20);
        pace.on_sent(at(0), 100);
        pace.on_ack(at(1), 100, 100);
        assert_eq!(pace.window, 2 << 20);
        pace.on_sent(at(2), 200);
        pace.on_limited(at(2));
        pace.on_ack(at(3), 200, 100);
        assert_eq!(pace.window, 4 << 20);
    }

    #[test]
    fn a_slow_sink_has_less_in_flight_but_never_less_than_it_acknowledges_at_once() {
        let mut pace = Pace::new(8 << 20);
        for round in 0..20 {
            pace.on_sent(at(round * 3000), round + 1);
            pace.on_ack(at(round * 3000 + 2500), round + 1, 1);
        }
        assert_eq!(pace.window, 128 << 10);
        pace.on_sent(at(100_000), 100);
        pace.on_ack(at(103_000), 100, 1 << 20);
        assert_eq!(pace.window, 2 << 20);
    }

    #[test]
    fn a_sink_that_acknowledges_seldom_is_not_left_waiting() {
        let mut pace = Pace::new(8 << 20);
        pace.on_limited(at(0));
        assert!(!pace.on_tick(at(999)));
        assert!(pace.on_tick(at(1000)));
        assert_eq!(pace.window, 4 << 20);
    }
}
