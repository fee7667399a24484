//! An answer to a sender that is still sending. A connection that is closed over bytes that nobody has read is
//! reset, and the reset may overtake the answer; so after the answer the rest is read for a moment and thrown
//! away, until the sender has understood.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::hub::Hub;

/// How long the rest is read.
const LINGER: Duration = Duration::from_secs(2);

/// Puts the words into the response, and has `rest` read once they are on their way.
pub(super) fn answer(hub: &Hub, response: Response, words: Bytes, rest: Option<Body>) -> Response {
    let rest = rest.map(|rest| (hub.clone(), rest));
    response.map(|_| Body::new(Parting { words: Some(words), rest }))
}

struct Parting {
    words: Option<Bytes>,
    rest: Option<(Hub, Body)>,
}

impl http_body::Body for Parting {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        // The head is written: whoever waits for `100 Continue` is not told to go on any more.
        if let Some((hub, rest)) = self.rest.take() {
            hub.spawn(async move { drop(timeout(LINGER, read(rest)).await) });
        }
        Poll::Ready(self.words.take().map(|words| Ok(Frame::data(words))))
    }

    fn is_end_stream(&self) -> bool {
        self.words.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.words.as_ref().map_or(0, |words| words.len() as u64))
    }
}

async fn read(mut rest: Body) {
    while let Some(Ok(_)) = rest.frame().await {}
}
