//! The task of one room: hands a [`Room`] the time and what arrives in its mailbox, tells links what it
//! decides to tell, and starts the transfers of a drop. It decides nothing itself.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::sleep_until;

use super::answer::{Answer, Outcome};
use super::port::PeerPort;
use super::room_handle::{Command, RoomHandle};
use super::transfer_handle::{self, TransferHandle, Wish};
use super::{File, Hub, random};
use crate::protocol::rooms::{
    Accepted, AcceptedDrop, FileOffer, Join, Joined, Offer, OfferTaken, OutgoingTransfer, Picked, Said,
};
use crate::protocol::{DropId, ErrorCode, MediaType, MemberId, MessageId, RoomId, Secret, TransferId};
use crate::room::{Fresh, Input, Output, PeerId, Reply, Room};

pub(super) struct Task {
    hub: Hub,
    id: RoomId,
    room: Room,
    handle: RoomHandle,
    peers: HashMap<PeerId, Arc<dyn PeerPort>>,
    transfers: HashMap<TransferId, (DropId, TransferHandle)>,
    drops: HashMap<DropId, Drop>,
    life: Life,
}

/// A drop: its transfers in the order of the offer, and how many of them are not gone.
struct Drop {
    transfers: Vec<TransferId>,
    left: usize,
}

/// Whether anyone is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Open,
    Over,
}

impl Task {
    /// Starts the task of a new room.
    pub(super) fn start(hub: Hub, id: RoomId) -> RoomHandle {
        let (handle, commands) = RoomHandle::new();
        let room = Room::new(id.clone(), hub.options().room);
        let task = Self {
            id,
            room,
            handle: handle.clone(),
            peers: HashMap::new(),
            transfers: HashMap::new(),
            drops: HashMap::new(),
            life: Life::Open,
            hub,
        };
        let (ended, tasks) = (task.hub.ended().clone(), task.hub.tasks().clone());
        tasks.spawn(ended.run_until_cancelled_owned(task.run(commands)));
        handle
    }

    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        while self.life == Life::Open {
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(command) => self.take(command),
                    None => return,
                },
                () = self.wait() => self.carry_out_tick(),
            }
        }
        // Whoever came while the room was closing gets a new one.
        commands.close();
        self.hub.forget_room(&self.id, &self.handle);
        for drop in self.drops.keys() {
            self.hub.forget_drop(drop);
        }
        for transfer in self.transfers.keys() {
            self.hub.forget_offer(transfer);
        }
        while let Ok(command) = commands.try_recv() {
            self.hub.redirect(&self.id, command);
        }
    }

    async fn wait(&self) {
        match self.room.poll_timeout() {
            Some(moment) => sleep_until(self.hub.clock().instant(moment)).await,
            None => std::future::pending().await,
        }
    }

    fn carry_out_tick(&mut self) {
        let _ = self.give(Input::Tick);
        self.carry_out();
    }

    fn give(&mut self, input: Input) -> Outcome<Reply> {
        self.room.handle(self.hub.clock().now(), input)
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Join { peer, port, join, answer } => self.join(peer, port, join, answer),
            Command::Leave { peer, answer } => {
                answer.give(self.give(Input::Leave { peer }).map(drop));
            }
            Command::Lost { peer } => {
                let _ = self.give(Input::Lost { peer });
                self.peers.remove(&peer);
            }
            Command::Say { peer, text, answer } => self.say(peer, text, answer),
            Command::Offer { peer, offer, answer } => self.offer(peer, offer, answer),
            Command::Accept { peer, transfer, answer } => self.accept(peer, transfer, answer),
            Command::AcceptDrop { peer, drop, answer } => self.accept_drop(peer, drop, answer),
            Command::Reject { peer, picked, answer } => self.reject(peer, picked, answer),
            Command::Steer { peer, transfer, wish, answer } => self.steer(peer, transfer, wish, answer),
            Command::Transfers { drop, answer } => answer.give(self.transfers(&drop)),
            Command::Status(status) => drop(self.give(Input::Status(status))),
            Command::Gone(transfer) => {
                self.forget_transfer(&transfer);
                let _ = self.give(Input::Gone { transfer });
            }
        }
        self.carry_out();
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.room.poll_output() {
            match output {
                Output::Tell { to, event } => {
                    for port in to.iter().filter_map(|peer| self.peers.get(peer)) {
                        port.tell(&event);
                    }
                }
                Output::Forgotten { transfers } => {
                    for transfer in &transfers {
                        if let Some(handle) = self.forget_transfer(transfer) {
                            handle.send(transfer_handle::Command::Forget);
                        }
                    }
                }
                Output::Empty if self.room.is_empty() => self.life = Life::Over,
                Output::Empty => {}
            }
        }
        let room = &self.room;
        self.peers.retain(|peer, _| room.member(*peer).is_some());
    }

    /// The last transfer of a drop takes the drop's place in the registry with it.
    fn forget_transfer(&mut self, transfer: &TransferId) -> Option<TransferHandle> {
        let (drop, handle) = self.transfers.remove(transfer)?;
        self.hub.forget_offer(transfer);
        if let Some(of) = self.drops.get_mut(&drop) {
            of.left -= 1;
            if of.left == 0 {
                self.drops.remove(&drop);
                self.hub.forget_drop(&drop);
            }
        }
        Some(handle)
    }

    fn handle_of(&self, transfer: &TransferId) -> Option<&TransferHandle> {
        self.transfers.get(transfer).map(|(_, handle)| handle)
    }

    fn transfers(&self, drop: &DropId) -> Outcome<Vec<(TransferId, TransferHandle)>> {
        let all = &self.drops.get(drop).ok_or(ErrorCode::DropNotFound)?.transfers;
        let known =
            all.iter().filter_map(|transfer| Some((transfer.clone(), self.handle_of(transfer)?.clone())));
        Ok(known.collect())
    }

    fn join(&mut self, peer: PeerId, port: Arc<dyn PeerPort>, join: Join, answer: Answer<Box<Joined>>) {
        let fresh = Fresh { member: MemberId::from_random(random()), key: Secret::from_random(random()) };
        let outcome = self.give(Input::Join { peer, join, fresh });
        answer.give(match outcome {
            Ok(Reply::Joined(joined)) => {
                self.peers.insert(peer, port);
                tracing::info!(room.id = %self.id, member.id = %joined.member.id, "member joined");
                Ok(joined)
            }
            other => wrong(other),
        });
    }

    fn say(&mut self, peer: PeerId, text: String, answer: Answer<Said>) {
        let id = MessageId::from_random(random());
        answer.give(match self.give(Input::Say { peer, text, id }) {
            Ok(Reply::Said(said)) => Ok(said),
            other => wrong(other),
        });
    }

    fn offer(&mut self, peer: PeerId, offer: Offer, answer: Answer<OfferTaken>) {
        if self.hub.transfers_left() < offer.files.len() {
            return answer.refuse(ErrorCode::Overloaded);
        }
        let files = offer.files.clone();
        let drop = DropId::from_random(random());
        let transfers: Vec<_> = files.iter().map(|_| TransferId::from_random(random())).collect();
        let taken =
            match self.give(Input::Offer { peer, offer, drop: drop.clone(), transfers: transfers.clone() }) {
                Ok(Reply::Offered { from, invited, .. }) => {
                    self.hub.know_drop(&drop, &self.handle);
                    let of = Drop { left: transfers.len(), transfers: transfers.clone() };
                    self.drops.insert(drop.clone(), of);
                    let mut outgoing = Vec::with_capacity(files.len());
                    for (transfer, file) in transfers.into_iter().zip(files) {
                        let offered =
                            super::Offered { transfer, from: from.clone(), invited: invited.clone() };
                        outgoing.push(self.start_transfer(&drop, offered, file));
                    }
                    tracing::info!(room.id = %self.id, drop.id = %drop, "drop offered");
                    Ok(OfferTaken { drop, transfers: outgoing })
                }
                other => wrong(other),
            };
        answer.give(taken);
    }

    fn start_transfer(
        &mut self,
        drop: &DropId,
        offered: super::Offered,
        file: FileOffer,
    ) -> OutgoingTransfer {
        let token = Secret::from_random(random());
        let (name, transfer) = (file.name.clone(), offered.transfer.clone());
        let media_type = file.media_type.unwrap_or_else(MediaType::unknown);
        let file = Arc::new(File {
            name: file.name,
            path: file.path,
            media_type,
            size: file.size,
            modified: file.modified,
        });
        let handle =
            self.hub.start_transfer(offered, file, token.clone(), self.handle.clone(), self.id.clone());
        self.transfers.insert(transfer.clone(), (drop.clone(), handle));
        OutgoingTransfer { transfer, name, token }
    }

    fn pick(&mut self, peer: PeerId, picked: Picked) -> Outcome<(MemberId, Vec<TransferId>)> {
        match self.give(Input::Pick { peer, picked }) {
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
        let Some(handle) = self.handle_of(&transfer) else {
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
        for handle in transfers.iter().filter_map(|transfer| self.handle_of(transfer)) {
            // One that has ended meanwhile needs no rejection.
            let member = member.clone();
            handle.send(transfer_handle::Command::Reject { member, answer: Answer::new(std::mem::drop) });
        }
        answer.give(Ok(()));
    }

    fn steer(&mut self, peer: PeerId, transfer: TransferId, wish: Wish, answer: Answer<()>) {
        match self.give(Input::Steer { peer, transfer: transfer.clone() }) {
            Ok(Reply::Steer { by }) => match self.handle_of(&transfer) {
                Some(handle) => handle.send(transfer_handle::Command::Steer { wish, by, answer }),
                None => answer.refuse(ErrorCode::TransferNotFound),
            },
            other => answer.give(wrong(other)),
        }
    }
}

/// A reply that the room never gives to this input; a refusal stays one.
fn wrong<T>(outcome: Outcome<Reply>) -> Outcome<T> {
    Err(outcome.err().unwrap_or_else(|| ErrorCode::Internal.into()))
}

fn zip_path(drop: &DropId, transfers: &[Accepted]) -> String {
    let token = transfers.first().map_or("", |accepted| accepted.token.expose());
    format!("/drops/{drop}/content?token={token}")
}
