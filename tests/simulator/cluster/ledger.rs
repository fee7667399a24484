//! What a cluster promises, checked at its edge and wherever a session has done something. It knows nothing
//! of how a session works: only what people said and were told, and who says that it is the home.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use roomdrop::hub::session::Session;
use roomdrop::protocol::node::NodeId;
use roomdrop::protocol::{ErrorCode, MemberId, Secret, TransferState};

use crate::cluster::plan::Plan;
use crate::cluster::word::Line;
use crate::content;

#[derive(Debug)]
pub struct Ledger {
    pub source_token: Secret,
    next_token: u128,
    window: u64,
    size: u64,
    is_once: bool,
    forgets: bool,
    generation: u64,
    epochs: BTreeMap<NodeId, u64>,
    homes: BTreeMap<u64, NodeId>,
    sinks: BTreeMap<Line, SinkView>,
    /// Of each of the source's links, the newest lane and what was asked on each.
    asked: BTreeMap<Line, BTreeMap<u64, u64>>,
    /// The furthest that anyone ever asked for.
    demand: u64,
    parties: BTreeSet<NodeId>,
    tokens: BTreeMap<MemberId, String>,
    /// Bytes that were taken in, all in all.
    pub taken: u64,
    /// Whether the source gave anything.
    pub given: u64,
}

/// A sink as its link sees it.
#[derive(Debug, Default)]
struct SinkView {
    asked: bool,
    lane: u64,
    from: u64,
    next: u64,
    limit: u64,
}

impl Ledger {
    pub fn new(plan: &Plan) -> Self {
        Self {
            source_token: Secret::from_random(7),
            next_token: 100,
            window: plan.options.window,
            size: plan.producer.size,
            is_once: plan.is_once,
            forgets: plan.forgets(),
            generation: 0,
            epochs: BTreeMap::new(),
            homes: BTreeMap::new(),
            sinks: BTreeMap::new(),
            asked: BTreeMap::new(),
            demand: 0,
            parties: BTreeSet::new(),
            tokens: BTreeMap::new(),
            taken: 0,
            given: 0,
        }
    }

    pub fn fresh_token(&mut self) -> Secret {
        self.next_token += 1;
        Secret::from_random(self.next_token)
    }

    /// The records forgot everything: an epoch may come again.
    pub fn forget(&mut self) {
        self.generation += 1;
        self.epochs.clear();
        self.homes.clear();
    }

    /// After each input of a session.
    pub fn on_session(&mut self, node: NodeId, session: &Session) -> Result<(), String> {
        let epoch = session.epoch();
        let before = self.epochs.insert(node, epoch).unwrap_or(0);
        if epoch < before {
            return Err(format!("{node} went from epoch {before} back to {epoch}"));
        }
        if session.is_home() {
            let home = *self.homes.entry(epoch).or_insert(node);
            if home != node && !self.forgets {
                return Err(format!("{home} and {node} are both the home of epoch {epoch}"));
            }
        }
        if !self.is_once && session.transfer().state() == TransferState::Failed {
            return Err(format!("it failed at {node}: {:?}", session.transfer().error()));
        }
        Ok(())
    }

    pub fn opens_source(&mut self, line: Line) {
        self.asked.insert(line, BTreeMap::new());
    }

    pub fn opens_sink(&mut self, node: NodeId, line: Line) {
        self.sinks.insert(line, SinkView::default());
        self.parties.insert(node);
    }

    pub fn on_pull(&mut self, line: Line, lane: u64, from: u64, limit: u64) {
        let Some(view) = self.sinks.get_mut(&line) else { return };
        if !view.asked || lane > view.lane {
            *view = SinkView { asked: true, lane, from, next: from, limit: from };
        } else if lane < view.lane {
            return;
        }
        view.from = view.from.max(from);
        view.limit = view.limit.max(limit.min(view.from + self.window));
        self.demand = self.demand.max(view.limit);
    }

    pub fn on_send(&mut self, line: Line, lane: u64, offset: u64, bytes: &Bytes) -> Result<(), String> {
        let end = offset + bytes.len() as u64;
        let what = || format!("a chunk of {} at {offset} on lane {lane} to {line}", bytes.len());
        let Some(view) = self.sinks.get_mut(&line) else { return Err(format!("{}: no sink", what())) };
        if !view.asked || lane != view.lane || offset != view.next || bytes.is_empty() {
            return Err(format!("{}: a gap, an overlap or an old lane: {view:?}", what()));
        }
        if end > view.limit.min(self.size) {
            return Err(format!("{}: beyond what was pulled: {view:?}", what()));
        }
        if !content::is_true(offset, bytes) {
            return Err(format!("{}: wrong bytes", what()));
        }
        view.next = end;
        Ok(())
    }

    pub fn on_ask(&mut self, line: Line, lane: u64, from: u64, limit: u64) -> Result<(), String> {
        let Some(lanes) = self.asked.get_mut(&line) else {
            return Err(format!("{line} is asked and is no source"));
        };
        let what = || format!("ask {line} for {from} to {limit} on lane {lane}");
        if limit > self.demand {
            return Err(format!("{}: beyond the demand of {}", what(), self.demand));
        }
        let newest = lanes.last_key_value().map_or(0, |(newest, _)| *newest);
        match lanes.get_mut(&lane) {
            None if lane <= newest => return Err(format!("{}: the newest lane was {newest}", what())),
            None => drop(lanes.insert(lane, limit)),
            Some(known) if limit < *known => return Err(format!("{}: it was {known} before", what())),
            Some(known) => *known = limit,
        }
        Ok(())
    }

    pub fn on_taken(&mut self, offset: u64, len: u64) {
        self.taken += len;
        self.given = self.given.max(offset + len);
    }

    /// Bytes go to a node.
    pub fn on_post_chunk(&self, to: NodeId) -> Result<(), String> {
        if self.parties.contains(&to) { Ok(()) } else { Err(format!("bytes for {to}, where nobody is")) }
    }

    pub fn on_done(&mut self, _line: Line) -> Result<(), String> {
        Ok(())
    }

    /// Somebody was given a token, `sure`ly one that the records hold.
    pub fn on_token(&mut self, member: &MemberId, token: &Secret, sure: bool) -> Result<(), String> {
        let text = token.expose();
        match self.tokens.get(member) {
            Some(before) if before != text && sure => {
                return Err(format!("the token of {member} was {before} and is {text}"));
            }
            _ if sure => drop(self.tokens.insert(member.clone(), text.to_owned())),
            _ => {}
        }
        Ok(())
    }

    /// Somebody is refused.
    pub fn on_refusal(&self, error: ErrorCode, records_were_there: bool) -> Result<(), String> {
        let is_forgotten = matches!(error, ErrorCode::NotAllowed | ErrorCode::TransferNotFound);
        if is_forgotten && records_were_there {
            return Err(format!("what was given out is refused with {error}"));
        }
        Ok(())
    }
}
