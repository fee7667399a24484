//! The namespace `/transfers`: every event becomes a command to a transfer's task, in the order in which
//! events came; bytes are handed on as they are. It refuses to decide: what is a legal chunk or pull is
//! the relay's business, who may speak the transfer task's.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;

use super::Gateway;
use super::carrier::SocketRef;
use super::events::{Back, Events};
use super::peer::{Peer, Wire};
use super::ports::{SinkWire, SourceWire};
use crate::hub::{Answer, Holder, Outcome, SinkBox, SinkKind, SourceBox, TransferCommand, TransferHandle};
use crate::protocol::limits::MAX_INTEGER;
use crate::protocol::transfers::{
    Chunk, ChunkTaken, Opened, OpenedOne, Pull, SinkDone, SinkOpen, SinkOpened, SourceEnd, SourceFail,
    SourceOpen, SourceOpened, Tokens, event,
};
use crate::protocol::{Code, ErrorCode, Secret, TransferId};

/// Bytes of chunks that one link may have waiting to be looked at; more are refused with `overloaded`.
/// A source that keeps to its credit comes near it only when the machine is starved.
const INBOX: u64 = 64 << 20;

/// How long a link waits for a token to be looked up, while records cannot be reached.
const PATIENCE: Duration = Duration::from_secs(60);

/// A socket is about to enter the namespace.
pub(super) fn prepare(gateway: &Gateway, socket: &SocketRef, peer: Arc<Peer>) {
    let transfers = Transfers { gateway: gateway.clone(), peer: peer.clone() };
    Events::new(socket, peer, transfers)
        .on(event::SOURCE_OPEN, Transfers::open_source)
        .on(event::SINK_OPEN, Transfers::open_sink)
        .on(event::CHUNK, Transfers::chunk)
        .on(event::PULL, Transfers::pull)
        .on(event::SOURCE_END, Transfers::end_source)
        .on(event::SOURCE_FAIL, Transfers::fail_source)
        .on(event::SINK_DONE, Transfers::finish_sink);
}

/// One socket's half of the namespace.
#[derive(Clone)]
struct Transfers {
    gateway: Gateway,
    peer: Arc<Peer>,
}

impl Transfers {
    fn open_source(&self, open: SourceOpen, wire: &Wire, back: Back) {
        let open_one = |token, answer| self.open_one_source(token, wire, answer);
        match Tokens::of(open.token, open.tokens) {
            Ok(Tokens::One(token)) => open_one(token, back.answer::<SourceOpened>()),
            Ok(Tokens::Many(tokens)) => open_many(tokens, back.answer(), open_one),
            Err(error) => back.empty().refuse(error),
        }
    }

    fn open_one_source(&self, token: Secret, wire: &Wire, answer: Answer<SourceOpened>) {
        let (shown, wire) = (token.clone(), wire.clone());
        self.find(token, answer, move |this, (id, transfer), answer| {
            let port = SourceBox(Box::new(SourceWire::new(wire.clone(), id.clone())));
            let answer = this.party(&wire, id, transfer.clone(), answer);
            let peer = this.peer.id;
            transfer.send(TransferCommand::OpenSource { peer, token: shown, port, answer });
        });
    }

    /// Goes on with the transfer that gave out a token: at once where it is here, else when its record was
    /// read.
    fn find<T: Send + 'static>(
        &self,
        token: Secret,
        answer: Answer<T>,
        go_on: impl FnOnce(&Self, (TransferId, TransferHandle), Answer<T>) + Send + 'static,
    ) {
        let hub = &self.gateway.hub;
        if let Some(found) = hub.transfer_of_token(&token) {
            return go_on(self, found, answer);
        }
        if !self.peer.openings.begin() {
            return answer.refuse(ErrorCode::Overloaded);
        }
        let this = self.clone();
        hub.spawn(async move {
            match this.gateway.hub.find_transfer(&token, PATIENCE).await {
                Ok(found) => go_on(&this, found, answer),
                Err(error) => answer.refuse(error),
            }
            this.peer.openings.end();
        });
    }

    fn open_sink(&self, open: SinkOpen, wire: &Wire, back: Back) {
        let first = open.lane.map(|lane| (lane, open.from.unwrap_or(0), open.limit.unwrap_or(MAX_INTEGER)));
        let open_one = |token, answer| self.open_one_sink(token, first, wire, answer);
        match Tokens::of(open.token, open.tokens) {
            Ok(Tokens::One(token)) => open_one(token, back.answer::<SinkOpened>()),
            Ok(Tokens::Many(tokens)) => open_many(tokens, back.answer(), open_one),
            Err(error) => back.empty().refuse(error),
        }
    }

    fn open_one_sink(
        &self,
        token: Secret,
        first: Option<(u64, u64, u64)>,
        wire: &Wire,
        answer: Answer<SinkOpened>,
    ) {
        let (shown, wire) = (token.clone(), wire.clone());
        self.find(token, answer, move |this, (id, transfer), answer| {
            let peer = this.peer.id;
            let port = SinkBox(Box::new(SinkWire::new(wire.clone(), id.clone())));
            let answer = this.party(&wire, id, transfer.clone(), answer);
            let holder = Holder::Token(shown);
            transfer.send(TransferCommand::OpenSink { peer, holder, kind: SinkKind::Link, port, answer });
            if let Some((lane, from, limit)) = first {
                let answer = Answer::new(move |outcome: Outcome<()>| match outcome {
                    // A sink that could not open has been told so already.
                    Err(refusal) if refusal.code == ErrorCode::BadRequest => {
                        wire.problem(event::SINK_OPEN, &refusal);
                    }
                    _ => {}
                });
                transfer.send(TransferCommand::Pull { peer, lane, from, limit, answer });
            }
        });
    }

    /// Remembers the link as a party to the transfer, and has it in the transfer's Socket.IO room once it
    /// is open.
    fn party<T: Send + 'static>(
        &self,
        wire: &Wire,
        id: TransferId,
        transfer: TransferHandle,
        answer: Answer<T>,
    ) -> Answer<T> {
        self.peer.transfers().insert(id.clone(), transfer.clone());
        if !wire.socket.connected() {
            self.gateway.hub.lose_transfer(&transfer, self.peer.id);
        }
        let wire = wire.clone();
        answer.map(move |outcome| {
            if outcome.is_ok() {
                wire.socket.join(format!("transfer:{id}"));
            }
            outcome
        })
    }

    fn chunk(&self, (head, bytes): (Chunk, Bytes), _: &Wire, back: Back) {
        let len = bytes.len() as u64;
        let Chunk { transfer, lane, offset, digest } = head;
        if self.peer.inbox.fetch_add(len, Ordering::Relaxed) > INBOX {
            self.peer.inbox.fetch_sub(len, Ordering::Relaxed);
            return back.empty().refuse(ErrorCode::Overloaded);
        }
        let peer = self.peer.clone();
        let answer = back.answer_with(Code::Progress).map(move |taken: Outcome<u64>| {
            peer.inbox.fetch_sub(len, Ordering::Relaxed);
            taken.map(|received| ChunkTaken { received })
        });
        let peer = self.peer.id;
        self.tell(&transfer, answer, move |answer| TransferCommand::Chunk {
            peer,
            lane,
            offset,
            bytes,
            digest,
            answer,
        });
    }

    fn pull(&self, pull: Pull, _: &Wire, back: Back) {
        let Pull { transfer, lane, from, limit } = pull;
        let peer = self.peer.id;
        let command = move |answer| TransferCommand::Pull { peer, lane, from, limit, answer };
        self.tell(&transfer, back.empty(), command);
    }

    fn end_source(&self, end: SourceEnd, _: &Wire, back: Back) {
        let SourceEnd { transfer, size, digest } = end;
        let peer = self.peer.id;
        let command = move |answer| TransferCommand::SourceEnd { peer, size, digest, answer };
        self.tell(&transfer, back.empty(), command);
    }

    fn fail_source(&self, fail: SourceFail, _: &Wire, back: Back) {
        let peer = self.peer.id;
        self.tell(&fail.transfer, back.empty(), move |answer| TransferCommand::SourceFail { peer, answer });
    }

    fn finish_sink(&self, done: SinkDone, _: &Wire, back: Back) {
        let SinkDone { transfer, digest } = done;
        let peer = self.peer.id;
        self.tell(&transfer, back.empty(), move |answer| TransferCommand::SinkDone { peer, digest, answer });
    }

    /// Hands a command to a transfer that this link opened, or is about to.
    fn tell<T: Send + 'static>(
        &self,
        id: &TransferId,
        answer: Answer<T>,
        command: impl FnOnce(Answer<T>) -> TransferCommand + Send + 'static,
    ) {
        if self.peer.transfers().contains_key(id) {
            return self.tell_open(id, answer, command);
        }
        let (this, id) = (self.clone(), id.clone());
        if let Err(now) = self.peer.openings.wait(move || this.tell_open(&id, answer, command)) {
            now();
        }
    }

    fn tell_open<T>(
        &self,
        id: &TransferId,
        answer: Answer<T>,
        command: impl FnOnce(Answer<T>) -> TransferCommand,
    ) {
        let opened = self.peer.transfers().get(id).cloned();
        match opened {
            Some(transfer) => transfer.send(command(answer)),
            None if self.gateway.hub.transfer(id).is_some() => answer.refuse(ErrorCode::NotAllowed),
            None => answer.refuse(ErrorCode::TransferNotFound),
        }
    }
}

fn open_many<T: Send + 'static>(
    tokens: Vec<Secret>,
    answer: Answer<Opened<T>>,
    open_one: impl Fn(Secret, Answer<T>),
) {
    let whole = answer.map(|outcomes: Outcome<Vec<Outcome<T>>>| {
        let one = |outcome: Outcome<T>| match outcome {
            Ok(opened) => OpenedOne::Opened(opened),
            Err(refusal) => OpenedOne::Refused { error: refusal.code },
        };
        outcomes.map(|outcomes| Opened { transfers: outcomes.into_iter().map(one).collect() })
    });
    let parts = whole.parts(tokens.len());
    for (token, part) in tokens.into_iter().zip(parts) {
        open_one(token, part);
    }
}
