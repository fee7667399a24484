//! What one schedule is: who takes part, what they are like, and what goes wrong when. Everything is
//! drawn from one seed.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use roomdrop::relay::{Options, Source, Straggler};

use crate::server::{Machine, Setup};
use crate::sink::{self, Acks};
use crate::source::{self, Chunking};
use crate::word::{Event, Who};

pub const MILLI: u64 = 1000;
pub const SECOND: u64 = 1000 * MILLI;

/// A party of the transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    Source,
    Sink(usize),
}

/// What a link does to single words, in a thousand.
#[derive(Debug, Clone)]
pub struct LinkHabits {
    /// Microseconds on the way, at least.
    pub delay: u64,
    /// Microseconds more, at most.
    pub jitter: u64,
    pub loses: u64,
    pub repeats: u64,
    /// So many overtake, or come late.
    pub shuffles: u64,
}

/// What goes wrong.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The link is cut; each side notices in its own time, if at all before the return.
    Cut { peer: Peer, peer_notices: u64, node_notices: u64, returns: u64 },
    /// A sink reads nothing for a while, or never again.
    Stall { sink: usize, lasts: Option<u64> },
    /// Someone wishes to wait, for a while.
    Pause { who: Who, lasts: u64 },
    /// Somebody's word that ends it all.
    Say(Event),
    /// A sink wants nothing more.
    Leave { sink: usize },
    /// A sink vanishes for good, without a word.
    Vanish { sink: usize },
}

/// One schedule.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub setup: Setup,
    pub producer: source::Habits,
    pub producer_link: LinkHabits,
    pub sinks: Vec<(sink::Habits, LinkHabits)>,
    pub faults: Vec<(u64, Fault)>,
    /// From here on nothing goes wrong any more.
    pub quiet_at: u64,
    /// By then everything is done.
    pub deadline: u64,
}

/// What kinds of things go wrong at all in a schedule.
struct Weather {
    cuts: bool,
    loses: u64,
    repeats: u64,
    shuffles: u64,
    stalls: bool,
    pauses: bool,
    leaves: bool,
    ends: bool,
    mischief: u64,
}

/// The dice of one schedule.
pub struct Dice(StdRng);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    pub fn up_to(&mut self, least: u64, most: u64) -> u64 {
        self.0.random_range(least..=most)
    }

    /// Small values as likely as large ones.
    pub fn spread(&mut self, least: u64, most: u64) -> u64 {
        let (low, high) = ((least.max(1) as f64).ln(), (most.max(1) as f64).ln());
        let value = self.0.random_range(low..=high.max(low + 1e-9)).exp();
        (value as u64).clamp(least, most)
    }

    pub fn percent(&mut self, chance: u64) -> bool {
        self.up_to(0, 99) < chance
    }

    pub fn one_of<T: Copy>(&mut self, these: &[T]) -> T {
        these[self.up_to(0, these.len() as u64 - 1) as usize]
    }
}

impl Plan {
    /// The schedule of this seed, for this machine.
    pub fn draw(machine: Machine, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let weather = Weather::draw(&mut dice);
        let window = dice.one_of(&[4, 8, 16, 32]) * 1024;
        let is_once = dice.percent(25);
        let size = match dice.up_to(0, 99) {
            0..3 => 0,
            3..30 => dice.spread(1, window),
            _ => dice.spread(window, 20 * window),
        };
        let says_size = dice.percent(if is_once { 40 } else { 85 });
        let mut setup = setup(&mut dice, window, is_once, says_size.then_some(size));
        setup.machine = machine;
        let producer = producer(&mut dice, &setup, size, &weather);
        let mut producer_link = link(&mut dice, &weather);
        if is_once {
            // What such a source has sent is lost with its link, and the transfer with it.
            producer_link.loses = 0;
            producer_link.shuffles = 0;
        }
        let count = dice.one_of(&[1, 1, 2, 2, 3, 3, 4, 5, 8]);
        let sinks: Vec<_> = (0..count)
            .map(|_| (consumer(&mut dice, window, size, is_once), link(&mut dice, &weather)))
            .collect();
        let quiet_at = dice.spread(SECOND, 60 * SECOND);
        let mut faults = faults(&mut dice, &weather, count, is_once, quiet_at);
        if machine == Machine::Session && weather.ends {
            let at = dice.spread(10 * MILLI, quiet_at);
            faults.push((at, last_word(&mut dice)));
        }
        let slowest = sinks.iter().map(|(habits, _)| habits.rate).min().unwrap_or(1).min(producer.rate);
        let transit = size.div_ceil(slowest) * MILLI;
        let joins = sinks.iter().map(|(habits, _)| habits.joins_at).max().unwrap_or(0);
        // While memory is short, a sink that acknowledges seldom goes on by its own patience alone.
        let patience = sinks.iter().map(|(habits, _)| habits.patience).max().unwrap_or(0);
        let is_short = setup.budget < 8 * window;
        let starved = if is_short { size.div_ceil(setup.options.floor) * patience * count as u64 } else { 0 };
        let deadline = quiet_at.max(joins) + 400 * SECOND + 4 * transit * count as u64 + starved;
        Self { seed, setup, producer, producer_link, sinks, faults, quiet_at, deadline }
    }

    /// When a sink is done at the latest, whatever the others do: where nothing goes wrong, memory is not
    /// short and there is a lane for each, its own link and the source's alone hold it back, and the
    /// patience that the slower ones are borne with.
    pub fn promised(&self, sink: usize) -> Option<u64> {
        let Options { window, lanes, patience, .. } = self.setup.options;
        let count = self.sinks.len();
        let has_room = self.setup.budget >= 8 * window && count <= lanes;
        if !self.is_calm() || !has_room || self.setup.source == Source::Once {
            return None;
        }
        let (habits, link) = &self.sinks[sink];
        let pause = match habits.acks {
            Acks::Chunk => 0,
            Acks::Bytes(step) if step <= window / 8 => 0,
            Acks::Timer(every) => every,
            Acks::Bytes(_) | Acks::Limit => return None,
        };
        let ahead = habits.window.min(window / 4);
        if habits.window < window / 2 {
            return None;
        }
        let size = self.producer.size;
        let len = habits.to.unwrap_or(size).min(size) - habits.from;
        let rate = habits.rate.min(self.producer.rate / count as u64).max(1);
        let way = |link: &LinkHabits| 2 * (link.delay + link.jitter);
        let round = way(link) + way(&self.producer_link) + pause;
        let bears = patience.as_micros() as u64 * (count as u64 - 1);
        // One that holds others back for less than half of the time is borne with for ever.
        let alone = len * MILLI / rate + (len / ahead + 3) * round;
        Some(habits.joins_at + 2 * alone + bears + 50 * MILLI)
    }

    /// Whether nothing at all goes wrong.
    pub fn is_calm(&self) -> bool {
        let calm = |link: &LinkHabits| link.loses + link.repeats + link.shuffles == 0;
        self.faults.is_empty()
            && self.producer.mischief == 0
            && calm(&self.producer_link)
            && self.sinks.iter().all(|(_, link)| calm(link))
    }
}

impl Weather {
    fn draw(dice: &mut Dice) -> Self {
        let calm = dice.percent(20);
        let mut some = |chance: u64, most: u64| {
            if !calm && dice.percent(chance) { dice.spread(1, most) } else { 0 }
        };
        Self {
            cuts: some(50, 1) > 0,
            loses: some(40, 100),
            repeats: some(30, 100),
            shuffles: some(30, 100),
            stalls: some(40, 1) > 0,
            pauses: some(30, 1) > 0,
            leaves: some(20, 1) > 0,
            ends: some(20, 1) > 0,
            mischief: some(30, 100),
        }
    }
}

fn setup(dice: &mut Dice, window: u64, is_once: bool, size: Option<u64>) -> Setup {
    let budget = match dice.up_to(0, 99) {
        0..60 => 64 * window,
        60..85 => dice.up_to(window, 4 * window),
        85..90 => 0,
        _ => dice.up_to(0, window),
    };
    Setup {
        machine: Machine::Relay,
        options: Options {
            window,
            chunk_max: window * 5 / 8,
            floor: window / dice.one_of(&[4, 8, 32]),
            lanes: dice.up_to(1, 4) as usize,
            patience: Duration::from_micros(dice.up_to(200, 3000) * MILLI),
            straggler: if dice.percent(30) { Straggler::Drop } else { Straggler::Wait },
            silence: Duration::from_micros(dice.up_to(1000, 10_000) * MILLI),
        },
        source: if is_once { Source::Once } else { Source::Seekable },
        size,
        budget,
        flaw: None,
    }
}

fn producer(dice: &mut Dice, setup: &Setup, size: u64, weather: &Weather) -> source::Habits {
    let max = setup.options.chunk_max;
    let chunking = match dice.up_to(0, 3) {
        0 => Chunking::Fixed(if size < 2000 { dice.spread(1, max) } else { dice.spread(size / 500, max) }),
        1 => Chunking::Fixed(max),
        2 => Chunking::Between(1, max),
        _ => Chunking::Between(max / 16, max / 4),
    };
    source::Habits {
        size,
        says_size: setup.size.is_some(),
        is_once: setup.source == Source::Once,
        chunking,
        rate: dice.spread(20, 5000),
        digests: dice.percent(20),
        mischief: weather.mischief,
        chunk_max: max,
    }
}

fn consumer(dice: &mut Dice, window: u64, size: u64, is_once: bool) -> sink::Habits {
    let asks = if dice.percent(70) { window } else { dice.spread(window / 16, 2 * window) };
    let acks = match dice.up_to(0, 4) {
        0 | 1 => Acks::Chunk,
        2 => Acks::Bytes(dice.spread(1, asks.min(window))),
        3 => Acks::Limit,
        _ => Acks::Timer(dice.up_to(1, 500) * MILLI),
    };
    let is_range = size > 0 && dice.percent(20);
    let from = if is_range { dice.up_to(0, size - 1) } else { 0 };
    sink::Habits {
        from,
        to: (is_range && dice.percent(70)).then(|| dice.up_to(from, size)),
        is_download: is_range || dice.percent(10),
        window: asks,
        acks,
        lane_step: dice.one_of(&[1, 1, 1, 7]),
        restarts_lanes: dice.percent(20),
        patience: dice.up_to(2, 8) * SECOND,
        joins_at: if dice.percent(60) {
            dice.up_to(0, 200 * MILLI)
        } else {
            dice.spread(MILLI, if is_once { SECOND } else { 30 * SECOND })
        },
        rate: if dice.percent(70) { dice.spread(500, 10_000) } else { dice.spread(10, 500) },
        outbox: dice.spread(window / 4, 4 * window),
    }
}

fn link(dice: &mut Dice, weather: &Weather) -> LinkHabits {
    LinkHabits {
        delay: dice.spread(50, 200 * MILLI),
        jitter: dice.spread(1, 50 * MILLI),
        loses: weather.loses,
        repeats: weather.repeats,
        shuffles: weather.shuffles,
    }
}

/// What ends a transfer, or its source.
fn last_word(dice: &mut Dice) -> Fault {
    let lost = Fault::Cut {
        peer: Peer::Source,
        peer_notices: SECOND,
        node_notices: dice.spread(MILLI, SECOND),
        returns: 5 * SECOND,
    };
    match dice.up_to(0, 2) {
        0 => Fault::Say(Event::Cancel(Who::Sender)),
        1 => Fault::Say(Event::SourceFail),
        _ => lost,
    }
}

fn faults(
    dice: &mut Dice,
    weather: &Weather,
    sinks: usize,
    is_once: bool,
    quiet_at: u64,
) -> Vec<(u64, Fault)> {
    let mut faults = Vec::new();
    let sink = |dice: &mut Dice| dice.up_to(0, sinks as u64 - 1) as usize;
    let count = dice.up_to(1, 6);
    for _ in 0..count {
        let at = dice.spread(10 * MILLI, quiet_at);
        if weather.cuts {
            let spares_source = is_once || dice.percent(60);
            let peer = if spares_source { Peer::Sink(sink(dice)) } else { Peer::Source };
            let peer_notices = dice.spread(MILLI, 5 * SECOND);
            let node_notices = dice.spread(MILLI, 20 * SECOND);
            let returns = dice.spread(MILLI, 20 * SECOND);
            faults.push((at, Fault::Cut { peer, peer_notices, node_notices, returns }));
        }
        if weather.stalls {
            let lasts = dice.spread(100 * MILLI, 30 * SECOND);
            let for_ever = !is_once && dice.percent(10);
            faults.push((at, Fault::Stall { sink: sink(dice), lasts: (!for_ever).then_some(lasts) }));
        }
        if weather.pauses {
            let who = if dice.percent(40) { Who::Sender } else { Who::Sink(sink(dice) as u64) };
            faults.push((at, Fault::Pause { who, lasts: dice.spread(MILLI, 30 * SECOND) }));
        }
        if weather.leaves && dice.percent(30) {
            let sink = sink(dice);
            let for_good = !is_once && dice.percent(50);
            faults.push((at, if for_good { Fault::Vanish { sink } } else { Fault::Leave { sink } }));
        }
    }
    faults
}
