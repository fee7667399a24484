//! An upload that has all its bytes is made one whole, without writing any of them again, and offered in its room
//! if it has one. It may be done again after a crash at any moment, on any node: the ids of what it makes are as
//! old as the upload, so nothing is made twice.

use super::append::Append;
use super::record::Kept;
use super::upload::{Life, Part, Role, Upload};
use super::{Inner, Outcome, refusal};
use crate::hub::ask;
use crate::protocol::ErrorCode;
use crate::room::{Shelved, StoredBytes};
use crate::store::{Manifest, Sealed, StoreError, Whole};

impl Inner {
    /// Publishes an upload that is due.
    ///
    /// # Errors
    /// Why not: for good, which is written down, or for now.
    pub(super) async fn finish(&self, kept: &mut Kept) -> Outcome<()> {
        if !kept.upload.is_due() {
            return Ok(());
        }
        let published = match self.join(&kept.upload).await {
            Ok(sealed) => self.publish(&kept.upload, sealed).await,
            Err(error) => Err(refusal(&error)),
        };
        let mut next = kept.upload.clone();
        match &published {
            Ok(manifest) => (next.life, next.expires) = (Life::Done(manifest.size), manifest.expires),
            Err(refusal) if is_for_good(refusal.code) => next.life = Life::Refused(refusal.clone()),
            Err(refusal) => return Err(refusal.clone()),
        }
        let parts = std::mem::take(&mut next.parts);
        self.save(kept, next).await?;
        // Those of others are theirs.
        if kept.upload.role == Role::Single {
            self.delete_parts(&parts).await;
        }
        published.map(drop)
    }

    async fn join(&self, upload: &Upload) -> Result<Sealed, StoreError> {
        let parts = self.manifests(&upload.parts).await?;
        let whole = Whole { id: upload.whole.clone(), size: upload.length, lifetime: None };
        self.store.join(whole, &parts).await
    }

    async fn manifests(&self, parts: &[Part]) -> Result<Vec<Manifest>, StoreError> {
        let mut manifests = Vec::with_capacity(parts.len());
        for part in parts {
            manifests.push(self.store.manifest(&part.id).await?);
        }
        Ok(manifests)
    }

    async fn publish(&self, upload: &Upload, sealed: Sealed) -> Outcome<Manifest> {
        let Some(goal) = upload.goal() else {
            return match sealed.publish().await {
                Err(StoreError::Exists) => self.store.manifest(&upload.whole).await,
                other => other,
            }
            .map_err(|error| refusal(&error));
        };
        let mut shelved = goal.clone();
        shelved.drop.at = self.now().unix_millis();
        for offered in &mut shelved.drop.transfers {
            offered.size = Some(sealed.size());
        }
        self.weigh(&shelved).await?;
        let manifest = self.depot.keep(&shelved, sealed).await.map_err(|error| refusal(&error))?;
        let (size, digest, until) = (manifest.size, manifest.digest, manifest.expires);
        shelved.copies = vec![StoredBytes { size, digest, until }];
        let offered = ask(|answer| self.hub.offer_stored(Box::new(shelved.clone()), answer)).await;
        if offered.as_ref().is_err_and(|refusal| is_for_good(refusal.code)) {
            self.withdraw(&shelved).await?;
        }
        offered.map(|()| manifest)
    }

    /// Whether the room, and the hooks that are asked, would have this drop.
    pub(super) async fn weigh(&self, shelved: &Shelved) -> Outcome<()> {
        ask(|answer| self.hub.weigh_stored(Box::new(shelved.clone()), answer)).await
    }

    /// Deletes what is kept of a drop.
    pub(super) async fn withdraw(&self, shelved: &Shelved) -> Outcome<()> {
        for offered in &shelved.drop.transfers {
            let removed = self.depot.remove(&shelved.drop.room, &offered.transfer).await;
            removed.map_err(|error| refusal(&error))?;
        }
        Ok(())
    }
}

impl Append {
    /// The body of a request that begins an upload.
    pub fn first(bytes: Option<u64>, checksum: Option<super::Checksum>) -> Self {
        Self { offset: 0, length: None, bytes, checksum }
    }
}

/// Whether it would be refused again.
fn is_for_good(code: ErrorCode) -> bool {
    !matches!(
        code,
        ErrorCode::Overloaded
            | ErrorCode::RateLimited
            | ErrorCode::StorageUnavailable
            | ErrorCode::StorageFull
            | ErrorCode::UnexpectedChunk
            | ErrorCode::Internal
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Refusal;

    #[test]
    fn what_may_go_well_later_is_not_given_up() {
        assert!(!is_for_good(refusal(&StoreError::Away("x".into())).code));
        assert!(!is_for_good(refusal(&StoreError::Full).code));
        assert!(is_for_good(ErrorCode::NotAllowed));
        assert!(is_for_good(refusal(&StoreError::Damaged).code));
    }

    #[test]
    fn the_sentence_is_about_an_upload() {
        let said: Vec<Refusal> =
            [StoreError::Quota, StoreError::TooLarge { most: 5 }].iter().map(refusal).collect();
        assert!(said.iter().all(|refusal| !refusal.sentence().contains("without keep")), "{said:?}");
    }
}
