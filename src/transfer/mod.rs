//! The life of one transfer: who is owed its bytes, what may follow what, and when waiting has been long
//! enough. It exists so that every rule about states is decided in one place that a test can run through
//! in microseconds. It counts no bytes (offsets are the relay's), knows no clock, no socket and no
//! randomness, and refuses whatever is not a legal move, in which case nothing has changed.
//!
//! Drive it so: [`Transfer::handle`] with the time and one [`Input`], then [`Transfer::poll_output`] until
//! it is empty; and when [`Transfer::poll_timeout`] comes, [`Input::Tick`].
//!
//! # States
//! A transfer's state is never set, it follows from four facts: what each receiver answered, what the
//! sender wishes, whether there is a source, and whether anything moves.
//!
//! | state | when |
//! |---|---|
//! | `cancelled`, `failed` | it has ended; nothing follows |
//! | `complete` | nobody is owed bytes and at least one receiver has all |
//! | `paused` | the sender wishes it to wait |
//! | `offered` | nobody is owed bytes and nobody has all |
//! | `suspended` | no source, or nothing moved for the stall time-out although a receiver wants it to |
//! | `active` | otherwise |
//!
//! Read from the top; the first that holds is it.

mod copy;
mod machine;
#[cfg(test)]
mod properties;
mod receiver;
mod receivers;
mod source;
mod state;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::protocol::{Digest, ErrorCode, MemberId, Moment, Party, Secret, TransferState};

pub use copy::Copy;
pub use machine::Transfer;
pub(crate) use receiver::not_accepted;
pub use source::{Given, Source};

/// How long the record of a transfer that was cancelled or failed is kept, so that those who come back
/// learn how it ended.
pub const REMEMBERED: Duration = Duration::from_secs(600);

/// Receivers of one transfer, at most; one more is refused with `transfer_closed`. It bounds what people
/// who come, accept and leave again can make the server hold, far beyond what a room holds at once.
pub const MAX_RECEIVERS: usize = 1024;

/// What an operator may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// How long the record lives, from the offer on; then it fails with `expired`, or just goes when it
    /// is complete.
    pub lifetime: Duration,
    /// How long nothing may move, while someone waits for it, before the state says `suspended`.
    pub stall_timeout: Duration,
}

/// What the machine is told. After a final state the words of a peer are refused with `transfer_closed`
/// and the facts of the server's own parts are let pass; once gone, everything is refused with
/// `transfer_not_found`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A source opened. A second one while one is open takes its place.
    SourceOpened,
    /// The source has no link any more. Not to be said of a link whose place another has taken.
    /// A [`Source::Once`] that has given a part alone fails the transfer with `source_lost`, at once.
    SourceLost {
        /// How much of its bytes was taken in before.
        given: Given,
    },
    /// `source:end`. Refused with `bad_request` when it contradicts what is known: another size, another
    /// digest. To repeat is fine. Whether fewer bytes came than `size` says is for the relay to see.
    SourceEnd {
        /// The final size, where the offer had none.
        size: Option<u64>,
        /// The whole file's digest.
        digest: Option<Digest>,
    },
    /// `source:fail`: the file is gone or has changed. The transfer fails with `source_failed`; one that
    /// is complete stays so, and is closed to late acceptors.
    SourceFailed,
    /// The relay no longer holds the first bytes of a [`Source::Once`]: whoever has not accepted by now is
    /// too late (`transfer_closed`), and if nobody is left who is owed or has all, it fails with that. Of
    /// a [`Source::Seekable`] it means nothing. Cheap to repeat.
    StartPassed,

    /// `transfer:accept`, by a member of the drop's audience (the room knows; one that was not there at
    /// the offer is taken in here). Answered with [`Reply::Accepted`]; repeating it gives the same token,
    /// and so does accepting again after a rejection, a cancellation or a failure. `not_allowed` for the
    /// sender, `transfer_closed` when its first byte cannot be had any more.
    Accept {
        /// Who.
        member: MemberId,
        /// A fresh secret, which becomes its sink token if it has none yet.
        token: Secret,
    },
    /// `transfer:reject`. Of one that had accepted and is owed bytes it is a cancellation; of one that
    /// has all, nothing. `not_allowed` for the sender.
    Reject {
        /// Who.
        member: MemberId,
    },
    /// `transfer:pause`. The sender's holds all, a receiver's holds its own sink; `not_allowed` for a
    /// receiver that is not owed anything, save one that has all: there is nothing to hold then.
    Pause(Party),
    /// `transfer:resume`, the opposite, under the same rules.
    Resume(Party),
    /// `transfer:cancel`. The sender's ends the transfer; a receiver's ends its own part. `not_allowed`
    /// for a receiver that never accepted; nothing, for one that has all or has cancelled or failed.
    Cancel(Party),

    /// A sink of this member opened. `not_allowed` for one that has not accepted, or not again after it
    /// cancelled or failed. One that has all may open again, to read again.
    SinkOpened {
        /// Whose.
        member: MemberId,
    },
    /// The member has no open sink any more. Not to be said of a link whose place another has taken.
    SinkLost {
        /// Whose.
        member: MemberId,
    },
    /// `sink:done`. `bad_request` while the size is not known, `not_allowed` for one that is not owed
    /// anything. When its digest and the source's are of one algorithm and differ, the receiver has
    /// failed and the answer is [`Reply::Failed`]; when the source's comes later, it fails then.
    SinkDone {
        /// Whose.
        member: MemberId,
        /// The digest of what was received.
        digest: Option<Digest>,
    },
    /// The relay cannot go on for this member (`transfer_closed`, `too_slow`): it has failed.
    SinkEnded {
        /// Whose.
        member: MemberId,
        /// Why.
        error: ErrorCode,
    },

    /// Bytes moved, on any link: nothing stalls. Cheap, may be said per chunk.
    Moved,
    /// Bytes moved to, or were acknowledged by, this member. As [`Input::Moved`], and an accepted
    /// receiver is receiving. Costs a search among the receivers.
    Received {
        /// Who.
        member: MemberId,
    },

    /// A copy is to be kept: it is being written.
    Keep,
    /// The copy is whole. `digest_mismatch` when it is not of the size or the digest that are known. It lives
    /// until then at least. Nothing can be lost any more with the source.
    Kept {
        /// Bytes.
        size: u64,
        /// The digest of the copy.
        digest: Digest,
        /// When the copy ends.
        until: Moment,
    },
    /// There is no copy, or no more.
    NotKept(ErrorCode),

    /// The record is not wanted any more (its room forgot the drop): it goes at once. Refused with
    /// `not_allowed` unless it is complete or has ended.
    Forget,
    /// [`Transfer::poll_timeout`] has come.
    Tick,
}

/// The answer to an [`Input`] that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Reply {
    /// Nothing more to say.
    Done,
    /// To [`Input::Accept`].
    Accepted {
        /// The member's sink token, for it alone.
        token: Secret,
    },
    /// To [`Input::SinkDone`]: it was taken in, with the effect that the receiver has failed. The peer is
    /// to be answered with this code (`digest_mismatch`).
    Failed(ErrorCode),
}

/// What is to be done. In order; a [`Output::Status`] comes before the other outputs of the same input,
/// so that whoever is about to be closed still hears why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Something a person sees has changed: the state, its error, the size, or a receiver's state. At
    /// most one per input. Tell it to the room and to the parties, with the relay's figures.
    Status,
    /// Send `transfer:end` to every open sink: the size is known, or the digest is known too. Said at a
    /// change alone: a sink that opens later is told by whoever opens it, from [`Transfer::size`] and
    /// [`Transfer::digest`].
    End {
        /// Bytes, all in all.
        size: u64,
        /// The whole file's digest, once known.
        digest: Option<Digest>,
    },
    /// Let nothing flow: the sender wishes it to wait. Stands until [`Output::Release`].
    Hold,
    /// Let it flow again.
    Release,
    /// Let nothing flow to this member's sink, which wishes to wait. Said again when it opens anew.
    HoldSink {
        /// Whose.
        member: MemberId,
    },
    /// Let it flow again.
    ReleaseSink {
        /// Whose.
        member: MemberId,
    },
    /// End this member's sink with this error. There may be none open; then there is nothing to do.
    CloseSink {
        /// Whose.
        member: MemberId,
        /// Why: `transfer_closed` after its own cancellation, `digest_mismatch`.
        error: ErrorCode,
    },
    /// It is over: close the source and every sink. Said once. The record is still there for those who ask.
    Ended {
        /// `cancelled` or `failed`.
        state: TransferState,
        /// Why it failed.
        error: Option<ErrorCode>,
    },
    /// Forget it: [`REMEMBERED`] after a final state, or at the end of the lifetime of a complete one
    /// (then without an [`Output::Ended`]: close what is still open). Said once; nothing follows.
    Gone,
}
