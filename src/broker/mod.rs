//! The port between nodes: who else is there, frames from one to another, records that all can read, and one
//! log per room that all read in the same order. [`Memory`] serves a node that is alone, [`Redis`] many.
//!
//! It promises what can be kept over a service that may go away at any moment and forget everything:
//!
//! * **Frames** ([`Broker::post`]) may be lost, repeated and late. Whoever may have lost any is told so:
//!   the sender by [`Delivery::Undelivered`], everyone that a node's inbox broke by [`Delivery::Hello`].
//! * **Records** ([`Broker::read`], [`Broker::write`]) carry an epoch. A write of a lower one than is there is
//!   refused, so of two that think they own a record one learns better. They expire.
//! * **Logs** ([`Broker::follow`], [`Broker::append`]) are totally ordered and lose nothing while the service
//!   lives; each entry comes once, in order, without gap, to every follower. A service that came back
//!   empty is filled again by whoever followed ([`Heard::Forgotten`], [`Broker::seed`]).
//! * **Nobody waits for ever.** What the service does not answer within its time-out is [`Away`].

mod memory;
pub mod redis;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

pub use self::memory::Memory;
pub use self::redis::Redis;
use crate::protocol::node::{Frame, Node, NodeId};
use crate::protocol::{RoomId, TransferId};

/// The service cannot be reached now, or did not answer in time: what was asked may or may not have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the service between the nodes cannot be reached")]
pub struct Away;

/// There is no room for a chunk to that node now; nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// What a record is found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// A transfer's record.
    Transfer(TransferId),
    /// Which transfer gave out the token of this fingerprint.
    Token([u8; 32]),
    /// A download by a server, by the fingerprint of whose it is and what its asker calls it.
    Fetch([u8; 32]),
}

/// Something that all nodes can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Who writes it next must know this one, and write at least it. Whoever needs a finer order than that of
    /// homes packs it in.
    pub epoch: u64,
    /// What it says.
    pub value: Bytes,
}

/// What came of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It is there.
    Done,
    /// It is not: this is there, of a higher epoch than was expected.
    Stale(Record),
}

/// A place in a room's log. Positions of different generations cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// Random; another one after the service forgot the log and was given it again.
    pub generation: u64,
    /// Entries before here, all in all.
    pub count: u64,
}

/// A room as its log has it: a state, and what was appended since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// After `entries`.
    pub at: Position,
    /// The state that the entries follow on; none at the beginning.
    pub state: Option<Bytes>,
    /// What was appended since, in order.
    pub entries: Vec<Bytes>,
}

/// What a follower of a log hears. Each entry comes once, in order, without gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The next entry, which brings the log to `at`.
    Entry {
        /// Where the log is with it.
        at: Position,
        /// What was appended.
        entry: Bytes,
    },
    /// The follower fell out of the log (another generation, or a gap that compaction took): it begins anew.
    Again(Story),
    /// The service forgot the log: seed it with the state at hand ([`Broker::seed`]).
    Forgotten,
    /// The service cannot be reached. [`Heard::Back`] follows, after what was missed.
    Away,
    /// It can be reached again, and nothing is missing.
    Back,
}

/// Why nothing was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAppended {
    /// The service cannot be reached; it may have happened nonetheless.
    #[error("the service between the nodes cannot be reached")]
    Away,
    /// The log is of another generation, or forgotten: the follower hears what to do.
    #[error("the log is another one by now")]
    OtherGeneration,
}

/// What arrives at a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// A frame from another node.
    Frame {
        /// Which.
        from: NodeId,
        /// What.
        frame: Frame,
    },
    /// A frame to this node reached nobody: it is gone, or its inbox is broken just now.
    Undelivered {
        /// To which node.
        to: NodeId,
        /// Of which transfer.
        transfer: TransferId,
    },
    /// This node's inbox was broken and is whole again, or it is new: of what was sent to it before, any may
    /// be lost.
    Hello(NodeId),
    /// There is room again for chunks to a node, after [`Full`].
    Room(NodeId),
    /// A node has shown no sign of life for its time: it is gone, and its links with it.
    NodeLost(NodeId),
    /// The service cannot be reached.
    Away,
    /// It can be reached again, and this node's inbox is whole: of what was sent to it meanwhile, any may be
    /// lost.
    Back,
}

/// The port. One per node; everything of it may be called from anywhere.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// This node.
    fn me(&self) -> &Node;

    /// The nodes that live, this one among them, as last heard. Costs no trip.
    fn nodes(&self) -> Arc<[Node]>;

    /// Whether the service can be reached, by what is known now. Costs no trip.
    fn is_there(&self) -> bool;

    /// What arrives at this node, in order of arrival per sending node and transfer. It can be taken once.
    fn inbox(&self) -> Option<mpsc::Receiver<Delivery>>;

    /// Sends a frame to a node. Frames of one transfer to one node keep their order among themselves.
    ///
    /// # Errors
    /// [`Full`] for a chunk while too many bytes are on their way to that node, or none can be; when there is
    /// room again, [`Delivery::Room`] says so once. Other frames are taken always; those that find no room in
    /// the queue are lost, and said to be [`Delivery::Undelivered`].
    fn post(&self, to: NodeId, frame: Frame) -> Result<(), Full>;

    /// Sends a frame, not a chunk, to every other node.
    fn post_all(&self, frame: Frame);

    /// Reads a record.
    ///
    /// # Errors
    /// [`Away`].
    async fn read(&self, key: &Key) -> Result<Option<Record>, Away>;

    /// Writes a record, unless one is there whose epoch is above `over`. It expires after `lifetime`.
    /// To save, write `over` the epoch one knows and has; to take over, write the next one `over` the one known.
    ///
    /// # Errors
    /// [`Away`].
    async fn write(&self, key: &Key, over: u64, record: Record, lifetime: Duration) -> Result<Written, Away>;

    /// Removes a record, unless its epoch is above `over`.
    ///
    /// # Errors
    /// [`Away`].
    async fn remove(&self, key: &Key, over: u64) -> Result<(), Away>;

    /// Follows a room's log from its beginning: what it says now, and whatever is appended after. A log that
    /// nobody began is begun. Dropping the receiver ends it. A follower that does not listen holds up nobody:
    /// what it had no room for it reads again.
    ///
    /// # Errors
    /// [`Away`].
    async fn follow(&self, room: &RoomId, lifetime: Duration)
    -> Result<(Story, mpsc::Receiver<Heard>), Away>;

    /// Appends entries, in order and next to each other, and prolongs the log's life to `lifetime`. The
    /// followers hear of it, whoever appends too.
    ///
    /// # Errors
    /// See [`NotAppended`]. An entry may be repeated by whoever does not know what became of it: followers
    /// must know an entry that they had before.
    async fn append(
        &self,
        room: &RoomId,
        generation: u64,
        entries: Vec<Bytes>,
        lifetime: Duration,
    ) -> Result<(), NotAppended>;

    /// Puts `state` in the place of the entries before `at`; some of the last may stay, for followers that are
    /// behind. Cheap to repeat; an older one is ignored.
    ///
    /// # Errors
    /// See [`NotAppended`].
    async fn compact(
        &self,
        room: &RoomId,
        at: Position,
        state: Bytes,
        lifetime: Duration,
    ) -> Result<(), NotAppended>;

    /// Begins a forgotten log anew with the `state` after `count` entries, under a new generation. Of several
    /// that do so the one with the most entries wins, as long as nothing was appended. All followers hear
    /// [`Heard::Again`], whoever seeds too.
    ///
    /// # Errors
    /// [`Away`].
    async fn seed(&self, room: &RoomId, count: u64, state: Bytes, lifetime: Duration) -> Result<(), Away>;

    /// Says that no further connections should be routed here. Others still reach this node's sessions.
    async fn leave(&self);

    /// Those of [`nodes`](Self::nodes) that said so ([`leave`](Self::leave)), as last heard. Costs no trip.
    fn leaving(&self) -> Vec<NodeId> {
        Vec::new()
    }

    /// Says good-bye and ends: the others hear that this node is gone, and nothing is sent or heard any more.
    async fn close(&self);
}
