//! A transfer while a node is killed, or Redis is: how long its bytes stand still, and how many the sender
//! sends again. Clients come back as a `socket.io-client` does, after 100 to 500 ms, to the next node.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    MIB, Outcome, ROUNDS, joined,
    party::{Disorder, Offer, Party},
    process::Server,
    redis::Redis,
    roomdrop::room,
    source::{Content, digest_of_noise},
    verdict,
};

/// Long enough that it is not over when the fault comes.
const SIZE: u64 = 1024 * MIB;

/// How much each receiver holds when the fault comes.
const HELD: u64 = SIZE / 4;

/// How long Redis is away.
const OUTAGE: Duration = Duration::from_secs(3);

/// Two windows, which nobody needs to send again beyond.
const WINDOWS: u64 = 16 * MIB;

/// After so many failures in a row a client gives up, and the run with it.
const ATTEMPTS: u32 = 60;

/// What is struck.
#[derive(Clone, Copy)]
enum Fault {
    SendersNode,
    ReceiversNode,
    Redis,
}

/// What it came to, at worst.
#[derive(Clone, Copy, Default)]
struct Toll {
    /// How long a receiver's bytes stood still.
    silence: Duration,
    /// Bytes that the sender sent more than once.
    again: u64,
}

/// All faults, each a few times, and the worst of each. Bytes sent again are counted with one receiver:
/// several that were at different places are, rightly, each sent what is missing there.
pub(crate) fn run() -> Outcome<()> {
    let digest = digest_of_noise(SIZE);
    println!("three nodes, {} MiB, struck after {}; worst of {ROUNDS}", SIZE / MIB, HELD / MIB);
    for (fault, receivers, name, goal) in [
        (Fault::SendersNode, &[1][..], "kill -9 of the sender's node", 3.0),
        (Fault::ReceiversNode, &[1], "kill -9 of the receiver's node", 3.0),
        (Fault::SendersNode, &[0, 1, 2], "the same, receivers on all nodes", 3.0),
        (Fault::Redis, &[1], "Redis killed, and back after 3 s", 2.0),
    ] {
        let mut worst = Toll::default();
        for _ in 0..ROUNDS {
            let toll = strike(fault, receivers, digest).map_err(|error| format!("{name}: {error}"))?;
            worst.silence = worst.silence.max(toll.silence);
            worst.again = worst.again.max(toll.again);
        }
        println!("  {name}");
        let silence = worst.silence.as_secs_f64();
        let moves = format!("  bytes move {silence:.2} s later");
        verdict(&moves, &format!("within {goal} s"), silence <= goal);
        if receivers.len() == 1 {
            let again = worst.again as f64 / MIB as f64;
            verdict(&format!("  {again:.1} MiB sent again"), "two windows", worst.again <= WINDOWS);
        }
    }
    println!();
    Ok(())
}

fn strike(fault: Fault, receivers: &[usize], digest: blake3::Hash) -> Outcome<Toll> {
    let mut redis = Redis::start()?;
    let names = ["bench-a", "bench-b", "bench-c"];
    let mut nodes = names
        .into_iter()
        .map(|name| Server::roomdrop_of_many(name, redis.addr))
        .collect::<Outcome<Vec<_>>>()?;
    let play = Play {
        nodes: nodes.iter().map(|node| node.addr).collect(),
        room: room(),
        digest,
        over: Arc::default(),
    };
    let mut sender = play.join(0)?;
    let parties = receivers.iter().map(|node| Ok((*node, play.join(*node)?))).collect::<Outcome<Vec<_>>>()?;
    let offer = sender.offer(&play.room, SIZE)?;
    let (mut sinks, mut helds) = (Vec::new(), Vec::new());
    for (node, party) in parties {
        let held = Arc::new(AtomicU64::new(0));
        helds.push(Arc::clone(&held));
        sinks.push(play.clone().sink(node, party, offer.clone(), held)?);
    }
    let source = play.clone().source(sender, offer);
    let waiting = || helds.iter().any(|held| held.load(Ordering::Relaxed) < HELD);
    while waiting() && !sinks.iter().any(JoinHandle::is_finished) {
        thread::sleep(Duration::from_millis(1));
    }
    let struck = match fault {
        Fault::SendersNode => nodes[0].kill().map(|()| Instant::now())?,
        Fault::ReceiversNode => nodes[1].kill().map(|()| Instant::now())?,
        Fault::Redis => {
            redis.kill()?;
            thread::sleep(OUTAGE);
            redis.come_back()?
        }
    };
    let arrivals = joined(sinks)?;
    play.over.store(true, Ordering::Relaxed);
    drop(nodes);
    let sent = source.join().map_err(|_| "the sender panicked")??;
    let silence = arrivals.iter().map(|arrivals| silence(arrivals, struck)).max().unwrap_or_default();
    Ok(Toll { silence, again: sent.saturating_sub(SIZE) })
}

/// The longest wait for a chunk since then.
fn silence(arrivals: &[Instant], since: Instant) -> Duration {
    let waits = arrivals.iter().zip(arrivals.iter().skip(1)).filter(|(_, end)| **end > since);
    waits.map(|(begin, end)| *end - *begin.max(&since)).max().unwrap_or_default()
}

/// What all clients of a transfer know.
#[derive(Clone)]
struct Play {
    nodes: Vec<SocketAddr>,
    room: String,
    /// Of what is sent.
    digest: blake3::Hash,
    over: Arc<AtomicBool>,
}

impl Play {
    fn join(&self, node: usize) -> Outcome<Party> {
        Party::join(self.nodes[node], &self.room, None, None)
    }

    /// Receives until all is there, through as many connections as it takes; when each chunk came.
    fn sink(
        self,
        node: usize,
        mut party: Party,
        offer: Offer,
        held: Arc<AtomicU64>,
    ) -> Outcome<JoinHandle<Outcome<Vec<Instant>>>> {
        party.hear_of(&offer)?;
        let token = party.accept(&offer)?;
        party.open_sink(&token, None)?;
        party.reader.digest_on(blake3::Hasher::new());
        Ok(thread::spawn(move || {
            let mut arrivals = Vec::new();
            let mut lane = 0;
            loop {
                lane += 1;
                let from = held.load(Ordering::Relaxed);
                let took = |now| {
                    held.store(now, Ordering::Relaxed);
                    arrivals.push(Instant::now());
                };
                let end = party.receive(&offer.transfer, lane, (from, SIZE), Content::Noise, took);
                let digest = party.reader.digest();
                // Once all is here, whoever should hear of it may be gone.
                if held.load(Ordering::Relaxed) >= SIZE {
                    let right = digest.finalize() == self.digest;
                    return if right { Ok(arrivals) } else { Err("not what was sent".into()) };
                }
                match end {
                    Err(error) if error.is::<Disorder>() => return Err(error),
                    _ => {}
                }
                let key = party.key.clone();
                party = self.come_back(node, &key, |party| party.open_sink(&token, None))?;
                party.reader.digest_on(digest);
            }
        }))
    }

    /// Serves what is offered until it is over, through as many connections as it takes; the bytes it sent.
    fn source(self, mut party: Party, offer: Offer) -> JoinHandle<Outcome<u64>> {
        thread::spawn(move || {
            let mut sent = 0;
            loop {
                let key = party.key.clone();
                if let Ok(source) = party.serve(&offer, Content::Noise) {
                    sent += source.ended();
                }
                if self.over.load(Ordering::Relaxed) {
                    return Ok(sent);
                }
                party = self.come_back(0, &key, |_| Ok(()))?;
            }
        })
    }

    /// Connects anew, to the next nodes in turn, until it is in the room and `begin` works.
    fn come_back(&self, node: usize, key: &str, begin: impl Fn(&mut Party) -> Outcome<()>) -> Outcome<Party> {
        let mut last = None;
        for attempt in 0..ATTEMPTS {
            thread::sleep(Duration::from_millis((100 << attempt.min(3)).min(500)));
            let next = (node + 1 + attempt as usize) % self.nodes.len();
            let back = Party::join(self.nodes[next], &self.room, Some(key), None)
                .and_then(|mut party| begin(&mut party).map(|()| party));
            match back {
                Ok(party) => return Ok(party),
                Err(_) if self.over.load(Ordering::Relaxed) => break,
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| "it is over".into()))
    }
}
