//! The load on the Node relay: one sender that keeps a window of chunks unacknowledged, and receivers that
//! count. The sender also waits when the slowest receiver is far behind, as the relay would buffer without
//! bound.

use std::{
    process::Command,
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    CHUNK, Outcome, Run, joined,
    process::Server,
    wire::{self, Kind, Packet, Reader, Writer},
};

/// Bytes under way to the relay at most.
const WINDOW: u64 = 4 << 20;

/// Bytes the slowest receiver may be behind.
pub(crate) const BEHIND: u64 = 32 << 20;

/// Starts the relay: the one on Node, or another that speaks as it does, to be named in `RELAY_COMMAND`.
pub(crate) fn start() -> Outcome<Server> {
    match std::env::var("RELAY_COMMAND") {
        Ok(line) => {
            let mut words = line.split_whitespace();
            let mut command = Command::new(words.next().ok_or("RELAY_COMMAND is empty")?);
            command.args(words);
            Server::start(command)
        }
        Err(_) => Server::node(),
    }
}

/// Sends `size` bytes from one to `receivers`.
pub(crate) fn run(server: &Server, receivers: usize, size: u64) -> Outcome<Run> {
    let cpu = server.cpu_seconds()?;
    let elapsed = play([server, server], receivers, size, BEHIND)?;
    Run::new(elapsed, server.cpu_seconds()? - cpu, size * receivers as u64)
}

/// Sends `size` bytes from one on the first server to `receivers` on the second, the slowest of which may be
/// `behind` by so many bytes; the time it took.
pub(crate) fn play([from, to]: [&Server; 2], receivers: usize, size: u64, behind: u64) -> Outcome<Duration> {
    let counts: Arc<Vec<AtomicU64>> = Arc::new((0..receivers).map(|_| AtomicU64::new(0)).collect());
    let start = Arc::new(Barrier::new(receivers + 1));
    let threads: Vec<_> = (0..receivers)
        .map(|index| {
            let (counts, start) = (Arc::clone(&counts), Arc::clone(&start));
            let (mut reader, mut writer) = open(to)?;
            Ok(thread::spawn(move || -> Outcome<()> {
                start.wait();
                let mut received = 0;
                while received < size {
                    received = count(&reader.packet(|| writer.text("3"))?, received)?;
                    counts[index].store(received, Ordering::Relaxed);
                }
                Ok(())
            }))
        })
        .collect::<Outcome<_>>()?;
    let (mut reader, mut writer) = open(from)?;
    start.wait();
    let begun = Instant::now();
    let (mut sent, mut taken) = (0, 0);
    while taken < size {
        while sent < size && sent - taken < WINDOW {
            let slowest = || counts.iter().map(|count| count.load(Ordering::Relaxed)).min().unwrap_or(0);
            while sent - slowest() > behind {
                thread::sleep(Duration::from_micros(200));
            }
            let text = format!(r#"451-{sent}["chunk","bench",{{"_placeholder":true,"num":0}}]"#);
            writer.chunk(&text, sent.to_be_bytes(), CHUNK)?;
            sent += CHUNK as u64;
        }
        let packet = reader.packet(|| writer.text("3"))?;
        taken += if packet.kind == Kind::Ack { CHUNK as u64 } else { 0 };
    }
    joined(threads)?;
    Ok(begun.elapsed())
}

/// Connects and joins the room.
fn open(server: &Server) -> Outcome<(Reader, Writer)> {
    let (mut reader, mut writer) = wire::connect(server.addr, None)?;
    writer.text("40")?;
    let mut next = |writer: &mut Writer| reader.packet(|| writer.text("3"));
    if next(&mut writer)?.kind != Kind::Connect {
        return Err("the relay refuses".into());
    }
    writer.text(&format!("420{}", json!(["join", "bench"])))?;
    if next(&mut writer)?.kind != Kind::Ack {
        return Err("no room".into());
    }
    Ok((reader, writer))
}

/// What has been received with this packet.
fn count(packet: &Packet, received: u64) -> Outcome<u64> {
    match packet.attachment {
        Some(chunk) if u64::from_be_bytes(chunk.first) == received => Ok(received + chunk.length),
        Some(_) => Err(format!("a chunk is missing after {received} bytes").into()),
        None => Ok(received),
    }
}
