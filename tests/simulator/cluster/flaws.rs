//! Nodes with a flaw each, to see that the simulator notices: a check that cannot fail proves nothing.

use roomdrop::hub::session::{Input, Session};
use roomdrop::protocol::node::Body;

/// What every node gets wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Words of any epoch are taken for those of the present one.
    IgnoresEpochs,
    /// The records take whatever is written, whoever writes it.
    RecordsTakeAll,
    /// What was decided is answered before the record says so.
    AnswersEarly,
    /// A home whose node is gone stays the home.
    NeverTakesOver,
    /// Whoever was cut off asks nothing anew, nor does anyone who may have lost something.
    NeverAsksAnew,
    /// A chunk of the home is taken for one that comes later.
    Misplaces,
}

impl Flaw {
    pub const ALL: [Self; 6] = [
        Self::IgnoresEpochs,
        Self::RecordsTakeAll,
        Self::AnswersEarly,
        Self::NeverTakesOver,
        Self::NeverAsksAnew,
        Self::Misplaces,
    ];

    /// What reaches the session; nothing, where it is kept from it.
    pub fn distort(self, input: Input, session: &Session) -> Option<Input> {
        Some(match (self, input) {
            (Self::IgnoresEpochs, Input::Heard { from, body, .. }) => {
                Input::Heard { from, epoch: session.epoch(), body }
            }
            (Self::NeverTakesOver, Input::NodeLost(_)) => return None,
            (Self::NeverAsksAnew, Input::Back | Input::Hello(_)) => return None,
            (
                Self::Misplaces,
                Input::Heard { from, epoch, body: Body::Chunk { lane, offset, digest, bytes } },
            ) if offset > 0 => {
                let body = Body::Chunk { lane, offset: offset + 1, digest, bytes };
                Input::Heard { from, epoch, body }
            }
            (_, input) => input,
        })
    }
}
