//! The thin code around a session, as the hub's task of a transfer is: which link is the source, which has
//! which sink, who waits for an answer, and what is asked of the records. It decides nothing, and what it
//! does it does as `hub/transfer_task.rs`, `transfer_parties.rs` and `transfer_records.rs` do.

mod answers;
mod parties;
mod records;

use std::collections::{BTreeMap, BTreeSet};

use roomdrop::hub::session::{Ask, Input, Output, Reply, Session};
use roomdrop::protocol::node::{Body, NodeId};
use roomdrop::protocol::{ErrorCode, Refusal, Secret};
use roomdrop::relay::SinkId;

use self::answers::Asker;
use self::records::Saving;
use crate::cluster::store::{self, Trip};
use crate::cluster::surroundings::Surroundings;
use crate::cluster::word::{Act, Command, Line, Request, Word, micros, moment};
use crate::plan::MILLI;
use crate::word::Event;

/// How soon a sink that had no room is tried again.
const RETRY: u64 = 20 * MILLI;

#[derive(Debug)]
struct OpenSink {
    line: Line,
}

#[derive(Debug)]
pub struct Task {
    pub session: Session,
    source: Option<Line>,
    waiting_source: Option<Line>,
    sinks: BTreeMap<SinkId, OpenSink>,
    asks: Vec<(Ask, Asker)>,
    parked: Vec<Command>,
    busy: Vec<SinkId>,
    busy_since: u64,
    /// Tokens that this node finds the transfer by, and that every node does.
    pub tokens: BTreeSet<String>,
    saved_tokens: BTreeSet<String>,
    source_token: Secret,
    saving: Saving,
    pub is_gone: bool,
}

impl Task {
    pub fn new(session: Session, source_token: Secret) -> Self {
        Self {
            session,
            source: None,
            waiting_source: None,
            sinks: BTreeMap::new(),
            asks: Vec::new(),
            parked: Vec::new(),
            busy: Vec::new(),
            busy_since: 0,
            tokens: BTreeSet::from([source_token.expose().to_owned()]),
            saved_tokens: BTreeSet::new(),
            source_token,
            saving: Saving::Idle,
            is_gone: false,
        }
    }

    /// When time has something to do, in the world's microseconds.
    pub fn timeout(&self, skew: u64) -> Option<u64> {
        let retry = (!self.busy.is_empty()).then_some(self.busy_since + RETRY);
        let session = self.session.poll_timeout().map(|at| micros(skew, at));
        [retry, session].into_iter().flatten().min()
    }

    /// Whether a person's link is open here.
    pub fn has_line(&self, line: Line) -> bool {
        self.source == Some(line) || self.sinks.values().any(|open| open.line == line)
    }

    pub fn tick(&mut self, around: &mut Surroundings) -> Result<(), String> {
        if !self.busy.is_empty() && around.now >= self.busy_since + RETRY {
            for sink in std::mem::take(&mut self.busy) {
                self.give(around, Input::SinkReady(sink))?.ok();
            }
        }
        if self.session.poll_timeout().is_some_and(|at| moment(around.skew, around.now) >= at) {
            self.give(around, Input::Tick)?.ok();
        }
        Ok(())
    }

    /// Gives the session an input and carries out what follows.
    pub fn give(
        &mut self,
        around: &mut Surroundings,
        input: Input,
    ) -> Result<Result<Reply, Refusal>, String> {
        let reply = self.handle(around, input)?;
        self.carry_out(around)?;
        Ok(reply)
    }

    fn handle(&mut self, around: &mut Surroundings, input: Input) -> Result<Result<Reply, Refusal>, String> {
        let Some(input) = around.distort(input, &self.session) else { return Ok(Ok(Reply::Done)) };
        around.log(|| format!("  in {}", crate::cluster::word::input(&input)));
        let reply = self.session.handle(moment(around.skew, around.now), input);
        if let Err(refusal) = &reply {
            around.log(|| format!("  refused {refusal:?}"));
        }
        around.check(&self.session)?;
        Ok(reply)
    }

    pub fn take(&mut self, around: &mut Surroundings, command: Command) -> Result<(), String> {
        if self.knows_too_little(&command) {
            if self.parked.is_empty() {
                around.act(Act::Trip(Trip::Look));
            }
            self.parked.push(command);
            return Ok(());
        }
        let was_stored = matches!(command, Command::Stored { .. });
        self.act(around, command)?;
        if was_stored {
            for command in std::mem::take(&mut self.parked) {
                self.act(around, command)?;
            }
        }
        Ok(())
    }

    fn knows_too_little(&self, command: &Command) -> bool {
        let transfer = self.session.transfer();
        match command {
            _ if transfer.state().is_final() => false,
            Command::OpenSink { token, .. } => transfer.member_of_token(token).is_none(),
            _ => false,
        }
    }

    fn act(&mut self, around: &mut Surroundings, command: Command) -> Result<(), String> {
        match command {
            Command::OpenSource { line } => self.open_source(around, line)?,
            Command::Chunk { line, lane, offset, len, quality } => {
                let (bytes, digest) = Event::payload(offset, len, quality);
                let outcome = self.source_says(around, line, Input::Chunk { lane, offset, bytes, digest })?;
                match outcome {
                    Ok(_) => around.on_taken(offset, len)?,
                    Err(refusal) => around.say(line, Word::ChunkRefused(refusal.code)),
                }
            }
            Command::SourceEnd { line, size } => {
                self.source_says(around, line, Input::SourceEnd { size: Some(size), digest: None })?.ok();
            }
            Command::SourceFail { line } => {
                self.source_says(around, line, Input::SourceFailed)?.ok();
            }
            Command::OpenSink { line, token, kind } => self.open_sink(around, line, &token, kind)?,
            Command::Pull { line, lane, from, limit } => {
                around.on_pull(line, lane, from, limit);
                let pull = |sink| Input::Pull { sink, lane, from, limit };
                if let Err(refusal) = self.sink_says(around, line, pull)? {
                    around.refused_pull(line, refusal.code);
                }
            }
            Command::SinkDone { line } => {
                let reply = match self.sink_of(line) {
                    Ok(sink) => self.handle(around, Input::SinkDone { sink, digest: None })?,
                    Err(refusal) => Err(refusal),
                };
                self.answer_when_decided(around, reply, Asker::Done(line))?;
                self.carry_out(around)?;
            }
            Command::DownloadEnded { line } => {
                self.sink_says(around, line, Input::DownloadEnded)?.ok();
                self.sinks.retain(|_, open| open.line != line);
                around.say(line, Word::Thanks);
            }
            Command::Lost { line } => self.lose(around, line)?,
            Command::Request { number, ask } => self.request(around, number, ask)?,
            Command::Heard { from, epoch, body } => {
                self.give(around, Input::Heard { from, epoch, body })?.ok();
            }
            Command::Undelivered(node) => drop(self.give(around, Input::Undelivered(node))?),
            Command::Hello(node) => drop(self.give(around, Input::Hello(node))?),
            Command::NodeLost(node) => drop(self.give(around, Input::NodeLost(node))?),
            Command::Back => {
                self.saved_tokens.clear();
                self.give(around, Input::Back)?.ok();
            }
            Command::Stored { stored, is_save } => self.take_stored(around, stored, is_save)?,
        }
        Ok(())
    }

    fn request(&mut self, around: &mut Surroundings, number: u64, ask: Request) -> Result<(), String> {
        let input = match ask {
            Request::Accept(member) => Input::Accept { member, token: around.fresh_token() },
            Request::Pause(party) => Input::Pause(party),
            Request::Resume(party) => Input::Resume(party),
            Request::Cancel(party) => Input::Cancel(party),
        };
        let reply = self.handle(around, input)?;
        self.answer_when_decided(around, reply, Asker::Request(number))?;
        self.carry_out(around)
    }

    pub fn carry_out(&mut self, around: &mut Surroundings) -> Result<(), String> {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Pull { lane, from, limit } => {
                    if let Some(line) = self.source {
                        around.on_ask(line, lane, from, limit)?;
                        around.say(line, Word::Pull { lane, from, limit });
                    }
                }
                Output::Stop { lane } => {
                    if let Some(line) = self.source {
                        around.say(line, Word::Stop { lane });
                    }
                }
                Output::Chunk { sink, lane, offset, bytes, digest, edge } => {
                    let len = bytes.len() as u64;
                    match edge {
                        Some(node) => {
                            let body = Body::Chunk { lane, offset, digest, bytes };
                            if !around.reserve(node, len) {
                                self.on_busy(around, sink, offset)?;
                                continue;
                            }
                            self.post(around, node, body);
                        }
                        None => {
                            let Some(open) = self.sinks.get(&sink) else { continue };
                            if !around.has_room(open.line, len) {
                                self.on_busy(around, sink, offset)?;
                                continue;
                            }
                            around.on_send(open.line, lane, offset, &bytes)?;
                            around.say(open.line, Word::Chunk { lane, offset, bytes });
                        }
                    }
                }
                Output::Acked { .. } => {}
                Output::End { size, .. } => {
                    for open in self.sinks.values() {
                        around.say(open.line, Word::End { size });
                    }
                }
                Output::Status(status) => {
                    let word = Word::Status(status.state);
                    let lines = self.source.into_iter().chain(self.sinks.values().map(|open| open.line));
                    for line in lines.collect::<Vec<_>>() {
                        around.say(line, word.clone());
                    }
                }
                Output::CloseSink { sink, error } => {
                    if let Some(open) = self.sinks.remove(&sink) {
                        around.say(open.line, Word::Closed(error));
                    }
                }
                Output::Ended { error } => {
                    if let Some(line) = self.source.take() {
                        around.say(line, Word::Closed(error));
                    }
                    for (_, open) in std::mem::take(&mut self.sinks) {
                        around.say(open.line, Word::Closed(error));
                    }
                }
                Output::Gone => self.go(around),
                Output::Answered { ask, outcome } => self.answer(around, ask, outcome)?,
                Output::SourceTaken => {
                    if let Some(line) = self.waiting_source.take() {
                        self.begin_source(around, line);
                    }
                }
                Output::SourceDropped => match self.waiting_source.take() {
                    Some(line) => around.say(line, Word::Refused(ErrorCode::TransferClosed)),
                    None => self.source = None,
                },
                Output::Send { to, body } => self.post(around, to, body),
                Output::SendAll(body) => {
                    around.act(Act::PostAll { epoch: self.session.epoch(), body });
                }
                Output::Save => self.save(around)?,
                Output::Look => around.act(Act::Trip(Trip::Look)),
                Output::Claim => {
                    let (epoch, number) = (self.session.epoch(), self.session.number());
                    let value = store::write(&self.session.claim(moment(around.skew, around.now)));
                    around.act(Act::Trip(Trip::Claim { epoch, number, value }));
                }
            }
        }
        Ok(())
    }

    fn post(&self, around: &mut Surroundings, to: NodeId, body: Body) {
        around.act(Act::Post { to, epoch: self.session.epoch(), body });
    }

    fn on_busy(&mut self, around: &mut Surroundings, sink: SinkId, offset: u64) -> Result<(), String> {
        if self.busy.is_empty() {
            self.busy_since = around.now;
        }
        self.busy.push(sink);
        self.handle(around, Input::SinkBusy { sink, offset })?.ok();
        Ok(())
    }

    /// Nobody finds it here any more; whoever waits for an answer is given one.
    fn go(&mut self, around: &mut Surroundings) {
        for open in self.sinks.values() {
            around.say(open.line, Word::Closed(ErrorCode::Expired));
        }
        for (_, asker) in std::mem::take(&mut self.asks) {
            if let Asker::Request(number) = asker {
                around.act(Act::Answer { number, outcome: Err(ErrorCode::Overloaded) });
            }
        }
        if let Some(line) = self.waiting_source.take() {
            around.say(line, Word::Refused(ErrorCode::Overloaded));
        }
        if self.session.is_home() {
            around.act(Act::Trip(Trip::Remove { epoch: self.session.epoch() }));
        }
        self.is_gone = true;
    }
}
