//! Removes what uploads left: parts whose time is over, plans of which nothing is here, records of files that have
//! gone. Plans and files may be about to get what they lack, so only what was without it twice goes.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::sleep;

use super::Uploads;
use super::shelf::{PARTS, PLANS, UPLOADS, now, part_of, whole_of};
use crate::store::{RecordKey, StoreError};

/// Between two looks: for at least so long, whoever has made a handshake may wait with the first chunk.
const EVERY: Duration = Duration::from_secs(60 * 60);

pub(super) async fn tidy(uploads: Uploads) {
    let mut without = HashSet::new();
    loop {
        sleep(EVERY).await;
        match uploads.tidy_once(&without).await {
            Ok(found) => without = found,
            Err(error) => tracing::warn!(%error, "what uploads left was not tidied; it is tried again"),
        }
    }
}

impl Uploads {
    /// Removes the records that had nothing `before` and still have not; those that are new to it come back.
    async fn tidy_once(&self, before: &HashSet<RecordKey>) -> Result<HashSet<RecordKey>, StoreError> {
        let mut found = HashSet::new();
        for key in self.bare_records().await? {
            if before.contains(&key) {
                self.store().delete_record(&key).await?;
            } else {
                found.insert(key);
            }
        }
        Ok(found)
    }

    async fn bare_records(&self) -> Result<Vec<RecordKey>, StoreError> {
        // First what lacks something, then what it may lack: what comes between is there.
        let mut bare = self.store().records([PLANS]).await?;
        let wholes = self.store().records([UPLOADS]).await?;
        let alive = self.remove_old_parts().await?;
        bare.retain(|plan| !alive.contains(&place_of(plan)));
        let manifests: HashSet<_> = self.store().manifests().await?.into_iter().collect();
        bare.extend(wholes.into_iter().filter(|key| whole_of(key).is_none_or(|id| !manifests.contains(&id))));
        Ok(bare)
    }

    /// Removes parts whose time is over; where there are others.
    async fn remove_old_parts(&self) -> Result<HashSet<Vec<String>>, StoreError> {
        let mut alive = HashSet::new();
        for key in self.store().records([PARTS]).await? {
            if part_of(&key).is_none_or(|part| part.is_over(now())) {
                self.remove_part(&key).await?;
            } else {
                alive.insert(place_of(&key));
            }
        }
        Ok(alive)
    }
}

/// File and plan of a record.
fn place_of(key: &RecordKey) -> Vec<String> {
    key.parts().skip(1).take(2).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Client, uploads};
    use super::*;

    #[tokio::test]
    async fn a_plan_without_parts_goes_at_the_second_look_and_one_with_parts_stays() {
        let uploads = uploads(Duration::from_secs(60));
        let (idle, busy) = (Client::new(&uploads, &[b"a", b"b"]), Client::new(&uploads, &[b"c", b"d"]));
        idle.handshake().await.unwrap();
        busy.handshake().await.unwrap();
        busy.send(0).await.unwrap();
        let without = uploads.tidy_once(&HashSet::new()).await.unwrap();
        assert_eq!(without.len(), 1);
        assert_eq!(uploads.store().records([PLANS]).await.unwrap().len(), 2);
        assert!(uploads.tidy_once(&without).await.unwrap().is_empty());
        assert_eq!(uploads.store().records([PLANS]).await.unwrap().len(), 1);
        busy.send(1).await.unwrap();
        idle.handshake().await.unwrap();
        uploads.close().await;
    }

    #[tokio::test]
    async fn what_was_never_finished_is_gone_when_its_time_is_over() {
        let uploads = uploads(Duration::ZERO);
        let client = Client::new(&uploads, &[b"a", b"b"]);
        client.handshake().await.unwrap();
        client.send(0).await.unwrap();
        let without = uploads.tidy_once(&HashSet::new()).await.unwrap();
        assert!(uploads.store().records([PARTS]).await.unwrap().is_empty());
        assert!(uploads.store().manifests().await.unwrap().is_empty());
        uploads.tidy_once(&without).await.unwrap();
        assert!(uploads.store().records([PLANS]).await.unwrap().is_empty());
        uploads.close().await;
    }

    #[tokio::test]
    async fn the_record_of_a_file_goes_with_the_file() {
        let uploads = uploads(Duration::from_secs(60));
        let client = Client::new(&uploads, &[b"a"]);
        client.handshake().await.unwrap();
        client.send(0).await.unwrap();
        let without = uploads.tidy_once(&HashSet::new()).await.unwrap();
        uploads.tidy_once(&without).await.unwrap();
        let upload = uploads.find(client.file).await.unwrap().unwrap();
        uploads.store().delete(&upload.manifest.id).await.unwrap();
        let without = uploads.tidy_once(&HashSet::new()).await.unwrap();
        uploads.tidy_once(&without).await.unwrap();
        assert!(uploads.store().records([UPLOADS]).await.unwrap().is_empty());
        uploads.close().await;
    }
}
