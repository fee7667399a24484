//! The sender's side of a transfer: what the server may have, by lane, and the threads that see to it.

use std::{
    collections::BTreeMap,
    net::{Shutdown, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use crate::{
    CHUNK, Outcome,
    wire::{Packet, Reader, Writer},
};

/// What a file consists of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Every chunk begins with its offset; the rest is the same all over, and costs nothing to make.
    Offsets,
    /// No two places are alike. It costs.
    Noise,
}

/// A source at work. Dropping it ends its connection, and its threads with it.
pub(crate) struct Source {
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
    /// Bytes.
    sent: u64,
}

impl Source {
    pub(crate) fn serve(
        mut reader: Reader,
        mut writer: Writer,
        transfer: String,
        content: Content,
    ) -> Outcome<Self> {
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
            // What fails is the connection: the receivers fail too, and the run with them, or it comes back.
            let _ = sending.fill(&mut writer, &transfer, content);
            sending.change(|order| order.over = true);
        });
        Ok(Self { orders, tcp })
    }

    /// Waits until its connection is gone; the bytes it sent.
    pub(crate) fn ended(self) -> u64 {
        let order = self.orders.lock();
        let order = self.orders.changed.wait_while(order, |order| !order.over);
        order.unwrap_or_else(PoisonError::into_inner).sent
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
        self.changed.notify_all();
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
    fn fill(&self, writer: &mut Writer, transfer: &str, content: Content) -> Outcome<()> {
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
            match content {
                Content::Offsets => writer.chunk(&text, offset.to_be_bytes(), length)?,
                Content::Noise => writer.attachment(&text, &noise(offset, length))?,
            }
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
        self.sent += length;
        Some((**lane, offset, usize::try_from(length).ok()?))
    }
}

/// The bytes at a place of a file of [`Content::Noise`].
pub(crate) fn noise(offset: u64, length: usize) -> Vec<u8> {
    let skip = usize::try_from(offset % 8).unwrap_or_default();
    let mut bytes = vec![0; (skip + length).next_multiple_of(8)];
    for (index, word) in (offset / 8..).zip(bytes.chunks_exact_mut(8)) {
        // SplitMix64: every index has bits of its own.
        let mut bits = index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word.copy_from_slice(&(bits ^ (bits >> 31)).to_le_bytes());
    }
    bytes.truncate(skip + length);
    bytes.drain(..skip);
    bytes
}

/// The digest of a file of [`Content::Noise`].
pub(crate) fn digest_of_noise(size: u64) -> blake3::Hash {
    let mut digest = blake3::Hasher::new();
    for offset in (0..size).step_by(CHUNK) {
        let length = usize::try_from(size - offset).unwrap_or(CHUNK).min(CHUNK);
        digest.update(&noise(offset, length));
    }
    digest.finalize()
}
