//! What people have to be told when one copy of a room takes another's place: a node that was cut off shows
//! its people a copy of its own, and has to bring them, by ordinary events, to the one that all share.
//! It refuses to tell anything twice: what both copies have, people know.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::drops::Entry;
use super::machine::Room;
use super::{Event, Output, PeerId};
use crate::protocol::MemberId;
use crate::protocol::rooms::{self, Presented};

impl Room {
    /// What leads those who were shown `before` here: who left, who came or has another name, what was said,
    /// what was offered, and how transfers stand. It is addressed to the links of this copy.
    pub fn differences(&self, before: &Room) -> Vec<Output> {
        let mut outputs = Vec::new();
        let mut tell = |to: Vec<PeerId>, event| {
            if !to.is_empty() {
                outputs.push(Output::Tell { to, event });
            }
        };
        let everyone = || self.members.links_of(|_| true);
        for id in before.members.ids().filter(|id| self.members.get(id).is_none()) {
            if let Some(gone) = before.members.get(id) {
                tell(everyone(), Event::Left(self.presented(gone.shown())));
            }
        }
        for identity in self.members.ids().filter_map(|id| self.members.get(id)) {
            if before.members.get(&identity.id).is_none_or(|known| known.name != identity.name) {
                let others = self.members.links_of(|id| *id != identity.id);
                tell(others, Event::Joined(self.presented(identity.shown())));
            }
        }
        let said: BTreeSet<_> = before.history.iter().map(|message| &message.id).collect();
        for message in self.history.iter().filter(|message| !said.contains(&message.id)) {
            tell(everyone(), Event::Message(Arc::clone(message)));
        }
        let offered: BTreeSet<_> = before.drops.entries().map(|entry| &entry.shown.drop).collect();
        for entry in self.drops.entries() {
            let may_see = |entry: &Entry| self.members.links_of(|id: &MemberId| entry.is_visible_to(id));
            if !offered.contains(&entry.shown.drop) {
                tell(may_see(entry), Event::Offered(Arc::new(entry.shown.clone())));
            }
            for transfer in &entry.shown.transfers {
                let status = self.drops.status(&transfer.transfer);
                if let Some(status) =
                    status.filter(|new| before.drops.status(&new.data.transfer) != Some(new))
                {
                    tell(may_see(entry), Event::Status(Arc::clone(status)));
                }
            }
        }
        outputs
    }

    fn presented(&self, member: rooms::Member) -> Arc<Presented> {
        Arc::new(Presented { room: self.id.clone(), member })
    }
}
