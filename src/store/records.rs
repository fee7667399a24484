//! Small values under names, for whoever has to remember something beside the bytes. A record is created if
//! it is absent and changed only by whoever knows what it says; it has no lifetime of its own.

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutMode, PutOptions, UpdateVersion};

use super::Store;
use super::error::StoreError;

/// What a record is found by: 2 to 5 parts of 1 to 80 of `a-z 0-9 _ -` each, with `/` between; the first is its
/// kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey(String);

impl RecordKey {
    /// The key of these parts, if they are of its form.
    pub fn new<'a>(parts: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let parts: Vec<_> = parts.into_iter().collect();
        let is_fine =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        let is_part = |part: &&str| (1..=80).contains(&part.len()) && part.bytes().all(is_fine);
        ((2..=5).contains(&parts.len()) && parts.iter().all(is_part)).then(|| Self(parts.join("/")))
    }

    /// Its parts.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    fn path(&self) -> Path {
        Path::from_iter(std::iter::once("records").chain(self.parts()))
    }

    fn at(path: &Path) -> Option<Self> {
        let parts: Vec<_> = path.parts().map(|part| part.as_ref().to_owned()).collect();
        let (first, parts) = parts.split_first()?;
        if first != "records" {
            return None;
        }
        Self::new(parts.iter().map(String::as_str))
    }
}

/// What tells one state of a record from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag(String);

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What it says.
    pub value: Bytes,
    /// In which state.
    pub tag: Tag,
}

impl Store {
    /// What a record says.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Away`].
    pub async fn record(&self, key: &RecordKey) -> Result<Record, StoreError> {
        let found = self.objects().get(&key.path()).await?;
        let etag = found.meta.e_tag.clone();
        let value = found.bytes().await?;
        let tag = self.tag(&value, etag);
        Ok(Record { value, tag })
    }

    /// Writes a record that is not there yet.
    ///
    /// # Errors
    /// [`StoreError::Exists`], [`StoreError::Full`], [`StoreError::Away`].
    pub async fn create_record(&self, key: &RecordKey, value: Bytes) -> Result<Tag, StoreError> {
        self.write_record(key, value, PutMode::Create).await
    }

    /// Writes a record, whatever it said.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Away`].
    pub async fn put_record(&self, key: &RecordKey, value: Bytes) -> Result<Tag, StoreError> {
        let _locked = self.locked(key).await;
        self.write_record(key, value, PutMode::Overwrite).await
    }

    /// Writes a record that is still in this state.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it is not; [`StoreError::Full`], [`StoreError::Away`].
    pub async fn replace_record(&self, key: &RecordKey, tag: &Tag, value: Bytes) -> Result<Tag, StoreError> {
        let locked = self.locked(key).await;
        let mode = match locked {
            None => PutMode::Update(UpdateVersion { e_tag: Some(tag.0.clone()), version: None }),
            Some(_) => match self.record(key).await {
                Ok(found) if found.tag == *tag => PutMode::Overwrite,
                Ok(_) | Err(StoreError::NotFound) => return Err(StoreError::Stale),
                Err(error) => return Err(error),
            },
        };
        match self.write_record(key, value, mode).await {
            Err(StoreError::NotFound) => Err(StoreError::Stale),
            other => other,
        }
    }

    /// Deletes a record; one that is not there is no error.
    ///
    /// # Errors
    /// [`StoreError::Away`].
    pub async fn delete_record(&self, key: &RecordKey) -> Result<(), StoreError> {
        let _locked = self.locked(key).await;
        match self.objects().delete(&key.path()).await.map_err(StoreError::from) {
            Err(StoreError::NotFound) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The keys of all records that begin with these parts, in no order. Costs one listing of those.
    ///
    /// # Errors
    /// [`StoreError::Away`].
    pub async fn records<'a>(
        &self,
        parts: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<RecordKey>, StoreError> {
        let below = Path::from_iter(std::iter::once("records").chain(parts));
        let mut listing = self.objects().list(Some(&below));
        let mut keys = Vec::new();
        while let Some(object) = listing.try_next().await? {
            keys.extend(RecordKey::at(&object.location));
        }
        Ok(keys)
    }

    async fn write_record(&self, key: &RecordKey, value: Bytes, mode: PutMode) -> Result<Tag, StoreError> {
        let payload = value.clone().into();
        let written = self.objects().put_opts(&key.path(), payload, PutOptions::from(mode)).await?;
        Ok(self.tag(&value, written.e_tag))
    }

    /// Where the storage cannot compare, what a record says is its own tag.
    fn tag(&self, value: &Bytes, etag: Option<String>) -> Tag {
        match (self.0.swaps.is_conditional(), etag) {
            (true, Some(etag)) => Tag(etag),
            _ => Tag(blake3::hash(value).to_hex().to_string()),
        }
    }

    async fn locked(&self, key: &RecordKey) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        match self.0.swaps.lock_of(&key.0) {
            Some(lock) => Some(lock.lock().await),
            None => None,
        }
    }
}
