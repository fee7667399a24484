//! Each rule of a room, by name.

use std::time::Duration;

use super::*;
use crate::protocol::Party;
use crate::protocol::rooms::{FileOffer, Presence, Services, StoredCopy};
use crate::protocol::{
    DisplayName, ErrorCode, FileName, Moment, Note, Passphrase, Refusal, RoomId, TransferState,
};

const GRACE: Duration = Duration::from_secs(10);
const SECOND: Duration = Duration::from_secs(1);

pub(super) fn options() -> Options {
    Options {
        max_members: 3,
        history: 2,
        presence_grace: GRACE,
        drops_per_room: 2,
        files_per_drop: 2,
        message_bytes: 10,
        services: Services { keeps: None, fetches: false },
        max_size: Some(100),
    }
}

/// A room, its clock, and what it said to do.
struct Rig {
    room: Room,
    now: Moment,
    count: u64,
}

/// What a link was told: the event's name, and whose or which.
type Told = (u64, &'static str, String);

fn rig() -> Rig {
    rig_with(options())
}

fn rig_with(options: Options) -> Rig {
    let room = Room::new(RoomId::new("otter").unwrap(), options);
    Rig { room, now: Moment::from_micros(5_000_000), count: 0 }
}

/// Ann and Ben are in, by link 1 and link 2.
fn two() -> Rig {
    let mut rig = rig();
    rig.enter(1, "ann");
    rig.enter(2, "ben");
    rig
}

pub(super) fn link(number: u64) -> PeerId {
    PeerId { node: NodeId(1), number }
}

fn who(name: &str) -> MemberId {
    MemberId::new(format!("id-{name}")).unwrap()
}

fn key(name: &str) -> Secret {
    Secret::from_random(u128::from_le_bytes(std::array::from_fn(|at| {
        name.as_bytes().get(at).map_or(0, |b| *b)
    })))
}

pub(super) fn join(name: Option<&str>, key: Option<Secret>) -> Join {
    Join {
        room: RoomId::new("otter").unwrap(),
        name: name.map(|name| DisplayName::new(name).unwrap()),
        key,
        passphrase: None,
    }
}

fn with_passphrase(passphrase: &str) -> Join {
    Join { passphrase: Passphrase::new(passphrase), ..join(None, None) }
}

/// What serde reads from a peer that says any short text.
fn said_key(text: &str) -> Secret {
    serde_json::from_value(serde_json::json!(text)).unwrap()
}

pub(super) fn offer(sizes: &[Option<u64>], to: Option<Vec<MemberId>>) -> Offer {
    let file = |size: &Option<u64>| FileOffer {
        name: FileName::new("a.txt").unwrap(),
        path: None,
        size: *size,
        media_type: None,
        modified: None,
        preview: None,
    };
    Offer {
        room: RoomId::new("otter").unwrap(),
        files: sizes.iter().map(file).collect(),
        to,
        keep: None,
        note: Note::new("hello"),
    }
}

fn transfer(n: u64) -> TransferId {
    TransferId::from_random(n)
}

pub(super) fn status(transfer: TransferId, state: TransferState) -> Box<Status> {
    Box::new(Status {
        transfer,
        state,
        size: None,
        sent: 0,
        receivers: Vec::new(),
        bytes_per_second: 0,
        eta_seconds: None,
        error: None,
        copy: None,
    })
}

impl Rig {
    fn try_do(&mut self, input: Input) -> Result<Reply, Refusal> {
        self.room.handle(self.now, input)
    }

    #[track_caller]
    fn ok(&mut self, input: Input) -> Reply {
        self.try_do(input).unwrap()
    }

    #[track_caller]
    fn refused(&mut self, input: Input, code: ErrorCode) {
        let before = self.room.picture();
        let outputs = self.room.outputs.len();
        assert_eq!(self.try_do(input).unwrap_err().code, code);
        assert_eq!(self.room.picture(), before, "a refused input changed something");
        assert_eq!(self.room.outputs.len(), outputs);
    }

    /// Joins with this, as a newcomer `name` would; forgets what the others were told.
    #[track_caller]
    fn join(&mut self, peer: u64, name: &str, join: Join) -> Joined {
        match self.ok(self.joining(peer, name, join)) {
            Reply::Joined(joined) => *joined,
            other => panic!("{other:?}"),
        }
    }

    fn joining(&self, peer: u64, name: &str, join: Join) -> Input {
        Input::Join {
            peer: link(peer),
            knock: join.into(),
            fresh: Some(Fresh { member: who(name), key: key(name) }),
        }
    }

    /// Joins by its own name and key; forgets what was to be done.
    #[track_caller]
    fn enter(&mut self, peer: u64, name: &str) -> Joined {
        let joined = self.join(peer, name, join(Some(name), Some(key(name))));
        self.outputs();
        joined
    }

    fn leave(&mut self, peer: u64) {
        let _ = self.ok(Input::Leave { peer: link(peer) });
    }

    fn lose(&mut self, peer: u64) {
        let _ = self.ok(Input::Lost { peer: link(peer) });
    }

    fn offering(&mut self, peer: u64, offer: Offer) -> Input {
        let transfers = offer.files.iter().map(|_| {
            self.count += 1;
            transfer(self.count)
        });
        let transfers = transfers.collect();
        Input::Offer { peer: link(peer), offer, drop: DropId::from_random(self.count), transfers }
    }

    /// Offers files of one byte each; the drop, and who is invited.
    #[track_caller]
    fn offer(&mut self, peer: u64, files: usize, to: Option<&[&str]>) -> (Arc<OfferedDrop>, Vec<MemberId>) {
        let to = to.map(|names| names.iter().map(|name| who(name)).collect());
        let input = self.offering(peer, offer(&vec![Some(1); files], to));
        match self.ok(input) {
            Reply::Offered { drop, invited, .. } => (drop, invited.to_vec()),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn stands(&mut self, transfer: &TransferId, state: TransferState) {
        let _ = self.ok(Input::Status(status(transfer.clone(), state)));
    }

    fn say(&mut self, peer: u64, text: &str) -> Result<Reply, Refusal> {
        self.count += 1;
        let id = MessageId::from_random(self.count);
        self.try_do(Input::Say { peer: link(peer), text: text.into(), id })
    }

    fn picking(peer: u64, transfer: &TransferId) -> Input {
        Input::Pick { peer: link(peer), picked: Picked::Transfer(transfer.clone()) }
    }

    fn picking_drop(peer: u64, drop: &DropId) -> Input {
        Input::Pick { peer: link(peer), picked: Picked::Drop(drop.clone()) }
    }

    /// Lets time pass, and ticks when it is due.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        let mut ticks = 0;
        while let Some(due) = self.room.poll_timeout()
            && due <= end
        {
            ticks += 1;
            assert!(ticks < 9, "ticks that lead nowhere");
            self.now = self.now.max(due);
            let _ = self.ok(Input::Tick);
        }
        self.now = end;
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.room.poll_output()).collect()
    }

    /// Who was told what since the last look.
    fn told(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        for output in self.outputs() {
            if let Output::Tell { to, event } = output {
                assert!(!to.is_empty());
                let about = match &event {
                    Event::Joined(who) | Event::Left(who) => who.member.name.as_str().to_owned(),
                    Event::Message(message) => message.text.clone(),
                    Event::Offered(drop) => drop.drop.to_string(),
                    Event::Status(status) => status.data.transfer.to_string(),
                };
                told.extend(to.iter().map(|peer| (peer.number, event.name(), about.clone())));
            }
        }
        told
    }

    fn online(&mut self, peer: u64) -> Vec<(String, bool)> {
        let name = self.room.member(link(peer)).unwrap().as_str()[3..].to_owned();
        let members = self.enter(peer, &name).members;
        members.into_iter().map(|m: Presence| (m.name.as_str().to_owned(), m.online)).collect()
    }

    fn ended(&mut self) -> bool {
        self.outputs().iter().any(|output| matches!(output, Output::Empty))
    }
}

impl Room {
    /// All that a refused input must leave as it was.
    #[allow(clippy::type_complexity)]
    pub(super) fn picture(
        &self,
    ) -> (machine::Door, members::Members, drops::Drops, Vec<String>, machine::Life) {
        let history = self.history.iter().map(|message| message.id.to_string()).collect();
        (self.door, self.members.clone(), self.drops.clone(), history, self.life)
    }
}

#[test]
fn a_newcomer_sees_all_and_is_seen_by_all() {
    let mut rig = rig();
    let ann = rig.join(1, "ann", join(Some("Ann"), None));
    assert_eq!((ann.member.id, ann.key), (who("ann"), key("ann")));
    assert_eq!(rig.told(), []);
    let ben = rig.join(2, "ben", join(None, None));
    assert_eq!(ben.member.name.as_str(), "guest");
    assert_eq!(ben.members.len(), 2);
    assert!(ben.members.iter().all(|member| member.online));
    assert_eq!(rig.told(), [(1, "room:joined", "guest".into())]);
    assert_eq!(rig.room.member(link(2)), Some(&who("ben")));
    assert_eq!(rig.room.member(link(3)), None);
}

#[test]
fn whoever_comes_late_is_told_how_the_moving_transfers_stand_and_no_others() {
    let mut rig = two();
    let (open, _) = rig.offer(1, 2, None);
    let (secret, _) = rig.offer(1, 1, Some(&["ben"]));
    let moving = open.transfers[0].transfer.clone();
    rig.stands(&moving, TransferState::Active);
    rig.stands(&open.transfers[1].transfer, TransferState::Complete);
    rig.stands(&secret.transfers[0].transfer, TransferState::Active);
    rig.told();
    let _ = rig.ok(rig.joining(3, "cem", join(Some("cem"), None)));
    let told: Vec<Told> = rig.told().into_iter().filter(|told| told.0 == 3).collect();
    assert_eq!(told, [(3, "transfer:status", moving.to_string())]);
}

#[test]
fn a_known_key_is_the_same_member_on_a_second_link() {
    let mut rig = two();
    let ann = rig.join(3, "other", join(None, Some(key("ann"))));
    assert_eq!(ann.member.id, who("ann"));
    assert_eq!(ann.member.name.as_str(), "ann");
    assert_eq!(ann.members.len(), 2);
    assert_eq!(rig.told(), []);
}

#[test]
fn a_key_not_known_is_kept_and_a_malformed_one_is_replaced() {
    let mut rig = rig();
    let own = Secret::from_random(77);
    let ann = rig.join(1, "ann", join(None, Some(own.clone())));
    assert_eq!(ann.key, own);
    let ben = rig.join(2, "ben", join(None, Some(said_key("my dog"))));
    assert_eq!(ben.key, key("ben"));
    let carol = rig.join(3, "carol", join(None, Some(said_key("my dog"))));
    assert_eq!(carol.member.id, who("carol"), "a malformed key must not make anyone another");
}

#[test]
fn joining_twice_on_a_link_is_the_same_member_with_a_fresh_snapshot() {
    let mut rig = two();
    rig.say(2, "hi").unwrap();
    rig.outputs();
    for again in [join(None, None), join(None, Some(Secret::from_random(9))), join(None, Some(key("ben")))] {
        let ann = rig.join(1, "other", again);
        assert_eq!((ann.member.id, ann.key), (who("ann"), key("ann")));
        assert_eq!(ann.members.len(), 2);
        assert_eq!(ann.messages.len(), 1);
    }
    assert_eq!(rig.told(), []);
}

#[test]
fn another_name_is_told_to_everyone_else() {
    let mut rig = two();
    rig.enter(3, "ann");
    rig.join(1, "ann", join(Some("Anna"), None));
    assert_eq!(rig.told(), [(2, "room:joined", "Anna".into()), (3, "room:joined", "Anna".into())]);
    let ben = rig.join(4, "ben", join(Some("ben"), Some(key("ben"))));
    assert_eq!(ben.members[0].name.as_str(), "Anna");
    assert_eq!(rig.told(), []);
}

#[test]
fn the_first_members_passphrase_opens_the_room_to_others() {
    let mut rig = rig();
    rig.join(1, "ann", with_passphrase("sesame"));
    for wrong in [join(None, None), with_passphrase("Sesame"), join(None, Some(key("ben")))] {
        let input = rig.joining(2, "ben", wrong);
        rig.refused(input, ErrorCode::NotAllowed);
    }
    rig.join(2, "ben", with_passphrase("sesame"));
    rig.join(3, "ann", join(None, Some(key("ann"))));
    rig.join(4, "ben", Join { key: Some(key("ben")), ..with_passphrase("wrong") });
    assert!(!format!("{:?}", rig.room).contains("sesame"));
}

#[test]
fn a_room_without_a_passphrase_refuses_whoever_thinks_it_has_one() {
    let mut rig = two();
    let input = rig.joining(3, "carol", with_passphrase("sesame"));
    rig.refused(input, ErrorCode::NotAllowed);
}

#[test]
fn a_full_room_refuses_newcomers_and_lets_members_return() {
    let mut rig = two();
    rig.enter(3, "carol");
    let dora = rig.joining(4, "dora", join(None, None));
    rig.refused(dora, ErrorCode::RoomFull);
    rig.lose(1);
    let dora = rig.joining(4, "dora", join(None, None));
    rig.refused(dora, ErrorCode::RoomFull);
    rig.enter(5, "ann");
    rig.leave(5);
    rig.enter(4, "dora");
    let ann = rig.joining(5, "ann", join(None, Some(key("ann"))));
    rig.refused(ann, ErrorCode::RoomFull);
}

#[test]
fn whoever_leaves_is_gone_at_once_with_all_its_links() {
    let mut rig = two();
    rig.enter(3, "ann");
    rig.leave(1);
    assert_eq!(rig.told(), [(2, "room:left", "ann".into()), (3, "room:left", "ann".into())]);
    assert_eq!(rig.room.member(link(3)), None);
    assert_eq!(rig.online(2), [("ben".into(), true)]);
    rig.refused(Input::Leave { peer: link(1) }, ErrorCode::RoomNotFound);
    rig.refused(Input::Leave { peer: link(3) }, ErrorCode::RoomNotFound);
}

#[test]
fn a_lost_link_is_a_member_still_until_the_grace_is_over() {
    let mut rig = two();
    rig.lose(1);
    assert_eq!(rig.room.member(link(1)), None);
    rig.wait(GRACE - SECOND);
    assert_eq!(rig.told(), []);
    assert_eq!(rig.online(2), [("ann".into(), false), ("ben".into(), true)]);
    rig.wait(SECOND);
    assert_eq!(rig.told(), [(2, "room:left", "ann".into())]);
    assert_eq!(rig.online(2), [("ben".into(), true)]);
    assert_eq!(rig.room.poll_timeout(), None);
}

#[test]
fn a_return_within_the_grace_is_neither_left_nor_joined() {
    let mut rig = two();
    rig.lose(1);
    rig.wait(GRACE - SECOND);
    let ann = rig.join(3, "other", join(None, Some(key("ann"))));
    assert_eq!(ann.member.id, who("ann"));
    rig.wait(GRACE * 3);
    assert_eq!(rig.told(), []);
    assert_eq!(rig.online(2), [("ann".into(), true), ("ben".into(), true)]);
}

#[test]
fn a_member_with_another_link_is_not_lost() {
    let mut rig = two();
    rig.enter(3, "ann");
    rig.lose(1);
    assert_eq!(rig.room.poll_timeout(), None);
    assert_eq!(rig.online(2), [("ann".into(), true), ("ben".into(), true)]);
    rig.lose(99);
}

#[test]
fn whoever_returns_after_the_grace_is_who_it_was_and_has_joined() {
    let mut rig = two();
    let (drop, _) = rig.offer(1, 1, Some(&["ben"]));
    rig.lose(1);
    rig.wait(GRACE);
    rig.outputs();
    let ann = rig.join(3, "other", join(None, Some(key("ann"))));
    assert_eq!(ann.member.id, who("ann"));
    assert_eq!(ann.drops.len(), 1);
    assert_eq!(rig.told(), [(2, "room:joined", "ann".into())]);
    let steer = Input::Steer { peer: link(3), transfer: drop.transfers[0].transfer.clone() };
    assert!(matches!(rig.ok(steer), Reply::Steer { by: Party::Sender }));
}

#[test]
fn the_keys_of_those_who_left_are_forgotten_in_turn_but_not_of_those_a_drop_concerns() {
    let mut rig = two();
    rig.offer(1, 1, None);
    for peer in [1, 2] {
        rig.leave(peer);
    }
    for name in ["c", "d", "e"] {
        rig.enter(5, name);
        rig.leave(5);
    }
    let ann = rig.join(1, "other", join(None, Some(key("ann"))));
    assert_eq!(ann.member.id, who("ann"));
    rig.join(2, "someone", join(None, Some(key("ben"))));
    assert_eq!(rig.room.member(link(2)), Some(&who("someone")), "ben's key should be forgotten");
}

#[test]
fn everyone_hears_a_message_its_author_included() {
    let mut rig = two();
    let Ok(Reply::Said(said)) = rig.say(1, "hi") else { panic!() };
    assert_eq!(said.at, 5_000);
    assert_eq!(rig.told(), [(1, "room:message", "hi".into()), (2, "room:message", "hi".into())]);
    let carol = rig.enter(3, "carol");
    assert_eq!((carol.messages[0].id.clone(), carol.messages[0].from.clone()), (said.id, who("ann")));
    assert_eq!(carol.messages[0].from_name.as_str(), "ann");
}

#[test]
fn the_history_keeps_the_newest_messages_in_order() {
    let mut rig = two();
    for text in ["1", "2", "3"] {
        rig.say(1, text).unwrap();
    }
    rig.leave(1);
    let texts: Vec<_> = rig.enter(3, "carol").messages.into_iter().map(|message| message.text).collect();
    assert_eq!(texts, ["2", "3"]);
}

#[test]
fn a_message_that_is_empty_or_too_long_or_a_strangers_is_refused() {
    let mut rig = two();
    let say =
        |peer, text: &str| Input::Say { peer: link(peer), text: text.into(), id: MessageId::from_random(1) };
    rig.refused(say(1, ""), ErrorCode::BadRequest);
    rig.refused(say(1, "éééééé"), ErrorCode::TooLarge);
    rig.refused(say(9, "hi"), ErrorCode::RoomNotFound);
    rig.say(1, "ééééé").unwrap();
}

#[test]
fn a_drop_is_offered_to_everyone_and_to_those_who_come_later() {
    let mut rig = two();
    let (drop, invited) = rig.offer(1, 2, None);
    assert_eq!(invited, [who("ben")]);
    assert_eq!((drop.from.clone(), drop.at, drop.keep), (who("ann"), 5_000, false));
    assert_eq!(drop.transfers[0].media_type.as_str(), "application/octet-stream");
    let id = drop.drop.to_string();
    assert_eq!(rig.told(), [(1, "drop:offered", id.clone()), (2, "drop:offered", id)]);
    assert_eq!(rig.enter(3, "carol").drops, [(*drop).clone()]);
}

#[test]
fn an_addressed_drop_exists_for_its_sender_and_those_it_names_alone() {
    let mut rig = two();
    rig.enter(3, "carol");
    let (drop, invited) = rig.offer(1, 1, Some(&["ben", "ben", "ann"]));
    assert_eq!(invited, [who("ben")]);
    let (id, first) = (drop.drop.to_string(), drop.transfers[0].transfer.clone());
    assert_eq!(rig.told(), [(1, "drop:offered", id.clone()), (2, "drop:offered", id)]);
    rig.stands(&first, TransferState::Active);
    let status = first.to_string();
    assert_eq!(rig.told(), [(1, "transfer:status", status.clone()), (2, "transfer:status", status)]);
    assert_eq!(rig.enter(3, "carol").drops, []);
    assert_eq!(rig.enter(2, "ben").drops.len(), 1);
    for peer in [3, 99] {
        rig.refused(Rig::picking(peer, &first), ErrorCode::TransferNotFound);
        rig.refused(Rig::picking_drop(peer, &drop.drop), ErrorCode::DropNotFound);
        let steer = Input::Steer { peer: link(peer), transfer: first.clone() };
        rig.refused(steer, ErrorCode::TransferNotFound);
    }
    assert!(matches!(rig.ok(Rig::picking(2, &first)), Reply::Picked { .. }));
}

#[test]
fn an_offer_that_cannot_be_is_refused_with_its_reason() {
    let mut rig = two();
    let refused = |rig: &mut Rig, offer: Offer, code| {
        let input = rig.offering(1, offer);
        rig.refused(input, code);
    };
    refused(&mut rig, offer(&[], None), ErrorCode::BadRequest);
    refused(&mut rig, offer(&[None; 3], None), ErrorCode::TooLarge);
    refused(&mut rig, offer(&[Some(101)], None), ErrorCode::TooLarge);
    refused(&mut rig, offer(&[Some(1)], Some(vec![])), ErrorCode::BadRequest);
    refused(&mut rig, offer(&[Some(1)], Some(vec![who("ann")])), ErrorCode::BadRequest);
    refused(&mut rig, offer(&[Some(1)], Some(vec![who("ben"), who("x")])), ErrorCode::BadRequest);
    let stranger = rig.offering(9, offer(&[Some(1)], None));
    rig.refused(stranger, ErrorCode::RoomNotFound);
    let input = rig.offering(1, Offer { keep: Some(false), ..offer(&[Some(100), None], None) });
    assert!(matches!(rig.ok(input), Reply::Offered { .. }));
}

#[test]
fn ids_that_are_not_new_are_the_servers_own_mistake() {
    let mut rig = two();
    let (drop, _) = rig.offer(1, 1, None);
    let again = |drop: &DropId, files: usize, transfers: &[u64]| Input::Offer {
        peer: link(1),
        offer: offer(&vec![Some(1); files], None),
        drop: drop.clone(),
        transfers: transfers.iter().copied().map(transfer).collect(),
    };
    let fresh = DropId::from_random(99);
    rig.refused(again(&drop.drop, 1, &[9]), ErrorCode::Internal);
    rig.refused(again(&fresh, 1, &[1]), ErrorCode::Internal);
    rig.refused(again(&fresh, 1, &[]), ErrorCode::Internal);
    rig.refused(again(&fresh, 1, &[8, 9]), ErrorCode::Internal);
    rig.refused(again(&fresh, 1, &[8, 8]), ErrorCode::Internal);
    rig.refused(again(&fresh, 2, &[8, 8]), ErrorCode::Internal);
}

#[test]
fn the_oldest_drop_that_has_ended_makes_place_for_another() {
    let mut rig = two();
    let (first, _) = rig.offer(1, 2, None);
    let (second, _) = rig.offer(1, 1, None);
    let third = rig.offering(2, offer(&[Some(1)], None));
    rig.refused(third, ErrorCode::RateLimited);
    rig.stands(&first.transfers[0].transfer, TransferState::Complete);
    let third = rig.offering(2, offer(&[Some(1)], None));
    rig.refused(third, ErrorCode::RateLimited);
    rig.stands(&first.transfers[1].transfer, TransferState::Failed);
    rig.outputs();
    let (third, _) = rig.offer(2, 1, None);
    let outputs = rig.outputs();
    let forgotten: Vec<_> = first.transfers.iter().map(|t| t.transfer.clone()).collect();
    assert!(matches!(&outputs[0], Output::Forgotten { transfers } if *transfers == forgotten));
    let drops: Vec<_> = rig.enter(1, "ann").drops.into_iter().map(|drop| drop.drop).collect();
    assert_eq!(drops, [second.drop.clone(), third.drop.clone()]);
    rig.refused(Rig::picking(2, &forgotten[0]), ErrorCode::TransferNotFound);
    let late = status(forgotten[0].clone(), TransferState::Active);
    rig.refused(Input::Status(late), ErrorCode::TransferNotFound);
    rig.refused(Input::Gone { transfer: forgotten[0].clone() }, ErrorCode::TransferNotFound);
}

#[test]
fn those_it_is_offered_to_pick_and_the_sender_does_not() {
    let mut rig = two();
    let (drop, _) = rig.offer(1, 2, None);
    rig.enter(3, "carol");
    let first = drop.transfers[0].transfer.clone();
    rig.refused(Rig::picking(1, &first), ErrorCode::NotAllowed);
    rig.refused(Rig::picking_drop(1, &drop.drop), ErrorCode::NotAllowed);
    let Reply::Picked { member, transfers } = rig.ok(Rig::picking(3, &first)) else { panic!() };
    assert_eq!((member, transfers), (who("carol"), vec![first]));
    let Reply::Picked { transfers, .. } = rig.ok(Rig::picking_drop(2, &drop.drop)) else { panic!() };
    let all: Vec<_> = drop.transfers.iter().map(|transfer| transfer.transfer.clone()).collect();
    assert_eq!(transfers, all);
    rig.refused(Rig::picking(2, &transfer(99)), ErrorCode::TransferNotFound);
    rig.refused(Rig::picking_drop(2, &DropId::from_random(99)), ErrorCode::DropNotFound);
}

#[test]
fn the_sender_steers_all_and_a_receiver_its_own_part() {
    let mut rig = two();
    let (drop, _) = rig.offer(1, 1, None);
    let steer = |peer| Input::Steer { peer: link(peer), transfer: drop.transfers[0].transfer.clone() };
    assert!(matches!(rig.ok(steer(1)), Reply::Steer { by: Party::Sender }));
    assert!(matches!(rig.ok(steer(2)), Reply::Steer { by: Party::Receiver(m) } if m == who("ben")));
}

#[test]
fn a_status_is_told_in_its_envelope_and_kept_for_newcomers() {
    let mut rig = two();
    let (drop, _) = rig.offer(1, 1, None);
    rig.outputs();
    rig.stands(&drop.transfers[0].transfer, TransferState::Active);
    let shown = rig.enter(3, "carol").drops[0].transfers[0].clone();
    assert_eq!(shown.size, Some(1), "a size that is known stays known");
    rig.leave(3);
    rig.outputs();
    let mut failed = status(drop.transfers[0].transfer.clone(), TransferState::Failed);
    failed.size = Some(42);
    failed.error = Some(ErrorCode::SourceLost);
    let _ = rig.ok(Input::Status(failed));
    let [Output::Tell { to, event: Event::Status(envelope) }] = &rig.outputs()[..] else { panic!() };
    assert_eq!(to, &[link(1), link(2)]);
    assert_eq!((envelope.code, envelope.msg.as_str()), (-1, ErrorCode::SourceLost.sentence()));
    let shown = rig.enter(3, "carol").drops[0].transfers[0].clone();
    assert_eq!((shown.state, shown.size), (TransferState::Failed, Some(42)));
}

#[test]
fn a_transfer_that_is_gone_is_shown_no_more_and_the_last_takes_its_drop_along() {
    let mut rig = two();
    let (drop, _) = rig.offer(1, 2, None);
    let [first, second] = [0, 1].map(|at| drop.transfers[at].transfer.clone());
    let _ = rig.ok(Input::Gone { transfer: first.clone() });
    assert_eq!(rig.enter(2, "ben").drops[0].transfers.len(), 1);
    rig.refused(Rig::picking(2, &first), ErrorCode::TransferNotFound);
    rig.refused(Input::Gone { transfer: first }, ErrorCode::TransferNotFound);
    let _ = rig.ok(Input::Gone { transfer: second });
    assert_eq!(rig.enter(2, "ben").drops, []);
    rig.refused(Rig::picking_drop(2, &drop.drop), ErrorCode::DropNotFound);
}

#[test]
fn what_a_member_offered_and_said_stays_when_it_leaves() {
    let mut rig = two();
    rig.offer(1, 1, None);
    rig.say(1, "bye").unwrap();
    rig.leave(1);
    let ben = rig.enter(2, "ben");
    assert_eq!(ben.drops[0].from_name.as_str(), "ann");
    assert_eq!(ben.messages[0].from_name.as_str(), "ann");
}

#[test]
fn a_room_ends_when_nobody_is_left_and_no_drop_is_open() {
    let mut rig = two();
    assert!(!rig.room.is_empty());
    rig.leave(1);
    rig.lose(2);
    assert!(!rig.ended());
    rig.wait(GRACE);
    assert!(rig.ended() && rig.room.is_empty());
}

#[test]
fn an_open_drop_keeps_the_room_and_its_end_lets_it_go() {
    let mut rig = two();
    let (drop, _) = rig.offer(1, 2, None);
    let [first, second] = [0, 1].map(|at| drop.transfers[at].transfer.clone());
    rig.leave(1);
    rig.leave(2);
    assert!(!rig.ended() && !rig.room.is_empty());
    rig.stands(&first, TransferState::Complete);
    assert!(!rig.ended());
    let _ = rig.ok(Input::Gone { transfer: second });
    let outputs = rig.outputs();
    assert!(
        matches!(&outputs[..], [Output::Forgotten { transfers }, Output::Empty] if *transfers == [first]),
        "{outputs:?}"
    );
}

#[test]
fn a_room_that_someone_enters_again_lives_and_can_end_again() {
    let mut rig = two();
    rig.leave(1);
    rig.leave(2);
    assert!(rig.ended());
    assert_eq!(rig.enter(3, "ann").member.id, who("ann"));
    assert!(!rig.room.is_empty());
    rig.leave(3);
    assert!(rig.ended());
}

#[test]
fn an_event_serializes_as_its_payload() {
    let mut rig = two();
    rig.say(1, "hi").unwrap();
    let [Output::Tell { event, .. }] = &rig.outputs()[..] else { panic!() };
    let value = serde_json::to_value(event).unwrap();
    assert_eq!((&value["text"], &value["room"]), (&"hi".into(), &"otter".into()));
}

/// As it was written down, with a copy of each transfer.
fn shelved(rig: &Rig, drop: &OfferedDrop) -> Shelved {
    let mut all = Vec::new();
    for offered in &drop.transfers {
        all.push(rig.room.shelved(&drop.drop, &offered.transfer).unwrap());
    }
    let mut whole = all.remove(0);
    whole.drop.transfers.extend(all.into_iter().flat_map(|other| other.drop.transfers));
    let copy = StoredBytes {
        size: 7,
        digest: crate::protocol::Digest::Md5([1; 16]),
        until: Moment::from_micros(9_000_000_000),
    };
    whole.copies = vec![copy; whole.drop.transfers.len()];
    whole
}

fn restored(rig: &mut Rig, shelved: Vec<Shelved>) -> usize {
    match rig.ok(Input::Restore(shelved)) {
        Reply::Restored(restored) => restored.len(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_kept_comes_back_as_it_was_offered_and_once() {
    let mut before = two();
    let input = before.offering(1, Offer { keep: Some(true), ..offer(&[Some(7), None], None) });
    let Reply::Offered { drop, .. } = before.ok(input) else { panic!() };
    assert!(drop.keep);
    let kept = shelved(&before, &drop);
    assert_eq!(restored(&mut before, vec![kept.clone()]), 0, "it is known");
    let mut after = rig();
    assert_eq!(restored(&mut after, vec![kept.clone()]), 1);
    assert_eq!(restored(&mut after, vec![kept.clone()]), 0);
    let shown = after.enter(9, "late").drops;
    assert_eq!((shown.len(), &shown[0].drop, &shown[0].from), (1, &drop.drop, &who("ann")));
    assert_eq!(shown[0].transfers[1].size, Some(7), "the size that came to be known");
    assert_eq!(shown[0].transfers[1].copy, Some(StoredCopy::stored(Moment::from_micros(9_000_000_000))));
    assert!(matches!(after.ok(Rig::picking(9, &drop.transfers[0].transfer)), Reply::Picked { .. }));
    assert!(!after.room.is_empty());
    let unfinished = Shelved { copies: Vec::new(), ..kept };
    assert_eq!(restored(&mut rig(), vec![unfinished]), 0, "what has no copy is not there");
}

#[test]
fn what_comes_back_is_seen_by_those_alone_who_might_see_it() {
    let mut before = rig();
    before.ok(before.joining(1, "ann", with_passphrase("sesame")));
    before.ok(before.joining(2, "ben", with_passphrase("sesame")));
    let (drop, _) = before.offer(1, 1, Some(&["ben"]));
    let kept = shelved(&before, &drop);
    let mut after = rig();
    assert_eq!(restored(&mut after, vec![kept.clone()]), 1);
    after.refused(after.joining(3, "eve", join(None, None)), ErrorCode::NotAllowed);
    assert!(after.join(4, "dan", with_passphrase("sesame")).drops.is_empty());
    assert_eq!(after.join(5, "ben", with_passphrase("sesame")).drops.len(), 1);
    let mut open = two();
    assert_eq!(
        restored(&mut open, vec![kept]),
        0,
        "a room that is open takes nothing from behind a passphrase"
    );
}

#[test]
fn a_room_takes_back_no_more_drops_than_it_may_have() {
    let mut kept = Vec::new();
    for _ in 0..3 {
        let mut before = two();
        before.count = kept.len() as u64 * 10;
        let (drop, _) = before.offer(1, 1, None);
        kept.push(shelved(&before, &drop));
    }
    assert_eq!(restored(&mut rig(), kept), 2);
}

/// A drop of one file that someone stored who was never here.
fn from_afar(number: u64, passphrase: Option<&str>) -> Box<Shelved> {
    let mut elsewhere = two();
    elsewhere.count = number * 10;
    let (drop, _) = elsewhere.offer(1, 1, None);
    let passphrase = passphrase.map(|words| blake3::hash(words.as_bytes()));
    Box::new(Shelved { passphrase, ..shelved(&elsewhere, &drop) })
}

#[test]
fn a_drop_that_is_stored_already_is_shown_to_those_who_are_there_and_opens_no_door() {
    let mut rig = rig();
    rig.ok(rig.joining(1, "ann", with_passphrase("sesame")));
    rig.outputs();
    for wrong in [None, Some("guess")] {
        let drop = from_afar(1, wrong);
        assert_eq!(rig.room.weigh_stored(&drop).unwrap_err().code, ErrorCode::NotAllowed);
        rig.refused(Input::OfferStored(drop), ErrorCode::NotAllowed);
    }
    let drop = from_afar(1, Some("sesame"));
    assert!(rig.room.weigh_stored(&drop).is_ok());
    let Reply::Restored(news) = rig.ok(Input::OfferStored(drop.clone())) else { panic!() };
    assert_eq!(news.len(), 1);
    assert!(matches!(&rig.outputs()[..], [Output::Tell { event: Event::Offered(_), .. }]));
    let Reply::Restored(news) = rig.ok(Input::OfferStored(drop)) else { panic!() };
    assert!(news.is_empty(), "it is offered once");
    assert!(rig.outputs().is_empty());
}

#[test]
fn a_drop_that_is_stored_already_makes_place_as_any_other_and_decides_the_door_of_an_empty_room() {
    let mut rig = rig();
    for number in [1, 2] {
        rig.ok(Input::OfferStored(from_afar(number, Some("sesame"))));
    }
    rig.refused(rig.joining(1, "ann", join(None, None)), ErrorCode::NotAllowed);
    assert_eq!(rig.join(1, "ann", with_passphrase("sesame")).drops.len(), 2);
    rig.refused(Input::OfferStored(from_afar(3, Some("sesame"))), ErrorCode::RateLimited);
    let gone = from_afar(1, Some("sesame")).drop.transfers[0].transfer.clone();
    rig.ok(Input::Status(status(gone, TransferState::Complete)));
    rig.ok(Input::OfferStored(from_afar(3, Some("sesame"))));
    let unfinished = Box::new(Shelved { copies: Vec::new(), ..*from_afar(4, Some("sesame")) });
    rig.refused(Input::OfferStored(unfinished), ErrorCode::Internal);
}

#[test]
fn who_comes_later_sees_what_became_of_the_copies() {
    let mut rig = two();
    let kept = Offer { keep: Some(true), ..offer(&[Some(1), Some(1)], None) };
    let input = rig.offering(1, kept);
    let Reply::Offered { drop, .. } = rig.ok(input) else { panic!() };
    let stored = StoredCopy::stored(Moment::from_micros(9_000_000));
    let failed = StoredCopy::failed(ErrorCode::StorageFull);
    for (peer, first) in [(3, &stored), (4, &failed)] {
        let told = *status(drop.transfers[0].transfer.clone(), TransferState::Offered);
        rig.ok(Input::Status(Box::new(Status { copy: Some(first.clone()), ..told })));
        let shown = &rig.enter(peer, "late").drops[0].transfers;
        let copies = [shown[0].copy.clone(), shown[1].copy.clone()];
        assert_eq!(copies, [Some(first.clone()), Some(StoredCopy::storing())]);
        rig.leave(peer);
    }
    assert_eq!(serde_json::to_value(&stored).unwrap()["until"], 9_000);
    let (plain, _) = rig.offer(1, 1, None);
    assert_eq!(plain.transfers[0].copy, None);
}

#[test]
fn a_copy_that_is_being_written_keeps_the_room() {
    let mut rig = two();
    let (drop, _) = rig.offer(1, 1, None);
    let transfer = &drop.transfers[0].transfer;
    let storing =
        Status { copy: Some(StoredCopy::storing()), ..*status(transfer.clone(), TransferState::Complete) };
    let stored = Status { copy: Some(StoredCopy::stored(Moment::default())), ..storing.clone() };
    rig.ok(Input::Status(Box::new(storing)));
    rig.leave(1);
    rig.leave(2);
    assert!(!rig.room.is_empty());
    rig.ok(Input::Status(Box::new(stored)));
    assert!(rig.room.is_empty());
}
