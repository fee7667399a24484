//! `PUT /rooms/{room}/{filename}`: the body is a drop into the room, by a member that is there for as long. It
//! exists for what has no socket (`curl -T`); it refuses to read a byte that nobody asked for, and to keep any:
//! what becomes of the drop is decided where every other one's is.

mod fate;
mod flow;
mod hash;
mod view;

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{ConnectInfo, Path, Query, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt;
use serde::Deserialize;
use tokio::sync::watch;

use self::fate::Judge;
use self::flow::Flow;
use self::view::{Given, Link, Port, View};
use super::error::Refused;
use super::parting;
use super::visit::{Place, Visit};
use crate::hub::{
    Answer, Hub, Outcome, RoomCommand, Source, SourceBox, TransferCommand, TransferHandle, Wish, ask,
};
use crate::net;
use crate::protocol::http::{Delivered, DeliveredTo};
use crate::protocol::limits::MAX_INTEGER;
use crate::protocol::rooms::{FileOffer, Joined, Offer, OutgoingTransfer};
use crate::protocol::{Code, DropId, Envelope, ErrorCode, MediaType, MemberId, Refusal};

/// Bytes of an answer that are put together before it goes, at most: it is one envelope.
const ANSWER: usize = 1 << 20;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    name: Option<String>,
    keep: Option<String>,
}

/// Serves it. The answer comes when the drop has been delivered, or cannot be.
pub(super) async fn serve(
    State(hub): State<Hub>,
    ConnectInfo(connection): ConnectInfo<net::Peer>,
    path: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<Wanted>, QueryRejection>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let size = body.size_hint().exact();
    let asked = Upload::of(path, query, &head.headers, size);
    let (outcome, rest) = match asked {
        Ok(upload) => upload.run(&hub, connection, body).await,
        Err(refusal) => (Err(refusal), body),
    };
    let (response, rest) = match outcome {
        Ok(delivered) => {
            let words = Json(Envelope::new(Code::Success, delivered));
            ((StatusCode::CREATED, words).into_response(), None)
        }
        Err(refusal) => (Refused::from(refusal).into_response(), Some(rest)),
    };
    finish(&hub, response, rest).await
}

/// What an address without a file's name is answered: a slash at its end lets curl add the name.
pub(super) async fn nameless(State(hub): State<Hub>, request: Request) -> Response {
    let why = "The address names no file; write /rooms/ROOM/NAME, or /rooms/ROOM/ with curl -T.";
    let refused = Refused::from(Refusal::new(ErrorCode::BadRequest, why));
    finish(&hub, refused.into_response(), Some(request.into_body())).await
}

/// Ends the words with a line, for those who read them in a terminal.
pub(super) async fn finish(hub: &Hub, response: Response, rest: Option<Body>) -> Response {
    let (mut head, words) = response.into_parts();
    head.headers.remove(CONTENT_LENGTH);
    let words = http_body_util::Limited::new(words, ANSWER).collect().await;
    let mut line = BytesMut::from(&words.map(|words| words.to_bytes()).unwrap_or_else(|_| Bytes::new())[..]);
    line.extend_from_slice(b"\n");
    parting::answer(hub, Response::from_parts(head, Body::empty()), line.freeze(), rest)
}

/// What a request asks for.
struct Upload {
    place: Place,
    size: Option<u64>,
    media_type: Option<MediaType>,
    keep: Option<bool>,
}

/// What was offered.
struct Offered {
    drop: DropId,
    outgoing: OutgoingTransfer,
    transfer: TransferHandle,
    me: MemberId,
}

impl Upload {
    fn of(
        path: Result<Path<(String, String)>, PathRejection>,
        query: Result<Query<Wanted>, QueryRejection>,
        headers: &HeaderMap,
        size: Option<u64>,
    ) -> Outcome<Self> {
        let (Ok(Path(path)), Ok(Query(wanted))) = (path, query) else {
            return Err(ErrorCode::BadRequest.into());
        };
        let place = Place::of(&path, wanted.name, headers)?;
        if headers.contains_key(CONTENT_RANGE) {
            // RFC 9110 §14.5: what is not understood must not be taken for the whole.
            let why = "A part of a file cannot be put; send all of it, without Content-Range.";
            return Err(Refusal::new(ErrorCode::BadRequest, why));
        }
        if size.is_some_and(|size| size > MAX_INTEGER) {
            return Err(ErrorCode::TooLarge.into());
        }
        let keep = match wanted.keep.as_deref() {
            None | Some("0") => None,
            Some("1") => Some(true),
            Some(_) => return Err(Refusal::new(ErrorCode::BadRequest, "keep is 1 or 0.")),
        };
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Ok(Self { place, size, media_type: media_type.and_then(MediaType::new), keep })
    }

    /// Offers the body and carries it. What of the body was not read comes back with the outcome.
    async fn run(self, hub: &Hub, connection: net::Peer, body: Body) -> (Outcome<Delivered>, Body) {
        let (told, view) = watch::channel(View::default());
        let (mut visit, offered) = match self.offer(hub, &told).await {
            Ok(offered) => offered,
            Err(refusal) => return (Err(refusal), body),
        };
        visit.lose_at_last(offered.transfer.clone());
        let transfer = offered.outgoing.transfer.clone();
        let body_given = view.clone();
        visit.say_at_last(move |peer| {
            // Those who are under way need the sender no more, when all of it is here.
            let is_cut = body_given.borrow().given == Given::Part;
            let answer = Answer::new(drop);
            is_cut.then_some(RoomCommand::Steer { peer, transfer, wish: Wish::Cancel, answer })
        });
        let chunk_max = match open(&offered, &visit, &told).await {
            Ok(chunk_max) => chunk_max,
            Err(refusal) => return (Err(refusal), body),
        };
        let flow = Flow {
            hub: hub.clone(),
            connection,
            transfer: offered.transfer.clone(),
            peer: visit.peer(),
            view: view.clone(),
            judge: Judge::new(offered.me.clone(), hub.options().upload_patience),
            told,
            body,
            size: self.size,
            chunk_max,
        };
        let (outcome, rest) = flow.run().await;
        if outcome.is_ok() {
            visit.forget_last();
        }
        (outcome.map(|flow| summary(offered, &flow, &view.borrow())), rest)
    }

    /// Enters the room and makes the offer.
    async fn offer(&self, hub: &Hub, told: &watch::Sender<View>) -> Outcome<(Visit, Offered)> {
        let port = Arc::new(Link(told.clone()));
        let (visit, joined) = Visit::enter(hub, &self.place, port).await?;
        let Joined { members, member, .. } = *joined;
        told.send_modify(|view| view.begin(members));
        let file = FileOffer {
            name: self.place.file.clone(),
            path: None,
            size: self.size,
            media_type: self.media_type.clone(),
            modified: None,
            preview: None,
        };
        let offer =
            Offer { room: self.place.room.clone(), files: vec![file], to: None, keep: self.keep, note: None };
        let source = Source::Once;
        let offering = |peer, answer| RoomCommand::Offer { peer, offer, source, answer };
        let mut taken = visit.say(offering).await?;
        let outgoing = taken.transfers.pop().ok_or(ErrorCode::Internal)?;
        let transfer = hub.transfer(&outgoing.transfer).ok_or(ErrorCode::TransferNotFound)?;
        Ok((visit, Offered { drop: taken.drop, outgoing, transfer, me: member.id }))
    }
}

/// Opens the source. The size of a chunk, at most.
async fn open(offered: &Offered, visit: &Visit, told: &watch::Sender<View>) -> Outcome<u64> {
    let (peer, token) = (visit.peer(), offered.outgoing.token.clone());
    let port = SourceBox(Box::new(Port(told.clone())));
    let opened = ask(|answer| {
        offered.transfer.send(TransferCommand::OpenSource { peer, token, port, answer });
    });
    Ok(opened.await?.chunk.max)
}

fn summary(offered: Offered, flow: &flow::Delivered, view: &View) -> Delivered {
    let receivers = view.status.as_ref().map(|status| status.data.receivers.as_slice()).unwrap_or_default();
    let receiver = |receiver: &crate::protocol::rooms::Receiver| DeliveredTo {
        member: receiver.member.clone(),
        name: view.name_of(&receiver.member).cloned(),
        state: receiver.state,
        received: receiver.received,
    };
    Delivered {
        transfer: offered.outgoing.transfer,
        drop: offered.drop,
        name: offered.outgoing.name,
        size: flow.size,
        digest: flow.digest,
        receivers: receivers.iter().map(receiver).collect(),
    }
}
