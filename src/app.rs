//! The server put together: from a configuration to something that serves and ends well. Every part is
//! made here and handed its options; no rule and no default lives here.

mod hooks;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::middleware::from_fn_with_state;
use socketioxide::SocketIo;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;

use crate::broker::redis::{Options, Redis, StartError};
use crate::broker::{Broker, Memory};
use crate::config::{self, Config, PeerUrl, StoreUrl};
use crate::depot::Depot;
use crate::fetch::{self, Fetches, Policy, Program, Reach, SystemLookup};
use crate::gateway::compat::{self, LinkLayer, Links};
use crate::gateway::routing::{self, Routing, RoutingLayer};
use crate::gateway::{self, Gateway};
use crate::hooks::Hooks;
use crate::hub::{self, Hub};
use crate::net::{self, Listener};
use crate::protocol::node::{Node, NodeId};
use crate::protocol::rooms::Services;
use crate::protocol::transfers::ChunkSizes;
use crate::store::{self, GRACE, Place, Store, StoreError, Sweeper};
use crate::tus::{self, Tus};
use crate::upload::Uploads;
use crate::{http, relay, room, transfer};

/// How long the parts may take to end once nothing is waited for any more.
const PATIENCE: Duration = Duration::from_secs(2);
/// For the last words about a transfer to reach those who poll.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Over this time clients are told to move to other nodes, or over a quarter of the drain time-out: all at
/// once they would storm them. As long, balancers can see that this node is not ready.
const SPREAD: Duration = Duration::from_millis(1500);
/// Time for a connection to another node.
const CONNECT: Duration = Duration::from_secs(1);
/// Time for the news of a new node: the others hear of it with their next heartbeat.
const UNHEARD: Duration = Duration::from_millis(750);
/// A lane gets this many of the smallest chunks when the node's budget is used up, so that a source may
/// still send chunks of a quarter of its credit.
const FLOOR_CHUNKS: u64 = 4;

/// A server that accepts connections. Dropping it leaves it running; [`Server::close`] ends it.
pub struct Server {
    address: SocketAddr,
    broker: Arc<dyn Broker>,
    hub: Hub,
    hooks: Hooks,
    io: SocketIo<gateway::Carrier>,
    links: Links,
    routing: Routing,
    under_way: net::UnderWay,
    /// Cancelled: nothing new is taken, and what is here may go on.
    leaving: CancellationToken,
    /// Cancelled: no more connections, and each ends with what it is doing.
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
    drain_timeout: Duration,
    /// Where something may be kept.
    depot: Option<Depot>,
    tus: Option<Tus>,
    uploads: Option<Uploads>,
    _sweeper: Option<Sweeper>,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// The address is in use, not ours, or not allowed.
    #[error("cannot serve there: {0}; choose another address with --listen")]
    Listen(#[from] std::io::Error),
    /// Nothing could be fetched.
    #[error("fetch: {0}; mend it, or set fetch.enabled to false")]
    Fetch(#[from] fetch::NotStarted),
    /// The folder to serve is none, or may not be read.
    #[error("files.dir: cannot be served: {0}; name a folder that this program may read, or \"none\"")]
    Folder(std::io::Error),
    /// The Redis cannot be meant.
    #[error("redis: {0}")]
    Redis(#[from] StartError),
    /// A hook cannot be meant.
    #[error(transparent)]
    Hooks(#[from] crate::hooks::StartError),
    /// The storage cannot be meant.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// What has to be opened before there can be a server, and may fail.
struct Means {
    broker: Arc<dyn Broker>,
    folder: Option<http::Folder>,
    hooks: Hooks,
    store: Option<Store>,
}

impl Server {
    /// Binds and serves.
    ///
    /// # Errors
    /// See [`NotStarted`]. A Redis that cannot be reached is no error: it is waited for.
    pub async fn start(config: &Config) -> Result<Self, NotStarted> {
        let folder = config.files.dir.as_deref().map(http::Folder::open).transpose();
        let folder = folder.map_err(NotStarted::Folder)?;
        let hooks = hooks::start(&config.hooks)?;
        let listener = Listener::bind(config.server.listen, net::Options::default()).await?;
        let address = axum::serve::Listener::local_addr(&listener)?;
        let broker = broker(&config.redis, node(&config.server, address))?;
        let store = store(&config.store)?;
        Ok(Self::serve(config, listener, address, Means { broker, folder, hooks, store })?)
    }

    /// Puts the parts together.
    fn serve(
        config: &Config,
        listener: Listener,
        address: SocketAddr,
        means: Means,
    ) -> Result<Self, fetch::NotStarted> {
        let Means { broker, folder, hooks, store } = means;
        let (leaving, stop) = (CancellationToken::new(), CancellationToken::new());
        let options = hub_options(config, hooks.clone());
        let hub = match &config.redis.url {
            None => Hub::new(options),
            Some(_) => Hub::with_broker(options, broker.clone()),
        };
        let copies = config.limits.copies_at_once;
        let depot = store.clone().map(|store| Depot::new(store, config.transfers.chunk_max, copies));
        if let Some(depot) = &depot {
            hub.keep_with(Arc::new(depot.clone()));
        }
        let tus = store
            .clone()
            .zip(depot.clone())
            .map(|(store, depot)| Tus::new(store, depot, hub.clone(), tus_options(&config.limits)));
        let uploads = store.clone().map(|store| Uploads::new(store, config.limits.uploads_at_once));
        let links = Links::default();
        let fetches = fetches(&hub, &config.fetch)?;
        let (socket_io, io) = Gateway::layer(hub.clone(), fetches, links.clone(), &gateway_options(config));
        let routing = Routing::new(broker.clone(), leaving.clone(), routing_options(config));
        let origins = http::Origins::new(&config.socketio.origins);
        let layers = ServiceBuilder::new()
            .layer(from_fn_with_state(origins.clone(), http::check_origin))
            .layer(from_fn_with_state(tus.clone(), http::discover_tus))
            .layer(origins.layer())
            .layer(RoutingLayer::new(routing.clone()))
            .layer(LinkLayer::new(links.clone()))
            .layer(compat::layer())
            .layer(socket_io);
        let health = http::Health::new(broker.clone(), leaving.clone());
        let kept = http::Kept { uploads: uploads.clone(), tus: tus.clone() };
        let under_way = net::UnderWay::default();
        let router = http::routes(hub.clone(), health, folder, kept, under_way.clone()).layer(layers);
        let service = router.into_make_service_with_connect_info::<net::Peer>();
        let stopped = stop.clone().cancelled_owned();
        let serving = axum::serve(listener, service).with_graceful_shutdown(stopped);
        let serving = tokio::spawn(serving.into_future());
        let drain_timeout = config.server.drain_timeout;
        let _sweeper = store.map(Sweeper::start);
        Ok(Self {
            address,
            broker,
            hub,
            hooks,
            io,
            links,
            routing,
            under_way,
            leaving,
            stop,
            serving,
            drain_timeout,
            depot,
            tus,
            uploads,
            _sweeper,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes nothing new, lets what is under way go on, and ends everything within the drain time-out, or soon
    /// after `hurry`. Beside other nodes, clients move to them at once; alone, they may finish here.
    pub async fn close(mut self, hurry: impl Future<Output = ()>) {
        let until = Instant::now() + self.drain_timeout - PATIENCE.min(self.drain_timeout / 2);
        self.leaving.cancel();
        tokio::select! {
            biased;
            () = async { self.drain().await; self.hooks.at_rest().await } => {}
            () = sleep_until(until) => {
                tracing::warn!(drain_timeout_s = self.drain_timeout.as_secs(), "transfers were cut off: the drain time-out is over");
            }
            () = hurry => {}
        }
        self.stop.cancel();
        if let Some(tus) = &self.tus {
            tus.close().await;
        }
        self.hub.close().await;
        if let Some(depot) = &self.depot {
            depot.close().await;
        }
        if let Some(uploads) = &self.uploads {
            uploads.close().await;
        }
        self.hooks.close().await;
        self.broker.close().await;
        // Closing waits for clients that may never answer.
        let end = Instant::now() + PATIENCE;
        let _ = timeout_at(end, self.io.close()).await;
        self.routing.close().await;
        if timeout_at(end, &mut self.serving).await.is_err() {
            self.serving.abort();
        }
    }

    /// Waits until nothing is lost by ending.
    async fn drain(&self) {
        self.broker.leave().await;
        if !self.routing.has_company() {
            let at_rest = || async { tokio::join!(self.hub.at_rest(), self.under_way.none_left()) };
            if timeout(Duration::ZERO, at_rest()).await.is_err() {
                at_rest().await;
                sleep(LAST_WORDS).await;
            }
            return;
        }
        let spread = SPREAD.min(self.drain_timeout / 4);
        tokio::join!(gateway::move_clients(&self.io, &self.links, spread), sleep(spread));
        self.routing.at_rest().await;
    }
}

/// Where things are kept, if anything is.
fn store(config: &config::Store) -> Result<Option<Store>, StoreError> {
    let place = match &config.url {
        StoreUrl::Nowhere => return Ok(None),
        StoreUrl::Folder(folder) => Place::Folder(folder.clone()),
        StoreUrl::S3 { bucket, prefix } => Place::S3 { bucket: bucket.clone(), prefix: prefix.clone() },
    };
    let config::Store { lifetime, max_size, quota, .. } = *config;
    let options = store::Options { place, lifetime, max_size, quota, grace: GRACE };
    Store::open(options, std::env::vars_os()).map(Some)
}

/// This run of this node, listening on `address`.
fn node(server: &config::Server, address: SocketAddr) -> Node {
    let id = NodeId(rand::random());
    let name = server.node.clone().unwrap_or_else(|| format!("{:08x}", rand::random::<u32>()));
    let peer_url = match &server.peer_url {
        PeerUrl::Auto => (!address.ip().is_unspecified()).then(|| format!("http://{address}")),
        PeerUrl::Nowhere => None,
        PeerUrl::At(url) => Some(url.clone()),
    };
    Node { id, name, peer_url }
}

/// The way to the other nodes, if there are any.
fn broker(redis: &config::Redis, me: Node) -> Result<Arc<dyn Broker>, StartError> {
    let Some(url) = &redis.url else { return Ok(Arc::new(Memory::new(me))) };
    let options =
        Options { url: url.expose().to_owned(), cluster: redis.cluster, prefix: redis.prefix.clone() };
    Ok(Redis::start(&options, me)?)
}

/// What downloads for others, where that is switched on.
fn fetches(hub: &Hub, config: &config::Fetch) -> Result<Option<Fetches>, fetch::NotStarted> {
    if !config.enabled {
        return Ok(None);
    }
    let reach = if config.allow_private { Reach::Any } else { Reach::Public };
    let program = |command: &config::FetchCommand| {
        Program::new(&command.hosts, command.program.clone(), command.args.clone())
    };
    let programs = config.commands.iter().map(program).collect();
    let policy = Policy::new(&config.hosts, reach, programs);
    let options = fetch::Options { policy, concurrent: config.concurrent };
    Fetches::new(hub.clone(), options, Arc::new(SystemLookup)).map(Some)
}

fn routing_options(config: &Config) -> routing::Options {
    let config::SocketIo { ping_interval, ping_timeout, .. } = config.socketio;
    let answer = ping_interval + ping_timeout + CONNECT;
    let unheard = if config.redis.url.is_some() { UNHEARD } else { Duration::ZERO };
    routing::Options { connect: CONNECT, answer, unheard, spread: SPREAD }
}

fn gateway_options(config: &Config) -> gateway::Options {
    let config::SocketIo { ping_interval, ping_timeout, max_payload, .. } = config.socketio;
    gateway::Options { ping_interval, ping_timeout, max_payload }
}

fn tus_options(limits: &config::Limits) -> tus::Options {
    tus::Options { at_once: limits.uploads_at_once, patience: limits.upload_patience }
}

fn services(config: &Config) -> Services {
    let lifetime = u64::try_from(config.store.lifetime.as_millis()).unwrap_or(u64::MAX);
    let keeps = (config.store.url != StoreUrl::Nowhere).then_some(lifetime);
    Services { keeps, fetches: config.fetch.enabled }
}

fn hub_options(config: &Config, hooks: Hooks) -> hub::Options {
    let Config { rooms, transfers, limits, .. } = config;
    hub::Options {
        room: room::Options {
            max_members: rooms.max_members,
            history: rooms.history,
            presence_grace: rooms.presence_grace,
            drops_per_room: limits.drops_per_room,
            files_per_drop: limits.files_per_drop,
            message_bytes: usize::try_from(limits.message_bytes).unwrap_or(usize::MAX),
            max_size: transfers.max_size,
            services: services(config),
        },
        transfer: transfer::Options { lifetime: transfers.lifetime, stall_timeout: transfers.stall_timeout },
        relay: relay::Options {
            window: transfers.window,
            chunk_max: transfers.chunk_max,
            floor: FLOOR_CHUNKS * transfers.chunk_min,
            lanes: transfers.max_lanes,
            patience: transfers.straggler_patience,
            straggler: match transfers.straggler {
                config::Straggler::Split => relay::Straggler::Wait,
                config::Straggler::Drop => relay::Straggler::Drop,
            },
            silence: transfers.stall_timeout,
        },
        chunk: ChunkSizes { min: transfers.chunk_min, max: transfers.chunk_max },
        budget: config.memory.budget,
        rooms: limits.rooms,
        transfers: limits.transfers,
        kept: if config.store.url == StoreUrl::Nowhere { Duration::ZERO } else { config.store.lifetime },
        downloads_per_token: limits.downloads_per_token,
        upload_patience: limits.upload_patience,
        hooks,
    }
}

#[cfg(test)]
mod tests;
