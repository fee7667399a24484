//! What is said between people and nodes, and what a node has done: short, so that it can be written down.

use std::fmt;

use bytes::Bytes;
use roomdrop::hub::session::{Decided, Input, SinkKind};
use roomdrop::protocol::node::{Body, NodeId};
use roomdrop::protocol::{ErrorCode, MemberId, Moment, Secret, TransferState};

use crate::cluster::store::{Stored, Trip};
use crate::word::Quality;

/// A person's link to a node; a number of its own for each life of it.
pub type Line = u64;

/// What a node's part of the transfer is told, as the hub's commands.
#[derive(Debug)]
pub enum Command {
    OpenSource {
        line: Line,
    },
    Chunk {
        line: Line,
        lane: u64,
        offset: u64,
        len: u64,
        quality: Quality,
    },
    SourceEnd {
        line: Line,
        size: u64,
    },
    SourceFail {
        line: Line,
    },
    OpenSink {
        line: Line,
        token: Secret,
        kind: SinkKind,
    },
    Pull {
        line: Line,
        lane: u64,
        from: u64,
        limit: u64,
    },
    SinkDone {
        line: Line,
    },
    DownloadEnded {
        line: Line,
    },
    Lost {
        line: Line,
    },
    /// Somebody wishes something that is decided once; the answer goes to the request of this number.
    Request {
        number: u64,
        ask: Request,
    },
    Heard {
        from: NodeId,
        epoch: u64,
        body: Body,
    },
    Undelivered(NodeId),
    Hello(NodeId),
    NodeLost(NodeId),
    Back,
    Stored(Stored),
}

/// What a person asks to be decided.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    Accept(MemberId),
    Pause(roomdrop::protocol::Party),
    Resume(roomdrop::protocol::Party),
    Cancel(roomdrop::protocol::Party),
}

/// What a node says to a person's link.
#[derive(Debug, Clone)]
pub enum Word {
    Opened { size: Option<u64> },
    Refused(ErrorCode),
    Pull { lane: u64, from: u64, limit: u64 },
    Stop { lane: u64 },
    ChunkRefused(ErrorCode),
    Chunk { lane: u64, offset: u64, bytes: Bytes },
    End { size: u64 },
    Status(TransferState),
    Thanks,
    Closed(ErrorCode),
}

/// What a node does.
#[derive(Debug)]
pub enum Act {
    Say { line: Line, word: Word },
    Answer { number: u64, outcome: Result<Decided, ErrorCode> },
    Post { to: NodeId, epoch: u64, body: Body },
    PostAll { epoch: u64, body: Body },
    Trip(Trip),
}

/// A body as text: words as they are, bytes by their place.
pub struct Shown<'a>(pub &'a Body);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Body::Chunk { lane, offset, bytes, .. } => write!(f, "chunk {lane} {offset} {}", bytes.len()),
            Body::Pull { lane, from, limit } => write!(f, "pull {lane} {from} {limit}"),
            Body::Stop { lane } => write!(f, "stop {lane}"),
            Body::Word(bytes) => f.write_str(&String::from_utf8_lossy(bytes)),
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chunk { lane, offset, bytes } => write!(f, "chunk {lane} {offset} {}", bytes.len()),
            word => write!(f, "{word:?}"),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Heard { from, epoch, body } => write!(f, "heard from {from} @{epoch} {}", Shown(body)),
            Self::Stored(Stored::Found(epoch, situation)) => {
                write!(f, "found @{epoch} home {} number {}", situation.home, situation.number)
            }
            command => write!(f, "{command:?}"),
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Say { line, word } => write!(f, "say {line} {word}"),
            Self::Answer { number, outcome } => write!(f, "answer {number} {outcome:?}"),
            Self::Post { to, epoch, body } => write!(f, "post {to} @{epoch} {}", Shown(body)),
            Self::PostAll { epoch, body } => write!(f, "post all @{epoch} {}", Shown(body)),
            Self::Trip(Trip::Save { epoch, number, .. }) => write!(f, "save @{epoch} {number}"),
            Self::Trip(Trip::Claim { epoch, number, .. }) => write!(f, "claim @{epoch} {number}"),
            Self::Trip(trip) => write!(f, "trip {trip:?}"),
        }
    }
}

/// What a session is told, as text.
pub fn input(input: &Input) -> String {
    match input {
        Input::Heard { from, epoch, body } => format!("heard from {from} @{epoch} {}", Shown(body)),
        Input::Chunk { lane, offset, bytes, .. } => format!("chunk {lane} {offset} {}", bytes.len()),
        Input::Found { epoch, situation } => format!(
            "found @{epoch} home {} number {} {}",
            situation.home,
            situation.number,
            serde_json::to_string(&situation.transfer).unwrap_or_default()
        ),
        input => format!("{input:?}"),
    }
}

/// Microseconds of the world as a node's clock shows them.
pub fn moment(skew: u64, now: u64) -> Moment {
    Moment::from_micros(1_000_000_000_000 + skew + now)
}

/// A node's time in the world's microseconds.
pub fn micros(skew: u64, moment: Moment) -> u64 {
    let micros = moment.since(Moment::from_micros(1_000_000_000_000 + skew)).as_micros();
    u64::try_from(micros).unwrap_or(u64::MAX)
}
