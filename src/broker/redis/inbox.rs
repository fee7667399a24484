//! What others say to this node. Each inbox is a channel with a connection of its own, subscribed to for as
//! long as the node lives. Chunks that were handed on are answered with a counter, so that their sender may
//! send more: every so many bytes, and soon after the last, but not while the node has many deliveries yet to
//! take. Handing on waits for room without bound in time; what may pile up here and in Redis meanwhile is
//! bounded by the senders' credit.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};
use tokio::time::interval;

use super::dial::Link;
use super::health::{Health, Part};
use super::line::{PATIENCE, PING};
use super::outbox::Outbox;
use super::retry::Retry;
use super::roster::Roster;
use super::topology;
use super::wire::{Batch, Broken, Pulse, Reader, Value};
use crate::broker::Delivery;
use crate::protocol::frame::{Letter, Message};
use crate::protocol::node::{Body, Frame, NodeId};

/// Bytes that are taken in before their sender is told.
const ANSWER: u64 = 384 << 10;
/// How soon it is told of fewer.
const SOON: Duration = Duration::from_millis(40);
/// Deliveries that may wait for the node while senders are told to go on.
const UNREAD: usize = 16;
/// How soon is looked again, while there are more.
const AGAIN: Duration = Duration::from_millis(1);
/// Senders that are remembered beyond those that live, at most.
const STRANGERS: usize = 64;

/// One of this node's inboxes.
pub(super) struct Inbox {
    pub(super) number: usize,
    pub(super) channel: Bytes,
    pub(super) outbox: Arc<Outbox>,
    pub(super) roster: Arc<Roster>,
    pub(super) health: Arc<Health>,
    pub(super) to: mpsc::Sender<Delivery>,
    pub(super) taken: Taken,
}

/// What was taken in of each sender's chunks, and what it was told of that.
#[derive(Debug, Default)]
pub(super) struct Taken {
    senders: Mutex<HashMap<NodeId, Counters>>,
    losses: AtomicU64,
    /// There is much to tell.
    much: Notify,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counters {
    here: u64,
    told: u64,
}

impl Inbox {
    /// Stays subscribed; ends never.
    pub(super) async fn run(self) {
        let connected = self.outbox.connected.clone();
        let mut retry = Retry::new(&connected);
        let mut is_again = false;
        let slot = topology::slot(&self.channel);
        loop {
            let broken = match self.outbox.topology.open(slot).await {
                Ok(link) => {
                    let broken = self.serve(link, &mut retry, &mut is_again).await;
                    self.health.down(Part::Inbox(self.number));
                    self.outbox.stats.reconnects.add(1);
                    broken
                }
                Err(broken) => broken,
            };
            tracing::debug!(%broken, inbox = self.number, "an inbox");
            if self.outbox.topology.is_cluster() {
                let _ = self.outbox.topology.refresh().await;
            }
            retry.pause().await;
        }
    }

    async fn serve(&self, link: Link, retry: &mut Retry<'_>, is_again: &mut bool) -> Broken {
        let Link { read, mut write } = link;
        let pulse = read.pulse();
        let command: &[u8] = if self.outbox.topology.is_cluster() { b"SSUBSCRIBE" } else { b"SUBSCRIBE" };
        if let Err(broken) = say(&mut write, &[command, &self.channel]).await {
            return broken;
        }
        tokio::select! {
            broken = self.take_in(read, &pulse, retry, is_again) => broken,
            broken = keep_alive(write) => broken,
            broken = pulse.stops(PATIENCE) => broken,
            () = self.answer_soon() => Broken::Silent,
        }
    }

    async fn take_in(
        &self,
        mut read: Reader<impl AsyncRead + Unpin>,
        pulse: &Pulse,
        retry: &mut Retry<'_>,
        is_again: &mut bool,
    ) -> Broken {
        loop {
            let value = match read.value().await {
                Ok(value) => value,
                Err(broken) => return broken,
            };
            match event(value) {
                Event::Message { payload, .. } => pulse.ours(self.letter(&payload)).await,
                Event::Subscribed(_) => {
                    retry.made_it();
                    self.outbox.stats.resubscriptions.add(usize::from(*is_again));
                    *is_again = true;
                    self.health.up(Part::Inbox(self.number));
                }
                Event::Unsubscribed(_) => return Broken::Moved,
                Event::Refused(error) => return Broken::Refused(error),
                Event::Other => {}
            }
        }
    }

    async fn letter(&self, bytes: &Bytes) {
        self.outbox.stats.received.add(1);
        self.outbox.stats.received_bytes.add(bytes.len());
        let Letter { from, counter, message } = match Letter::decode(bytes) {
            Ok(letter) => letter,
            Err(error) => {
                self.outbox.stats.unreadable.add(1);
                tracing::debug!(%error, "a letter cannot be read");
                return;
            }
        };
        match message {
            Message::Frame(frame) => self.frame(from, counter, frame).await,
            Message::Credit { inbox } => self.outbox.arrived(from, inbox, counter),
            Message::Hello => self.roster.said_hello(from, counter).await,
            Message::Gone => self.roster.said_farewell(from).await,
        }
    }

    async fn frame(&self, from: NodeId, counter: u64, frame: Frame) {
        let is_chunk = matches!(frame.body, Body::Chunk { .. });
        // An inbox that nobody listens to any more belongs to a node that ends.
        let _ = self.to.send(Delivery::Frame { from, frame }).await;
        if is_chunk && self.taken.more(from, counter) {
            self.taken.much.notify_one();
        }
    }

    /// Whether the node takes what it is handed.
    fn is_read(&self) -> bool {
        self.to.max_capacity() - self.to.capacity() <= UNREAD
    }

    fn answer(&self, to: NodeId, counter: u64) {
        self.outbox.notice(to, counter, Message::Credit { inbox: self.number as u64 });
    }

    /// Tells senders of what was taken in since they were told, and all of them again after a loss.
    async fn answer_soon(&self) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(SOON) => {}
                () = self.taken.much.notified() => {}
            }
            while !self.is_read() {
                tokio::time::sleep(AGAIN).await;
            }
            for (to, counter) in self.taken.untold(self.outbox.losses(), |node| self.roster.knows(node)) {
                self.answer(to, counter);
            }
        }
    }
}

impl Taken {
    /// A chunk came. Whether its sender should be told at once.
    fn more(&self, from: NodeId, counter: u64) -> bool {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = senders.entry(from).or_default();
        // A sender that forgot us counts from the beginning.
        counters.told = counters.told.min(counter);
        counters.here = counter;
        counters.here - counters.told >= ANSWER
    }

    /// What senders should be told now.
    fn untold(&self, losses: u64, is_known: impl Fn(NodeId) -> bool) -> Vec<(NodeId, u64)> {
        let is_lossy = self.losses.swap(losses, Ordering::Relaxed) != losses;
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        if senders.len() > STRANGERS {
            senders.retain(|node, _| is_known(*node));
        }
        let untold = senders.iter_mut().filter(|(_, counters)| is_lossy || counters.here != counters.told);
        untold
            .map(|(node, counters)| {
                counters.told = counters.here;
                (*node, counters.here)
            })
            .collect()
    }
}

/// What comes over a connection that subscribes.
pub(super) enum Event {
    Message { channel: Bytes, payload: Bytes },
    Subscribed(Bytes),
    Unsubscribed(Bytes),
    Refused(String),
    Other,
}

pub(super) fn event(value: Value) -> Event {
    let list = match value {
        Value::List(list) => list,
        Value::Error(error) => return Event::Refused(error),
        _ => return Event::Other,
    };
    let mut parts = list.into_iter();
    let (Some(Value::Text(kind)), Some(Value::Text(channel))) = (parts.next(), parts.next()) else {
        return Event::Other;
    };
    match (&kind[..], parts.next()) {
        (b"message" | b"smessage", Some(Value::Text(payload))) => Event::Message { channel, payload },
        (b"subscribe" | b"ssubscribe", _) => Event::Subscribed(channel),
        (b"unsubscribe" | b"sunsubscribe", _) => Event::Unsubscribed(channel),
        _ => Event::Other,
    }
}

/// Sends one command whose answer comes by itself.
pub(super) async fn say(write: &mut (impl AsyncWrite + Unpin), command: &[&[u8]]) -> Result<(), Broken> {
    let mut batch = Batch::default();
    batch.command(command);
    batch.flush();
    write.write_all_buf(&mut batch).await?;
    write.flush().await?;
    Ok(())
}

/// Asks for signs of life.
async fn keep_alive(mut write: impl AsyncWrite + Unpin) -> Broken {
    let mut ping = interval(PING);
    loop {
        ping.tick().await;
        if let Err(broken) = say(&mut write, &[b"PING"]).await {
            return broken;
        }
    }
}
