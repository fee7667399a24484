//! Kept drops: a copy of each transfer is written while it is live, serves whoever comes later, with or without
//! its sender, and goes when its time is over or its sender cancels it. It knows no ranges (the reader's and the
//! relay's), no HTTP and no sockets.
//!
//! A copy is a manifest under the transfer's id, and beside it a record that says which drop of which room it was.
//! The record is written first: a copy is found when both are there, so a crash at any moment leaves a whole copy
//! or none. The records of a room are read when the first enters it on a node ([`Keeper::shelved`]); a drop that
//! the room has forgotten, as after a restart, is offered in it again, by the same sender.
//!
//! **Memory.** A copy that is being written holds what its sink was sent (at most 4 MiB) and what the
//! storage has not taken yet (see [`Ingest`](crate::store::Ingest)): 16 MiB in all. So many are written at once on a
//! node, and no more. Where the source can go back, the next wait their turn and hold nothing, and one whose source is
//! silent while others wait gives up its place and begins anew when it is its turn again; where it cannot, there is no
//! copy (`overloaded`), and the transfer goes on live.

mod places;
mod records;
mod source;
mod tidy;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::places::Places;
use self::source::Copies;
use crate::hub::{Keeper, Keeping, SourcePort, TransferHandle};
use crate::protocol::{ErrorCode, Refusal, RoomId, TransferId};
use crate::room::{PeerId, Shelved};
use crate::store::{Manifest, ManifestId, Sealed, Store, StoreError};

/// How long a copy that is about to be there, or is being deleted, has when all ends.
const LAST: Duration = Duration::from_secs(1);

/// What is kept of rooms. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Depot(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    /// Bytes of a chunk that a copy sends, at most.
    chunk: usize,
    places: Places,
    ended: CancellationToken,
    tasks: TaskTracker,
}

impl Depot {
    /// Keeps drops in `store`, `at_once` at once, at most, and serves them in chunks of at most `chunk` bytes. Call it
    /// within a runtime.
    pub fn new(store: Store, chunk: u64, at_once: usize) -> Self {
        let chunk = usize::try_from(chunk).unwrap_or(usize::MAX).min(source::CHUNK);
        let (ended, tasks) = (CancellationToken::new(), TaskTracker::new());
        let depot = Self(Arc::new(Inner { store, chunk, places: Places::new(at_once), ended, tasks }));
        depot.spawn(tidy::tidy(depot.clone()));
        depot
    }

    /// Keeps a file whose bytes are all safe already, under its transfer's id; one that is kept is no error. From
    /// now on it is found with its room, whoever is told.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Away`].
    pub async fn keep(&self, shelved: &Shelved, sealed: Sealed) -> Result<Manifest, StoreError> {
        self.write_down(shelved).await?;
        match sealed.publish().await {
            Err(StoreError::Exists) => self.kept(shelved).await,
            other => other,
        }
    }

    async fn kept(&self, shelved: &Shelved) -> Result<Manifest, StoreError> {
        let transfer = shelved.drop.transfers.first().ok_or(StoreError::NotFound)?;
        let id = manifest_id(&transfer.transfer).map_err(|_| StoreError::NotFound)?;
        self.store().manifest(&id).await
    }

    /// Ends every task and waits until they have ended. What is not whole is not kept.
    pub async fn close(&self) {
        self.0.ended.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    fn store(&self) -> &Store {
        &self.0.store
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.tasks.spawn(self.0.ended.clone().run_until_cancelled_owned(async move {
            work.await;
        }));
    }

    /// What is to be seen through when all ends, within [`LAST`].
    fn spawn_to_its_end(&self, work: impl Future<Output = ()> + Send + 'static) {
        let ended = self.0.ended.clone();
        self.0.tasks.spawn(async move {
            let over = async {
                ended.cancelled().await;
                sleep(LAST).await;
            };
            tokio::select! {
                () = work => {}
                () = over => {}
            }
        });
    }
}

#[async_trait]
impl Keeper for Depot {
    async fn admits(&self, sizes: &[Option<u64>]) -> Result<(), Refusal> {
        let all = sizes.iter().flatten().copied().fold(0, u64::saturating_add);
        for size in sizes.iter().flatten() {
            self.store().fits(*size).map_err(|error| error.refusal())?;
        }
        self.store().has_quota_for(all).await.map_err(|error| error.refusal())
    }

    fn store(&self, what: Keeping) {
        self.spawn_to_its_end(writer::keep(self.clone(), what));
    }

    fn serve(&self, transfer: &TransferId, handle: &TransferHandle, peer: PeerId) -> Box<dyn SourcePort> {
        Box::new(Copies::new(self.0.store.clone(), transfer.clone(), handle.clone(), peer, self.0.chunk))
    }

    fn forget(&self, room: &RoomId, transfer: &TransferId) {
        let (depot, room, transfer) = (self.clone(), room.clone(), transfer.clone());
        self.spawn_to_its_end(async move {
            if let Err(error) = depot.remove(&room, &transfer).await {
                tracing::warn!(transfer.id = %transfer, %error, "a copy cannot be deleted; it goes when its time is over");
            }
        });
    }

    async fn shelved(&self, room: &RoomId) -> Result<Vec<Shelved>, Refusal> {
        self.read_shelf(room).await.map_err(|error| error.refusal())
    }
}

/// What the copy of a transfer is found by.
fn manifest_id(transfer: &TransferId) -> Result<ManifestId, ErrorCode> {
    ManifestId::new(transfer.as_str()).ok_or(ErrorCode::Internal)
}
