//! The states of a transfer and of a receiver: words that stand alike on the wire, in logs and on the
//! page. What may follow what is decided by the `transfer` machine, not here.

use serde::{Deserialize, Serialize};

use super::envelope::Code;
use super::id::MemberId;

/// Where a transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum TransferState {
    /// Nobody has accepted yet.
    Offered,
    /// Someone has accepted and has not got all of it.
    Active,
    /// The sender wishes it to wait.
    Paused,
    /// No source is connected, or nothing moved for the stall time-out. It goes on by itself.
    Suspended,
    /// Every receiver that accepted has all of it. Late acceptors are still welcome.
    Complete,
    /// The sender ended it. Final.
    Cancelled,
    /// It cannot go on; the status says why. Final.
    Failed,
}

impl TransferState {
    /// The number that stands for it in a status's envelope.
    pub const fn code(self) -> Code {
        match self {
            Self::Offered | Self::Active => Code::Progress,
            Self::Paused | Self::Suspended => Code::Held,
            Self::Complete => Code::Success,
            Self::Cancelled | Self::Failed => Code::Error,
        }
    }

    /// Whether nothing follows it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Cancelled | Self::Failed)
    }

    /// What it means, for people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Offered => "waiting for someone to accept",
            Self::Active => "in progress",
            Self::Paused => "paused by the sender",
            Self::Suspended => "waiting for a lost link; it goes on by itself",
            Self::Complete => "every receiver that accepted has all of it",
            Self::Cancelled => "cancelled by the sender",
            Self::Failed => "failed",
        }
    }
}

/// Whose word about a transfer it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Party {
    /// The sender's: about the whole transfer.
    Sender,
    /// A receiver's: about its own part.
    Receiver(MemberId),
}

/// Where one receiver of a transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ReceiverState {
    /// Has the offer and has not answered.
    Invited,
    /// Said yes; its bytes do not flow yet.
    Accepted,
    /// Its bytes flow.
    Receiving,
    /// The receiver wishes it to wait.
    Paused,
    /// Its link is lost; it goes on when it is back.
    Away,
    /// Has all of it, by its own word.
    Complete,
    /// Said no.
    Rejected,
    /// Gave up after it had accepted.
    Cancelled,
    /// Its bytes were wrong, or the transfer could not wait for it.
    Failed,
}

impl ReceiverState {
    /// Whether bytes are still owed to it.
    pub const fn is_owed(self) -> bool {
        matches!(self, Self::Accepted | Self::Receiving | Self::Paused | Self::Away)
    }
}
