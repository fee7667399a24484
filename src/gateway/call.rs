//! One event from a client, taken apart: its arguments or why they cannot be read, and the way to answer
//! it. Extracted in the reading task, so that calls come in the order in which they were sent.

use std::convert::Infallible;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use socketioxide::SendError;
use socketioxide::extract::{AckSender, TryData};
use socketioxide::handler::{FromMessageParts, Value};
use socketioxide::socket::Socket;

use super::carrier::{Carrier, SocketRef};
use crate::hub::Outcome;
use crate::protocol::{ErrorCode, Refusal};

/// An event with arguments of type `T`.
pub(super) struct Call<T> {
    pub(super) socket: SocketRef,
    pub(super) arguments: Outcome<T>,
    pub(super) reply: Reply,
}

/// The way to answer a call.
pub(super) struct Reply {
    sender: AckSender<Carrier>,
    awaited: Awaited,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Yes,
    No,
}

impl Reply {
    /// Whether the client waits for an answer.
    pub(super) fn is_awaited(&self) -> bool {
        self.awaited == Awaited::Yes
    }

    /// Answers; does nothing when nobody waits.
    pub(super) fn send<T: Serialize>(self, data: &T) -> Result<(), SendError> {
        self.sender.send(data)
    }
}

impl<T: DeserializeOwned> FromMessageParts<Carrier> for Call<T> {
    type Error = Infallible;

    fn from_message_parts(
        socket: &Arc<Socket<Carrier>>,
        value: &mut Value,
        ack: &Option<i64>,
    ) -> Result<Self, Infallible> {
        let TryData(arguments) = TryData::<T>::from_message_parts(socket, value, ack)?;
        let arguments = arguments.map_err(|error| {
            Refusal::new(
                ErrorCode::BadRequest,
                format!("The event cannot be read: {error}. See the protocol reference."),
            )
        });
        let awaited = if ack.is_some() { Awaited::Yes } else { Awaited::No };
        let sender = AckSender::from_message_parts(socket, value, ack)?;
        let socket = SocketRef::from_message_parts(socket, value, ack)?;
        Ok(Self { socket, arguments, reply: Reply { sender, awaited } })
    }
}
