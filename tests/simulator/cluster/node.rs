//! One run of one node: its part of the transfer, if it has one, and how it finds it, as `hub/nodes.rs`
//! does. And what is around it: where its acts go, and who checks them.

use std::collections::BTreeSet;

use bytes::Bytes;
use roomdrop::hub::session::{Input, Session, Situation, is_asking, not_here};
use roomdrop::protocol::node::{Body, NodeId};
use roomdrop::protocol::{ErrorCode, Secret};
use roomdrop::relay::{Budget, Relay, Source};

use crate::cluster::flaws::Flaw;
use crate::cluster::ledger::Ledger;
use crate::cluster::net::Net;
use crate::cluster::plan::Plan;
use crate::cluster::store::{Stored, Trip};
use crate::cluster::task::Task;
use crate::cluster::word::{Act, Command, Line, Word, moment};
use crate::plan::{MILLI, SECOND};

/// As `hub/nodes.rs` has them: how long a record may take to be there, how long records that cannot be
/// reached are waited for, how often a record is looked for.
const PATIENCE: u64 = 2 * SECOND;
const AWAY: u64 = 10 * SECOND;
const RETRY: u64 = 50 * MILLI;

/// What a node's task can reach.
pub struct Surroundings<'a> {
    pub plan: &'a Plan,
    pub now: u64,
    pub me: NodeId,
    pub skew: u64,
    /// Nodes that this one knows to be lost; none while it reaches nobody.
    pub lost: &'a BTreeSet<NodeId>,
    pub is_away: bool,
    pub used: u64,
    pub net: &'a mut Net,
    pub ledger: &'a mut Ledger,
    pub acts: &'a mut Vec<Act>,
    pub log: &'a mut Option<String>,
}

impl Surroundings<'_> {
    pub fn act(&mut self, act: Act) {
        self.log(|| format!("  {act}"));
        self.acts.push(act);
    }

    pub fn say(&mut self, line: Line, word: Word) {
        if let Word::Chunk { bytes, .. } = &word {
            self.net.queue(line, bytes.len() as u64);
        }
        self.act(Act::Say { line, word });
    }

    pub fn log(&mut self, text: impl FnOnce() -> String) {
        if let Some(log) = self.log {
            log.push_str(&text());
            log.push('\n');
        }
    }

    pub fn has(&self, flaw: Flaw) -> bool {
        self.plan.flaw == Some(flaw)
    }

    /// What reaches the session, where the node has a flaw.
    pub fn distort(&self, input: Input, session: &Session) -> Option<Input> {
        match self.plan.flaw {
            Some(flaw) => flaw.distort(input, session),
            None => Some(input),
        }
    }

    pub fn fresh_token(&mut self) -> Secret {
        self.ledger.fresh_token()
    }

    /// Whether there is room for a chunk on its way to a node; takes it, if so.
    pub fn reserve(&mut self, to: NodeId, len: u64) -> bool {
        self.net.reserve(self.me, to, len)
    }

    pub fn has_room(&self, line: Line, len: u64) -> bool {
        self.net.has_room(line, len)
    }

    /// What a command opens by.
    fn token_of(&self, command: &Command) -> Option<String> {
        let token = match command {
            Command::OpenSource { .. } => &self.ledger.source_token,
            Command::OpenSink { token, .. } => token,
            _ => return None,
        };
        Some(token.expose().to_owned())
    }

    pub fn knows_lost(&self, node: NodeId) -> bool {
        !self.is_away && self.lost.contains(&node)
    }

    pub fn check(&mut self, session: &Session) -> Result<(), String> {
        let bound = self.plan.options.most(self.plan.budget);
        if self.used > bound {
            return Err(format!("{} booked at {}, the bound is {bound}", self.used, self.me));
        }
        self.ledger.on_session(self.me, session)
    }

    pub fn on_pull(&mut self, line: Line, lane: u64, from: u64, limit: u64) {
        self.ledger.on_pull(line, lane, from, limit);
    }

    pub fn refused_pull(&mut self, line: Line, error: ErrorCode) {
        self.log(|| format!("  pull on {line} refused: {error}"));
    }

    pub fn on_send(&mut self, line: Line, lane: u64, offset: u64, bytes: &Bytes) -> Result<(), String> {
        self.ledger.on_send(line, lane, offset, bytes)
    }

    pub fn on_ask(&mut self, line: Line, lane: u64, from: u64, limit: u64) -> Result<(), String> {
        self.ledger.on_ask(line, lane, from, limit)
    }

    pub fn on_taken(&mut self, offset: u64, len: u64) -> Result<(), String> {
        self.ledger.on_taken(offset, len);
        Ok(())
    }

    pub fn opens_source(&mut self, line: Line) {
        self.ledger.opens_source(line);
    }

    pub fn opens_sink(&mut self, line: Line) {
        self.ledger.opens_sink(self.me, line);
    }

    pub fn on_done(&mut self, line: Line) -> Result<(), String> {
        self.ledger.on_done(line)
    }
}

/// A node's part of the transfer.
#[derive(Debug)]
enum Part {
    None,
    /// Its record is looked for; what was said to it waits.
    Finding {
        since: u64,
        waits: Vec<Command>,
        again_at: Option<u64>,
    },
    Running(Box<Task>),
}

#[derive(Debug)]
pub struct Node {
    pub id: NodeId,
    pub slot: usize,
    pub skew: u64,
    pub budget: Budget,
    pub lost: BTreeSet<NodeId>,
    pub is_away: bool,
    part: Part,
    /// Who waits for the transfer of their token to be found.
    waits: Vec<(u64, u64, Command)>,
    token_again_at: Option<u64>,
    next_wait: u64,
}

impl Node {
    pub fn new(id: NodeId, slot: usize, skew: u64, plan: &Plan) -> Self {
        Self {
            id,
            slot,
            skew,
            budget: Budget::new(plan.budget),
            lost: BTreeSet::new(),
            is_away: false,
            part: Part::None,
            waits: Vec::new(),
            token_again_at: None,
            next_wait: 0,
        }
    }

    pub fn task(&self) -> Option<&Task> {
        match &self.part {
            Part::Running(task) => Some(task),
            Part::None | Part::Finding { .. } => None,
        }
    }

    /// Here the transfer was offered.
    pub fn begin(&mut self, around: &mut Surroundings, task: Task) -> Result<(), String> {
        self.part = Part::Running(Box::new(task));
        self.run(around, |task, around| task.give(around, Input::Back).map(drop))
    }

    pub fn timeout(&self) -> Option<u64> {
        let part = match &self.part {
            Part::None => None,
            Part::Finding { again_at, .. } => *again_at,
            Part::Running(task) => task.timeout(self.skew),
        };
        [part, self.token_again_at].into_iter().flatten().min()
    }

    pub fn tick(&mut self, around: &mut Surroundings) -> Result<(), String> {
        if self.token_again_at.take_if(|at| around.now >= *at).is_some() {
            for (waits, _, command) in &self.waits {
                if let Some(token) = around.token_of(command) {
                    around.act(Act::Trip(Trip::Token { token, waits: *waits }));
                }
            }
        }
        if let Part::Finding { again_at, .. } = &mut self.part {
            if again_at.take_if(|at| around.now >= *at).is_some() {
                around.act(Act::Trip(Trip::Find));
            }
            return Ok(());
        }
        self.run(around, |task, around| task.tick(around))
    }

    fn run(
        &mut self,
        around: &mut Surroundings,
        act: impl FnOnce(&mut Task, &mut Surroundings) -> Result<(), String>,
    ) -> Result<(), String> {
        if let Part::Running(task) = &mut self.part {
            act(task, around)?;
            around.used = self.budget.used();
            around.check(&task.session)?;
            if task.is_gone {
                self.part = Part::None;
            }
        }
        Ok(())
    }

    /// A command of a person's link: whoever opens by a token that is not known here has it looked for.
    pub fn hear(
        &mut self,
        around: &mut Surroundings,
        command: Command,
        token: &Secret,
    ) -> Result<(), String> {
        if let Command::Lost { line } = &command {
            // A gate whose link went before it opened stays shut.
            self.waits.retain(|(.., waits)| line_of(waits) != Some(*line));
        }
        let opens = matches!(command, Command::OpenSource { .. } | Command::OpenSink { .. });
        let is_known = match &self.part {
            Part::Running(task) => task.tokens.contains(token.expose()),
            Part::None | Part::Finding { .. } => false,
        };
        if !opens || is_known {
            return match &self.part {
                Part::None if !opens && !matches!(command, Command::Request { .. }) => Ok(()),
                _ => self.take(around, command),
            };
        }
        self.next_wait += 1;
        self.waits.push((self.next_wait, around.now, command));
        around.act(Act::Trip(Trip::Token { token: token.expose().to_owned(), waits: self.next_wait }));
        Ok(())
    }

    /// A command to the part of this transfer, which is begun if there is none.
    pub fn take(&mut self, around: &mut Surroundings, command: Command) -> Result<(), String> {
        match &mut self.part {
            Part::None => {
                let since = around.now;
                self.part = Part::Finding { since, waits: vec![command], again_at: None };
                around.act(Act::Trip(Trip::Find));
                Ok(())
            }
            Part::Finding { waits, .. } => {
                waits.push(command);
                Ok(())
            }
            Part::Running(_) => self.run(around, |task, around| task.take(around, command)),
        }
    }

    /// What arrives from other nodes.
    pub fn deliver(&mut self, around: &mut Surroundings, command: Command) -> Result<(), String> {
        match (&self.part, command) {
            (Part::None, Command::Heard { from, epoch, body }) => {
                let body = match &body {
                    Body::Chunk { lane, .. } => Body::Stop { lane: *lane },
                    body if is_asking(body) => not_here(),
                    _ => return Ok(()),
                };
                around.act(Act::Post { to: from, epoch, body });
                Ok(())
            }
            (Part::None, _) => Ok(()),
            (_, command) => self.take(around, command),
        }
    }

    /// What came of a trip to the records.
    pub fn stored(&mut self, around: &mut Surroundings, trip: &Trip, stored: Stored) -> Result<(), String> {
        match trip {
            Trip::Remove { .. } => Ok(()),
            Trip::Token { waits, .. } => {
                let Some(index) = self.waits.iter().position(|(number, ..)| number == waits) else {
                    return Ok(());
                };
                let (_, since, command) = self.waits.remove(index);
                match stored {
                    Stored::Known(true) => self.take(around, command),
                    Stored::Known(false) if around.now < since + PATIENCE => {
                        self.waits.push((*waits, since, command));
                        self.token_again_at = Some(around.now + RETRY);
                        Ok(())
                    }
                    Stored::Known(false) => {
                        refuse(around, command, ErrorCode::TransferNotFound);
                        Ok(())
                    }
                    _ => {
                        refuse(around, command, ErrorCode::Overloaded);
                        Ok(())
                    }
                }
            }
            Trip::Find => self.found(around, stored),
            _ => match &self.part {
                Part::Running(_) => {
                    let is_save = matches!(trip, Trip::Save { .. } | Trip::SaveTokens { .. });
                    self.take(around, Command::Stored { stored, is_save })
                }
                // It was asked by a part that is gone by now.
                Part::None | Part::Finding { .. } => Ok(()),
            },
        }
    }

    fn found(&mut self, around: &mut Surroundings, stored: Stored) -> Result<(), String> {
        let Part::Finding { since, waits, again_at } = &mut self.part else { return Ok(()) };
        let (error, patience) = match stored {
            Stored::Found(epoch, situation) => {
                let waits = std::mem::take(waits);
                return self.become_edge(around, epoch, *situation, waits);
            }
            Stored::Missing => (ErrorCode::TransferNotFound, PATIENCE),
            _ => (ErrorCode::Overloaded, AWAY),
        };
        if around.now < *since + patience {
            *again_at = Some(around.now + RETRY);
            return Ok(());
        }
        for command in std::mem::take(waits) {
            refuse(around, command, error);
        }
        self.part = Part::None;
        Ok(())
    }

    fn become_edge(
        &mut self,
        around: &mut Surroundings,
        epoch: u64,
        situation: Situation,
        waits: Vec<Command>,
    ) -> Result<(), String> {
        let plan = around.plan;
        let source = match plan.size {
            Some(_) if !plan.is_once => Source::Seekable,
            _ => Source::Upstream,
        };
        let (home, size) = (situation.home, situation.transfer.size());
        let relay = Relay::new(plan.options.clone(), self.budget.clone(), source, size);
        let now = moment(around.skew, around.now);
        let session = Session::edge(now, self.id, epoch, situation, relay);
        let mut task = Task::new(session, around.ledger.source_token.clone());
        task.check_home(around, home)?;
        self.part = Part::Running(Box::new(task));
        self.run(around, |task, around| task.carry_out(around))?;
        for command in waits {
            self.take(around, command)?;
        }
        Ok(())
    }
}

/// The link of whoever opens.
fn line_of(command: &Command) -> Option<Line> {
    match command {
        Command::OpenSource { line } | Command::OpenSink { line, .. } => Some(*line),
        _ => None,
    }
}

/// Whoever said it is refused.
fn refuse(around: &mut Surroundings, command: Command, error: ErrorCode) {
    match command {
        Command::OpenSource { line } | Command::OpenSink { line, .. } => {
            around.say(line, Word::Refused(error))
        }
        Command::Chunk { line, .. } => around.say(line, Word::ChunkRefused(error)),
        Command::Request { number, .. } => around.act(Act::Answer { number, outcome: Err(error) }),
        _ => {}
    }
}
