//! A node of a test: a broker, and everything its inbox has heard.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use roomdrop::broker::redis::{Options, Redis};
use roomdrop::broker::{Broker, Delivery, Full, Heard};
use roomdrop::protocol::node::{Body, Frame, Node, NodeId};
use roomdrop::protocol::{RoomId, TransferId};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::wait::LONG;

pub(crate) const LIFETIME: Duration = Duration::from_secs(600);

/// See the module.
pub(crate) struct Member {
    pub(crate) broker: Arc<Redis>,
    pub(crate) inbox: mpsc::Receiver<Delivery>,
}

impl Deref for Member {
    type Target = Arc<Redis>;

    fn deref(&self) -> &Arc<Redis> {
        &self.broker
    }
}

static NEXT: AtomicU64 = AtomicU64::new(1);

pub(crate) fn me(name: &str) -> Node {
    let id = NodeId(NEXT.fetch_add(1, Ordering::Relaxed) | 0xfeed_0000_0000_0000);
    Node { id, name: name.to_owned(), peer_url: Some(format!("http://{name}")) }
}

pub(crate) fn options(url: &str, cluster: bool) -> Options {
    Options { url: url.to_owned(), cluster, prefix: "test".to_owned() }
}

impl Member {
    /// A node, which may not be connected yet.
    pub(crate) fn start(options: &Options, name: &str) -> Self {
        let broker = Redis::start(options, me(name)).unwrap();
        let inbox = broker.inbox().unwrap();
        Self { broker, inbox }
    }

    /// Two nodes that know each other.
    pub(crate) async fn pair(options: &Options) -> (Self, Self) {
        let (mut a, mut b) = (Self::start(options, "a"), Self::start(options, "b"));
        let (id_a, id_b) = (a.id(), b.id());
        a.hear("b", |delivery| *delivery == Delivery::Hello(id_b)).await;
        b.hear("a", |delivery| *delivery == Delivery::Hello(id_a)).await;
        a.is_whole().await;
        b.is_whole().await;
        (a, b)
    }

    pub(crate) fn id(&self) -> NodeId {
        self.broker.me().id
    }

    pub(crate) async fn is_whole(&self) {
        crate::wait::eventually("Redis is there", async || self.broker.is_there().then_some(())).await;
    }

    pub(crate) async fn next(&mut self) -> Delivery {
        timeout(LONG, self.inbox.recv()).await.expect("something arrives").expect("the inbox is open")
    }

    /// Takes in deliveries until one is as wanted.
    pub(crate) async fn hear(&mut self, what: &str, is_it: impl Fn(&Delivery) -> bool) -> Delivery {
        let hearing = async {
            loop {
                let delivery = self.inbox.recv().await.expect("the inbox is open");
                if is_it(&delivery) {
                    return delivery;
                }
            }
        };
        timeout(LONG, hearing).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
    }

    /// The next frame, whatever else comes before.
    pub(crate) async fn frame(&mut self) -> (NodeId, Frame) {
        match self.hear("a frame", |delivery| matches!(delivery, Delivery::Frame { .. })).await {
            Delivery::Frame { from, frame } => (from, frame),
            _ => unreachable!(),
        }
    }

    /// Sends a chunk, waiting for room as often as it takes.
    pub(crate) async fn insist(&mut self, to: NodeId, frame: &Frame) {
        loop {
            match self.broker.post(to, frame.clone()) {
                Ok(()) => return,
                Err(Full) => {
                    self.hear("room", |delivery| *delivery == Delivery::Room(to)).await;
                }
            }
        }
    }
}

pub(crate) fn transfer(number: u64) -> TransferId {
    TransferId::from_random(number)
}

pub(crate) fn room(name: &str) -> RoomId {
    RoomId::new(name).unwrap()
}

pub(crate) fn word(number: u64, text: &str) -> Frame {
    Frame { transfer: transfer(number), epoch: 1, body: Body::Word(Bytes::from(text.to_owned())) }
}

pub(crate) fn chunk(number: u64, offset: u64, bytes: Bytes) -> Frame {
    let body = Body::Chunk { lane: 1, offset, digest: None, bytes };
    Frame { transfer: transfer(number), epoch: 1, body }
}

pub(crate) async fn heard(from: &mut mpsc::Receiver<Heard>) -> Heard {
    timeout(LONG, from.recv()).await.expect("something is heard").expect("the log is followed")
}

/// The next so many entries, which must be all that is heard.
pub(crate) async fn entries(from: &mut mpsc::Receiver<Heard>, count: usize) -> Vec<Bytes> {
    let mut entries = Vec::new();
    while entries.len() < count {
        match heard(from).await {
            Heard::Entry { entry, .. } => entries.push(entry),
            other => panic!("an entry was to come: {other:?}"),
        }
    }
    entries
}
