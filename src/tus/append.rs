//! A body on its way into an upload: what comes is made safe piece by piece, and once more when the body ends,
//! however it ends; then the record says so, and not before. A body with a checksum counts as a whole or not at all.
//!
//! **Memory.** What the ingest holds (12 MiB), and one read of the connection.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, sleep_until, timeout};

use super::record::Kept;
use super::seat::Hold;
use super::upload::{Part, too_large};
use super::{Checksum, Inner, Outcome, random, refusal};
use crate::protocol::{ErrorCode, Refusal};
use crate::store::{Ingest, ManifestId, StoreError, Whole};

/// Bytes after which what came is made safe: a multiple of a chunk, so that equal bytes make equal chunks.
const PIECE: u64 = 32 << 20;
/// The longest that what came waits to be made safe.
const SOON: Duration = Duration::from_secs(5);
/// How much longer than the upload its parts live, so that one that is being put together finds them.
const MARGIN: Duration = Duration::from_secs(3600);

/// What is to be appended.
#[derive(Debug)]
pub struct Append {
    /// Where it begins.
    pub offset: u64,
    /// Of the whole upload, if it is said with this body.
    pub length: Option<u64>,
    /// Bytes of the body, where known.
    pub bytes: Option<u64>,
    /// Of this body.
    pub checksum: Option<Checksum>,
}

/// Why no more bytes are taken into a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// It is large or old enough, or someone asked how far the upload is.
    Piece,
    /// The body ended,
    End,
    /// or broke off,
    Cut,
    /// or came too slowly,
    Slow,
    /// or is longer than it may be.
    TooLong,
    /// Another sender takes the place of this one.
    Unwanted,
    /// The server ends.
    Ending,
}

/// How a body is made safe.
enum Pace {
    ByPiece,
    /// All at once, if it has this checksum.
    AsWhole(Checksum),
}

/// A body, and what of it was read and not taken yet.
struct Source<'a, S> {
    body: &'a mut S,
    at_hand: Bytes,
}

impl Inner {
    /// Takes a body to its end.
    ///
    /// # Errors
    /// Why not all of it was taken; what `kept` says is safe nevertheless.
    pub(super) async fn take_body<E>(
        &self,
        hold: &Hold,
        kept: &mut Kept,
        checksum: Option<Checksum>,
        body: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
    ) -> Outcome<()> {
        let mut source = Source { body, at_hand: Bytes::new() };
        let mut pace = checksum.map_or(Pace::ByPiece, Pace::AsWhole);
        loop {
            let mut ingest = self.new_part(kept).await?;
            let stop = self.fill(hold, kept, &mut ingest, &mut source, &mut pace).await?;
            pace = match pace {
                Pace::ByPiece => {
                    if stop != Stop::TooLong && ingest.taken() > 0 {
                        self.commit(kept, ingest).await?;
                    }
                    Pace::ByPiece
                }
                Pace::AsWhole(checksum) => {
                    if stop == Stop::End {
                        if !checksum.matches() {
                            return Err(ErrorCode::DigestMismatch.into());
                        }
                        self.commit(kept, ingest).await?;
                        return Ok(());
                    }
                    Pace::AsWhole(checksum)
                }
            };
            hold.is_safe();
            match stop {
                Stop::Piece => {}
                Stop::End => return Ok(()),
                other => return Err(self.why(other, kept)),
            }
        }
    }

    async fn new_part(&self, kept: &Kept) -> Outcome<Ingest> {
        let lifetime = kept.upload.expires.since(self.now()) + MARGIN;
        let whole = Whole { id: ManifestId::from_random(random()), size: None, lifetime: Some(lifetime) };
        self.store.ingest(whole).await.map_err(|error| refusal(&error))
    }

    /// Takes bytes into a part until it is to be made safe.
    async fn fill<E>(
        &self,
        hold: &Hold,
        kept: &Kept,
        ingest: &mut Ingest,
        source: &mut Source<'_, impl Stream<Item = Result<Bytes, E>> + Unpin>,
        pace: &mut Pace,
    ) -> Outcome<Stop> {
        let offset = kept.upload.offset();
        let left = kept.upload.length.unwrap_or_else(|| self.most()).saturating_sub(offset);
        let piece = match pace {
            Pace::ByPiece => PIECE - offset % PIECE,
            Pace::AsWhole(_) => u64::MAX,
        };
        let mut due = None;
        loop {
            if source.at_hand.len() as u64 > left - ingest.taken() {
                return Ok(Stop::TooLong);
            }
            if ingest.taken() == piece && piece < left {
                return Ok(Stop::Piece);
            }
            if !source.at_hand.is_empty() {
                let room = usize::try_from(piece - ingest.taken()).unwrap_or(usize::MAX);
                let bytes = source.at_hand.split_to(room.min(source.at_hand.len()));
                match pace {
                    Pace::AsWhole(checksum) => checksum.update(&bytes),
                    Pace::ByPiece => due = due.or_else(|| Some(Instant::now() + SOON)),
                }
                ingest.write(bytes).await.map_err(|error| refusal(&error))?;
                continue;
            }
            tokio::select! {
                biased;
                () = self.ended.cancelled() => return Ok(Stop::Ending),
                () = hold.unwanted() => return Ok(Stop::Unwanted),
                () = hold.asked() => match pace {
                    Pace::ByPiece => return Ok(Stop::Piece),
                    Pace::AsWhole(_) => hold.is_safe(),
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => return Ok(Stop::Piece),
                read = timeout(self.options.patience, source.body.next()) => match read {
                    Ok(Some(Ok(bytes))) => {
                        hold.moved();
                        source.at_hand = bytes;
                    }
                    Ok(Some(Err(_))) => return Ok(Stop::Cut),
                    Ok(None) => return Ok(Stop::End),
                    Err(_) => return Ok(Stop::Slow),
                },
            }
        }
    }

    fn why(&self, stop: Stop, kept: &Kept) -> Refusal {
        let (code, why) = match stop {
            Stop::Cut => (ErrorCode::BadRequest, "The body broke off; go on from where HEAD says."),
            Stop::Slow => {
                (ErrorCode::TooSlow, "The body stood still for too long; go on from where HEAD says.")
            }
            Stop::Unwanted => (ErrorCode::UploadBusy, "Another request has gone on with this upload."),
            Stop::Ending => (ErrorCode::Overloaded, "The server is ending; go on in a moment."),
            Stop::TooLong => {
                let end = kept.upload.length.unwrap_or(u64::MAX).saturating_add(1);
                let held = kept.upload.must_hold(end, self.most());
                return held.err().unwrap_or_else(|| too_large(self.most()));
            }
            Stop::Piece | Stop::End => return ErrorCode::Internal.into(),
        };
        Refusal::new(code, why)
    }

    /// Makes a part safe, and writes down that it is.
    async fn commit(&self, kept: &mut Kept, ingest: Ingest) -> Outcome<()> {
        let manifest = ingest.finish().await.map_err(|error| refusal(&error))?;
        let part = Part { id: manifest.id, size: manifest.size };
        let fold = kept.upload.fold(part.size);
        let mut next = kept.upload.clone();
        next.parts.truncate(fold.stay);
        if fold.join.is_empty() {
            next.parts.push(part);
            return self.save(kept, next).await;
        }
        let small: Vec<_> = fold.join.into_iter().chain([part]).collect();
        next.parts.push(self.write_as_one(kept, &small).await?);
        self.save(kept, next).await?;
        self.delete_parts(&small).await;
        Ok(())
    }

    /// Writes parts, a chunk together at most, as one.
    async fn write_as_one(&self, kept: &Kept, parts: &[Part]) -> Outcome<Part> {
        let mut ingest = self.new_part(kept).await?;
        let written = async {
            for part in parts {
                let manifest = self.store.manifest(&part.id).await?;
                let mut reader = self.store.reader(&manifest, 0..manifest.size);
                while let Some(bytes) = reader.next(usize::MAX).await? {
                    ingest.write(bytes).await?;
                }
            }
            ingest.finish().await
        };
        let manifest = written.await.map_err(|error: StoreError| refusal(&error))?;
        Ok(Part { id: manifest.id, size: manifest.size })
    }

    /// Deletes what nobody refers to any more; what cannot be deleted goes when its time is over.
    pub(super) async fn delete_parts(&self, parts: &[Part]) {
        for part in parts {
            if let Err(error) = self.store.delete(&part.id).await {
                tracing::debug!(%error, "a part of an upload is not deleted; it goes when its time is over");
            }
        }
    }
}
