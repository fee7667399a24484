//! The hub's side of other nodes: what arrives in this node's inbox goes to the transfer that it concerns,
//! and a transfer whose home is elsewhere is found by its record. It holds no rule.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::record::Story;
use super::session::{Session, Sharing, is_asking, not_here};
use super::transfer_handle::{Command, TransferHandle};
use super::{Hub, transfer_records, transfer_task};
use crate::broker::{Away, Broker, Delivery, Key};
use crate::protocol::node::{Body, Frame, NodeId};
use crate::protocol::{ErrorCode, Secret, TransferId};
use crate::relay::{self, Relay};
use crate::transfer;

/// How long a record may take to be there: another node may be about to write it.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long records that cannot be reached are waited for.
const AWAY: Duration = Duration::from_secs(10);
/// How long after the records are back some may be missing: whoever holds them writes them again.
const LATE: Duration = Duration::from_secs(5);
/// How often a record is looked for.
const RETRY: Duration = Duration::from_millis(50);

impl Hub {
    /// What joins this node to others.
    pub fn broker(&self) -> &Arc<dyn Broker> {
        &self.0.broker
    }

    /// The transfer that gave out this token, here or elsewhere. Records that cannot be reached are waited
    /// for, at most for `patience`.
    ///
    /// # Errors
    /// `transfer_not_found` when none did; `overloaded` when that cannot be known.
    pub async fn find_transfer(
        &self,
        token: &Secret,
        patience: Duration,
    ) -> Result<(TransferId, TransferHandle), ErrorCode> {
        let began = Instant::now();
        loop {
            if let Some(found) = self.transfer_of_token(token) {
                return Ok(found);
            }
            let error = match self.read_token(token).await {
                Ok(Some(id)) => return Ok((id.clone(), self.transfer_at(&id))),
                Ok(None) if !self.may_records_be_late() => return Err(ErrorCode::TransferNotFound),
                Ok(None) => ErrorCode::TransferNotFound,
                Err(Away) => ErrorCode::Overloaded,
            };
            if began.elapsed() >= patience {
                return Err(error);
            }
            sleep(RETRY).await;
        }
    }

    async fn read_token(&self, token: &Secret) -> Result<Option<TransferId>, Away> {
        if self.0.sharing == Sharing::Alone {
            return Ok(None);
        }
        if !self.broker().is_there() {
            return Err(Away);
        }
        let record = self.broker().read(&Key::Token(token.fingerprint())).await?;
        Ok(record.and_then(|record| TransferId::new(std::str::from_utf8(&record.value).ok()?)))
    }

    /// Whether records that were lost may be about to be written again.
    fn may_records_be_late(&self) -> bool {
        let back = *self.0.back_at.lock().unwrap_or_else(PoisonError::into_inner);
        back.is_some_and(|back| back.elapsed() < LATE)
    }

    /// Runs `work` unless the hub ends before.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks().spawn(self.ended().clone().run_until_cancelled_owned(work));
    }

    /// The handle of a transfer whose id is known to be one, here or elsewhere. What is said to it waits
    /// until its record is found; when there is none, it is refused with `transfer_not_found`.
    pub fn transfer_at(&self, id: &TransferId) -> TransferHandle {
        let entry = self.0.transfers.entry(id.clone());
        entry.or_insert_with(|| self.start_edge(id.clone())).clone()
    }

    /// The handle of a transfer that a room here knows, wherever its home is.
    pub(super) fn known_transfer(&self, id: &TransferId) -> Option<TransferHandle> {
        match self.0.sharing {
            Sharing::Alone => self.transfer(id),
            Sharing::Among => Some(self.transfer_at(id)),
        }
    }

    fn start_edge(&self, id: TransferId) -> TransferHandle {
        let (handle, commands) = TransferHandle::new();
        self.spawn(become_edge(self.clone(), id, handle.clone(), commands));
        handle
    }

    /// Hands on what arrives from other nodes, until the hub ends.
    pub(super) fn listen_to_nodes(&self) {
        let Some(mut inbox) = self.broker().inbox() else { return };
        let hub = self.clone();
        self.spawn(async move {
            while let Some(delivery) = inbox.recv().await {
                hub.deliver(delivery);
            }
        });
    }

    fn deliver(&self, delivery: Delivery) {
        match delivery {
            Delivery::Frame { from, frame: Frame { transfer, epoch, body } } => {
                match self.transfer(&transfer) {
                    // One that finds no room is lost, which the transfer mends.
                    Some(handle) => handle.send(Command::Heard { from, epoch, body }),
                    None => self.answer_for_none(from, transfer, epoch, &body),
                }
            }
            Delivery::Undelivered { to, transfer } => {
                if let Some(handle) = self.transfer(&transfer) {
                    handle.send(Command::Undelivered(to));
                }
            }
            Delivery::Hello(node) => self.tell_transfers(|| Command::Hello(node)),
            Delivery::NodeLost(node) => {
                tracing::info!(node.id = %node, "node lost");
                self.tell_transfers(|| Command::NodeLost(node));
                self.node_lost(node);
            }
            Delivery::Back => {
                *self.0.back_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                self.tell_transfers(|| Command::Back);
            }
            Delivery::Room(_) => {
                for (_, transfer) in std::mem::take(&mut *self.waiting_for_room()) {
                    transfer.send(Command::Room);
                }
            }
            Delivery::Away => {}
        }
    }

    /// A transfer found no room on the way to another node: it is told when there may be some.
    pub(super) fn wait_for_room(&self, id: &TransferId, handle: &TransferHandle) {
        self.waiting_for_room().entry(id.clone()).or_insert_with(|| handle.clone());
    }

    fn waiting_for_room(&self) -> MutexGuard<'_, HashMap<TransferId, TransferHandle>> {
        self.0.waiting_for_room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_transfers(&self, command: impl Fn() -> Command) {
        for transfer in &self.0.transfers {
            transfer.value().send(command());
        }
    }

    /// Says to whoever thinks that a transfer is here that it is not.
    fn answer_for_none(&self, to: NodeId, transfer: TransferId, epoch: u64, body: &Body) {
        let body = match body {
            Body::Chunk { lane, .. } => Body::Stop { lane: *lane },
            body if is_asking(body) => not_here(),
            _ => return,
        };
        let _ = self.broker().post(to, Frame { transfer, epoch, body });
    }
}

/// Finds the record, and becomes an edge of the home that it names.
async fn become_edge(
    hub: Hub,
    id: TransferId,
    handle: TransferHandle,
    mut commands: mpsc::Receiver<Command>,
) {
    match find_record(&hub, &id).await {
        Ok((epoch, story)) => {
            let home = story.situation.home;
            let mut task = edge_task(&hub, id, handle, epoch, story);
            task.check_home(home);
            task.run(commands).await;
        }
        Err(error) => {
            hub.forget_transfer(&id, &handle, []);
            commands.close();
            while let Ok(command) = commands.try_recv() {
                command.refuse(error);
            }
        }
    }
}

fn edge_task(
    hub: &Hub,
    id: TransferId,
    handle: TransferHandle,
    epoch: u64,
    story: Story,
) -> transfer_task::Task {
    let Story { about, situation } = story;
    let source = match situation.transfer.source() {
        transfer::Source::Seekable => relay::Source::Seekable,
        transfer::Source::Once => relay::Source::Upstream,
    };
    let size = situation.transfer.size();
    let relay = Relay::new(hub.options().relay.clone(), hub.0.budget.clone(), source, size);
    let session = Session::edge(hub.clock().now(), hub.broker().me().id, epoch, situation, relay);
    transfer_task::Task::new(hub.clone(), id, handle, session, about)
}

async fn find_record(hub: &Hub, id: &TransferId) -> Result<(u64, Story), ErrorCode> {
    let began = Instant::now();
    loop {
        let (error, patience) = match transfer_records::read(hub, id).await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => (ErrorCode::TransferNotFound, PATIENCE),
            Err(_) => (ErrorCode::Overloaded, AWAY),
        };
        if began.elapsed() >= patience {
            return Err(error);
        }
        sleep(RETRY).await;
    }
}
