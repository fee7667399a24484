//! What is offered in a room, and to whom. A drop that is addressed to some does not exist for others:
//! every look-up asks who looks.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::protocol::rooms::{CopyState, OfferedDrop, OfferedTransfer, Status};
use crate::protocol::{DropId, Envelope, MemberId, TransferId, TransferState};

/// Statuses that a newcomer is told at once, at most: far fewer than a link has room for.
const CATCH_UP: usize = 256;

/// The drops, oldest first.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(PartialEq))]
pub(super) struct Drops {
    entries: VecDeque<Entry>,
    of_transfer: BTreeMap<TransferId, DropId>,
    /// How those stand that said so: for whoever comes late, or heard nothing for a while.
    statuses: BTreeMap<TransferId, Arc<Envelope<Status>>>,
}

/// One drop.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(PartialEq))]
pub(super) struct Entry {
    /// As it stands now. Its transfers are those whose record is not gone.
    pub(super) shown: OfferedDrop,
    pub(super) audience: Audience,
}

/// Who may see a drop, besides its sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Audience {
    /// Whoever is in the room, now or later.
    Everyone,
    Only(Arc<[MemberId]>),
}

impl Entry {
    pub(super) fn is_visible_to(&self, member: &MemberId) -> bool {
        self.shown.from == *member
            || match &self.audience {
                Audience::Everyone => true,
                Audience::Only(members) => members.contains(member),
            }
    }

    /// Whether it is this member's or addressed to it, so that it must stay who it is.
    fn concerns(&self, member: &MemberId) -> bool {
        self.shown.from == *member
            || matches!(&self.audience, Audience::Only(members) if members.contains(member))
    }

    /// Whether anyone may still get something of it without accepting anew.
    fn is_open(&self) -> bool {
        let is_open = |transfer: &OfferedTransfer| {
            !transfer.state.is_final() && transfer.state != TransferState::Complete
        };
        self.shown.transfers.iter().any(is_open)
    }

    pub(super) fn transfers(&self) -> Vec<TransferId> {
        self.shown.transfers.iter().map(|transfer| transfer.transfer.clone()).collect()
    }
}

impl Drops {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn are_any_open(&self) -> bool {
        self.entries.iter().any(Entry::is_open) || self.statuses.values().any(|told| is_storing(&told.data))
    }

    /// Whether any drop is this member's or addressed to it.
    pub(super) fn concern(&self, member: &MemberId) -> bool {
        self.entries.iter().any(|entry| entry.concerns(member))
    }

    pub(super) fn knows(&self, drop: &DropId, transfers: &[TransferId]) -> bool {
        self.entries.iter().any(|entry| entry.shown.drop == *drop)
            || transfers.iter().any(|transfer| self.of_transfer.contains_key(transfer))
    }

    /// All of them, oldest first.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// What was last said of a transfer.
    pub(super) fn status(&self, transfer: &TransferId) -> Option<&Arc<Envelope<Status>>> {
        self.statuses.get(transfer)
    }

    pub(super) fn visible_to(&self, member: &MemberId) -> Vec<OfferedDrop> {
        let visible = self.entries.iter().filter(|entry| entry.is_visible_to(member));
        visible.map(|entry| entry.shown.clone()).collect()
    }

    /// The drop, if this member may see it.
    pub(super) fn get(&self, drop: &DropId, member: &MemberId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.shown.drop == *drop && entry.is_visible_to(member))
    }

    /// The drop of a transfer that is not gone, if this member may see it.
    pub(super) fn of(&self, transfer: &TransferId, member: &MemberId) -> Option<&Entry> {
        self.get(self.of_transfer.get(transfer)?, member)
    }

    pub(super) fn add(&mut self, entry: Entry) {
        for transfer in &entry.shown.transfers {
            self.of_transfer.insert(transfer.transfer.clone(), entry.shown.drop.clone());
        }
        self.entries.push_back(entry);
    }

    /// How the transfers stand that people wait for and this member may see, at most [`CATCH_UP`].
    pub(super) fn moving(&self, member: &MemberId) -> Vec<Arc<Envelope<Status>>> {
        let moves = |status: &Status| {
            matches!(status.state, TransferState::Active | TransferState::Paused | TransferState::Suspended)
        };
        let visible = self
            .statuses
            .iter()
            .filter(|(transfer, status)| moves(&status.data) && self.of(transfer, member).is_some());
        visible.take(CATCH_UP).map(|(_, status)| status.clone()).collect()
    }

    /// Brings the snapshot up to date. The drop, if it is known.
    pub(super) fn update(&mut self, told: &Arc<Envelope<Status>>) -> Option<&Entry> {
        let status = &told.data;
        let of = self.of_transfer.get(&status.transfer)?;
        let entry = self.entries.iter_mut().find(|entry| entry.shown.drop == *of)?;
        let is_it = |transfer: &&mut OfferedTransfer| transfer.transfer == status.transfer;
        let transfer = entry.shown.transfers.iter_mut().find(is_it)?;
        transfer.state = status.state;
        transfer.size = status.size.or(transfer.size);
        transfer.copy.clone_from(&status.copy);
        self.statuses.insert(status.transfer.clone(), told.clone());
        Some(entry)
    }

    /// Forgets a transfer, and its drop with the last one. Whether it was known.
    pub(super) fn forget_transfer(&mut self, transfer: &TransferId) -> bool {
        let Some(drop) = self.of_transfer.remove(transfer) else { return false };
        self.statuses.remove(transfer);
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.shown.drop == drop) {
            entry.shown.transfers.retain(|known| known.transfer != *transfer);
        }
        self.entries.retain(|entry| !entry.shown.transfers.is_empty());
        true
    }

    /// Which drop has to make place for another: the oldest that is not open.
    pub(super) fn oldest_closed(&self) -> Option<DropId> {
        self.entries.iter().find(|entry| !entry.is_open()).map(|entry| entry.shown.drop.clone())
    }

    /// Forgets a drop. Its transfers that were not gone.
    pub(super) fn forget(&mut self, drop: &DropId) -> Vec<TransferId> {
        let Some(at) = self.entries.iter().position(|entry| entry.shown.drop == *drop) else {
            return Vec::new();
        };
        let transfers = self.entries.remove(at).map(|entry| entry.transfers()).unwrap_or_default();
        for transfer in &transfers {
            self.of_transfer.remove(transfer);
            self.statuses.remove(transfer);
        }
        transfers
    }

    /// Forgets all. The transfers that were not gone.
    pub(super) fn clear(&mut self) -> Vec<TransferId> {
        self.entries.clear();
        self.statuses.clear();
        std::mem::take(&mut self.of_transfer).into_keys().collect()
    }
}

/// Whether a copy is being written: it must not be forgotten before, whoever has all of it.
fn is_storing(status: &Status) -> bool {
    !status.state.is_final() && status.copy.as_ref().is_some_and(|copy| copy.state == CopyState::Storing)
}
