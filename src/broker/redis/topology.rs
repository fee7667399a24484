//! Which Redis to ask: the only one, or the master of a slot. It keeps the cluster's map of slots and reads
//! it again when somebody finds that it is wrong. Nothing here decides when to try again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::StartError;
use super::dial::{Address, Door, Link};
use super::wire::{Broken, Value};

/// Between two readings of the map, at least.
const PAUSE: Duration = Duration::from_millis(100);

/// Which Redis, or which of them.
pub(super) struct Topology {
    door: Door,
    cluster: Option<Cluster>,
}

struct Cluster {
    /// Where to ask for the map when nobody of the map answers.
    seeds: Vec<Address>,
    map: Mutex<Arc<[Range]>>,
    read: tokio::sync::Mutex<Option<Instant>>,
}

struct Range {
    first: u16,
    last: u16,
    master: Address,
}

/// The slot of a key or channel: of its hash tag, where it has one.
pub(super) fn slot(key: &[u8]) -> u16 {
    let tag = || {
        let begin = key.iter().position(|byte| *byte == b'{')? + 1;
        let length = key.get(begin..)?.iter().position(|byte| *byte == b'}')?;
        key.get(begin..begin + length).filter(|tag| !tag.is_empty())
    };
    crc16::State::<crc16::XMODEM>::calculate(tag().unwrap_or(key)) % 16384
}

impl Topology {
    /// `urls`: one, or some nodes of a cluster with commas between.
    pub(super) fn new(urls: &str, is_cluster: bool) -> Result<Self, StartError> {
        if !is_cluster {
            return Ok(Self { door: Door::new(urls)?, cluster: None });
        }
        let doors = urls.split(',').map(|url| Door::new(url.trim())).collect::<Result<Vec<_>, _>>()?;
        let seeds =
            doors.iter().map(|door| door.address().ok_or(StartError::Url)).collect::<Result<_, _>>()?;
        let door = doors.into_iter().next().ok_or(StartError::Url)?;
        let (map, read) = (Mutex::new(Arc::from([])), tokio::sync::Mutex::new(None));
        Ok(Self { door, cluster: Some(Cluster { seeds, map, read }) })
    }

    pub(super) fn door(&self) -> &Door {
        &self.door
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.cluster.is_some()
    }

    /// Whom to ask about a slot. Of a single Redis: `Some(None)`. `None`, while the map does not know.
    pub(super) fn whom(&self, slot: u16) -> Option<Option<Address>> {
        let Some(cluster) = &self.cluster else { return Some(None) };
        let map = cluster.map();
        let range = map.iter().find(|range| (range.first..=range.last).contains(&slot))?;
        Some(Some(range.master.clone()))
    }

    /// All masters that the map knows.
    pub(super) fn masters(&self) -> Vec<Address> {
        let mut masters: Vec<_> = self.cluster.iter().flat_map(|cluster| cluster.masters()).collect();
        masters.sort();
        masters.dedup();
        masters
    }

    /// A connection to whom the slot belongs.
    pub(super) async fn open(&self, slot: u16) -> Result<Link, Broken> {
        if self.whom(slot).is_none() {
            self.refresh().await?;
        }
        let whom = self.whom(slot).ok_or(Broken::Moved)?;
        let opened = self.door.open(whom.as_ref()).await;
        if opened.is_err() && self.is_cluster() {
            // Another may have taken its place; the next attempt asks that one.
            self.refresh().await?;
        }
        opened
    }

    /// Reads the map of slots. Of several calls at once, one asks.
    pub(super) async fn refresh(&self) -> Result<(), Broken> {
        let Some(cluster) = &self.cluster else { return Ok(()) };
        let mut read = cluster.read.lock().await;
        if read.is_some_and(|when| when.elapsed() < PAUSE) {
            return Ok(());
        }
        let mut last = Broken::Moved;
        for address in self.masters().into_iter().chain(cluster.seeds.iter().cloned()) {
            match self.ask(&address).await {
                Ok(map) => {
                    *cluster.map.lock().unwrap_or_else(PoisonError::into_inner) = map.into();
                    *read = Some(Instant::now());
                    return Ok(());
                }
                Err(broken) => last = broken,
            }
        }
        Err(last)
    }

    async fn ask(&self, address: &Address) -> Result<Vec<Range>, Broken> {
        let mut link = self.door.open(Some(address)).await?;
        let answer = link.call(&[b"CLUSTER", b"SLOTS"]).await?;
        let ranges: Vec<_> =
            answer.list().unwrap_or_default().iter().filter_map(|range| read_range(range, address)).collect();
        if ranges.is_empty() {
            Err(Broken::Refused("the cluster has no slots".to_owned()))
        } else {
            Ok(ranges)
        }
    }
}

impl Cluster {
    fn map(&self) -> Arc<[Range]> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn masters(&self) -> Vec<Address> {
        self.map().iter().map(|range| range.master.clone()).collect()
    }
}

/// `[first, last, [host, port, …], replicas…]`; an empty host is the one that was asked.
fn read_range(range: &Value, asked: &Address) -> Option<Range> {
    let [first, last, master, ..] = range.list()? else { return None };
    let [host, port, ..] = master.list()? else { return None };
    let host = host.text().and_then(|host| std::str::from_utf8(host).ok()).filter(|host| !host.is_empty());
    let bound = |value: &Value| u16::try_from(value.integer()?).ok();
    let master = (host.unwrap_or(&asked.0).to_owned(), bound(port)?);
    Some(Range { first: bound(first)?, last: bound(last)?, master })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_counted_as_redis_counts_them() {
        // From the specification of Redis Cluster, and `CLUSTER KEYSLOT`.
        assert_eq!(slot(b"123456789"), 0x31C3);
        assert_eq!(slot(b"foo"), 12182);
        assert_eq!(slot(b"{user1000}.following"), slot(b"user1000"));
        assert_eq!(slot(b"foo{}{bar}"), 8363);
        assert_eq!(slot(b"foo{{bar}}zap"), slot(b"{bar"));
    }
}
