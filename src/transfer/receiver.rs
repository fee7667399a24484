//! The receivers of one transfer: where each stands, and which moves each may make. A move either is
//! refused and changes nothing, or says whether it changed anything.

use serde::{Deserialize, Serialize};

use crate::protocol::{Digest, ErrorCode, MemberId, ReceiverState, Refusal, Secret};

/// What a person wishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Wish {
    Flow,
    Wait,
}

/// What a move did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Changed,
    Nothing,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Receiver {
    pub(super) member: MemberId,
    /// From its first acceptance on, whatever comes after.
    pub(super) token: Option<Secret>,
    standing: Standing,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Standing {
    Invited,
    Rejected,
    Owed { wish: Wish, link: Link },
    Complete { digest: Option<Digest> },
    Cancelled,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Link {
    /// Open, or to be opened for the first time, and no byte has come on it yet.
    Quiet,
    Flowing,
    Lost,
}

impl Receiver {
    pub(super) fn new(member: MemberId) -> Self {
        Self { member, token: None, standing: Standing::Invited }
    }

    pub(super) fn state(&self) -> ReceiverState {
        match self.standing {
            Standing::Invited => ReceiverState::Invited,
            Standing::Rejected => ReceiverState::Rejected,
            Standing::Owed { link: Link::Lost, .. } => ReceiverState::Away,
            Standing::Owed { wish: Wish::Wait, .. } => ReceiverState::Paused,
            Standing::Owed { link: Link::Flowing, .. } => ReceiverState::Receiving,
            Standing::Owed { link: Link::Quiet, .. } => ReceiverState::Accepted,
            Standing::Complete { .. } => ReceiverState::Complete,
            Standing::Cancelled => ReceiverState::Cancelled,
            Standing::Failed => ReceiverState::Failed,
        }
    }

    pub(super) fn is_owed(&self) -> bool {
        matches!(self.standing, Standing::Owed { .. })
    }

    pub(super) fn is_complete(&self) -> bool {
        matches!(self.standing, Standing::Complete { .. })
    }

    /// Whether it said yes and that still stands.
    pub(super) fn has_accepted(&self) -> bool {
        self.is_owed() || self.is_complete()
    }

    /// Whether it would be glad of bytes now, or as soon as its link is back.
    pub(super) fn waits(&self) -> bool {
        matches!(self.standing, Standing::Owed { wish: Wish::Flow, .. })
    }

    /// Whether it wishes its bytes to wait.
    pub(super) fn holds(&self) -> bool {
        matches!(self.standing, Standing::Owed { wish: Wish::Wait, .. })
    }

    /// Whether a byte that moves now changes its state.
    pub(super) fn is_about_to_flow(&self) -> bool {
        matches!(self.standing, Standing::Owed { link: Link::Quiet, .. })
    }

    /// Says yes, for the first time or again.
    pub(super) fn accept(&mut self) -> Effect {
        match self.standing {
            Standing::Owed { .. } | Standing::Complete { .. } => Effect::Nothing,
            Standing::Invited | Standing::Rejected | Standing::Cancelled | Standing::Failed => {
                self.standing = Standing::Owed { wish: Wish::Flow, link: Link::Quiet };
                Effect::Changed
            }
        }
    }

    /// Says no. The effect is that a sink has to be closed.
    pub(super) fn reject(&mut self) -> Effect {
        match self.standing {
            Standing::Invited => {
                self.standing = Standing::Rejected;
                Effect::Nothing
            }
            Standing::Owed { .. } => {
                self.standing = Standing::Cancelled;
                Effect::Changed
            }
            Standing::Rejected | Standing::Complete { .. } | Standing::Cancelled | Standing::Failed => {
                Effect::Nothing
            }
        }
    }

    pub(super) fn wish(&mut self, wanted: Wish) -> Result<Effect, Refusal> {
        match &mut self.standing {
            Standing::Owed { wish, .. } if *wish != wanted => {
                *wish = wanted;
                Ok(Effect::Changed)
            }
            Standing::Owed { .. } | Standing::Complete { .. } => Ok(Effect::Nothing),
            Standing::Invited | Standing::Rejected | Standing::Cancelled | Standing::Failed => {
                Err(not_accepted())
            }
        }
    }

    pub(super) fn cancel(&mut self) -> Result<Effect, Refusal> {
        match self.standing {
            Standing::Owed { .. } => {
                self.standing = Standing::Cancelled;
                Ok(Effect::Changed)
            }
            Standing::Complete { .. } | Standing::Cancelled | Standing::Failed => Ok(Effect::Nothing),
            Standing::Invited | Standing::Rejected => Err(not_accepted()),
        }
    }

    pub(super) fn open(&mut self) -> Result<(), Refusal> {
        match &mut self.standing {
            Standing::Owed { link, .. } => {
                if *link != Link::Flowing {
                    *link = Link::Quiet;
                }
                Ok(())
            }
            Standing::Complete { .. } => Ok(()),
            Standing::Invited | Standing::Rejected | Standing::Cancelled | Standing::Failed => {
                Err(not_accepted())
            }
        }
    }

    pub(super) fn lose(&mut self) {
        if let Standing::Owed { link, .. } = &mut self.standing {
            *link = Link::Lost;
        }
    }

    /// A byte reached it. One that is late on a lost link changes nothing.
    pub(super) fn flow(&mut self) {
        if let Standing::Owed { link, .. } = &mut self.standing
            && *link != Link::Lost
        {
            *link = Link::Flowing;
        }
    }

    /// Has all of it, by its own word, with this digest if it says one. The source's is `known`.
    pub(super) fn complete(&mut self, said: Option<Digest>, known: Option<Digest>) -> Result<(), ErrorCode> {
        let before = match self.standing {
            Standing::Complete { digest } => digest,
            _ => None,
        };
        self.standing = Standing::Complete { digest: said.or(before) };
        self.check(known)
    }

    /// Whether it has the bytes that the source means. If not, it has failed.
    pub(super) fn check(&mut self, known: Option<Digest>) -> Result<(), ErrorCode> {
        if let (Standing::Complete { digest: Some(held) }, Some(known)) = (&self.standing, known)
            && held.is_comparable(&known)
            && *held != known
        {
            self.standing = Standing::Failed;
            return Err(ErrorCode::DigestMismatch);
        }
        Ok(())
    }

    /// Gives up one that is owed bytes: the transfer cannot go on, for it or at all.
    pub(super) fn fail(&mut self) {
        if self.is_owed() {
            self.standing = Standing::Failed;
        }
    }

    /// The sender gave up: so has whoever is owed bytes.
    pub(super) fn be_cancelled(&mut self) {
        if self.is_owed() {
            self.standing = Standing::Cancelled;
        }
    }
}

/// The refusal of a move that only a receiver that has accepted may make.
pub(crate) fn not_accepted() -> Refusal {
    Refusal::new(ErrorCode::NotAllowed, "You have not accepted this transfer, or no longer; accept it first.")
}
