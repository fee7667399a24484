//! What a home does for its edges: it serves each of their lanes as a sink, takes in what they know, tells
//! them how it stands, and answers what was decided once the record says so.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::machine::{Role, Session, Sharing, SourceLink};
use super::words::{Facts, Link, Request, Word};
use super::{Ask, Decided, Output, Situation};
use crate::protocol::node::{Body, NodeId};
use crate::protocol::{Moment, Refusal, TransferState};
use crate::relay::SinkId;

/// How long after a take-over those who were receiving may take to be heard of, before they are away.
const CLAIM: Duration = Duration::from_secs(2);

/// How often a home that waits for its source looks whether it still is the home.
const CHECK: Duration = Duration::from_secs(5);
/// How soon a record that could not be reached is written again.
const SAVE_AGAIN: Duration = Duration::from_secs(2);
/// An edge that says nothing for this long needs nothing; its goodbye was lost.
const SILENCE: Duration = Duration::from_secs(15);

/// Answers that are remembered of each edge.
const ANSWERED: usize = 64;

/// The home's side of the role.
#[derive(Debug)]
pub(super) struct Home {
    pub(super) edges: BTreeMap<NodeId, EdgeOf>,
    pub(super) lanes: Vec<EdgeLane>,
    news: News,
    /// The newest situation that says something new, and the newest that the record holds.
    pub(super) newest: u64,
    saved: u64,
    /// What is decided and waits for its record.
    waiting: Vec<Waiting>,
    /// Wishes to go on that were answered and that the record never came to say.
    unsaved: Vec<Request>,
    /// Until when those who were receiving may be silent.
    claims_until: Option<Moment>,
    /// When the record was last looked at to see whether this still is the home.
    checked: Moment,
    /// When to write the record again, which could not be reached.
    saves_at: Option<Moment>,
}

/// Whether something happened since that the edges and the record must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    None,
    Some,
}

/// What is known of an edge.
#[derive(Debug, Default)]
pub(super) struct EdgeOf {
    pub(super) facts: Facts,
    heard: Moment,
    /// What it was answered last: a request that comes again, and late, must not undo what came after it.
    answered: VecDeque<(Ask, Result<Decided, Refusal>)>,
}

/// A lane of an edge, and the sink that it is here.
#[derive(Debug)]
pub(super) struct EdgeLane {
    pub(super) node: NodeId,
    pub(super) lane: u64,
    pub(super) sink: SinkId,
}

/// An answer on hold.
#[derive(Debug)]
struct Waiting {
    /// For which edge; none: for this node.
    to: Option<NodeId>,
    ask: Ask,
    request: Request,
    decided: Decided,
    /// Answered when the record holds this; not known before the situation is made.
    after: Option<u64>,
}

impl Home {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            edges: BTreeMap::new(),
            lanes: Vec::new(),
            news: News::None,
            newest: 0,
            saved: 0,
            waiting: Vec::new(),
            unsaved: Vec::new(),
            claims_until: None,
            checked: now,
            saves_at: None,
        }
    }

    /// One that took over: whoever was receiving has a while to be heard of.
    pub(super) fn taken_over(now: Moment) -> Self {
        Self { news: News::Some, claims_until: Some(now + CLAIM), ..Self::new(now) }
    }

    /// Wishes to go on, which nobody must wait for in vain. One to wait may be older than what was wished at another
    /// home, and is not said again.
    fn keep_wishes(&mut self) {
        for waiting in &self.waiting {
            if let Some(party) = waiting.request.wishes() {
                self.unsaved.retain(|request| request.wishes() != Some(party));
                if matches!(waiting.request, Request::Resume(_)) {
                    self.unsaved.push(waiting.request.clone());
                }
            }
        }
    }

    /// Decisions that wait for their record.
    pub(super) fn undecided(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn note_news(&mut self) {
        self.news = News::Some;
    }

    pub(super) fn forget_lanes(&mut self) {
        self.lanes.clear();
    }

    /// When there is something to do, for one that `waits` for its source or does not.
    pub(super) fn poll_timeout(&self, waits: bool) -> Option<Moment> {
        let silent = self.edges.values().map(|edge| edge.heard + SILENCE);
        let checks = waits.then_some(self.checked + CHECK);
        silent.chain(self.claims_until).chain(checks).chain(self.saves_at).min()
    }

    /// One that was the home until now is told how it stands, like an edge.
    pub(super) fn remember(mut self, now: Moment, home: NodeId) -> Self {
        self.edges.insert(home, EdgeOf { heard: now, ..EdgeOf::default() });
        self
    }

    /// What the record never came to say, to be asked of another home: what is decided and not answered yet, for
    /// this node's own people (a token that was chosen stays), and wishes that were answered without it.
    pub(super) fn take_unsaved(&mut self) -> Vec<(Option<Ask>, Request)> {
        let here = self.waiting.extract_if(.., |waiting| waiting.to.is_none());
        let unanswered = here.map(|Waiting { ask, request, decided, .. }| match (request, decided) {
            (Request::Accept { member, .. }, Decided::Accepted(token)) => {
                (Some(ask), Request::Accept { member, token })
            }
            (request, _) => (Some(ask), request),
        });
        let wishes = self.unsaved.drain(..).map(|request| (None, request));
        wishes.chain(unanswered).collect()
    }
}

impl Session {
    /// How it stands, for the record and the edges. Its number is that of the newest made.
    pub fn situation(&mut self, now: Moment) -> Situation {
        let mut held: Vec<_> = self.held.iter().map(|(member, held)| (member.clone(), *held)).collect();
        held.sort();
        Situation {
            home: self.me,
            number: self.number,
            transfer: self.transfer.clone(),
            held,
            status: self.describe(now),
        }
    }

    /// The node that says it is the home; at the home, this one.
    pub fn home(&self) -> NodeId {
        match &self.role {
            Role::Home(_) => self.me,
            Role::Edge(edge) => edge.home,
        }
    }

    /// After every input: a home's edges are told what is new, and the record is to be written; an edge says
    /// its facts.
    pub(super) fn share_news(&mut self, now: Moment) {
        let Role::Home(home) = &mut self.role else { return self.say_due_facts(now) };
        if self.sharing == Sharing::Alone {
            home.news = News::None;
            return;
        }
        if home.news == News::Some {
            home.news = News::None;
            self.number += 1;
            home.newest = self.number;
            self.outputs.push_back(Output::Save);
            self.say_situation(now);
        }
        if let Role::Home(home) = &mut self.role {
            let newest = home.newest;
            for waiting in &mut home.waiting {
                waiting.after.get_or_insert(newest);
            }
        }
        self.answer_what_is_saved();
    }

    /// How far it is, for the edges alone: the record need not know.
    pub(super) fn say_progress(&mut self, now: Moment) {
        self.number += 1;
        self.say_situation(now);
    }

    /// Tells every edge how it stands.
    fn say_situation(&mut self, now: Moment) {
        if matches!(&self.role, Role::Home(home) if !home.edges.is_empty()) {
            let word = Word::Situation(Box::new(self.situation(now)));
            self.say_to_edges(&word);
        }
    }

    pub(super) fn say_to_edges(&mut self, word: &Word) {
        let Role::Home(home) = &self.role else { return };
        if home.edges.is_empty() {
            return;
        }
        let body = word.body();
        for node in home.edges.keys() {
            self.outputs.push_back(Output::Send { to: *node, body: body.clone() });
        }
    }

    pub(super) fn say_to(&mut self, to: NodeId, word: &Word) {
        self.outputs.push_back(Output::Send { to, body: word.body() });
    }

    /// Puts an answer on hold until the record says what was decided. `to` an edge, or to this node.
    pub(super) fn answer_when_saved(
        &mut self,
        to: Option<NodeId>,
        ask: Ask,
        request: Request,
        decided: Decided,
    ) {
        if let Role::Home(home) = &mut self.role {
            home.waiting.push(Waiting { to, ask, request, decided, after: None });
        }
    }

    /// The record holds the situation of this number.
    pub(super) fn on_saved(&mut self, number: u64) {
        if let Role::Home(home) = &mut self.role {
            home.saved = home.saved.max(number);
            home.saves_at = None;
            if home.saved >= home.newest {
                home.unsaved.clear();
            }
        }
        self.answer_what_is_saved();
    }

    /// The records cannot be reached: what is local goes on without them.
    pub(super) fn go_on_unsaved(&mut self, now: Moment) {
        if let Role::Home(home) = &mut self.role {
            home.saves_at = Some(now + SAVE_AGAIN);
            home.saved = home.newest;
            home.keep_wishes();
        }
        self.answer_what_is_saved();
    }

    fn answer_what_is_saved(&mut self) {
        let Role::Home(home) = &mut self.role else { return };
        let saved = home.saved;
        let is_due = |waiting: &mut Waiting| waiting.after.is_some_and(|after| after <= saved);
        let due: Vec<_> = home.waiting.extract_if(.., is_due).collect();
        for Waiting { to, ask, decided, .. } in due {
            self.answer(to, ask, Ok(decided));
        }
    }

    fn answer(&mut self, to: Option<NodeId>, ask: Ask, outcome: Result<Decided, Refusal>) {
        if let (Some(node), Role::Home(home)) = (to, &mut self.role)
            && let Some(edge) = home.edges.get_mut(&node)
        {
            edge.answered.truncate(ANSWERED - 1);
            edge.answered.push_front((ask, outcome.clone()));
        }
        match to {
            Some(node) => self.say_to(node, &Word::Reply { ask, outcome }),
            None => self.outputs.push_back(Output::Answered { ask, outcome }),
        }
    }

    /// The record may be lost: it is written again.
    pub(super) fn save_again(&mut self) {
        if let Role::Home(home) = &mut self.role {
            home.saved = 0;
            home.saves_at = None;
            self.outputs.push_back(Output::Save);
        }
    }

    /// A word of an edge, or of a node that takes this one for its home.
    pub(super) fn hear_as_home(&mut self, now: Moment, from: NodeId, epoch: u64, body: Body) {
        if epoch < self.epoch {
            let situation = Word::Situation(Box::new(self.situation(now)));
            return self.say_to(from, &situation);
        }
        match body {
            Body::Pull { lane, from: at, limit } => self.pull_by_edge(now, from, lane, at, limit),
            Body::Stop { lane } => self.stop_by_edge(now, from, lane),
            Body::Word(bytes) => match Word::read(&bytes) {
                Some(Word::Facts(facts)) => self.hear_facts(now, from, facts),
                Some(Word::Request { ask, request }) => self.hear_request(now, from, ask, request),
                _ => {}
            },
            Body::Chunk { .. } => {}
        }
        if let Role::Home(home) = &mut self.role
            && let Some(edge) = home.edges.get_mut(&from)
        {
            edge.heard = now;
        }
    }

    fn hear_request(&mut self, now: Moment, from: NodeId, ask: Ask, request: Request) {
        if let Role::Home(home) = &mut self.role {
            let edge = home.edges.entry(from).or_default();
            if let Some((_, outcome)) = edge.answered.iter().find(|(known, _)| *known == ask) {
                let outcome = outcome.clone();
                return self.say_to(from, &Word::Reply { ask, outcome });
            }
            if home.waiting.iter().any(|waiting| waiting.to == Some(from) && waiting.ask == ask) {
                return;
            }
        }
        if let Request::Ended { member, link, error } = &request {
            self.end_receiver_at(now, Some(from), member.clone(), *link, *error);
            return self.answer_when_saved(Some(from), ask, request, Decided::Done);
        }
        match self.apply(now, request.clone()) {
            Ok(decided) => self.answer_when_saved(Some(from), ask, request, decided),
            Err(refusal) => self.answer(Some(from), ask, Err(refusal)),
        }
    }

    /// Whether people here or at edges wait for a source that is not here: it may be elsewhere, and the home too.
    pub(super) fn waits_for_source(&self) -> bool {
        let Role::Home(home) = &self.role else { return false };
        let has_people = !home.edges.is_empty() || self.seats.iter().any(|seat| seat.link == Link::Up);
        let has_end = self.transfer.state().is_final() || self.transfer.state() == TransferState::Complete;
        self.sharing == Sharing::Among && self.source != SourceLink::Open && has_people && !has_end
    }

    /// Looks whether this still is the home: who took it over may not have got through.
    pub(super) fn check_home(&mut self, now: Moment) {
        if let Role::Home(home) = &mut self.role
            && self.sharing == Sharing::Among
        {
            home.checked = now;
            self.outputs.push_back(Output::Look);
        }
    }

    pub(super) fn tell_edge(&mut self, now: Moment, node: NodeId) {
        if matches!(&self.role, Role::Home(home) if home.edges.contains_key(&node)) {
            let word = Word::Situation(Box::new(self.situation(now)));
            self.say_to(node, &word);
        }
    }

    /// Edges that need nothing any more are forgotten; after a take-over, whoever was not heard of in time is
    /// away.
    pub(super) fn tick_home(&mut self, now: Moment) {
        let Role::Home(home) = &mut self.role else { return };
        let silent = home.edges.iter().filter(|(_, edge)| now >= edge.heard + SILENCE);
        for node in silent.map(|(node, _)| *node).collect::<Vec<_>>() {
            self.lose_edge(now, node);
        }
        if matches!(&self.role, Role::Home(home) if home.saves_at.is_some_and(|at| now >= at)) {
            self.save_again();
        }
        let waits = self.waits_for_source();
        if matches!(&self.role, Role::Home(home) if waits && now >= home.checked + CHECK) {
            self.check_home(now);
        }
        let Role::Home(home) = &mut self.role else { return };
        if home.claims_until.is_none_or(|until| now < until) {
            return;
        }
        home.claims_until = None;
        let owed: Vec<_> = self.transfer.receivers().map(|(member, _)| member.clone()).collect();
        for member in owed.into_iter().filter(|member| self.transfer.is_owed(member)).collect::<Vec<_>>() {
            let _ = self.tell_if_last_sink(now, member);
        }
    }
}
