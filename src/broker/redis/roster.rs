//! Who else is there. Each node beats its heart in Redis and reads everybody's: one whose beat does not
//! change for its time, while ours is answered, is lost. Time in which Redis did not answer us tells nothing
//! about others and does not count; nor does a Redis that forgot everybody.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::outbox::Outbox;
use crate::broker::Delivery;
use crate::protocol::node::{Node, NodeId};

/// Between two heartbeats.
pub(super) const BEAT: Duration = Duration::from_millis(500);
/// Without a new beat for this long a node is lost.
pub(super) const LIFETIME: Duration = Duration::from_millis(1900);
/// Two beats of ours that are further apart do not count as silence of others.
const BLIND: Duration = Duration::from_millis(1100);
/// Nodes that said farewell and are remembered, at most.
const FAREWELLS: usize = 1024;

/// What a node says of itself with each beat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Card {
    pub(super) node: Node,
    /// When it started, in milliseconds of its own clock; of two runs with one name the later counts.
    pub(super) started: u64,
    /// How often its inbox was made whole.
    pub(super) wholes: u64,
    /// Whether it wants no new connections any more.
    pub(super) stay: Stay,
}

/// Whether a node stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stay {
    Staying,
    Leaving,
}

/// One node's entry in Redis.
#[derive(Debug, Clone)]
pub(super) struct Beat {
    pub(super) id: NodeId,
    /// When it was written, in milliseconds of Redis's clock.
    pub(super) at: u64,
    pub(super) card: Card,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Hello(NodeId),
    Lost(NodeId),
}

/// The nodes as last heard.
#[derive(Debug, Default)]
struct Known {
    nodes: HashMap<NodeId, Seen>,
    farewells: VecDeque<NodeId>,
    last: Option<Instant>,
}

#[derive(Debug)]
struct Seen {
    card: Card,
    at: u64,
    silent: Duration,
}

/// See the module.
pub(super) struct Roster {
    me: Node,
    known: Mutex<Known>,
    list: RwLock<Arc<[Node]>>,
    outbox: Arc<Outbox>,
    /// Weak: what holds the inbox open are the tasks, so it ends with them.
    to: mpsc::WeakSender<Delivery>,
    /// Told when this node's card changed.
    pub(super) hurry: Notify,
}

impl Roster {
    pub(super) fn new(me: Node, outbox: Arc<Outbox>, to: &mpsc::Sender<Delivery>) -> Self {
        let list = RwLock::new(Arc::from([me.clone()]));
        Self { me, known: Mutex::default(), list, outbox, to: to.downgrade(), hurry: Notify::new() }
    }

    /// All that live.
    pub(super) fn nodes(&self) -> Arc<[Node]> {
        self.list.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn knows(&self, node: NodeId) -> bool {
        self.known().nodes.contains_key(&node)
    }

    /// The others.
    pub(super) fn others(&self) -> Vec<NodeId> {
        self.nodes().iter().map(|node| node.id).filter(|id| *id != self.me.id).collect()
    }

    /// Those that want no new connections.
    pub(super) fn leaving(&self) -> Vec<NodeId> {
        let known = self.known();
        let leaving = known.nodes.iter().filter(|(_, seen)| seen.card.stay == Stay::Leaving);
        leaving.map(|(id, _)| *id).collect()
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Redis did not answer, or knows nobody any more.
    pub(super) fn is_blind(&self) {
        self.known().is_blind();
    }

    /// All beats, as Redis has them.
    pub(super) async fn heard(&self, now: Instant, redis_now: u64, beats: Vec<Beat>) {
        let beats = beats.into_iter().filter(|beat| beat.id != self.me.id).collect();
        let changes = self.known().heard(now, redis_now, beats);
        self.tell(changes).await;
    }

    /// A node says that its inbox was made whole for this many times.
    pub(super) async fn said_hello(&self, node: NodeId, wholes: u64) {
        let (is_new, is_known) = {
            let mut known = self.known();
            (known.said_hello(node, wholes), known.nodes.contains_key(&node))
        };
        if is_new {
            self.tell(vec![Change::Hello(node)]).await;
        }
        if !is_known {
            // Its clients may be sent here at any moment: it is looked up now, and not at the next beat.
            self.hurry.notify_one();
        }
    }

    /// A node ends.
    pub(super) async fn said_farewell(&self, node: NodeId) {
        let was_known = self.known().said_farewell(node);
        if was_known {
            self.tell(vec![Change::Lost(node)]).await;
        }
    }

    async fn tell(&self, changes: Vec<Change>) {
        self.publish();
        for change in changes {
            let delivery = match change {
                Change::Hello(node) => {
                    self.outbox.broke(node);
                    Delivery::Hello(node)
                }
                Change::Lost(node) => {
                    tracing::info!(%node, "a node is gone");
                    Delivery::NodeLost(node)
                }
            };
            if let Some(to) = self.to.upgrade() {
                let _ = to.send(delivery).await;
            }
        }
    }

    fn publish(&self) {
        let nodes = self.known().list(&self.me);
        self.outbox.live(&nodes.iter().map(|node| node.id).collect::<Vec<_>>());
        *self.list.write().unwrap_or_else(PoisonError::into_inner) = nodes;
    }
}

impl Known {
    fn is_blind(&mut self) {
        self.last = None;
        self.nodes.values_mut().for_each(|seen| seen.silent = Duration::ZERO);
    }

    fn heard(&mut self, now: Instant, redis_now: u64, beats: Vec<Beat>) -> Vec<Change> {
        let since = self.last.map(|last| now - last).filter(|since| *since <= BLIND);
        if since.is_none() {
            self.is_blind();
        }
        self.last = Some(now);
        self.nodes.values_mut().for_each(|seen| seen.silent += since.unwrap_or_default());
        let mut changes = Vec::new();
        for beat in beats {
            changes.extend(self.beat(redis_now, beat));
        }
        let lost = self.nodes.extract_if(|_, seen| seen.silent >= LIFETIME);
        changes.extend(lost.map(|(id, _)| Change::Lost(id)));
        changes
    }

    fn beat(&mut self, redis_now: u64, beat: Beat) -> Option<Change> {
        let Beat { id, at, card } = beat;
        if self.farewells.contains(&id) {
            return None;
        }
        let wholes = card.wholes;
        let Some(seen) = self.nodes.get_mut(&id) else {
            // What is left of one that ended before we looked is nobody.
            let age = Duration::from_millis(redis_now.saturating_sub(at));
            if age < LIFETIME {
                self.nodes.insert(id, Seen { card, at, silent: Duration::ZERO });
                return (wholes > 0).then_some(Change::Hello(id));
            }
            return None;
        };
        if seen.at == at {
            return None;
        }
        let is_whole_again = wholes > seen.card.wholes;
        let wholes = wholes.max(seen.card.wholes);
        *seen = Seen { card: Card { wholes, ..card }, at, silent: Duration::ZERO };
        is_whole_again.then_some(Change::Hello(id))
    }

    /// Whether that is news.
    fn said_hello(&mut self, node: NodeId, wholes: u64) -> bool {
        match self.nodes.get_mut(&node) {
            Some(seen) if wholes > seen.card.wholes => {
                seen.card.wholes = wholes;
                true
            }
            // Of one that is not known yet its first beat will tell.
            _ => false,
        }
    }

    fn said_farewell(&mut self, node: NodeId) -> bool {
        if !self.farewells.contains(&node) {
            self.farewells.push_back(node);
        }
        if self.farewells.len() > FAREWELLS {
            self.farewells.pop_front();
        }
        self.nodes.remove(&node).is_some()
    }

    /// All, the latest started first, so that of two runs with one name the later is found.
    fn list(&self, me: &Node) -> Arc<[Node]> {
        let mut cards: Vec<_> = self.nodes.values().map(|seen| &seen.card).collect();
        cards.sort_by_key(|card| (std::cmp::Reverse(card.started), card.node.id));
        std::iter::once(me).chain(cards.into_iter().map(|card| &card.node)).cloned().collect()
    }
}

#[cfg(test)]
mod tests;
