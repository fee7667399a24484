//! Reads an origin for one lane: no faster than it is pulled, straight into the transfer, without touching the
//! disk. When the origin's link breaks it asks for the rest of the very same file; when nobody wants the bytes
//! for a while it lets go of the origin, where it can come back.

use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

use super::body::{Body, Broken};
use super::desk::{Desk, Leave, Want};
use super::facts::{Facts, Trouble};
use super::origin::Origin;
use super::policy::Program;
use super::program::Running;
use super::pulls::Pulls;
use super::retry::Retries;
use crate::hub::{Answer, Outcome, Source, TransferCommand, TransferHandle};
use crate::protocol::{ErrorCode, Refusal};
use crate::room::PeerId;

/// Bytes that a chunk is filled to, where they come fast enough and chunks may be so large;
pub(super) const CHUNK: usize = 256 << 10;
/// and how long they may take.
const FILL: Duration = Duration::from_millis(20);
/// An origin is let go after this long without credit of its lane,
const IDLE: Duration = Duration::from_secs(15);
/// or without a lane.
const PARKED: Duration = Duration::from_secs(5);

/// What is fetched, and how.
pub(super) enum From {
    /// By HTTP.
    Http {
        /// The client.
        origin: Origin,
        /// What it said the file is.
        facts: Facts,
    },
    /// By a program.
    Program(Program),
}

/// What the readers of one fetch share.
pub(super) struct Shared {
    /// What is fetched.
    pub url: Url,
    /// By what means.
    pub from: From,
    /// Where the bytes go.
    pub transfer: TransferHandle,
    /// As whom.
    pub peer: PeerId,
    /// Bytes of one chunk, at most.
    pub chunk: usize,
    /// What is asked for.
    pub pulls: Arc<Pulls>,
    /// Places of fetches that may talk to their origins at once,
    pub slots: Arc<Semaphore>,
    /// and the one that this fetch has, while any of its readers does.
    pub slot: Mutex<Weak<OwnedSemaphorePermit>>,
}

/// A body, with the place that it needs.
pub(super) type Held = (Body, Arc<OwnedSemaphorePermit>);

/// One reader. It ends when it is told to, or has nothing more to give.
pub(super) struct Reader {
    shared: Arc<Shared>,
    desk: Arc<Desk>,
    body: Option<Held>,
    /// Bytes that are read and not delivered.
    held: BytesMut,
    retries: Retries,
    end: End,
}

/// Whether the last byte was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Ahead,
    Read,
}

impl Shared {
    fn size(&self) -> Option<u64> {
        match &self.from {
            From::Http { facts, .. } => facts.size,
            From::Program(_) => None,
        }
    }

    fn can_go_back(&self) -> bool {
        matches!(&self.from, From::Http { facts, .. } if facts.source() == Source::Seekable)
    }

    /// This fetch's place among those that talk to their origins: waits for one, in order.
    async fn slot(&self) -> Result<Arc<OwnedSemaphorePermit>, Refusal> {
        let mut mine = self.slot.lock().await;
        if let Some(slot) = mine.upgrade() {
            return Ok(slot);
        }
        let slot = self.slots.clone().acquire_owned().await.map_err(|_| ErrorCode::Internal)?;
        let slot = Arc::new(slot);
        *mine = Arc::downgrade(&slot);
        Ok(slot)
    }

    async fn open(&self, at: u64) -> Result<Body, Trouble> {
        match &self.from {
            From::Program(program) => {
                let running = Running::start(program, &self.url).map_err(Trouble::Final)?;
                Ok(Body::Program(Box::new(running)))
            }
            From::Http { origin, facts } => {
                let opened = origin.open(&self.url, at, facts.validator.as_ref()).await?;
                facts.check(at, opened.response.status(), opened.response.headers())?;
                Ok(Body::Http(Box::new(opened.response)))
            }
        }
    }
}

impl Reader {
    /// A reader for what stands on `desk`, perhaps with the body that begins there.
    pub(super) fn new(shared: Arc<Shared>, desk: Arc<Desk>, body: Option<Held>) -> Self {
        let (held, retries) = (BytesMut::new(), Retries::default());
        Self { shared, desk, body, held, retries, end: End::Ahead }
    }

    /// Reads until there is nothing more to do.
    ///
    /// # Errors
    /// Why the file cannot be had.
    pub(super) async fn run(mut self) -> Result<(), Refusal> {
        let outcome = self.work().await;
        self.desk.leave();
        outcome
    }

    async fn work(&mut self) -> Result<(), Refusal> {
        loop {
            match self.desk.want() {
                Want::End => return Ok(()),
                Want::Nothing | Want::Patience => self.rest().await,
                Want::Bytes if !self.held.is_empty() => {
                    if !self.deliver().await {
                        return Ok(());
                    }
                }
                Want::Bytes if self.has_all() => return self.finish().await,
                Want::Bytes if self.body.is_none() => self.open().await?,
                Want::Bytes => self.read().await?,
            }
        }
    }

    /// Where the next byte of the origin lies.
    fn position(&self) -> u64 {
        self.desk.at() + self.held.len() as u64
    }

    fn has_all(&self) -> bool {
        self.end == End::Read || self.shared.size().is_some_and(|size| self.position() >= size)
    }

    /// Nothing is wanted now. After a while the origin is let go, unless it could not be asked again.
    async fn rest(&mut self) {
        let may_let_go = self.shared.can_go_back() || self.desk.at() == 0;
        let patience = if self.desk.is_idle() { PARKED } else { IDLE };
        tokio::select! {
            () = self.desk.changed() => {}
            () = sleep(patience), if may_let_go => {
                self.body = None;
                self.held.clear();
                self.end = End::Ahead;
                // One whose lane runs keeps its place.
                self.desk.dismiss();
                if !self.desk.is_over() {
                    self.desk.changed().await;
                }
            }
        }
    }

    async fn open(&mut self) -> Result<(), Refusal> {
        let (shared, at) = (self.shared.clone(), self.position());
        if at > 0 && !shared.can_go_back() {
            return Err(Refusal::new(
                ErrorCode::FetchFailed,
                "The origin gives its bytes only once; start again.",
            ));
        }
        let opening = async {
            let slot = shared.slot().await.map_err(Trouble::Final)?;
            Ok::<_, Trouble>((shared.open(at).await?, slot))
        };
        match unless_over(&self.desk, opening).await {
            None => {}
            Some(Ok(held)) => self.body = Some(held),
            Some(Err(Trouble::Final(refusal))) => return Err(refusal),
            Some(Err(Trouble::Passing(refusal, wait))) => self.wait_or_fail(refusal, wait).await?,
        }
        Ok(())
    }

    async fn wait_or_fail(&mut self, refusal: Refusal, asked: Option<Duration>) -> Result<(), Refusal> {
        let wait = self.retries.next(rand::random(), asked).ok_or(refusal)?;
        unless_over(&self.desk, sleep(wait)).await;
        Ok(())
    }

    /// Reads until a chunk is full, or the origin makes it wait.
    async fn read(&mut self) -> Result<(), Refusal> {
        let filled_by = Instant::now() + FILL;
        let Some((body, _)) = &mut self.body else { return Ok(()) };
        let Some(first) = unless_over(&self.desk, body.next()).await else { return Ok(()) };
        let mut next = first;
        loop {
            match next {
                Ok(Some(bytes)) => self.hold(bytes),
                Ok(None) => return self.read_end().await,
                Err(Broken::Program(refusal)) => return Err(refusal),
                Err(Broken::Link(refusal)) => return self.broke(refusal).await,
            }
            let Some((body, _)) = &mut self.body else { return Ok(()) };
            if self.held.len() >= self.shared.chunk {
                return Ok(());
            }
            next = match timeout_at(filled_by, body.next()).await {
                Ok(next) => next,
                Err(_) => return Ok(()),
            };
        }
    }

    fn hold(&mut self, bytes: Bytes) {
        self.retries.forget();
        if self.held.is_empty() {
            self.held = BytesMut::from(bytes);
        } else {
            self.held.extend_from_slice(&bytes);
        }
        // An origin that sends more than it said is not listened to any longer.
        if let Some(size) = self.shared.size() {
            let rest = usize::try_from(size.saturating_sub(self.desk.at())).unwrap_or(usize::MAX);
            self.held.truncate(rest);
        }
        if self.has_all() {
            self.body = None;
        }
    }

    /// The answer ended, or the program.
    async fn read_end(&mut self) -> Result<(), Refusal> {
        self.body = None;
        match self.shared.size() {
            None => self.end = End::Read,
            Some(size) if self.position() >= size => {}
            // Origins may send less of a range than was asked for; the rest is asked for then.
            Some(_) => {
                let sentence = "The origin sends less than it said; check the file there, and start again.";
                return self.broke(Refusal::new(ErrorCode::FetchFailed, sentence)).await;
            }
        }
        Ok(())
    }

    async fn broke(&mut self, refusal: Refusal) -> Result<(), Refusal> {
        self.body = None;
        if !self.shared.can_go_back() {
            return Err(refusal);
        }
        tracing::debug!(offset = self.position(), "an origin's link broke");
        self.wait_or_fail(refusal, None).await
    }

    /// Sends what is held, as far as it may be. Whether the transfer is still there.
    async fn deliver(&mut self) -> bool {
        while let Some(Leave { lane, offset, len }) = self.desk.take(self.held.len().min(self.shared.chunk)) {
            let pulls = self.shared.pulls.clone();
            let answer = Answer::new(move |taken: Outcome<u64>| match taken {
                Err(refusal) if refusal.code == ErrorCode::TooLarge => pulls.refuse(refusal),
                // A lane that was stopped meanwhile; whatever is missing is asked for again.
                _ => {}
            });
            let bytes = self.held.split_to(len).freeze();
            let chunk =
                TransferCommand::Chunk { peer: self.shared.peer, lane, offset, bytes, digest: None, answer };
            if !self.shared.transfer.send_when_there_is_room(chunk).await {
                return false;
            }
        }
        true
    }

    /// All is delivered.
    async fn finish(&mut self) -> Result<(), Refusal> {
        if self.shared.size().is_none() {
            let pulls = self.shared.pulls.clone();
            let answer = Answer::new(move |taken: Outcome<()>| {
                match taken {
                    // The home has moved: it asks again, whoever serves it then.
                    Ok(()) | Err(Refusal { code: ErrorCode::UnexpectedChunk, .. }) => {}
                    Err(refusal) => pulls.refuse(refusal),
                }
            });
            let (peer, size) = (self.shared.peer, Some(self.desk.at()));
            let end = TransferCommand::SourceEnd { peer, size, digest: None, answer };
            self.shared.transfer.send_when_there_is_room(end).await;
        }
        Ok(())
    }
}

/// Does `work` to its end, unless the reader has to go before.
async fn unless_over<T>(desk: &Desk, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return Some(done),
            () = desk.changed() => {}
        }
        if desk.is_over() {
            return None;
        }
    }
}
