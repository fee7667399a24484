//! Chunks by their address. A chunk is written at most once while it is young; one that is old is written
//! again when it is wanted again, so that a sweep that has just found it unused sees that it is not. What was
//! taken away as unused is still found until it goes for good.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::str::FromStr;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{GetResultPayload, ObjectStoreExt, PutPayload};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::error::StoreError;
use super::usage::Promise;
use super::{CHUNK, Store, now};
use crate::protocol::Moment;

/// BLAKE3 of a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Address(blake3::Hash);

impl Address {
    pub(super) fn of<'a>(parts: impl IntoIterator<Item = &'a Bytes>) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize())
    }

    fn path(self) -> Path {
        let hex = self.0.to_hex();
        Path::from_iter(["chunks", hex.get(..2).unwrap_or_default(), hex.as_str()])
    }

    fn trash(self) -> Path {
        let hex = self.0.to_hex();
        Path::from_iter(["trash", hex.get(..2).unwrap_or_default(), hex.as_str()])
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_hex().as_str())
    }
}

impl TryFrom<String> for Address {
    type Error = blake3::HexError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        blake3::Hash::from_str(&text).map(Self)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0.to_hex().to_string()
    }
}

/// One chunk of a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Piece {
    pub(super) address: Address,
    /// Bytes; never none.
    pub(super) length: u64,
}

pub(super) fn root() -> Path {
    Path::from("chunks")
}

/// Bytes that are read at once: few enough for a processor's own memory.
const AT_HAND: u64 = 256 << 10;

/// How often a chunk is looked for before it counts as lost. A sweep moves one at most twice within a grace.
const LOOKS: usize = 3;

/// The chunk that lies there, or none.
pub(super) fn address_at(path: &Path) -> Option<Address> {
    Address::try_from(path.filename()?.to_owned()).ok()
}

/// A chunk that was taken away as unused.
#[derive(Debug, Clone)]
pub(super) struct Trashed {
    path: Path,
    pub(super) address: Address,
    pub(super) at: Moment,
    /// Bytes.
    pub(super) size: u64,
}

impl Trashed {
    fn read(path: Path, size: u64) -> Option<Self> {
        let millis: u64 = path.filename()?.parse().ok()?;
        let mut parts: Vec<_> = path.parts().collect();
        let hex = parts.split_off(parts.len().checked_sub(2)?).into_iter().next()?;
        let address = Address::try_from(hex.as_ref().to_owned()).ok()?;
        let at = Moment::from_micros(millis.saturating_mul(1000));
        Some(Self { path, address, at, size })
    }
}

impl Store {
    /// Writes a chunk that was promised, unless it lies there and is young.
    pub(super) async fn put_chunk(
        &self,
        piece: Piece,
        parts: Vec<Bytes>,
        promise: &Promise,
    ) -> Result<(), StoreError> {
        let path = piece.address.path();
        let found = match self.objects().head(&path).await.map_err(StoreError::from) {
            Ok(meta) => Some(meta),
            Err(StoreError::NotFound) => None,
            Err(error) => return Err(error),
        };
        let is_young = |seconds: i64| {
            let age = now().since(Moment::from_micros(u64::try_from(seconds).unwrap_or(0) * 1_000_000));
            age < self.0.options.grace / 2
        };
        let is_there = found.as_ref().is_some_and(|meta| meta.size == piece.length);
        if !(is_there && found.is_some_and(|meta| is_young(meta.last_modified.timestamp()))) {
            let payload: PutPayload = parts.into_iter().collect();
            self.objects().put(&path, payload).await?;
        }
        promise.written(piece.length, !is_there);
        Ok(())
    }

    /// Reads a chunk and checks it.
    pub(super) async fn chunk(&self, piece: Piece) -> Result<Bytes, StoreError> {
        if piece.length > CHUNK as u64 {
            return Err(StoreError::Damaged);
        }
        let (found, bytes) = self.find_chunk(piece.address).await?;
        if found == piece.address && bytes.len() as u64 == piece.length {
            Ok(bytes)
        } else {
            Err(StoreError::Damaged)
        }
    }

    /// What lies there, and what its address would be.
    async fn hashed(&self, path: &Path) -> Result<(Address, Bytes), StoreError> {
        let found = self.objects().get(path).await?;
        if found.meta.size > CHUNK as u64 {
            return Err(StoreError::Damaged);
        }
        if let GetResultPayload::File(file, _) = found.payload {
            let size = usize::try_from(found.meta.size).unwrap_or(CHUNK);
            let read = spawn_blocking(move || read_hashed(file, size)).await?;
            return read.map_err(|error| StoreError::Away(error.to_string()));
        }
        let bytes = found.bytes().await?;
        Ok(spawn_blocking(move || (Address::of([&bytes]), bytes)).await?)
    }

    /// Looks where it belongs and where it may have been taken away to. A sweep moves it from the one to the other
    /// and back, perhaps just between two looks, so it looks more than once.
    async fn find_chunk(&self, address: Address) -> Result<(Address, Bytes), StoreError> {
        for _ in 0..LOOKS {
            if let Some(chunk) = found(self.hashed(&address.path()).await)? {
                return Ok(chunk);
            }
            let mut listing = self.objects().list(Some(&address.trash()));
            while let Some(object) = found(listing.try_next().await.map_err(StoreError::from))?.flatten() {
                if let Some(chunk) = found(self.hashed(&object.location).await)? {
                    return Ok(chunk);
                }
            }
        }
        Err(StoreError::Damaged)
    }

    /// Takes a chunk away; it is found there for a while. One that is gone already is no error.
    pub(super) async fn trash_chunk(&self, address: Address) -> Result<(), StoreError> {
        let to = address.trash().join(now().unix_millis().to_string());
        gone_is_fine(self.objects().rename(&address.path(), &to).await)
    }

    /// Brings a chunk back.
    pub(super) async fn restore_chunk(&self, trashed: &Trashed) -> Result<(), StoreError> {
        gone_is_fine(self.objects().rename(&trashed.path, &trashed.address.path()).await)
    }

    /// Removes a chunk that was taken away for good.
    pub(super) async fn remove_chunk(&self, trashed: &Trashed) -> Result<(), StoreError> {
        gone_is_fine(self.objects().delete(&trashed.path).await)
    }

    /// What was taken away.
    pub(super) async fn trashed(&self) -> Result<Vec<Trashed>, StoreError> {
        let mut listing = self.objects().list(Some(&Path::from("trash")));
        let mut trashed = Vec::new();
        while let Some(object) = listing.try_next().await? {
            trashed.extend(Trashed::read(object.location, object.size));
        }
        Ok(trashed)
    }
}

/// Reads a chunk piece by piece, and hashes each while the processor still has it at hand: in one go, a chunk
/// would come from memory twice.
fn read_hashed(file: File, size: usize) -> std::io::Result<(Address, Bytes)> {
    let mut file = file.take(CHUNK as u64);
    let (mut bytes, mut hasher) = (Vec::with_capacity(size), blake3::Hasher::new());
    loop {
        let before = bytes.len();
        file.by_ref().take(AT_HAND).read_to_end(&mut bytes)?;
        if bytes.len() == before {
            return Ok((Address(hasher.finalize()), bytes.into()));
        }
        hasher.update(bytes.get(before..).unwrap_or_default());
    }
}

/// What there is, or nothing.
fn found<T>(outcome: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(StoreError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

fn gone_is_fine(outcome: object_store::Result<()>) -> Result<(), StoreError> {
    match outcome.map_err(StoreError::from) {
        Err(StoreError::NotFound) | Ok(()) => Ok(()),
        Err(error) => Err(error),
    }
}
