//! What one reader of an origin is asked for: which lane, from where, how far. The relay says it by the
//! source's port, the reader takes what it may deliver; both at once, so each word is one step under one lock.
//! Pure but for that lock: it reads nothing and sends nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The order that a reader works on.
#[derive(Debug)]
pub(super) struct Desk {
    order: Mutex<Order>,
    changed: Notify,
}

#[derive(Debug, Clone, Copy)]
struct Order {
    /// The lane that the bytes are for; none while nobody asks.
    lane: Option<u64>,
    /// Bytes before here are delivered.
    at: u64,
    /// Bytes before here may be.
    limit: u64,
    life: Life,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Open,
    /// The reader has gone, or must go.
    Over,
}

/// Bytes that may be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leave {
    /// On this lane,
    pub lane: u64,
    /// from here,
    pub offset: u64,
    /// so many.
    pub len: usize,
}

/// What a reader has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// Bytes are asked for.
    Bytes,
    /// A lane runs, and has no credit now.
    Patience,
    /// No lane is its own.
    Nothing,
    /// To go.
    End,
}

impl Desk {
    /// The desk of a reader at `at`, for a lane up to `limit`; or for none yet.
    pub(super) fn new(at: u64, lane: Option<(u64, u64)>) -> Self {
        let (lane, limit) = lane.map_or((None, at), |(lane, limit)| (Some(lane), limit));
        Self { order: Mutex::new(Order { lane, at, limit, life: Life::Open }), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something was said.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What is wanted.
    pub(super) fn want(&self) -> Want {
        let order = self.lock();
        match (order.life, order.lane) {
            (Life::Over, _) => Want::End,
            (Life::Open, None) => Want::Nothing,
            (Life::Open, Some(_)) if order.limit > order.at => Want::Bytes,
            (Life::Open, Some(_)) => Want::Patience,
        }
    }

    /// Everything before here is delivered.
    pub(super) fn at(&self) -> u64 {
        self.lock().at
    }

    /// Takes the right to deliver up to `most` bytes now.
    pub(super) fn take(&self, most: usize) -> Option<Leave> {
        let mut order = self.lock();
        let lane = order.lane.filter(|_| order.life == Life::Open)?;
        let credit = usize::try_from(order.limit.saturating_sub(order.at)).unwrap_or(usize::MAX);
        let len = most.min(credit);
        if len == 0 {
            return None;
        }
        let offset = order.at;
        order.at += len as u64;
        Some(Leave { lane, offset, len })
    }

    /// Raises the credit of this lane, if it is the reader's. Whether it is.
    pub(super) fn raise(&self, lane: u64, limit: u64) -> bool {
        let is_mine = {
            let mut order = self.lock();
            let is_mine = order.lane == Some(lane) && order.life == Life::Open;
            if is_mine {
                order.limit = order.limit.max(limit);
            }
            is_mine
        };
        if is_mine {
            self.changed.notify_one();
        }
        is_mine
    }

    /// Gives the reader a lane that begins where it is, if it has none. Whether it does.
    pub(super) fn adopt(&self, lane: u64, from: u64, limit: u64) -> bool {
        let is_taken = {
            let mut order = self.lock();
            let fits = order.lane.is_none() && order.at == from && order.life == Life::Open;
            if fits {
                (order.lane, order.limit) = (Some(lane), limit);
            }
            fits
        };
        if is_taken {
            self.changed.notify_one();
        }
        is_taken
    }

    /// Ends this lane, if it is the reader's; the reader stays where it is.
    pub(super) fn stop(&self, lane: u64) {
        let mut order = self.lock();
        if order.lane == Some(lane) {
            order.lane = None;
        }
        drop(order);
        self.changed.notify_one();
    }

    /// The reader must go, if nobody asks for its bytes. Whether it does.
    pub(super) fn dismiss(&self) -> bool {
        let mut order = self.lock();
        if order.lane.is_some() {
            return false;
        }
        order.life = Life::Over;
        drop(order);
        self.changed.notify_one();
        true
    }

    /// The reader has gone: nothing is taken any more.
    pub(super) fn leave(&self) {
        self.lock().life = Life::Over;
    }

    /// Whether the reader has gone, or must.
    pub(super) fn is_over(&self) -> bool {
        self.lock().life == Life::Over
    }

    /// Whether no lane is its own.
    pub(super) fn is_idle(&self) -> bool {
        self.lock().lane.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Word {
        Take(usize),
        Raise(u64, u64),
        Stop(u64),
        Adopt(u64, u64, u64),
    }

    fn word() -> impl Strategy<Value = Word> {
        prop_oneof![
            (0_usize..50).prop_map(Word::Take),
            (0_u64..4, 0_u64..300).prop_map(|(lane, limit)| Word::Raise(lane, limit)),
            (0_u64..4).prop_map(Word::Stop),
            (0_u64..4, 0_u64..300, 0_u64..300).prop_map(|(lane, from, limit)| Word::Adopt(lane, from, limit)),
        ]
    }

    proptest! {
        #[test]
        fn bytes_are_delivered_in_order_on_the_lane_that_asked_and_within_its_credit(
            words in proptest::collection::vec(word(), 1..60),
        ) {
            let desk = Desk::new(0, None);
            let (mut at, mut order) = (0_u64, None::<(u64, u64)>);
            for word in words {
                match word {
                    Word::Take(most) => {
                        let leave = desk.take(most);
                        let may = order.map_or(0, |(_, limit)| limit.saturating_sub(at)).min(most as u64);
                        match leave {
                            Some(leave) => {
                                prop_assert_eq!(Some(leave.lane), order.map(|(lane, _)| lane));
                                prop_assert_eq!((leave.offset, leave.len as u64), (at, may));
                                at += may;
                            }
                            None => prop_assert_eq!(may, 0),
                        }
                    }
                    Word::Raise(lane, limit) => {
                        if desk.raise(lane, limit) {
                            let (mine, before) = order.unwrap();
                            prop_assert_eq!(mine, lane);
                            order = Some((lane, before.max(limit)));
                        }
                    }
                    Word::Stop(lane) => {
                        desk.stop(lane);
                        order = order.filter(|(mine, _)| *mine != lane);
                    }
                    Word::Adopt(lane, from, limit) => {
                        let fits = order.is_none() && from == at;
                        prop_assert_eq!(desk.adopt(lane, from, limit), fits);
                        if fits {
                            order = Some((lane, limit));
                        }
                    }
                }
                prop_assert_eq!(desk.at(), at);
            }
        }
    }

    #[test]
    fn a_reader_that_is_asked_for_bytes_cannot_be_dismissed() {
        let desk = Desk::new(5, Some((1, 9)));
        assert!(!desk.dismiss());
        assert_eq!(desk.want(), Want::Bytes);
        desk.stop(1);
        assert_eq!(desk.want(), Want::Nothing);
        assert!(desk.dismiss());
        assert_eq!(desk.want(), Want::End);
        assert!(!desk.adopt(2, 5, 9) && !desk.raise(1, 10) && desk.take(1).is_none());
    }
}
