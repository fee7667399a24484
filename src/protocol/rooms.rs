//! The namespace `/rooms`: every event between people, with its argument and its answer. Types without a
//! meaning beyond the protocol page; who may send what when is the `room` machine's business.

use serde::{Deserialize, Serialize};

use super::ErrorCode;
use super::field::{self, DisplayName, MediaType, Note, Passphrase, Preview};
use super::id::{DropId, MemberId, MessageId, RoomId, Secret, TransferId};
use super::name::{FileName, FolderPath};
use super::state::TransferState;
pub use super::status::{CopyState, Receiver, Status, StoredCopy};

/// The namespace's path.
pub const NAMESPACE: &str = "/rooms";

/// Names of the events.
pub mod event {
    /// Enter a room.
    pub const JOIN: &str = "room:join";
    /// Leave it for good.
    pub const LEAVE: &str = "room:leave";
    /// Say something; also the event that carries it to everyone.
    pub const MESSAGE: &str = "room:message";
    /// Offer files.
    pub const OFFER: &str = "drop:offer";
    /// Accept a transfer, or all of a drop.
    pub const ACCEPT: &str = "transfer:accept";
    /// Refuse a transfer, or all of a drop.
    pub const REJECT: &str = "transfer:reject";
    /// Let a transfer, or one's own part of it, wait.
    pub const PAUSE: &str = "transfer:pause";
    /// Let it go on.
    pub const RESUME: &str = "transfer:resume";
    /// End it.
    pub const CANCEL: &str = "transfer:cancel";
    /// Someone is here.
    pub const JOINED: &str = "room:joined";
    /// Someone is gone.
    pub const LEFT: &str = "room:left";
    /// Files are offered.
    pub const OFFERED: &str = "drop:offered";
    /// How a transfer stands.
    pub const STATUS: &str = "transfer:status";
    /// An event without an acknowledgement failed.
    pub const PROBLEM: &str = "problem";
}

/// `room:join`.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct Join {
    /// The room to enter; it comes to be with its first member.
    pub room: RoomId,
    /// The name to show; "guest" when there is none.
    pub name: Option<DisplayName>,
    /// The key of an earlier join, to be the same member again.
    pub key: Option<Secret>,
    /// What opens the room. The first member's becomes the room's.
    pub passphrase: Option<Passphrase>,
}

/// The answer to `room:join`: all that a newcomer, or one who was away, needs to know.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Joined {
    /// The room entered.
    pub room: RoomId,
    /// Who one is.
    pub member: Member,
    /// The secret that makes one the same member again.
    pub key: Secret,
    /// Everyone, oneself included.
    pub members: Vec<Presence>,
    /// Open and recent drops that one may see, oldest first.
    pub drops: Vec<OfferedDrop>,
    /// Recent messages, oldest first.
    pub messages: Vec<Message>,
    /// What this server does besides.
    pub server: Services,
}

/// What a server does besides relaying, as its operator chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Services {
    /// How long a drop that is offered with `keep` is kept, in milliseconds; `null` where nothing is.
    pub keeps: Option<u64>,
    /// Whether it downloads for members (`/fetches`).
    pub fetches: bool,
}

/// A member as others see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Member {
    /// Who.
    pub id: MemberId,
    /// What it calls itself.
    pub name: DisplayName,
}

/// A member, and whether it has a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Presence {
    /// Who.
    pub id: MemberId,
    /// What it calls itself.
    pub name: DisplayName,
    /// Whether it has a link now; without one it is still a member for the presence grace.
    pub online: bool,
}

/// `room:leave`.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Leave {
    /// The room to leave.
    pub room: RoomId,
}

/// `room:message`, from a client.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Say {
    /// Where.
    pub room: RoomId,
    /// What; at most `limits.message_bytes`.
    pub text: String,
}

/// The answer to `room:message`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Said {
    /// The message's id.
    pub id: MessageId,
    /// When it was taken, in milliseconds since the Unix epoch.
    pub at: u64,
}

/// `room:message`, to everyone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Message {
    /// Where.
    pub room: RoomId,
    /// The message's id.
    pub id: MessageId,
    /// When it was taken, in milliseconds since the Unix epoch.
    pub at: u64,
    /// Whose.
    pub from: MemberId,
    /// The name its member had then, since it may be gone when this is read.
    #[serde(rename = "fromName")]
    pub from_name: DisplayName,
    /// What.
    pub text: String,
}

/// `drop:offer`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct Offer {
    /// Where.
    pub room: RoomId,
    /// One or more files.
    #[serde(deserialize_with = "field::list")]
    pub files: Vec<FileOffer>,
    /// For whom; for everyone when absent.
    #[serde(default, deserialize_with = "optional_list")]
    pub to: Option<Vec<MemberId>>,
    /// Whether the server is to keep a copy.
    pub keep: Option<bool>,
    /// A word to those who get the offer.
    pub note: Option<Note>,
}

/// One file of an offer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct FileOffer {
    /// Its name, without folders.
    pub name: FileName,
    /// The folder it lies in.
    pub path: Option<FolderPath>,
    /// Bytes, or `null` when not known yet (a live stream).
    #[serde(deserialize_with = "field::nullable_integer")]
    #[cfg_attr(test, ts(optional = false))]
    pub size: Option<u64>,
    /// Its media type; an empty text, as browsers give it, counts as none.
    #[serde(default, rename = "type", deserialize_with = "media_type")]
    pub media_type: Option<MediaType>,
    /// When it was last changed, in milliseconds since the Unix epoch.
    #[serde(default, deserialize_with = "field::nullable_integer")]
    pub modified: Option<u64>,
    /// A small picture of it.
    pub preview: Option<Preview>,
}

/// The answer to `drop:offer`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct OfferTaken {
    /// The drop.
    pub drop: DropId,
    /// Its transfers, in the order of the files.
    pub transfers: Vec<OutgoingTransfer>,
}

/// One transfer of one's own drop.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct OutgoingTransfer {
    /// Which.
    pub transfer: TransferId,
    /// The file's name.
    pub name: FileName,
    /// The source token, for the sender alone.
    pub token: Secret,
}

/// A drop: `drop:offered`, and `drops` of a join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "Drop"))]
pub struct OfferedDrop {
    /// Where.
    pub room: RoomId,
    /// Which.
    pub drop: DropId,
    /// Whose.
    pub from: MemberId,
    /// The name its member had then, since it may be gone when this is read.
    #[serde(rename = "fromName")]
    pub from_name: DisplayName,
    /// When it was offered, in milliseconds since the Unix epoch.
    pub at: u64,
    /// Whether the server keeps a copy.
    pub keep: bool,
    /// The sender's word.
    pub note: Option<Note>,
    /// Its files, in the order of the offer.
    pub transfers: Vec<OfferedTransfer>,
}

/// One file of a drop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct OfferedTransfer {
    /// Which.
    pub transfer: TransferId,
    /// The file's name.
    pub name: FileName,
    /// The folder it lies in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub path: Option<FolderPath>,
    /// Bytes, or `null` while not known.
    pub size: Option<u64>,
    /// Its media type; `application/octet-stream` when the sender gave none.
    #[serde(rename = "type")]
    pub media_type: MediaType,
    /// When it was last changed, in milliseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub modified: Option<u64>,
    /// A small picture of it, as the sender gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub preview: Option<Preview>,
    /// Where it stands.
    pub state: TransferState,
    /// What became of the copy that the server keeps; only of a drop that was offered with `keep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub copy: Option<StoredCopy>,
}

/// `transfer:accept`: exactly one of the two.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct Pick {
    /// One transfer,
    pub transfer: Option<TransferId>,
    /// or all of a drop.
    pub drop: Option<DropId>,
    /// Why, where it is a rejection.
    pub reason: Option<Note>,
}

/// What a [`Pick`] names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Picked {
    /// One transfer.
    Transfer(TransferId),
    /// All of a drop.
    Drop(DropId),
}

impl Pick {
    /// The one thing it names.
    ///
    /// # Errors
    /// `bad_request` when it names none, or both.
    pub fn picked(self) -> Result<Picked, ErrorCode> {
        match (self.transfer, self.drop) {
            (Some(transfer), None) => Ok(Picked::Transfer(transfer)),
            (None, Some(drop)) => Ok(Picked::Drop(drop)),
            _ => Err(ErrorCode::BadRequest),
        }
    }
}

/// The answer to `transfer:accept` of a transfer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Accepted {
    /// Which.
    pub transfer: TransferId,
    /// This member's sink token.
    pub token: Secret,
    /// The file's name.
    pub name: FileName,
    /// Bytes, or `null` while not known.
    pub size: Option<u64>,
    /// Its media type.
    #[serde(rename = "type")]
    pub media_type: MediaType,
    /// The path of its HTTP download, token included.
    pub url: String,
}

/// The answer to `transfer:accept` of a drop.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct AcceptedDrop {
    /// Every transfer of it that can still be had.
    pub transfers: Vec<Accepted>,
    /// The path of one streamed ZIP of all.
    pub zip: String,
}

/// `transfer:pause`, `transfer:resume`, `transfer:cancel`.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Steer {
    /// Which.
    pub transfer: TransferId,
}

/// `room:joined`, `room:left`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Presented {
    /// Where.
    pub room: RoomId,
    /// Who.
    pub member: Member,
}

fn optional_list<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Vec<MemberId>>, D::Error> {
    #[derive(Deserialize)]
    struct List(#[serde(deserialize_with = "field::list")] Vec<MemberId>);
    Ok(Option::<List>::deserialize(from)?.map(|list| list.0))
}

fn media_type<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<MediaType>, D::Error> {
    match Option::<std::borrow::Cow<'de, str>>::deserialize(from)?.as_deref() {
        None | Some("") => Ok(None),
        Some(text) => MediaType::new(text).map(Some).ok_or_else(|| {
            serde::de::Error::custom(
                "type must be a media type of at most 255 ASCII characters, such as image/png",
            )
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn the_size_must_be_said_and_may_be_null() {
        let file = |size: serde_json::Value| from_value::<FileOffer>(json!({"name": "a", "size": size}));
        assert_eq!(file(json!(5)).unwrap().size, Some(5));
        assert_eq!(file(json!(5.0)).unwrap().size, Some(5));
        assert_eq!(file(json!(null)).unwrap().size, None);
        for bad in
            [json!(-1), json!(1.5), json!("5"), json!(9_007_199_254_740_992_u64), json!([]), json!(true)]
        {
            assert!(file(bad.clone()).is_err(), "{bad}");
        }
        assert!(from_value::<FileOffer>(json!({"name": "a"})).is_err());
    }

    #[test]
    fn an_empty_media_type_is_none_and_a_hostile_one_is_refused() {
        let file = |kind: &str| from_value::<FileOffer>(json!({"name": "a", "size": 1, "type": kind}));
        assert!(file("").unwrap().media_type.is_none());
        assert!(file("image/png; x=y").unwrap().media_type.is_some());
        for bad in ["png", "image/", "/x", "a/b\r\nSet-Cookie: x", "a/é"] {
            assert!(file(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pick_names_exactly_one_thing() {
        let pick = |value| from_value::<Pick>(value).unwrap().picked();
        assert!(pick(json!({"transfer": "t"})).is_ok());
        assert!(pick(json!({"drop": "d", "reason": "no"})).is_ok());
        assert!(pick(json!({})).is_err());
        assert!(pick(json!({"drop": "d", "transfer": "t"})).is_err());
    }
}
