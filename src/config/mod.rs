//! What the operator chooses: one struct per concern, filled from the annotated defaults in
//! `config/default.toml`, then a file, then the environment, then flags. It refuses to start half
//! right: an unknown key is a fault, every fault is told at once with its key, and what is read here is
//! plain values that nobody has to check again. It acts on nothing.

mod check;
mod error;
mod hooks;
mod layers;
mod sections;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use serde::Deserialize;

pub use error::{ConfigError, Fault};
pub use hooks::{Hook, HookEvent, HookOnError, HookSecret};
pub use sections::{
    Fetch, FetchCommand, Files, Hidden, Limits, Log, LogFormat, LogLevel, Memory, PeerUrl, Redis, Rooms,
    Server, SocketIo, Store, StoreUrl, Straggler, Transfers,
};

/// The annotated defaults: every key, its unit, its default, and when to change it.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Everything the server was told, checked. Each section's keys are described in [`DEFAULTS`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to serve, and how to end.
    pub server: Server,
    /// The connection to clients.
    pub socketio: SocketIo,
    /// Rooms and their members.
    pub rooms: Rooms,
    /// One file on its way.
    pub transfers: Transfers,
    /// All transfers together.
    pub memory: Memory,
    /// The served folder.
    pub files: Files,
    /// What joins many nodes.
    pub redis: Redis,
    /// What is kept.
    pub store: Store,
    /// What the server downloads for others.
    pub fetch: Fetch,
    /// Bounds against abuse.
    pub limits: Limits,
    /// Programs that are told what happens, in the order of their numbers.
    #[serde(default)]
    pub hooks: Vec<Hook>,
    /// What is written about the running server, and where.
    pub log: Log,
}

/// The few things one types on the command line.
#[derive(Debug, Clone, Default, clap::Parser)]
#[command(
    name = "roomdrop",
    version,
    about,
    after_help = "Everything else is in the configuration file and the environment (ROOMDROP_<SECTION>__<KEY>)."
)]
pub struct Flags {
    /// Address and port to serve on, like 0.0.0.0:3000
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Redis that joins this node with others, like redis://localhost
    #[arg(long, value_name = "URL")]
    pub redis: Option<String>,
    /// Configuration file (TOML); needs only what differs from the defaults
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl Config {
    /// Reads all layers and checks the whole. Reads one file, when `--config` names it.
    ///
    /// `environment` is what [`std::env::vars_os`] gives; variables that do not read
    /// `ROOMDROP_<SECTION>__<KEY>` are somebody else's and ignored.
    ///
    /// # Errors
    /// Every fault of every layer at once. A value that a later layer overrides is still held to account.
    pub fn load(
        flags: &Flags,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let (config, mut faults) = layers::merge(flags, environment)?;
        faults.extend([check::faults(&config, &faults), hooks::faults(&config.hooks, &faults)].concat());
        if faults.is_empty() { Ok(config) } else { Err(ConfigError::new(faults)) }
    }
}

#[cfg(test)]
mod tests;
