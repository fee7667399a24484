//! How many transfers are active: what a node that is told to end waits for. It counts, and decides nothing.

use super::Hub;

impl Hub {
    /// Counts a transfer as active until what it gets is dropped.
    pub(super) fn count_active(&self) -> Active {
        self.0.active.send_modify(|active| *active += 1);
        Active(self.clone())
    }
}

/// One active transfer.
pub(super) struct Active(Hub);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.0.active.send_modify(|active| *active -= 1);
    }
}
