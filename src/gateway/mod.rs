//! Socket.IO: one file per namespace, each event a command, in the order of arrival. Handlers enqueue in
//! the reading task and return at once, because what they would await runs out of order. Nothing here
//! outlives a link, and no rule lives here.

mod call;
mod carrier;
pub mod compat;
mod events;
mod fetches;
mod gate;
mod leave;
mod opening;
mod peer;
mod ports;
mod rooms;
pub mod routing;
mod transfers;

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use socketioxide::handler::ConnectHandler;
use socketioxide::layer::SocketIoLayer;
use socketioxide::socket::DisconnectReason;
use socketioxide::{ParserConfig, SocketIo};

pub use self::carrier::Carrier;
use self::carrier::{Chunks, SocketRef};
use self::compat::Links;
pub use self::leave::move_clients;
use self::peer::Peer;
use crate::fetch::Fetches;
use crate::hub::Hub;

/// Packets that wait for a slow client, at most. Chunks take a part of it (see `peer`), words of control
/// the rest; one that finds no room cuts the link.
const QUEUE: usize = 8192;

/// What an operator may choose of the connection to clients.
#[derive(Debug, Clone)]
pub struct Options {
    /// Time between two heartbeats.
    pub ping_interval: Duration,
    /// Time for the answer to one.
    pub ping_timeout: Duration,
    /// Bytes of one message, at most, by any transport.
    pub max_payload: u64,
}

/// The gateway. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    hub: Hub,
    links: Links,
    chunks: Chunks,
    /// None where this server downloads for nobody.
    fetches: Option<Fetches>,
}

impl Gateway {
    /// A gateway to `hub`, as a layer for the web server and the handle that closes it.
    pub fn layer(
        hub: Hub,
        fetches: Option<Fetches>,
        links: Links,
        options: &Options,
    ) -> (SocketIoLayer<Carrier>, SocketIo<Carrier>) {
        let payload = usize::try_from(options.max_payload).unwrap_or(usize::MAX);
        let parser = ParserConfig::common()
            // An event has at most one attachment; a few more are read, so that they can be refused.
            .max_incoming_binaries(4)
            .max_incoming_binary_buf_size(payload);
        let chunks = Chunks::default();
        let (layer, io) = SocketIo::builder()
            .ping_interval(options.ping_interval)
            .ping_timeout(options.ping_timeout)
            .max_payload(options.max_payload)
            .ws_max_message_size(payload)
            .ws_max_frame_size(payload)
            .max_buffer_size(QUEUE)
            .with_parser(parser)
            .with_adapter::<Carrier>(chunks.clone())
            .build_layer();
        let gateway = Self { hub, links, chunks, fetches };
        gateway.serve(&io, crate::protocol::rooms::NAMESPACE, rooms::prepare);
        gateway.serve(&io, crate::protocol::transfers::NAMESPACE, transfers::prepare);
        gateway.serve(&io, crate::protocol::fetches::NAMESPACE, fetches::prepare);
        // Clients connect to the root before or beside a namespace of ours; nothing is said there.
        io.ns("/", |_: SocketRef| ready(()));
        (layer, io)
    }

    /// Serves a namespace: its handlers are there before the client hears that it is connected, and are
    /// let go when the server may answer.
    fn serve(
        &self,
        io: &SocketIo<Carrier>,
        namespace: &'static str,
        prepare: fn(&Self, &SocketRef, Arc<Peer>),
    ) {
        let gateway = self.clone();
        let before = move |socket: SocketRef| {
            let peer = gateway.new_peer();
            gateway.lose_at_disconnect(&socket, peer.clone());
            prepare(&gateway, &socket, peer.clone());
            socket.extensions.insert(peer);
            ready(Ok::<(), Infallible>(()))
        };
        let after = |socket: SocketRef| {
            if let Some(peer) = socket.extensions.get::<Arc<Peer>>() {
                peer.gate.open();
            }
            ready(())
        };
        io.ns(namespace, after.with(before));
    }

    fn new_peer(&self) -> Arc<Peer> {
        let most_bytes = 2 * self.hub.options().relay.window;
        Peer::new(self.hub.next_peer(), self.links.clone(), self.chunks.clone(), most_bytes)
    }

    /// When the socket goes, the rooms and transfers that it is in hear of it.
    fn lose_at_disconnect(&self, socket: &SocketRef, peer: Arc<Peer>) {
        let gateway = self.clone();
        socket.on_disconnect(move |socket: SocketRef, reason: DisconnectReason| {
            for room in peer.rooms().drain() {
                if let Some(room) = gateway.hub.room(&room) {
                    gateway.hub.lose_room(&room, peer.id);
                }
            }
            for (_, transfer) in peer.transfers().drain() {
                gateway.hub.lose_transfer(&transfer, peer.id);
            }
            peer.gate.clear();
            gateway.forget_link(&socket, reason);
            ready(())
        });
    }

    /// The connection is gone, unless only this namespace was left.
    fn forget_link(&self, socket: &SocketRef, reason: DisconnectReason) {
        let stays =
            matches!(reason, DisconnectReason::ClientNSDisconnect | DisconnectReason::ServerNSDisconnect);
        if !stays {
            self.links.forget(socket.id.as_str());
        }
    }
}
