//! Offers, and the hooks that are asked about them before anybody else hears of them, or told afterwards. Who is
//! asked decides nothing about the room: an offer that they allow is taken or refused as any other.

use super::super::answer::{Answer, Outcome};
use super::super::random;
use super::super::room_handle::{Asked, Command};
use super::super::transfer_copy::CopyWord;
use super::Task;
use super::people::{Owed, wrong};
use crate::hooks::{Event, Kind, Offering};
use crate::protocol::rooms::{Offer, OfferTaken, OfferedDrop};
use crate::protocol::{DropId, ErrorCode, MemberId, TransferId};
use crate::room::{Input, PeerId, Reply, Shelved};
use crate::transfer::Source;

impl Task {
    pub(super) fn offer(&mut self, peer: PeerId, offer: Offer, source: Source, answer: Answer<OfferTaken>) {
        let drop = DropId::from_random(random());
        let transfers = offer.files.iter().map(|_| TransferId::from_random(random())).collect();
        let asked = Asked { peer, offer, source, drop, transfers, answer };
        if self.hub.hooks().judge() { self.ask_first(asked) } else { self.submit_offer(asked) }
    }

    /// Takes an offer that nobody is against, to the room.
    pub(super) fn submit_offer(&mut self, asked: Asked) {
        let Asked { peer, offer, source, drop, transfers, answer } = asked;
        if self.hub.transfers_left() < offer.files.len() {
            return answer.refuse(ErrorCode::Overloaded);
        }
        let to = offer.to.clone();
        self.submit(Input::Offer { peer, offer, drop, transfers }, Owed::Offer { source, to, answer });
    }

    /// Asks the hooks, unless the room would refuse it anyway. What its member says meanwhile may come before it.
    fn ask_first(&self, asked: Asked) {
        let event = match self.event_of(&asked) {
            Ok(event) => event,
            Err(refusal) => return asked.answer.refuse(refusal),
        };
        let (hub, room) = (self.hub.clone(), self.handle.clone());
        let asking = async move {
            match hub.hooks().ask(&event).await {
                Ok(()) => room.send_when_there_is_room(Command::Allowed(Box::new(asked))).await,
                Err(refusal) => asked.answer.refuse(refusal),
            }
        };
        // Ended with the node, its answer is `overloaded`.
        let ended = self.hub.ended().clone();
        self.hub.tasks().spawn(ended.run_until_cancelled_owned(asking));
    }

    fn event_of(&self, asked: &Asked) -> Outcome<Event> {
        let Asked { peer, offer, drop, transfers, .. } = asked;
        let room = self.shown().room();
        let shown = room.preview(self.now(), *peer, offer.clone(), drop.clone(), transfers.clone())?;
        Ok(Event::offered(&Offering { drop: &shown, to: offer.to.as_deref() }))
    }

    /// Whether a drop that is being stored may be offered: by the room, and by the hooks that are asked.
    pub(super) fn weigh_stored(&self, shelved: &Shelved, answer: Answer<()>) {
        if let Err(refusal) = self.shown().room().weigh_stored(shelved) {
            return answer.refuse(refusal);
        }
        if self.hub.transfers_left() < shelved.drop.transfers.len() {
            return answer.refuse(ErrorCode::Overloaded);
        }
        if !self.hub.hooks().judge() {
            return answer.give(Ok(()));
        }
        let event = Event::offered(&Offering { drop: &shelved.drop, to: shelved.only.as_deref() });
        let hooks = self.hub.hooks().clone();
        self.hub.spawn(async move { answer.give(hooks.ask(&event).await) });
    }

    /// A drop that was stored by someone who is not here is offered, or is not.
    pub(super) fn settle_stored(&mut self, outcome: Outcome<Reply>, answer: Answer<()>) {
        let restored = match outcome {
            Ok(Reply::Restored(restored)) => restored,
            other => return answer.give(wrong(other)),
        };
        let drops: Vec<_> = restored.iter().map(|restored| restored.drop.clone()).collect();
        self.start_restored(restored);
        for drop in drops {
            self.tell_hooks(&drop, None);
            tracing::info!(room.id = %drop.room, drop.id = %drop.drop, "stored drop offered");
            for offered in &drop.transfers {
                if let Some(transfer) = self.hub.transfer(&offered.transfer) {
                    transfer.send(CopyWord::WasWhole.into());
                }
            }
        }
        answer.give(Ok(()));
    }

    /// Tells the hooks of a drop that is offered now.
    pub(super) fn tell_hooks(&self, drop: &OfferedDrop, to: Option<&[MemberId]>) {
        let hooks = self.hub.hooks();
        if hooks.wants(Kind::Offered) {
            hooks.say(&Event::offered(&Offering { drop, to }));
        }
    }
}
