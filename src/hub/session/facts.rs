//! What an edge says to its home of the people there and of its lanes, and how the home takes it in. It is
//! always all of it: what was lost, repeated or late is mended by what comes next.

use super::Output;
use super::edge::FACTS;
use super::machine::{Role, Session};
use super::words::{Facts, Link, SeatFact, Word};
use crate::protocol::Moment;
use crate::protocol::node::NodeId;
use crate::transfer;

/// At an edge.
impl Session {
    /// What only moved on is said soon.
    pub(super) fn note_facts(&mut self, now: Moment) {
        if let Role::Edge(edge) = &mut self.role {
            let soon = edge.sent.map_or(now, |sent| (sent + FACTS).max(now));
            edge.due = Some(edge.due.map_or(soon, |due| due.min(soon)));
        }
    }

    /// Who comes and goes is said at once.
    pub(super) fn note_facts_at_once(&mut self, now: Moment) {
        if let Role::Edge(edge) = &mut self.role {
            edge.due = Some(now);
        }
    }

    /// Says the facts, if it is time.
    pub(super) fn say_due_facts(&mut self, now: Moment) {
        let needed = self.needs_edge();
        let Role::Edge(edge) = &mut self.role else { return };
        if needed {
            edge.idle_since = now;
        }
        if edge.due.is_none_or(|due| now < due) {
            return;
        }
        (edge.due, edge.sent) = (None, Some(now));
        edge.number += 1;
        let (number, home) = (edge.number, edge.home);
        let facts = Facts {
            number,
            knows: self.number,
            seats: self.seat_facts(),
            lanes: self.relay.asked().collect(),
        };
        self.outputs.push_back(Output::Send { to: home, body: Word::Facts(facts).body() });
    }

    fn seat_facts(&self) -> Vec<SeatFact> {
        let mut facts: Vec<SeatFact> = Vec::new();
        for seat in &self.seats {
            match facts.iter_mut().find(|fact| fact.member == seat.member) {
                Some(fact) if seat.link == Link::Up => fact.link = Link::Up,
                Some(_) => {}
                None => facts.push(SeatFact {
                    member: seat.member.clone(),
                    link: seat.link,
                    held: self.held.get(&seat.member).copied(),
                }),
            }
        }
        facts
    }
}

/// At the home.
impl Session {
    pub(super) fn hear_facts(&mut self, now: Moment, from: NodeId, facts: Facts) {
        let Role::Home(home) = &mut self.role else { return };
        let edge = home.edges.entry(from).or_default();
        if facts.number <= edge.facts.number {
            return;
        }
        let newest = home.newest;
        let before = std::mem::replace(&mut edge.facts, facts.clone());
        for seat in &facts.seats {
            let was = before.seats.iter().find(|was| was.member == seat.member);
            self.take_seat_fact(now, seat, was);
        }
        let is_gone = |was: &&SeatFact| !facts.seats.iter().any(|seat| seat.member == was.member);
        for was in before.seats.iter().filter(is_gone).filter(|was| was.link == Link::Up) {
            let _ = self.tell_if_last_sink(now, was.member.clone());
        }
        self.keep_lanes(now, from, &facts);
        for (lane, at, limit) in facts.lanes.iter().filter(|_| !facts.seats.is_empty()) {
            self.pull_by_edge(now, from, *lane, *at, *limit);
        }
        let word =
            if facts.knows < newest { Word::Situation(Box::new(self.situation(now))) } else { Word::Here };
        self.say_to(from, &word);
    }

    /// What an edge says of one member, and `was` before.
    fn take_seat_fact(&mut self, now: Moment, seat: &SeatFact, was: Option<&SeatFact>) {
        let member = seat.member.clone();
        let was_up = was.is_some_and(|was| was.link == Link::Up);
        match seat.link {
            Link::Up if !was_up => {
                if self.tell(now, transfer::Input::SinkOpened { member: member.clone() }).is_err()
                    && let Role::Home(home) = &mut self.role
                {
                    // The edge knows too little; it is told anew.
                    home.note_news();
                }
            }
            Link::Lost if was_up => drop(self.tell_if_last_sink(now, member.clone())),
            Link::Up | Link::Lost => {}
        }
        if let Some(held) = seat.held
            && was.and_then(|was| was.held) != Some(held)
            && self.held.insert(member.clone(), held) != Some(held)
        {
            self.note_movement();
            let _ = self.tell(now, transfer::Input::Received { member });
        }
    }

    /// Drops the lanes of an edge that it does not know of, or has nobody for.
    fn keep_lanes(&mut self, now: Moment, node: NodeId, facts: &Facts) {
        let has_people = !facts.seats.is_empty();
        if self.relay.is_one_lane() && has_people {
            return;
        }
        let is_known = |lane: u64| has_people && facts.lanes.iter().any(|(known, ..)| *known == lane);
        self.drop_lanes(now, |known| known.node == node && !is_known(known.lane));
    }
}
