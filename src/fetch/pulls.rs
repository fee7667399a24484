//! The port by which a transfer pulls from a fetch: each lane that it asks for goes to the desk of a reader, one
//! that is there already where possible. It exists because a port must never wait: what is said is kept as the
//! newest order of each lane, of which there are few, and nothing queues. It reads nothing itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::desk::Desk;
use crate::hub::SourcePort;
use crate::protocol::rooms::Status;
use crate::protocol::{Envelope, Refusal, TransferState};

/// Readers that nobody asks at the moment and that keep their place, at most.
const MOST_IDLE: usize = 4;

/// What was said by the port, and has to be done.
#[derive(Debug, Default)]
pub(super) struct Pulls {
    said: Mutex<Said>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Said {
    desks: Vec<Arc<Desk>>,
    /// Desks without a reader yet.
    fresh: Vec<Arc<Desk>>,
    state: Option<TransferState>,
    refused: Option<Refusal>,
    port: Port,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Port {
    #[default]
    Open,
    /// The transfer let go of it.
    Closed,
}

/// What has to be done.
#[derive(Debug)]
pub(super) enum News {
    /// Readers for these desks.
    Readers(Vec<Arc<Desk>>),
    /// The transfer does not take the bytes.
    Refused(Refusal),
    /// It is over; with the state that was told last.
    Closed(Option<TransferState>),
}

impl Pulls {
    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for news.
    pub(super) async fn news(&self) -> News {
        loop {
            if let Some(news) = self.take() {
                return news;
            }
            self.news.notified().await;
        }
    }

    fn take(&self) -> Option<News> {
        let mut said = self.lock();
        if said.port == Port::Closed {
            return Some(News::Closed(said.state));
        }
        if let Some(refusal) = said.refused.take() {
            return Some(News::Refused(refusal));
        }
        let fresh = std::mem::take(&mut said.fresh);
        (!fresh.is_empty()).then_some(News::Readers(fresh))
    }

    /// Begins anew, for another port.
    pub(super) fn reopen(&self) {
        *self.lock() = Said::default();
    }

    /// A desk at the start, before any lane: for bytes that are there already.
    pub(super) fn begin(&self) -> Arc<Desk> {
        let desk = Arc::new(Desk::new(0, None));
        self.lock().desks.push(desk.clone());
        desk
    }

    /// The transfer does not take what it was sent.
    pub(super) fn refuse(&self, refusal: Refusal) {
        self.lock().refused = Some(refusal);
        self.news.notify_one();
    }

    fn pull(&self, lane: u64, from: u64, limit: u64) {
        let mut said = self.lock();
        said.desks.retain(|desk| !desk.is_over());
        let takes_it = |desk: &Arc<Desk>| desk.raise(lane, limit) || desk.adopt(lane, from, limit);
        if said.desks.iter().any(|desk| desk.raise(lane, limit)) || said.desks.iter().any(takes_it) {
            return;
        }
        let idle: Vec<_> = said.desks.iter().filter(|desk| desk.is_idle()).cloned().collect();
        if let Some(first) = idle.first().filter(|_| idle.len() >= MOST_IDLE) {
            first.dismiss();
        }
        let desk = Arc::new(Desk::new(from, Some((lane, limit))));
        said.desks.push(desk.clone());
        said.fresh.push(desk);
        drop(said);
        self.news.notify_one();
    }
}

/// The port itself; the transfer drops it when it needs it no more.
pub(super) struct FetchPort(pub Arc<Pulls>);

impl SourcePort for FetchPort {
    fn pull(&self, lane: u64, from: u64, limit: u64) {
        self.0.pull(lane, from, limit);
    }

    fn stop(&self, lane: u64) {
        self.0.lock().desks.iter().for_each(|desk| desk.stop(lane));
    }

    fn status(&self, status: &Arc<Envelope<Status>>) {
        self.0.lock().state = Some(status.data.state);
    }
}

impl Drop for FetchPort {
    fn drop(&mut self) {
        self.0.lock().port = Port::Closed;
        self.0.news.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::desk::Want;

    fn fresh(pulls: &Pulls) -> Vec<Arc<Desk>> {
        match pulls.take() {
            Some(News::Readers(desks)) => desks,
            None => Vec::new(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_lane_goes_to_the_reader_that_is_where_it_begins() {
        let pulls = Arc::new(Pulls::default());
        let (port, first) = (FetchPort(pulls.clone()), pulls.begin());
        port.pull(1, 0, 100);
        assert!(fresh(&pulls).is_empty(), "the bytes at hand are used");
        assert_eq!(first.take(1000).unwrap().len, 100);
        port.pull(1, 50, 200);
        assert_eq!(first.take(1000).unwrap().len, 100);
        port.pull(2, 700, 900);
        let second = fresh(&pulls).pop().unwrap();
        assert_eq!((second.at(), second.want()), (700, Want::Bytes));
        port.stop(1);
        assert_eq!(first.want(), Want::Nothing);
        port.pull(3, 200, 300);
        assert!(fresh(&pulls).is_empty());
        assert_eq!(first.take(1000).unwrap().lane, 3);
    }

    #[test]
    fn readers_that_nobody_asks_are_few() {
        let pulls = Arc::new(Pulls::default());
        let port = FetchPort(pulls.clone());
        let mut desks = Vec::new();
        for lane in 0..20 {
            port.pull(lane, 1000 * lane, 1000 * lane + 10);
            desks.extend(fresh(&pulls));
            port.stop(lane);
        }
        assert_eq!(desks.len(), 20);
        assert!(desks.iter().filter(|desk| !desk.is_over()).count() <= MOST_IDLE + 1);
        drop(port);
        assert!(matches!(pulls.take(), Some(News::Closed(None))));
    }
}
