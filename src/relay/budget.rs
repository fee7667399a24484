//! The memory that all relays of a node may hold together. A figure and a count, nothing else: it never
//! waits and never takes anything back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The node's budget for bytes held in windows. Cheap to clone; all clones count together.
///
/// A lane reserves what it grants before the source may send it, so what is held never passes what is
/// reserved. When the budget is used up a lane still gets its floor (see [`super::Options::floor`]):
/// the bound is `budget + lanes × floor`.
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

    /// Bytes reserved now. May pass the total by the floors of lanes that came too late.
    pub fn used(&self) -> u64 {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Whether less than half is in use, so that keeping bytes for those who come late costs nobody.
    pub(super) fn is_relaxed(&self) -> bool {
        self.used() < self.0.total / 2
    }

    /// Reserves as much of `want` as there is, and at least `floor` of it, and says how much.
    pub(super) fn reserve(&self, want: u64, floor: u64) -> u64 {
        let mut got = 0;
        let _ = self.0.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            got = want.min(self.0.total.saturating_sub(used).max(floor));
            Some(used + got)
        });
        got
    }

    /// Gives `bytes` back.
    pub(super) fn release(&self, bytes: u64) {
        self.0.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_used_up_budget_still_gives_the_floor() {
        let budget = Budget::new(100);
        assert_eq!(budget.reserve(90, 10), 90);
        assert_eq!(budget.reserve(90, 20), 20);
        assert_eq!(budget.reserve(5, 20), 5);
        assert_eq!(budget.used(), 115);
        budget.release(115);
        assert_eq!(budget.used(), 0);
    }
}
