//! The bytes that go from node to node: a header of fixed size, version first, then a payload that is never
//! re-encoded. It exists so that one page holds the layout, and refuses whatever is of another version, cut
//! short, or of a kind that is not known here; it never guesses.
//!
//! All numbers are big-endian.
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 1 | version |
//! | 1 | 1 | kind |
//! | 2 | 1 | algorithm of the digest; 0 is none |
//! | 3 | 1 | nothing, 0 |
//! | 4 | 4 | length of the payload |
//! | 8 | 8 | the node that sends |
//! | 16 | 8 | transfer |
//! | 24 | 8 | epoch |
//! | 32 | 8 | lane; of a credit: the inbox it is about |
//! | 40 | 8 | offset, or from |
//! | 48 | 8 | limit |
//! | 56 | 8 | counter: see [`Letter::counter`] |
//! | 64 | 32 | digest |
//! | 96 | | payload |

use bytes::{BufMut, Bytes};

use super::node::{Body, Frame, NodeId};
use super::{Digest, TransferId};

/// The version that this program speaks, and the only one it understands.
pub const VERSION: u8 = 1;
/// Bytes before the payload.
pub const HEADER: usize = 96;

/// What one node sends to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Who sends it.
    pub from: NodeId,
    /// Of a chunk: bytes of chunks that were sent to the same inbox so far, with this one. Of a credit: the
    /// same number, as far as it arrived. Of a hello: how often the sender's inbox was made whole.
    pub counter: u64,
    /// What.
    pub message: Message,
}

/// The kinds of letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// About a transfer.
    Frame(Frame),
    /// The sender's inbox is whole: of what was sent to it before, any may be lost.
    Hello,
    /// What arrived in one of the sender's inboxes.
    Credit {
        /// Its number.
        inbox: u64,
    },
    /// The sender ends.
    Gone,
}

/// Why something cannot be a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Its transfer's id is not one that a node gave out.
    #[error("the transfer's id is not 16 hexadecimal digits in lower case")]
    ForeignId,
    /// It carries more than its length can say.
    #[error("the payload is larger than 4 GiB")]
    TooLarge,
    /// It is of a version that is not spoken here.
    #[error("version {0} is not spoken here")]
    OtherVersion(u8),
    /// It ends early, or goes on beyond its end.
    #[error("its length is not what it says")]
    WrongLength,
    /// A kind or an algorithm that is not known.
    #[error("of an unknown kind")]
    UnknownKind,
}

mod kind {
    pub(super) const CHUNK: u8 = 1;
    pub(super) const PULL: u8 = 2;
    pub(super) const STOP: u8 = 3;
    pub(super) const WORD: u8 = 4;
    pub(super) const HELLO: u8 = 5;
    pub(super) const CREDIT: u8 = 6;
    pub(super) const GONE: u8 = 7;
}

/// The fields of a header that not every kind has.
#[derive(Default)]
struct Fields {
    kind: u8,
    transfer: u64,
    epoch: u64,
    lane: u64,
    from: u64,
    limit: u64,
    digest: Option<Digest>,
    payload: Bytes,
}

impl Letter {
    /// The header and the payload, to be sent one after the other. The payload is not copied.
    ///
    /// # Errors
    /// [`FrameError::ForeignId`], [`FrameError::TooLarge`].
    pub fn encode(&self) -> Result<([u8; HEADER], Bytes), FrameError> {
        let fields = self.fields()?;
        let mut header = [0; HEADER];
        let mut to = &mut header[..];
        to.put_u8(VERSION);
        to.put_u8(fields.kind);
        let (algorithm, digest) = plain(fields.digest);
        to.put_u8(algorithm);
        to.put_u8(0);
        to.put_u32(u32::try_from(fields.payload.len()).map_err(|_| FrameError::TooLarge)?);
        let numbers = [
            self.from.0,
            fields.transfer,
            fields.epoch,
            fields.lane,
            fields.from,
            fields.limit,
            self.counter,
        ];
        numbers.into_iter().for_each(|number| to.put_u64(number));
        to.put_slice(&digest);
        Ok((header, fields.payload))
    }

    fn fields(&self) -> Result<Fields, FrameError> {
        let fields = Fields::default();
        let Frame { transfer, epoch, body } = match &self.message {
            Message::Frame(frame) => frame,
            Message::Hello => return Ok(Fields { kind: kind::HELLO, ..fields }),
            Message::Credit { inbox } => return Ok(Fields { kind: kind::CREDIT, lane: *inbox, ..fields }),
            Message::Gone => return Ok(Fields { kind: kind::GONE, ..fields }),
        };
        let fields = Fields { transfer: number(transfer)?, epoch: *epoch, ..fields };
        Ok(match body {
            Body::Chunk { lane, offset, digest, bytes } => Fields {
                kind: kind::CHUNK,
                lane: *lane,
                from: *offset,
                digest: *digest,
                payload: bytes.clone(),
                ..fields
            },
            Body::Pull { lane, from, limit } => {
                Fields { kind: kind::PULL, lane: *lane, from: *from, limit: *limit, ..fields }
            }
            Body::Stop { lane } => Fields { kind: kind::STOP, lane: *lane, ..fields },
            Body::Word(word) => Fields { kind: kind::WORD, payload: word.clone(), ..fields },
        })
    }

    /// Reads a letter. Its payload is a part of `bytes`, not a copy.
    ///
    /// # Errors
    /// Every one but those of [`Letter::encode`].
    pub fn decode(bytes: &Bytes) -> Result<Self, FrameError> {
        let version = *bytes.first().ok_or(FrameError::WrongLength)?;
        if version != VERSION {
            return Err(FrameError::OtherVersion(version));
        }
        let header = bytes.get(..HEADER).ok_or(FrameError::WrongLength)?;
        let length = header.get(4..8).and_then(|four| four.try_into().ok()).map(u32::from_be_bytes);
        let payload = bytes.slice(HEADER..);
        if length.is_none_or(|length| length as usize != payload.len()) {
            return Err(FrameError::WrongLength);
        }
        let number = |index: usize| {
            let eight = header.get(8 + 8 * index..16 + 8 * index).and_then(|eight| eight.try_into().ok());
            eight.map_or(0, u64::from_be_bytes)
        };
        let message = match header[1] {
            kind::HELLO => Message::Hello,
            kind::CREDIT => Message::Credit { inbox: number(3) },
            kind::GONE => Message::Gone,
            about_transfer => {
                let (lane, from, limit) = (number(3), number(4), number(5));
                let body = match about_transfer {
                    kind::CHUNK => Body::Chunk {
                        lane,
                        offset: from,
                        digest: digest(header[2], &header[64..])?,
                        bytes: payload,
                    },
                    kind::PULL => Body::Pull { lane, from, limit },
                    kind::STOP => Body::Stop { lane },
                    kind::WORD => Body::Word(payload),
                    _ => return Err(FrameError::UnknownKind),
                };
                Message::Frame(Frame { transfer: TransferId::from_random(number(1)), epoch: number(2), body })
            }
        };
        Ok(Self { from: NodeId(number(0)), counter: number(6), message })
    }
}

/// The 64 bits that an id of ours was made from.
fn number(transfer: &TransferId) -> Result<u64, FrameError> {
    let text = transfer.as_str();
    let is_ours = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let number = is_ours.then(|| u64::from_str_radix(text, 16).ok()).flatten();
    number.ok_or(FrameError::ForeignId)
}

fn plain(digest: Option<Digest>) -> (u8, [u8; 32]) {
    match digest {
        None => (0, [0; 32]),
        Some(Digest::Blake3(digest)) => (1, digest),
        Some(Digest::Sha256(digest)) => (2, digest),
        Some(Digest::Md5(half)) => {
            let mut digest = [0; 32];
            digest[..16].copy_from_slice(&half);
            (3, digest)
        }
    }
}

fn digest(algorithm: u8, bytes: &[u8]) -> Result<Option<Digest>, FrameError> {
    let whole = || bytes.get(..32).and_then(|whole| whole.try_into().ok()).ok_or(FrameError::WrongLength);
    let half = || bytes.get(..16).and_then(|half| half.try_into().ok()).ok_or(FrameError::WrongLength);
    Ok(match algorithm {
        0 => None,
        1 => Some(Digest::Blake3(whole()?)),
        2 => Some(Digest::Sha256(whole()?)),
        3 => Some(Digest::Md5(half()?)),
        _ => return Err(FrameError::UnknownKind),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_digest() -> impl Strategy<Value = Option<Digest>> {
        prop_oneof![
            Just(None),
            any::<[u8; 32]>().prop_map(|bytes| Some(Digest::Blake3(bytes))),
            any::<[u8; 32]>().prop_map(|bytes| Some(Digest::Sha256(bytes))),
            any::<[u8; 16]>().prop_map(|bytes| Some(Digest::Md5(bytes))),
        ]
    }

    fn any_bytes() -> impl Strategy<Value = Bytes> {
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from)
    }

    fn any_body() -> impl Strategy<Value = Body> {
        prop_oneof![
            (any::<u64>(), any::<u64>(), any_digest(), any_bytes())
                .prop_map(|(lane, offset, digest, bytes)| Body::Chunk { lane, offset, digest, bytes }),
            (any::<u64>(), any::<u64>(), any::<u64>()).prop_map(|(lane, from, limit)| Body::Pull {
                lane,
                from,
                limit
            }),
            any::<u64>().prop_map(|lane| Body::Stop { lane }),
            any_bytes().prop_map(Body::Word),
        ]
    }

    fn any_letter() -> impl Strategy<Value = Letter> {
        let frame = (any::<u64>(), any::<u64>(), any_body()).prop_map(|(transfer, epoch, body)| {
            Message::Frame(Frame { transfer: TransferId::from_random(transfer), epoch, body })
        });
        let message = prop_oneof![
            4 => frame,
            1 => Just(Message::Hello),
            1 => any::<u64>().prop_map(|inbox| Message::Credit { inbox }),
            1 => Just(Message::Gone),
        ];
        (any::<u64>(), any::<u64>(), message).prop_map(|(from, counter, message)| Letter {
            from: NodeId(from),
            counter,
            message,
        })
    }

    fn joined(letter: &Letter) -> Bytes {
        let (header, payload) = letter.encode().unwrap();
        [&header[..], &payload[..]].concat().into()
    }

    proptest! {
        #[test]
        fn a_letter_arrives_as_it_was_sent(letter in any_letter()) {
            prop_assert_eq!(Letter::decode(&joined(&letter)), Ok(letter));
        }

        #[test]
        fn what_is_cut_or_prolonged_is_refused(letter in any_letter(), cut in any::<prop::sample::Index>()) {
            let bytes = joined(&letter);
            prop_assert!(Letter::decode(&bytes.slice(..cut.index(bytes.len()))).is_err());
            let longer: Bytes = [&bytes[..], b"x"].concat().into();
            prop_assert_eq!(Letter::decode(&longer), Err(FrameError::WrongLength));
        }

        #[test]
        fn rubbish_is_refused_or_read_and_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Letter::decode(&Bytes::from(bytes.clone()));
            if let Some(version) = bytes.first_mut() {
                *version = VERSION;
            }
            let _ = Letter::decode(&Bytes::from(bytes));
        }

        #[test]
        fn other_versions_are_refused(letter in any_letter(), version in any::<u8>()) {
            prop_assume!(version != VERSION);
            let mut bytes = joined(&letter).to_vec();
            bytes[0] = version;
            prop_assert_eq!(Letter::decode(&bytes.into()), Err(FrameError::OtherVersion(version)));
        }
    }

    #[test]
    fn a_payload_is_neither_copied_on_its_way_out_nor_in() {
        let bytes = Bytes::from(vec![7; 1000]);
        let body = Body::Chunk { lane: 1, offset: 2, digest: None, bytes: bytes.clone() };
        let frame = Frame { transfer: TransferId::from_random(3), epoch: 4, body };
        let letter = Letter { from: NodeId(5), counter: 6, message: Message::Frame(frame) };
        assert_eq!(letter.encode().unwrap().1.as_ptr(), bytes.as_ptr());
        let whole = joined(&letter);
        let Message::Frame(Frame { body: Body::Chunk { bytes, .. }, .. }) =
            Letter::decode(&whole).unwrap().message
        else {
            unreachable!()
        };
        assert_eq!(bytes.as_ptr(), whole[HEADER..].as_ptr());
    }

    #[test]
    fn an_id_that_no_node_gave_out_is_refused() {
        for text in ["t1", "00000000000000FF", "0000000000000000f", "000000000000000g", "+00000000000000f"] {
            let frame =
                Frame { transfer: TransferId::new(text).unwrap(), epoch: 0, body: Body::Stop { lane: 0 } };
            let letter = Letter { from: NodeId(1), counter: 0, message: Message::Frame(frame) };
            assert_eq!(letter.encode(), Err(FrameError::ForeignId), "{text}");
        }
    }
}
