//! What one schedule of a cluster is: its nodes, who takes part, what they are like, and what goes wrong
//! when. Everything is drawn from one seed.

use std::time::Duration;

use roomdrop::relay::{Options, Straggler};

use crate::cluster::flaws::Flaw;
use crate::plan::{Dice, MILLI, Peer, SECOND};
use crate::sink::{self, Acks};
use crate::source::{self, Chunking};

/// What is between two nodes, and between a node and the records.
#[derive(Debug, Clone)]
pub struct NetHabits {
    /// Microseconds on the way, at least, and more, at most.
    pub delay: u64,
    pub jitter: u64,
    /// So many frames in a thousand are lost without a sign, come twice, or come late.
    pub loses: u64,
    pub repeats: u64,
    pub shuffles: u64,
    /// Bytes on their way from one node to another, at most.
    pub room: u64,
}

/// What goes wrong.
#[derive(Debug, Clone)]
pub enum Fault {
    /// A node is gone with all it held; another may come in its place.
    Kill { slot: usize, returns: Option<u64> },
    /// A node reaches neither the others nor the records for a while; its people stay.
    CutOff { slot: usize, lasts: u64 },
    /// Nobody reaches the others or the records for a while, and all of them may be forgotten.
    Away { lasts: u64, forgets: bool },
    /// A node's inbox breaks: what is sent to it meanwhile is lost.
    Deaf { slot: usize, lasts: u64 },
    /// A link is cut; each side notices in its own time.
    CutLine { peer: Peer, peer_notices: u64, node_notices: u64 },
    /// Someone wishes to wait, for a while: the sender, or a sink.
    Pause { who: Peer, lasts: u64 },
    /// A sink wants nothing more.
    Leave { sink: usize },
    /// The sender ends it all.
    Cancel,
}

/// One schedule.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub options: Options,
    pub budget: u64,
    pub is_once: bool,
    /// The size, where the offer says it.
    pub size: Option<u64>,
    pub nodes: usize,
    pub net: NetHabits,
    pub producer: source::Habits,
    pub sinks: Vec<sink::Habits>,
    /// The people's links take this long, at least and at most.
    pub lines: (u64, u64),
    pub faults: Vec<(u64, Fault)>,
    /// From here on nothing goes wrong any more.
    pub quiet_at: u64,
    /// By then everything is done.
    pub deadline: u64,
    /// What the nodes get wrong, for tests of the simulator itself.
    pub flaw: Option<Flaw>,
}

/// What kinds of things go wrong at all in a schedule.
#[derive(Debug)]
struct Weather {
    kills: bool,
    cut_offs: bool,
    away: bool,
    forgets: bool,
    deaf: bool,
    cuts: bool,
    pauses: bool,
    leaves: bool,
    cancels: bool,
}

impl Weather {
    fn draw(dice: &mut Dice) -> Self {
        let calm = dice.percent(10);
        let mut some = |chance: u64| !calm && dice.percent(chance);
        let away = some(25);
        Self {
            kills: some(50),
            cut_offs: some(30),
            away,
            forgets: away && some(50),
            deaf: some(25),
            cuts: some(40),
            pauses: some(20),
            leaves: some(10),
            cancels: some(5),
        }
    }
}

impl Plan {
    /// The schedule of this seed.
    pub fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0xc1_057e_4000);
        let weather = Weather::draw(&mut dice);
        let window = dice.one_of(&[8, 16, 32]) * 1024;
        let is_once = dice.percent(20);
        let size = match dice.up_to(0, 99) {
            0..2 => 0,
            2..20 => dice.spread(1, window),
            _ => dice.spread(window, 30 * window),
        };
        // A source can go back where its size is known, as the hub has it.
        let says_size = !is_once;
        let options = options(&mut dice, window);
        let budget = if dice.percent(80) { 64 * window } else { dice.up_to(0, 4 * window) };
        let producer = producer(&mut dice, &options, size, says_size, is_once);
        let count = dice.one_of(&[1, 1, 2, 2, 3, 4]);
        let sinks: Vec<_> = (0..count).map(|_| consumer(&mut dice, window, is_once)).collect();
        let nodes = dice.one_of(&[2, 2, 3, 3, 4]);
        let quiet_at = dice.spread(2 * SECOND, 40 * SECOND);
        let faults = faults(&mut dice, &weather, nodes, count, quiet_at);
        let slowest = sinks.iter().map(|habits| habits.rate).min().unwrap_or(1).min(producer.rate);
        let transit = size.div_ceil(slowest) * MILLI;
        let joins = sinks.iter().map(|habits| habits.joins_at).max().unwrap_or(0);
        let patience = sinks.iter().map(|habits| habits.patience).max().unwrap_or(0);
        let is_short = budget < 8 * window;
        let starved = if is_short { size.div_ceil(options.floor) * patience * count as u64 } else { 0 };
        let deadline = quiet_at.max(joins) + 120 * SECOND + 4 * transit * count as u64 + starved;
        Self {
            seed,
            budget,
            is_once,
            size: says_size.then_some(size),
            nodes,
            net: net(&mut dice, window),
            producer,
            sinks,
            lines: (dice.spread(100, 20 * MILLI), dice.spread(100, 20 * MILLI)),
            faults,
            quiet_at,
            deadline,
            flaw: None,
            options,
        }
    }

    /// A schedule in which nothing goes wrong but that one node is killed while bytes move.
    pub fn one_kill(seed: u64) -> Self {
        let mut plan = Self::draw(seed);
        let mut dice = Dice::new(seed ^ 0x0dd);
        plan.is_once = false;
        plan.producer.is_once = false;
        plan.budget = 64 * plan.options.window;
        (plan.net.loses, plan.net.repeats, plan.net.shuffles) = (0, 0, 0);
        plan.net.delay = plan.net.delay.min(2 * MILLI);
        plan.net.jitter = plan.net.jitter.min(2 * MILLI);
        plan.lines = (plan.lines.0.min(5 * MILLI), plan.lines.1.min(5 * MILLI));
        plan.options.lanes = 4;
        let rate = plan.options.window / 400;
        plan.sinks.truncate(1);
        plan.producer.rate = 10 * rate;
        plan.producer.size = 20 * plan.options.window;
        plan.producer.chunking = Chunking::Fixed(plan.options.window / 16);
        plan.size = Some(plan.producer.size);
        for habits in &mut plan.sinks {
            habits.window = plan.options.window;
            habits.acks = Acks::Chunk;
            habits.is_download = false;
            habits.rate = rate;
            habits.joins_at = habits.joins_at.min(200 * MILLI);
        }
        let slot = dice.up_to(0, plan.nodes as u64 - 1) as usize;
        let returns = dice.percent(50).then(|| dice.spread(500 * MILLI, 5 * SECOND));
        plan.quiet_at = dice.up_to(SECOND, 6 * SECOND);
        plan.faults = vec![(plan.quiet_at, Fault::Kill { slot, returns })];
        plan.deadline = plan.quiet_at + 300 * SECOND;
        plan
    }

    /// Whether the records forget everything at some time.
    pub fn forgets(&self) -> bool {
        self.faults.iter().any(|(_, fault)| matches!(fault, Fault::Away { forgets: true, .. }))
    }

    /// Whether any node dies.
    pub fn kills(&self) -> bool {
        self.faults.iter().any(|(_, fault)| matches!(fault, Fault::Kill { .. }))
    }

    /// Whether the sender ends it.
    pub fn cancels(&self) -> bool {
        self.faults.iter().any(|(_, fault)| matches!(fault, Fault::Cancel))
    }
}

fn options(dice: &mut Dice, window: u64) -> Options {
    Options {
        window,
        chunk_max: window * 5 / 8,
        floor: window / dice.one_of(&[4, 8, 32]),
        lanes: dice.up_to(1, 4) as usize,
        patience: Duration::from_micros(dice.up_to(200, 3000) * MILLI),
        straggler: Straggler::Wait,
        silence: Duration::from_micros(dice.up_to(1000, 10_000) * MILLI),
    }
}

fn net(dice: &mut Dice, window: u64) -> NetHabits {
    let (lossy, shuffled) = (dice.percent(30), dice.percent(25));
    let some = |dice: &mut Dice, does: bool, most| if does { dice.spread(1, most) } else { 0 };
    NetHabits {
        delay: dice.spread(50, 20 * MILLI),
        jitter: dice.spread(1, 5 * MILLI),
        loses: some(dice, lossy, 50),
        repeats: some(dice, shuffled, 50),
        shuffles: some(dice, shuffled, 50),
        room: dice.spread(window / 2, 8 * window),
    }
}

fn producer(dice: &mut Dice, options: &Options, size: u64, says_size: bool, is_once: bool) -> source::Habits {
    let max = options.chunk_max;
    let chunking = match dice.up_to(0, 2) {
        0 => Chunking::Fixed(max / 2),
        1 => Chunking::Between(max / 32, max),
        _ => Chunking::Between(max / 16, max / 4),
    };
    source::Habits {
        size,
        says_size,
        is_once,
        chunking,
        rate: dice.spread(20, 2000),
        digests: dice.percent(10),
        mischief: 0,
        chunk_max: max,
    }
}

fn consumer(dice: &mut Dice, window: u64, is_once: bool) -> sink::Habits {
    let asks = if dice.percent(70) { window } else { dice.spread(window / 8, 2 * window) };
    let acks = match dice.up_to(0, 3) {
        0 | 1 => Acks::Chunk,
        2 => Acks::Bytes(dice.spread(1, asks.min(window) / 2)),
        _ => Acks::Timer(dice.up_to(1, 500) * MILLI),
    };
    sink::Habits {
        from: 0,
        to: None,
        is_download: dice.percent(7),
        window: asks,
        acks,
        lane_step: 1,
        restarts_lanes: dice.percent(20),
        patience: dice.up_to(2, 8) * SECOND,
        joins_at: if dice.percent(60) {
            dice.up_to(0, 200 * MILLI)
        } else {
            dice.spread(MILLI, if is_once { SECOND } else { 20 * SECOND })
        },
        rate: if dice.percent(70) { dice.spread(200, 5000) } else { dice.spread(20, 200) },
        outbox: dice.spread(window / 4, 4 * window),
    }
}

fn faults(
    dice: &mut Dice,
    weather: &Weather,
    nodes: usize,
    sinks: usize,
    quiet_at: u64,
) -> Vec<(u64, Fault)> {
    let mut faults = Vec::new();
    let slot = |dice: &mut Dice| dice.up_to(0, nodes as u64 - 1) as usize;
    let peer = |dice: &mut Dice| match dice.up_to(0, sinks as u64) {
        0 => Peer::Source,
        sink => Peer::Sink(sink as usize - 1),
    };
    for _ in 0..dice.up_to(1, 4) {
        let mut at = || dice.spread(10 * MILLI, quiet_at);
        let ats: [u64; 8] = std::array::from_fn(|_| at());
        let lasts = |dice: &mut Dice, at: u64| dice.spread(50 * MILLI, 15 * SECOND).min(quiet_at - at);
        if weather.kills && dice.percent(60) {
            let returns = dice.percent(60).then(|| dice.spread(200 * MILLI, 8 * SECOND));
            faults.push((ats[0], Fault::Kill { slot: slot(dice), returns }));
        }
        if weather.cut_offs && dice.percent(60) {
            let lasts = lasts(dice, ats[1]);
            faults.push((ats[1], Fault::CutOff { slot: slot(dice), lasts }));
        }
        if weather.away && dice.percent(50) {
            let lasts = lasts(dice, ats[2]);
            faults.push((ats[2], Fault::Away { lasts, forgets: weather.forgets && dice.percent(60) }));
        }
        if weather.deaf && dice.percent(70) {
            faults.push((ats[3], Fault::Deaf { slot: slot(dice), lasts: dice.spread(MILLI, SECOND) }));
        }
        if weather.cuts {
            let peer_notices = dice.spread(MILLI, 2 * SECOND);
            let node_notices = dice.spread(MILLI, 20 * SECOND);
            faults.push((ats[4], Fault::CutLine { peer: peer(dice), peer_notices, node_notices }));
        }
        if weather.pauses && dice.percent(60) {
            faults.push((ats[5], Fault::Pause { who: peer(dice), lasts: dice.spread(MILLI, 10 * SECOND) }));
        }
        if weather.leaves && dice.percent(60) {
            faults.push((ats[6], Fault::Leave { sink: dice.up_to(0, sinks as u64 - 1) as usize }));
        }
        if weather.cancels && dice.percent(60) {
            faults.push((ats[7], Fault::Cancel));
        }
    }
    faults
}
