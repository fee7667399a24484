//! Buffers to read ahead into, shared by all connections of a listener. It exists so that big reads cost
//! memory only while bytes are on their way; it refuses to lend more than its bound.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::ReadBuf;

/// A bounded set of equal buffers.
#[derive(Debug)]
pub(super) struct Pool {
    shelf: Mutex<Shelf>,
    buffer_size: usize,
    most: usize,
}

#[derive(Debug, Default)]
struct Shelf {
    free: Vec<Box<[u8]>>,
    lent: usize,
}

/// One buffer on loan, with the bytes in it that were not yet taken. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Loan {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
    pool: Arc<Pool>,
}

impl Pool {
    /// A pool of at most `most` buffers of `buffer_size` bytes, allocated as they are first needed.
    pub(super) fn new(most: usize, buffer_size: usize) -> Arc<Self> {
        Arc::new(Self { shelf: Mutex::default(), buffer_size, most })
    }

    pub(super) fn buffer_size(&self) -> usize {
        self.buffer_size
    }

    /// Lends a buffer, or none when all are out.
    pub(super) fn lend(self: &Arc<Self>) -> Option<Loan> {
        let used = {
            let mut shelf = self.shelf();
            if shelf.lent == self.most {
                return None;
            }
            shelf.lent += 1;
            shelf.free.pop()
        };
        let bytes = used.unwrap_or_else(|| vec![0; self.buffer_size].into_boxed_slice());
        Some(Loan { bytes, start: 0, end: 0, pool: Arc::clone(self) })
    }

    #[cfg(test)]
    pub(super) fn lent(&self) -> usize {
        self.shelf().lent
    }

    /// The shelf is whole after every step, so a panic elsewhere while it was held does no harm.
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loan {
    /// Lets `read` fill the buffer from its start, and remembers how far it came.
    pub(super) fn fill<T>(&mut self, read: impl FnOnce(&mut ReadBuf<'_>) -> T) -> T {
        let mut buf = ReadBuf::new(&mut self.bytes);
        let outcome = read(&mut buf);
        (self.start, self.end) = (0, buf.filled().len());
        outcome
    }

    /// Moves as many bytes as fit.
    pub(super) fn pour(&mut self, into: &mut ReadBuf<'_>) {
        let count = self.len().min(into.remaining());
        if let Some(bytes) = self.bytes.get(self.start..self.start + count) {
            into.put_slice(bytes);
            self.start += count;
        }
    }

    /// Bytes not yet taken.
    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut shelf = self.pool.shelf();
        shelf.lent -= 1;
        shelf.free.push(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_buffers_are_out_than_the_bound_and_a_returned_one_is_lent_again() {
        let pool = Pool::new(2, 8);
        let first = pool.lend().unwrap();
        let second = pool.lend().unwrap();
        assert!(pool.lend().is_none(), "a third buffer was lent");
        drop(first);
        assert!(pool.lend().is_some());
        drop(second);
        assert_eq!(pool.lent(), 0);
        assert_eq!(pool.shelf().free.len(), 2, "free and lent buffers together stay within the bound");
    }
}
