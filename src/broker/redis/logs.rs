//! A room's log in Redis: a hash that says which log it is, how many entries it had, and the state before the
//! first that is kept; a stream of the entries since, and of some before for followers that are behind; and a
//! channel on which each is told with its place.
//! Whatever changes one of them changes all of them, in one script.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use deadpool_redis::redis::{Script, ScriptInvocation, Value};

use super::names::LogNames;
use super::pool::Pool;
use super::records::milliseconds;
use crate::broker::{Away, NotAppended, Position, Story};

/// Entries that compaction leaves, so that a follower that is a little behind need not begin anew: it would
/// miss what the state no longer holds.
const KEPT: u64 = 1024;

/// Reads from a place on, or from the state on where the log is another one or shorter. `ARGV`: lifetime,
/// the generation to begin an absent log with, and the place. Answers generation, count, the place read
/// from, the state if it is needed, and the entries; or nothing, of a log that is absent.
static READ: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "
local about = redis.call('HMGET', KEYS[1], 'generation', 'count', 'base', 'state', 'first')
local entries = {}
local from = 0
local state = {}
if about[1] then
  from = tonumber(about[3])
  local known = tonumber(ARGV[4])
  local first = tonumber(about[5] or about[3])
  if about[1] == ARGV[3] and known >= first and known <= tonumber(about[2]) then
    from = known
  elseif about[4] then
    state = {about[4]}
  end
  for _, entry in ipairs(redis.call('XRANGE', KEYS[2], string.format('%.0f', from + 1), '+')) do
    entries[#entries + 1] = entry[2][2]
  end
  if #entries ~= tonumber(about[2]) - from then
    redis.call('DEL', KEYS[1], KEYS[2])
    about[1] = false
  end
end
if not about[1] then
  if ARGV[2] == '' then return {} end
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'generation', ARGV[2], 'count', 0, 'base', 0)
  about = {ARGV[2], '0'}
  from = 0
  state = {}
  entries = {}
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return {about[1], about[2], string.format('%.0f', from), state, entries}",
    )
});

/// `ARGV`: generation, lifetime, how to publish, entries.
static APPEND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[1] then return 0 end
for i = 4, #ARGV do
  local count = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'count', 1))
  redis.call('XADD', KEYS[2], count .. '-0', 'e', ARGV[i])
  redis.call(ARGV[3], KEYS[3], ARGV[1] .. ' ' .. count .. ' ' .. ARGV[i])
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1",
    )
});

/// `ARGV`: generation, lifetime, count, state, entries to keep before it.
static COMPACT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "
local about = redis.call('HMGET', KEYS[1], 'generation', 'count', 'base', 'first')
if about[1] ~= ARGV[1] then return 0 end
local at = tonumber(ARGV[3])
if at > tonumber(about[3]) and at <= tonumber(about[2]) then
  local first = math.max(tonumber(about[4] or about[3]), at - tonumber(ARGV[5]))
  redis.call('HSET', KEYS[1], 'base', ARGV[3], 'state', ARGV[4], 'first', string.format('%.0f', first))
  redis.call('XTRIM', KEYS[2], 'MINID', string.format('%.0f', first + 1))
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1",
    )
});

/// `ARGV`: the new generation, lifetime, how to publish, count, state.
static SEED: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "
local about = redis.call('HMGET', KEYS[1], 'generation', 'count', 'base')
if about[1] and (about[2] ~= about[3] or tonumber(about[2]) >= tonumber(ARGV[4])) then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'generation', ARGV[1], 'count', ARGV[4], 'base', ARGV[4], 'state', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call(ARGV[3], KEYS[3], ARGV[1] .. ' 0 ')
return 1",
    )
});

/// What a follower finds.
pub(super) enum Found {
    /// What was appended since the place it knew.
    Since(Position, Vec<Bytes>),
    /// The place it knew is none of this log.
    Other(Story),
    /// There is no log.
    Nothing,
}

/// One room's log.
#[derive(Clone)]
pub(super) struct Log {
    pub(super) names: LogNames,
    /// `PUBLISH`, or `SPUBLISH` in a cluster.
    pub(super) publish: &'static str,
    pub(super) lifetime: Duration,
}

impl Log {
    fn call<'a>(&self, script: &'a Script) -> ScriptInvocation<'a> {
        let mut call = script.key(&self.names.about);
        call.key(&self.names.entries).key(&self.names.channel[..]);
        call
    }

    /// Reads all of it; begins it, if it is absent.
    pub(super) async fn begin(&self, pool: &Pool) -> Result<Story, Away> {
        match self.find(pool, Some(rand::random()), Position { generation: 0, count: 0 }).await? {
            Found::Other(story) => Ok(story),
            // One in 2^64: it is of generation 0.
            Found::Since(at, entries) => Ok(Story { at, state: None, entries }),
            Found::Nothing => Err(Away),
        }
    }

    /// Reads what came after `known`.
    pub(super) async fn since(&self, pool: &Pool, known: Position) -> Result<Found, Away> {
        self.find(pool, None, known).await
    }

    async fn find(&self, pool: &Pool, begin: Option<u64>, known: Position) -> Result<Found, Away> {
        let mut call = self.call(&READ);
        let begin = begin.map(|generation| generation.to_string()).unwrap_or_default();
        call.arg(milliseconds(self.lifetime)).arg(begin);
        call.arg(known.generation.to_string()).arg(known.count.to_string());
        found(pool.script(&call).await?, known).ok_or(Away)
    }

    pub(super) async fn append(
        &self,
        pool: &Pool,
        generation: u64,
        entries: &[Bytes],
    ) -> Result<(), NotAppended> {
        let mut call = self.call(&APPEND);
        call.arg(generation.to_string()).arg(milliseconds(self.lifetime)).arg(self.publish);
        entries.iter().for_each(|entry| {
            call.arg(&entry[..]);
        });
        appended(pool.script(&call).await)
    }

    pub(super) async fn compact(&self, pool: &Pool, at: Position, state: &[u8]) -> Result<(), NotAppended> {
        let mut call = self.call(&COMPACT);
        call.arg(at.generation.to_string()).arg(milliseconds(self.lifetime));
        call.arg(at.count.to_string()).arg(state).arg(KEPT);
        appended(pool.script(&call).await)
    }

    pub(super) async fn seed(&self, pool: &Pool, count: u64, state: &[u8]) -> Result<(), Away> {
        let mut call = self.call(&SEED);
        let generation: u64 = rand::random();
        call.arg(generation.to_string()).arg(milliseconds(self.lifetime)).arg(self.publish);
        call.arg(count.to_string()).arg(state);
        pool.script(&call).await.map(drop)
    }
}

/// An entry as it is told on the channel: its place, and itself. Of a log that was seeded the count is 0.
pub(super) fn told(message: &Bytes) -> Option<(Position, Bytes)> {
    let space = |from: usize| Some(message.get(from..)?.iter().position(|byte| *byte == b' ')? + from);
    let first = space(0)?;
    let second = space(first + 1)?;
    let at = Position {
        generation: number(message.get(..first)?)?,
        count: number(message.get(first + 1..second)?)?,
    };
    Some((at, message.slice(second + 1..)))
}

fn appended(answer: Result<Value, Away>) -> Result<(), NotAppended> {
    match answer {
        Ok(Value::Int(1)) => Ok(()),
        Ok(Value::Int(_)) => Err(NotAppended::OtherGeneration),
        _ => Err(NotAppended::Away),
    }
}

fn found(answer: Value, known: Position) -> Option<Found> {
    let Value::Array(parts) = answer else { return None };
    if parts.is_empty() {
        return Some(Found::Nothing);
    }
    let [generation, count, from, state, entries] = <[Value; 5]>::try_from(parts).ok()?;
    let at = Position { generation: number(&text(generation)?)?, count: number(&text(count)?)? };
    let from = number(&text(from)?)?;
    let entries = texts(entries)?;
    let state = texts(state)?.pop();
    if at.generation == known.generation && from == known.count && state.is_none() {
        return Some(Found::Since(at, entries));
    }
    Some(Found::Other(Story { at, state, entries }))
}

fn text(value: Value) -> Option<Bytes> {
    match value {
        Value::BulkString(text) => Some(text.into()),
        _ => None,
    }
}

fn texts(value: Value) -> Option<Vec<Bytes>> {
    match value {
        Value::Array(list) => list.into_iter().map(text).collect(),
        _ => None,
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
