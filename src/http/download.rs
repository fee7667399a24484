//! A download as a sink: what the connection takes is what is pulled, so that TCP's back-pressure is the
//! transfer's credit. It holds a few chunks and no more; when it is dropped before its end, the sink has
//! gone away, and a later request for the rest is a new one.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::PollSender;

use crate::hub::{
    Answer, Chunk, Full, Holder, Hub, Outcome, SinkBox, SinkKind, SinkPort, TransferCommand, TransferHandle,
    ask,
};
use crate::protocol::limits::MAX_INTEGER;
use crate::protocol::{Digest, Envelope, Refusal, rooms::Status};
use crate::room::PeerId;

/// Chunks between the transfer and the connection, at most; more wait in the relay's window.
const CHUNKS: usize = 8;
/// A download has one lane.
pub(super) const LANE: u64 = 1;

/// What the transfer has decided about a download.
#[derive(Debug, Clone, Default)]
struct Fate {
    /// The size of a live stream, once known.
    size: Option<u64>,
    /// Why it was ended.
    closed: Option<Refusal>,
}

/// The transfer's side.
pub(super) struct DownloadPort {
    chunks: mpsc::Sender<Chunk>,
    fate: watch::Sender<Fate>,
}

impl SinkPort for DownloadPort {
    fn try_chunk(&mut self, chunk: Chunk) -> Result<(), Full> {
        match self.chunks.try_send(chunk) {
            Err(mpsc::error::TrySendError::Full(_)) => Err(Full),
            // A connection that is gone says so by itself.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
        }
    }

    fn acked(&mut self, _: u64) {}

    fn end(&self, size: u64, _: Option<Digest>) {
        self.fate.send_modify(|fate| fate.size = Some(size));
    }

    fn status(&self, _: &std::sync::Arc<Envelope<Status>>) {}

    fn close(&self, why: &Refusal) {
        self.fate.send_modify(|fate| fate.closed = Some(why.clone()));
    }
}

/// The connection's side: the body of a response.
pub(super) struct Download {
    hub: Hub,
    peer: PeerId,
    transfer: TransferHandle,
    mailbox: PollSender<TransferCommand>,
    chunks: mpsc::Receiver<Chunk>,
    fate: watch::Receiver<Fate>,
    changed: Pin<Box<dyn Future<Output = watch::Receiver<Fate>> + Send>>,
    /// Where the next byte lies.
    offset: u64,
    /// Where the stretch ends; unknown for a live stream.
    end: Option<u64>,
    window: u64,
    word: Word,
}

/// What the transfer has to be told next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// That bytes were taken.
    Pull,
    /// Nothing.
    None,
}

impl Download {
    /// A download of `from..end` and the port to it. Nothing flows until the body is read.
    fn new(
        hub: Hub,
        peer: PeerId,
        transfer: TransferHandle,
        from: u64,
        end: Option<u64>,
    ) -> (Self, DownloadPort) {
        let (chunks_in, chunks) = mpsc::channel(CHUNKS);
        let (fate_in, fate) = watch::channel(Fate::default());
        let window = hub.options().relay.window;
        let mailbox = transfer.poll_sender();
        let changed = next_change(fate.clone());
        let download = Self {
            hub,
            peer,
            transfer,
            mailbox,
            chunks,
            fate,
            changed,
            offset: from,
            end,
            window,
            word: Word::Pull,
        };
        (download, DownloadPort { chunks: chunks_in, fate: fate_in })
    }

    /// Opens a sink for `from..end` and gives its body.
    ///
    /// # Errors
    /// What the transfer says, such as `rate_limited` beyond the downloads that one token may have at once.
    pub(super) async fn open(
        hub: &Hub,
        transfer: TransferHandle,
        holder: Holder,
        from: u64,
        end: Option<u64>,
    ) -> Outcome<Self> {
        let peer = hub.next_peer();
        let (download, port) = Self::new(hub.clone(), peer, transfer.clone(), from, end);
        let port = SinkBox(Box::new(port));
        let kind = SinkKind::Download { from };
        ask(|answer| transfer.send(TransferCommand::OpenSink { peer, holder, kind, port, answer })).await?;
        Ok(download)
    }

    fn pull(&self) -> TransferCommand {
        let limit = (self.offset + self.window).min(self.end.unwrap_or(MAX_INTEGER));
        TransferCommand::Pull {
            peer: self.peer,
            lane: LANE,
            from: self.offset,
            limit,
            // What is refused here is an end that the fate tells of too.
            answer: Answer::new(drop),
        }
    }

    fn is_at_end(&self) -> bool {
        self.end == Some(self.offset)
    }

    /// Tells the transfer what it must know, when its mailbox has room.
    fn poll_word(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.word == Word::Pull {
            let gone = |_| io::Error::new(io::ErrorKind::ConnectionAborted, "the transfer is gone");
            ready!(self.mailbox.poll_reserve(cx)).map_err(gone)?;
            let pull = self.pull();
            self.mailbox.send_item(pull).map_err(gone)?;
            self.word = Word::None;
        }
        Poll::Ready(Ok(()))
    }

    /// Learns what the transfer decided meanwhile.
    fn poll_fate(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while let Poll::Ready(fate) = self.changed.as_mut().poll(cx) {
            self.changed = next_change(fate);
        }
        let fate = self.fate.borrow();
        if self.end.is_none() {
            self.end = fate.size;
        }
        match &fate.closed {
            Some(why) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, why.code.as_str())),
            None => Ok(()),
        }
    }
}

/// Resolves when the fate changes; never, once its sender is gone.
fn next_change(
    mut fate: watch::Receiver<Fate>,
) -> Pin<Box<dyn Future<Output = watch::Receiver<Fate>> + Send>> {
    Box::pin(async move {
        if fate.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        fate
    })
}

impl Body for Download {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        let fate = this.poll_fate(cx);
        if this.is_at_end() {
            return Poll::Ready(None);
        }
        ready!(this.poll_word(cx))?;
        // What came before an end is still handed out.
        match this.chunks.poll_recv(cx) {
            Poll::Ready(Some(chunk)) => {
                if chunk.offset != this.offset {
                    let gap = "bytes are missing; ask for the rest";
                    return Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::ConnectionAborted, gap))));
                }
                this.offset += chunk.bytes.len() as u64;
                this.word = Word::Pull;
                let _ = this.poll_word(cx)?;
                Poll::Ready(Some(Ok(Frame::data(chunk.bytes))))
            }
            Poll::Ready(None) => {
                let ended = io::Error::new(io::ErrorKind::ConnectionAborted, "the transfer has ended");
                Poll::Ready(Some(Err(fate.err().unwrap_or(ended))))
            }
            Poll::Pending => match fate {
                Ok(()) => Poll::Pending,
                Err(closed) => Poll::Ready(Some(Err(closed))),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_at_end()
    }

    fn size_hint(&self) -> SizeHint {
        match self.end {
            Some(end) => SizeHint::with_exact(end - self.offset),
            None => SizeHint::default(),
        }
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if self.is_at_end() {
            let last = (self.word == Word::Pull).then(|| self.pull());
            self.hub.end_download(&self.transfer, last, self.peer);
        } else {
            self.hub.lose_transfer(&self.transfer, self.peer);
        }
    }
}
