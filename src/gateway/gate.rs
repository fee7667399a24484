//! Holds a socket's events back until it may answer them. The library below says CONNECT to the client
//! before it lets the server speak on the socket: an event that a quick client sends in between would find
//! no handler, or its answer no way out. So handlers are there before CONNECT, and what they are called
//! with waits here, in order, for a moment: at most [`MOST`] events; whoever sends more before it is heard
//! is cut off.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Events that may wait. A client that knows its manners sends one or two.
const MOST: usize = 256;

type Event = Box<dyn FnOnce() + Send>;

/// Closed at first; opened once.
#[derive(Default)]
pub(super) struct Gate {
    is_open: AtomicBool,
    waiting: Mutex<Waiting>,
}

/// What waits behind a closed gate.
enum Waiting {
    Events(Vec<Event>),
    /// The socket went before it could be answered: the gate never opens.
    Gone,
}

impl Default for Waiting {
    fn default() -> Self {
        Self::Events(Vec::new())
    }
}

impl Gate {
    /// Has the event handled: now, or when the gate opens. Call it from one task alone to keep the order.
    /// False when too many wait: this one is forgotten.
    pub(super) fn pass(&self, event: impl FnOnce() + Send + 'static) -> bool {
        if !self.is_open.load(Ordering::Acquire) {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if !self.is_open.load(Ordering::Acquire) {
                let Waiting::Events(events) = &mut *waiting else { return true };
                let has_room = events.len() < MOST;
                if has_room {
                    events.push(Box::new(event));
                }
                return has_room;
            }
        }
        event();
        true
    }

    /// Has what waits handled, and what comes from now on at once. The events must not pass the gate again.
    pub(super) fn open(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Waiting::Events(events) = &mut *waiting else { return };
        for event in std::mem::take(events) {
            event();
        }
        self.is_open.store(true, Ordering::Release);
    }

    /// Forgets what waits, and what may still come: the socket is gone.
    pub(super) fn clear(&self) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Waiting::Gone;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn what_came_too_early_is_handled_first_and_nothing_twice() {
        let (gate, (to, handled)) = (Gate::default(), mpsc::channel());
        let pass = |n: u8| {
            let to = to.clone();
            assert!(gate.pass(move || to.send(n).unwrap()));
        };
        pass(1);
        pass(2);
        assert!(handled.try_recv().is_err());
        gate.open();
        pass(3);
        gate.open();
        assert_eq!(handled.try_iter().collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn a_socket_that_went_before_it_was_heard_leaves_nothing_behind() {
        let (gate, (to, handled)) = (Gate::default(), mpsc::channel());
        let pass = |n: u8| {
            let to = to.clone();
            assert!(gate.pass(move || to.send(n).unwrap()));
        };
        pass(1);
        gate.clear();
        gate.open();
        pass(2);
        assert!(handled.try_recv().is_err());
    }

    #[test]
    fn too_many_that_come_too_early_are_not_kept() {
        let gate = Gate::default();
        assert!((0..MOST).all(|_| gate.pass(|| {})));
        assert!(!gate.pass(|| {}));
        gate.open();
        assert!(gate.pass(|| {}));
    }
}
