//! What holds whatever happens: random evenings in a room, beside a plain model of who is in.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::tests::{join, offer, options, status};
use super::*;
use crate::protocol::{Moment, Passphrase, Refusal, RoomId, TransferState};

/// Links of three nodes.
fn link(number: u64) -> PeerId {
    PeerId { node: NodeId(number % 3), number }
}

/// A step of the evening, in small numbers that mean links, people, drops.
#[derive(Debug, Clone)]
enum Step {
    Join { peer: u64, key: Option<u8>, name: u8, passphrase: bool },
    Leave { peer: u64 },
    Lost { peer: u64 },
    NodeLost { node: u64 },
    Say { peer: u64, length: usize },
    Offer { peer: u64, files: usize, to: Option<Vec<usize>> },
    Pick { peer: u64, transfer: u64 },
    PickDrop { peer: u64, drop: u64 },
    Steer { peer: u64, transfer: u64 },
    Status { transfer: u64, state: TransferState },
    Gone { transfer: u64 },
    Tick,
}

fn step() -> impl Strategy<Value = Step> {
    let peer = || 0..6_u64;
    let transfer = || 0..12_u64;
    let state = prop_oneof![
        Just(TransferState::Active),
        Just(TransferState::Complete),
        Just(TransferState::Cancelled),
    ];
    let to = proptest::option::of(proptest::collection::vec(0..4_usize, 0..3));
    prop_oneof![
        8 => (peer(), proptest::option::of(0..5_u8), 0..3_u8, proptest::bool::weighted(0.2))
            .prop_map(|(peer, key, name, passphrase)| Step::Join { peer, key, name, passphrase }),
        2 => peer().prop_map(|peer| Step::Leave { peer }),
        3 => peer().prop_map(|peer| Step::Lost { peer }),
        1 => (0..3_u64).prop_map(|node| Step::NodeLost { node }),
        3 => (peer(), 0..12_usize).prop_map(|(peer, length)| Step::Say { peer, length }),
        5 => (peer(), 0..4_usize, to).prop_map(|(peer, files, to)| Step::Offer { peer, files, to }),
        2 => (peer(), transfer()).prop_map(|(peer, transfer)| Step::Pick { peer, transfer }),
        2 => (peer(), transfer()).prop_map(|(peer, drop)| Step::PickDrop { peer, drop }),
        2 => (peer(), transfer()).prop_map(|(peer, transfer)| Step::Steer { peer, transfer }),
        4 => (transfer(), state).prop_map(|(transfer, state)| Step::Status { transfer, state }),
        2 => transfer().prop_map(|transfer| Step::Gone { transfer }),
        3 => Just(Step::Tick),
    ]
}

/// Who is in, as the outputs and answers tell it.
#[derive(Default)]
struct Model {
    links: BTreeMap<PeerId, MemberId>,
    members: BTreeSet<MemberId>,
    /// Who may know of a drop, by transfer; `None` is everyone.
    audiences: BTreeMap<TransferId, Option<BTreeSet<MemberId>>>,
}

impl Model {
    fn may_see(&self, transfer: &TransferId, peer: PeerId) -> bool {
        let member = self.links.get(&peer);
        match (self.audiences.get(transfer), member) {
            (Some(Some(audience)), Some(member)) => audience.contains(member),
            (Some(None), Some(_)) => true,
            _ => false,
        }
    }
}

/// Numbers things, so that each is new.
#[derive(Default)]
struct Ids {
    member: u64,
    transfer: u64,
}

fn input(step: Step, ids: &mut Ids, members: &BTreeSet<MemberId>) -> Input {
    match step {
        Step::Join { peer, key, name, passphrase } => {
            ids.member += 1;
            let member = MemberId::from_random(ids.member);
            let fresh = Fresh { member, key: Secret::from_random(u128::from(ids.member) << 64) };
            let key = key.map(|key| Secret::from_random(key.into()));
            let mut join = join(["Ann", "Ben"].get(usize::from(name)).copied(), key);
            join.passphrase = passphrase.then(|| Passphrase::new("sesame").unwrap());
            Input::Join { peer: link(peer), knock: join.into(), fresh: Some(fresh) }
        }
        Step::Leave { peer } => Input::Leave { peer: link(peer) },
        Step::Lost { peer } => Input::Lost { peer: link(peer) },
        Step::NodeLost { node } => Input::NodeLost { node: NodeId(node) },
        Step::Say { peer, length } => {
            Input::Say { peer: link(peer), text: "x".repeat(length), id: MessageId::from_random(1) }
        }
        Step::Offer { peer, files, to } => {
            let transfers: Vec<_> = (0..files as u64).map(|n| ids.transfer + n).collect();
            let drop = DropId::from_random(ids.transfer);
            ids.transfer += files as u64;
            let to = to.map(|to| to.iter().filter_map(|nth| members.iter().nth(*nth)).cloned().collect());
            let transfers = transfers.into_iter().map(TransferId::from_random).collect();
            let offer = offer(&vec![Some(1); files], to);
            Input::Offer { peer: link(peer), offer, drop, transfers }
        }
        Step::Pick { peer, transfer } => {
            let picked = Picked::Transfer(TransferId::from_random(transfer));
            Input::Pick { peer: link(peer), picked }
        }
        Step::PickDrop { peer, drop } => {
            Input::Pick { peer: link(peer), picked: Picked::Drop(DropId::from_random(drop)) }
        }
        Step::Steer { peer, transfer } => {
            Input::Steer { peer: link(peer), transfer: TransferId::from_random(transfer) }
        }
        Step::Status { transfer, state } => Input::Status(status(TransferId::from_random(transfer), state)),
        Step::Gone { transfer } => Input::Gone { transfer: TransferId::from_random(transfer) },
        Step::Tick => Input::Tick,
    }
}

fn drain(room: &mut Room) -> Vec<Output> {
    std::iter::from_fn(|| room.poll_output()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn whatever_happens_the_rules_hold(
        evening in proptest::collection::vec((prop_oneof![9 => 0..2_u64, 1 => 10..12_u64], step()), 0..80),
    ) {
        let options = options();
        let mut room = Room::new(RoomId::new("otter").unwrap(), options);
        let (mut model, mut ids, mut now) = (Model::default(), Ids::default(), Moment::default());
        for (seconds, step) in evening {
            now = now + std::time::Duration::from_secs(seconds);
            let (before, was_empty) = (room.picture(), room.is_empty());
            let said = format!("{step:?}");
            let leaver = match &step {
                Step::Leave { peer } => room.member(link(*peer)).cloned(),
                _ => None,
            };
            let link = match &step {
                Step::Join { peer, .. } | Step::Offer { peer, .. } | Step::Lost { peer } => link(*peer),
                _ => link(u64::MAX),
            };
            let is_lost = matches!(step, Step::Lost { .. });
            let lost_node = match step {
                Step::NodeLost { node } => Some(NodeId(node)),
                _ => None,
            };
            let input = input(step, &mut ids, &model.members);
            let to = match &input {
                Input::Offer { offer, .. } => offer.to.clone(),
                _ => None,
            };
            let answer = room.handle(now, input);
            let outputs = drain(&mut room);

            match answer {
                Err(_) => {
                    prop_assert_eq!(room.picture(), before, "a refused {} changed something", said);
                    prop_assert!(outputs.is_empty(), "{} was refused and {:?}", said, outputs);
                    continue;
                }
                Ok(Reply::Joined(joined)) => {
                    let id = joined.member.id.clone();
                    prop_assert!(model.links.get(&link).is_none_or(|known| *known == id));
                    model.links.insert(link, id.clone());
                    model.members.insert(id);
                    prop_assert!(joined.messages.len() <= options.history);
                    prop_assert!(joined.drops.len() <= options.drops_per_room);
                    let listed: BTreeSet<_> = joined.members.iter().map(|m| m.id.clone()).collect();
                    prop_assert_eq!(listed.len(), joined.members.len());
                    prop_assert_eq!(&listed, &model.members, "after {}", said);
                    for member in &joined.members {
                        let has_link = model.links.values().any(|id| *id == member.id);
                        prop_assert_eq!(member.online, has_link);
                    }
                    for transfer in joined.drops.iter().flat_map(|drop| &drop.transfers) {
                        prop_assert!(model.may_see(&transfer.transfer, link), "{:?}", transfer);
                    }
                }
                Ok(Reply::Offered { drop, from, invited }) => {
                    prop_assert!(!invited.contains(&from));
                    let audience = to.map(|to| to.into_iter().chain([from]).collect::<BTreeSet<_>>());
                    for transfer in &drop.transfers {
                        model.audiences.insert(transfer.transfer.clone(), audience.clone());
                    }
                }
                Ok(Reply::Picked { member, transfers }) => {
                    prop_assert!(!transfers.is_empty());
                    let peer = model.links.iter().find(|(_, id)| **id == member).map(|(peer, _)| *peer);
                    for transfer in transfers {
                        prop_assert!(model.may_see(&transfer, peer.unwrap()));
                    }
                }
                Ok(_) => {}
            }
            if let Some(leaver) = leaver {
                model.members.remove(&leaver);
                model.links.retain(|_, id| *id != leaver);
            }
            if is_lost {
                model.links.remove(&link);
            }

            model.links.retain(|peer, _| Some(peer.node) != lost_node);

            for output in &outputs {
                let Output::Tell { to, event } = output else { continue };
                prop_assert!(!to.is_empty());
                prop_assert_eq!(to.iter().collect::<BTreeSet<_>>().len(), to.len(), "told twice");
                match event {
                    Event::Left(who) => {
                        model.members.remove(&who.member.id);
                    }
                    Event::Joined(who) => prop_assert!(model.members.contains(&who.member.id)),
                    Event::Offered(drop) => {
                        for peer in to {
                            prop_assert!(model.may_see(&drop.transfers[0].transfer, *peer), "{}", said);
                        }
                    }
                    Event::Status(status) => {
                        for peer in to {
                            prop_assert!(model.may_see(&status.data.transfer, *peer), "{}", said);
                        }
                    }
                    Event::Message(_) => prop_assert_eq!(to.len(), model.links.len()),
                }
            }
            if model.links.is_empty() {
                // Nobody was there to be told who left; the room's own list is all there is.
                model.members.retain(|id| room.members.get(id).is_some());
            }
            prop_assert_eq!(&room.members.ids().cloned().collect::<BTreeSet<_>>(), &model.members, "{}", said);
            prop_assert!(model.members.len() <= options.max_members);
            prop_assert!(room.history.len() <= options.history);
            prop_assert!(room.drops.len() <= options.drops_per_room);
            let has_emptied = outputs.iter().any(|output| matches!(output, Output::Empty));
            prop_assert_eq!(has_emptied, !was_empty && room.is_empty(), "{}", said);
            if said == "Tick" {
                prop_assert!(room.poll_timeout().is_none_or(|due| due > now), "a tick that does nothing");
            }
        }
    }
}

/// What an answer says, so that two can be compared.
fn said(outcome: Option<Result<Reply, Refusal>>) -> String {
    format!("{outcome:?}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn copies_that_take_the_same_entries_are_the_same_however_they_were_written_and_repeated(
        evening in proptest::collection::vec((0..3_u64, 0..12_u64, step(), any::<bool>(), any::<bool>()), 0..60),
    ) {
        let new = || Replica::new(RoomId::new("otter").unwrap(), options());
        let (mut one, mut other, mut ids) = (new(), new(), Ids::default());
        let (mut now, mut counts) = (Moment::default(), [0; 3]);
        for (author, seconds, step, is_reread, is_repeated) in evening {
            now = now + std::time::Duration::from_secs(seconds);
            counts[author as usize] += 1;
            let members: BTreeSet<_> = one.room().members.ids().cloned().collect();
            let input = input(step, &mut ids, &members);
            let entry = Entry { author: NodeId(author), count: counts[author as usize], now, input };
            let written = entry.write().unwrap();
            if is_reread {
                other = Replica::read(now, &other.write().unwrap()).unwrap();
            }
            let answers = [one.take(now, entry), other.take(now, Entry::read(&written).unwrap())];
            let [first, second] = answers.map(said);
            prop_assert_eq!(first, second);
            let outputs = [drain(one.room_mut()), drain(other.room_mut())];
            prop_assert_eq!(format!("{:?}", outputs[0]), format!("{:?}", outputs[1]));
            let before = other.write().unwrap();
            if is_repeated {
                prop_assert!(other.take(now, Entry::read(&written).unwrap()).is_none());
            }
            prop_assert_eq!(&one.write().unwrap(), &before);
            prop_assert_eq!(one.write().unwrap(), other.write().unwrap());
        }
    }

    #[test]
    fn whoever_is_told_the_differences_knows_the_other_copy(
        evening in proptest::collection::vec((0..12_u64, step()), 0..60),
        cut in 0..60_usize,
    ) {
        let mut room = Room::new(RoomId::new("otter").unwrap(), options());
        let (mut now, mut ids, mut before) = (Moment::default(), Ids::default(), room.clone());
        for (nth, (seconds, step)) in evening.into_iter().enumerate() {
            now = now + std::time::Duration::from_secs(seconds);
            let members: BTreeSet<_> = room.members.ids().cloned().collect();
            let _ = room.handle(now, input(step, &mut ids, &members));
            drain(&mut room);
            if nth == cut {
                before = room.clone();
            }
        }
        prop_assert!(room.differences(&room).is_empty());
        for (link, member) in room.members.links() {
            let mut present: BTreeSet<_> = before.members.ids().cloned().collect();
            let mut drops: BTreeSet<_> = before.drops.visible_to(member).into_iter().map(|drop| drop.drop).collect();
            let mut told = Vec::new();
            for output in room.differences(&before) {
                let Output::Tell { to, event } = output else { continue };
                if !to.contains(&link) {
                    continue;
                }
                match &event {
                    Event::Joined(who) => {
                        prop_assert!(who.member.id != *member);
                        present.insert(who.member.id.clone());
                    }
                    Event::Left(who) => prop_assert!(present.remove(&who.member.id)),
                    Event::Offered(drop) => prop_assert!(drops.insert(drop.drop.clone())),
                    Event::Message(_) | Event::Status(_) => {}
                }
                told.push(event);
            }
            present.insert(member.clone());
            prop_assert_eq!(present, room.members.ids().cloned().collect::<BTreeSet<_>>());
            for drop in room.drops.visible_to(member) {
                prop_assert!(drops.contains(&drop.drop));
                for transfer in drop.transfers {
                    let status = room.drops.status(&transfer.transfer);
                    let knew = before.drops.status(&transfer.transfer) == status;
                    let is_told = told.iter().any(|event| matches!(event, Event::Status(told) if Some(told) == status));
                    prop_assert_eq!(is_told, !knew);
                }
            }
        }
    }
}
