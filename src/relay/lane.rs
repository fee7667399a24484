//! One run of consecutive chunks that the relay asked the source for, and the window they wait in. It
//! keeps the books of credit and memory; who rides on it, and when it splits, is decided by the relay.

use std::time::Duration;

use bytes::Bytes;

use super::Options;
use super::budget::{Booked, Budget};
use super::hold::Hold;
use super::window::Window;
use crate::protocol::{Digest, Moment};

/// What a lane asks for ahead of its slowest sink at first: the relay's window over this (2 MiB of 8).
const FIRST_REACH: u64 = 4;
/// Silence is borne at most this long before the source is asked again.
const LONGEST_SILENCE: Duration = Duration::from_secs(160);
/// Sinks that were sent everything and acknowledge nothing for this long may be such that acknowledge
/// seldom: the reach grows.
pub(super) const REACH_PATIENCE: Duration = Duration::from_millis(200);

/// How long what all its sinks hold is kept for those who come late, and a lane that nobody rides on.
pub(super) const KEEP: Duration = Duration::from_secs(2);
/// How often a lane that the budget starves asks it again.
pub(super) const STARVED_PATIENCE: Duration = Duration::from_millis(100);

/// A lane within the relay. The number that the source knows it by may change, when it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LaneKey(pub(super) u64);

/// How long a lane that comes behind others may take to show that it will catch up with them.
const TRIAL: Duration = Duration::from_millis(250);

/// Whether those ahead wait for a lane to catch up, so that the source need not send everything twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pursuit {
    /// They do not.
    None,
    /// They do, to see how fast it is, since it ended at `from`.
    Trial { since: Moment, from: u64 },
    /// It is fast enough.
    Kept { since: Moment },
}

/// What the source knows of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Nothing: no source is connected, or nothing was asked for yet.
    Nothing,
    /// The number of the lane, and the limit of the last pull.
    Pulled {
        /// The number on the wire.
        number: u64,
    },
}

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) key: LaneKey,
    pub(super) asked: Asked,
    /// Where the source was asked to begin under its present number.
    pub(super) first: u64,
    pub(super) window: Window,
    /// The source may send up to, not including, this.
    pub(super) granted: u64,
    /// What the window may hold beyond its slowest sink: it grows while the sinks keep up,
    reach: u64,
    /// and further, past the lane's share, for sinks that acknowledge seldom.
    stretch: u64,
    /// Memory booked for what the source may still send.
    credit: Booked,
    /// How long a slow sink holds others back.
    pub(super) hold: Hold,
    /// Until when what its sinks hold is kept for those who come late.
    pub(super) keeps_until: Option<Moment>,
    /// Since when nobody rides on it.
    pub(super) idle_since: Option<Moment>,
    /// When the source last did what was asked.
    heard: Moment,
    silence: Duration,
    /// Since when every sink was sent all there is and the source may send no more.
    pub(super) exhausted_since: Option<Moment>,
    /// Since when the budget gives less than is wanted.
    pub(super) starved_since: Option<Moment>,
    pursuit: Pursuit,
}

impl Lane {
    pub(super) fn new(key: LaneKey, now: Moment, window: Window, options: &Options, budget: &Budget) -> Self {
        Self {
            key,
            asked: Asked::Nothing,
            first: window.end(),
            granted: window.end(),
            window,
            reach: (options.window / FIRST_REACH).max(1),
            stretch: 0,
            credit: Booked::none(budget),
            hold: Hold::default(),
            keeps_until: Some(now + KEEP),
            idle_since: None,
            heard: now,
            silence: options.silence,
            exhausted_since: None,
            starved_since: None,
            pursuit: Pursuit::None,
        }
    }

    /// Those ahead are to wait until it has caught up, while it does so quickly.
    pub(super) fn pursue(&mut self, now: Moment) {
        self.pursuit = Pursuit::Trial { since: now, from: self.window.end() };
    }

    /// Whether those ahead wait for it.
    pub(super) fn is_waited_for(&self) -> bool {
        self.pursuit != Pursuit::None && self.idle_since.is_none()
    }

    /// Judges whether it will have caught up with what ends at `end` before those there have waited for
    /// `patience`.
    pub(super) fn judge_pursuit(&mut self, now: Moment, end: u64, patience: Duration) {
        self.pursuit = match self.pursuit {
            Pursuit::Trial { since, from } if now >= since + TRIAL.min(patience) => {
                let waited = now.since(since);
                let came = u128::from(self.window.end().saturating_sub(from));
                let to_come = u128::from(end.saturating_sub(self.window.end()));
                let left = patience.saturating_sub(waited);
                let is_fast = came * left.as_micros() >= to_come * waited.as_micros();
                if is_fast && !left.is_zero() { Pursuit::Kept { since } } else { Pursuit::None }
            }
            Pursuit::Kept { since } if now >= since + patience => Pursuit::None,
            pursuit => pursuit,
        };
    }

    /// When to judge that.
    pub(super) fn pursuit_deadline(&self, patience: Duration) -> Option<Moment> {
        match self.pursuit {
            Pursuit::None => None,
            Pursuit::Trial { since, .. } => Some(since + TRIAL.min(patience)),
            Pursuit::Kept { since } => Some(since + patience),
        }
    }

    /// What the window may hold beyond its slowest sink, when the lane's share is this.
    pub(super) fn reach(&self, share: u64) -> u64 {
        self.reach.min(share).max(self.stretch)
    }

    /// The sinks keep up and the source runs out of credit.
    pub(super) fn grow(&mut self, share: u64) {
        self.reach = (self.reach * 2).min(share.max(self.reach));
    }

    /// The sinks were sent all there is and acknowledge seldom.
    pub(super) fn stretch(&mut self, share: u64, most: u64) {
        self.stretch = (self.reach(share) * 2).min(most);
        self.exhausted_since = None;
    }

    /// Books memory for everything from the window's start to `limit`, and says how far it got. What is
    /// within `floor` of the start is always given.
    pub(super) fn book(&mut self, now: Moment, limit: u64, floor: u64) -> u64 {
        let want = limit.saturating_sub(self.window.start());
        if want > self.booked() {
            self.credit.grow(want - self.booked(), floor.saturating_sub(self.booked()));
        }
        self.starved_since = (self.booked() < want).then_some(now);
        limit.min(self.window.start() + self.booked())
    }

    /// Bytes that the window holds and that the source may still send.
    fn booked(&self) -> u64 {
        self.window.end() - self.window.start() + self.credit.bytes()
    }

    /// Takes in the next chunk, which was granted.
    pub(super) fn push(&mut self, bytes: Bytes, digest: Option<Digest>) {
        let booked = self.credit.take(bytes.len() as u64);
        self.window.push(bytes, digest, booked);
    }

    /// Begins anew at `offset`, holding nothing.
    pub(super) fn restart(&mut self, offset: u64) {
        self.window = self.window.emptied_at(offset);
        self.hold = Hold::default();
        self.keeps_until = None;
        self.forget_source();
    }

    /// The source does not know this lane any more: what it was granted is void.
    pub(super) fn forget_source(&mut self) {
        self.asked = Asked::Nothing;
        self.granted = self.window.end();
        self.exhausted_since = None;
        self.starved_since = None;
        self.credit.shrink_to(0);
    }

    /// The whole ends at `size`: nothing beyond it is owed.
    pub(super) fn end_at(&mut self, size: u64) {
        self.granted = self.granted.min(size.max(self.window.end()));
        self.credit.shrink_to(self.granted - self.window.end());
    }

    /// Nobody rides on it since `now`, or since earlier: it waits for nothing but its end.
    pub(super) fn rest(&mut self, now: Moment) -> Moment {
        self.hold = Hold::default();
        self.keeps_until = None;
        self.exhausted_since = None;
        self.starved_since = None;
        *self.idle_since.get_or_insert(now)
    }

    /// The source is asked under a new number, from where the window ends.
    pub(super) fn ask(&mut self, number: u64) {
        self.asked = Asked::Pulled { number };
        self.first = self.window.end();
    }

    /// The source may send up to `limit`.
    pub(super) fn grant(&mut self, now: Moment, limit: u64) {
        if self.granted == self.window.end() {
            self.heard = now;
        }
        self.granted = limit;
        self.exhausted_since = None;
    }

    /// The source did what was asked.
    pub(super) fn on_heard(&mut self, now: Moment, silence: Duration) {
        self.heard = now;
        self.silence = silence;
        self.exhausted_since = None;
    }

    /// When to ask again, if nothing is heard. None while nothing is owed.
    pub(super) fn silence_deadline(&self) -> Option<Moment> {
        let owes = matches!(self.asked, Asked::Pulled { .. }) && self.granted > self.window.end();
        owes.then(|| self.heard + self.silence)
    }

    /// Silence again: the next one is borne twice as long, since a slow link's chunk may be on its way.
    pub(super) fn on_silence(&mut self, now: Moment) {
        self.heard = now;
        self.silence = (self.silence * 2).min(LONGEST_SILENCE);
    }
}
