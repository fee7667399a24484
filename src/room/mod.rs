//! One room: who is in it, who may do what, what was said and what is offered. It exists so that every
//! rule about people is decided in one place. It sends nothing (it says what to tell whom), knows no clock,
//! no socket and no randomness, and refuses whatever is not allowed, in which case nothing has changed.
//!
//! Drive it so: [`Room::handle`] with the time and one [`Input`], then [`Room::poll_output`] until it is
//! empty; and when [`Room::poll_timeout`] comes, [`Input::Tick`].
//!
//! **Members and links.** A member may have several links ([`PeerId`]): two tabs, two devices. One whose
//! last link is lost stays a member for the presence grace, shown as not online; only then is it said to
//! have left. Whoever left is still remembered by its key for a while (see [`Input::Join`]), so that a
//! tunnel longer than the grace does not part a sender from its drops.
//!
//! **Many nodes.** The same room is kept by every node that has links in it, as a [`Replica`]: given the same
//! inputs with the same times in the same order, every copy is the same. Whatever could differ (ids, keys,
//! [`Options`]) is in the inputs. A copy can be written down and read again, and [`Room::differences`] says
//! what people have to be told when one copy takes another's place.

mod differences;
mod drops;
mod event;
mod links;
mod machine;
mod members;
mod offer;
#[cfg(test)]
mod properties;
mod replica;
mod shelf;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::protocol::node::NodeId;
use crate::protocol::rooms::{Join, Joined, Offer, OfferedDrop, Picked, Said, Services, Status};
use crate::protocol::{DisplayName, DropId, MemberId, MessageId, Party, Passphrase, Secret, TransferId};

pub use event::{Event, envelope};
pub use machine::Room;
pub use replica::{Entry, Replica};
pub use shelf::{Restored, Shelved, StoredBytes};

/// What an operator may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Members at once, at most; beyond it, `room_full`.
    pub max_members: usize,
    /// Messages that a newcomer is shown, at most.
    pub history: usize,
    /// How long a member may be without a link before it is said to have left.
    pub presence_grace: Duration,
    /// Drops in the room's memory, at most; beyond it the oldest that has ended makes place, and if none
    /// has, the offer is refused with `rate_limited`.
    pub drops_per_room: usize,
    /// Files of one offer, at most; beyond it, `too_large`.
    pub files_per_drop: usize,
    /// Bytes of one message, at most; beyond it, `too_large`.
    pub message_bytes: usize,
    /// Bytes of one file, at most; beyond it, `too_large`. A file whose size is not known yet passes:
    /// whoever counts its bytes must stop it.
    pub max_size: Option<u64>,
    /// What a newcomer is told that this server does.
    pub services: Services,
}

/// One Socket.IO link, numbered by its node. A number is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PeerId {
    /// Whose link it is.
    pub node: NodeId,
    /// Which of that node's.
    pub number: u64,
}

/// What someone brings to the door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knock {
    /// The name to show.
    pub name: Option<DisplayName>,
    /// The key of an earlier join.
    pub key: Option<Secret>,
    /// The passphrase's digest: the passphrase itself is kept by nobody.
    pub passphrase: Option<blake3::Hash>,
}

impl From<Join> for Knock {
    fn from(join: Join) -> Self {
        let digest = |passphrase: &Passphrase| blake3::hash(passphrase.as_str().as_bytes());
        Self { name: join.name, key: join.key, passphrase: join.passphrase.as_ref().map(digest) }
    }
}

/// What a newcomer is made of. It goes unused when the member is known already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fresh {
    /// Its id.
    pub member: MemberId,
    /// Its key, unless it brings one.
    pub key: Secret,
}

/// What the machine is told. Whatever a peer that is not in the room says is refused with
/// `room_not_found` ([`Input::Pick`] and [`Input::Steer`]: as if there were no such drop or transfer).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Input {
    /// What the room goes by, whoever keeps a copy of it. Taken while it is empty, else it means nothing.
    Rules(Options),
    /// `room:join`, answered with [`Reply::Joined`]; after it, the newcomer is told how the transfers stand
    /// that move or wait. A known key is the same member; a key of the form of
    /// a secret that is not known becomes the newcomer's; any other is ignored and [`Fresh::key`] is used.
    /// On a link that has joined already: the same member, and a fresh snapshot. The first member's
    /// passphrase becomes the room's; whoever brings no known key must bring the same (`not_allowed`),
    /// and a room without one refuses whoever thinks it has one. `room_full` for a newcomer, and for one
    /// who had left, when every place is taken. Keys of those who left are known for as long as a drop is
    /// theirs or addressed to them; of the others, those of the last [`Options::max_members`] to leave.
    Join {
        /// The link.
        peer: PeerId,
        /// What it said.
        knock: Knock,
        /// What a new member is made of; none where only who is known already may enter (`room_not_found`).
        fresh: Option<Fresh>,
    },
    /// `room:leave`: the member is gone at once, with all its links.
    Leave {
        /// One of its links.
        peer: PeerId,
    },
    /// A link is lost. Of one that is not in the room it means nothing.
    Lost {
        /// The link.
        peer: PeerId,
    },
    /// A node is lost, and every link of it.
    NodeLost {
        /// Which.
        node: NodeId,
    },
    /// `room:message`, answered with [`Reply::Said`]. Everyone is told, the one who said it included.
    /// `bad_request` when empty, `too_large` beyond [`Options::message_bytes`].
    Say {
        /// The link.
        peer: PeerId,
        /// What.
        text: String,
        /// The id it gets.
        id: MessageId,
    },
    /// `drop:offer`, answered with [`Reply::Offered`]. `bad_request` for no files, or for a `to` that is
    /// empty, names someone who is not a member, or nobody but the sender; `too_large` beyond
    /// [`Options::files_per_drop`] or [`Options::max_size`]; `rate_limited`
    /// beyond [`Options::drops_per_room`].
    Offer {
        /// The link.
        peer: PeerId,
        /// What it said.
        offer: Offer,
        /// The id the drop gets.
        drop: DropId,
        /// The ids its transfers get: one per file, all different and new (else `internal`).
        transfers: Vec<TransferId>,
    },
    /// May this peer accept or reject? Answered with [`Reply::Picked`]. `not_allowed` for the sender;
    /// `transfer_not_found` or `drop_not_found` for whoever may not see it.
    Pick {
        /// The link.
        peer: PeerId,
        /// What.
        picked: Picked,
    },
    /// Whose word would it be, if this peer paused, resumed or cancelled? Answered with [`Reply::Steer`].
    /// `transfer_not_found` for whoever may not see it.
    Steer {
        /// The link.
        peer: PeerId,
        /// Which.
        transfer: TransferId,
    },
    /// How a transfer stands: the snapshot is brought up to date and the drop's audience is told.
    /// `transfer_not_found` when the room has forgotten it.
    Status(Box<Status>),
    /// A drop of which all is stored already, from someone who need not be in the room. Answered with
    /// [`Reply::Restored`], of nothing when it is known; `not_allowed` without the room's passphrase, and what
    /// [`Input::Offer`] is refused with for its size or for want of place.
    OfferStored(Box<Shelved>),
    /// Drops that were kept and may be forgotten here. Answered with [`Reply::Restored`].
    Restore(Vec<Shelved>),
    /// A transfer's record is gone: it is no longer shown, and its drop not either once all are gone.
    /// `transfer_not_found` when the room has forgotten it already.
    Gone {
        /// Which.
        transfer: TransferId,
    },
    /// [`Room::poll_timeout`] has come.
    Tick,
}

/// The answer to an [`Input`] that was taken.
#[derive(Debug)]
pub enum Reply {
    /// Nothing more to say.
    Done,
    /// To [`Input::Join`].
    Joined(Box<Joined>),
    /// To [`Input::Say`].
    Said(Said),
    /// To [`Input::Offer`].
    Offered {
        /// What the others are shown; the same allocation as in [`Event::Offered`].
        drop: Arc<OfferedDrop>,
        /// The sender.
        from: MemberId,
        /// Who has the offer now: `to`, or every other member. The sender is never among them.
        invited: Arc<[MemberId]>,
    },
    /// To [`Input::Pick`].
    Picked {
        /// Who.
        member: MemberId,
        /// The transfer, or all of the drop that are not gone, in the order of the offer.
        transfers: Vec<TransferId>,
    },
    /// To [`Input::Restore`] and [`Input::OfferStored`]: those that were not known.
    Restored(Vec<Restored>),
    /// To [`Input::Steer`].
    Steer {
        /// Whose word it is.
        by: Party,
    },
}

/// What is to be done, in order.
#[derive(Debug, Clone)]
pub enum Output {
    /// Tell these links; never none of them.
    Tell {
        /// The links, each once.
        to: Vec<PeerId>,
        /// What.
        event: Event,
    },
    /// These transfers, all complete or ended, are not known here any more: end them. The room makes
    /// place, or is about to end.
    Forgotten {
        /// Which.
        transfers: Vec<TransferId>,
    },
    /// Nobody is left and no drop is open: the room is as if nobody had ever been in, and may end. Check
    /// [`Room::is_empty`] when it comes to that; someone may have come in between.
    Empty,
}
