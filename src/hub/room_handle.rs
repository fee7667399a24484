//! What one may say to a room's task, and the handle to say it by. Every command of a peer carries its
//! way back; a full mailbox answers `overloaded` by dropping it.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::answer::Answer;
use super::port::PeerPort;
use super::transfer_handle::{TransferHandle, Wish};
use crate::protocol::node::NodeId;
use crate::protocol::rooms::{Accepted, AcceptedDrop, Join, Joined, Offer, OfferTaken, Picked, Said, Status};
use crate::protocol::{DropId, Refusal, Secret, TransferId};
use crate::room::{PeerId, Shelved};
use crate::transfer::Source;

/// Commands that may wait; one more is refused with `overloaded`.
const MAILBOX: usize = 8192;

/// What a room is told.
pub enum Command {
    /// `room:join`.
    Join {
        /// The link.
        peer: PeerId,
        /// How to tell it things from now on.
        port: Arc<dyn PeerPort>,
        /// What it said.
        join: Join,
        /// The way back.
        answer: Answer<Box<Joined>>,
    },
    /// One more link of a member that the room knows, by its key; `room_not_found` when it does not.
    Return {
        /// The link.
        peer: PeerId,
        /// How to tell it things from now on.
        port: Arc<dyn PeerPort>,
        /// Whose it is.
        key: Secret,
        /// The way back.
        answer: Answer<Box<Joined>>,
    },
    /// `room:leave`.
    Leave {
        /// The link.
        peer: PeerId,
        /// The way back.
        answer: Answer<()>,
    },
    /// A link is lost.
    Lost {
        /// Which.
        peer: PeerId,
    },
    /// A node is lost, and its links.
    NodeLost(NodeId),
    /// `room:message`.
    Say {
        /// The link.
        peer: PeerId,
        /// What.
        text: String,
        /// The way back.
        answer: Answer<Said>,
    },
    /// `drop:offer`.
    Offer {
        /// The link.
        peer: PeerId,
        /// What it said.
        offer: Offer,
        /// Whether its bytes can be had again. A file whose size is not known gives them once in any case.
        source: Source,
        /// The way back.
        answer: Answer<OfferTaken>,
    },
    /// `drop:offer`, of a drop that there is room to keep.
    OfferAdmitted {
        /// The link.
        peer: PeerId,
        /// What it said.
        offer: Offer,
        /// Whether its bytes can be had again.
        source: Source,
        /// The way back.
        answer: Answer<OfferTaken>,
    },
    /// Whether a drop that is being stored by someone who is not in the room may be offered in it, once it is.
    WeighStored {
        /// The drop, as far as it is known.
        shelved: Box<Shelved>,
        /// The way back.
        answer: Answer<()>,
    },
    /// A drop of which all is stored, and which may be found already, by someone who need not be in the room.
    OfferStored {
        /// The drop.
        shelved: Box<Shelved>,
        /// The way back.
        answer: Answer<()>,
    },
    /// What is kept of the room.
    Shelf(Result<Vec<Shelved>, Refusal>),
    /// An offer that nobody who was asked about it is against.
    Allowed(Box<Asked>),
    /// `transfer:accept` of one transfer.
    Accept {
        /// The link.
        peer: PeerId,
        /// Which.
        transfer: TransferId,
        /// The way back.
        answer: Answer<Accepted>,
    },
    /// `transfer:accept` of a drop.
    AcceptDrop {
        /// The link.
        peer: PeerId,
        /// Which.
        drop: DropId,
        /// The way back.
        answer: Answer<AcceptedDrop>,
    },
    /// `transfer:reject`.
    Reject {
        /// The link.
        peer: PeerId,
        /// Which.
        picked: Picked,
        /// The way back.
        answer: Answer<()>,
    },
    /// `transfer:pause`, `transfer:resume`, `transfer:cancel`.
    Steer {
        /// The link.
        peer: PeerId,
        /// Which.
        transfer: TransferId,
        /// What.
        wish: Wish,
        /// The way back.
        answer: Answer<()>,
    },
    /// Which transfers are a drop's? In the order of the offer, those whose record is not gone.
    Transfers {
        /// Which.
        drop: DropId,
        /// The way back.
        answer: Answer<Vec<(TransferId, TransferHandle)>>,
    },
    /// How a transfer stands.
    Status(Box<Status>),
    /// A transfer's record is gone.
    Gone(TransferId),
}

impl Command {
    /// Whose word it is, where it is a link's.
    pub(super) fn peer(&self) -> Option<PeerId> {
        match self {
            Self::Join { peer, .. }
            | Self::Return { peer, .. }
            | Self::Leave { peer, .. }
            | Self::Lost { peer }
            | Self::Say { peer, .. }
            | Self::Offer { peer, .. }
            | Self::OfferAdmitted { peer, .. }
            | Self::Accept { peer, .. }
            | Self::AcceptDrop { peer, .. }
            | Self::Reject { peer, .. }
            | Self::Steer { peer, .. } => Some(*peer),
            Self::NodeLost(_)
            | Self::WeighStored { .. }
            | Self::OfferStored { .. }
            | Self::Allowed(_)
            | Self::Shelf(_)
            | Self::Transfers { .. }
            | Self::Status(_)
            | Self::Gone(_) => None,
        }
    }
}

/// An offer that others than the room are asked about first.
pub struct Asked {
    pub(super) peer: PeerId,
    pub(super) offer: Offer,
    pub(super) source: Source,
    pub(super) drop: DropId,
    pub(super) transfers: Vec<TransferId>,
    pub(super) answer: Answer<OfferTaken>,
}

/// A handle to a room's task. The task ends when nobody is left and nothing is open.
#[derive(Clone)]
pub struct RoomHandle {
    mailbox: mpsc::Sender<Command>,
}

impl RoomHandle {
    /// Whether its task has ended.
    pub(super) fn is_over(&self) -> bool {
        self.mailbox.is_closed()
    }

    /// A handle, and the mailbox that it fills.
    pub(super) fn new() -> (Self, mpsc::Receiver<Command>) {
        let (mailbox, commands) = mpsc::channel(MAILBOX);
        (Self { mailbox }, commands)
    }

    /// Puts a command into the mailbox, in order. When it is full, or the room is gone, the command's
    /// answer says `overloaded`, and this says false.
    pub fn try_send(&self, command: Command) -> bool {
        self.mailbox.try_send(command).is_ok()
    }

    /// Puts a command into the mailbox, waiting for room.
    pub async fn send_when_there_is_room(&self, command: Command) {
        let _ = self.mailbox.send(command).await;
    }

    /// As [`Self::try_send`], but gives the command back when the room is gone.
    pub(super) fn send_or_give_back(&self, command: Command) -> Option<Command> {
        match self.mailbox.try_send(command) {
            Err(mpsc::error::TrySendError::Closed(command)) => Some(command),
            Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => None,
        }
    }

    /// Whether both are of one room.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.mailbox.same_channel(&other.mailbox)
    }
}
