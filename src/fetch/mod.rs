//! Downloads by the server: a URL becomes a drop of the member who asks, its bytes pulled straight from the
//! origin as they are pulled from here. It refuses what the operator does not allow, and knows no Socket.IO.
//!
//! | file | what it does |
//! |---|---|
//! | `policy`, `address` | which URLs, hosts and addresses may be asked (pure) |
//! | `facts`, `name` | what an origin's answer means: size, ranges, name, type (pure) |
//! | `retry` | when an origin is asked again (pure) |
//! | `desk`, `pulls` | what the transfer asks for, kept as the newest order of each lane |
//! | `reader`, `body` | one lane's bytes: read, sent, asked for again where the link broke |
//! | `origin`, `program` | the hands: a request, a process |
//! | `job` | the task of one fetch, from its source's opening to its end |
//! | `start` | what happens before: the origin is asked, the drop offered |
//! | `record` | what every node can read of it |
//! | `reports` | what the asker is told (pure) |
//!
//! **Bounds.** A fetch talks to its origin only while someone pulls from it (and 15 s more), and then holds one
//! of [`Options::concurrent`] places; the others wait in order. A fetch opens one request for each lane of its
//! transfer (`transfers.max_lanes`), and holds a chunk beyond what was pulled. Fetches that a node knows,
//! those that wait, rest or ended in the last ten minutes included: [`MOST`]; one more is refused with `overloaded`.
//!
//! **Many nodes.** One node does a fetch; every node hears by the room's log how its transfer stands, so the
//! asker is told wherever it is. A fetch whose node is gone is taken over by a node that its asker has
//! a link to, from where its receivers are.

mod address;
mod body;
mod desk;
mod facts;
mod job;
mod name;
mod origin;
mod policy;
mod program;
mod pulls;
mod reader;
mod record;
mod reports;
mod retry;
mod start;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::origin::Origin;
pub use self::origin::{Lookup, NotStarted, SystemLookup};
pub use self::policy::{Policy, Program, Reach};
pub use self::record::Fingerprint;
use self::record::Stage;
pub use self::reports::{Report, Reports, Watched};
use crate::hub::Hub;
use crate::protocol::fetches::FetchUrl;
use crate::protocol::{ErrorCode, FileName, MemberId, Refusal, ResourceId, RoomId, TransferId};
use crate::room::PeerId;

/// Fetches of one node, at most.
pub const MOST: usize = 10_000;
/// How long a fetch's record outlives the longest transfer.
const AFTERLIFE: Duration = Duration::from_secs(3600);

/// Origins that may be asked at once what they have, for each place of a fetch: answers are short, and one that
/// does not come must not hold up the others.
const PROBES: usize = 4;
/// How often it is looked whether the node of a fetch is gone,
const LOOKS: u32 = 5;
/// and how long between.
const LOOK: Duration = Duration::from_secs(2);

/// What an operator may choose.
#[derive(Debug, Clone)]
pub struct Options {
    /// What may be fetched.
    pub policy: Policy,
    /// Fetches that may talk to their origins at once.
    pub concurrent: usize,
}

/// The fetches of this node. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Fetches(Arc<Inner>);

struct Inner {
    hub: Hub,
    policy: Arc<Policy>,
    origin: Origin,
    /// Places of those that talk to their origins,
    slots: Arc<Semaphore>,
    /// and of those that ask what an origin has.
    probes: Arc<Semaphore>,
    running: DashMap<Fingerprint, Running>,
}

/// A fetch that this node does, or is about to.
struct Running {
    url: Url,
    begun: watch::Receiver<Begun>,
    stop: CancellationToken,
}

/// How far a fetch is.
#[derive(Debug, Clone)]
enum Begun {
    Starting,
    Offered(TransferId, FileName),
    /// It was, and then failed for this reason.
    Failed(TransferId, FileName, Refusal),
    Refused(Refusal),
}

/// What someone asks for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The link of the member in the room, by which it offers.
    pub peer: PeerId,
    /// Whose it is to be.
    pub member: MemberId,
    /// Where.
    pub room: RoomId,
    /// What.
    pub url: FetchUrl,
    /// The file's name, if not the origin's.
    pub name: Option<FileName>,
    /// What the asker calls it.
    pub resource: ResourceId,
    /// Whether a copy is to be kept.
    pub keep: Option<bool>,
}

impl Fetches {
    /// The fetches of `hub`'s node. Call it within a runtime.
    ///
    /// # Errors
    /// See [`NotStarted`].
    pub fn new(hub: Hub, options: Options, lookup: Arc<dyn Lookup>) -> Result<Self, NotStarted> {
        let policy = Arc::new(options.policy);
        let origin = Origin::new(policy.clone(), lookup)?;
        let places = |count| Arc::new(Semaphore::new(count));
        let (slots, probes) = (places(options.concurrent), places(PROBES * options.concurrent));
        let running = DashMap::new();
        Ok(Self(Arc::new(Inner { hub, policy, origin, slots, probes, running })))
    }

    /// Fetches a URL, unless the member does so already under this name: then nothing is started twice.
    ///
    /// # Errors
    /// `bad_request`, `not_allowed`, `overloaded`, `fetch_failed`; and what the room refuses.
    pub async fn start(&self, ask: Ask) -> Result<Watched, Refusal> {
        let url = Url::parse(ask.url.as_str().trim()).map_err(|_| {
            Refusal::new(ErrorCode::BadRequest, "This is not a URL; give one that begins with https://.")
        })?;
        self.0.policy.judge(&url)?;
        let fetch = record::fingerprint(&ask.room, &ask.member, &ask.resource);
        let of = ask.clone();
        let mut begun = self.begin(fetch, url, ask)?;
        let begun = begun.wait_for(|begun| !matches!(begun, Begun::Starting)).await;
        match begun.as_deref() {
            Ok(Begun::Offered(transfer, name) | Begun::Failed(transfer, name, _)) => {
                let Ask { member, room, url, resource, .. } = of;
                let (transfer, name) = (transfer.clone(), name.clone());
                Ok(Watched { fetch, member, url, resource, room, transfer, name })
            }
            Ok(Begun::Refused(refusal)) => Err(refusal.clone()),
            Ok(Begun::Starting) | Err(_) => Err(ErrorCode::Overloaded.into()),
        }
    }

    fn begin(&self, fetch: Fingerprint, url: Url, ask: Ask) -> Result<watch::Receiver<Begun>, Refusal> {
        let is_full = self.0.running.len() >= MOST;
        match self.0.running.entry(fetch) {
            Entry::Occupied(running) if running.get().url == url => Ok(running.get().begun.clone()),
            Entry::Occupied(_) => Err(another_url()),
            Entry::Vacant(_) if is_full => Err(ErrorCode::Overloaded.into()),
            Entry::Vacant(place) => {
                let (tell, begun) = watch::channel(Begun::Starting);
                let stop = CancellationToken::new();
                place.insert(Running { url: url.clone(), begun: begun.clone(), stop: stop.clone() });
                let (this, work) = (self.clone(), start::Start { fetches: self.clone(), fetch, url, ask });
                self.0.hub.spawn(async move {
                    // Dropped with the task too, when the hub ends before.
                    let _place = Place { fetches: this, fetch };
                    work.run(tell, stop).await;
                });
                Ok(begun)
            }
        }
    }

    /// Nothing comes of a fetch at the moment: if it was another node's that is gone, it is this one's from now
    /// on, as if its asker had started it again by the link `peer`.
    pub async fn take_over(&self, watched: Watched, peer: PeerId) {
        let mut looks = 0;
        while !record::is_orphan(self.0.hub.broker().as_ref(), watched.fetch).await {
            // That a node is gone may come to be known after what follows from it.
            looks += 1;
            if looks == LOOKS {
                return;
            }
            sleep(LOOK).await;
        }
        let Watched { member, url, resource, room, transfer, .. } = watched;
        let ask = Ask { peer, member, room, url, name: None, resource, keep: None };
        if let Err(error) = self.start(ask).await {
            tracing::info!(transfer.id = %transfer, error = %error.code, "a fetch could not be taken over");
        }
    }

    /// Ends a fetch, if it is not a drop yet.
    pub fn stop_starting(&self, room: &RoomId, member: &MemberId, resource: &ResourceId) {
        if let Some(running) = self.0.running.get(&record::fingerprint(room, member, resource)) {
            running.stop.cancel();
        }
    }

    /// Why a fetch failed, as far as any node knows.
    pub async fn why(&self, fetch: Fingerprint) -> Option<Refusal> {
        if let Some(running) = self.0.running.get(&fetch)
            && let Begun::Failed(_, _, why) = &*running.begun.borrow()
        {
            return Some(why.clone());
        }
        let kept = record::read(self.0.hub.broker().as_ref(), fetch).await;
        match kept.ok()??.1.stage {
            Stage::Offered(offered) => offered.failed,
            Stage::Starting => None,
        }
    }

    /// The hub that it fetches for.
    pub fn hub(&self) -> &Hub {
        &self.0.hub
    }

    fn lifetime(&self) -> Duration {
        self.0.hub.options().transfer.lifetime + AFTERLIFE
    }
}

fn another_url() -> Refusal {
    Refusal::new(ErrorCode::BadRequest, "This resource is another URL's already; name it otherwise.")
}

/// A fetch's place among those that run; given back when dropped.
struct Place {
    fetches: Fetches,
    fetch: Fingerprint,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.fetches.0.running.remove(&self.fetch);
    }
}
