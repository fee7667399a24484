//! Servers with a flaw each, to see that the simulator notices: a check that cannot fail proves nothing.

use bytes::Bytes;
use roomdrop::protocol::{ErrorCode, Moment};

use crate::content;
use crate::server::Server;
use crate::word::{Effect, Event, Quality};

/// What a server gets wrong, now and then or always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// It does not send a chunk.
    Skips,
    /// It sends a chunk twice.
    Repeats,
    /// It sends other bytes.
    Corrupts,
    /// It sends on a lane of its own.
    Mislabels,
    /// It asks the source for a byte more than anybody wants.
    AsksForMore,
    /// It says that a wrong chunk was taken.
    TakesJunk,
    /// It asks for no bytes at all.
    AsksForNothing,
    /// It wants to be woken at once, for ever.
    Loops,
    /// It says that a transfer is complete as soon as it is active.
    Rejoices,
    /// It tells people nothing.
    Mumbles,
}

impl Flaw {
    pub const OF_THE_BYTES: [Self; 8] = [
        Self::Skips,
        Self::Repeats,
        Self::Corrupts,
        Self::Mislabels,
        Self::AsksForMore,
        Self::TakesJunk,
        Self::AsksForNothing,
        Self::Loops,
    ];
    pub const OF_THE_LIFE: [Self; 2] = [Self::Rejoices, Self::Mumbles];
}

/// A server with a flaw.
pub struct Flawed {
    pub server: Box<dyn Server>,
    pub flaw: Flaw,
    pub sent: u64,
    pub again: Option<Effect>,
    pub now: Moment,
}

impl Flawed {
    pub fn new(server: Box<dyn Server>, flaw: Flaw) -> Self {
        Self { server, flaw, sent: 0, again: None, now: Moment::default() }
    }

    /// The effect as this server says it; nothing when it keeps it to itself.
    fn distort(&mut self, effect: Effect) -> Option<Effect> {
        Some(match (self.flaw, effect) {
            (flaw, Effect::Send { sink, lane, offset, bytes, digest }) => {
                self.sent += 1;
                let send = |lane, bytes: Bytes| Effect::Send { sink, lane, offset, bytes, digest };
                match flaw {
                    Flaw::Skips if self.sent == 2 => return None,
                    Flaw::Repeats if self.sent == 2 => {
                        self.again = Some(send(lane, bytes.clone()));
                        send(lane, bytes)
                    }
                    Flaw::Corrupts if self.sent == 2 => send(lane, content::junk(offset, bytes.len() as u64)),
                    Flaw::Mislabels if self.sent == 2 => send(lane + 1, bytes),
                    _ => send(lane, bytes),
                }
            }
            (Flaw::AsksForMore, Effect::Ask { lane, from, limit }) => {
                Effect::Ask { lane, from, limit: limit + 1 }
            }
            (Flaw::AsksForNothing, Effect::Ask { .. } | Effect::Stop { .. }) => return None,
            (Flaw::Mumbles, Effect::Status { .. }) => return None,
            (Flaw::Rejoices, Effect::Status { state, size, receivers }) => {
                let state = if state == "active" { "complete".into() } else { state };
                Effect::Status { state, size, receivers }
            }
            (_, effect) => effect,
        })
    }
}

impl Server for Flawed {
    fn handle(&mut self, now: Moment, event: Event) -> Result<(), ErrorCode> {
        self.now = now;
        let is_junk = matches!(event, Event::Chunk { quality: Quality::Junk, .. });
        let answer = self.server.handle(now, event);
        if self.flaw == Flaw::TakesJunk && is_junk { Ok(()) } else { answer }
    }

    fn poll(&mut self) -> Option<Effect> {
        if let Some(effect) = self.again.take() {
            return Some(effect);
        }
        loop {
            let effect = self.server.poll()?;
            if let Some(effect) = self.distort(effect) {
                return Some(effect);
            }
        }
    }

    fn timeout(&self) -> Option<Moment> {
        if self.flaw == Flaw::Loops { Some(self.now) } else { self.server.timeout() }
    }

    fn state(&self) -> Option<String> {
        self.server.state()
    }
}
