//! What is to happen, in the order of time, and of saying so where the time is the same.

use std::collections::BTreeMap;

pub struct Queue<T> {
    waiting: BTreeMap<(u64, u64), T>,
    count: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), count: 0 }
    }
}

impl<T> Queue<T> {
    /// Adds what is to happen at `time`.
    pub fn add(&mut self, time: u64, what: T) {
        self.count += 1;
        self.waiting.insert((time, self.count), what);
    }

    /// What happens next, and when.
    pub fn next(&mut self) -> Option<(u64, T)> {
        self.waiting.pop_first().map(|((time, _), what)| (time, what))
    }

    /// How much was ever added.
    pub fn count(&self) -> u64 {
        self.count
    }
}
