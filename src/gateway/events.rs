//! How an event becomes a call of a function: its arguments read or refused in the reading task, and the
//! way back to whoever sent it. The same for every namespace; it knows no event.

use std::future::{Ready, ready};
use std::sync::Arc;

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use socketioxide::extract::Event;

use super::call::{Call, Reply};
use super::carrier::SocketRef;
use super::peer::{Peer, Wire};
use crate::hub::Answer;
use crate::protocol::{Code, ErrorCode, Refusal};

/// The events of one socket in one namespace, handled by an `H`.
pub(super) struct Events<'a, H> {
    socket: &'a SocketRef,
    peer: Arc<Peer>,
    handler: H,
}

impl<'a, H: Clone + Send + Sync + 'static> Events<'a, H> {
    /// Events of `socket`, which is `peer`. Those that nobody asks for are refused.
    pub(super) fn new(socket: &'a SocketRef, peer: Arc<Peer>, handler: H) -> Self {
        refuse_the_rest(socket, &peer);
        Self { socket, peer, handler }
    }

    /// Has `handle` called for each event of this name whose arguments can be read.
    pub(super) fn on<T: DeserializeOwned + Send + Sync + 'static>(
        &self,
        event: &'static str,
        handle: fn(&H, T, &Wire, Back),
    ) -> &Self {
        let (handler, peer) = (self.handler.clone(), self.peer.clone());
        self.socket.on(event, move |call: Call<T>| -> Ready<()> {
            let wire = Wire { socket: call.socket, peer: peer.clone() };
            let back = Back { wire: wire.clone(), reply: call.reply, event };
            let (handler, out) = (handler.clone(), wire.clone());
            let passes = peer.gate.pass(move || match call.arguments {
                Ok(arguments) => handle(&handler, arguments, &wire, back),
                Err(refusal) => back.empty().refuse(refusal),
            });
            if !passes {
                out.cut();
            }
            ready(())
        });
        self
    }
}

/// Answers events that the namespace does not have.
fn refuse_the_rest(socket: &SocketRef, peer: &Arc<Peer>) {
    let peer = peer.clone();
    socket.on_fallback(move |Event(name): Event, call: Call<IgnoredAny>| -> Ready<()> {
        let wire = Wire { socket: call.socket, peer: peer.clone() };
        let name: String = name.chars().take(64).collect();
        let why = Refusal::new(
            ErrorCode::BadRequest,
            "There is no such event in this namespace; see the protocol reference.",
        );
        let out = wire.clone();
        if !peer.gate.pass(move || wire.reply::<()>(call.reply, &name, Code::Error, Err(why))) {
            out.cut();
        }
        ready(())
    });
}

/// Nothing, as an answer: `{}`.
#[derive(Serialize)]
struct Empty {}

/// How an event's outcome goes back to the client.
pub(super) struct Back {
    wire: Wire,
    reply: Reply,
    event: &'static str,
}

impl Back {
    /// The answer with code 200.
    pub(super) fn answer<T: Serialize + Send + 'static>(self) -> Answer<T> {
        self.answer_with(Code::Success)
    }

    /// The answer with another code, where it is no refusal.
    pub(super) fn answer_with<T: Serialize + Send + 'static>(self, code: Code) -> Answer<T> {
        Answer::new(move |outcome| self.wire.reply(self.reply, self.event, code, outcome))
    }

    /// As [`Self::answer`], with `{}` for data.
    pub(super) fn empty(self) -> Answer<()> {
        self.answer::<Empty>().map(|outcome| outcome.map(|()| Empty {}))
    }
}
