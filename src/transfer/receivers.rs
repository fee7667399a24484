//! All receivers of one transfer, and what can be said of them together. They keep the order in which
//! they came to have the offer, and none is ever taken out: whoever accepted can come back.

use serde::{Deserialize, Serialize};

use super::MAX_RECEIVERS;
use super::receiver::Receiver;
use crate::protocol::{MemberId, ReceiverState, Secret};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Receivers(Vec<Receiver>);

impl Receivers {
    /// Those of `invited` that are not the `sender`.
    pub(super) fn new(invited: &[MemberId], sender: &MemberId) -> Self {
        Self(invited.iter().filter(|member| *member != sender).cloned().map(Receiver::new).collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Receiver> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Receiver> {
        self.0.iter_mut()
    }

    pub(super) fn get(&self, member: &MemberId) -> Option<&Receiver> {
        self.0.iter().find(|receiver| receiver.member == *member)
    }

    pub(super) fn get_mut(&mut self, member: &MemberId) -> Option<&mut Receiver> {
        self.0.iter_mut().find(|receiver| receiver.member == *member)
    }

    /// Whether this member has a place, or there is one left.
    pub(super) fn has_place(&self, member: &MemberId) -> bool {
        self.0.len() < MAX_RECEIVERS || self.get(member).is_some()
    }

    /// Lets this member act; one that has no place yet gets one first.
    pub(super) fn act<T>(&mut self, member: MemberId, act: impl FnOnce(&mut Receiver) -> T) -> T {
        if let Some(receiver) = self.get_mut(&member) {
            return act(receiver);
        }
        let mut receiver = Receiver::new(member);
        let done = act(&mut receiver);
        self.0.push(receiver);
        done
    }

    /// Those whom people are told of: the others hold up nothing, and complete nothing.
    pub(super) fn people(&self) -> impl Iterator<Item = &Receiver> {
        self.0.iter().filter(|receiver| !receiver.member.is_reader())
    }

    pub(super) fn are_any_owed(&self) -> bool {
        self.people().any(Receiver::is_owed)
    }

    pub(super) fn are_any_complete(&self) -> bool {
        self.people().any(Receiver::is_complete)
    }

    /// Whether any would be glad of bytes.
    pub(super) fn do_any_wait(&self) -> bool {
        self.people().any(Receiver::waits)
    }

    pub(super) fn states(&self) -> impl Iterator<Item = ReceiverState> {
        self.people().map(Receiver::state)
    }

    /// Looks at every one, so that it takes as long for a wrong token as for a right one.
    pub(super) fn holder_of(&self, token: &Secret) -> Option<&MemberId> {
        let mut holder = None;
        for receiver in &self.0 {
            if receiver.token.as_ref().is_some_and(|held| held == token) {
                holder = Some(&receiver.member);
            }
        }
        holder
    }
}
