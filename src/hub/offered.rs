//! A transfer from its offer to its task: where its life, its bytes and its home begin, also of one that was kept
//! and comes back.

use std::sync::Arc;

use super::record::{About, File};
use super::session::{Input, Session};
use super::{Hub, RoomHandle, TransferHandle, transfer_task};
use crate::protocol::{DropId, MemberId, RoomId, Secret, TransferId};
use crate::relay::{self, Relay};
use crate::room::{Shelved, StoredBytes};
use crate::transfer::{self, Transfer};

/// A transfer as its room offered it.
pub(super) struct Offered {
    pub(super) drop: DropId,
    pub(super) transfer: TransferId,
    pub(super) source: transfer::Source,
    pub(super) from: MemberId,
    pub(super) invited: Arc<[MemberId]>,
    /// What to write down of it, where it is to be kept.
    pub(super) kept: Option<Arc<Shelved>>,
    /// The copy, where it is whole already.
    pub(super) copy: Option<StoredBytes>,
}

impl Hub {
    pub(super) fn start_transfer(
        &self,
        offered: Offered,
        file: Arc<File>,
        token: Secret,
        room: RoomHandle,
        room_id: RoomId,
    ) -> TransferHandle {
        let now = self.0.clock.now();
        let Offered { drop, transfer: id, source, from, invited, kept, copy } = offered;
        let (life, bytes) = match (source, file.size) {
            (transfer::Source::Seekable, Some(_)) => (source, relay::Source::Seekable),
            _ => (transfer::Source::Once, relay::Source::Once),
        };
        let options = &self.0.options;
        let transfer = Transfer::new(now, id.clone(), from, life, file.size, invited, options.transfer);
        let relay = Relay::new(options.relay.clone(), self.0.budget.clone(), bytes, file.size);
        let mut session = Session::new(now, self.broker().me().id, self.0.sharing, transfer, relay);
        let keep = kept.iter().map(|_| Input::Keep);
        let copy = copy.map(|StoredBytes { size, digest, until }| Input::Kept { size, digest, until });
        for input in keep.chain(copy) {
            let _ = session.handle(now, input);
        }
        let (handle, commands) = TransferHandle::new();
        self.know_token(&token, &id);
        let about = About { room: room_id, drop, file, kept, source_token: token };
        let task = transfer_task::Task::new(self.clone(), id.clone(), handle.clone(), session, about);
        task.start_in(room, commands);
        self.0.transfers.insert(id, handle.clone());
        handle
    }
}
