//! Nodes, and what one says to another about a transfer. It exists so that the words between nodes have a
//! home beside those of the wire, and refuses whatever has another version: nodes of two versions part
//! rather than misread each other.
//!
//! Every message is one [`Frame`]: a header of fixed size, version first, then a payload that is never
//! re-encoded. All positions are absolute, so a frame that is repeated or late does no harm, and one that is
//! lost is asked for again.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Digest, TransferId};

/// One run of one node: 64 random bits, drawn at its start. A node that comes back is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A node, as the others know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// This run of it.
    pub id: NodeId,
    /// The name its operator gave it, or a random one: 1 to 32 of `A-Z a-z 0-9 -`. It stands in the sids of
    /// its clients.
    pub name: String,
    /// Where other nodes reach it by HTTP, if they may.
    pub peer_url: Option<String>,
}

/// What a node says to another about one transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Which transfer.
    pub transfer: TransferId,
    /// Of which home: a word of a lower epoch than the known one is ignored.
    pub epoch: u64,
    /// What.
    pub body: Body,
}

/// The kinds of frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Home to edge: bytes on a lane that the edge asked for.
    Chunk {
        /// The edge's own number of the lane.
        lane: u64,
        /// Where the first byte lies.
        offset: u64,
        /// Their digest.
        digest: Option<Digest>,
        /// The bytes, as the source sent them.
        bytes: Bytes,
    },
    /// Edge to home: it holds everything before `from`, and may be sent up to `limit`.
    Pull {
        /// The edge's own number of the lane.
        lane: u64,
        /// Start, or acknowledgement.
        from: u64,
        /// How far it may be sent.
        limit: u64,
    },
    /// Edge to home: no more on this lane.
    Stop {
        /// The edge's own number of the lane.
        lane: u64,
    },
    /// Anything else, as JSON: rare words, read and written by the machines.
    Word(Bytes),
}
