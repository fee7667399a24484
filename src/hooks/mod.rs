//! Programs of the operator's that are told what happens here, and may be asked before it does: by HTTP, or as
//! commands. It refuses to hold anybody up: what is told waits in a queue of bounded bytes, and only who offers
//! waits, for at most the time-out, where a hook is to be asked first.
//!
//! **What is promised.** An event is told by the node where it happened. By HTTP it is told until it is taken, or
//! its lifetime is over: at least once, so a receiver that must not do a thing twice remembers ids. A command is
//! run once, and again only if it could not be started or asked for it. What waits lives in memory: a node that is
//! told to end waits for what was never tried, one that is killed loses what was not taken yet. Events may overtake
//! each other.
//!
//! | file | what it does |
//! |---|---|
//! | `event` | what is said: kinds and bodies |
//! | `sign` | the signature |
//! | `verdict` | what an answer means |
//! | `hook` | one hook: its bounds, its attempts |
//! | `post`, `command` | the two ways to tell |

mod command;
mod event;
mod hook;
mod post;
mod sign;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::event::{Event, FileFacts, Finish, Kind, Offering, Stored};
pub use self::sign::Key;

use self::hook::{Hook, Permit, Try};
use crate::protocol::Refusal;

/// One hook, as the operator wants it.
#[derive(Debug, Clone)]
pub struct Options {
    /// What it is told of.
    pub on: Vec<Kind>,
    /// How.
    pub way: Way,
    /// Whether it is asked before a drop is offered, and what holds when it does not answer.
    pub part: Part,
    /// Whether it may read what is stored.
    pub content: Content,
    /// Time for one attempt.
    pub timeout: Duration,
    /// Time from the event to the last attempt.
    pub lifetime: Duration,
    /// Bytes of events that may wait for it; one that does not fit is dropped, and logged.
    pub queue: u64,
    /// Attempts at once.
    pub concurrent: usize,
}

/// How a hook is told.
#[derive(Debug, Clone)]
pub enum Way {
    /// By a POST to this URL, which may hold secrets, signed if there is a key.
    Post {
        /// Where.
        url: String,
        /// What it is signed with.
        key: Option<Key>,
    },
    /// By starting this program with these arguments.
    Command {
        /// Found by `PATH` unless it is a path.
        program: String,
        /// As they are: no shell reads them.
        arguments: Vec<String>,
    },
}

/// A hook's part in `offered`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It is told afterwards.
    Listener,
    /// It is asked before. If it fails to answer:
    Judge {
        /// This.
        on_error: OnError,
    },
}

/// What holds for an offer when its judge does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// It is offered.
    Allow,
    /// It is refused, as `overloaded`.
    Refuse,
}

/// What a hook gets of a stored file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// What is known about it.
    Described,
    /// And the path of its download, token included.
    Readable,
}

/// Why there are no hooks.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its URL cannot be meant.
    #[error(
        "hooks.{0}.url: is not a URL that can be called; write like \"https://scan.example.com/offered\""
    )]
    Url(usize),
    /// There is no TLS to be had.
    #[error("hooks: cannot speak TLS: {0}")]
    Tls(String),
}

/// The hooks of this node. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Hooks(Arc<Inner>);

struct Inner {
    hooks: Vec<Arc<Hook>>,
    tasks: TaskTracker,
    ended: CancellationToken,
    /// Events that were never tried, for all hooks together.
    untried: watch::Sender<usize>,
}

impl Hooks {
    /// Nobody to tell, nobody to ask.
    pub fn none() -> Self {
        Self::of(Vec::new())
    }

    /// These, numbered from 0 as in the configuration.
    ///
    /// # Errors
    /// See [`StartError`]. A hook that cannot be reached is no error.
    pub fn start(options: &[Options]) -> Result<Self, StartError> {
        let is_post = |options: &Options| matches!(options.way, Way::Post { .. });
        let client = if options.iter().any(is_post) { Some(post::client()?) } else { None };
        let hooks = options.iter().enumerate().map(|(number, options)| {
            Hook::new(number, options, client.as_ref()).map(Arc::new).ok_or(StartError::Url(number))
        });
        Ok(Self::of(hooks.collect::<Result<_, _>>()?))
    }

    fn of(hooks: Vec<Arc<Hook>>) -> Self {
        let (tasks, ended) = (TaskTracker::new(), CancellationToken::new());
        Self(Arc::new(Inner { hooks, tasks, ended, untried: watch::Sender::new(0) }))
    }

    /// Whether anybody is to be told of such events. Ask before making one: a body costs.
    pub fn wants(&self, kind: Kind) -> bool {
        self.0.hooks.iter().any(|hook| hook.hears(kind))
    }

    /// Whether anybody is to read what is stored.
    pub fn wants_content(&self) -> bool {
        self.0.hooks.iter().any(|hook| hook.hears(Kind::Stored) && hook.content == Content::Readable)
    }

    /// Whether offers are to be [asked](Self::ask) about.
    pub fn judge(&self) -> bool {
        self.0.hooks.iter().any(|hook| hook.judges())
    }

    /// Tells of an event whoever wants to hear of it. Returns at once; call it within a runtime.
    pub fn say(&self, event: &Event) {
        self.say_to(event, |_| true);
    }

    /// Tells that a kept file is whole; its `url`, which holds a token, only to hooks that may read it.
    pub fn say_stored(&self, file: FileFacts, url: Option<String>) {
        let described = Stored { file, url: None };
        self.say_to(&Event::stored(&described), |hook| hook.content == Content::Described);
        if self.wants_content() {
            let readable = Stored { url, ..described };
            self.say_to(&Event::stored(&readable), |hook| hook.content == Content::Readable);
        }
    }

    fn say_to(&self, event: &Event, is_meant: impl Fn(&Hook) -> bool) {
        for hook in self.0.hooks.iter().filter(|hook| hook.hears(event.kind()) && is_meant(hook)) {
            let Some(permit) = hook.admit(event) else { continue };
            let untried = Untried::new(self.0.untried.clone());
            let told = tell(hook.clone(), event.clone(), permit, untried);
            self.0.tasks.spawn(self.0.ended.clone().run_until_cancelled_owned(told));
        }
    }

    /// Asks every judge about an offer, all at once; takes as long as the slowest, at most its time-out.
    ///
    /// # Errors
    /// `not_allowed`, with the sentence of the first that is against it; `overloaded` when one does not answer whose
    /// `on_error` is [`OnError::Refuse`].
    pub async fn ask(&self, event: &Event) -> Result<(), Refusal> {
        let mut asked = JoinSet::new();
        for hook in self.0.hooks.iter().filter(|hook| hook.judges()) {
            let (hook, event) = (hook.clone(), event.clone());
            asked.spawn(async move { hook.ask(&event).await });
        }
        while let Some(answer) = asked.join_next().await {
            answer.unwrap_or_else(|_| Err(crate::protocol::ErrorCode::Internal.into()))?;
        }
        Ok(())
    }

    /// Waits until no event is left that was never tried.
    pub async fn at_rest(&self) {
        let _ = self.0.untried.subscribe().wait_for(|untried| *untried == 0).await;
    }

    /// Ends every attempt and waits until they have ended. What was not taken is lost; see [`Self::at_rest`].
    pub async fn close(&self) {
        self.0.tasks.close();
        self.0.ended.cancel();
        let lost = self.0.tasks.len();
        if lost > 0 {
            tracing::warn!(events = lost, "events are lost that no hook has taken");
        }
        self.0.tasks.wait().await;
    }
}

/// Tells until it is taken, or no more of it is wanted, or its lifetime is over.
async fn tell(hook: Arc<Hook>, event: Event, permit: Permit, untried: Untried) {
    let born = Instant::now();
    let mut pauses = hook.pauses();
    let mut untried = Some(untried);
    loop {
        let outcome = hook.try_once(&event).await;
        drop(untried.take());
        let failure = match outcome {
            Try::Done => break,
            Try::Again(failure) => failure,
        };
        let pause = pauses.next().filter(|pause| born.elapsed() + *pause <= hook.lifetime);
        let Some(pause) = pause else {
            tracing::warn!(hook = hook.number, event = event.id(), %failure, "a hook has not taken an event in its lifetime");
            break;
        };
        tracing::info!(hook = hook.number, event = event.id(), %failure, pause_ms = pause.as_millis(), "a hook is told again later");
        sleep(pause).await;
    }
    drop(permit);
}

/// One event that was never tried.
struct Untried(watch::Sender<usize>);

impl Untried {
    fn new(count: watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for Untried {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hooks({})", self.0.hooks.len())
    }
}

#[cfg(test)]
mod tests;
