//! The seeded simulator: a source, several sinks and the server between them, joined by links that delay,
//! drop, lose, repeat and reorder, in virtual time. Every schedule follows from one number.
//!
//! `ROOMDROP_SIM_SEEDS=20000 cargo test --test simulator` runs more of them; `ROOMDROP_SIM_SEED=7` runs
//! one and prints its transcript.

// A test has no public side: `pub` here says what the other files of the simulator may use.
#![allow(unreachable_pub)]

mod content;
mod node;
mod plan;
mod promises;
mod server;
mod sink;
mod source;
mod transcript;
mod word;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::plan::Plan;
use crate::transcript::Transcript;
use crate::world::World;

/// Schedules that a run of the tests goes through.
const SCHEDULES: u64 = 3000;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs one schedule; on failure, what promise was broken, and the transcript.
fn run(seed: u64) -> Result<(World, u64), String> {
    let plan = Plan::draw(seed);
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

#[test]
fn every_schedule_keeps_every_promise() {
    if let Some(seed) = from_environment("ROOMDROP_SIM_SEED") {
        match run(seed) {
            Ok((world, took)) => {
                println!("{:?}\ntranscript:\n{}", Plan::draw(seed), world.node.transcript.to_text());
                println!("done in {took} us");
            }
            Err(broken) => panic!("{broken}"),
        }
        return;
    }
    let seeds = from_environment("ROOMDROP_SIM_SEEDS").unwrap_or(SCHEDULES);
    let failures: Vec<String> = (0..seeds).filter_map(|seed| run(seed).err()).collect();
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
fn a_transcript_fed_to_a_fresh_server_gives_the_same_answers() {
    for seed in 0..20 {
        let (world, _) = run(seed).unwrap_or_else(|broken| panic!("{broken}"));
        let text = world.node.transcript.to_text();
        assert_eq!(Transcript::replay(&text).as_deref(), Some(text.as_str()), "seed {seed}");
    }
}
