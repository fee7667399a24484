//! What goes wrong in a cluster, and what is noticed of it, when and by whom: nodes die and come back, are
//! cut off, hear nothing; the records are away or forget; links are cut; people change their minds.

use roomdrop::protocol::node::NodeId;

use crate::cluster::plan::Fault;
use crate::cluster::word::Request;
use crate::cluster::world::{Happening, Reach, Signal, World};
use crate::plan::{MILLI, Peer, SECOND};

impl World {
    pub fn go_wrong(&mut self, fault: Fault) -> Result<(), String> {
        match fault {
            Fault::Kill { slot, returns } => self.kill(slot, returns),
            Fault::CutOff { slot, lasts } => self.cut_off(slot, lasts),
            Fault::Away { lasts, forgets } => self.go_away(lasts, forgets),
            Fault::Deaf { slot, lasts } => {
                if self.reach[slot] == Reach::All {
                    self.reach[slot] = Reach::Deaf;
                    self.at(self.now + lasts, Happening::Hears { slot });
                }
            }
            Fault::CutLine { peer, peer_notices, node_notices } => {
                if let Some(line) = self.person(peer).line
                    && let Some(info) = self.lines.get_mut(&line)
                    && info.is_up
                {
                    info.is_up = false;
                    self.at(self.now + peer_notices, Happening::PersonNotices { line });
                    self.at(self.now + node_notices, Happening::NodeNotices { line });
                }
            }
            Fault::Pause { who, lasts } => {
                let ask = Request::Pause(self.person(who).party());
                let number = self.ask(who, ask);
                self.send_ask(number);
                self.at(self.now + lasts, Happening::Resume { peer: who, after: number });
            }
            Fault::Leave { sink } => {
                let person = self.person(Peer::Sink(sink));
                if !person.is_at_rest() && person.token.is_some() {
                    let ask = Request::Cancel(person.party());
                    self.people[sink + 1].leave();
                    let number = self.ask(Peer::Sink(sink), ask);
                    self.send_ask(number);
                }
            }
            Fault::Cancel => {
                let ask = Request::Cancel(self.person(Peer::Source).party());
                let number = self.ask(Peer::Source, ask);
                self.send_ask(number);
            }
        }
        Ok(())
    }

    fn kill(&mut self, slot: usize, returns: Option<u64>) {
        let others = self.nodes.iter().enumerate().filter(|(other, node)| *other != slot && node.is_some());
        if others.count() == 0 {
            return;
        }
        let Some(node) = self.nodes[slot].take() else { return };
        self.eras[slot] += 1;
        self.reach[slot] = Reach::All;
        let id = node.id;
        let lines: Vec<_> = self
            .lines
            .iter_mut()
            .filter(|(_, info)| info.node == id)
            .map(|(line, info)| {
                let was_up = std::mem::replace(&mut info.is_up, false);
                (*line, was_up)
            })
            .collect();
        for (line, _) in lines {
            let notices = self.net.between(0, 50 * MILLI);
            self.at(self.now + notices, Happening::PersonNotices { line });
        }
        for number in 0..self.asked.len() {
            if self.asked[number].node == Some(id) && !self.asked[number].is_answered {
                let again = self.net.between(100 * MILLI, 500 * MILLI);
                self.asked[number].node = None;
                self.at(self.now + again, Happening::Ask { number: number as u64 });
            }
        }
        self.miss(id);
        if let Some(returns) = returns {
            self.at(self.now + returns, Happening::Returns { slot });
        }
        if self.watch_from.is_none() {
            self.watch_from = Some(self.now);
            for index in 0..self.people.len() {
                self.watched_held[index] = self.people[index].held();
            }
        }
    }

    /// A node shows no sign of life: the others notice after about two seconds.
    fn miss(&mut self, id: NodeId) {
        let slot = (id.0 as usize - 1) % 16;
        self.at(self.now + 1700 * MILLI, Happening::Beat { node: id, era: self.eras[slot] });
    }

    pub fn beat_is_missed(&mut self, id: NodeId, era: u64) {
        let slot = (id.0 as usize - 1) % 16;
        let is_back = self.node(id).is_some() && (self.reach[slot] != Reach::None || self.eras[slot] != era);
        if is_back {
            return;
        }
        if !self.store_is_there {
            // Nobody can tell who lives; they count anew when they can.
            return self.at(self.now + 2 * SECOND, Happening::Beat { node: id, era });
        }
        let others: Vec<_> = self.nodes.iter().flatten().map(|node| (node.id, node.slot)).collect();
        for (other, slot) in others {
            if other != id && self.reach[slot] != Reach::None {
                let at = self.now + self.net.between(0, 600 * MILLI);
                self.at(at, Happening::Signal { to: other, signal: Signal::NodeLost(id) });
            }
        }
    }

    pub fn node_returns(&mut self, slot: usize) {
        if self.nodes[slot].is_none() {
            let mut node = self.new_node(slot);
            // Whoever is not there is not among the living that it reads of.
            let live: Vec<_> = self.nodes.iter().flatten().map(|node| node.id).collect();
            for slot in 0..self.plan.nodes as u64 {
                for run in 0..8 {
                    let id = NodeId(slot + 1 + 16 * run);
                    if id != node.id && !live.contains(&id) {
                        node.lost.insert(id);
                    }
                }
            }
            let id = node.id;
            self.reach[slot] = Reach::All;
            self.nodes[slot] = Some(node);
            self.say_hello(id);
        }
    }

    fn say_hello(&mut self, id: NodeId) {
        let others: Vec<_> = self.nodes.iter().flatten().map(|node| node.id).collect();
        for to in others.into_iter().filter(|to| *to != id) {
            let at = self.now + self.net.between(MILLI, 300 * MILLI);
            self.at(at, Happening::Signal { to, signal: Signal::Hello(id) });
        }
    }

    fn cut_off(&mut self, slot: usize, lasts: u64) {
        let Some(id) = self.nodes[slot].as_ref().map(|node| node.id) else { return };
        if self.reach[slot] != Reach::All {
            return;
        }
        self.eras[slot] += 1;
        self.reach[slot] = Reach::None;
        self.records_troubled_at = Some(self.now + lasts + 3 * SECOND);
        let notices = self.net.between(100 * MILLI, SECOND);
        self.at(self.now + notices.min(lasts), Happening::Signal { to: id, signal: Signal::Away });
        self.at(self.now + lasts, Happening::Heals { slot });
        self.miss(id);
    }

    pub fn heal(&mut self, slot: usize) {
        if self.reach[slot] != Reach::None {
            return;
        }
        self.reach[slot] = Reach::All;
        self.eras[slot] += 1;
        let Some(id) = self.nodes[slot].as_ref().map(|node| node.id) else { return };
        let at = self.now + self.net.between(10 * MILLI, SECOND);
        self.at(at, Happening::Signal { to: id, signal: Signal::Back });
        self.say_hello(id);
        self.tell_who_is_gone(id);
    }

    /// Of those who went while it was cut off, a node hears when it counts anew.
    fn tell_who_is_gone(&mut self, id: NodeId) {
        let live: Vec<_> = self.nodes.iter().flatten().map(|node| node.id).collect();
        let gone = (0..self.plan.nodes)
            .flat_map(|slot| (0..self.runs[slot]).map(move |run| NodeId(slot as u64 + 1 + 16 * run)));
        let gone: Vec<_> = gone.filter(|other| !live.contains(other)).collect();
        for other in gone {
            let known = self.node(id).is_some_and(|node| node.lost.contains(&other));
            if !known {
                let at = self.now + self.net.between(1900 * MILLI, 2600 * MILLI);
                self.at(at, Happening::Signal { to: id, signal: Signal::NodeLost(other) });
            }
        }
    }

    fn go_away(&mut self, lasts: u64, forgets: bool) {
        if !self.store_is_there {
            return;
        }
        self.store_is_there = false;
        self.records_troubled_at = Some(self.now + lasts + 3 * SECOND);
        if forgets {
            self.store.forget();
            self.ledger.forget();
        }
        let all: Vec<_> = self.nodes.iter().flatten().map(|node| node.id).collect();
        for to in all {
            let at = self.now + self.net.between(0, lasts.min(SECOND));
            self.at(at, Happening::Signal { to, signal: Signal::Away });
        }
        self.at(self.now + lasts, Happening::HealsAll);
    }

    pub fn heal_all(&mut self) {
        self.store_is_there = true;
        let all: Vec<_> = self.nodes.iter().flatten().map(|node| (node.id, node.slot)).collect();
        for (id, slot) in all {
            if self.reach[slot] == Reach::None {
                continue;
            }
            let at = self.now + self.net.between(10 * MILLI, SECOND);
            self.at(at, Happening::Signal { to: id, signal: Signal::Back });
            self.say_hello(id);
        }
    }

    pub fn hears_again(&mut self, slot: usize) {
        if self.reach[slot] != Reach::Deaf {
            return;
        }
        self.reach[slot] = Reach::All;
        if let Some(id) = self.nodes[slot].as_ref().map(|node| node.id) {
            self.say_hello(id);
        }
    }
}
