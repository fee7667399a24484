//! The body of a ZIP: one file after the other, each a [`Download`] that is opened when its turn comes, the
//! ZIP's own words between them. What the connection takes is what is pulled. A file that fails breaks the
//! body off: there is no ZIP with a wrong or a missing file in it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;

use bytes::Bytes;
use http_body::{Body, Frame};

use super::framing::{Entry, Framing};
use crate::http::download::Download;
use crate::hub::{Holder, Hub, Outcome, TransferHandle};
use crate::protocol::{ErrorCode, MemberId};

/// One file that is to be in the ZIP.
pub(super) struct Part {
    pub(super) transfer: TransferHandle,
    pub(super) entry: Entry,
}

/// The body of a response.
pub(super) struct ZipBody {
    hub: Hub,
    member: MemberId,
    framing: Framing,
    /// Words of the ZIP that go out before anything else.
    words: Bytes,
    parts: vec::IntoIter<Part>,
    step: Step,
}

enum Step {
    Opening(Pin<Box<dyn Future<Output = Outcome<Download>> + Send>>),
    Flowing(Download),
    Over,
}

impl ZipBody {
    /// A ZIP of these parts. The first of them is open when this returns, so that a refusal is still a
    /// response of its own.
    ///
    /// # Errors
    /// As [`Download::open`].
    pub(super) async fn open(hub: Hub, member: MemberId, parts: Vec<Part>) -> Outcome<Self> {
        let mut body = Self {
            hub,
            member,
            framing: Framing::new(),
            words: Bytes::new(),
            parts: parts.into_iter(),
            step: Step::Over,
        };
        body.go_on().map_err(|_| ErrorCode::Internal)?;
        if let Step::Opening(opening) = &mut body.step {
            body.step = Step::Flowing(opening.await?);
        }
        Ok(body)
    }

    /// Turns to the next part, or to the end.
    fn go_on(&mut self) -> io::Result<()> {
        // Whoever took the last byte of the part before has it from here on.
        self.step = Step::Over;
        match self.parts.next() {
            Some(Part { transfer, entry }) => {
                self.framing.begin(&entry)?;
                let (hub, holder) = (self.hub.clone(), Holder::Member(self.member.clone()));
                let opening = async move { Download::open(&hub, transfer, holder, 0, entry.size).await };
                self.step = Step::Opening(Box::pin(opening));
            }
            None => self.framing.finish()?,
        }
        self.words = self.framing.take();
        Ok(())
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        loop {
            if !self.words.is_empty() {
                return Poll::Ready(Ok(Some(std::mem::take(&mut self.words))));
            }
            match &mut self.step {
                Step::Opening(opening) => {
                    let refused = |code: ErrorCode| io::Error::other(code.as_str());
                    let opened = ready!(opening.as_mut().poll(cx));
                    self.step = Step::Flowing(opened.map_err(|refusal| refused(refusal.code))?);
                }
                Step::Flowing(download) => match ready!(Pin::new(download).poll_frame(cx)) {
                    Some(frame) => {
                        if let Ok(bytes) = frame?.into_data() {
                            self.framing.pass(&bytes)?;
                            return Poll::Ready(Ok(Some(bytes)));
                        }
                    }
                    None => self.go_on()?,
                },
                Step::Over => return Poll::Ready(Ok(None)),
            }
        }
    }
}

impl Body for ZipBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        let step = ready!(this.poll_step(cx));
        if step.is_err() {
            this.step = Step::Over;
        }
        Poll::Ready(step.map(|bytes| bytes.map(Frame::data)).transpose())
    }
}
