//! A member for the time of one HTTP request. It exists so that what has no socket takes part in a room by the
//! same doors as everyone else; it refuses to outlive its request: when it is dropped, the member leaves.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName};

use crate::hub::{
    Answer, Hub, Outcome, PeerPort, RoomCommand, RoomHandle, TransferCommand, TransferHandle, ask,
};
use crate::protocol::rooms::{Join, Joined};
use crate::protocol::{DisplayName, ErrorCode, FileName, Passphrase, Refusal, RoomId};
use crate::room::PeerId;

/// The passphrase of a room that has one. Not in the address, which proxies and shells remember.
pub(super) const PASSPHRASE: HeaderName = HeaderName::from_static("roomdrop-passphrase");

/// Which file of which room an address means, and as whom.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) room: RoomId,
    pub(super) file: FileName,
    pub(super) name: Option<DisplayName>,
    pub(super) passphrase: Option<Passphrase>,
}

impl Place {
    /// Reads `/rooms/{room}/{filename}`, `?name=` and the passphrase's header.
    ///
    /// # Errors
    /// `bad_request`, with a sentence that names the rule, for anything that no socket could say either.
    pub(super) fn of(
        (room, file): &(String, String),
        name: Option<String>,
        headers: &HeaderMap,
    ) -> Outcome<Self> {
        let bad = |sentence| Refusal::new(ErrorCode::BadRequest, sentence);
        let room = RoomId::new(room).ok_or_else(|| bad("A room's id is 1 to 64 of A-Z a-z 0-9 _ and -."))?;
        let file = FileName::new(file).ok_or_else(|| {
            bad("A file's name is 1 to 255 bytes, without / \\ or control characters, and not . or ..")
        })?;
        let name = match name.filter(|name| !name.is_empty()) {
            Some(name) => {
                let name = DisplayName::new(&name);
                Some(name.ok_or_else(|| bad("A member's name is 1 to 64 characters."))?)
            }
            None => None,
        };
        let passphrase = match headers.get(PASSPHRASE) {
            Some(header) => {
                let text = std::str::from_utf8(header.as_bytes()).ok().and_then(Passphrase::new);
                Some(text.ok_or_else(|| bad("The passphrase is not readable; write it in UTF-8."))?)
            }
            None => None,
        };
        Ok(Self { room, file, name, passphrase })
    }
}

/// A member that leaves when this is dropped.
pub(super) struct Visit {
    hub: Hub,
    room: RoomHandle,
    peer: PeerId,
    /// What is said before it leaves.
    last: Vec<Last>,
}

/// What a visit has begun and must not leave behind.
enum Last {
    /// The source or a sink of this transfer, by its link's number.
    Lost(TransferHandle),
    /// To the room.
    Word(Box<dyn FnOnce(PeerId) -> Option<RoomCommand> + Send + Sync>),
}

impl Visit {
    /// Enters the place's room.
    ///
    /// # Errors
    /// What the room says, such as `room_full` or, without the right passphrase, `not_allowed`.
    pub(super) async fn enter(
        hub: &Hub,
        place: &Place,
        port: Arc<dyn PeerPort>,
    ) -> Outcome<(Self, Box<Joined>)> {
        let peer = hub.next_peer();
        let join = Join {
            room: place.room.clone(),
            name: place.name.clone(),
            key: None,
            passphrase: place.passphrase.clone(),
        };
        let mut visit = None;
        let joined = ask(|answer| {
            hub.join(peer, port, join, answer);
            // From here on it leaves, also when the request ends before it is let in.
            let room = hub.room(&place.room);
            visit = room.map(|room| Self { hub: hub.clone(), room, peer, last: Vec::new() });
        });
        let joined = joined.await?;
        Ok((visit.ok_or(ErrorCode::Overloaded)?, joined))
    }

    /// Its link's number.
    pub(super) fn peer(&self) -> PeerId {
        self.peer
    }

    /// Says something to the room and waits for the answer.
    ///
    /// # Errors
    /// What the room answers.
    pub(super) async fn say<T: Send + 'static>(
        &self,
        how: impl FnOnce(PeerId, Answer<T>) -> RoomCommand,
    ) -> Outcome<T> {
        ask(|answer| {
            self.room.try_send(how(self.peer, answer));
        })
        .await
    }

    /// Its link is this transfer's source or sink: lost when it leaves.
    pub(super) fn lose_at_last(&mut self, transfer: TransferHandle) {
        self.last.push(Last::Lost(transfer));
    }

    /// Says this before it leaves, if there is still something to say then.
    pub(super) fn say_at_last(
        &mut self,
        word: impl FnOnce(PeerId) -> Option<RoomCommand> + Send + Sync + 'static,
    ) {
        self.last.push(Last::Word(Box::new(word)));
    }

    /// All is well: it leaves without a further word.
    pub(super) fn forget_last(&mut self) {
        self.last.clear();
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let (room, peer, last) = (self.room.clone(), self.peer, std::mem::take(&mut self.last));
        self.hub.spawn(async move {
            for last in last {
                match last {
                    Last::Lost(transfer) => {
                        transfer.send_when_there_is_room(TransferCommand::Lost { peer }).await;
                    }
                    Last::Word(word) => {
                        if let Some(word) = word(peer) {
                            room.send_when_there_is_room(word).await;
                        }
                    }
                }
            }
            let answer = Answer::new(drop);
            room.send_when_there_is_room(RoomCommand::Leave { peer, answer }).await;
        });
    }
}
