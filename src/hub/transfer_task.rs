//! The task of one transfer: hands a [`Session`] the time and what arrives in its mailbox, and carries
//! out what it decides. It knows who may speak (which link is the source, which link has which sink) and
//! decides nothing else.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep_until;

use super::answer::Outcome;
use super::port::{Chunk, SinkPort, SourcePort};
use super::room_handle::{self, RoomHandle};
use super::session::{Input, Output, Reply, Session, SinkKind};
use super::transfer_handle::{Command, TransferHandle, Wish};
use super::{File, Hub};
use crate::protocol::rooms::Status;
use crate::protocol::{ErrorCode, MemberId, Secret, TransferState};
use crate::relay::SinkId;
use crate::room::{PeerId, envelope};

/// Commands taken at once before the clock is looked at again.
const BATCH: usize = 64;
/// How soon a sink that had no room is tried again.
const RETRY: Duration = Duration::from_millis(5);

pub(super) struct OpenSink {
    pub(super) peer: PeerId,
    pub(super) member: MemberId,
    pub(super) kind: SinkKind,
    pub(super) port: Box<dyn SinkPort>,
}

pub(super) struct Task {
    pub(super) hub: Hub,
    pub(super) session: Session,
    pub(super) file: Arc<File>,
    pub(super) source_token: Secret,
    pub(super) room: RoomHandle,
    pub(super) source: Option<(PeerId, Box<dyn SourcePort>)>,
    pub(super) sinks: HashMap<SinkId, OpenSink>,
    busy: Vec<SinkId>,
    pub(super) tokens: Vec<Secret>,
    untold: Option<Status>,
    active: Option<super::Active>,
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
        session: Session,
        file: Arc<File>,
        source_token: Secret,
        room: RoomHandle,
    ) -> Self {
        Self {
            hub,
            session,
            file,
            tokens: vec![source_token.clone()],
            source_token,
            room,
            source: None,
            sinks: HashMap::new(),
            busy: Vec::new(),
            untold: None,
            active: None,
            life: Life::Kept,
        }
    }

    /// Starts the task; it ends when the transfer is gone or the hub ends.
    pub(super) fn start(self) -> TransferHandle {
        let (handle, commands) = TransferHandle::new();
        let ended = self.hub.ended().clone();
        let tasks = self.hub.tasks().clone();
        tasks.spawn(ended.run_until_cancelled_owned(self.run(commands)));
        handle
    }

    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut batch = Vec::with_capacity(BATCH);
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
            self.tell_room();
        }
        let id = self.session.transfer().id().clone();
        self.room.send_when_there_is_room(room_handle::Command::Gone(id)).await;
    }

    /// Waits for the next deadline: the session's, or the next try of what found no room.
    async fn wait(&self) {
        let retries = !self.busy.is_empty() || self.untold.is_some();
        let retry = retries.then(|| self.hub.clock().now() + RETRY);
        match [self.session.poll_timeout(), retry].into_iter().flatten().min() {
            Some(moment) => sleep_until(self.hub.clock().instant(moment)).await,
            None => std::future::pending().await,
        }
    }

    fn tick_if_due(&mut self) {
        let now = self.hub.clock().now();
        if self.session.poll_timeout().is_some_and(|timeout| now >= timeout) {
            let _ = self.session.handle(now, Input::Tick);
            self.carry_out();
        }
    }

    fn retry_busy_sinks(&mut self) {
        for sink in std::mem::take(&mut self.busy) {
            let _ = self.give(Input::SinkReady(sink));
        }
    }

    /// Gives the session an input and carries out what follows.
    pub(super) fn give(&mut self, input: Input) -> Outcome<Reply> {
        let reply = self.session.handle(self.hub.clock().now(), input);
        self.carry_out();
        reply
    }

    fn take(&mut self, command: Command) {
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
            }
            Command::OpenSink { peer, holder, kind, port, answer } => {
                self.open_sink(peer, holder, kind, port, answer);
            }
            Command::Describe { token, answer } => {
                let member = self.session.transfer().member_of_token(&token);
                let outcome = member.map(|_| self.opened()).ok_or(ErrorCode::NotAllowed);
                answer.give(outcome.map_err(Into::into));
            }
            Command::Whose { token, answer } => {
                let member = self.session.transfer().member_of_token(&token).cloned();
                answer.give(member.ok_or(ErrorCode::NotAllowed.into()));
            }
            Command::Claim { member, answer } => answer.give(self.claim(&member)),
            Command::Pull { peer, lane, from, limit, answer } => {
                let pull = |sink| Input::Pull { sink, lane, from, limit };
                answer.give(self.sink_says(peer, pull).map(drop));
            }
            Command::SinkDone { peer, digest, answer } => {
                answer.give(match self.sink_says(peer, |sink| Input::SinkDone { sink, digest }) {
                    Ok(Reply::Failed(error)) => Err(error.into()),
                    other => other.map(drop),
                });
            }
            Command::DownloadEnded { peer } => {
                let _ = self.sink_says(peer, Input::DownloadEnded);
                self.sinks.retain(|_, open| open.peer != peer);
            }
            Command::Lost { peer } => self.lose(peer),
            Command::Accept { member, token, answer } => self.accept(member, token, answer),
            Command::Reject { member, answer } => answer.give(self.give(Input::Reject { member }).map(drop)),
            Command::Steer { wish, by, answer } => {
                let input = match wish {
                    Wish::Pause => Input::Pause(by),
                    Wish::Resume => Input::Resume(by),
                    Wish::Cancel => Input::Cancel(by),
                };
                answer.give(self.give(input).map(drop));
            }
            Command::Forget => drop(self.give(Input::Forget)),
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
                Output::Chunk { sink, lane, offset, bytes, digest } => {
                    self.send_chunk(sink, Chunk { lane, offset, bytes, digest });
                }
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
                    self.source = None;
                    for (_, open) in self.sinks.drain() {
                        open.port.close(&error.into());
                    }
                }
                Output::Gone => self.go(),
            }
        }
    }

    fn send_chunk(&mut self, sink: SinkId, chunk: Chunk) {
        let offset = chunk.offset;
        let Some(open) = self.sinks.get_mut(&sink) else { return };
        if open.port.try_chunk(chunk).is_err() {
            self.busy.push(sink);
            let _ = self.session.handle(self.hub.clock().now(), Input::SinkBusy { sink, offset });
        }
    }

    fn tell_status(&mut self, status: Status) {
        tracing::debug!(
            transfer.id = %status.transfer, state = ?status.state, sent_bytes = status.sent,
            receivers = status.receivers.len(), "transfer status"
        );
        match (status.state == TransferState::Active, &self.active) {
            (true, None) => self.active = Some(self.hub.count_active()),
            (false, Some(_)) => self.active = None,
            _ => {}
        }
        self.untold = Some(status.clone());
        let status = Arc::new(envelope(status));
        if let Some((_, source)) = &self.source {
            source.status(&status);
        }
        for open in self.sinks.values() {
            open.port.status(&status);
        }
    }

    /// Tells the room how it stands. When its mailbox is full this is tried again: only the newest counts.
    fn tell_room(&mut self) {
        if let Some(status) = self.untold.take()
            && !self.room.try_send(room_handle::Command::Status(Box::new(status.clone())))
        {
            self.untold = Some(status);
        }
    }

    fn go(&mut self) {
        let id = self.session.transfer().id();
        for open in self.sinks.values() {
            open.port.close(&ErrorCode::Expired.into());
        }
        self.hub.forget_transfer(id, &self.tokens);
        tracing::debug!(transfer.id = %id, "transfer gone");
        self.life = Life::Gone;
    }
}
