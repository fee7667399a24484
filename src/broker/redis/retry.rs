//! When to try again: soon, then less often, and at once when somebody else got through.

use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(50);
const LAST: Duration = Duration::from_millis(500);
/// What lasted this long was no flicker.
const LASTING: Duration = Duration::from_secs(2);

/// The pauses of one connection.
pub(super) struct Retry<'a> {
    /// Told when any connection was made.
    others: &'a Notify,
    pause: Duration,
    since: Instant,
}

impl<'a> Retry<'a> {
    pub(super) fn new(others: &'a Notify) -> Self {
        Self { others, pause: FIRST, since: Instant::now() }
    }

    /// A connection was made.
    pub(super) fn made_it(&mut self) {
        self.since = Instant::now();
        self.others.notify_waiters();
    }

    /// It is gone, or was not made: waits before the next attempt.
    pub(super) async fn pause(&mut self) {
        if self.since.elapsed() > LASTING {
            self.pause = FIRST;
        }
        tokio::select! {
            () = tokio::time::sleep(self.pause) => {}
            // Not at once all of them, where what is made breaks again and again.
            () = async { self.others.notified().await; tokio::time::sleep(FIRST / 5).await } => {}
        }
        self.since = Instant::now();
        self.pause = (self.pause * 2).min(LAST);
    }
}
