//! What is kept of a room that this node has forgotten: read before the first who enters is let in, and brought
//! back by an entry of the room's log, like everything else. Whose entry brings a drop back starts its transfers.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::super::room_handle::Command;
use super::super::{File, Offered, random};
use super::Task;
use super::people::Owed;
use crate::protocol::rooms::Offer;
use crate::protocol::{ErrorCode, Refusal, Secret};
use crate::room::{Input, Restored, Shelved};
use crate::transfer::Source;

/// How long whoever enters waits for it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Who may wait at once; one more is refused with `overloaded`.
const WAITING: usize = 1024;

/// Whether it was read.
pub(super) enum Shelf {
    Unread,
    /// It is being read, and these wait to enter.
    Reading(Vec<Command>),
    Read,
}

impl Task {
    /// Whoever enters waits until the shelf was read, and so does what it says meanwhile. The command, if it need
    /// not.
    pub(super) fn wait_for_shelf(&mut self, command: Command) -> Option<Command> {
        let peer = command.peer();
        let waits = matches!(&self.shelf, Shelf::Reading(waiting)
            if peer.is_some() && waiting.iter().any(|before| before.peer() == peer));
        let needs_it = matches!(
            command,
            Command::Join { .. } | Command::WeighStored { .. } | Command::OfferStored { .. }
        );
        if !waits && !needs_it {
            return Some(command);
        }
        match &mut self.shelf {
            Shelf::Read => return Some(command),
            // What is dropped answers `overloaded`.
            Shelf::Reading(waiting) if waiting.len() >= WAITING => return None,
            Shelf::Reading(waiting) => {
                waiting.push(command);
                return None;
            }
            Shelf::Unread => {}
        }
        let Some(keeper) = self.hub.keeper() else {
            self.shelf = Shelf::Read;
            return Some(command);
        };
        self.shelf = Shelf::Reading(vec![command]);
        let (id, handle) = (self.id.clone(), self.handle.clone());
        self.hub.spawn(async move {
            let read = timeout(PATIENCE, keeper.shelved(&id)).await;
            let read = read.unwrap_or_else(|_| Err(ErrorCode::StorageUnavailable.into()));
            handle.send_when_there_is_room(Command::Shelf(read)).await;
        });
        None
    }

    /// It was read, or could not be: then the next who enters has it read again.
    pub(super) fn take_shelf(&mut self, read: Result<Vec<Shelved>, Refusal>) {
        let next = if read.is_ok() { Shelf::Read } else { Shelf::Unread };
        let before = std::mem::replace(&mut self.shelf, Shelf::Read);
        match read {
            Ok(shelved) if !shelved.is_empty() => {
                self.submit_rules_if_new();
                self.submit(Input::Restore(shelved), Owed::Restore);
            }
            Ok(_) => {}
            Err(refusal) => {
                tracing::warn!(room.id = %self.id, error = %refusal, "what is kept of the room cannot be read");
            }
        }
        if let Shelf::Reading(waiting) = before {
            for command in waiting {
                self.hold_or_obey(command);
            }
        }
        self.shelf = next;
    }

    /// These are back.
    pub(super) fn start_restored(&mut self, restored: Vec<Restored>) {
        for Restored { drop, shelved } in restored {
            for (offered, copy) in drop.transfers.iter().zip(&shelved.copies) {
                if self.hub.transfer(&offered.transfer).is_some() {
                    continue;
                }
                let file = Arc::new(File::of(offered));
                let kept = Shelved {
                    drop: crate::protocol::rooms::OfferedDrop {
                        transfers: vec![offered.clone()],
                        ..shelved.drop.clone()
                    },
                    copies: vec![*copy],
                    ..shelved.clone()
                };
                let of = Offered {
                    drop: drop.drop.clone(),
                    transfer: offered.transfer.clone(),
                    source: Source::Seekable,
                    from: drop.from.clone(),
                    invited: Arc::default(),
                    kept: Some(Arc::new(kept)),
                    copy: Some(*copy),
                };
                let token = Secret::from_random(random());
                self.hub.start_transfer(of, file, token, self.handle.clone(), self.id.clone());
            }
        }
    }

    /// Whether the drop may be offered now: one that is to be kept only where there is room for it. The command
    /// comes back as [`Command::OfferAdmitted`].
    pub(super) fn ask_for_room(&mut self, command: Command) -> Option<Command> {
        let Command::Offer { peer, offer: offer @ Offer { keep: Some(true), .. }, source, answer } = command
        else {
            return Some(command);
        };
        let Some(keeper) = self.hub.keeper() else {
            let sentence = "This server keeps no drops; offer it without keep.";
            answer.refuse(Refusal::new(ErrorCode::NotAllowed, sentence));
            return None;
        };
        let sizes: Vec<_> = offer.files.iter().map(|file| file.size).collect();
        let handle = self.handle.clone();
        self.hub.spawn(async move {
            match keeper.admits(&sizes).await {
                Ok(()) => {
                    let admitted = Command::OfferAdmitted { peer, offer, source, answer };
                    handle.send_when_there_is_room(admitted).await;
                }
                Err(refusal) => answer.give(Err(refusal)),
            }
        });
        None
    }
}
