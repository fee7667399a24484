//! What the port promises, where a node is alone.

use std::sync::Arc;

use bytes::Bytes;
use roomdrop::broker::{Broker, Key, Memory, NotAppended, Record, Written};

use crate::node::{LIFETIME, entries, me, room, transfer, word};

#[tokio::test]
async fn alone_one_sees_oneself_and_loses_nothing() {
    let memory = Memory::new(me("alone"));
    assert!(memory.is_there());
    assert_eq!(memory.nodes().to_vec(), [memory.me().clone()]);
    let (_inbox, again) = (memory.inbox().unwrap(), memory.inbox());
    assert!(again.is_none(), "it can be taken once");
    memory.post_all(word(1, "nobody"));
    let record = Record { epoch: 1, value: Bytes::new() };
    let key = Key::Transfer(transfer(1));
    assert_eq!(memory.write(&key, 0, record, LIFETIME).await, Ok(Written::Done));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_one_call_stand_next_to_each_other_and_in_order() {
    let memory = Arc::new(Memory::new(me("alone")));
    let (story, mut heard) = memory.follow(&room("m"), LIFETIME).await.unwrap();
    let generation = story.at.generation;
    for author in 0..4 {
        let memory = memory.clone();
        tokio::spawn(async move {
            for number in 0..100 {
                let two = ["a", "b"].map(|which| Bytes::from(format!("{author} {number} {which}"))).to_vec();
                memory.append(&room("m"), generation, two, LIFETIME).await.unwrap();
            }
        });
    }
    let all = entries(&mut heard, 800).await;
    for pair in all.chunks(2) {
        assert_eq!(pair[0][..pair[0].len() - 1], pair[1][..pair[1].len() - 1], "{pair:?}");
    }
    let other = memory.append(&room("m"), generation ^ 1, vec!["x".into()], LIFETIME).await;
    assert_eq!(other, Err(NotAppended::OtherGeneration));
}

#[tokio::test]
async fn logs_that_nobody_follows_are_not_kept() {
    let memory = Memory::new(me("alone"));
    for number in 0..10_000 {
        drop(memory.follow(&room(&number.to_string()), LIFETIME).await.unwrap());
    }
    assert!(format!("{memory:?}").len() < 100_000, "a few may wait for the next sweep");
}
