//! `[[hooks]]`: any number of them, so they have no place among the sections. Each of a hook's keys is tried alone,
//! as a section's are, so all faults are found; the environment names one by its number from 0
//! (`ROOMDROP_HOOKS__0__SECRET`), and the number after the last makes a new one.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use toml::{Table, Value};

use super::{Fault, Hidden, values};

/// The section's name.
pub(super) const SECTION: &str = "hooks";
/// Hooks, at most: each costs memory of its own.
const MOST: usize = 32;
/// Keys that are lists, which the environment writes with commas.
const LISTS: [&str; 2] = ["on", "command"];
/// What a key begins with in text.
const KEY_PREFIX: &str = "whsec_";
/// Bytes of a key (Standard Webhooks 1.0, "Signature scheme").
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// One `[[hooks]]`. What a key means stands in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hook {
    /// What it is told of; never empty in a checked configuration.
    #[serde(deserialize_with = "events")]
    pub on: Vec<HookEvent>,
    /// Where it is told by HTTP; this or `command`.
    #[serde(deserialize_with = "url")]
    pub url: Option<Hidden>,
    /// The program that is started, and its arguments; never empty.
    #[serde(deserialize_with = "command")]
    pub command: Option<Vec<String>>,
    /// What requests are signed with.
    #[serde(deserialize_with = "secret")]
    pub secret: HookSecret,
    /// Whether it is asked before a drop is offered.
    #[serde(deserialize_with = "switch")]
    pub veto: bool,
    /// What holds when it is asked and does not answer; `None` is "refuse".
    #[serde(deserialize_with = "on_error")]
    pub on_error: Option<HookOnError>,
    /// Whether it may read what is stored.
    #[serde(deserialize_with = "switch")]
    pub content: bool,
    /// Time for one attempt.
    #[serde(deserialize_with = "values::duration")]
    pub timeout: Duration,
    /// Time from an event to the last attempt to tell of it. May be zero.
    #[serde(deserialize_with = "values::duration_or_zero")]
    pub lifetime: Duration,
    /// Bytes of events that may wait.
    #[serde(deserialize_with = "values::size")]
    pub queue: u64,
    /// Attempts at once.
    #[serde(deserialize_with = "values::count")]
    pub concurrent: usize,
}

/// What a hook is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HookEvent {
    /// A drop.
    Offered,
    /// A transfer that everyone has.
    Complete,
    /// One that failed.
    Failed,
    /// A kept file that is whole.
    Stored,
}

/// What holds for an offer when the hook that may veto it does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HookOnError {
    /// It is offered.
    Allow,
    /// It is refused.
    Refuse,
}

/// What requests are signed with.
#[derive(Clone, PartialEq, Eq)]
pub enum HookSecret {
    /// Nobody said.
    Missing,
    /// Nothing, on purpose.
    None,
    /// These bytes, 24 to 64. `Debug` does not show them.
    Key(Vec<u8>),
}

impl std::fmt::Debug for HookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Missing => "Missing",
            Self::None => "None",
            Self::Key(_) => "Key(…)",
        })
    }
}

impl Default for Hook {
    fn default() -> Self {
        Self {
            on: Vec::new(),
            url: None,
            command: None,
            secret: HookSecret::Missing,
            veto: false,
            on_error: None,
            content: false,
            timeout: Duration::from_secs(10),
            lifetime: Duration::from_secs(3600),
            queue: 8 << 20,
            concurrent: 4,
        }
    }
}

/// One key of one hook, as a layer gives it.
pub(super) struct Setting {
    number: usize,
    key: String,
    value: Value,
    origin: String,
}

/// What a file says under `hooks`.
///
/// # Errors
/// It is no list of them.
pub(super) fn from_file(value: Value, origin: &str) -> Result<Vec<Setting>, String> {
    let hooks: Option<Vec<Table>> = match value {
        Value::Array(items) => items.into_iter().map(|item| item.as_table().cloned()).collect(),
        _ => None,
    };
    let hooks = hooks.ok_or("is not a list of hooks; begin each with [[hooks]]")?;
    let settings = hooks.into_iter().enumerate().flat_map(|(number, keys)| {
        keys.into_iter().map(move |(key, value)| Setting { number, key, value, origin: origin.to_owned() })
    });
    Ok(settings.collect())
}

/// What a variable says whose name goes on with `path` after `HOOKS__`: a number, two underscores, a key.
pub(super) fn from_variable(
    path: &str,
    text: String,
    origin: String,
    settings: &mut Vec<Setting>,
    faults: &mut Vec<Fault>,
) {
    let named = path.split_once("__").and_then(|(number, key)| Some((number.parse().ok()?, key)));
    let Some((number, key)) = named else {
        let problem = "names no hook; write its number from 0 and the key, like HOOKS__0__SECRET".to_owned();
        return faults.push(Fault { key: format!("{SECTION}.{path}"), problem, origin: Some(origin) });
    };
    let value = match key {
        _ if LISTS.contains(&key) => values::list_of(text),
        "veto" | "content" | "concurrent" | "queue" => text.trim().parse().unwrap_or(Value::String(text)),
        _ => Value::String(text),
    };
    settings.push(Setting { number, key: key.to_owned(), value, origin });
}

/// The hooks, a later layer's keys over an earlier's, and the faults of the keys that cannot be read.
pub(super) fn merge(mut settings: Vec<Setting>, faults: &mut Vec<Fault>) -> Vec<Table> {
    // Each layer may go on counting where the one before has ended.
    settings.sort_by_key(|setting| setting.number);
    let mut hooks: Vec<Table> = Vec::new();
    for Setting { number, key, value, origin } in settings {
        let mut fault = |problem| {
            let key = format!("{SECTION}.{number}.{key}");
            faults.push(Fault { key, problem, origin: Some(origin.clone()) });
        };
        if number > hooks.len() || number >= MOST {
            let count = hooks.len();
            fault(format!(
                "there are {count} hooks before it; number them from 0, without a gap, {MOST} at most"
            ));
            continue;
        }
        if number == hooks.len() {
            hooks.push(Table::new());
        }
        let alone = Table::from_iter([(key.clone(), value.clone())]);
        match Hook::deserialize(alone) {
            Ok(_) => drop(hooks[number].insert(key.clone(), value)),
            Err(error) => fault(error.message().trim().replace('\n', " ")),
        }
    }
    hooks
}

/// What each hook lacks, or has too much.
pub(super) fn faults(hooks: &[Hook], known: &[Fault]) -> Vec<Fault> {
    let rules = hooks.iter().enumerate().flat_map(|(number, hook)| {
        rules(hook).into_iter().map(move |(keys, holds, problem)| (number, keys, holds, problem))
    });
    let mut faults = Vec::new();
    for (number, keys, holds, problem) in rules {
        let named = |key: &str| format!("{SECTION}.{number}.{key}");
        // About a value that nobody could read there is no verdict.
        let is_known = keys.iter().any(|key| known.iter().any(|fault| fault.key == named(key)));
        if !holds && !is_known {
            faults.push(Fault { key: named(keys[0]), problem: problem.to_owned(), origin: None });
        }
    }
    faults
}

/// The keys that a rule weighs, the one to mend first; whether it holds; what to do.
fn rules(hook: &Hook) -> Vec<(&'static [&'static str], bool, &'static str)> {
    let is_on = |event| hook.on.contains(&event);
    vec![
        (&["on"], !hook.on.is_empty(), "is missing; write like [\"complete\", \"failed\"]"),
        (
            &["url", "command"],
            hook.url.is_some() != hook.command.is_some(),
            "a hook has a url or a command, and not both; write one of them",
        ),
        (
            &["secret", "url"],
            hook.url.is_none() || hook.secret != HookSecret::Missing,
            "is missing; write \"whsec_\" and what `openssl rand -base64 32` says, or \"none\" to sign nothing",
        ),
        (
            &["secret", "command"],
            hook.command.is_none() || !matches!(hook.secret, HookSecret::Key(_)),
            "signs what goes to a url, and this hook is a command; leave it out",
        ),
        (
            &["veto", "on"],
            !hook.veto || is_on(HookEvent::Offered),
            "is about offers, and this hook is not told of them; add \"offered\" to on, or leave it out",
        ),
        (
            &["on_error", "veto"],
            hook.on_error.is_none() || hook.veto,
            "is about a hook that may veto; set veto = true, or leave it out",
        ),
        (
            &["content", "on"],
            !hook.content || is_on(HookEvent::Stored),
            "is about what is stored, and this hook is not told of it; add \"stored\" to on, or leave it out",
        ),
    ]
}

fn events<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<HookEvent>, D::Error> {
    let value = Value::deserialize(from)?;
    let events = value.as_array().filter(|events| !events.is_empty()).and_then(|events| {
        events.iter().map(|event| HookEvent::deserialize(event.clone()).ok()).collect::<Option<Vec<_>>>()
    });
    events.ok_or_else(|| {
        D::Error::custom(format!(
            "{value} is not a list of offered, complete, failed, stored; write like [\"offered\"]"
        ))
    })
}

/// What is wrong with it is said without showing it: it may hold a password.
fn url<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Hidden>, D::Error> {
    let value = Value::deserialize(from)?;
    let is_url = |text: &str| {
        text.parse::<http::Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some_and(|host| !host.is_empty())
        })
    };
    match value.as_str().map(str::trim) {
        Some(text) if is_url(text) => Ok(Some(Hidden(text.to_owned()))),
        _ => Err(D::Error::custom("is not a URL; write like \"https://scan.example.com/offered\"")),
    }
}

fn command<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    let value = Value::deserialize(from)?;
    let words = value.as_array().and_then(|words| {
        words.iter().map(|word| word.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
    });
    match words {
        Some(words)
            if words.first().is_some_and(|program| !program.trim().is_empty())
                && !words.iter().any(|word| word.contains('\0')) =>
        {
            Ok(Some(words))
        }
        _ => Err(D::Error::custom(
            "is not a program and its arguments; write like [\"/usr/local/bin/scan\", \"--quick\"], each a text of its own",
        )),
    }
}

/// What is wrong with it is said without showing it.
fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<HookSecret, D::Error> {
    let value = Value::deserialize(from)?;
    let text = value.as_str().map(str::trim);
    if text == Some(values::NONE) {
        return Ok(HookSecret::None);
    }
    let key = text.and_then(|text| BASE64_STANDARD.decode(text.strip_prefix(KEY_PREFIX)?).ok());
    match key {
        Some(key) if KEY_BYTES.contains(&key.len()) => Ok(HookSecret::Key(key)),
        _ => Err(D::Error::custom(
            "is not \"whsec_\" with 24 to 64 bytes in base64 after it; write what `openssl rand -base64 32` says there, or \"none\"",
        )),
    }
}

fn switch<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    let value = Value::deserialize(from)?;
    value.as_bool().ok_or_else(|| D::Error::custom(format!("{value} is neither true nor false")))
}

fn on_error<'de, D: Deserializer<'de>>(from: D) -> Result<Option<HookOnError>, D::Error> {
    let value = Value::deserialize(from)?;
    match HookOnError::deserialize(value.clone()) {
        Ok(on_error) => Ok(Some(on_error)),
        Err(_) => Err(D::Error::custom(format!("{value} is neither \"refuse\" nor \"allow\""))),
    }
}
