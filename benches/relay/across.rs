//! A transfer from a sender on one node to receivers on another, joined by one Redis: roomdrop, Node's
//! Socket.IO with its Redis adapter, and Redis alone, in turn. And what a node that has no part in it hears.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    CHUNK, MIB, Outcome, ROUNDS, median, node,
    process::Server,
    publish,
    redis::{Meter, Redis},
    roomdrop, verdict,
};

/// Bytes under way to a subscriber: what roomdrop allows itself to have on the way to one node.
const IN_FLIGHT: u64 = 6 * MIB;

/// Bytes by which Node's slowest receiver may be behind: Redis would cut off its node not far above.
const NODE_BEHIND: u64 = 16 * MIB;

const VERIFIED: u64 = 128 * MIB;
const PUBLISHED: u64 = 1024 * MIB;
const BYSTANDER: u64 = 512 * MIB;

/// Two nodes of a kind and their Redis.
struct Pair {
    // Ended first, or they would complain that the other is gone.
    nodes: [Server; 2],
    redis: Redis,
}

/// What one run came to: delivered a second, and CPU seconds for each GB delivered.
#[derive(Clone, Copy)]
struct Run {
    megabytes: f64,
    nodes: f64,
    redis: f64,
}

impl Pair {
    fn roomdrop() -> Outcome<Self> {
        let redis = Redis::start()?;
        let node = |name| Server::roomdrop_of_many(name, redis.addr);
        let nodes = [node("bench-a")?, node("bench-b")?];
        Ok(Self { nodes, redis })
    }

    fn node() -> Outcome<Self> {
        let redis = Redis::start()?;
        let nodes = [Server::node_of_many(redis.addr)?, Server::node_of_many(redis.addr)?];
        Ok(Self { nodes, redis })
    }

    fn run(&self, delivered: u64, play: impl FnOnce([&Server; 2]) -> Outcome<Duration>) -> Outcome<Run> {
        let [from, to] = &self.nodes;
        let cpu =
            || Ok::<_, crate::Fault>((from.cpu_seconds()? + to.cpu_seconds()?, self.redis.cpu_seconds()?));
        let before = cpu()?;
        let elapsed = play([from, to])?;
        let after = cpu()?;
        let gigabytes = delivered as f64 / 1e9;
        Ok(Run {
            megabytes: 1e3 * gigabytes / elapsed.as_secs_f64(),
            nodes: (after.0 - before.0) / gigabytes,
            redis: (after.1 - before.1) / gigabytes,
        })
    }
}

impl Run {
    fn median(runs: &[Self]) -> Self {
        Self {
            megabytes: median(runs.iter().map(|run| run.megabytes)),
            nodes: median(runs.iter().map(|run| run.nodes)),
            redis: median(runs.iter().map(|run| run.redis)),
        }
    }

    fn print(&self, name: &str) {
        println!("  {name:<16}{:>10.0}{:>16.2}{:>16.2}", self.megabytes, self.nodes, self.redis);
    }
}

/// `size` bytes from one to `receivers` on another node; Node has `node_size`, as it takes longer. With
/// `published`, beside what Redis does alone, of which that share is the goal.
pub(crate) fn throughput(
    receivers: usize,
    size: u64,
    node_size: u64,
    times_node: f64,
    published: Option<f64>,
) -> Outcome<()> {
    let (ours, nodes) = (Pair::roomdrop()?, Pair::node()?);
    // The digest costs the load too much to be had while it is timed; there, offsets are compared.
    let [from, to] = &ours.nodes;
    roomdrop::verify([from, to], VERIFIED)?;
    let (mut our_runs, mut node_runs, mut raw_runs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let run = nodes
            .run(node_size * receivers as u64, |pair| node::play(pair, receivers, node_size, NODE_BEHIND));
        node_runs.push(run.map_err(|error| format!("Node: {error}"))?);
        let run = ours.run(size * receivers as u64, |pair| roomdrop::play(pair, receivers, size));
        our_runs.push(run.map_err(|error| format!("roomdrop: {error}"))?);
        if published.is_some() {
            let redis = &ours.redis;
            raw_runs.push(ours.run(PUBLISHED, |_| publish::run(redis.addr, PUBLISHED, IN_FLIGHT))?);
        }
    }
    let (our, node) = (Run::median(&our_runs), Run::median(&node_runs));
    let name = format!("1 to {receivers} across two nodes, {} MiB", size / MIB);
    println!("{name}\n  {:>26}{:>16}{:>16}", "MB/s", "nodes' s/GB", "Redis' s/GB");
    our.print("roomdrop");
    node.print("Node");
    let ratio = our.megabytes / node.megabytes;
    if let Some(goal) = published {
        let raw = Run::median(&raw_runs);
        raw.print("PUBLISH alone");
        let share = our.megabytes / raw.megabytes;
        let figure = format!("{:.0} % of PUBLISH alone", share * 1e2);
        verdict(&figure, &format!("at least {:.0} %", goal * 1e2), share >= goal);
    }
    verdict(&format!("{ratio:.2} times Node"), &format!("at least {times_node}"), ratio >= times_node);
    println!("  no chunk lost or out of order; {} MiB compared by digest\n", VERIFIED / MIB);
    Ok(())
}

/// What a third node hears from Redis while a file passes between two others.
pub(crate) fn bystander() -> Outcome<()> {
    let pair = Pair::roomdrop()?;
    let meter = Meter::before(pair.redis.addr)?;
    let third = Server::roomdrop_of_many("bench-c", meter.addr)?;
    // So that what it hears at its start is over.
    thread::sleep(Duration::from_secs(1));
    let (begun, before) = (Instant::now(), meter.count());
    let [from, to] = &pair.nodes;
    roomdrop::play([from, to], 1, BYSTANDER)?;
    let (elapsed, heard) = (begun.elapsed().as_secs_f64(), meter.count() - before);
    drop(third);
    println!("a third node, while {} MiB pass between two others", BYSTANDER / MIB);
    let figure = format!("{heard} bytes came to it from Redis in {elapsed:.1} s");
    verdict(&figure, "none of the file's", heard < CHUNK as u64 / 4);
    println!();
    Ok(())
}
