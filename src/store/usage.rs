//! How much is kept and how much was promised to be: counted as chunks are written, so that nothing has to be
//! listed to know whether there is room. The first question lists the chunks once; each sweep sets the count
//! right again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::TryStreamExt;
use tokio::sync::OnceCell;

use super::error::StoreError;
use super::{Store, chunks};

/// The count.
#[derive(Debug)]
pub(super) struct Usage {
    quota: u64,
    counts: Arc<Mutex<Counts>>,
    listed: OnceCell<()>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Bytes that lie there.
    used: u64,
    /// Bytes that someone is about to write.
    promised: u64,
    /// Bytes written since the last listing began.
    since: u64,
}

impl Usage {
    pub(super) fn new(quota: u64) -> Self {
        Self { quota, counts: Arc::default(), listed: OnceCell::new() }
    }

    /// A listing of all chunks begins.
    pub(super) fn begin_listing(&self) {
        lock(&self.counts).since = 0;
    }

    /// This much was listed and is still there.
    pub(super) fn listed(&self, bytes: u64) {
        let mut counts = lock(&self.counts);
        counts.used = bytes + counts.since;
    }

    fn extend(&self, bytes: u64) -> Result<(), StoreError> {
        let mut counts = lock(&self.counts);
        let all = counts.used.saturating_add(counts.promised).saturating_add(bytes);
        if all > self.quota {
            return Err(StoreError::Quota);
        }
        counts.promised += bytes;
        Ok(())
    }
}

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Room that is set aside. What is left of it when it is dropped is free again.
#[derive(Debug)]
pub(super) struct Promise {
    counts: Arc<Mutex<Counts>>,
    left: Mutex<u64>,
}

impl Promise {
    /// A chunk of this many bytes was written, `anew` or over itself.
    pub(super) fn written(&self, bytes: u64, anew: bool) {
        let freed = self.shrink(bytes);
        let mut counts = lock(&self.counts);
        counts.promised -= freed;
        if anew {
            counts.used += bytes;
            counts.since += bytes;
        }
    }

    fn shrink(&self, bytes: u64) -> u64 {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let freed = bytes.min(*left);
        *left -= freed;
        freed
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let freed = self.shrink(u64::MAX);
        lock(&self.counts).promised -= freed;
    }
}

impl Store {
    /// Sets room aside for a whole; of one whose size is not known, as its bytes come.
    pub(super) async fn promise(&self, size: Option<u64>) -> Result<Promise, StoreError> {
        self.fits(size.unwrap_or_default())?;
        self.set_aside(size).await
    }

    async fn set_aside(&self, size: Option<u64>) -> Result<Promise, StoreError> {
        self.0.usage.listed.get_or_try_init(|| self.count()).await?;
        let promised = size.unwrap_or_default();
        self.0.usage.extend(promised)?;
        Ok(Promise { counts: self.0.usage.counts.clone(), left: Mutex::new(promised) })
    }

    /// Sees to it that the promise holds for this many bytes more.
    pub(super) fn extend(&self, promise: &Promise, bytes: u64) -> Result<(), StoreError> {
        let mut left = promise.left.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = bytes.saturating_sub(*left);
        self.0.usage.extend(missing)?;
        *left += missing;
        Ok(())
    }

    /// Whether there is room for this much, of however many wholes; nothing is set aside.
    ///
    /// # Errors
    /// [`StoreError::Quota`], or [`StoreError::Away`] when the storage cannot be reached to know.
    pub async fn has_quota_for(&self, bytes: u64) -> Result<(), StoreError> {
        self.set_aside(Some(bytes)).await.map(drop)
    }

    /// Whether one whole may have this size.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`].
    pub fn fits(&self, size: u64) -> Result<(), StoreError> {
        let most = self.0.options.max_size;
        if size > most { Err(StoreError::TooLarge { most }) } else { Ok(()) }
    }

    async fn count(&self) -> Result<(), StoreError> {
        self.0.usage.begin_listing();
        let mut listing = self.objects().list(Some(&chunks::root()));
        let mut bytes = 0;
        while let Some(object) = listing.try_next().await? {
            bytes += object.size;
        }
        self.0.usage.listed(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promise(usage: &Usage, bytes: u64) -> Result<Promise, StoreError> {
        usage.extend(bytes)?;
        Ok(Promise { counts: usage.counts.clone(), left: Mutex::new(bytes) })
    }

    #[test]
    fn what_is_promised_counts_until_it_is_written_or_given_back() {
        let usage = Usage::new(10);
        let first = promise(&usage, 6).unwrap();
        assert_eq!(promise(&usage, 5).unwrap_err(), StoreError::Quota);
        first.written(4, true);
        first.written(2, false);
        assert!(promise(&usage, 6).is_ok(), "bytes that were there already cost nothing");
        drop(first);
        assert_eq!(promise(&usage, 7).unwrap_err(), StoreError::Quota);
    }

    #[test]
    fn what_is_written_while_the_chunks_are_listed_is_not_forgotten() {
        let usage = Usage::new(10);
        let first = promise(&usage, 6).unwrap();
        usage.begin_listing();
        first.written(6, true);
        usage.listed(2);
        assert_eq!(promise(&usage, 3).unwrap_err(), StoreError::Quota);
        assert!(promise(&usage, 2).is_ok());
    }
}
