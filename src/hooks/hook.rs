//! One hook: what it hears, what may wait for it, and one attempt to tell it. It refuses what it has no room for
//! rather than to grow, and says so in the log, not once for each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::command::Command;
use super::post::Post;
use super::verdict::{Failure, Verdict};
use super::{Content, Event, Kind, OnError, Options, Part, Way};
use crate::protocol::{ErrorCode, Refusal};

/// Before the second attempt; then twice as long each time, with up to as much again at random, so that those who
/// failed together do not come back together.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Between two attempts, at most, without what is added at random.
const LAST_PAUSE: Duration = Duration::from_secs(300);
/// What waits is counted in pieces of this many bytes; an event takes at least one.
const PIECE: u64 = 1024;

/// A hook, and what waits for it.
pub(super) struct Hook {
    /// Its place in the configuration.
    pub(super) number: usize,
    pub(super) content: Content,
    pub(super) lifetime: Duration,
    on: Vec<Kind>,
    way: Door,
    part: Part,
    timeout: Duration,
    waiting: Arc<Semaphore>,
    trying: Semaphore,
    dropped: AtomicU64,
}

/// How it is told.
enum Door {
    Post(Post),
    Command(Command),
}

/// The place of an event that waits.
pub(super) struct Permit(#[expect(dead_code, reason = "held until it is dropped")] OwnedSemaphorePermit);

/// What came of an attempt.
pub(super) enum Try {
    /// There is nothing more to do.
    Done,
    /// Another may do.
    Again(Failure),
}

impl Hook {
    /// `None` when its URL is none.
    pub(super) fn new(number: usize, options: &Options, client: Option<&reqwest::Client>) -> Option<Self> {
        let way = match &options.way {
            Way::Post { url, key } => Door::Post(Post::new(client?.clone(), url, key.clone())?),
            Way::Command { program, arguments } => Door::Command(Command::new(program, arguments)),
        };
        let pieces = usize::try_from(options.queue.div_ceil(PIECE)).unwrap_or(usize::MAX);
        Some(Self {
            number,
            content: options.content,
            lifetime: options.lifetime,
            on: options.on.clone(),
            way,
            part: options.part,
            timeout: options.timeout,
            waiting: Arc::new(Semaphore::new(pieces.min(Semaphore::MAX_PERMITS))),
            trying: Semaphore::new(options.concurrent.min(Semaphore::MAX_PERMITS)),
            dropped: AtomicU64::new(0),
        })
    }

    /// Whether it is to be told of such events; a judge was asked about offers already.
    pub(super) fn hears(&self, kind: Kind) -> bool {
        self.on.contains(&kind) && !(kind == Kind::Offered && self.judges())
    }

    /// Whether it is to be asked about offers.
    pub(super) fn judges(&self) -> bool {
        self.on.contains(&Kind::Offered) && matches!(self.part, Part::Judge { .. })
    }

    /// A place for an event among those that wait, if there is one.
    pub(super) fn admit(&self, event: &Event) -> Option<Permit> {
        let permit = self.place(event);
        if permit.is_none() {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            // The first, the second, the fourth: enough to see it, and not one line for each.
            if dropped.is_power_of_two() {
                tracing::warn!(hook = self.number, dropped, "a hook's queue is full, and it misses events");
            }
        }
        permit
    }

    fn place(&self, event: &Event) -> Option<Permit> {
        let pieces = u32::try_from((event.body().len() as u64).div_ceil(PIECE)).ok()?.max(1);
        self.waiting.clone().try_acquire_many_owned(pieces).ok().map(Permit)
    }

    /// The pauses between attempts, without an end.
    pub(super) fn pauses(&self) -> ExponentialBackoff {
        ExponentialBuilder::new()
            .with_min_delay(FIRST_PAUSE)
            .with_max_delay(LAST_PAUSE)
            .with_factor(2.0)
            .with_jitter()
            .without_max_times()
            .build()
    }

    /// Tells it once, when its turn comes.
    pub(super) async fn try_once(&self, event: &Event) -> Try {
        let Ok(_turn) = self.trying.acquire().await else { return Try::Done };
        let verdict = timeout(self.timeout, self.tell(event)).await;
        let verdict = verdict.unwrap_or(Verdict::Failed(Failure::TimeOut));
        let failure = match verdict {
            Verdict::Taken => return Try::Done,
            Verdict::Declined => Failure::Declined,
            // Nothing was asked.
            Verdict::Refused(_) => Failure::NotTaken,
            Verdict::Failed(failure) => failure,
        };
        let is_final = match self.way {
            Door::Post(_) => failure == Failure::Declined,
            Door::Command(_) => !failure.asks_for_another_run(),
        };
        if is_final {
            tracing::warn!(hook = self.number, event = event.id(), %failure, "a hook has not taken an event");
            return Try::Done;
        }
        Try::Again(failure)
    }

    /// Asks it once, within its time-out, its turn included.
    ///
    /// # Errors
    /// It is against the offer, or does not answer and stands for a no then.
    pub(super) async fn ask(&self, event: &Event) -> Result<(), Refusal> {
        let asking = async {
            let Some(_place) = self.place(event) else { return Verdict::Failed(Failure::Full) };
            let _turn = self.trying.acquire().await;
            self.tell(event).await
        };
        let verdict = timeout(self.timeout, asking).await;
        let failure = match verdict.unwrap_or(Verdict::Failed(Failure::TimeOut)) {
            Verdict::Taken => return Ok(()),
            Verdict::Refused(sentence) => return Err(refused(sentence)),
            Verdict::Declined => Failure::Declined,
            Verdict::Failed(failure) => failure,
        };
        let on_error = match self.part {
            Part::Judge { on_error } => on_error,
            Part::Listener => OnError::Allow,
        };
        tracing::warn!(hook = self.number, event = event.id(), %failure, ?on_error, "a hook was asked and did not answer");
        match on_error {
            OnError::Allow => Ok(()),
            OnError::Refuse => Err(Refusal::new(
                ErrorCode::Overloaded,
                "Offers are checked here, and the check does not answer; try again in a while.",
            )),
        }
    }

    async fn tell(&self, event: &Event) -> Verdict {
        match &self.way {
            Door::Post(post) => post.tell(event).await,
            Door::Command(command) => command.tell(event).await,
        }
    }
}

fn refused(sentence: Option<String>) -> Refusal {
    match sentence {
        Some(sentence) => Refusal::new(ErrorCode::NotAllowed, sentence),
        None => {
            Refusal::new(ErrorCode::NotAllowed, "This server does not take that offer; offer something else.")
        }
    }
}
