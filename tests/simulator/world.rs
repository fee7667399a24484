//! The world of one schedule: virtual time, the links between the parties and the server, and what goes
//! wrong on them. It decides nothing that a party or the server decides.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::node::{Node, Post};
use crate::plan::{Fault, LinkHabits, MILLI, Peer, Plan, SECOND};
use crate::queue::Queue;
use crate::sink::{self, Consumer, Stage};
use crate::source::{self, Producer};
use crate::word::{Event, Who};

/// Happenings of one schedule, at most: more is a storm of words.
const MOST_HAPPENINGS: u64 = 400_000;

/// A word from a party.
#[derive(Debug, Clone)]
pub enum Said {
    Source(source::Say),
    Sink(usize, sink::Say),
}

#[derive(Debug)]
enum Happening {
    ToNode { era: u64, said: Said },
    ToPeer { peer: Peer, era: u64, post: Post, len: u64 },
    NodeNotices { peer: Peer, era: u64 },
    PeerNotices { peer: Peer, era: u64, returns: u64 },
    Connect { peer: Peer },
    Wake { peer: Peer },
    NodeTick,
    Fault(Fault),
    Recover { sink: usize },
    Resume { who: Who },
}

/// The link of one party.
struct Link {
    habits: LinkHabits,
    /// Which of its lives this is; what was on its way in an earlier one is lost.
    era: u64,
    is_up: bool,
    /// When the last word in order arrives, up and down.
    last: [u64; 2],
    /// When its party wakes.
    wake_at: Option<u64>,
}

/// The world of one schedule.
pub struct World {
    plan: Plan,
    rng: StdRng,
    now: u64,
    queue: Queue<Happening>,
    pub node: Node,
    producer: Producer,
    producer_link: Link,
    sinks: Vec<Consumer>,
    sink_links: Vec<Link>,
    stalled_for_ever: Vec<bool>,
    node_tick_at: Option<u64>,
    /// When each sink had all that it came for.
    done_at: Vec<Option<u64>>,
}

impl World {
    pub fn new(plan: Plan) -> Self {
        let link = |habits: &LinkHabits| Link {
            habits: habits.clone(),
            era: 0,
            is_up: false,
            last: [0; 2],
            wake_at: None,
        };
        let mut world = Self {
            rng: StdRng::seed_from_u64(plan.seed ^ 0x5eed),
            now: 0,
            queue: Queue::default(),
            node: Node::new(&plan),
            producer: Producer::new(plan.producer.clone(), plan.seed ^ 0x50),
            producer_link: link(&plan.producer_link),
            sinks: plan
                .sinks
                .iter()
                .map(|(habits, _)| Consumer::new(habits.clone(), plan.setup.size))
                .collect(),
            sink_links: plan.sinks.iter().map(|(_, habits)| link(habits)).collect(),
            stalled_for_ever: vec![false; plan.sinks.len()],
            node_tick_at: None,
            done_at: vec![None; plan.sinks.len()],
            plan,
        };
        world.at(0, Happening::Connect { peer: Peer::Source });
        for sink in 0..world.sinks.len() {
            let joins = world.plan.sinks[sink].0.joins_at;
            world.at(joins, Happening::Connect { peer: Peer::Sink(sink) });
        }
        for (at, fault) in world.plan.faults.clone() {
            world.at(at, Happening::Fault(fault));
        }
        world
    }

    /// Runs to the end; the time it took, or what promise was broken.
    pub fn run(&mut self) -> Result<u64, String> {
        while let Some((at, happening)) = self.queue.next() {
            self.now = at;
            if at > self.plan.deadline || self.queue.count() > MOST_HAPPENINGS {
                return Err(format!(
                    "not done at {at} after {} happenings: {}",
                    self.queue.count(),
                    self.standing()
                ));
            }
            self.happen(happening)?;
            if self.is_over() {
                break;
            }
            self.plan_tick();
        }
        if !self.is_over() {
            return Err(format!("nothing more happens at {}: {}", self.now, self.standing()));
        }
        for (sink, done_at) in self.done_at.iter().enumerate() {
            if let (Some(promised), Some(done_at)) = (self.plan.promised(sink), done_at)
                && *done_at > promised
            {
                return Err(format!("sink {sink} was done at {done_at}, by {promised} was promised"));
            }
        }
        self.node.end(&self.plan)?;
        Ok(self.now)
    }

    fn standing(&self) -> String {
        let sinks: Vec<_> = self.sinks.iter().map(|sink| (sink.stage, sink.held)).collect();
        format!("{sinks:?} of {}", self.plan.producer.size)
    }

    fn is_over(&self) -> bool {
        let mut sinks = self.sinks.iter().zip(&self.stalled_for_ever);
        self.node.is_over()
            || sinks.all(|(sink, stalled)| {
                *stalled || matches!(sink.stage, Stage::Done | Stage::Closed | Stage::Left)
            })
    }

    fn at(&mut self, time: u64, happening: Happening) {
        self.queue.add(time.max(self.now), happening);
    }

    fn plan_tick(&mut self) {
        let due = self.node.timeout().map(|at| at.max(self.now));
        if due != self.node_tick_at
            && let Some(at) = due
        {
            self.at(at, Happening::NodeTick);
        }
        self.node_tick_at = due;
    }

    fn happen(&mut self, happening: Happening) -> Result<(), String> {
        match happening {
            Happening::ToNode { era, said } => {
                let peer = match said {
                    Said::Source(_) => Peer::Source,
                    Said::Sink(sink, _) => Peer::Sink(sink),
                };
                if self.link(peer).era == era && self.link(peer).is_up {
                    self.node.hear(self.now, era, &said)?;
                }
            }
            Happening::ToPeer { peer, era, post, len } => {
                if self.link(peer).era == era && self.link(peer).is_up {
                    self.deliver(peer, era, &post, len)?;
                }
            }
            Happening::NodeNotices { peer, era } => self.node.notice(self.now, peer, era)?,
            Happening::PeerNotices { peer, era, returns } => {
                if self.link(peer).era == era {
                    self.disconnect(peer);
                    self.at(self.now + returns, Happening::Connect { peer });
                }
            }
            Happening::Connect { peer } => self.connect(peer),
            Happening::Wake { peer } => self.wake(peer),
            Happening::NodeTick => {
                if self.node_tick_at == Some(self.now) {
                    self.node_tick_at = None;
                    self.node.tell(self.now, Event::Tick)?;
                }
            }
            Happening::Fault(fault) => self.go_wrong(fault)?,
            Happening::Recover { sink } => {
                let taken = self.sinks[sink].recover(self.now);
                self.node.take(self.now, sink, self.sink_links[sink].era, taken)?;
            }
            Happening::Resume { who } => self.node.tell(self.now, Event::Resume(who))?,
        }
        self.flush();
        Ok(())
    }

    fn link(&mut self, peer: Peer) -> &mut Link {
        match peer {
            Peer::Source => &mut self.producer_link,
            Peer::Sink(sink) => &mut self.sink_links[sink],
        }
    }

    fn deliver(&mut self, peer: Peer, era: u64, post: &Post, len: u64) -> Result<(), String> {
        match (peer, post) {
            (Peer::Source, Post::Source(word)) => self.producer.hear(self.now, word),
            (Peer::Sink(sink), Post::Sink(word)) => {
                let is_chunk = matches!(word, sink::Hear::Chunk { .. });
                let taken = self.sinks[sink].hear(self.now, word);
                // A word that comes again takes no room again.
                self.node.take(self.now, sink, era, if is_chunk { taken.min(len) } else { 0 })?;
            }
            _ => {}
        }
        Ok(())
    }

    fn connect(&mut self, peer: Peer) {
        let now = self.now;
        if let Peer::Sink(sink) = peer
            && self.sinks[sink].stage == Stage::Left
        {
            return;
        }
        let link = self.link(peer);
        if link.is_up {
            return;
        }
        link.era += 1;
        link.is_up = true;
        link.last = [now; 2];
        match peer {
            Peer::Source => self.producer.connect(),
            Peer::Sink(sink) => self.sinks[sink].connect(now),
        }
    }

    fn disconnect(&mut self, peer: Peer) {
        match peer {
            Peer::Source => self.producer.disconnect(),
            Peer::Sink(sink) => self.sinks[sink].disconnect(),
        }
    }

    fn wake(&mut self, peer: Peer) {
        let now = self.now;
        let link = self.link(peer);
        if link.wake_at == Some(now) {
            link.wake_at = None;
        }
        match peer {
            Peer::Source if self.producer.wake_at == Some(now) => self.producer.wake(now),
            Peer::Sink(sink) if self.sinks[sink].wake_at == Some(now) => self.sinks[sink].wake(now),
            _ => {}
        }
    }

    fn go_wrong(&mut self, fault: Fault) -> Result<(), String> {
        let now = self.now;
        match fault {
            Fault::Cut { peer, peer_notices, node_notices, returns } => {
                let link = self.link(peer);
                if !link.is_up {
                    return Ok(());
                }
                link.is_up = false;
                let era = link.era;
                self.at(now + peer_notices, Happening::PeerNotices { peer, era, returns });
                self.at(now + node_notices, Happening::NodeNotices { peer, era });
            }
            Fault::Stall { sink, lasts } => {
                self.sinks[sink].stall();
                match lasts {
                    Some(lasts) => self.at(now + lasts, Happening::Recover { sink }),
                    None => self.stalled_for_ever[sink] = true,
                }
            }
            Fault::Pause { who, lasts } => {
                let may = match who {
                    Who::Sender => true,
                    Who::Sink(sink) => self.node.has_come(sink as usize),
                };
                if may {
                    self.node.tell(now, Event::Pause(who))?;
                    self.at(now + lasts, Happening::Resume { who });
                }
            }
            Fault::Say(event) => self.node.tell(now, event)?,
            Fault::Leave { sink } => {
                self.sinks[sink].leave();
                self.node.leave(now, sink)?;
            }
            Fault::Vanish { sink } => {
                self.sinks[sink].leave();
                let link = &mut self.sink_links[sink];
                link.is_up = false;
                let era = link.era;
                self.at(now + 10 * SECOND, Happening::NodeNotices { peer: Peer::Sink(sink), era });
            }
        }
        Ok(())
    }

    /// Sends what was said, and plans who wakes when.
    fn flush(&mut self) {
        for (sink, done_at) in self.sinks.iter().zip(&mut self.done_at) {
            if matches!(sink.stage, Stage::Holding | Stage::Done) && done_at.is_none() {
                *done_at = Some(self.now);
            }
        }
        let said = std::mem::take(&mut self.producer.says).into_iter().map(Said::Source).collect::<Vec<_>>();
        for word in said {
            self.send_up(Peer::Source, word);
        }
        for sink in 0..self.sinks.len() {
            for word in std::mem::take(&mut self.sinks[sink].says) {
                self.send_up(Peer::Sink(sink), Said::Sink(sink, word));
            }
        }
        for (peer, era, post, len) in self.node.take_posts() {
            self.send_down(peer, era, post, len);
        }
        if let Some(at) = self.producer.wake_at {
            self.plan_wake(Peer::Source, at);
        }
        for sink in 0..self.sinks.len() {
            if let Some(at) = self.sinks[sink].wake_at {
                self.plan_wake(Peer::Sink(sink), at);
            }
        }
    }

    fn plan_wake(&mut self, peer: Peer, at: u64) {
        let link = self.link(peer);
        if link.wake_at != Some(at) {
            link.wake_at = Some(at);
            self.at(at, Happening::Wake { peer });
        }
    }

    fn send_up(&mut self, peer: Peer, said: Said) {
        let era = self.link(peer).era;
        let opens = matches!(said, Said::Source(source::Say::Open) | Said::Sink(_, sink::Say::Open { .. }));
        for at in self.travel(peer, 0, 0, opens) {
            self.at(at, Happening::ToNode { era, said: said.clone() });
        }
    }

    fn send_down(&mut self, peer: Peer, era: u64, post: Post, len: u64) {
        let rate = match peer {
            Peer::Source => 1_000_000,
            Peer::Sink(sink) => self.plan.sinks[sink].0.rate,
        };
        let is_certain = matches!(post, Post::Sink(sink::Hear::End { .. }));
        let times = self.travel(peer, 1, len * MILLI / rate, is_certain);
        if let (true, Peer::Sink(sink)) = (times.is_empty(), peer) {
            self.node.drop_bytes(sink, era, len);
        }
        for (index, at) in times.into_iter().enumerate() {
            let len = if index == 0 { len } else { 0 };
            self.at(at, Happening::ToPeer { peer, era, post: post.clone(), len });
        }
    }

    /// When a word arrives: never, once or twice. One that is `certain` is lost with its link alone.
    fn travel(&mut self, peer: Peer, way: usize, takes: u64, certain: bool) -> Vec<u64> {
        let (now, quiet) = (self.now, self.now >= self.plan.quiet_at);
        let dice =
            [self.rng.random_range(0..1000), self.rng.random_range(0..1000), self.rng.random_range(0..1000)];
        let (jitter, late) = (self.rng.random::<u64>(), self.rng.random_range(0..3 * SECOND));
        let link = self.link(peer);
        if !link.is_up {
            return Vec::new();
        }
        let habits = &link.habits;
        let in_order = (now + habits.delay + jitter % habits.jitter).max(link.last[way]) + takes;
        let faulty = !quiet && !certain;
        if faulty && dice[0] < habits.loses {
            return Vec::new();
        }
        if faulty && dice[1] < habits.shuffles {
            return vec![now + habits.delay + late];
        }
        link.last[way] = in_order;
        if faulty && dice[2] < habits.repeats { vec![in_order, in_order + late] } else { vec![in_order] }
    }
}
