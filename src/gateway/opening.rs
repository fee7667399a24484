//! What a link said of transfers whose tokens are still being looked up on other nodes. It exists so that a
//! client may go on at once after `source:open` or `sink:open`, as it may where the transfer is known; it
//! holds back nothing that concerns a transfer that is open.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Events that may wait; one more is refused.
const MOST: usize = 1024;
/// Look-ups at once: more than the files of one offer, all of which a sender may open again at another node.
const MOST_LOOKUPS: usize = 16_384;

type Event = Box<dyn FnOnce() + Send>;

/// Look-ups under way, and what waits for them.
#[derive(Default)]
pub(super) struct Openings(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    under_way: usize,
    waiting: Vec<Event>,
}

impl Openings {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A look-up begins, and [`Self::end`] must follow; or false: too many are under way.
    pub(super) fn begin(&self) -> bool {
        let mut inner = self.lock();
        let has_room = inner.under_way < MOST_LOOKUPS;
        inner.under_way += usize::from(has_room);
        has_room
    }

    /// A look-up has ended. With the last, what waited is handled, in order.
    pub(super) fn end(&self) {
        let ready = {
            let mut inner = self.lock();
            inner.under_way = inner.under_way.saturating_sub(1);
            if inner.under_way == 0 { std::mem::take(&mut inner.waiting) } else { Vec::new() }
        };
        for event in ready {
            event();
        }
    }

    /// Has the event wait for the look-ups that are under way, or gives it back: there are none, or too many
    /// wait.
    pub(super) fn wait<E: FnOnce() + Send + 'static>(&self, event: E) -> Result<(), E> {
        let mut inner = self.lock();
        if inner.under_way == 0 || inner.waiting.len() >= MOST {
            return Err(event);
        }
        inner.waiting.push(Box::new(event));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn what_is_said_while_a_token_is_looked_up_waits_for_it_in_order() {
        let (openings, (to, handled)) = (Openings::default(), mpsc::channel());
        let say = |n: u8| {
            let to = to.clone();
            move || to.send(n).unwrap()
        };
        assert!(openings.wait(say(0)).is_err(), "nothing is looked up");
        assert!(openings.begin() && openings.begin());
        assert!(openings.wait(say(1)).is_ok());
        assert!(openings.wait(say(2)).is_ok());
        openings.end();
        assert!(handled.try_recv().is_err());
        openings.end();
        assert_eq!(handled.try_iter().collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn one_look_up_too_many_is_refused() {
        let openings = Openings::default();
        assert!((0..MOST_LOOKUPS).all(|_| openings.begin()));
        assert!(!openings.begin());
        openings.end();
        assert!(openings.begin());
    }
}
