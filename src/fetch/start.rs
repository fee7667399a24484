//! From the wish for a URL to a drop: the fetch is made this node's, the origin asked what it has, the drop
//! offered; then its job runs. What the asker is told in between is only that it begins.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName};
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::body::Body;
use super::facts::{Facts, Trouble};
use super::job::{End, Job};
use super::policy::Way;
use super::reader::{From, Held};
use super::record::{self, Claimed, Fingerprint, Offered, Record, Stage};
use super::{Ask, Begun, Fetches, another_url, name};
use crate::hub::{Answer, RoomCommand, Source};
use crate::protocol::rooms::{FileOffer, Offer, OfferTaken, OutgoingTransfer};
use crate::protocol::{ErrorCode, FileName, MediaType, Refusal};
use crate::transfer::REMEMBERED;

/// Time to find out what an origin has, redirects and the wait for others that ask included.
const PROBE: Duration = Duration::from_secs(60);
/// How long another node may take for the same.
const ELSEWHERE: Duration = Duration::from_secs(70);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(250);

/// A fetch that is about to start.
pub(super) struct Start {
    pub(super) fetches: Fetches,
    pub(super) fetch: Fingerprint,
    pub(super) url: Url,
    pub(super) ask: Ask,
}

/// What an origin has.
struct Found {
    name: Option<FileName>,
    media_type: Option<MediaType>,
    /// Nothing where a program will fetch.
    facts: Option<Facts>,
    first: Option<Held>,
}

/// A fetch that this node does from now on.
struct Mine {
    number: u64,
    offered: Offered,
    first: Option<Held>,
}

impl Start {
    /// Starts it, says so, and does it to its end.
    pub(super) async fn run(self, tell: watch::Sender<Begun>, stop: CancellationToken) {
        let begun = tokio::select! {
            biased;
            () = stop.cancelled() => Err(Refusal::new(ErrorCode::TransferClosed, "It was stopped before it began.")),
            begun = self.begin(&tell) => begun,
        };
        match begun {
            Ok(Some(mine)) => self.work(mine, &tell).await,
            Ok(None) => {}
            Err(refusal) => {
                tracing::info!(error = %refusal.code, "a fetch could not start");
                self.forget().await;
                tell.send_replace(Begun::Refused(refusal));
            }
        }
    }

    /// Nothing where another node does it.
    async fn begin(&self, tell: &watch::Sender<Begun>) -> Result<Option<Mine>, Refusal> {
        let (number, known) = match self.claim().await? {
            Claimed::Mine(number, known) => (number, known),
            Claimed::Theirs(theirs) => {
                let Stage::Offered(offered) = theirs.stage else { return Err(ErrorCode::Overloaded.into()) };
                tell.send_replace(Begun::Offered(offered.transfer, offered.name));
                return Ok(None);
            }
        };
        if let Some(offered) = known {
            tracing::info!(transfer.id = %offered.transfer, "fetch taken over");
            tell.send_replace(Begun::Offered(offered.transfer.clone(), offered.name.clone()));
            return Ok(Some(Mine { number, offered: *offered, first: None }));
        }
        let found = timeout(PROBE, self.probe()).await.unwrap_or_else(|_| {
            Err(Refusal::new(ErrorCode::FetchFailed, "The origin takes too long to answer; try again later."))
        })?;
        let Found { name, media_type, facts, first } = found;
        let source = facts.as_ref().map_or(Source::Once, Facts::source);
        let size = facts.as_ref().and_then(|facts| facts.size);
        let taken = self.offer(name, media_type, size, source).await?;
        let offered =
            Offered { transfer: taken.transfer, token: taken.token, name: taken.name, facts, failed: None };
        self.write(number, &offered).await;
        tracing::info!(transfer.id = %offered.transfer, size_bytes = size, "fetch offered");
        tell.send_replace(Begun::Offered(offered.transfer.clone(), offered.name.clone()));
        Ok(Some(Mine { number, offered, first }))
    }

    /// Makes it this node's, or waits until another has begun it.
    async fn claim(&self) -> Result<Claimed, Refusal> {
        let broker = self.fetches.hub().broker().as_ref();
        let claiming = async {
            loop {
                let lifetime = self.fetches.lifetime();
                let claimed = record::claim(broker, self.fetch, self.url.as_str(), lifetime).await;
                match &claimed {
                    Claimed::Theirs(record) if record.url != self.url.as_str() => return Err(another_url()),
                    Claimed::Theirs(record) if record.stage == Stage::Starting => sleep(LOOK).await,
                    _ => return Ok(claimed),
                }
            }
        };
        timeout(ELSEWHERE, claiming).await.unwrap_or_else(|_| Err(ErrorCode::Overloaded.into()))
    }

    async fn write(&self, number: u64, offered: &Offered) {
        let broker = self.fetches.hub().broker().as_ref();
        let stage = Stage::Offered(Box::new(offered.clone()));
        let mine = Record { node: broker.me().id, url: self.url.as_str().to_owned(), stage };
        // Without a record the fetch goes on all the same; only other nodes know less of it.
        let _ = record::write(broker, self.fetch, (number, number), &mine, self.fetches.lifetime()).await;
    }

    /// It never became a drop: it may be started again under the same name.
    async fn forget(&self) {
        let broker = self.fetches.hub().broker().as_ref();
        if let Ok(Some((number, record))) = record::read(broker, self.fetch).await
            && record.node == broker.me().id
            && record.stage == Stage::Starting
        {
            let _ = broker.remove(&crate::broker::Key::Fetch(self.fetch), number).await;
        }
    }

    async fn probe(&self) -> Result<Found, Refusal> {
        let inner = &self.fetches.0;
        match inner.policy.judge(&self.url)? {
            Way::Program(_) => {
                Ok(Found { name: name::name_of(None, &self.url), media_type: None, facts: None, first: None })
            }
            Way::Http => {
                let _place = inner.probes.acquire().await.map_err(|_| ErrorCode::Internal)?;
                let opened = inner.origin.open(&self.url, 0, None).await.map_err(refusal)?;
                let headers = opened.response.headers();
                let facts = Facts::of(opened.response.status(), headers).map_err(refusal)?;
                let name = name::name_of(value(headers, CONTENT_DISPOSITION), &opened.url);
                let media_type = name::media_type(value(headers, CONTENT_TYPE));
                // Kept where there is a place for it: a URL may be good for one request alone.
                let slot = inner.slots.clone().try_acquire_owned().ok();
                let first = slot.map(|slot| (Body::Http(Box::new(opened.response)), Arc::new(slot)));
                Ok(Found { name, media_type, facts: Some(facts), first })
            }
        }
    }

    async fn offer(
        &self,
        name: Option<FileName>,
        media_type: Option<MediaType>,
        size: Option<u64>,
        source: Source,
    ) -> Result<OutgoingTransfer, Refusal> {
        let Ask { peer, room, keep, .. } = &self.ask;
        let name = self.ask.name.clone().or(name).ok_or(ErrorCode::Internal)?;
        let file = FileOffer { name, path: None, size, media_type, modified: None, preview: None };
        let offer = Offer { room: room.clone(), files: vec![file], to: None, keep: *keep, note: None };
        let (answer, taken) = oneshot::channel();
        let answer = Answer::new(move |outcome: Result<OfferTaken, Refusal>| drop(answer.send(outcome)));
        let handle = self.fetches.hub().room(room).ok_or(ErrorCode::RoomNotFound)?;
        handle.try_send(RoomCommand::Offer { peer: *peer, offer, source, answer });
        let taken = taken.await.unwrap_or_else(|_| Err(ErrorCode::Overloaded.into()))?;
        taken.transfers.into_iter().next().ok_or_else(|| ErrorCode::Internal.into())
    }

    /// Serves the transfer until it ends; says why, if it is the fetch that failed.
    async fn work(&self, mine: Mine, tell: &watch::Sender<Begun>) {
        let Mine { number, mut offered, first } = mine;
        let inner = &self.fetches.0;
        let from = match (inner.policy.judge(&self.url), &offered.facts) {
            (Ok(Way::Program(program)), _) => From::Program(program.clone()),
            (Ok(Way::Http), Some(facts)) => From::Http { origin: inner.origin.clone(), facts: facts.clone() },
            // Taken over from a node with another configuration.
            _ => return,
        };
        let job = Job {
            hub: inner.hub.clone(),
            url: self.url.clone(),
            from,
            transfer: offered.transfer.clone(),
            token: offered.token.clone(),
            slots: inner.slots.clone(),
        };
        match job.run(first).await {
            End::Over => tracing::debug!(transfer.id = %offered.transfer, "fetch over"),
            End::Failed(failed) => {
                tracing::info!(transfer.id = %offered.transfer, error = %failed.why.code, "fetch failed");
                offered.failed = Some(failed.why.clone());
                // Whoever hears that it failed looks here for why.
                self.write(number, &offered).await;
                let Offered { transfer, name, .. } = offered;
                tell.send_replace(Begun::Failed(transfer, name, failed.why.clone()));
                failed.tell().await;
            }
        }
        // Whoever starts it again for a while is told how it ended.
        sleep(REMEMBERED).await;
    }
}

fn refusal(trouble: Trouble) -> Refusal {
    match trouble {
        Trouble::Final(refusal) | Trouble::Passing(refusal, _) => refusal,
    }
}

fn value(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    headers.get(name).map(http::HeaderValue::as_bytes)
}
