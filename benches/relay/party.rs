//! A party of a room on roomdrop, by its protocol: one connection, both namespaces on it, as a
//! `socket.io-client` has it. What it cannot read it does not guess: the run fails.

use std::{net::SocketAddr, time::Instant};

use serde_json::{Value, json};

use crate::{
    Outcome,
    source::{Content, Source},
    wire::{self, FILL, Kind, Packet, Reader, Writer},
};

/// What a receiver asks for ahead of what it holds; the server's default is the most it grants.
const WINDOW: u64 = 8 << 20;

/// A receiver pulls again when it has received this much.
const STEP: u64 = 1 << 20;

/// How a chunk begins that a server cut, rightly, because it was asked for less.
const SLICED: [u8; 8] = [FILL; 8];

/// One who is in a room, with both namespaces open.
pub(crate) struct Party {
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
    /// By which it is the same member when it comes again.
    pub(crate) key: String,
    /// Drops that were open in the room when it came.
    pub(crate) open_drops: usize,
    /// The transfers of the first of them.
    first_drop: Value,
    calls: u64,
    /// Events that came while an acknowledgement was awaited.
    early: Vec<Packet>,
}

/// A file on offer, and what its parties need.
#[derive(Clone)]
pub(crate) struct Offer {
    pub(crate) transfer: String,
    source_token: String,
}

impl Party {
    /// Connects and joins, as the member with the `key` if there is one.
    pub(crate) fn join(
        addr: SocketAddr,
        room: &str,
        key: Option<&str>,
        receive_buffer: Option<usize>,
    ) -> Outcome<Self> {
        let (reader, writer) = wire::connect(addr, receive_buffer)?;
        let mut party = Self {
            reader,
            writer,
            key: String::new(),
            open_drops: 0,
            first_drop: Value::Null,
            calls: 0,
            early: Vec::new(),
        };
        for namespace in ["/rooms", "/transfers"] {
            party.writer.text(&format!("40{namespace},"))?;
            let answer = party.read()?;
            if answer.kind != Kind::Connect {
                return Err(format!("{namespace} refuses: {}", answer.json).into());
            }
        }
        let mut join = json!({ "room": room, "name": "bench" });
        if let Some(key) = key {
            join["key"] = json!(key);
        }
        let joined = party.call("/rooms", "room:join", &join)?;
        party.key = text(&joined["key"])?;
        party.open_drops = joined["drops"].as_array().map_or(0, Vec::len);
        party.first_drop = joined["drops"][0]["transfers"].clone();
        Ok(party)
    }

    /// Offers a file.
    pub(crate) fn offer(&mut self, room: &str, size: u64) -> Outcome<Offer> {
        let file = json!({ "name": "bench.bin", "size": size });
        let drop = self.call("/rooms", "drop:offer", &json!({ "room": room, "files": [file] }))?;
        let transfer = &drop["transfers"][0];
        Ok(Offer { transfer: text(&transfer["transfer"])?, source_token: text(&transfer["token"])? })
    }

    /// Becomes the source of what was offered, served by threads of its own.
    pub(crate) fn serve(mut self, offer: &Offer, content: Content) -> Outcome<Source> {
        self.call("/transfers", "source:open", &json!({ "token": offer.source_token }))?;
        Source::serve(self.reader, self.writer, offer.transfer.clone(), content)
    }

    /// Waits until the room has heard of the offer here.
    pub(crate) fn hear_of(&mut self, offer: &Offer) -> Outcome<()> {
        loop {
            let packet = self.next()?;
            let mut transfers = packet.json[1]["transfers"].as_array().into_iter().flatten();
            if packet.json[0] == "drop:offered"
                && transfers.any(|each| each["transfer"] == json!(offer.transfer))
            {
                return Ok(());
            }
        }
    }

    /// Accepts, and returns the sink's token.
    pub(crate) fn accept(&mut self, offer: &Offer) -> Outcome<String> {
        let accepted = self.call("/rooms", "transfer:accept", &json!({ "transfer": offer.transfer }))?;
        text(&accepted["token"])
    }

    /// Accepts the first file of what was open in the room; the transfer, and the sink's token.
    pub(crate) fn accept_first(&mut self) -> Outcome<(String, String)> {
        let transfer = text(&self.first_drop[0]["transfer"])?;
        let offer = Offer { transfer, source_token: String::new() };
        let token = self.accept(&offer)?;
        Ok((offer.transfer, token))
    }

    /// Opens the sink, and pulls on its first lane from there, if so.
    pub(crate) fn open_sink(&mut self, token: &str, pull_from: Option<u64>) -> Outcome<()> {
        let open = match pull_from {
            Some(from) => json!({ "token": token, "lane": 1, "from": from, "limit": from + WINDOW }),
            None => json!({ "token": token }),
        };
        self.call("/transfers", "sink:open", &open)?;
        Ok(())
    }

    /// Pulls on a lane and takes chunks in order until all of the `size` bytes are here, calling `took` with
    /// what is held after each; the moment the last came.
    pub(crate) fn receive(
        &mut self,
        transfer: &str,
        lane: u64,
        (mut held, size): (u64, u64),
        content: Content,
        mut took: impl FnMut(u64),
    ) -> Outcome<Instant> {
        let mut pulled = held;
        self.pull(transfer, lane, held)?;
        while held < size {
            let packet = self.next()?;
            let Some(chunk) = packet.attachment else { continue };
            let word = &packet.json[1];
            let right =
                content == Content::Noise || chunk.first == held.to_be_bytes() || chunk.first == SLICED;
            if !right || word["offset"] != json!(held) || word["lane"] != json!(lane) {
                let first = chunk.first;
                return Err(Disorder(format!("at {held} of lane {lane} came {word}, {first:?}")).into());
            }
            held += chunk.length;
            took(held);
            if held - pulled >= STEP && held < size {
                self.pull(transfer, lane, held)?;
                pulled = held;
            }
        }
        let end = Instant::now();
        self.call("/transfers", "sink:done", &json!({ "transfer": transfer }))?;
        Ok(end)
    }

    fn pull(&mut self, transfer: &str, lane: u64, from: u64) -> Outcome<()> {
        let limit = from + WINDOW;
        let pull = json!(["pull", { "transfer": transfer, "lane": lane, "from": from, "limit": limit }]);
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
            self.early.push(packet);
        }
    }

    /// The next packet, those that came early first.
    pub(crate) fn next(&mut self) -> Outcome<Packet> {
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

/// A chunk came that was not asked for: what no receiver forgives.
#[derive(Debug)]
pub(crate) struct Disorder(String);

impl std::fmt::Display for Disorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Disorder {}

fn text(value: &Value) -> Outcome<String> {
    Ok(value.as_str().ok_or_else(|| format!("expected text, got {value}"))?.to_owned())
}
