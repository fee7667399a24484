//! The load on roomdrop, by its protocol: a member offers a file, others accept it, and chunks flow as
//! pulls allow. One connection per party, both namespaces on it, as a `socket.io-client` has it.

use std::{
    collections::BTreeMap,
    net::{Shutdown, TcpStream},
    sync::{Arc, Barrier, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    CHUNK, Outcome, Run, joined,
    process::Server,
    wire::{self, Kind, Packet, Reader, Writer},
};

/// What a receiver asks for ahead of what it holds; the server's default is the most it grants.
const WINDOW: u64 = 8 << 20;

/// A receiver pulls again when it has received this much.
const STEP: u64 = 1 << 20;

/// The socket buffer of a receiver that reads nothing, so that it is the server who has the bytes.
const STALLED_BUFFER: usize = 64 * 1024;

/// A party of a room, with both namespaces open.
struct Party {
    reader: Reader,
    writer: Writer,
    calls: u64,
    /// Chunks that came while an acknowledgement was awaited.
    early: Vec<Packet>,
}

/// A file on offer, and what its parties need.
struct Offer {
    transfer: String,
    source_token: String,
}

/// What came of a run with receivers that stall.
pub(crate) struct Stalled {
    pub(crate) elapsed: Duration,
    /// Bytes by which the server's memory grew, at its peak.
    pub(crate) growth: u64,
}

/// Sends `size` bytes from one to `receivers`.
pub(crate) fn run(server: &Server, receivers: usize, size: u64) -> Outcome<Run> {
    let stage = Stage::set(server, receivers, size)?;
    let cpu = server.cpu_seconds()?;
    let elapsed = stage.play()?;
    Run::new(elapsed, server.cpu_seconds()? - cpu, size * receivers as u64)
}

/// The same for receivers beside whom `stalled` more ask for bytes and read none.
pub(crate) fn run_with_stalled(
    server: &Server,
    receivers: usize,
    stalled: usize,
    size: u64,
) -> Outcome<Stalled> {
    let stage = Stage::set(server, receivers, size)?;
    server.forget_peak()?;
    let before = server.memory()?;
    let mut asleep = Vec::new();
    for _ in 0..stalled {
        let mut party = Party::join(server, &stage.room, Some(STALLED_BUFFER))?;
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
        let sender = Party::join(server, &room, None)?;
        let mut receiver = Party::join(server, &room, None)?;
        let (offer, source) = sender.offer(&room, size)?;
        let begun = Instant::now();
        let token = receiver.accept(&offer)?;
        receiver.open_sink(&token, Some(0))?;
        while receiver.next()?.attachment.is_none() {}
        waits.push(begun.elapsed());
        drop(source);
    }
    Ok(waits)
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
    fn set(server: &Server, receivers: usize, size: u64) -> Outcome<Self> {
        let room = room();
        let sender = Party::join(server, &room, None)?;
        let mut parties = Vec::new();
        for _ in 0..receivers {
            parties.push(Party::join(server, &room, None)?);
        }
        let (offer, source) = sender.offer(&room, size)?;
        let start = Arc::new(Barrier::new(receivers + 1));
        let mut sinks = Vec::new();
        for mut party in parties {
            let token = party.accept(&offer)?;
            party.open_sink(&token, None)?;
            let (start, transfer) = (Arc::clone(&start), offer.transfer.clone());
            sinks.push(thread::spawn(move || {
                start.wait();
                party.receive(&transfer, size)
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

impl Party {
    fn join(server: &Server, room: &str, receive_buffer: Option<usize>) -> Outcome<Self> {
        let (reader, writer) = wire::connect(server.addr, receive_buffer)?;
        let mut party = Self { reader, writer, calls: 0, early: Vec::new() };
        for namespace in ["/rooms", "/transfers"] {
            party.writer.text(&format!("40{namespace},"))?;
            let answer = party.read()?;
            if answer.kind != Kind::Connect {
                return Err(format!("{namespace} refuses: {}", answer.json).into());
            }
        }
        party.call("/rooms", "room:join", &json!({ "room": room, "name": "bench" }))?;
        Ok(party)
    }

    /// Offers a file and serves it from a thread of its own.
    fn offer(mut self, room: &str, size: u64) -> Outcome<(Offer, Source)> {
        let file = json!({ "name": "bench.bin", "size": size });
        let drop = self.call("/rooms", "drop:offer", &json!({ "room": room, "files": [file] }))?;
        let transfer = &drop["transfers"][0];
        let offer = Offer { transfer: text(&transfer["transfer"])?, source_token: text(&transfer["token"])? };
        self.call("/transfers", "source:open", &json!({ "token": offer.source_token }))?;
        let source = Source::serve(self, offer.transfer.clone())?;
        Ok((offer, source))
    }

    /// Accepts, and returns the sink's token.
    fn accept(&mut self, offer: &Offer) -> Outcome<String> {
        let accepted = self.call("/rooms", "transfer:accept", &json!({ "transfer": offer.transfer }))?;
        text(&accepted["token"])
    }

    fn open_sink(&mut self, token: &str, pull_from: Option<u64>) -> Outcome<()> {
        let open = match pull_from {
            Some(from) => json!({ "token": token, "lane": 1, "from": from, "limit": from + WINDOW }),
            None => json!({ "token": token }),
        };
        self.call("/transfers", "sink:open", &open)?;
        Ok(())
    }

    /// Pulls and counts until all is here; the moment it was.
    fn receive(&mut self, transfer: &str, size: u64) -> Outcome<Instant> {
        let (mut held, mut pulled) = (0, 0);
        self.pull(transfer, held)?;
        while held < size {
            let packet = self.next()?;
            let Some(chunk) = packet.attachment else { continue };
            if u64::from_be_bytes(chunk.first) != held || packet.json[1]["offset"] != json!(held) {
                return Err(format!("at {held} came {}", packet.json).into());
            }
            held += chunk.length;
            if held - pulled >= STEP && held < size {
                self.pull(transfer, held)?;
                pulled = held;
            }
        }
        let end = Instant::now();
        self.call("/transfers", "sink:done", &json!({ "transfer": transfer }))?;
        Ok(end)
    }

    fn pull(&mut self, transfer: &str, from: u64) -> Outcome<()> {
        let limit = from + WINDOW;
        let pull = json!(["pull", { "transfer": transfer, "lane": 1, "from": from, "limit": limit }]);
        self.writer.text(&format!("42/transfers,{pull}"))
    }

    /// Emits with an acknowledgement, and returns its data.
    fn call(&mut self, namespace: &str, event: &str, argument: &Value) -> Outcome<Value> {
        self.calls += 1;
        self.writer.text(&format!("42{namespace},{}{}", self.calls, json!([event, argument])))?;
        loop {
            let packet = self.read()?;
            if packet.kind == Kind::Ack && packet.id == Some(self.calls) {
                let answer = &packet.json[0];
                if answer["code"] != json!(200) {
                    return Err(format!("{event}: {answer}").into());
                }
                return Ok(answer["data"].clone());
            }
            if packet.attachment.is_some() {
                self.early.push(packet);
            }
        }
    }

    /// The next packet, those that came early first.
    fn next(&mut self) -> Outcome<Packet> {
        if self.early.is_empty() { self.read() } else { Ok(self.early.remove(0)) }
    }

    fn read(&mut self) -> Outcome<Packet> {
        let Self { reader, writer, .. } = self;
        let packet = reader.packet(|| writer.text("3"))?;
        if packet.kind == Kind::Event && packet.json[0] == "problem" {
            return Err(format!("the server has a problem: {}", packet.json[1]).into());
        }
        Ok(packet)
    }
}

/// The sender's side: what the server may have, by lane, and the two threads that see to it. Dropping it
/// ends its connection, and both with it.
struct Source {
    orders: Arc<Orders>,
    tcp: TcpStream,
}

#[derive(Default)]
struct Orders {
    now: Mutex<Order>,
    changed: Condvar,
}

#[derive(Default)]
struct Order {
    /// Next offset and limit.
    lanes: BTreeMap<u64, (u64, u64)>,
    pings: u64,
    over: bool,
}

impl Source {
    fn serve(party: Party, transfer: String) -> Outcome<Self> {
        let Party { mut reader, mut writer, .. } = party;
        let tcp = writer.tcp()?;
        let orders = Arc::new(Orders::default());
        let listening = Arc::clone(&orders);
        thread::spawn(move || {
            let ping = || {
                listening.change(|order| order.pings += 1);
                Ok(())
            };
            while let Ok(packet) = reader.packet(ping) {
                listening.obey(&packet);
            }
            listening.change(|order| order.over = true);
        });
        let sending = Arc::clone(&orders);
        thread::spawn(move || {
            let sent = sending.fill(&mut writer, &transfer);
            if let Err(error) = sent {
                // The receivers fail too, and the run with them.
                eprintln!("the sender stopped: {error}");
            }
        });
        Ok(Self { orders, tcp })
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.orders.change(|order| order.over = true);
        // It may be closed already, which is just as well.
        let _ = self.tcp.shutdown(Shutdown::Both);
    }
}

impl Orders {
    fn change(&self, change: impl FnOnce(&mut Order)) {
        change(&mut self.lock());
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Order> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn obey(&self, packet: &Packet) {
        let (event, word) = (&packet.json[0], &packet.json[1]);
        let number = |key: &str| word[key].as_u64().unwrap_or_default();
        if event == "pull" {
            self.change(|order| {
                let lane = order.lanes.entry(number("lane")).or_insert((number("from"), 0));
                lane.1 = lane.1.max(number("limit"));
            });
        } else if event == "stop" {
            self.change(|order| {
                order.lanes.remove(&number("lane"));
            });
        } else if event == "problem" {
            eprintln!("the server has a problem with the sender: {word}");
        }
    }

    /// Sends what is asked for, lanes in turn, until it is over.
    fn fill(&self, writer: &mut Writer, transfer: &str) -> Outcome<()> {
        let mut last = 0;
        loop {
            let mut order = self.lock();
            let (lane, offset, length) = loop {
                if order.over {
                    return Ok(());
                }
                if order.pings > 0 {
                    order.pings -= 1;
                    writer.text("3")?;
                }
                match order.next(last) {
                    Some(next) => break next,
                    None => order = self.changed.wait(order).unwrap_or_else(PoisonError::into_inner),
                }
            };
            drop(order);
            last = lane;
            let text = format!(
                r#"451-/transfers,["chunk",{{"transfer":"{transfer}","lane":{lane},"offset":{offset}}},{{"_placeholder":true,"num":0}}]"#
            );
            writer.chunk(&text, offset.to_be_bytes(), length)?;
        }
    }
}

impl Order {
    /// A chunk within the credit of the lane after the last one, noted as sent.
    fn next(&mut self, last: u64) -> Option<(u64, u64, usize)> {
        let open = |(_, (next, limit)): &(&u64, &mut (u64, u64))| *next < *limit;
        let mut lanes: Vec<_> = self.lanes.iter_mut().filter(open).collect();
        let turn = lanes.iter().position(|(lane, _)| **lane > last).unwrap_or(0);
        let (lane, (next, limit)) = lanes.get_mut(turn)?;
        let (offset, length) = (*next, (*limit - *next).min(CHUNK as u64));
        *next += length;
        Some((**lane, offset, usize::try_from(length).ok()?))
    }
}

/// A room of its own for each run.
fn room() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static ROOMS: AtomicU64 = AtomicU64::new(0);
    format!("bench-{}", ROOMS.fetch_add(1, Ordering::Relaxed))
}

fn text(value: &Value) -> Outcome<String> {
    Ok(value.as_str().ok_or_else(|| format!("expected text, got {value}"))?.to_owned())
}
