//! What one node says to another when any of what it said may be lost. That all ends well is the simulator's
//! business: time-outs would see to it. These show that nobody waits for them.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::words::Word;
use super::*;

use crate::protocol::{ErrorCode, MemberId, Moment, Secret, TransferId};
use crate::relay::{self, Budget, Options, Relay, SinkId, Straggler};
use crate::transfer::{self, Transfer};

const HOME: NodeId = NodeId(1);
const EDGE: NodeId = NodeId(2);

fn relay() -> Relay {
    relay_with(relay::Source::Seekable, Some(1000))
}

fn relay_of(source: relay::Source) -> Relay {
    relay_with(source, None)
}

fn relay_with(source: relay::Source, size: Option<u64>) -> Relay {
    let options = Options {
        window: 8 << 20,
        chunk_max: 5 << 20,
        floor: 100 << 10,
        lanes: 4,
        patience: Duration::from_secs(2),
        straggler: Straggler::Wait,
        silence: Duration::from_secs(10),
    };
    Relay::new(options, Budget::new(512 << 20), source, size)
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

/// A live stream from one node's source, with a fast receiver there and another at an edge that begins when the
/// stream is already under way. Frames keep their order; how they and everything else interleave is drawn.
struct LiveStream {
    now: Moment,
    home: Session,
    edge: Session,
    to_home: VecDeque<Body>,
    to_edge: VecDeque<Body>,
    /// What the source was asked for last, and how far it is.
    asked: (u64, u64),
    sent: u64,
    fast: SinkId,
    fast_has: u64,
    late: Late,
    /// Whether the way to the edge has no room, and the sinks that found none.
    is_full: bool,
    busy: Vec<SinkId>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Late {
    Absent,
    Open(SinkId),
    Waits(SinkId),
    Served(u64),
    Closed(ErrorCode),
}

impl LiveStream {
    fn new() -> Self {
        let now = Moment::from_micros(1_000_000);
        let hour = Duration::from_secs(3600);
        let options = transfer::Options { lifetime: hour, stall_timeout: hour };
        let (id, invited) = (TransferId::from_random(1), [who("fast"), who("late")].into());
        let transfer = Transfer::new(now, id, who("sender"), transfer::Source::Once, None, invited, options);
        let mut home = Session::new(now, HOME, Sharing::Among, transfer, relay_of(relay::Source::Once));
        home.handle(now, Input::SourceOpened).unwrap();
        for (member, letter) in [("fast", "a"), ("late", "b")] {
            let token = Secret::new(&letter.repeat(32)).unwrap();
            home.handle(now, Input::Accept { member: who(member), token }).unwrap();
        }
        let situation = home.situation(now);
        let edge = Session::edge(now, EDGE, 1, situation, relay_of(relay::Source::Upstream));
        let opened = home.handle(now, Input::OpenSink { member: who("fast"), kind: SinkKind::Link });
        let Ok(Reply::Opened(fast)) = opened else { panic!("{opened:?}") };
        home.handle(now, Input::Pull { sink: fast, lane: 1, from: 0, limit: 2 << 20 }).unwrap();
        let (to_home, to_edge, late) = (VecDeque::new(), VecDeque::new(), Late::Absent);
        let (asked, sent, fast_has, is_full, busy) = ((0, 0), 0, 0, false, Vec::new());
        let mut all =
            Self { now, home, edge, to_home, to_edge, asked, sent, fast, fast_has, late, is_full, busy };
        all.carry_out();
        all
    }

    fn step(&mut self, choice: u8) {
        let now = self.now;
        let (mut at_home, mut at_edge) = (None, None);
        match choice {
            0 => at_home = self.to_home.pop_front().map(|body| Input::Heard { from: EDGE, epoch: 1, body }),
            1 => at_edge = self.to_edge.pop_front().map(|body| Input::Heard { from: HOME, epoch: 1, body }),
            2 => {
                let (lane, limit) = self.asked;
                let bytes = Bytes::from(vec![7; limit.saturating_sub(self.sent).min(256 << 10) as usize]);
                let offset = self.sent;
                self.sent += bytes.len() as u64;
                at_home = (!bytes.is_empty()).then_some(Input::Chunk { lane, offset, bytes, digest: None });
            }
            3 => {
                let (from, limit) = (self.fast_has, self.fast_has + (2 << 20));
                at_home = Some(Input::Pull { sink: self.fast, lane: 1, from, limit });
            }
            4 => match self.late {
                Late::Absent => {
                    let opening = Input::OpenSink { member: who("late"), kind: SinkKind::Link };
                    if let Ok(Reply::Opened(sink)) = self.edge.handle(now, opening) {
                        self.late = Late::Open(sink);
                    }
                }
                Late::Open(sink) => {
                    self.late = Late::Waits(sink);
                    at_edge = Some(Input::Pull { sink, lane: 1, from: 0, limit: 1000 });
                }
                Late::Waits(_) | Late::Served(_) | Late::Closed(_) => {}
            },
            5 => {
                self.is_full = !self.is_full;
                for sink in std::mem::take(&mut self.busy) {
                    self.home.handle(now, Input::SinkReady(sink)).unwrap();
                }
            }
            _ => {
                self.now = now + Duration::from_millis(50);
                (at_home, at_edge) = (Some(Input::Tick), Some(Input::Tick));
            }
        }
        for (session, input) in [(&mut self.home, at_home), (&mut self.edge, at_edge)] {
            let answer = input.map_or(Ok(Reply::Done), |input| session.handle(self.now, input));
            assert!(answer.is_ok(), "{answer:?}");
        }
        self.carry_out();
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.home.poll_output() {
            match output {
                Output::Pull { lane, limit, .. } => self.asked = (lane, limit),
                Output::Chunk { sink, offset, bytes, edge: None, .. } if sink == self.fast => {
                    self.fast_has = offset + bytes.len() as u64;
                }
                Output::Chunk { sink, offset, edge: Some(_), .. } if self.is_full => {
                    self.busy.push(sink);
                    self.home.handle(self.now, Input::SinkBusy { sink, offset }).unwrap();
                }
                Output::Chunk { lane, offset, bytes, digest, edge: Some(_), .. } => {
                    self.to_edge.push_back(Body::Chunk { lane, offset, digest, bytes });
                }
                Output::Send { body, .. } => self.to_edge.push_back(body),
                Output::Save => {
                    let number = self.home.situation(self.now).number;
                    self.home.handle(self.now, Input::Saved { number }).unwrap();
                }
                _ => {}
            }
        }
        while let Some(output) = self.edge.poll_output() {
            match output {
                Output::Send { body, .. } => self.to_home.push_back(body),
                Output::Chunk { offset, bytes, .. } => self.late = Late::Served(offset + bytes.len() as u64),
                Output::CloseSink { error, .. } => self.late = Late::Closed(error),
                _ => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn who_begins_a_live_stream_at_another_node_gets_its_start_or_is_told_that_it_is_too_late(
        choices in vec(prop_oneof![4 => 2_u8..4, 1 => 0_u8..7], 0..300)
    ) {
        let mut stream = LiveStream::new();
        for choice in choices {
            stream.step(choice);
        }
        for choice in [4, 4].into_iter().chain((0..600).flat_map(|_| [0, 1, 2, 3, 0, 1, 5, 6, 6])) {
            stream.step(choice);
        }
        let is_right = matches!(stream.late, Late::Served(1000) | Late::Closed(ErrorCode::TransferClosed));
        prop_assert!(is_right, "{:?} after {} bytes", stream.late, stream.sent);
    }
}
