//! The listener under the web server: connections that read big, can be cut from anywhere, and notice
//! a dead peer; and a count of what is still to leave by them ([`UnderWay`]). It exists because a relay spends its time in small reads, and because a client that
//! stops reading is otherwise only ended by TCP itself, many minutes later. It knows bytes and
//! addresses, and refuses to know what is spoken on them.
//!
//! # Memory
//!
//! Reading ahead costs at most [`Options::read_buffers`] × [`Options::read_buffer`] bytes for the whole
//! listener (64 × 256 KiB = 16 MiB as delivered), whatever the number of connections: a connection that finds none
//! left reads straight into its caller's buffer, slower but correct. An idle connection holds no buffer; one
//! whose reader lets bytes lie (an upload read no faster than its receivers take it) keeps its one until they are read.

mod connection;
mod hangup;
mod link;
mod listener;
mod local;
mod pool;
mod under_way;

pub use connection::Connection;
pub use link::Link;
pub use listener::{Listener, Options, Peer};
pub use local::unpace;
pub use under_way::{One, UnderWay};
