//! Rooms on several nodes: what people see while nodes die and the service goes away, forgets and repeats.
//! All in one process and in virtual time.

mod chance;
mod people;

pub(crate) use self::people::options;
#[path = "../../../../tests/broker/port.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod port;
mod redis;
#[path = "../../../../tests/broker/server.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;
mod service;
#[path = "../../../../tests/broker/wait.rs"]
mod wait;

use std::time::Duration;

use tokio::time::Instant;

use self::people::{GRACE, World, otter, pass};
use self::service::Faults;
use crate::hub::RoomCommand;
use crate::protocol::rooms::Status;
use crate::protocol::{ErrorCode, TransferState};

const MOMENT: Duration = Duration::from_millis(50);

#[tokio::test(start_paused = true)]
async fn everything_is_told_on_all_nodes_in_the_same_order() {
    let world = World::of(3);
    world.service.faults(Faults { delay: Duration::from_millis(1), ..Faults::default() });
    let ann = world.enter(1, "ann").await;
    let ben = world.enter(2, "ben").await;
    let cat = world.enter(3, "cat").await;
    pass(MOMENT).await;
    assert_eq!(ann.told(), ["joined ben", "joined cat"]);
    assert_eq!(ben.told(), ["joined cat"]);
    let answers: Vec<_> = (0..60)
        .map(|n| [&ann, &ben, &cat][n % 3].say_later(format!("{n} by {}", [&ann, &ben, &cat][n % 3].name)))
        .collect();
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
    pass(MOMENT).await;
    let heard = ann.told();
    assert_eq!(heard.len(), 60);
    assert_eq!(ben.told(), heard);
    assert_eq!(cat.told(), heard);
    let looks = world.looks().await;
    assert_eq!(World::agree(&looks).1, heard);
}

#[tokio::test(start_paused = true)]
async fn a_nodes_death_is_one_left_after_the_grace_and_leaves_no_ghost() {
    let mut world = World::of(3);
    let ann = world.enter(1, "ann").await;
    let cat = world.enter(3, "cat").await;
    let _ben = world.enter(2, "ben").await;
    pass(MOMENT).await;
    ann.told();
    cat.told();
    world.kill(2).await;
    pass(GRACE - Duration::from_secs(1)).await;
    assert!(ann.told().is_empty());
    assert_eq!(world.looks().await[0].0[1], ("ben".to_owned(), false));
    pass(Duration::from_secs(2)).await;
    assert_eq!((ann.told(), cat.told()), (vec!["left ben".to_owned()], vec!["left ben".to_owned()]));
    let looks = world.looks().await;
    assert_eq!(World::agree(&looks).0, [("ann".to_owned(), true), ("cat".to_owned(), true)]);
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_back_on_another_node_within_the_grace_neither_left_nor_joined() {
    let mut world = World::of(3);
    let ann = world.enter(1, "ann").await;
    let ben = world.enter(2, "ben").await;
    pass(MOMENT).await;
    ann.told();
    world.kill(2).await;
    let again = world.try_enter(3, "ben", ben.key(), None).await.unwrap();
    assert_eq!(again.id(), ben.id());
    pass(3 * GRACE).await;
    assert_eq!(ann.told(), Vec::<String>::new());
    assert_eq!(world.looks().await[0].0, [("ann".to_owned(), true), ("ben".to_owned(), true)]);
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_that_comes_before_the_death_was_noticed_wins_at_once() {
    let mut world = World::of(2);
    let ann = world.enter(1, "ann").await;
    let ben = world.enter(2, "ben").await;
    pass(MOMENT).await;
    ann.told();
    let again = world.try_enter(1, "ben", ben.key(), None).await.unwrap();
    world.kill(2).await;
    pass(3 * GRACE).await;
    assert_eq!(ann.told(), Vec::<String>::new());
    assert_eq!((again.id(), again.told()), (ben.id(), vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_died_before_anyone_knew_it_leaves_no_ghost() {
    let mut world = World::of(2);
    let _ben = world.enter(2, "ben").await;
    world.service.kill(2);
    world.hubs.remove(&2).unwrap().close().await;
    let ann = world.enter(1, "ann").await;
    assert_eq!(ann.joined.members.len(), 2);
    pass(GRACE + Duration::from_secs(1)).await;
    assert_eq!(ann.told(), ["left ben"]);
}

#[tokio::test(start_paused = true)]
async fn while_the_service_is_away_each_node_goes_on_and_then_all_know_all_once() {
    let world = World::of(2);
    let ann = world.enter(1, "ann").await;
    let cat = world.enter(1, "cat").await;
    let ben = world.enter(2, "ben").await;
    pass(MOMENT).await;
    ann.told();
    cat.told();
    world.service.cut(1);
    world.service.cut(2);
    ann.say("one").await;
    let dan = world.enter(1, "dan").await;
    dan.say("two").await;
    ben.say("three").await;
    cat.offer().await.unwrap();
    pass(30 * GRACE).await;
    assert_eq!(ann.told(), ["one", "joined dan", "two", "offered by cat"]);
    assert_eq!(ben.told(), ["three"]);
    cat.leave().await;
    assert_eq!(ann.told(), ["left cat"]);
    world.service.mend(2);
    world.service.mend(1);
    pass(MOMENT).await;
    assert_eq!(ann.told(), ["three"]);
    assert_eq!(dan.told(), ["two", "offered by cat", "left cat", "three"]);
    let mut told = ben.told();
    assert!(told.iter().any(|what| what.starts_with("Offered")) || told.len() == 5, "{told:?}");
    told.sort();
    assert_eq!(told, ["joined dan", "left cat", "offered by cat", "one", "two"]);
    let looks = world.looks().await;
    let (members, messages, drops) = World::agree(&looks);
    assert_eq!(members.len(), 3);
    assert_eq!((messages.len(), drops.len()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_node_held_for_lost_while_it_was_cut_off_is_back_without_its_people_noticing() {
    let world = World::of(2);
    let ann = world.enter(1, "ann").await;
    let cat = world.enter(1, "cat").await;
    let ben = world.enter(2, "ben").await;
    pass(MOMENT).await;
    ann.told();
    cat.told();
    world.service.cut(1);
    world.hold_for_lost(1);
    ann.say("one").await;
    pass(2 * GRACE).await;
    ben.say("two").await;
    assert_eq!(ben.told(), ["left ann", "left cat", "two"]);
    cat.say("three").await;
    assert_eq!(
        (ann.told(), cat.told()),
        (vec!["one".into(), "three".into()], vec!["one".into(), "three".into()])
    );
    world.service.mend(1);
    pass(MOMENT).await;
    assert_eq!((ann.told(), cat.told()), (vec!["two".to_owned()], vec!["two".to_owned()]));
    assert_eq!(ben.told(), ["joined ann", "one", "joined cat", "three"]);
    let looks = world.looks().await;
    assert_eq!(World::agree(&looks).1, ["two", "one", "three"]);
}

#[tokio::test(start_paused = true)]
async fn a_node_wrongly_held_for_lost_is_back_before_anyone_notices() {
    let world = World::of(2);
    let ann = world.enter(1, "ann").await;
    let ben = world.enter(2, "ben").await;
    pass(MOMENT).await;
    ann.told();
    world.service.faults(Faults { delay: Duration::from_millis(5), ..Faults::default() });
    world.hold_for_lost(1);
    pass(Duration::from_millis(3)).await;
    let said: Vec<_> = (0..5).map(|n| ann.say_later(n.to_string())).collect();
    for said in said {
        said.await.unwrap().unwrap();
    }
    pass(3 * GRACE).await;
    assert_eq!(ann.told(), ["0", "1", "2", "3", "4"]);
    assert_eq!(ben.told(), ["0", "1", "2", "3", "4"]);
    assert_eq!(world.looks().await[1].0, [("ann".to_owned(), true), ("ben".to_owned(), true)]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_forgot_everything_is_given_it_again() {
    let world = World::of(2);
    let ann = world.enter(1, "ann").await;
    let ben = world.enter(2, "ben").await;
    ann.say("one").await;
    pass(MOMENT).await;
    ann.told();
    ben.told();
    world.service.forget();
    let answers = [ann.say_later("two"), ben.say_later("three")];
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
    pass(MOMENT).await;
    let mut heard = ann.told();
    heard.sort();
    assert_eq!(heard, ["three", "two"]);
    [1, 2].into_iter().for_each(|node| world.service.cut(node));
    world.service.forget();
    ann.say("four").await;
    ben.say("five").await;
    pass(GRACE).await;
    [1, 2].into_iter().for_each(|node| world.service.mend(node));
    pass(MOMENT).await;
    let looks = world.looks().await;
    let (members, messages, _) = World::agree(&looks);
    let mut messages = messages.clone();
    messages.sort();
    assert_eq!(members.len(), 2);
    assert_eq!(messages, ["five", "four", "one", "three", "two"]);
    let told = [ann.told(), ben.told()];
    assert!(told.iter().flatten().all(|what| !what.contains("left") && !what.contains("joined")), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn what_only_the_forgotten_log_and_its_author_knew_is_said_again() {
    let world = World::of(2);
    let ann = world.enter(1, "ann").await;
    let ben = world.enter(2, "ben").await;
    pass(MOMENT).await;
    ann.told();
    world.service.cut(2);
    ann.say("one").await;
    world.service.cut(1);
    world.service.forget();
    world.service.mend(2);
    pass(MOMENT).await;
    ben.say("two").await;
    world.service.mend(1);
    pass(MOMENT).await;
    assert_eq!(ann.told(), ["one", "two"]);
    assert_eq!(ben.told(), ["two", "one"]);
    let looks = world.looks().await;
    assert_eq!(World::agree(&looks).1, ["two", "one"]);
}

#[tokio::test(start_paused = true)]
async fn who_left_a_node_that_keeps_the_room_no_more_does_not_come_back_with_a_log_that_is_given_again() {
    let world = World::of(2);
    let _ann = world.enter(1, "ann").await;
    let ben = world.enter(2, "ben").await;
    pass(MOMENT).await;
    world.service.cut(1);
    ben.lose();
    pass(2 * GRACE).await;
    assert!(world.hubs[&2].room(&otter()).is_none());
    world.service.forget();
    world.service.mend(1);
    pass(2 * GRACE).await;
    let looks = world.looks().await;
    assert_eq!(World::agree(&looks).0, [("ann".to_owned(), true)]);
}

#[tokio::test(start_paused = true)]
async fn what_was_said_alone_by_who_has_left_since_is_not_lost_with_a_log_that_is_given_again() {
    let world = World::of(2);
    let ann = world.enter(1, "ann").await;
    let ben = world.enter(2, "ben").await;
    let cat = world.enter(2, "cat").await;
    pass(MOMENT).await;
    ann.told();
    world.service.cut(2);
    ben.say("one").await;
    cat.say("two").await;
    ben.say("three").await;
    ben.leave().await;
    let refused = ben.say_later("four").await.unwrap().unwrap_err();
    assert_eq!(refused.code, ErrorCode::RoomNotFound);
    cat.lose();
    world.service.forget();
    pass(2 * GRACE).await;
    assert_eq!(ann.told(), ["left ben", "left cat"]);
    world.service.mend(2);
    pass(2 * GRACE).await;
    let heard = ann.told();
    let said: Vec<_> = heard.iter().filter(|what| !what.contains(' ')).collect();
    assert_eq!(said, ["one", "two", "three"]);
    let looks = world.looks().await;
    assert_eq!(World::agree(&looks).0, [("ann".to_owned(), true)]);
}

#[tokio::test(start_paused = true)]
async fn what_was_said_alone_by_who_came_back_elsewhere_first_is_not_lost() {
    let world = World::of(2);
    let ann = world.enter(1, "ann").await;
    let cat = world.enter(2, "cat").await;
    pass(MOMENT).await;
    world.service.cut(2);
    let ben = world.enter(2, "ben").await;
    ben.say("one").await;
    ben.lose();
    let again = world.try_enter(1, "ben", ben.key(), None).await.unwrap();
    assert_eq!(again.id(), ben.id());
    world.service.mend(2);
    pass(2 * GRACE).await;
    assert_eq!((ann.told().pop(), again.told()), (Some("one".to_owned()), vec!["one".to_owned()]));
    assert_eq!(cat.told(), ["joined ben", "one"]);
    let looks = world.looks().await;
    assert_eq!(World::agree(&looks).0.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_appended_twice_or_said_to_have_failed_happens_once() {
    let world = World::of(2);
    world.service.faults(Faults { repeats: true, denies_every: Some(3), ..Faults::default() });
    let ann = world.enter(1, "ann").await;
    let ben = world.enter(2, "ben").await;
    let mut expected = Vec::new();
    for n in 0..30 {
        ann.say(format!("a{n}")).await;
        ben.say(format!("b{n}")).await;
        expected.extend([format!("a{n}"), format!("b{n}")]);
    }
    pass(Duration::from_secs(5)).await;
    expected.sort();
    for person in [&ann, &ben] {
        let mut heard = person.told();
        heard.retain(|what| !what.contains(' '));
        heard.sort();
        assert_eq!(heard, expected);
    }
    let looks = world.looks().await;
    World::agree(&looks);
}

#[tokio::test(start_paused = true)]
async fn the_first_two_come_at_once_and_meet() {
    let world = World::of(2);
    world.service.faults(Faults { delay: MOMENT, ..Faults::default() });
    let (ann, ben) = tokio::join!(world.enter(1, "ann"), world.enter(2, "ben"));
    pass(2 * MOMENT).await;
    assert_eq!(ann.has_heard("joined ben") as u8 + ben.has_heard("joined ann") as u8, 1);
    let looks = world.looks().await;
    assert_eq!(World::agree(&looks).0.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn of_two_first_passphrases_the_first_in_the_log_is_the_rooms() {
    let world = World::of(2);
    world.service.faults(Faults { delay: MOMENT, ..Faults::default() });
    let first = world.try_enter(1, "ann", None, Some("sesame"));
    let second = world.try_enter(2, "ben", None, Some("mellon"));
    let (first, second) = tokio::join!(first, second);
    let codes = [first.map(drop), second.map(drop)].map(|outcome| outcome.err().map(|why| why.code));
    assert!(codes.contains(&None) && codes.contains(&Some(ErrorCode::NotAllowed)), "{codes:?}");
}

#[tokio::test(start_paused = true)]
async fn people_meet_on_a_node_that_never_reached_the_service_and_then_the_others() {
    let world = World::of(2);
    let ben = world.enter(2, "ben").await;
    world.service.cut(1);
    let began = Instant::now();
    let ann = world.enter(1, "ann").await;
    let cat = world.enter(1, "cat").await;
    assert!(began.elapsed() <= Duration::from_secs(1));
    cat.say("one").await;
    assert_eq!(ann.told(), ["joined cat", "one"]);
    ben.say("two").await;
    world.service.mend(1);
    pass(Duration::from_secs(2)).await;
    assert_eq!(ann.told(), ["joined ben", "two"]);
    assert_eq!(ben.told(), ["two", "joined ann", "joined cat", "one"]);
    let looks = world.looks().await;
    assert_eq!(World::agree(&looks).0.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn whoever_met_in_a_room_that_turns_out_to_be_locked_is_shown_out() {
    let world = World::of(2);
    let ben = world.try_enter(2, "ben", None, Some("sesame")).await.unwrap();
    world.service.cut(1);
    let ann = world.enter(1, "ann").await;
    world.service.mend(1);
    pass(Duration::from_secs(2)).await;
    assert_eq!(ann.told(), ["left ann"]);
    assert_eq!(ben.told(), Vec::<String>::new());
    let refused = ann.say_later("hello").await.unwrap().unwrap_err();
    assert_eq!(refused.code, ErrorCode::RoomNotFound);
}

#[tokio::test(start_paused = true)]
async fn a_long_log_is_compacted_and_newcomers_know_all() {
    let world = World::of(3);
    let ann = world.enter(1, "ann").await;
    let ben = world.enter(2, "ben").await;
    for n in 0..300 {
        [&ann, &ben][n % 2].say(n.to_string()).await;
    }
    let (all, since) = world.service.entries(&otter());
    assert!(all > 300 && since < 128 + 64, "{since} of {all} entries are left");
    let looks = world.looks().await;
    assert_eq!(World::agree(&looks).1.len(), 300);
}

fn moving(offered: &crate::protocol::TransferId, state: TransferState, sent: u64) -> RoomCommand {
    RoomCommand::Status(Box::new(Status {
        transfer: offered.clone(),
        state,
        size: Some(1),
        sent,
        receivers: Vec::new(),
        bytes_per_second: 0,
        eta_seconds: None,
        error: None,
        copy: None,
    }))
}

#[tokio::test(start_paused = true)]
async fn offers_and_statuses_are_known_on_every_node() {
    let world = World::of(2);
    let ann = world.enter(1, "ann").await;
    let ben = world.enter(2, "ben").await;
    pass(MOMENT).await;
    ann.told();
    let offered = ann.offer().await.unwrap();
    pass(MOMENT).await;
    assert_eq!(ben.told(), ["offered by ann"]);
    let transfer = &offered.transfers[0].transfer;
    assert!(world.hubs[&2].room_of_transfer(transfer).is_some_and(|room| room.is(&ben.room())));
    assert!(world.hubs[&2].room_of_drop(&offered.drop).is_some());
    assert!(world.hubs[&1].transfer(transfer).is_some() && world.hubs[&2].transfer(transfer).is_none());
    ann.room().try_send(moving(transfer, TransferState::Active, 1));
    pass(MOMENT).await;
    assert_eq!(ben.told(), ["Active 1"]);
    world.service.cut(2);
    ann.room().try_send(moving(transfer, TransferState::Complete, 1));
    pass(MOMENT).await;
    assert_eq!(ben.told(), Vec::<String>::new());
    world.service.mend(2);
    pass(MOMENT).await;
    assert_eq!(ben.told(), ["Complete 1"]);
    ann.room().try_send(RoomCommand::Gone(transfer.clone()));
    pass(MOMENT).await;
    assert!(world.hubs[&2].room_of_transfer(transfer).is_none());
    assert!(world.hubs[&2].room_of_drop(&offered.drop).is_none());
}

#[tokio::test(start_paused = true)]
async fn progress_said_while_the_service_is_away_comes_as_one_status() {
    let world = World::of(2);
    let ann = world.enter(1, "ann").await;
    let ben = world.enter(2, "ben").await;
    let offered = ann.offer().await.unwrap();
    pass(MOMENT).await;
    ben.told();
    world.service.cut(1);
    let transfer = &offered.transfers[0].transfer;
    let (before, _) = world.service.entries(&otter());
    for sent in 0..1000 {
        ann.room().try_send(moving(transfer, TransferState::Active, sent));
        pass(Duration::from_millis(1)).await;
    }
    world.service.mend(1);
    pass(MOMENT).await;
    assert_eq!(ben.told(), ["Active 999"]);
    assert_eq!(world.service.entries(&otter()).0, before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_room_that_is_empty_ends_on_every_node_and_is_new_again() {
    let world = World::of(2);
    let ann = world.try_enter(1, "ann", None, Some("sesame")).await.unwrap();
    let ben = world.try_enter(2, "ben", None, Some("sesame")).await.unwrap();
    ann.say("one").await;
    ann.leave().await;
    pass(MOMENT).await;
    assert_eq!(ben.told(), ["one", "left ann"]);
    ben.lose();
    pass(GRACE + Duration::from_secs(10)).await;
    for hub in world.hubs.values() {
        assert!(hub.room(&otter()).is_none());
    }
    let again = world.enter(1, "ann").await;
    assert!(again.joined.messages.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_node_without_a_part_in_a_room_lets_its_copy_go_and_the_others_keep_it() {
    let world = World::of(2);
    let ann = world.enter(1, "ann").await;
    let ben = world.enter(2, "ben").await;
    ann.say("one").await;
    ben.leave().await;
    pass(Duration::from_secs(10)).await;
    assert!(world.hubs[&2].room(&otter()).is_none() && world.hubs[&1].room(&otter()).is_some());
    let again = world.enter(2, "ben").await;
    assert_eq!(again.joined.messages.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_room_can_be_told_of_a_transfer_where_nobody_is_in_it() {
    let world = World::of(2);
    let ann = world.enter(1, "ann").await;
    let offered = ann.offer().await.unwrap();
    pass(MOMENT).await;
    ann.told();
    let room = world.hubs[&2].room_for(&otter());
    room.try_send(moving(&offered.transfers[0].transfer, TransferState::Suspended, 7));
    pass(MOMENT).await;
    assert_eq!(ann.told(), ["Suspended 7"]);
    pass(Duration::from_secs(10)).await;
    assert!(world.hubs[&2].room(&otter()).is_none());
}
