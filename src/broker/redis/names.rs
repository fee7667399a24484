//! What things are called in Redis: keys and channels, all below the prefix. What must be on one shard of a
//! cluster has one hash tag.

use bytes::Bytes;

use crate::broker::Key;
use crate::protocol::RoomId;
use crate::protocol::node::NodeId;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Names {
    prefix: String,
}

/// What belongs to one room's log.
#[derive(Debug, Clone)]
pub(super) struct LogNames {
    /// Generation, count, state: a hash.
    pub(super) about: String,
    /// The entries: a stream.
    pub(super) entries: String,
    /// Where each entry is told.
    pub(super) channel: Bytes,
}

impl Names {
    /// `None` unless the prefix is 1 to 64 of `A-Z a-z 0-9 _ - . :`.
    pub(super) fn new(prefix: &str) -> Option<Self> {
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
        let is_good = (1..=64).contains(&prefix.len()) && prefix.bytes().all(is_fine);
        is_good.then(|| Self { prefix: prefix.to_owned() })
    }

    /// The hash of all nodes.
    pub(super) fn nodes(&self) -> String {
        format!("{}:nodes", self.prefix)
    }

    /// One of a node's inboxes.
    pub(super) fn inbox(&self, node: NodeId, inbox: usize) -> Bytes {
        format!("{{{}:inbox:{node}:{inbox}}}", self.prefix).into()
    }

    pub(super) fn record(&self, key: &Key) -> String {
        match key {
            Key::Transfer(id) => format!("{}:transfer:{id}", self.prefix),
            Key::Fetch(fingerprint) => format!("{}:fetch:{}", self.prefix, hex::encode(fingerprint)),
            Key::Token(fingerprint) => format!("{}:token:{}", self.prefix, hex::encode(fingerprint)),
        }
    }

    pub(super) fn log(&self, room: &RoomId) -> LogNames {
        let tag = format!("{{{}:room:{room}}}", self.prefix);
        LogNames { about: format!("{tag}:about"), entries: format!("{tag}:entries"), channel: tag.into() }
    }
}
