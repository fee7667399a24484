//! Where uploads stand in the storage. A *plan* is a record that a handshake makes; a *part* is a manifest and,
//! beside it, a record whose name says all of it; a whole *upload* is a manifest and a record with its extension.
//! Of a part the manifest is written first and goes last, so a record that is there has its bytes; of a whole the
//! record is first, so that the manifest, in one step, is the moment from which the file is there.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::Uploads;
use super::error::refusal;
use super::known::Known;
use super::part::{Part, Parts};
use super::plan::Plan;
use crate::protocol::uploads::{ChunkId, Extension, FileId};
use crate::protocol::{ErrorCode, Moment, Refusal};
use crate::store::{Manifest, ManifestId, RecordKey, Sealed, StoreError};

/// The kinds of the records.
pub(super) const PLANS: &str = "upload-plans";
pub(super) const PARTS: &str = "upload-parts";
pub(super) const UPLOADS: &str = "uploads";

/// Plans of unfinished files at once, at most, on all nodes; beyond it a new one is refused as `overloaded`.
const MOST_PLANS: usize = 4000;
/// Of one file.
const PLANS_OF_A_FILE: usize = 16;
/// Things that are read or deleted at once.
const AT_ONCE: usize = 16;

/// A whole file that is here.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Its bytes.
    pub manifest: Manifest,
    /// As what it was uploaded.
    pub ext: Extension,
}

/// What a plan's record says.
#[derive(Serialize, Deserialize)]
struct Written<T> {
    ext: String,
    chunks: T,
}

fn key(parts: &[&str]) -> Result<RecordKey, StoreError> {
    RecordKey::new(parts.iter().copied()).ok_or(StoreError::NotFound)
}

fn plan_key(plan: &Plan) -> Result<RecordKey, StoreError> {
    let ext = format!("e{}", hex::encode(plan.ext.as_str()));
    key(&[PLANS, &plan.file.to_string(), &plan.name, &ext])
}

/// What the bytes of a whole are found by, and the record beside it.
fn whole_keys(file: FileId, nonce: &str) -> Result<(ManifestId, RecordKey), StoreError> {
    let id = ManifestId::new(&format!("upload-{file}-{nonce}")).ok_or(StoreError::NotFound)?;
    Ok((id, key(&[UPLOADS, &file.to_string(), nonce])?))
}

/// A whole that a record tells of, by the record's key.
pub(super) fn whole_of(key: &RecordKey) -> Option<ManifestId> {
    let mut parts = key.parts().skip(1);
    let file = FileId::new(parts.next()?)?;
    whole_keys(file, parts.next()?).ok().map(|(id, _)| id)
}

impl Uploads {
    /// The whole file, if it is here; of several the one that ends last.
    pub(super) async fn whole(&self, file: FileId) -> Result<Option<Upload>, StoreError> {
        let mut found: Option<Upload> = None;
        for key in self.store().records([UPLOADS, &file.to_string()]).await? {
            let Some(id) = whole_of(&key) else { continue };
            let manifest = match self.store().manifest(&id).await {
                Ok(manifest) if !manifest.is_over() => manifest,
                Ok(_) | Err(StoreError::NotFound | StoreError::Damaged) => continue,
                Err(error) => return Err(error),
            };
            let ext = match self.store().record(&key).await {
                Ok(record) => std::str::from_utf8(&record.value).ok().and_then(Extension::new),
                Err(StoreError::NotFound) => None,
                Err(error) => return Err(error),
            };
            let Some(ext) = ext else { continue };
            if found.as_ref().is_none_or(|found| found.manifest.expires < manifest.expires) {
                found = Some(Upload { manifest, ext });
            }
        }
        Ok(found)
    }

    /// A name for a whole that is about to be made, and its record.
    pub(super) fn name_whole(&self, file: FileId) -> Result<(ManifestId, RecordKey), StoreError> {
        whole_keys(file, &format!("{:016x}", rand::random::<u64>()))
    }

    /// Writes a plan down, unless it is, and remembers it.
    pub(super) async fn write_down(&self, plan: Plan) -> Result<Arc<Known>, Refusal> {
        let (file, key) = (plan.file.to_string(), plan_key(&plan).map_err(refusal)?);
        let of_file = self.store().records([PLANS, &file]).await.map_err(refusal)?;
        if !of_file.contains(&key) {
            let all = self.store().records([PLANS]).await.map_err(refusal)?;
            if of_file.len() >= PLANS_OF_A_FILE || all.len() >= MOST_PLANS {
                let why = "Too many uploads are unfinished; finish one, or try again in an hour.";
                return Err(Refusal::new(ErrorCode::Overloaded, why));
            }
            let written = Written { ext: plan.ext.as_str().to_owned(), chunks: plan.chunks() };
            let value = serde_json::to_vec(&written).map_err(|_| ErrorCode::Internal)?;
            match self.store().create_record(&key, value.into()).await {
                Ok(_) | Err(StoreError::Exists) => {}
                Err(error) => return Err(refusal(error)),
            }
        }
        Ok(self.0.plans.remember(plan))
    }

    /// Reads the plans of a file and remembers them.
    pub(super) async fn read_plans(&self, file: FileId) -> Result<(), StoreError> {
        for key in self.store().records([PLANS, &file.to_string()]).await? {
            let value = match self.store().record(&key).await {
                Ok(record) => record.value,
                Err(StoreError::NotFound) => continue,
                Err(error) => return Err(error),
            };
            let Ok(written) = serde_json::from_slice::<Written<Vec<ChunkId>>>(&value) else { continue };
            let Some(ext) = Extension::new(&written.ext) else { continue };
            if let Ok(plan) = Plan::new(file, ext, written.chunks) {
                self.0.plans.remember(plan);
            }
        }
        Ok(())
    }

    /// What is here of a plan. Costs one listing of it.
    pub(super) async fn parts(&self, known: &Known) -> Result<Parts, StoreError> {
        let Plan { file, name, .. } = &known.plan;
        let keys = self.store().records([PARTS, &file.to_string(), name]).await?;
        let now = now();
        let parts = keys.iter().filter_map(part_of).filter(|part| !part.is_over(now));
        let parts: Parts = parts.collect();
        known.see(parts.clone());
        Ok(parts)
    }

    /// Makes a chunk that has come in a part of a plan: from here on it survives everything.
    pub(super) async fn add_part(
        &self,
        plan: &Plan,
        chunk: &ChunkId,
        sealed: Sealed,
        nonce: u64,
    ) -> Result<RecordKey, StoreError> {
        let manifest = sealed.publish().await?;
        let part = Part::new(chunk, manifest.size, manifest.expires, nonce);
        let key = key(&[PARTS, &plan.file.to_string(), &plan.name, &part.name()])?;
        self.store().create_record(&key, Bytes::new()).await?;
        Ok(key)
    }

    /// Deletes the part that a record tells of.
    pub(super) async fn remove_part(&self, key: &RecordKey) -> Result<(), StoreError> {
        self.store().delete_record(key).await?;
        match part_of(key).and_then(|part| part.manifest()) {
            Some(id) => self.store().delete(&id).await,
            None => Ok(()),
        }
    }

    /// Deletes all parts below `below`: of a file, or of one of its plans.
    pub(super) async fn remove_parts<'a>(
        &self,
        below: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), StoreError> {
        let keys = self.store().records(std::iter::once(PARTS).chain(below)).await?;
        let removed = stream::iter(keys).map(async move |key| self.remove_part(&key).await);
        removed.buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Deletes all plans of a file.
    pub(super) async fn remove_plans(&self, file: FileId) -> Result<(), StoreError> {
        for key in self.store().records([PLANS, &file.to_string()]).await? {
            self.store().delete_record(&key).await?;
        }
        Ok(())
    }

    /// The bytes of all chunks of a plan, in the order of the file. `NotFound` where one is gone, whose record is
    /// then removed.
    pub(super) async fn bytes_of(&self, plan: &Plan, parts: &Parts) -> Result<Vec<Manifest>, StoreError> {
        let distinct = plan.distinct().into_iter();
        let distinct: Vec<_> =
            distinct.filter_map(|chunk| Some((chunk.clone(), parts.of(chunk)?.clone()))).collect();
        let read = stream::iter(distinct).map(|(chunk, part)| self.read_part(plan, chunk, part));
        let found: HashMap<_, _> = read.buffer_unordered(AT_ONCE).try_collect().await?;
        let in_order =
            plan.chunks().iter().map(|chunk| found.get(chunk).cloned().ok_or(StoreError::NotFound));
        in_order.collect()
    }

    async fn read_part(
        &self,
        plan: &Plan,
        chunk: ChunkId,
        part: Part,
    ) -> Result<(ChunkId, Manifest), StoreError> {
        let id = part.manifest().ok_or(StoreError::NotFound)?;
        match self.store().manifest(&id).await {
            Ok(manifest) => Ok((chunk, manifest)),
            Err(error @ (StoreError::NotFound | StoreError::Damaged)) => {
                tracing::warn!(%error, "a part of an upload is lost; it is asked for again");
                let file = plan.file.to_string();
                self.remove_part(&key(&[PARTS, &file, &plan.name, &part.name()])?).await?;
                Err(StoreError::NotFound)
            }
            Err(error) => Err(error),
        }
    }
}

/// The part that a record tells of.
pub(super) fn part_of(key: &RecordKey) -> Option<Part> {
    key.parts().last().and_then(Part::parse)
}

/// Now, by the wall clock, as the storage reads it too.
pub(super) fn now() -> Moment {
    let passed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Moment::from_micros(0) + passed
}
