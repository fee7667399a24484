//! What a hook is told: the kinds of event, and the body of each as it goes out. A body is written once and
//! shared; it holds what everyone in the room may know, and never a token unless the event was made with one.

use std::time::SystemTime;

use bytes::Bytes;
use serde::Serialize;

use crate::protocol::rooms::{OfferedDrop, Receiver};
use crate::protocol::{
    Digest, DropId, ErrorCode, FileName, FolderPath, MediaType, MemberId, ReceiverState, RoomId, TransferId,
};

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A drop is offered.
    Offered,
    /// Every receiver that accepted a transfer has all of it; again for each that comes later.
    Complete,
    /// A transfer failed.
    Failed,
    /// A kept file is whole in the store.
    Stored,
}

impl Kind {
    /// Its name in the configuration and in the body.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Stored => "stored",
        }
    }
}

/// Something that happened, written down.
#[derive(Debug, Clone)]
pub struct Event {
    kind: Kind,
    id: String,
    body: Bytes,
}

/// The body, in the form that Standard Webhooks recommends.
#[derive(Serialize)]
struct Body<'a, T> {
    #[serde(rename = "type")]
    kind: Kind,
    /// When it happened (RFC 3339).
    timestamp: String,
    data: &'a T,
}

/// `data` of `offered`: the drop as the room's members get it, and for whom it is if not for all.
#[derive(Debug, Serialize)]
pub struct Offering<'a> {
    /// The drop.
    #[serde(flatten)]
    pub drop: &'a OfferedDrop,
    /// For whom; absent when it is for everyone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<&'a [MemberId]>,
}

/// One file, in the events about it.
#[derive(Debug, Clone, Serialize)]
pub struct FileFacts {
    /// Where it was offered.
    pub room: RoomId,
    /// With which drop.
    pub drop: DropId,
    /// As which transfer.
    pub transfer: TransferId,
    /// By whom.
    pub from: MemberId,
    /// Its name.
    pub name: FileName,
    /// The folder it lies in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<FolderPath>,
    /// Bytes, or `null` while not known.
    pub size: Option<u64>,
    /// Its media type.
    #[serde(rename = "type")]
    pub media_type: MediaType,
    /// When it was last changed, in milliseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<u64>,
    /// Its digest, where one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// `data` of `complete` and `failed`.
#[derive(Debug, Serialize)]
pub struct Finish {
    /// The file.
    #[serde(flatten)]
    pub file: FileFacts,
    /// Bytes that the source got to the server.
    pub sent: u64,
    /// Everyone who has the offer.
    pub receivers: Vec<Receiver>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorCode>,
}

/// `data` of `stored`.
#[derive(Debug, Serialize)]
pub struct Stored {
    /// The file.
    #[serde(flatten)]
    pub file: FileFacts,
    /// The path of its HTTP download, token included: whoever gets this event can read the file. Only for hooks
    /// with `content = true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Event {
    /// A drop is offered, or is about to be.
    pub fn offered(offering: &Offering<'_>) -> Self {
        Self::new(Kind::Offered, format!("offered_{}", offering.drop.drop), offering)
    }

    /// All that accepted have it. Its id differs from that of an earlier completion of the same transfer, when fewer had it.
    pub fn complete(finish: &Finish) -> Self {
        let done = |receiver: &&Receiver| receiver.state == ReceiverState::Complete;
        let done = finish.receivers.iter().filter(done).count();
        Self::new(Kind::Complete, format!("complete_{}_{done}", finish.file.transfer), finish)
    }

    /// It failed.
    pub fn failed(finish: &Finish) -> Self {
        Self::new(Kind::Failed, format!("failed_{}", finish.file.transfer), finish)
    }

    /// Its copy is whole.
    pub fn stored(stored: &Stored) -> Self {
        Self::new(Kind::Stored, format!("stored_{}", stored.file.transfer), stored)
    }

    fn new<T: Serialize>(kind: Kind, id: String, data: &T) -> Self {
        let timestamp = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        // Nothing in these types refuses to be written.
        let body = serde_json::to_vec(&Body { kind, timestamp, data }).unwrap_or_default();
        Self { kind, id, body: body.into() }
    }

    /// What kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The same for every attempt to tell of it, and for every node that does: who remembers ids does nothing twice.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// JSON.
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}
