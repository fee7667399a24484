//! What one node says to another when any of what it said may be lost. That all ends well is the simulator's
//! business: time-outs would see to it. These show that nobody waits for them.

use std::time::Duration;

use super::words::Word;
use super::*;

use crate::protocol::{MemberId, Moment, Secret, TransferId};
use crate::relay::{self, Budget, Options, Relay, Straggler};
use crate::transfer::{self, Transfer};

const HOME: NodeId = NodeId(1);
const EDGE: NodeId = NodeId(2);

fn relay() -> Relay {
    let options = Options {
        window: 8 << 20,
        chunk_max: 5 << 20,
        floor: 100 << 10,
        lanes: 4,
        patience: Duration::from_secs(2),
        straggler: Straggler::Wait,
        silence: Duration::from_secs(10),
    };
    Relay::new(options, Budget::new(512 << 20), relay::Source::Seekable, Some(1000))
}

fn who(name: &str) -> MemberId {
    MemberId::new(name).unwrap()
}

/// The home of an offer to ann, and an edge of it that the home has heard of.
fn two_nodes(now: Moment) -> (Session, Session) {
    let hour = Duration::from_secs(3600);
    let options = transfer::Options { lifetime: hour, stall_timeout: hour };
    let (id, invited) = (TransferId::from_random(1), [who("ann")].into());
    let source = transfer::Source::Seekable;
    let transfer = Transfer::new(now, id, who("sender"), source, Some(1000), invited, options);
    let mut home = Session::new(now, HOME, Sharing::Among, transfer, relay());
    let situation = home.situation(now);
    let mut edge = Session::edge(now, EDGE, 1, situation, relay());
    edge.handle(now, Input::Tick).unwrap();
    for body in said_to(&mut edge, HOME) {
        home.handle(now, Input::Heard { from: EDGE, epoch: 1, body }).unwrap();
    }
    said_to(&mut home, EDGE);
    (home, edge)
}

/// What a node said to another since it was last asked.
fn said_to(session: &mut Session, node: NodeId) -> Vec<Body> {
    let outputs = std::iter::from_fn(|| session.poll_output());
    outputs
        .filter_map(|output| match output {
            Output::Send { to, body } if to == node => Some(body),
            _ => None,
        })
        .collect()
}

fn words(bodies: &[Body]) -> Vec<Word> {
    let word = |body: &Body| match body {
        Body::Word(bytes) => Word::read(bytes),
        _ => None,
    };
    bodies.iter().filter_map(word).collect()
}

#[test]
fn what_was_asked_is_said_again_at_once_to_a_home_that_may_have_lost_it() {
    let now = Moment::from_micros(1_000_000);
    let (_, mut edge) = two_nodes(now);
    let token = Secret::new(&"a".repeat(32)).unwrap();
    let asked = edge.handle(now, Input::Accept { member: who("ann"), token });
    assert!(matches!(asked, Ok(Reply::Asked(_))), "{asked:?}");
    let first = said_to(&mut edge, HOME);
    assert!(matches!(words(&first)[..], [Word::Request { .. }]), "{first:?}");
    edge.handle(now, Input::Hello(HOME)).unwrap();
    let again = words(&said_to(&mut edge, HOME));
    assert!(again.contains(&words(&first)[0]), "{again:?}");
    assert!(again.iter().any(|word| matches!(word, Word::Facts(_))), "{again:?}");
    edge.handle(now, Input::Hello(NodeId(3))).unwrap();
    assert_eq!(said_to(&mut edge, HOME), [], "another node's loss is none of its home's");
}

#[test]
fn how_it_stands_is_said_again_at_once_to_an_edge_that_may_have_lost_it() {
    let now = Moment::from_micros(1_000_000);
    let (mut home, _) = two_nodes(now);
    home.handle(now, Input::Hello(EDGE)).unwrap();
    assert!(matches!(words(&said_to(&mut home, EDGE))[..], [Word::Situation(_)]));
    home.handle(now, Input::Hello(NodeId(3))).unwrap();
    assert_eq!(said_to(&mut home, NodeId(3)), [], "it has no part in the transfer");
}
