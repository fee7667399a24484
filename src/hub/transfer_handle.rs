//! What one may say to a transfer's task, and the handle to say it by. Every command of a peer carries its
//! way back; a full mailbox, or a transfer that is gone, answers `overloaded` by dropping it.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;

use super::File;
use super::answer::Answer;
use super::port::{SinkPort, SourcePort};
use super::session::SinkKind;
use super::transfer_copy::CopyWord;
use super::transfer_records::Stored;
use crate::protocol::node::{Body, NodeId};
use crate::protocol::transfers::{SinkOpened, SourceOpened};
use crate::protocol::{Digest, MemberId, RoomId, Secret};
use crate::protocol::{ErrorCode, Party};
use crate::room::PeerId;
use crate::transfer::Source;

/// Commands that may wait; one more is refused with `overloaded`.
const MAILBOX: usize = 8192;

/// What a transfer is told. A command from a link that has no such part in the transfer is refused with
/// `not_allowed`.
#[derive(Debug)]
pub enum Command {
    /// `source:open`, with a token that this transfer may have given out.
    OpenSource {
        /// The link.
        peer: PeerId,
        /// What it brought.
        token: Secret,
        /// Where to ask for bytes.
        port: SourceBox,
        /// The way back.
        answer: Answer<SourceOpened>,
    },
    /// `chunk`.
    Chunk {
        /// The link.
        peer: PeerId,
        /// The lane.
        lane: u64,
        /// Where the first byte lies.
        offset: u64,
        /// The bytes.
        bytes: Bytes,
        /// Their digest.
        digest: Option<Digest>,
        /// The way back; the end offset taken in.
        answer: Answer<u64>,
    },
    /// `source:end`.
    SourceEnd {
        /// The link.
        peer: PeerId,
        /// The final size.
        size: Option<u64>,
        /// The file's digest.
        digest: Option<Digest>,
        /// The way back.
        answer: Answer<()>,
    },
    /// `source:fail`.
    SourceFail {
        /// The link.
        peer: PeerId,
        /// The way back.
        answer: Answer<()>,
    },
    /// A sink opens.
    OpenSink {
        /// The link, or the download's own number.
        peer: PeerId,
        /// By what right.
        holder: Holder,
        /// Which way.
        kind: SinkKind,
        /// Where to send bytes.
        port: SinkBox,
        /// The way back.
        answer: Answer<SinkOpened>,
    },
    /// A download asks what it would get, without taking any of it.
    Describe {
        /// What it brought.
        token: Secret,
        /// The way back.
        answer: Answer<Described>,
    },
    /// Whose sink token is this? `not_allowed` if it is nobody's here.
    Whose {
        /// What it brought.
        token: Secret,
        /// The way back.
        answer: Answer<MemberId>,
    },
    /// In which room was it offered?
    Where {
        /// The way back.
        answer: Answer<RoomId>,
    },
    /// What may this member have, from the first byte on? `not_allowed` when it has not accepted, or no
    /// longer; `transfer_closed` when the transfer is over, or its source cannot go back to the start.
    Claim {
        /// Who.
        member: MemberId,
        /// The way back.
        answer: Answer<Arc<File>>,
    },
    /// `pull`.
    Pull {
        /// The link.
        peer: PeerId,
        /// Its lane.
        lane: u64,
        /// What it holds.
        from: u64,
        /// What it may be sent.
        limit: u64,
        /// The way back.
        answer: Answer<()>,
    },
    /// `sink:done`.
    SinkDone {
        /// The link.
        peer: PeerId,
        /// The digest of what was received.
        digest: Option<Digest>,
        /// The way back.
        answer: Answer<()>,
    },
    /// A download took the last byte of its stretch.
    DownloadEnded {
        /// Its number.
        peer: PeerId,
    },
    /// A link is lost, or a download broke off.
    Lost {
        /// Which.
        peer: PeerId,
    },
    /// A member accepts. The room has checked that it may.
    Accept {
        /// Who.
        member: MemberId,
        /// A fresh token.
        token: Secret,
        /// The way back.
        answer: Answer<(Secret, Arc<File>)>,
    },
    /// A member says no.
    Reject {
        /// Who.
        member: MemberId,
        /// The way back.
        answer: Answer<()>,
    },
    /// A wish of the sender, or of a receiver.
    Steer {
        /// What.
        wish: Wish,
        /// Whose.
        by: Party,
        /// The way back.
        answer: Answer<()>,
    },
    /// What became of its copy.
    Copy(CopyWord),
    /// Answer once every node can find it; or at once, where the records cannot be reached.
    WhenSaved {
        /// The way back.
        answer: Answer<()>,
    },
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
    /// A node is gone.
    NodeLost(NodeId),
    /// Of what was sent to this node, any may be lost.
    Back,
    /// What came of something that was asked of the records.
    Stored(Stored),
    /// There is room again on the way to another node.
    Room,
}

impl Command {
    /// Refuses it, where anyone waits for an answer.
    pub(super) fn refuse(self, error: ErrorCode) {
        match self {
            Self::OpenSource { answer, .. } => answer.refuse(error),
            Self::Chunk { answer, .. } => answer.refuse(error),
            Self::OpenSink { answer, .. } => answer.refuse(error),
            Self::Describe { answer, .. } => answer.refuse(error),
            Self::Whose { answer, .. } => answer.refuse(error),
            Self::Where { answer } => answer.refuse(error),
            Self::Claim { answer, .. } => answer.refuse(error),
            Self::Accept { answer, .. } => answer.refuse(error),
            Self::SourceEnd { answer, .. }
            | Self::SourceFail { answer, .. }
            | Self::Pull { answer, .. }
            | Self::SinkDone { answer, .. }
            | Self::Reject { answer, .. }
            | Self::WhenSaved { answer }
            | Self::Steer { answer, .. } => answer.refuse(error),
            Self::Copy(CopyWord::Open { answer, .. }) => answer.refuse(error),
            Self::Copy(CopyWord::Whole { answer, .. }) => answer.refuse(error),
            Self::Copy(CopyWord::Waits { .. } | CopyWord::Lost { .. } | CopyWord::WasWhole)
            | Self::DownloadEnded { .. }
            | Self::Lost { .. }
            | Self::Forget
            | Self::Heard { .. }
            | Self::Undelivered(_)
            | Self::Hello(_)
            | Self::NodeLost(_)
            | Self::Back
            | Self::Stored(_)
            | Self::Room => {}
        }
    }
}

/// What a download would get.
#[derive(Debug, Clone)]
pub struct Described {
    /// What its sink would be told.
    pub opened: SinkOpened,
    /// Whether it may begin anywhere, or from the first byte alone.
    pub source: Source,
}

/// By what right a sink opens.
#[derive(Debug, Clone)]
pub enum Holder {
    /// By a token that this transfer may have given out.
    Token(Secret),
    /// As this member, which has shown its token of another transfer of the drop.
    Member(MemberId),
}

/// What a person may wish of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Wait.
    Pause,
    /// Go on.
    Resume,
    /// End.
    Cancel,
}

/// A source's port.
pub struct SourceBox(pub Box<dyn SourcePort>);
/// A sink's port.
pub struct SinkBox(pub Box<dyn SinkPort>);

impl std::fmt::Debug for SourceBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SourceBox")
    }
}

impl std::fmt::Debug for SinkBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SinkBox")
    }
}

/// A handle to a transfer's task. The task ends with its record.
#[derive(Debug, Clone)]
pub struct TransferHandle {
    mailbox: mpsc::Sender<Command>,
}

impl TransferHandle {
    /// A handle, and the mailbox that it fills.
    pub(super) fn new() -> (Self, mpsc::Receiver<Command>) {
        let (mailbox, commands) = mpsc::channel(MAILBOX);
        (Self { mailbox }, commands)
    }

    /// Whether both are of one task.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.mailbox.same_channel(&other.mailbox)
    }

    /// Puts a command into the mailbox, in order. When it is full, or the transfer is gone, the command's
    /// answer says `overloaded`.
    pub fn send(&self, command: Command) {
        let _ = self.mailbox.try_send(command);
    }

    /// A way to put commands into the mailbox from code that is polled.
    pub fn poll_sender(&self) -> PollSender<Command> {
        PollSender::new(self.mailbox.clone())
    }

    /// Puts a command into the mailbox, waiting for room. False when the transfer is gone.
    pub async fn send_when_there_is_room(&self, command: Command) -> bool {
        self.mailbox.send(command).await.is_ok()
    }
}
