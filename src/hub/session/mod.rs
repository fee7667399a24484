//! One transfer at one node: its life ([`Transfer`](crate::transfer::Transfer)) and its bytes
//! ([`Relay`](crate::relay::Relay)) joined into one machine, so that the task around it has nothing to
//! decide and the simulator can drive the very thing that runs. It knows no clock, socket or runtime; it
//! composes what people are shown from both halves.
//!
//! **Home and edge.** The home is the node that the source is, or was last, connected to. It owns the
//! transfer's life and saves its record at every change. Every other node with a party of it is an edge: the
//! same relay, whose source is the home, and a copy of the life that the home keeps fresh ([`Situation`]). The
//! edge says who is there and what they hold; what only the home may decide it asks ([`Reply::Asked`]), again
//! and again until it is answered.
//!
//! **Epochs.** A source that comes back elsewhere takes the home with it ([`Output::Claim`]): the record's
//! epoch rises by a compare-and-set, and words of a lower one are ignored. An edge whose home's node is gone
//! takes over too, without a source, so that people can still pause, cancel and see how it stands. A home
//! that was only cut off learns from the record that it is an edge now, says again what was decided here
//! meanwhile, and takes the home back if it has the source and the other does not.

mod decide;
mod depot;
mod edge;
mod facts;
mod heed;
mod home;
mod lanes;
mod machine;
mod seats;
mod source;
mod status;
mod takeover;
#[cfg(test)]
mod tests;
mod words;

use bytes::Bytes;

pub use self::machine::{Session, Sharing};
pub use self::words::{Ask, Decided, Situation, is_asking, not_here};

use crate::protocol::node::{Body, NodeId};
use crate::protocol::rooms::Status;
use crate::protocol::{Digest, ErrorCode, MemberId, Moment, Party, Refusal, Secret};
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
    /// A source opened; one that was is replaced. [`Reply::Later`] at an edge: [`Output::SourceTaken`] follows
    /// once this is the home.
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
    /// A copy is to be kept.
    Keep,
    /// The sink opens that writes it; [`Reply::Opened`]. At the home alone.
    OpenDepot,
    /// It closes, to be opened again.
    CloseDepot,
    /// The copy is whole.
    Kept {
        /// Bytes.
        size: u64,
        /// Its digest.
        digest: Digest,
        /// When it ends.
        until: Moment,
    },
    /// There is to be no copy, or it is lost.
    NotKept(ErrorCode),
    /// The room forgot it.
    Forget,
    /// Another node says something about it.
    Heard {
        /// Which.
        from: NodeId,
        /// Of which home.
        epoch: u64,
        /// What.
        body: Body,
    },
    /// A frame reached nobody at that node.
    Undelivered(NodeId),
    /// Of what was sent to that node, any may be lost.
    Hello(NodeId),
    /// A node is gone, and its links with it.
    NodeLost(NodeId),
    /// Of what was sent to this node, any may be lost; and the records too.
    Back,
    /// The record holds the situation of this number now.
    Saved {
        /// Of the situation that was written.
        number: u64,
    },
    /// The record is this one, to [`Output::Save`], [`Output::Look`] or [`Output::Claim`]: it is newer than
    /// what was known, or was to be written over.
    Found {
        /// Its epoch.
        epoch: u64,
        /// What it says.
        situation: Box<Situation>,
    },
    /// There is no record, to [`Output::Look`].
    Missing,
    /// The records cannot be reached, to [`Output::Save`], [`Output::Look`] or [`Output::Claim`].
    StoreAway,
    /// The record is this node's now, to [`Output::Claim`].
    Claimed,
    /// The time of [`Session::poll_timeout`] has come.
    Tick,
}

/// The answer to what was taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing more to say.
    Done,
    /// The sink's number.
    Opened(SinkId),
    /// It is decided.
    Decided(Decided),
    /// It will be: [`Output::Answered`] follows.
    Asked(Ask),
    /// The source has to wait until this is the home.
    Later,
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
        /// The node, where the sink is an edge.
        edge: Option<NodeId>,
    },
    /// A sink safely holds everything before `from`: what was in flight to it is less.
    Acked {
        /// Which.
        sink: SinkId,
        /// Everything before.
        from: u64,
    },
    /// Tell every sink here the size and the digest.
    End {
        /// Bytes, all in all.
        size: u64,
        /// The whole file's digest.
        digest: Option<Digest>,
    },
    /// Tell the parties here how it stands; the home tells the room too.
    Status(Box<Status>),
    /// End a sink.
    CloseSink {
        /// Which.
        sink: SinkId,
        /// Why.
        error: ErrorCode,
    },
    /// It is over: end the source and every sink here.
    Ended {
        /// Why.
        error: ErrorCode,
    },
    /// Forget it. An edge that nobody needs any more says so too: then only this node forgets.
    Gone,
    /// What was asked is decided.
    Answered {
        /// Which.
        ask: Ask,
        /// How.
        outcome: Result<Decided, Refusal>,
    },
    /// The source that waits is taken: this is the home.
    SourceTaken,
    /// The source that is here may not open: let go of it.
    SourceDropped,
    /// Say this to a node.
    Send {
        /// Which.
        to: NodeId,
        /// What.
        body: Body,
    },
    /// Say this to every other node.
    SendAll(Body),
    /// The record is behind: write [`Session::situation`] over [`Session::epoch`]. One at a time; what is
    /// said meanwhile is written after.
    Save,
    /// Read the record.
    Look,
    /// Take the home: read the record, and unless it is newer than what is known (then it is
    /// [`Input::Found`]), write [`Session::claim`] over [`Session::epoch`] under the next one.
    Claim,
}
