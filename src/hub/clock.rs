//! The one place where time comes from: the wall clock once, then what a monotonic clock says has passed.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::protocol::Moment;

/// The node's clock. Follows tokio's, so that tests may stop it.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Moment,
    since: Instant,
}

impl Clock {
    /// A clock that reads the wall clock now, and never again.
    pub fn start() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: Moment::default() + unix, since: Instant::now() }
    }

    /// What time it is.
    pub fn now(&self) -> Moment {
        self.start + self.since.elapsed()
    }

    /// When tokio's clock will show `moment`.
    pub fn instant(&self, moment: Moment) -> Instant {
        self.since + moment.since(self.start)
    }
}
