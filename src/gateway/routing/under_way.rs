//! What a node still has to finish before it may end. It exists because the server cannot tell downloads that
//! go on from connections that merely stay; it refuses to count what began after the node was told to leave
//! and can be asked of another one as well.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::response::Response;
use http_body::{Frame, SizeHint};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The requests under way, until the last byte of each answer has left or its connection is gone.
#[derive(Debug, Default)]
pub(super) struct UnderWay(TaskTracker);

/// One of them.
pub(super) struct One(#[expect(dead_code, reason = "it is dropped, and that is all")] TaskTrackerToken);

impl UnderWay {
    /// One more.
    pub(super) fn one(&self) -> One {
        One(self.0.token())
    }

    /// How many.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Waits until there is none.
    pub(super) async fn none_left(&self) {
        self.0.close();
        self.0.wait().await;
    }
}

impl One {
    /// It lasts until this answer's body has ended.
    pub(super) fn lasts(self, response: Response) -> Response {
        response.map(|body| Body::new(Lasting { body, _one: self }))
    }
}

struct Lasting {
    body: Body,
    _one: One,
}

impl http_body::Body for Lasting {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
