//! How a transfer stands, told to its parties here and, by its home, to its room. The rest of the task lives in
//! `transfer_task`.

use std::sync::Arc;

use super::room_handle;
use super::transfer_task::Task;
use crate::protocol::TransferState;
use crate::protocol::rooms::Status;
use crate::room::envelope;

impl Task {
    /// The home is here now: its room must be too, to be told how it stands.
    pub(super) fn move_in(&mut self) {
        self.room = Some(self.hub.room_for(&self.about.room));
        tracing::info!(transfer.id = %self.id, "transfer taken over");
    }

    pub(super) fn tell_status(&mut self, status: Status) {
        tracing::debug!(
            transfer.id = %status.transfer, state = ?status.state, sent_bytes = status.sent,
            receivers = status.receivers.len(), "transfer status"
        );
        match (status.state == TransferState::Active, &self.active) {
            (true, None) => self.active = Some(self.hub.count_active()),
            (false, Some(_)) => self.active = None,
            _ => {}
        }
        // The home alone speaks to the room.
        self.untold = self.session.is_home().then(|| status.clone());
        let status = Arc::new(envelope(status));
        if let Some((_, source)) = &self.source {
            source.status(&status);
        }
        for open in self.sinks.values() {
            open.port.status(&status);
        }
    }

    /// Tells the room how it stands. When its mailbox is full this is tried again: only the newest counts.
    pub(super) fn tell_room(&mut self) {
        let (Some(status), Some(room)) = (self.untold.take(), &mut self.room) else { return };
        if room.is_over() {
            // Its copy here went when nobody needed it.
            *room = self.hub.room_for(&self.about.room);
        }
        if !room.try_send(room_handle::Command::Status(Box::new(status.clone()))) {
            self.untold = Some(status);
        }
    }
}
