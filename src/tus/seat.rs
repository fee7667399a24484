//! Who sends to an upload on this node: one at a time. A newcomer waits for one that stands still, as after a link
//! that died unnoticed, and takes its place; one that moves is left alone, and the newcomer refused. Whoever asks
//! how far the upload is has what came so far made safe first.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Outcome;
use super::record::Key;
use crate::protocol::{ErrorCode, Refusal};

/// How long a sender stands still before a newcomer takes its place.
const STILL: Duration = Duration::from_secs(2);
/// How long whoever takes a place, or asks, waits for what came to be made safe.
const SAFE: Duration = Duration::from_secs(10);

/// Who sends.
#[derive(Debug, Default)]
pub(super) struct Seats(Arc<DashMap<Key, Arc<Seat>>>);

/// What is known of whoever sends.
#[derive(Debug)]
struct Seat {
    /// Changes whenever bytes come,
    moved: watch::Sender<u64>,
    /// and whenever what was asked for is safe.
    safe: watch::Sender<u64>,
    asked: Notify,
    /// Cancelled: it is to end.
    unwanted: CancellationToken,
    /// Cancelled: it has ended.
    free: CancellationToken,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Hold {
    seats: Arc<DashMap<Key, Arc<Seat>>>,
    key: Key,
    seat: Arc<Seat>,
}

impl Seats {
    /// Takes the place of a sender to this upload.
    ///
    /// # Errors
    /// `upload_busy` while another moves, or cannot end.
    pub(super) async fn enter(&self, key: &Key) -> Outcome<Hold> {
        loop {
            let seat = match self.take(key) {
                Ok(hold) => return Ok(hold),
                Err(seat) => seat,
            };
            let mut moved = seat.moved.subscribe();
            let moves = tokio::select! {
                () = seat.free.cancelled() => continue,
                moves = timeout(STILL, moved.changed()) => moves.is_ok(),
            };
            if moves {
                return Err(busy());
            }
            seat.leave().await?;
        }
    }

    /// Takes the place whoever moves.
    pub(super) async fn enter_by_force(&self, key: &Key) -> Outcome<Hold> {
        loop {
            match self.take(key) {
                Ok(hold) => return Ok(hold),
                Err(seat) => seat.leave().await?,
            }
        }
    }

    /// Takes the place once it is free; for whoever has nothing to send.
    pub(super) async fn enter_when_free(&self, key: &Key) -> Hold {
        loop {
            match self.take(key) {
                Ok(hold) => return hold,
                Err(seat) => seat.free.cancelled().await,
            }
        }
    }

    /// Takes the place if it is free.
    pub(super) fn try_enter(&self, key: &Key) -> Option<Hold> {
        self.take(key).ok()
    }

    /// Has whoever sends make safe what came, and waits for it.
    pub(super) async fn make_safe(&self, key: &Key) {
        let Some(seat) = self.0.get(key).map(|seat| seat.clone()) else { return };
        let mut safe = seat.safe.subscribe();
        seat.asked.notify_one();
        tokio::select! {
            () = seat.free.cancelled() => {}
            _ = timeout(SAFE, safe.changed()) => {}
        }
    }

    fn take(&self, key: &Key) -> Result<Hold, Arc<Seat>> {
        match self.0.entry(key.clone()) {
            Entry::Occupied(place) => Err(place.get().clone()),
            Entry::Vacant(place) => {
                let seat = Arc::new(Seat {
                    moved: watch::Sender::new(0),
                    safe: watch::Sender::new(0),
                    asked: Notify::new(),
                    unwanted: CancellationToken::new(),
                    free: CancellationToken::new(),
                });
                place.insert(seat.clone());
                Ok(Hold { seats: self.0.clone(), key: key.clone(), seat })
            }
        }
    }
}

impl Seat {
    async fn leave(&self) -> Outcome<()> {
        self.unwanted.cancel();
        timeout(SAFE, self.free.cancelled()).await.map_err(|_| busy())
    }
}

impl Hold {
    /// Bytes came.
    pub(super) fn moved(&self) {
        self.seat.moved.send_modify(|count| *count += 1);
    }

    /// Waits until someone asks how far it is.
    pub(super) async fn asked(&self) {
        self.seat.asked.notified().await;
    }

    /// What came is safe.
    pub(super) fn is_safe(&self) {
        self.seat.safe.send_modify(|count| *count += 1);
    }

    /// Waits until someone else is to take the place.
    pub(super) async fn unwanted(&self) {
        self.seat.unwanted.cancelled().await;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.seats.remove(&self.key);
        self.seat.free.cancel();
    }
}

fn busy() -> Refusal {
    ErrorCode::UploadBusy.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Secret;

    fn key() -> Key {
        Key::of(&Secret::from_random(1)).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_moves_keeps_its_place_and_one_that_stands_still_loses_it() {
        let seats = Arc::new(Seats::default());
        let first = seats.enter(&key()).await.unwrap();
        let newcomer = tokio::spawn({
            let seats = seats.clone();
            async move { seats.enter(&key()).await.map(drop) }
        });
        tokio::task::yield_now().await;
        first.moved();
        assert_eq!(newcomer.await.unwrap().unwrap_err().code, ErrorCode::UploadBusy);
        let newcomer = tokio::spawn({
            let seats = seats.clone();
            async move { seats.enter(&key()).await.map(drop) }
        });
        first.unwanted().await;
        drop(first);
        newcomer.await.unwrap().unwrap();
        assert!(seats.try_enter(&key()).is_some(), "it is free again");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_cannot_end_keeps_its_place() {
        let seats = Seats::default();
        let _first = seats.enter(&key()).await.unwrap();
        assert!(seats.enter(&key()).await.is_err());
        assert!(seats.enter_by_force(&key()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_waits_until_what_came_is_safe() {
        let seats = Arc::new(Seats::default());
        let hold = seats.enter(&key()).await.unwrap();
        let asking = tokio::spawn({
            let seats = seats.clone();
            async move { seats.make_safe(&key()).await }
        });
        hold.asked().await;
        assert!(!asking.is_finished());
        hold.is_safe();
        asking.await.unwrap();
        drop(hold);
        seats.make_safe(&key()).await;
    }
}
