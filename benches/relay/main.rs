//! The benchmark of the relay: how fast, at what cost, beside a minimal relay on Node's Socket.IO in the
//! same run; on one node, and across several that a Redis of its own joins. Servers and load share the
//! machine, over loopback; the load speaks raw WebSocket frames, so that it costs little. Run it by
//! `cargo bench --bench relay`, or a part of it by `cargo bench --bench relay -- one-to-one one-to-eight
//! stalled first-byte across across-to-eight bystander polling failover put stored many`.
//!
//! MB and GB are powers of ten. "Delivered" counts every receiver's bytes. Figures are medians of
//! [`ROUNDS`] rounds, in which the relays take turns.

use std::{error::Error, thread::JoinHandle, time::Duration};

use process::Server;

mod across;
mod failover;
mod http;
mod node;
mod party;
mod plain;
mod polling;
mod process;
mod publish;
mod put;
mod redis;
mod roomdrop;
mod source;
mod stored;
mod wire;

type Fault = Box<dyn Error + Send + Sync>;
type Outcome<T> = Result<T, Fault>;

/// Bytes of a chunk.
const CHUNK: usize = 256 * 1024;

const ROUNDS: usize = 3;
const MIB: u64 = 1 << 20;
const ONE_TO_ONE: u64 = 2048 * MIB;
const ONE_TO_EIGHT: u64 = 1024 * MIB;
const STALLED: u64 = 512 * MIB;
const ACROSS: u64 = 1024 * MIB;
const ACROSS_TO_EIGHT: u64 = 512 * MIB;
/// Node is slower across nodes, and its figures do not change with the size.
const ACROSS_BY_NODE: u64 = 256 * MIB;
const ACROSS_TO_EIGHT_BY_NODE: u64 = 128 * MIB;
const FIRST_BYTES: usize = 31;

/// Which the straggler's patience is, as delivered.
const PATIENCE: Duration = Duration::from_secs(2);

/// What one run came to.
#[derive(Clone, Copy)]
struct Run {
    /// Delivered a second.
    megabytes: f64,
    /// Seconds of the server's CPU time for each GB delivered.
    cpu: f64,
}

impl Run {
    fn new(elapsed: Duration, cpu: f64, delivered: u64) -> Outcome<Self> {
        let delivered = delivered as f64;
        Ok(Self { megabytes: delivered / 1e6 / elapsed.as_secs_f64(), cpu: cpu / (delivered / 1e9) })
    }

    fn median(runs: &[Self]) -> Self {
        Self {
            megabytes: median(runs.iter().map(|run| run.megabytes)),
            cpu: median(runs.iter().map(|run| run.cpu)),
        }
    }
}

fn main() -> Outcome<()> {
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    if wanted.iter().any(|word| word == plain::NAME) {
        return plain::run();
    }
    let called = wanted.iter().any(|word| word == "--bench");
    wanted.retain(|word| !word.starts_with("--"));
    if !called {
        println!("run it by `cargo bench --bench relay`");
        return Ok(());
    }
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
    let cores = std::thread::available_parallelism()?;
    println!("{cores} cores, shared by server and load; chunks of {} KiB; loopback\n", CHUNK / 1024);
    if wants("one-to-one") {
        throughput("1 to 1", 1, ONE_TO_ONE, 3.5, Some(0.85))?;
    }
    if wants("one-to-eight") {
        throughput("1 to 8", 8, ONE_TO_EIGHT, 2.0, None)?;
    }
    if wants("stalled") {
        stalled()?;
    }
    if wants("first-byte") {
        first_byte()?;
    }
    if wants("across") {
        across::throughput(1, ACROSS, ACROSS_BY_NODE, 5.0, Some(0.6))?;
    }
    if wants("across-to-eight") {
        across::throughput(8, ACROSS_TO_EIGHT, ACROSS_TO_EIGHT_BY_NODE, 3.0, None)?;
    }
    if wants("bystander") {
        across::bystander()?;
    }
    if wants("polling") {
        polling::run()?;
    }
    if wants("failover") {
        failover::run()?;
    }
    if wants("put") {
        put::run()?;
    }
    if wants("stored") {
        stored::run()?;
    }
    if wants("many") {
        stored::many()?;
    }
    Ok(())
}

fn throughput(
    name: &str,
    receivers: usize,
    size: u64,
    times_node: f64,
    cpu_goal: Option<f64>,
) -> Outcome<()> {
    let (mut ours, mut nodes) = (Vec::new(), Vec::new());
    let (roomdrop, node) = (Server::roomdrop()?, node::start()?);
    for _ in 0..ROUNDS {
        nodes.push(node::run(&node, receivers, size).map_err(|error| format!("Node: {error}"))?);
        ours.push(roomdrop::run(&roomdrop, receivers, size).map_err(|error| format!("roomdrop: {error}"))?);
    }
    let (ours, node) = (Run::median(&ours), Run::median(&nodes));
    let ratio = ours.megabytes / node.megabytes;
    println!("{name}, {} MiB{:>12}{:>16}", size / MIB, "MB/s", "CPU s/GB");
    println!("  roomdrop{:>18.0}{:>16.2}", ours.megabytes, ours.cpu);
    println!("  Node    {:>18.0}{:>16.2}", node.megabytes, node.cpu);
    verdict(&format!("{ratio:.2} times Node"), &format!("at least {times_node}"), ratio >= times_node);
    if let Some(goal) = cpu_goal {
        let cpu = format!("{:.2} CPU seconds per GB delivered", ours.cpu);
        verdict(&cpu, &format!("at most {goal}"), ours.cpu <= goal);
    }
    println!();
    Ok(())
}

fn stalled() -> Outcome<()> {
    let (mut alone, mut beside, mut growth) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        // Servers of their own, so that memory is counted from a fresh start.
        let server = Server::roomdrop()?;
        alone.push(roomdrop::run_with_stalled(&server, 2, 0, STALLED)?.elapsed.as_secs_f64());
        let server = Server::roomdrop()?;
        let run = roomdrop::run_with_stalled(&server, 2, 1, STALLED)?;
        beside.push(run.elapsed.as_secs_f64());
        growth.push(run.growth as f64 / MIB as f64);
    }
    let (alone, beside) = (median(alone.into_iter()), median(beside.into_iter()));
    let growth = median(growth.into_iter());
    println!("1 to 2, {} MiB, beside a third that reads nothing", STALLED / MIB);
    println!("  alone   {alone:>18.2} s");
    println!("  beside  {beside:>18.2} s");
    let delay = beside - alone;
    let patience = PATIENCE.as_secs_f64();
    verdict(&format!("{delay:.2} s later"), &format!("at most {patience} s"), delay <= patience);
    verdict(&format!("the server grew by {growth:.0} MiB"), "less than 64 MiB", growth < 64.0);
    println!();
    Ok(())
}

fn first_byte() -> Outcome<()> {
    let server = Server::roomdrop()?;
    let waits = roomdrop::first_bytes(&server, FIRST_BYTES, 64 * MIB)?;
    let longest = waits.iter().max().copied().unwrap_or_default().as_secs_f64() * 1e3;
    let wait = median(waits.iter().map(Duration::as_secs_f64)) * 1e3;
    println!("from acceptance to the first chunk, {FIRST_BYTES} times");
    verdict(&format!("{wait:.2} ms, {longest:.2} ms at worst"), "less than 50 ms", wait < 50.0);
    println!();
    Ok(())
}

fn verdict(figure: &str, goal: &str, met: bool) {
    println!("  {figure} (goal: {goal}): {}", if met { "met" } else { "MISSED" });
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What threads came to, or the first failure.
fn joined<T>(threads: Vec<JoinHandle<Outcome<T>>>) -> Outcome<Vec<T>> {
    threads.into_iter().map(|thread| thread.join().map_err(|_| "a receiver panicked")?).collect()
}
