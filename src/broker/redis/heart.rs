//! This node's heartbeat, over a connection of its own, so that no large answer delays it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::Instant;

use super::dial::Link;
use super::health::{Health, Part};
use super::outbox::Outbox;
use super::retry::Retry;
use super::roster::{BEAT, Beat, Card, LIFETIME, Roster, Stay};
use super::topology;
use super::wire::{Broken, Value};
use crate::protocol::node::{Node, NodeId};

/// Writes one node's beat and reads all. Answers Redis's time, whether it knew us, and everybody.
const SCRIPT: &[u8] = b"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local stamp = string.format('%.0f', now)
local is_new = redis.call('HSET', KEYS[1], ARGV[1], stamp .. ' ' .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], 3600000)
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local at = tonumber(string.match(all[i + 1], '^%d+')) or 0
  if now - at > 30000 then redis.call('HDEL', KEYS[1], all[i]) end
end
return {stamp, is_new, all}";

/// See the module.
pub(super) struct Heart {
    pub(super) me: Node,
    pub(super) started: u64,
    pub(super) key: String,
    pub(super) outbox: Arc<Outbox>,
    pub(super) roster: Arc<Roster>,
    pub(super) health: Arc<Health>,
    pub(super) is_leaving: Arc<AtomicBool>,
}

impl Heart {
    /// Beats; ends never.
    pub(super) async fn run(self) {
        let connected = self.outbox.connected.clone();
        let mut retry = Retry::new(&connected);
        let slot = topology::slot(self.key.as_bytes());
        let mut last: Option<Instant> = None;
        loop {
            let broken = match self.outbox.topology.open(slot).await {
                Ok(link) => {
                    let broken = self.beat_on(link, &mut retry, &mut last).await;
                    self.outbox.stats.reconnects.add(1);
                    broken
                }
                Err(broken) => broken,
            };
            self.health.down(Part::Heart);
            self.roster.is_blind();
            if let Broken::Refused(error) = &broken {
                tracing::warn!(%error, "Redis refuses this node");
            }
            tracing::debug!(%broken, "the heartbeat");
            if self.outbox.topology.is_cluster() {
                let _ = self.outbox.topology.refresh().await;
            }
            retry.pause().await;
        }
    }

    async fn beat_on(&self, mut link: Link, retry: &mut Retry<'_>, last: &mut Option<Instant>) -> Broken {
        let mut is_first = true;
        loop {
            if let Err(broken) = self.beat(&mut link, last).await {
                return broken;
            }
            if std::mem::take(&mut is_first) {
                retry.made_it();
            }
            tokio::select! {
                () = tokio::time::sleep(BEAT) => {}
                () = self.roster.hurry.notified() => {}
            }
        }
    }

    async fn beat(&self, link: &mut Link, last: &mut Option<Instant>) -> Result<(), Broken> {
        let stay = if self.is_leaving.load(Ordering::Relaxed) { Stay::Leaving } else { Stay::Staying };
        let card = Card { node: self.me.clone(), started: self.started, wholes: self.health.wholes(), stay };
        let card = serde_json::to_vec(&card).map_err(|_| Broken::Malformed("a card"))?;
        let id = self.me.id.to_string();
        let answer = link.call(&[b"EVAL", SCRIPT, b"1", self.key.as_bytes(), id.as_bytes(), &card]).await?;
        let (redis_now, is_new, beats) = read(&answer).ok_or(Broken::Malformed("the nodes"))?;
        let now = Instant::now();
        if is_new {
            self.roster.is_blind();
        }
        if last.replace(now).is_some_and(|last| now - last > LIFETIME) {
            // Others may have taken this node for lost, whatever kept it.
            self.health.broke();
        }
        self.health.up(Part::Heart);
        self.roster.heard(now, redis_now, beats).await;
        Ok(())
    }
}

fn read(answer: &Value) -> Option<(u64, bool, Vec<Beat>)> {
    let [now, is_new, all] = answer.list()? else { return None };
    let beats = all.list()?.chunks(2).filter_map(read_beat).collect();
    Some((number(now.text()?)?, is_new.integer()? == 1, beats))
}

/// A card that cannot be read is of another version's node: not one of ours.
fn read_beat(pair: &[Value]) -> Option<Beat> {
    let [id, beat] = pair else { return None };
    let id = u64::from_str_radix(std::str::from_utf8(id.text()?).ok()?, 16).ok()?;
    let beat = beat.text()?;
    let space = beat.iter().position(|byte| *byte == b' ')?;
    let card = serde_json::from_slice(beat.get(space + 1..)?).ok()?;
    Some(Beat { id: NodeId(id), at: number(beat.get(..space)?)?, card })
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
