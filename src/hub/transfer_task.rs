//! The task of one transfer: hands a [`Session`] the time and what arrives in its mailbox, and carries
//! out what it decides. It knows who may speak (which link is the source, which link has which sink) and
//! decides nothing else.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep_until;

use super::Hub;
use super::answer::{Answer, Outcome};
use super::port::{Chunk, SinkPort, SourcePort};
use super::record::{About, File};
use super::room_handle::{self, RoomHandle};
use super::session::{Ask, Input, Output, Reply, Session, SinkKind};
use super::transfer_copy::Work;
use super::transfer_handle::{Command, Described, TransferHandle, Wish};
use super::transfer_records::Saving;
use crate::protocol::rooms::Status;
use crate::protocol::transfers::SourceOpened;
use crate::protocol::{ErrorCode, MemberId, Secret, TransferId, TransferState};
use crate::relay::SinkId;
use crate::room::PeerId;

/// Commands taken at once before the clock is looked at again.
const BATCH: usize = 64;
/// Commands that may wait for the record to be looked at; one more is refused with `overloaded`.
const MOST_PARKED: usize = 1024;
/// How soon a sink that had no room is tried again.
const RETRY: Duration = Duration::from_millis(5);

pub(super) struct OpenSink {
    pub(super) peer: PeerId,
    /// None is a copy that is being written.
    pub(super) member: Option<MemberId>,
    pub(super) kind: SinkKind,
    pub(super) port: Box<dyn SinkPort>,
}

/// A source that opened where the home is not, until it is.
pub(super) struct WaitingSource {
    pub(super) peer: PeerId,
    pub(super) port: Box<dyn SourcePort>,
    pub(super) answer: Answer<SourceOpened>,
}

/// Whoever waits for a decision.
pub(super) enum Asker {
    Accept(Answer<(Secret, Arc<File>)>),
    Other(Answer<()>),
}

pub(super) struct Task {
    pub(super) hub: Hub,
    pub(super) id: TransferId,
    pub(super) handle: TransferHandle,
    pub(super) session: Session,
    pub(super) about: About,
    /// The room's task, where this is the home.
    pub(super) room: Option<RoomHandle>,
    pub(super) source: Option<(PeerId, Box<dyn SourcePort>)>,
    pub(super) waiting_source: Option<WaitingSource>,
    pub(super) sinks: HashMap<SinkId, OpenSink>,
    pub(super) asks: HashMap<Ask, Asker>,
    /// What cannot be answered before the record was looked at.
    parked: Vec<Command>,
    pub(super) busy: Vec<SinkId>,
    /// Tokens that this node finds this transfer by, and that every node does.
    pub(super) tokens: HashSet<[u8; 32]>,
    pub(super) saved_tokens: HashSet<[u8; 32]>,
    pub(super) saving: Saving,
    /// Whoever waits until the record is written.
    pub(super) unsaved: Vec<Answer<()>>,
    pub(super) untold: Option<Status>,
    /// Where it stood when that was last looked at, here or, as far as is known, at its home.
    pub(super) stood: TransferState,
    pub(super) active: Option<super::active::Active>,
    pub(super) work: Work,
    life: Life,
}

/// Whether the record is still wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Kept,
    Gone,
}

impl Task {
    pub(super) fn new(
        hub: Hub,
        id: TransferId,
        handle: TransferHandle,
        session: Session,
        about: About,
    ) -> Self {
        Self {
            hub,
            id,
            handle,
            tokens: HashSet::from([about.source_token.fingerprint()]),
            about,
            room: None,
            source: None,
            waiting_source: None,
            sinks: HashMap::new(),
            asks: HashMap::new(),
            parked: Vec::new(),
            busy: Vec::new(),
            saved_tokens: HashSet::new(),
            saving: Saving::Idle,
            unsaved: Vec::new(),
            untold: None,
            stood: session.transfer().state(),
            session,
            active: None,
            work: Work::Nothing,
            life: Life::Kept,
        }
    }

    /// Starts the task of a transfer that is new; it ends when the transfer is gone or the hub ends.
    pub(super) fn start_in(mut self, room: RoomHandle, commands: mpsc::Receiver<Command>) {
        self.room = Some(room);
        let ended = self.hub.ended().clone();
        let tasks = self.hub.tasks().clone();
        tasks.spawn(ended.run_until_cancelled_owned(async move {
            // There is no record yet.
            let _ = self.give(Input::Back);
            self.run(commands).await;
        }));
    }

    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut batch = Vec::with_capacity(BATCH);
        self.carry_out();
        self.mind_copy();
        while self.life == Life::Kept {
            tokio::select! {
                biased;
                count = commands.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        return;
                    }
                    for command in batch.drain(..) {
                        self.take(command);
                    }
                }
                () = self.wait() => {}
            }
            self.retry_busy_sinks();
            self.tick_if_due();
            self.mind_copy();
            self.tell_room();
        }
        self.leave(commands).await;
    }

    /// Nobody finds it any more. What an edge was told too late begins another.
    async fn leave(self, mut commands: mpsc::Receiver<Command>) {
        commands.close();
        if self.session.is_home() {
            if let Some(room) = &self.room {
                room.send_when_there_is_room(room_handle::Command::Gone(self.id.clone())).await;
            }
            return;
        }
        while let Ok(command) = commands.try_recv() {
            self.hub.transfer_at(&self.id).send(command);
        }
    }

    /// Waits for the next deadline: the session's, or the next try of what found no room.
    fn wait(&self) -> impl Future<Output = ()> + Send + use<> {
        let retries = !self.busy.is_empty() || self.untold.is_some();
        let retry = retries.then(|| self.hub.clock().now() + RETRY);
        let moment = [self.session.poll_timeout(), retry].into_iter().flatten().min();
        let instant = moment.map(|moment| self.hub.clock().instant(moment));
        async move {
            match instant {
                Some(instant) => sleep_until(instant).await,
                None => std::future::pending().await,
            }
        }
    }

    fn tick_if_due(&mut self) {
        let now = self.hub.clock().now();
        if self.session.poll_timeout().is_some_and(|timeout| now >= timeout) {
            let _ = self.session.handle(now, Input::Tick);
            self.carry_out();
        }
    }

    /// Gives the session an input and carries out what follows.
    pub(super) fn give(&mut self, input: Input) -> Outcome<Reply> {
        let reply = self.session.handle(self.hub.clock().now(), input);
        self.carry_out();
        reply
    }

    fn take(&mut self, command: Command) {
        if self.knows_too_little(&command) {
            if self.parked.len() >= MOST_PARKED {
                return command.refuse(ErrorCode::Overloaded);
            }
            if self.parked.is_empty() {
                self.look();
            }
            return self.parked.push(command);
        }
        let was_stored = matches!(command, Command::Stored(_));
        self.act(command);
        if was_stored {
            for command in std::mem::take(&mut self.parked) {
                self.act(command);
            }
        }
    }

    fn act(&mut self, command: Command) {
        match command {
            Command::OpenSource { peer, token, port, answer } => self.open_source(peer, &token, port, answer),
            Command::Chunk { peer, lane, offset, bytes, digest, answer } => {
                let end = offset.saturating_add(bytes.len() as u64);
                if self.is_too_large(end) {
                    return answer.refuse(ErrorCode::TooLarge);
                }
                let outcome = self.source_says(peer, Input::Chunk { lane, offset, bytes, digest });
                answer.give(outcome.map(|_| end));
            }
            Command::SourceEnd { peer, size, digest, answer } => {
                if size.is_some_and(|size| self.is_too_large(size)) {
                    return answer.refuse(ErrorCode::TooLarge);
                }
                answer.give(self.source_says(peer, Input::SourceEnd { size, digest }).map(drop));
            }
            Command::SourceFail { peer, answer } => {
                answer.give(self.source_says(peer, Input::SourceFailed).map(drop));
                if self.session.transfer().copy().is_here() {
                    self.lose(peer);
                }
            }
            Command::OpenSink { peer, holder, kind, port, answer } => {
                self.open_sink(peer, holder, kind, port, answer);
            }
            Command::Describe { token, answer } => {
                let is_known = self.session.transfer().member_of_token(&token).is_some();
                let source = self.session.transfer().source();
                let described = is_known.then(|| Described { opened: self.opened(), source });
                answer.give(described.ok_or(ErrorCode::NotAllowed.into()));
            }
            Command::Whose { token, answer } => {
                let member = self.session.transfer().member_of_token(&token).cloned();
                answer.give(member.ok_or(ErrorCode::NotAllowed.into()));
            }
            Command::Where { answer } => answer.give(Ok(self.about.room.clone())),
            Command::Claim { member, answer } => answer.give(self.claim(&member)),
            Command::Pull { peer, lane, from, limit, answer } => {
                let pull = |sink| Input::Pull { sink, lane, from, limit };
                answer.give(self.sink_says(peer, pull).map(drop));
            }
            Command::SinkDone { peer, digest, answer } => self.finish_sink(peer, digest, answer),
            Command::DownloadEnded { peer } => {
                let _ = self.sink_says(peer, Input::DownloadEnded);
                self.sinks.retain(|_, open| open.peer != peer);
            }
            Command::Lost { peer } => self.lose(peer),
            Command::Accept { member, token, answer } => {
                self.decide(Input::Accept { member, token }, Asker::Accept(answer));
            }
            Command::Reject { member, answer } => {
                self.decide(Input::Reject { member }, Asker::Other(answer));
            }
            Command::Steer { wish, by, answer } => {
                let input = match wish {
                    Wish::Pause => Input::Pause(by),
                    Wish::Resume => Input::Resume(by),
                    Wish::Cancel => Input::Cancel(by),
                };
                self.decide(input, Asker::Other(answer));
            }
            Command::Copy(word) => self.hear_copy(word),
            Command::WhenSaved { answer } => self.answer_when_saved(answer),
            Command::Forget => drop(self.give(Input::Forget)),
            Command::Heard { from, epoch, body } => drop(self.give(Input::Heard { from, epoch, body })),
            Command::Undelivered(node) => drop(self.give(Input::Undelivered(node))),
            Command::Hello(node) => drop(self.give(Input::Hello(node))),
            Command::NodeLost(node) => drop(self.give(Input::NodeLost(node))),
            Command::Back => {
                self.saved_tokens.clear();
                let _ = self.give(Input::Back);
            }
            Command::Stored(stored) => self.take_stored(stored),
            // Sinks that found none try again after every command.
            Command::Room => {}
        }
    }

    /// Whether a file may not have this many bytes. Of a live stream nobody knew before.
    fn is_too_large(&self, bytes: u64) -> bool {
        self.hub.options().room.max_size.is_some_and(|most| bytes > most)
    }

    /// Does what the session decided, until it rests.
    pub(super) fn carry_out(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Pull { lane, from, limit } => {
                    if let Some((_, source)) = &self.source {
                        source.pull(lane, from, limit);
                    }
                }
                Output::Stop { lane } => {
                    if let Some((_, source)) = &self.source {
                        source.stop(lane);
                    }
                }
                Output::Chunk { sink, lane, offset, bytes, digest, edge } => match edge {
                    None => self.send_chunk(sink, Chunk { lane, offset, bytes, digest }),
                    Some(node) => self.send_chunk_to_node(node, sink, lane, offset, bytes, digest),
                },
                Output::Acked { sink, from } => {
                    if let Some(open) = self.sinks.get_mut(&sink) {
                        open.port.acked(from);
                    }
                }
                Output::End { size, digest } => {
                    for open in self.sinks.values() {
                        open.port.end(size, digest);
                    }
                }
                Output::Status(status) => self.tell_status(*status),
                Output::CloseSink { sink, error } => {
                    if let Some(open) = self.sinks.remove(&sink) {
                        open.port.close(&error.into());
                    }
                }
                Output::Ended { error } => {
                    self.forget_copy();
                    self.source = None;
                    for (_, open) in self.sinks.drain() {
                        open.port.close(&error.into());
                    }
                }
                Output::Gone => self.go(),
                Output::Answered { ask, outcome } => self.answer(ask, outcome),
                Output::SourceTaken => self.take_source(),
                Output::SourceDropped => self.drop_source(),
                Output::Send { to, body } => drop(self.post(to, body)),
                Output::SendAll(body) => self.hub.broker().post_all(self.frame(body)),
                Output::Save => self.save(),
                Output::Look => self.look(),
                Output::Claim => self.claim_home(),
            }
        }
    }

    fn go(&mut self) {
        for open in self.sinks.values() {
            open.port.close(&ErrorCode::Expired.into());
        }
        self.hub.forget_transfer(&self.id, &self.handle, self.tokens.iter().copied());
        if self.session.is_home() {
            self.remove_record();
            tracing::debug!(transfer.id = %self.id, "transfer gone");
        }
        self.life = Life::Gone;
    }
}
