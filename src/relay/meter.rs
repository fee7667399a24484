//! How fast bytes move: an average over the last seconds that forgets. It refuses to know the time by
//! itself.

use std::time::Duration;

use crate::protocol::Moment;

/// The time over which the average forgets about two thirds of what was.
const MEMORY: Duration = Duration::from_secs(3);

/// A meter of bytes a second.
#[derive(Debug, Clone)]
pub struct Meter {
    offset: u64,
    at: Moment,
    rate: f64,
}

impl Meter {
    /// A meter that begins at `offset`.
    pub fn new(now: Moment, offset: u64) -> Self {
        Self { offset, at: now, rate: 0.0 }
    }

    /// Takes a new reading. One that went back (a consumer that began again) counts as no movement.
    #[allow(clippy::cast_precision_loss)]
    pub fn read(&mut self, now: Moment, offset: u64) {
        let seconds = now.since(self.at).as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        let rate = offset.saturating_sub(self.offset) as f64 / seconds;
        let old = if self.rate == 0.0 { 0.0 } else { (-seconds / MEMORY.as_secs_f64()).exp() };
        self.rate = self.rate.mul_add(old, rate * (1.0 - old));
        (self.offset, self.at) = (offset, now);
    }

    /// Bytes a second.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn bytes_per_second(&self) -> u64 {
        self.rate.round() as u64
    }

    /// Whole seconds until `rest` more bytes have moved; none while nothing moves.
    pub fn eta_seconds(&self, rest: u64) -> Option<u64> {
        match self.bytes_per_second() {
            0 => None,
            rate => Some(rest.div_ceil(rate)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_flow_is_measured_and_silence_is_noticed() {
        let mut meter = Meter::new(Moment::from_micros(0), 0);
        for tick in 1..=10 {
            meter.read(Moment::from_micros(tick * 500_000), tick * 500);
        }
        assert_eq!(meter.bytes_per_second(), 1000);
        assert_eq!(meter.eta_seconds(2500), Some(3));
        for tick in 11..=80 {
            meter.read(Moment::from_micros(tick * 500_000), 5000);
        }
        assert_eq!(meter.eta_seconds(1), None);
    }
}
