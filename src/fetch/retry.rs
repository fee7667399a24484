//! How long to wait before an origin is asked again, and when to give up. Pure: chance is handed in.

use std::time::Duration;

/// The first wait; each further one is twice as long, up to the longest.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(15);
/// Times that an origin may fail in a row, without a byte between: about a minute.
const MOST: u32 = 7;

/// The failures of one origin in a row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Retries {
    failures: u32,
}

impl Retries {
    /// Bytes came: what failed before is forgotten.
    pub(super) fn forget(&mut self) {
        self.failures = 0;
    }

    /// It failed. How long to wait before it is asked again, at least as long as the origin `asked` for; none
    /// when that makes no sense any more. `chance`, 0 to 1, keeps many from coming back at once: a wait is cut
    /// by up to a half.
    pub(super) fn next(&mut self, chance: f64, asked: Option<Duration>) -> Option<Duration> {
        if self.failures >= MOST {
            return None;
        }
        let whole = FIRST.saturating_mul(1 << self.failures).min(LONGEST);
        self.failures += 1;
        let wait = whole.mul_f64(1.0 - chance.clamp(0.0, 1.0) / 2.0);
        Some(asked.map_or(wait, |asked| asked.max(wait)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_grow_are_bounded_and_end(chances in proptest::collection::vec(0.0..=1.0, 20)) {
            let mut retries = Retries::default();
            let waits: Vec<_> = chances.iter().map_while(|chance| retries.next(*chance, None)).collect();
            prop_assert_eq!(waits.len(), MOST as usize);
            for (number, wait) in waits.iter().enumerate() {
                let whole = (FIRST * (1 << number)).min(LONGEST);
                prop_assert!(*wait <= whole && *wait >= whole / 2);
            }
            retries.forget();
            prop_assert!(retries.next(0.0, None) == Some(FIRST));
            let asked = Duration::from_secs(40);
            prop_assert_eq!(retries.next(0.0, Some(asked)), Some(asked));
        }
    }
}
