//! One run of one node: its part of the transfer, if it has one, and how it finds it, as `hub/nodes.rs`
//! does.

use std::collections::BTreeSet;

use roomdrop::hub::session::{Input, Session, Situation, is_asking, not_here};
use roomdrop::protocol::node::{Body, NodeId};
use roomdrop::protocol::{ErrorCode, Secret};
use roomdrop::relay::{Budget, Relay, Source};

use crate::cluster::plan::Plan;
use crate::cluster::store::{Stored, Trip};
use crate::cluster::surroundings::Surroundings;
use crate::cluster::task::Task;
use crate::cluster::word::{Act, Command, Line, Word, moment};
use crate::plan::{MILLI, SECOND};

/// As `hub/nodes.rs` has them: how long a record may take to be there, how long records that cannot be
/// reached are waited for, how often a record is looked for.
const PATIENCE: u64 = 2 * SECOND;
const AWAY: u64 = 10 * SECOND;
const RETRY: u64 = 50 * MILLI;

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
