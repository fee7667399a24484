//! What Redis itself can do: `PUBLISH` of chunks to one subscriber, over blocking sockets. The publisher is
//! pipelined and never copies a payload, the subscriber reads big and only counts. What is under way
//! is bounded, as it must be: Redis cuts off a subscriber that falls behind.

use std::{
    io::{IoSlice, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Condvar, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::{CHUNK, Outcome, wire::write_parts};

/// Bytes asked of the system at a time.
const READ: usize = 1 << 20;

const CHANNEL: &str = "bench";

/// Publishes `size` bytes, never more than `in_flight` ahead of the subscriber; the time until it had the last.
pub(crate) fn run(redis: SocketAddr, size: u64, in_flight: u64) -> Outcome<Duration> {
    let messages = size / CHUNK as u64;
    let head = |kind: &str| {
        let (length, name) = (CHANNEL.len(), kind.len());
        format!("*3\r\n${name}\r\n{kind}\r\n${length}\r\n{CHANNEL}\r\n${CHUNK}\r\n")
    };
    let subscriber = subscribe(redis)?;
    let publisher = TcpStream::connect(redis)?;
    publisher.set_nodelay(true)?;
    let each = (head("message").len() + CHUNK + 2) as u64;
    let arrived = Arrived::default();
    let answers = publisher.try_clone()?;
    thread::scope(|scope| {
        let counting = scope.spawn(|| arrived.count(subscriber, each, messages));
        let answered = scope.spawn(|| answers_of(answers, messages));
        let begun = Instant::now();
        let bound = (in_flight / CHUNK as u64).max(1);
        arrived.publish(publisher, &head("PUBLISH"), messages, bound)?;
        let end = counting.join().map_err(|_| "the subscriber panicked")??;
        answered.join().map_err(|_| "the reader of answers panicked")??;
        Ok(end - begun)
    })
}

fn subscribe(redis: SocketAddr) -> Outcome<TcpStream> {
    let mut tcp = TcpStream::connect(redis)?;
    tcp.write_all(format!("SUBSCRIBE {CHANNEL}\r\n").as_bytes())?;
    let mut answer = vec![0; format!("*3\r\n$9\r\nsubscribe\r\n$5\r\n{CHANNEL}\r\n:1\r\n").len()];
    tcp.read_exact(&mut answer)?;
    Ok(tcp)
}

/// Reads that every message reached one subscriber.
fn answers_of(mut tcp: TcpStream, messages: u64) -> Outcome<()> {
    let mut answers = vec![0; 4 * usize::try_from(messages)?];
    tcp.read_exact(&mut answers)?;
    if answers.chunks(4).any(|answer| answer != b":1\r\n") {
        return Err("a message reached nobody".into());
    }
    Ok(())
}

/// Messages that the subscriber has in full.
#[derive(Default)]
struct Arrived {
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Clone, Copy, Default)]
struct State {
    messages: u64,
    failed: bool,
}

impl Arrived {
    /// The moment that all were there.
    fn count(&self, mut tcp: TcpStream, each: u64, messages: u64) -> Outcome<Instant> {
        let (mut buffer, mut bytes) = (vec![0; READ], 0);
        while bytes < each * messages {
            let length = tcp.read(&mut buffer).unwrap_or(0);
            bytes += length as u64;
            let now = State { messages: bytes / each, failed: length == 0 };
            *self.state.lock().unwrap_or_else(PoisonError::into_inner) = now;
            self.more.notify_one();
            if now.failed {
                return Err("Redis cut off the subscriber".into());
            }
        }
        Ok(Instant::now())
    }

    fn publish(&self, mut tcp: TcpStream, head: &str, messages: u64, bound: u64) -> Outcome<()> {
        let payload = vec![0x61; CHUNK];
        for sent in 0..messages {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let behind = |state: &mut State| !state.failed && sent - state.messages >= bound;
            drop(self.more.wait_while(state, behind).unwrap_or_else(PoisonError::into_inner));
            let parts = &mut [head.as_bytes(), &payload, b"\r\n"].map(IoSlice::new);
            write_parts(&mut tcp, parts)?;
        }
        Ok(())
    }
}
