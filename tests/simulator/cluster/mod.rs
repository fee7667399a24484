//! The simulator of several nodes: sessions as home and edges of one transfer, a broker between them that
//! loses, repeats, delays and reorders, records that may be away or forgotten, nodes that crash, are cut off
//! and come back, and people who connect to any of them.

mod flaws;
mod ledger;
mod net;
mod node;
mod person;
mod plan;
mod store;
mod surroundings;
mod task;
mod trouble;
mod word;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use self::flaws::Flaw;
use self::plan::Plan;
use self::world::World;
use crate::from_environment;
use crate::plan::SECOND;

/// Schedules that a run of the tests goes through.
const SCHEDULES: u64 = 1500;
/// The same, of those in which one node is killed and nothing else goes wrong.
const KILLS: u64 = 100;
/// Lines of a transcript that are shown, at its end.
const SHOWN: usize = 4000;

fn try_plan(plan: &Plan, logs: bool) -> Result<World, (String, World)> {
    let mut world = World::new(plan.clone(), logs);
    let outcome = catch_unwind(AssertUnwindSafe(|| world.run()));
    let broken = match outcome {
        Ok(Ok(_)) => return Ok(world),
        Ok(Err(broken)) => broken,
        Err(panic) => match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
            (Some(text), _) => format!("panic: {text}"),
            (_, Some(text)) => format!("panic: {text}"),
            _ => "panic".into(),
        },
    };
    Err((broken, world))
}

/// Runs one schedule; on failure, what promise was broken.
fn run_plan(plan: &Plan) -> Result<World, String> {
    try_plan(plan, false).map_err(|(broken, _)| format!("seed {}: {broken}", plan.seed))
}

/// The schedule again, written down.
fn transcript(plan: &Plan, shown: usize) -> String {
    let (said, world) = match try_plan(plan, true) {
        Ok(world) => (format!("done in {} us", world.now), world),
        Err((broken, world)) => (broken, world),
    };
    let log = world.log.unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    let first = lines.len().saturating_sub(shown);
    format!("{plan:?}\ntranscript:\n{}\n{said}", lines[first..].join("\n"))
}

fn run_all(draw: impl Fn(u64) -> Plan, schedules: u64, check: impl Fn(&World) -> Result<(), String>) {
    if let Some(seed) = from_environment("ROOMDROP_SIM_SEED") {
        println!("{}", transcript(&draw(seed), usize::MAX));
        return assert_eq!(run_plan(&draw(seed)).and_then(|world| check(&world)), Ok(()));
    }
    let seeds = from_environment("ROOMDROP_SIM_SEEDS").unwrap_or(schedules);
    let outcome = |seed: u64| run_plan(&draw(seed)).and_then(|world| check(&world)).err();
    let failures: Vec<(u64, String)> =
        (0..seeds).filter_map(|seed| outcome(seed).map(|broken| (seed, broken))).collect();
    for (_, failure) in failures.iter().rev() {
        println!("{}", failure.lines().next().unwrap_or_default());
    }
    if let Some((seed, broken)) = failures.first() {
        panic!(
            "{} of {seeds} schedules failed; the first: {broken}\n{}",
            failures.len(),
            transcript(&draw(*seed), SHOWN)
        );
    }
}

#[test]
fn a_cluster_keeps_every_promise_in_every_schedule() {
    run_all(Plan::draw, SCHEDULES, |_| Ok(()));
}

/// Two windows, and the chunk that was begun. Of several sinks, those that come back later than others are on
/// lanes of their own, which is another matter: there is one.
fn most_sent_again(world: &World) -> u64 {
    2 * world.plan.options.window + world.plan.options.chunk_max
}

#[test]
fn bytes_move_again_within_three_seconds_of_a_kill_and_few_are_sent_again() {
    run_all(Plan::one_kill, KILLS, |world| {
        let seed = world.plan.seed;
        let Some(from) = world.watch_from else { return Ok(()) };
        let late = (world.moved_at.iter().skip(1)).flatten().find(|at| **at > from + 3 * SECOND);
        if let Some(at) = late {
            return Err(format!("seed {seed}: bytes moved after {} us", at - from));
        }
        let mut calm = world.plan.clone();
        calm.faults.clear();
        let without = run_plan(&calm)?.said;
        let again = world.said.saturating_sub(without);
        if again > most_sent_again(world) {
            return Err(format!("seed {seed}: {again} bytes were sent again, {without} would do"));
        }
        Ok(())
    });
}

#[test]
fn every_flaw_of_a_node_is_noticed() {
    for flaw in Flaw::ALL {
        let noticed = (0..300).find_map(|seed| {
            let mut plan = Plan::draw(seed);
            plan.flaw = Some(flaw);
            run_plan(&plan).err()
        });
        let noticed = noticed.unwrap_or_else(|| panic!("{flaw:?} was not noticed"));
        println!("{flaw:?}: {noticed}");
    }
}
