//! What is kept: bytes as content-addressed chunks, a manifest for each whole, and small records beside them,
//! in a folder or in S3-compatible storage. It decides nothing about who may keep what for how long, and it
//! never shows half of anything.
//!
//! **Objects.** A *chunk* is up to [`CHUNK`] bytes under its BLAKE3; it is checked whenever it is read, so the
//! same bytes lie there once and damage is found. A *manifest* lists the chunks of one whole; it is written
//! last, in one step, so a whole is there or it is not. A *record* is a small value under a [`RecordKey`], with
//! create-if-absent and compare-and-set.
//!
//! **Durable.** What is answered with `Ok` survives a crash: in a folder every file is written beside its
//! place, fsynced, renamed or linked into it, and its folder fsynced (`object_store` does this).
//!
//! **The sweep** ([`Store::sweep`]) removes manifests whose time is over and chunks that nothing refers to. It
//! may run on several nodes at once and beside any ingest: a chunk that looks unused is first moved to a
//! place from which readers still find it, and goes for good only when nothing refers to it a grace later.
//! An [`Ingest`] says from time to time what it has written so far, so it may take as long as it likes. The
//! clocks of the nodes and of the storage must agree within a fifth of [`Options::grace`].
//!
//! **In one process or many.** Compare-and-set is by conditional writes on S3 (RFC 9110 §13.1.1), and by a lock
//! of this process in a folder: nodes that share a folder may create records and read them, and of two that
//! change one at the same moment the later write stays.
//!
//! ```no_run
//! # async fn f(store: roomdrop::store::Store) -> Result<(), roomdrop::store::StoreError> {
//! use roomdrop::store::{ManifestId, Whole};
//!
//! let mut ingest = store.ingest(Whole { id: ManifestId::from_random(7), size: None, lifetime: None }).await?;
//! ingest.write(bytes::Bytes::from_static(b"hello")).await?;
//! let manifest = ingest.finish().await?;
//! let mut reader = store.reader(&manifest, 1..4);
//! assert_eq!(reader.next(1 << 20).await?.as_deref(), Some(&b"ell"[..]));
//! # Ok(()) }
//! ```

mod chunks;
mod error;
mod ingest;
mod lease;
mod manifest;
mod place;
mod reader;
mod records;
mod sealed;
mod staged;
mod sweep;
mod sweeper;
mod usage;

use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use object_store::ObjectStore;

pub use self::error::StoreError;
pub use self::ingest::{Ingest, Whole};
pub use self::manifest::{Manifest, ManifestId};
pub use self::place::Place;
pub use self::reader::Reader;
pub use self::records::{Record, RecordKey, Tag};
pub use self::sealed::Sealed;
pub use self::sweep::Swept;
pub use self::sweeper::Sweeper;

use self::place::Swaps;
use self::usage::Usage;
use crate::protocol::Moment;

/// Bytes of a chunk, at most. All of a whole's chunks are of this size but the last, so equal bytes make equal
/// chunks. Larger ones cost more to read a small range of, smaller ones more to write.
pub const CHUNK: usize = 4 << 20;

/// What an operator may choose.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where.
    pub place: Place,
    /// How long a whole is kept unless it is said otherwise.
    pub lifetime: Duration,
    /// Bytes of one whole, at most.
    pub max_size: u64,
    /// Bytes of all chunks together, at most. Each node counts what it wrote, and all of them at each sweep, so
    /// many nodes may pass it by what they write between two sweeps.
    pub quota: u64,
    /// How long a chunk that nothing refers to stays, twice. [`GRACE`], but for tests.
    pub grace: Duration,
}

/// How long what looks unused is left alone.
pub const GRACE: Duration = Duration::from_secs(10 * 60);

/// What is kept. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    objects: Arc<dyn ObjectStore>,
    swaps: Swaps,
    usage: Usage,
    options: Options,
}

impl Store {
    /// The store at that place. Nothing is read or made there before the first use. Of the `environment`, as
    /// [`std::env::vars_os`] gives it, S3 takes what begins with `AWS_`.
    ///
    /// # Errors
    /// [`StoreError::Place`] when the place cannot be meant.
    pub fn open(
        options: Options,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, StoreError> {
        let (objects, swaps) = place::open(&options.place, environment)?;
        let usage = Usage::new(options.quota);
        Ok(Self(Arc::new(Inner { objects, swaps, usage, options })))
    }

    /// What the operator chose.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// Whether a whole of this size could be taken now; nothing is set aside.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`], [`StoreError::Quota`], or [`StoreError::Away`] when the storage cannot be
    /// reached to know. Costs one listing of all chunks the first time, and nothing after.
    pub async fn has_room_for(&self, size: u64) -> Result<(), StoreError> {
        self.promise(Some(size)).await.map(drop)
    }

    fn objects(&self) -> &dyn ObjectStore {
        self.0.objects.as_ref()
    }
}

/// Now, by the wall clock.
fn now() -> Moment {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment::from_micros(0) + passed
}
