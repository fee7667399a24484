//! One upload as it is written down, and what may be done with it: where a body may begin, when it is whole, which
//! of its parts become one. It knows no storage and no clock.

use serde::{Deserialize, Serialize};

use super::Outcome;
use crate::protocol::{ErrorCode, Moment, Refusal};
use crate::room::Shelved;
use crate::store::{CHUNK, ManifestId};

/// An upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// Bytes, once known.
    pub length: Option<u64>,
    /// `Upload-Metadata` as it came.
    pub metadata: String,
    /// Its part in a concatenation.
    pub role: Role,
    /// When it ends.
    pub expires: Moment,
    /// What it will be found by, when it is whole.
    pub(super) whole: ManifestId,
    /// What it is to become.
    pub(super) goal: Option<Box<Shelved>>,
    /// What is safe, in order.
    pub(super) parts: Vec<Part>,
    pub(super) life: Life,
}

/// An upload's part in a concatenation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// None: it is a file.
    Single,
    /// A piece of a file.
    Partial,
    /// A file made of pieces: `Upload-Concat` as it came.
    Final(String),
}

/// Bytes that are safe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    pub(super) id: ManifestId,
    pub(super) size: u64,
}

/// How far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Life {
    /// It takes bytes, or has them all and is about to be published.
    Open,
    /// It is published, with this many bytes.
    Done(u64),
    /// It was whole, and what it was to become was refused.
    Refused(Refusal),
}

/// What the parts are to be after one more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fold {
    /// This many of the first stay as they are,
    pub(super) stay: usize,
    /// and these and the new one are to be one.
    pub(super) join: Vec<Part>,
}

impl Upload {
    /// Bytes that are safe.
    pub fn offset(&self) -> u64 {
        match self.life {
            Life::Done(size) => size,
            Life::Open | Life::Refused(_) => self.parts.iter().map(|part| part.size).sum(),
        }
    }

    /// Whether all its bytes are safe.
    pub fn has_all(&self) -> bool {
        self.length == Some(self.offset())
    }

    /// Whether all its bytes are safe and it is not published yet, though it is to be.
    pub(super) fn is_due(&self) -> bool {
        self.life == Life::Open && self.has_all() && self.role != Role::Partial
    }

    /// Whether it is published.
    pub fn is_done(&self) -> bool {
        matches!(self.life, Life::Done(_))
    }

    /// The drop that it is to become, or has become.
    pub fn goal(&self) -> Option<&Shelved> {
        self.goal.as_deref()
    }

    /// Whether anything may still be known of it.
    ///
    /// # Errors
    /// `expired`, or why it was refused in the end.
    pub(super) fn must_live(&self, now: Moment) -> Outcome<()> {
        if self.expires <= now {
            let why = "The time for this upload is over; begin a new one.";
            return Err(Refusal::new(ErrorCode::Expired, why));
        }
        match &self.life {
            Life::Refused(refusal) => Err(refusal.clone()),
            Life::Open | Life::Done(_) => Ok(()),
        }
    }

    /// A body begins: at this offset, with the whole's length if it is known only now, and so many bytes if that is
    /// known. Of all uploads none may have more than `most` bytes.
    ///
    /// # Errors
    /// `unexpected_chunk`, `not_allowed` for one that is put together from others, `bad_request` for another
    /// length, `too_large`.
    pub(super) fn begin(
        &mut self,
        offset: u64,
        length: Option<u64>,
        bytes: Option<u64>,
        most: u64,
    ) -> Outcome<()> {
        if let Role::Final(_) = self.role {
            let why = "This upload is put together from others and takes no bytes of its own.";
            return Err(Refusal::new(ErrorCode::NotAllowed, why));
        }
        if offset != self.offset() {
            return Err(elsewhere());
        }
        match (self.length, length) {
            (None, Some(length)) if length < offset => return Err(other_length()),
            (None, Some(length)) => self.length = Some(length),
            (Some(known), Some(length)) if known != length => return Err(other_length()),
            _ => {}
        }
        let end = offset.checked_add(bytes.unwrap_or_default());
        self.must_hold(end.unwrap_or(u64::MAX), most)
    }

    /// Whether it may have bytes up to here.
    pub(super) fn must_hold(&self, end: u64, most: u64) -> Outcome<()> {
        if self.length.unwrap_or(end) > most {
            return Err(too_large(most));
        }
        if self.length.is_some_and(|length| end > length) {
            let why =
                "The body is longer than what is missing of the upload; send what is missing and no more.";
            return Err(Refusal::new(ErrorCode::TooLarge, why));
        }
        Ok(())
    }

    /// How a new part of this size is put to the others: small ones become one with it, so that there are never
    /// many more than the chunks of what was sent, and each byte is written again at most as often as the size of a
    /// chunk can be halved.
    pub(super) fn fold(&self, size: u64) -> Fold {
        let (mut stay, mut all) = (self.parts.len(), size);
        while let Some(last) = stay.checked_sub(1).and_then(|last| self.parts.get(last)) {
            if last.size >= 2 * all || last.size + all > CHUNK as u64 {
                break;
            }
            stay -= 1;
            all += last.size;
        }
        Fold { stay, join: self.parts.get(stay..).unwrap_or_default().to_vec() }
    }
}

/// The body does not begin where the upload stands.
pub(super) fn elsewhere() -> Refusal {
    let why = "Upload-Offset is not where the upload stands; ask with HEAD, and go on from there.";
    Refusal::new(ErrorCode::UnexpectedChunk, why)
}

/// An upload may not be that large.
pub(super) fn too_large(most: u64) -> Refusal {
    Refusal::new(
        ErrorCode::TooLarge,
        format!("An upload may have {most} bytes at most; send a smaller file."),
    )
}

fn other_length() -> Refusal {
    Refusal::new(
        ErrorCode::BadRequest,
        "Upload-Length is not the one that was said before; it cannot change.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_micros(1_000_000);

    fn upload(length: Option<u64>, parts: &[u64]) -> Upload {
        let part = |size: &u64| Part { id: ManifestId::from_random(u128::from(*size)), size: *size };
        Upload {
            length,
            metadata: String::new(),
            role: Role::Single,
            expires: Moment::from_micros(2_000_000),
            whole: ManifestId::from_random(1),
            goal: None,
            parts: parts.iter().map(part).collect(),
            life: Life::Open,
        }
    }

    fn code(outcome: Outcome<()>) -> Option<ErrorCode> {
        outcome.err().map(|refusal| refusal.code)
    }

    #[test]
    fn a_body_begins_where_the_upload_stands_and_ends_within_it() {
        let mut it = upload(Some(10), &[4, 2]);
        assert_eq!(code(it.begin(6, None, Some(4), 100)), None);
        assert_eq!(code(it.begin(6, Some(10), None, 100)), None);
        for offset in [0, 4, 5, 7, 10, u64::MAX] {
            assert_eq!(code(it.begin(offset, None, None, 100)), Some(ErrorCode::UnexpectedChunk), "{offset}");
        }
        assert_eq!(code(it.begin(6, None, Some(5), 100)), Some(ErrorCode::TooLarge));
        assert_eq!(code(it.begin(6, None, Some(u64::MAX), 100)), Some(ErrorCode::TooLarge));
        assert_eq!(code(it.begin(6, Some(11), None, 100)), Some(ErrorCode::BadRequest));
        it.role = Role::Final("final;/tus/a".into());
        assert_eq!(code(it.begin(6, None, None, 100)), Some(ErrorCode::NotAllowed));
    }

    #[test]
    fn a_length_that_is_known_later_is_held_to_the_same_bounds() {
        let mut it = upload(None, &[4, 2]);
        assert!(!it.has_all());
        assert_eq!(code(it.begin(6, Some(5), None, 100)), Some(ErrorCode::BadRequest));
        assert_eq!(code(it.begin(6, None, Some(95), 100)), Some(ErrorCode::TooLarge));
        assert_eq!(code(it.clone().begin(6, Some(101), None, 100)), Some(ErrorCode::TooLarge));
        assert_eq!(code(it.begin(6, Some(6), Some(0), 100)), None);
        assert!(it.has_all() && it.is_due());
    }

    #[test]
    fn what_is_over_takes_nothing_more() {
        let mut it = upload(Some(4), &[4]);
        assert!(it.must_live(NOW).is_ok());
        assert_eq!(code(it.must_live(it.expires)), Some(ErrorCode::Expired));
        it.life = Life::Refused(ErrorCode::NotAllowed.into());
        assert_eq!(code(it.must_live(NOW)), Some(ErrorCode::NotAllowed));
        it.life = Life::Done(4);
        it.parts.clear();
        assert_eq!((it.offset(), it.is_due(), it.is_done()), (4, false, true));
    }

    #[test]
    fn however_small_the_bodies_the_parts_are_few_and_written_seldom() {
        for body in [1_u64, 1000, 70_000, 1 << 20, CHUNK as u64 + 1] {
            let (mut it, mut written) = (upload(None, &[]), 0);
            let bodies = (64 * CHUNK as u64 / body).min(20_000);
            for _ in 0..bodies {
                let fold = it.fold(body);
                let size = body + fold.join.iter().map(|part| part.size).sum::<u64>();
                written += size;
                it.parts.truncate(fold.stay);
                it.parts.push(Part { id: ManifestId::from_random(1), size });
            }
            assert_eq!(it.offset(), body * bodies);
            let most = 2 * it.offset() / CHUNK as u64 + 23;
            assert!(it.parts.len() as u64 <= most, "{body}: {} parts", it.parts.len());
            assert!(written <= it.offset() * 23, "{body}: {written} of {}", it.offset());
        }
    }

    #[test]
    fn parts_that_become_smaller_and_smaller_are_few_too() {
        let mut it = upload(None, &[]);
        for body in (1..3000).rev() {
            let fold = it.fold(body);
            let size = body + fold.join.iter().map(|part| part.size).sum::<u64>();
            it.parts.truncate(fold.stay);
            it.parts.push(Part { id: ManifestId::from_random(1), size });
        }
        assert!(it.parts.len() < 30, "{}", it.parts.len());
    }

    #[test]
    fn what_was_written_down_is_read_again() {
        let mut it = upload(Some(7), &[4]);
        it.role = Role::Final("final;/tus/a /tus/b".into());
        let read: Upload = serde_json::from_slice(&serde_json::to_vec(&it).unwrap()).unwrap();
        assert_eq!(read, it);
    }
}
