//! Removes what nobody can want any more: manifests whose time is over, chunks that nothing refers to, what a
//! crash left. Several nodes may sweep at once and beside any ingest, because nothing is removed that did
//! not look unused twice, a grace apart, and because whoever wants an old chunk again writes it again.

use std::collections::HashSet;

use futures_util::TryStreamExt;
use tokio::task::spawn_blocking;

use super::chunks::{Address, address_at, root};
use super::error::StoreError;
use super::place::Place;
use super::{Store, now, staged};
use crate::protocol::Moment;

/// How many graces old a file is, at least, that is taken for one that nobody writes any more.
const STAGED_GRACES: u32 = 10;

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Manifests whose time was over.
    pub expired: usize,
    /// Chunks that were taken away for now,
    pub trashed: usize,
    /// that were brought back,
    pub restored: usize,
    /// and that are gone.
    pub removed: usize,
    /// Files that a crash had left.
    pub staged: usize,
    /// Manifests that cannot be read, perhaps of a later version. While there are any, no chunk is touched,
    /// since nobody knows what they refer to.
    pub unreadable: usize,
}

/// What something refers to.
enum Wanted {
    These(HashSet<Address>),
    Unknown,
}

struct Found {
    address: Address,
    size: u64,
    modified: Moment,
}

impl Store {
    /// Sweeps once. Costs a listing of everything and reading every manifest.
    ///
    /// # Errors
    /// [`StoreError::Away`]: what was not swept is swept next time.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        self.0.usage.begin_listing();
        // What lies there is listed before what is referred to: what comes between is not in the first list.
        let trashed = self.trashed().await?;
        let chunks = self.list_chunks().await?;
        let wanted = self.wanted(&mut swept).await?;
        let (grace, mut used) = (self.0.options.grace, 0);
        let wanted = match wanted {
            Wanted::These(wanted) => wanted,
            Wanted::Unknown => return Ok(swept),
        };
        for chunk in trashed {
            if wanted.contains(&chunk.address) {
                self.restore_chunk(&chunk).await?;
                swept.restored += 1;
                used += chunk.size;
            } else if now().since(chunk.at) > grace {
                self.remove_chunk(&chunk).await?;
                swept.removed += 1;
            } else {
                used += chunk.size;
            }
        }
        for chunk in chunks {
            if wanted.contains(&chunk.address) || now().since(chunk.modified) <= grace {
                used += chunk.size;
            } else {
                self.trash_chunk(chunk.address).await?;
                swept.trashed += 1;
                used += chunk.size;
            }
        }
        self.0.usage.listed(used);
        swept.staged = self.remove_staged().await?;
        Ok(swept)
    }

    async fn list_chunks(&self) -> Result<Vec<Found>, StoreError> {
        let mut listing = self.objects().list(Some(&root()));
        let mut found = Vec::new();
        while let Some(object) = listing.try_next().await? {
            let Some(address) = address_at(&object.location) else { continue };
            let micros = u64::try_from(object.last_modified.timestamp_micros()).unwrap_or(0);
            found.push(Found { address, size: object.size, modified: Moment::from_micros(micros) });
        }
        Ok(found)
    }

    /// All chunks that something refers to. Manifests whose time is over go.
    async fn wanted(&self, swept: &mut Swept) -> Result<Wanted, StoreError> {
        // Before the manifests: an ingest that publishes meanwhile is in one of both.
        let mut wanted = self.leased().await?;
        for id in self.manifests().await? {
            match self.manifest(&id).await {
                Ok(manifest) if manifest.is_over() => {
                    self.delete(&id).await?;
                    swept.expired += 1;
                }
                Ok(manifest) => wanted.extend(manifest.addresses()),
                Err(StoreError::NotFound) => {}
                Err(StoreError::Damaged) => swept.unreadable += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(if swept.unreadable == 0 { Wanted::These(wanted) } else { Wanted::Unknown })
    }

    async fn remove_staged(&self) -> Result<usize, StoreError> {
        let Place::Folder(folder) = &self.0.options.place else { return Ok(0) };
        // A disk that is busy may take long to write one.
        let (folder, age) = (folder.clone(), self.0.options.grace * STAGED_GRACES);
        spawn_blocking(move || staged::remove(&folder, age)).await?
    }
}
