//! What a node still has to finish before it may end. It exists because the server cannot tell downloads that
//! go on from connections that merely stay; it refuses to say which requests count.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::response::Response;
use http_body::{Frame, SizeHint};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The requests under way, until the last byte of each answer has left or its connection is gone. Cheap to clone;
/// all clones are one.
#[derive(Debug, Clone, Default)]
pub struct UnderWay(TaskTracker);

/// One of them.
#[derive(Debug)]
pub struct One(#[expect(dead_code, reason = "it is dropped, and that is all")] TaskTrackerToken);

impl UnderWay {
    /// One more.
    pub fn one(&self) -> One {
        One(self.0.token())
    }

    /// How many.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Waits until there is none.
    pub async fn none_left(&self) {
        self.0.close();
        self.0.wait().await;
    }
}

impl One {
    /// It lasts until this answer's body has ended.
    pub fn lasts(self, response: Response) -> Response {
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
