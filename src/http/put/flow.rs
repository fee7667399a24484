//! A body on its way into its transfer: read when a pull has come and no faster, handed on in chunks within
//! their bounds and the credit. What is read and not handed on yet is one read of the connection, no more.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::fate::{self, Fate, Judge};
use super::hash::Hash;
use super::view::{Asked, Given, View};
use crate::hub::{Answer, Hub, Outcome, TransferCommand, TransferHandle};
use crate::net;
use crate::protocol::{Digest, ErrorCode, Refusal};
use crate::room::PeerId;

/// How long a body is not asked for more before it is looked whether its sender is still there. Where the
/// receivers are slower than the sender it is not asked for moments all the time, and a look costs a few calls.
const UNASKED: Duration = Duration::from_millis(500);

/// A body, and what it goes into.
pub(super) struct Flow {
    pub(super) hub: Hub,
    pub(super) connection: net::Peer,
    pub(super) transfer: TransferHandle,
    pub(super) peer: PeerId,
    pub(super) view: watch::Receiver<View>,
    pub(super) told: watch::Sender<View>,
    pub(super) judge: Judge,
    pub(super) body: Body,
    /// As announced.
    pub(super) size: Option<u64>,
    /// Bytes of a chunk, at most.
    pub(super) chunk_max: u64,
}

/// How far a body is.
struct Progress {
    offset: u64,
    /// Read, and not handed on yet.
    at_hand: Bytes,
    hash: Hash,
}

/// What woke an upload.
enum News {
    Frame(Option<Result<Bytes, axum::Error>>),
    HungUp,
    Other,
}

/// What was delivered.
pub(super) struct Delivered {
    pub(super) size: u64,
    pub(super) digest: Option<Digest>,
}

impl Flow {
    /// Carries the body until everyone who accepted has all of it. Gives back what of the body was not read.
    ///
    /// # Errors
    /// Why it ended without that.
    pub(super) async fn run(mut self) -> (Outcome<Delivered>, Body) {
        let outcome = self.carry().await;
        (outcome, self.body)
    }

    async fn carry(&mut self) -> Outcome<Delivered> {
        let mut progress = Progress { offset: 0, at_hand: Bytes::new(), hash: Hash::start(&self.hub) };
        loop {
            if self.size == Some(progress.offset) {
                break;
            }
            let (fate, credit) = self.look(progress.offset, progress.at_hand.is_empty());
            if let Fate::Over(refusal) = fate {
                return Err(refusal);
            }
            if let Some((lane, credit)) = credit
                && !progress.at_hand.is_empty()
            {
                self.hand_on(&mut progress, lane, credit).await;
                continue;
            }
            match self.wait(credit.is_some() && progress.at_hand.is_empty()).await {
                News::Frame(Some(Ok(bytes))) => {
                    progress.hash.take(bytes.clone()).await;
                    progress.at_hand = bytes;
                }
                News::Frame(None) => break,
                News::Frame(Some(Err(_))) | News::HungUp => return Err(cut_short()),
                News::Other => {}
            }
        }
        self.finish(progress).await
    }

    /// What is known now: how it stands, and the lane and the credit, if there is any.
    fn look(&mut self, offset: u64, is_more_needed: bool) -> (Fate, Option<(u64, u64)>) {
        let view = self.view.borrow_and_update();
        let credit = match view.asked {
            Asked::Pull { lane, limit } if limit > offset => Some((lane, limit - offset)),
            _ => None,
        };
        let body = match credit {
            Some(_) if is_more_needed => fate::Body::Owed,
            _ => fate::Body::NotOwed,
        };
        (self.judge.look(Instant::now(), &view, body), credit)
    }

    async fn hand_on(&mut self, progress: &mut Progress, lane: u64, credit: u64) {
        let most = usize::try_from(credit.min(self.chunk_max)).unwrap_or(usize::MAX);
        let bytes = progress.at_hand.split_to(most.min(progress.at_hand.len()));
        let (peer, offset) = (self.peer, progress.offset);
        progress.offset += bytes.len() as u64;
        let answer = self.refusal();
        let chunk = TransferCommand::Chunk { peer, lane, offset, bytes, digest: None, answer };
        self.transfer.send_when_there_is_room(chunk).await;
    }

    /// The body is all there: says so, and waits until everyone has it.
    async fn finish(&mut self, progress: Progress) -> Outcome<Delivered> {
        let size = progress.offset;
        let digest = progress.hash.finish().await;
        let (peer, answer) = (self.peer, self.refusal());
        let end =
            TransferCommand::SourceEnd { peer, size: self.size.is_none().then_some(size), digest, answer };
        self.transfer.send_when_there_is_room(end).await;
        self.told.send_modify(|view| view.given = Given::All);
        loop {
            match self.look(size, false).0 {
                Fate::Open => drop(self.wait(false).await),
                Fate::Delivered => return Ok(Delivered { size, digest }),
                Fate::Over(refusal) => return Err(refusal),
            }
        }
    }

    /// Waits for whatever is next; for the body only where it may be read.
    async fn wait(&mut self, may_read: bool) -> News {
        let deadline = self.judge.deadline();
        let (body, connection) = (&mut self.body, &self.connection);
        tokio::select! {
            biased;
            frame = body.frame(), if may_read => {
                // Trailers say nothing that anyone was told to expect.
                News::Frame(frame.map(|frame| frame.map(|frame| frame.into_data().unwrap_or_default())))
            }
            _ = self.view.changed() => News::Other,
            () = gone(connection), if !may_read => News::HungUp,
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => News::Other,
        }
    }

    /// Whoever is refused what it says next hears of it by the view.
    fn refusal<T>(&self) -> Answer<T> {
        let told = self.told.clone();
        Answer::new(move |outcome: Outcome<T>| {
            if let Err(refusal) = outcome {
                told.send_modify(|view| {
                    view.refused.get_or_insert(refusal);
                });
            }
        })
    }
}

async fn gone(connection: &net::Peer) {
    sleep(UNASKED).await;
    connection.hung_up().await;
}

fn cut_short() -> Refusal {
    Refusal::new(ErrorCode::BadRequest, "The body ended before its announced end; send it again.")
}
