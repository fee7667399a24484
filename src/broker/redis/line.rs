//! One connection for publishing. Letters go out together and are not waited for; the answers come in the
//! same order and say whether anybody took them. What was under way when it breaks is told as undelivered,
//! what waits in the queue goes out with the next connection. The queue is bounded in letters and bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::dial::{Address, Link};
use super::outbox::Outbox;
use super::retry::Retry;
use super::wire::{Batch, Broken, Reader, Value};
use crate::protocol::TransferId;
use crate::protocol::frame::HEADER;
use crate::protocol::node::NodeId;

/// Letters that wait for the connection, at most.
const QUEUE: usize = 4096;
/// Bytes of words that wait, at most. Chunks are bounded by credit.
const WORDS: usize = 4 << 20;
/// Letters under way to Redis, at most.
const UNDER_WAY: usize = 1024;
/// Bytes that are written together, about.
const TOGETHER: usize = 1 << 20;
/// Between two signs of life.
pub(super) const PING: Duration = Duration::from_millis(750);
/// Silence after which a connection counts as cut.
pub(super) const PATIENCE: Duration = Duration::from_millis(2250);

/// What a letter is about, for when it is lost.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub(super) to: NodeId,
    pub(super) inbox: usize,
    pub(super) transfer: Option<TransferId>,
    /// Of a chunk.
    pub(super) counter: Option<u64>,
}

/// A letter, ready to go.
pub(super) struct Outgoing {
    pub(super) channel: Bytes,
    pub(super) head: [u8; HEADER],
    pub(super) payload: Bytes,
    pub(super) about: About,
}

/// The near end of a connection.
#[derive(Clone)]
pub(super) struct Line {
    queue: mpsc::Sender<Outgoing>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    is_up: AtomicBool,
    /// Letters that Redis has not answered, those in the queue too.
    open: AtomicUsize,
    /// Bytes of words in the queue.
    words: AtomicUsize,
}

/// What Redis is to answer.
enum Asked {
    Letter(About),
    Ping,
}

impl Line {
    /// A line, and what must run for it.
    pub(super) fn new(outbox: Arc<Outbox>, whom: Option<Address>) -> (Self, impl Future<Output = ()>) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let state = Arc::new(State::default());
        let far = Far { outbox, whom, waiting, state: state.clone() };
        (Self { queue, state }, far.run())
    }

    pub(super) fn is_up(&self) -> bool {
        self.state.is_up.load(Ordering::Acquire)
    }

    /// Whether Redis has answered everything.
    pub(super) fn is_empty(&self) -> bool {
        self.state.open.load(Ordering::Relaxed) == 0
    }

    /// Whether it was taken.
    pub(super) fn send(&self, outgoing: Outgoing) -> bool {
        let size = word_size(&outgoing);
        if size > 0 && self.state.words.load(Ordering::Relaxed) + size > WORDS {
            return false;
        }
        self.state.words.fetch_add(size, Ordering::Relaxed);
        self.state.open.fetch_add(1, Ordering::Relaxed);
        let taken = self.queue.try_send(outgoing).is_ok();
        if !taken {
            self.state.open.fetch_sub(1, Ordering::Relaxed);
            self.state.words.fetch_sub(size, Ordering::Relaxed);
        }
        taken
    }
}

fn word_size(outgoing: &Outgoing) -> usize {
    if outgoing.about.counter.is_some() { 0 } else { outgoing.payload.len() }
}

/// The far end of it.
struct Far {
    outbox: Arc<Outbox>,
    whom: Option<Address>,
    waiting: mpsc::Receiver<Outgoing>,
    state: Arc<State>,
}

impl Far {
    async fn run(mut self) {
        let connected = self.outbox.connected.clone();
        let mut retry = Retry::new(&connected);
        loop {
            let broken = match self.outbox.topology.door().open(self.whom.as_ref()).await {
                Ok(link) => {
                    retry.made_it();
                    let broken = self.serve(link).await;
                    self.outbox.stats.reconnects.add(1);
                    broken
                }
                Err(broken) => broken,
            };
            tracing::debug!(%broken, "a connection for publishing");
            if self.whom.is_some() {
                let _ = self.outbox.topology.refresh().await;
                if self.whom.as_ref().is_some_and(|whom| !self.outbox.topology.masters().contains(whom)) {
                    break;
                }
            }
            retry.pause().await;
        }
        self.outbox.line_ended(&self.whom);
        self.waiting.close();
        while let Some(outgoing) = self.waiting.recv().await {
            self.outbox.lost(&outgoing.about);
        }
    }

    async fn serve(&mut self, link: Link) -> Broken {
        let Link { read, write } = link;
        let (ask, mut asked) = mpsc::channel(UNDER_WAY);
        self.state.is_up.store(true, Ordering::Release);
        self.outbox.line_is_up();
        let pulse = read.pulse();
        let broken = tokio::select! {
            broken = answers(&self.outbox, &self.state, read, &mut asked) => broken,
            broken = send(&self.outbox, &self.state, &mut self.waiting, write, ask) => broken,
            broken = pulse.stops(PATIENCE) => broken,
        };
        self.state.is_up.store(false, Ordering::Release);
        while let Ok(asked) = asked.try_recv() {
            if let Asked::Letter(about) = asked {
                self.state.open.fetch_sub(1, Ordering::Relaxed);
                self.outbox.lost(&about);
            }
        }
        broken
    }
}

/// Reads what Redis says to each letter.
async fn answers(
    outbox: &Arc<Outbox>,
    state: &State,
    mut read: Reader<impl tokio::io::AsyncRead + Unpin>,
    asked: &mut mpsc::Receiver<Asked>,
) -> Broken {
    loop {
        let answer = match read.value().await {
            Ok(answer) => answer,
            Err(broken) => return broken,
        };
        let asked = asked.try_recv();
        if let Ok(Asked::Letter(_)) = asked {
            state.open.fetch_sub(1, Ordering::Relaxed);
        }
        match asked {
            Ok(Asked::Ping) => {}
            Ok(Asked::Letter(about)) => match answer {
                Value::Integer(takers) if takers > 0 => {}
                Value::Error(error) => {
                    outbox.lost(&about);
                    if let Err(broken) = refused(outbox, error).await {
                        return broken;
                    }
                }
                _ => outbox.lost(&about),
            },
            Err(_) => return Broken::Malformed("an answer to nothing"),
        }
    }
}

/// Redis did not want a letter. In a cluster its inbox may have moved.
async fn refused(outbox: &Arc<Outbox>, error: String) -> Result<(), Broken> {
    if error.starts_with("MOVED") || error.starts_with("CLUSTERDOWN") || error.starts_with("ASK") {
        return outbox.topology.refresh().await;
    }
    // Its queue and ours would go on in vain: rather begin anew, with a pause.
    Err(Broken::Refused(error))
}

/// Writes what waits, as much together as is there.
async fn send(
    outbox: &Arc<Outbox>,
    state: &State,
    waiting: &mut mpsc::Receiver<Outgoing>,
    mut write: impl tokio::io::AsyncWrite + Unpin,
    ask: mpsc::Sender<Asked>,
) -> Broken {
    let command: &[u8] = if outbox.topology.is_cluster() { b"SPUBLISH" } else { b"PUBLISH" };
    let mut ping = interval(PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut batch = Batch::default();
    loop {
        // First room to remember it, then the letter: none is between the two when this ends.
        let Ok(room) = ask.reserve().await else { return Broken::Silent };
        tokio::select! {
            biased;
            _ = ping.tick() => {
                room.send(Asked::Ping);
                batch.command(&[b"PING"]);
            }
            outgoing = waiting.recv() => {
                let Some(outgoing) = outgoing else { return Broken::Silent };
                put(outbox, state, &mut batch, command, outgoing, room);
            }
        }
        while batch.len() < TOGETHER {
            let Ok(room) = ask.try_reserve() else { break };
            let Ok(outgoing) = waiting.try_recv() else { break };
            put(outbox, state, &mut batch, command, outgoing, room);
        }
        batch.flush();
        if let Err(error) = async {
            write.write_all_buf(&mut batch).await?;
            write.flush().await
        }
        .await
        {
            return Broken::Io(error);
        }
    }
}

fn put(
    outbox: &Outbox,
    state: &State,
    batch: &mut Batch,
    command: &[u8],
    outgoing: Outgoing,
    room: mpsc::Permit<'_, Asked>,
) {
    state.words.fetch_sub(word_size(&outgoing), Ordering::Relaxed);
    outbox.stats.published.add(1);
    outbox.stats.published_bytes.add(HEADER + outgoing.payload.len());
    batch.send(command, &outgoing.channel, &outgoing.head, outgoing.payload);
    room.send(Asked::Letter(outgoing.about));
}
