//! Redis's own protocol (RESP2), as far as publishing, subscribing and a few commands need it. It exists for
//! one property that the crates for it lack: a large text is read straight into one allocation of its size,
//! so a chunk is copied neither out of a read buffer nor into the relay, and holds no more memory than its
//! own. It refuses texts, lines and nestings beyond its bounds, and is otherwise as dumb as the protocol.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::Instant;

/// Read at once, when nothing larger is expected.
const BUFFER: usize = 64 << 10;
/// A line, at most; what people wrote into an error may be long.
const LINE: usize = 64 << 10;
/// A text, at most; far above any chunk, message or state.
const TEXT: usize = 256 << 20;
/// Values in a list, at most.
const LIST: usize = 1 << 20;
/// Lists in lists, at most.
const DEPTH: usize = 8;

/// Why a connection is of no use any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("Redis refuses: {0}")]
    Refused(String),
    #[error("Redis says nothing")]
    Silent,
    #[error("what answers does not speak Redis's protocol ({0})")]
    Malformed(&'static str),
    #[error("the cluster gave its place to another node")]
    Moved,
}

/// What Redis says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(Bytes),
    Error(String),
    Integer(i64),
    List(Vec<Value>),
    Nil,
}

impl Value {
    pub(super) fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(integer) => Some(*integer),
            _ => None,
        }
    }

    pub(super) fn list(&self) -> Option<&[Value]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }
}

/// When the other side was last heard. While a reader waits for somebody of ours it is not the other side
/// that is silent.
#[derive(Debug)]
pub(super) struct Pulse {
    began: Instant,
    heard: AtomicU64,
    waiting: AtomicUsize,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), heard: AtomicU64::new(0), waiting: AtomicUsize::new(0) }
    }

    fn beat(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.heard.store(now, Ordering::Relaxed);
    }

    /// Runs what is not to count as the other side's silence.
    pub(super) async fn ours<T>(&self, work: impl Future<Output = T>) -> T {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let done = work.await;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.beat();
        done
    }

    /// Ends once nothing was heard for `patience`.
    pub(super) async fn stops(&self, patience: Duration) -> Broken {
        loop {
            tokio::time::sleep(patience / 8).await;
            let heard = Duration::from_millis(self.heard.load(Ordering::Relaxed));
            let silent = self.began.elapsed().saturating_sub(heard);
            if silent > patience && self.waiting.load(Ordering::Relaxed) == 0 {
                return Broken::Silent;
            }
        }
    }
}

/// Reads values one after the other. [`Reader::value`] may not be dropped halfway.
pub(super) struct Reader<R> {
    from: R,
    buffer: BytesMut,
    pulse: Arc<Pulse>,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, buffer: BytesMut::with_capacity(BUFFER), pulse: Arc::new(Pulse::new()) }
    }

    pub(super) fn pulse(&self) -> Arc<Pulse> {
        self.pulse.clone()
    }

    pub(super) async fn value(&mut self) -> Result<Value, Broken> {
        self.nested(0).await
    }

    async fn nested(&mut self, depth: usize) -> Result<Value, Broken> {
        let line = self.line().await?;
        let (kind, rest) = line.split_first().ok_or(Broken::Malformed("an empty line"))?;
        Ok(match kind {
            b'+' => Value::Text(Bytes::copy_from_slice(rest)),
            b'-' => Value::Error(String::from_utf8_lossy(rest).into_owned()),
            b':' => Value::Integer(integer(rest)?),
            b'$' => match length(rest, TEXT)? {
                None => Value::Nil,
                Some(length) => Value::Text(self.text(length).await?),
            },
            b'*' if depth < DEPTH => match length(rest, LIST)? {
                None => Value::Nil,
                Some(length) => {
                    let mut list = Vec::with_capacity(length.min(64));
                    for _ in 0..length {
                        list.push(Box::pin(self.nested(depth + 1)).await?);
                    }
                    Value::List(list)
                }
            },
            _ => return Err(Broken::Malformed("an unknown kind")),
        })
    }

    async fn line(&mut self) -> Result<BytesMut, Broken> {
        let mut seen = 0;
        loop {
            let found = self.buffer.iter().skip(seen).position(|byte| *byte == b'\n').map(|at| at + seen);
            if let Some(end) = found {
                let mut line = self.buffer.split_to(end + 1);
                if !line.ends_with(b"\r\n") {
                    return Err(Broken::Malformed("a line without its end"));
                }
                line.truncate(end - 1);
                return Ok(line);
            }
            if self.buffer.len() > LINE {
                return Err(Broken::Malformed("a line without end"));
            }
            seen = self.buffer.len();
            self.fill().await?;
        }
    }

    /// The next `length` bytes, in an allocation of their own, and the end of line after them.
    async fn text(&mut self, length: usize) -> Result<Bytes, Broken> {
        // What a peer merely announces is not allocated at once.
        let mut text = BytesMut::with_capacity(length.min(8 << 20));
        let here = self.buffer.len().min(length);
        text.put_slice(&self.buffer[..here]);
        self.buffer.advance(here);
        while text.len() < length {
            let missing = length - text.len();
            text.reserve(missing.min(8 << 20));
            let read = self.from.read_buf(&mut (&mut text).limit(missing)).await?;
            self.heard(read)?;
        }
        while self.buffer.len() < 2 {
            self.fill().await?;
        }
        if !self.buffer.starts_with(b"\r\n") {
            return Err(Broken::Malformed("a text without its end"));
        }
        self.buffer.advance(2);
        Ok(text.freeze())
    }

    async fn fill(&mut self) -> Result<(), Broken> {
        self.buffer.reserve(BUFFER);
        let read = self.from.read_buf(&mut (&mut self.buffer).limit(BUFFER)).await?;
        self.heard(read)
    }

    fn heard(&self, read: usize) -> Result<(), Broken> {
        self.pulse.beat();
        match read {
            0 => Err(Broken::Io(std::io::ErrorKind::UnexpectedEof.into())),
            _ => Ok(()),
        }
    }
}

fn integer(text: &[u8]) -> Result<i64, Broken> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.ok_or(Broken::Malformed("not a number"))
}

fn length(text: &[u8], most: usize) -> Result<Option<usize>, Broken> {
    match integer(text)? {
        -1 => Ok(None),
        length => match usize::try_from(length) {
            Ok(length) if length <= most => Ok(Some(length)),
            _ => Err(Broken::Malformed("a length beyond all bounds")),
        },
    }
}

/// Commands on their way out: pieces that are written together, none of them copied.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pieces: VecDeque<Bytes>,
    bytes: usize,
    /// The small parts, until a large piece comes.
    small: BytesMut,
}

impl Batch {
    /// A command of small arguments.
    pub(super) fn command(&mut self, arguments: &[&[u8]]) {
        self.begin(arguments.len());
        for argument in arguments {
            self.announce(argument.len());
            self.small.put_slice(argument);
            self.small.put_slice(b"\r\n");
        }
    }

    /// A command whose last argument is `head` and `payload` together.
    pub(super) fn send(&mut self, command: &[u8], to: &[u8], head: &[u8], payload: Bytes) {
        self.begin(3);
        for argument in [command, to] {
            self.announce(argument.len());
            self.small.put_slice(argument);
            self.small.put_slice(b"\r\n");
        }
        self.announce(head.len() + payload.len());
        self.small.put_slice(head);
        if payload.len() < 1024 {
            self.small.put_slice(&payload);
        } else {
            self.flush();
            self.bytes += payload.len();
            self.pieces.push_back(payload);
        }
        self.small.put_slice(b"\r\n");
    }

    fn begin(&mut self, arguments: usize) {
        self.small.put_slice(format!("*{arguments}\r\n").as_bytes());
    }

    fn announce(&mut self, length: usize) {
        self.small.put_slice(format!("${length}\r\n").as_bytes());
    }

    /// Makes what was put together ready to be written.
    pub(super) fn flush(&mut self) {
        if !self.small.is_empty() {
            self.bytes += self.small.len();
            self.pieces.push_back(self.small.split().freeze());
        }
    }

    /// Bytes in it, those that are not flushed too.
    pub(super) fn len(&self) -> usize {
        self.bytes + self.small.len()
    }
}

impl Buf for Batch {
    fn remaining(&self) -> usize {
        self.bytes
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&[], |piece| piece)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let filled = slices.iter_mut().zip(&self.pieces).map(|(slice, piece)| *slice = IoSlice::new(piece));
        filled.count()
    }

    fn advance(&mut self, mut count: usize) {
        self.bytes = self.bytes.saturating_sub(count);
        while let Some(piece) = self.pieces.front_mut() {
            if count < piece.len() {
                piece.advance(count);
                return;
            }
            count -= piece.len();
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use deadpool_redis::redis;
    use proptest::prelude::*;
    use tokio::io::ReadBuf;

    use super::*;

    /// Gives its bytes in pieces of these sizes.
    struct Pieces(Bytes, Vec<usize>);

    impl AsyncRead for Pieces {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            let size = self.1.pop().unwrap_or(usize::MAX).min(self.0.len()).min(buffer.remaining());
            let piece = self.0.split_to(size);
            buffer.put_slice(&piece);
            Poll::Ready(Ok(()))
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..400).prop_map(|text| Value::Text(text.into())),
            (60_000_usize..200_000).prop_map(|length| Value::Text(vec![b'\n'; length].into())),
            any::<i64>().prop_map(Value::Integer),
            "[A-Z]{1,8} [a-z ]{0,20}".prop_map(Value::Error),
            Just(Value::Nil),
        ];
        leaf.prop_recursive(3, 20, 5, |inner| proptest::collection::vec(inner, 0..5).prop_map(Value::List))
    }

    fn write(value: &Value, to: &mut Vec<u8>) {
        match value {
            Value::Text(text) => {
                to.extend(format!("${}\r\n", text.len()).bytes());
                to.extend(text);
                to.extend(b"\r\n");
            }
            Value::Error(text) => to.extend(format!("-{text}\r\n").bytes()),
            Value::Integer(number) => to.extend(format!(":{number}\r\n").bytes()),
            Value::Nil => to.extend(b"$-1\r\n"),
            Value::List(list) => {
                to.extend(format!("*{}\r\n", list.len()).bytes());
                list.iter().for_each(|value| write(value, to));
            }
        }
    }

    fn read_all(bytes: Vec<u8>, sizes: Vec<usize>) -> (Vec<Value>, Broken) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut reader = Reader::new(Pieces(bytes.into(), sizes));
            let mut values = Vec::new();
            loop {
                match reader.value().await {
                    Ok(value) => values.push(value),
                    Err(broken) => return (values, broken),
                }
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_was_written_is_read_however_it_is_cut(
            values in proptest::collection::vec(any_value(), 1..5),
            sizes in proptest::collection::vec(1_usize..3000, 0..200),
        ) {
            let mut bytes = Vec::new();
            values.iter().for_each(|value| write(value, &mut bytes));
            let (read, broken) = read_all(bytes, sizes);
            prop_assert_eq!(read, values);
            prop_assert!(matches!(broken, Broken::Io(_)), "{broken}");
        }

        #[test]
        fn rubbish_ends_the_reading_and_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_all(bytes, vec![3, 5]);
        }

        #[test]
        fn a_batch_is_what_the_client_library_would_send(
            payload in proptest::collection::vec(any::<u8>(), 0..3000),
            step in 1_usize..500,
        ) {
            let mut batch = Batch::default();
            batch.command(&[b"SUBSCRIBE", b"a"]);
            batch.send(b"PUBLISH", b"channel", b"head", payload.clone().into());
            batch.command(&[b"PING"]);
            batch.flush();
            let mut expected = redis::cmd("SUBSCRIBE").arg("a").get_packed_command();
            let whole = [&b"head"[..], &payload].concat();
            expected.extend(redis::cmd("PUBLISH").arg("channel").arg(whole).get_packed_command());
            expected.extend(redis::cmd("PING").get_packed_command());
            prop_assert_eq!(batch.len(), expected.len());
            let mut sent: Vec<u8> = Vec::new();
            while batch.has_remaining() {
                let mut slices = [IoSlice::new(&[]); 4];
                let count = batch.chunks_vectored(&mut slices);
                let all: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
                let now = step.min(all.len());
                sent.extend(&all[..now]);
                batch.advance(now);
            }
            prop_assert_eq!(sent, expected);
        }
    }

    #[test]
    fn lengths_beyond_the_bounds_are_refused() {
        for bytes in ["$999999999999\r\n", "*99999999\r\n", "$-2\r\n", "$x\r\n", "!1\r\n", "+no end\n"] {
            let (read, broken) = read_all(bytes.into(), vec![]);
            assert!(read.is_empty() && matches!(broken, Broken::Malformed(_)), "{bytes}: {broken}");
        }
        let deep = "*1\r\n".repeat(DEPTH + 2);
        assert!(matches!(read_all(deep.into(), vec![]).1, Broken::Malformed(_)));
        let endless = "+".repeat(LINE * 2);
        assert!(matches!(read_all(endless.into(), vec![]).1, Broken::Malformed(_)));
    }
}
