//! What whoever keeps a copy of a room may ask of it: which links and nodes it knows, how a link would enter
//! another copy as who it is here, and what is offered. It changes nothing.

use super::machine::{Door, Room};
use super::{Fresh, Input, Knock, PeerId};
use crate::protocol::Moment;
use crate::protocol::node::NodeId;
use crate::protocol::rooms::{Member, OfferedDrop};

impl Room {
    /// Every link, in the order of their numbers.
    pub fn links(&self) -> impl Iterator<Item = PeerId> {
        self.members.links().map(|(peer, _)| peer)
    }

    /// Whether a node has a link here.
    pub fn has_links_of(&self, node: NodeId) -> bool {
        self.links().any(|peer| peer.node == node)
    }

    /// Whether a member is without a link, within its grace.
    pub fn is_anyone_in_grace(&self) -> bool {
        self.members.graces().next().is_some()
    }

    /// When each grace is over that runs.
    pub(super) fn graces(&self) -> impl Iterator<Item = Moment> {
        self.members.graces()
    }

    /// Who is at the other end of this link, as others see it.
    pub fn shown(&self, peer: PeerId) -> Option<Member> {
        self.members.at(peer).map(|identity| identity.shown())
    }

    /// What makes this link's member, in another copy of the room, who it is in this one.
    pub fn entering(&self, peer: PeerId) -> Option<Input> {
        let identity = self.members.at(peer)?.clone();
        let passphrase = match self.door {
            Door::Locked(digest) => Some(digest),
            Door::Undecided | Door::Open => None,
        };
        let knock = Knock { name: Some(identity.name), key: Some(identity.key.clone()), passphrase };
        Some(Input::Join { peer, knock, fresh: Some(Fresh { member: identity.id, key: identity.key }) })
    }

    /// The drops that are known, oldest first, with their transfers that are not gone.
    pub fn drops(&self) -> impl Iterator<Item = &OfferedDrop> {
        self.drops.entries().map(|entry| &entry.shown)
    }
}
