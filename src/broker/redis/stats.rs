//! What went over the broker, counted. It exists for the metrics page, and decides nothing.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the start. They only grow.
#[derive(Debug, Default)]
pub struct Stats {
    /// Letters of any kind that were given to Redis.
    pub published: Counter,
    /// Their bytes, headers too.
    pub published_bytes: Counter,
    /// Letters that arrived.
    pub received: Counter,
    /// Their bytes, headers too.
    pub received_bytes: Counter,
    /// Letters that arrived and could not be read: another version, or rubbish.
    pub unreadable: Counter,
    /// Frames that reached nobody.
    pub undelivered: Counter,
    /// Chunks that were refused for want of credit.
    pub credit_stalls: Counter,
    /// Connections of our own that broke.
    pub reconnects: Counter,
    /// Inboxes that were subscribed to again.
    pub resubscriptions: Counter,
    /// Times a follower of a log had to read again what it missed.
    pub log_gaps: Counter,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// What it is at.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::Relaxed);
    }
}
