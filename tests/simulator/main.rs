//! The seeded simulator: a source, several sinks and the server between them, joined by links that delay,
//! drop, lose, repeat and reorder, in virtual time. Every schedule follows from one number.
//!
//! `ROOMDROP_SIM_SEEDS=20000 cargo test --test simulator` runs more of them; `ROOMDROP_SIM_SEED=7` runs
//! one and prints its transcript.

// A test has no public side: `pub` here says what the other files of the simulator may use.
#![allow(unreachable_pub)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::result_large_err,
    reason = "a test says by panicking what is wrong"
)]

mod cluster;
mod content;
mod flaws;
mod life;
mod node;
mod plan;
mod promises;
mod queue;
mod server;
mod session;
mod sink;
mod source;
mod transcript;
mod word;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::flaws::Flaw;
use crate::plan::Plan;
use crate::server::Machine;
use crate::transcript::Transcript;
use crate::world::World;

/// Schedules that a run of the tests goes through, for each machine.
const SCHEDULES: u64 = 2000;

/// A number that whoever runs the tests chose.
pub fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs one schedule; on failure, what promise was broken, and the transcript.
fn run(machine: Machine, seed: u64) -> Result<(World, u64), String> {
    run_plan(Plan::draw(machine, seed))
}

fn run_plan(plan: Plan) -> Result<(World, u64), String> {
    let seed = plan.seed;
    let mut world = World::new(plan.clone());
    let outcome = catch_unwind(AssertUnwindSafe(|| world.run()));
    let broken = match outcome {
        Ok(Ok(took)) => return Ok((world, took)),
        Ok(Err(broken)) => broken,
        Err(panic) => match panic.downcast_ref::<String>() {
            Some(text) => format!("panic: {text}"),
            None => "panic".into(),
        },
    };
    let text = world.node.transcript.to_text();
    Err(format!("seed {seed}: {broken}\n{plan:?}\ntranscript:\n{text}"))
}

/// One schedule as text: its plan, and what happened.
fn show(machine: Machine, seed: u64) -> Result<String, String> {
    let (world, took) = run(machine, seed)?;
    let text = world.node.transcript.to_text();
    Ok(format!("{:?}\ntranscript:\n{text}done in {took} us", Plan::draw(machine, seed)))
}

fn run_all(machine: Machine) {
    if let Some(seed) = from_environment("ROOMDROP_SIM_SEED") {
        let shown = show(machine, seed);
        println!("{}", shown.as_ref().unwrap_or_else(|broken| broken));
        return assert!(shown.is_ok(), "schedule {seed} failed");
    }
    let seeds = from_environment("ROOMDROP_SIM_SEEDS").unwrap_or(SCHEDULES);
    let failures: Vec<String> = (0..seeds).filter_map(|seed| run(machine, seed).err()).collect();
    for failure in failures.iter().rev() {
        println!("{}", failure.lines().next().unwrap_or_default());
    }
    assert!(
        failures.is_empty(),
        "{} of {seeds} schedules failed; the first:\n{}",
        failures.len(),
        failures[0]
    );
}

#[test]
fn the_relay_keeps_every_promise_in_every_schedule() {
    run_all(Machine::Relay);
}

#[test]
fn the_session_keeps_every_promise_in_every_schedule() {
    run_all(Machine::Session);
}

#[test]
fn a_transcript_fed_to_a_fresh_server_gives_the_same_answers() {
    for machine in [Machine::Relay, Machine::Session] {
        for seed in 0..20 {
            let (world, _) = run(machine, seed).unwrap_or_else(|broken| panic!("{broken}"));
            let text = world.node.transcript.to_text();
            assert_eq!(Transcript::replay(&text).as_deref(), Some(text.as_str()), "seed {seed}");
        }
    }
}

#[test]
fn every_flaw_is_noticed_and_leaves_a_transcript() {
    let bytes = Flaw::OF_THE_BYTES.map(|flaw| (Machine::Relay, flaw));
    let life = Flaw::OF_THE_LIFE.map(|flaw| (Machine::Session, flaw));
    for (machine, flaw) in bytes.into_iter().chain(life) {
        let noticed = (0..100).find_map(|seed| {
            let mut plan = Plan::draw(machine, seed);
            plan.setup.flaw = Some(flaw);
            run_plan(plan).err()
        });
        let report = noticed.unwrap_or_else(|| panic!("{flaw:?} was not noticed"));
        let (_, transcript) = report.split_once("transcript:\n").expect("a transcript");
        assert!(Transcript::replay(transcript).is_some(), "{flaw:?}: {report}");
    }
}
