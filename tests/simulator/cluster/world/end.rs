//! When a schedule is over, and what must be true then: everybody who is still here knows how it ended.

use std::collections::BTreeSet;

use roomdrop::hub::session::Session;
use roomdrop::protocol::TransferState;

use super::World;
use crate::cluster::person::{Link, Person};

impl World {
    pub(super) fn is_at_rest(&self) -> bool {
        self.people.iter().all(Person::is_at_rest)
    }

    pub(super) fn standing(&self) -> String {
        let people: Vec<_> = self.people.iter().map(|p| (p.held(), p.link, p.told, p.closed)).collect();
        let nodes: Vec<_> = (self.nodes.iter().flatten())
            .map(|node| {
                let session = node.task().map(|task| &task.session);
                let show = |s: &Session| (s.is_home(), s.epoch(), s.home(), s.transfer().state());
                (node.id, session.map(show))
            })
            .collect();
        format!("{people:?} of {}; {nodes:?}", self.plan.producer.size)
    }

    /// When all is over: everybody who is still here knows how it ended.
    pub(super) fn end(&mut self) -> Result<(), String> {
        let mut homes = BTreeSet::new();
        let mut states = Vec::new();
        for node in self.nodes.iter().flatten() {
            if let Some(task) = node.task() {
                if task.session.is_home() {
                    homes.insert((task.session.epoch(), node.id));
                }
                let people = self.lines.iter().any(|(line, info)| info.is_up && task.has_line(*line));
                if people || task.session.is_home() {
                    states.push((node.id, task.session.transfer().state()));
                }
            }
        }
        if homes.len() > 1 {
            return Err(format!("several homes: {homes:?}: {}", self.standing()));
        }
        let mut expected: Vec<TransferState> = vec![TransferState::Complete];
        let cancels = self.plan.cancels();
        if cancels {
            expected.push(TransferState::Cancelled);
        }
        if self.plan.is_once {
            expected.push(TransferState::Failed);
        }
        let everybody_left = !self.people.iter().any(|person| person.is_done());
        if everybody_left {
            expected.extend([TransferState::Offered, TransferState::Paused]);
        }
        // A download resumed elsewhere may not join on to what is known of it: its receiver stays owed.
        let downloads = self.plan.sinks.iter().any(|sink| sink.is_download) && !self.plan.faults.is_empty();
        let forgiven = downloads || self.may_be_lost() || (self.unsure_done && self.plan.kills());
        for (node, state) in &states {
            if !expected.contains(state) && !forgiven {
                return Err(format!("it ended as {state:?} at {node}: {}", self.standing()));
            }
        }
        if states.windows(2).any(|pair| pair[0].1 != pair[1].1) {
            return Err(format!("the nodes disagree: {}", self.standing()));
        }
        self.people_know(forgiven, &expected)
    }

    fn people_know(&self, forgiven: bool, expected: &[TransferState]) -> Result<(), String> {
        for person in &self.people {
            let whole = person.held() == self.plan.producer.size;
            if let Some(error) = person.closed
                && !self.plan.is_once
                && !self.plan.cancels()
                && !self.may_be_lost()
            {
                return Err(format!("{:?} was closed with {error}", person.peer));
            }
            if person.is_done() && !whole {
                return Err(format!("{:?} is done with {}", person.peer, person.held()));
            }
            let is_download = person.download().is_some();
            if person.link == Link::Open
                && person.closed.is_none()
                && !is_download
                && person.told.is_none_or(|told| !expected.contains(&told))
                && !forgiven
            {
                return Err(format!("{:?} was told {:?}: {}", person.peer, person.told, self.standing()));
            }
        }
        Ok(())
    }
}
