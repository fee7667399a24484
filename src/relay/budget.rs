//! The memory that all relays of a node may hold together. A figure and a count, nothing else: it never
//! waits and never takes anything back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The node's budget for bytes held in windows. Cheap to clone; all clones count together.
///
/// A lane books what it grants before the source may send it, and a chunk keeps its part booked for as
/// long as any lane holds it; so what is held never passes what is booked, and what two lanes share is
/// counted once. When the budget is used up a lane still gets its floor (see [`super::Options::floor`]).
#[derive(Debug, Clone)]
pub struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    total: u64,
    used: AtomicU64,
}

impl Budget {
    /// A budget of `total` bytes.
    pub fn new(total: u64) -> Self {
        Self(Arc::new(Shared { total, used: AtomicU64::new(0) }))
    }

    /// Bytes booked now. May pass the total by the floors of lanes that came too late.
    pub fn used(&self) -> u64 {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Whether less than half is in use, so that keeping bytes for those who come late costs nobody.
    pub(super) fn is_relaxed(&self) -> bool {
        self.used() < self.0.total / 2
    }

    /// Books as much of `want` as there is, and at least `floor` of it, and says how much.
    fn book(&self, want: u64, floor: u64) -> u64 {
        let mut got = 0;
        let _ = self.0.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            got = want.min(self.0.total.saturating_sub(used).max(floor));
            Some(used + got)
        });
        got
    }
}

/// Bytes booked in a budget, given back when dropped.
#[derive(Debug)]
pub(super) struct Booked {
    budget: Budget,
    bytes: u64,
}

impl Booked {
    /// Nothing yet.
    pub(super) fn none(budget: &Budget) -> Self {
        Self { budget: budget.clone(), bytes: 0 }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Books as much of `want` more as there is, and at least `floor` of it.
    pub(super) fn grow(&mut self, want: u64, floor: u64) {
        self.bytes += self.budget.book(want, floor);
    }

    /// Gives back all but `bytes`.
    pub(super) fn shrink_to(&mut self, bytes: u64) {
        drop(self.take(self.bytes.saturating_sub(bytes)));
    }

    /// Hands over `bytes` of it, or all there is.
    pub(super) fn take(&mut self, bytes: u64) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { budget: self.budget.clone(), bytes }
    }

    /// Takes another's in.
    pub(super) fn join(&mut self, mut other: Self) {
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for Booked {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_used_up_budget_still_gives_the_floor() {
        let budget = Budget::new(100);
        let mut first = Booked::none(&budget);
        first.grow(90, 10);
        let mut second = Booked::none(&budget);
        second.grow(90, 20);
        assert_eq!((first.bytes(), second.bytes()), (90, 20));
        second.grow(5, 20);
        assert_eq!(budget.used(), 115);
    }

    #[test]
    fn what_was_booked_is_given_back_once_however_it_was_handed_on() {
        let budget = Budget::new(100);
        let mut credit = Booked::none(&budget);
        credit.grow(80, 0);
        let mut held = credit.take(30);
        held.join(credit.take(20));
        credit.shrink_to(10);
        assert_eq!((held.bytes(), credit.bytes(), budget.used()), (50, 10, 60));
        drop(held);
        drop(credit);
        assert_eq!(budget.used(), 0);
    }
}
