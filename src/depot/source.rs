//! A copy as a source: it serves each lane from its own reader, no further than was asked. Storage that cannot be
//! reached is tried again; a copy that is gone or damaged says so, and gives out no byte of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::manifest_id;
use crate::hub::{Answer, CopyWord, SourcePort, TransferCommand, TransferHandle};
use crate::protocol::rooms::Status;
use crate::protocol::{Envelope, ErrorCode, TransferId};
use crate::room::PeerId;
use crate::store::{Manifest, Reader, Store, StoreError};

/// Bytes of a chunk, at most, where the operator allows as many.
pub(super) const CHUNK: usize = 1 << 20;
/// How soon storage that cannot be reached is tried again, doubled each time up to [`SLOWEST`].
const RETRY: Duration = Duration::from_millis(500);
const SLOWEST: Duration = Duration::from_secs(10);

/// A copy that is read.
pub(super) struct Copies {
    copy: Arc<Copy>,
    lanes: Mutex<HashMap<u64, Lane>>,
}

struct Lane {
    limit: watch::Sender<u64>,
    task: AbortOnDropHandle<()>,
}

struct Copy {
    store: Store,
    transfer: TransferId,
    handle: TransferHandle,
    peer: PeerId,
    chunk: usize,
    manifest: OnceCell<Arc<Manifest>>,
}

impl Copies {
    pub(super) fn new(
        store: Store,
        transfer: TransferId,
        handle: TransferHandle,
        peer: PeerId,
        chunk: usize,
    ) -> Self {
        let copy = Copy { store, transfer, handle, peer, chunk, manifest: OnceCell::new() };
        Self { copy: Arc::new(copy), lanes: Mutex::default() }
    }
}

impl SourcePort for Copies {
    fn pull(&self, lane: u64, from: u64, limit: u64) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lanes.get(&lane) {
            known.limit.send_if_modified(|before| {
                let further = limit > *before;
                *before = limit.max(*before);
                further
            });
            return;
        }
        lanes.retain(|_, lane| !lane.task.is_finished());
        let (sender, limits) = watch::channel(limit);
        let task = tokio::spawn(self.copy.clone().serve(lane, from, limits));
        lanes.insert(lane, Lane { limit: sender, task: AbortOnDropHandle::new(task) });
    }

    fn stop(&self, lane: u64) {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).remove(&lane);
    }

    fn status(&self, _: &Arc<Envelope<Status>>) {}
}

impl Copy {
    async fn serve(self: Arc<Self>, lane: u64, mut from: u64, mut limits: watch::Receiver<u64>) {
        let mut pause = RETRY;
        loop {
            match self.send(lane, &mut from, &mut limits).await {
                Ok(()) => return,
                Err(StoreError::Away(error)) => {
                    tracing::warn!(transfer.id = %self.transfer, error, "a copy cannot be read now; it is tried again");
                    sleep(pause).await;
                    pause = (pause * 2).min(SLOWEST);
                }
                Err(error) => {
                    tracing::error!(transfer.id = %self.transfer, %error, "a copy is lost");
                    let word = CopyWord::Lost { peer: self.peer, error: ErrorCode::SourceFailed };
                    self.handle.send_when_there_is_room(word.into()).await;
                    return;
                }
            }
        }
    }

    /// Sends from `from` on, to the end, or until a chunk is not wanted.
    async fn send(
        &self,
        lane: u64,
        from: &mut u64,
        limits: &mut watch::Receiver<u64>,
    ) -> Result<(), StoreError> {
        let manifest = self.manifest.get_or_try_init(|| self.find()).await?.clone();
        let size = manifest.size;
        let mut reader = Reader::new(self.store.clone(), manifest, *from..*from);
        let unwanted = CancellationToken::new();
        while *from < size && !unwanted.is_cancelled() {
            let limit = *limits.borrow_and_update();
            reader.set_end(limit);
            let Some(bytes) = reader.next(self.chunk).await? else {
                if limits.changed().await.is_err() {
                    return Ok(());
                }
                continue;
            };
            let (offset, refused) = (*from, unwanted.clone());
            *from += bytes.len() as u64;
            let answer = Answer::new(move |outcome: Result<u64, _>| {
                if outcome.is_err() {
                    refused.cancel();
                }
            });
            let peer = self.peer;
            let chunk = TransferCommand::Chunk { peer, lane, offset, bytes, digest: None, answer };
            if !self.handle.send_when_there_is_room(chunk).await {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn find(&self) -> Result<Arc<Manifest>, StoreError> {
        let id = manifest_id(&self.transfer).map_err(|_| StoreError::NotFound)?;
        self.store.manifest(&id).await.map(Arc::new)
    }
}
