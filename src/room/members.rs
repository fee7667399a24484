//! Who is in a room, by which links, and who was: identities are known by their keys, compared in
//! constant time. What it refuses: to let anyone in; that is judged before by the machine.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::PeerId;
use crate::protocol::node::NodeId;
use crate::protocol::rooms::{self, Presence};
use crate::protocol::{DisplayName, MemberId, Moment, Secret};

/// The members, in the order they came, and those who left and are still remembered.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(PartialEq))]
pub(super) struct Members {
    here: Vec<Member>,
    #[serde(serialize_with = "write_links", deserialize_with = "read_links")]
    links: BTreeMap<PeerId, MemberId>,
    /// Whoever left last comes last.
    gone: VecDeque<Identity>,
}

/// Who someone is, whether here or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) id: MemberId,
    pub(super) name: DisplayName,
    pub(super) key: Secret,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(PartialEq))]
struct Member {
    identity: Identity,
    reach: Reach,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Reach {
    Online,
    /// Without a link; a member until then.
    Grace {
        until: Moment,
    },
}

/// Whose key someone brings.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// A member now.
    Here(MemberId),
    /// One who left and may come back as who it was.
    Gone(MemberId),
    Nobody,
}

impl Identity {
    pub(super) fn shown(&self) -> rooms::Member {
        rooms::Member { id: self.id.clone(), name: self.name.clone() }
    }
}

impl Members {
    /// How many are here, the ones within their grace included.
    pub(super) fn len(&self) -> usize {
        self.here.len()
    }

    pub(super) fn at(&self, peer: PeerId) -> Option<&Identity> {
        self.get(self.links.get(&peer)?)
    }

    pub(super) fn get(&self, id: &MemberId) -> Option<&Identity> {
        self.here.iter().map(|member| &member.identity).find(|identity| identity.id == *id)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &MemberId> {
        self.here.iter().map(|member| &member.identity.id)
    }

    pub(super) fn presence(&self) -> Vec<Presence> {
        let present = |member: &Member| Presence {
            id: member.identity.id.clone(),
            name: member.identity.name.clone(),
            online: member.reach == Reach::Online,
        };
        self.here.iter().map(present).collect()
    }

    /// Every link but this one.
    pub(super) fn links_but(&self, peer: PeerId) -> Vec<PeerId> {
        self.links.keys().copied().filter(|link| *link != peer).collect()
    }

    /// Every link of those whom `may` lets.
    pub(super) fn links_of(&self, may: impl Fn(&MemberId) -> bool) -> Vec<PeerId> {
        self.links.iter().filter(|(_, id)| may(id)).map(|(peer, _)| *peer).collect()
    }

    /// The links, and whose they are.
    pub(super) fn links(&self) -> impl Iterator<Item = (PeerId, &MemberId)> {
        self.links.iter().map(|(peer, id)| (*peer, id))
    }

    pub(super) fn links_of_node(&self, node: NodeId) -> Vec<PeerId> {
        self.links.keys().copied().filter(|peer| peer.node == node).collect()
    }

    /// Whose key it is.
    pub(super) fn whose(&self, key: &Secret) -> Holder {
        if let Some(member) = self.here.iter().find(|member| member.identity.key == *key) {
            return Holder::Here(member.identity.id.clone());
        }
        match self.gone.iter().find(|identity| identity.key == *key) {
            Some(identity) => Holder::Gone(identity.id.clone()),
            None => Holder::Nobody,
        }
    }

    /// Gives a member that is here another link.
    pub(super) fn link(&mut self, peer: PeerId, id: &MemberId) {
        if let Some(member) = self.here.iter_mut().find(|member| member.identity.id == *id) {
            member.reach = Reach::Online;
            self.links.insert(peer, id.clone());
        }
    }

    /// Gives a member another name. Whether it is another.
    pub(super) fn rename(&mut self, id: &MemberId, name: Option<DisplayName>) -> bool {
        match (self.here.iter_mut().find(|member| member.identity.id == *id), name) {
            (Some(member), Some(name)) if member.identity.name != name => {
                member.identity.name = name;
                true
            }
            _ => false,
        }
    }

    pub(super) fn enter(&mut self, peer: PeerId, identity: Identity) {
        self.links.insert(peer, identity.id.clone());
        self.here.push(Member { identity, reach: Reach::Online });
    }

    /// Brings one who left back in.
    pub(super) fn return_to(&mut self, peer: PeerId, id: &MemberId) {
        if let Some(at) = self.gone.iter().position(|identity| identity.id == *id)
            && let Some(identity) = self.gone.remove(at)
        {
            self.enter(peer, identity);
        }
    }

    /// A link is lost; its member's grace begins with its last.
    pub(super) fn lose(&mut self, peer: PeerId, grace_ends: Moment) {
        let Some(id) = self.links.remove(&peer) else { return };
        if !self.links.values().any(|other| *other == id)
            && let Some(member) = self.here.iter_mut().find(|member| member.identity.id == id)
        {
            member.reach = Reach::Grace { until: grace_ends };
        }
    }

    /// A member leaves, with all its links; it is remembered. Who it was.
    pub(super) fn leave(&mut self, id: &MemberId) -> Option<rooms::Member> {
        let at = self.here.iter().position(|member| member.identity.id == *id)?;
        let identity = self.here.remove(at).identity;
        self.links.retain(|_, other| other != id);
        let shown = identity.shown();
        self.gone.push_back(identity);
        Some(shown)
    }

    /// Whose grace is over by now.
    pub(super) fn overdue(&self, now: Moment) -> Vec<MemberId> {
        let over = |member: &&Member| matches!(member.reach, Reach::Grace { until } if until <= now);
        self.here.iter().filter(over).map(|member| member.identity.id.clone()).collect()
    }

    /// When each grace is over that runs.
    pub(super) fn graces(&self) -> impl Iterator<Item = Moment> {
        self.here.iter().filter_map(|member| match member.reach {
            Reach::Grace { until } => Some(until),
            Reach::Online => None,
        })
    }

    /// Forgets who left first, beyond `most`, of those whom nothing here `needs`.
    pub(super) fn forget_beyond(&mut self, most: usize, needs: impl Fn(&MemberId) -> bool) {
        if self.gone.len() <= most {
            return;
        }
        let strangers = self.gone.iter().filter(|identity| !needs(&identity.id)).count();
        let mut surplus = strangers.saturating_sub(most);
        self.gone.retain(|identity| {
            let stays = surplus == 0 || needs(&identity.id);
            if !stays {
                surplus -= 1;
            }
            stays
        });
    }
}

/// JSON has no maps whose keys are links: they are written as pairs.
fn write_links<S: Serializer>(links: &BTreeMap<PeerId, MemberId>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(links)
}

fn read_links<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<PeerId, MemberId>, D::Error> {
    Ok(Vec::deserialize(from)?.into_iter().collect())
}
