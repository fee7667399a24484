//! What every node can read of a fetch: whose node does it, what it became, how it ended. It exists so that a
//! member that comes back elsewhere finds its fetch, and so that a node can go on with one whose node is gone.
//! It is written as JSON, and one of a form that this version does not know is none. It decides nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::facts::Facts;
use crate::broker::{Away, Broker, Key, Written};
use crate::protocol::node::NodeId;
use crate::protocol::{FileName, MemberId, Refusal, ResourceId, RoomId, Secret, TransferId};

/// What a record is found by.
pub type Fingerprint = [u8; 32];

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Which node does it.
    pub node: NodeId,
    /// What is fetched.
    pub url: String,
    /// How far it is.
    pub stage: Stage,
}

/// How far a fetch is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Stage {
    /// The origin is asked what it has.
    Starting,
    /// It is a drop.
    Offered(Box<Offered>),
}

/// A fetch that is a drop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Offered {
    /// Its transfer.
    pub transfer: TransferId,
    /// Who holds this is its source.
    pub token: Secret,
    /// The file's name.
    pub name: FileName,
    /// What the origin said; nothing where a program fetches.
    pub facts: Option<Facts>,
    /// Why it failed, if it did.
    pub failed: Option<Refusal>,
}

/// What came of a claim.
#[derive(Debug, PartialEq)]
pub(super) enum Claimed {
    /// It is this node's, with the number that its record has; and what was known of it, if its node was another
    /// that is gone.
    Mine(u64, Option<Box<Offered>>),
    /// Another node does it, or did.
    Theirs(Box<Record>),
}

/// What a fetch is found by: whose it is, in which room, and what its asker calls it.
pub(super) fn fingerprint(room: &RoomId, member: &MemberId, resource: &ResourceId) -> Fingerprint {
    let mut hash = blake3::Hasher::new();
    for word in [room.as_str(), member.as_str(), resource.as_str()] {
        hash.update(&(word.len() as u64).to_be_bytes()).update(word.as_bytes());
    }
    *hash.finalize().as_bytes()
}

/// Reads it.
///
/// # Errors
/// [`Away`].
pub(super) async fn read(broker: &dyn Broker, fetch: Fingerprint) -> Result<Option<(u64, Record)>, Away> {
    let record = broker.read(&Key::Fetch(fetch)).await?;
    Ok(record.and_then(|record| Some((record.epoch, serde_json::from_slice(&record.value).ok()?))))
}

/// Writes it over the one of number `over`, as `number`. What is there instead, if that is newer.
///
/// # Errors
/// [`Away`].
pub(super) async fn write(
    broker: &dyn Broker,
    fetch: Fingerprint,
    (over, number): (u64, u64),
    record: &Record,
    lifetime: Duration,
) -> Result<Option<Record>, Away> {
    let value = serde_json::to_vec(record).unwrap_or_default().into();
    let record = crate::broker::Record { epoch: number, value };
    match broker.write(&Key::Fetch(fetch), over, record, lifetime).await? {
        Written::Done => Ok(None),
        Written::Stale(there) => Ok(serde_json::from_slice(&there.value).ok()),
    }
}

/// Makes a fetch this node's, unless it is that of another that lives. Records that are out of reach hold up
/// nobody: then it is this node's too.
pub(super) async fn claim(broker: &dyn Broker, fetch: Fingerprint, url: &str, lifetime: Duration) -> Claimed {
    let me = broker.me().id;
    let (number, known) = match read(broker, fetch).await {
        Ok(Some((_, record))) if record.node != me && lives(broker, record.node) => {
            return Claimed::Theirs(Box::new(record));
        }
        Ok(Some((number, Record { stage: Stage::Offered(offered), .. }))) => (number, Some(offered)),
        Ok(Some((number, _))) => (number, None),
        Ok(None) => (0, None),
        Err(Away) => return Claimed::Mine(0, None),
    };
    let stage = known.clone().map_or(Stage::Starting, Stage::Offered);
    let mine = Record { node: me, url: url.to_owned(), stage };
    match write(broker, fetch, (number, number + 1), &mine, lifetime).await {
        Ok(None) | Err(Away) => Claimed::Mine(number + 1, known),
        Ok(Some(theirs)) => Claimed::Theirs(Box::new(theirs)),
    }
}

/// Whether it is that of a node that is gone.
pub(super) async fn is_orphan(broker: &dyn Broker, fetch: Fingerprint) -> bool {
    match read(broker, fetch).await {
        Ok(Some((_, record))) => record.node != broker.me().id && !lives(broker, record.node),
        Ok(None) | Err(Away) => false,
    }
}

fn lives(broker: &dyn Broker, node: NodeId) -> bool {
    broker.nodes().iter().any(|known| known.id == node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_is_its_members_own() {
        let room = |id: &str| RoomId::new(id).unwrap();
        let resource = |id: &str| ResourceId::new(id).unwrap();
        let (ann, ben) = (MemberId::from_random(1), MemberId::from_random(2));
        let own = fingerprint(&room("a"), &ann, &resource("r"));
        assert_eq!(own, fingerprint(&room("a"), &ann, &resource("r")));
        assert_ne!(own, fingerprint(&room("a"), &ben, &resource("r")));
        assert_ne!(own, fingerprint(&room("b"), &ann, &resource("r")));
        assert_ne!(own, fingerprint(&room("a"), &ann, &resource("s")));
    }
}
