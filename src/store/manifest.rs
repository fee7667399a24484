//! What a whole consists of. A manifest is written as JSON, once and never changed; one of a form that this
//! version does not know is refused as damaged rather than guessed at.

use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutMode, PutOptions};
use serde::{Deserialize, Serialize};

use super::chunks::{Address, Piece};
use super::error::StoreError;
use super::{Store, now};
use crate::protocol::{Digest, Moment};

/// What a manifest is found by: 1 to 64 of `a-z 0-9 -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ManifestId(String);

impl ManifestId {
    /// The id, if the text is of its form.
    pub fn new(text: &str) -> Option<Self> {
        let is_fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        ((1..=64).contains(&text.len()) && text.bytes().all(is_fine)).then(|| Self(text.to_owned()))
    }

    /// The id of these 128 random bits.
    pub fn from_random(bits: u128) -> Self {
        Self(format!("{bits:032x}"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ManifestId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text).ok_or("1 to 64 of a-z 0-9 -")
    }
}

impl From<ManifestId> for String {
    fn from(id: ManifestId) -> Self {
        id.0
    }
}

/// What a whole consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What it is found by.
    pub id: ManifestId,
    /// Bytes.
    pub size: u64,
    /// BLAKE3 of all of them.
    pub digest: Digest,
    /// When it was whole.
    pub created: Moment,
    /// When it ends.
    pub expires: Moment,
    /// Its chunks, in order.
    pub(super) chunks: Vec<Piece>,
}

impl Manifest {
    /// Whether its time is over.
    pub fn is_over(&self) -> bool {
        self.expires <= now()
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = Address> + '_ {
        self.chunks.iter().map(|piece| piece.address)
    }

    fn is_sound(&self) -> bool {
        let sizes = self.chunks.iter().try_fold(0_u64, |sum, piece| sum.checked_add(piece.length));
        sizes == Some(self.size)
    }
}

fn path(id: &ManifestId) -> Path {
    Path::from_iter(["manifests", id.as_str()])
}

impl Store {
    /// The manifest of this id; also one whose time is over, until it is swept.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Damaged`], [`StoreError::Away`].
    pub async fn manifest(&self, id: &ManifestId) -> Result<Manifest, StoreError> {
        let bytes = self.objects().get(&path(id)).await?.bytes().await?;
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|_| StoreError::Damaged)?;
        if manifest.is_sound() && manifest.id == *id { Ok(manifest) } else { Err(StoreError::Damaged) }
    }

    /// The ids of all manifests, in no order. Costs one listing.
    ///
    /// # Errors
    /// [`StoreError::Away`].
    pub async fn manifests(&self) -> Result<Vec<ManifestId>, StoreError> {
        let mut listing = self.objects().list(Some(&Path::from("manifests")));
        let mut ids = Vec::new();
        while let Some(object) = listing.try_next().await? {
            ids.extend(object.location.filename().and_then(ManifestId::new));
        }
        Ok(ids)
    }

    /// Deletes a manifest; its bytes are free when the sweep has found that nothing else refers to them, after
    /// twice the grace. One that is not there is no error.
    ///
    /// # Errors
    /// [`StoreError::Away`].
    pub async fn delete(&self, id: &ManifestId) -> Result<(), StoreError> {
        match self.objects().delete(&path(id)).await.map_err(StoreError::from) {
            Err(StoreError::NotFound) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn publish(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(manifest).map_err(|error| StoreError::Away(error.to_string()))?;
        let options = PutOptions::from(PutMode::Create);
        self.objects().put_opts(&path(&manifest.id), bytes.into(), options).await?;
        Ok(())
    }
}
