//! `transfer:status`: how a transfer stands, as people are told. States are the `transfer` machine's, figures the
//! relay's; here stand the words alone.

use serde::{Deserialize, Serialize};

use super::id::{MemberId, TransferId};
use super::state::{ReceiverState, TransferState};
use super::{ErrorCode, Moment};

/// The data of `transfer:status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Which.
    pub transfer: TransferId,
    /// Where it stands.
    pub state: TransferState,
    /// Bytes, or `null` while not known.
    pub size: Option<u64>,
    /// Bytes that the source has got to the server: the furthest offset of any lane.
    pub sent: u64,
    /// Everyone who has the offer.
    pub receivers: Vec<Receiver>,
    /// Bytes a second that reach the fastest receiver, over the last seconds; 0 while nothing moves.
    pub bytes_per_second: u64,
    /// Seconds until every receiver that flows has all, at this speed; `null` while not known.
    pub eta_seconds: Option<u64>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub error: Option<ErrorCode>,
    /// What became of the copy that the server keeps; only of a drop that was offered with `keep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub copy: Option<StoredCopy>,
}

/// The copy that the server keeps of a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct StoredCopy {
    /// Where it stands.
    pub state: CopyState,
    /// When it ends, in milliseconds since the Unix epoch; of one that is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub until: Option<u64>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub error: Option<ErrorCode>,
    /// The same, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub msg: Option<String>,
}

impl StoredCopy {
    /// It is being written, or will be.
    pub const fn storing() -> Self {
        Self { state: CopyState::Storing, until: None, error: None, msg: None }
    }

    /// All of it is there, until then.
    pub const fn stored(until: Moment) -> Self {
        Self { state: CopyState::Stored, until: Some(until.unix_millis()), error: None, msg: None }
    }

    /// There is none, for this reason.
    pub fn failed(error: ErrorCode) -> Self {
        let msg = Some(format!("It is not kept. {}", error.sentence()));
        Self { state: CopyState::Failed, until: None, error: Some(error), msg }
    }
}

/// How far the server is with keeping a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum CopyState {
    /// It is being written.
    Storing,
    /// All of it is there, and serves whoever comes, with or without the sender.
    Stored,
    /// It is not kept; the rest goes on.
    Failed,
}

/// One receiver in a status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Receiver {
    /// Who.
    pub member: MemberId,
    /// Where it stands.
    pub state: ReceiverState,
    /// Bytes that it safely holds.
    pub received: u64,
}
