//! The broker of a node that is alone: nothing leaves the process, and nothing is ever away. It keeps no copy
//! of what its one node holds anyway: a log has one follower, whose own state is the log's, and a record is
//! known to whoever wrote it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dashmap::DashMap;
use tokio::sync::mpsc;

use super::{Away, Broker, Delivery, Full, Heard, Key, NotAppended, Position, Record, Story, Written};
use crate::protocol::RoomId;
use crate::protocol::node::{Frame, Node, NodeId};

/// Entries that a follower may have before it, at most; an append waits for room.
const FOLLOWER: usize = 256;

/// Of every log: none is ever forgotten.
const GENERATION: u64 = 0;
/// Logs before the first sweep; the next is at twice of what stays, so that following costs little each time.
const SWEEP: usize = 64;

/// See the module.
#[derive(Debug)]
pub struct Memory {
    me: Node,
    inbox: Mutex<Option<mpsc::Receiver<Delivery>>>,
    /// Held, so that the inbox stays open.
    _to_inbox: mpsc::Sender<Delivery>,
    logs: DashMap<RoomId, Arc<tokio::sync::Mutex<Log>>>,
    /// With so many logs, those that nobody follows any more are looked for.
    sweep_at: AtomicUsize,
}

#[derive(Debug)]
struct Log {
    count: u64,
    follower: mpsc::Sender<Heard>,
}

impl Memory {
    /// The broker of this node.
    pub fn new(me: Node) -> Self {
        let (to_inbox, inbox) = mpsc::channel(1);
        Self {
            me,
            inbox: Mutex::new(Some(inbox)),
            _to_inbox: to_inbox,
            logs: DashMap::new(),
            sweep_at: AtomicUsize::new(SWEEP),
        }
    }
}

#[async_trait]
impl Broker for Memory {
    fn me(&self) -> &Node {
        &self.me
    }

    fn nodes(&self) -> Arc<[Node]> {
        Arc::from([self.me.clone()])
    }

    fn is_there(&self) -> bool {
        true
    }

    fn inbox(&self) -> Option<mpsc::Receiver<Delivery>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn post(&self, _: NodeId, _: Frame) -> Result<(), Full> {
        Ok(())
    }

    fn post_all(&self, _: Frame) {}

    async fn read(&self, _: &Key) -> Result<Option<Record>, Away> {
        Ok(None)
    }

    async fn write(&self, _: &Key, _: u64, _: Record, _: Duration) -> Result<Written, Away> {
        Ok(Written::Done)
    }

    async fn remove(&self, _: &Key, _: u64) -> Result<(), Away> {
        Ok(())
    }

    async fn follow(&self, room: &RoomId, _: Duration) -> Result<(Story, mpsc::Receiver<Heard>), Away> {
        let (follower, heard) = mpsc::channel(FOLLOWER);
        if self.logs.len() >= self.sweep_at.load(Ordering::Relaxed) {
            // One that is in use is followed.
            self.logs.retain(|_, log| log.try_lock().map_or(true, |log| !log.follower.is_closed()));
            self.sweep_at.store((2 * self.logs.len()).max(SWEEP), Ordering::Relaxed);
        }
        self.logs.insert(room.clone(), Arc::new(tokio::sync::Mutex::new(Log { count: 0, follower })));
        let at = Position { generation: GENERATION, count: 0 };
        Ok((Story { at, state: None, entries: Vec::new() }, heard))
    }

    async fn append(
        &self,
        room: &RoomId,
        generation: u64,
        entries: Vec<Bytes>,
        _: Duration,
    ) -> Result<(), NotAppended> {
        let log = self.logs.get(room).map(|log| log.clone()).ok_or(NotAppended::OtherGeneration)?;
        // Held all the while, so that the entries stand next to each other.
        let mut log = log.lock().await;
        if generation != GENERATION {
            return Err(NotAppended::OtherGeneration);
        }
        for entry in entries {
            log.count += 1;
            let at = Position { generation, count: log.count };
            let told = log.follower.send(Heard::Entry { at, entry }).await;
            told.map_err(|_| NotAppended::OtherGeneration)?;
        }
        Ok(())
    }

    async fn compact(&self, _: &RoomId, _: Position, _: Bytes, _: Duration) -> Result<(), NotAppended> {
        Ok(())
    }

    async fn seed(&self, _: &RoomId, _: u64, _: Bytes, _: Duration) -> Result<(), Away> {
        Ok(())
    }

    async fn leave(&self) {}

    async fn close(&self) {}
}
