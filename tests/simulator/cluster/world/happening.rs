//! What can happen in the world of a cluster, and how the transcript says it.

use roomdrop::hub::session::Decided;
use roomdrop::protocol::ErrorCode;
use roomdrop::protocol::node::{Body, NodeId};

use super::World;
use crate::cluster::person::Says;
use crate::cluster::plan::Fault;
use crate::cluster::store::{Stored, Trip};
use crate::cluster::word::{Act, Line, Shown, Word};
use crate::plan::Peer;

#[derive(Debug)]
pub enum Happening {
    ToNode {
        line: Line,
        says: Says,
    },
    ToPerson {
        line: Line,
        word: Word,
    },
    NodeNotices {
        line: Line,
    },
    PersonNotices {
        line: Line,
    },
    Connect {
        peer: Peer,
    },
    Wake {
        peer: Peer,
    },
    Tick {
        node: NodeId,
    },
    Frame {
        from: NodeId,
        to: NodeId,
        epoch: u64,
        body: Body,
    },
    Credit {
        from: NodeId,
        to: NodeId,
        len: u64,
    },
    Signal {
        to: NodeId,
        signal: Signal,
    },
    Arrives {
        node: NodeId,
        trip: Trip,
    },
    Stored {
        node: NodeId,
        trip: Trip,
        stored: Stored,
    },
    Ask {
        number: u64,
    },
    AskArrives {
        number: u64,
        node: NodeId,
    },
    Answer {
        number: u64,
        node: NodeId,
        outcome: Result<Decided, ErrorCode>,
    },
    Fault(Fault),
    Returns {
        slot: usize,
    },
    Heals {
        slot: usize,
    },
    HealsAll,
    Hears {
        slot: usize,
    },
    Beat {
        node: NodeId,
        era: u64,
    },
    /// Once that request is answered.
    Resume {
        peer: Peer,
        after: u64,
    },
}

/// What a node hears of the others, or of what joins it to them.
#[derive(Debug, Clone, Copy)]
pub enum Signal {
    Undelivered(NodeId),
    Hello(NodeId),
    NodeLost(NodeId),
    Away,
    Back,
}

impl World {
    pub(super) fn log_happening(&mut self, happening: &Happening) {
        if self.log.is_none() {
            return;
        }
        let now = self.now;
        let text = match happening {
            Happening::Tick { node } => format!("tick {node}"),
            Happening::Credit { .. } | Happening::Wake { .. } => return,
            Happening::Frame { from, to, epoch, body } => {
                format!("frame {from} to {to} @{epoch} {}", Shown(body))
            }
            Happening::ToPerson { line, word } => format!("to person {line} {word}"),
            Happening::Arrives { node, trip } => {
                format!("arrives from {node} {}", Act::Trip(trip.clone()))
            }
            Happening::Stored { node, stored, .. } => match stored {
                Stored::Found(epoch, situation) => {
                    format!("stored {node} found @{epoch} {} {}", situation.home, situation.number)
                }
                stored => format!("stored {node} {stored:?}"),
            },
            happening => format!("{happening:?}"),
        };
        self.log(|| format!("{now} {text}"));
    }
}
