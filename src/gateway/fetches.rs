//! The namespace `/fetches`: a wish for a URL becomes a fetch of the member whose key came with it. The link is
//! one more of that member's in the room, by which it hears how its transfers stand, on whatever node it is. It
//! refuses to decide: what may be fetched is the fetches' business, who may offer the room's.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::Gateway;
use super::carrier::SocketRef;
use super::events::{Back, Events};
use super::peer::{Peer, Wire};
use crate::fetch::{Ask, Fetches, Report, Reports, Watched};
use crate::hub::{Answer, Outcome, PeerPort, RoomCommand, Wish};
use crate::protocol::fetches::{Start, Started, Stop, event};
use crate::protocol::rooms::Joined;
use crate::protocol::{ErrorCode, Refusal, ResourceId, RoomId, Secret, TransferId, TransferState};
use crate::room;

/// Fetches that one link may have begun and not heard of yet; one more is refused with `rate_limited`.
const MOST_STARTING: usize = 100;

/// A socket is about to enter the namespace.
pub(super) fn prepare(gateway: &Gateway, socket: &SocketRef, peer: Arc<Peer>) {
    let links = Links { gateway: gateway.clone(), peer: peer.clone(), told: Arc::default() };
    Events::new(socket, peer, links).on(event::START, Links::start).on(event::STOP, Links::stop);
}

/// One socket's half of the namespace.
#[derive(Clone)]
struct Links {
    gateway: Gateway,
    peer: Arc<Peer>,
    told: Arc<Mutex<Told>>,
}

/// What a socket is told of, and what it has begun.
#[derive(Default)]
struct Told {
    reports: Reports,
    starting: Vec<Starting>,
    flushing: Flushing,
}

/// A fetch that was asked for and has not answered yet.
struct Starting {
    resource: ResourceId,
    stop: CancellationToken,
}

/// Whether someone waits for the time of the next progress.
#[derive(Default, PartialEq, Eq)]
enum Flushing {
    #[default]
    Idle,
    Waiting,
}

/// A socket with the fetches that it is told of.
#[derive(Clone)]
struct Ear {
    links: Links,
    fetches: Fetches,
    wire: Wire,
}

impl PeerPort for Ear {
    /// As a link of its member it hears all that happens in the room; how transfers stand is what it is for.
    fn tell(&self, event: &room::Event) {
        let room::Event::Status(status) = event else { return };
        let now = self.fetches.hub().clock().now();
        let (report, stuck) = {
            let reports = &mut self.links.told().reports;
            let stuck = reports.of(&status.data.transfer).cloned();
            let stuck = stuck.filter(|_| status.data.state == TransferState::Suspended);
            (reports.take(now, &status.data), stuck)
        };
        if let Some(report) = report {
            self.say(report);
        }
        self.flush_when_due();
        if let Some(watched) = stuck {
            let (fetches, peer) = (self.fetches.clone(), self.links.peer.id);
            self.fetches.hub().spawn(async move { fetches.take_over(watched, peer).await });
        }
    }
}

impl Links {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, start: Start, wire: &Wire, back: Back) {
        let Some(fetches) = self.gateway.fetches.clone() else {
            return back.empty().refuse(Refusal::new(
                ErrorCode::NotAllowed,
                "This server does not download for others; get the file yourself, and offer it.",
            ));
        };
        let resource = start.resource.clone().unwrap_or_else(|| ResourceId::from_random(rand::random()));
        let stop = CancellationToken::new();
        {
            let mut told = self.told();
            if told.starting.len() >= MOST_STARTING || told.reports.has_no_room() {
                return back.empty().refuse(ErrorCode::RateLimited);
            }
            told.starting.push(Starting { resource: resource.clone(), stop: stop.clone() });
        }
        let ear = Ear { links: self.clone(), fetches, wire: wire.clone() };
        let answer = back.answer::<Started>();
        self.gateway.hub.spawn(async move { ear.start(start, resource, stop, answer).await });
    }

    fn stop(&self, stop: Stop, _: &Wire, back: Back) {
        let answer = back.empty();
        let told = self.told();
        if let Some(starting) = told.starting.iter().find(|starting| starting.resource == stop.resource) {
            starting.stop.cancel();
            return answer.give(Ok(()));
        }
        let Some(watched) = told.reports.find(&stop.resource).cloned() else {
            return answer.refuse(Refusal::new(
                ErrorCode::TransferNotFound,
                "This link knows no such fetch; say fetch:start with the same resource first.",
            ));
        };
        drop(told);
        self.cancel(&watched.transfer, answer);
    }

    fn cancel(&self, transfer: &TransferId, answer: Answer<()>) {
        match self.gateway.hub.room_of_transfer(transfer) {
            Some(room) => {
                let (peer, transfer, wish) = (self.peer.id, transfer.clone(), Wish::Cancel);
                room.try_send(RoomCommand::Steer { peer, transfer, wish, answer });
            }
            None => answer.refuse(ErrorCode::TransferNotFound),
        }
    }
}

impl Ear {
    async fn start(
        self,
        start: Start,
        resource: ResourceId,
        stop: CancellationToken,
        answer: Answer<Started>,
    ) {
        let (room, key) = (start.room.clone(), start.key.clone());
        let outcome = self.begin(start, resource.clone(), &stop).await;
        self.links.told().starting.retain(|other| other.resource != resource);
        match outcome {
            Err(refusal) => answer.refuse(refusal),
            Ok(watched) => {
                let transfer = watched.transfer.clone();
                if stop.is_cancelled() {
                    // It became a drop while it was being stopped.
                    self.links.cancel(&transfer, Answer::new(|_: Outcome<()>| {}));
                }
                answer.give(Ok(Started { transfer: transfer.clone(), resource }));
                self.links.told().reports.watch(watched);
                self.catch_up(&room, key, &transfer).await;
            }
        }
    }

    async fn begin(&self, start: Start, resource: ResourceId, stop: &CancellationToken) -> Outcome<Watched> {
        let Start { room, key, url, name, keep, .. } = start;
        let member = self.enter(&room, key).await?.member.id;
        let peer = self.links.peer.id;
        let of = (room.clone(), member.clone(), resource.clone());
        let mut starting = pin!(self.fetches.start(Ask { peer, member, room, url, name, resource, keep }));
        tokio::select! {
            biased;
            outcome = &mut starting => return outcome,
            () = stop.cancelled() => self.fetches.stop_starting(&of.0, &of.1, &of.2),
        }
        starting.await
    }

    /// Enters the room as the member whose key it is.
    async fn enter(&self, room: &RoomId, key: Secret) -> Outcome<Box<Joined>> {
        let Links { gateway, peer, .. } = &self.links;
        let (answer, joined) = oneshot::channel();
        let answer = Answer::new(move |outcome| drop(answer.send(outcome)));
        peer.rooms().insert(room.clone());
        gateway.hub.come_back(peer.id, Arc::new(self.clone()), room, key.clone(), answer);
        // A link that was lost meanwhile must not stay behind as a ghost.
        if !self.wire.socket.connected()
            && let Some(room) = gateway.hub.room(room)
        {
            gateway.hub.lose_room(&room, peer.id);
        }
        let joined = joined.await.unwrap_or_else(|_| Err(ErrorCode::Overloaded.into()))?;
        if joined.key != key {
            return Err(Refusal::new(
                ErrorCode::NotAllowed,
                "This link is that of another member of the room already; use one for each.",
            ));
        }
        Ok(joined)
    }

    /// What happened before the link listened: whoever enters is told how the transfers stand that move, and
    /// shown which have ended.
    async fn catch_up(&self, room: &RoomId, key: Secret, transfer: &TransferId) {
        let Ok(joined) = self.enter(room, key).await else { return };
        let mut transfers = joined.drops.iter().flat_map(|drop| &drop.transfers);
        let state = transfers.find(|shown| shown.transfer == *transfer).map(|shown| shown.state);
        let report = self.links.told().reports.end(transfer, state);
        if let Some(report) = report {
            self.say(report);
        }
    }

    fn say(&self, report: Report) {
        match report {
            Report::Progress(progress) => self.wire.emit(event::PROGRESS, &progress),
            Report::Complete(ended) => self.wire.emit(event::COMPLETE, &ended),
            Report::Failed(watched, None) => self.wire.emit(event::FAILED, &watched.failed(None, None)),
            Report::Failed(watched, error) => {
                let this = self.clone();
                self.fetches.hub().spawn(async move {
                    let why = this.fetches.why(watched.fetch).await;
                    this.wire.emit(event::FAILED, &watched.failed(error, why.as_ref()));
                });
            }
        }
    }

    /// Progress that came too soon after the last is told when its time has come, unless there is newer then.
    fn flush_when_due(&self) {
        let mut told = self.links.told();
        let Some(mut due) = told.reports.poll_timeout().filter(|_| told.flushing == Flushing::Idle) else {
            return;
        };
        told.flushing = Flushing::Waiting;
        drop(told);
        let (this, clock) = (self.clone(), *self.fetches.hub().clock());
        self.fetches.hub().spawn(async move {
            loop {
                sleep_until(clock.instant(due)).await;
                let (reports, next) = {
                    let mut told = this.links.told();
                    let reports = told.reports.due(clock.now());
                    let next = told.reports.poll_timeout();
                    if next.is_none() {
                        told.flushing = Flushing::Idle;
                    }
                    (reports, next)
                };
                reports.into_iter().for_each(|report| this.say(report));
                match next {
                    Some(next) => due = next,
                    None => return,
                }
            }
        });
    }
}
