//! Socket.IO 5 over Engine.IO 4 over WebSocket, by hand, over a blocking socket. It exists so that the
//! load costs little of the CPU it shares with the server: a chunk's payload is built and masked once, and
//! a received one is counted, not copied. It refuses whatever the benchmark does not need.

use std::{
    io::{ErrorKind, IoSlice, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::Outcome;

/// A key that is not zero, so that servers pay for unmasking as they do with real clients.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x17, 0x8e];

/// What a chunk consists of after its first 8 bytes.
pub(crate) const FILL: u8 = 0x61;

/// Bytes asked of the system at a time: more than one chunk brings no more.
const READ: usize = 256 * 1024;

/// How long a server may say nothing but heartbeats before the run fails, instead of hanging.
const SILENCE: Duration = Duration::from_secs(30);

/// A packet of Socket.IO, with its binary attachment counted and its first 8 bytes kept.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) kind: Kind,
    pub(crate) id: Option<u64>,
    pub(crate) json: Value,
    pub(crate) attachment: Option<Attachment>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Connect,
    Event,
    Ack,
    Refusal,
}

/// What is noted of a chunk's bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attachment {
    pub(crate) first: [u8; 8],
    pub(crate) length: u64,
}

/// The reading half of a connection.
pub(crate) struct Reader {
    tcp: TcpStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Of all attachments, one after the other, if somebody wants to know.
    digest: Option<blake3::Hasher>,
}

/// The writing half.
pub(crate) struct Writer {
    tcp: TcpStream,
    /// Frame header and masked payload of a chunk; the frame's first 8 payload bytes change.
    chunk: Vec<u8>,
}

enum Message {
    Text(String),
    Binary(Attachment),
}

/// Connects and shakes hands. `receive_buffer` asks the system for a smaller socket buffer than its own.
pub(crate) fn connect(addr: SocketAddr, receive_buffer: Option<usize>) -> Outcome<(Reader, Writer)> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    if let Some(bytes) = receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.connect(&addr.into())?;
    let mut tcp = TcpStream::from(socket);
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(SILENCE))?;
    tcp.set_write_timeout(Some(SILENCE))?;
    tcp.write_all(
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\n\
          upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: cm9vbWRyb3AtYmVuY2htYQ==\r\n\r\n",
    )?;
    let mut reader =
        Reader { tcp: tcp.try_clone()?, buffer: vec![0; 2 * READ], start: 0, end: 0, digest: None };
    reader.upgraded()?;
    Ok((reader, Writer { tcp, chunk: Vec::new() }))
}

impl Reader {
    /// Digests attachments from here on, after what was digested already.
    pub(crate) fn digest_on(&mut self, digest: blake3::Hasher) {
        self.digest = Some(digest);
    }

    /// What was digested so far, if anything was.
    pub(crate) fn digest(&self) -> blake3::Hasher {
        self.digest.clone().unwrap_or_default()
    }

    /// The next Socket.IO packet, or a ping that `pong` answers.
    pub(crate) fn packet(&mut self, mut pong: impl FnMut() -> Outcome<()>) -> Outcome<Packet> {
        let begun = Instant::now();
        loop {
            if begun.elapsed() > SILENCE {
                return Err("the server has nothing more to say".into());
            }
            let Message::Text(text) = self.message()? else {
                return Err("bytes that nothing announced".into());
            };
            match text.split_at_checked(1) {
                Some(("4", packet)) => {
                    let (mut packet, binary) = parse(packet)?;
                    if binary {
                        let Message::Binary(attachment) = self.message()? else {
                            return Err("no bytes after a packet that announced some".into());
                        };
                        packet.attachment = Some(attachment);
                    }
                    return Ok(packet);
                }
                Some(("2", _)) => pong()?,
                Some(("0" | "6", _)) => {}
                _ => return Err(format!("the server says {text:?}").into()),
            }
        }
    }

    fn upgraded(&mut self) -> Outcome<()> {
        loop {
            let head = self.buffer.get(self.start..self.end).unwrap_or_default();
            if let Some(length) = head.windows(4).position(|end| end == b"\r\n\r\n") {
                if !head.starts_with(b"HTTP/1.1 101") {
                    return Err(format!("no WebSocket: {}", String::from_utf8_lossy(head)).into());
                }
                self.start += length + 4;
                return Ok(());
            }
            self.more()?;
        }
    }

    fn message(&mut self) -> Outcome<Message> {
        let &[first, second] = self.take(2)? else { unreachable!() };
        let length = match second {
            126 => u64::from(u16::from_be_bytes(self.take(2)?.try_into()?)),
            127 => u64::from_be_bytes(self.take(8)?.try_into()?),
            short => u64::from(short),
        };
        match first {
            0x81 => Ok(Message::Text(String::from_utf8(self.take(usize::try_from(length)?)?.to_vec())?)),
            0x82 if length >= 8 => {
                let before = self.digest.clone();
                let attachment = self.attachment(length);
                if attachment.is_err() {
                    // Half of one does not count.
                    self.digest = before;
                }
                Ok(Message::Binary(attachment?))
            }
            other => Err(format!("a frame of kind {other:#x} and {length} bytes").into()),
        }
    }

    fn attachment(&mut self, length: u64) -> Outcome<Attachment> {
        let first: [u8; 8] = self.take(8)?.try_into()?;
        if let Some(digest) = &mut self.digest {
            digest.update(&first);
        }
        self.skip(length - 8)?;
        Ok(Attachment { first, length })
    }

    fn take(&mut self, count: usize) -> Outcome<&[u8]> {
        while self.end - self.start < count {
            self.more()?;
        }
        self.start += count;
        Ok(self.buffer.get(self.start - count..self.start).unwrap_or_default())
    }

    fn skip(&mut self, mut count: u64) -> Outcome<()> {
        loop {
            let here = u64::try_from(self.end - self.start)?.min(count);
            let end = self.start + usize::try_from(here)?;
            if let (Some(digest), Some(bytes)) = (&mut self.digest, self.buffer.get(self.start..end)) {
                digest.update(bytes);
            }
            self.start = end;
            count -= here;
            if count == 0 {
                return Ok(());
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> Outcome<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.buffer.len() - self.end < READ {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let room = (self.end + READ).min(self.buffer.len());
        let count = self.tcp.read(self.buffer.get_mut(self.end..room).unwrap_or_default())?;
        if count == 0 {
            return Err("the server closed the connection".into());
        }
        self.end += count;
        Ok(())
    }
}

impl Writer {
    /// Another handle on the connection.
    pub(crate) fn tcp(&self) -> Outcome<TcpStream> {
        Ok(self.tcp.try_clone()?)
    }

    /// Sends Socket.IO text.
    pub(crate) fn text(&mut self, text: &str) -> Outcome<()> {
        let frame = frame(0x81, text.as_bytes());
        Ok(self.tcp.write_all(&frame)?)
    }

    /// Sends a packet and its attachment of `length` bytes, which begins with `first`.
    pub(crate) fn chunk(&mut self, text: &str, first: [u8; 8], length: usize) -> Outcome<()> {
        let header = if length > 65_535 { 14 } else { 8 };
        if self.chunk.len() != header + length {
            self.chunk = frame(0x82, &vec![FILL; length]);
        }
        for (index, (to, from)) in self.chunk.iter_mut().skip(header).zip(first).enumerate() {
            *to = from ^ MASK[index % 4];
        }
        let text = frame(0x81, text.as_bytes());
        write_parts(&mut self.tcp, &mut [IoSlice::new(&text), IoSlice::new(&self.chunk)])
    }

    /// Sends a packet and its attachment.
    pub(crate) fn attachment(&mut self, text: &str, bytes: &[u8]) -> Outcome<()> {
        let (text, bytes) = (frame(0x81, text.as_bytes()), frame(0x82, bytes));
        write_parts(&mut self.tcp, &mut [IoSlice::new(&text), IoSlice::new(&bytes)])
    }
}

/// Writes all of them, one after the other.
pub(crate) fn write_parts(tcp: &mut TcpStream, mut parts: &mut [IoSlice<'_>]) -> Outcome<()> {
    while !parts.is_empty() {
        match tcp.write_vectored(parts) {
            Ok(count) => IoSlice::advance_slices(&mut parts, count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A whole masked frame; payloads are at least 126 bytes and over 64 KiB, or text.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short), _) if short < 126 => frame.push(0x80 | short),
        (_, Ok(middle)) => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&middle.to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// `<type>[<attachments>-][/<namespace>,][<id>]<json>`
fn parse(text: &str) -> Outcome<(Packet, bool)> {
    let bad = || format!("not a Socket.IO packet: {text:?}");
    let (kind, rest) = text.split_at_checked(1).ok_or_else(bad)?;
    let (kind, binary) = match kind {
        "0" => (Kind::Connect, false),
        "2" => (Kind::Event, false),
        "3" => (Kind::Ack, false),
        "4" => (Kind::Refusal, false),
        "5" => (Kind::Event, true),
        "6" => (Kind::Ack, true),
        _ => return Err(bad().into()),
    };
    let rest = if binary { rest.strip_prefix("1-").ok_or_else(bad)? } else { rest };
    let rest = if rest.starts_with('/') { rest.split_once(',').ok_or_else(bad)?.1 } else { rest };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (id, json) = rest.split_at(digits);
    let json = if json.is_empty() { Value::Null } else { serde_json::from_str(json)? };
    Ok((Packet { kind, id: id.parse().ok(), json, attachment: None }, binary))
}
