//! roomdrop: people meet in a room, drop files into it, and everyone who accepts gets them, live.
//!
//! # Where is what
//!
//! *Decide* in pure code, *do* in thin code. Imports run downward only; `tests/layers.rs` holds this
//! table as data and fails on an import that runs upward.
//!
//! | module | what lives there | what must not |
//! |---|---|---|
//! | [`app`] | load, wire, drain | rules, defaults |
//! | [`gateway`] | Socket.IO: one file per namespace; event → command, in arrival order | state that must outlive a link, rules |
//! | [`fetch`] | a remote URL as a source; who may be fetched | Socket.IO |
//! | [`http`] | uploads and downloads, the served folder, the page, health; one mapping from error code to response | rules |
//! | [`tus`] | uploads that go on where they stopped, and become kept drops | HTTP, rules of a room |
//! | [`depot`] | kept drops: written while they are live, served later, brought back after a restart | range arithmetic, HTTP |
//! | [`upload`] | uploads in chunks that can be resumed: which are still needed, and the file when all are here | HTTP, rooms |
//! | [`hub`] | handles and tasks: one task per transfer, one per room; turns decisions into calls on ports | protocol `if`s |
//! | [`hooks`] | the operator's programs that are told what happens, and asked before an offer | who may do what |
//! | [`broker`] | the port between nodes: frames, records, one log per room; `memory` for a node alone, `redis` for many | promises that pub/sub cannot keep |
//! | [`store`] | what is kept: content-addressed chunks, manifests, records, in a folder or S3-compatible storage | retention policy |
//! | [`net`] | the listener: connections that read big, can be cut, and notice a dead peer | HTTP, Socket.IO |
//! | [`relay`] | lanes, windows, splitting and merging, the memory budget: a pure machine | async, clocks, sockets |
//! | [`transfer`] | the life of a transfer: states, receivers, time-outs: a pure machine | byte counting |
//! | [`room`] | who is in, who may do what, history: a pure machine | broadcasting |
//! | [`protocol`] | ids, events, codes, limits, digests: every wire word has one home | tokio, sockets, clocks |
//! | [`log`] | where the log goes and in which form | what is logged |
//! | [`config`] | one struct per concern; the annotated default TOML, then a file, then the environment | anything that acts |

pub mod broker;
pub mod config;
pub mod depot;
pub mod fetch;
pub mod gateway;
pub mod hooks;
pub mod http;
pub mod hub;
pub mod log;
pub mod net;
pub mod protocol;
pub mod relay;
pub mod room;
pub mod store;
pub mod transfer;
pub mod tus;
pub mod upload;

pub mod app;
