//! The sink that writes a copy: it pulls as the storage takes what it was sent, and when all is there compares
//! the digest with what the sender said before anyone can find the copy. When it cannot go on it says why, and
//! the live part of the transfer goes on without it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;

use super::places::Taken;
use super::{Depot, manifest_id};
use crate::hub::{Answer, Chunk, CopyWord, Full, Keeping, SinkBox, SinkPort, Source, TransferCommand};
use crate::protocol::rooms::Status;
use crate::protocol::{Digest, Envelope, ErrorCode, Refusal};
use crate::room::StoredBytes;
use crate::store::{Ingest, Manifest, Sealed, StoreError, Whole};

/// Bytes that a copy may be sent ahead of what the storage has taken.
pub(super) const WINDOW: u64 = 4 << 20;
/// Chunks that may wait; beyond it the relay keeps them.
const CHUNKS: usize = 256;

/// How long a copy may get no byte while others wait for its place.
const SILENCE: Duration = Duration::from_secs(20);

/// The end, once known.
type End = Option<(u64, Option<Digest>)>;

struct Port {
    chunks: mpsc::Sender<Chunk>,
    end: watch::Sender<End>,
}

impl SinkPort for Port {
    fn try_chunk(&mut self, chunk: Chunk) -> Result<(), Full> {
        self.chunks.try_send(chunk).map_err(|_| Full)
    }

    fn acked(&mut self, _: u64) {}

    fn end(&self, size: u64, digest: Option<Digest>) {
        self.end.send_replace(Some((size, digest)));
    }

    fn status(&self, _: &Arc<Envelope<Status>>) {}

    /// Being dropped says it.
    fn close(&self, _: &Refusal) {}
}

/// Why a copy ends without being whole.
enum Broken {
    /// The transfer let go of it.
    LetGo,
    /// Nothing comes, and others wait for its place.
    GivesWay,
    /// It cannot be kept.
    Because(ErrorCode),
}

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "a copy cannot be kept");
        Self::Because(error.code())
    }
}

impl From<ErrorCode> for Broken {
    fn from(error: ErrorCode) -> Self {
        Self::Because(error)
    }
}

/// Keeps one transfer, to its end.
pub(super) async fn keep(depot: Depot, what: Keeping) {
    loop {
        match write(&depot, &what).await {
            Ok(()) | Err(Broken::LetGo) => return,
            Err(Broken::GivesWay) => say(&what, CopyWord::Waits { peer: what.peer }).await,
            Err(Broken::Because(error)) => {
                return say(&what, CopyWord::Lost { peer: what.peer, error }).await;
            }
        }
    }
}

async fn say(what: &Keeping, word: CopyWord) {
    what.handle.send_when_there_is_room(word.into()).await;
}

async fn write(depot: &Depot, what: &Keeping) -> Result<(), Broken> {
    let Some(sealed) = depot.0.ended.run_until_cancelled(write_bytes(depot, what)).await else {
        return Err(Broken::LetGo);
    };
    let sealed = sealed?;
    // A record alone shows nothing; the manifest is the moment from which the copy is there. From here on it is
    // seen through, so that none is there that the transfer does not want.
    depot.write_down(&what.shelved).await?;
    let manifest = match sealed.publish().await {
        // Another node has written it: it is of the same bytes, or the transfer will say so.
        Err(StoreError::Exists) => depot.store().manifest(&manifest_id(&what.transfer)?).await?,
        other => other?,
    };
    tell_whole(depot, what, &manifest).await
}

/// Has all bytes written, of the digest that was meant, and nothing to be seen yet.
async fn write_bytes(depot: &Depot, what: &Keeping) -> Result<Sealed, Broken> {
    let _place = place(depot, what).await?;
    let whole = Whole { id: manifest_id(&what.transfer)?, size: what.size, lifetime: None };
    let mut ingest = depot.store().ingest(whole).await?;
    let expected = take_all(depot, what, &mut ingest).await?;
    let sealed = ingest.seal().await?;
    if let Some(expected) = expected
        && !sealed.matches(&expected).await?
    {
        return Err(ErrorCode::DigestMismatch.into());
    }
    Ok(sealed)
}

async fn place(depot: &Depot, what: &Keeping) -> Result<Taken, Broken> {
    match (depot.0.places.take(), what.source) {
        (Some(place), _) => Ok(place),
        (None, Source::Seekable) => Ok(depot.0.places.wait().await),
        (None, Source::Once) => Err(ErrorCode::Overloaded.into()),
    }
}

/// Takes every byte; the digest that the sender said, if it did.
async fn take_all(depot: &Depot, what: &Keeping, ingest: &mut Ingest) -> Result<Option<Digest>, Broken> {
    let (chunks, mut arriving) = mpsc::channel(CHUNKS);
    let (end, mut known) = watch::channel(None);
    open(what, Port { chunks, end }).await?;
    let mut lane = 1;
    pull(what, lane, 0).await;
    loop {
        let end = *known.borrow_and_update();
        if let Some((size, digest)) = end
            && size == ingest.taken()
        {
            return Ok(digest);
        }
        tokio::select! {
            chunk = arriving.recv() => {
                let Some(chunk) = chunk else { return Err(Broken::LetGo) };
                if chunk.lane != lane {
                    continue;
                }
                if chunk.offset == ingest.taken() {
                    ingest.write(chunk.bytes).await?;
                } else {
                    lane += 1;
                }
                pull(what, lane, ingest.taken()).await;
            }
            changed = known.changed() => {
                if changed.is_err() {
                    return Err(Broken::LetGo);
                }
            }
            () = sleep(SILENCE) => {
                if depot.0.places.are_wanted() {
                    return Err(give_way(what.source));
                }
            }
        }
    }
}

/// Bytes that come once cannot be waited for.
fn give_way(source: Source) -> Broken {
    match source {
        Source::Seekable => Broken::GivesWay,
        Source::Once => ErrorCode::Overloaded.into(),
    }
}

async fn open(what: &Keeping, port: Port) -> Result<(), Broken> {
    let (opened, answer) = oneshot::channel();
    let reply = Answer::new(move |outcome| drop(opened.send(outcome)));
    say(what, CopyWord::Open { peer: what.peer, port: SinkBox(Box::new(port)), answer: reply }).await;
    match answer.await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Broken::LetGo),
    }
}

async fn pull(what: &Keeping, lane: u64, from: u64) {
    let limit = what.size.unwrap_or(u64::MAX).min(from + WINDOW).max(from);
    let answer = Answer::new(|_| {});
    let pull = TransferCommand::Pull { peer: what.peer, lane, from, limit, answer };
    what.handle.send_when_there_is_room(pull).await;
}

/// The transfer has the last word: it may have learnt meanwhile that other bytes were meant, or be over.
async fn tell_whole(depot: &Depot, what: &Keeping, manifest: &Manifest) -> Result<(), Broken> {
    let bytes = StoredBytes { size: manifest.size, digest: manifest.digest, until: manifest.expires };
    let (told, answer) = oneshot::channel();
    let reply = Answer::new(move |outcome| drop(told.send(outcome)));
    say(what, CopyWord::Whole { peer: what.peer, bytes, answer: reply }).await;
    if let Ok(Ok(())) = answer.await {
        return Ok(());
    }
    depot.remove(&what.shelved.drop.room, &what.transfer).await?;
    Err(Broken::LetGo)
}
