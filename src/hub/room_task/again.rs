//! What a link said and the log refused, because it does not know the link any more: others held this node
//! for lost, or the log began anew without its links. The link enters again as who it was, and it is said
//! again, also when the link has left since. What people were told was refused is never said again.

use std::collections::BTreeMap;

use super::super::answer::Outcome;
use super::Task;
use super::people::Owed;
use super::queue::{Showing, peer_of};
use crate::protocol::ErrorCode;
use crate::room::{Input, PeerId, Reply};

/// Links that left and are remembered, at most; of those that left before, words may be lost.
const LEFT: usize = 256;

/// How each link of this node enters as who it was last.
#[derive(Debug, Default)]
pub(super) struct Entered(BTreeMap<PeerId, Input>);

impl Entered {
    /// Notes a link, and forgets the first that left (`is_here` says which did not), beyond the last few.
    fn note(&mut self, peer: PeerId, input: Input, here: usize, is_here: impl Fn(&PeerId) -> bool) {
        self.0.insert(peer, input);
        if self.0.len() > here + LEFT
            && let Some(left) = self.0.keys().copied().find(|peer| !is_here(peer))
        {
            self.0.remove(&left);
        }
    }
}

impl Task {
    /// Keeps in mind who a link is; or, if it was not let in, that it is nobody.
    pub(super) fn note_link(&mut self, input: &Input, outcome: &Outcome<Reply>) {
        let Input::Join { peer, .. } = input else { return };
        if outcome.is_err() {
            self.entered.0.remove(peer);
            return;
        }
        let entering = self.shown().room().entering(*peer).or_else(|| self.log.room().entering(*peer));
        if let Some(input) = entering.filter(|_| peer.node == self.me) {
            let peers = &self.peers;
            self.entered.note(*peer, input, peers.len(), |peer| peers.contains_key(peer));
        }
    }

    /// Whether a word of a link is to be said again; then the link enters again before.
    pub(super) fn is_to_be_repeated(
        &mut self,
        input: &Input,
        outcome: &Outcome<Reply>,
        showing: &Showing<Owed>,
    ) -> bool {
        let is_refused = matches!(outcome, Err(refusal) if refusal.code == ErrorCode::RoomNotFound);
        let Some(peer) = peer_of(input).filter(|_| is_refused) else { return false };
        if self.peers.contains_key(&peer) {
            return self.is_entering(peer) || self.enter_again(peer);
        }
        // Of a link that has left, only what people here know it said.
        match (input, showing) {
            (Input::Say { .. } | Input::Offer { .. }, Showing::Shown) => {
                self.is_entering(peer) || self.enter_again(peer)
            }
            (Input::Leave { .. }, Showing::Shown) => self.is_entering(peer),
            _ => false,
        }
    }

    fn is_entering(&self, peer: PeerId) -> bool {
        let is_its = |input: &Input| matches!(input, Input::Join { peer: known, .. } if *known == peer);
        self.queue.iter().any(|own| is_its(&own.entry.input))
    }

    /// Lets a link into the log again as who it is for people here, or was. Whether it is anyone.
    fn enter_again(&mut self, peer: PeerId) -> bool {
        let entering = self.shown().room().entering(peer);
        let Some(input) = entering.or_else(|| self.entered.0.get(&peer).cloned()) else { return false };
        self.repeat(input, Showing::Shown);
        true
    }

    /// Says something to the log again.
    pub(super) fn repeat(&mut self, input: Input, showing: Showing<Owed>) {
        let entry = self.entry(input);
        self.queue.push(entry, showing);
    }
}
