//! A real cluster of three masters, made of servers of the test's own.

use std::time::Duration;

use bytes::Bytes;
use roomdrop::broker::redis::Options;
use roomdrop::broker::{Broker, Delivery, Heard, Key};
use tokio::time::Instant;

use crate::node::{LIFETIME, Member, chunk, heard, options, room, transfer, word};
use crate::server::Server;
use crate::wait::eventually;

/// The slots of each master.
const SLOTS: [(u16, u16); 3] = [(0, 5460), (5461, 10922), (10923, 16383)];

/// See the module.
pub(crate) struct Cluster {
    masters: Vec<Server>,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let mut masters = Vec::new();
        for (first, last) in SLOTS {
            let server = Server::start_cluster_node().await;
            server.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]).await;
            masters.push(server);
        }
        for (epoch, master) in masters.iter().enumerate() {
            master.ask::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &(epoch + 1).to_string()]).await;
            if epoch > 0 {
                master.meet(&masters[0]).await;
            }
        }
        for master in &masters {
            eventually("the cluster is whole", async || {
                let info: String = master.ask(&["CLUSTER", "INFO"]).await;
                let is_whole = info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3");
                is_whole.then_some(())
            })
            .await;
        }
        Self { masters }
    }

    pub(crate) fn options(&self) -> Options {
        let urls: Vec<_> = self.masters.iter().map(Server::url).collect();
        options(&urls.join(","), true)
    }

    /// Gives a slot, with nothing in it, from its master to the next one.
    async fn move_slot(&self, slot: u16) {
        let from = SLOTS.iter().position(|(first, last)| (*first..=*last).contains(&slot)).unwrap();
        let to = (from + 1) % 3;
        let id: String = self.masters[to].ask(&["CLUSTER", "MYID"]).await;
        let slot = slot.to_string();
        for master in [to, from, (to + 1) % 3] {
            self.masters[master].ask::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn load_spreads_over_the_masters() {
    let cluster = Cluster::start().await;
    let (mut a, mut b) = Member::pair(&cluster.options()).await;
    for number in 0..60 {
        a.insist(b.id(), &chunk(number, 0, Bytes::from(vec![0; 10_000]))).await;
        b.frame().await;
        a.write(&Key::Transfer(transfer(number)), 0, record(), LIFETIME).await.unwrap();
        let (story, _heard) = a.follow(&room(&number.to_string()), LIFETIME).await.unwrap();
        a.append(&room(&number.to_string()), story.at.generation, vec!["x".into()], LIFETIME).await.unwrap();
    }
    for master in &cluster.masters {
        let keys: i64 = master.ask(&["DBSIZE"]).await;
        assert!(keys > 20, "{keys}");
    }
}

fn record() -> roomdrop::broker::Record {
    roomdrop::broker::Record { epoch: 1, value: Bytes::from_static(b"value") }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_may_move_to_another_master() {
    let cluster = Cluster::start().await;
    let (mut a, mut b) = Member::pair(&cluster.options()).await;
    let (story, mut at_b) = b.follow(&room("moved"), LIFETIME).await.unwrap();
    // Its log moves too, with nothing in it: it is forgotten, and seeded again.
    let tag = "{test:room:moved}";
    let channels = (0..4).map(|inbox| format!("{{test:inbox:{}:{inbox}}}", b.id()));
    let keys: Vec<_> = channels.chain([tag.to_owned()]).collect();
    for suffix in [":about", ":entries"] {
        let key = format!("{tag}{suffix}");
        for master in &cluster.masters {
            master.try_ask(&["DEL", &key]).await;
        }
    }
    for key in &keys {
        let slot: u16 = cluster.masters[0].ask(&["CLUSTER", "KEYSLOT", key]).await;
        cluster.move_slot(slot).await;
    }
    let moved = Instant::now();
    let mut number = 0;
    eventually("frames find b's inboxes again", async || {
        number += 1;
        a.broker.post(b.id(), word(number % 16, "found")).unwrap();
        let mut found = false;
        while let Ok(delivery) = b.inbox.try_recv() {
            found |= matches!(delivery, Delivery::Frame { .. });
        }
        (found && b.is_there()).then_some(())
    })
    .await;
    for number in 0..16 {
        let sent = chunk(number, 1, Bytes::from(vec![1; 1000]));
        eventually("every inbox is found", async || {
            a.insist(b.id(), &sent).await;
            let frame = tokio::time::timeout(Duration::from_millis(200), async {
                while b.frame().await.1 != sent {}
            });
            frame.await.ok()
        })
        .await;
    }
    assert!(moved.elapsed() < Duration::from_secs(10), "{:?}", moved.elapsed());
    loop {
        if heard(&mut at_b).await == Heard::Forgotten {
            break;
        }
    }
    eventually("it is seeded", async || b.seed(&room("moved"), 3, "three".into(), LIFETIME).await.ok()).await;
    loop {
        if let Heard::Again(story_again) = heard(&mut at_b).await {
            assert_ne!(story_again.at.generation, story.at.generation);
            assert_eq!(story_again.state, Some("three".into()));
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_is_killed_and_comes_back_is_used_again() {
    let mut cluster = Cluster::start().await;
    let (mut a, mut b) = Member::pair(&cluster.options()).await;
    let key = Key::Transfer(transfer(1));
    a.write(&key, 0, record(), LIFETIME).await.unwrap();
    cluster.masters.iter_mut().for_each(Server::kill);
    a.hear("away", |delivery| *delivery == Delivery::Away).await;
    b.hear("away", |delivery| *delivery == Delivery::Away).await;
    assert!(a.read(&key).await.is_err());
    cluster.masters.iter_mut().for_each(Server::restart);
    a.hear("back", |delivery| *delivery == Delivery::Back).await;
    b.hear("back", |delivery| *delivery == Delivery::Back).await;
    eventually("records are there again", async || a.read(&key).await.ok()).await;
    let sent = chunk(1, 0, Bytes::from_static(b"again"));
    eventually("frames go again", async || {
        a.insist(b.id(), &sent).await;
        let frame = tokio::time::timeout(Duration::from_millis(200), b.frame());
        frame.await.ok().filter(|(_, frame)| *frame == sent)
    })
    .await;
}
