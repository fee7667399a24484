//! The server put together: from a configuration to something that serves and ends well. Every part is
//! made here and handed its options; no rule and no default lives here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::middleware::from_fn_with_state;
use socketioxide::SocketIo;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;

use crate::broker::Memory;
use crate::config::{self, Config};
use crate::gateway::compat::{self, LinkLayer, Links};
use crate::gateway::{self, Gateway};
use crate::hub::{self, Hub, Sharing};
use crate::net::{self, Listener};
use crate::protocol::node::{Node, NodeId};
use crate::protocol::transfers::ChunkSizes;
use crate::{http, relay, room, transfer};

/// How long the parts may take to end once nothing is waited for any more.
const PATIENCE: Duration = Duration::from_secs(2);
/// A lane gets this many of the smallest chunks when the node's budget is used up, so that a source may
/// still send chunks of a quarter of its credit.
const FLOOR_CHUNKS: u64 = 4;

/// A server that accepts connections. Dropping it leaves it running; [`Server::close`] ends it.
pub struct Server {
    address: SocketAddr,
    hub: Hub,
    io: SocketIo<gateway::Carrier>,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
    drain_timeout: Duration,
}

impl Server {
    /// Binds and serves.
    ///
    /// # Errors
    /// Those of binding: the address is in use, not ours, or not allowed.
    pub async fn start(config: &Config) -> std::io::Result<Self> {
        let me = Node { id: NodeId(rand::random()), name: "alone".into(), peer_url: None };
        let hub = Hub::new(hub_options(config), Arc::new(Memory::new(me)), Sharing::Alone);
        let links = Links::default();
        let (socket_io, io) = Gateway::layer(hub.clone(), links.clone(), &gateway_options(config));
        let origins = http::Origins::new(&config.socketio.origins);
        let layers = ServiceBuilder::new()
            .layer(from_fn_with_state(origins.clone(), http::check_origin))
            .layer(origins.layer())
            .layer(LinkLayer::new(links))
            .layer(compat::layer())
            .layer(socket_io);
        let router = http::routes(hub.clone()).layer(layers);
        let listener = Listener::bind(config.server.listen, net::Options::default()).await?;
        let address = axum::serve::Listener::local_addr(&listener)?;
        let stop = CancellationToken::new();
        let service = router.into_make_service_with_connect_info::<net::Peer>();
        let stopped = stop.clone().cancelled_owned();
        let serving = axum::serve(listener, service).with_graceful_shutdown(stopped);
        let serving = tokio::spawn(serving.into_future());
        let drain_timeout = config.server.drain_timeout;
        Ok(Self { address, hub, io, stop, serving, drain_timeout })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no new connections, lets bytes that flow go on for at most the drain time-out, or until `hurry`,
    /// and ends everything.
    pub async fn close(self, hurry: impl Future<Output = ()>) {
        self.stop.cancel();
        let drained = tokio::time::timeout(self.drain_timeout, self.hub.at_rest());
        tokio::select! {
            drained = drained => {
                if drained.is_err() {
                    tracing::warn!(drain_timeout_s = self.drain_timeout.as_secs(), "transfers were cut off: the drain time-out is over");
                }
            }
            () = hurry => {}
        }
        self.hub.close().await;
        // Closing waits for clients that may never answer.
        let _ = tokio::time::timeout(PATIENCE, self.io.close()).await;
        let serving = self.serving.abort_handle();
        if tokio::time::timeout(PATIENCE, self.serving).await.is_err() {
            serving.abort();
        }
    }
}

fn gateway_options(config: &Config) -> gateway::Options {
    let config::SocketIo { ping_interval, ping_timeout, max_payload, .. } = config.socketio;
    gateway::Options { ping_interval, ping_timeout, max_payload }
}

fn hub_options(config: &Config) -> hub::Options {
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
        downloads_per_token: limits.downloads_per_token,
    }
}
