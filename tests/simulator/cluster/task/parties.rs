//! Which link is the source and which has which sink, as in `hub/transfer_parties.rs`.

use roomdrop::hub::session::{Input, Reply, SinkKind};
use roomdrop::protocol::{ErrorCode, Refusal, Secret};
use roomdrop::relay::SinkId;

use super::{OpenSink, Task};
use crate::cluster::surroundings::Surroundings;
use crate::cluster::word::{Line, Word, moment};

impl Task {
    pub(super) fn open_source(&mut self, around: &mut Surroundings, line: Line) -> Result<(), String> {
        if self.source.is_some_and(|before| before != line) {
            self.handle(around, Input::SourceLost)?.ok();
            self.carry_out(around)?;
        }
        match self.handle(around, Input::SourceOpened)? {
            Ok(Reply::Later) => {
                if let Some(before) = self.waiting_source.replace(line) {
                    around.say(before, Word::Refused(ErrorCode::Overloaded));
                }
            }
            Ok(_) => self.begin_source(around, line),
            Err(refusal) => around.say(line, Word::Refused(refusal.code)),
        }
        self.carry_out(around)
    }

    pub(super) fn begin_source(&mut self, around: &mut Surroundings, line: Line) {
        around.opens_source(line);
        around.say(line, Word::Opened { size: self.session.transfer().size() });
        around.say(line, Word::Status(self.session.transfer().state()));
        self.source = Some(line);
    }

    pub(super) fn open_sink(
        &mut self,
        around: &mut Surroundings,
        line: Line,
        token: &Secret,
        kind: SinkKind,
    ) -> Result<(), String> {
        let Some(member) = self.session.transfer().member_of_token(token).cloned() else {
            around.say(line, Word::Refused(ErrorCode::NotAllowed));
            return Ok(());
        };
        let outcome = self.handle(around, Input::OpenSink { member, kind })?;
        match outcome {
            Ok(Reply::Opened(sink)) => {
                self.sinks.retain(|other, open| *other == sink || open.line != line);
                self.sinks.insert(sink, OpenSink { line });
                around.opens_sink(line);
                let size = self.session.transfer().size();
                around.say(line, Word::Opened { size });
                if let Some(size) = size {
                    around.say(line, Word::End { size });
                }
                let status = self.session.describe(moment(around.skew, around.now));
                around.say(line, Word::Status(status.state));
            }
            Ok(_) => around.say(line, Word::Refused(ErrorCode::Internal)),
            Err(refusal) => around.say(line, Word::Refused(refusal.code)),
        }
        self.carry_out(around)
    }

    pub(super) fn source_says(
        &mut self,
        around: &mut Surroundings,
        line: Line,
        input: Input,
    ) -> Result<Result<Reply, Refusal>, String> {
        if self.source == Some(line) {
            return self.give(around, input);
        }
        let closed = self.session.transfer().state().is_final();
        Ok(Err(if closed { ErrorCode::TransferClosed.into() } else { ErrorCode::NotAllowed.into() }))
    }

    pub(super) fn sink_says(
        &mut self,
        around: &mut Surroundings,
        line: Line,
        input: impl FnOnce(SinkId) -> Input,
    ) -> Result<Result<Reply, Refusal>, String> {
        match self.sink_of(line) {
            Ok(sink) => self.give(around, input(sink)),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    pub(super) fn sink_of(&self, line: Line) -> Result<SinkId, Refusal> {
        match self.sinks.iter().find(|(_, open)| open.line == line) {
            Some((sink, _)) => Ok(*sink),
            None if self.session.transfer().state().is_final() => Err(ErrorCode::TransferClosed.into()),
            None => Err(ErrorCode::NotAllowed.into()),
        }
    }

    pub(super) fn lose(&mut self, around: &mut Surroundings, line: Line) -> Result<(), String> {
        if self.waiting_source == Some(line) {
            self.waiting_source = None;
            self.give(around, Input::SourceLost)?.ok();
        }
        if self.source == Some(line) {
            self.source = None;
            self.give(around, Input::SourceLost)?.ok();
        }
        let lost = self.sinks.iter().find(|(_, open)| open.line == line).map(|(sink, _)| *sink);
        if let Some(sink) = lost {
            self.sinks.remove(&sink);
            self.give(around, Input::SinkLost(sink))?.ok();
        }
        Ok(())
    }
}
