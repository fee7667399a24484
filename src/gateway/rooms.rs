//! The namespace `/rooms`: every event becomes a command to a room's task, in the order in which events
//! came. It refuses to decide: who may do what is the room's business.

use std::sync::Arc;

use super::Gateway;
use super::carrier::SocketRef;
use super::events::{Back, Events};
use super::peer::{Peer, Wire};
use crate::hub::{Answer, PeerPort, RoomCommand, RoomHandle, Source, Wish};
use crate::protocol::rooms::{Join, Joined, Leave, Offer, Pick, Picked, Say, Steer, event};
use crate::protocol::{ErrorCode, RoomId};
use crate::room;

impl PeerPort for Wire {
    fn tell(&self, event: &room::Event) {
        self.emit(event.name(), event);
    }
}

/// A socket is about to enter the namespace.
pub(super) fn prepare(gateway: &Gateway, socket: &SocketRef, peer: Arc<Peer>) {
    let rooms = Rooms { gateway: gateway.clone(), peer: peer.clone() };
    Events::new(socket, peer, rooms)
        .on(event::JOIN, Rooms::join)
        .on(event::LEAVE, Rooms::leave)
        .on(event::MESSAGE, Rooms::say)
        .on(event::OFFER, Rooms::offer)
        .on(event::ACCEPT, Rooms::accept)
        .on(event::REJECT, Rooms::reject)
        .on(event::PAUSE, |rooms, steer, _, back| rooms.steer(steer, Wish::Pause, back))
        .on(event::RESUME, |rooms, steer, _, back| rooms.steer(steer, Wish::Resume, back))
        .on(event::CANCEL, |rooms, steer, _, back| rooms.steer(steer, Wish::Cancel, back));
}

/// One socket's half of the namespace.
#[derive(Clone)]
struct Rooms {
    gateway: Gateway,
    peer: Arc<Peer>,
}

impl Rooms {
    fn join(&self, join: Join, wire: &Wire, back: Back) {
        let room = join.room.clone();
        self.peer.rooms().insert(room.clone());
        wire.socket.join(format!("room:{room}"));
        let answer = back.answer::<Box<Joined>>();
        self.gateway.hub.join(self.peer.id, Arc::new(wire.clone()), join, answer);
        // A link that was lost while it joined must not stay behind as a ghost.
        if !wire.socket.connected()
            && let Some(room) = self.gateway.hub.room(&room)
        {
            self.gateway.hub.lose_room(&room, self.peer.id);
        }
    }

    fn leave(&self, leave: Leave, wire: &Wire, back: Back) {
        self.peer.rooms().remove(&leave.room);
        wire.socket.leave(format!("room:{}", leave.room));
        let peer = self.peer.id;
        self.in_room(&leave.room, back.empty(), |answer| RoomCommand::Leave { peer, answer });
    }

    fn say(&self, say: Say, _: &Wire, back: Back) {
        let peer = self.peer.id;
        let text = say.text;
        self.in_room(&say.room, back.answer(), |answer| RoomCommand::Say { peer, text, answer });
    }

    fn offer(&self, offer: Offer, _: &Wire, back: Back) {
        let peer = self.peer.id;
        let room = offer.room.clone();
        self.in_room(&room, back.answer(), |answer| {
            let source = Source::Seekable;
            RoomCommand::Offer { peer, offer, source, answer }
        });
    }

    fn accept(&self, pick: Pick, _: &Wire, back: Back) {
        let peer = self.peer.id;
        match pick.picked() {
            Ok(Picked::Transfer(transfer)) => {
                let room = self.gateway.hub.room_of_transfer(&transfer);
                let command = |answer| RoomCommand::Accept { peer, transfer, answer };
                tell(room, ErrorCode::TransferNotFound, back.answer(), command);
            }
            Ok(Picked::Drop(drop)) => {
                let room = self.gateway.hub.room_of_drop(&drop);
                let command = |answer| RoomCommand::AcceptDrop { peer, drop, answer };
                tell(room, ErrorCode::DropNotFound, back.answer(), command);
            }
            Err(error) => back.empty().refuse(error),
        }
    }

    fn reject(&self, pick: Pick, _: &Wire, back: Back) {
        let peer = self.peer.id;
        let hub = &self.gateway.hub;
        let (room, error, picked) = match pick.picked() {
            Ok(Picked::Transfer(transfer)) => {
                (hub.room_of_transfer(&transfer), ErrorCode::TransferNotFound, Picked::Transfer(transfer))
            }
            Ok(Picked::Drop(drop)) => (hub.room_of_drop(&drop), ErrorCode::DropNotFound, Picked::Drop(drop)),
            Err(error) => return back.empty().refuse(error),
        };
        tell(room, error, back.empty(), |answer| RoomCommand::Reject { peer, picked, answer });
    }

    fn steer(&self, steer: Steer, wish: Wish, back: Back) {
        let peer = self.peer.id;
        let transfer = steer.transfer;
        let room = self.gateway.hub.room_of_transfer(&transfer);
        let command = |answer| RoomCommand::Steer { peer, transfer, wish, answer };
        tell(room, ErrorCode::TransferNotFound, back.empty(), command);
    }

    fn in_room<T>(&self, room: &RoomId, answer: Answer<T>, command: impl FnOnce(Answer<T>) -> RoomCommand) {
        tell(self.gateway.hub.room(room), ErrorCode::RoomNotFound, answer, command);
    }
}

fn tell<T>(
    room: Option<RoomHandle>,
    otherwise: ErrorCode,
    answer: Answer<T>,
    command: impl FnOnce(Answer<T>) -> RoomCommand,
) {
    match room {
        Some(room) => drop(room.try_send(command(answer))),
        None => answer.refuse(otherwise),
    }
}
