//! One follower of a room's log. It subscribes first and reads then, so nothing falls between; what comes out
//! of turn, or was missed, is read again from the log, which is the truth. Its reader gets each entry once
//! and in order, or begins anew.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::listener::{Listener, Message, Subscription};
use super::logs::{Found, Log, told};
use super::outbox::Outbox;
use super::pool::Pool;
use super::retry::Retry;
use crate::broker::{Away, Heard, Position};

/// A follower looks whether its log is still there, at least this often.
const LOOK: Duration = Duration::from_secs(60);
/// While it is not, and somebody is to seed it.
const LOOK_FOR_SEED: Duration = Duration::from_millis(1000);

/// See the module.
pub(super) struct Follower {
    pub(super) log: Log,
    pub(super) pool: Arc<Pool>,
    pub(super) listener: Arc<Listener>,
    pub(super) outbox: Arc<Outbox>,
    /// Changes when somebody here found the log to be another one.
    pub(super) poke: watch::Receiver<u64>,
    pub(super) at: Position,
    pub(super) mood: Mood,
    pub(super) to: mpsc::Sender<Heard>,
}

/// How the follower stands with its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// It has all that was appended.
    Whole,
    /// Redis was away, and it does not know yet.
    Away,
    /// The log is not there, and somebody must seed it.
    Forgotten,
    /// The same, and it has not said yet that Redis is back.
    ForgottenAway,
}

/// Why a follower stops listening.
enum Stop {
    /// The subscription is over, or the log cannot be read.
    Broken,
    /// Nobody follows any more.
    Unheard,
}

impl From<Away> for Stop {
    fn from(_: Away) -> Self {
        Self::Broken
    }
}

impl Follower {
    /// Follows until nobody listens.
    pub(super) async fn run(mut self, mut subscription: Subscription) {
        let closed = self.to.clone();
        let following = async {
            let connected = self.outbox.connected.clone();
            let mut retry = Retry::new(&connected);
            loop {
                if let Stop::Unheard = self.listen(&mut subscription).await {
                    return;
                }
                if self.mood == Mood::Whole && self.to.send(Heard::Away).await.is_err() {
                    return;
                }
                self.mood = Mood::Away;
                subscription = loop {
                    retry.pause().await;
                    if let Ok(subscription) = self.listener.subscribe(&self.log.names.channel).await {
                        break subscription;
                    }
                };
            }
        };
        tokio::select! {
            () = closed.closed() => {}
            () = following => {}
        }
    }

    async fn listen(&mut self, subscription: &mut Subscription) -> Stop {
        let every = LOOK.min(self.log.lifetime / 3).max(Duration::from_millis(100));
        let mut look = interval(every);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        look.reset();
        if self.mood != Mood::Whole
            && let Err(stop) = self.read().await
        {
            return stop;
        }
        loop {
            let is_forgotten = matches!(self.mood, Mood::Forgotten | Mood::ForgottenAway);
            let heard = tokio::select! {
                message = subscription.next() => match message {
                    Message::One(message) => self.message(message).await,
                    Message::Missed => {
                        self.outbox.stats.log_gaps.add(1);
                        self.read().await
                    }
                    Message::End => Err(Stop::Broken),
                },
                _ = self.poke.changed() => self.read().await,
                _ = look.tick() => self.read().await,
                () = tokio::time::sleep(LOOK_FOR_SEED), if is_forgotten => self.read().await,
            };
            if let Err(stop) = heard {
                return stop;
            }
        }
    }

    async fn message(&mut self, message: Bytes) -> Result<(), Stop> {
        let Some((at, entry)) = told(&message) else { return self.read().await };
        if at.generation != self.at.generation || self.mood != Mood::Whole {
            return self.read().await;
        }
        if at.count <= self.at.count {
            return Ok(());
        }
        if at.count != self.at.count + 1 {
            self.outbox.stats.log_gaps.add(1);
            return self.read().await;
        }
        self.at = at;
        self.tell(Heard::Entry { at, entry }).await
    }

    /// Reads what the log has beyond what is known, or that it is another one.
    async fn read(&mut self) -> Result<(), Stop> {
        match self.log.since(&self.pool, self.at).await? {
            Found::Since(at, entries) => {
                let first = at.count - entries.len() as u64;
                for (count, entry) in (first + 1..).zip(entries) {
                    self.at = Position { count, ..at };
                    self.tell(Heard::Entry { at: self.at, entry }).await?;
                }
            }
            Found::Other(story) => {
                self.at = story.at;
                self.tell(Heard::Again(story)).await?;
            }
            Found::Nothing => {
                self.mood = match self.mood {
                    Mood::Whole | Mood::Forgotten => Mood::Forgotten,
                    Mood::Away | Mood::ForgottenAway => Mood::ForgottenAway,
                };
                return self.tell(Heard::Forgotten).await;
            }
        }
        let before = std::mem::replace(&mut self.mood, Mood::Whole);
        match before {
            Mood::Whole | Mood::Forgotten => Ok(()),
            Mood::Away | Mood::ForgottenAway => self.tell(Heard::Back).await,
        }
    }

    async fn tell(&self, heard: Heard) -> Result<(), Stop> {
        self.to.send(heard).await.map_err(|_| Stop::Unheard)
    }
}
