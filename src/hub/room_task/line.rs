//! The line from a room's task to the room's log: one follower, one append under way, one errand (a seed or a
//! compaction) besides. It exists so that the task waits in one place ([`Line::next`]) and never for the
//! service. It decides nothing.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::broker::{Away, Broker, Heard, NotAppended, Position, Story};
use crate::protocol::RoomId;

/// How long a room may take to be found, before it begins without the others.
const FOLLOW: Duration = Duration::from_secs(1);

type Call<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Following = Result<(Story, mpsc::Receiver<Heard>), Away>;

pub(super) struct Line {
    broker: Arc<dyn Broker>,
    room: RoomId,
    /// How long the log lives after the last append.
    lifetime: Duration,
    pub(super) at: Position,
    heard: Option<mpsc::Receiver<Heard>>,
    ear: Ear,
    following: Option<Call<Following>>,
    appending: Option<Call<Result<(), NotAppended>>>,
    seeding: Option<Call<Result<(), Away>>>,
    compacting: Option<Call<()>>,
}

/// Whether the follower hears the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ear {
    Hearing,
    /// It said that the service is away, and will say when it is back.
    Deaf,
}

/// What came over the line.
pub(super) enum News {
    /// The log is followed from here, or cannot be.
    Followed(Result<Story, Away>),
    /// What a follower hears.
    Heard(Heard),
    /// The follower was let go.
    Ended,
    /// What came of an append.
    Appended(Result<(), NotAppended>),
    /// What came of a seed.
    Seeded(Result<(), Away>),
}

impl Line {
    pub(super) fn new(broker: Arc<dyn Broker>, room: RoomId, lifetime: Duration) -> Self {
        Self {
            broker,
            room,
            lifetime,
            at: Position { generation: 0, count: 0 },
            heard: None,
            ear: Ear::Hearing,
            following: None,
            appending: None,
            seeding: None,
            compacting: None,
        }
    }

    /// Whether the log is followed, heard or not.
    pub(super) fn has_follower(&self) -> bool {
        self.heard.is_some()
    }

    /// Whether what is appended would be heard.
    pub(super) fn is_up(&self) -> bool {
        self.heard.is_some() && self.ear == Ear::Hearing
    }

    pub(super) fn is_following(&self) -> bool {
        self.following.is_some()
    }

    pub(super) fn is_appending(&self) -> bool {
        self.appending.is_some()
    }

    /// Follows the log from its beginning. What was followed before is let go.
    pub(super) fn follow(&mut self) {
        self.drop_calls();
        self.heard = None;
        self.ear = Ear::Hearing;
        let (broker, room, lifetime) = (self.broker.clone(), self.room.clone(), self.lifetime);
        self.following = Some(Box::pin(async move {
            if !broker.is_there() {
                return Err(Away);
            }
            timeout(FOLLOW, broker.follow(&room, lifetime)).await.unwrap_or(Err(Away))
        }));
    }

    pub(super) fn append(&mut self, entries: Vec<Bytes>) {
        let (broker, room, lifetime) = (self.broker.clone(), self.room.clone(), self.lifetime);
        let generation = self.at.generation;
        self.appending =
            Some(Box::pin(async move { broker.append(&room, generation, entries, lifetime).await }));
    }

    /// Puts `state` in the place of all entries so far, unless that is being done.
    pub(super) fn compact(&mut self, state: Bytes) {
        if self.compacting.is_none() {
            let (broker, room, lifetime) = (self.broker.clone(), self.room.clone(), self.lifetime);
            let at = self.at;
            self.compacting = Some(Box::pin(async move {
                // One that fails is made up for by the next.
                let _ = broker.compact(&room, at, state, lifetime).await;
            }));
        }
    }

    /// As [`Self::compact`], when nothing else is to come.
    pub(super) async fn compact_at_last(self, state: Bytes) {
        drop(self.heard);
        let _ = self.broker.compact(&self.room, self.at, state, self.lifetime).await;
    }

    /// Begins a forgotten log anew.
    pub(super) fn seed(&mut self, state: Bytes) {
        let (broker, room, lifetime) = (self.broker.clone(), self.room.clone(), self.lifetime);
        let count = self.at.count;
        self.seeding = Some(Box::pin(async move { broker.seed(&room, count, state, lifetime).await }));
    }

    /// Nothing that was under way is of use any more. It may or may not have happened.
    pub(super) fn drop_calls(&mut self) {
        self.appending = None;
        self.seeding = None;
        self.compacting = None;
    }

    /// What comes next. Nothing is lost when it is dropped.
    pub(super) async fn next(&mut self) -> News {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<News> {
        if let Some(heard) = &mut self.heard
            && let Poll::Ready(news) = heard.poll_recv(cx)
        {
            return Poll::Ready(match news {
                Some(heard) => {
                    match heard {
                        Heard::Away => self.ear = Ear::Deaf,
                        Heard::Back | Heard::Again(_) => self.ear = Ear::Hearing,
                        Heard::Entry { .. } | Heard::Forgotten => {}
                    }
                    News::Heard(heard)
                }
                None => {
                    self.heard = None;
                    News::Ended
                }
            });
        }
        if let Some(Poll::Ready(outcome)) = self.following.as_mut().map(|call| call.as_mut().poll(cx)) {
            self.following = None;
            return Poll::Ready(News::Followed(outcome.map(|(story, heard)| {
                self.heard = Some(heard);
                story
            })));
        }
        if let Some(Poll::Ready(outcome)) = self.appending.as_mut().map(|call| call.as_mut().poll(cx)) {
            self.appending = None;
            return Poll::Ready(News::Appended(outcome));
        }
        if let Some(Poll::Ready(outcome)) = self.seeding.as_mut().map(|call| call.as_mut().poll(cx)) {
            self.seeding = None;
            return Poll::Ready(News::Seeded(outcome));
        }
        if let Some(Poll::Ready(())) = self.compacting.as_mut().map(|call| call.as_mut().poll(cx)) {
            self.compacting = None;
        }
        Poll::Pending
    }
}
