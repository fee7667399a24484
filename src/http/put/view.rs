//! What an upload knows: what it was asked for, how the transfer stands, who is in the room. The hub writes it
//! through two ports, the upload reads the newest; nothing queues, so nothing can overflow.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::hub::{PeerPort, SourcePort};
use crate::protocol::rooms::{Presence, Presented, Status};
use crate::protocol::{DisplayName, Envelope, MemberId, Refusal};
use crate::room::Event;

/// Names of members that have left, kept for the summary at most.
const NAMES: usize = 1024;

/// What is known now.
#[derive(Debug, Default)]
pub(super) struct View {
    /// What the source is asked for.
    pub(super) asked: Asked,
    /// How the transfer stands; nothing was said while nobody has answered.
    pub(super) status: Option<Arc<Envelope<Status>>>,
    /// How much of the body the transfer has.
    pub(super) given: Given,
    /// Why a chunk was not taken.
    pub(super) refused: Option<Refusal>,
    /// Everyone in the room.
    pub(super) present: HashMap<MemberId, DisplayName>,
    /// Who was there before.
    pub(super) gone: HashMap<MemberId, DisplayName>,
}

/// How much of a body was handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Given {
    /// Nothing, or a part.
    #[default]
    Part,
    /// All of it.
    All,
}

/// What a source is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Asked {
    /// Nothing yet, or no more.
    #[default]
    Nothing,
    /// Bytes up to `limit`, on this lane.
    Pull { lane: u64, limit: u64 },
    /// Nothing ever again: the transfer let go of its source.
    Closed,
}

impl View {
    fn comes(&mut self, who: &Presented) {
        self.gone.remove(&who.member.id);
        self.present.insert(who.member.id.clone(), who.member.name.clone());
    }

    fn leaves(&mut self, who: &Presented) {
        self.present.remove(&who.member.id);
        if self.gone.len() < NAMES {
            self.gone.insert(who.member.id.clone(), who.member.name.clone());
        }
    }

    /// Those who were there when the upload came; whoever has left since is gone already.
    pub(super) fn begin(&mut self, members: Vec<Presence>) {
        for Presence { id, name, .. } in members {
            if !self.gone.contains_key(&id) {
                self.present.entry(id).or_insert(name);
            }
        }
    }

    /// The name of whoever has been in the room meanwhile.
    pub(super) fn name_of(&self, member: &MemberId) -> Option<&DisplayName> {
        self.present.get(member).or_else(|| self.gone.get(member))
    }
}

/// The upload's link to its room.
pub(super) struct Link(pub(super) watch::Sender<View>);

impl PeerPort for Link {
    fn tell(&self, event: &Event) {
        match event {
            Event::Joined(who) => self.0.send_modify(|view| view.comes(who)),
            Event::Left(who) => self.0.send_modify(|view| view.leaves(who)),
            Event::Message(_) | Event::Offered(_) | Event::Status(_) => {}
        }
    }
}

/// The upload as its transfer's source.
pub(super) struct Port(pub(super) watch::Sender<View>);

impl SourcePort for Port {
    fn pull(&self, lane: u64, _: u64, limit: u64) {
        self.0.send_modify(|view| {
            view.asked = match view.asked {
                // A repeated pull takes nothing back.
                Asked::Pull { lane: known, limit: before } if known == lane => {
                    Asked::Pull { lane, limit: limit.max(before) }
                }
                _ => Asked::Pull { lane, limit },
            };
        });
    }

    fn stop(&self, lane: u64) {
        self.0.send_modify(|view| {
            if matches!(view.asked, Asked::Pull { lane: known, .. } if known == lane) {
                view.asked = Asked::Nothing;
            }
        });
    }

    fn status(&self, status: &Arc<Envelope<Status>>) {
        self.0.send_modify(|view| view.status = Some(Arc::clone(status)));
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.0.send_modify(|view| view.asked = Asked::Closed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_that_comes_late_takes_nothing_back_and_a_new_lane_begins_anew() {
        let (to, view) = watch::channel(View::default());
        let port = Port(to);
        for ((lane, limit), expected) in [((1, 100), (1, 100)), ((1, 50), (1, 100)), ((2, 70), (2, 70))] {
            port.pull(lane, 0, limit);
            let (lane, limit) = expected;
            assert_eq!(view.borrow().asked, Asked::Pull { lane, limit });
        }
        port.stop(1);
        assert_ne!(view.borrow().asked, Asked::Nothing, "an old lane was stopped");
        port.stop(2);
        assert_eq!(view.borrow().asked, Asked::Nothing);
        drop(port);
        assert_eq!(view.borrow().asked, Asked::Closed);
    }
}
