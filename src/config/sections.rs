//! The sections of the configuration as plain values. What a key means, its default and when to change
//! it stands in `config/default.toml`, once; here stand the types and units the rest of the program gets.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::values;

/// `[server]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address and port to serve on; port 0 takes a free one.
    #[serde(deserialize_with = "values::address")]
    pub listen: SocketAddr,
    /// The node's name, 1 to 32 of `A-Z a-z 0-9 -`; `None` is a random one.
    #[serde(deserialize_with = "values::name_or_none")]
    pub node: Option<String>,
    /// Where other nodes reach it.
    #[serde(deserialize_with = "values::peer_url")]
    pub peer_url: PeerUrl,
    /// How long running transfers may go on after the signal to end. May be zero.
    #[serde(deserialize_with = "values::duration_or_zero")]
    pub drain_timeout: Duration,
}

/// Where other nodes reach this one by HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerUrl {
    /// At the address it listens on, if that is one.
    Auto,
    /// Nowhere.
    Nowhere,
    /// There: scheme, host and port.
    At(String),
}

/// `[socketio]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocketIo {
    /// Time between two heartbeats.
    #[serde(deserialize_with = "values::duration")]
    pub ping_interval: Duration,
    /// Time for the answer to one.
    #[serde(deserialize_with = "values::duration")]
    pub ping_timeout: Duration,
    /// Bytes of one message, at most, by any transport.
    #[serde(deserialize_with = "values::size")]
    pub max_payload: u64,
    /// Origins that may connect, in lower case and without a slash at the end; `*` is any.
    #[serde(deserialize_with = "values::origins")]
    pub origins: Vec<String>,
}

/// `[rooms]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rooms {
    /// Members in one room, at most.
    #[serde(deserialize_with = "values::count")]
    pub max_members: usize,
    /// Messages a room remembers. May be zero.
    #[serde(deserialize_with = "values::count_or_zero")]
    pub history: usize,
    /// How long a member without a connection is still there. May be zero.
    #[serde(deserialize_with = "values::duration_or_zero")]
    pub presence_grace: Duration,
}

/// `[transfers]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfers {
    /// From the offer to its end.
    #[serde(deserialize_with = "values::duration")]
    pub lifetime: Duration,
    /// Without movement for this long, a transfer is suspended.
    #[serde(deserialize_with = "values::duration")]
    pub stall_timeout: Duration,
    /// Bytes one transfer may hold in memory; at least `chunk_max`.
    #[serde(deserialize_with = "values::size")]
    pub window: u64,
    /// Bytes of a chunk, least.
    #[serde(deserialize_with = "values::size")]
    pub chunk_min: u64,
    /// Bytes of a chunk, most; at least `chunk_min`.
    #[serde(deserialize_with = "values::size")]
    pub chunk_max: u64,
    /// Lanes at one source, at most.
    #[serde(deserialize_with = "values::count")]
    pub max_lanes: usize,
    /// How long a slow receiver may hold the others up. May be zero.
    #[serde(deserialize_with = "values::duration_or_zero")]
    pub straggler_patience: Duration,
    /// What happens to it where there is no second lane.
    pub straggler: Straggler,
    /// Bytes of one file, at most; `None` is no bound but the protocol's.
    #[serde(deserialize_with = "values::size_or_none")]
    pub max_size: Option<u64>,
}

/// What happens to a slow receiver of a source that cannot go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Straggler {
    /// A lane of its own where there can be one; else all wait.
    Split,
    /// Its sink ends with an error.
    Drop,
}

/// `[memory]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Bytes all transfers together may hold; at least one window.
    #[serde(deserialize_with = "values::size")]
    pub budget: u64,
}

/// `[files]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// The folder served under `/download/`; `None` serves none.
    #[serde(deserialize_with = "values::path_or_none")]
    pub dir: Option<PathBuf>,
}

/// `[redis]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// Where it is; `None` is a node that is alone. Of a cluster some of its nodes, with commas between.
    #[serde(deserialize_with = "values::hidden_url_or_none")]
    pub url: Option<Hidden>,
    /// Whether it is a cluster.
    pub cluster: bool,
    /// What keys and channels begin with.
    #[serde(deserialize_with = "values::prefix")]
    pub prefix: String,
}

/// A text that may hold a password: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(pub(super) String);

impl Hidden {
    /// The text, to be used and never to be shown.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}

/// `[store]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Where things are kept.
    #[serde(deserialize_with = "values::store_url")]
    pub url: StoreUrl,
    /// How long.
    #[serde(deserialize_with = "values::duration")]
    pub lifetime: Duration,
    /// Bytes of one file, at most; no more than `quota`.
    #[serde(deserialize_with = "values::size")]
    pub max_size: u64,
    /// Bytes of all of them, at most.
    #[serde(deserialize_with = "values::size")]
    pub quota: u64,
}

/// Where things are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// Nowhere.
    Nowhere,
    /// In a folder.
    Folder(PathBuf),
    /// In S3-compatible storage.
    S3 {
        /// The bucket.
        bucket: String,
        /// What all keys begin with; may be empty.
        prefix: String,
    },
}

/// `[fetch]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fetch {
    /// Whether anything is.
    pub enabled: bool,
    /// Patterns of the hosts that may be asked; none is any.
    #[serde(deserialize_with = "values::hosts")]
    pub hosts: Vec<String>,
    /// Whether addresses that are not public may be asked.
    pub allow_private: bool,
    /// Fetches that may talk to their origins at once.
    #[serde(deserialize_with = "values::count")]
    pub concurrent: usize,
    /// Programs that fetch instead.
    pub commands: Vec<FetchCommand>,
}

/// `[[fetch.commands]]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FetchCommand {
    /// Patterns of the hosts that it is for; at least one.
    #[serde(deserialize_with = "values::some_hosts")]
    pub hosts: Vec<String>,
    /// Its name on the path, or its own path.
    #[serde(deserialize_with = "values::program")]
    pub program: String,
    /// What it is called with; one of them holds `{url}`.
    #[serde(deserialize_with = "values::arguments")]
    pub args: Vec<String>,
}

/// `[limits]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Rooms at once.
    #[serde(deserialize_with = "values::count")]
    pub rooms: usize,
    /// Transfers at once.
    #[serde(deserialize_with = "values::count")]
    pub transfers: usize,
    /// Open drops in one room.
    #[serde(deserialize_with = "values::count")]
    pub drops_per_room: usize,
    /// Files in one drop.
    #[serde(deserialize_with = "values::count")]
    pub files_per_drop: usize,
    /// Bytes of one chat message.
    #[serde(deserialize_with = "values::size")]
    pub message_bytes: u64,
    /// HTTP downloads at once with one token.
    #[serde(deserialize_with = "values::count")]
    pub downloads_per_token: usize,
    /// Copies of kept drops that are written at once.
    #[serde(deserialize_with = "values::count")]
    pub copies_at_once: usize,
    /// Bodies of `/tus/` that are taken at once, and as many chunks of `/api/upload`.
    #[serde(deserialize_with = "values::count")]
    pub uploads_at_once: usize,
    /// How long an upload by HTTP may not move while a receiver waits for it.
    #[serde(deserialize_with = "values::duration")]
    pub upload_patience: Duration,
}

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// The least important thing that is still written.
    pub level: LogLevel,
    /// Where it is appended; `None` is the terminal.
    #[serde(deserialize_with = "values::path_or_none")]
    pub file: Option<PathBuf>,
}

/// The form of a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How much is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Only what somebody must mend.
    Error,
    /// And what somebody should look at.
    Warn,
    /// And what happened.
    Info,
    /// And how.
    Debug,
    /// And every step of it.
    Trace,
}
