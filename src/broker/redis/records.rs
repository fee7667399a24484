//! Records: an epoch before the value, compared in Redis, so that of two writers the later owner wins.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use deadpool_redis::redis::{Script, Value, cmd};

use super::names::Names;
use super::pool::Pool;
use crate::broker::{Away, Key, Record, Written};

/// Digits of an epoch: as many as the largest has, so that text compares as numbers do.
const DIGITS: usize = 20;

static WRITE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "
local there = redis.call('GET', KEYS[1])
if there and string.sub(there, 1, 20) > ARGV[1] then return there end
if ARGV[2] == '' then redis.call('DEL', KEYS[1])
else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return false",
    )
});

pub(super) async fn read(pool: &Pool, names: &Names, key: &Key) -> Result<Option<Record>, Away> {
    match pool.command(cmd("GET").arg(names.record(key))).await? {
        Value::Nil => Ok(None),
        Value::BulkString(text) => unpack(text).map(Some),
        _ => Err(Away),
    }
}

pub(super) async fn write(
    pool: &Pool,
    names: &Names,
    key: &Key,
    over: u64,
    record: &Record,
    lifetime: Duration,
) -> Result<Written, Away> {
    let text = [format!("{:0DIGITS$}", record.epoch).as_bytes(), &record.value].concat();
    put(pool, names, key, over, &text, lifetime).await
}

pub(super) async fn remove(pool: &Pool, names: &Names, key: &Key, over: u64) -> Result<(), Away> {
    put(pool, names, key, over, b"", Duration::ZERO).await.map(drop)
}

async fn put(
    pool: &Pool,
    names: &Names,
    key: &Key,
    over: u64,
    text: &[u8],
    lifetime: Duration,
) -> Result<Written, Away> {
    let mut call = WRITE.key(names.record(key));
    call.arg(format!("{over:0DIGITS$}")).arg(text).arg(milliseconds(lifetime));
    match pool.script(&call).await? {
        Value::Nil => Ok(Written::Done),
        Value::BulkString(text) => unpack(text).map(Written::Stale),
        _ => Err(Away),
    }
}

/// A lifetime as Redis wants it: not nothing, and no longer than it can count.
pub(super) fn milliseconds(lifetime: Duration) -> u64 {
    u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 50)
}

/// What is there and is no record of ours is as good as out of reach.
fn unpack(text: Vec<u8>) -> Result<Record, Away> {
    let epoch = text.get(..DIGITS).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    let Some(epoch) = epoch else {
        tracing::error!("a record in Redis is not one of ours: is the prefix shared?");
        return Err(Away);
    };
    Ok(Record { epoch, value: Bytes::from(text).slice(DIGITS..) })
}
