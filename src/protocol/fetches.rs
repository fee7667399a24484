//! The namespace `/fetches`: a URL that the server downloads as a drop of the member who asks. Types without
//! a meaning beyond the protocol page; what may be fetched is the `fetch` module's business.

use serde::{Deserialize, Serialize};

use super::ErrorCode;
use super::field::text;
use super::id::{ResourceId, RoomId, Secret, TransferId};
use super::limits;
use super::name::FileName;

/// The namespace's path.
pub const NAMESPACE: &str = "/fetches";

/// Names of the events.
pub mod event {
    /// Fetch a URL, or be told again of a fetch that is under way.
    pub const START: &str = "fetch:start";
    /// End one.
    pub const STOP: &str = "fetch:stop";
    /// How far it is.
    pub const PROGRESS: &str = "fetch:progress";
    /// Everyone who accepted has all of it.
    pub const COMPLETE: &str = "fetch:complete";
    /// It was stopped, or cannot go on.
    pub const FAILED: &str = "fetch:failed";
}

text! {
    /// A URL as a member says it. It may hold a capability: never shown by `Debug` or in a log.
    FetchUrl, "1 to 8192 bytes without control characters", |text| {
        (1..=limits::URL_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
    }
}

/// `fetch:start`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields, rename = "FetchStart"))]
pub struct Start {
    /// Where it becomes a drop.
    pub room: RoomId,
    /// The member's key of that room: the drop is that member's.
    pub key: Secret,
    /// What to fetch: `http` or `https`.
    #[cfg_attr(test, ts(as = "String"))]
    pub url: FetchUrl,
    /// The file's name; the origin's when absent.
    pub name: Option<FileName>,
    /// What the asker calls it, to find it again from another link; a random one when absent.
    pub resource: Option<ResourceId>,
    /// Whether the server is to keep a copy.
    pub keep: Option<bool>,
}

/// The answer to `fetch:start`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "FetchStarted"))]
pub struct Started {
    /// The transfer that its bytes come by.
    pub transfer: TransferId,
    /// What it is called from now on.
    pub resource: ResourceId,
}

/// `fetch:stop`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "FetchStop"))]
pub struct Stop {
    /// Which.
    pub resource: ResourceId,
}

/// `fetch:progress`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "FetchProgress"))]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Which.
    pub resource: ResourceId,
    /// Its transfer.
    pub transfer: TransferId,
    /// The file's name.
    pub name: FileName,
    /// Bytes that came from the origin: the furthest offset.
    pub received: u64,
    /// Bytes, or `null` while not known.
    pub size: Option<u64>,
    /// How much of it that is, 0 to 100 in tenths, rounded down; `null` while the size is not known.
    pub progress: Option<f64>,
    /// Bytes a second that reach the fastest receiver, over the last seconds; 0 while nothing moves.
    pub bytes_per_second: u64,
    /// Seconds until every receiver that flows has all, at this speed; `null` while not known.
    pub eta_seconds: Option<u64>,
}

/// `fetch:complete`, `fetch:failed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "FetchEnded"))]
pub struct Ended {
    /// Which.
    pub resource: ResourceId,
    /// Its transfer.
    pub transfer: TransferId,
    /// The file's name.
    pub name: FileName,
    /// Why it failed; absent when it is complete, or was stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub error: Option<ErrorCode>,
    /// What happened and what to do, for people.
    pub msg: String,
}
