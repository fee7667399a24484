//! What is said over plain HTTP beside envelopes of events. Which status goes with what is said by the
//! handler and by the error codes.

use serde::Serialize;

use super::digest::Digest;
use super::field::DisplayName;
use super::id::{DropId, MemberId, TransferId};
use super::name::FileName;
use super::state::ReceiverState;

/// The data of the answer to `PUT /rooms/{room}/{filename}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivered {
    /// The transfer that it was,
    pub transfer: TransferId,
    /// and its drop.
    pub drop: DropId,
    /// The file's name.
    pub name: FileName,
    /// Bytes, all in all.
    pub size: u64,
    /// Of all bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Everyone who had the offer.
    pub receivers: Vec<DeliveredTo>,
}

/// One receiver in a [`Delivered`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveredTo {
    /// Who.
    pub member: MemberId,
    /// The name it had; none for one that was not in the room meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<DisplayName>,
    /// Where it stands.
    pub state: ReceiverState,
    /// Bytes that it safely holds.
    pub received: u64,
}
