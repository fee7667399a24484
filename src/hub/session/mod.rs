//! One transfer in motion: its life ([`Transfer`](crate::transfer::Transfer)) and its bytes
//! ([`Relay`](crate::relay::Relay)) joined into one machine, so that the task around it has nothing to
//! decide and the simulator can drive the very thing that runs. It knows no clock, socket or runtime; it
//! composes what people are shown from both halves.

mod machine;
mod status;

use bytes::Bytes;

pub use self::machine::Session;

use crate::protocol::rooms::Status;
use crate::protocol::{Digest, ErrorCode, MemberId, Party, Secret};
use crate::relay::SinkId;

/// How a member takes the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SinkKind {
    /// Over its link; a member has one, and a newer one takes its place.
    Link,
    /// As an HTTP download; several at once, each of a stretch of its own.
    Download {
        /// The first byte of the stretch.
        from: u64,
    },
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// A source opened; one that was is replaced.
    SourceOpened,
    /// The source's link is lost.
    SourceLost,
    /// `source:end`.
    SourceEnd {
        /// The final size.
        size: Option<u64>,
        /// The whole file's digest.
        digest: Option<Digest>,
    },
    /// `source:fail`.
    SourceFailed,
    /// The source sent bytes.
    Chunk {
        /// On this lane.
        lane: u64,
        /// Where the first lies.
        offset: u64,
        /// All of them.
        bytes: Bytes,
        /// Their digest.
        digest: Option<Digest>,
    },
    /// A member accepts; the fresh token is its own unless it has one.
    Accept {
        /// Who.
        member: MemberId,
        /// A fresh token.
        token: Secret,
    },
    /// A member says no.
    Reject {
        /// Who.
        member: MemberId,
    },
    /// Someone wishes to wait,
    Pause(Party),
    /// to go on,
    Resume(Party),
    /// to end.
    Cancel(Party),
    /// A member opens a sink.
    OpenSink {
        /// Whose.
        member: MemberId,
        /// Which way.
        kind: SinkKind,
    },
    /// A sink asks, and acknowledges.
    Pull {
        /// Which.
        sink: SinkId,
        /// Its own number of the lane.
        lane: u64,
        /// It holds everything before this.
        from: u64,
        /// It may be sent up to, not including, this.
        limit: u64,
    },
    /// There was no room for the chunk at `offset`.
    SinkBusy {
        /// Which.
        sink: SinkId,
        /// What was not sent.
        offset: u64,
    },
    /// There may be room again.
    SinkReady(SinkId),
    /// A sink's link is lost, or its download ended before its end.
    SinkLost(SinkId),
    /// A download took the last byte of its stretch.
    DownloadEnded(SinkId),
    /// `sink:done`.
    SinkDone {
        /// Which.
        sink: SinkId,
        /// The digest of what was received.
        digest: Option<Digest>,
    },
    /// The room forgot it.
    Forget,
    /// The time of [`Session::poll_timeout`] has come.
    Tick,
}

/// The answer to what was taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing more to say.
    Done,
    /// The member's sink token.
    Accepted(Secret),
    /// The sink's number.
    Opened(SinkId),
    /// It was taken, and the receiver has failed.
    Failed(ErrorCode),
}

/// What must happen.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Ask the source.
    Pull {
        /// The lane.
        lane: u64,
        /// Start, or acknowledgement.
        from: u64,
        /// How far it may send.
        limit: u64,
    },
    /// Ask the source for no more on a lane.
    Stop {
        /// The lane.
        lane: u64,
    },
    /// Send bytes to a sink. If there is no room, say [`Input::SinkBusy`] before going on.
    Chunk {
        /// To which.
        sink: SinkId,
        /// The sink's own number of its lane.
        lane: u64,
        /// Where the first lies.
        offset: u64,
        /// The bytes.
        bytes: Bytes,
        /// Their digest.
        digest: Option<Digest>,
    },
    /// A sink safely holds everything before `from`: what was in flight to it is less.
    Acked {
        /// Which.
        sink: SinkId,
        /// Everything before.
        from: u64,
    },
    /// Tell every sink the size and the digest.
    End {
        /// Bytes, all in all.
        size: u64,
        /// The whole file's digest.
        digest: Option<Digest>,
    },
    /// Tell the room and the parties how it stands.
    Status(Box<Status>),
    /// End a sink.
    CloseSink {
        /// Which.
        sink: SinkId,
        /// Why.
        error: ErrorCode,
    },
    /// It is over: end the source and every sink.
    Ended {
        /// Why.
        error: ErrorCode,
    },
    /// Forget it.
    Gone,
}
