//! The drops of a room and their transfers, as the hub's registry knows them on this node, whether or not
//! this node has a handle to them. It exists so that whoever names a drop or a transfer finds its room.

use std::collections::{HashMap, HashSet};

use super::super::{Hub, RoomHandle, TransferHandle};
use crate::protocol::rooms::OfferedDrop;
use crate::protocol::{DropId, TransferId};
use crate::room::Room;

pub(super) struct Drops {
    hub: Hub,
    room: RoomHandle,
    transfers: HashMap<TransferId, DropId>,
    drops: HashMap<DropId, Drop>,
}

/// A drop: its transfers in the order of the offer, and how many of them are not gone.
struct Drop {
    transfers: Vec<TransferId>,
    left: usize,
}

impl Drops {
    pub(super) fn new(hub: Hub, room: RoomHandle) -> Self {
        Self { hub, room, transfers: HashMap::new(), drops: HashMap::new() }
    }

    pub(super) fn learn(&mut self, drop: &OfferedDrop) {
        let transfers: Vec<_> = drop.transfers.iter().map(|transfer| transfer.transfer.clone()).collect();
        if self.drops.contains_key(&drop.drop) {
            return;
        }
        self.hub.know_drop(&drop.drop, &self.room);
        for transfer in &transfers {
            self.hub.know_transfer(transfer, &self.room);
            self.transfers.insert(transfer.clone(), drop.drop.clone());
        }
        self.drops.insert(drop.drop.clone(), Drop { left: transfers.len(), transfers });
    }

    /// The last transfer of a drop takes the drop's place in the registry with it.
    pub(super) fn forget(&mut self, transfer: &TransferId) {
        let Some(drop) = self.transfers.remove(transfer) else { return };
        self.hub.forget_room_of_transfer(transfer);
        if let Some(of) = self.drops.get_mut(&drop) {
            of.left -= 1;
            if of.left == 0 {
                self.drops.remove(&drop);
                self.hub.forget_drop(&drop);
            }
        }
    }

    /// Knows what `room` knows, and nothing else. What was known and is not any more.
    pub(super) fn become_those_of(&mut self, room: &Room) -> Vec<TransferId> {
        let shown = room.drops().flat_map(|drop| &drop.transfers).map(|transfer| &transfer.transfer);
        let shown: HashSet<_> = shown.collect();
        let over: Vec<_> =
            self.transfers.keys().filter(|transfer| !shown.contains(transfer)).cloned().collect();
        for transfer in &over {
            self.forget(transfer);
        }
        room.drops().for_each(|drop| self.learn(drop));
        over
    }

    /// All that was known is no longer found here.
    pub(super) fn forget_all(&mut self) {
        for transfer in std::mem::take(&mut self.transfers).into_keys() {
            self.hub.forget_room_of_transfer(&transfer);
        }
        for drop in std::mem::take(&mut self.drops).into_keys() {
            self.hub.forget_drop(&drop);
        }
    }

    /// The transfers of a drop that are not gone, in the order of the offer.
    pub(super) fn transfers(&self, drop: &DropId) -> Option<Vec<TransferId>> {
        let all = &self.drops.get(drop)?.transfers;
        Some(all.iter().filter(|transfer| self.transfers.contains_key(transfer)).cloned().collect())
    }

    /// The one place that finds the handle to a transfer of this room, or makes it.
    pub(super) fn handle_of(&self, transfer: &TransferId) -> Option<TransferHandle> {
        self.transfers.contains_key(transfer).then(|| self.hub.known_transfer(transfer)).flatten()
    }

    /// Whether a transfer of this room is in this node's hands. Costs a look at each.
    pub(super) fn are_any_here(&self) -> bool {
        self.transfers.keys().any(|transfer| self.hub.transfer(transfer).is_some())
    }
}
