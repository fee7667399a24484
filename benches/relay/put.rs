//! Uploads by HTTP to one download by HTTP, beside a relay that does nothing else: what `curl -T` and `curl` do,
//! by blocking sockets that cost little.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::Instant,
};

use crate::{MIB, Outcome, ROUNDS, Run, plain, process::Server, roomdrop::room, verdict};

const SIZE: u64 = 2048 * MIB;
/// Bytes of one write and of one read.
const PIECE: usize = 256 * 1024;

pub(crate) fn run() -> Outcome<()> {
    let (roomdrop, plain) = (Server::roomdrop()?, plain::start()?);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(relay(&plain).map_err(|error| format!("plain: {error}"))?);
        ours.push(relay(&roomdrop).map_err(|error| format!("roomdrop: {error}"))?);
    }
    let (ours, theirs) = (Run::median(&ours), Run::median(&theirs));
    println!("PUT to one GET, {} MiB{:>6}{:>16}", SIZE / MIB, "MB/s", "CPU s/GB");
    println!("  roomdrop{:>18.0}{:>16.2}", ours.megabytes, ours.cpu);
    println!("  plain   {:>18.0}{:>16.2}", theirs.megabytes, theirs.cpu);
    let ratio = ours.megabytes / theirs.megabytes * 100.0;
    verdict(&format!("{ratio:.0} % of plain relaying"), "at least 90 %", ratio >= 90.0);
    let cpu = format!("{:.2} CPU seconds per GB", ours.cpu);
    verdict(&cpu, "at most 0.6", ours.cpu <= 0.6);
    println!();
    Ok(())
}

/// One upload to one download that waits for it.
fn relay(server: &Server) -> Outcome<Run> {
    let path = format!("/rooms/{}/file", room());
    let mut download = connect(server, &format!("GET {path}?wait HTTP/1.1\r\nhost: bench\r\n\r\n"))?;
    let mut upload =
        connect(server, &format!("PUT {path} HTTP/1.1\r\nhost: bench\r\ncontent-length: {SIZE}\r\n\r\n"))?;
    let head = length_of(&mut download)?;
    if head != SIZE {
        return Err(format!("the download has {head} bytes").into());
    }
    let (cpu, begun) = (server.cpu_seconds()?, Instant::now());
    let mut sending = upload.get_ref().try_clone()?;
    let sender = thread::spawn(move || -> Outcome<()> {
        let piece = vec![7; PIECE];
        for _ in 0..SIZE / PIECE as u64 {
            sending.write_all(&piece)?;
        }
        Ok(())
    });
    let mut piece = vec![0; PIECE];
    let mut left = SIZE;
    while left > 0 {
        let count = download.read(&mut piece)? as u64;
        if count == 0 {
            return Err(format!("the download ended {left} bytes too early").into());
        }
        left -= count;
    }
    let elapsed = begun.elapsed();
    sender.join().map_err(|_| "the sender panicked")??;
    let mut status = String::new();
    upload.read_line(&mut status)?;
    if !status.starts_with("HTTP/1.1 20") {
        return Err(format!("the upload was answered {status:?}").into());
    }
    let run = Run::new(elapsed, server.cpu_seconds()? - cpu, SIZE)?;
    for connection in [&upload, &download] {
        let _ = connection.get_ref().shutdown(Shutdown::Both);
    }
    Ok(run)
}

fn connect(server: &Server, request: &str) -> Outcome<BufReader<TcpStream>> {
    let mut tcp = TcpStream::connect(server.addr)?;
    tcp.write_all(request.as_bytes())?;
    Ok(BufReader::with_capacity(PIECE, tcp))
}

/// Reads the head of a response, and how long its body is.
fn length_of(from: &mut BufReader<TcpStream>) -> Outcome<u64> {
    let mut length = None;
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        if line.trim().is_empty() {
            return Ok(length.ok_or("the answer does not say how long it is")?);
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = Some(value.trim().parse()?);
        }
    }
}
