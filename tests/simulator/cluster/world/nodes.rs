//! What the nodes of a cluster do, carried out: frames to other nodes, trips to the records, and what a node
//! hears of the others.

use roomdrop::protocol::node::{Body, NodeId};

use super::{Happening, Reach, Signal, World};
use crate::cluster::node::Node;
use crate::cluster::store::{Next, Stored, Trip};
use crate::cluster::surroundings::Surroundings;
use crate::cluster::word::{Act, Command};
use crate::plan::{MILLI, SECOND};

impl World {
    /// Lets a node do something, and carries out its acts.
    pub fn with_node(
        &mut self,
        id: NodeId,
        act: impl FnOnce(&mut Node, &mut Surroundings) -> Result<(), String>,
    ) -> Result<(), String> {
        let Some(slot) = self.nodes.iter().position(|node| node.as_ref().is_some_and(|n| n.id == id)) else {
            return Ok(());
        };
        let Some(mut node) = self.nodes[slot].take() else { return Ok(()) };
        let mut acts = Vec::new();
        let lost = node.lost.clone();
        let mut around = Surroundings {
            plan: &self.plan,
            now: self.now,
            me: id,
            skew: node.skew,
            lost: &lost,
            is_away: node.is_away,
            used: node.budget.used(),
            net: &mut self.net,
            ledger: &mut self.ledger,
            acts: &mut acts,
            log: &mut self.log,
        };
        let outcome = act(&mut node, &mut around);
        let timeout = node.timeout().map(|at| at.max(self.now));
        self.nodes[slot] = Some(node);
        outcome?;
        if let Some(at) = timeout
            && self.ticks.get(&id) != Some(&at)
        {
            self.ticks.insert(id, at);
            self.at(at, Happening::Tick { node: id });
        }
        for act in acts {
            self.carry_out(id, slot, act)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, id: NodeId, slot: usize, act: Act) -> Result<(), String> {
        match act {
            Act::Say { line, word } => self.send_down(line, word)?,
            Act::Answer { number, outcome } => {
                self.check_answer(number, &outcome)?;
                let at = self.now + self.net.between(self.plan.lines.0, self.plan.lines.1);
                self.at(at, Happening::Answer { number, node: id, outcome });
            }
            Act::Post { to, epoch, body } => self.post(id, slot, to, epoch, body)?,
            Act::PostAll { epoch, body } => {
                let others: Vec<_> = self.nodes.iter().flatten().map(|node| node.id).collect();
                for to in others.into_iter().filter(|to| *to != id) {
                    self.post(id, slot, to, epoch, body.clone())?;
                }
            }
            Act::Trip(trip) => {
                let at = self.now + self.net.trip();
                self.at(at, Happening::Arrives { node: id, trip });
            }
        }
        Ok(())
    }

    fn post(&mut self, from: NodeId, slot: usize, to: NodeId, epoch: u64, body: Body) -> Result<(), String> {
        let len = match &body {
            Body::Chunk { bytes, .. } => bytes.len() as u64,
            _ => 0,
        };
        if len > 0 {
            self.ledger.on_post_chunk(to)?;
        }
        let is_quiet = self.now >= self.plan.quiet_at;
        let arrives = self.net.travel(self.now, is_quiet, from, to);
        let there = self.node(to).map(|node| self.reach[node.slot] == Reach::All);
        let goes = self.reaches(slot);
        if !goes || there != Some(true) {
            // It reaches nobody; the sender mostly hears so.
            if goes && self.net.percent(85) {
                let at = self.now + 2 * self.net.trip();
                self.at(at, Happening::Signal { to: from, signal: Signal::Undelivered(to) });
            }
            self.at(self.now + 300 * MILLI, Happening::Credit { from, to, len });
            return Ok(());
        }
        if arrives.is_empty() {
            self.log(|| format!("  lost: from {from} to {to}"));
            self.at(self.now + 300 * MILLI, Happening::Credit { from, to, len });
            if self.net.percent(50) {
                let at = self.now + self.net.between(10 * MILLI, SECOND);
                self.at(at, Happening::Signal { to: from, signal: Signal::Hello(to) });
            }
        }
        for (index, at) in arrives.into_iter().enumerate() {
            if index == 0 {
                self.at(at, Happening::Credit { from, to, len });
            }
            self.at(at, Happening::Frame { from, to, epoch, body: body.clone() });
        }
        Ok(())
    }

    pub(super) fn arrive(&mut self, node: NodeId, trip: Trip) {
        // A trip that was begun arrives, whether or not its node still lives.
        let slot = (node.0 as usize - 1) % 16;
        let back = self.net.trip();
        if !self.reaches(slot) {
            let late = self.net.between(100 * MILLI, 1500 * MILLI);
            let happening = Happening::Stored { node, trip, stored: Stored::Away };
            return self.at(self.now + late, happening);
        }
        match self.store.arrive(trip.clone()) {
            Next::Trip(next) => self.at(self.now + 2 * back, Happening::Arrives { node, trip: next }),
            Next::Done(stored) => self.at(self.now + back, Happening::Stored { node, trip, stored }),
        }
    }

    pub(super) fn signal(&mut self, to: NodeId, signal: Signal) -> Result<(), String> {
        let Some(slot) = self.node(to).map(|node| node.slot) else { return Ok(()) };
        if let Some(node) = &mut self.nodes[slot] {
            match signal {
                Signal::NodeLost(lost) => drop(node.lost.insert(lost)),
                Signal::Hello(other) => drop(node.lost.remove(&other)),
                Signal::Away => node.is_away = true,
                Signal::Back => node.is_away = false,
                Signal::Undelivered(_) => {}
            }
        }
        let command = match signal {
            Signal::Undelivered(node) => Command::Undelivered(node),
            Signal::Hello(node) => Command::Hello(node),
            Signal::NodeLost(node) => Command::NodeLost(node),
            Signal::Away => return Ok(()),
            Signal::Back => Command::Back,
        };
        self.with_node(to, |node, around| node.deliver(around, command))
    }
}
