//! For how long a slow sink has held the others on its lane back. It refuses to know who, and why.

use std::time::Duration;

use crate::protocol::Moment;

/// Time that a lane was held back. What was is forgotten only as fast as it came: a sink that holds the
/// others back again and again, each time for less than the patience, uses it up too.
#[derive(Debug, Default)]
pub(super) struct Hold {
    since: Option<Moment>,
    /// Held back before `since`, and not forgotten yet.
    before: Duration,
    /// When it was last let go.
    free_since: Moment,
}

impl Hold {
    /// It is held back, from now on or already.
    pub(super) fn begin(&mut self, now: Moment) {
        if self.since.is_none() {
            self.before = self.before.saturating_sub(now.since(self.free_since));
            self.since = Some(now);
        }
    }

    /// It is not held back any more.
    pub(super) fn end(&mut self, now: Moment) {
        if let Some(since) = self.since.take() {
            self.before += now.since(since);
            self.free_since = now;
        }
    }

    /// All is forgotten, and anew if it is still held back.
    pub(super) fn forgive(&mut self, now: Moment) {
        self.before = Duration::ZERO;
        if let Some(since) = &mut self.since {
            *since = now;
        }
    }

    /// When `patience` with it is at its end; none while it is not held back.
    pub(super) fn deadline(&self, patience: Duration) -> Option<Moment> {
        self.since.map(|since| since + patience.saturating_sub(self.before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(2);

    fn at(millis: u64) -> Moment {
        Moment::from_micros(millis * 1000)
    }

    #[test]
    fn many_short_holds_use_the_patience_up_and_rest_restores_it() {
        let mut hold = Hold::default();
        assert_eq!(hold.deadline(PATIENCE), None);
        hold.begin(at(1000));
        hold.begin(at(1500));
        assert_eq!(hold.deadline(PATIENCE), Some(at(3000)));
        hold.end(at(2500));
        hold.end(at(2600));
        assert_eq!(hold.deadline(PATIENCE), None);
        hold.begin(at(3000));
        assert_eq!(hold.deadline(PATIENCE), Some(at(4000)));
        hold.end(at(3100));
        hold.begin(at(60_000));
        assert_eq!(hold.deadline(PATIENCE), Some(at(62_000)));
    }

    #[test]
    fn what_is_forgiven_counts_no_more() {
        let mut hold = Hold::default();
        hold.begin(at(0));
        hold.forgive(at(2000));
        assert_eq!(hold.deadline(PATIENCE), Some(at(4000)));
    }
}
