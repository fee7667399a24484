//! What is told to the node's own inbox by those who must not wait: what was not delivered, and where there
//! is room again. Both are sets, so their size is bounded by what exists; past that, single transfers are
//! told as a whole node.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use crate::broker::Delivery;
use crate::protocol::TransferId;
use crate::protocol::node::NodeId;

/// Undelivered frames that are told one by one, at most.
const MOST: usize = 16_384;
/// Between two rounds of telling what was not delivered: whoever sends again at once does not spin.
const PAUSE: Duration = Duration::from_millis(25);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Notices {
    undelivered: Pile<(NodeId, Option<TransferId>)>,
    rooms: Pile<NodeId>,
}

#[derive(Debug)]
struct Pile<T> {
    waiting: Mutex<HashSet<T>>,
    some: Notify,
}

impl<T> Default for Pile<T> {
    fn default() -> Self {
        Self { waiting: Mutex::default(), some: Notify::new() }
    }
}

impl<T: Eq + Hash> Pile<T> {
    fn put(&self, what: impl FnOnce(usize) -> T) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let what = what(waiting.len());
        if waiting.insert(what) {
            self.some.notify_one();
        }
    }

    async fn take(&self) -> HashSet<T> {
        loop {
            let all = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
            if !all.is_empty() {
                return all;
            }
            self.some.notified().await;
        }
    }
}

impl Notices {
    pub(super) fn undelivered(&self, to: NodeId, transfer: TransferId) {
        self.undelivered.put(|waiting| (to, (waiting < MOST).then_some(transfer)));
    }

    pub(super) fn room(&self, to: NodeId) {
        self.rooms.put(|_| to);
    }

    /// Tells, until the inbox is closed.
    pub(super) async fn tell(&self, inbox: &mpsc::Sender<Delivery>) {
        tokio::join!(self.tell_undelivered(inbox), self.tell_rooms(inbox));
    }

    async fn tell_undelivered(&self, inbox: &mpsc::Sender<Delivery>) {
        loop {
            for (to, transfer) in self.undelivered.take().await {
                let notice = match transfer {
                    Some(transfer) => Delivery::Undelivered { to, transfer },
                    None => Delivery::Hello(to),
                };
                if inbox.send(notice).await.is_err() {
                    return;
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn tell_rooms(&self, inbox: &mpsc::Sender<Delivery>) {
        loop {
            for to in self.rooms.take().await {
                if inbox.send(Delivery::Room(to)).await.is_err() {
                    return;
                }
            }
        }
    }
}
