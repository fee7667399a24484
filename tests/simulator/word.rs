//! What a server is told and what it says, as one line of text each, so that a run can be written down,
//! read again and fed to a fresh server.

use std::fmt;

use bytes::Bytes;
use roomdrop::protocol::{Digest, ErrorCode};

use crate::content;

/// Who wishes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Sender,
    Sink(u64),
}

/// Whether a chunk is what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    /// True bytes, no digest.
    Plain,
    /// True bytes and their digest.
    Digested,
    /// Wrong bytes, and the digest of the true ones.
    Junk,
}

/// What happens to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    SourceUp,
    SourceDown,
    SourceFail,
    Size(u64),
    Chunk { lane: u64, offset: u64, len: u64, quality: Quality },
    Accept(u64),
    Reject(u64),
    SinkUp(u64),
    Download { sink: u64, from: u64 },
    Pull { sink: u64, lane: u64, from: u64, limit: u64 },
    Busy { sink: u64, offset: u64 },
    Ready(u64),
    SinkAway(u64),
    Done(u64),
    Pause(Who),
    Resume(Who),
    Cancel(Who),
    Tick,
}

/// What a server does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Ask { lane: u64, from: u64, limit: u64 },
    Stop { lane: u64 },
    Send { sink: u64, lane: u64, offset: u64, bytes: Bytes, digest: Option<Digest> },
    End { size: u64 },
    Close { sink: u64, error: ErrorCode },
    Over { error: ErrorCode },
    Status { state: String, size: Option<u64>, receivers: Vec<(u64, String, u64)> },
    Gone,
}

impl Event {
    /// The bytes and the digest of a chunk.
    pub fn payload(offset: u64, len: u64, quality: Quality) -> (Bytes, Option<Digest>) {
        match quality {
            Quality::Plain => (content::bytes(offset, len), None),
            Quality::Digested => (content::bytes(offset, len), Some(content::digest(offset, len))),
            Quality::Junk => (content::junk(offset, len), Some(content::digest(offset, len))),
        }
    }

    /// Reads what `Display` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (name, rest) = words.split_first()?;
        let number = |index: usize| rest.get(index)?.parse::<u64>().ok();
        let who = || match *rest.first()? {
            "sender" => Some(Who::Sender),
            sink => sink.parse().ok().map(Who::Sink),
        };
        Some(match *name {
            "source-up" => Self::SourceUp,
            "source-down" => Self::SourceDown,
            "source-fail" => Self::SourceFail,
            "size" => Self::Size(number(0)?),
            "chunk" => Self::Chunk {
                lane: number(0)?,
                offset: number(1)?,
                len: number(2)?,
                quality: match *rest.get(3)? {
                    "plain" => Quality::Plain,
                    "digested" => Quality::Digested,
                    "junk" => Quality::Junk,
                    _ => return None,
                },
            },
            "accept" => Self::Accept(number(0)?),
            "reject" => Self::Reject(number(0)?),
            "sink-up" => Self::SinkUp(number(0)?),
            "download" => Self::Download { sink: number(0)?, from: number(1)? },
            "pull" => Self::Pull { sink: number(0)?, lane: number(1)?, from: number(2)?, limit: number(3)? },
            "busy" => Self::Busy { sink: number(0)?, offset: number(1)? },
            "ready" => Self::Ready(number(0)?),
            "sink-away" => Self::SinkAway(number(0)?),
            "done" => Self::Done(number(0)?),
            "pause" => Self::Pause(who()?),
            "resume" => Self::Resume(who()?),
            "cancel" => Self::Cancel(who()?),
            "tick" => Self::Tick,
            _ => return None,
        })
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sender => f.write_str("sender"),
            Self::Sink(sink) => write!(f, "{sink}"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SourceUp => f.write_str("source-up"),
            Self::SourceDown => f.write_str("source-down"),
            Self::SourceFail => f.write_str("source-fail"),
            Self::Size(size) => write!(f, "size {size}"),
            Self::Chunk { lane, offset, len, quality } => {
                let quality = match quality {
                    Quality::Plain => "plain",
                    Quality::Digested => "digested",
                    Quality::Junk => "junk",
                };
                write!(f, "chunk {lane} {offset} {len} {quality}")
            }
            Self::Accept(sink) => write!(f, "accept {sink}"),
            Self::Reject(sink) => write!(f, "reject {sink}"),
            Self::SinkUp(sink) => write!(f, "sink-up {sink}"),
            Self::Download { sink, from } => write!(f, "download {sink} {from}"),
            Self::Pull { sink, lane, from, limit } => write!(f, "pull {sink} {lane} {from} {limit}"),
            Self::Busy { sink, offset } => write!(f, "busy {sink} {offset}"),
            Self::Ready(sink) => write!(f, "ready {sink}"),
            Self::SinkAway(sink) => write!(f, "sink-away {sink}"),
            Self::Done(sink) => write!(f, "done {sink}"),
            Self::Pause(who) => write!(f, "pause {who}"),
            Self::Resume(who) => write!(f, "resume {who}"),
            Self::Cancel(who) => write!(f, "cancel {who}"),
            Self::Tick => f.write_str("tick"),
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask { lane, from, limit } => write!(f, "ask {lane} {from} {limit}"),
            Self::Stop { lane } => write!(f, "stop {lane}"),
            Self::Send { sink, lane, offset, bytes, digest } => {
                let digest = if digest.is_some() { "digested" } else { "plain" };
                write!(f, "send {sink} {lane} {offset} {} {digest}", bytes.len())
            }
            Self::End { size } => write!(f, "end {size}"),
            Self::Close { sink, error } => write!(f, "close {sink} {error}"),
            Self::Over { error } => write!(f, "over {error}"),
            Self::Status { state, size, receivers } => {
                let size = size.map_or("unknown".into(), |size| size.to_string());
                write!(f, "status {state} {size}")?;
                receivers.iter().try_for_each(|(sink, state, held)| write!(f, " {sink}:{state}:{held}"))
            }
            Self::Gone => f.write_str("gone"),
        }
    }
}
