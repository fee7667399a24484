//! The namespace `/transfers`: every event that moves bytes, with its arguments and its answer. All
//! offsets are absolute, so a repeated or late message does no harm. What is a legal move on a lane is
//! the `relay` machine's business.

use serde::{Deserialize, Serialize};

use super::ErrorCode;
use super::digest::Digest;
use super::field::{self, MediaType, Note};
use super::id::{Secret, TransferId};
use super::name::FileName;
use super::state::TransferState;

/// The namespace's path.
pub const NAMESPACE: &str = "/transfers";

/// Names of the events.
pub mod event {
    /// Open as the source.
    pub const SOURCE_OPEN: &str = "source:open";
    /// The stream's final size, the file's digest.
    pub const SOURCE_END: &str = "source:end";
    /// The file is gone or has changed.
    pub const SOURCE_FAIL: &str = "source:fail";
    /// Open as a sink.
    pub const SINK_OPEN: &str = "sink:open";
    /// All bytes are safely held.
    pub const SINK_DONE: &str = "sink:done";
    /// Ask for bytes, and acknowledge what came.
    pub const PULL: &str = "pull";
    /// Ask for no more on a lane.
    pub const STOP: &str = "stop";
    /// Bytes at an offset, on a lane.
    pub const CHUNK: &str = "chunk";
    /// The size and digest, once known.
    pub const END: &str = "transfer:end";
}

/// `source:open`: exactly one of the two.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct SourceOpen {
    /// One source token,
    pub token: Option<Secret>,
    /// or many at once.
    #[serde(default, deserialize_with = "tokens")]
    pub tokens: Option<Vec<Secret>>,
}

/// The answer to `source:open`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SourceOpened {
    /// Which.
    pub transfer: TransferId,
    /// Bytes, or `null` for a live stream.
    pub size: Option<u64>,
    /// The sizes that chunks may have.
    pub chunk: ChunkSizes,
}

/// The sizes that chunks may have, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ChunkSizes {
    /// Smaller ones are wasteful, and still taken.
    pub min: u64,
    /// Larger ones are refused with `too_large`.
    pub max: u64,
}

/// The answer to an open with many tokens: in their order, each as the answer to one.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Opened<T> {
    /// One answer per token.
    pub transfers: Vec<OpenedOne<T>>,
}

/// One answer among many: what an open with one token says, or why it was refused.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(untagged)]
pub enum OpenedOne<T> {
    /// It is open.
    Opened(T),
    /// It is not, for this reason.
    Refused {
        /// The stable name.
        error: ErrorCode,
    },
}

/// `sink:open`: exactly one of `token` and `tokens`; with `lane`, the first pull too.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct SinkOpen {
    /// One sink token,
    pub token: Option<Secret>,
    /// or many at once.
    #[serde(default, deserialize_with = "tokens")]
    pub tokens: Option<Vec<Secret>>,
    /// The lane of the first pull.
    #[serde(default, deserialize_with = "field::nullable_integer")]
    pub lane: Option<u64>,
    /// Everything before this offset is held already; 0 when absent.
    #[serde(default, deserialize_with = "field::nullable_integer")]
    pub from: Option<u64>,
    /// Up to here bytes may come; a window beyond `from` when absent.
    #[serde(default, deserialize_with = "field::nullable_integer")]
    pub limit: Option<u64>,
}

/// The answer to `sink:open`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SinkOpened {
    /// Which.
    pub transfer: TransferId,
    /// The file's name.
    pub name: FileName,
    /// Bytes, or `null` while not known.
    pub size: Option<u64>,
    /// Its media type.
    #[serde(rename = "type")]
    pub media_type: MediaType,
    /// Where the transfer stands.
    pub state: TransferState,
    /// The whole file's digest, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub digest: Option<Digest>,
}

/// `pull`: "I safely hold everything before `from`; you may send up to, not including, `limit`."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Pull {
    /// Which.
    pub transfer: TransferId,
    /// The consumer's number for this run of chunks; a new start has a higher one.
    #[serde(deserialize_with = "field::integer")]
    pub lane: u64,
    /// Start here, on a new lane; later, everything before this is safely held.
    #[serde(deserialize_with = "field::integer")]
    pub from: u64,
    /// Send up to, not including, this offset.
    #[serde(deserialize_with = "field::integer")]
    pub limit: u64,
}

/// `stop`: no more on this lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Stop {
    /// Which.
    pub transfer: TransferId,
    /// The lane that ends.
    pub lane: u64,
}

/// The first argument of `chunk`; the second is the bytes, one binary attachment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct Chunk {
    /// Which.
    pub transfer: TransferId,
    /// The lane it was asked for on.
    #[serde(deserialize_with = "field::integer")]
    pub lane: u64,
    /// Where its first byte lies in the file.
    #[serde(deserialize_with = "field::integer")]
    pub offset: u64,
    /// The digest of its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// The answer to `chunk`, with code 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ChunkTaken {
    /// The end offset taken in.
    pub received: u64,
}

/// `source:end`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct SourceEnd {
    /// Which.
    pub transfer: TransferId,
    /// The final size of a live stream.
    #[serde(default, deserialize_with = "field::nullable_integer")]
    pub size: Option<u64>,
    /// The whole file's digest.
    pub digest: Option<Digest>,
}

/// `source:fail`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SourceFail {
    /// Which.
    pub transfer: TransferId,
    /// Why, for people.
    pub reason: Note,
}

/// `sink:done`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct SinkDone {
    /// Which.
    pub transfer: TransferId,
    /// The digest of what was received.
    pub digest: Option<Digest>,
}

/// `transfer:end`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct End {
    /// Which.
    pub transfer: TransferId,
    /// Bytes, all in all.
    pub size: u64,
    /// The whole file's digest, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub digest: Option<Digest>,
}

/// The tokens of an open, however they were given.
#[derive(Debug)]
pub enum Tokens {
    /// One, answered alone.
    One(Secret),
    /// Many, answered in their order.
    Many(Vec<Secret>),
}

impl Tokens {
    /// Exactly one of the two forms.
    ///
    /// # Errors
    /// `bad_request` when there is neither, or both.
    pub fn of(token: Option<Secret>, tokens: Option<Vec<Secret>>) -> Result<Self, ErrorCode> {
        match (token, tokens) {
            (Some(token), None) => Ok(Self::One(token)),
            (None, Some(tokens)) => Ok(Self::Many(tokens)),
            _ => Err(ErrorCode::BadRequest),
        }
    }
}

fn tokens<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Vec<Secret>>, D::Error> {
    #[derive(Deserialize)]
    struct List(#[serde(deserialize_with = "field::list")] Vec<Secret>);
    Ok(Option::<List>::deserialize(from)?.map(|list| list.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn a_pull_says_everything_in_whole_numbers() {
        let good = json!({"transfer": "t", "lane": 1, "from": 0, "limit": 9});
        assert!(from_value::<Pull>(good.clone()).is_ok());
        for field in ["transfer", "lane", "from", "limit"] {
            for bad in [json!(null), json!(-1), json!({}), json!(1.5), json!(1e300)] {
                let mut pull = good.clone();
                pull[field] = bad.clone();
                assert!(from_value::<Pull>(pull).is_err(), "{field} {bad}");
            }
        }
    }

    #[test]
    fn an_open_says_one_token_or_many() {
        let open = |value| {
            let open = from_value::<SourceOpen>(value)?;
            Ok::<_, serde_json::Error>(Tokens::of(open.token, open.tokens).is_ok())
        };
        assert!(open(json!({"token": "a"})).unwrap());
        assert!(open(json!({"tokens": ["a", "b"]})).unwrap());
        assert!(!open(json!({})).unwrap());
        assert!(!open(json!({"token": "a", "tokens": []})).unwrap());
        assert!(open(json!({"token": 5})).is_err());
        assert!(open(json!({"tokens": [""]})).is_err());
    }
}
