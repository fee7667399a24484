//! Public ids and secret capabilities. An id names a thing and may be seen by everyone; a [`Secret`] is
//! the right to act, is never shown by `Debug`, and is compared in constant time. Neither makes itself:
//! randomness is handed in, so the machines stay repeatable.

use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::field::text;
use super::limits;

text! {
    /// A room's id, chosen by people.
    RoomId, "1 to 64 of A-Z a-z 0-9 _ -", |text| {
        (1..=limits::ROOM_ID_CHARS).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    }
}

/// Makes an id type: 64 random bits in hex when ours; any short text when a peer says it, because an id
/// that was never given out is "not found", which is not the same as malformed.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        text! {
            $(#[$doc])*
            $name, "a text of 1 to 64 characters", |text| is_id(text)
        }

        impl $name {
            /// The id of these 64 random bits.
            pub fn from_random(bits: u64) -> Self {
                Self(compact_str::format_compact!("{bits:016x}"))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// A member of a room, as others see it.
    MemberId
}
id! {
    /// One offer of one or more files.
    DropId
}
id! {
    /// One file of a drop, on its way to any number of receivers.
    TransferId
}
id! {
    /// One download by the server, as whoever asked for it calls it. Two members may use one for two.
    ResourceId
}
id! {
    /// One message in a room's history.
    MessageId
}

impl fmt::Display for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn is_id(text: &str) -> bool {
    (1..=limits::ID_CHARS).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// What the ids of readers that are no people begin with.
const READER: &str = "reader-";

/// 128 random bits that give their holder a right: a member's key, a source token, a sink token.
#[derive(Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(as = "String"))]
#[serde(transparent)]
pub struct Secret(CompactString);

impl MemberId {
    /// The id of whoever holds this key in this room. Every node gives the same, even one that knows nothing
    /// of the room yet, and nobody can tell the key from it.
    pub fn of(room: &RoomId, key: &Secret) -> Self {
        let mut hash = blake3::Hasher::new();
        hash.update(room.as_str().as_bytes()).update(b" ").update(key.0.as_bytes());
        let mut bits = [0; 8];
        hash.finalize_xof().fill(&mut bits);
        Self::from_random(u64::from_be_bytes(bits))
    }

    /// The id of a program that may read a transfer with this token and is no person: it is in no room, and people
    /// are not told of it. No person's id has this form.
    pub fn of_reader(token: &Secret) -> Self {
        let digest = blake3::Hash::from_bytes(token.fingerprint()).to_hex();
        Self(compact_str::format_compact!("{READER}{}", digest.get(..16).unwrap_or_default()))
    }

    /// Whether it is [such a program's](Self::of_reader).
    pub fn is_reader(&self) -> bool {
        self.as_str().starts_with(READER)
    }
}

impl Secret {
    /// The secret of these 128 random bits. They must come from a cryptographic generator.
    pub fn from_random(bits: u128) -> Self {
        Self(compact_str::format_compact!("{bits:032x}"))
    }

    /// `text` when it has the form of a secret: 32 lower-case hexadecimal digits.
    pub fn new(text: &str) -> Option<Self> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 32 && text.bytes().all(hex)).then(|| Self(text.into()))
    }

    /// The text, to be handed to its owner and to nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What a table may be keyed by: looking up a digest tells an observer of time nothing of the secret.
    pub fn fingerprint(&self) -> [u8; 32] {
        *blake3::hash(self.0.as_bytes()).as_bytes()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A secret as a peer says it: any short text, since one that we never gave out is merely unknown.
impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        if !is_id(&text) {
            return Err(serde::de::Error::custom("a key or token is a text of 1 to 64 characters"));
        }
        Ok(Self(CompactString::from(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_a_key_has_one_id_in_a_room_and_another_elsewhere() {
        let (room, other) = (RoomId::new("room").unwrap(), RoomId::new("other").unwrap());
        let id = MemberId::of(&room, &Secret::from_random(7));
        assert_eq!(id, MemberId::of(&room, &Secret::from_random(7)));
        assert_ne!(id, MemberId::of(&room, &Secret::from_random(8)));
        assert_ne!(id, MemberId::of(&other, &Secret::from_random(7)));
    }

    #[test]
    fn a_reader_is_told_from_people_by_its_id() {
        let token = Secret::from_random(7);
        let (reader, person) = (MemberId::of_reader(&token), MemberId::from_random(7));
        assert!(reader.is_reader() && !person.is_reader());
        assert_ne!(reader, MemberId::of_reader(&Secret::from_random(8)));
        assert!(!reader.as_str().contains(token.expose()), "nobody can tell the token from it");
        assert!(!MemberId::of(&RoomId::new("room").unwrap(), &token).is_reader());
    }

    #[test]
    fn a_secret_never_shows_itself() {
        let secret = Secret::from_random(7);
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(secret.expose().len(), 32);
    }

    #[test]
    fn a_room_id_is_what_the_protocol_says() {
        assert!(RoomId::new("Calm_otter-42").is_some());
        for bad in ["", "a b", "a/b", "é", &"a".repeat(65)] {
            assert!(RoomId::new(bad).is_none(), "{bad}");
        }
    }
}
