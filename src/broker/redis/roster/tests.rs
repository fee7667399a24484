//! Who counts as lost, by beats and times that are made up.

use super::*;

struct Watch {
    known: Known,
    now: Instant,
    redis: u64,
}

fn card(node: u64, wholes: u64) -> Card {
    let node = Node { id: NodeId(node), name: format!("n{node}"), peer_url: None };
    Card { node, started: 0, wholes, stay: Stay::Staying }
}

impl Watch {
    fn new() -> Self {
        Self { known: Known::default(), now: Instant::now(), redis: 1_000_000 }
    }

    /// Time goes on by `after`; then these nodes are found to have beaten so many milliseconds ago.
    fn beat(&mut self, after: u64, beats: &[(u64, u64, u64)]) -> Vec<Change> {
        self.now += Duration::from_millis(after);
        self.redis += after;
        let beats = beats.iter().map(|(node, wholes, age)| Beat {
            id: NodeId(*node),
            at: self.redis - age,
            card: card(*node, *wholes),
        });
        self.known.heard(self.now, self.redis, beats.collect())
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_beat_stands_still_is_lost_in_two_seconds_and_not_sooner() {
    let mut watch = Watch::new();
    assert_eq!(watch.beat(0, &[(1, 1, 0), (2, 1, 0)]), [Change::Hello(NodeId(1)), Change::Hello(NodeId(2))]);
    for round in 1..=3 {
        assert_eq!(watch.beat(500, &[(1, 1, 0), (2, 1, 500 * round)]), [], "{round}");
    }
    assert_eq!(watch.beat(500, &[(1, 1, 0), (2, 1, 2000)]), [Change::Lost(NodeId(2))]);
    assert_eq!(watch.beat(500, &[(1, 1, 0), (2, 1, 2500)]), []);
    assert_eq!(watch.beat(500, &[(1, 1, 0), (2, 1, 0)]), [Change::Hello(NodeId(2))], "it was only slow");
}

#[tokio::test(start_paused = true)]
async fn what_redis_did_not_answer_is_nobodys_silence() {
    let mut watch = Watch::new();
    watch.beat(0, &[(1, 1, 0)]);
    watch.beat(500, &[(1, 1, 500)]);
    assert_eq!(watch.beat(5000, &[(1, 1, 5500)]), [], "Redis stood still, and so did everybody's beat");
    for round in 1..=3 {
        assert_eq!(watch.beat(500, &[(1, 1, 5500 + 500 * round)]), []);
    }
    assert_eq!(watch.beat(500, &[(1, 1, 7500)]), [Change::Lost(NodeId(1))]);
}

#[tokio::test(start_paused = true)]
async fn a_redis_that_forgot_everybody_gives_them_their_time() {
    let mut watch = Watch::new();
    watch.beat(0, &[(1, 1, 0)]);
    watch.beat(500, &[(1, 1, 500)]);
    watch.known.is_blind();
    assert_eq!(watch.beat(500, &[]), []);
    assert_eq!(watch.beat(500, &[]), []);
    assert_eq!(watch.beat(500, &[(1, 1, 0)]), []);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_one_that_ended_long_ago_is_nobody() {
    let mut watch = Watch::new();
    assert_eq!(watch.beat(0, &[(1, 3, 10_000)]), []);
    assert!(watch.known.nodes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_hello_is_heard_once_by_word_or_by_beat() {
    let mut watch = Watch::new();
    watch.beat(0, &[(1, 1, 0)]);
    assert!(watch.known.said_hello(NodeId(1), 2));
    assert!(!watch.known.said_hello(NodeId(1), 2));
    assert_eq!(watch.beat(500, &[(1, 2, 0)]), []);
    assert_eq!(watch.beat(500, &[(1, 3, 0)]), [Change::Hello(NodeId(1))], "its word was lost");
    assert!(!watch.known.said_hello(NodeId(1), 3));
}

#[tokio::test(start_paused = true)]
async fn who_said_farewell_does_not_come_back() {
    let mut watch = Watch::new();
    watch.beat(0, &[(1, 1, 0)]);
    assert!(watch.known.said_farewell(NodeId(1)));
    assert!(!watch.known.said_farewell(NodeId(1)));
    assert_eq!(watch.beat(500, &[(1, 1, 0)]), []);
    assert!(watch.known.nodes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_two_runs_with_one_name_the_later_is_found_first() {
    let mut known = Known::default();
    for (id, started) in [(1, 100), (2, 300), (3, 200)] {
        let card = Card { started, ..card(id, 1) };
        known.nodes.insert(NodeId(id), Seen { card, at: 0, silent: Duration::ZERO });
    }
    let me = card(9, 0).node;
    let ids: Vec<_> = known.list(&me).iter().map(|node| node.id.0).collect();
    assert_eq!(ids, [9, 2, 3, 1]);
}
