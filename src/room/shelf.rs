//! Drops that are kept: written down so that they can be brought back into a room that has forgotten them, with
//! who may see them and what opens the room. A room takes back what it does not know; what it knows stays as it is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::drops::{Audience, Entry};
use super::machine::{Door, Room};
use super::{Event, Reply};
use crate::protocol::rooms::{OfferedDrop, StoredCopy};
use crate::protocol::{Digest, DropId, ErrorCode, MemberId, Moment, Refusal, TransferId, TransferState};

/// A drop that is kept, or some of its transfers, as it is written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shelved {
    /// As it was offered.
    pub drop: OfferedDrop,
    /// The copies, one for each of its transfers; none while they are being written.
    pub copies: Vec<StoredBytes>,
    /// Who may see it besides its sender; none is everyone.
    pub only: Option<Arc<[MemberId]>>,
    /// The digest of the room's passphrase, where it has one.
    pub passphrase: Option<blake3::Hash>,
}

/// A copy that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredBytes {
    /// Bytes.
    pub size: u64,
    /// Of them.
    pub digest: Digest,
    /// When it ends.
    pub until: Moment,
}

/// A drop that came back.
#[derive(Debug, Clone)]
pub struct Restored {
    /// What people are shown.
    pub drop: Arc<OfferedDrop>,
    /// As it was written down.
    pub shelved: Shelved,
}

impl Shelved {
    /// Whether there is a copy of each of its transfers, and any.
    fn is_whole(&self) -> bool {
        !self.drop.transfers.is_empty() && self.drop.transfers.len() == self.copies.len()
    }
}

impl Room {
    /// What is to be written down of one transfer of a drop.
    pub fn shelved(&self, drop: &DropId, transfer: &TransferId) -> Option<Shelved> {
        let entry = self.drops.entries().find(|entry| entry.shown.drop == *drop)?;
        let mut drop = entry.shown.clone();
        drop.transfers.retain(|offered| offered.transfer == *transfer);
        let only = match &entry.audience {
            Audience::Everyone => None,
            Audience::Only(members) => Some(Arc::clone(members)),
        };
        let passphrase = match self.door {
            Door::Locked(passphrase) => Some(passphrase),
            Door::Undecided | Door::Open => None,
        };
        Some(Shelved { drop, copies: Vec::new(), only, passphrase })
    }

    /// Whether a drop that someone stores who is not here could be offered now, once it is stored.
    ///
    /// # Errors
    /// As [`Input::OfferStored`](super::Input::OfferStored).
    pub fn weigh_stored(&self, shelved: &Shelved) -> Result<(), Refusal> {
        self.door.let_in(shelved.passphrase)?;
        self.must_fit(shelved.drop.transfers.iter().map(|offered| offered.size))?;
        self.must_give_way().map(drop)
    }

    /// Takes in a drop that is stored.
    pub(super) fn offer_stored(&mut self, shelved: Shelved) -> Result<Reply, Refusal> {
        if self.knows(&shelved) {
            return Ok(Reply::Restored(Vec::new()));
        }
        if shelved.drop.room != self.id || !shelved.is_whole() {
            return Err(ErrorCode::Internal.into());
        }
        let door = self.door.let_in(shelved.passphrase)?;
        self.weigh_stored(&shelved)?;
        self.make_place()?;
        self.door = door;
        Ok(Reply::Restored(vec![self.bring(shelved)]))
    }

    fn knows(&self, shelved: &Shelved) -> bool {
        let drop = &shelved.drop;
        let transfers: Vec<_> = drop.transfers.iter().map(|offered| offered.transfer.clone()).collect();
        self.drops.knows(&drop.drop, &transfers)
    }

    /// Brings back what is not known here, as far as there is place.
    pub(super) fn restore(&mut self, shelved: Vec<Shelved>) -> Reply {
        let mut restored = Vec::new();
        for shelved in shelved {
            let has_place = self.drops.len() < self.options.drops_per_room;
            let is_ours = shelved.drop.room == self.id && shelved.is_whole();
            if !is_ours || !has_place || self.knows(&shelved) {
                continue;
            }
            match (self.door, shelved.passphrase.map(Door::Locked)) {
                (Door::Undecided, Some(door)) => self.door = door,
                (door, Some(other)) if door != other => continue,
                _ => {}
            }
            restored.push(self.bring(shelved));
        }
        Reply::Restored(restored)
    }

    /// Puts a drop into the room and tells whoever may see it.
    fn bring(&mut self, shelved: Shelved) -> Restored {
        let mut shown = shelved.drop.clone();
        for (offered, copy) in shown.transfers.iter_mut().zip(&shelved.copies) {
            (offered.state, offered.size) = (TransferState::Offered, Some(copy.size));
            offered.copy = Some(StoredCopy::stored(copy.until));
        }
        let audience = shelved.only.clone().map_or(Audience::Everyone, Audience::Only);
        let drop = Arc::new(shown.clone());
        let entry = Entry { shown, audience };
        let links = self.members.links_of(|member| entry.is_visible_to(member));
        self.drops.add(entry);
        self.tell(links, Event::Offered(Arc::clone(&drop)));
        Restored { drop, shelved }
    }
}
