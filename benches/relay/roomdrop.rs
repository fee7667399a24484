//! The load on roomdrop: a member offers a file, others accept it, and chunks flow as pulls allow.

use std::{
    sync::{Arc, Barrier},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    Outcome, Run, joined,
    party::{Offer, Party},
    process::Server,
    source::{Content, Source, digest_of_noise},
};

/// The socket buffer of a receiver that reads nothing, so that it is the server who has the bytes.
const STALLED_BUFFER: usize = 64 * 1024;

/// What came of a run with receivers that stall.
pub(crate) struct Stalled {
    pub(crate) elapsed: Duration,
    /// Bytes by which the server's memory grew, at its peak.
    pub(crate) growth: u64,
}

/// Sends `size` bytes from one to `receivers`.
pub(crate) fn run(server: &Server, receivers: usize, size: u64) -> Outcome<Run> {
    let stage = Stage::set([server, server], receivers, size)?;
    let cpu = server.cpu_seconds()?;
    let elapsed = stage.play()?;
    Run::new(elapsed, server.cpu_seconds()? - cpu, size * receivers as u64)
}

/// Sends `size` bytes from one on the first server to `receivers` on the second; the time it took.
pub(crate) fn play(servers: [&Server; 2], receivers: usize, size: u64) -> Outcome<Duration> {
    Stage::set(servers, receivers, size)?.play()
}

/// The same for receivers beside whom `stalled` more ask for bytes and read none.
pub(crate) fn run_with_stalled(
    server: &Server,
    receivers: usize,
    stalled: usize,
    size: u64,
) -> Outcome<Stalled> {
    let stage = Stage::set([server, server], receivers, size)?;
    server.forget_peak()?;
    let before = server.memory()?;
    let mut asleep = Vec::new();
    for _ in 0..stalled {
        let mut party = Party::join(server.addr, &stage.room, None, Some(STALLED_BUFFER))?;
        let token = party.accept(&stage.offer)?;
        party.open_sink(&token, Some(0))?;
        asleep.push(party);
    }
    let elapsed = stage.play()?;
    Ok(Stalled { elapsed, growth: server.peak_memory()?.saturating_sub(before) })
}

/// The time from each of `times` acceptances of a file to its first chunk.
pub(crate) fn first_bytes(server: &Server, times: usize, size: u64) -> Outcome<Vec<Duration>> {
    let mut waits = Vec::new();
    for _ in 0..times {
        let room = room();
        let mut sender = Party::join(server.addr, &room, None, None)?;
        let mut receiver = Party::join(server.addr, &room, None, None)?;
        let offer = sender.offer(&room, size)?;
        let source = sender.serve(&offer, Content::Offsets)?;
        let begun = Instant::now();
        let token = receiver.accept(&offer)?;
        receiver.open_sink(&token, Some(0))?;
        while receiver.next()?.attachment.is_none() {}
        waits.push(begun.elapsed());
        drop(source);
    }
    Ok(waits)
}

/// Sends `size` bytes of noise from the first server to the second, and compares what came by its digest.
pub(crate) fn verify([from, to]: [&Server; 2], size: u64) -> Outcome<()> {
    let room = room();
    let mut sender = Party::join(from.addr, &room, None, None)?;
    let mut receiver = Party::join(to.addr, &room, None, None)?;
    let offer = sender.offer(&room, size)?;
    let _source = sender.serve(&offer, Content::Noise)?;
    receiver.hear_of(&offer)?;
    let token = receiver.accept(&offer)?;
    receiver.open_sink(&token, None)?;
    receiver.reader.digest_on(blake3::Hasher::new());
    receiver.receive(&offer.transfer, 1, (0, size), Content::Noise, |_| {})?;
    if receiver.reader.digest().finalize() != digest_of_noise(size) {
        return Err("what came is not what was sent".into());
    }
    Ok(())
}

/// Everything ready to start: a source, and sinks that have not pulled yet.
struct Stage {
    room: String,
    offer: Offer,
    _source: Source,
    start: Arc<Barrier>,
    sinks: Vec<JoinHandle<Outcome<Instant>>>,
}

impl Stage {
    fn set([from, to]: [&Server; 2], receivers: usize, size: u64) -> Outcome<Self> {
        let room = room();
        let mut sender = Party::join(from.addr, &room, None, None)?;
        let mut parties = Vec::new();
        for _ in 0..receivers {
            parties.push(Party::join(to.addr, &room, None, None)?);
        }
        let offer = sender.offer(&room, size)?;
        let source = sender.serve(&offer, Content::Offsets)?;
        let start = Arc::new(Barrier::new(receivers + 1));
        let mut sinks = Vec::new();
        for mut party in parties {
            party.hear_of(&offer)?;
            let token = party.accept(&offer)?;
            party.open_sink(&token, None)?;
            let (start, transfer) = (Arc::clone(&start), offer.transfer.clone());
            sinks.push(thread::spawn(move || {
                start.wait();
                party.receive(&transfer, 1, (0, size), Content::Offsets, |_| {})
            }));
        }
        Ok(Self { room, offer, _source: source, start, sinks })
    }

    /// Lets it flow, and returns the time until the last receiver had the last byte.
    fn play(self) -> Outcome<Duration> {
        self.start.wait();
        let begun = Instant::now();
        let ends = joined(self.sinks)?;
        Ok(ends.into_iter().max().map_or(Duration::ZERO, |end| end - begun))
    }
}

/// A room of its own for each run.
pub(crate) fn room() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static ROOMS: AtomicU64 = AtomicU64::new(0);
    format!("bench-{}", ROOMS.fetch_add(1, Ordering::Relaxed))
}
