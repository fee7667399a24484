//! The kill switch of one connection. It exists so that whoever finds a peer stalled or abusive can end
//! the TCP connection without owning it; it refuses to be undone.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use atomic_waker::AtomicWaker;

/// A handle on one TCP connection that can end it. Cheap to clone; does not keep the connection open.
#[derive(Clone)]
pub struct Link(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: AtomicU8,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

/// What became of the connection. `Cut` and `Closed` are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum State {
    Open = 0,
    Cut = 1,
    Closed = 2,
}

/// Which task waits: a connection has at most one reader and one writer.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Reader,
    Writer,
}

impl Link {
    /// The handle of a connection that is open.
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// Ends the connection: what waits to read or write on it now, and whatever tries later, fails with
    /// [`io::ErrorKind::ConnectionAborted`], and the peer sees a reset. Bytes not yet sent are lost.
    /// Costs a few atomic operations, never blocks, and does nothing the second time.
    pub fn cut(&self) {
        if self.leave_open(State::Cut) {
            self.0.reader.wake();
            self.0.writer.wake();
        }
    }

    /// Whether [`cut`](Self::cut) ended this connection.
    pub fn is_cut(&self) -> bool {
        self.0.state.load(Ordering::Acquire) == State::Cut as u8
    }

    /// Whether the connection is still there: neither cut nor closed by either end.
    pub fn is_open(&self) -> bool {
        self.0.state.load(Ordering::Acquire) == State::Open as u8
    }

    /// Notes that the connection is gone. A cut one stays known as cut.
    pub(super) fn closed(&self) {
        self.leave_open(State::Closed);
    }

    /// Fails if the connection was cut.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.is_cut() {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the connection was cut"));
        }
        Ok(())
    }

    /// Makes a cut wake the waiting task, then looks once more, as the cut may have come in between.
    pub(super) fn wait<T>(&self, side: Side, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        match side {
            Side::Reader => self.0.reader.register(cx.waker()),
            Side::Writer => self.0.writer.register(cx.waker()),
        }
        match self.check() {
            Ok(()) => Poll::Pending,
            Err(cut) => Poll::Ready(Err(cut)),
        }
    }

    fn leave_open(&self, to: State) -> bool {
        let (open, to) = (State::Open as u8, to as u8);
        self.0.state.compare_exchange(open, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.0.state.load(Ordering::Acquire) {
            0 => State::Open,
            1 => State::Cut,
            _ => State::Closed,
        };
        f.debug_tuple("Link").field(&state).finish()
    }
}
