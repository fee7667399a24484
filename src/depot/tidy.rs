//! Removes records whose copy is gone: its time was over, or the node died between the record and the copy. One
//! that is about to get its copy has it by the time of the next look, so only what was without it twice goes.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::sleep;

use super::Depot;
use super::records::KIND;
use crate::store::{RecordKey, StoreError};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(15 * 60);

pub(super) async fn tidy(depot: Depot) {
    let mut without = HashSet::new();
    loop {
        sleep(EVERY).await;
        match depot.remove_orphans(&without).await {
            Ok(found) => without = found,
            Err(error) => {
                tracing::warn!(%error, "records of what is kept were not tidied; it is tried again")
            }
        }
    }
}

impl Depot {
    /// Removes the records that were without their copy before and still are; those that are new to it come back.
    async fn remove_orphans(&self, before: &HashSet<RecordKey>) -> Result<HashSet<RecordKey>, StoreError> {
        let records = self.store().records([KIND]).await?;
        // After the records: a copy that comes now has its record already.
        let copies: HashSet<_> = self.store().manifests().await?.into_iter().map(String::from).collect();
        let has_copy = |key: &RecordKey| key.parts().last().is_some_and(|id| copies.contains(id));
        let mut found = HashSet::new();
        for key in records.into_iter().filter(|key| !has_copy(key)) {
            if before.contains(&key) {
                self.store().delete_record(&key).await?;
            } else {
                found.insert(key);
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::{GRACE, ManifestId, Options, Place, Store, Whole};

    #[tokio::test]
    async fn a_record_without_its_copy_goes_at_the_second_look() {
        let options = Options {
            place: Place::Memory,
            lifetime: Duration::from_secs(60),
            max_size: 100,
            quota: 100,
            grace: GRACE,
        };
        let depot = Depot::new(Store::open(options, []).unwrap(), 1 << 20, 1);
        let ids = [1, 2].map(ManifestId::from_random);
        let keys = ids.clone().map(|id| RecordKey::new([KIND, "room", id.as_str()]).unwrap());
        for key in &keys {
            depot.store().put_record(key, bytes::Bytes::new()).await.unwrap();
        }
        let [copy, _] = ids;
        let whole = Whole { id: copy, size: Some(0), lifetime: None };
        depot.store().ingest(whole).await.unwrap().finish().await.unwrap();
        let [with, without] = keys;
        let found = depot.remove_orphans(&HashSet::new()).await.unwrap();
        assert_eq!(found, HashSet::from([without]));
        assert_eq!(depot.store().records([KIND]).await.unwrap().len(), 2);
        assert!(depot.remove_orphans(&found).await.unwrap().is_empty());
        assert_eq!(depot.store().records([KIND]).await.unwrap(), [with]);
        depot.close().await;
    }
}
