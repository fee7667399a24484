//! What this node says to others. It never waits: what finds no room is refused or told as undelivered. All
//! letters of one transfer to one node go over one connection and into one inbox, so they keep their order.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use dashmap::DashMap;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::credit::{self, Credit, INBOXES};
use super::dial::Address;
use super::line::{About, Line, Outgoing};
use super::names::Names;
use super::notices::Notices;
use super::stats::Stats;
use super::topology::{self, Topology};
use crate::broker::Full;
use crate::protocol::TransferId;
use crate::protocol::frame::{Letter, Message};
use crate::protocol::node::{Body, Frame, NodeId};

/// Connections for publishing to each master of a cluster. To a single Redis there is one for each inbox.
const PER_MASTER: usize = 2;

/// See the module.
pub(super) struct Outbox {
    me: NodeId,
    names: Names,
    pub(super) topology: Arc<Topology>,
    pub(super) stats: Arc<Stats>,
    pub(super) notices: Notices,
    /// Told when any connection was made.
    pub(super) connected: Arc<Notify>,
    stop: CancellationToken,
    tasks: TaskTracker,
    runtime: tokio::runtime::Handle,
    peers: DashMap<NodeId, Arc<Peer>>,
    lines: DashMap<Option<Address>, Arc<[Line]>>,
    limit: AtomicU64,
    /// Counts the times that answers may have been lost, so that they are given again.
    losses: AtomicU64,
}

/// Another node.
struct Peer {
    inboxes: [(Bytes, u16); INBOXES],
    credit: Mutex<Credit>,
}

/// What all tasks are made with.
pub(super) struct Base {
    pub(super) me: NodeId,
    pub(super) names: Names,
    pub(super) topology: Arc<Topology>,
    pub(super) stats: Arc<Stats>,
    pub(super) connected: Arc<Notify>,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
}

impl Outbox {
    /// Must be called within a runtime.
    pub(super) fn new(base: Base) -> Arc<Self> {
        let Base { me, names, topology, stats, connected, stop, tasks } = base;
        Arc::new(Self {
            me,
            names,
            topology,
            stats,
            notices: Notices::default(),
            connected,
            stop,
            tasks,
            runtime: tokio::runtime::Handle::current(),
            peers: DashMap::new(),
            lines: DashMap::new(),
            limit: AtomicU64::new(credit::limit(2)),
            losses: AtomicU64::new(0),
        })
    }

    /// Which inbox the frames of a transfer go to.
    fn inbox_of(transfer: &TransferId) -> usize {
        let bytes = transfer.as_str().bytes();
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        usize::try_from(hash >> 32).unwrap_or_default() % INBOXES
    }

    /// Sends a frame.
    pub(super) fn frame(self: &Arc<Self>, to: NodeId, frame: Frame) -> Result<(), Full> {
        let inbox = Self::inbox_of(&frame.transfer);
        let transfer = frame.transfer.clone();
        match &frame.body {
            Body::Chunk { bytes, .. } => {
                let size = bytes.len() as u64;
                self.chunk(to, inbox, size, transfer, Message::Frame(frame))
            }
            _ => {
                let about = About { to, inbox, transfer: Some(transfer), counter: None };
                self.small(about, 0, Message::Frame(frame));
                Ok(())
            }
        }
    }

    fn chunk(
        self: &Arc<Self>,
        to: NodeId,
        inbox: usize,
        size: u64,
        transfer: TransferId,
        message: Message,
    ) -> Result<(), Full> {
        let peer = self.peer(to);
        // Held while it is put into the queue too, so that counters stand in it in their order.
        let mut credit = peer.credit.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(line) = self.line(&peer, inbox).filter(|line| line.is_up()) else {
            credit.refused();
            return Err(Full);
        };
        let Some(counter) = credit.take(inbox, size, self.limit.load(Ordering::Relaxed)) else {
            self.stats.credit_stalls.add(1);
            return Err(Full);
        };
        let about = About { to, inbox, transfer: Some(transfer), counter: Some(counter) };
        let sent = self.sealed(&peer, about, counter, message).is_some_and(|outgoing| line.send(outgoing));
        if !sent {
            credit.lost(inbox, counter);
            credit.refused();
            return Err(Full);
        }
        Ok(())
    }

    /// Sends a letter about no transfer, to the first inbox.
    pub(super) fn notice(self: &Arc<Self>, to: NodeId, counter: u64, message: Message) {
        let inbox = match message {
            Message::Credit { inbox } => usize::try_from(inbox).unwrap_or_default() % INBOXES,
            _ => 0,
        };
        self.small(About { to, inbox, transfer: None, counter: None }, counter, message);
    }

    fn small(self: &Arc<Self>, about: About, counter: u64, message: Message) {
        let peer = self.peer(about.to);
        let sent = self.line(&peer, about.inbox).is_some_and(|line| {
            self.sealed(&peer, about.clone(), counter, message).is_some_and(|outgoing| line.send(outgoing))
        });
        if !sent {
            self.lost(&about);
        }
    }

    fn sealed(&self, peer: &Peer, about: About, counter: u64, message: Message) -> Option<Outgoing> {
        let letter = Letter { from: self.me, counter, message };
        match letter.encode() {
            Ok((head, payload)) => {
                let channel = peer.inboxes.get(about.inbox)?.0.clone();
                Some(Outgoing { channel, head, payload, about })
            }
            Err(error) => {
                tracing::warn!(%error, "a frame cannot be sent");
                None
            }
        }
    }

    fn peer(&self, node: NodeId) -> Arc<Peer> {
        if let Some(peer) = self.peers.get(&node) {
            return peer.clone();
        }
        let named = |inbox| {
            let channel = self.names.inbox(node, inbox);
            let slot = topology::slot(&channel);
            (channel, slot)
        };
        let new = || Arc::new(Peer { inboxes: std::array::from_fn(named), credit: Mutex::default() });
        self.peers.entry(node).or_insert_with(new).clone()
    }

    fn line(self: &Arc<Self>, peer: &Peer, inbox: usize) -> Option<Line> {
        let whom = self.topology.whom(peer.inboxes.get(inbox)?.1)?;
        let lines = self.lines.get(&whom).map(|lines| lines.clone());
        let lines = lines.unwrap_or_else(|| self.new_lines(whom));
        lines.get(inbox % lines.len().max(1)).cloned()
    }

    fn new_lines(self: &Arc<Self>, whom: Option<Address>) -> Arc<[Line]> {
        let count = if whom.is_some() { PER_MASTER } else { INBOXES };
        let start = || {
            let lines = (0..count).map(|_| {
                let (line, run) = Line::new(self.clone(), whom.clone());
                self.spawn(run);
                line
            });
            lines.collect()
        };
        self.lines.entry(whom.clone()).or_insert_with(start).clone()
    }

    /// Runs a task that ends with the broker.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn_on(async move { stop.run_until_cancelled_owned(task).await }, &self.runtime);
    }

    /// Waits until nothing waits to go out.
    pub(super) async fn is_empty(&self) {
        while self.lines.iter().any(|lines| lines.iter().any(|line| !line.is_empty())) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Makes the connections that are needed in any case.
    pub(super) fn prepare(self: &Arc<Self>) {
        if !self.topology.is_cluster() {
            self.new_lines(None);
        }
    }

    /// A line to a node that is no master any more has ended.
    pub(super) fn line_ended(&self, whom: &Option<Address>) {
        self.lines.remove(whom);
    }

    /// A line is up again: whoever was refused meanwhile may try, and answers that were lost are repeated.
    pub(super) fn line_is_up(&self) {
        self.losses.fetch_add(1, Ordering::Relaxed);
        self.tell_of_room(|_| true);
    }

    /// What was given to a line did not arrive, or nobody knows.
    pub(super) fn lost(&self, about: &About) {
        if let (Some(counter), Some(peer)) = (about.counter, self.peers.get(&about.to)) {
            self.with_credit(about.to, &peer, |credit| credit.lost(about.inbox, counter));
        }
        if let Some(transfer) = &about.transfer {
            self.stats.undelivered.add(1);
            self.notices.undelivered(about.to, transfer.clone());
        }
    }

    /// Another node tells how much arrived.
    pub(super) fn arrived(&self, at: NodeId, inbox: u64, counter: u64) {
        if let (Ok(inbox), Some(peer)) = (usize::try_from(inbox), self.peers.get(&at)) {
            self.with_credit(at, &peer, |credit| credit.arrived(inbox, counter));
        }
    }

    /// Another node's inbox broke: nothing is on its way there any more, and what it was told may be lost.
    pub(super) fn broke(&self, node: NodeId) {
        self.losses.fetch_add(1, Ordering::Relaxed);
        if let Some(peer) = self.peers.get(&node) {
            self.with_credit(node, &peer, Credit::forget);
        }
    }

    fn with_credit(&self, node: NodeId, peer: &Peer, change: impl FnOnce(&mut Credit)) {
        let mut credit = peer.credit.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut credit);
        if credit.has_room_again(self.limit.load(Ordering::Relaxed)) {
            self.notices.room(node);
        }
    }

    fn tell_of_room(&self, is_meant: impl Fn(NodeId) -> bool) {
        for peer in self.peers.iter().filter(|peer| is_meant(*peer.key())) {
            self.with_credit(*peer.key(), peer.value(), |_| {});
        }
    }

    /// These nodes live. Others are forgotten, and the limit is shared anew.
    pub(super) fn live(&self, nodes: &[NodeId]) {
        self.limit.store(credit::limit(nodes.len()), Ordering::Relaxed);
        self.peers.retain(|node, _| nodes.contains(node));
    }

    /// Changes when answers may have been lost.
    pub(super) fn losses(&self) -> u64 {
        self.losses.load(Ordering::Relaxed)
    }
}
