//! Handles and tasks: a task per room, a task per transfer, and the registry that finds them. It turns
//! what the machines decide into calls on ports, and refuses to decide: a protocol `if` belongs below.
//!
//! Every task hangs on the hub: [`Hub::close`] ends them all and waits.

mod active;
mod answer;
mod clock;
mod nodes;
mod offered;
mod port;
mod record;
mod room_handle;
mod room_task;
pub mod session;
mod transfer_chunks;
mod transfer_copy;
mod transfer_handle;
mod transfer_parties;
mod transfer_records;
mod transfer_status;
mod transfer_task;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::answer::{Answer, Outcome, ask};
pub use self::clock::Clock;
pub use self::port::{Chunk, Full, Keeper, Keeping, PeerPort, SinkPort, SourcePort};
pub use self::record::File;
pub use self::room_handle::{Command as RoomCommand, RoomHandle};
pub use self::session::{Sharing, SinkKind};
pub use self::transfer_copy::CopyWord;
pub use self::transfer_handle::{
    Command as TransferCommand, Described, Holder, SinkBox, SourceBox, TransferHandle, Wish,
};

use self::offered::Offered;
use crate::broker::{self, Broker};
use crate::hooks::Hooks;
use crate::protocol::node::{Node, NodeId};
use crate::protocol::rooms::{Join, Joined};
use crate::protocol::transfers::ChunkSizes;
use crate::protocol::{DropId, RoomId, Secret, TransferId};
use crate::relay::{self, Budget};
use crate::room::{self, PeerId, Shelved};
use crate::transfer;
pub use crate::transfer::Source;
#[cfg(test)]
pub(crate) use room_task::tests::options as test_options;

/// What an operator may choose of rooms and transfers.
#[derive(Debug, Clone)]
pub struct Options {
    /// Of each room.
    pub room: room::Options,
    /// Of each transfer's life.
    pub transfer: transfer::Options,
    /// Of each transfer's bytes.
    pub relay: relay::Options,
    /// The sizes that chunks may have.
    pub chunk: ChunkSizes,
    /// Bytes that all transfers together may hold.
    pub budget: u64,
    /// Rooms at once, at most; beyond it a join is refused with `overloaded`.
    pub rooms: usize,
    /// Transfers at once, at most; beyond it an offer is refused with `overloaded`.
    pub transfers: usize,
    /// How long a copy is kept, at most; zero where none is.
    pub kept: Duration,
    /// HTTP downloads at once by one token, at most; beyond it, `rate_limited`.
    pub downloads_per_token: usize,
    /// How long an upload by HTTP may not move, while a receiver waits for it, before it fails.
    pub upload_patience: Duration,
    /// Whoever is told what happens, and asked before a drop is offered.
    pub hooks: Hooks,
}

/// The node's rooms and transfers. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    broker: Arc<dyn Broker>,
    sharing: Sharing,
    options: Options,
    clock: Clock,
    budget: Budget,
    rooms: DashMap<RoomId, RoomHandle>,
    drops: DashMap<DropId, RoomHandle>,
    /// The rooms of the transfers that are known here, in this node's hands or not,
    rooms_of_transfers: DashMap<TransferId, RoomHandle>,
    /// and those that are, as home or edge.
    transfers: DashMap<TransferId, TransferHandle>,
    tokens: DashMap<[u8; 32], TransferId>,
    next_peer: AtomicU64,
    next_entry: AtomicU64,
    active: watch::Sender<usize>,
    /// Transfers that found no room on the way to another node.
    waiting_for_room: Mutex<HashMap<TransferId, TransferHandle>>,
    /// When the records were back last.
    back_at: Mutex<Option<Instant>>,
    keeper: OnceLock<Arc<dyn Keeper>>,
    ended: CancellationToken,
    tasks: TaskTracker,
}

impl Hub {
    /// A hub without rooms, on a node that is alone. Call it within a runtime.
    pub fn new(options: Options) -> Self {
        let id = NodeId(random());
        let me = Node { id, name: id.to_string(), peer_url: None };
        Self::start(options, Arc::new(broker::Memory::new(me)), Sharing::Alone)
    }

    /// A hub without rooms, on a node that meets others through `broker`. Call it within a runtime.
    pub fn with_broker(options: Options, broker: Arc<dyn Broker>) -> Self {
        Self::start(options, broker, Sharing::Among)
    }

    fn start(options: Options, broker: Arc<dyn Broker>, sharing: Sharing) -> Self {
        let hub = Self(Arc::new(Inner {
            broker,
            sharing,
            clock: Clock::start(),
            budget: Budget::new(options.budget),
            options,
            rooms: DashMap::new(),
            drops: DashMap::new(),
            rooms_of_transfers: DashMap::new(),
            transfers: DashMap::new(),
            tokens: DashMap::new(),
            next_peer: AtomicU64::new(1),
            next_entry: AtomicU64::new(1),
            active: watch::Sender::new(0),
            waiting_for_room: Mutex::default(),
            back_at: Mutex::new(None),
            keeper: OnceLock::new(),
            ended: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }));
        hub.listen_to_nodes();
        hub
    }

    /// This run of this node.
    fn me(&self) -> NodeId {
        self.0.broker.me().id
    }

    /// A number for a new link or download; never given twice.
    pub fn next_peer(&self) -> PeerId {
        PeerId { node: self.me(), number: self.0.next_peer.fetch_add(1, Ordering::Relaxed) }
    }

    /// Has drops kept from now on. Once, before anyone is served.
    pub fn keep_with(&self, keeper: Arc<dyn Keeper>) {
        let _ = self.0.keeper.set(keeper);
    }

    /// Whoever keeps drops.
    fn keeper(&self) -> Option<Arc<dyn Keeper>> {
        self.0.keeper.get().cloned()
    }

    /// Enters a room, which comes to be if there is none.
    pub fn join(&self, peer: PeerId, port: Arc<dyn PeerPort>, join: Join, answer: Answer<Box<Joined>>) {
        let room = join.room.clone();
        self.redirect(&room, RoomCommand::Join { peer, port, join, answer });
    }

    /// Gives a member that the room knows by this key one more link; `room_not_found` when it knows none.
    pub fn come_back(
        &self,
        peer: PeerId,
        port: Arc<dyn PeerPort>,
        room: &RoomId,
        key: Secret,
        answer: Answer<Box<Joined>>,
    ) {
        self.redirect(room, RoomCommand::Return { peer, port, key, answer });
    }

    /// Whether a drop that is being stored by someone who need not be in its room could be offered there: whether
    /// the passphrase is the room's, there is place, and no hook is against it. The drop may say less than it will.
    pub fn weigh_stored(&self, shelved: Box<Shelved>, answer: Answer<()>) {
        let room = shelved.drop.room.clone();
        self.redirect(&room, RoomCommand::WeighStored { shelved, answer });
    }

    /// Offers a drop that is stored; one that its room knows is no error. Hooks are told, and were asked before.
    pub fn offer_stored(&self, shelved: Box<Shelved>, answer: Answer<()>) {
        let room = shelved.drop.room.clone();
        self.redirect(&room, RoomCommand::OfferStored { shelved, answer });
    }

    /// The room of this id.
    pub fn room(&self, id: &RoomId) -> Option<RoomHandle> {
        self.0.rooms.get(id).map(|room| room.clone())
    }

    /// The room of this id, whose copy on this node comes to be if there is none. For whoever has something
    /// to say in it without a link; the copy goes again in a while if nothing holds it.
    pub fn room_for(&self, id: &RoomId) -> RoomHandle {
        let room = self.0.rooms.entry(id.clone());
        room.or_insert_with(|| room_task::Task::start(self.clone(), id.clone())).clone()
    }

    /// A node is lost: rooms that have links of it must know.
    pub fn node_lost(&self, node: NodeId) {
        let rooms: Vec<_> = self.0.rooms.iter().map(|room| room.clone()).collect();
        self.0.tasks.spawn(async move {
            for room in rooms {
                room.send_when_there_is_room(RoomCommand::NodeLost(node)).await;
            }
        });
    }

    /// The room that a drop was offered in.
    pub fn room_of_drop(&self, id: &DropId) -> Option<RoomHandle> {
        self.0.drops.get(id).map(|room| room.clone())
    }

    /// The room that a transfer belongs to.
    pub fn room_of_transfer(&self, id: &TransferId) -> Option<RoomHandle> {
        self.0.rooms_of_transfers.get(id).map(|room| room.clone())
    }

    /// The transfer of this id.
    pub fn transfer(&self, id: &TransferId) -> Option<TransferHandle> {
        self.0.transfers.get(id).map(|transfer| transfer.clone())
    }

    /// The transfer that gave out this token. Looked up by its digest, so time tells nothing of it.
    pub fn transfer_of_token(&self, token: &Secret) -> Option<(TransferId, TransferHandle)> {
        let id = self.0.tokens.get(&token.fingerprint())?.clone();
        let handle = self.transfer(&id)?;
        Some((id, handle))
    }

    /// The sizes that chunks may have.
    pub fn chunk_sizes(&self) -> ChunkSizes {
        self.0.options.chunk
    }

    /// What the operator chose.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// Tells a transfer that a link is lost, even when its mailbox is full now.
    pub fn lose_transfer(&self, transfer: &TransferHandle, peer: PeerId) {
        let transfer = transfer.clone();
        self.0.tasks.spawn(async move {
            transfer.send_when_there_is_room(TransferCommand::Lost { peer }).await;
        });
    }

    /// Tells a transfer that a download has taken its last byte, after the `last` pull that said so.
    pub fn end_download(&self, transfer: &TransferHandle, last: Option<TransferCommand>, peer: PeerId) {
        let transfer = transfer.clone();
        self.0.tasks.spawn(async move {
            for command in last.into_iter().chain([TransferCommand::DownloadEnded { peer }]) {
                transfer.send_when_there_is_room(command).await;
            }
        });
    }

    /// Tells a room that a link is lost, even when its mailbox is full now.
    pub fn lose_room(&self, room: &RoomHandle, peer: PeerId) {
        let room = room.clone();
        self.0.tasks.spawn(async move { room.send_when_there_is_room(RoomCommand::Lost { peer }).await });
    }

    /// Waits until no transfer is active.
    pub async fn at_rest(&self) {
        let _ = self.0.active.subscribe().wait_for(|active| *active == 0).await;
    }

    /// Ends every task and waits until they have ended.
    pub async fn close(&self) {
        self.0.ended.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Whoever is told what happens.
    fn hooks(&self) -> &Hooks {
        &self.0.options.hooks
    }

    /// A number for an entry of a room's log; higher than those given before.
    fn next_entry(&self) -> u64 {
        self.0.next_entry.fetch_add(1, Ordering::Relaxed)
    }

    /// The node's clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    fn ended(&self) -> &CancellationToken {
        &self.0.ended
    }

    fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    /// Hands a command to the room, or, if it ended meanwhile, that of someone who enters to a new one.
    fn redirect(&self, id: &RoomId, mut command: RoomCommand) {
        loop {
            let (RoomCommand::Join { .. }
            | RoomCommand::Return { .. }
            | RoomCommand::WeighStored { .. }
            | RoomCommand::OfferStored { .. }) = &command
            else {
                return;
            };
            if !self.0.rooms.contains_key(id) && self.0.rooms.len() >= self.0.options.rooms {
                // Its answer says `overloaded`.
                return;
            }
            let room = self.0.rooms.entry(id.clone());
            let room = room.or_insert_with(|| room_task::Task::start(self.clone(), id.clone())).clone();
            match room.send_or_give_back(command) {
                None => return,
                Some(back) => {
                    self.forget_room(id, &room);
                    command = back;
                }
            }
        }
    }

    fn forget_room(&self, id: &RoomId, room: &RoomHandle) {
        self.0.rooms.remove_if(id, |_, known| known.is(room));
    }

    fn forget_drop(&self, drop: &DropId) {
        self.0.drops.remove(drop);
    }

    fn transfers_left(&self) -> usize {
        self.0.options.transfers.saturating_sub(self.0.transfers.len())
    }

    fn know_drop(&self, drop: &DropId, room: &RoomHandle) {
        self.0.drops.insert(drop.clone(), room.clone());
    }

    fn know_transfer(&self, transfer: &TransferId, room: &RoomHandle) {
        self.0.rooms_of_transfers.insert(transfer.clone(), room.clone());
    }

    fn forget_room_of_transfer(&self, transfer: &TransferId) {
        self.0.rooms_of_transfers.remove(transfer);
    }

    fn know_token(&self, token: &Secret, transfer: &TransferId) {
        self.0.tokens.insert(token.fingerprint(), transfer.clone());
    }

    fn forget_transfer(
        &self,
        id: &TransferId,
        handle: &TransferHandle,
        tokens: impl IntoIterator<Item = [u8; 32]>,
    ) {
        self.0.transfers.remove_if(id, |_, known| known.is(handle));
        for token in tokens {
            self.0.tokens.remove(&token);
        }
    }
}

/// Bits from the thread's cryptographic generator.
fn random<T>() -> T
where
    rand::distr::StandardUniform: rand::distr::Distribution<T>,
{
    rand::random()
}
