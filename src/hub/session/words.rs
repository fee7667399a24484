//! What the nodes of one transfer say to each other beside chunks and pulls. Every word says how things
//! stand, never what to change: it may be lost, repeated or late, and the next one mends it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::protocol::node::{Body, NodeId};
use crate::protocol::rooms::Status;
use crate::protocol::{Digest, ErrorCode, MemberId, Party, Refusal, Secret};
use crate::transfer::Transfer;

/// A word between home and edge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Word {
    /// Edge to home: who is here, and what it asked for. Answered with [`Word::Situation`] or [`Word::Here`].
    Facts(Facts),
    /// Edge to home: someone here wishes something. Said again until it is answered.
    Request {
        /// The edge's number for it.
        ask: Ask,
        /// What.
        request: Request,
    },
    /// Home to edge: how it stands.
    Situation(Box<Situation>),
    /// Home to edge: nothing that you do not know.
    Here,
    /// Home to edge: what came of a request.
    Reply {
        /// Which.
        ask: Ask,
        /// What.
        outcome: Result<Decided, Refusal>,
    },
    /// To everyone: the transfer has its home here now.
    Moved,
    /// To whoever took this node for the home: it is not.
    NotHere,
    /// Home to edge: the record is gone.
    Gone,
}

impl Word {
    pub(super) fn body(&self) -> Body {
        Body::Word(serde_json::to_vec(self).unwrap_or_default().into())
    }

    pub(super) fn read(bytes: &Bytes) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// The answer to whoever took this node for the home of a transfer that it does not know.
pub fn not_here() -> Body {
    Word::NotHere.body()
}

/// Whether whoever says this takes the other for the home.
pub fn is_asking(body: &Body) -> bool {
    match body {
        Body::Pull { .. } => true,
        Body::Word(bytes) => matches!(Word::read(bytes), Some(Word::Facts(_) | Word::Request { .. })),
        Body::Stop { .. } | Body::Chunk { .. } => false,
    }
}

/// The number of a request, among those of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ask(pub(super) u64);

/// What only the home may decide. To repeat one does no harm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    /// A member accepts; the fresh token is its own unless it has one.
    Accept { member: MemberId, token: Secret },
    /// A member says no.
    Reject { member: MemberId },
    /// Someone wishes to wait,
    Pause(Party),
    /// to go on,
    Resume(Party),
    /// to end.
    Cancel(Party),
    /// A member has all of it.
    Done { member: MemberId, digest: Option<Digest> },
    /// The source said its end while this was the home.
    End { size: Option<u64>, digest: Option<Digest> },
    /// The edge's relay cannot go on for a member, whose link there is this. No wish of anyone, but the home must
    /// know.
    Ended { member: MemberId, link: Link, error: ErrorCode },
}

impl Request {
    /// Who wishes to wait or to go on, if that is what is asked.
    pub(super) fn wishes(&self) -> Option<&Party> {
        match self {
            Self::Pause(party) | Self::Resume(party) => Some(party),
            _ => None,
        }
    }
}

/// What came of what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decided {
    /// Nothing more to say.
    Done,
    /// The member's sink token.
    Accepted(Secret),
    /// It was taken, and the receiver has failed.
    Failed(ErrorCode),
}

/// What an edge knows that its home does not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Facts {
    /// A higher one is newer.
    pub(super) number: u64,
    /// The newest situation that it heard of.
    pub(super) knows: u64,
    /// Every member that has a sink here, or had one whose link was lost.
    pub(super) seats: Vec<SeatFact>,
    /// Every lane that it asked for: its number, what has come, what may come.
    pub(super) lanes: Vec<(u64, u64, u64)>,
}

/// A member with a sink at an edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SeatFact {
    pub(super) member: MemberId,
    pub(super) link: Link,
    /// Bytes that it safely holds, once it has said.
    pub(super) held: Option<u64>,
}

/// Whether a sink can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Link {
    Up,
    Lost,
}

/// How a transfer stands: what its record holds, and what its edges know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Situation {
    /// The node that the source is, or was last, connected to.
    pub home: NodeId,
    /// A higher one of the same epoch is newer.
    pub number: u64,
    /// Its life.
    pub transfer: Transfer,
    /// What each member holds.
    pub held: Vec<(MemberId, u64)>,
    /// How it stands, for people.
    pub status: Status,
}
