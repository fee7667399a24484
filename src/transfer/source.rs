//! Where the bytes come from, as far as a transfer's life depends on it: whether they can be had again,
//! and whether anyone is there to give them. It refuses to know how much has been given.

use serde::{Deserialize, Serialize};

use super::copy::Copy;
use crate::protocol::{ErrorCode, Refusal};

/// Whether a source can go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// Any range can be asked for, at any time: a file in the sender's hands.
    Seekable,
    /// Every byte comes once, from the first on: a live stream, an upload by HTTP. Lost before its end,
    /// it cannot be replaced.
    Once,
}

/// How much a source has given, when it is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// Nothing yet: it may come back and begin.
    Nothing,
    /// Some of its bytes.
    Part,
    /// All of them.
    All,
}

/// A transfer's source: what of it can be had, and its link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Supply {
    /// Whether what the sender has can be had again.
    own: Source,
    reach: Reach,
    link: Link,
    copy: Copy,
}

/// What can be had of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Reach {
    /// Any range, at any time.
    Anywhere,
    /// Every byte once, and the first are still there.
    Start,
    /// Every byte once, and the first are gone.
    Rest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Link {
    /// It has not opened yet, or gave nothing while it was open.
    Awaited,
    Open,
    /// It had one, and may come back.
    Lost,
    /// It has none, and all its bytes were taken in: those who are under way need it no more.
    Drained,
    /// By its own word, it cannot give the bytes any more.
    Failed,
}

impl Supply {
    pub(super) fn new(source: Source) -> Self {
        let reach = match source {
            Source::Seekable => Reach::Anywhere,
            Source::Once => Reach::Start,
        };
        Self { own: source, reach, link: Link::Awaited, copy: Copy::None }
    }

    /// # Errors
    /// `transfer_closed` after [`Supply::fail`].
    pub(super) fn open(&mut self) -> Result<(), Refusal> {
        if self.link == Link::Failed && !self.copy.is_here() {
            return Err(Refusal::new(
                ErrorCode::TransferClosed,
                "You said that the file cannot be read any more, or has changed; offer it again.",
            ));
        }
        self.link = Link::Open;
        Ok(())
    }

    pub(super) fn lose(&mut self, given: Given) {
        if self.link == Link::Open {
            self.link = match (self.reach, given) {
                // It may be asked again, by whoever comes back or accepts: it is missed.
                (Reach::Anywhere, _) => Link::Lost,
                (_, Given::Nothing) => Link::Awaited,
                (_, Given::Part) => Link::Lost,
                (_, Given::All) => Link::Drained,
            };
        }
    }

    pub(super) fn fail(&mut self) {
        self.link = Link::Failed;
    }

    pub(super) fn copy(&self) -> Copy {
        self.copy
    }

    pub(super) fn own(&self) -> Source {
        self.own
    }

    /// A copy that is whole can give any byte. One that was and is no more leaves what the sender has.
    pub(super) fn set_copy(&mut self, copy: Copy) {
        let had_one = self.copy.is_here();
        self.copy = copy;
        match (copy, self.own) {
            (Copy::Here { .. }, _) => self.reach = Reach::Anywhere,
            (_, Source::Once) if had_one => {
                self.reach = Reach::Rest;
                self.link = Link::Lost;
            }
            _ => {}
        }
    }

    /// Whether it can go back.
    pub(super) fn kind(&self) -> Source {
        match self.reach {
            Reach::Anywhere => Source::Seekable,
            Reach::Start | Reach::Rest => Source::Once,
        }
    }

    /// Whether there is a start that may pass.
    pub(super) fn holds_start(&self) -> bool {
        self.reach == Reach::Start
    }

    /// Whether the start is gone.
    pub(super) fn has_start_passed(&self) -> bool {
        self.reach == Reach::Rest
    }

    pub(super) fn pass_start(&mut self) {
        if self.holds_start() {
            self.reach = Reach::Rest;
        }
    }

    /// Whether bytes can come without a change on this side.
    pub(super) fn is_there(&self) -> bool {
        matches!(self.link, Link::Open | Link::Drained) || self.copy.is_here()
    }

    /// Whether someone new can have all of it. Whoever has waited for a source that gives its bytes once
    /// until the transfer was `complete` has waited too long.
    pub(super) fn takes_more(&self, complete: bool) -> bool {
        match self.reach {
            _ if self.copy.is_here() => true,
            _ if self.link == Link::Failed => false,
            Reach::Anywhere => true,
            Reach::Start => !complete,
            Reach::Rest => false,
        }
    }

    /// Why a transfer that is not complete can never become so, if that is how it is.
    pub(super) fn dead_end(&self, someone_is_owed: bool) -> Option<ErrorCode> {
        match (self.link, self.reach) {
            _ if self.copy.is_here() => None,
            (Link::Failed, _) => Some(ErrorCode::SourceFailed),
            (Link::Lost, Reach::Start | Reach::Rest) => Some(ErrorCode::SourceLost),
            (_, Reach::Rest) if !someone_is_owed && self.copy != Copy::Coming => {
                Some(ErrorCode::TransferClosed)
            }
            _ => None,
        }
    }
}
