//! The machine itself: each input is first judged, then taken in, then what follows is said. Nothing is
//! changed before it is clear that nothing will be refused.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::drops::Drops;
use super::members::{Holder, Identity, Members};

use super::{Event, Fresh, Input, Knock, Options, Output, PeerId, Reply, envelope};
use crate::protocol::Party;
use crate::protocol::rooms::{self, Joined, Message, Picked, Presented, Said, Status};
use crate::protocol::{
    DisplayName, ErrorCode, MemberId, MessageId, Moment, Refusal, RoomId, Secret, TransferId,
};

/// One room. Its holder is whoever drives it; it acts on nothing by itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Room {
    pub(super) id: RoomId,
    pub(super) options: Options,
    pub(super) door: Door,
    pub(super) members: Members,
    pub(super) drops: Drops,
    pub(super) history: VecDeque<Arc<Message>>,
    pub(super) life: Life,
    #[serde(skip)]
    pub(super) outputs: VecDeque<Output>,
}

/// What opens the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Door {
    /// The first member will decide.
    Undecided,
    Open,
    /// Whoever knows what has this digest (comparing two takes constant time).
    Locked(blake3::Hash),
}

/// Whether anything is left to keep the room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Life {
    Empty,
    Lively,
}

impl Room {
    /// A room that nobody is in yet.
    pub fn new(id: RoomId, options: Options) -> Self {
        Self {
            id,
            options,
            door: Door::Undecided,
            members: Members::default(),
            drops: Drops::default(),
            history: VecDeque::new(),
            life: Life::Empty,
            outputs: VecDeque::new(),
        }
    }

    /// Takes one input in.
    ///
    /// # Errors
    /// As the [`Input`] says. Then nothing has changed and nothing is to be done.
    pub fn handle(&mut self, now: Moment, input: Input) -> Result<Reply, Refusal> {
        let reply = match input {
            Input::Rules(options) => {
                if self.is_empty() {
                    self.options = options;
                }
                Reply::Done
            }
            Input::Join { peer, knock, fresh } => self.join(peer, knock, fresh)?,
            Input::Leave { peer } => self.leave(peer)?,
            Input::Lost { peer } => {
                self.members.lose(peer, now + self.options.presence_grace);
                Reply::Done
            }
            Input::NodeLost { node } => {
                for peer in self.members.links_of_node(node) {
                    self.members.lose(peer, now + self.options.presence_grace);
                }
                Reply::Done
            }
            Input::Say { peer, text, id } => self.say(now, peer, text, id)?,
            Input::Offer { peer, offer, drop, transfers } => self.offer(now, peer, offer, drop, transfers)?,
            Input::Pick { peer, picked } => self.pick(peer, picked)?,
            Input::Steer { peer, transfer } => self.steer(peer, &transfer)?,
            Input::Status(status) => self.status(*status)?,
            Input::OfferStored(shelved) => self.offer_stored(*shelved)?,
            Input::Restore(shelved) => self.restore(shelved),
            Input::Gone { transfer } => {
                if !self.drops.forget_transfer(&transfer) {
                    return Err(ErrorCode::TransferNotFound.into());
                }
                Reply::Done
            }
            Input::Tick => self.tick(now),
        };
        self.settle();
        Ok(reply)
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Tick`] is due, if ever. Ask again after every input.
    pub fn poll_timeout(&self) -> Option<Moment> {
        self.members.graces().min()
    }

    /// Which room it is.
    pub fn id(&self) -> &RoomId {
        &self.id
    }

    /// What it goes by.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Who is at the other end of this link.
    pub fn member(&self, peer: PeerId) -> Option<&MemberId> {
        Some(&self.members.at(peer)?.id)
    }

    /// Whether nobody is left and no drop is open.
    pub fn is_empty(&self) -> bool {
        self.members.len() == 0 && !self.drops.are_any_open()
    }

    fn join(&mut self, peer: PeerId, knock: Knock, fresh: Option<Fresh>) -> Result<Reply, Refusal> {
        let key = knock.key.filter(|key| Secret::new(key.expose()).is_some());
        let holder = match (self.members.at(peer), &key) {
            (Some(identity), _) => Holder::Here(identity.id.clone()),
            (None, Some(key)) => self.members.whose(key),
            (None, None) => Holder::Nobody,
        };
        let (id, news) = match holder {
            Holder::Here(id) => {
                self.members.link(peer, &id);
                let renamed = self.members.rename(&id, knock.name);
                (id, renamed)
            }
            Holder::Gone(id) => {
                self.must_have_place()?;
                self.members.return_to(peer, &id);
                self.members.rename(&id, knock.name);
                (id, true)
            }
            Holder::Nobody => {
                let fresh = fresh.ok_or(ErrorCode::RoomNotFound)?;
                let door = self.door.let_in(knock.passphrase)?;
                self.must_have_place()?;
                if self.members.get(&fresh.member).is_some() {
                    return Err(ErrorCode::Internal.into());
                }
                self.door = door;
                let id = fresh.member;
                let name = knock.name.unwrap_or_else(DisplayName::guest);
                let key = key.unwrap_or(fresh.key);
                self.members.enter(peer, Identity { id: id.clone(), name, key });
                (id, true)
            }
        };
        let identity = self.members.get(&id).ok_or(ErrorCode::Internal)?.clone();
        if news {
            self.tell(self.members.links_but(peer), Event::Joined(self.present(identity.shown())));
        }
        for status in self.drops.moving(&identity.id) {
            self.tell(vec![peer], Event::Status(status));
        }
        Ok(Reply::Joined(Box::new(self.snapshot(identity))))
    }

    fn must_have_place(&self) -> Result<(), Refusal> {
        if self.members.len() >= self.options.max_members {
            return Err(ErrorCode::RoomFull.into());
        }
        Ok(())
    }

    fn snapshot(&self, identity: Identity) -> Joined {
        Joined {
            room: self.id.clone(),
            members: self.members.presence(),
            drops: self.drops.visible_to(&identity.id),
            messages: self.history.iter().map(|message| (**message).clone()).collect(),
            member: identity.shown(),
            key: identity.key,
            server: self.options.services,
        }
    }

    fn leave(&mut self, peer: PeerId) -> Result<Reply, Refusal> {
        let id = self.at(peer)?.id.clone();
        let others = self.members.links_but(peer);
        self.farewell(&id, others);
        Ok(Reply::Done)
    }

    fn tick(&mut self, now: Moment) -> Reply {
        for id in self.members.overdue(now) {
            let everyone = self.members.links_of(|_| true);
            self.farewell(&id, everyone);
        }
        Reply::Done
    }

    fn farewell(&mut self, id: &MemberId, tell: Vec<PeerId>) {
        if let Some(member) = self.members.leave(id) {
            self.tell(tell, Event::Left(self.present(member)));
        }
    }

    fn say(&mut self, now: Moment, peer: PeerId, text: String, id: MessageId) -> Result<Reply, Refusal> {
        let from = self.at(peer)?;
        if text.is_empty() {
            return Err(Refusal::new(ErrorCode::BadRequest, "The message is empty; say something."));
        }
        if text.len() > self.options.message_bytes {
            return Err(Refusal::new(
                ErrorCode::TooLarge,
                format!("A message holds at most {} bytes; say it in parts.", self.options.message_bytes),
            ));
        }
        let said = Said { id: id.clone(), at: now.unix_millis() };
        let message = Arc::new(Message {
            room: self.id.clone(),
            id,
            at: said.at,
            from: from.id.clone(),
            from_name: from.name.clone(),
            text,
        });
        self.history.push_back(Arc::clone(&message));
        while self.history.len() > self.options.history {
            self.history.pop_front();
        }
        self.tell(self.members.links_of(|_| true), Event::Message(message));
        Ok(Reply::Said(said))
    }

    fn pick(&self, peer: PeerId, picked: Picked) -> Result<Reply, Refusal> {
        let member = self.member(peer);
        let (entry, transfers) = match picked {
            Picked::Transfer(transfer) => {
                let entry = member.and_then(|member| self.drops.of(&transfer, member));
                (entry.ok_or(ErrorCode::TransferNotFound)?, vec![transfer])
            }
            Picked::Drop(drop) => {
                let entry = member.and_then(|member| self.drops.get(&drop, member));
                let entry = entry.ok_or(ErrorCode::DropNotFound)?;
                (entry, entry.transfers())
            }
        };
        match member {
            Some(member) if *member != entry.shown.from => {
                Ok(Reply::Picked { member: member.clone(), transfers })
            }
            _ => Err(Refusal::new(
                ErrorCode::NotAllowed,
                "This is your own drop; those it is offered to accept or reject it.",
            )),
        }
    }

    fn steer(&self, peer: PeerId, transfer: &TransferId) -> Result<Reply, Refusal> {
        let member = self.member(peer).ok_or(ErrorCode::TransferNotFound)?;
        let entry = self.drops.of(transfer, member).ok_or(ErrorCode::TransferNotFound)?;
        let by = if entry.shown.from == *member { Party::Sender } else { Party::Receiver(member.clone()) };
        Ok(Reply::Steer { by })
    }

    fn status(&mut self, status: Status) -> Result<Reply, Refusal> {
        let status = Arc::new(envelope(status));
        let entry = self.drops.update(&status).ok_or(ErrorCode::TransferNotFound)?;
        let audience = self.members.links_of(|member| entry.is_visible_to(member));
        self.tell(audience, Event::Status(status));
        Ok(Reply::Done)
    }

    /// After every input: whom to forget, and whether anything is left.
    fn settle(&mut self) {
        let drops = &self.drops;
        self.members.forget_beyond(self.options.max_members, |member| drops.concern(member));
        let life = if self.is_empty() { Life::Empty } else { Life::Lively };
        if self.life != life {
            self.life = life;
            if life == Life::Empty {
                let transfers = self.drops.clear();
                self.forgotten(transfers);
                self.door = Door::Undecided;
                self.history.clear();
                self.members = Members::default();
                self.outputs.push_back(Output::Empty);
            }
        }
    }

    pub(super) fn at(&self, peer: PeerId) -> Result<&Identity, Refusal> {
        self.members.at(peer).ok_or(ErrorCode::RoomNotFound.into())
    }

    pub(super) fn tell(&mut self, to: Vec<PeerId>, event: Event) {
        if !to.is_empty() {
            self.outputs.push_back(Output::Tell { to, event });
        }
    }

    pub(super) fn forgotten(&mut self, transfers: Vec<TransferId>) {
        if !transfers.is_empty() {
            self.outputs.push_back(Output::Forgotten { transfers });
        }
    }

    fn present(&self, member: rooms::Member) -> Arc<Presented> {
        Arc::new(Presented { room: self.id.clone(), member })
    }
}

impl Door {
    /// The door as it is once someone new with this passphrase is in.
    pub(super) fn let_in(self, passphrase: Option<blake3::Hash>) -> Result<Self, Refusal> {
        let said = passphrase.map_or(Self::Open, Self::Locked);
        let sentence = match (self, said) {
            (Self::Undecided, _) => return Ok(said),
            (Self::Open, Self::Locked(_)) => {
                "This room is open and has no passphrase; enter without one, or make another room."
            }
            (Self::Locked(_), Self::Open) => "This room has a passphrase; enter with it.",
            (door, said) if door == said => return Ok(said),
            _ => "This is not the room's passphrase; ask someone who is in it.",
        };
        Err(Refusal::new(ErrorCode::NotAllowed, sentence))
    }
}
