//! What a long ingest says from time to time: which chunks it has written, so that no sweep takes them for
//! unused before the manifest is there. A short one never says it; one whose process died says it no more,
//! and its word runs out.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::chunks::{Address, Piece};
use super::error::StoreError;
use super::{Store, now};
use crate::protocol::Moment;

/// What was written so far.
pub(super) type Pieces = Arc<Mutex<Vec<Piece>>>;

#[derive(Debug, Serialize, Deserialize)]
struct Word {
    until: Moment,
    chunks: Vec<Address>,
}

/// Keeps saying it until it is dropped.
#[derive(Debug)]
pub(super) struct Lease(#[expect(dead_code, reason = "held for its end")] AbortOnDropHandle<()>);

impl Lease {
    pub(super) fn start(store: Store, pieces: Pieces) -> Self {
        let name = Path::from_iter(["leases".to_owned(), format!("{:032x}", rand::random::<u128>())]);
        Self(AbortOnDropHandle::new(tokio::spawn(async move {
            let grace = store.0.options.grace;
            loop {
                sleep(grace / 4).await;
                let word = Word { until: now() + grace, chunks: addresses(&pieces) };
                let Ok(bytes) = serde_json::to_vec(&word) else { return };
                if let Err(error) = store.objects().put(&name, bytes.into()).await {
                    tracing::warn!(%error, "cannot say what is being kept; it is tried again");
                }
            }
        })))
    }
}

fn addresses(pieces: &Pieces) -> Vec<Address> {
    let pieces = pieces.lock().unwrap_or_else(PoisonError::into_inner);
    pieces.iter().map(|piece| piece.address).collect()
}

impl Store {
    /// All chunks that ingests on any node have written and not published. Words that have run out go.
    pub(super) async fn leased(&self) -> Result<HashSet<Address>, StoreError> {
        let mut listing = self.objects().list(Some(&Path::from("leases")));
        let mut leased = HashSet::new();
        while let Some(object) = listing.try_next().await? {
            let bytes = match self.objects().get(&object.location).await.map_err(StoreError::from) {
                Ok(found) => found.bytes().await?,
                Err(StoreError::NotFound) => continue,
                Err(error) => return Err(error),
            };
            match serde_json::from_slice::<Word>(&bytes) {
                Ok(word) if now() < word.until + self.0.options.grace => leased.extend(word.chunks),
                _ => self.objects().delete(&object.location).await.or_else(|error| match error {
                    object_store::Error::NotFound { .. } => Ok(()),
                    error => Err(error),
                })?,
            }
        }
        Ok(leased)
    }
}
