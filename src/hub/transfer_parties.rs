//! Who may speak to a transfer: which link is its source, which have its sinks, and what tokens open. The
//! rest of the task lives in `transfer_task`.

use std::sync::Arc;

use super::answer::{Answer, Outcome};
use super::record::File;
use super::session::{Ask, Decided, Input, Reply, SinkKind};
use super::transfer_handle::{Command, Holder, SinkBox, SourceBox};
use super::transfer_task::{Asker, OpenSink, Task, WaitingSource};
use crate::protocol::rooms::Status;
use crate::protocol::transfers::{SinkOpened, SourceOpened};
use crate::protocol::{Digest, Envelope, ErrorCode, MemberId, ReceiverState, Refusal, Secret, TransferState};
use crate::relay::SinkId;
use crate::room::{PeerId, envelope};

impl Task {
    pub(super) fn open_source(
        &mut self,
        peer: PeerId,
        token: &Secret,
        port: SourceBox,
        answer: Answer<SourceOpened>,
    ) {
        if *token != self.about.source_token {
            return answer.refuse(ErrorCode::NotAllowed);
        }
        if self.session.transfer().has_copy_alone() {
            let sentence = "All of it is stored, and nothing more is asked of you.";
            return answer.refuse(Refusal::new(ErrorCode::TransferClosed, sentence));
        }
        // Its answer goes first, then what it is asked for.
        let now = self.hub.clock().now();
        if self.source.as_ref().is_some_and(|(before, _)| *before != peer) {
            let _ = self.session.handle(now, Input::SourceLost);
            self.carry_out();
        }
        match self.session.handle(now, Input::SourceOpened) {
            Ok(Reply::Later) => self.waiting_source = Some(WaitingSource { peer, port: port.0, answer }),
            Ok(_) => self.begin_source(WaitingSource { peer, port: port.0, answer }),
            Err(refusal) => answer.refuse(refusal),
        }
        self.carry_out();
    }

    fn begin_source(&mut self, source: WaitingSource) {
        let WaitingSource { peer, port, answer } = source;
        answer.give(Ok(SourceOpened {
            transfer: self.id.clone(),
            size: self.session.transfer().size(),
            chunk: self.hub.chunk_sizes(),
        }));
        if let Some(status) = self.news() {
            port.status(&status);
        }
        self.source = Some((peer, port));
    }

    /// This is the home: the source that waited is let in. One that was here all the time stays.
    pub(super) fn take_source(&mut self) {
        if let Some(source) = self.waiting_source.take() {
            self.begin_source(source);
        }
    }

    /// The source's link here is an old one, or may not open.
    pub(super) fn drop_source(&mut self) {
        match self.waiting_source.take() {
            Some(source) => source.answer.refuse(ErrorCode::TransferClosed),
            None => self.source = None,
        }
    }

    pub(super) fn open_sink(
        &mut self,
        peer: PeerId,
        holder: Holder,
        kind: SinkKind,
        port: SinkBox,
        answer: Answer<SinkOpened>,
    ) {
        let member = match holder {
            Holder::Token(token) => self.session.transfer().member_of_token(&token).cloned(),
            Holder::Member(member) => Some(member),
        };
        let Some(member) = member else {
            return answer.refuse(ErrorCode::NotAllowed);
        };
        let is_download = |open: &&OpenSink| Self::is_of(open, &member) && open.kind != SinkKind::Link;
        let downloads = self.sinks.values().filter(is_download).count();
        if kind != SinkKind::Link && downloads >= self.hub.options().downloads_per_token {
            return answer.refuse(ErrorCode::RateLimited);
        }
        let now = self.hub.clock().now();
        let outcome = self.session.handle(now, Input::OpenSink { member: member.clone(), kind });
        let opened = match outcome {
            Ok(Reply::Opened(sink)) => {
                self.sinks.retain(|other, open| *other == sink || open.peer != peer);
                self.sinks.insert(sink, OpenSink { peer, member: Some(member), kind, port: port.0 });
                Ok(sink)
            }
            Ok(_) => Err(ErrorCode::Internal.into()),
            Err(refusal) => Err(refusal),
        };
        let sink = opened.as_ref().ok().copied();
        answer.give(opened.map(|_| self.opened()));
        let status = self.news();
        if let Some(open) = sink.and_then(|sink| self.sinks.get(&sink)) {
            if let Some(size) = self.session.transfer().size() {
                open.port.end(size, self.session.transfer().digest());
            }
            if let Some(status) = status {
                open.port.status(&status);
            }
        }
        self.carry_out();
    }

    /// How it stands, for a party that has just come; nothing while nobody has answered.
    fn news(&mut self) -> Option<Arc<Envelope<Status>>> {
        let transfer = self.session.transfer();
        let is_answered = transfer.people().any(|(_, state)| state != ReceiverState::Invited);
        if transfer.state() == TransferState::Offered && !is_answered {
            return None;
        }
        let now = self.hub.clock().now();
        Some(Arc::new(envelope(self.session.describe(now))))
    }

    pub(super) fn opened(&self) -> SinkOpened {
        let transfer = self.session.transfer();
        SinkOpened {
            transfer: transfer.id().clone(),
            name: self.about.file.name.clone(),
            size: transfer.size(),
            media_type: self.about.file.media_type.clone(),
            state: transfer.state(),
            digest: transfer.digest(),
        }
    }

    /// Has something decided, here or by the home.
    pub(super) fn decide(&mut self, input: Input, asker: Asker) {
        let now = self.hub.clock().now();
        let reply = self.session.handle(now, input);
        self.answer_when_decided(reply, asker);
        self.carry_out();
    }

    pub(super) fn answer_when_decided(&mut self, reply: Outcome<Reply>, asker: Asker) {
        match reply {
            Ok(Reply::Asked(ask)) => drop(self.asks.insert(ask, asker)),
            Ok(Reply::Decided(decided)) => self.answer_asker(asker, Ok(decided)),
            Ok(_) => self.answer_asker(asker, Ok(Decided::Done)),
            Err(refusal) => self.answer_asker(asker, Err(refusal)),
        }
    }

    /// What was asked is decided. Nobody may wait for it, such as for the end of a download.
    pub(super) fn answer(&mut self, ask: Ask, outcome: Outcome<Decided>) {
        if let Some(asker) = self.asks.remove(&ask) {
            self.answer_asker(asker, outcome);
        }
    }

    fn answer_asker(&mut self, asker: Asker, outcome: Outcome<Decided>) {
        match (asker, outcome) {
            (Asker::Accept(answer), Ok(Decided::Accepted(token))) => {
                self.hub.know_token(&token, &self.id);
                self.tokens.insert(token.fingerprint());
                answer.give(Ok((token, self.file_now())));
            }
            (Asker::Accept(answer), Ok(_)) => answer.refuse(ErrorCode::Internal),
            (Asker::Other(answer), Ok(Decided::Failed(error))) => answer.refuse(error),
            (Asker::Other(answer), Ok(_)) => answer.give(Ok(())),
            (Asker::Accept(answer), Err(refusal)) => answer.refuse(refusal),
            (Asker::Other(answer), Err(refusal)) => answer.refuse(refusal),
        }
    }

    /// What this member may have from the first byte on.
    pub(super) fn claim(&self, member: &MemberId) -> Outcome<Arc<File>> {
        let transfer = self.session.transfer();
        if transfer.state().is_final() || !self.session.can_begin() {
            return Err(ErrorCode::TransferClosed.into());
        }
        if !transfer.has_accepted(member) {
            return Err(ErrorCode::NotAllowed.into());
        }
        Ok(self.file_now())
    }

    /// The file, with its size if that came to be known.
    fn file_now(&self) -> Arc<File> {
        let size = self.session.transfer().size();
        Arc::new(File { size, ..self.about.file.as_ref().clone() })
    }

    pub(super) fn source_says(&mut self, peer: PeerId, input: Input) -> Outcome<Reply> {
        match self.source {
            Some((source, _)) if source == peer => self.give(input),
            _ if self.session.transfer().state().is_final() => Err(ErrorCode::TransferClosed.into()),
            _ => Err(ErrorCode::NotAllowed.into()),
        }
    }

    pub(super) fn sink_says(&mut self, peer: PeerId, input: impl FnOnce(SinkId) -> Input) -> Outcome<Reply> {
        let sink = self.sink_of(peer)?;
        self.give(input(sink))
    }

    /// `sink:done`. What was decided long ago is answered at once: whoever asks must be known by then.
    pub(super) fn finish_sink(&mut self, peer: PeerId, digest: Option<Digest>, answer: Answer<()>) {
        let now = self.hub.clock().now();
        let sink = self.sink_of(peer);
        let reply = sink.and_then(|sink| self.session.handle(now, Input::SinkDone { sink, digest }));
        self.answer_when_decided(reply, Asker::Other(answer));
        self.carry_out();
    }

    fn sink_of(&self, peer: PeerId) -> Outcome<SinkId> {
        match self.sinks.iter().find(|(_, open)| open.peer == peer) {
            Some((sink, _)) => Ok(*sink),
            None if self.session.transfer().state().is_final() => Err(ErrorCode::TransferClosed.into()),
            None => Err(ErrorCode::NotAllowed.into()),
        }
    }

    pub(super) fn lose(&mut self, peer: PeerId) {
        if self.waiting_source.as_ref().is_some_and(|source| source.peer == peer) {
            self.waiting_source = None;
            let _ = self.give(Input::SourceLost);
        }
        if self.source.as_ref().is_some_and(|(source, _)| *source == peer) {
            self.source = None;
            let _ = self.give(Input::SourceLost);
        }
        let lost = self.sinks.iter().find(|(_, open)| open.peer == peer).map(|(sink, _)| *sink);
        if let Some(sink) = lost {
            self.sinks.remove(&sink);
            let _ = self.give(Input::SinkLost(sink));
        }
    }

    /// Whether the record may know a token that this node does not know yet: an edge that heard nothing of it,
    /// or a home that does not know that it is one no more.
    pub(super) fn knows_too_little(&self, command: &Command) -> bool {
        let transfer = self.session.transfer();
        match command {
            _ if transfer.state().is_final() => false,
            Command::OpenSink { holder: Holder::Token(token), .. }
            | Command::Describe { token, .. }
            | Command::Whose { token, .. } => transfer.member_of_token(token).is_none(),
            Command::OpenSink { holder: Holder::Member(member), .. } | Command::Claim { member, .. } => {
                !transfer.has_accepted(member)
            }
            _ => false,
        }
    }
}
