//! What is kept: how fast it is written beside `dd conv=fsync`, served by ranges beside nginx with `sendfile`, and
//! whether many small drops slow the store down. All of it in folders of the system's temporary one, which is to
//! be on a disk: in memory, fsync costs nothing.

use std::{
    fs::{self, File},
    io::Write,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    MIB, Outcome, ROUNDS, Run,
    http::{PIECE, connect, head, take},
    joined, median,
    party::Party,
    process::{Server, free_address},
    roomdrop::room,
    verdict,
};

const SIZE: u64 = 1024 * MIB;
/// Bytes of a player's range.
const RANGE: u64 = 16 * MIB;
const SMALL: usize = 10_000;
const SMALL_DROPS: usize = 10_000;
/// Fewer than the open drops that a room keeps.
const PER_ROOM: usize = 500;
/// Uploads at once.
const HANDS: usize = 8;
/// How long nginx may take to start.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn run() -> Outcome<()> {
    let home = TempDir::new()?;
    let server = Server::roomdrop_with_store(&home.path().join("store"))?;
    let (mut ours, mut dds) = (Vec::new(), Vec::new());
    let mut kept = String::new();
    for round in 0..ROUNDS as u64 {
        let original = home.path().join("original");
        write_noise(&original, round)?;
        dds.push(dd(&original, &home.path().join("copy"))?);
        let run;
        (run, kept) = ingest(&server, round)?;
        ours.push(run);
    }
    let (ours, dd) = (Run::median(&ours), median(dds.into_iter()));
    println!("a kept drop of {} MiB{:>14}{:>16}", SIZE / MIB, "MB/s", "CPU s/GB");
    println!("  roomdrop{:>18.0}{:>16.2}", ours.megabytes, ours.cpu);
    println!("  dd      {dd:>18.0}");
    let ratio = ours.megabytes / dd * 100.0;
    verdict(&format!("{ratio:.0} % of dd conv=fsync"), "at least 60 %", ratio >= 60.0);
    println!();
    by_range(&server, &kept, home.path())
}

/// Noise: no two chunks of it, or of two rounds', are the same.
fn noise(round: u64) -> impl Iterator<Item = Vec<u8>> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ (round + 1);
    let mut piece: Vec<u8> = Vec::with_capacity(PIECE);
    while piece.len() < PIECE {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        piece.extend((state >> 16).to_be_bytes());
    }
    (0..SIZE / PIECE as u64).map(move |number| {
        piece[..8].copy_from_slice(&number.to_be_bytes());
        piece.clone()
    })
}

fn write_noise(path: &Path, round: u64) -> Outcome<()> {
    let mut file = File::create(path)?;
    noise(round).try_for_each(|piece| file.write_all(&piece))?;
    Ok(file.sync_all()?)
}

/// Megabytes a second.
fn dd(from: &Path, to: &Path) -> Outcome<f64> {
    let argument = |name: &str, path: &Path| format!("{name}={}", path.display());
    let begun = Instant::now();
    let done = Command::new("dd")
        .args([argument("if", from), argument("of", to)])
        .args(["bs=1M", "conv=fsync", "status=none"])
        .status()?;
    if !done.success() {
        return Err("dd failed; its words are above".into());
    }
    let megabytes = SIZE as f64 / 1e6 / begun.elapsed().as_secs_f64();
    fs::remove_file(to)?;
    Ok(megabytes)
}

/// Uploads one to be kept; where it is to be had by whom.
fn ingest(server: &Server, round: u64) -> Outcome<(Run, String)> {
    let room = room();
    let (cpu, begun) = (server.cpu_seconds()?, Instant::now());
    let head =
        format!("PUT /rooms/{room}/file?keep=1 HTTP/1.1\r\nhost: bench\r\ncontent-length: {SIZE}\r\n\r\n");
    let mut upload = connect(server.addr, &head)?;
    for piece in noise(round) {
        upload.get_mut().write_all(&piece)?;
    }
    expect(&mut upload, 201)?;
    let run = Run::new(begun.elapsed(), server.cpu_seconds()? - cpu, SIZE)?;
    Ok((run, room))
}

fn expect(from: &mut std::io::BufReader<std::net::TcpStream>, status: u16) -> Outcome<()> {
    let answer = head(from)?;
    if answer.status != status {
        return Err(format!("answered with {} instead of {status}", answer.status).into());
    }
    take(from, answer.length)
}

/// The same file from nginx and from roomdrop: all of it but the first byte, as a download that goes on, and range
/// after range on one connection, as players ask.
fn by_range(server: &Server, room: &str, home: &Path) -> Outcome<()> {
    let mut party = Party::join(server.addr, room, None, None)?;
    let (transfer, token) = party.accept_first()?;
    let path = format!("/transfers/{transfer}/content?token={token}");
    let nginx = Nginx::start(home)?;
    // What was written before is not to be measured with it.
    Command::new("sync").status()?;
    for (name, first, length) in [("the same, by one range", 1, SIZE - 1), ("by ranges of 16 MiB", 0, RANGE)]
    {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            theirs.push(SIZE as f64 / 1e6 / ranges(nginx.addr, "/original", first, length)?.as_secs_f64());
            let cpu = server.cpu_seconds()?;
            let elapsed = ranges(server.addr, &path, first, length)?;
            ours.push(Run::new(elapsed, server.cpu_seconds()? - cpu, SIZE)?);
        }
        let (ours, theirs) = (Run::median(&ours), median(theirs.into_iter()));
        println!("{name:<26}{:>4}{:>16}", "MB/s", "CPU s/GB");
        println!("  roomdrop{:>18.0}{:>16.2}", ours.megabytes, ours.cpu);
        println!("  nginx   {theirs:>18.0}");
        let ratio = ours.megabytes / theirs * 100.0;
        verdict(&format!("{ratio:.0} % of nginx"), "at least 80 %", ratio >= 80.0);
        println!();
    }
    Ok(())
}

/// Takes the file from `first` on, `length` bytes at a time, on one connection.
fn ranges(addr: SocketAddr, path: &str, first: u64, length: u64) -> Outcome<Duration> {
    let begun = Instant::now();
    let request = |from: u64| {
        let last = (from + length).min(SIZE) - 1;
        format!("GET {path} HTTP/1.1\r\nhost: bench\r\nrange: bytes={from}-{last}\r\n\r\n")
    };
    let mut connection = connect(addr, &request(first))?;
    for from in (first + length..SIZE).step_by(usize::try_from(length)?) {
        expect(&mut connection, 206)?;
        connection.get_mut().write_all(request(from).as_bytes())?;
    }
    expect(&mut connection, 206)?;
    Ok(begun.elapsed())
}

/// An nginx of the benchmark's own, over the same disk.
struct Nginx {
    child: Child,
    addr: SocketAddr,
}

impl Nginx {
    fn start(root: &Path) -> Outcome<Self> {
        let (addr, root) = (free_address()?, root.display());
        let conf = format!(
            "daemon off; worker_processes auto; pid {root}/pid; error_log stderr error;
             events {{}}
             http {{
               access_log off; sendfile on; tcp_nopush on;
               client_body_temp_path {root}/a; proxy_temp_path {root}/b; fastcgi_temp_path {root}/c;
               uwsgi_temp_path {root}/d; scgi_temp_path {root}/e;
               server {{ listen {addr}; root {root}; }}
             }}"
        );
        let path = format!("{root}/nginx.conf");
        fs::write(&path, conf)?;
        let child = Command::new("nginx")
            .args(["-p", &root.to_string(), "-e", "stderr", "-c", &path])
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| format!("can't run nginx, the measure of downloads: {error}"))?;
        let nginx = Self { child, addr };
        let begun = Instant::now();
        while std::net::TcpStream::connect(addr).is_err() {
            if begun.elapsed() > PATIENCE {
                return Err("nginx does not start; its words are above".into());
            }
            thread::yield_now();
        }
        Ok(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers end with it only when it is asked to end.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// Many small kept drops: whether the second half takes longer than the first, to store and to list.
pub(crate) fn many() -> Outcome<()> {
    let home = TempDir::new()?;
    let store = home.path().join("store");
    let rooms: Vec<String> = (0..SMALL_DROPS / PER_ROOM).map(|_| room()).collect();
    let (first, second) = rooms.split_at(rooms.len() / 2);
    let mut stored = Vec::new();
    let mut listed = Vec::new();
    for half in [first, second] {
        let server = Server::roomdrop_with_store(&store)?;
        let begun = Instant::now();
        store_in(server.addr, half)?;
        stored.push(begun.elapsed().as_secs_f64());
        drop(server);
        // A server that knows nothing yet reads what is kept of a room when the first enters it.
        let server = Server::roomdrop_with_store(&store)?;
        let begun = Instant::now();
        for room in half {
            let drops = Party::join(server.addr, room, None, None)?.open_drops;
            if drops != PER_ROOM {
                return Err(format!("{room} lists {drops} drops").into());
            }
        }
        listed.push(begun.elapsed().as_secs_f64());
    }
    println!("{SMALL_DROPS} kept drops of {} kB, {HANDS} at once", SMALL / 1000);
    for (what, seconds) in [("stored", stored), ("listed", listed)] {
        let per_drop = |seconds: f64| seconds * 1e3 / (SMALL_DROPS / 2) as f64;
        let ratio = seconds[1] / seconds[0];
        println!("  {what}  {:.2} ms each, then {:.2} ms", per_drop(seconds[0]), per_drop(seconds[1]));
        verdict(&format!("{ratio:.2} times the first half's"), "at most 1.25", ratio <= 1.25);
    }
    println!();
    Ok(())
}

fn store_in(addr: SocketAddr, rooms: &[String]) -> Outcome<()> {
    let names: Vec<String> = rooms
        .iter()
        .flat_map(|room| (0..PER_ROOM).map(move |number| format!("/rooms/{room}/{number}?keep=1")))
        .collect();
    let hands = names.chunks(names.len().div_ceil(HANDS)).map(<[String]>::to_vec);
    let store = move |names: Vec<String>| -> Outcome<()> {
        for name in names {
            let head = format!("PUT {name} HTTP/1.1\r\nhost: bench\r\ncontent-length: {SMALL}\r\n\r\n");
            let mut upload = connect(addr, &head)?;
            let mut body = name.into_bytes();
            body.resize(SMALL, 7);
            upload.get_mut().write_all(&body)?;
            expect(&mut upload, 201)?;
        }
        Ok(())
    };
    joined(hands.map(|names| thread::spawn(move || store(names))).collect()).map(drop)
}
