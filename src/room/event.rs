//! What a room tells people. The payload is shared, so that telling a thousand links costs one of them;
//! who puts it on the wire decides how it is encoded.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::protocol::Envelope;
use crate::protocol::rooms::{Message, OfferedDrop, Presented, Status, event};

/// An event from the room to its members. It serializes as its payload alone.
#[derive(Debug, Clone)]
pub enum Event {
    /// `room:joined`: someone is here, or has another name now.
    Joined(Arc<Presented>),
    /// `room:left`.
    Left(Arc<Presented>),
    /// `room:message`.
    Message(Arc<Message>),
    /// `drop:offered`.
    Offered(Arc<OfferedDrop>),
    /// `transfer:status`.
    Status(Arc<Envelope<Status>>),
}

impl Event {
    /// Its name on the wire.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Joined(_) => event::JOINED,
            Self::Left(_) => event::LEFT,
            Self::Message(_) => event::MESSAGE,
            Self::Offered(_) => event::OFFERED,
            Self::Status(_) => event::STATUS,
        }
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Joined(who) | Self::Left(who) => who.as_ref().serialize(to),
            Self::Message(message) => message.as_ref().serialize(to),
            Self::Offered(drop) => drop.as_ref().serialize(to),
            Self::Status(status) => status.as_ref().serialize(to),
        }
    }
}

/// `status` in its envelope: the number and the sentence follow from its state, or from its error.
pub fn envelope(status: Status) -> Envelope<Status> {
    let msg = status.error.map_or(status.state.sentence(), |error| error.sentence());
    Envelope { msg: msg.into(), ..Envelope::new(status.state.code(), status) }
}
