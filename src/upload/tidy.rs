//! Removes what uploads left: parts whose time is over or whose file is here, plans of which nothing is here, records
//! of files that have gone. Plans and files may be about to get what they lack, so only what was without it twice goes.

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
        let mut wholes = self.store().records([UPLOADS]).await?;
        let parts = self.store().records([PARTS]).await?;
        let manifests: HashSet<_> = self.store().manifests().await?.into_iter().collect();
        let has_bytes = |key: &mut RecordKey| whole_of(key).is_some_and(|id| manifests.contains(&id));
        let here: HashSet<_> = wholes.extract_if(.., has_bytes).map(|key| place_of(&key, 1)).collect();
        bare.extend(wholes);
        let mut alive = HashSet::new();
        for key in parts {
            let is_over = part_of(&key).is_none_or(|part| part.is_over(now()));
            if is_over || here.contains(&place_of(&key, 1)) {
                self.remove_part(&key).await?;
            } else {
                alive.insert(place_of(&key, 2));
            }
        }
        bare.retain(|record| !alive.contains(&place_of(record, 2)));
        Ok(bare)
    }
}

/// The file of a record, and with it the plan.
fn place_of(key: &RecordKey, parts: usize) -> Vec<String> {
    key.parts().skip(1).take(parts).map(str::to_owned).collect()
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
    async fn what_a_crash_left_beside_a_whole_file_goes() {
        let uploads = uploads(Duration::from_secs(60));
        let client = Client::new(&uploads, &[b"a", b"b"]);
        client.handshake().await.unwrap();
        client.send(0).await.unwrap();
        let whole = Client::new(&uploads, &[b"ab"]);
        let known = uploads.plan_with(client.file, &client.ids[0]).await.unwrap();
        let mut incoming = uploads.begin(None).await.unwrap();
        incoming.write(bytes::Bytes::from_static(b"ab")).await.unwrap();
        let manifest = incoming.end().await.unwrap().stored.unwrap().0.publish().await.unwrap();
        uploads.publish(whole.file, &known.plan.ext, &[manifest]).await.unwrap();
        let without = uploads.tidy_once(&HashSet::new()).await.unwrap();
        uploads.tidy_once(&without).await.unwrap();
        for kind in [PARTS, PLANS] {
            assert!(uploads.store().records([kind]).await.unwrap().is_empty(), "{kind}");
        }
        assert!(uploads.find(whole.file).await.unwrap().is_some());
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
