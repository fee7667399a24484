//! Which copy belongs to which drop of which room: one record for each, under a digest of the room's id, since
//! names that people choose never touch the file system.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Depot, manifest_id};
use crate::protocol::{DropId, RoomId, TransferId};
use crate::room::{Shelved, StoredBytes};
use crate::store::{RecordKey, StoreError};

/// The kind of these records.
pub(super) const KIND: &str = "kept";
/// Records that are read at once.
const AT_ONCE: usize = 16;

fn shelf_of(room: &RoomId) -> String {
    let digest = blake3::hash(room.as_str().as_bytes()).to_hex();
    digest.get(..32).unwrap_or_default().to_owned()
}

fn key(room: &RoomId, transfer: &TransferId) -> Result<RecordKey, StoreError> {
    RecordKey::new([KIND, &shelf_of(room), transfer.as_str()]).ok_or(StoreError::NotFound)
}

impl Depot {
    /// Writes down what a copy is of.
    pub(super) async fn write_down(&self, shelved: &Shelved) -> Result<(), StoreError> {
        let Some(transfer) = shelved.drop.transfers.first() else { return Err(StoreError::NotFound) };
        let value = serde_json::to_vec(shelved).map_err(|error| StoreError::Away(error.to_string()))?;
        self.store().put_record(&key(&shelved.drop.room, &transfer.transfer)?, value.into()).await?;
        Ok(())
    }

    /// Deletes a copy; one that is not there is no error.
    ///
    /// # Errors
    /// [`StoreError::Away`].
    pub async fn remove(&self, room: &RoomId, transfer: &TransferId) -> Result<(), StoreError> {
        self.store().delete_record(&key(room, transfer)?).await?;
        match manifest_id(transfer) {
            Ok(id) => self.store().delete(&id).await,
            Err(_) => Ok(()),
        }
    }

    /// The drops of a room of which whole copies are kept, oldest first.
    pub(super) async fn read_shelf(&self, room: &RoomId) -> Result<Vec<Shelved>, StoreError> {
        let keys = self.store().records([KIND, &shelf_of(room)]).await?;
        let read = stream::iter(keys).map(|key| self.read_one(key)).buffer_unordered(AT_ONCE);
        let mut drops: BTreeMap<(u64, DropId), Shelved> = BTreeMap::new();
        let mut read = std::pin::pin!(read);
        while let Some(one) = read.try_next().await? {
            let Some(one) = one.filter(|one| one.drop.room == *room) else { continue };
            match drops.entry((one.drop.at, one.drop.drop.clone())) {
                std::collections::btree_map::Entry::Vacant(place) => drop(place.insert(one)),
                std::collections::btree_map::Entry::Occupied(mut place) => {
                    place.get_mut().drop.transfers.extend(one.drop.transfers);
                    place.get_mut().copies.extend(one.copies);
                }
            }
        }
        Ok(drops.into_values().collect())
    }

    /// What a record says, with its copy; nothing where either is not there or not whole.
    async fn read_one(&self, key: RecordKey) -> Result<Option<Shelved>, StoreError> {
        let value: Bytes = match self.store().record(&key).await {
            Ok(record) => record.value,
            Err(StoreError::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Ok(mut shelved) = serde_json::from_slice::<Shelved>(&value) else { return Ok(None) };
        let Some(transfer) = shelved.drop.transfers.first() else { return Ok(None) };
        let Ok(id) = manifest_id(&transfer.transfer) else { return Ok(None) };
        match self.store().manifest(&id).await {
            Ok(manifest) if !manifest.is_over() => {
                let (size, digest, until) = (manifest.size, manifest.digest, manifest.expires);
                shelved.copies = vec![StoredBytes { size, digest, until }];
                Ok(Some(shelved))
            }
            Ok(_) | Err(StoreError::NotFound | StoreError::Damaged) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
