//! Uploads by HTTP to one download by HTTP, beside a relay that does nothing else: what `curl -T` and `curl` do,
//! by blocking sockets that cost little.

use std::{
    io::{BufRead, Write},
    net::Shutdown,
    thread,
    time::Instant,
};

use crate::{
    MIB, Outcome, ROUNDS, Run,
    http::{PIECE, connect, head, take},
    plain,
    process::Server,
    roomdrop::room,
    verdict,
};

const SIZE: u64 = 2048 * MIB;

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
    let mut download = connect(server.addr, &format!("GET {path}?wait HTTP/1.1\r\nhost: bench\r\n\r\n"))?;
    let mut upload = connect(
        server.addr,
        &format!("PUT {path} HTTP/1.1\r\nhost: bench\r\ncontent-length: {SIZE}\r\n\r\n"),
    )?;
    let size = head(&mut download)?.length;
    if size != SIZE {
        return Err(format!("the download has {size} bytes").into());
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
    take(&mut download, SIZE)?;
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
