//! Offering a drop: what is refused, who gets it, and who has to make place.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::drops::{Audience, Entry};
use super::machine::Room;
use super::{Event, PeerId, Reply};
use crate::protocol::rooms::{FileOffer, Offer, OfferedDrop, OfferedTransfer, StoredCopy};
use crate::protocol::{
    DropId, ErrorCode, MediaType, MemberId, Moment, Refusal, TransferId, TransferState, limits,
};

impl Room {
    pub(super) fn offer(
        &mut self,
        now: Moment,
        peer: PeerId,
        offer: Offer,
        drop: DropId,
        transfers: Vec<TransferId>,
    ) -> Result<Reply, Refusal> {
        let (shown, audience) = self.weigh(now, peer, offer, drop, transfers)?;
        self.make_place()?;
        let sender = shown.from.clone();
        let invited = match &audience {
            Audience::Everyone => self.members.ids().filter(|id| **id != sender).cloned().collect(),
            Audience::Only(members) => Arc::clone(members),
        };
        let told = Arc::new(shown.clone());
        let entry = Entry { shown, audience };
        let links = self.members.links_of(|member| entry.is_visible_to(member));
        self.drops.add(entry);
        self.tell(links, Event::Offered(Arc::clone(&told)));
        Ok(Reply::Offered { drop: told, from: sender, invited })
    }

    /// What members would get of this offer if it came now, for whoever is to be asked about it before. It changes
    /// nothing, and costs a copy of the offer.
    ///
    /// # Errors
    /// What the offer would be refused with, unless there is no place for it.
    pub fn preview(
        &self,
        now: Moment,
        peer: PeerId,
        offer: Offer,
        drop: DropId,
        transfers: Vec<TransferId>,
    ) -> Result<OfferedDrop, Refusal> {
        self.weigh(now, peer, offer, drop, transfers).map(|(shown, _)| shown)
    }

    fn weigh(
        &self,
        now: Moment,
        peer: PeerId,
        offer: Offer,
        drop: DropId,
        transfers: Vec<TransferId>,
    ) -> Result<(OfferedDrop, Audience), Refusal> {
        let sender = self.at(peer)?.clone();
        let copy = (offer.keep == Some(true)).then(StoredCopy::storing);
        self.must_be_offerable(&offer)?;
        let audience = self.audience(&sender.id, offer.to)?;
        self.must_be_new(offer.files.len(), &drop, &transfers)?;
        let shown = OfferedDrop {
            room: self.id.clone(),
            drop,
            from: sender.id,
            from_name: sender.name,
            at: now.unix_millis(),
            keep: offer.keep == Some(true),
            note: offer.note,
            transfers: offer.files.into_iter().zip(transfers).map(|of| offered(of, copy.clone())).collect(),
        };
        Ok((shown, audience))
    }

    fn must_be_offerable(&self, offer: &Offer) -> Result<(), Refusal> {
        if offer.files.is_empty() {
            return refuse(ErrorCode::BadRequest, "The offer has no files; name at least one.");
        }
        let previews = offer.files.iter().filter_map(|file| file.preview.as_ref());
        if previews.map(|preview| preview.as_str().len()).sum::<usize>() > limits::PREVIEWS_CHARS {
            return refuse(
                ErrorCode::TooLarge,
                format!(
                    "The previews of one offer are at most {} characters together; leave some out.",
                    limits::PREVIEWS_CHARS
                ),
            );
        }
        self.must_fit(offer.files.iter().map(|file| file.size))
    }

    /// Whether files of these sizes may be one drop.
    pub(super) fn must_fit(&self, sizes: impl ExactSizeIterator<Item = Option<u64>>) -> Result<(), Refusal> {
        let (most, largest) = (self.options.files_per_drop, self.options.max_size.unwrap_or(u64::MAX));
        if sizes.len() > most {
            return refuse(
                ErrorCode::TooLarge,
                format!("One offer holds at most {most} files; offer the rest in another."),
            );
        }
        if sizes.flatten().any(|size| size > largest) {
            return refuse(
                ErrorCode::TooLarge,
                format!("This server takes files of at most {largest} bytes; offer smaller ones."),
            );
        }
        Ok(())
    }

    /// Who is to see it. Naming oneself, or someone twice, does no harm.
    fn audience(&self, sender: &MemberId, to: Option<Vec<MemberId>>) -> Result<Audience, Refusal> {
        let Some(to) = to else { return Ok(Audience::Everyone) };
        let members: BTreeSet<_> = self.members.ids().collect();
        if to.iter().any(|id| !members.contains(id)) {
            return refuse(
                ErrorCode::BadRequest,
                "Someone in `to` is not in the room; name members that are, or offer it to all.",
            );
        }
        let mut named = BTreeSet::new();
        let only: Arc<[_]> = to.iter().filter(|id| *id != sender && named.insert(*id)).cloned().collect();
        if only.is_empty() {
            return refuse(
                ErrorCode::BadRequest,
                "There is nobody but you in `to`; name other members, or offer it to all.",
            );
        }
        Ok(Audience::Only(only))
    }

    /// What whoever drives the room has promised.
    fn must_be_new(&self, files: usize, drop: &DropId, transfers: &[TransferId]) -> Result<(), Refusal> {
        let distinct: BTreeSet<_> = transfers.iter().collect();
        if transfers.len() != files || distinct.len() != files || self.drops.knows(drop, transfers) {
            return Err(ErrorCode::Internal.into());
        }
        Ok(())
    }

    /// The last check: it makes place, or refuses.
    pub(super) fn make_place(&mut self) -> Result<(), Refusal> {
        if let Some(oldest) = self.must_give_way()? {
            let transfers = self.drops.forget(&oldest);
            self.forgotten(transfers);
        }
        Ok(())
    }

    /// Which drop has to go for another, if one has.
    pub(super) fn must_give_way(&self) -> Result<Option<DropId>, Refusal> {
        if self.drops.len() < self.options.drops_per_room {
            return Ok(None);
        }
        let oldest = self.drops.oldest_closed().ok_or_else(|| {
            let why = "Too many drops are under way in this room; wait until one has ended, or cancel one.";
            Refusal::new(ErrorCode::RateLimited, why)
        });
        oldest.map(Some)
    }
}

fn offered((file, transfer): (FileOffer, TransferId), copy: Option<StoredCopy>) -> OfferedTransfer {
    OfferedTransfer {
        transfer,
        name: file.name,
        path: file.path,
        size: file.size,
        media_type: file.media_type.unwrap_or_else(MediaType::unknown),
        modified: file.modified,
        preview: file.preview,
        state: TransferState::Offered,
        copy,
    }
}

fn refuse<T>(code: ErrorCode, sentence: impl Into<Box<str>>) -> Result<T, Refusal> {
    Err(Refusal::new(code, sentence))
}
