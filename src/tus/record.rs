//! Where uploads are written down: one record for each, under a digest of its id, so that whoever reads the names
//! of records, or measures how long one is looked for, learns no id. A change is by compare-and-set: of two that
//! go on with one upload, on whatever nodes, one wins, and the other hears that it stands elsewhere.

use super::upload::{Upload, elsewhere};
use super::{Inner, Outcome, refusal};
use crate::protocol::{ErrorCode, Refusal, Secret};
use crate::store::{Record, RecordKey, StoreError, Tag};

/// The kind of these records.
const KIND: &str = "tus";

/// What an upload is found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key(RecordKey);

impl Key {
    pub(super) fn of(id: &Secret) -> Outcome<Self> {
        let digest = hex::encode(id.fingerprint());
        RecordKey::new([KIND, &digest]).map(Self).ok_or_else(|| ErrorCode::Internal.into())
    }
}

/// An upload in the state in which it was read or written.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) key: Key,
    pub(super) upload: Upload,
    tag: Tag,
}

impl Inner {
    pub(super) async fn create(&self, key: Key, upload: Upload) -> Outcome<Kept> {
        let tag = self
            .store
            .create_record(&key.0, write(&upload)?.into())
            .await
            .map_err(|error| refusal(&error))?;
        Ok(Kept { key, upload, tag })
    }

    pub(super) async fn load(&self, key: &Key) -> Outcome<Kept> {
        let Record { value, tag } = self.store.record(&key.0).await.map_err(|error| match error {
            StoreError::NotFound => unknown(),
            error => refusal(&error),
        })?;
        let upload = serde_json::from_slice(&value).map_err(|_| ErrorCode::Internal)?;
        Ok(Kept { key: key.clone(), upload, tag })
    }

    /// Writes down what became of it.
    ///
    /// # Errors
    /// `unexpected_chunk` when someone else has changed it; `storage_full`, `storage_unavailable`.
    pub(super) async fn save(&self, kept: &mut Kept, upload: Upload) -> Outcome<()> {
        let value = write(&upload)?.into();
        let written = self.store.replace_record(&kept.key.0, &kept.tag, value).await;
        kept.tag = written.map_err(|error| match error {
            StoreError::Stale => elsewhere(),
            error => refusal(&error),
        })?;
        kept.upload = upload;
        Ok(())
    }

    pub(super) async fn forget(&self, key: &Key) -> Outcome<()> {
        self.store.delete_record(&key.0).await.map_err(|error| refusal(&error))
    }

    /// All that are written down. Costs one listing.
    pub(super) async fn keys(&self) -> Outcome<Vec<Key>> {
        let keys = self.store.records([KIND]).await.map_err(|error| refusal(&error))?;
        Ok(keys.into_iter().map(Key).collect())
    }
}

fn write(upload: &Upload) -> Outcome<Vec<u8>> {
    serde_json::to_vec(upload).map_err(|_| ErrorCode::Internal.into())
}

fn unknown() -> Refusal {
    Refusal::new(
        ErrorCode::NotFound,
        "There is no such upload; it was ended, or its time is over. Begin a new one.",
    )
}
