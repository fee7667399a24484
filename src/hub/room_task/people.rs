//! What people and transfers say to a room, on this node: what changes the room becomes an entry of its log,
//! and is answered when it came back; what only asks is answered at once, from the copy that is here.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::answer::{Answer, Outcome};
use super::super::port::PeerPort;
use super::super::room_handle::Command;
use super::super::transfer_handle::{self, TransferHandle, Wish};
use super::super::{File, Offered, random};
use super::following::drain;
use super::queue::Showing;
use super::{Task, View};
use crate::protocol::rooms::{
    Accepted, AcceptedDrop, Join, Joined, OfferTaken, OfferedDrop, OfferedTransfer, OutgoingTransfer, Picked,
    Said, Status,
};
use crate::protocol::{DropId, ErrorCode, MemberId, MessageId, Secret, TransferId};
use crate::room::{Entry, Fresh, Input, Knock, PeerId, Reply};
use crate::transfer::Source;

/// Commands that may wait for what their links said before, at most; one more is refused with `overloaded`.
const HELD: usize = 4096;

/// What is owed for an entry, once it is known what came of it.
pub(super) enum Owed {
    Join { peer: PeerId, port: Arc<dyn PeerPort>, answer: Answer<Box<Joined>> },
    Leave(Answer<()>),
    Say(Answer<Said>),
    Restore,
    OfferStored(Answer<()>),
    Offer { source: Source, to: Option<Vec<MemberId>>, answer: Answer<OfferTaken> },
    Nothing,
}

impl Task {
    /// Whoever has said something that is still on its way, is heard on what it says then after that.
    pub(super) fn hold_or_obey(&mut self, command: Command) {
        let reader = match &command {
            Command::Accept { peer, .. }
            | Command::AcceptDrop { peer, .. }
            | Command::Reject { peer, .. }
            | Command::Steer { peer, .. } => Some(*peer),
            // Whoever is asked about it is told who offers.
            Command::Offer { peer, .. } if self.hub.hooks().judge() => Some(*peer),
            _ => None,
        };
        match reader.and_then(|peer| self.queue.last_owed_to(peer)) {
            Some(_) if self.queue.is_full() || self.held.len() >= HELD => {}
            Some(count) => self.held.push_back((count, command)),
            None => self.obey(command),
        }
    }

    pub(super) fn release_held(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let known = self.queue.first_owed().unwrap_or(u64::MAX);
        let (free, held): (VecDeque<_>, _) =
            std::mem::take(&mut self.held).into_iter().partition(|(after, _)| *after < known);
        self.held = held;
        for (_, command) in free {
            self.obey(command);
        }
    }

    pub(super) fn obey(&mut self, command: Command) {
        let Some(command) = self.wait_for_shelf(command).and_then(|command| self.ask_for_room(command))
        else {
            return;
        };
        match command {
            Command::Join { peer, port, join, answer } => self.join(peer, port, join, answer),
            Command::Return { peer, port, key, answer } => {
                let knock = Knock { name: None, key: Some(key), passphrase: None };
                self.submit(Input::Join { peer, knock, fresh: None }, Owed::Join { peer, port, answer });
            }
            Command::Leave { peer, answer } => self.submit(Input::Leave { peer }, Owed::Leave(answer)),
            Command::Lost { peer } => {
                self.peers.remove(&peer);
                self.submit_always(Input::Lost { peer });
            }
            Command::NodeLost(node) => self.lose_node(node),
            Command::Say { peer, text, answer } => {
                let id = MessageId::from_random(random());
                self.submit(Input::Say { peer, text, id }, Owed::Say(answer));
            }
            Command::Offer { peer, offer, source, answer }
            | Command::OfferAdmitted { peer, offer, source, answer } => {
                self.offer(peer, offer, source, answer);
            }
            Command::Shelf(read) => self.take_shelf(read),
            Command::Allowed(asked) => self.submit_offer(*asked),
            Command::WeighStored { shelved, answer } => self.weigh_stored(&shelved, answer),
            Command::OfferStored { shelved, answer } => {
                self.submit_rules_if_new();
                self.submit(Input::OfferStored(shelved), Owed::OfferStored(answer));
            }
            Command::Accept { peer, transfer, answer } => self.accept(peer, transfer, answer),
            Command::AcceptDrop { peer, drop, answer } => self.accept_drop(peer, drop, answer),
            Command::Reject { peer, picked, answer } => self.reject(peer, picked, answer),
            Command::Steer { peer, transfer, wish, answer } => self.steer(peer, transfer, wish, answer),
            Command::Transfers { drop, answer } => answer.give(self.transfers(&drop)),
            Command::Status(status) => self.status(status),
            Command::Gone(transfer) => self.submit_always(Input::Gone { transfer }),
        }
    }

    /// Says something to the room, unless too much is on its way already.
    pub(super) fn submit(&mut self, input: Input, owed: Owed) {
        // What is dropped answers `overloaded`.
        if !self.queue.is_full() {
            let entry = self.entry(input);
            self.put(entry, owed);
        }
    }

    /// As [`Self::submit`], of what cannot be refused: at most one for each link, node or transfer.
    pub(super) fn submit_always(&mut self, input: Input) {
        let entry = self.entry(input);
        self.put(entry, Owed::Nothing);
    }

    /// Puts an entry on its way. Alone it is taken here at once, and appended later if it was not refused.
    pub(super) fn put(&mut self, entry: Entry, owed: Owed) {
        if !matches!(self.view, View::Alone(_)) {
            self.queue.push(entry, Showing::Owed(owed));
        } else if self.take_here(entry.clone(), owed) {
            self.queue.push(entry, Showing::Shown);
        }
    }

    /// Takes an entry into the copy that people here are shown. Whether it was not refused.
    pub(super) fn take_here(&mut self, entry: Entry, owed: Owed) -> bool {
        let (now, input) = (self.now(), entry.input.clone());
        let shown = self.shown_mut();
        let Some(outcome) = shown.take(now, entry) else { return true };
        let outputs = drain(shown.room_mut());
        let is_taken = outcome.is_ok();
        self.note_drops(&input, &outcome);
        self.note_link(&input, &outcome);
        self.settle(owed, outcome);
        self.carry_out(outputs);
        self.forget_ports();
        is_taken
    }

    /// Which drops and transfers are found here from now on.
    pub(super) fn note_drops(&mut self, input: &Input, outcome: &Outcome<Reply>) {
        match (input, outcome) {
            (_, Ok(Reply::Offered { drop, .. })) => self.drops.learn(drop),
            (_, Ok(Reply::Restored(restored))) => {
                restored.iter().for_each(|restored| self.drops.learn(&restored.drop));
            }
            (Input::Gone { transfer }, Ok(_)) => self.drops.forget(transfer),
            _ => {}
        }
    }

    /// Gives what is owed.
    pub(super) fn settle(&mut self, owed: Owed, outcome: Outcome<Reply>) {
        match owed {
            Owed::Join { peer, port, answer } => answer.give(match outcome {
                Ok(Reply::Joined(joined)) => {
                    self.peers.insert(peer, port);
                    tracing::info!(room.id = %self.id, member.id = %joined.member.id, "member joined");
                    Ok(joined)
                }
                other => wrong(other),
            }),
            Owed::Leave(answer) => answer.give(outcome.map(drop)),
            Owed::Say(answer) => answer.give(match outcome {
                Ok(Reply::Said(said)) => Ok(said),
                other => wrong(other),
            }),
            Owed::Offer { source, to, answer } => match outcome {
                Ok(Reply::Offered { drop, from, invited }) => {
                    self.tell_hooks(&drop, to.as_deref());
                    self.start_transfers(&drop, source, &from, &invited, answer);
                }
                other => answer.give(wrong(other)),
            },
            Owed::Restore => {
                if let Ok(Reply::Restored(restored)) = outcome {
                    self.start_restored(restored);
                }
            }
            Owed::OfferStored(answer) => self.settle_stored(outcome, answer),
            Owed::Nothing => {}
        }
    }

    fn join(&mut self, peer: PeerId, port: Arc<dyn PeerPort>, join: Join, answer: Answer<Box<Joined>>) {
        self.submit_rules_if_new();
        // A node that cannot know yet who holds a key, gives the id that the others know already.
        let key = join.key.as_ref().and_then(|key| Secret::new(key.expose()));
        let key = key.unwrap_or_else(|| Secret::from_random(random()));
        // It brings the key that it is given, in case it comes back elsewhere before the log hears of it here.
        let knock = Knock { key: Some(key.clone()), ..join.into() };
        let fresh = Some(Fresh { member: MemberId::of(&self.id, &key), key });
        let input = Input::Join { peer, knock, fresh };
        self.submit(input, Owed::Join { peer, port, answer });
    }

    pub(super) fn submit_rules_if_new(&mut self) {
        let is_said = || self.queue.iter().any(|own| matches!(own.entry.input, Input::Rules(_)));
        if self.shown().room().is_empty() && !is_said() {
            self.submit_always(Input::Rules(self.hub.options().room));
        }
    }

    fn status(&mut self, status: Box<Status>) {
        let entry = self.entry(Input::Status(status));
        if !matches!(self.view, View::Alone(_)) {
            self.queue.push_status(entry, Showing::Owed(Owed::Nothing));
        } else if self.take_here(entry.clone(), Owed::Nothing) {
            self.queue.push_status(entry, Showing::Shown);
        }
    }

    fn start_transfers(
        &mut self,
        drop: &OfferedDrop,
        source: Source,
        from: &MemberId,
        invited: &Arc<[MemberId]>,
        answer: Answer<OfferTaken>,
    ) {
        let mut handles = Vec::with_capacity(drop.transfers.len());
        let room = self.shown().room();
        let start = |offered: &OfferedTransfer| {
            let token = Secret::from_random(random());
            let file = Arc::new(File::of(offered));
            let kept = drop.keep.then(|| room.shelved(&drop.drop, &offered.transfer)).flatten().map(Arc::new);
            let transfer = offered.transfer.clone();
            let (from, invited) = (from.clone(), Arc::clone(invited));
            let drop_id = drop.drop.clone();
            let of = Offered {
                drop: drop_id,
                transfer: transfer.clone(),
                source,
                from,
                invited,
                kept,
                copy: None,
            };
            let (room_handle, id) = (self.handle.clone(), self.id.clone());
            handles.push(self.hub.start_transfer(of, file, token.clone(), room_handle, id));
            OutgoingTransfer { transfer, name: offered.name.clone(), token }
        };
        let transfers = drop.transfers.iter().map(start).collect();
        tracing::info!(room.id = %self.id, drop.id = %drop.drop, "drop offered");
        let taken = OfferTaken { drop: drop.drop.clone(), transfers };
        // What was answered survives this node.
        let whole = answer.map(move |_: Outcome<Vec<Outcome<()>>>| Ok(taken));
        for (handle, part) in handles.iter().zip(whole.parts(handles.len())) {
            handle.send(transfer_handle::Command::WhenSaved { answer: part });
        }
    }

    fn transfers(&self, drop: &DropId) -> Outcome<Vec<(TransferId, TransferHandle)>> {
        let transfers = self.drops.transfers(drop).ok_or(ErrorCode::DropNotFound)?;
        let known = |transfer: TransferId| Some((transfer.clone(), self.drops.handle_of(&transfer)?));
        Ok(transfers.into_iter().filter_map(known).collect())
    }

    /// What the copy that is here says, without being changed.
    fn ask(&mut self, input: Input) -> Outcome<Reply> {
        let now = self.now();
        self.shown_mut().room_mut().handle(now, input)
    }

    fn pick(&mut self, peer: PeerId, picked: Picked) -> Outcome<(MemberId, Vec<TransferId>)> {
        match self.ask(Input::Pick { peer, picked }) {
            Ok(Reply::Picked { member, transfers }) => Ok((member, transfers)),
            other => wrong(other),
        }
    }

    fn accept(&mut self, peer: PeerId, transfer: TransferId, answer: Answer<Accepted>) {
        match self.pick(peer, Picked::Transfer(transfer.clone())) {
            Ok((member, _)) => self.accept_one(&member, transfer, answer),
            Err(refusal) => answer.refuse(refusal),
        }
    }

    fn accept_one(&self, member: &MemberId, transfer: TransferId, answer: Answer<Accepted>) {
        let Some(handle) = self.drops.handle_of(&transfer) else {
            return answer.refuse(ErrorCode::TransferNotFound);
        };
        handle.send(transfer_handle::Command::Accept {
            member: member.clone(),
            token: Secret::from_random(random()),
            answer: answer.map(move |outcome: Outcome<(Secret, Arc<File>)>| {
                outcome.map(|(token, file)| Accepted {
                    url: format!("/transfers/{transfer}/content?token={}", token.expose()),
                    transfer,
                    token,
                    name: file.name.clone(),
                    size: file.size,
                    media_type: file.media_type.clone(),
                })
            }),
        });
    }

    /// All at once: what can still be had is in the answer, the rest is left out.
    fn accept_drop(&mut self, peer: PeerId, drop: DropId, answer: Answer<AcceptedDrop>) {
        let (member, transfers) = match self.pick(peer, Picked::Drop(drop.clone())) {
            Ok(picked) => picked,
            Err(refusal) => return answer.refuse(refusal),
        };
        let whole = answer.map(move |accepted: Outcome<Vec<Outcome<Accepted>>>| {
            let transfers: Vec<Accepted> = accepted?.into_iter().flatten().collect();
            if transfers.is_empty() {
                return Err(ErrorCode::TransferClosed.into());
            }
            let zip = zip_path(&drop, &transfers);
            Ok(AcceptedDrop { transfers, zip })
        });
        for (transfer, part) in transfers.iter().zip(whole.parts(transfers.len())) {
            self.accept_one(&member, transfer.clone(), part);
        }
    }

    fn reject(&mut self, peer: PeerId, picked: Picked, answer: Answer<()>) {
        let (member, transfers) = match self.pick(peer, picked) {
            Ok(picked) => picked,
            Err(refusal) => return answer.refuse(refusal),
        };
        for handle in transfers.iter().filter_map(|transfer| self.drops.handle_of(transfer)) {
            // One that has ended meanwhile needs no rejection.
            let member = member.clone();
            handle.send(transfer_handle::Command::Reject { member, answer: Answer::new(std::mem::drop) });
        }
        answer.give(Ok(()));
    }

    fn steer(&mut self, peer: PeerId, transfer: TransferId, wish: Wish, answer: Answer<()>) {
        match self.ask(Input::Steer { peer, transfer: transfer.clone() }) {
            Ok(Reply::Steer { by }) => match self.drops.handle_of(&transfer) {
                Some(handle) => handle.send(transfer_handle::Command::Steer { wish, by, answer }),
                None => answer.refuse(ErrorCode::TransferNotFound),
            },
            other => answer.give(wrong(other)),
        }
    }
}

/// A reply that the room never gives to this input; a refusal stays one.
pub(super) fn wrong<T>(outcome: Outcome<Reply>) -> Outcome<T> {
    Err(outcome.err().unwrap_or_else(|| ErrorCode::Internal.into()))
}

fn zip_path(drop: &DropId, transfers: &[Accepted]) -> String {
    let token = transfers.first().map_or("", |accepted| accepted.token.expose());
    format!("/drops/{drop}/content?token={token}")
}
