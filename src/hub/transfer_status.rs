//! How a transfer stands, told to its parties here and, by its home, to its room and to hooks. The rest of the task lives in
//! `transfer_task`.

use std::sync::Arc;

use super::answer::{Answer, Outcome};
use super::session::Input;
use super::transfer_task::{Asker, Task};
use super::{File, random, room_handle};
use crate::hooks::{Event, FileFacts, Finish, Kind};
use crate::protocol::rooms::Status;
use crate::protocol::{MemberId, Secret, TransferState};
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
        self.tell_hooks(&status);
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

    /// The home tells hooks when it has come to its end, or to all who accepted. What another home has told of
    /// is not told again.
    fn tell_hooks(&mut self, status: &Status) {
        let before = std::mem::replace(&mut self.stood, status.state);
        if before == status.state || !self.session.is_home() {
            return;
        }
        let (kind, event): (_, fn(&Finish) -> Event) = match status.state {
            TransferState::Complete => (Kind::Complete, Event::complete),
            TransferState::Failed => (Kind::Failed, Event::failed),
            _ => return,
        };
        if self.hub.hooks().wants(kind) {
            let (file, receivers) = (self.facts(), status.receivers.clone());
            self.hub.hooks().say(&event(&Finish { file, sent: status.sent, receivers, error: status.error }));
        }
    }

    /// Tells hooks that its copy is whole. Those that may read it get a token once every node can find it; whoever reads
    /// with it is no receiver that people are told of.
    pub(super) fn tell_stored(&mut self) {
        let hooks = self.hub.hooks().clone();
        if !hooks.wants(Kind::Stored) {
            return;
        }
        let (facts, id) = (self.facts(), self.id.clone());
        if !hooks.wants_content() {
            return hooks.say_stored(facts, None);
        }
        let token = Secret::from_random(random());
        let member = MemberId::of_reader(&token);
        let answer = Answer::new(move |outcome: Outcome<(Secret, Arc<File>)>| {
            let url =
                outcome.ok().map(|(token, _)| format!("/transfers/{id}/content?token={}", token.expose()));
            hooks.say_stored(facts, url);
        });
        self.decide(Input::Accept { member, token }, Asker::Accept(answer));
    }

    fn facts(&self) -> FileFacts {
        let (transfer, file) = (self.session.transfer(), &self.about.file);
        FileFacts {
            room: self.about.room.clone(),
            drop: self.about.drop.clone(),
            transfer: self.id.clone(),
            from: transfer.sender().clone(),
            name: file.name.clone(),
            path: file.path.clone(),
            size: transfer.size(),
            media_type: file.media_type.clone(),
            modified: file.modified,
            digest: transfer.digest(),
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
