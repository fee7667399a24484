//! An upload begins: whatever could be refused at its end for its form, its size, its room or the want of place is
//! refused here, before a byte is taken.

use std::sync::atomic::Ordering;

use super::goal::{self, Fresh};
use super::metadata::Metadata;
use super::record::{Kept, Key};
use super::upload::{Life, Part, too_large};
use super::{Inner, Kind, Outcome, Role, Upload, Wish, random, refusal};
use crate::protocol::{DropId, ErrorCode, Refusal, Secret, TransferId};
use crate::store::ManifestId;

/// Uploads that are remembered, ended ones included until their time is over; one more is refused with
/// `overloaded`. Nodes that share a store count what the others began at each tidying.
const MOST_UPLOADS: usize = 10_000;
/// Pieces that one upload may be put together from.
const MOST_PIECES: usize = 1000;

impl Inner {
    /// Begins an upload, and publishes one that needs no bytes.
    pub(super) async fn begin(&self, wish: Wish) -> Outcome<(Secret, Upload)> {
        let Wish { kind, metadata, door } = wish;
        let said = Metadata::parse(&metadata)?;
        let (length, role, parts) = match kind {
            Kind::Single(length) => (length, Role::Single, Vec::new()),
            Kind::Partial(length) => (length, Role::Partial, Vec::new()),
            Kind::Final { header, of } => {
                let parts = self.parts_of(&of).await?;
                (Some(parts.iter().map(|part| part.size).sum()), Role::Final(header), parts)
            }
        };
        if length.is_some_and(|length| length > self.most()) {
            return Err(too_large(self.most()));
        }
        let now = self.now();
        let (drop, transfer) = (DropId::from_random(random()), TransferId::from_random(random()));
        let fresh = Fresh { drop, transfer, key: Secret::from_random(random()), now };
        let goal = if role == Role::Partial { None } else { goal::read(&said, door, length, fresh)? };
        let transfer = goal.as_ref().and_then(|goal| goal.drop.transfers.first());
        let whole = transfer.and_then(|offered| ManifestId::new(offered.transfer.as_str()));
        let missing = if parts.is_empty() { length.unwrap_or_default() } else { 0 };
        self.must_have_room(missing).await?;
        if let Some(goal) = &goal {
            self.weigh(goal).await?;
        }
        let upload = Upload {
            length,
            metadata,
            role,
            expires: now + self.store.options().lifetime,
            whole: whole.unwrap_or_else(|| ManifestId::from_random(random())),
            goal,
            parts,
            life: Life::Open,
        };
        let id = Secret::from_random(random());
        let mut kept = self.create(Key::of(&id)?, upload).await?;
        self.known.fetch_add(1, Ordering::Relaxed);
        if let Err(refusal) = self.finish(&mut kept).await {
            self.drop_upload(&kept).await?;
            return Err(refusal);
        }
        Ok((id, kept.upload))
    }

    /// The parts of uploads that are to be one.
    async fn parts_of(&self, pieces: &[Secret]) -> Outcome<Vec<Part>> {
        let bad = |why: &str| Refusal::new(ErrorCode::BadRequest, why);
        if pieces.is_empty() || pieces.len() > MOST_PIECES {
            return Err(bad("Upload-Concat names 1 to 1000 uploads after final;."));
        }
        let (mut parts, mut size) = (Vec::new(), 0_u64);
        for id in pieces {
            let Kept { upload, .. } = self.load(&Key::of(id)?).await?;
            upload.must_live(self.now())?;
            if upload.role != Role::Partial || !upload.has_all() {
                return Err(bad(
                    "Each upload in Upload-Concat must be a partial one that has all its bytes.",
                ));
            }
            size = size.saturating_add(upload.offset());
            if size > self.most() {
                return Err(too_large(self.most()));
            }
            parts.extend(upload.parts);
        }
        Ok(parts)
    }

    async fn must_have_room(&self, bytes: u64) -> Outcome<()> {
        let counting =
            || async { self.keys().await.map(|keys| self.known.store(keys.len(), Ordering::Relaxed)) };
        self.counted.get_or_try_init(counting).await?;
        if self.known.load(Ordering::Relaxed) >= MOST_UPLOADS {
            let why = "Too many uploads are under way here; try again when some have ended.";
            return Err(Refusal::new(ErrorCode::Overloaded, why));
        }
        self.store.has_quota_for(bytes).await.map_err(|error| refusal(&error))
    }
}
