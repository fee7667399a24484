//! How many copies may be written at once, so that their memory is bounded whatever is offered. Those beyond wait
//! in line and hold nothing; whoever has a place and gets no byte for a while is asked to give it up when someone
//! waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of a node.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// A place; dropping it lets the next in.
#[derive(Debug)]
pub(super) struct Taken {
    _permit: Option<OwnedSemaphorePermit>,
}

/// One who stands in line, until dropped.
struct Waits<'a>(&'a AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Places {
    pub(super) fn new(count: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(count)), waiting: AtomicUsize::new(0) }
    }

    /// A place, if one is free now and nobody waits for it.
    pub(super) fn take(&self) -> Option<Taken> {
        let permit = self.free.clone().try_acquire_owned().ok()?;
        Some(Taken { _permit: Some(permit) })
    }

    /// A place, once it is this one's turn.
    pub(super) async fn wait(&self) -> Taken {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waits = Waits(&self.waiting);
        // It is never closed.
        Taken { _permit: self.free.clone().acquire_owned().await.ok() }
    }

    /// Whether anyone stands in line.
    pub(super) fn are_wanted(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn there_are_no_more_places_than_there_are_and_the_line_moves_up() {
        let places = Places::new(1);
        let first = places.take().unwrap();
        assert!(places.take().is_none());
        assert!(!places.are_wanted());
        let mut next = std::pin::pin!(places.wait());
        assert!(timeout(Duration::from_secs(60), &mut next).await.is_err());
        assert!(places.are_wanted());
        drop(first);
        let second = next.await;
        assert!(!places.are_wanted());
        assert!(places.take().is_none());
        drop(second);
        assert!(places.take().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_waiting_stands_in_no_line() {
        let places = Places::new(1);
        let _first = places.take().unwrap();
        assert!(timeout(Duration::from_secs(1), places.wait()).await.is_err());
        assert!(!places.are_wanted());
    }
}
