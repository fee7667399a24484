//! Uploads that go on where they stopped (tus 1.0): what a client was told is safe stays so, whatever becomes of
//! the link, the client or the server; what is whole becomes a file of its own or a kept drop of a room. It decides
//! no rule of a room, and knows no HTTP.
//!
//! An upload is a record in the store, changed by compare-and-set, and its bytes as manifests there, one for each
//! piece that was made safe. When all are there they are made one manifest, without being written again.
//!
//! | file | what it does |
//! |---|---|
//! | `metadata`, `goal` | what a client says of an upload, and the drop that it is to become |
//! | `upload` | one upload, and what may be done with it: pure |
//! | `record` | where it is written down |
//! | `seat` | one sender at a time on this node; over nodes the record decides |
//! | `begin` | what is refused before a byte is taken |
//! | `append` | a body on its way into it |
//! | `checksum` | the digest of one body |
//! | `finish` | when it is whole |
//! | `tidy` | what nobody comes back for |

mod append;
mod begin;
mod checksum;
mod finish;
mod goal;
mod metadata;
mod record;
mod seat;
#[cfg(test)]
mod tests;
mod tidy;
mod upload;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::append::Append;
pub use self::checksum::{ALGORITHMS, Checksum};
pub use self::upload::{Role, Upload};

use self::metadata::Metadata;
use self::record::{Kept, Key};
use self::seat::{Hold, Seats};
use self::upload::{Part, too_large};
use crate::depot::Depot;
use crate::hub::{Hub, Outcome, TransferCommand, Wish as Steering, ask};
use crate::protocol::{ErrorCode, FileName, Moment, Party, Passphrase, Refusal, Secret};
use crate::store::{Manifest, Reader, Store, StoreError};

/// What an operator may choose.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bodies that are taken at once on this node; one more is refused with `overloaded`. Each holds up to 12 MiB.
    pub at_once: usize,
    /// How long a body may stand still.
    pub patience: Duration,
}

/// Uploads that go on where they stopped. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Tus(Arc<Inner>);

struct Inner {
    store: Store,
    depot: Depot,
    hub: Hub,
    options: Options,
    bodies: Arc<Semaphore>,
    seats: Seats,
    /// How many are remembered, about,
    known: AtomicUsize,
    /// once they were counted.
    counted: OnceCell<()>,
    ended: CancellationToken,
    tasks: TaskTracker,
}

/// What is to be uploaded.
#[derive(Debug)]
pub struct Wish {
    /// Its part in a concatenation.
    pub kind: Kind,
    /// `Upload-Metadata` as it came.
    pub metadata: String,
    /// What opens the room that it names.
    pub door: Door,
}

/// What kind of an upload is wished for.
#[derive(Debug)]
pub enum Kind {
    /// A file of so many bytes, or of a number that will be said.
    Single(Option<u64>),
    /// A piece of a file.
    Partial(Option<u64>),
    /// A file made of pieces.
    Final {
        /// `Upload-Concat` as it came.
        header: String,
        /// The pieces.
        of: Vec<Secret>,
    },
}

/// What opens a room, and as whom.
#[derive(Debug, Default)]
pub struct Door {
    /// The room's.
    pub passphrase: Option<Passphrase>,
    /// A member's, whose drop it is to be.
    pub key: Option<Secret>,
}

impl Tus {
    /// Uploads into `store`, which become drops in `depot` and the rooms of `hub`. Call it within a runtime.
    pub fn new(store: Store, depot: Depot, hub: Hub, options: Options) -> Self {
        let bodies = Arc::new(Semaphore::new(options.at_once));
        let tus = Self(Arc::new(Inner {
            store,
            depot,
            hub,
            options,
            bodies,
            seats: Seats::default(),
            known: AtomicUsize::new(0),
            counted: OnceCell::new(),
            ended: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }));
        let (inner, ended) = (tus.0.clone(), tus.0.ended.clone());
        tus.0.tasks.spawn(ended.run_until_cancelled_owned(async move { inner.tidy().await }));
        tus
    }

    /// Makes safe what came, ends every task, and waits until they have ended.
    pub async fn close(&self) {
        self.0.ended.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Bytes of one upload, at most.
    pub fn max_size(&self) -> u64 {
        self.0.most()
    }

    /// Begins an upload; its id is the right to it. One that needs no bytes is whole at once.
    ///
    /// # Errors
    /// `bad_request`, `too_large`, `storage_full`, `overloaded`, and what its room, or a hook, says to it.
    pub async fn create(&self, wish: Wish) -> Outcome<(Secret, Upload)> {
        let inner = self.0.clone();
        self.run(async move { inner.begin(wish).await }).await
    }

    /// How an upload stands; what is on its way to it is made safe first, and one that has all its bytes published.
    ///
    /// # Errors
    /// `not_found`, `expired`, why it was refused in the end; `storage_unavailable`.
    pub async fn look(&self, id: &Secret) -> Outcome<Upload> {
        let (inner, key) = (self.0.clone(), Key::of(id)?);
        self.run(async move { inner.look(&key).await }).await
    }

    /// Takes a body to its end, whether or not whoever asked still waits. What of the body was not read comes back.
    ///
    /// # Errors
    /// As [`Self::look`]; `upload_busy`, `unexpected_chunk` for another offset than where the upload stands,
    /// `digest_mismatch`, `too_large`, `storage_full`, `too_slow`, `overloaded`.
    pub async fn append<E>(
        &self,
        id: &Secret,
        what: Append,
        body: impl Stream<Item = Result<Bytes, E>> + Unpin + Send + 'static,
    ) -> (Outcome<Upload>, Option<impl Stream<Item = Result<Bytes, E>> + Send + 'static>)
    where
        E: Send + 'static,
    {
        let (inner, id) = (self.0.clone(), id.clone());
        let mut body = body;
        let taken = self.0.tasks.spawn(async move {
            let outcome = inner.append(&id, what, &mut body).await;
            (outcome, body)
        });
        match taken.await {
            Ok((outcome, rest)) => (outcome, Some(rest)),
            Err(_) => (Err(ErrorCode::Internal.into()), None),
        }
    }

    /// Ends an upload; one that has become a drop is withdrawn from its room.
    ///
    /// # Errors
    /// `not_found`, `upload_busy` while it is being published, `storage_unavailable`.
    pub async fn remove(&self, id: &Secret) -> Outcome<()> {
        let (inner, key) = (self.0.clone(), Key::of(id)?);
        self.run(async move { inner.remove(&key).await }).await
    }

    /// What an upload has become, and its name if it said one that a file may have.
    ///
    /// # Errors
    /// As [`Self::look`]; `not_found` while it is not whole, `expired` when it is no longer kept.
    pub async fn whole(&self, id: &Secret) -> Outcome<(Option<FileName>, Manifest)> {
        let upload = self.0.load(&Key::of(id)?).await?.upload;
        upload.must_live(self.0.now())?;
        if !upload.is_done() {
            let why = "This upload is not whole yet; ask with HEAD how far it is.";
            return Err(Refusal::new(ErrorCode::NotFound, why));
        }
        match self.0.store.manifest(&upload.whole).await {
            Ok(manifest) => Ok((goal::file_name(&Metadata::parse(&upload.metadata)?)?, manifest)),
            Err(StoreError::NotFound) => Err(ErrorCode::Expired.into()),
            Err(error) => Err(refusal(&error)),
        }
    }

    /// Reads a stretch of what an upload has become.
    pub fn reader(&self, manifest: &Manifest, stretch: Range<u64>) -> Reader {
        self.0.store.reader(manifest, stretch)
    }

    /// Does it to its end, whether or not whoever asked still waits.
    async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Outcome<T>> + Send + 'static,
    ) -> Outcome<T> {
        self.0.tasks.spawn(work).await.unwrap_or_else(|_| Err(ErrorCode::Internal.into()))
    }
}

impl Inner {
    fn most(&self) -> u64 {
        self.store.options().max_size
    }

    fn now(&self) -> Moment {
        self.hub.clock().now()
    }

    async fn look(&self, key: &Key) -> Outcome<Upload> {
        self.seats.make_safe(key).await;
        let kept = self.load(key).await?;
        kept.upload.must_live(self.now())?;
        if !kept.upload.is_due() {
            return Ok(kept.upload);
        }
        let _hold = self.seats.enter_when_free(key).await;
        let mut kept = self.load(key).await?;
        self.finish(&mut kept).await?;
        kept.upload.must_live(self.now())?;
        Ok(kept.upload)
    }

    async fn append<E>(
        &self,
        id: &Secret,
        what: Append,
        body: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
    ) -> Outcome<Upload> {
        let key = Key::of(id)?;
        let Append { offset, length, bytes, checksum } = what;
        // Refused before anyone is disturbed.
        self.load(&key).await?.upload.must_live(self.now())?;
        let _permit = self.bodies.try_acquire().map_err(|_| ErrorCode::Overloaded)?;
        let hold: Hold = self.seats.enter(&key).await?;
        let mut kept = self.load(&key).await?;
        kept.upload.must_live(self.now())?;
        let mut begun = kept.upload.clone();
        begun.begin(offset, length, bytes, self.most())?;
        self.store.has_quota_for(bytes.unwrap_or_default()).await.map_err(|error| refusal(&error))?;
        if begun != kept.upload {
            self.save(&mut kept, begun).await?;
        }
        let taken = if kept.upload.is_done() {
            Ok(())
        } else {
            self.take_body(&hold, &mut kept, checksum, body).await
        };
        // Whole is whole, also when the link broke behind the last byte.
        self.finish(&mut kept).await?;
        taken.map(|()| kept.upload)
    }

    async fn remove(&self, key: &Key) -> Outcome<()> {
        let _hold = self.seats.enter_by_force(key).await?;
        let kept = self.load(key).await?;
        if let (Some(goal), true) = (kept.upload.goal(), kept.upload.is_done()) {
            for offered in &goal.drop.transfers {
                let transfer = self.hub.transfer_at(&offered.transfer);
                let (wish, by) = (Steering::Cancel, Party::Sender);
                // One that nobody knows has nothing to cancel.
                let _ = ask(|answer| transfer.send(TransferCommand::Steer { wish, by, answer })).await;
            }
            self.withdraw(goal).await?;
        }
        self.drop_upload(&kept).await
    }

    /// Forgets an upload and what it alone refers to; what has become a drop stays.
    async fn drop_upload(&self, kept: &Kept) -> Outcome<()> {
        let upload = &kept.upload;
        self.forget(&kept.key).await?;
        let _ = self.known.try_update(Ordering::Relaxed, Ordering::Relaxed, |known| known.checked_sub(1));
        if !matches!(upload.role, Role::Final(_)) {
            self.delete_parts(&upload.parts).await;
        }
        if upload.goal.is_none() {
            self.delete_parts(&[Part { id: upload.whole.clone(), size: 0 }]).await;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tus")
    }
}

/// What the storage says, in words about an upload.
fn refusal(error: &StoreError) -> Refusal {
    match error {
        StoreError::TooLarge { most } => too_large(*most),
        StoreError::Quota | StoreError::Full => {
            let why = "There is no room for this upload; try again when something has expired.";
            Refusal::new(ErrorCode::StorageFull, why)
        }
        other => other.refusal(),
    }
}

/// Bits from the thread's cryptographic generator.
fn random<T>() -> T
where
    rand::distr::StandardUniform: rand::distr::Distribution<T>,
{
    rand::random()
}
