//! The same over real Redis servers, which the tests kill, start anew and hold up.

use std::sync::Arc;
use std::time::Duration;

use super::people::{Person, World};
use super::server::{Server, stays};
use super::wait::eventually;
use crate::broker::Broker;
use crate::broker::redis::{Options, Redis};
use crate::protocol::node::{Node, NodeId};

const GRACE: Duration = Duration::from_millis(1500);

async fn world(server: &Server, nodes: u64) -> World {
    let options = Options { url: server.url(), cluster: false, prefix: "test".to_owned() };
    let node = |number| {
        let me = Node { id: NodeId(number), name: format!("node-{number}"), peer_url: None };
        let broker: Arc<dyn Broker> = Redis::start(&options, me).unwrap();
        broker
    };
    let world = World::by((1..=nodes).map(node).collect(), GRACE);
    all_are_there(&world).await;
    world
}

async fn all_are_there(world: &World) {
    let count = world.hubs.len();
    let knows_all = |world: &World| {
        world.hubs.values().all(|hub| hub.broker().is_there() && hub.broker().nodes().len() == count)
    };
    eventually("the nodes know each other", async || knows_all(world).then_some(())).await;
}

async fn has_heard(person: &Person, what: &str) {
    eventually(what, async || person.has_heard(what).then_some(())).await;
}

/// Waits until all nodes show the same, so many messages among it, in the same order.
async fn all_show(world: &World, messages: usize) {
    eventually("all nodes show the same", async || {
        let looks = world.looks().await;
        looks.iter().all(|look| *look == looks[0] && look.1.len() == messages).then_some(())
    })
    .await;
}

fn messages(person: &Person) -> Vec<String> {
    let mut told = person.told();
    told.retain(|what| what.contains(':'));
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_told_on_all_nodes_in_the_same_order() {
    let server = Server::start().await;
    let world = world(&server, 3).await;
    let people = [world.enter(1, "ann").await, world.enter(2, "ben").await, world.enter(3, "cat").await];
    let mut answers = Vec::new();
    for n in 0..150 {
        answers.push(people[n % 3].say_later(format!("{n}:")));
    }
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
    all_show(&world, 150).await;
    let heard = people.each_ref().map(messages);
    assert_eq!(heard[0].len(), 150);
    assert!(heard.iter().all(|other| *other == heard[0]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nodes_death_is_one_left_and_a_return_elsewhere_is_none() {
    let server = Server::start().await;
    let mut world = world(&server, 3).await;
    let ann = world.enter(1, "ann").await;
    let ben = world.enter(2, "ben").await;
    let cat = world.enter(2, "cat").await;
    has_heard(&ann, "joined cat").await;
    ann.told();
    world.hubs.remove(&2).unwrap().close().await;
    let (id, key) = (ben.id(), ben.key());
    // With its people the node is dropped, without a farewell.
    drop((ben, cat));
    let again = world.try_enter(3, "ben", key, None).await.unwrap();
    assert_eq!(again.id(), id);
    has_heard(&ann, "left cat").await;
    stays("only cat left", GRACE, async || ann.count() == 1).await;
    let looks = world.looks().await;
    assert_eq!(World::agree(&looks).0, [("ann".to_owned(), true), ("ben".to_owned(), true)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_comes_back_empty_is_given_the_room_again() {
    let mut server = Server::start().await;
    let world = world(&server, 2).await;
    let ann = world.enter(1, "ann").await;
    let cat = world.enter(1, "cat").await;
    let ben = world.enter(2, "ben").await;
    ann.say("1:").await;
    has_heard(&ben, "1:").await;
    has_heard(&ann, "joined ben").await;
    has_heard(&cat, "1:").await;
    [&ann, &ben, &cat].iter().for_each(|person| drop(person.told()));
    server.kill();
    ann.say("2:").await;
    ben.say("3:").await;
    has_heard(&cat, "2:").await;
    server.restart();
    for (person, what) in [(&ann, "3:"), (&cat, "3:"), (&ben, "2:")] {
        has_heard(person, what).await;
    }
    all_show(&world, 3).await;
    let mut told = [&ann, &cat, &ben].map(Person::told);
    told.iter_mut().for_each(|told| told.sort());
    assert_eq!(told, [["2:", "3:"], ["2:", "3:"], ["2:", "3:"]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_drops_its_subscribers_or_holds_all_up_loses_and_repeats_nothing() {
    let server = Server::start().await;
    let world = world(&server, 2).await;
    let people = [world.enter(1, "ann").await, world.enter(2, "ben").await];
    has_heard(&people[0], "joined ben").await;
    let mut answers = Vec::new();
    for n in 0..60 {
        answers.push(people[n % 2].say_later(format!("{n}:")));
        match n {
            15 | 20 => server.order(&["CLIENT", "KILL", "TYPE", "pubsub"]).await,
            30 => server.order(&["CLIENT", "PAUSE", "3000", "ALL"]).await,
            45 => server.order(&["CLIENT", "KILL", "TYPE", "normal"]).await,
            _ => tokio::task::yield_now().await,
        }
    }
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
    all_show(&world, 60).await;
    for person in &people {
        let mut heard = messages(person);
        assert_eq!(heard.len(), 60, "{heard:?}");
        heard.sort();
        heard.dedup();
        assert_eq!(heard.len(), 60);
    }
}
