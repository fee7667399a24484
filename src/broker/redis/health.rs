//! Whether Redis can be reached, and this node heard. It is there when the heartbeat is answered and every
//! inbox is subscribed to; one that breaks for a moment counts, since what was sent to it meanwhile is lost.
//! It says when it is lost, and when it is back: in turns, one line of the log each.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::{mpsc, watch};

use super::credit::INBOXES;
use crate::broker::Delivery;

/// What must be up.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    Heart,
    Inbox(usize),
}

#[derive(Debug, Clone, Copy, Default)]
struct Parts {
    /// One bit for each part that is up.
    up: u32,
    /// Times that any went down.
    breaks: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Health {
    parts: watch::Sender<Parts>,
    is_there: AtomicBool,
    /// Times that all was made whole.
    wholes: AtomicU64,
}

const ALL: u32 = (1 << (INBOXES + 1)) - 1;

impl Part {
    fn bit(self) -> u32 {
        match self {
            Self::Heart => 1,
            Self::Inbox(inbox) => 2 << inbox,
        }
    }
}

impl Health {
    pub(super) fn new() -> Self {
        Self {
            parts: watch::Sender::new(Parts::default()),
            is_there: AtomicBool::new(false),
            wholes: AtomicU64::new(0),
        }
    }

    pub(super) fn is_there(&self) -> bool {
        self.is_there.load(Ordering::Acquire)
    }

    /// How often this node's inbox was made whole.
    pub(super) fn wholes(&self) -> u64 {
        self.wholes.load(Ordering::Acquire)
    }

    pub(super) fn up(&self, part: Part) {
        self.parts.send_if_modified(|parts| {
            let was_down = parts.up & part.bit() == 0;
            parts.up |= part.bit();
            was_down
        });
    }

    pub(super) fn down(&self, part: Part) {
        self.parts.send_if_modified(|parts| {
            let was_up = parts.up & part.bit() != 0;
            parts.up &= !part.bit();
            parts.breaks += u64::from(was_up);
            self.is_there.store(parts.up == ALL, Ordering::Release);
            was_up
        });
    }

    /// This node was away itself, for so long that others may have taken it for lost.
    pub(super) fn broke(&self) {
        self.parts.send_modify(|parts| parts.breaks += 1);
    }

    /// Whether Redis answers the heartbeat.
    pub(super) fn has_heart(&self) -> bool {
        self.parts.borrow().up & Part::Heart.bit() != 0
    }

    /// Waits until Redis is there.
    pub(super) async fn is_whole(&self) {
        let _ = self.parts.subscribe().wait_for(|parts| parts.up == ALL).await;
    }

    /// Tells of every change, in turns, until the inbox is closed. `made_whole` runs before each "back".
    pub(super) async fn tell(&self, inbox: &mpsc::Sender<Delivery>, made_whole: impl Fn()) {
        let mut changes = self.parts.subscribe();
        let mut breaks = None;
        let mut is_away = true;
        loop {
            let parts = *changes.borrow_and_update();
            let broke = breaks.is_some_and(|before| parts.breaks > before);
            if !is_away && (broke || parts.up != ALL) {
                is_away = true;
                tracing::warn!("Redis cannot be reached, or forgot this node; trying again");
                if inbox.send(Delivery::Away).await.is_err() {
                    return;
                }
            }
            if is_away && parts.up == ALL {
                is_away = false;
                self.wholes.fetch_add(1, Ordering::AcqRel);
                breaks = Some(parts.breaks);
                self.is_there.store(self.parts.borrow().up == ALL, Ordering::Release);
                made_whole();
                tracing::info!("Redis is there");
                if inbox.send(Delivery::Back).await.is_err() {
                    return;
                }
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}
