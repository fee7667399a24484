//! What is around a node of a cluster while it acts: where its acts go, and who checks them. It decides
//! nothing.

use std::collections::BTreeSet;

use bytes::Bytes;
use roomdrop::hub::session::{Input, Session};
use roomdrop::protocol::node::NodeId;
use roomdrop::protocol::{ErrorCode, Secret};

use crate::cluster::flaws::Flaw;
use crate::cluster::ledger::Ledger;
use crate::cluster::net::Net;
use crate::cluster::plan::Plan;
use crate::cluster::word::{Act, Command, Line, Word};

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
    pub fn token_of(&self, command: &Command) -> Option<String> {
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
