//! What the port promises, whatever carries it: with one Redis, and with a cluster.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use roomdrop::broker::redis::Options;
use roomdrop::broker::{Broker, Delivery, Heard, Key, NotAppended, Position, Record, Written};
use roomdrop::protocol::Digest;
use roomdrop::protocol::node::{Body, Frame, NodeId};

use crate::node::{LIFETIME, Member, chunk, entries, heard, room, transfer, word};
use crate::server::stays;
use crate::wait::eventually;

fn record(epoch: u64, value: &str) -> Record {
    Record { epoch, value: Bytes::from(value.to_owned()) }
}

pub(crate) async fn records_are_owned_by_the_highest_epoch(options: Options) {
    let (a, b) = Member::pair(&options).await;
    let key = Key::Transfer(transfer(1));
    assert_eq!(a.read(&key).await, Ok(None));
    assert_eq!(a.write(&key, 0, record(1, "a"), LIFETIME).await, Ok(Written::Done));
    assert_eq!(b.read(&key).await, Ok(Some(record(1, "a"))));
    assert_eq!(b.write(&key, 1, record(2, "b"), LIFETIME).await, Ok(Written::Done), "b takes it over");
    assert_eq!(a.write(&key, 1, record(1, "late"), LIFETIME).await, Ok(Written::Stale(record(2, "b"))));
    assert_eq!(b.write(&key, 2, record(2, "b, later"), LIFETIME).await, Ok(Written::Done));
    a.remove(&key, 1).await.unwrap();
    assert_eq!(a.read(&key).await, Ok(Some(record(2, "b, later"))), "not a's to remove");
    b.remove(&key, 2).await.unwrap();
    assert_eq!(a.read(&key).await, Ok(None));
}

pub(crate) async fn of_many_who_take_over_at_once_one_wins(options: Options) {
    let (a, b) = Member::pair(&options).await;
    let key = Key::Token([7; 32]);
    a.write(&key, 0, record(u64::MAX - 1, "old"), LIFETIME).await.unwrap();
    let takes = (0..10).map(|taker| {
        let broker = if taker % 2 == 0 { a.broker.clone() } else { b.broker.clone() };
        let key = key.clone();
        tokio::spawn(async move {
            let record = record(u64::MAX, &taker.to_string());
            broker.write(&key, u64::MAX - 1, record, LIFETIME).await.unwrap()
        })
    });
    let mut winners = 0;
    for take in takes.collect::<Vec<_>>() {
        winners += usize::from(take.await.unwrap() == Written::Done);
    }
    assert_eq!(winners, 1);
}

pub(crate) async fn records_expire(options: Options) {
    let (a, b) = Member::pair(&options).await;
    let key = Key::Token([1; 32]);
    a.write(&key, 0, record(1, "short"), Duration::from_millis(300)).await.unwrap();
    assert!(b.read(&key).await.unwrap().is_some());
    eventually("it expires", async || b.read(&key).await.unwrap().is_none().then_some(())).await;
}

pub(crate) async fn a_value_may_be_anything(options: Options) {
    let (a, b) = Member::pair(&options).await;
    for value in [Bytes::new(), Bytes::from_iter((0..=255).cycle().take(3 << 20))] {
        let record = Record { epoch: 1, value };
        a.write(&Key::Token([2; 32]), 9, record.clone(), LIFETIME).await.unwrap();
        assert!(b.read(&Key::Token([2; 32])).await.unwrap() == Some(record));
    }
}

pub(crate) async fn nodes_find_each_other_and_hear_who_is_gone(options: Options) {
    let (mut a, b) = Member::pair(&options).await;
    let names = |member: &Member| {
        let mut names: Vec<_> = member.nodes().iter().map(|node| node.name.clone()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&a), ["a", "b"]);
    assert_eq!(names(&b), ["a", "b"]);
    b.leave().await;
    eventually("b is leaving", async || (a.leaving() == [b.id()]).then_some(())).await;
    assert_eq!(names(&a), ["a", "b"], "whoever leaves is still found");
    let id = b.id();
    let before = tokio::time::Instant::now();
    b.close().await;
    a.hear("b is gone", |delivery| *delivery == Delivery::NodeLost(id)).await;
    assert!(before.elapsed() < Duration::from_millis(1500), "a farewell is heard at once");
    assert_eq!(names(&a), ["a"]);
}

pub(crate) async fn a_node_that_dies_is_lost_and_not_for_one_missing_beat(options: Options) {
    let (mut a, b) = Member::pair(&options).await;
    let id = b.id();
    let before = tokio::time::Instant::now();
    drop(b);
    a.hear("b is gone", |delivery| *delivery == Delivery::NodeLost(id)).await;
    // When exactly is `roster`'s to prove, whose clock does not run on a machine that is busy.
    assert!(before.elapsed() > Duration::from_millis(1300), "not for one missing beat");
    assert_eq!(a.nodes().len(), 1);
}

pub(crate) async fn every_frame_arrives_as_it_was_sent_and_in_order(options: Options) {
    let (mut a, mut b) = Member::pair(&options).await;
    let bytes = Bytes::from_iter((0..=255).cycle().take(300_000));
    let digest = Some(Digest::Sha256([9; 32]));
    let bodies = [
        Body::Pull { lane: 1, from: 0, limit: 1 << 40 },
        Body::Chunk { lane: 1, offset: 0, digest, bytes: bytes.clone() },
        Body::Chunk { lane: u64::MAX, offset: (1 << 53) - 1, digest: None, bytes: Bytes::new() },
        Body::Stop { lane: 1 },
        Body::Word(Bytes::from_static(b"{\"what\":\"ever\"}")),
        Body::Chunk { lane: 2, offset: 5, digest: None, bytes },
    ];
    for body in &bodies {
        let frame = Frame { transfer: transfer(77), epoch: 3, body: body.clone() };
        a.insist(b.id(), &frame).await;
    }
    for body in bodies {
        let (from, frame) = b.frame().await;
        assert_eq!(from, a.id());
        assert!(frame == Frame { transfer: transfer(77), epoch: 3, body });
    }
    // And many, of many transfers, both ways.
    for number in 0..2000 {
        a.broker.post(b.id(), word(number % 50, &number.to_string())).unwrap();
        b.broker.post(a.id(), word(number % 50, &number.to_string())).unwrap();
    }
    for member in [&mut a, &mut b] {
        let mut last = HashMap::new();
        for _ in 0..2000 {
            let (_, frame) = member.frame().await;
            let Body::Word(text) = frame.body else { panic!("{frame:?}") };
            let number: u64 = std::str::from_utf8(&text).unwrap().parse().unwrap();
            let before = last.insert(frame.transfer, number);
            assert!(before.is_none_or(|before| before + 50 == number), "{before:?} {number}");
        }
    }
}

pub(crate) async fn to_all_is_to_every_other(options: Options) {
    let (mut a, mut b) = Member::pair(&options).await;
    let mut c = Member::start(&options, "c");
    let id = c.id();
    a.hear("c", |delivery| *delivery == Delivery::Hello(id)).await;
    a.post_all(word(1, "to all"));
    assert_eq!(b.frame().await, (a.id(), word(1, "to all")));
    assert_eq!(c.frame().await, (a.id(), word(1, "to all")));
    a.broker.post(a.id(), word(1, "to me")).unwrap();
    assert_eq!(a.frame().await, (a.id(), word(1, "to me")));
}

pub(crate) async fn what_reaches_nobody_is_said_to_be_undelivered(options: Options) {
    let (mut a, _b) = Member::pair(&options).await;
    let nobody = NodeId(42);
    a.broker.post(nobody, word(5, "anyone?")).unwrap();
    let undelivered = Delivery::Undelivered { to: nobody, transfer: transfer(5) };
    a.hear("undelivered", |delivery| *delivery == undelivered).await;
    // Far more than may be under way, since each comes back.
    for offset in 0..40 {
        a.insist(nobody, &chunk(6, offset, Bytes::from(vec![0; 1 << 20]))).await;
    }
    let undelivered = Delivery::Undelivered { to: nobody, transfer: transfer(6) };
    a.hear("undelivered", |delivery| *delivery == undelivered).await;
    eventually("all are counted", async || (a.stats().undelivered.get() >= 41).then_some(())).await;
}

pub(crate) async fn bytes_under_way_are_bounded_and_all_arrive(options: Options) {
    let (mut a, mut b) = Member::pair(&options).await;
    let bytes = Bytes::from(vec![7; 256 << 10]);
    let mut taken = 0;
    while a.broker.post(b.id(), chunk(1, taken, bytes.clone())) == Ok(()) {
        taken += 1;
        assert!(taken < 10_000, "b takes nothing out of its inbox, and still there is room");
        tokio::task::yield_now().await;
    }
    // Those that b may leave in its inbox, twice the credit at worst, and what was answered last.
    assert!(taken * (256 << 10) < (17 << 18) + (13 << 20), "{taken}");
    for offset in 0..taken {
        assert!(b.frame().await.1 == chunk(1, offset, bytes.clone()));
    }
    a.hear("room", |delivery| matches!(delivery, Delivery::Room(_))).await;
    let large = Bytes::from(vec![8; 7 << 20]);
    for offset in 0..5 {
        a.insist(b.id(), &chunk(2, offset, large.clone())).await;
        assert!(b.frame().await.1 == chunk(2, offset, large.clone()), "larger than the credit");
    }
}

pub(crate) async fn followers_hear_every_entry_once_and_in_order(options: Options) {
    let (a, b) = Member::pair(&options).await;
    let room = room("order");
    let (story, mut at_a) = a.follow(&room, LIFETIME).await.unwrap();
    assert_eq!((story.at.count, story.state, story.entries.len()), (0, None, 0));
    let generation = story.at.generation;
    let append = |broker: std::sync::Arc<roomdrop::broker::Redis>, author: u64| {
        let room = room.clone();
        tokio::spawn(async move {
            for number in (0..100).step_by(2) {
                let two = [number, number + 1].map(|n| Bytes::from(format!("{author}:{n}"))).to_vec();
                broker.append(&room, generation, two, LIFETIME).await.unwrap();
            }
        })
    };
    let appending = [append(a.broker.clone(), 1), append(b.broker.clone(), 2)];
    // Joins in the middle.
    let first = entries(&mut at_a, 40).await;
    let (story, mut at_b) = b.follow(&room, LIFETIME).await.unwrap();
    assert_eq!(story.at.generation, generation);
    let rest = 200 - story.entries.len();
    let all_b = [story.entries, entries(&mut at_b, rest).await].concat();
    let all_a = [first, entries(&mut at_a, 160).await].concat();
    assert_eq!(all_a, all_b);
    for appender in appending {
        appender.await.unwrap();
    }
    for author in 1..=2 {
        let of = |all: &[Bytes]| -> Vec<Bytes> {
            all.iter().filter(|entry| entry.starts_with(format!("{author}:").as_bytes())).cloned().collect()
        };
        let expected: Vec<_> = (0..100).map(|number| Bytes::from(format!("{author}:{number}"))).collect();
        assert_eq!(of(&all_a), expected);
    }
    for pair in all_a.chunks(2) {
        assert_eq!(pair[0][..2], pair[1][..2], "entries of one call stand next to each other");
    }
}

pub(crate) async fn large_entries_arrive(options: Options) {
    let (a, b) = Member::pair(&options).await;
    let room = room("large");
    let (story, _at_a) = a.follow(&room, LIFETIME).await.unwrap();
    let (_, mut at_b) = b.follow(&room, LIFETIME).await.unwrap();
    let large: Vec<_> = (0..3).map(|fill| Bytes::from(vec![fill; 2 << 20])).collect();
    a.append(&room, story.at.generation, large.clone(), LIFETIME).await.unwrap();
    assert!(entries(&mut at_b, 3).await == large);
    let (story, _) = b.follow(&room, LIFETIME).await.unwrap();
    assert!(story.entries == large);
}

pub(crate) async fn a_follower_that_does_not_listen_misses_nothing_and_holds_up_nobody(options: Options) {
    let (a, b) = Member::pair(&options).await;
    let (slow, quick) = (room("slow"), room("quick"));
    let (at_slow, mut slow_heard) = b.follow(&slow, LIFETIME).await.unwrap();
    let (at_quick, mut quick_heard) = b.follow(&quick, LIFETIME).await.unwrap();
    for number in 0..300 {
        let entry = vec![Bytes::from(format!("{number}"))];
        a.append(&slow, at_slow.at.generation, entry.clone(), LIFETIME).await.unwrap();
        a.append(&quick, at_quick.at.generation, entry, LIFETIME).await.unwrap();
        assert_eq!(entries(&mut quick_heard, 1).await[0], format!("{number}"));
    }
    let all = entries(&mut slow_heard, 300).await;
    assert!(all.iter().enumerate().all(|(number, entry)| *entry == format!("{number}")));
    assert!(b.stats().log_gaps.get() > 0, "it was read again");
}

pub(crate) async fn compaction_keeps_what_came_after(options: Options) {
    let (a, b) = Member::pair(&options).await;
    let room = room("compact");
    let (story, mut at_a) = a.follow(&room, LIFETIME).await.unwrap();
    let generation = story.at.generation;
    let numbered =
        |range: std::ops::Range<u64>| range.map(|n| Bytes::from(n.to_string())).collect::<Vec<_>>();
    a.append(&room, generation, numbered(0..10), LIFETIME).await.unwrap();
    let at = |count| Position { generation, count };
    a.compact(&room, at(7), "seven".into(), LIFETIME).await.unwrap();
    a.compact(&room, at(3), "an older one".into(), LIFETIME).await.unwrap();
    a.compact(&room, at(70), "from nowhere".into(), LIFETIME).await.unwrap();
    let (story, _) = b.follow(&room, LIFETIME).await.unwrap();
    assert_eq!((story.at, story.state), (at(10), Some("seven".into())));
    assert_eq!(story.entries, numbered(7..10));
    b.append(&room, generation, numbered(10..11), LIFETIME).await.unwrap();
    assert_eq!(entries(&mut at_a, 11).await, numbered(0..11), "whoever had all hears nothing of it");
    b.compact(&room, at(11), "eleven".into(), LIFETIME).await.unwrap();
    let (story, _) = b.follow(&room, LIFETIME).await.unwrap();
    assert_eq!((story.at, story.state, story.entries), (at(11), Some("eleven".into()), vec![]));
    let other = Position { generation: generation ^ 1, count: 11 };
    assert_eq!(a.compact(&room, other, "x".into(), LIFETIME).await, Err(NotAppended::OtherGeneration));
}

pub(crate) async fn an_expired_log_is_seeded_by_the_one_that_knows_most(options: Options) {
    let (a, b) = Member::pair(&options).await;
    let room = room("seed");
    let (story, mut at_a) = a.follow(&room, LIFETIME).await.unwrap();
    let (_, mut at_b) = b.follow(&room, LIFETIME).await.unwrap();
    let short = Duration::from_millis(200);
    let generation = story.at.generation;
    a.append(&room, generation, vec!["one".into(), "two".into()], short).await.unwrap();
    entries(&mut at_a, 2).await;
    entries(&mut at_b, 2).await;
    eventually("it expires, and who appends learns it", async || {
        let gone = a.append(&room, generation, vec![], Duration::from_millis(1)).await;
        (gone == Err(NotAppended::OtherGeneration)).then_some(())
    })
    .await;
    assert_eq!(heard(&mut at_a).await, Heard::Forgotten);
    // Both at once: the one that knows more wins, whoever is first.
    let (less, more) =
        tokio::join!(b.seed(&room, 1, "less".into(), LIFETIME), a.seed(&room, 2, "more".into(), LIFETIME));
    assert_eq!((less, more), (Ok(()), Ok(())));
    b.seed(&room, 1, "less".into(), LIFETIME).await.unwrap();
    let mut last = Vec::new();
    for follower in [&mut at_a, &mut at_b] {
        let position = loop {
            match heard(follower).await {
                Heard::Again(story) if story.state == Some("more".into()) => break story.at,
                Heard::Again(story) => assert_eq!(story.state, Some("less".into())),
                Heard::Forgotten => {}
                other => panic!("{other:?}"),
            }
        };
        assert_ne!(position.generation, generation);
        last.push(position);
    }
    assert_eq!(last, [Position { count: 2, ..last[0] }; 2]);
    a.append(&room, last[0].generation, vec!["three".into()], LIFETIME).await.unwrap();
    assert_eq!(entries(&mut at_b, 1).await, ["three"]);
    b.seed(&room, 99, "too late".into(), LIFETIME).await.unwrap();
    let (story, _) = b.follow(&room, LIFETIME).await.unwrap();
    assert_eq!(story.entries, ["three"], "something was appended: seeding is over");
}

pub(crate) async fn a_log_that_is_followed_does_not_expire(options: Options) {
    let (a, _b) = Member::pair(&options).await;
    let room = room("kept");
    let (story, mut heard) = a.follow(&room, Duration::from_millis(2000)).await.unwrap();
    stays("the log is there", Duration::from_millis(5000), async || heard.try_recv().is_err()).await;
    a.append(&room, story.at.generation, vec!["still".into()], LIFETIME).await.unwrap();
    assert_eq!(entries(&mut heard, 1).await, ["still"]);
}

pub(crate) async fn who_drops_a_log_is_forgotten(options: Options) {
    let (a, _b) = Member::pair(&options).await;
    for round in 0..20 {
        // Left and followed again at once, while the first is still being left.
        let (story, mut heard) = a.follow(&room("left"), LIFETIME).await.unwrap();
        let entry = vec![Bytes::from(round.to_string())];
        a.append(&room("left"), story.at.generation, entry.clone(), LIFETIME).await.unwrap();
        assert_eq!(entries(&mut heard, 1).await, entry);
    }
}
