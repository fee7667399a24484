//! What values must be beside one another. Each rule names the keys it weighs; where one of them is
//! already at fault the rule keeps silent, since its verdict would be about a value nobody gave.

use bytesize::ByteSize;

use super::{Config, Fault};

/// A message around a chunk: its event's name and fields, and the frame of either transport.
const ENVELOPE: u64 = 64 * 1024;

struct Rule {
    /// The key to mend, and the one it is weighed against.
    keys: [&'static str; 2],
    holds: bool,
    problem: String,
}

/// The rules that `config` breaks, except those about keys that are in `known` already.
pub(super) fn faults(config: &Config, known: &[Fault]) -> Vec<Fault> {
    rules(config)
        .into_iter()
        .filter(|rule| !rule.holds)
        .filter(|rule| !known.iter().any(|fault| rule.keys.contains(&fault.key.as_str())))
        .map(|Rule { keys: [key, _], problem, .. }| Fault { key: key.to_owned(), problem, origin: None })
        .collect()
}

fn rules(config: &Config) -> Vec<Rule> {
    let Config { socketio, transfers, memory, store, limits, .. } = config;
    // Long polling carries bytes as base64: four characters for every three bytes.
    let chunk_as_text = transfers.chunk_max.div_ceil(3).saturating_mul(4).saturating_add(ENVELOPE);
    vec![
        at_most(["transfers.chunk_min", "transfers.chunk_max"], transfers.chunk_min, transfers.chunk_max),
        at_most(["transfers.chunk_max", "transfers.window"], transfers.chunk_max, transfers.window),
        at_most(["transfers.window", "memory.budget"], transfers.window, memory.budget),
        at_most(["store.max_size", "store.quota"], store.max_size, store.quota),
        Rule {
            keys: ["socketio.max_payload", "transfers.chunk_max"],
            holds: socketio.max_payload >= chunk_as_text,
            problem: format!(
                "{} cannot carry a chunk of transfers.chunk_max ({}) in base64; raise it to {chunk_as_text} bytes at least, or lower the chunks",
                shown(socketio.max_payload),
                shown(transfers.chunk_max),
            ),
        },
        Rule {
            keys: ["limits.message_bytes", "socketio.max_payload"],
            holds: limits.message_bytes.saturating_mul(6).saturating_add(ENVELOPE) <= socketio.max_payload,
            problem: format!(
                "{} does not fit socketio.max_payload ({}), since JSON may write a character as six; lower it",
                shown(limits.message_bytes),
                shown(socketio.max_payload),
            ),
        },
        Rule {
            keys: ["transfers.stall_timeout", "transfers.lifetime"],
            holds: transfers.stall_timeout <= transfers.lifetime,
            problem: "is longer than transfers.lifetime, so nothing would ever be suspended; lower it"
                .to_owned(),
        },
    ]
}

fn at_most(keys: [&'static str; 2], value: u64, bound: u64) -> Rule {
    let problem =
        format!("{} is more than {} ({}); lower it, or raise that", shown(value), keys[1], shown(bound));
    Rule { keys, holds: value <= bound, problem }
}

fn shown(bytes: u64) -> String {
    ByteSize::b(bytes).to_string()
}
