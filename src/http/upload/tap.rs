//! The body of an upload as it is read: one piece at a time, never longer than allowed, and not for ever. It stays
//! at hand for whoever answers before its end, and remembers what was wrong with it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::Stream;
use http_body::Body as _;
use tokio::time::{Instant, Sleep, sleep};

use crate::protocol::{ErrorCode, Refusal};

/// How long a body may be silent, where the operator has no less patience with a whole one.
const QUIET: Duration = Duration::from_secs(60);

/// What was wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// Nothing came, or it took too long.
    #[error("too slow")]
    Slow,
    /// It ended before its announced end.
    #[error("cut short")]
    Cut,
    /// It is longer than allowed.
    #[error("too long")]
    TooLong,
}

impl Fault {
    pub(super) fn refusal(self) -> Refusal {
        match self {
            Self::Slow => {
                let why = "The request came slower than this server waits; send it again.";
                Refusal::new(ErrorCode::TooSlow, why)
            }
            Self::Cut => {
                let why = "The body ended before its announced end; send it again.";
                Refusal::new(ErrorCode::BadRequest, why)
            }
            Self::TooLong => {
                Refusal::new(ErrorCode::TooLarge, "The body is longer than this request may be.")
            }
        }
    }
}

/// A body that is being read. Clones read the same one.
#[derive(Clone)]
pub(super) struct Tap(Arc<Mutex<State>>);

struct State {
    body: Body,
    /// Bytes that may come still.
    left: u64,
    /// Bytes that may come until [`Tap::allow`] is called again.
    allowed: u64,
    silence: Pin<Box<Sleep>>,
    quiet: Duration,
    deadline: Instant,
    turn: Turn,
    fault: Option<Fault>,
}

/// Whoever reads all that is ready gets one piece: readers that gather would gather all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Read,
    Rest,
}

impl Tap {
    /// Reads `body`, at most `most` bytes of it, within `patience`.
    pub(super) fn new(body: Body, most: u64, patience: Duration) -> Self {
        let quiet = patience.min(QUIET);
        Self(Arc::new(Mutex::new(State {
            fault: (body.size_hint().lower() > most).then_some(Fault::TooLong),
            body,
            left: most,
            allowed: u64::MAX,
            silence: Box::pin(sleep(quiet)),
            quiet,
            deadline: Instant::now() + patience,
            turn: Turn::Read,
        })))
    }

    /// From here on, `bytes` may come, and then one piece, until it is called again.
    pub(super) fn allow(&self, bytes: u64) {
        self.lock().allowed = bytes;
    }

    /// What was wrong with the body, if anything.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.lock().fault
    }

    /// What has not been read.
    pub(super) fn rest(self) -> Body {
        std::mem::take(&mut self.lock().body)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        if let Some(fault) = self.fault {
            return Poll::Ready(Some(Err(fault)));
        }
        if self.turn == Turn::Rest {
            self.turn = Turn::Read;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            return self.silence.as_mut().poll(cx).map(|()| Some(Err(Fault::Slow)));
        };
        let Some(frame) = frame else { return Poll::Ready(None) };
        let now = Instant::now();
        self.silence.as_mut().reset(self.deadline.min(now + self.quiet));
        self.turn = Turn::Rest;
        Poll::Ready(Some(match frame {
            _ if now >= self.deadline => Err(Fault::Slow),
            // Trailers say nothing that anyone was told to expect.
            Ok(frame) => self.count(frame.into_data().unwrap_or_default()),
            Err(_) => Err(Fault::Cut),
        }))
    }

    fn count(&mut self, bytes: Bytes) -> Result<Bytes, Fault> {
        let length = bytes.len() as u64;
        if self.allowed == 0 || length > self.left {
            return Err(Fault::TooLong);
        }
        self.left -= length;
        self.allowed = self.allowed.saturating_sub(length);
        Ok(bytes)
    }
}

impl Stream for Tap {
    type Item = Result<Bytes, Fault>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.lock();
        let polled = state.poll(cx);
        if let Poll::Ready(Some(Err(fault))) = polled {
            state.fault = Some(fault);
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt, stream};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn body(pieces: &[&'static str]) -> Body {
        Body::from_stream(stream::iter(pieces.to_vec()).map(Ok::<_, std::io::Error>))
    }

    #[tokio::test]
    async fn whoever_gathers_what_is_ready_gets_one_piece() {
        let mut tap = Tap::new(body(&["a", "b"]), 10, HOUR);
        assert_eq!(tap.next().now_or_never(), Some(Some(Ok("a".into()))));
        assert_eq!(tap.next().now_or_never(), None);
        assert_eq!(tap.next().now_or_never(), Some(Some(Ok("b".into()))));
        assert_eq!(tap.next().await, None);
        assert_eq!(tap.fault(), None);
    }

    #[tokio::test]
    async fn a_body_that_is_too_long_is_read_no_further() {
        let mut tap = Tap::new(body(&["aa", "bb", "cc"]), 5, HOUR);
        assert_eq!(tap.next().await, Some(Ok("aa".into())));
        assert_eq!(tap.next().await, Some(Ok("bb".into())));
        assert_eq!(tap.next().await, Some(Err(Fault::TooLong)));
        let mut announced = Tap::new(Body::from("aaaaaa"), 5, HOUR);
        assert_eq!(announced.next().await, Some(Err(Fault::TooLong)));
        let mut headers = Tap::new(body(&["aa", "bb", "cc"]), 100, HOUR);
        headers.allow(3);
        assert_eq!(headers.next().await, Some(Ok("aa".into())));
        assert_eq!(headers.next().await, Some(Ok("bb".into())), "what came with the last that was allowed");
        assert_eq!(headers.next().await, Some(Err(Fault::TooLong)));
        assert_eq!(headers.fault(), Some(Fault::TooLong));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_be_silent_for_a_minute_and_last_as_long_as_the_operator_says() {
        let began = Instant::now();
        let mut silent = Tap::new(Body::from_stream(stream::pending::<Result<Bytes, Fault>>()), 9, HOUR);
        assert_eq!(silent.next().await, Some(Err(Fault::Slow)));
        assert_eq!(began.elapsed(), QUIET);
        let dripping = stream::repeat("a").then(async |drop| {
            sleep(QUIET / 2).await;
            Ok::<_, Fault>(drop)
        });
        let mut dripping = std::pin::pin!(Tap::new(Body::from_stream(dripping), 1000, HOUR));
        let began = Instant::now();
        while let Some(Ok(_)) = dripping.next().await {}
        assert_eq!(dripping.fault(), Some(Fault::Slow));
        assert!(began.elapsed() >= HOUR && began.elapsed() < HOUR + QUIET);
    }

    #[tokio::test]
    async fn what_was_not_read_is_at_hand() {
        let mut tap = Tap::new(body(&["a", "b"]), 10, HOUR);
        assert_eq!(tap.next().await, Some(Ok("a".into())));
        let mut rest = tap.rest().into_data_stream();
        assert_eq!(rest.next().await.unwrap().unwrap(), "b");
    }
}
