//! What the broker does while Redis does not do as it should, and that it goes on by itself after.

use std::time::Duration;

use bytes::Bytes;
use roomdrop::broker::{Away, Broker, Delivery, Heard, Key, NotAppended, Record};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::node::{LIFETIME, Member, chunk, entries, heard, options, room, transfer, word};
use crate::proxy::Proxy;
use crate::server::{Server, stays};
use crate::wait::eventually;

/// Bytes move again within this after Redis's return.
const QUICK: Duration = Duration::from_millis(2000);

fn is_lost(delivery: &Delivery) -> bool {
    matches!(delivery, Delivery::NodeLost(_))
}

/// A frame goes from one to the other, and the time that this took since `since` is within `QUICK`.
async fn talks(from: &mut Member, to: &mut Member, since: Instant, number: u64) {
    let frame = chunk(number, 0, Bytes::from(vec![1; 100_000]));
    loop {
        from.insist(to.id(), &frame).await;
        let arrived = tokio::time::timeout(Duration::from_millis(100), async {
            loop {
                if to.frame().await.1 == frame {
                    return;
                }
            }
        });
        if arrived.await.is_ok() {
            break;
        }
        assert!(since.elapsed() < Duration::from_secs(10), "no frame arrives");
    }
    assert!(since.elapsed() < QUICK, "{:?}", since.elapsed());
}

/// What a follower hears until it is back, which comes last.
async fn until_back(follower: &mut mpsc::Receiver<Heard>) -> Vec<Heard> {
    let mut all = vec![heard(follower).await];
    while all.last() != Some(&Heard::Back) {
        all.push(heard(follower).await);
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_comes_back_empty_is_filled_again_and_nobody_is_lost() {
    let mut server = Server::start().await;
    let (mut a, mut b) = Member::pair(&options(&server.url(), false)).await;
    let room = room("restart");
    let (story, mut at_a) = a.follow(&room, LIFETIME).await.unwrap();
    let (_, mut at_b) = b.follow(&room, LIFETIME).await.unwrap();
    let generation = story.at.generation;
    a.append(&room, generation, vec!["one".into()], LIFETIME).await.unwrap();
    entries(&mut at_a, 1).await;
    entries(&mut at_b, 1).await;

    server.kill();
    a.hear("away", |delivery| *delivery == Delivery::Away).await;
    b.hear("away", |delivery| *delivery == Delivery::Away).await;
    assert!(!a.is_there());
    let key = Key::Transfer(transfer(1));
    let before = Instant::now();
    assert_eq!(a.read(&key).await, Err(Away));
    assert_eq!(a.append(&room, generation, vec!["x".into()], LIFETIME).await, Err(NotAppended::Away));
    assert!(before.elapsed() < Duration::from_secs(2), "nobody waits long for what is known to be away");
    assert_eq!([heard(&mut at_a).await, heard(&mut at_b).await], [Heard::Away, Heard::Away]);
    // Three seconds, longer than any node's lifetime.
    stays("nobody is lost", Duration::from_secs(3), async || {
        !a.is_there() && a.nodes().len() == 2 && !a.inbox.try_recv().is_ok_and(|delivery| is_lost(&delivery))
    })
    .await;

    server.restart();
    let back = Instant::now();
    a.hear("back", |delivery| *delivery == Delivery::Back).await;
    b.hear("back", |delivery| *delivery == Delivery::Back).await;
    talks(&mut a, &mut b, back, 1).await;
    talks(&mut b, &mut a, back, 2).await;
    assert_eq!([heard(&mut at_a).await, heard(&mut at_b).await], [Heard::Forgotten, Heard::Forgotten]);
    a.seed(&room, 1, "state".into(), LIFETIME).await.unwrap();
    for follower in [&mut at_a, &mut at_b] {
        let told = until_back(follower).await;
        let story = told.iter().rev().find_map(|told| match told {
            Heard::Again(story) => Some(story),
            _ => None,
        });
        assert_eq!(story.unwrap().state, Some("state".into()), "{told:?}");
    }
    stays("nobody is lost", Duration::from_secs(3), async || {
        a.nodes().len() == 2 && !b.inbox.try_recv().is_ok_and(|delivery| is_lost(&delivery))
    })
    .await;
    let record = Record { epoch: 1, value: "again".into() };
    a.write(&key, 0, record.clone(), LIFETIME).await.unwrap();
    assert_eq!(b.read(&key).await, Ok(Some(record)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_may_start_before_its_redis() {
    let mut server = Server::start().await;
    server.kill();
    let mut a = Member::start(&options(&server.url(), false), "a");
    stays("it is not there", Duration::from_millis(700), async || !a.is_there()).await;
    assert_eq!(a.read(&Key::Token([0; 32])).await, Err(Away));
    assert!(a.follow(&room("x"), LIFETIME).await.is_err());
    server.restart();
    assert_eq!(a.next().await, Delivery::Back);
    assert!(a.is_there());
    assert_eq!(a.read(&Key::Token([0; 32])).await, Ok(None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_that_are_killed_come_back_and_miss_no_entry() {
    let server = Server::start().await;
    let (mut a, mut b) = Member::pair(&options(&server.url(), false)).await;
    let (room, id) = (room("killed"), b.id());
    let (story, _at_a) = a.follow(&room, LIFETIME).await.unwrap();
    let (_, mut at_b) = b.follow(&room, LIFETIME).await.unwrap();
    let mut expected = Vec::new();
    let mut got = Vec::new();
    for round in 0..5 {
        server.order(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        let killed = Instant::now();
        for number in 0..20 {
            let entry = Bytes::from(format!("{round}:{number}"));
            a.append(&room, story.at.generation, vec![entry.clone()], LIFETIME).await.unwrap();
            expected.push(entry);
        }
        a.hear("b was deaf", |delivery| *delivery == Delivery::Hello(id)).await;
        b.hear("b was deaf", |delivery| *delivery == Delivery::Back).await;
        a.is_whole().await;
        talks(&mut a, &mut b, killed, round).await;
        while got.len() < expected.len() {
            if let Heard::Entry { entry, .. } = heard(&mut at_b).await {
                got.push(entry);
            }
        }
        assert_eq!(got, expected);
    }
    assert!(b.stats().resubscriptions.get() >= 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_publish_come_back() {
    let server = Server::start().await;
    let (mut a, mut b) = Member::pair(&options(&server.url(), false)).await;
    for round in 0..5 {
        server.order(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
        talks(&mut a, &mut b, Instant::now(), round).await;
        let key = Key::Token([3; 32]);
        eventually("the pool is whole", async || a.read(&key).await.ok()).await;
    }
}

/// While Redis stands still for longer than a node's lifetime nobody is lost; then all goes on.
async fn stands_still(order: &[&str]) {
    let server = Server::start().await;
    let (mut a, mut b) = Member::pair(&options(&server.url(), false)).await;
    let room = room("still");
    let (story, _at_a) = a.follow(&room, LIFETIME).await.unwrap();
    let (_, mut at_b) = b.follow(&room, LIFETIME).await.unwrap();
    server.order(order).await;
    let asked = Instant::now();
    a.hear("away", |delivery| *delivery == Delivery::Away).await;
    assert!(asked.elapsed() < Duration::from_secs(4), "silence is noticed");
    assert!(a.append(&room, story.at.generation, vec!["lost".into()], LIFETIME).await.is_err());
    let back = a.hear("back", |delivery| is_lost(delivery) || *delivery == Delivery::Back).await;
    assert_eq!(back, Delivery::Back, "nobody is lost");
    b.is_whole().await;
    talks(&mut a, &mut b, Instant::now(), 1).await;
    stays("nobody is lost", Duration::from_secs(3), async || a.nodes().len() == 2 && b.nodes().len() == 2)
        .await;
    eventually("entries go again", async || {
        a.append(&room, story.at.generation, vec!["last".into()], LIFETIME).await.ok()
    })
    .await;
    loop {
        match heard(&mut at_b).await {
            Heard::Entry { entry, .. } if entry == "last" => break,
            Heard::Forgotten | Heard::Again(_) => panic!("the log was there all the time"),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_sleeps_loses_nobody() {
    stands_still(&["DEBUG", "SLEEP", "5"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_paused_loses_nobody() {
    stands_still(&["CLIENT", "PAUSE", "5000", "ALL"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_notices_and_comes_back_while_the_others_go_on() {
    let server = Server::start().await;
    let proxy = Proxy::start(server.port).await;
    let mut a = Member::start(&options(&server.url(), false), "a");
    let mut b = Member::start(&options(&proxy.url(), false), "b");
    let (id_a, id_b) = (a.id(), b.id());
    a.hear("b", |delivery| *delivery == Delivery::Hello(id_b)).await;
    b.hear("a", |delivery| *delivery == Delivery::Hello(id_a)).await;
    let room = room("cut");
    let (story, _at_a) = a.follow(&room, LIFETIME).await.unwrap();
    let (_, mut at_b) = b.follow(&room, LIFETIME).await.unwrap();

    proxy.stop();
    let cut = Instant::now();
    b.hear("it is cut off", |delivery| *delivery == Delivery::Away).await;
    assert!(cut.elapsed() < Duration::from_millis(3500), "{:?}", cut.elapsed());
    a.hear("b is lost", |delivery| *delivery == Delivery::NodeLost(id_b)).await;
    assert!(cut.elapsed() < Duration::from_millis(3500), "{:?}", cut.elapsed());
    assert!(a.is_there() && !b.is_there());
    assert_eq!(b.nodes().len(), 2, "whoever is cut off knows nothing of the others");
    a.append(&room, story.at.generation, vec!["meanwhile".into()], LIFETIME).await.unwrap();
    assert_eq!(heard(&mut at_b).await, Heard::Away);
    let before = Instant::now();
    assert_eq!(b.read(&Key::Token([0; 32])).await, Err(Away));
    assert!(before.elapsed() < Duration::from_secs(4), "a call ends");

    proxy.go_on();
    let again = Instant::now();
    a.hear("b is there again", |delivery| *delivery == Delivery::Hello(id_b)).await;
    b.hear("back", |delivery| *delivery == Delivery::Back).await;
    talks(&mut a, &mut b, again, 1).await;
    talks(&mut b, &mut a, again, 2).await;
    assert_eq!(entries(&mut at_b, 1).await, ["meanwhile"]);
    assert_eq!(heard(&mut at_b).await, Heard::Back);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_one_who_is_away_posts_nothing_grows_and_nothing_blocks() {
    let mut server = Server::start().await;
    let (mut a, b) = Member::pair(&options(&server.url(), false)).await;
    server.kill();
    a.hear("away", |delivery| *delivery == Delivery::Away).await;
    // More than there is room for anywhere on the way.
    for number in 0..50_000 {
        a.broker.post(b.id(), word(number % 30_000, &"x".repeat(100))).unwrap();
    }
    a.hear("undelivered", |delivery| matches!(delivery, Delivery::Undelivered { .. })).await;
    assert!(a.broker.post(b.id(), chunk(1, 0, Bytes::from_static(b"x"))).is_err());
    server.restart();
    a.hear("room", |delivery| *delivery == Delivery::Room(b.id())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_ends_everything_even_without_redis() {
    let mut server = Server::start().await;
    let (mut a, b) = Member::pair(&options(&server.url(), false)).await;
    let (_, mut followed) = a.follow(&room("closing"), LIFETIME).await.unwrap();
    let before = Instant::now();
    b.close().await;
    server.kill();
    a.broker.close().await;
    assert!(before.elapsed() < Duration::from_secs(4), "{:?}", before.elapsed());
    while a.inbox.recv().await.is_some() {}
    while followed.recv().await.is_some() {}
}
